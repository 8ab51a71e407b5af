"""When the fleet's equity is sampled, and what a sample says: every owner whose figures have changed."""

from typing import Any

from agents.equity import Curve
from agents.fleet import FleetState
from agents.money import text
from agents.portfolio import UNALLOCATED
from agents.valuation import Figures, Valuation

#: Wall seconds between samples.
INTERVAL = 20.0

#: Samples in a row that are left out because the feed has no price for something: at a start it does not know all yet.
PATIENCE = 6


class Sampler:
    """Takes samples of what the books are worth; one that would repeat the last is none."""

    def __init__(self) -> None:
        self._left_out = 0

    def sample(self, state: FleetState, valuation: Valuation, venue_time: int) -> dict[str, Any] | None:
        """Return the data of an `equity` event, or None if there is nothing new to say or prices are missing."""
        wallets = {name: valuation.figures(books.values()) for name, books in state.portfolio.wallets.items()}
        unpriced = sum(figures.unpriced for figures in wallets.values())
        if unpriced and self._left_out < PATIENCE:
            self._left_out += 1
            return None
        self._left_out = 0
        agents = {
            agent_id: valuation.figures(book for _, book in state.portfolio.books_of(agent_id))
            for agent_id in state.agents
            if agent_id != UNALLOCATED
        }
        total = Figures()
        for figures in wallets.values():
            total.add(figures)
        curves = state.equity
        if not wallets or not _news(curves.fleet, total):
            return None
        return {
            "venueTime": venue_time,
            "unpriced": unpriced,
            "total": _data(total),
            "wallets": {name: _data(each) for name, each in wallets.items() if _news(curves.wallets.get(name), each)},
            "agents": {name: _data(each) for name, each in agents.items() if _news(curves.agents.get(name), each)},
        }


def _news(curve: Curve | None, figures: Figures) -> bool:
    return not (curve and curve.points and curve.points[-1][1:] == (figures.equity, figures.profit))


def _data(figures: Figures) -> dict[str, str]:
    return {"equity": text(figures.equity), "profit": text(figures.profit)}
