"""The background flow: house makers that quote every market, and house takers that trade with whoever quotes best.

It runs in steps of a tenth of a wall second, each with random numbers of its own, so it is the same for the same seed and
the same orders of users. A simulation's choices, with no claim on real markets:

- Makers quote a ladder around a market's worth, wander within half a tick of it, and quote again when it moves, those
  that wait longest first; an unmoved market every three seconds.
- The makers of an event of several outcomes disagree now and then: for some seconds a set of its outcomes is mispriced.
- Takers buy and sell a few shares anywhere, and now and then all that stands before a user's order at the best price and
  a part of the order itself: a resting order at the best price is filled within seconds.

Bounds per wall second: 20 markets quoted (each at most one book change), on average 2.5 takers anywhere and 5 takers for
users' orders; so about 28 book changes and 8 trades, however many markets there are and however fast the venue's clock is.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import exp
from random import Random

from actors.sandbox.accounts import HOUSE_MAKER, HOUSE_TAKER
from actors.sandbox.book import Order
from actors.sandbox.categories import tick_at
from actors.sandbox.exchange import Exchange
from actors.sandbox.listing import Listing
from actors.sandbox.quoting import Level, Style, ladder, quote, style, tilt
from actors.sandbox.records import OrderState
from actors.sandbox.script import Script
from agents.model import Side
from agents.money import ONE, Micro, floor_to

#: Steps in a wall second.
STEPS = 10

#: Markets that may be quoted in one step on average, and how many steps an unmoved one waits.
_QUOTED = 2
_IDLE = 30
#: The chance of a taker anywhere, and of one for each user's order at the best price (at most the latter's bound).
_TAKER = 0.25
_TAKER_PER_ORDER = 0.05
_TAKER_MOST = 0.5
#: Steps that a disagreement within an event may last, its chance in each such time, and its margin in ticks at most.
_WINDOW = 100
_DISAGREE = 0.35
_MARGIN = 4


@dataclass(slots=True, eq=False)
class _Quoted:
    """One market's quotes. `worth` is what they were made for; `drift` is how far the makers wander, in ticks."""

    script: Script
    listing: Listing
    style: Style
    worth: Micro = -1
    drift: float = 0.0
    orders: dict[Level, Order] = field(default_factory=dict)

    def tick(self, worth: Micro) -> Micro:
        return min(self.script.record.tick, tick_at(worth))

    def moved(self, now: int) -> bool:
        worth, tick = self.script.price(now), self.listing.record.tick
        return self.worth < 0 or abs(worth - self.worth) * 2 >= tick or self.tick(worth) != tick


@dataclass(slots=True, eq=False)
class _Group:
    """The markets of one event, quoted together. `spent`: the disagreement that users have traded away."""

    event_id: str
    markets: list[_Quoted] = field(default_factory=list)
    quoted: int = -1
    tilted: bool = False
    spent: int = -1


class Flow:
    """The house's orders on all open markets."""

    def __init__(self, exchange: Exchange, seed: int) -> None:
        self._exchange = exchange
        self._floor = exchange.floor
        self._seed = seed
        self._groups: dict[str, _Group] = {}
        self._budget = 0
        self._maker = exchange.floor.accounts.get(HOUSE_MAKER)
        self._taker = exchange.floor.accounts.get(HOUSE_TAKER)

    def add(self, script: Script, listing: Listing) -> None:
        """Quote a market from the next step on."""
        record = script.record
        look = style(Random(f"{self._seed}/{record.condition_id}"), record.tick)
        group = self._groups.setdefault(record.event_id, _Group(record.event_id))
        group.markets.append(_Quoted(script, listing, look))

    def remove(self, listing: Listing) -> None:
        """Forget a market that has resolved."""
        group = self._groups.get(listing.record.event_id)
        if group is None:
            return
        group.markets = [market for market in group.markets if market.listing is not listing]
        if not group.markets:
            del self._groups[group.event_id]

    def quote_all(self, step: int, now: int) -> None:
        """Quote every market at once, as a venue does that has just started."""
        random = Random(f"{self._seed}/all/{step}")
        for group in self._groups.values():
            self._quote(group, step, now, random)

    def run(self, step: int, now: int) -> None:
        """Do one step at venue time `now`."""
        random = Random(f"{self._seed}/step/{step}")
        for group in self._stale(step, now):
            self._quote(group, step, now, random)
        if random.random() < _TAKER:
            self._take_anywhere(random)
        waiting = list(self._waiting())
        if waiting and random.random() < min(_TAKER_MOST, _TAKER_PER_ORDER * len(waiting)):
            self._take_user(random.choice(waiting), random)

    def _stale(self, step: int, now: int) -> Iterator[_Group]:
        """Yield the groups to quote in this step, as far as the budget goes: those first that wait longest."""
        self._budget = min(self._budget + _QUOTED, _QUOTED)
        for group in sorted(self._groups.values(), key=lambda group: group.quoted):
            if self._budget <= 0:
                return
            if group.quoted <= step - _IDLE or any(market.moved(now) for market in group.markets):
                self._budget -= len(group.markets)
                yield group

    def _quote(self, group: _Group, step: int, now: int, random: Random) -> None:
        self._notice(group, step)
        quotes = []
        for market in group.markets:
            market.worth = market.script.price(now)
            tick = market.tick(market.worth)
            if tick != market.listing.record.tick:
                self._exchange.change_tick(market.listing, tick)
            market.drift = max(-0.45, min(0.45, 0.8 * market.drift + random.gauss(0.0, 0.2)))
            quotes.append(quote(market.worth + int(market.drift * tick), tick, market.style.half))
        window = Random(f"{self._seed}/{group.event_id}/{step // _WINDOW}")
        group.tilted = len(group.markets) > 1 and group.spent != step // _WINDOW and window.random() < _DISAGREE
        if group.tilted:
            records = [market.listing.record for market in group.markets]
            margin = window.randint(1, _MARGIN) * max(record.tick for record in records)
            rates = [record.fee.rate for record in records]
            tilt(quotes, [record.tick for record in records], rates, margin, cheap=window.random() < 0.5)
        for market, best in zip(group.markets, quotes, strict=True):
            self._place(market, ladder(best, market.listing.record.tick, market.style))
        group.quoted = step

    def _notice(self, group: _Group, step: int) -> None:
        """End a disagreement that somebody has traded on."""
        taken = any(order.matched * 2 > order.size for market in group.markets for order in market.orders.values())
        if group.tilted and taken:
            group.spent = step // _WINDOW

    def _place(self, market: _Quoted, levels: dict[Level, Micro]) -> None:
        """Make a market's orders what they should be: those still good stay in their queues."""
        desk, listing = self._exchange.desk, market.listing
        for level, order in list(market.orders.items()):
            wanted = levels.get(level)
            if wanted is None or not order.open or order.remaining * 2 < wanted:
                desk.withdraw(listing, order)
                del market.orders[level]
        for level, size in levels.items():
            if level not in market.orders:
                bid, price = level
                leg, own = (0, price) if bid else (1, ONE - price)
                resting = desk.house(listing, self._maker, leg, Side.BUY, own, size, rest=True)
                if resting is not None:
                    market.orders[level] = resting
        self._floor.report(listing)

    def _take_anywhere(self, random: Random) -> None:
        """Trade a few shares at the best price of any market."""
        markets = [market for group in self._groups.values() for market in group.markets]
        if not markets:
            return
        listing = random.choice(markets).listing
        bid = random.random() < 0.5
        assert listing.book is not None
        best = listing.book.side(not bid).best
        if best is not None:
            self._take(listing, bid, best, (5 + int(exp(random.gauss(2.7, 0.8)))) * ONE, random)

    def _waiting(self) -> Iterator[Order]:
        """Yield the users' orders that rest at the best price of a book."""
        for order in self._floor.orders.values():
            book = self._floor.listings[order.condition_id].book
            if order.state is OrderState.LIVE and book is not None and book.side(order.bid).best == order.level:
                yield order

    def _take_user(self, order: Order, random: Random) -> None:
        """Trade with a user's order, after all that stands before it."""
        listing = self._floor.listings[order.condition_id]
        assert listing.book is not None
        ahead = 0
        for other in listing.book.side(order.bid).at(order.level):
            if other is order:
                break
            ahead += other.remaining
        part = floor_to(int(order.remaining * random.uniform(0.3, 1.3)), ONE)
        self._take(listing, not order.bid, order.level, ahead + min(order.remaining, max(part, 5 * ONE)), random)

    def _take(self, listing: Listing, bid: bool, level: Micro, size: Micro, random: Random) -> None:
        """Buy (a bid) or sell the first token at a level, as a trade on either token: which one is chance."""
        leg = 0 if random.random() < 0.5 else 1
        assert listing.book is not None
        maker = next(iter(listing.book.side(not bid).makers()), None)
        crossing = maker is not None and not maker.account.house and self._floor.faults.crosses_over()
        if maker is not None and crossing:
            leg = 1 - maker.leg
        side = Side.BUY if bid == (leg == 0) else Side.SELL
        if crossing and side is Side.SELL:
            self._exchange.settlement.lend(listing.record.condition_id, self._taker, listing.record.tokens[leg], size)
        if side is Side.SELL and self._taker.held(listing.record.tokens[leg]) < size:
            leg, side = 1 - leg, Side.BUY
        price = level if leg == 0 else ONE - level
        self._exchange.desk.house(listing, self._taker, leg, side, price, size, rest=False)
        self._floor.report(listing)
