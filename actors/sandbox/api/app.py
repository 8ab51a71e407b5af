"""The venue's whole wire as one application: every API under its prefix, both channels, and what it says of itself."""

from collections import Counter
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send

from actors.sandbox.api import data_pages, gamma, language_model
from actors.sandbox.api.books import Books
from actors.sandbox.api.clob_markets import ClobMarkets
from actors.sandbox.api.credentials import Authentication
from actors.sandbox.api.data import Data
from actors.sandbox.api.durability import Commits, Delivery
from actors.sandbox.api.fault_control import FaultControl
from actors.sandbox.api.gamma import Gamma
from actors.sandbox.api.history import ClobHistory, History
from actors.sandbox.api.language_model import LanguageModel
from actors.sandbox.api.market_channel import MarketChannel
from actors.sandbox.api.messages import Answer, Family
from actors.sandbox.api.news import News
from actors.sandbox.api.relayer import Relayer
from actors.sandbox.api.relayer_keys import RelayerKeys
from actors.sandbox.api.rpc import Rpc
from actors.sandbox.api.shell import routes
from actors.sandbox.api.trading import Trading
from actors.sandbox.api.user_channel import UserChannel
from actors.sandbox.records import Refused
from actors.sandbox.venue import Venue

_SIMULATED = (b"x-simulated", b"polyfleet-sandbox")


class Wire:
    """The application of one venue (ASGI). `commits` is how others make what they did durable before they tell of it."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._requests: Counter[str] = Counter()
        self.commits = Commits(venue)
        delivery = Delivery(self.commits)
        authentication = Authentication(venue)
        self._market = MarketChannel(venue, delivery)
        self._user = UserChannel(venue, delivery, authentication)
        self._app = Starlette(
            routes=[
                *(
                    route
                    for family in _families(venue, authentication)
                    for route in routes(family, self.commits, self._requests, venue.exchange)
                ),
                WebSocketRoute("/ws/market", self._market.serve),
                WebSocketRoute("/ws/user", self._user.serve),
                Route("/sandbox/stats", self._serve_stats),
                Route("/sandbox/faults", FaultControl(venue.faults).serve, methods=["GET", "POST", "DELETE"]),
                Route("/", self._serve_root),
            ],
            exception_handlers={404: _not_found},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a socket; every answer says that it is simulated."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                _mark(message)
            await send(message)

        return await self._app(scope, receive, send_marked)

    def stats(self) -> dict[str, Any]:
        """Return what the venue was asked, who is connected, and how it stands."""
        exchange = self._venue.exchange
        closed = [market.closed for market in exchange.markets()]
        market, user = self._market.connections, self._user.connections
        return {
            "simulated": True,
            "requests": dict(self._requests),
            "connections": market + user,
            "marketConnections": market,
            "userConnections": user,
            "venueTime": self._venue.now,
            "speed": self._venue.speed,
            "markets": len(closed),
            "openMarkets": closed.count(False),
            "accounts": len(exchange.addresses()),
        }

    async def _serve_stats(self, request: Request) -> Response:
        return JSONResponse(self.stats())

    async def _serve_root(self, request: Request) -> Response:
        stats = self.stats()
        time = datetime.fromtimestamp(stats["venueTime"] / 1000, UTC).isoformat(timespec="seconds")
        return PlainTextResponse(
            f"This is a simulation of Polymarket (polyfleet-sandbox), not the real venue: its clock says {time} and runs at "
            f"{stats['speed']:g} times the speed of ours, {stats['openMarkets']} of {stats['markets']} markets are open, "
            f"{stats['accounts']} accounts hold something, and {stats['connections']} sockets are connected.\n"
        )


def _families(venue: Venue, authentication: Authentication) -> tuple[Family, ...]:
    history = History(venue)
    keys = RelayerKeys(venue, authentication)
    clob = (
        *Books(venue).operations(),
        *Trading(venue, authentication).operations(),
        *ClobMarkets(venue).operations(),
        *ClobHistory(history).operations(),
        *authentication.operations(),
        *keys.operations(),
    )
    return (
        Family("/clob", clob, _refuse, faulty=True),
        Family("/gamma", Gamma(venue).operations(), gamma.refuse),
        Family("/data", Data(venue, history).operations(), data_pages.refuse),
        Family("/relayer", Relayer(venue, keys).operations(), _refuse),
        Family("/rpc", Rpc(venue).operations(), _refuse),
        Family("/news", News(venue).operations(), _refuse),
        Family("/openai/v1", LanguageModel().operations(), language_model.refuse),
    )


def _refuse(refused: Refused) -> Answer:
    """Word a refusal as the CLOB does."""
    content: dict[str, Any] = {"error": refused.message}
    if refused.code:
        content["code"] = refused.code
    if refused.retry_after is None:
        return Answer(content, refused.status, refused.headers)
    content["retry_after_seconds"] = refused.retry_after
    return Answer(content, refused.status, {"Retry-After": str(refused.retry_after), **refused.headers})


async def _not_found(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"the simulated venue has no {request.method} {request.url.path}"}, 404)


def _mark(message: MutableMapping[str, Any]) -> None:
    message["headers"] = [*message.get("headers", ()), _SIMULATED]
