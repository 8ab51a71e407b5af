"""The dead-man heartbeat: orders outlive a broker that is soon back, and no other; which of the two, the next life logs."""

import asyncio
from typing import Any

import pytest

from actors.brokerage import heartbeat
from actors.sandbox import heartbeats
from actors.sandbox.exchange import Exchange
from actors.settings import heartbeat_from
from agents.errors import InvalidInput, VenueUnknown
from agents.events import Type
from agents.money import ONE
from tests.contract.broker.fleet import Fleet, until


def open_ids(fleet: Fleet) -> list[str]:
    return [order.order_id for order in fleet.served.run(lambda exchange: exchange.open_orders(fleet.address))]


def expected(fleet: Fleet) -> str:
    return fleet.served.run(lambda exchange: exchange.expected_heartbeat(fleet.address))


def silent_for(seconds: float) -> Any:
    """Return what lets the venue believe that it last heard of everyone so long ago."""

    def age(exchange: Exchange) -> None:
        running = exchange.heartbeats._running
        for owner, (id, last) in list(running.items()):
            running[owner] = (id, last - int(seconds * 1000))
        exchange.run_due()

    return age


async def resting(fleet: Fleet) -> str:
    """Let an agent's quote rest, and return its id."""
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert placed.order_id
    return placed.order_id


async def told(fleet: Fleet) -> list[Any]:
    return [event.data for event in await fleet.events(Type.RISK) if event.data["kind"] == "heartbeat"]


async def test_it_goes_on_with_the_id_that_the_venue_gave_last(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "EVERY", 0.05)
    await fleet.start()
    seen = {expected(fleet)}
    await until(lambda: _more(fleet, seen, 5))
    assert "" not in seen


async def _more(fleet: Fleet, seen: set[str], count: int) -> bool:
    seen.add(await asyncio.to_thread(expected, fleet))
    return len(seen) >= count


async def test_orders_survive_a_broker_that_is_soon_back(fleet: Fleet) -> None:
    order_id = await resting(fleet)
    last = expected(fleet)
    await fleet.broker.stop()
    fleet.served.run(silent_for(heartbeats.SILENCE / 1000 - 4.0))
    assert open_ids(fleet) == [order_id]
    await fleet.restart()
    assert expected(fleet) not in ("", last), "its next life has found the id and goes on"
    assert [order.order_id for order in (await fleet.broker.account("a")).orders] == [order_id]
    assert await told(fleet) == []


async def test_a_broker_that_stays_dead_loses_its_orders_and_its_next_life_says_so(fleet: Fleet) -> None:
    order_id = await resting(fleet)
    await fleet.broker.stop()
    fleet.served.run(silent_for(heartbeats.SILENCE / 1000 + 0.1))
    assert open_ids(fleet) == []
    await fleet.restart()
    await until(lambda: _told_of(fleet, [order_id]))
    assert (await fleet.order_states(order_id))[-1] == "cancelled"
    assert (await fleet.broker.account("a")).cash == 1000 * ONE
    [said] = await told(fleet)
    assert said["message"] == "The venue did not hear of wallet main for a while and has cancelled 1 of its orders"
    await fleet.restart()
    assert len(await told(fleet)) == 1
    await fleet.agreed()


async def _told_of(fleet: Fleet, orders: list[str]) -> bool:
    return [said["orders"] for said in await told(fleet)] == [orders]


async def test_a_broker_that_hung_begins_anew_and_says_what_it_has_lost(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "EVERY", 0.2)
    order_id = await resting(fleet)
    await until(lambda: _rests(fleet, order_id))
    fleet.served.run(silent_for(heartbeats.SILENCE / 1000 + 0.1))
    await until(lambda: _told_of(fleet, [order_id]))
    await until(lambda: _beats(fleet))
    [placed] = await fleet.place(
        "a", fleet.intent(fleet.broker._desk.orders._orders[order_id].market, "buy", "0.4", "10", quote=True)
    )
    assert placed.status == "live"


async def _rests(fleet: Fleet, order_id: str) -> bool:
    return [order.id for order in fleet.broker._heartbeat._resting] == [order_id]


async def _beats(fleet: Fleet) -> bool:
    return await asyncio.to_thread(expected, fleet) != ""


async def test_an_answer_that_was_lost_costs_no_order(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "EVERY", 0.1)
    monkeypatch.setattr(heartbeat, "_RETRY", 0.1)
    order_id = await resting(fleet)
    venue: Any = fleet.broker._desk.venue
    beat, lost = venue.beat, asyncio.Event()

    async def swallow(heartbeat_id: str) -> str:
        venue.beat = beat
        await beat(heartbeat_id)
        lost.set()
        raise VenueUnknown("sending the heartbeat: the venue did not answer")

    venue.beat = swallow
    await lost.wait()
    seen = {expected(fleet)}
    await until(lambda: _more(fleet, seen, 3))
    assert open_ids(fleet) == [order_id]
    assert await told(fleet) == []


async def test_turned_off_nothing_is_sent_and_orders_rest_on(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYFLEET_HEARTBEAT", "off")
    await fleet.broker.stop()
    fleet.broker = fleet._new_broker()
    await resting(fleet)
    assert expected(fleet) == ""


def test_the_setting_is_on_or_off() -> None:
    assert heartbeat_from({})
    assert not heartbeat_from({"POLYFLEET_HEARTBEAT": "Off"})
    with pytest.raises(InvalidInput, match="POLYFLEET_HEARTBEAT: 'no' is not possible; expected on or off"):
        heartbeat_from({"POLYFLEET_HEARTBEAT": "no"})
