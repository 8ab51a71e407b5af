"""Orders that are sent again: always the same bytes, never for ever, and never two at the venue."""

import asyncio
import json

import pytest

from actors.brokerage import booking, delivery
from actors.sandbox.faults import Trouble
from agents.errors import Unavailable
from agents.events import Type
from agents.model import Side
from agents.money import ONE
from tests.contract.broker.fleet import Fleet, until
from tests.contract.broker.rival import Rival, fee_of
from tests.contract.broker.wire import refusals, wire

TIMED_OUT = {"error": "order timed out"}
CANCEL_ONLY = {"error": "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."}


def open_ids(fleet: Fleet) -> list[str]:
    return [order.order_id for order in fleet.served.run(lambda exchange: exchange.open_orders(fleet.address))]


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(Trouble(425, {"error": "the matching engine is restarting"}, {"Retry-After": "1"}), id="425"),
        pytest.param(Trouble(429, {"error": "too many requests"}, {"Retry-After": "1"}), id="429"),
        pytest.param(Trouble(503, CANCEL_ONLY), id="503-cancel-only"),
        pytest.param(Trouble(503, "upstream connect error", {"Content-Type": "text/plain"}), id="503-of-a-balancer"),
        pytest.param(Trouble(500, TIMED_OUT), id="500-and-not-taken"),
    ],
)
async def test_what_the_venue_did_not_take_is_sent_again_as_the_same_bytes(fleet: Fleet, trouble: Trouble) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    with wire(fleet.served, trouble, trouble) as sent:
        [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert placed.status == "live"
    assert len(sent.requests) == 3
    assert len(set(sent.requests)) == 1
    assert open_ids(fleet) == [placed.order_id]
    assert await fleet.order_states(placed.order_id) == ["intended", "signed", "sent", "live"]
    assert (await fleet.broker.account("a")).cash == 996 * ONE
    await fleet.agreed()


@pytest.mark.parametrize("taken", [True, False])
async def test_a_taker_whose_answer_was_lost_fills_once(fleet: Fleet, taken: bool) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.5", "100")
    with wire(fleet.served, Trouble(500, TIMED_OUT, handled=taken)) as sent:
        [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.5", "20"))
    assert (placed.status, placed.filled) in (("matched", 20 * ONE), ("confirmed", 20 * ONE))
    assert len(sent.requests) == (1 if taken else 2), "what the venue knows by its id is not sent again"
    assert len(set(sent.requests)) == 1
    assert len(await fleet.events(Type.TRADE)) == 1
    assert (await fleet.broker.account("a")).cash == 990 * ONE - fee_of("20", "0.5")
    await fleet.agreed()


async def test_bytes_that_arrive_twice_are_one_order(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The venue took it, did not say so, and does not say either that it has it: only the hash protects."""
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.5", "100")

    async def silent(order_id: str) -> None:
        raise Unavailable("the venue does not answer")

    with monkeypatch.context() as patched, wire(fleet.served, Trouble(500, TIMED_OUT, handled=True)) as sent:
        patched.setattr(fleet.broker._desk.venue, "order", silent)
        [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.5", "20"))
    assert len(set(sent.requests)) == 1
    await until(lambda: fleet.ended(placed.order_id, "confirmed"))
    assert len(await fleet.events(Type.TRADE)) == 1
    assert (await fleet.broker.account("a")).holdings[market.tokens[0]].size == 20 * ONE
    await fleet.agreed()


async def test_an_order_is_given_up_at_once_where_the_venue_wants_to_be_left_alone_for_long(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    with wire(fleet.served, *refusals(425, retry_after=120)) as sent:
        [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert (placed.status, len(sent.requests)) == ("rejected", 1)
    assert "not now" in placed.reason
    assert (await fleet.broker.account("a")).cash == 1000 * ONE


async def test_an_order_that_the_venue_never_took_is_given_up_and_known_not_to_be_there(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(booking, "GRACE", 1.0)
    monkeypatch.setattr(delivery, "_PAUSES", (0.05, 0.05))
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    with wire(fleet.served, *[Trouble(500, TIMED_OUT)] * 9) as sent:
        [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
        assert placed.status == "unknown"
        assert len(sent.requests) == 3
        assert (await fleet.broker.account("a")).cash == 996 * ONE, "it may be there, so its cash is held"
        await until(lambda: fleet.ended(placed.order_id, "expired"))
    assert len(sent.requests) == 3
    assert (await fleet.broker.account("a")).cash == 1000 * ONE
    await fleet.agreed()


async def test_a_refusal_after_a_lost_answer_says_nothing_of_the_first_sending(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one was taken in silence; then the venue refuses, and the order must not be called rejected."""
    monkeypatch.setattr(delivery, "_PAUSES", (0.05,))
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())

    async def silent(order_id: str) -> None:
        raise Unavailable("the venue does not answer")

    lost, refused = Trouble(500, TIMED_OUT, handled=True), Trouble(400, {"error": "not enough balance / allowance"})
    with monkeypatch.context() as patched, wire(fleet.served, lost, refused) as sent:
        patched.setattr(fleet.broker._desk.venue, "order", silent)
        [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert (placed.status, len(sent.requests)) == ("unknown", 2)
    await until(lambda: fleet.ended(placed.order_id, "live"))
    assert open_ids(fleet) == [placed.order_id]
    await fleet.agreed()


@pytest.mark.parametrize("stop", ["halt", "cancel"])
async def test_nothing_is_sent_again_once_the_agent_may_not_trade(fleet: Fleet, stop: str) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    with wire(fleet.served, *refusals(425, 425, 425, retry_after=1)) as sent:
        placing = asyncio.create_task(fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True)))

        async def sent_once() -> bool:
            return len(sent.requests) == 1

        await until(sent_once)
        await (fleet.broker.halt("a drill") if stop == "halt" else fleet.broker.cancel_agent("a"))
        [placed] = await placing
        assert len(sent.requests) == 1
    assert placed.status == "rejected"
    assert placed.reason == (
        "it was not sent again: trading is halted: a drill"
        if stop == "halt"
        else "it was not sent again: all orders of the agent were cancelled meanwhile"
    )
    assert open_ids(fleet) == []
    assert (await fleet.broker.account("a")).cash == 1000 * ONE
    await fleet.broker.halt(None)


async def test_a_batch_that_was_not_taken_is_sent_again_one_by_one(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    markets = [await fleet.market(fleet.served.market()) for _ in range(3)]
    with wire(fleet.served, *refusals(429, retry_after=1), Trouble(500, TIMED_OUT, handled=True)) as sent:
        placed = await fleet.place("a", *(fleet.intent(market, "buy", "0.4", "10", quote=True) for market in markets))
    assert [each.status for each in placed] == ["live"] * 3
    assert [path for path, _ in sent.requests] == ["/orders", "/order", "/order", "/order"]
    together, *alone = (json.loads(body) for _, body in sent.requests)
    assert [each["order"] for each in alone] == [each["order"] for each in together], "as they were signed"
    assert sorted(open_ids(fleet)) == sorted(str(each.order_id) for each in placed)
    await fleet.agreed()


async def test_one_request_that_hangs_holds_up_none_of_nineteen_other_agents(fleet: Fleet) -> None:
    agents = [f"a{n}" for n in range(20)]
    await fleet.start(**dict.fromkeys(agents, "100"))
    market = await fleet.market(fleet.served.market())
    with wire(fleet.served, Trouble(504, "", silent=True)) as sent:
        first = asyncio.create_task(fleet.place("a0", fleet.intent(market, "buy", "0.4", "10", quote=True)))

        async def hangs() -> bool:
            return len(sent.requests) == 1

        await until(hangs)
        async with asyncio.timeout(8):  # The client itself gives up after ten.
            others = await asyncio.gather(
                *(fleet.place(agent_id, fleet.intent(market, "buy", "0.4", "10", quote=True)) for agent_id in agents[1:])
            )
        assert not first.done()
        assert [placed.status for [placed] in others] == ["live"] * 19
        # Then the one that hung is sent again, and there once.
        [placed] = await first
    assert placed.status == "live"
    assert len(open_ids(fleet)) == len(set(open_ids(fleet))) == 20
    await fleet.agreed()
