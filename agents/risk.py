"""What a decision can cost at most, and how it is cut to what an agent may spend."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from math import gcd, lcm

from agents.errors import InvalidInput
from agents.model import SIZE_STEP, Decision, FeeSchedule
from agents.money import ONE, Micro, fee, floor_to, notional, text

#: The venue takes no buy that is filled at once for less than this.
LEAST_TAKE: Micro = ONE

#: The rounding of a fee, at most, and of a price, in pUSD millionths.
_FEE_ROUNDING: Micro = 10
_ROUNDING: Micro = _FEE_ROUNDING + 2


def take_step(price: Micro) -> Micro:
    """Return the least number of shares whose cost at a price is whole cents; a buy that takes must be a multiple of it."""
    return SIZE_STEP * (ONE // gcd(price, ONE))


def worst_fee(cash: Micro, size: Micro, price: Micro, schedule: FeeSchedule) -> Micro:
    """Return the most that the fee of a taking buy can be, wherever below its limit it fills."""
    if not schedule.rate:
        return 0
    # The fee is cash x rate x (1 - p) where the exponent is 1, and p may be anything.
    bound = int((Decimal(cash) * schedule.rate).to_integral_value(ROUND_CEILING))
    return max(bound, fee(size, price, schedule.rate, schedule.exponent)) + _FEE_ROUNDING


def spend(decision: Decision) -> Micro:
    """Return the most that a decision can cost, fee included. A sale costs nothing: its fee comes out of what it brings."""
    if decision.action != "buy":
        return 0
    cash = notional(decision.size, decision.price, up=True)
    return cash if decision.quote else cash + worst_fee(cash, decision.size, decision.price, decision.market.fee)


def step(decision: Decision) -> Micro:
    """Return what the size of a decision must be a multiple of."""
    return take_step(decision.price) if decision.action == "buy" and not decision.rests else SIZE_STEP


def fit(legs: Sequence[Decision], *, each: Micro, cash: Micro, shares: Mapping[str, Micro]) -> list[Decision]:
    """Cut the legs of one trade, all by the same factor, to what may be spent and sold.

    Args:
        legs: the decisions, one or several; legs of equal size stay equal.
        each: the most that one leg may cost, fee included; less where the leg itself says so.
        cash: the most that all may cost.
        shares: by token, how many may be sold.

    Raises:
        InvalidInput: if what is left of a leg is less than the venue takes.
    """
    factor = _factor(cash, sum(spend(leg) for leg in legs), slack=_ROUNDING * len(legs))
    for leg in legs:
        if leg.action == "buy":
            most = each if leg.max_spend is None else min(each, leg.max_spend)
            factor = min(factor, _factor(most, spend(leg), slack=_ROUNDING))
        else:
            factor = min(factor, _factor(shares.get(leg.token_id, 0), leg.size))
    common = lcm(*(step(leg) for leg in legs))
    fitted = [replace(leg, size=floor_to(leg.size * factor // ONE, common)) for leg in legs]
    for leg in fitted:
        _check(leg)
    return fitted


def _factor(limit: Micro, amount: Micro, *, slack: Micro = 0) -> Micro:
    """Return which part of an amount a limit allows, in millionths; `slack` is what rounding may add to a part."""
    return ONE if amount <= limit else max(limit - slack, 0) * ONE // amount


def _check(leg: Decision) -> None:
    if leg.action == "buy" and not leg.rests:
        cost = notional(leg.size, leg.price)
        if cost < LEAST_TAKE:
            raise InvalidInput(f"it may spend {text(cost)} pUSD on it, and the venue takes {text(LEAST_TAKE)} or more")
        return
    least = leg.market.min_size if leg.rests else SIZE_STEP
    if leg.size < least:
        raise InvalidInput(f"it may {leg.action} {text(leg.size)} shares, and the venue takes {text(least)} or more")
