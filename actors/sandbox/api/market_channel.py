"""The market channel: books, their changes, trades and announcements, to whoever subscribed."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from starlette.websockets import WebSocket

from actors.sandbox.api import market_frames
from actors.sandbox.api.book_objects import book, book_frame
from actors.sandbox.api.durability import Delivery
from actors.sandbox.api.messages import dumps
from actors.sandbox.api.sockets import Socket
from actors.sandbox.records import (
    BookChanged,
    Change,
    MarketOpened,
    MarketResolved,
    Refused,
    TickSizeChanged,
    TradeDone,
)
from actors.sandbox.venue import Venue
from agents.money import Micro

#: With more assets than this on one socket the venue sends no snapshot, and no error either.
_CEILING = 750
_INVALID = "INVALID OPERATION"
_EARLY_PING = 1008

_Best = tuple[tuple[Micro | None, Micro | None], tuple[Micro | None, Micro | None]]


class Subscriber:
    """One connection and what it follows. `custom`: it gets best prices and announcements too."""

    def __init__(self, socket: Socket, frozen: Callable[[], bool]) -> None:
        self.socket = socket
        self._frozen = frozen
        self.assets: set[str] = set()
        self.custom = False
        self.subscribed = False

    def send(self, text: str) -> None:
        """Send a frame, unless the socket is frozen."""
        if not self._frozen():
            self.socket.send(text)


class MarketChannel:
    """All connections of the market channel."""

    def __init__(self, venue: Venue, delivery: Delivery) -> None:
        self._exchange = venue.exchange
        self._delivery = delivery
        self._subscribers: set[Subscriber] = set()
        self._followers: dict[str, set[Subscriber]] = {}
        self._traded: set[str] = set()
        self._best: dict[str, _Best] = {}
        venue.exchange.subscribe(self._on_change)

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._subscribers)

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one connection until it is closed."""
        opened = self._exchange.floor.wall()
        subscriber = Subscriber(Socket(websocket), lambda: self._exchange.faults.frozen("market", opened))
        self._subscribers.add(subscriber)
        try:
            await subscriber.socket.run(lambda text: self._receive(subscriber, text))
        finally:
            self._subscribers.discard(subscriber)
            self._leave(subscriber, list(subscriber.assets))

    def _receive(self, subscriber: Subscriber, text: str) -> None:
        if text == "PING":
            if subscriber.subscribed:
                subscriber.socket.send("PONG")
            else:
                subscriber.socket.close(_EARLY_PING)
            return
        message = _parse(text)
        operation = message.get("operation") if message else None
        if message is None or (operation is None and (subscriber.subscribed or message.get("type") != "market")):
            subscriber.send(_INVALID)
        elif operation is None:
            subscriber.subscribed = True
            self._follow(subscriber, message)
            if message.get("initial_dump", True) is not False:
                self._dump(subscriber, message["assets_ids"])
        elif operation == "subscribe" and subscriber.subscribed:
            if new := self._follow(subscriber, message):
                self._dump(subscriber, new)
        elif operation == "unsubscribe" and subscriber.subscribed:
            self._leave(subscriber, message["assets_ids"])
        else:
            subscriber.send(_INVALID)

    def _follow(self, subscriber: Subscriber, message: dict[str, Any]) -> list[str]:
        """Take a subscription and return the assets that were not followed yet."""
        if isinstance(custom := message.get("custom_feature_enabled"), bool):
            subscriber.custom = custom
        new = [asset for asset in dict.fromkeys(message["assets_ids"]) if asset not in subscriber.assets]
        subscriber.assets.update(new)
        for asset in new:
            self._followers.setdefault(asset, set()).add(subscriber)
        return new

    def _dump(self, subscriber: Subscriber, assets: Iterable[str]) -> None:
        if len(subscriber.assets) <= _CEILING:
            self._delivery.post([subscriber], dumps(self._snapshots(assets)))

    def _snapshots(self, assets: Iterable[str]) -> list[dict[str, Any]]:
        frames = []
        for asset in dict.fromkeys(assets):
            try:
                frames.append(book_frame(self._exchange.book_snapshot(asset), initial=True))
            except Refused:
                continue
        return frames

    def _leave(self, subscriber: Subscriber, assets: Iterable[str]) -> None:
        for asset in assets:
            subscriber.assets.discard(asset)
            if followers := self._followers.get(asset):
                followers.discard(subscriber)
                if not followers:
                    del self._followers[asset]

    def _on_change(self, change: Change) -> None:
        match change:
            case BookChanged():
                self._book_changed(change)
            case TradeDone():
                self._trade_done(change)
            case TickSizeChanged():
                for token in change.market.tokens:
                    self._post(self._followers.get(token), market_frames.tick_size_change(change, token))
            case MarketOpened():
                self._announce(market_frames.new_market(change, self._exchange.event(change.market.event_id)))
            case MarketResolved():
                self._best.pop(change.market.condition_id, None)
                self._traded.discard(change.market.condition_id)
                if self._exchange.faults.deliveries("market", "market_resolved"):
                    self._announce(market_frames.market_resolved(change, self._exchange.event(change.market.event_id)))

    def _book_changed(self, change: BookChanged) -> None:
        market = self._exchange.market(change.condition_id)
        assert market is not None
        by_token = {token: self._followers.get(token, set()) for token in market.tokens}
        followers = set().union(*by_token.values())
        before, self._best[change.condition_id] = self._best.get(change.condition_id), change.best
        refresh = change.condition_id in self._traded
        self._traded.discard(change.condition_id)
        if not followers:
            return
        snapshots = {token: self._exchange.book_snapshot(token) for token in market.tokens}
        hashes = {token: book(snapshot)["hash"] for token, snapshot in snapshots.items()}
        self._post(followers, market_frames.price_change(change, market, hashes))
        for index, (token, listening) in enumerate(by_token.items()):
            if refresh:
                self._post(listening, book_frame(snapshots[token], initial=False))
            if before is None or before[index] != change.best[index]:
                curious = {subscriber for subscriber in listening if subscriber.custom}
                frame = market_frames.best_bid_ask(change.condition_id, token, change.best[index], change.timestamp)
                self._post(curious, frame)

    def _trade_done(self, change: TradeDone) -> None:
        """Tell of a trade; the books follow once more, whole, with their next change."""
        self._traded.add(change.trade.condition_id)
        self._post(self._followers.get(change.trade.taker.token_id), market_frames.last_trade_price(change))

    def _announce(self, frame: dict[str, Any]) -> None:
        self._post({subscriber for subscriber in self._subscribers if subscriber.custom}, frame)

    def _post(self, receivers: set[Subscriber] | None, frame: dict[str, Any]) -> None:
        if receivers:
            self._delivery.post(receivers, dumps(frame))


def _parse(text: str) -> dict[str, Any] | None:
    """Return a subscription message, or None if it is none."""
    try:
        message = json.loads(text)
    except ValueError:
        return None
    if not isinstance(message, dict):
        return None
    assets = message.setdefault("assets_ids", [])
    return message if isinstance(assets, list) and all(isinstance(asset, str) for asset in assets) else None
