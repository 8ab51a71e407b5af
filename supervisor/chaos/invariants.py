"""What must hold after any number of kills: pure checks over what was read."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supervisor.chaos.evidence import Change, Log, Venue

#: How many offenders a detail names.
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant: whether it holds, and what was looked at or is wrong."""

    name: str
    ok: bool
    detail: str


def of_log(log: Log) -> Iterator[Finding]:
    """Check the log by itself: numbers, ids, orders by decision."""
    wrong = [seq for place, seq in enumerate(log.seqs, 1) if seq != place]
    yield _none("`seq` has no gap", wrong, f"1 to {len(log.seqs)}")
    yield _none("every event id is in the log once", [id for id, n in log.ids.items() if n > 1], f"{len(log.ids)} ids")
    twice = [decision for decision, orders in log.orders_of.items() if len(orders) > 1]
    yield _none("no decision led to two orders", twice, f"{len(log.orders_of)} decisions with an order")
    unknown = [decision for decision in log.orders_of if decision not in log.decisions]
    yield _none("every order follows from a decision in the log", unknown, f"{len(log.signed)} signed orders")


def of_deposits(log: Log) -> Iterator[Finding]:
    """Check that no broker squared its books with money of nobody: that would hide what was lost."""
    later = [deposit for deposits in log.deposits.values() for deposit in deposits[1:]]
    yield _none("nothing but the first balance was booked to nobody", later, f"{len(log.deposits)} wallets")


def of_orders(log: Log, venue: Venue) -> Iterator[Finding]:
    """Check the venue's orders against the log's."""
    wrong = [order for order, n in venue.orders.items() if n > 1 or log.signed[order] != 1]
    name = "the venue took no order twice, and none that was not signed in the log once"
    yield _none(name, wrong, f"{len(venue.orders)} orders at the venue")


def of_fills(log: Log, venue: Venue) -> Iterator[Finding]:
    """Check the venue's fills against the log's. One that failed at the venue may be in the log, or not."""
    wrong = [fill for fill in venue.sizes if log.fills[fill] != 1 and not (fill in venue.failed and not log.fills[fill])]
    wrong += [fill for fill in log.fills if fill not in venue.sizes]
    yield _none("every fill of the venue is in the log exactly once", wrong, f"{len(venue.sizes)} fills")
    differing = [fill for fill, size in log.sizes.items() if venue.sizes.get(fill, size) != size]
    yield _none("fills have the venue's sizes", differing, f"{len(log.sizes)} compared")


def of_books(check: Mapping[str, Any]) -> Iterator[Finding]:
    """Check the answer of `/api/ledger/check`."""
    wallets = check["wallets"]
    differences = [difference for wallet in wallets for difference in wallet["differences"]]
    cash = ", ".join(f"{wallet['ledgerCash']} pUSD and {len(wallet['positions'])} positions" for wallet in wallets)
    if check["ok"] or differences:
        yield _none("the books equal the venue's to the micro-unit", differences, cash)
    else:
        yield Finding("the books equal the venue's to the micro-unit", False, f"the check is not ok: {check}"[:300])


def of_forecasts(log: Log) -> Iterator[Finding]:
    """Check that no set of samples was paid for without having been begun, or twice, and that nobody was told of one twice."""
    wrong = [id for id, n in log.settled.items() if n > 1 or log.begun[id] != 1]
    yield _none("every set of samples was begun and paid for once", wrong, f"{len(log.settled)} sets")
    twice = [told for told, n in log.told.items() if n > 1]
    yield _none("no agent was told of a forecast twice", twice, f"{len(log.told)} forecasts")


def of_lives(log: Log, at_once: int, resets: Sequence[int]) -> Iterator[Finding]:
    """Check the lives of the agents. `resets`: wall milliseconds at which every process of the fleet was killed."""
    lives: dict[str, int] = {}
    wrong = []
    for change in log.changes:
        known = lives.get(change.agent_id, 0)
        if change.incarnation < known or (change.state == "starting" and change.incarnation == known):
            wrong.append(f"{change.agent_id} {change.incarnation} after {known} at seq {change.seq}")
        lives[change.agent_id] = change.incarnation
    yield _none("an agent's incarnations strictly increase", wrong, f"{sum(lives.values())} lives")
    most, seq = most_starting(log.changes, resets)
    limit = at_once + 1
    detail = f"at most {most}, {at_once} configured" if most <= limit else f"{most} at seq {seq}, {at_once} configured"
    yield Finding("no more agents start at once than configured, and one", most <= limit, detail)


def most_starting(changes: Sequence[Change], resets: Sequence[int]) -> tuple[int, int]:
    """Return how many agents were starting at once at most, and at which seq first. What a reset killed starts no more."""
    starting: set[str] = set()
    most, where = 0, 0
    left = sorted(resets)
    for change in changes:
        while left and left[0] <= change.at:
            starting.clear()
            left.pop(0)
        if change.state == "starting":
            starting.add(change.agent_id)
        else:
            starting.discard(change.agent_id)
        if len(starting) > most:
            most, where = len(starting), change.seq
    return most, where


def of_agents(agents: Sequence[Mapping[str, Any]], services: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Check that all runs that should: the agents and services as the API shows them."""
    idle = [f"{a['id']} is {a['state']}" for a in agents if a["spec"]["enabled"] and a["state"] != "running"]
    yield _none("every agent that should run runs", idle, f"{len(agents)} agents")
    down = [f"{service['name']} is {service['state']}" for service in services if service["state"] != "running"]
    yield _none("every service runs", down, ", ".join(f"{service['name']} {service['restarts']}" for service in services))


def of_end(code: int, left: int, ended: Sequence[str]) -> Iterator[Finding]:
    """Check the end: the exit code of `up`, how many processes it left, and whether it had ended before it was asked to."""
    yield _none("`up` stayed until it was asked to end", ended, "")
    detail = f"exit code {code}, {left} processes left"
    yield Finding("the fleet ended in good order and left no process", code == 0 and left == 0, detail)


def recoveries(changes: Sequence[Change], kills: Sequence[tuple[str, int]]) -> tuple[list[int], list[int]]:
    """Return milliseconds from each agent's kill (id, wall milliseconds) to its change in the log, and to running again."""
    by_agent: defaultdict[str, list[Change]] = defaultdict(list)
    for change in changes:
        by_agent[change.agent_id].append(change)
    noticed, running = [], []
    for agent_id, at in kills:
        later = [change for change in by_agent[agent_id] if change.at >= at]
        gone = next((n for n, change in enumerate(later) if change.state not in ("starting", "running", "paused")), None)
        if gone is None:
            continue
        noticed.append(later[gone].at - at)
        running += [change.at - at for change in later[gone:] if change.state == "running"][:1]
    return noticed, running


def _none(name: str, offenders: Collection[Any], looked_at: str) -> Finding:
    if not offenders:
        return Finding(name, True, looked_at)
    some = "; ".join(str(offender) for offender in list(offenders)[:_SHOWN])
    return Finding(name, False, f"{len(offenders)}: {some}")
