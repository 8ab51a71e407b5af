"""A strategy that goes wrong on command: each round it does what a file tells it, so that a test can say when and how."""

import time
from dataclasses import replace
from pathlib import Path

from pydantic import Field

from agents.model import Decision, View
from agents.money import ONE
from agents.strategies.strategy import Params, Strategy

#: Decisions of one round of one that talks, each new to the log.
TALK = 500


class Damaged(Exception):
    """An error that can be pickled and not unpickled, as many a careless one."""

    def __init__(self, path: str, line: int) -> None:
        super().__init__(f"{path} is damaged in line {line}")


class SaboteurParams(Params):
    """Where its orders are."""

    orders: str = Field(description="path of a file with one word; none: do nothing")


class Saboteur(Strategy[SaboteurParams]):
    """Does what it is told: `buy`, `ponder` and then buy, `talk`, `raise`, `sleep`; `refuse` is for its constructor."""

    name = "saboteur"
    description = "Goes wrong on command."
    params_type = SaboteurParams

    def __init__(self, params: SaboteurParams) -> None:
        super().__init__(params)
        self._rounds = 0
        if self._told() == "refuse":
            raise Damaged("the model file", 7)

    def decide(self, view: View) -> list[Decision]:
        """Obey."""
        self._rounds += 1
        match self._told():
            case "buy":
                return [self._buy(view)]
            case "ponder":
                Path(f"{self.params.orders}.pondering").touch()
                time.sleep(1.5)
                return [self._buy(view)]
            case "talk":
                return [self._whim(view, n) for n in range(TALK)]
            case "raise":
                raise ValueError(f"round {self._rounds} of {self.params.orders!r} makes no sense")
            case "sleep":
                time.sleep(3600)  # it hangs here
        return []

    def _told(self) -> str:
        try:
            return Path(self.params.orders).read_text()
        except FileNotFoundError:
            return ""

    def _buy(self, view: View) -> Decision:
        """Return a buy that the venue takes: of more than 1 pUSD, and of so many shares that they cost whole cents."""
        open_now = [each for each in view.markets if each.market.accepting_orders and each.age < 30]
        market, ask = next((each.market, ask) for each in open_now for ask in each.books[0].asks if ask.price > ONE // 4)
        return Decision(market, market.tokens[0], "buy", ask.price, 10 * ONE, 1.0, "as told")

    def _whim(self, view: View, n: int) -> Decision:
        """Return a hold of an outcome that was never named before, so that it is logged."""
        market = view.markets[0].market
        whim = replace(market, tokens=(f"whim-{self._rounds}-{n}", market.tokens[1]))
        return Decision(whim, whim.tokens[0], "hold", ONE // 2, 0, 0.5, "as told")
