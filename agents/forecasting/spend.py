"""What language models cost, in millionths of a USD: the prices, the most that a forecast can cost, and what was spent.

Money is counted by the wall's day (UTC). What a set of samples can cost at most is reserved before it begins, and settled by
its result; a reservation that never was (the process died) counts in full.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from typing import Any

from agents.errors import InvalidInput
from agents.events import Event, Type
from agents.forecasting import prompts
from agents.forecasting.records import Recipe
from agents.money import Micro, micro, text

_DAY = 86_400_000

#: Days that are remembered: a set that was begun before midnight is settled after it.
_DAYS = 2

#: Tokens of one answer at most, those that a model thinks in included; it is told so.
ANSWER = 4096

#: Characters of a token: at least so many in what is to come, and about so many in what a server did not count.
_LEAST_CHARACTERS, _CHARACTERS = 2, 3

#: Calls of a set that are neither samples nor made again: two plans, two digests, a base rate.
RESEARCH_CALLS = 5


@dataclass(frozen=True, slots=True)
class Price:
    """USD for a million tokens."""

    input: Decimal
    output: Decimal

    def of(self, tokens_in: int, tokens_out: int) -> Micro:
        """Return what tokens cost, rounded up."""
        return int((tokens_in * self.input + tokens_out * self.output).to_integral_value(ROUND_CEILING))


FREE = Price(Decimal(0), Decimal(0))

#: OpenAI's list prices; POLYFLEET_LLM_PRICES replaces them and adds to them.
_OPENAI = {
    name: Price(Decimal(input), Decimal(output))
    for name, input, output in (
        ("gpt-5", "1.25", "10"),
        ("gpt-5-mini", "0.25", "2"),
        ("gpt-5-nano", "0.05", "0.4"),
        ("gpt-5-pro", "15", "120"),
        ("gpt-4.1", "2", "8"),
        ("gpt-4.1-mini", "0.4", "1.6"),
        ("gpt-4.1-nano", "0.1", "0.4"),
        ("gpt-4o", "2.5", "10"),
        ("gpt-4o-mini", "0.15", "0.6"),
        ("o3", "2", "8"),
        ("o4-mini", "1.1", "4.4"),
        ("text-embedding-3-small", "0.02", "0"),
    )
}

#: The model whose price is that of embeddings.
EMBEDDING = "openai:text-embedding-3-small"

_DEAREST = Price(max(price.input for price in _OPENAI.values()), max(price.output for price in _OPENAI.values()))


@dataclass(frozen=True, slots=True)
class Prices:
    """What each model costs: as it was told, nothing where OpenAI's models are another server's (`free`), or as listed."""

    told: Mapping[str, Price] = field(default_factory=dict)
    free: bool = False

    def known(self, model: str) -> Price | None:
        """Return a model's price, or None if nobody said it; `model` is provider:name, or a name of OpenAI's."""
        provider, name = named(model)
        for key in (model, f"{provider}:{name}", name):
            if key in self.told:
                return self.told[key]
        if provider != "openai":
            return None
        if self.free:
            return FREE
        # A dated version costs what its model does.
        return next((price for listed, price in _OPENAI.items() if name == listed or name.startswith(f"{listed}-20")), None)

    def of(self, model: str) -> Price:
        """Return a model's price; for one that is not known the dearest that is."""
        return self.known(model) or _DEAREST

    def note(self, model: str) -> str:
        """Return what to say of a model whose price is not known, or nothing."""
        if self.known(model):
            return ""
        price = f"{_DEAREST.input:f}/{_DEAREST.output:f}"
        return (
            f"the price of {model} is not known and is taken for the dearest known, {price} USD a million tokens; "
            f"set POLYFLEET_LLM_PRICES={model}=in/out"
        )

    def upper(self, recipe: Recipe) -> Micro:
        """Return the most that a set of samples costs, its research and as many repeated questions as it has questions."""
        articles = max(recipe.articles * (prompts.TITLE + prompts.SOURCE + prompts.SUMMARY), prompts.REASONING)
        frame = prompts.OURS + prompts.QUESTION + prompts.RULES + prompts.REASONING
        passages = prompts.BATCH * (prompts.TITLE + prompts.SOURCE + prompts.PASSAGE)
        first = max((self.of(model) for model in recipe.models), key=lambda price: (price.output, price.input))
        research = RESEARCH_CALLS * first.of((frame + passages) // _LEAST_CHARACTERS, ANSWER) if recipe.articles else 0
        samples = recipe.samples * first.of((frame + articles) // _LEAST_CHARACTERS, ANSWER)
        return 2 * (research + samples)


def counted(characters: int) -> int:
    """Return about how many tokens a text of so many characters is."""
    return -(-characters // _CHARACTERS)


def parse_prices(listed: str, source: str) -> dict[str, Price]:
    """Read "model=in/out,..." in USD a million tokens; `source` names it in errors.

    Raises:
        InvalidInput: with the part that is wrong.
    """
    found = {}
    for part in filter(None, (part.strip() for part in listed.split(","))):
        model, _, price = part.rpartition("=")
        try:
            costs = [Decimal(each) for each in price.split("/")]
        except ArithmeticError:
            costs = []
        if not model or len(costs) != 2 or not all(cost.is_finite() and 0 <= cost < 100_000 for cost in costs):
            raise InvalidInput(f"{source}: {part!r} is no price; expected model=in/out in USD a million tokens, gpt-5=1.25/10")
        found[model.strip()] = Price(*costs)
    return found


def day_of(timestamp: int) -> int:
    """Return the number of the UTC day of a wall time in milliseconds."""
    return timestamp // _DAY


@dataclass(slots=True)
class Spend:
    """What was spent and is reserved, folded from `forecast` events of the kinds begun and samples; money in millionths."""

    #: By day and payer.
    spent: dict[int, dict[str, Micro]] = field(default_factory=dict)
    #: By the set's id: day, payer and amount.
    reserved: dict[str, tuple[int, str, Micro]] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Fold one event."""
        if event.type is not Type.FORECAST:
            return
        data: Mapping[str, Any] = event.data
        if data.get("kind") == "begun":
            today = day_of(event.timestamp)
            self.reserved[data["id"]] = today, data["agentId"], micro(data["usd"])
            self._forget(today - _DAYS)
        elif data.get("kind") == "samples" and (held := self.reserved.pop(data["id"], None)):
            day, payer, _ = held
            payers = self.spent.setdefault(day, {})
            payers[payer] = payers.get(payer, 0) + micro(data["usd"])

    def of(self, agent_id: str, day: int, without: Collection[str] = ()) -> Micro:
        """Return what an agent has spent on a day with what is reserved for it, but for some sets."""
        return self.spent.get(day, {}).get(agent_id, 0) + sum(
            usd for id, (when, payer, usd) in self.reserved.items() if (when, payer) == (day, agent_id) and id not in without
        )

    def total(self, day: int, without: Collection[str] = ()) -> Micro:
        """Return what all agents have spent on a day with what is reserved, but for some sets."""
        held = sum(usd for id, (when, _, usd) in self.reserved.items() if when == day and id not in without)
        return sum(self.spent.get(day, {}).values()) + held

    def refusal(self, agent_id: str, day: int, more: Micro, *, own: Micro, fleet: Micro, without: Collection[str] = ()) -> str:
        """Return why an agent may not spend up to `more` on this day, or nothing; `own` and `fleet` are the budgets."""
        if (spent := self.of(agent_id, day, without)) + more > own:
            return _sentence("its forecasts have", spent, more, own, "daily_budget")
        if (spent := self.total(day, without)) + more > fleet:
            return _sentence("the fleet's forecasts have", spent, more, fleet, "POLYFLEET_LLM_DAILY_BUDGET")
        return ""

    def _forget(self, before: int) -> None:
        self.spent = {day: payers for day, payers in self.spent.items() if day > before}
        self.reserved = {id: held for id, held in self.reserved.items() if held[0] > before}


def _sentence(whose: str, spent: Micro, more: Micro, limit: Micro, name: str) -> str:
    return (
        f"{whose} cost {text(spent)} USD today (UTC) and the next may cost {text(more)}, of {text(limit)} allowed; "
        f"they go on tomorrow, or with a higher {name}"
    )


def named(model: str) -> tuple[str, str]:
    """Return the provider of a model and its name there; one without a provider is OpenAI's."""
    provider, colon, name = model.partition(":")
    return (provider, name) if colon else ("openai", provider)
