"""Which differences explain themselves."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from actors.brokerage import reconciliation
from actors.brokerage.check import Holdings
from actors.brokerage.reconciliation import Reconciliation
from agents.money import ONE
from tests.unit.actors.brokerage.desks import Bench
from tests.unit.agents.worlds import market

MISSING = Holdings(0, {"1-yes": -5 * ONE})
PAID = Holdings(5 * ONE, {"1-yes": -5 * ONE})


@pytest.mark.parametrize(
    ("difference", "explained"),
    [
        (MISSING, True),
        (PAID, True),
        (Holdings(6 * ONE, {"1-yes": -5 * ONE}), False),
        (Holdings(-1000 * ONE, {"1-yes": -5 * ONE}), False),
        (Holdings(0, {"1-yes": -5 * ONE, "9-yes": -300 * ONE}), False),
        (Holdings(0, {"1-yes": 5 * ONE}), False),
        (Holdings(0, {"9-yes": -5 * ONE}), False),
    ],
)
async def test_shares_of_a_closed_market_may_be_paid_out_and_hide_nothing_else(
    difference: Holdings, explained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "_PAUSE", 0.001)
    bench: Any = Bench()
    desk = bench.desk
    desk.differing = None
    desk.fleet.addresses["main"] = "0xaa"

    async def transfers(since: int) -> dict[str, int]:
        return {}

    async def view(token: str) -> Any:
        return SimpleNamespace(market=market(1, closed=token.startswith("1-")))

    class Check:
        async def difference(self) -> Holdings:
            return difference

        def rows(self, found: Holdings) -> list[dict[str, str]]:
            return []

    async def reached(seq: int, timeout: float) -> bool:
        return True

    bench.venue.transfers, desk.feed.market, desk.follower.reached = transfers, view, reached
    looking = Reconciliation(desk, cast(Any, Check()))
    for _ in range(5):
        await looking.look()
    assert (desk.differing is None) is explained
