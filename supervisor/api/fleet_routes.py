"""The routes of the fleet as a whole: its state, markets, books and scores, the check against the venue, the kill switch."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, with_config
from typing_extensions import TypedDict

from agents.errors import NotFound, PolyfleetError, Unavailable
from agents.forecasting.track import Grouping
from supervisor.api import agent_views, market_views
from supervisor.api.context import FleetContext
from supervisor.api.log_routes import Limit
from supervisor.api.market_views import Exact
from supervisor.api.score_views import ScoreRow
from supervisor.api.strict_json import StrictRoute

#: Seconds that the comparison with the venue may take.
_CHECK_TIMEOUT = 9.5
#: Seconds that the look at hosts and accounts may take.
_EXAMINATION_TIMEOUT = 25.0


class Markets(TypedDict):
    """The markets that the feed knows."""

    markets: list[market_views.Market]
    total: int


@with_config(extra="allow")
class HeldTokens(TypedDict):
    """Shares of one token at the venue and in the books."""

    tokenId: str
    venue: Exact
    ledger: Exact


@with_config(extra="allow")
class WalletCheck(TypedDict):
    """One wallet's books against the venue."""

    wallet: str
    address: str
    venueCash: Exact
    ledgerCash: Exact
    positions: list[HeldTokens]
    pending: list[dict[str, Any]]
    differences: list[dict[str, Any]]
    blocked: Annotated[str | None, Field(description="Why the wallet places no orders; null: its books agree.")]


class LedgerCheck(TypedDict):
    """The books against the venue; what is in flight is pending, not different."""

    ok: bool
    wallets: list[WalletCheck]


class Finding(TypedDict):
    """One look at what must be right for trading; `remedy` says what to do where it is not, or where one should know of it."""

    wallet: str
    what: str
    ok: bool
    sentence: str
    remedy: str


class Examination(TypedDict):
    """All of them."""

    ok: bool
    findings: list[Finding]


class Scores(TypedDict):
    """Forecasts against the market's price."""

    scores: list[ScoreRow]
    waiting: Annotated[int, Field(description="Forecasts whose markets have not resolved yet.")]


class KillSwitch(BaseModel):
    """Why all trading stops."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500, description="It goes into the log.")
    flatten: bool = Field(False, strict=True, description="Sell out too, at the best bids, until it is lifted.")


class Halted(TypedDict):
    """Why trading is stopped, or null."""

    success: bool
    halted: str | None
    flatten: Annotated[list[agent_views.SellOut] | None, Field(description="Null: it does not sell out.")]


class Reloaded(TypedDict):
    """The agents that reading the fleet file again has created and changed."""

    success: bool
    created: list[str]
    changed: list[str]


def fleet_routes(context: FleetContext) -> APIRouter:
    """Return the routes."""
    router = APIRouter(route_class=StrictRoute, tags=["fleet"])
    _view_routes(router, context)
    _market_routes(router, context)
    _reload_route(router, context)
    _kill_switch_routes(router, context)
    return router


def _view_routes(router: APIRouter, context: FleetContext) -> None:
    @router.get("/api/fleet")
    async def fleet() -> agent_views.Fleet:
        """Return the fleet at a glance: mode, agents by state, totals, services, and where the venue answers."""
        try:
            venue = await context.endpoints.get()
        except PolyfleetError:
            venue = None
        return agent_views.fleet(context.state, context.mode, venue, supervised=await context.supervised())

    @router.get("/api/scores")
    async def scores(by: Annotated[Grouping, Query(description="What makes a group.")] = "agent") -> Scores:
        """Return how good forecasts were beside the price, by agent (with strategy and model), strategy, model or category.

        It may be some seconds old. No skill is shown until the 95 % interval of the skill, clustered by event, excludes 0.
        """
        return {"scores": await context.scores[by].get(), "waiting": context.state.record.waiting}

    @router.get("/api/ledger/check", response_model=LedgerCheck)
    async def check() -> dict[str, Any]:
        """Compare the books with the venue at one cut; what is in flight is pending, not different."""
        wallets = _wallets(context)
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT):
                found = await asyncio.gather(*(context.broker_of(wallet).check() for wallet in wallets))
        except TimeoutError:
            raise Unavailable(f"The books could not be compared with the venue within {_CHECK_TIMEOUT:g} s") from None
        return {"ok": not any(wallet["differences"] for wallet in found), "wallets": found}

    @router.get("/api/checks", response_model=Examination)
    async def examine() -> dict[str, Any]:
        """Look at what must be right for trading: hosts, place, clock, account and money, for each wallet. Changes nothing."""
        wallets = _wallets(context)
        try:
            async with asyncio.timeout(_EXAMINATION_TIMEOUT):
                found = await asyncio.gather(*(context.broker_of(wallet).examine() for wallet in wallets))
        except TimeoutError:
            raise Unavailable(f"The venue could not be looked at within {_EXAMINATION_TIMEOUT:g} s") from None
        findings = [{"wallet": wallet} | each for wallet, many in zip(wallets, found, strict=True) for each in many]
        return {"ok": all(finding["ok"] for finding in findings), "findings": findings}


def _wallets(context: FleetContext) -> list[str]:
    state = context.state
    return sorted({*state.addresses, *(record.spec.wallet for record in state.agents.values())})


def _market_routes(router: APIRouter, context: FleetContext) -> None:
    @router.get("/api/markets")
    async def markets(limit: Limit = 1000, closed: bool | None = None) -> Markets:
        """Return the markets that the feed knows; `closed` picks the closed or the open ones."""
        found = [view for view in await context.markets.get() if closed is None or view.market.closed == closed]
        return {"markets": [market_views.market(view) for view in found[:limit]], "total": len(found)}

    @router.get("/api/markets/{market_id}")
    async def market(market_id: Annotated[str, Path(max_length=300)]) -> market_views.MarketBook:
        """Return one market by condition id, Gamma id, slug or token id, with its books and recent prices."""
        view = await context.feed.market(market_id)
        if view is None:
            raise NotFound(f"There is no market {market_id!r}; GET /api/markets lists them")
        return market_views.market_book(view)


def _reload_route(router: APIRouter, context: FleetContext) -> None:
    @router.post("/api/fleet/reload")
    async def reload() -> Reloaded:
        """Read the fleet file again: create the agents that are new, change those that it describes otherwise."""
        created, changed, seq = await context.supervisor.reload()
        if seq:
            await context.settle(seq)
        return {"success": True, "created": created, "changed": changed}


def _kill_switch_routes(router: APIRouter, context: FleetContext) -> None:
    @router.post("/api/fleet/kill-switch")
    async def throw(switch: KillSwitch) -> Halted:
        """Stop all trading and cancel all orders; with `flatten` also sell out all that agents hold.

        Selling out goes on, whatever restarts, until the switch is lifted; `GET /api/fleet` tells what is left, and why.
        """
        await context.settle(await context.supervisor.kill_switch(switch.reason, switch.flatten))
        return _halted(context)

    @router.delete("/api/fleet/kill-switch")
    async def lift() -> Halted:
        """Let the fleet trade again."""
        await context.settle(await context.supervisor.kill_switch(None))
        return _halted(context)


def _halted(context: FleetContext) -> Halted:
    return {"success": True, "halted": context.state.halted, "flatten": agent_views.sell_outs(context.state)}
