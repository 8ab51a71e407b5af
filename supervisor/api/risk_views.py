"""Limits and what is used up of them as clients see them, made from the folded log and the prices of now."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from agents.fleet import FleetState
from agents.limits.exposure import FLEET, agent_of, agent_scope, holdings, scopes, wallet_scope
from agents.limits.losses import results
from agents.limits.settings import FleetLimits, RiskSettings, WalletLimits, amount
from agents.limits.state import Rule
from agents.model import MarketView
from agents.money import Micro, micro, text
from agents.valuation import worth
from supervisor.api.market_views import Exact, maybe_text

ScopeName = Annotated[str, Field(description="agent:ID, wallet:NAME or fleet.")]


class Use(TypedDict):
    """One limit of a scope; of markets and events it is that with the most at risk."""

    rule: str
    used: Annotated[Exact | None, Field(description="pUSD, or a number of orders; null: it is not known yet.")]
    limit: Annotated[Exact | None, Field(description="Null: there is none.")]


class RiskStop(TypedDict):
    """A rule that lets a scope buy nothing."""

    rule: Rule
    limit: str
    figure: str
    message: str


class ScopeRisk(TypedDict):
    """One scope: what it was given, its result (realised, and what its shares are worth beyond their cost), and its limits."""

    scope: ScopeName
    blocked: Annotated[str | None, Field(description="Why it may buy nothing, or null.")]
    capital: Exact
    result: Exact
    stops: list[RiskStop]
    uses: list[Use]


class Risk(TypedDict):
    """The fleet's limits, and every scope: the fleet, its wallets, its agents."""

    seq: int
    limits: Annotated[RiskSettings | None, Field(description="Those of the fleet file; null: they cannot be read.")]
    unreadable: str
    scopes: list[ScopeRisk]


def risk(state: FleetState, views: Iterable[MarketView]) -> Risk:
    """Return the limits and what is used up of them; shares count at their best bid."""
    known = state.risk
    sums = holdings(state.portfolio, known.places.get)
    open_orders: Counter[str] = Counter()
    for each in known.working.values():
        for scope in scopes(each.owner, each.wallet):
            open_orders[scope] += 1
            sums.add(scope, each.place, each.left)
    found = results(state.portfolio, _worths(state, views))
    wallets = sorted({*state.addresses, *(record.spec.wallet for record in state.agents.values())})
    names = [FLEET, *map(wallet_scope, wallets), *map(agent_scope, sorted(state.agents))]
    lines: list[ScopeRisk] = []
    for scope in names:
        capital, result = sums.capital.get(scope, 0), found.get(scope, 0)
        used: dict[str, Micro | None] = {
            "maxMarketExposure": sums.largest(sums.market, scope),
            "maxEventExposure": sums.largest(sums.event, scope),
            "maxExposure": sums.total.get(scope, 0),
            Rule.DAILY_LOSS: None,
            Rule.DRAWDOWN: None,
        }
        if mark := known.marks.get(scope):
            used[Rule.DAILY_LOSS] = max(mark.start - result, 0)
            used[Rule.DRAWDOWN] = max(mark.peak - result, 0)
        stops = known.stops.get(scope, {}).values()
        lines.append(
            {
                "scope": scope,
                "blocked": _blocked(state, scope),
                "capital": text(capital),
                "result": text(result),
                "stops": [
                    {"rule": stop.rule, "limit": stop.limit, "figure": stop.figure, "message": stop.message} for stop in stops
                ],
                "uses": _uses(_limits(state, scope), used, capital, open_orders[scope]),
            }
        )
    return {"seq": state.seq, "limits": known.settings, "unreadable": known.unreadable, "scopes": lines}


def _worths(state: FleetState, views: Iterable[MarketView]) -> dict[str, Micro | None]:
    worths = {token: worth(view, token) for view in views for token in view.market.tokens}
    return worths | {token: micro(price) for prices in state.resolutions.values() for token, price in prices.items()}


def _blocked(state: FleetState, scope: str) -> str | None:
    agent_id = agent_of(scope)
    if agent_id is not None:
        return state.blocked(state.agents[agent_id])
    if state.halted:
        return f"kill switch: {state.halted}"
    if state.risk.settings is None:
        return state.risk.unreadable
    found = [stop.message for each in dict.fromkeys((scope, FLEET)) for stop in state.risk.stops.get(each, {}).values()]
    return found[0] if found else None


def _limits(state: FleetState, scope: str) -> FleetLimits | None:
    settings, agent_id = state.risk.settings, agent_of(scope)
    if settings is None:
        return None
    if agent_id is not None:
        return settings.of(state.agents[agent_id].spec.risk)
    return settings.fleet if scope == FLEET else settings.wallet


def _uses(limits: FleetLimits | None, used: dict[str, Micro | None], capital: Micro, open_orders: int) -> list[Use]:
    said: dict[str, Any] = limits.model_dump(by_alias=True) if limits else {}
    uses: list[Use] = [
        {"rule": str(rule), "used": maybe_text(figure), "limit": maybe_text(amount(said[rule], capital)) if said else None}
        for rule, figure in used.items()
    ]
    if isinstance(limits, WalletLimits):
        uses.append({"rule": "maxOpenOrders", "used": str(open_orders), "limit": str(limits.max_open_orders)})
    return uses
