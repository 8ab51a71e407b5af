"""The books as the feed has them, at hand without asking: what orders are compared with, and what shares are worth."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from agents.model import MarketView
from agents.money import Micro, micro
from agents.ports import MarketFeed
from agents.valuation import worth

#: Seconds for which a market that is not open any more is not asked for again.
_AGAIN = 5.0


class Quotes:
    """Every open market, as of the last `refresh`, and the others that somebody asked for."""

    def __init__(self, feed: MarketFeed, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._feed = feed
        self._monotonic = monotonic
        self._version = 0
        self._refreshed: float | None = None
        self._open: dict[str, MarketView] = {}
        #: Markets that were asked for, by condition id and by token, with the time of the answer; None: there is none.
        self._asked: dict[str, tuple[float, MarketView | None]] = {}
        self._of_token: dict[str, str] = {}

    @property
    def age(self) -> float:
        """Seconds since the feed has answered."""
        return float("inf") if self._refreshed is None else self._monotonic() - self._refreshed

    async def refresh(self) -> None:
        """Take what has changed. Raises Unavailable."""
        snapshot = await self._feed.snapshot((), self._version)
        for id in snapshot.gone:
            gone = self._open.pop(id, None)
            for token in gone.market.tokens if gone else ():
                self._of_token.pop(token, None)
        for view in snapshot.changed:
            self._open[view.market.condition_id] = view
            self._of_token |= dict.fromkeys(view.market.tokens, view.market.condition_id)
        self._version, self._refreshed = snapshot.version, self._monotonic()

    async def ask(self, id: str) -> None:
        """Ask the feed for a market by condition id or token, unless it is open or was asked for just now."""
        if self._of_token.get(id, id) in self._open:
            return
        asked = self._asked.get(id)
        if asked is None or self._monotonic() - asked[0] > _AGAIN:
            self._asked[id] = self._monotonic(), await self._feed.market(id)

    def view(self, id: str) -> MarketView | None:
        """Return a market by condition id or token, with its age as of now; None if it is not at hand."""
        if view := self._open.get(self._of_token.get(id, id)):
            return replace(view, age=view.age + self.age)
        at, asked = self._asked.get(id, (0.0, None))
        return replace(asked, age=asked.age + self._monotonic() - at) if asked else None

    async def worths(self, tokens: Iterable[str], paid: Mapping[str, Mapping[str, str]]) -> dict[str, Micro | None]:
        """Return what a share of each token is surely worth; `paid` are the payouts of the markets that have resolved.

        A token of which the venue knows no market is worth nothing. Raises Unavailable.
        """
        payouts = {token: price for prices in paid.values() for token, price in prices.items()}
        held = list(tokens)
        await asyncio.gather(*(self.ask(token) for token in held if token not in payouts))
        found: dict[str, Micro | None] = {}
        for token in held:
            if token in payouts:
                found[token] = micro(payouts[token])
                continue
            view = self.view(token)
            found[token] = worth(view, token) if view else 0
        self._asked = {id: asked for id, asked in self._asked.items() if self._monotonic() - asked[0] <= 2 * _AGAIN}
        return found
