"""From a decision to the exact amounts of an order, or one sentence why there can be none."""

from actors.polymarket.signing import Ticket
from agents.errors import InvalidInput
from agents.model import Decision, Side, TimeInForce
from agents.money import ONE, Micro, floor_to, notional, text
from agents.risk import step as size_step


def write_ticket(decision: Decision) -> tuple[Ticket, Micro]:
    """Return the order that a decision asks for, and its size in shares (rounded down to what the venue takes).

    Quotes rest (GTC, post-only); anything else is filled at once or killed. The venue takes market buys for whole cents
    only, so their size is rounded to where size times price is that: the limit then is the decision's price exactly.

    Raises:
        InvalidInput: if the venue would not take it.
    """
    market, price = decision.market, decision.price
    if decision.action not in ("buy", "sell"):
        raise InvalidInput(f"a decision to {decision.action} is not an order")
    if decision.token_id not in market.tokens:
        raise InvalidInput(f"token {decision.token_id} is not one of market {market.condition_id}")
    if price % market.tick or not market.tick <= price <= ONE - market.tick:
        raise InvalidInput(f"price {text(price)} is not on the market's grid of {text(market.tick)}")
    side = Side(decision.action.upper())
    step = size_step(decision)
    size = floor_to(decision.size, step)
    if size <= 0:
        raise InvalidInput(f"a size of {text(decision.size)} is too small: at {text(price)} the least is {text(step)} shares")
    if decision.quote and size < market.min_size:
        raise InvalidInput(f"a quote of {text(size)} shares is below the market's minimum of {text(market.min_size)}")
    cash = notional(size, price)
    ticket = Ticket(
        token_id=decision.token_id,
        side=side,
        offered=cash if side is Side.BUY else size,
        requested=size if side is Side.BUY else cash,
        order_type=TimeInForce.GTC if decision.quote else TimeInForce.FAK,
        post_only=decision.quote,
        neg_risk=market.neg_risk,
    )
    return ticket, size
