"""What shares have cost, first in first out: each buy is a lot, and what leaves takes the oldest ones first.

Nothing depends on how a quantity is cut into sales: of a lot of n shares that cost c, the first k have cost c*k//n. So a fill
that the venue fails is taken out as if it had never been, whatever was bought and sold since.
"""

from collections.abc import Container
from dataclasses import dataclass, field
from typing import NamedTuple

from agents.money import Micro


class Lot(NamedTuple):
    """The shares from `start` to `end` of a buy of `size` shares that cost `cost`; `key` is its fill's while that may fail."""

    key: str
    size: Micro
    cost: Micro
    start: Micro
    end: Micro

    @property
    def shares(self) -> Micro:
        """How many shares it is."""
        return self.end - self.start

    @property
    def worth(self) -> Micro:
        """What they have cost."""
        if self.end == self.size:
            return self.cost - self.cost * self.start // self.size
        return self.cost * self.end // self.size - self.cost * self.start // self.size

    def part(self, start: Micro, end: Micro) -> "Lot":
        """Return other shares of the same buy."""
        return Lot(self.key, self.size, self.cost, start, end)


@dataclass(slots=True)
class Position:
    """Shares of one token. `profit` is realised, with all of the token's fees taken off.

    `size` is negative where more was sold than ever came, as when a buy fails after its shares were sold. `seq` is that of
    the event with which its book first held the token. One that is made with a size and no lots has a single lot: so are
    read those that were stored when cost was an average.
    """

    size: Micro = 0
    cost: Micro = 0
    profit: Micro = 0
    fees: Micro = 0
    seq: int = field(default=0, compare=False)
    #: What is held, the oldest first; what was sold last, the oldest first, as far as a sale may still fail or a buy of it.
    lots: list[Lot] = field(default_factory=list)
    used: list[Lot] = field(default_factory=list)
    #: The shares in `used`, and those in sales that may still fail.
    kept: Micro = 0
    selling: Micro = 0

    def __post_init__(self) -> None:
        if self.size > 0 and not self.lots:
            self.lots = [Lot("", self.size, self.cost, 0, self.size)]

    def buy(self, size: Micro, cost: Micro, fee: Micro, key: str = "") -> None:
        """Add shares that cost `cost` and the fee, by the fill of a key if that may still fail."""
        self.fees += fee
        self.profit -= fee
        short = -self.size
        if not size:
            self.profit -= cost
            return
        self.lots.append(Lot(key, size, cost, 0, size))
        self.size += size
        self.cost += cost
        if short > 0:
            self._cover(short)

    def covering(self, size: Micro, cost: Micro) -> Micro:
        """Return the part of a buy's cost that is for shares which were sold before: it is realised at once."""
        return cost * min(size, -self.size) // size if self.size < 0 < size else 0

    def released(self, size: Micro) -> Micro:
        """Return what the shares have cost that a sale of so many takes."""
        if size >= self.size:
            return self.cost
        released = 0
        for lot in self.lots:
            if size < lot.shares:
                return released + lot.part(lot.start, lot.start + size).worth
            released += lot.worth
            size -= lot.shares
        return released

    def take(self, size: Micro) -> Micro:
        """Take the oldest shares out and return what they have cost."""
        released = self._use(size)
        self.size -= size
        self.cost -= released
        return released

    def sell(self, size: Micro, proceeds: Micro, fee: Micro, *, may_fail: bool = False) -> Micro:
        """Take shares out and return the profit realised, fee taken off."""
        profit = proceeds - self.take(size) - fee
        self.fees += fee
        self.profit += profit
        if may_fail:
            self.selling += size
        return profit

    def undo_buy(self, size: Micro, cost: Micro, fee: Micro, key: str) -> None:
        """Take out a buy that has failed: what was sold of it came from the lots after it."""
        left = [lot for lot in self.lots if lot.key == key]
        gone = [lot for lot in self.used if lot.key == key]
        if left:
            self.lots = [lot for lot in self.lots if lot.key != key]
        if gone:
            self.used = [lot for lot in self.used if lot.key != key]
        shares, worth = sum(lot.shares for lot in left), sum(lot.worth for lot in left)
        self.kept -= sum(lot.shares for lot in gone)
        self.fees -= fee
        self.size -= shares
        self.cost -= worth
        self.profit += fee + cost - worth - self.take(size - shares)

    def undo_sale(self, size: Micro, proceeds: Micro, fee: Micro, released: Micro) -> None:
        """Take back a sale that has failed; `released` is what its shares had cost, where the lots no longer tell."""
        short = min(max(-self.size, 0), size)
        back = self._give_back(size - short, released)
        self.size += size
        self.cost += back
        self.fees -= fee
        self.profit -= proceeds - back - fee
        self.selling -= size

    def confirm_sale(self, size: Micro) -> None:
        """Take note that a sale cannot fail any more."""
        self.selling -= size

    def forget(self, pending: Container[str]) -> None:
        """Drop what was sold for good; `pending` are the keys of the fills that may still fail."""
        gone, kept = 0, self.kept
        for lot in self.used:
            if lot.key in pending or kept - lot.shares < self.selling:
                break
            kept -= lot.shares
            gone += 1
        if gone:
            del self.used[:gone]
            self.kept = kept

    def merge(self, other: "Position") -> None:
        """Add another owner's shares of the token, as the newest."""
        short = max(-self.size, 0) + max(-other.size, 0)
        self.lots += other.lots
        self.used += other.used
        self.size += other.size
        self.cost += other.cost
        self.profit += other.profit
        self.fees += other.fees
        self.kept += other.kept
        self.selling += other.selling
        if short:
            self._cover(short)

    def _cover(self, short: Micro) -> None:
        """Let lots stand for shares that were sold before they came."""
        released = self._use(short)
        self.cost -= released
        self.profit -= released

    def _use(self, size: Micro) -> Micro:
        """Move so many shares, or as many as there are, to those that are sold; return what they have cost."""
        released = gone = 0
        for lot in self.lots:
            shares = lot.end - lot.start
            if size < shares:
                break
            released += lot.worth
            size -= shares
            self.kept += shares
            gone += 1
        if gone:
            self.used += self.lots[:gone]
            del self.lots[:gone]
        if size > 0 and self.lots:
            lot = self.lots[0]
            cut = lot.start + size
            part, self.lots[0] = lot.part(lot.start, cut), lot.part(cut, lot.end)
            released += part.worth
            self.kept += size
            self.used.append(part)
        return released

    def _give_back(self, size: Micro, released: Micro) -> Micro:
        """Move so many shares back from those that were sold last; return what they have cost."""
        back = 0
        while size > 0 and self.used:
            lot = self.used.pop()
            cut = max(lot.start, lot.end - size)
            part = lot.part(cut, lot.end)
            if cut > lot.start:
                self.used.append(lot.part(lot.start, cut))
            self._put_first(part)
            back += part.worth
            size -= part.shares
            self.kept -= part.shares
        if size > 0:
            rest = max(released - back, 0)
            self._put_first(Lot("", size, rest, 0, size))
            back += rest
        return back

    def _put_first(self, part: Lot) -> None:
        first = self.lots[0] if self.lots else None
        if first and part.end == first.start and part[:3] == first[:3]:
            self.lots[0] = first.part(part.start, first.end)
        else:
            self.lots.insert(0, part)
