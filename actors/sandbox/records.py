"""What the simulated venue says of itself: frozen records of markets, orders, trades, positions and changes.

Amounts and prices are integers of one millionth (`agents.money`). `*_wall` and `timestamp` are wall epoch milliseconds,
`venue_time`, `created`, `start`, `end` and `resolved_at` are epoch milliseconds of the venue's clock. Addresses are lower-case.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from agents.model import FeeSchedule, Level, Side, TimeInForce
from agents.money import Micro


class Refused(Exception):
    """Raised when the venue refuses a request; `message` is the venue's own wording and `status` the HTTP status."""

    def __init__(
        self,
        message: str,
        status: int = 400,
        *,
        code: str | None = None,
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.headers = headers or {}


class OrderState(StrEnum):
    """Where an order is. `DELAYED`: it waits for the taker delay to end and cannot be cancelled."""

    DELAYED = "DELAYED"
    LIVE = "LIVE"
    MATCHED = "MATCHED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


class TradeStatus(StrEnum):
    """Where a trade is on its way to the chain."""

    MATCHED = "MATCHED"
    MINED = "MINED"
    CONFIRMED = "CONFIRMED"
    RETRYING = "RETRYING"
    FAILED = "FAILED"


class MatchKind(StrEnum):
    """How two orders met: shares changed hands, a set was minted, or a set was merged."""

    COMPLEMENTARY = "COMPLEMENTARY"
    MINT = "MINT"
    MERGE = "MERGE"


class ActivityKind(StrEnum):
    """What happened to an account."""

    TRADE = "TRADE"
    SPLIT = "SPLIT"
    MERGE = "MERGE"
    REDEEM = "REDEEM"
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"


@dataclass(frozen=True, slots=True)
class MarketRecord:
    """One binary market; `tokens`, `outcomes` and `payouts` are aligned by index. A change of state makes a new record."""

    id: str
    condition_id: str
    question_id: str
    question: str
    slug: str
    description: str
    category: str
    tags: tuple[str, ...]
    event_id: str
    event_slug: str
    event_title: str
    tokens: tuple[str, str]
    outcomes: tuple[str, str]
    tick: Micro
    min_size: Micro
    fee: FeeSchedule
    created: int
    start: int
    end: int | None
    group_item_title: str = ""
    neg_risk: bool = False
    neg_risk_market_id: str = ""
    #: Whole seconds that a marketable order waits, as the market's `secondsDelay` shows it; 0 outside sports.
    seconds_delay: int = 0
    #: Wall milliseconds that a marketable order really waits (sports 1000, crypto 150, else 0).
    taker_delay: int = 0
    accepting_orders: bool = True
    closed: bool = False
    #: "", "proposed" or "resolved".
    uma_status: str = ""
    payouts: tuple[Micro, Micro] | None = None
    resolved_at: int | None = None

    def index(self, token_id: str) -> int:
        """Return 0 or 1 for one of the market's tokens; raises ValueError for another."""
        return self.tokens.index(token_id)

    def other(self, token_id: str) -> str:
        """Return the opposite token."""
        return self.tokens[1 - self.index(token_id)]

    def outcome(self, token_id: str) -> str:
        """Return the label of a token's outcome."""
        return self.outcomes[self.index(token_id)]


@dataclass(frozen=True, slots=True)
class MarketStats:
    """What changes with every trade. Prices are those of the first token, None where there is none."""

    volume: Micro
    volume_24h: Micro
    liquidity: Micro
    best_bid: Micro | None
    best_ask: Micro | None
    last_price: Micro | None
    #: What a share of each token is worth: the payouts once resolved, else the mid (or last) price.
    outcome_prices: tuple[Micro, Micro]


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A group of markets (often of one); `neg_risk` groups have exactly one winner."""

    id: str
    slug: str
    title: str
    category: str
    tags: tuple[str, ...]
    neg_risk: bool
    neg_risk_market_id: str
    created: int
    start: int
    end: int | None
    condition_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LastTrade:
    """The latest trade seen from one token: its price, and the taker's side."""

    price: Micro
    side: Side


@dataclass(frozen=True, slots=True)
class BookSnapshot:
    """The book of one token, best price first on both sides. `timestamp` is the wall time of its latest change."""

    condition_id: str
    token_id: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    timestamp: int
    min_size: Micro
    tick: Micro
    neg_risk: bool
    last_trade_price: Micro | None


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A signed order as the API hands it over, signature and ownership checked.

    BUY: `maker_amount` is pUSD, `taker_amount` shares; SELL the reverse. `expiration` is wall epoch seconds, 0 for none.
    """

    order_id: str
    owner: str
    api_key: str
    token_id: str
    side: Side
    maker_amount: Micro
    taker_amount: Micro
    order_type: TimeInForce
    post_only: bool = False
    expiration: int = 0
    signature_type: int = 0
    signer: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of a new order at once: live, matched, delayed or unmatched; amounts as in the order, filled so far."""

    order_id: str
    status: str
    making_amount: Micro
    taking_amount: Micro
    trade_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Which orders were cancelled, and why others were not."""

    canceled: tuple[str, ...]
    not_canceled: dict[str, str]


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order as it is now. `size` of a market buy is the least number of shares that it asked for."""

    order_id: str
    owner: str
    api_key: str
    condition_id: str
    token_id: str
    outcome: str
    side: Side
    price: Micro
    size: Micro
    matched: Micro
    order_type: TimeInForce
    post_only: bool
    state: OrderState
    created_wall: int
    expiration: int
    trade_ids: tuple[str, ...] = ()
    reason: str = ""
    signer: str = ""


@dataclass(frozen=True, slots=True)
class TradeSide:
    """One order's part in a trade: its token, side and price; a maker pays no fee."""

    order_id: str
    owner: str
    api_key: str
    token_id: str
    outcome: str
    side: Side
    price: Micro
    fee: Micro = 0


@dataclass(frozen=True, slots=True)
class TradeRecord:
    """One match of one taker order with one maker order. Maker and taker may be on different tokens (mint, merge)."""

    trade_id: str
    condition_id: str
    kind: MatchKind
    size: Micro
    taker: TradeSide
    maker: TradeSide
    status: TradeStatus
    match_wall: int
    update_wall: int
    venue_time: int
    transaction_hash: str


@dataclass(frozen=True, slots=True)
class PositionRecord:
    """Shares that an address holds or held, at average cost. `fees` are those of all entries, `realized` is before fees."""

    token_id: str
    condition_id: str
    size: Micro
    #: What the shares held now have cost, fees not included.
    cost: Micro
    fees: Micro
    realized: Micro
    #: All shares ever bought (or split into), and their cost.
    total_size: Micro
    total_cost: Micro
    first_at: int
    last_at: int

    @property
    def average(self) -> Micro:
        """The average price of all that was bought."""
        return self.total_cost * 1_000_000 // self.total_size if self.total_size else 0


@dataclass(frozen=True, slots=True)
class ActivityRecord:
    """One line of an account's history. `cash` is pUSD moved (always positive), `size` shares (of each token, for sets)."""

    seq: int
    kind: ActivityKind
    owner: str
    condition_id: str
    token_id: str
    side: Side | None
    size: Micro
    price: Micro
    cash: Micro
    fee: Micro
    taker: bool
    trade_id: str
    transaction_hash: str
    timestamp: int
    venue_time: int


@dataclass(frozen=True, slots=True)
class Balance:
    """Cash or shares of one address, and how much of it open orders hold."""

    total: Micro
    reserved: Micro

    @property
    def available(self) -> Micro:
        """What a new order may use."""
        return self.total - self.reserved


@dataclass(frozen=True, slots=True)
class Credentials:
    """An address's API credentials (L2)."""

    address: str
    api_key: str
    secret: str
    passphrase: str
    nonce: int = 0


# What a listener hears.


@dataclass(frozen=True, slots=True)
class LevelChange:
    """The new total at one price of one token's book; size 0 removes the level."""

    token_id: str
    side: Side
    price: Micro
    size: Micro


@dataclass(frozen=True, slots=True)
class BookChanged:
    """Levels that changed at once, for both tokens. `best` is (bid, ask) of each token, None where a side is empty."""

    condition_id: str
    changes: tuple[LevelChange, ...]
    best: tuple[tuple[Micro | None, Micro | None], tuple[Micro | None, Micro | None]]
    timestamp: int


@dataclass(frozen=True, slots=True)
class TradeDone:
    """A trade, users' or the house's own, as the public market channel shows it (the taker's token, side and price)."""

    trade: TradeRecord
    timestamp: int


@dataclass(frozen=True, slots=True)
class TickSizeChanged:
    """A market's price grid became finer, or coarse again."""

    market: MarketRecord
    old_tick: Micro
    new_tick: Micro
    timestamp: int


@dataclass(frozen=True, slots=True)
class MarketOpened:
    """A new market takes orders."""

    market: MarketRecord
    timestamp: int


@dataclass(frozen=True, slots=True)
class MarketResolved:
    """A market has its payouts; its book is gone."""

    market: MarketRecord
    timestamp: int


@dataclass(frozen=True, slots=True)
class OrderUpdated:
    """A user's order: `type` is PLACEMENT, UPDATE (it matched) or CANCELLATION. House orders are not reported."""

    type: str
    order: OrderRecord
    timestamp: int


@dataclass(frozen=True, slots=True)
class TradeUpdated:
    """A trade in which a user takes part has this status now (MATCHED included)."""

    trade: TradeRecord
    timestamp: int


Change = BookChanged | TradeDone | TickSizeChanged | MarketOpened | MarketResolved | OrderUpdated | TradeUpdated
