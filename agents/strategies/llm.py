"""Trades on forecasts that language models make of articles, where their blend with the price leaves an edge."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

from pydantic import Field

from agents.forecasting.blend import blended, discount
from agents.forecasting.records import Forecast, Recipe, Wanted
from agents.forecasting.sizing import Edge, depth_of, edge_of, kelly
from agents.model import Book, Decision, MarketView, View
from agents.money import Micro, number
from agents.odds import logit, normal_cdf
from agents.strategies.staking import Bankroll, StakeParams
from agents.strategies.strategy import Strategy

_HOUR = 3_600_000

#: The least standard error of a forecast in log-odds: many samples of the same models share their mistakes.
_SHARED_ERROR = 0.3


class LlmParams(StakeParams):
    """Prices and probabilities are 0 to 1, hours are the venue's."""

    models: tuple[str, ...] = Field(("openai:gpt-5-mini",), min_length=1, max_length=8, strict=False)
    samples: int = Field(6, ge=1, le=30, description="Answers for one forecast, by turns over the models and both phrasings.")
    trim: float = Field(0.1, ge=0, lt=0.5, description="Part of the answers that is left out at either end.")
    articles: int = Field(15, ge=0, le=50, description="Summaries of articles that a model is shown at most.")
    low: float = Field(0.05, ge=0.01, lt=0.5, description="It asks about markets between this price")
    high: float = Field(0.95, gt=0.5, le=0.99, description="and this one.")
    max_spread: float = Field(0.06, gt=0, lt=1, description="And only where bid and ask are no farther apart.")
    markets: int = Field(8, ge=1, le=200, description="How many markets it follows at once.")
    refresh: float = Field(3.0, gt=0, le=720, description="Hours after which a forecast is made again.")
    max_age: float = Field(12.0, gt=0, le=1440, description="Hours after which a forecast is not traded on.")
    weight: float = Field(0.2, ge=0, le=1, description="What a forecast weighs beside the price until outcomes teach it.")
    near: float = Field(12.0, gt=0, description="Within so many hours of the end a forecast weighs less.")
    deep: float = Field(20_000.0, gt=0, description="At so many pUSD near the middle of the book it weighs half.")
    min_edge: float = Field(0.02, ge=0, lt=0.5, description="What a share must be worth more than it costs with its fee.")
    max_edge: float = Field(0.25, gt=0, lt=1, description="A greater edge is a question read wrongly, and is left alone.")
    daily_budget: float = Field(2.0, ge=0, description="USD that its forecasts may cost in a wall day.")


@dataclass(frozen=True, slots=True)
class _Bet:
    seen: MarketView
    book: Book
    edge: Edge
    forecast: Forecast
    p: float
    price: float
    fraction: float
    confidence: float


class Llm(Strategy[LlmParams]):
    """Asks for forecasts of open, unsure markets, blends each with the price and buys what is then worth more than it costs.

    The forecast is made without the price; the price comes in here, in log-odds and with four times the forecast's weight,
    as D. Halawi et al. found best ("Approaching Human-Level Forecasting with Language Models", 2024). A fraction of Kelly's
    bet because the chance itself is uncertain. Confidence is the chance that the share is worth more than it costs, for a
    normal error of the forecast in log-odds.
    """

    name = "llm"
    description = "Buys what language models that read the news, blended with the price, find worth more than it costs."
    params_type = LlmParams

    @property
    def recipe(self) -> Recipe:
        """What its params say of how forecasts are made."""
        p = self.params
        return Recipe(p.models, p.samples, p.trim, p.articles, p.weight, p.daily_budget)

    def wanted(self, view: View) -> list[Wanted]:
        """Ask about what it holds, and about the least sure markets beside."""
        markets = {seen.market.condition_id: seen for seen in view.markets}
        held = {id for id, seen in markets.items() if _held(view, seen)}
        unsure = sorted(
            (abs(number(mid) - 0.5), id)
            for id, seen in markets.items()
            if (mid := seen.books[0].mid) is not None and self._asks_about(seen, mid)
        )
        chosen = [id for _, id in unsure if id not in held]
        room = max(self.params.markets - len(held), 1)
        # Those that were asked about stay first, so that a price that moves does not make it ask about ever new ones.
        chosen.sort(key=lambda id: id not in view.forecasts)
        age = round(self.params.refresh * _HOUR)
        return [Wanted(id, age, self._discount(view, markets[id])) for id in (*sorted(held), *chosen[:room])]

    def decide(self, view: View) -> list[Decision]:
        """Return the best new bets."""
        bankroll = Bankroll(view.account, self.params.max_exposure)
        busy = {order.condition_id for order in view.account.orders}
        bets = [bet for seen in view.markets if seen.market.condition_id not in busy for bet in self._bets(view, seen)]
        return [
            _decision(bet, size)
            for bet in sorted(bets, key=lambda bet: bet.fraction, reverse=True)
            if (size := bankroll.take(bet.book.token_id, bet.edge.limit, bet.edge.size, bet.fraction))
        ]

    def _asks_about(self, seen: MarketView, mid: Micro) -> bool:
        book = seen.books[0]
        assert book.bid is not None
        assert book.ask is not None
        return (
            self.params.low <= number(mid) <= self.params.high
            and number(book.ask - book.bid) <= self.params.max_spread
            and seen.market.accepting_orders
        )

    def _bets(self, view: View, seen: MarketView) -> Iterator[_Bet]:
        forecast, mid = view.forecasts.get(seen.market.condition_id), seen.books[0].mid
        if forecast is None or mid is None or not self._asks_about(seen, mid):
            return
        if view.now - forecast.at > self.params.max_age * _HOUR:
            return
        weight = forecast.weight * self._discount(view, seen)
        first = blended(forecast.calibrated, number(mid), weight)
        tokens = seen.market.tokens
        for side, (book, p, price) in enumerate(
            ((seen.books[0], first, number(mid)), (seen.books[1], 1 - first, 1 - number(mid)))
        ):
            edge = edge_of(p, book, seen.market.fee, seen.market.tick, self.params.min_edge)
            if edge is None or edge.best > self.params.max_edge or tokens[1 - side] in view.account.holdings:
                continue
            fraction = min(kelly(p, edge.cost, self.params.kelly), self.params.max_stake)
            error = weight * sqrt(forecast.spread**2 / forecast.n + _SHARED_ERROR**2)
            confidence = normal_cdf((logit(p) - logit(edge.cost)) / error) if error else 0.0
            yield _Bet(seen, book, edge, forecast, p, price, fraction, confidence)

    def _discount(self, view: View, seen: MarketView) -> float:
        end = seen.market.end
        hours = None if end is None else (end - view.now) / _HOUR
        return discount(hours_left=hours, depth=depth_of(seen.books[0]), near=self.params.near, deep=self.params.deep)


def _held(view: View, seen: MarketView) -> bool:
    return any(token in view.account.holdings for token in seen.market.tokens)


def _decision(bet: _Bet, size: Micro) -> Decision:
    outcome = bet.seen.market.outcome(bet.book.token_id)
    said = bet.forecast.calibrated if bet.book is bet.seen.books[0] else 1 - bet.forecast.calibrated
    return Decision(
        market=bet.seen.market,
        token_id=bet.book.token_id,
        action="buy",
        price=bet.edge.limit,
        size=size,
        confidence=bet.confidence,
        reasoning=f"{outcome} costs {bet.edge.cost:.4f} with its fee and should win {bet.p:.2%} of the time: the forecast says "
        f"{said:.2%}, the price {bet.price:.2%}. {bet.forecast.reasoning}"[:2000],
    )
