"""What is used up of the limits on exposure: the cost of the shares held and the cash that open buys may still spend."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agents.model import Market
from agents.money import Micro
from agents.portfolio import UNALLOCATED, Book, Portfolio

#: The scope of all wallets.
FLEET = "fleet"


def agent_scope(agent_id: str) -> str:
    """Return the name of an agent's scope."""
    return f"agent:{agent_id}"


def agent_of(scope: str) -> str | None:
    """Return the agent whose scope it is, or None."""
    kind, _, name = scope.partition(":")
    return name if kind == "agent" else None


def wallet_scope(wallet: str) -> str:
    """Return the name of a wallet's scope."""
    return f"wallet:{wallet}"


def scopes(agent_id: str | None, wallet: str) -> tuple[str, ...]:
    """Return the scopes that an order of an agent counts in, the narrowest first."""
    outer = (wallet_scope(wallet), FLEET)
    return (agent_scope(agent_id), *outer) if agent_id else outer


@dataclass(frozen=True, slots=True)
class Place:
    """Where a token belongs: its market, and the event that groups it with others (its own market, if there is none)."""

    condition_id: str
    event: str

    @classmethod
    def of(cls, market: Market) -> "Place":
        """Return the place of a market's tokens."""
        return cls(market.condition_id, market.event)


@dataclass(frozen=True, slots=True)
class Commitment:
    """Cash that an open buy may still spend, its fee included; `owner` is an agent's id or UNALLOCATED."""

    wallet: str
    owner: str
    place: Place
    cash: Micro


@dataclass(frozen=True, slots=True)
class Exposure:
    """What one scope has at risk in a market, in its event and in all, and the capital that it was given."""

    market: Micro = 0
    event: Micro = 0
    total: Micro = 0
    capital: Micro = 0


@dataclass(slots=True)
class _Sums:
    """What one book adds to each scope that it counts in."""

    capital: Micro = 0
    market: dict[str, Micro] = field(default_factory=dict)
    event: dict[str, Micro] = field(default_factory=dict)


@dataclass(slots=True)
class Holdings:
    """What the shares held have cost, by scope and place; `capital` is cash and cost less the realised profit.

    A book that has changed is taken again by itself: most of a large fleet stays as it is from one order to the next.
    """

    capital: dict[str, Micro] = field(default_factory=dict)
    total: dict[str, Micro] = field(default_factory=dict)
    #: By scope and condition id, and by scope and event.
    market: dict[tuple[str, str], Micro] = field(default_factory=dict)
    event: dict[tuple[str, str], Micro] = field(default_factory=dict)
    _books: dict[tuple[str, str], _Sums] = field(default_factory=dict)

    def take(self, wallet: str, owner: str, book: Book | None, place_of: Callable[[str], Place | None]) -> None:
        """Count a book as it is now, in place of what it was; None: it is gone. A token without a place is one of its own."""
        within = scopes(None if owner == UNALLOCATED else owner, wallet)
        if known := self._books.pop((wallet, owner), None):
            self._count(within, known, -1)
        if book is None:
            return
        sums = self._books[wallet, owner] = _Sums(book.cash)
        for token_id, position in book.positions.items():
            sums.capital += position.cost - position.profit
            if position.cost:
                place = place_of(token_id) or Place(token_id, token_id)
                sums.market[place.condition_id] = sums.market.get(place.condition_id, 0) + position.cost
                sums.event[place.event] = sums.event.get(place.event, 0) + position.cost
        self._count(within, sums, 1)

    def _count(self, within: Sequence[str], sums: _Sums, sign: int) -> None:
        for scope in within:
            self.capital[scope] = self.capital.get(scope, 0) + sign * sums.capital
            self.total[scope] = self.total.get(scope, 0) + sign * sum(sums.market.values())
            for into, costs in ((self.market, sums.market), (self.event, sums.event)):
                for name, cost in costs.items():
                    into[scope, name] = into.get((scope, name), 0) + sign * cost
                    if not into[scope, name]:
                        del into[scope, name]

    def add(self, scope: str, place: Place, cash: Micro) -> None:
        """Count cash that is at risk at a place."""
        self.total[scope] = self.total.get(scope, 0) + cash
        for sums, name in ((self.market, place.condition_id), (self.event, place.event)):
            sums[scope, name] = sums.get((scope, name), 0) + cash

    @staticmethod
    def largest(sums: Mapping[tuple[str, str], Micro], scope: str) -> Micro:
        """Return the most that a scope has at risk in one market (or event, whichever these sums are of)."""
        return max((cash for (whose, _), cash in sums.items() if whose == scope), default=0)

    def exposures(self, place: Place, commitments: Iterable[Commitment], within: Sequence[str]) -> dict[str, Exposure]:
        """Return what each of some scopes has at risk at a place and in all; `commitments` may be those of all wallets."""
        market = {scope: self.market.get((scope, place.condition_id), 0) for scope in within}
        event = {scope: self.event.get((scope, place.event), 0) for scope in within}
        total = {scope: self.total.get(scope, 0) for scope in within}
        for each in commitments:
            for scope in scopes(each.owner, each.wallet):
                if scope in total:
                    total[scope] += each.cash
                    market[scope] += each.cash if each.place.condition_id == place.condition_id else 0
                    event[scope] += each.cash if each.place.event == place.event else 0
        return {scope: Exposure(market[scope], event[scope], total[scope], self.capital.get(scope, 0)) for scope in within}


def holdings(portfolio: Portfolio, place_of: Callable[[str], Place | None]) -> Holdings:
    """Add up all books."""
    sums = Holdings()
    for wallet, books in portfolio.wallets.items():
        for owner, book in books.items():
            sums.take(wallet, owner, book, place_of)
    return sums
