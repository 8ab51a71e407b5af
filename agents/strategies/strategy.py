"""What a strategy is: typed params and one pure function from what is seen to what is wanted."""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Generic, TypeVar

from pydantic import ConfigDict, Field, Strict

from agents.forecasting.records import Recipe, Wanted
from agents.model import Decision, View
from agents.process_protocol import Command, Report
from agents.spec import Amount, Fields

#: A param that is an amount of pUSD: 1 or more, with at most six decimals.
Cash = Annotated[Amount, Strict(strict=False), Field(ge=1)]


class Params(Fields):
    """Base of a strategy's params: camelCase for users, frozen, unknown fields and wrong types refused."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


P = TypeVar("P", bound=Params)


class Strategy(ABC, Generic[P]):
    """Decides what an agent wants to trade.

    `decide` is pure: no I/O and no clock. Time comes from `view.now`, chance from `view.seed`. A strategy may remember
    things between rounds, but an agent may be killed at any moment: it must also decide well with an empty memory.

    Every round it returns all that it wants now. A quote that it does not return again is cancelled; one that it returns
    again at the same price stays. Limits, free cash, stale data and low confidence are the agent's business, not its own.

        class CheapParams(Params):
            below: float = Field(0.2, gt=0, lt=1)

        class Cheap(Strategy[CheapParams]):
            name = "cheap"
            description = "Buys ten shares of any outcome that is offered below a price."
            params_type = CheapParams

            def decide(self, view: View) -> list[Decision]:
                return [
                    Decision(seen.market, book.token_id, "buy", book.ask, 10 * ONE, 0.8, f"offered at {text(book.ask)}")
                    for seen in view.markets
                    for book in seen.books
                    if book.ask and number(book.ask) < self.params.below and book.token_id not in view.account.holdings
                ]

    Your own package registers it with an entry point, and `strategy: cheap` in a fleet file then finds it:

        [project.entry-points."polyfleet.strategies"]
        cheap = "my_package.cheap:Cheap"
    """

    #: The name of its entry point.
    name: ClassVar[str]
    #: What it does, in one sentence.
    description: ClassVar[str]
    #: The model that its params are read with.
    params_type: ClassVar[type[Params]]
    #: What the last round left aside and why, a sentence each, for the agent's log.
    remarks: tuple[str, ...] = ()
    #: What its program says it did by itself, for the record: `decide` leaves it here.
    reports: tuple[Report, ...] = ()

    def __init__(self, params: P) -> None:
        self.params = params

    @property
    def command(self) -> Command | None:
        """The program to run beside it, whose lines come to it as `view.said`; None for a strategy that needs none."""
        return None

    @property
    def recipe(self) -> Recipe | None:
        """How the forecasts that it wants are made; None for a strategy that wants none."""
        return None

    def wanted(self, view: View) -> list[Wanted]:
        """Return which markets it wants forecasts of; those that are there are in `view.forecasts` when it decides."""
        return []

    @abstractmethod
    def decide(self, view: View) -> list[Decision]:
        """Return what it wants now, the most wanted first. It must return soon: the agent's heartbeat waits for it."""
