"""One market's order book, kept exact from snapshots and level changes of its first token.

The venue keeps one book for both outcomes (p becomes 1 - p, bids become asks), so one token is subscribed and the other
outcome is its mirror: half the frames, and the two can never disagree.
"""

from actors.polymarket.schema import BookFrame, Change, PriceChanges
from agents.model import Book, Level, Side
from agents.money import ONE, Micro


class LiveBook:
    """The book of a market's first token; `book` and `mirror` are built when asked for and kept until a change."""

    def __init__(self, tokens: tuple[str, str]) -> None:
        self.tokens = tokens
        self.timestamp = 0
        self.loaded = False
        self._bids: dict[Micro, Micro] = {}
        self._asks: dict[Micro, Micro] = {}
        self._since: list[Change] | None = None
        self._mark = 0
        self._built: tuple[Book, Book] | None = None

    def load(self, frame: BookFrame) -> bool:
        """Replace the book by a whole one from the stream and return whether that changed anything."""
        bids, asks = self._sides(frame)
        self._since = None
        return self._replace(bids, asks, frame.timestamp)

    def apply(self, frame: PriceChanges) -> bool:
        """Apply level changes, in order, and return whether the best prices are as the venue says they are.

        Where the frame has changes of the first token, those of the second are their mirror image and left out.
        """
        changes = [change for change in frame.changes if change.token_id == self.tokens[0]]
        if not changes:
            changes = [_mirrored(change, self.tokens[0]) for change in frame.changes if change.token_id == self.tokens[1]]
        for change in changes:
            self._set(change)
        if self._since is not None:
            self._since.extend(changes)
        self.timestamp = max(self.timestamp, frame.timestamp)
        return not changes or self._agrees(changes[-1])

    def begin(self) -> None:
        """Remember the changes from now on: the answer to a request sent after this may be older than they are."""
        self._since, self._mark = [], self.timestamp

    def reconcile(self, frame: BookFrame) -> bool:
        """Compare with a whole book asked for after `begin` and return whether it differs.

        Where it does it is taken over, unless it is older than what the stream had brought by `begin`.
        """
        since, self._since = self._since or [], None
        bids, asks = self._sides(frame)
        for change in since:
            _put(bids if change.side is Side.BUY else asks, change)
        if frame.timestamp < self._mark:
            return bids != self._bids or asks != self._asks
        return self._replace(bids, asks, frame.timestamp)

    @property
    def crossed(self) -> bool:
        """Whether the best bid reaches the best ask, which no real book shows for long."""
        return bool(self._bids and self._asks) and max(self._bids) >= min(self._asks)

    @property
    def mid(self) -> Micro | None:
        """Half way between the best prices of the first token, or None if a side is empty."""
        return (max(self._bids) + min(self._asks)) // 2 if self._bids and self._asks else None

    @property
    def books(self) -> tuple[Book, Book]:
        """The two outcomes' books, aligned with the tokens."""
        if self._built is None:
            first = Book(
                self.tokens[0],
                tuple(Level(price, self._bids[price]) for price in sorted(self._bids, reverse=True)),
                tuple(Level(price, self._asks[price]) for price in sorted(self._asks)),
            )
            self._built = first, first.mirrored(self.tokens[1])
        return self._built

    def _sides(self, frame: BookFrame) -> tuple[dict[Micro, Micro], dict[Micro, Micro]]:
        if frame.token_id == self.tokens[0]:
            return dict(frame.bids), dict(frame.asks)
        bids = {ONE - price: size for price, size in frame.asks.items()}
        return bids, {ONE - price: size for price, size in frame.bids.items()}

    def _replace(self, bids: dict[Micro, Micro], asks: dict[Micro, Micro], timestamp: int) -> bool:
        changed = not self.loaded or bids != self._bids or asks != self._asks
        self.loaded = True
        self.timestamp = max(self.timestamp, timestamp)
        if changed:
            self._bids, self._asks, self._built = bids, asks, None
        return changed

    def _set(self, change: Change) -> None:
        _put(self._bids if change.side is Side.BUY else self._asks, change)
        self._built = None

    def _agrees(self, change: Change) -> bool:
        """Whether our best prices are those that came with a change; 0 and 1 stand for an empty side."""
        bid = max(self._bids, default=0)
        ask = min(self._asks, default=ONE)
        return (change.best_bid is None or change.best_bid == bid) and (
            change.best_ask is None or (change.best_ask or ONE) == ask
        )


def _put(side: dict[Micro, Micro], change: Change) -> None:
    if change.size > 0:
        side[change.price] = change.size
    else:
        side.pop(change.price, None)


def _mirrored(change: Change, token_id: str) -> Change:
    best_bid = None if change.best_ask is None else ONE - change.best_ask
    best_ask = None if change.best_bid is None else ONE - change.best_bid
    return Change(token_id, change.side.opposite, ONE - change.price, change.size, best_bid, best_ask)
