"""The dashboard's pages, by path. To import this module registers them with NiceGUI."""

from collections.abc import Awaitable, Callable
from functools import partial

from fastapi import Request
from nicegui import ui

from agents.errors import PolyfleetError
from supervisor.dashboard.agent_page import agent_page
from supervisor.dashboard.app import Desk
from supervisor.dashboard.approvals_page import approvals_page
from supervisor.dashboard.fleet_page import fleet_page
from supervisor.dashboard.frame import frame
from supervisor.dashboard.live import Live
from supervisor.dashboard.market_page import market_page, markets_page
from supervisor.dashboard.notifications_page import notifications_page
from supervisor.dashboard.portfolio_page import portfolio_page
from supervisor.dashboard.risk_page import risk_page
from supervisor.dashboard.settings_page import settings_page

#: Seconds that a page may take to be built, on a machine that does a lot besides.
_PATIENCE = 30.0


def _register(path: str, title: str, build: Callable[[Live], Awaitable[None]]) -> None:
    @ui.page(path, response_timeout=_PATIENCE)
    async def page(request: Request) -> None:
        await frame(request, title, title, build)


for _path, _title, _build in (
    ("/", "Fleet", fleet_page),
    ("/markets", "Markets", markets_page),
    ("/portfolio", "Portfolio", portfolio_page),
    ("/risk", "Risk", risk_page),
    ("/approvals", "Approvals", approvals_page),
    ("/notifications", "Notifications", notifications_page),
    ("/settings", "Settings", settings_page),
):
    _register(_path, _title, _build)


@ui.page("/agent/{agent_id}", response_timeout=_PATIENCE)
async def _agent(request: Request, agent_id: str) -> None:
    await frame(request, agent_id[:80], f"Agent {agent_id[:80]}", partial(agent_page, agent_id=agent_id))


@ui.page("/market/{market_id}", response_timeout=_PATIENCE)
async def _market(request: Request, market_id: str) -> None:
    desk: Desk = request.scope["polyfleet"]
    try:
        view = await desk.watch.market(market_id)
    except PolyfleetError:
        view = None
    heading = view.market.question if view else "Market"
    await frame(request, "Market", heading, partial(market_page, market_id=market_id))
