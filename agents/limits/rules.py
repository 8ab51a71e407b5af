"""The rules before every order, as one pure function: an order and what is known in, a refusal or nothing out.

What sells shares that are held is checked against the agent's confidence and the book alone: no stop and no limit on
exposure stands in the way of having less.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median_low

from agents.limits.exposure import Exposure
from agents.limits.settings import AgentLimits, Breakers, FleetLimits, RiskSettings, WalletLimits, amount
from agents.limits.state import Stop
from agents.model import Market, MarketView, Side
from agents.money import ONE, Micro, micro, text
from agents.spec import AgentSpec

#: The last prices of a market that an offer is compared with.
_RECENT = 5

#: Seconds without a look at losses after which nothing is bought.
_UNWATCHED = 15.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """An order that is about to be placed. `cost` is the most that it can spend, its fee included; `resting` cannot take."""

    spec: AgentSpec
    market: Market
    token_id: str
    side: Side
    price: Micro
    cost: Micro
    confidence: float
    resting: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope that the order counts in, without the order; `recent` are orders of the last wall minute."""

    name: str
    exposure: Exposure
    open_orders: int = 0
    recent: int = 0


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known at that moment.

    `settings` None: the limits are not known, and `unreadable` says why. `view` None: the feed knows no such market.
    `unwatched` are the seconds since losses were looked at; `now` is the venue's time. `scopes` are the agent's, the
    wallet's and the fleet's, in this order.
    """

    settings: RiskSettings | None
    scopes: Sequence[Scope]
    view: MarketView | None
    now: int
    unwatched: float = 0.0
    stop: Stop | None = None
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which rule an order breaks, that rule's limit and the figure that is beyond it."""

    rule: str
    limit: str
    figure: str
    message: str

    def __str__(self) -> str:
        return self.message


def refusal(proposal: Proposal, situation: Situation) -> Refusal | None:
    """Return why an order may not be placed, or None."""
    return next(_refusals(proposal, situation), None)


def _refusals(order: Proposal, known: Situation) -> Iterator[Refusal]:
    spec = order.spec
    # Written so that a confidence that is no number is refused too.
    if not order.confidence >= spec.min_confidence:
        message = f"its confidence {order.confidence:.2f} is below the agent's minConfidence of {spec.min_confidence:.2f}"
        yield Refusal("minConfidence", f"{spec.min_confidence:g}", f"{order.confidence:g}", message)
    if known.settings is None:
        if order.side is Side.BUY:
            message = f"nothing is bought while the limits are unknown: {known.unreadable}"
            yield Refusal("limits", "known", "unknown", message)
        return
    own = known.settings.of(spec.risk)
    yield from _priced(order, known.view, own)
    if order.side is Side.SELL:
        return
    if known.stop is not None:
        yield Refusal(known.stop.rule, known.stop.limit, known.stop.figure, known.stop.message)
    yield from _watched(order, known, known.settings.breakers)
    yield from _admitted(order, known.now, own)
    if order.cost > spec.max_trade_micro:
        yield _above("maxTradeAmount", "it may cost", order.cost, spec.max_trade_micro, "the agent")
    limits = (own, known.settings.wallet, known.settings.fleet)
    for scope, of_scope in zip(known.scopes, limits, strict=True):
        yield from _tagged(order, of_scope, scope.name)
        yield from _exposed(scope, of_scope, order.cost)
        if isinstance(of_scope, WalletLimits):
            yield from _counted(scope, of_scope)


def _priced(order: Proposal, view: MarketView | None, limits: AgentLimits) -> Iterator[Refusal]:
    """Compare a limit with the book: a buy far above the ask and a sale far below the bid are mistakes."""
    if view is None or order.token_id not in view.market.tokens:
        return
    book = view.books[view.market.index(order.token_id)]
    buying = order.side is Side.BUY
    # Where nobody offers, the other side is all there is to compare with; where the book is empty nothing can be taken.
    best = (book.ask or book.bid) if buying else (book.bid or book.ask)
    if best is None:
        return
    beyond, most = (order.price - best if buying else best - order.price), micro(limits.max_price_distance)
    if beyond > most:
        side, way = ("buy", "above") if buying else ("sell", "below")
        message = (
            f"to {side} at {text(order.price)} is {text(beyond)} {way} the best price {text(best)}, "
            f"and maxPriceDistance is {text(most)}"
        )
        yield Refusal("maxPriceDistance", text(most), text(beyond), message)
    recent = [price for _, price in view.prices[-_RECENT:]]
    if buying and not order.resting and book.ask is not None and recent:
        last = median_low(recent if view.market.index(order.token_id) == 0 else [ONE - price for price in recent])
        bargain, most = last - book.ask, micro(limits.max_bargain)
        if bargain > most:
            message = (
                f"an offer at {text(book.ask)} is too good to be true: {text(bargain)} below the last prices "
                f"around {text(last)}, and maxBargain is {text(most)}"
            )
            yield Refusal("maxBargain", text(most), text(bargain), message)


def _watched(order: Proposal, known: Situation, limits: Breakers) -> Iterator[Refusal]:
    if known.view is None:
        yield Refusal("maxFeedAge", f"{limits.max_feed_age:g}", "unknown", "the feed knows no book of its market")
    else:
        age = known.view.age
        if not age <= limits.max_feed_age:
            message = f"the book of its market is {age:.0f} s old, and maxFeedAge is {limits.max_feed_age:g} s"
            yield Refusal("maxFeedAge", f"{limits.max_feed_age:g}", f"{age:.0f}", message)
    if not known.unwatched <= _UNWATCHED:
        message = f"losses could not be looked at for {known.unwatched:.0f} s, so nothing is bought"
        yield Refusal("unwatched", f"{_UNWATCHED:g}", f"{known.unwatched:.0f}", message)


def _admitted(order: Proposal, now: int, limits: AgentLimits) -> Iterator[Refusal]:
    least = limits.min_time_to_end
    if not least:
        return
    end = order.market.end
    left = None if end is None else (end - now) / 1000
    if left is None or left < least:
        shown = "unknown" if left is None else f"{left:.0f}"
        message = f"its market's scheduled end is {'not known' if left is None else f'{left:.0f} s away'}"
        yield Refusal("minTimeToEnd", f"{least:g}", shown, f"{message}, and minTimeToEnd is {least:g} s")


def _tagged(order: Proposal, limits: FleetLimits, scope: str) -> Iterator[Refusal]:
    tags = {tag.casefold() for tag in order.market.tags}
    denied = sorted(tags & {tag.casefold() for tag in limits.deny_tags})
    if denied:
        yield Refusal(
            "denyTags",
            ", ".join(limits.deny_tags),
            denied[0],
            f"its market has the tag {denied[0]}, which denyTags of {scope} names",
        )
    if limits.allow_tags and not tags & {tag.casefold() for tag in limits.allow_tags}:
        allowed = ", ".join(limits.allow_tags)
        message = f"its market has none of the tags that allowTags of {scope} names: {allowed}"
        yield Refusal("allowTags", allowed, ", ".join(order.market.tags), message)


def overrun(scope: Scope, limits: FleetLimits) -> Refusal | None:
    """Return which limit on exposure a scope is beyond, with all that is placed already, or None."""
    return next(_exposed(scope, limits, 0), None)


def _exposed(scope: Scope, limits: FleetLimits, cost: Micro) -> Iterator[Refusal]:
    now = scope.exposure
    checks = (
        ("maxTrade", limits.max_trade, cost, "it may cost"),
        ("maxMarketExposure", limits.max_market_exposure, now.market + cost, "its market would have"),
        ("maxEventExposure", limits.max_event_exposure, now.event + cost, "its event would have"),
        ("maxExposure", limits.max_exposure, now.total + cost, "there would be"),
    )
    for rule, bound, figure, what in checks:
        most = amount(bound, now.capital)
        if most is not None and figure > most:
            yield _above(rule, what, figure, most, scope.name)


def _above(rule: str, what: str, figure: Micro, most: Micro, scope: str) -> Refusal:
    message = f"{what} {text(figure)} pUSD{'' if what == 'it may cost' else ' at risk'}, and {rule} of {scope} is {text(most)}"
    return Refusal(rule, text(most), text(figure), message)


def _counted(scope: Scope, limits: WalletLimits) -> Iterator[Refusal]:
    counts = (
        ("maxOpenOrders", limits.max_open_orders, scope.open_orders, "orders are open"),
        ("maxOrdersPerMinute", limits.max_orders_per_minute, scope.recent, "orders were placed in the last minute"),
    )
    for rule, most, figure, what in counts:
        if figure >= most:
            yield Refusal(rule, str(most), str(figure), f"{figure} {what} by {scope.name}, and {rule} is {most}")
