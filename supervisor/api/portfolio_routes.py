"""The routes of the books: what the fleet holds, what that was worth over time, and both as CSV."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from agents.equity import Curve
from agents.errors import InvalidInput, NotFound
from agents.ports import Batch
from supervisor.api import book_views, csv_views
from supervisor.api.context import FleetContext
from supervisor.api.equity_views import EquityCurve, equity_curve
from supervisor.api.strict_json import StrictRoute

AgentId = Annotated[str | None, Query(max_length=100, description="Only this agent's.")]
WalletName = Annotated[str | None, Query(max_length=100, description="Only this wallet's.")]

_CSV = "text/csv; charset=utf-8"
_CSV_ANSWER: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


def portfolio_routes(context: FleetContext) -> APIRouter:
    """Return the routes."""
    router = APIRouter(route_class=StrictRoute, tags=["fleet"])
    _book_routes(router, context)
    _trade_route(router, context)
    return router


def _book_routes(router: APIRouter, context: FleetContext) -> None:
    @router.get("/api/portfolio")
    async def portfolio() -> book_views.Portfolio:
        """Return every wallet's and agent's book, exact to the millionth, as decimal text."""
        return book_views.portfolio(context.state, await context.quotes())

    @router.get("/api/portfolio.csv", response_class=Response, responses=_CSV_ANSWER)
    async def portfolio_as_csv() -> Response:
        """Return every book's cash and positions as CSV."""
        found = book_views.portfolio(context.state, await context.quotes())
        return Response(csv_views.portfolio_csv(found), headers=_attached("portfolio"), media_type=_CSV)

    @router.get("/api/portfolio/equity")
    async def equity(
        agent: AgentId = None,
        wallet: WalletName = None,
        start: Annotated[int, Query(alias="from", ge=0, le=2**53, description="Epoch milliseconds.")] = 0,
        end: Annotated[int, Query(alias="to", ge=0, le=2**53, description="Epoch milliseconds.")] = 2**53,
    ) -> EquityCurve:
        """Return equity, profit and drawdown over time, of the fleet or of one agent or wallet; it outlives restarts."""
        return equity_curve(_curve(context, agent, wallet), agent, wallet, start, end)


def _trade_route(router: APIRouter, context: FleetContext) -> None:
    @router.get("/api/portfolio/trades.csv", response_class=Response, responses=_CSV_ANSWER)
    async def trades(agent: AgentId = None, wallet: WalletName = None) -> StreamingResponse:
        """Return every fill and payout in the log as CSV, oldest first: cost of what went, fee, realised profit.

        An answer that breaks off was cut by a log that went away: ask again.
        """
        if agent is not None:
            context.agent(agent)
        if wallet is not None:
            _wallet(context, wallet)
        first = await _page(context, 0)

        async def lines() -> AsyncIterator[str]:
            batch = first
            yield csv_views.trades_header()
            while batch.events:
                yield csv_views.trades_csv(batch.events, wallet, agent)
                batch = await _page(context, batch.next)

        return StreamingResponse(lines(), headers=_attached("trades"), media_type=_CSV)


async def _page(context: FleetContext, after: int) -> Batch:
    return await context.ledger.poll(after, types=csv_views.TRADE_TYPES)


def _curve(context: FleetContext, agent: str | None, wallet: str | None) -> Curve:
    if agent is not None and wallet is not None:
        raise InvalidInput("agent, wallet: give one of them, or none for the whole fleet")
    curves = context.state.equity
    if agent is not None:
        context.agent(agent)
        return curves.agents.get(agent) or Curve()
    if wallet is not None:
        _wallet(context, wallet)
        return curves.wallets.get(wallet) or Curve()
    return curves.fleet


def _wallet(context: FleetContext, wallet: str) -> None:
    if wallet not in context.state.portfolio.wallets:
        raise NotFound(f"There is no wallet {wallet!r}; GET /api/portfolio lists them")


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}.csv"'}
