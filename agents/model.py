"""The trading vocabulary: markets, books, positions and what a strategy sees and wants.

Prices, sizes and cash are integers of one millionth (`agents.money`); times are epoch milliseconds of the venue's clock
unless a name says otherwise. All values are frozen: they cross processes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from agents.forecasting.records import Forecast
from agents.money import ONE, Micro

#: Order sizes are whole multiples of this: 0.01 share.
SIZE_STEP: Micro = 10_000


class Side(StrEnum):
    """The side of an order, as the venue writes it."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class TimeInForce(StrEnum):
    """How long an order lives: resting, resting until a time, all or nothing, what is there now."""

    GTC = "GTC"
    GTD = "GTD"
    FOK = "FOK"
    FAK = "FAK"


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """A market's taker fee: `agents.money.fee` with this rate and exponent."""

    rate: Decimal = Decimal(0)
    exponent: int = 1


@dataclass(frozen=True, slots=True)
class Market:
    """One binary market; `tokens`, `outcomes` and `payouts` are aligned by index."""

    id: str
    condition_id: str
    question: str
    slug: str
    tokens: tuple[str, str]
    outcomes: tuple[str, str]
    tick: Micro
    min_size: Micro
    fee: FeeSchedule
    neg_risk: bool = False
    event_id: str = ""
    event_title: str = ""
    tags: tuple[str, ...] = ()
    end: int | None = None
    accepting_orders: bool = True
    closed: bool = False
    payouts: tuple[Micro, Micro] | None = None
    #: How many markets of its event are not closed yet, tradable or not; 0 if that is not known.
    event_size: int = 0

    @property
    def event(self) -> str:
        """The id of the event that it belongs to; a market without one is its own."""
        return self.event_id or self.condition_id

    @property
    def category(self) -> str:
        """Its first tag, or an empty text."""
        return self.tags[0] if self.tags else ""

    @property
    def takes_orders(self) -> bool:
        """Whether it is open for trading: not paused, closed or resolved."""
        return self.accepting_orders and not self.closed and self.payouts is None

    def index(self, token_id: str) -> int:
        """Return 0 or 1 for one of the market's tokens; raises ValueError for another."""
        return self.tokens.index(token_id)

    def outcome(self, token_id: str) -> str:
        """Return the label of a token's outcome."""
        return self.outcomes[self.index(token_id)]


@dataclass(frozen=True, slots=True)
class Level:
    """The shares on offer at one price."""

    price: Micro
    size: Micro


@dataclass(frozen=True, slots=True)
class Book:
    """The order book of one token, best price first on both sides."""

    token_id: str
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()

    @property
    def bid(self) -> Micro | None:
        """The best bid."""
        return self.bids[0].price if self.bids else None

    @property
    def ask(self) -> Micro | None:
        """The best ask."""
        return self.asks[0].price if self.asks else None

    @property
    def mid(self) -> Micro | None:
        """Half way between best bid and best ask, or None if a side is empty."""
        return (self.bids[0].price + self.asks[0].price) // 2 if self.bids and self.asks else None

    def mirrored(self, token_id: str) -> "Book":
        """Return the same book seen from the other outcome: p becomes 1 - p, bids become asks."""
        return Book(
            token_id,
            tuple(Level(ONE - level.price, level.size) for level in self.asks),
            tuple(Level(ONE - level.price, level.size) for level in self.bids),
        )


#: Seconds after which a market that nothing was heard of is not traded.
STALE_AFTER = 60.0


@dataclass(frozen=True, slots=True)
class MarketView:
    """A market with its two books and the recent prices of its first outcome, oldest first."""

    market: Market
    books: tuple[Book, Book]
    prices: tuple[tuple[int, Micro], ...] = ()
    #: Seconds since a frame of this market or a resync was received, on a monotonic clock.
    age: float = 0.0

    def last(self, index: int) -> Micro | None:
        """Return the newest of the recent prices, as one of the outcome with that index; None if there is none."""
        if not self.prices:
            return None
        price = self.prices[-1][1]
        return price if index == 0 else ONE - price


@dataclass(frozen=True, slots=True)
class Holding:
    """Shares that an agent's own book holds, with what they cost (fees not included)."""

    token_id: str
    size: Micro
    cost: Micro


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order of the agent that may still trade."""

    order_id: str
    condition_id: str
    token_id: str
    side: Side
    price: Micro
    size: Micro
    filled: Micro
    status: str
    created: int
    #: When it ends by itself, if it does.
    expires: int | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """What a broker says of one agent: free cash (open buy orders deducted), holdings and open orders."""

    cash: Micro
    holdings: Mapping[str, Holding] = field(default_factory=dict)
    orders: tuple[OpenOrder, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """All that a strategy may look at when it decides."""

    now: int
    markets: tuple[MarketView, ...]
    account: Account
    #: A number that changes with each decision round; the only source of chance, so a replay decides the same.
    seed: int = 0
    #: Forecasts by condition id, of the markets that the strategy wanted to know about, as far as they are there.
    forecasts: Mapping[str, Forecast] = field(default_factory=dict)
    #: The lines that the strategy's program wrote since the last round, for a strategy that has one.
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What a strategy wants; not yet an order. `action` is buy, sell or hold; a hold has size 0.

    A `quote` never takes (post-only): it rests until a later round no longer wants it at that price. Anything else takes what
    is on the book up to `price` at once. What happens then says `time_in_force`; left out, a quote is GTC, or GTD if it
    `expires`, and anything else FAK. An order that rests stands like a quote, for as long as later rounds want it.
    """

    market: Market
    token_id: str
    action: str
    price: Micro
    size: Micro
    confidence: float
    reasoning: str
    quote: bool = False
    #: Decisions that share a group are legs of one trade, taken in order; the rest is dropped when one cannot be placed.
    group: str = ""
    time_in_force: TimeInForce | None = None
    #: When a GTD order ends, in epoch milliseconds of the venue's clock.
    expires: int | None = None
    #: The most that a buy may cost, fee included: its size is cut to that.
    max_spend: Micro | None = None

    @property
    def outcome(self) -> str:
        """The label of the outcome decided on."""
        return self.market.outcome(self.token_id)

    @property
    def order_type(self) -> TimeInForce:
        """How long the order lives that it asks for."""
        if self.time_in_force is not None:
            return self.time_in_force
        if self.expires is not None:
            return TimeInForce.GTD
        return TimeInForce.GTC if self.quote else TimeInForce.FAK

    @property
    def rests(self) -> bool:
        """Whether what is not filled at once stays on the book."""
        return self.order_type in (TimeInForce.GTC, TimeInForce.GTD)
