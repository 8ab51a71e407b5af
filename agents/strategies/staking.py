"""How much goes into a bet that is held to the end: a part of Kelly's bet, within what the bankroll has room for."""

from pydantic import Field

from agents.model import Account
from agents.money import ONE, Micro, floor_to, notional
from agents.risk import LEAST_TAKE, take_step
from agents.strategies.strategy import Params

#: A bet is added to only once this part of what is wanted is missing.
_TOP_UP = 0.5


class StakeParams(Params):
    """The bankroll is free cash and what the shares held have cost."""

    kelly: float = Field(0.25, gt=0, le=1, description="Part of the Kelly bet that it makes.")
    max_stake: float = Field(0.05, gt=0, le=1, description="The most in one market, as a part of the bankroll.")
    max_exposure: float = Field(0.8, gt=0, le=1, description="The most in all markets, as a part of the bankroll.")


class Bankroll:
    """What an account can bet in one round, most wanted first; `total` is all of it, in pUSD millionths."""

    def __init__(self, account: Account, max_exposure: float) -> None:
        self._holdings = account.holdings
        invested = sum(holding.cost for holding in account.holdings.values())
        self.total: Micro = account.cash + invested
        self._room = round(max_exposure * self.total) - invested

    def take(self, token_id: str, price: Micro, offered: Micro, fraction: float) -> Micro:
        """Return how many of the shares on offer to buy, to have this part of the bankroll in a token; 0: leave it."""
        wanted = round(fraction * self.total)
        missing = wanted - (self._holdings[token_id].cost if token_id in self._holdings else 0)
        if missing < _TOP_UP * wanted:
            return 0
        shares = min(min(missing, self._room) * ONE // price, offered)
        size = floor_to(max(shares, 0), take_step(price))
        cost = notional(size, price)
        if cost < LEAST_TAKE:
            return 0
        self._room -= cost
        return size
