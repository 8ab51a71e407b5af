"""What an agent knows of the future: the forecasts it has, and its questions to the forecaster, which answers at once."""

import logging
from collections.abc import Mapping
from dataclasses import replace

from agents.errors import Unavailable
from agents.forecasting.records import Forecast, Recipe, Wanted
from agents.model import Book, View
from agents.ports import Forecaster, Question

log = logging.getLogger(__name__)

#: Levels of a book that the forecaster is shown of either side.
_LEVELS = 5


class Outlook:
    """The forecasts of one agent. All of it can be asked for again."""

    def __init__(self, agent_id: str, forecaster: Forecaster) -> None:
        self._agent_id = agent_id
        self._forecaster = forecaster
        self._known: dict[str, Forecast] = {}
        #: Why forecasts that are wanted are not being made, or empty.
        self.waiting = ""

    async def look(self, strategy: str, recipe: Recipe, wanted: list[Wanted], view: View) -> Mapping[str, Forecast]:
        """Return the forecasts that are there of what is wanted, and ask for those that are missing or too old.

        An agent goes on with what it has while the forecaster is away or works.
        """
        ids = {want.condition_id for want in wanted}
        self._known = {id: forecast for id, forecast in self._known.items() if id in ids}
        questions = self._questions(wanted, view)
        waiting = ""
        if questions:
            try:
                reply = await self._forecaster.ask(self._agent_id, strategy, recipe, questions, view.now)
            except Unavailable as error:
                waiting = str(error)
            else:
                self._known |= reply.forecasts
                waiting = reply.waiting
        if waiting != self.waiting:
            log.info("forecasts: %s", waiting or "they are being made again")
        self.waiting = waiting
        return self._known

    def _questions(self, wanted: list[Wanted], view: View) -> list[Question]:
        markets = {seen.market.condition_id: seen for seen in view.markets}
        return [
            Question(seen.market, _top(seen.books[0]), want.max_age, want.discount)
            for want in wanted
            if (seen := markets.get(want.condition_id)) and not self._fresh(want, view.now)
        ]

    def _fresh(self, want: Wanted, now: int) -> bool:
        known = self._known.get(want.condition_id)
        return known is not None and now - known.at <= want.max_age


def _top(book: Book) -> Book:
    return replace(book, bids=book.bids[:_LEVELS], asks=book.asks[:_LEVELS])
