"""The user channel: an account's own orders and trades."""

import json
from collections.abc import Callable
from typing import Any

from starlette.websockets import WebSocket

from actors.sandbox.api import order_objects
from actors.sandbox.api.chain import wallets
from actors.sandbox.api.credentials import Authentication
from actors.sandbox.api.durability import Delivery
from actors.sandbox.api.messages import dumps
from actors.sandbox.api.sockets import Socket
from actors.sandbox.records import Change, OrderUpdated, TradeUpdated
from actors.sandbox.venue import Venue

_INVALID = "INVALID OPERATION"
_POLICY = 1008


class Subscriber:
    """One connection: whose it is, and the markets it asked for (none: all)."""

    def __init__(self, socket: Socket, frozen: Callable[[], bool]) -> None:
        self.socket = socket
        self._frozen = frozen
        self.owners: tuple[str, ...] = ()
        self.markets: set[str] = set()

    def send(self, text: str) -> None:
        """Send a frame, unless the socket is frozen."""
        if not self._frozen():
            self.socket.send(text)


class UserChannel:
    """All connections of the user channel."""

    def __init__(self, venue: Venue, delivery: Delivery, authentication: Authentication) -> None:
        self._exchange = venue.exchange
        self._delivery = delivery
        self._authentication = authentication
        self._subscribers: set[Subscriber] = set()
        self._by_owner: dict[str, set[Subscriber]] = {}
        venue.exchange.subscribe(self._on_change)

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._subscribers)

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one connection until it is closed."""
        opened = self._exchange.floor.wall()
        subscriber = Subscriber(Socket(websocket), lambda: self._exchange.faults.frozen("user", opened))
        self._subscribers.add(subscriber)
        try:
            await subscriber.socket.run(lambda text: self._receive(subscriber, text))
        finally:
            self._subscribers.discard(subscriber)
            for owner in subscriber.owners:
                self._by_owner[owner].discard(subscriber)

    def _receive(self, subscriber: Subscriber, text: str) -> None:
        if text == "PING":
            if subscriber.owners:
                subscriber.socket.send("PONG")
            else:
                subscriber.socket.close(_POLICY)
            return
        message = _parse(text)
        if message is None:
            subscriber.send(_INVALID)
        elif subscriber.owners:
            self._change(subscriber, message)
        elif message.get("type") == "user" and (credentials := self._authentication.of_channel(message.get("auth"))):
            subscriber.owners = wallets(credentials.address)
            subscriber.markets = set(message["markets"])
            for owner in subscriber.owners:
                self._by_owner.setdefault(owner, set()).add(subscriber)
        else:
            subscriber.socket.close(_POLICY)

    def _change(self, subscriber: Subscriber, message: dict[str, Any]) -> None:
        match message.get("operation"):
            case "subscribe":
                subscriber.markets.update(message["markets"])
            case "unsubscribe":
                subscriber.markets.difference_update(message["markets"])
            case _:
                subscriber.send(_INVALID)

    def _on_change(self, change: Change) -> None:
        match change:
            case OrderUpdated():
                record = change.order
                if receivers := self._receivers(record.owner, record.condition_id):
                    frame = order_objects.order_frame(change.type, record, change.timestamp)
                    self._post(receivers, frame, "order")
            case TradeUpdated():
                trade = change.trade
                for side, maker in ((trade.taker, False), (trade.maker, True)):
                    if receivers := self._receivers(side.owner, trade.condition_id):
                        frame = order_objects.trade_frame(trade, change.timestamp, maker=maker)
                        self._post(receivers, frame, "trade")

    def _post(self, receivers: list[Subscriber], frame: dict[str, Any], event: str) -> None:
        self._delivery.post(receivers, dumps(frame), self._exchange.faults.deliveries("user", event))

    def _receivers(self, owner: str, condition_id: str) -> list[Subscriber]:
        return [
            subscriber
            for subscriber in self._by_owner.get(owner, ())
            if not subscriber.markets or condition_id in subscriber.markets
        ]


def _parse(text: str) -> dict[str, Any] | None:
    """Return a subscription message, or None if it is none."""
    try:
        message = json.loads(text)
    except ValueError:
        return None
    if not isinstance(message, dict):
        return None
    markets = message.setdefault("markets", [])
    return message if isinstance(markets, list) and all(isinstance(market, str) for market in markets) else None
