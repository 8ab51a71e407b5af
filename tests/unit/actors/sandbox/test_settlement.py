from collections.abc import Sequence
from decimal import Decimal

import pytest

from actors.sandbox.accounts import HOUSE_MAKER
from actors.sandbox.faults import Faults
from actors.sandbox.records import Refused, TradeRecord, TradeStatus, TradeUpdated
from agents.model import FeeSchedule, Side
from agents.money import ONE
from tests.unit.actors.sandbox.stage import ALICE, BOB, NO, YES, Stage, assert_consistent


class Failing(Faults):
    """Every trade fails after half a second."""

    def settle(self, trade: TradeRecord) -> Sequence[tuple[int, TradeStatus]]:
        return ((200, TradeStatus.RETRYING), (500, TradeStatus.FAILED))


def statuses(stage: Stage) -> list[str]:
    return [change.trade.status for change in stage.changes if isinstance(change, TradeUpdated)]


def test_a_trade_is_mined_after_one_second_and_confirmed_after_two() -> None:
    stage = Stage()
    stage.place(ALICE, "BUY", "0.40", "10")
    stage.place(BOB, "BUY", "0.60", "10", NO)
    for _ in range(4):
        stage.wall.pass_by(0.5)
        stage.exchange.run_due()
    assert statuses(stage) == ["MATCHED", "MINED", "CONFIRMED"]
    (trade,) = stage.exchange.trades(ALICE)
    assert trade.update_wall - trade.match_wall == 2000


@pytest.mark.parametrize("kind", ["MINT", "MERGE", "COMPLEMENTARY"])
def test_a_failed_trade_is_taken_back_whole(kind: str) -> None:
    stage = Stage(fee=FeeSchedule(Decimal("0.05")))
    stage.exchange.faults = Failing()
    for user in (ALICE, BOB):
        stage.give(user, "20")
    stage.place(ALICE, "SELL" if kind == "MERGE" else "BUY", "0.40", "10")
    stage.place(BOB, "BUY" if kind == "MINT" else "SELL", "0.60" if kind != "COMPLEMENTARY" else "0.40", "10",
                YES if kind == "COMPLEMENTARY" else NO)  # fmt: skip
    (trade,) = stage.exchange.trades(ALICE)
    assert trade.kind == kind
    assert (stage.cash(ALICE), stage.cash(BOB)) != (980, 980)
    stage.wall.pass_by(1)
    stage.exchange.run_due()
    assert statuses(stage) == ["MATCHED", "RETRYING", "FAILED"]
    assert (stage.cash(ALICE), stage.cash(BOB)) == (980, 980)
    assert [stage.shares(user, token) for user in (ALICE, BOB) for token in (YES, NO)] == [20] * 4
    assert stage.exchange.activity(ALICE)[0].kind != "TRADE"
    assert_consistent(stage.exchange)


def test_a_failed_trade_with_the_house_is_taken_back_although_the_house_has_merged_its_sets() -> None:
    stage = Stage()
    stage.exchange.faults = Failing()
    house = stage.exchange.floor.accounts.get(HOUSE_MAKER)
    for leg in (0, 1):
        stage.exchange.desk.house(stage.listing, house, leg, Side.BUY, 400_000, 10 * ONE, rest=True)
    stage.place(ALICE, "BUY", "0.60", "10")
    stage.place(ALICE, "BUY", "0.60", "10", NO)
    assert house.held(YES) == house.held(NO) == 0
    stage.wall.pass_by(1)
    stage.exchange.run_due()
    assert (stage.cash(ALICE), stage.shares(ALICE, YES), stage.shares(ALICE, NO)) == (1000, 0, 0)
    assert stage.exchange.imbalance() == 0


def test_winning_shares_pay_once_redeemed_and_losing_ones_are_given_up() -> None:
    stage = Stage()
    stage.place(ALICE, "BUY", "0.40", "10")
    stage.place(BOB, "BUY", "0.60", "10", NO)
    condition_id = stage.listing.record.condition_id
    with pytest.raises(Refused, match="result for condition not received yet"):
        stage.exchange.redeem(ALICE, condition_id)
    stage.exchange.resolve(condition_id, (ONE, 0))
    assert stage.cash(ALICE) == 996
    for user in (ALICE, BOB, ALICE):
        stage.exchange.redeem(user, condition_id)
    assert (stage.cash(ALICE), stage.cash(BOB)) == (1006, 994)
    assert (stage.shares(ALICE, YES), stage.shares(BOB, NO), stage.listing.collateral) == (0, 0, 0)
    (position,) = stage.exchange.positions(ALICE)
    assert (position.realized, position.cost) == (6 * ONE, 0)


def test_a_fifty_fifty_resolution_pays_half_on_both_sides() -> None:
    stage = Stage()
    stage.place(ALICE, "BUY", "0.40", "10.01")
    stage.place(BOB, "BUY", "0.60", "10.01", NO)
    stage.exchange.resolve(stage.listing.record.condition_id, (ONE // 2, ONE // 2))
    for user in (ALICE, BOB):
        stage.exchange.redeem(user, stage.listing.record.condition_id)
    assert (stage.cash(ALICE), stage.cash(BOB)) == (1000 - Decimal("4.004") + Decimal("5.005"), Decimal("998.999"))
    assert_consistent(stage.exchange)


def test_the_house_is_paid_out_at_resolution_and_forgets_what_it_held() -> None:
    stage = Stage()
    house = stage.exchange.floor.accounts.get(HOUSE_MAKER)
    stage.exchange.desk.house(stage.listing, house, 1, Side.BUY, 600_000, 10 * ONE, rest=True)
    stage.place(ALICE, "BUY", "0.40", "10")
    stage.exchange.resolve(stage.listing.record.condition_id, (0, ONE))
    assert (house.cash, house.holdings, stage.listing.collateral) == (4 * ONE, {}, 0)
    assert stage.exchange.imbalance() == 0


def test_sets_are_split_and_merged_at_one_pusd_and_only_what_is_free() -> None:
    stage = Stage()
    condition_id = stage.listing.record.condition_id
    stage.exchange.split(ALICE, condition_id, 10 * ONE)
    assert (stage.cash(ALICE), stage.shares(ALICE, YES), stage.shares(ALICE, NO)) == (990, 10, 10)
    stage.place(ALICE, "SELL", "0.50", "6")
    with pytest.raises(Refused, match="subtraction overflow"):
        stage.exchange.merge(ALICE, condition_id, 5 * ONE)
    stage.exchange.merge(ALICE, condition_id, 4 * ONE)
    assert (stage.cash(ALICE), stage.shares(ALICE, YES)) == (994, 6)
    with pytest.raises(Refused, match="exceeds balance"):
        stage.exchange.split(ALICE, condition_id, 994 * ONE + 1)
    kinds = [(row.kind, row.cash) for row in stage.exchange.activity(ALICE)]
    assert set(kinds) == {("MERGE", 4 * ONE), ("SPLIT", 10 * ONE), ("DEPOSIT", 1000 * ONE)}


def test_positions_carry_average_cost_fees_and_realised_profit() -> None:
    stage = Stage(fee=FeeSchedule(Decimal("0.04")))
    stage.give(BOB, "100")
    stage.place(BOB, "SELL", "0.40", "10")
    stage.place(BOB, "SELL", "0.60", "10")
    stage.place(ALICE, "BUY", "0.60", "20")
    stage.place(BOB, "BUY", "0.70", "5")
    stage.place(ALICE, "SELL", "0.70", "5")
    (position,) = stage.exchange.positions(ALICE)
    assert (position.size, position.cost, position.average) == (15 * ONE, 7_500_000, 500_000)
    assert position.realized == ONE
    assert position.fees == 96_000 + 96_000 + 42_000


def test_a_failed_trade_takes_with_it_the_sale_of_its_shares_and_the_orders_that_they_covered() -> None:
    stage = Stage()
    stage.exchange.faults = Failing()
    stage.give(BOB, "20")
    stage.place(BOB, "SELL", "0.40", "20")
    stage.place(ALICE, "BUY", "0.40", "20")
    stage.exchange.faults = Faults()
    stage.place(BOB, "BUY", "0.30", "10")
    stage.place(ALICE, "SELL", "0.30", "10")
    resting = stage.place(ALICE, "SELL", "0.70", "8")
    stage.wall.pass_by(1)
    stage.exchange.run_due()
    assert [trade.status for trade in stage.exchange.trades(ALICE)] == ["FAILED", "FAILED"]
    assert (stage.cash(ALICE), stage.shares(ALICE, YES), stage.cash(BOB), stage.shares(BOB, YES)) == (1000, 0, 980, 20)
    ended = stage.exchange.order(resting.order_id)
    assert ended is not None
    assert (ended.state, ended.reason) == ("CANCELED", "not enough balance / allowance")
    assert_consistent(stage.exchange)
