"""A paper trading session: the same questions and answers as `actors.polymarket.trading.TradingSession`, no order leaves.

What the venue shows to everybody is read from its public endpoints; orders, fills and balances are simulated here.
"""

import asyncio
import hashlib
import json
import logging
import secrets
import sqlite3
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from actors.paper.exchange import LiveBook, PaperExchange
from actors.paper.settings import PaperSettings, paper_address
from actors.polymarket.account import VenueOrder, VenueTrade, parse_order, parse_trade
from actors.polymarket.contracts import Redemption
from actors.polymarket.market_data import MarketData
from actors.polymarket.schema import BookFrame, Frame, LastTrade, PriceChanges, Resolved
from actors.polymarket.signing import Signed, Ticket
from actors.polymarket.stream import MarketStream
from actors.polymarket.trading import DUPLICATE, OtherHeartbeat, Reply
from actors.sandbox.api import order_objects
from actors.sandbox.records import Change, NewOrder, OrderUpdated, Refused, TradeRecord, TradeUpdated
from agents.errors import PolyfleetError, Unavailable, VenueRefused, VenueUnknown
from agents.model import Side, TimeInForce
from agents.money import ONE, Micro
from agents.ports import Endpoints

log = logging.getLogger(__name__)

#: The API key that simulated orders show.
OWNER = "paper"

#: Seconds between looks at what is due, and between comparisons of the followed markets with the venue.
_TICK = 0.25
_SWEEP = 10.0
#: Seconds for which a market's listing (fee, whether it takes orders) is relied on.
_LISTED = 60.0
#: Public trades that are remembered, to know one that is told of both tokens.
_TRADES = 2000

_NO_BOOK = "No orderbook exists for the requested token id"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Refused as refusal:
        if DUPLICATE in refusal.message:
            raise VenueUnknown(f"the order was there before: {refusal.message}") from refusal
        raise VenueRefused(refusal.message) from refusal


class PaperSession:
    """One simulated wallet's connection. Raises as a real one's: VenueRefused, or Unavailable where public data are missing."""

    def __init__(
        self,
        exchange: PaperExchange,
        data: MarketData,
        endpoints: Endpoints,
        settings: PaperSettings,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._exchange = exchange
        self._data = data
        self._settings = settings
        self._wall = wall
        self._stream = MarketStream(endpoints.market_ws_url, self._take, loopback=endpoints.simulated)
        self._listed: dict[str, float] = {}
        #: Public trades by hash, price and size, and the token of which they were told.
        self._seen: OrderedDict[tuple[str, Side, Micro, Micro], str] = OrderedDict()
        self._ended: dict[str, None] = {}
        self._changes: list[VenueOrder | VenueTrade] = []
        self._updates: asyncio.Queue[VenueOrder | VenueTrade | Exception] = asyncio.Queue()
        self._unsubscribe = exchange.subscribe(self._changed)
        self._task = asyncio.get_running_loop().create_task(self._run())

    @classmethod
    async def connect(cls, endpoints: Endpoints, data_dir: str, wallet: str, settings: PaperSettings) -> "PaperSession":
        """Open a wallet's simulated account, made where there is none, once the venue's public data answer.

        Raises:
            Unavailable: if they do not.
            InvalidInput, Conflict: if the account's directory cannot be used.
        """
        data = MarketData(endpoints)
        try:
            await data.time()
            folder = Path(data_dir) / "paper" / wallet
            exchange = PaperExchange(
                str(folder), paper_address(wallet), settings.cash, wall=time.time, monotonic=time.monotonic
            )
        except BaseException:
            await data.close()
            raise
        return cls(exchange, data, endpoints, settings)

    @property
    def owner(self) -> str:
        """The API key that its orders show."""
        return OWNER

    @property
    def address(self) -> str:
        """The wallet's made-up address, lower-case."""
        return self._exchange.address

    async def close(self) -> None:
        """End, with everything on disk."""
        self._unsubscribe()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._stream.close()
        await self._data.close()
        self._exchange.close()

    # Orders

    async def sign(self, ticket: Ticket) -> Signed:
        """Give an order its id; there is nothing to sign with."""
        content = {"ticket": asdict(ticket), "wallet": self.address, "salt": secrets.token_hex(16)}
        payload = json.dumps(content, separators=(",", ":")).encode()
        return Signed("0x" + hashlib.sha256(payload).hexdigest(), payload)

    async def post(self, payload: bytes) -> Reply:
        """Simulate what the venue would do with an order, `latency` from now."""
        order = _decoded(payload, self.address)
        await asyncio.sleep(self._settings.latency)
        books, _ = await asyncio.gather(self._data.books([order.token_id]), self._list(order.token_id))
        frame, record = books.get(order.token_id), self._exchange.market(order.token_id)
        if frame is None or record is None:
            raise VenueRefused(_NO_BOOK)
        with _translated():
            placed = self._exchange.place(order, _first(frame, record.tokens))
        self._flush()
        if placed.status == "live":
            await self._stream.follow(record.tokens)
        return Reply(placed.order_id, placed.status, placed.trade_ids)

    async def post_all(self, payloads: Sequence[bytes]) -> list[Reply | VenueRefused | VenueUnknown]:
        """Simulate what the venue would do with several orders that come in one request."""
        return await asyncio.gather(*(self._posted(payload) for payload in payloads))

    async def _posted(self, payload: bytes) -> Reply | VenueRefused | VenueUnknown:
        try:
            return await self.post(payload)
        except (VenueRefused, VenueUnknown) as error:
            return error

    async def _list(self, token_id: str) -> None:
        """Take in what the venue lists of a token's market, unless that was done a moment ago."""
        now = time.monotonic()
        if now - self._listed.get(token_id, -_LISTED) < _LISTED:
            return
        for listing in await self._data.by_tokens([token_id]):
            self._exchange.know(listing.market)
            self._listed.update(dict.fromkeys(listing.market.tokens, now))

    async def cancel(self, order_ids: Sequence[str]) -> tuple[set[str], dict[str, str]]:
        """Cancel orders, `latency` from now; return those that are cancelled and, for the others, why not."""
        await asyncio.sleep(self._settings.latency)
        result = self._exchange.cancel(list(order_ids))
        self._flush()
        return result

    async def cancel_all(self) -> set[str]:
        """Cancel all orders, `latency` from now; return those that are cancelled."""
        await asyncio.sleep(self._settings.latency)
        done = self._exchange.cancel_all()
        self._flush()
        return done

    async def beat(self, heartbeat_id: str) -> str:
        """Take the dead-man heartbeat, as the venue does. Raises OtherHeartbeat if another id is expected."""
        try:
            next_id = self._exchange.beat(heartbeat_id)
        except Refused:
            raise OtherHeartbeat(self._exchange.expected_beat()) from None
        self._flush()
        return next_id

    async def order(self, order_id: str) -> VenueOrder | None:
        """Return an order, open or ended, or None if there is no such order."""
        record = self._exchange.order(order_id)
        return parse_order(order_objects.order(record)) if record else None

    async def open_orders(self) -> list[VenueOrder]:
        """Return all open orders of the wallet."""
        return [parse_order(order_objects.order(record)) for record in self._exchange.open_orders()]

    async def trades(self, after: int | None = None, condition_id: str | None = None) -> list[VenueTrade]:
        """Return the wallet's trades matched since `after` (wall epoch seconds), of one market if named; oldest first."""
        return [
            self._trade(record)
            for record in self._exchange.trades()
            if record.match_wall // 1000 >= (after or 0) and condition_id in (None, record.condition_id)
        ]

    async def trade(self, trade_id: str) -> VenueTrade | None:
        """Return one trade, or None."""
        record = self._exchange.trade(trade_id)
        return self._trade(record) if record else None

    def _trade(self, record: TradeRecord) -> VenueTrade:
        return parse_trade(order_objects.trade(record, maker=record.maker.owner == self.address))

    # Balances and payouts

    async def cash(self) -> Micro:
        """Return the wallet's simulated pUSD."""
        return self._exchange.cash()

    async def shares(self, token_id: str) -> Micro:
        """Return the wallet's simulated shares of one token."""
        return self._exchange.shares().get(token_id, ("", 0))[1]

    async def positions(self, condition_id: str | None = None) -> dict[str, Micro]:
        """Return the wallet's simulated shares by token, of one market only, if named."""
        held = self._exchange.shares().items()
        return {token_id: size for token_id, (market, size) in held if condition_id in (None, market)}

    async def redeem(self, condition_id: str) -> str:
        """Pay out the shares of a market as the venue's public data say that it has resolved."""
        await self._resolve([condition_id])
        with _translated():
            id = self._exchange.redeem(condition_id)
        self._flush()
        return id

    async def redemptions(self, condition_id: str) -> list[Redemption]:
        """Return the payouts of a market that the wallet has had, newest first."""
        return [Redemption(id, cash) for id, cash in self._exchange.payouts(condition_id)]

    async def transfers(self, since: int) -> dict[str, Micro]:
        """Return nothing: nobody pays into a simulated account, or out of it."""
        return {}

    async def updates(self) -> AsyncIterator[VenueOrder | VenueTrade]:
        """Yield what becomes of the wallet's orders, for as long as the session is open."""
        while True:
            update = await self._updates.get()
            if isinstance(update, Exception):
                raise update
            yield update

    # What the venue shows

    def _take(self, frames: list[Frame]) -> None:
        for frame in frames:
            match frame:
                case LastTrade():
                    self._traded(frame)
                case PriceChanges():
                    for change in frame.changes:
                        if self._knows(frame.condition_id, change.token_id):
                            self._exchange.shown(frame.condition_id, change.token_id, change.side, change.price, change.size)
                case BookFrame():
                    record = self._exchange.market(frame.condition_id)
                    if record is not None and frame.token_id in record.tokens:
                        self._exchange.shown_whole(frame.condition_id, _first(frame, record.tokens))
                case Resolved():
                    if self._exchange.market(frame.condition_id) is not None:
                        self._ended[frame.condition_id] = None
        self._flush()

    def _traded(self, trade: LastTrade) -> None:
        if trade.side is None or not self._knows(trade.condition_id, trade.token_id):
            return
        record = self._exchange.market(trade.condition_id)
        assert record is not None
        first = record.index(trade.token_id) == 0
        key = (
            trade.tx_hash,
            trade.side if first else trade.side.opposite,
            trade.price if first else ONE - trade.price,
            trade.size,
        )
        if trade.tx_hash:
            if self._seen.setdefault(key, trade.token_id) != trade.token_id:
                return
            while len(self._seen) > _TRADES:
                self._seen.popitem(last=False)
        self._exchange.traded(trade.condition_id, trade.token_id, trade.side, trade.price, trade.size)

    def _knows(self, condition_id: str, token_id: str) -> bool:
        record = self._exchange.market(condition_id)
        return record is not None and token_id in record.tokens

    async def _run(self) -> None:
        """Do what is due, for as long as the session is open. What fails ends the session's updates."""
        try:
            swept = -_SWEEP
            while True:
                self._exchange.run_due()
                self._flush()
                if self._ended or time.monotonic() - swept >= _SWEEP:
                    ended, self._ended = list(self._ended), {}
                    with suppress(Unavailable):
                        await self._sweep(ended)
                    swept = time.monotonic()
                await asyncio.sleep(_TICK)
        except Exception as error:
            if not isinstance(error, PolyfleetError):
                log.exception("paper trading failed")
            self._updates.put_nowait(Unavailable(f"paper trading failed: {error!r}"))

    async def _sweep(self, ended: Sequence[str]) -> None:
        """Follow the markets with open orders, and end the orders in those whose book the venue has taken away."""
        watched = self._exchange.watched()
        await self._stream.follow([token for tokens in watched.values() for token in tokens])
        books = await self._data.books([tokens[0] for tokens in watched.values()])
        gone = [*ended]
        for condition_id, tokens in watched.items():
            frame = books.get(tokens[0])
            if frame is not None:
                self._exchange.shown_whole(condition_id, _first(frame, tokens))
            else:
                gone.append(condition_id)
        if gone:
            await self._resolve(gone)
            for condition_id in gone:
                self._exchange.withdraw(condition_id)
        self._flush()

    async def _resolve(self, condition_ids: Sequence[str]) -> None:
        """Take in what markets pay, as far as the venue says so, fractions too."""
        payouts = await self._data.payouts(condition_ids)
        missing = [condition_id for condition_id in condition_ids if condition_id not in payouts]
        for listing in await self._data.by_conditions(missing) if missing else ():
            if listing.market.payouts is not None:
                payouts[listing.market.condition_id] = listing.market.payouts
        for condition_id, pair in payouts.items():
            if self._exchange.market(condition_id) is not None:
                self._exchange.resolve(condition_id, pair)

    # From the exchange to the broker

    def _changed(self, change: Change) -> None:
        if isinstance(change, OrderUpdated):
            self._changes.append(parse_order(order_objects.order(change.order)))
        elif isinstance(change, TradeUpdated):
            self._changes.append(self._trade(change.trade))

    def _flush(self) -> None:
        """Make what changed durable, then tell of it. Raises VenueUnknown if it cannot be stored now."""
        try:
            self._exchange.commit()
        except sqlite3.Error as error:
            raise VenueUnknown(f"the simulated account cannot be stored ({error})") from error
        changes, self._changes = self._changes, []
        for change in changes:
            self._updates.put_nowait(change)


def _first(frame: BookFrame, tokens: tuple[str, str]) -> LiveBook:
    """Return a book as seen from a market's first token."""
    if frame.token_id == tokens[0]:
        return LiveBook(frame.bids, frame.asks, frame.tick)
    bids = {ONE - price: size for price, size in frame.asks.items()}
    return LiveBook(bids, {ONE - price: size for price, size in frame.bids.items()}, frame.tick)


def _decoded(payload: bytes, address: str) -> NewOrder:
    ticket = json.loads(payload)["ticket"]
    return NewOrder(
        order_id="0x" + hashlib.sha256(payload).hexdigest(),
        owner=address,
        api_key=OWNER,
        token_id=ticket["token_id"],
        side=Side(ticket["side"]),
        maker_amount=ticket["offered"],
        taker_amount=ticket["requested"],
        order_type=TimeInForce(ticket["order_type"]),
        post_only=ticket["post_only"],
        expiration=ticket.get("expiration", 0),
    )
