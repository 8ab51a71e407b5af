"""Bets on favourites, and so against longshots, where their prices are too near the middle."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import Field

from agents.model import Book, Decision, MarketView, View
from agents.money import ONE, Micro, ceil_to, fee, number
from agents.odds import expit, logit, normal_cdf
from agents.strategies.staking import Bankroll, StakeParams
from agents.strategies.strategy import Strategy


class FavouriteLongshotParams(StakeParams):
    """Prices are 0 to 1."""

    slope: float = Field(1.15, gt=1, le=2, description="How much stronger than the price the truth is, in log-odds.")
    uncertainty: float = Field(0.1, gt=0, le=1, description="Standard error of the slope, for the confidence.")
    low: float = Field(0.7, ge=0.5, lt=1, description="It bets on favourites from this price on.")
    high: float = Field(0.985, gt=0.5, lt=1, description="And up to this price.")
    min_edge: float = Field(0.004, ge=0, lt=0.5, description="What must be left a share after spread and fee.")
    max_spread: float = Field(0.04, gt=0, lt=1, description="It trusts no mid price between bids and asks farther apart.")
    bets: int = Field(2, ge=1, le=100, description="New bets in one round.")


@dataclass(frozen=True, slots=True)
class _Bet:
    """A favourite worth more than it costs; `fraction` is the part of the bankroll to have in it."""

    seen: MarketView
    book: Book
    ask: Micro
    truth: float
    cost: float
    fraction: float
    confidence: float


class FavouriteLongshot(Strategy[FavouriteLongshotParams]):
    """Buys favourites that are cheaper than their corrected chance and holds them to the end.

    Longshots win less often than their prices say, and favourites more often (on Kalshi: Buergi, Deng and Whelan, "Makers
    and Takers", CESifo Working Paper 12122, 2025). The correction is a slope in log-odds, logit(truth) = slope x
    logit(price), which treats both outcomes alike; N. A. Le, "Decomposing Crowd Wisdom", arXiv:2602.19520, 2026, fits such
    slopes to 327,000 contracts of Kalshi and Polymarket and finds them to depend on topic and time left, mostly above 1.
    To buy the favourite's share is to sell the longshot's.

    The bet is a part of Kelly's: kelly x (truth - cost) / (1 - cost) of the bankroll, cost being ask and fee. Confidence is
    the chance that the true slope is above the one at which the bet only breaks even, for a normal error of `uncertainty`.
    """

    name = "favourite_longshot"
    description = "Buys favourites whose prices are too near the middle, by a part of Kelly's bet, and holds them to the end."
    params_type = FavouriteLongshotParams

    def decide(self, view: View) -> list[Decision]:
        """Return the best new bets."""
        holdings = view.account.holdings
        bankroll = Bankroll(view.account, self.params.max_exposure)
        busy = {order.condition_id for order in view.account.orders}
        bets = [bet for seen in view.markets if seen.market.condition_id not in busy for bet in self._bet(seen)]
        decisions: list[Decision] = []
        for bet in sorted(bets, key=lambda bet: bet.fraction, reverse=True):
            token, other = bet.book.token_id, bet.seen.market.tokens[1 - bet.seen.market.index(bet.book.token_id)]
            if other in holdings or len(decisions) == self.params.bets:
                continue
            if size := bankroll.take(token, bet.ask, bet.book.asks[0].size, bet.fraction):
                decisions.append(self._decision(bet, size, round(bet.fraction * bankroll.total)))
        return decisions

    def _bet(self, seen: MarketView) -> Iterator[_Bet]:
        mid = seen.books[0].mid
        if mid is None:
            return
        book, market = seen.books[0 if mid * 2 >= ONE else 1], seen.market
        price = max(number(mid), 1 - number(mid))
        if not self.params.low <= price <= self.params.high or book.ask is None or book.bid is None:
            return
        if number(book.ask - book.bid) > self.params.max_spread:
            return
        truth = expit(self.params.slope * logit(price))
        # An order from before the grid became coarser may stand between two prices.
        ask = ceil_to(book.ask, market.tick)
        if truth <= number(ask):
            return
        cost = number(ask + fee(ONE, ask, market.fee.rate, market.fee.exponent))
        if truth - cost < self.params.min_edge:
            return
        even = logit(cost) / logit(price)
        fraction = min(self.params.kelly * (truth - cost) / (1 - cost), self.params.max_stake)
        confidence = normal_cdf((self.params.slope - even) / self.params.uncertainty)
        yield _Bet(seen, book, ask, truth, cost, fraction, confidence)

    def _decision(self, bet: _Bet, size: Micro, wanted: Micro) -> Decision:
        outcome = bet.seen.market.outcome(bet.book.token_id)
        return Decision(
            market=bet.seen.market,
            token_id=bet.book.token_id,
            action="buy",
            price=bet.ask,
            size=size,
            confidence=bet.confidence,
            reasoning=f"{outcome} costs {bet.cost:.4f} with its fee and should win {bet.truth:.2%} of the time by the "
            f"favourite-longshot bias: an edge of {bet.truth - bet.cost:.4f} a share, worth {number(wanted):.2f} pUSD.",
        )
