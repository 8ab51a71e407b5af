"""The commands that ask a running fleet, or tell it, something: over its REST API and its hub."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.errors import InvalidInput
from supervisor.client import Gap
from supervisor.console import Agent, Json, Token, Url, client, line, note, out, print_json, print_text, table
from supervisor.doctor import doctor
from supervisor.event_line import clock, event_line

if TYPE_CHECKING:
    from supervisor.client.answers import LoggedEvent, Portfolio, Sums

#: Events that `events` shows unless told from where on.
_LATEST = 20

_SUMS = ("cash", "value", "equity", "realised", "unrealised", "fees", "drawdown")


_SIMULATED = {"sandbox": "  (simulated venue)", "paper": "  (real prices, simulated fills)"}


class Switch(StrEnum):
    """What the kill switch can be told."""

    ON = "on"
    FLATTEN = "flatten"
    OFF = "off"


def status(url: Url = None, token: Token = None, as_json: Json = False) -> None:
    """Show the fleet: its mode, counts, profit and services."""
    fleet = client(url, token).fleet()
    if as_json:
        return print_json(fleet)
    states = ", ".join(f"{count} {state}" for state, count in fleet["agents"]["byState"].items() if count)
    out.print(f"mode       {fleet['mode']}" + _SIMULATED.get(fleet["mode"], ""))
    out.print(f"agents     {fleet['agents']['total']}: {states or 'none'}")
    out.print(f"decisions  {fleet['totalDecisions']}")
    out.print(f"trades     {fleet['totalTrades']}")
    out.print(f"profit     {fleet['totalProfit']:.2f} pUSD realised, fees taken off")
    out.print(f"exposure   {float(fleet['exposure']):.2f} pUSD")
    if fleet["halted"] is not None:
        line(f"halted     {fleet['halted']}")
    _print_unsold(fleet["flatten"] or ())
    services = table("service", "state", "restarts")
    for service in fleet["services"]:
        services.add_row(service["name"], service["state"], str(service["restarts"]))
    return out.print(services)


def portfolio(
    positions: Annotated[bool, typer.Option("--positions", help="Show what is held, too.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print cash and positions of every book as CSV.")] = False,
    trades: Annotated[
        bool, typer.Option("--trades", help="Print every fill and payout with its cost and realised profit, as CSV.")
    ] = False,
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Show what every wallet and agent has, in pUSD, at the best bids of now."""
    api = client(url, token)
    if as_csv or trades:
        return print_text(api.trades_csv() if trades else api.portfolio_csv())
    found = api.portfolio()
    if as_json:
        return print_json(found)
    books = table("wallet", "agent", *_SUMS, "positions")
    for wallet in found["wallets"]:
        for book in wallet["books"]:
            books.add_row(wallet["wallet"], _owner(book), *_sums(book), str(len(book["positions"])))
    books.add_row("all", "", *_sums(found["total"]), "")
    out.print(books)
    if float(found["total"]["redeemable"]):
        line(f"resolved and not paid out yet, within the value: {found['total']['redeemable']} pUSD")
    if unpriced := found["total"]["unpriced"]:
        line(f"positions without a price, counted at what they have cost: {unpriced}")
    return _print_positions(found) if positions else None


def score(
    by: Annotated[str, typer.Option(help="What makes a group: agent, strategy, model or category.")] = "agent",
    markets: Annotated[
        Path | None,
        typer.Option(help="Score the price on recorded markets (JSON lines, gzip or plain); asks no fleet."),
    ] = None,
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Show how good forecasts were beside the market's price; Brier scores, of which lower is better."""
    from supervisor.score_report import baseline_table, baselines, score_table

    if markets is not None:
        prices = baselines(markets)
        return print_json([asdict(each) for each in prices]) if as_json else out.print(baseline_table(prices))
    found = client(url, token).scores(by)
    if as_json:
        return print_json(found)
    if found["scores"]:
        out.print(score_table(found["scores"]))
    return out.print(f"forecasts whose markets have not resolved yet: {found['waiting']}")


def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they happen, until Ctrl-C.")] = False,
    agent: Annotated[str | None, typer.Option(help="Only this agent's.")] = None,
    type: Annotated[
        list[str] | None, typer.Option(help="Only this type, such as trade; give it several times for several.")
    ] = None,
    after: Annotated[int | None, typer.Option(min=0, help="Begin after this seq; default: the newest 20.")] = None,
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Show the log, oldest first."""
    api = client(url, token)
    if after is not None:
        found: Iterable[LoggedEvent] = api.events(after, agent, type)
    elif agent or type:
        found = deque(api.events(0, agent, type), maxlen=_LATEST)
    else:
        found = api.events(max(0, api.ready()["seq"] - _LATEST))
    seq = after or 0
    for event in found:
        _print_event(event, as_json)
        seq = event["seq"]
    if follow:
        for news in api.follow(seq, type, [agent] if agent else None):
            if isinstance(news, Gap):
                note(f"the log no longer has {news.start} to {news.end}")
            else:
                _print_event(news, as_json)


def logs(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An agent's id, or with --service one of `polyfleet status`.")],
    service: Annotated[bool, typer.Option("--service", help="NAME is a service.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they come, until Ctrl-C.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many lines.")] = 50,
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Show what an agent's or a service's process has logged, oldest first."""
    api = client(url, token)
    read = api.service_logs if service else api.logs
    shown: dict[str, Any] | None = None
    told: str | None = None
    while True:
        answer = read(name, 1000 if shown else limit)
        lines = answer["logs"]
        for each in lines[lines.index(shown) + 1 if shown in lines else 0 :]:
            sentence = f"{clock(each['timestamp'])} {each['level']:<8} {each['message']}\n{each.get('exception', '')}".rstrip()
            print_json(each) if as_json else out.print(sentence, markup=False)
        if answer["note"] != told and (told := answer["note"]):
            note(told)
        shown = lines[-1] if lines else shown
        if not follow:
            return
        time.sleep(1.0)


def kill_switch(
    switch: Annotated[Switch, typer.Argument(help="on stops all trading, flatten sells out too, off lifts it.")],
    reason: Annotated[str, typer.Argument(help="Why; it goes into the log.")] = "thrown from the command line",
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Stop all trading, cancel all orders and, if you say so, sell out; or lift that."""
    api = client(url, token)
    off = switch is Switch.OFF
    answer = api.lift() if off else api.kill_switch(reason, flatten=switch is Switch.FLATTEN)
    if as_json:
        return print_json(answer)
    out.print("trading is allowed again" if off else "all trading is stopped and all orders are cancelled")
    if answer["flatten"] is None:
        return None
    out.print("what agents hold is being sold; `polyfleet status` shows what is left, and why")
    return _print_unsold(answer["flatten"])


def cancel(
    order: Annotated[str | None, typer.Argument(help="An order's id; see --agent, --market and --all for several.")] = None,
    agent: Annotated[str | None, typer.Option(help="Only the orders of this agent.")] = None,
    market: Annotated[str | None, typer.Option(help="Only the orders on this market: condition id, id, slug or token.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All orders, also those placed outside the fleet.")] = False,
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Cancel resting orders: one, an agent's, those on a market, or all. Agents that run may place others at once."""
    several = agent is not None or market is not None
    if (order is not None) + several + everything != 1:
        raise InvalidInput("name an order, or --agent and/or --market, or --all")
    api = client(url, token)
    answer = api.cancel_orders(agent, market) if order is None else api.cancel_order(order)
    if as_json:
        print_json(answer)
    else:
        line(f"{answer['cancelled']} resting orders were cancelled")


def risk(
    resume: Annotated[
        str | None, typer.Option(metavar="SCOPE", help="Lift the stops for losses of agent:ID, wallet:NAME or fleet.")
    ] = None,
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Show the limits that something is used up of, and what is stopped; or let a scope buy again."""
    api = client(url, token)
    if resume is not None:
        resumed = api.resume_trading(resume)
        return print_json(resumed) if as_json else line(f"{resume} may buy again; its losses are measured from now on")
    found = api.risk()
    if as_json:
        return print_json(found)
    if found["limits"] is None:
        line(f"nothing is bought: {found['unreadable']}")
    uses = table("scope", "rule", "used", "limit")
    for scope in found["scopes"]:
        for use in scope["uses"]:
            if use["limit"] is not None and use["used"] not in (None, "0"):
                uses.add_row(scope["scope"], use["rule"], f"{float(use['used']):.2f}", f"{float(use['limit']):.2f}")
    out.print(uses)
    for scope in found["scopes"]:
        for stop in scope["stops"]:
            line(stop["message"])
    return None


def reload(url: Url = None, token: Token = None, as_json: Json = False) -> None:
    """Read the fleet file again: create the agents that are new, change those that it describes otherwise."""
    answer = client(url, token).reload()
    if as_json:
        print_json(answer)
        return
    for what, ids in (("created", answer["created"]), ("changed", answer["changed"])):
        out.print(f"{what}: {', '.join(ids) or 'none'}")


def _control(action: str) -> Callable[..., None]:
    def run(agent: Agent, url: Url = None, token: Token = None, as_json: Json = False) -> None:
        status = client(url, token).control(agent, action)
        if as_json:
            print_json(status)
        elif action == "kill":
            line(f"the process of {agent} was killed, in its life {status['incarnation']}")
        else:
            out.print(f"{agent} is {status['state']} (life {status['incarnation']})")

    return run


_CONTROLS = {
    "start": "Start one agent.",
    "stop": "Stop one agent and cancel its orders.",
    "pause": "Pause one agent and cancel its quotes.",
    "resume": "Let a paused or quarantined agent go on.",
    "restart": "Stop one agent and start it again.",
    "kill": "Kill one agent's process, to see it come back.",
}


def add_to(app: typer.Typer) -> None:
    """Make them commands of an application."""
    for command in (status, portfolio, score, events, logs):
        app.command()(command)
    for action, about in _CONTROLS.items():
        app.command(action, help=about)(_control(action))
    app.command()(cancel)
    app.command("kill-switch")(kill_switch)
    app.command()(risk)
    app.command()(reload)
    app.command()(doctor)


def _print_unsold(wallets: Iterable[Any]) -> None:
    for wallet in wallets:
        if not wallet["left"]:
            line(f"wallet {wallet['wallet']} is sold out")
        for left in wallet["left"]:
            what = f"{left['size']} {left['outcome'] or left['tokenId']} {left['marketQuestion']}"
            line(f"wallet {wallet['wallet']} still holds {what} ({left['agentId'] or 'unallocated'}): {left['reason']}")


def _owner(book: Any) -> str:
    return book["agentId"] or "(unallocated)"


def _sums(sums: "Sums") -> list[str]:
    figures = [sums[name] for name in _SUMS]  # type: ignore[literal-required]
    return ["-" if figure is None else f"{float(figure):.2f}" for figure in figures]


def _print_positions(found: "Portfolio") -> None:
    held = table("agent", "size", "outcome", "average", "price", "unrealised", "market")
    for wallet in found["wallets"]:
        for book in wallet["books"]:
            for each in book["positions"]:
                unrealised = each["unrealised"]
                held.add_row(
                    _owner(book),
                    each["size"],
                    each["outcome"] or "?",
                    each["averagePrice"],
                    each["price"] or "?",
                    "?" if unrealised is None else f"{float(unrealised):.2f}",
                    each["marketQuestion"] or each["tokenId"],
                )
    out.print(held)


def _print_event(event: "LoggedEvent", as_json: bool) -> None:
    if as_json:
        print_json(event, indent=None)
    else:
        line(event_line(event))
