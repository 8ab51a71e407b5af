"""What an agent is told of the markets, by versions."""

from dataclasses import replace

import pytest

from actors.feed.catalogue import Catalogue, Tracked
from actors.polymarket.schema import BookFrame, Listing
from agents.model import Market
from agents.money import ONE
from tests.unit.agents.worlds import NOW, market

BORN = 1_000_000


class Clock:
    """The monotonic clock."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def listing(of: Market, **changes: object) -> Listing:
    found = Listing(of, active=True, enable_order_book=True, oracle_status="", placeholder=False, fee_known=True)
    return replace(found, **changes)  # type: ignore[arg-type]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def catalogue(clock: Clock) -> Catalogue:
    return Catalogue(BORN, clock)


def put(catalogue: Catalogue, of: Market, **changes: object) -> Tracked:
    """Put a market with a book into the catalogue, and look."""
    tracked = catalogue.put(listing(of, **changes))
    tracked.book.load(BookFrame(of.condition_id, of.tokens[0], 1, {400_000: ONE}, {}))
    catalogue.look(NOW, 45.0)
    return tracked


def told(catalogue: Catalogue, version: int, *selection: str) -> tuple[list[str], list[str]]:
    changed, gone = catalogue.since(version, selection)
    return sorted(view.market.id for view in changed), sorted(gone)


def test_only_what_changed_since_a_version_is_told(catalogue: Catalogue) -> None:
    first, _ = put(catalogue, market(1)), put(catalogue, market(2))
    assert told(catalogue, 0) == (["1", "2"], [])
    version = catalogue.version
    assert told(catalogue, version) == ([], [])
    catalogue.touch(first)
    assert told(catalogue, version) == (["1"], [])


def test_a_market_that_ends_is_gone_once(catalogue: Catalogue) -> None:
    tracked = put(catalogue, market(1, end=NOW + 1000))
    version = catalogue.version
    catalogue.look(NOW + 1000, 45.0)
    assert told(catalogue, version) == ([], ["0x1"])
    assert told(catalogue, catalogue.version) == ([], [])
    catalogue.change(tracked, replace(tracked.market, payouts=(ONE, 0), closed=True))
    assert told(catalogue, version) == ([], ["0x1"])


@pytest.mark.parametrize("version", [1, BORN - 1, BORN + 10**9])
def test_a_version_of_another_life_is_told_everything(catalogue: Catalogue, version: int) -> None:
    put(catalogue, market(1))
    put(catalogue, market(2, closed=True))
    assert told(catalogue, version) == (["1"], ["0x2"])


def test_a_selection_names_markets_by_anything_they_go_by(catalogue: Catalogue) -> None:
    put(catalogue, market(1, event_id="77", tags=("politics",)), event_slug="the-event", tag_labels=("Politics",))
    put(catalogue, market(2))
    for name in ("0x1", "1", "question-1", "1-yes", "1-no", "77", "the-event", "politics", "Politics"):
        assert told(catalogue, 0, name) == (["1"], [])
    assert told(catalogue, 0, "2", "politics") == (["1", "2"], [])
    assert catalogue.unknown(["1", "nonsense"]) == ["nonsense"]


def test_a_market_without_a_book_or_that_cannot_be_traded_is_not_shown(catalogue: Catalogue) -> None:
    catalogue.put(listing(market(1)))
    put(catalogue, market(2, accepting_orders=False))
    put(catalogue, market(3), placeholder=True)
    put(catalogue, market(4), oracle_status="proposed")
    put(catalogue, market(5), active=False)
    assert told(catalogue, 0)[0] == []


def test_a_market_that_falls_silent_is_shown_again_with_its_age(catalogue: Catalogue, clock: Clock) -> None:
    put(catalogue, market(1))
    version = catalogue.version
    clock.now = 44.0
    catalogue.look(NOW, 45.0)
    assert told(catalogue, version) == ([], [])
    clock.now = 46.0
    catalogue.look(NOW, 45.0)
    [view], _ = catalogue.since(version, ())
    assert view.age == 46.0


def test_a_listing_does_not_undo_what_was_learnt_elsewhere(catalogue: Catalogue) -> None:
    tracked = put(catalogue, market(1))
    catalogue.change(tracked, replace(tracked.market, tick=1000, event_size=3, payouts=(ONE, 0), closed=True))
    catalogue.put(listing(market(1)))
    assert (tracked.market.tick, tracked.market.event_size, tracked.market.payouts, tracked.market.closed) == (
        1000,
        3,
        (ONE, 0),
        True,
    )


def test_markets_that_resolved_long_ago_are_forgotten(catalogue: Catalogue) -> None:
    for n in range(2500):
        catalogue.put(listing(market(n, payouts=(ONE, 0), closed=True)))
    assert len(catalogue) == 2000
    assert catalogue.find("0x0") == []
    assert len(catalogue.find("0x2499")) == 1
