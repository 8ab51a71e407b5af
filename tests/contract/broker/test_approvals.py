"""Orders that wait for a person: one order at most, whoever decides how often and whatever dies meanwhile."""

import asyncio
from typing import Any

import pytest

from actors.brokerage import approvals
from agents.agent import Agent
from agents.errors import Conflict, NotFound, Unavailable
from agents.events import Type
from agents.fleet import FleetState
from agents.model import Account, Decision, Market, Side, View
from agents.money import ONE, micro
from agents.ports import Placed
from agents.spec import AgentSpec, AgentState
from tests.contract.broker.fleet import FREE, Fleet, until
from tests.contract.broker.rival import Rival, fee_of

WHO = "token admin"


def open_ids(fleet: Fleet) -> list[str]:
    return [order.order_id for order in fleet.served.run(lambda exchange: exchange.open_orders(fleet.address))]


def placed_at_the_venue(fleet: Fleet, order_id: str | None) -> bool:
    return fleet.served.run(lambda exchange: exchange.order(order_id or "")) is not None


async def state(fleet: Fleet) -> FleetState:
    return await fleet.ledger.snapshot()


async def waiting(fleet: Fleet) -> list[str]:
    return [order.approval.id for order in (await state(fleet)).waiting.values()]


async def asked(fleet: Fleet, price: str = "0.5", size: str = "20", **fields: Any) -> tuple[Market, Rival, Placed, str]:
    """Start a fleet whose agent must ask, let it ask for a buy of what is offered at 0.5; return the approval's id last."""
    await fleet.start()
    await fleet.create_agent("a", "1000", approval=fields or True)
    record = fleet.served.market()
    market = await fleet.market(record)
    rival = Rival(fleet.served)
    rival.rest(record.tokens[0], Side.SELL, "0.5", "100")
    await until(lambda: offered(fleet, market, "0.5"))
    [placed] = await fleet.place("a", fleet.intent(market, "buy", price, size))
    assert (placed.status, placed.reason) == ("intended", "it waits to be approved")
    [approval_id] = await waiting(fleet)
    return market, rival, placed, approval_id


async def offered(fleet: Fleet, market: Market, price: str | None) -> bool:
    view = await fleet.feed.market(market.condition_id)
    return view is not None and view.books[0].ask == (None if price is None else micro(price))


async def decide(fleet: Fleet, approval_id: str, *, approve: bool = True, by: str = WHO) -> list[Placed]:
    return await fleet.broker.decide(approval_id, approve, by)


async def test_an_order_waits_holds_its_cash_and_is_sent_when_it_is_approved(fleet: Fleet) -> None:
    _, _, placed, approval_id = await asked(fleet)
    held = 10 * ONE + fee_of("20", "0.5")
    account = await fleet.broker.account("a")
    assert account.cash <= 1000 * ONE - held
    assert [(order.order_id, order.status) for order in account.orders] == [(placed.order_id, "intended")]
    assert not placed_at_the_venue(fleet, placed.order_id)
    [shown] = (await state(fleet)).waiting.values()
    assert (shown.agent_id, shown.side, shown.price, shown.size, shown.outcome) == ("a", "BUY", micro("0.5"), 20 * ONE, "Yes")
    assert shown.approval.reasoning == "a test"
    [done] = await decide(fleet, approval_id)
    assert (done.order_id, done.status, done.filled) == (placed.order_id, "matched", 20 * ONE)
    assert (await fleet.broker.account("a")).cash == 1000 * ONE - held
    assert await waiting(fleet) == []
    assert (await fleet.order_states(placed.order_id))[:4] == ["intended", "signed", "sent", "matched"]
    signed = next(event for event in await fleet.events(Type.ORDER) if event.data["status"] == "signed")
    assert (signed.data["approval"]["by"], signed.data["approval"]["approved"]) == (WHO, True)
    await fleet.agreed()


async def test_approved_by_two_people_at_once_it_is_one_order(fleet: Fleet) -> None:
    market, _, _, approval_id = await asked(fleet)
    answers = await asyncio.gather(
        *(decide(fleet, approval_id, by=f"person {n}", approve=n != 3) for n in range(5)), return_exceptions=True
    )
    assert [type(answer) for answer in answers].count(Conflict) == 4
    [refused, *_] = [answer for answer in answers if isinstance(answer, Conflict)]
    assert str(refused).startswith("It was decided already by person 0: the order is ")
    assert await fleet.filled("a", market.tokens[0], 20 * ONE)
    assert len(fleet.served.run(lambda exchange: exchange.trades(fleet.address))) == 1
    with pytest.raises(NotFound, match="Nothing waits under 'other'"):
        await decide(fleet, "other")
    await fleet.agreed()


async def test_what_is_rejected_or_not_decided_on_is_never_sent(fleet: Fleet) -> None:
    market, _, rejected, approval_id = await asked(fleet)
    [done] = await decide(fleet, approval_id, approve=False)
    assert (done.status, done.reason) == ("rejected", "token admin rejected it")
    [second] = await fleet.place("a", fleet.intent(market, "buy", "0.5", "20"))
    [approval_id] = await waiting(fleet)
    now = fleet.broker._desk.wall
    fleet.broker._desk.wall = lambda: now() + 899.0
    await asyncio.sleep(1.0)
    assert await waiting(fleet) == [approval_id]
    fleet.broker._desk.wall = lambda: now() + 901.0
    await until(lambda: fleet.ended(second.order_id, "expired"))
    with pytest.raises(Conflict, match=r"It was decided already: the order is expired \(nobody approved it in time\)"):
        await decide(fleet, approval_id)
    assert (await fleet.broker.account("a")).cash == 1000 * ONE
    assert not placed_at_the_venue(fleet, rejected.order_id)
    assert not placed_at_the_venue(fleet, second.order_id)


async def test_it_outlives_a_broker_and_one_that_died_over_it_sends_nothing_twice(fleet: Fleet) -> None:
    market, _, _, approval_id = await asked(fleet)
    await fleet.restart()
    assert await waiting(fleet) == [approval_id]
    assert [order.status for order in (await fleet.broker.account("a")).orders] == ["intended"]
    assert await fleet.broker.control_queues() == {"broker:main": {"orders": 0, "updates": 0}}
    sent = fleet.die_over_the_next_order()
    deciding = asyncio.create_task(decide(fleet, approval_id))
    await asyncio.wait({deciding, asyncio.create_task(sent.wait())}, return_when=asyncio.FIRST_COMPLETED)
    assert not deciding.done(), deciding.exception()
    await fleet.restart()
    deciding.cancel()
    await until(lambda: fleet.filled("a", market.tokens[0], 20 * ONE))
    with pytest.raises((Conflict, NotFound)):
        await decide(fleet, approval_id)
    assert len(fleet.served.run(lambda exchange: exchange.trades(fleet.address))) == 1
    await fleet.agreed()


async def test_stop_quarantine_and_kill_switch_cancel_what_waits(fleet: Fleet) -> None:
    market, _, first, approval_id = await asked(fleet)
    assert await fleet.broker.cancel_agent("a") == 1
    assert (await fleet.order_states(first.order_id)) == ["intended", "cancelled"]
    with pytest.raises(Conflict, match="it was cancelled before it was approved"):
        await decide(fleet, approval_id)
    [second] = await fleet.place("a", fleet.intent(market, "buy", "0.5", "20"))
    await fleet.throw("a drill")
    assert await fleet.ended(second.order_id, "cancelled")
    assert await waiting(fleet) == []
    assert (await fleet.broker.account("a")).cash == 1000 * ONE


@pytest.mark.parametrize("state", [AgentState.STOPPED, AgentState.QUARANTINED])
async def test_an_agent_that_no_longer_lives_orders_nothing_even_if_nobody_told_the_broker(
    fleet: Fleet, state: AgentState
) -> None:
    _, _, placed, approval_id = await asked(fleet)
    seq = await fleet.change_agent("a", "state", "1000", state)
    assert await fleet.broker._desk.follower.reached(seq, 5.0)
    with pytest.raises(Conflict, match=f"It was not placed: agent a is {state}"):
        await decide(fleet, approval_id)
    assert await fleet.ended(placed.order_id, "rejected")
    assert not placed_at_the_venue(fleet, placed.order_id)


async def test_a_price_that_has_moved_far_is_not_taken(fleet: Fleet) -> None:
    market, rival, placed, approval_id = await asked(fleet)
    rival.rest(market.tokens[0], Side.SELL, "0.44", "100")
    await until(lambda: offered(fleet, market, "0.44"))
    with pytest.raises(Conflict, match=r"the price has moved from 0\.5 to 0\.44 since it was asked for"):
        await decide(fleet, approval_id)
    assert await fleet.ended(placed.order_id, "rejected")
    assert (await fleet.broker.account("a")).cash == 1000 * ONE


async def test_an_order_that_would_meet_the_wallets_own_by_now_is_not_sent(fleet: Fleet) -> None:
    market, _, placed, approval_id = await asked(fleet)
    await fleet.create_agent("b", "1000")
    await fleet.place("b", fleet.intent(market, "buy", "0.5", "10"))
    # What waits is not on the book, so it is in nobody's way.
    [quote] = await fleet.place("b", fleet.intent(market, "sell", "0.5", "10", quote=True))
    assert quote.status == "live"
    with pytest.raises(Conflict, match="It was not placed: it would trade with agent b's own sell order at 0"):
        await decide(fleet, approval_id)
    assert not placed_at_the_venue(fleet, placed.order_id)


async def test_only_what_is_above_the_limit_waits_and_sales_only_if_that_is_said(fleet: Fleet) -> None:
    market, rival, _, approval_id = await asked(fleet, above=5)
    await decide(fleet, approval_id)
    [small] = await fleet.place("a", fleet.intent(market, "buy", "0.5", "10"))
    assert small.status == "matched"
    rival.rest(market.tokens[0], Side.BUY, "0.45", "100")
    [sale] = await fleet.place("a", fleet.intent(market, "sell", "0.45", "15"))
    assert sale.status == "matched"
    seq = await fleet.change_agent("a", "updated", "1000", approval={"above": 5, "sells": True})
    assert await fleet.broker._desk.follower.reached(seq, 5.0)
    [sale] = await fleet.place("a", fleet.intent(market, "sell", "0.45", "15"))
    assert sale.status == "intended"
    [again] = await fleet.place("a", fleet.intent(market, "sell", "0.45", "1"))
    assert again.reason == "it sells 1 shares, and the agent has 0 free"
    [approval_id] = await waiting(fleet)
    [done] = await decide(fleet, approval_id)
    assert (done.status, done.filled) == ("matched", 15 * ONE)


async def test_the_legs_of_a_trade_wait_together_and_are_sent_in_order(fleet: Fleet) -> None:
    market, rival, _, first_id = await asked(fleet)
    await decide(fleet, first_id, approve=False)
    record = fleet.served.market()
    other = await fleet.market(record)
    rival.rest(record.tokens[0], Side.SELL, "0.5", "100")
    await until(lambda: offered(fleet, other, "0.5"))
    legs = [fleet.intent(each, "buy", "0.5", "10", group="g") for each in (market, other)]
    assert [placed.status for placed in await fleet.place("a", *legs)] == ["intended", "intended"]
    [approval_id] = set(await waiting(fleet))
    assert [placed.status for placed in await decide(fleet, approval_id)] == ["matched", "matched"]
    # A leg for which there is no cash takes the one that waits before it along.
    seq = await fleet.change_agent("a", "updated", "1000", approval=True, risk=FREE["risk"] | {"maxExposure": "off"})
    assert await fleet.broker._desk.follower.reached(seq, 5.0)
    legs = [fleet.intent(each, "buy", "0.5", size, group="h") for each, size in ((market, "10"), (other, "3000"))]
    assert [placed.status for placed in await fleet.place("a", *legs)] == ["intended", "rejected"]
    assert await waiting(fleet) == []
    # And one that is not placed any more takes the ones after it along.
    legs = [fleet.intent(each, "buy", "0.5", "10", group="i") for each in (market, other)]
    await fleet.place("a", *legs)
    rival.rest(market.tokens[0], Side.SELL, "0.4", "100")
    await until(lambda: offered(fleet, market, "0.4"))
    with pytest.raises(Conflict, match="the price has moved"):
        await decide(fleet, (await waiting(fleet))[0])
    assert await waiting(fleet) == []
    await fleet.agreed()


async def test_an_approval_that_the_log_does_not_take_sends_nothing(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approvals, "_LEDGER_PATIENCE", 0.3)
    _, _, placed, approval_id = await asked(fleet)
    append = fleet.ledger.append

    async def away(*_: Any) -> list[int]:
        raise Unavailable("the disk is full")

    fleet.ledger.append = away  # type: ignore[method-assign, assignment]
    with pytest.raises(Unavailable):
        await decide(fleet, approval_id)
    fleet.ledger.append = append  # type: ignore[method-assign]
    await until(lambda: fleet.ended(placed.order_id, "rejected"))
    assert not placed_at_the_venue(fleet, placed.order_id)
    await fleet.agreed()


async def test_its_agent_leaves_it_alone_and_asks_for_nothing_like_it(fleet: Fleet) -> None:
    market, _, placed, _ = await asked(fleet)
    account: Account = await fleet.broker.account("a")
    view = await fleet.feed.market(market.condition_id)
    assert view is not None
    spec = {"id": "a", "strategy": "momentum", "minConfidence": 0.0}
    agent = Agent(AgentSpec.model_validate(spec))
    wanted = [
        Decision(market, market.tokens[0], "buy", micro("0.52"), 10 * ONE, 0.9, "again"),
        Decision(market, market.tokens[1], "buy", micro("0.45"), 10 * ONE, 0.9, "another"),
    ]
    agent._strategy = type("Fixed", (), {"decide": lambda self, view: wanted})()
    plan = agent.step(View(0, (view,), account))
    assert plan.cancels == ()
    held, passed = plan.decisions
    assert (held.action, held.reasoning) == ("hold", "Held, an order of this kind waits to be approved. again")
    assert passed.action == "buy"
    assert placed.order_id
