"""The seed's own entry point: one agent in this process, its decisions and trades as JSON lines on stdout.

usage: PYTHONPATH=<where agents/ is> [VARIABLE=...] python <anywhere>/agents/application/trade.py

Read from the environment, an empty variable as if it were not there:

    MAX_TRADE_AMOUNT    the most that one decision may spend, in pUSD (100)
    MIN_CONFIDENCE      decisions below it are held, 0 to 1 (0.7)
    RISK_TOLERANCE      LOW, MEDIUM or HIGH: 5, 10 or 20 such amounts may be at stake in all (MEDIUM)
    AUTO_TRADE          true: it trades; anything else: it only decides (false)
    POLYFLEET_STRATEGY  what it decides with, one that needs no model (momentum)
    POLYFLEET_VENUE     what `polyfleet sandbox` prints, or a file of it; without it a simulated venue runs in this process

It trades with a simulated wallet only, and reads no key: POLYGON_WALLET_PRIVATE_KEY is left alone. It ends with 0 on SIGTERM,
1 if it fails, 2 for a wrong variable. This script is the one part of `agents` that imports from `actors`.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

# Before all else: the imports take seconds in which it can be told to end, too.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
# PYTHONPATH may name the folder `agents` itself, as the seed's document has it.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pydantic import ValidationError  # noqa: E402

from agents.errors import InvalidInput, PolyfleetError  # noqa: E402
from agents.events import Event  # noqa: E402
from agents.process_protocol import written  # noqa: E402
from agents.spec import AgentSpec  # noqa: E402
from agents.strategies.registry import create  # noqa: E402
from agents.validation import explain  # noqa: E402

#: How many of the greatest trades may be at stake in all.
_TRADES = {"LOW": 5, "MEDIUM": 10, "HIGH": 20}

#: Seconds between two lines: the seed reads one line of each piece that it gets, and loses the others.
_APART = 0.03

#: Seconds after which it ends, whatever it waits for.
_END = 1.8


def spec_from(environment: Mapping[str, str]) -> AgentSpec:
    """Return the agent that the seed's variables ask for. Raises InvalidInput."""
    given = {name: value.strip() for name, value in environment.items() if value.strip()}
    tolerance = given.get("RISK_TOLERANCE", "MEDIUM").upper()
    if tolerance not in _TRADES:
        raise InvalidInput(f"RISK_TOLERANCE: {tolerance[:20]!r} is not one of {', '.join(_TRADES)}")
    try:
        most, confidence = float(given.get("MAX_TRADE_AMOUNT", "100")), float(given.get("MIN_CONFIDENCE", "0.7"))
        spec = AgentSpec.model_validate(
            {
                "id": "default",
                "strategy": given.get("POLYFLEET_STRATEGY", "momentum"),
                "maxTradeAmount": f"{most:.6f}",
                "budget": f"{most * _TRADES[tolerance]:.6f}",
                "minConfidence": confidence,
            }
        )
    except ValidationError as error:
        raise InvalidInput(explain(error)) from None
    except ValueError as error:
        raise InvalidInput(f"MAX_TRADE_AMOUNT, MIN_CONFIDENCE: {error}; expected numbers") from None
    strategy = create(spec.strategy, spec.params)
    if strategy.recipe or strategy.command:
        raise InvalidInput(f"POLYFLEET_STRATEGY: {spec.strategy} needs a fleet; momentum, for one, does not")
    return spec


def venue_from(environment: Mapping[str, str]) -> str:
    """Return the description of the venue, empty if none is named. Raises InvalidInput for a file that cannot be read."""
    named = environment.get("POLYFLEET_VENUE", "").strip()
    if not named or named.startswith("{"):
        return named
    try:
        return Path(named).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidInput(f"POLYFLEET_VENUE: the file {named} cannot be read: {error}") from None


async def _say(event: Event) -> None:
    sys.stdout.write(written(event) + "\n")
    sys.stdout.flush()
    await asyncio.sleep(_APART)


async def _trade(spec: AgentSpec, venue: str, trades: bool) -> None:
    # Here, so that a wrong variable is told of at once: this takes seconds.
    from actors import single_agent

    loop, stopping = asyncio.get_running_loop(), asyncio.Event()

    def end() -> None:
        stopping.set()
        loop.call_later(_END, os._exit, 0)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    await single_agent.run(spec, venue=venue, trades=trades, say=_say, stopping=stopping)


def main() -> int:
    """Run until SIGTERM or Ctrl-C; return the exit code."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    trades = os.environ.get("AUTO_TRADE", "").strip().lower() == "true"
    try:
        asyncio.run(_trade(spec_from(os.environ), venue_from(os.environ), trades))
    except BrokenPipeError:
        # Whoever read the lines is gone; so is the reason to run.
        return 1
    except PolyfleetError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, InvalidInput) else 1
    return 0


if __name__ == "__main__":
    # All is closed and each line was flushed; to take apart what was imported would take a second more.
    os._exit(main())
