"""One listed market while the venue runs: its record, book, latest trades, volume and collateral."""

from collections import deque
from dataclasses import dataclass, field

from actors.sandbox.book import Book
from actors.sandbox.records import BookChanged, BookSnapshot, LastTrade, LevelChange, MarketRecord, MarketStats, TradeRecord
from agents.model import Level, Side
from agents.money import ONE, Micro, notional

_HOUR = 3_600_000
_DAY_HOURS = 24
_RECENT_TRADES = 200


@dataclass(slots=True, eq=False)
class Listing:
    """A market's state. `last_price` and `last_side` are those of the first token."""

    record: MarketRecord
    book: Book | None = field(default_factory=Book)
    updated_wall: int = 0
    last_price: Micro | None = None
    last_side: Side = Side.BUY
    volume: Micro = 0
    #: Volume by hour of the venue's clock, the last day's.
    hours: dict[int, Micro] = field(default_factory=dict)
    #: pUSD that backs the outstanding shares.
    collateral: Micro = 0
    trades: deque[TradeRecord] = field(default_factory=lambda: deque(maxlen=_RECENT_TRADES))
    #: Levels (is a bid, price on the first token) that changed and were not reported yet.
    touched: dict[tuple[bool, Micro], None] = field(default_factory=dict)

    def count(self, trade: TradeRecord) -> None:
        """Take a trade into last price, volume and recent trades."""
        leg = self.record.index(trade.taker.token_id)
        self.last_price = trade.taker.price if leg == 0 else ONE - trade.taker.price
        self.last_side = trade.taker.side if leg == 0 else trade.taker.side.opposite
        cash = notional(trade.size, trade.taker.price)
        self.volume += cash
        hour = trade.venue_time // _HOUR
        if hour not in self.hours:
            for old in [h for h in self.hours if h <= hour - _DAY_HOURS]:
                del self.hours[old]
        self.hours[hour] = self.hours.get(hour, 0) + cash
        self.trades.append(trade)

    def last_trade(self, leg: int) -> LastTrade | None:
        """Return the latest trade seen from one token."""
        if self.last_price is None:
            return None
        if leg == 0:
            return LastTrade(self.last_price, self.last_side)
        return LastTrade(ONE - self.last_price, self.last_side.opposite)

    def stats(self, now: int) -> MarketStats:
        """Return volume, liquidity and prices."""
        bid, ask = self.book.best(0) if self.book else (None, None)
        hour = now // _HOUR
        return MarketStats(
            volume=self.volume,
            volume_24h=sum(cash for h, cash in self.hours.items() if h > hour - _DAY_HOURS),
            liquidity=self._liquidity(),
            best_bid=bid,
            best_ask=ask,
            last_price=self.last_price,
            outcome_prices=self.record.payouts or self._prices(bid, ask),
        )

    def snapshot(self, leg: int) -> BookSnapshot:
        """Return the book of one token; the market must be open."""
        assert self.book is not None
        bids, asks = self.book.levels(leg)
        last = self.last_trade(leg)
        return BookSnapshot(
            condition_id=self.record.condition_id,
            token_id=self.record.tokens[leg],
            bids=bids,
            asks=asks,
            timestamp=self.updated_wall,
            min_size=self.record.min_size,
            tick=self.record.tick,
            neg_risk=self.record.neg_risk,
            last_trade_price=last.price if last else None,
        )

    def touch(self, bid: bool, level: Micro) -> None:
        """Note that a level changed."""
        self.touched[bid, level] = None

    def drain(self, wall: int) -> BookChanged | None:
        """Return what changed in the book since the last call, or None."""
        if not self.touched or self.book is None:
            self.touched.clear()
            return None
        changes: list[LevelChange] = []
        first, second = self.record.tokens
        for bid, level in self.touched:
            total = self.book.side(bid).total(level)
            changes.append(LevelChange(first, Side.BUY if bid else Side.SELL, level, total))
            changes.append(LevelChange(second, Side.SELL if bid else Side.BUY, ONE - level, total))
        self.touched.clear()
        self.updated_wall = wall
        return BookChanged(self.record.condition_id, tuple(changes), (self.book.best(0), self.book.best(1)), wall)

    def _prices(self, bid: Micro | None, ask: Micro | None) -> tuple[Micro, Micro]:
        price = (bid + ask) // 2 if bid is not None and ask is not None else self.last_price
        if price is None:
            price = bid if bid is not None else ask if ask is not None else ONE // 2
        return price, ONE - price

    def _liquidity(self) -> Micro:
        if self.book is None:
            return 0
        asks: tuple[Level, ...] = self.book.asks.levels()
        bids = sum(notional(level.size, level.price) for level in self.book.bids.levels())
        return bids + sum(notional(level.size, ONE - level.price) for level in asks)
