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
class Wanted:
    """What a strategy wants to know: a forecast of this market that is not older than `max_age` venue milliseconds."""

    condition_id: str
    max_age: int
