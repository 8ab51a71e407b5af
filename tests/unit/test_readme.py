"""What the README shows is true: its strategy works, its commands exist, its settings are those of the example file."""

import re
from pathlib import Path
from typing import Any

from typer import Typer

from agents.model import Account, Book, FeeSchedule, Level, Market, MarketView, View
from agents.money import ONE
from supervisor.cli import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_its_strategy_buys_what_is_cheap() -> None:
    names: dict[str, Any] = {"__name__": "my_package.cheap"}
    exec(re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0], names)
    strategy = names["Cheap"](names["CheapParams"]())
    market = Market("1", "0x1", "Will it?", "will-it", ("11", "22"), ("Yes", "No"), 10_000, 5 * ONE, FeeSchedule())
    book = Book("11", bids=(Level(140_000, ONE),), asks=(Level(150_000, ONE),))
    view = View(0, (MarketView(market, (book, book.mirrored("22"))),), Account(cash=100 * ONE))
    (decision,) = strategy.decide(view)
    assert (decision.token_id, decision.action, decision.price, decision.size) == ("11", "buy", 150_000, 10 * ONE)
    assert decision.reasoning == "offered at 0.15"


def _commands(app: Typer) -> set[str]:
    """Return the names of an application's commands, those of its groups behind the group's."""
    found = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    for group in app.registered_groups:
        assert group.typer_instance
        found |= {str(group.name)} | {f"{group.name} {name}" for name in _commands(group.typer_instance)}
    return found


def test_its_commands_are_those_that_there_are() -> None:
    named = re.search(r"`polyfleet (up \| [^`]*)`", README)
    assert named is not None
    there = _commands(app)
    assert set(named[1].split(" | ")) == there


def test_every_setting_of_the_code_is_in_the_example_file() -> None:
    setting = re.compile(r'"(POLYFLEET_[A-Z_]+|FRONTEND_URL|MAX_TRADE_AMOUNT|MIN_CONFIDENCE|PORT)"')
    files = [path for package in ("supervisor", "actors", "agents") for path in (ROOT / package).rglob("*.py")]
    read = {name for path in files for name in setting.findall(path.read_text())}
    internal = {"POLYFLEET_CLUSTER", "POLYFLEET_API_TOKEN_DIGEST", "POLYFLEET_API_TOKEN_DIGESTS", "POLYFLEET_LLM_"}
    internal |= {"POLYFLEET_FORKSERVERS", "POLYFLEET_FORKED"}
    shown = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert "POLYFLEET_API_TOKEN" in read
    assert read - internal - shown == set()


def test_every_figure_for_prometheus_is_named() -> None:
    code = (ROOT / "supervisor" / "api" / "metrics.py").read_text()
    there = set(re.findall(r'"(polyfleet_[a-z_]+)"', code))
    assert "polyfleet_queue_depth" in there
    assert there == set(re.findall(r"`(polyfleet_[a-z_]+)`", README))
