"""What a forecast is made of and what is kept of it: times in venue epoch milliseconds, probabilities of the first outcome."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Evidence:
    """One summarised document; `relevance` is 0 to 1."""

    source: str
    url: str
    title: str
    summary: str
    published: int
    retrieved: int
    relevance: float


@dataclass(frozen=True, slots=True)
class PastMarket:
    """A market that has resolved: what it asked, what came out, and its first outcome's price at some moments before the end.

    `prices` are (hours before the resolution, price 0 to 1), the earliest first; `likeness` is 0 to 1.
    """

    question: str
    category: str
    outcome: str
    resolved: int
    prices: tuple[tuple[float, float], ...]
    likeness: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer of one model; `asked` says which phrasing it answered, `p` is the chance of the first outcome all the same."""

    model: str
    asked: str
    p: float
    reasoning: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """What an agent is told of one market. `pooled` is blind to the price, `calibrated` corrects it by the agent's record.

    `spread` is how far the samples are apart in log-odds, `n` how many there are, `weight` what the agent's record says that
    the forecast weighs beside the price.
    """

    id: str
    condition_id: str
    at: int
    pooled: float
    calibrated: float
    weight: float
    spread: float
    n: int
    reasoning: str
    evidence: tuple[Evidence, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an agent's forecasts are made; two agents with the same recipe share their samples.

    `models` are names as LangChain's `init_chat_model` takes them (provider:model), asked by turns; `samples` is the number of
    answers, `trim` the part of them left out at either end, `articles` how many summaries a model is shown at most. `weight` is
    what a forecast weighs beside the price until outcomes teach it. `daily_budget` is the most, in USD, that the agent's
    forecasts may cost in a wall day (UTC).
    """

    models: tuple[str, ...]
    samples: int
    trim: float
    articles: int
    weight: float
    daily_budget: float

    @property
    def shared(self) -> tuple[object, ...]:
        """What two recipes must have in common for the same samples to serve both."""
        return self.models, self.samples, self.articles


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a strategy wants to know: a forecast of this market that is not older than `max_age` venue milliseconds.

    `discount` (0 to 1) is what is left of a forecast's weight beside the price, for example near the end.
    """

    condition_id: str
    max_age: int
    discount: float = 1.0
