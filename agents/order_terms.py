"""A decision brought onto the venue's grid: never a worse price than decided, never more shares, never beyond its cap."""

from dataclasses import replace
from math import ceil

from agents.errors import InvalidInput
from agents.model import Decision, TimeInForce
from agents.money import ONE, Micro, ceil_to, floor_to, text
from agents.risk import fit, spend, step

#: Wall seconds before its stated time at which the venue ends a GTD order.
_EARLY = 60

#: Wall seconds that its stated time must be ahead when the order arrives, and what the way there may take of them.
_LEAST_AHEAD = 180
_ON_THE_WAY = 5

#: By how much the measured speed of a clock that runs like the wall's may differ from 1, and how many times the time that is
#: left an order states where it does not.
_ALIKE = 0.1
_SLACK = 2


def check_terms(decision: Decision, now: int) -> None:
    """Check that what a decision asks for can be had together; `now` is the venue's clock.

    Raises:
        InvalidInput: if it cannot.
    """
    kind = decision.order_type
    if decision.quote and not decision.rests:
        raise InvalidInput(f"a quote rests, and a {kind} order does not; give up one of the two")
    if kind is TimeInForce.GTD:
        if decision.expires is None:
            raise InvalidInput("a GTD order needs a time at which it expires")
        if decision.expires <= now:
            raise InvalidInput(f"it was good until {decision.expires}, and the venue's clock is at {now}")
    elif decision.expires is not None:
        raise InvalidInput(f"a {kind} order does not expire; only GTD does")
    if decision.max_spend is not None and (decision.action != "buy" or decision.max_spend <= 0):
        raise InvalidInput(f"a {decision.action} has no cap of {text(decision.max_spend)} pUSD; expected a buy and more than 0")


def on_grid(decision: Decision, tick: Micro) -> Decision:
    """Return a decision with its price on the grid of a tick: that of a buy is rounded down, that of a sale up.

    Raises:
        InvalidInput: if no price on the grid is as good.
    """
    buys = decision.action == "buy"
    price = min(floor_to(decision.price, tick), ONE - tick) if buys else max(ceil_to(decision.price, tick), tick)
    if not 0 < decision.price < ONE or not tick <= price <= ONE - tick:
        raise InvalidInput(f"price {text(decision.price)} leaves none on the market's grid of {text(tick)}")
    return decision if price == decision.price else replace(decision, price=price)


def placeable(decision: Decision, tick: Micro) -> Decision:
    """Return a decision as it can be placed on a market that has this tick now: price, then size, rounded to the safe side.

    The venue takes buys that are filled at once for whole cents only, so their size is rounded down to where size times price
    is that. Signed amounts then are the price exactly, for every tick: sizes have two decimals and the product of both has
    no more than the venue takes.

    Raises:
        InvalidInput: if nothing is left that the venue would take.
    """
    decision = on_grid(decision, tick)
    least = step(decision)
    size = floor_to(decision.size, least)
    if size <= 0:
        raise InvalidInput(
            f"a size of {text(decision.size)} is too small: at {text(decision.price)} the least is {text(least)} shares"
        )
    decision = replace(decision, size=size, market=replace(decision.market, tick=tick))
    if decision.max_spend is not None and spend(decision) > decision.max_spend:
        (decision,) = fit([decision], each=decision.max_spend, cash=decision.max_spend, shares={})
    if decision.rests and decision.size < decision.market.min_size:
        what = "a quote" if decision.quote else "an order"
        raise InvalidInput(
            f"{what} of {text(decision.size)} shares is below the market's minimum of {text(decision.market.min_size)}"
        )
    return decision


def stated_expiration(expires: int, now: int, speed: float | None, wall: float) -> int:
    """Return the wall second that a GTD order must state to end when the venue's clock shows `expires`.

    Args:
        expires: when it is to end, venue milliseconds.
        now: the venue's clock, milliseconds.
        speed: venue seconds in a wall second; None if that is not known.
        wall: the wall clock, epoch seconds.

    Returns:
        0 where the venue would not take it, as it is too near: then whoever placed the order must end it. Where the clocks do
        not run alike it is far too late, since their speeds are only measured: to end the order in time is the broker's
        business in any case.
    """
    if not speed or speed <= 0:
        return 0
    left = (expires - now) / 1000
    left = left if abs(speed - 1) < _ALIKE else _SLACK * left / speed
    stated = ceil(wall + left) + _EARLY
    return stated if stated >= wall + _LEAST_AHEAD + _ON_THE_WAY else 0
