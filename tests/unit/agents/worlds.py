"""Markets, books and views to decide on, as small as a test needs them."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from agents.events import Event, Type
from agents.model import Account, Book, Decision, FeeSchedule, Holding, Level, Market, MarketView, OpenOrder, Side, View
from agents.money import ONE, micro
from agents.spec import AgentSpec

NOW = 1_764_000_000_000
HOUR = 3_600_000


def market(n: int | str = 1, **changes: Any) -> Market:
    fields: dict[str, Any] = {
        "id": f"{n}",
        "condition_id": f"0x{n}",
        "question": f"Question {n}?",
        "slug": f"question-{n}",
        "tokens": (f"{n}-yes", f"{n}-no"),
        "outcomes": ("Yes", "No"),
        "tick": 10_000,
        "min_size": 5 * ONE,
        "fee": FeeSchedule(Decimal("0.05")),
    }
    return Market(**fields | changes)


def levels(quotes: Iterable[tuple[str, int]]) -> tuple[Level, ...]:
    return tuple(Level(micro(price), shares * ONE) for price, shares in quotes)


def seen(
    of: Market,
    bids: Iterable[tuple[str, int]] = (("0.49", 100),),
    asks: Iterable[tuple[str, int]] = (("0.51", 100),),
    prices: Iterable[float] = (),
    *,
    age: float = 0.0,
) -> MarketView:
    book = Book(of.tokens[0], levels(bids), levels(asks))
    path = list(prices)
    points = tuple((NOW - (len(path) - n) * 60_000, round(price * ONE)) for n, price in enumerate(path))
    return MarketView(of, (book, book.mirrored(of.tokens[1])), points, age)


def account(cash: str = "1000", held: Mapping[str, tuple[str, str]] | None = None, orders: Iterable[OpenOrder] = ()) -> Account:
    holdings = {token: Holding(token, micro(size), micro(cost)) for token, (size, cost) in (held or {}).items()}
    return Account(micro(cash), holdings, tuple(orders))


def view(*markets: MarketView, of: Account | None = None, now: int = NOW) -> View:
    return View(now, markets, of or account())


def decision(of: Market, action: str = "buy", price: str = "0.5", size: str = "10", **changes: Any) -> Decision:
    fields: dict[str, Any] = {
        "market": of,
        "token_id": of.tokens[0],
        "action": action,
        "price": micro(price),
        "size": micro(size),
        "confidence": 0.9,
        "reasoning": "because",
    }
    return Decision(**fields | changes)


def order(of: Market, id: str = "o1", side: Side = Side.BUY, price: str = "0.5", size: str = "10", **changes: Any) -> OpenOrder:
    fields: dict[str, Any] = {
        "order_id": id,
        "condition_id": of.condition_id,
        "token_id": of.tokens[0],
        "side": side,
        "price": micro(price),
        "size": micro(size),
        "filled": 0,
        "status": "live",
        "created": NOW,
    }
    return OpenOrder(**fields | changes)


def spec(**changes: Any) -> AgentSpec:
    return AgentSpec.model_validate({"id": "a", "strategy": "momentum"} | changes)


def event(seq: int, type: Type, agent: str | None, data: dict[str, Any]) -> Event:
    return Event(f"test/1/{seq}", type, f"agent:{agent}", agent, 1, 0, data, seq)
