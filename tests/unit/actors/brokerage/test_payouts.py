"""Payouts that fail, are lost, come in parts: tried again ever later, told, found again, and booked once."""

from typing import Any

import pytest

from actors.brokerage import redemption
from actors.brokerage.booking import Booking
from actors.brokerage.payouts import Payouts
from actors.brokerage.redemption import Redemption
from actors.polymarket.contracts import Redemption as Payout
from agents import facts
from agents.errors import VenueUnknown
from agents.events import Type
from agents.fleet import AgentRecord, agent_data
from agents.model import Side
from agents.money import ONE, Micro, micro, text
from tests.unit.actors.brokerage.desks import Bench, Venue
from tests.unit.agents.worlds import event, market, spec


class Chain(Venue):
    """A venue that holds shares and pays them out: `trouble` is what a redemption meets, after it was done or before."""

    def __init__(self, payouts: tuple[Micro, Micro]) -> None:
        super().__init__()
        self.payouts = payouts
        self.held: dict[str, Micro] = {}
        self.paid: list[Payout] = []
        self.asked = 0
        self.trouble: Exception | None = None
        self.after = False
        self.at_most: Micro | None = None

    async def positions(self, condition_id: str | None = None) -> dict[str, Micro]:
        return dict(self.held)

    async def redemptions(self, condition_id: str) -> list[Payout]:
        return list(self.paid)

    async def redeem(self, condition_id: str) -> str:
        self.asked += 1
        if self.trouble and not self.after:
            raise self.trouble
        cash = 0
        for (token, size), payout in zip(sorted(self.held.items(), reverse=True), self.payouts, strict=False):
            gone = size if self.at_most is None else min(size, self.at_most)
            cash += gone * payout // ONE
            self.held[token] = size - gone
        self.held = {token: size for token, size in self.held.items() if size}
        self.paid.append(Payout(f"0x{len(self.paid)}", cash))
        if self.trouble:
            raise self.trouble
        return self.paid[-1].tx_hash


class Payroll:
    """A wallet with shares of a resolved market, in the books of "a" and "b", and the means to pay them out."""

    def __init__(self, payouts: tuple[Micro, Micro] = (ONE, 0), **owners: Micro) -> None:
        self.bench = Bench(market(1))
        self.chain = self.bench.venue = Chain(payouts)
        self.desk = self.bench.desk
        self.desk.connected(self.chain)  # type: ignore[arg-type]
        self.desk.portfolio.apply(event(2, Type.AGENT, "b", agent_data(AgentRecord(spec(id="b")), "created", with_spec=True)))
        for n, (owner, size) in enumerate(owners.items()):
            trade = {"tradeId": f"t{n}", "orderId": "o", "wallet": "main", "tokenId": "1-yes", "side": str(Side.BUY)}
            trade |= {"size": text(size), "exactPrice": "0.4", "fee": "0"}
            self.desk.portfolio.apply(event(3, Type.TRADE, owner, trade))
            settled = {"tradeId": f"t{n}", "orderId": "o", "tradeStatus": "confirmed"}
            self.desk.portfolio.apply(event(4, Type.ORDER, owner, settled))
            self.chain.held["1-yes"] = self.chain.held.get("1-yes", 0) + size
        resolved = facts.resolution_data(market(1, payouts=payouts), venue_time=0)
        self.desk.fleet.apply(event(5, Type.RESOLUTION, None, resolved))
        self.now = 0.0
        redeeming = Redemption(self.desk, Booking(self.desk))
        redeeming.load()
        self.payouts = Payouts(self.desk, redeeming, lambda: self.now)

    async def at(self, *seconds: float) -> None:
        """Pay out what is due at each of these moments."""
        for self.now in seconds:
            await self.payouts.pay_out()

    def booked(self) -> list[dict[str, Any]]:
        return [each.data for each in self.bench.log.events if "redeemed" in each.data]

    def told(self) -> list[tuple[int, str]]:
        found = [each.data for each in self.bench.log.events if each.data.get("kind") == "redemption"]
        return [(data["attempts"], data["reason"]) for data in found]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redemption, "_PAUSE", 0.001)
    monkeypatch.setattr(redemption, "_PATIENCE", 0.005)


async def test_what_fails_is_tried_again_ever_later_and_told_from_the_third_time_on() -> None:
    wallet = Payroll(a=10 * ONE)
    wallet.chain.trouble = VenueUnknown("the chain is away")
    await wallet.at(0, 9, 10, 29, 30, 69, 70)
    assert (wallet.chain.asked, wallet.told()) == (4, [(3, "the chain is away"), (4, "the chain is away")])
    wallet.chain.trouble = VenueUnknown("no gas")
    await wallet.at(150)
    assert wallet.told()[2:] == [(5, "no gas")]
    state = wallet.desk.fleet
    for each in wallet.bench.log.events:
        state.apply(each.numbered(state.seq + 1))
    assert state.stuck["main"]["0x1"].attempts == 5
    wallet.chain.trouble = None
    await wallet.at(309)
    assert not wallet.booked()
    await wallet.at(310)
    [paid] = wallet.booked()
    assert paid["redeemed"] == [
        {"agentId": "a", "tokenId": "1-yes", "size": "10", "payout": "10", "basis": "4", "realised": "6"}
    ]
    state.apply(wallet.bench.log.events[-1].numbered(state.seq + 1))
    assert state.stuck == {"main": {}}
    assert wallet.desk.book("a").cash == 1000 * ONE + 6 * ONE


async def test_a_payout_is_never_later_than_ten_minutes_after_the_last_attempt() -> None:
    wallet = Payroll(a=10 * ONE)
    wallet.chain.trouble = VenueUnknown("away")
    await wallet.at(*(n * 600.0 for n in range(20)))
    assert wallet.chain.asked == 20
    assert [attempts for attempts, _ in wallet.told()] == [3, 4, 8, 16]


async def test_a_transaction_whose_answer_is_lost_is_found_again_and_pays_once() -> None:
    wallet = Payroll(a=10 * ONE)
    wallet.chain.trouble, wallet.chain.after = VenueUnknown("no answer"), True
    await wallet.at(0, 10, 20, 600)
    assert (wallet.chain.asked, len(wallet.booked())) == (1, 1)
    assert wallet.booked()[0]["txHash"] == "0x0"
    assert wallet.desk.book("a").cash == 1000 * ONE + 6 * ONE


async def test_a_payout_that_does_not_show_is_waited_for_and_not_asked_for_again() -> None:
    wallet = Payroll(a=10 * ONE)
    await wallet.chain.redeem("0x1")
    hidden, wallet.chain.paid = wallet.chain.paid, []
    await wallet.at(0, 10, 30)
    assert wallet.told() == [(3, "the venue shows 0 of 10 pUSD paid out for market 0x1 yet")]
    wallet.chain.paid = hidden
    await wallet.at(70)
    assert (wallet.chain.asked, len(wallet.booked())) == (1, 1)


async def test_half_for_each_side_is_exact() -> None:
    wallet = Payroll(payouts=(ONE // 2, ONE // 2), a=3 * ONE + 1)
    await wallet.at(0)
    [line] = wallet.booked()[0]["redeemed"]
    assert (line["payout"], line["realised"]) == ("1.5", text(micro("1.5") - (3 * ONE + 1) * 4 // 10))
    assert wallet.desk.portfolio.shares("main") == {}


async def test_a_payout_of_a_part_is_booked_as_that_and_the_rest_later() -> None:
    wallet = Payroll(a=10 * ONE, b=5 * ONE)
    wallet.chain.at_most = 9 * ONE
    await wallet.at(0)
    paid = wallet.booked()[0]["redeemed"]
    assert [(line["agentId"], line["size"], line["payout"]) for line in paid] == [("a", "6", "6"), ("b", "3", "3")]
    assert wallet.desk.portfolio.shares("main") == {"1-yes": 6 * ONE}
    await wallet.at(2)
    assert wallet.desk.portfolio.shares("main") == {}
    cash = {owner: wallet.desk.book(owner).cash for owner in ("a", "b", "")}
    assert cash == {"a": 1006 * ONE, "b": 1003 * ONE, "": -2000 * ONE}


@pytest.mark.parametrize(("held", "left"), [({"a": 7, "b": 2, "": 1}, 4), ({"a": 1, "b": 1}, 1), ({"a": 3}, 9), ({}, 1)])
def test_what_is_left_is_left_to_each_in_proportion(held: dict[str, int], left: int) -> None:
    shares = redemption._divided(held, left)
    assert sum(shares.values()) == max(sum(held.values()) - left, 0)
    assert all(0 <= shares[owner] <= size for owner, size in held.items())


async def test_a_payout_in_two_transactions_is_booked_once_both_are_listed() -> None:
    wallet = Payroll(a=10 * ONE)
    # A part was redeemed before, by the venue itself; what we redeem now is listed late.
    wallet.chain.paid = [Payout("0xearlier", 4 * ONE)]
    wallet.chain.held["1-yes"] = 6 * ONE
    listed = wallet.chain.redemptions

    async def behind(condition_id: str) -> list[Payout]:
        return [payout for payout in await listed(condition_id) if payout.tx_hash == "0xearlier"]

    wallet.chain.redemptions = behind  # type: ignore[method-assign]
    await wallet.at(0)
    assert wallet.booked() == []
    wallet.chain.redemptions = listed  # type: ignore[method-assign]
    await wallet.at(10, 20, 700)
    assert {each["txHash"] for each in wallet.booked()} == {payout.tx_hash for payout in wallet.chain.paid}
    assert wallet.desk.book("a").cash == 1000 * ONE + 6 * ONE
