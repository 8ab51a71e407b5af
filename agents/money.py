"""Exact money: prices, shares and pUSD as integers of one millionth."""

from decimal import ROUND_HALF_UP, Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow

#: An amount in millionths: of a pUSD, of a share, or of the price 1.
Micro = int

#: One pUSD, one share, or the price 1, in millionths.
ONE: Micro = 1_000_000

_FEE_STEP: Micro = 10

#: Raises where the default context would round silently.
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])


def micro(value: str | int | Decimal) -> Micro:
    """Convert decimal text or a Decimal to millionths, exactly.

    Raises:
        ValueError: if it is not a finite number or has more than six decimals.
    """
    try:
        scaled = _EXACT.multiply(Decimal(value), Decimal(ONE))
        whole = int(scaled)
    except (DecimalException, OverflowError, ValueError):
        raise ValueError(f"{str(value)!r} is not a decimal number that can be kept exactly") from None
    if whole != scaled:
        raise ValueError(f"{str(value)!r} has more than six decimals")
    return whole


def decimal(amount: Micro) -> Decimal:
    """Convert millionths to a Decimal, exactly."""
    return Decimal(amount).scaleb(-6)


def text(amount: Micro) -> str:
    """Write millionths as plain decimal text without trailing zeros: 2500000 is "2.5"."""
    sign, digits = ("-", -amount) if amount < 0 else ("", amount)
    whole, fraction = divmod(digits, ONE)
    return f"{sign}{whole}" + (f".{fraction:06d}".rstrip("0") if fraction else "")


def number(amount: Micro) -> float:
    """Convert millionths to a JSON number, for the fields that the seed's clients read as numbers."""
    return amount / ONE


def notional(size: Micro, price: Micro, *, up: bool = False) -> Micro:
    """Return size times price in pUSD millionths, rounded down, or up if asked."""
    product = size * price
    return -(-product // ONE) if up else product // ONE


def fee(size: Micro, price: Micro, rate: Decimal, exponent: int = 1) -> Micro:
    """Return the taker's fee in pUSD millionths: shares x rate x (p(1-p))^exponent.

    Rounded to five decimals, and at least 0.00001 where the rate is not zero
    (Polymarket's documentation, "Trading fees").
    """
    if not rate or not size:
        return 0
    p = decimal(price)
    exact = decimal(size) * rate * (p * (1 - p)) ** exponent * (ONE // _FEE_STEP)
    return max(int(exact.to_integral_value(ROUND_HALF_UP)), 1) * _FEE_STEP


def floor_to(amount: Micro, step: Micro) -> Micro:
    """Round an amount down to a multiple of the step."""
    return amount // step * step


def ceil_to(amount: Micro, step: Micro) -> Micro:
    """Round an amount up to a multiple of the step."""
    return -(-amount // step) * step
