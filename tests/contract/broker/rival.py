"""Another trader at the served venue, who trades without the wire."""

from decimal import Decimal
from itertools import count

from actors.sandbox.records import NewOrder, Placed
from agents.model import Side, TimeInForce
from agents.money import ONE, Micro, micro, notional
from tests.contract.sandbox.served import Served

_numbers = count(1)


class Rival:
    """An account with cash and, once it needs some, shares of a market."""

    def __init__(self, served: Served, *, address: str = "", api_key: str = "rival") -> None:
        self._served = served
        self._api_key = api_key
        self.address = (address or served.wallet(1_000_000 * ONE).address).lower()

    def rest(self, token_id: str, side: Side, price: str, size: str) -> Placed:
        """Place an order that may rest. To sell, it makes the shares it needs from cash."""
        return self._place(token_id, side, price, size, TimeInForce.GTC)

    def take(self, token_id: str, side: Side, price: str, size: str) -> Placed:
        """Trade at once with what is on the book up to a price."""
        return self._place(token_id, side, price, size, TimeInForce.FAK)

    def order(self, token_id: str, side: Side, price: str, size: str, kind: TimeInForce = TimeInForce.FAK) -> NewOrder:
        """Return a new order."""
        shares, cash = micro(size), notional(micro(size), micro(price))
        return NewOrder(
            order_id=f"0x{next(_numbers) + 2**200:064x}",
            owner=self.address,
            api_key=self._api_key,
            token_id=token_id,
            side=side,
            maker_amount=cash if side is Side.BUY else shares,
            taker_amount=shares if side is Side.BUY else cash,
            order_type=kind,
        )

    def _place(self, token_id: str, side: Side, price: str, size: str, kind: TimeInForce) -> Placed:
        if side is Side.SELL:
            self._supply(token_id, micro(size))
        order = self.order(token_id, side, price, size, kind)
        return self._served.run(lambda exchange: exchange.place(order))

    def _supply(self, token_id: str, size: Micro) -> None:
        record = self._served.run(lambda exchange: exchange.market_by_token(token_id))
        assert record is not None
        self._served.run(lambda exchange: exchange.split(self.address, record.condition_id, size))


def fee_of(size: str, price: str, rate: str = "0.05") -> Micro:
    """Return what the venue's documentation says that a taker pays."""
    p = Decimal(price)
    return int((Decimal(size) * Decimal(rate) * p * (1 - p)).quantize(Decimal("0.00001")) * ONE)
