"""Payouts of proxies, Safes and deposit wallets: the venue's relayer makes them, once, or it is told why it does not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from actors.brokerage import payouts
from actors.polymarket.trading import TradingSession
from actors.polymarket.wallets import Kind
from agents.events import Type
from agents.model import Market, Side
from agents.money import ONE
from tests.contract.broker.fleet import Fleet, until
from tests.contract.broker.rival import Rival
from tests.contract.sandbox.served import Served

RELAYED: tuple[Kind, ...] = ("proxy", "safe", "deposit")

Make = Callable[[Kind], Fleet]


@pytest.fixture
async def make(served: Served, tmp_path: Path) -> AsyncIterator[Make]:
    """Makes a fleet whose wallet is of a kind."""
    made: list[Fleet] = []

    def fleet(kind: Kind) -> Fleet:
        made.append(Fleet(served, tmp_path, kind))
        return made[-1]

    yield fleet
    for each in made:
        await each.stop()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payouts, "_SHORTEST", 0.1)
    monkeypatch.setattr(payouts, "_LONGEST", 0.5)


async def bought(fleet: Fleet) -> Market:
    """Let agent a buy 20 shares of a market at 0.5."""
    record = fleet.served.market()
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.5", "20")
    market = await fleet.market(record)
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.5", "20"))
    await until(lambda: fleet.filled("a", market.tokens[0], 20 * ONE))
    assert placed.order_id is not None
    return market


def resolve(fleet: Fleet, market: Market) -> None:
    fleet.served.run(lambda exchange: exchange.resolve(market.condition_id, (ONE, 0)))


async def paid(fleet: Fleet, number: int = 1) -> bool:
    booked = sum("redeemed" in event.data for event in await fleet.events(Type.RESOLUTION))
    return booked == number and not fleet.broker._desk.redeeming


def venue_payouts(fleet: Fleet, market: Market) -> list[int]:
    """What the venue paid for the market, payouts of nothing included."""
    rows = fleet.served.run(lambda exchange: exchange.activity(fleet.address))
    return [row.cash for row in rows if row.kind == "REDEEM" and row.condition_id == market.condition_id]


@pytest.mark.parametrize("kind", RELAYED)
async def test_a_resolved_market_is_paid_out_once(make: Make, kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    fleet = make(kind)
    fleet.write_keys(relayerKey=fleet.relayer_key())
    await fleet.start(a="1000")
    market = await bought(fleet)
    before = (await fleet.broker.account("a")).cash
    resolve(fleet, market)
    await until(lambda: paid(fleet), 40)
    account = await fleet.broker.account("a")
    assert (account.cash, account.holdings) == (before + 20 * ONE, {})
    assert venue_payouts(fleet, market) == [20 * ONE]
    report = await fleet.agreed()
    assert report["positions"] == []
    secret = fleet.relayer_key()["key"]
    seen = [repr(event) for event in await fleet.events()] + [repr(vars(fleet.broker)), caplog.text]
    seen += [repr(await fleet.broker.examine()), repr(report)]
    assert not any(secret in text for text in seen)


@pytest.mark.parametrize("kind", RELAYED)
async def test_without_a_key_the_reason_is_told_and_nothing_else_breaks(make: Make, kind: Kind) -> None:
    fleet = make(kind)
    await fleet.start(a="1000")
    market = await bought(fleet)
    resolve(fleet, market)
    await until(lambda: told(fleet, market), 40)
    reason = fleet.broker._desk.fleet.stuck["main"][market.condition_id].reason
    assert reason == (
        "the venue's relayer pays out such a wallet and wants a key of its own; put a relayer key (polymarket.com, Settings, "
        "API keys) or a builder key into its key file as relayerKey or builderKey, or claim at polymarket.com"
    )
    await fleet.agreed()
    other = await bought(fleet)
    assert await fleet.filled("a", other.tokens[0], 20 * ONE)
    notes = [found for found in await fleet.broker.examine() if found["remedy"]]
    assert [(found["ok"], "has no key for the venue's relayer" in found["sentence"]) for found in notes] == [(True, True)]
    # Claimed by hand, it is taken up.
    fleet.served.run(lambda exchange: exchange.redeem(fleet.address, market.condition_id))
    await until(lambda: paid(fleet), 40)
    await until(lambda: settled(fleet))
    await fleet.agreed()


async def settled(fleet: Fleet) -> bool:
    return not fleet.broker._desk.fleet.stuck.get("main")


async def told(fleet: Fleet, market: Market) -> bool:
    return market.condition_id in fleet.broker._desk.fleet.stuck.get("main", {})


async def test_a_key_that_the_relayer_does_not_take_is_told_and_a_right_one_helps(make: Make) -> None:
    fleet = make("safe")
    wrong = {"key": "wrong-and-secret", "address": fleet.signer}
    fleet.write_keys(relayerKey=wrong)
    await fleet.start(a="1000")
    market = await bought(fleet)
    session = fleet.broker._desk.venue
    resolve(fleet, market)
    await until(lambda: told(fleet, market), 40)
    reason = fleet.broker._desk.fleet.stuck["main"][market.condition_id].reason
    assert reason.startswith("the venue's relayer does not take the key in the wallet's key file; put a relayer key")
    assert fleet.broker._desk.venue is session, "it did not sign in again for that"
    assert not any("wrong-and-secret" in repr(event) for event in await fleet.events())
    fleet.write_keys(relayerKey=fleet.relayer_key())
    await fleet.restart()
    await until(lambda: paid(fleet), 40)
    await fleet.agreed()


@pytest.mark.parametrize("kind", RELAYED)
async def test_killed_between_submission_and_confirmation_it_pays_once(make: Make, kind: Kind) -> None:
    fleet = make(kind)
    fleet.write_keys(relayerKey=fleet.relayer_key())
    await fleet.start(a="1000")
    market = await bought(fleet)
    before = (await fleet.broker.account("a")).cash
    session = fleet.broker._desk.venue
    assert isinstance(session, TradingSession)
    client: Any = session._client
    submit, submitted = client.redeem_positions, asyncio.Event()

    async def die(**what: Any) -> None:
        await submit(**what)
        submitted.set()
        await asyncio.Event().wait()

    client.redeem_positions = die
    resolve(fleet, market)
    async with asyncio.timeout(40):
        await submitted.wait()
    await fleet.restart()
    # Where it meets the transaction still on its way it sends another, which finds nothing left to pay.
    await until(lambda: fleet.cash("a", before + 20 * ONE), 40)
    await fleet.restart()
    assert sum(venue_payouts(fleet, market)) == 20 * ONE
    assert (await fleet.broker.account("a")).cash == before + 20 * ONE
    await fleet.agreed()
