"""Over any run of decisions, fills, cancels and sales, by agents of two wallets, no limit on exposure is ever exceeded."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from actors.brokerage.booking import Booking
from actors.brokerage.breakers import Breakers
from actors.brokerage.desk import Desk
from actors.brokerage.entry import Entry
from actors.brokerage.fills import VenueFill
from actors.brokerage.limits import Limits
from actors.brokerage.notices import order_event
from actors.brokerage.orders import Order
from actors.brokerage.quotes import Quotes
from actors.event_source import EventSource
from agents import facts
from agents.events import Event, Type
from agents.fleet import AgentRecord, FleetState, agent_data
from agents.limits.settings import RiskSettings
from agents.limits.state import limits_data
from agents.model import Market, MarketView, Side
from agents.money import ONE, Micro, micro
from agents.orders import OrderStatus
from agents.ports import Wallet
from agents.risk import worst_fee
from tests.unit.agents.worlds import event, market, seen, spec

S = OrderStatus

MARKETS = (market(1, event_id="e"), market(2, event_id="e"), market(3))
WALLET_OF = {"a": "main", "b": "main", "c": "other"}

#: pUSD by rule; those of the fleet are above those of a wallet, but not by as much as two wallets may have.
LIMITS: dict[str, dict[str, Any]] = {
    "agent": {"maxTrade": 40, "maxMarketExposure": 60, "maxEventExposure": 80, "maxExposure": 100, "maxOpenOrders": 4},
    "wallet": {"maxMarketExposure": 90, "maxEventExposure": 110, "maxExposure": 150, "maxOpenOrders": 6},
    "fleet": {"maxMarketExposure": 100, "maxEventExposure": 130, "maxExposure": 180},
}
FREE = {"maxPriceDistance": 1, "maxBargain": 1}


class SharedLog:
    """A log that every desk follows without delay."""

    def __init__(self) -> None:
        self.state = FleetState()
        self.desks: list[Desk] = []

    async def append(self, events: Sequence[Event], signed: Mapping[str, bytes] = {}) -> list[int]:
        numbered = [each.numbered(self.state.seq + n) for n, each in enumerate(events, start=1)]
        for each in numbered:
            self.tell(each)
        return [each.seq for each in numbered]

    def tell(self, told: Event) -> None:
        """Fold an event everywhere."""
        self.state.apply(told)
        for desk in self.desks:
            desk._follow(told)


class Feed:
    """Every market, with the same book."""

    async def market(self, id: str) -> MarketView | None:
        return next((seen(each) for each in MARKETS if id == each.condition_id), None)

    async def now(self) -> int:
        return 0


class Broker:
    """One wallet's desk and entry, without a venue."""

    def __init__(self, wallet: str, log: SharedLog, now: list[float]) -> None:
        self.desk = Desk(Wallet(wallet, "0xa", ""), cast(Any, log), cast(Any, Feed()))
        self.desk.follower.state = log.state
        self.desk._source = EventSource(self.desk.name, 1, cast(Any, log))
        log.desks.append(self.desk)
        self.limits = Limits(self.desk, Quotes(cast(Any, Feed()), lambda: now[0]), lambda: now[0])
        self.limits.looked = now[0]
        self.entry = Entry(self.desk, Booking(self.desk), self.limits, Breakers(lambda: now[0]))


@settings(max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
class Trading(RuleBasedStateMachine):
    """Places what the brokers allow, and lets the venue do with it whatever a venue may."""

    orders = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        self.log = SharedLog()
        self.now = [0.0]
        self.brokers = {wallet: Broker(wallet, self.log, self.now) for wallet in ("main", "other")}
        self.count = itertools.count(1)
        merged = {scope: limits | (FREE if scope == "agent" else {}) for scope, limits in LIMITS.items()}
        self._tell(Type.RISK, None, limits_data(RiskSettings.model_validate(merged)))
        for wallet in self.brokers:
            self._tell(Type.INFO, None, facts.deposit_data(wallet=wallet, address="0xa", cash=10_000 * ONE, reason="a test"))
        for agent_id, wallet in WALLET_OF.items():
            record = AgentRecord(spec(id=agent_id, wallet=wallet, budget=1000, maxTradeAmount=50))
            self._tell(Type.AGENT, agent_id, agent_data(record, "created", with_spec=True))
        for broker in self.brokers.values():
            for each in MARKETS:
                asyncio.run(broker.limits.quotes.ask(each.condition_id))

    def _tell(self, type: Type, agent: str | None, data: dict[str, Any]) -> None:
        self.log.tell(replace(event(self.log.state.seq + 1, type, agent, data), source="supervisor"))

    @rule(
        target=orders,
        agent=st.sampled_from(sorted(WALLET_OF)),
        of=st.sampled_from(MARKETS),
        token=st.integers(0, 1),
        side=st.sampled_from([Side.BUY, Side.BUY, Side.BUY, Side.SELL]),
        price=st.integers(1, 99),
        size=st.integers(1, 120),
        resting=st.booleans(),
    )
    def decide(self, agent: str, of: Market, token: int, side: Side, price: int, size: int, resting: bool) -> Any:
        broker, number = self.brokers[WALLET_OF[agent]], next(self.count)
        order = Order(
            id=f"o{number}",
            agent_id=agent,
            intent_id=f"i{number}",
            market=of,
            token_id=of.tokens[token],
            side=side,
            price=price * 10_000,
            size=size * ONE,
            order_type="GTC" if resting else "FAK",
            post_only=resting,
            created=0,
            venue_time=0,
            status=S.SIGNED,
        )
        if broker.entry.risk(order, agent, 0.9) is not None:
            return multiple()
        desk = broker.desk
        desk.learn(of)
        desk.orders.add(order)
        broker.limits.note(agent)
        asyncio.run(desk.record([order_event(desk.source, desk.wallet.name, order, S.SIGNED, 0)]))
        return order

    @rule(order=orders, price=st.integers(1, 99), part=st.integers(1, 100))
    def fill(self, order: Order, price: int, part: int) -> None:
        """Fill some of an order, at its price or a better one; a taker gets more shares for the cash that it offered."""
        if not order.open:
            return
        buying = order.side is Side.BUY
        better = min(price * 10_000, order.price) if buying else max(price * 10_000, order.price)
        paid = order.price if order.post_only else better
        left = order.size - order.filled
        if buying and not order.post_only:
            left = (order.size * order.price // ONE - order.turnover) * ONE // paid
        size = left * part // 100
        if not size:
            return
        cost = size * paid // ONE
        number = next(self.count)
        fill = VenueFill(
            trade_id=f"t{number}",
            order_id=order.id,
            condition_id=order.market.condition_id,
            token_id=order.token_id,
            side=order.side,
            size=size,
            price=paid,
            cost=cost,
            maker=order.post_only,
            status="MATCHED",
            tx_hash="0x",
            matched_at=1,
        )
        asyncio.run(self._desk(order).move(order, S.PARTIALLY_FILLED, fill=fill))

    @rule(order=consumes(orders))
    def end(self, order: Order) -> None:
        if order.open:
            asyncio.run(self._desk(order).move(order, S.CANCELLED))

    @rule(seconds=st.integers(1, 100))
    def wait(self, seconds: int) -> None:
        for broker in self.brokers.values():
            broker.limits.looked = self.now[0] + seconds
            for id, (_, view) in broker.limits.quotes._asked.items():
                broker.limits.quotes._asked[id] = self.now[0] + seconds, view
        self.now[0] += seconds

    def _desk(self, order: Order) -> Desk:
        return self.brokers[WALLET_OF[order.agent_id or ""]].desk

    @invariant()
    def no_limit_is_exceeded(self) -> None:
        at_risk: Counter[tuple[str, str, str]] = Counter()
        opened: Counter[str] = Counter()
        for agent, wallet in WALLET_OF.items():
            desk, scopes = self.brokers[wallet].desk, (("agent", agent), ("wallet", wallet), ("fleet", ""))
            for order in desk.orders.open(agent):
                for within in scopes:
                    opened["/".join(within)] += 1
                if order.side is Side.BUY:
                    self._count(at_risk, scopes, order.market, _may_still_spend(order))
            for token_id, position in desk.portfolio.book(wallet, agent).positions.items():
                of = next(each for each in MARKETS if token_id in each.tokens)
                self._count(at_risk, scopes, of, position.cost)
        for (scope, _, rule_name), cash in at_risk.items():
            assert cash <= micro(str(LIMITS[scope][rule_name.split("/")[0]])), (scope, rule_name)
        for named, count in opened.items():
            most = LIMITS[named.split("/")[0]].get("maxOpenOrders")
            # Sales are counted, and none is refused for it.
            assert most is None or count <= most or self._sells()

    def _count(self, at_risk: Counter[tuple[str, str, str]], scopes: Any, of: Market, cash: Micro) -> None:
        for scope, name in scopes:
            at_risk[scope, name, "maxExposure"] += cash
            at_risk[scope, name, f"maxMarketExposure/{of.id}"] += cash
            at_risk[scope, name, f"maxEventExposure/{of.event_id or of.id}"] += cash

    def _sells(self) -> bool:
        return any(order.side is Side.SELL for broker in self.brokers.values() for order in broker.desk.orders.open())


def _may_still_spend(order: Order) -> Micro:
    cash = max(order.size * order.price // ONE - order.turnover, 0)
    return cash if order.post_only else cash + worst_fee(cash, order.size, order.price, order.market.fee)


TestTrading = Trading.TestCase


def two_brokers(limits: dict[str, Any]) -> tuple[SharedLog, list[Broker]]:
    """Return two wallets' brokers, with agent a in the one and c in the other, under these limits of the fleet."""
    log = SharedLog()
    brokers = [Broker(wallet, log, [0.0]) for wallet in ("main", "other")]
    events: list[tuple[Type, str | None, dict[str, Any]]] = [
        (Type.RISK, None, limits_data(RiskSettings.model_validate({"fleet": limits, "agent": FREE})))
    ]
    for wallet, agent_id in (("main", "a"), ("other", "c")):
        cash = facts.deposit_data(wallet=wallet, address="0xa", cash=10_000 * ONE, reason="a test")
        record = AgentRecord(spec(id=agent_id, wallet=wallet, budget=1000, maxTradeAmount=50))
        events += [(Type.INFO, None, cash), (Type.AGENT, agent_id, agent_data(record, "created", with_spec=True))]
    for type, agent, data in events:
        log.tell(replace(event(log.state.seq + 1, type, agent, data), source="supervisor"))
    for broker in brokers:
        asyncio.run(broker.limits.quotes.ask(MARKETS[0].condition_id))
    return log, brokers


async def test_of_two_orders_that_do_not_fit_the_later_in_the_log_gives_way() -> None:
    _, brokers = await asyncio.to_thread(two_brokers, {"maxExposure": 7})
    stored = []
    for broker, agent in zip(brokers, "ac", strict=True):
        order = quote(agent)
        assert broker.entry.risk(order, agent, 0.9) is None
        stored.append(order)
    # Each was judged before the other was in the log.
    seqs = []
    for broker, order in zip(brokers, stored, strict=True):
        broker.desk.orders.add(order)
        made = order_event(broker.desk.source, broker.desk.wallet.name, order, S.SIGNED, 0)
        seqs.append(await broker.desk.record([made]))
    first, second = [await b.limits.overrun(o, seq) for b, o, seq in zip(brokers, stored, seqs, strict=True)]
    assert (first, second) == (None, "there would be 8 pUSD at risk, and maxExposure of fleet is 7")
    third = quote("c")
    assert brokers[1].entry.risk(third, "c", 0.9) is not None, "by now it sees the other's"


def test_a_sale_of_the_kill_switch_passes_at_any_price() -> None:
    log, [broker, _] = two_brokers({})
    log.tell(replace(event(log.state.seq + 1, Type.RISK, None, limits_data(RiskSettings())), source="supervisor"))
    sale = replace(quote("a"), side=Side.SELL, price=10_000)
    assert broker.limits.refusal(sale, "a", 1.0) is not None
    log.state.flattening = 1
    assert broker.limits.refusal(sale, "a", 1.0) is None


def quote(agent: str) -> Order:
    """Return a buy of ten shares at 0.4."""
    return Order(
        id=f"order-of-{agent}",
        agent_id=agent,
        intent_id="i",
        market=MARKETS[0],
        token_id=MARKETS[0].tokens[0],
        side=Side.BUY,
        price=micro("0.4"),
        size=10 * ONE,
        order_type="GTC",
        post_only=True,
        created=0,
        venue_time=0,
        status=S.SIGNED,
    )
