"""From a decision to the exact amounts of an order."""

from actors.polymarket.signing import Ticket
from agents.errors import InvalidInput
from agents.model import Decision, Side, TimeInForce
from agents.money import notional
from agents.order_terms import placeable


def write_ticket(decision: Decision, expiration: int = 0) -> tuple[Ticket, Decision]:
    """Return the order that a decision asks for, and the decision with the price and the size that it then has.

    Args:
        decision: what is wanted, of the market as it is now.
        expiration: the wall second that a GTD order states; 0 rests it GTC, for the broker to end.

    Raises:
        InvalidInput: if the venue would not take it.
    """
    market = decision.market
    if decision.action not in ("buy", "sell"):
        raise InvalidInput(f"a decision to {decision.action} is not an order")
    if decision.token_id not in market.tokens:
        raise InvalidInput(f"token {decision.token_id} is not one of market {market.condition_id}")
    decision = placeable(decision, market.tick)
    side, size, cash = Side(decision.action.upper()), decision.size, notional(decision.size, decision.price)
    kind = TimeInForce.GTC if decision.order_type is TimeInForce.GTD and not expiration else decision.order_type
    ticket = Ticket(
        token_id=decision.token_id,
        side=side,
        offered=cash if side is Side.BUY else size,
        requested=size if side is Side.BUY else cash,
        order_type=kind,
        post_only=decision.quote,
        neg_risk=market.neg_risk,
        expiration=expiration if kind is TimeInForce.GTD else 0,
    )
    return ticket, decision
