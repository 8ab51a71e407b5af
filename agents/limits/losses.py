"""Losses: what a scope's result is at the prices of now, from where it is measured, and when that stops a scope."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from agents.limits.exposure import FLEET, agent_scope, scopes
from agents.limits.settings import FleetLimits, RiskSettings, amount
from agents.limits.state import NEW, Mark, RiskState, Rule, Stop
from agents.money import Micro, notional, text
from agents.portfolio import UNALLOCATED, Portfolio
from agents.spec import AgentSpec

_DAY = 86_400_000

#: The peak in the log is renewed when the result is above it by this part of the capital.
_PEAK_STEP = 200


def day_of(venue_time: int) -> int:
    """Return the number of the UTC day of a venue time in milliseconds."""
    return venue_time // _DAY


def results(portfolio: Portfolio, worths: Mapping[str, Micro | None]) -> dict[str, Micro]:
    """Return each scope's result: realised profit, and the worth of its shares less their cost.

    Shares whose worth is None, or is not said, count at their cost. Deposits and budgets change no result.
    """
    sums: dict[str, Micro] = {FLEET: 0}
    for wallet, books in portfolio.wallets.items():
        for owner, book in books.items():
            result = 0
            for token_id, position in book.positions.items():
                result += position.profit
                if position.size:
                    price = worths.get(token_id)
                    result += 0 if price is None else notional(position.size, price) - position.cost
            for scope in scopes(None if owner == UNALLOCATED else owner, wallet):
                sums[scope] = sums.get(scope, 0) + result
    return sums


@dataclass(frozen=True, slots=True)
class High:
    """The highest result that was seen since a mark was logged."""

    since: Mark
    peak: Micro


@dataclass(frozen=True, slots=True)
class Findings:
    """What a look at losses calls for: marks to log, and stops by scope. `highs` are to be handed to the next look."""

    marks: dict[str, Mark]
    stops: dict[str, list[Stop]]
    highs: dict[str, High]


def look(
    state: RiskState,
    settings: RiskSettings,
    specs: Mapping[str, AgentSpec],
    found: Mapping[str, Micro],
    capital: Mapping[str, Micro],
    day: int,
    highs: Mapping[str, High],
) -> Findings:
    """Compare results with their marks and say what follows; `highs` are what the last look returned."""
    marks: dict[str, Mark] = {}
    stops: dict[str, list[Stop]] = {}
    higher: dict[str, High] = {}
    for scope, result in found.items():
        limits = _limits(settings, specs, scope)
        if limits is None:
            continue
        logged = state.marks.get(scope)
        if logged is None or logged.day < day:
            begun = logged is not None and logged.day == NEW
            peak = result if logged is None else max(logged.peak, _peak(highs, scope, logged), result)
            marks[scope] = Mark(day, 0 if begun else result, peak)
            continue
        peak = max(logged.peak, _peak(highs, scope, logged), result)
        if peak - logged.peak > max(capital.get(scope, 0), 0) // _PEAK_STEP:
            marks[scope] = replace(logged, peak=peak)
        higher[scope] = High(logged, peak)
        on = state.stops.get(scope, {})
        checks = (
            (Rule.DAILY_LOSS, limits.max_daily_loss, logged.start - result, "lost {} pUSD today, on the venue's clock"),
            (Rule.DRAWDOWN, limits.max_drawdown, peak - result, "fell {} pUSD below its highest result"),
        )
        for rule, bound, loss, what in checks:
            most = amount(bound, capital.get(scope, 0))
            if most is not None and loss > most and rule not in on:
                until = "until the venue's day ends" if rule is Rule.DAILY_LOSS else "until an operator resumes it"
                message = f"{rule}: {scope} {what.format(text(loss))}, and may {text(most)}; it buys nothing {until}"
                stops.setdefault(scope, []).append(Stop(rule, text(most), text(loss), message, day, result))
    return Findings(marks, stops, higher)


def _peak(highs: Mapping[str, High], scope: str, logged: Mark) -> Micro:
    """Return the peak seen since the mark was logged; one that has changed (its scope was resumed) begins anew."""
    seen = highs.get(scope)
    return seen.peak if seen is not None and seen.since == logged else logged.peak


def _limits(settings: RiskSettings, specs: Mapping[str, AgentSpec], scope: str) -> FleetLimits | None:
    if scope == FLEET:
        return settings.fleet
    kind, _, name = scope.partition(":")
    if kind == "wallet":
        return settings.wallet
    spec = specs.get(name)
    return settings.of(spec.risk) if spec is not None and scope == agent_scope(spec.id) else None
