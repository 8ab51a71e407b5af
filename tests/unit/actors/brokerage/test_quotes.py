from collections.abc import Sequence
from dataclasses import replace

import pytest

from actors.brokerage.quotes import Quotes
from agents.errors import Unavailable
from agents.model import MarketView
from agents.money import ONE, micro
from agents.ports import Snapshot
from tests.unit.agents.worlds import NOW, market, seen

OPEN, ENDED = market(1), replace(market(2), accepting_orders=False)


class Feed:
    """One open market, and one that has ended; `asked` are the questions for a single one."""

    def __init__(self) -> None:
        self.gone: tuple[str, ...] = ()
        self.asked: list[str] = []
        self.away = False

    async def snapshot(self, selection: Sequence[str] = (), since: int = 0) -> Snapshot:
        if self.away:
            raise Unavailable("the feed is away")
        changed = () if since or self.gone else (seen(OPEN, age=2.0),)
        return Snapshot(since + 1, NOW, changed, self.gone)

    async def market(self, id: str) -> MarketView | None:
        self.asked.append(id)
        return seen(ENDED, bids=(), asks=(), prices=(0.7,)) if id in (ENDED.condition_id, *ENDED.tokens) else None


class Stage:
    def __init__(self) -> None:
        self.feed, self.now = Feed(), 0.0
        self.quotes = Quotes(self.feed, lambda: self.now)  # type: ignore[arg-type]


async def test_a_book_is_as_old_as_what_was_heard_of_it_and_of_the_feed() -> None:
    stage = Stage()
    assert stage.quotes.age == float("inf")
    await stage.quotes.refresh()
    stage.now = 3.0
    for id in (OPEN.condition_id, *OPEN.tokens):
        view = stage.quotes.view(id)
        assert view is not None
        assert view.age == 5.0
    stage.feed.away = True
    with pytest.raises(Unavailable):
        await stage.quotes.refresh()
    assert stage.quotes.age == 3.0


async def test_an_open_market_is_not_asked_for_and_another_one_seldom() -> None:
    stage = Stage()
    await stage.quotes.refresh()
    await stage.quotes.ask(OPEN.condition_id)
    for stage.now in (0.0, 4.0, 6.0):
        await stage.quotes.ask(ENDED.condition_id)
    assert stage.feed.asked == [ENDED.condition_id] * 2


async def test_a_market_that_is_gone_is_no_longer_at_hand() -> None:
    stage = Stage()
    await stage.quotes.refresh()
    stage.feed.gone = (OPEN.condition_id,)
    await stage.quotes.refresh()
    assert stage.quotes.view(OPEN.tokens[0]) is None


async def test_worth_comes_from_the_payout_the_bid_or_the_last_price_and_of_an_unknown_market_is_none() -> None:
    stage = Stage()
    await stage.quotes.refresh()
    tokens = [OPEN.tokens[0], ENDED.tokens[1], "paid", "unknown"]
    found = await stage.quotes.worths(tokens, {"0xpaid": {"paid": "1"}})
    assert found == {OPEN.tokens[0]: micro("0.49"), ENDED.tokens[1]: micro("0.3"), "paid": ONE, "unknown": 0}
    assert sorted(stage.feed.asked) == sorted([ENDED.tokens[1], "unknown"])
