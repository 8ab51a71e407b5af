"""Each rule: just within it an order passes, just beyond it is refused with the rule, its limit and the figure."""

from dataclasses import replace
from math import nan
from typing import Any

import pytest

from agents.limits.exposure import Exposure
from agents.limits.rules import Proposal, Refusal, Scope, Situation, refusal
from agents.limits.settings import RiskSettings
from agents.limits.state import Rule, Stop
from agents.model import Side
from agents.money import ONE, micro
from tests.unit.agents.worlds import HOUR, NOW, market, seen, spec

MARKET = market(1, tags=("Sports", "NBA"), end=NOW + 2 * HOUR)


def proposal(**changes: Any) -> Proposal:
    fields: dict[str, Any] = {
        "spec": spec(maxTradeAmount=100),
        "market": MARKET,
        "token_id": MARKET.tokens[0],
        "side": Side.BUY,
        "price": micro("0.51"),
        "cost": 10 * ONE,
        "confidence": 0.9,
        "resting": False,
    }
    return Proposal(**fields | changes)


def situation(limits: dict[str, Any] | None = None, **changes: Any) -> Situation:
    exposure = Exposure(market=100 * ONE, event=200 * ONE, total=300 * ONE, capital=1000 * ONE)
    fields: dict[str, Any] = {
        "settings": RiskSettings.model_validate(limits or {}),
        "scopes": [Scope(name, exposure, open_orders=5, recent=8) for name in ("agent:a", "wallet:main", "fleet")],
        "view": seen(MARKET),
        "now": NOW,
    }
    return Situation(**fields | changes)


def test_an_ordinary_order_passes() -> None:
    assert refusal(proposal(), situation()) is None
    assert refusal(proposal(side=Side.SELL, price=micro("0.49"), cost=0), situation()) is None


@pytest.mark.parametrize("scope", ["agent", "wallet", "fleet"])
@pytest.mark.parametrize(
    ("rule", "limit", "figure"),
    [
        ("maxTrade", "10", "10.000001"),
        ("maxMarketExposure", "110", "110.000001"),
        ("maxEventExposure", "210", "210.000001"),
        ("maxExposure", "310", "310.000001"),
        ("maxExposure", "31%", "310.000001"),
    ],
)
def test_exposure_is_limited_in_each_scope(scope: str, rule: str, limit: str, figure: str) -> None:
    limits = {scope: {rule: limit}}
    assert refusal(proposal(), situation(limits)) is None
    found = refusal(proposal(cost=10 * ONE + 1), situation(limits))
    assert found is not None
    named = {"agent": "agent:a", "wallet": "wallet:main", "fleet": "fleet"}[scope]
    shown = "310" if limit == "31%" else limit
    assert (found.rule, found.limit, found.figure) == (rule, shown, figure)
    assert f"{rule} of {named} is {shown}" in found.message


@pytest.mark.parametrize("scope", ["agent", "wallet"])
@pytest.mark.parametrize(("rule", "figure"), [("maxOpenOrders", 5), ("maxOrdersPerMinute", 8)])
def test_orders_are_counted(scope: str, rule: str, figure: int) -> None:
    assert refusal(proposal(), situation({scope: {rule: figure + 1}})) is None
    found = refusal(proposal(), situation({scope: {rule: figure}}))
    assert found is not None
    assert (found.rule, found.limit, found.figure) == (rule, str(figure), str(figure))


def test_the_specs_own_limits_are_enforced_again() -> None:
    assert _rule(proposal(cost=100 * ONE), situation()) is None
    assert _rule(proposal(cost=100 * ONE + 1), situation()) == "maxTradeAmount"
    assert _rule(proposal(confidence=0.7), situation()) is None
    for confidence in (0.69, nan):
        assert _rule(proposal(confidence=confidence), situation()) == "minConfidence"
        assert _rule(proposal(confidence=confidence, side=Side.SELL, price=micro("0.49")), situation()) == "minConfidence"


@pytest.mark.parametrize(
    ("side", "token", "price", "passes"),
    [
        (Side.BUY, 0, "0.61", True),
        (Side.BUY, 0, "0.62", False),
        (Side.BUY, 0, "0.01", True),
        (Side.BUY, 1, "0.61", True),
        (Side.BUY, 1, "0.62", False),
        (Side.SELL, 0, "0.39", True),
        (Side.SELL, 0, "0.38", False),
        (Side.SELL, 0, "0.99", True),
    ],
)
def test_a_limit_may_not_be_far_on_the_wrong_side_of_the_book(side: Side, token: int, price: str, passes: bool) -> None:
    order = proposal(side=side, token_id=MARKET.tokens[token], price=micro(price))
    assert _rule(order, situation({"agent": {"maxPriceDistance": 0.1}})) == (None if passes else "maxPriceDistance")


def test_where_nobody_offers_the_other_side_is_compared_with_and_an_empty_book_with_nothing() -> None:
    limits = {"agent": {"maxPriceDistance": "0.1"}}
    assert _rule(proposal(price=micro("0.6")), situation(limits, view=seen(MARKET, asks=()))) == "maxPriceDistance"
    assert _rule(proposal(price=micro("0.59")), situation(limits, view=seen(MARKET, asks=()))) is None
    assert _rule(proposal(price=micro("0.99")), situation(limits, view=seen(MARKET, bids=(), asks=()))) is None


def test_an_offer_far_below_the_last_prices_is_too_good_to_be_true() -> None:
    limits = {"agent": {"maxBargain": 0.3}}
    fell = seen(MARKET, asks=(("0.2", 100),), bids=(("0.1", 100),), prices=(0.9, 0.5, 0.51, 0.5, 0.52, 0.15))
    assert _rule(proposal(price=micro("0.2")), situation(limits, view=fell)) is None
    cheaper = seen(MARKET, asks=(("0.19", 100),), bids=(("0.1", 100),), prices=(0.9, 0.5, 0.51, 0.5, 0.52, 0.15))
    assert _rule(proposal(price=micro("0.19")), situation(limits, view=cheaper)) == "maxBargain"
    assert _rule(proposal(price=micro("0.19"), resting=True), situation(limits, view=cheaper)) is None
    # The other outcome has become dearer by as much.
    other = proposal(token_id=MARKET.tokens[1], price=micro("0.9"))
    assert _rule(other, situation(limits, view=cheaper)) is None


def test_an_old_or_an_unknown_book_is_not_bought_from() -> None:
    assert _rule(proposal(), situation(view=seen(MARKET, age=60.0))) is None
    assert _rule(proposal(), situation(view=seen(MARKET, age=60.1))) == "maxFeedAge"
    assert _rule(proposal(), situation(view=None)) == "maxFeedAge"


def test_nothing_is_bought_while_nobody_looks_at_losses() -> None:
    assert _rule(proposal(), situation(unwatched=15.0)) is None
    for seconds in (15.1, float("inf"), nan):
        assert _rule(proposal(), situation(unwatched=seconds)) == "unwatched"


def test_a_market_must_not_end_too_soon_by_its_schedule() -> None:
    limits = {"agent": {"minTimeToEnd": 7200}}
    assert _rule(proposal(), situation(limits)) is None
    assert _rule(proposal(), situation(limits, now=NOW + 1)) == "minTimeToEnd"
    assert _rule(proposal(market=replace(MARKET, end=None)), situation(limits)) == "minTimeToEnd"
    assert _rule(proposal(market=replace(MARKET, end=None)), situation()) is None


@pytest.mark.parametrize("scope", ["agent", "wallet", "fleet"])
def test_tags_are_allowed_and_denied(scope: str) -> None:
    assert _rule(proposal(), situation({scope: {"allowTags": ["politics", "nba"], "denyTags": ["crypto"]}})) is None
    assert _rule(proposal(), situation({scope: {"allowTags": ["politics"]}})) == "allowTags"
    assert _rule(proposal(), situation({scope: {"allowTags": ["NBA"], "denyTags": ["SPORTS"]}})) == "denyTags"
    assert _rule(proposal(market=market(2)), situation({scope: {"allowTags": ["nba"]}})) == "allowTags"


STOP = Stop(Rule.DRAWDOWN, "50", "51", "maxDrawdown: it fell", 1)


def test_a_stop_lets_nothing_be_bought_and_everything_be_sold() -> None:
    everything = {
        scope: {"maxExposure": 0, "maxTrade": 0, "maxOpenOrders": 0, "maxOrdersPerMinute": 0} for scope in ("agent", "wallet")
    }
    stopped = situation(everything | {"fleet": {"denyTags": ["nba"]}}, stop=STOP, unwatched=nan)
    assert refusal(proposal(), stopped) == Refusal("maxDrawdown", "50", "51", "maxDrawdown: it fell")
    assert refusal(proposal(side=Side.SELL, price=micro("0.49"), cost=0), stopped) is None
    assert refusal(proposal(side=Side.SELL, price=micro("0.49"), cost=0), replace(stopped, view=None)) is None


def test_with_unknown_limits_nothing_is_bought() -> None:
    unknown = situation(settings=None, unreadable="they are torn")
    assert str(refusal(proposal(), unknown)) == "nothing is bought while the limits are unknown: they are torn"
    assert refusal(proposal(side=Side.SELL, cost=0), unknown) is None


def test_an_agents_own_limits_stand_in_place_of_the_fleets() -> None:
    limits = {"agent": {"maxTrade": 5}}
    assert _rule(proposal(), situation(limits)) == "maxTrade"
    assert _rule(proposal(spec=spec(risk={"maxTrade": 20})), situation(limits)) is None


def _rule(order: Proposal, known: Situation) -> str | None:
    found = refusal(order, known)
    return found.rule if found else None
