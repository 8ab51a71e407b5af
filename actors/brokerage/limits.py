"""The one question before every order: whether the limits allow it, with all that is held, open and known just then."""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from actors.brokerage.desk import Desk
from actors.brokerage.orders import Order
from actors.brokerage.quotes import Quotes
from agents.errors import Unavailable
from agents.events import Event, Type
from agents.limits.exposure import FLEET, Commitment, Holdings, Place, agent_scope, holdings, scopes, wallet_scope
from agents.limits.rules import Proposal, Refusal, Scope, Situation, overrun, refusal
from agents.limits.state import Stop
from agents.model import Side
from agents.portfolio import UNALLOCATED
from agents.ports import Intent

#: Seconds over which orders are counted.
_MINUTE = 60.0

#: Seconds for which an order may take to come back from the log.
_FOLLOWED = 5.0


class Limits:
    """Judges the orders of one wallet. Nothing is awaited in here, so what is judged and then added counts for the next."""

    def __init__(self, desk: Desk, quotes: Quotes, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.quotes = quotes
        #: Stops by scope that are on their way to the log.
        self.coming: dict[str, Stop] = {}
        #: When losses were looked at.
        self.looked: float | None = None
        self._desk = desk
        self._monotonic = monotonic
        self._sent: defaultdict[str, deque[float]] = defaultdict(deque)
        self._holdings: Holdings | None = None
        #: Books, as wallet and owner, that have changed since they were added up.
        self._changed: set[tuple[str, str]] = set()
        desk.on_change = self._note_change

    def refusal(self, order: Order, agent_id: str, confidence: float, before: Sequence[Commitment] = ()) -> Refusal | None:
        """Return why an agent may not place an order, or None; `before` is what is to be placed just before it."""
        desk = self._desk
        if order.side is Side.SELL and desk.fleet.flattening:
            # The kill switch sells out, at prices of its own.
            return None
        record = desk.fleet.agents.get(agent_id)
        if record is None:
            return Refusal("limits", "known", "unknown", f"there is no agent {agent_id} any more")
        place = Place.of(order.market)
        risk = desk.fleet.risk
        exposures = self.holdings().exposures(place, [*self.commitments(), *before], scopes(agent_id, desk.wallet.name))
        situation = Situation(
            settings=risk.settings,
            unreadable=risk.unreadable,
            scopes=[
                Scope(scope, exposure, self.open_orders(scope), self.recent(scope)) for scope, exposure in exposures.items()
            ],
            view=self.quotes.view(order.market.condition_id),
            now=desk.clock.reckoned,
            unwatched=float("inf") if self.looked is None else self._monotonic() - self.looked,
            stop=self.stop(agent_id),
        )
        proposal = Proposal(
            spec=record.spec,
            market=order.market,
            token_id=order.token_id,
            side=order.side,
            price=order.price,
            cost=order.may_cost,
            confidence=confidence,
            resting=order.post_only,
        )
        return refusal(proposal, situation)

    async def inform(self, condition_id: str) -> None:
        """Have a market at hand for `refusal`. Without the feed nothing is bought; what is held can still be sold."""
        with suppress(Unavailable):
            await self.quotes.ask(condition_id)

    async def checked(self, intent: Intent) -> Intent:
        """Return an intent whose market is as the feed knows it, for which an agent's word is not taken."""
        condition_id = intent.decision.market.condition_id
        await self.inform(condition_id)
        view = self.quotes.view(condition_id)
        return replace(intent, decision=replace(intent.decision, market=view.market)) if view else intent

    async def overrun(self, order: Order, seq: int) -> str | None:
        """Return why a stored order may not be sent, or None: what other wallets had placed by then leaves no room for it.

        Two brokers cannot see each other's orders when they judge their own. But the log puts them in one order, so each
        looks again, once its order has come back from there, at what is before it: of two that do not fit the later gives way.
        """
        desk = self._desk
        if order.side is Side.SELL or len(desk.fleet.addresses) < 2:
            return None
        if not await desk.follower.reached(seq, _FOLLOWED):
            return "what other wallets have placed is not known in time"
        risk, place = desk.fleet.risk, Place.of(order.market)
        if risk.settings is None:
            return risk.unreadable
        [exposure] = self.holdings().exposures(place, self.commitments(seq), [FLEET]).values()
        found = overrun(Scope(FLEET, exposure), risk.settings.fleet)
        return str(found) if found else None

    def note(self, agent_id: str) -> None:
        """Count an order that is placed now."""
        now = self._monotonic()
        for scope in scopes(agent_id, self._desk.wallet.name):
            self._sent[scope].append(now)

    def stop(self, agent_id: str) -> Stop | None:
        """Return the stop that is on for an agent of this wallet, or None."""
        wallet = self._desk.wallet.name
        coming = (self.coming[scope] for scope in scopes(agent_id, wallet) if scope in self.coming)
        return self._desk.fleet.risk.stopped(agent_id, wallet) or next(coming, None)

    def commitments(self, until: int | None = None) -> list[Commitment]:
        """Return what open buys hold back: this wallet's as they are now, those of others as the log says (up to a seq)."""
        wallet = self._desk.wallet.name
        own = [
            Commitment(wallet, order.agent_id or UNALLOCATED, Place.of(order.market), order.held_cash)
            for order in self._desk.orders.open()
            if order.side is Side.BUY
        ]
        others = (each for each in self._desk.fleet.risk.working.values() if each.wallet != wallet and each.left)
        return own + [each.commitment for each in others if until is None or each.seq <= until]

    def holdings(self) -> Holdings:
        """Return what the books add up to; only those are added up anew that have changed."""
        portfolio = self._desk.portfolio
        if self._holdings is None:
            self._holdings = holdings(portfolio, self._place)
        for wallet, owner in self._changed:
            self._holdings.take(wallet, owner, portfolio.wallets.get(wallet, {}).get(owner), self._place)
        self._changed.clear()
        return self._holdings

    def _note_change(self, event: Event | None) -> None:
        if event is not None and event.type in (Type.TRADE, Type.ORDER):
            if "tradeId" in event.data:
                # A fill of an agent that was deleted meanwhile is nobody's.
                wallet = event.data["wallet"]
                self._changed |= {(wallet, event.agent_id or UNALLOCATED), (wallet, UNALLOCATED)}
        elif event is None or event.data.keys() & {"redeemed", "shares", "spec"} or event.data.get("change") == "deleted":
            # It may be any book: a payout, a deposit, a budget, an agent that is gone.
            self._holdings = None
            self._changed.clear()

    def _place(self, token_id: str) -> Place | None:
        """Return where a token belongs, by the log or by an order that has not come back from it yet."""
        market = self._desk.known_markets.get(token_id)
        return self._desk.fleet.risk.places.get(token_id) or (Place.of(market) if market else None)

    def open_orders(self, scope: str) -> int:
        """Return how many orders of a scope are open in this wallet."""
        orders = self._desk.orders
        if scope in (FLEET, wallet_scope(self._desk.wallet.name)):
            return sum(1 for _ in orders.open())
        return sum(1 for order in orders.open() if order.agent_id and agent_scope(order.agent_id) == scope)

    def recent(self, scope: str) -> int:
        """Return how many orders of a scope were placed in the last minute."""
        sent, since = self._sent[scope], self._monotonic() - _MINUTE
        while sent and sent[0] < since:
            sent.popleft()
        return len(sent)
