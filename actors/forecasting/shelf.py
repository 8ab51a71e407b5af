"""The samples that are there, and which agent was told of them. All of it can be read from the log again."""

from dataclasses import dataclass, field

from agents.events import Event
from agents.forecasting.journal import SampleSet
from agents.forecasting.records import Forecast

#: What samples answer: a market's condition id, and `agents.forecasting.journal.recipe_key`.
Key = tuple[str, str]

#: Sets that are kept; the ones that were made first go first.
_KEPT = 2000


@dataclass(slots=True)
class Given:
    """What an agent was told of a set; `event` says so in the log, and is None once it is stored."""

    forecast: Forecast
    event: Event | None = None


@dataclass(slots=True)
class Shelved:
    """A set of samples, the agents that asked while it was made, and what agents were told of it."""

    samples: SampleSet
    awaited: frozenset[str] = frozenset()
    given: dict[str, Given] = field(default_factory=dict)

    def serves(self, agent_id: str, since: int) -> bool:
        """Whether it is an answer to an agent's question for what is not older than `since` (venue milliseconds).

        Who asked when it was made gets it once, even if the venue's clock has run far since.
        """
        return self.samples.basis.at >= since or (agent_id in self.awaited and agent_id not in self.given)


class Shelf:
    """The newest set by key."""

    def __init__(self) -> None:
        self._sets: dict[Key, Shelved] = {}

    def put(self, samples: SampleSet, awaited: frozenset[str] = frozenset()) -> None:
        """Keep a set in place of an earlier one."""
        key = samples.condition_id, samples.key
        self._sets.pop(key, None)
        self._sets[key] = Shelved(samples, awaited)
        while len(self._sets) > _KEPT:
            del self._sets[next(iter(self._sets))]

    def find(self, key: Key) -> Shelved | None:
        """Return the newest set of a key."""
        return self._sets.get(key)

    def known(self, samples_id: str, condition_id: str) -> Shelved | None:
        """Return a set by its id."""
        return next(
            (each for key, each in self._sets.items() if key[0] == condition_id and each.samples.id == samples_id), None
        )

    def forget(self, condition_id: str) -> None:
        """Drop what is known of a market that has resolved."""
        self._sets = {key: each for key, each in self._sets.items() if key[0] != condition_id}
