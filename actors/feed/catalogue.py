"""Every market that the feed knows, in the order of its latest change, and what of it an agent has not seen yet."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from actors.feed.prices import PriceSeries
from actors.live_book import LiveBook
from actors.polymarket.schema import Listing
from agents.model import Market, MarketView

#: Markets that ended and are remembered.
_ENDED = 2000


@dataclass(slots=True, eq=False)
class Tracked:
    """One market. `received` is when a frame of it or a resync last came, on the monotonic clock."""

    listing: Listing
    book: LiveBook
    prices: PriceSeries
    received: float
    #: The version of its latest change.
    version: int = 0
    #: Whether agents may trade it, as of the last look, and whether nothing was heard of it for too long.
    open: bool = False
    stale: bool = False
    #: It was open in this life of the feed or an earlier one, so an agent may hold it.
    was_open: bool = False
    #: Somebody asked for it by name or holds shares of it: it is followed until it resolves.
    watched: bool = False
    #: The venue no longer lists it as open, or has no book of it: its resolution is asked for.
    doubtful: bool = False
    #: All that it is called by.
    names: frozenset[str] = field(default=frozenset())

    @property
    def market(self) -> Market:
        """The market."""
        return self.listing.market

    @property
    def resolved(self) -> bool:
        """Whether its payouts are known."""
        return self.market.payouts is not None

    @property
    def followed(self) -> bool:
        """Whether its book is worth following."""
        return not self.market.closed and self.listing.enable_order_book and self.listing.active

    def view(self, now: float) -> MarketView:
        """Return what an agent sees of it; `now` is the monotonic clock's."""
        return MarketView(self.market, self.book.books, self.prices.points, round(max(now - self.received, 0.0), 3))


class Catalogue:
    """The markets by condition id. Versions go up with every change; `born` is larger than any of an earlier life."""

    def __init__(self, born: int, monotonic: Callable[[], float]) -> None:
        self.version = born
        self._born = born
        self._monotonic = monotonic
        self._markets: OrderedDict[str, Tracked] = OrderedDict()
        self._names: dict[str, set[str]] = {}

    def __iter__(self) -> Iterator[Tracked]:
        return iter(list(self._markets.values()))

    def __len__(self) -> int:
        return len(self._markets)

    def get(self, condition_id: str) -> Tracked | None:
        """Return a market by its condition id."""
        return self._markets.get(condition_id)

    def find(self, name: str) -> list[Tracked]:
        """Return the markets that go by a name: an id, slug, token, event or tag."""
        return [self._markets[id] for id in self._names.get(name, ()) if id in self._markets]

    def put(self, listing: Listing) -> Tracked:
        """Take in what the venue lists of a market; a size of its event and payouts that are known stay."""
        id = listing.market.condition_id
        tracked = self._markets.get(id)
        if tracked is None:
            tracked = Tracked(listing, LiveBook(listing.market.tokens), PriceSeries(), self._monotonic())
            self._markets[id] = tracked
            self._name(tracked)
            self.touch(tracked)
            self._forget()
            return tracked
        known, new = tracked.market, listing.market
        payouts = known.payouts or new.payouts
        # The listing may be minutes old; the tick was last told by the book.
        market = replace(
            new, tick=known.tick, event_size=known.event_size, payouts=payouts, closed=new.closed or payouts is not None
        )
        if market != known:
            self.touch(tracked)
        tracked.listing = replace(listing, market=market)
        self._name(tracked)
        return tracked

    def change(self, tracked: Tracked, market: Market) -> None:
        """Put a changed market in place of the one known."""
        if market != tracked.market:
            tracked.listing = replace(tracked.listing, market=market)
            self.touch(tracked)

    def touch(self, tracked: Tracked) -> None:
        """Note that a market has changed."""
        self.version += 1
        tracked.version = self.version
        self._markets.move_to_end(tracked.market.condition_id)

    def look(self, venue_now: int, stale_after: float) -> None:
        """See which markets have opened, closed or fallen silent, so that agents hear of it."""
        now = self._monotonic()
        for tracked in self:
            open_now = tracked.listing.tradable(venue_now) and not tracked.resolved and tracked.book.loaded
            stale = open_now and now - tracked.received > stale_after
            if open_now != tracked.open or stale != tracked.stale:
                tracked.open, tracked.stale = open_now, stale
                tracked.was_open = tracked.was_open or open_now
                self.touch(tracked)

    @property
    def loaded(self) -> bool:
        """Whether every market that should have a book has one."""
        return all(tracked.book.loaded for tracked in self._markets.values() if tracked.followed)

    def since(self, version: int, selection: Sequence[str]) -> tuple[tuple[MarketView, ...], tuple[str, ...]]:
        """Return the open markets of a selection (empty: all) that changed after a version, and the ids of those that ended.

        A version of another life of the feed counts as the very first.
        """
        if not self._born <= version <= self.version:
            version = 0
        now = self._monotonic()
        wanted = frozenset(selection)
        changed: list[MarketView] = []
        gone: list[str] = []
        for tracked in reversed(self._markets.values()):
            if tracked.version <= version:
                break
            if wanted and tracked.names.isdisjoint(wanted):
                continue
            if tracked.open:
                changed.append(tracked.view(now))
            else:
                gone.append(tracked.market.condition_id)
        return tuple(changed), tuple(gone)

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Return those names that no market goes by."""
        return [name for name in names if not self._names.get(name)]

    def _name(self, tracked: Tracked) -> None:
        market, listing = tracked.market, tracked.listing
        names = {market.condition_id, market.id, market.slug, *market.tokens, market.event_id, listing.event_slug}
        names.update(market.tags, listing.tag_labels)
        names.discard("")
        for name in names - tracked.names:
            self._names.setdefault(name, set()).add(market.condition_id)
        for name in tracked.names - names:
            self._names[name].discard(market.condition_id)
        tracked.names = frozenset(names)

    def _forget(self) -> None:
        """Drop the markets that ended longest ago."""
        ended = [tracked for tracked in self._markets.values() if tracked.resolved and not tracked.watched]
        for tracked in ended[: max(len(ended) - _ENDED, 0)]:
            id = tracked.market.condition_id
            del self._markets[id]
            for name in tracked.names:
                self._names[name].discard(id)
                if not self._names[name]:
                    del self._names[name]
