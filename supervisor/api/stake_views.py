"""What is at stake and what is to be paid out, as clients see it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Annotated, TypeVar

from pydantic import Field
from typing_extensions import TypedDict

from agents.fleet import FleetState
from agents.money import Micro, notional, text
from agents.portfolio import Book
from agents.valuation import Quote, Valuation
from supervisor.api.market_views import Exact

K = TypeVar("K")


class Exposed(TypedDict):
    """What is at stake in markets that have not resolved: what it has cost and what it is worth."""

    cost: Exact
    value: Exact
    positions: int


class EventExposure(Exposed):
    """What is at stake in one event; null: the feed does not know whose the shares are."""

    eventId: str | None
    eventTitle: str | None


class CategoryExposure(Exposed):
    """What is at stake in one category: the first tag of a market. Empty: it has none; null: the feed does not know it."""

    category: str | None


class Exposure(TypedDict):
    """What is at stake, the dearest first."""

    byEvent: list[EventExposure]
    byCategory: list[CategoryExposure]


class Redemption(TypedDict):
    """A resolved market whose shares a wallet holds, and what they will pay; `reason`: why that fails, if it does."""

    wallet: str
    conditionId: str
    marketQuestion: str | None
    redeemable: Exact
    reason: str | None
    attempts: int
    since: Annotated[int | None, Field(description="Wall milliseconds since which it fails.")]


def redemptions(state: FleetState, valuation: Valuation) -> list[Redemption]:
    """Return the resolved markets of which wallets hold shares, with what they will pay, by wallet."""
    conditions = {token: id for id, payouts in state.resolutions.items() for token in payouts}
    found: dict[tuple[str, str], Redemption] = {}
    totals: defaultdict[tuple[str, str], Micro] = defaultdict(int)
    for wallet, owners in state.portfolio.wallets.items():
        for book in owners.values():
            for token, held in book.positions.items():
                condition_id = conditions.get(token) if held.size > 0 else None
                if condition_id is not None:
                    totals[wallet, condition_id] += valuation.redeemable(token, held.size)
                    found[wallet, condition_id] = _redemption(state, wallet, condition_id, valuation.quoted.get(token))
    for key, total in totals.items():
        found[key]["redeemable"] = text(total)
    return [found[key] for key in sorted(found)]


def _redemption(state: FleetState, wallet: str, condition_id: str, quote: Quote | None) -> Redemption:
    stuck = state.stuck.get(wallet, {}).get(condition_id)
    return {
        "wallet": wallet,
        "conditionId": condition_id,
        "marketQuestion": quote.market.question if quote else None,
        "redeemable": "0",
        "reason": stuck.reason if stuck else None,
        "attempts": stuck.attempts if stuck else 0,
        "since": stuck.since if stuck else None,
    }


def exposure(valuation: Valuation, books: Iterable[Book]) -> Exposure:
    """Return what books have at stake in markets that have not resolved, by event and category, the dearest first."""
    events: dict[tuple[str | None, str | None], list[Micro]] = {}
    categories: dict[str | None, list[Micro]] = {}
    for book in books:
        for token, held in book.positions.items():
            if not held.size or valuation.payout(token) is not None:
                continue
            quote, price = valuation.quoted.get(token), valuation.price(token, held.size).amount
            added = held.cost, held.cost if price is None else notional(held.size, price), 1
            _add(events.setdefault(quote.event if quote else (None, None), [0, 0, 0]), added)
            _add(categories.setdefault(quote.market.category if quote else None, [0, 0, 0]), added)
    return {
        "byEvent": [{"eventId": id, "eventTitle": title, **_exposed(sums)} for (id, title), sums in _dearest(events)],
        "byCategory": [{"category": name, **_exposed(sums)} for name, sums in _dearest(categories)],
    }


def _add(sums: list[Micro], more: Iterable[Micro]) -> None:
    sums[:] = [a + b for a, b in zip(sums, more, strict=True)]


def _dearest(groups: Mapping[K, list[Micro]]) -> list[tuple[K, list[Micro]]]:
    return sorted(groups.items(), key=lambda group: (-group[1][0], str(group[0])))


def _exposed(sums: list[Micro]) -> Exposed:
    cost, value, count = sums
    return {"cost": text(cost), "value": text(value), "positions": count}
