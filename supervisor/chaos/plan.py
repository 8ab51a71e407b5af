"""What is killed when, from a seed alone: single processes, bursts, several kinds together, many agents at one instant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from agents.errors import InvalidInput


class Kind(StrEnum):
    """The kinds of processes that are killed. `node`: every process of the fleet, and then `polyfleet up` again."""

    AGENTS = "agents"
    BROKER = "broker"
    FEED = "feed"
    LEDGER = "ledger"
    SUPERVISOR = "supervisor"
    SANDBOX = "sandbox"
    LIBRARIAN = "librarian"
    FORECASTER = "forecaster"
    NOTIFIER = "notifier"
    FORKSERVER = "forkserver"
    SERVE = "serve"
    NODE = "node"


@dataclass(frozen=True, slots=True)
class Victim:
    """One process: the `which`-th of its kind, modulo how many there are. `hang`: it is frozen, not killed."""

    kind: Kind
    which: int
    hang: bool = False


@dataclass(frozen=True, slots=True)
class Strike:
    """What is killed at one instant, `delay` seconds after the strike before.

    `again`: seconds after which a node that is starting again is killed once more.
    """

    delay: float
    victims: tuple[Victim, ...]
    again: float | None = None


#: Seconds between two strikes, on average: short enough that many hit a recovery.
MEAN_DELAY = 2.0

#: How often each kind is struck; a node takes half a minute to come back, so it is struck seldom.
_WEIGHTS = {
    Kind.AGENTS: 40,
    Kind.BROKER: 9,
    Kind.FEED: 7,
    Kind.LEDGER: 9,
    Kind.SUPERVISOR: 9,
    Kind.SANDBOX: 9,
    Kind.LIBRARIAN: 4,
    Kind.FORECASTER: 6,
    Kind.NOTIFIER: 3,
    Kind.FORKSERVER: 4,
    Kind.SERVE: 8,
    Kind.NODE: 1,
}

#: Of 100 strikes, how many hit several kinds at once, and how many a number of agents or one kind in a row.
_TOGETHER = 12
_BURST = 15

#: Of 100 agents, how many are frozen; planned seconds between two of them, so that hangs never look like one common cause.
_HANG = 5
_HANG_EVERY = 30.0

#: Where a `which` is drawn from: enough that its remainder is even.
_MANY = 1 << 30


def parse_targets(text: str) -> tuple[Kind, ...]:
    """Return the kinds of a comma-separated list. Raises InvalidInput."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in list(Kind)]
    if unknown or not names:
        raise InvalidInput(f"--targets: {', '.join(unknown) or 'nothing'} cannot be killed; expected some of {', '.join(Kind)}")
    return tuple(kind for kind in Kind if kind in names)


def strikes(seed: int, kinds: Sequence[Kind], agents: int) -> Iterator[Strike]:
    """Yield strikes for ever. The first ones hit each kind once, so that a short run leaves none out."""
    return _Plan(seed, kinds, agents).strikes()


class _Plan:
    def __init__(self, seed: int, kinds: Sequence[Kind], agents: int) -> None:
        self._random = Random(seed)
        self._kinds = list(kinds)
        self._agents = agents
        self._now = 0.0
        self._hung = -_HANG_EVERY

    def strikes(self) -> Iterator[Strike]:
        first = list(self._kinds)
        self._random.shuffle(first)
        for kind in first:
            yield self._strike([kind])
        while True:
            yield self._strike(self._drawn())

    def _strike(self, kinds: list[Kind]) -> Strike:
        delay = self._random.expovariate(1 / MEAN_DELAY)
        self._now += delay
        if Kind.NODE in kinds:
            again = self._random.uniform(0.5, 15.0) if self._random.random() < 1 / 3 else None
            return Strike(delay, (Victim(Kind.NODE, 0),), again)
        return Strike(delay, tuple(self._victim(kind) for kind in kinds))

    def _drawn(self) -> list[Kind]:
        """Return the kinds of one strike's victims, a kind once for each of its processes."""
        choice = self._random.uniform(0, 100)
        if choice < _TOGETHER and len(self._kinds) > 1:
            some: list[Kind] = [kind for kind in self._kinds if kind is not Kind.NODE]
            kinds = self._random.sample(some, min(len(some), self._random.choice((2, 2, 3))))
        else:
            kinds = self._random.choices(self._kinds, [_WEIGHTS[kind] for kind in self._kinds])
        if Kind.AGENTS in kinds and (choice < _TOGETHER + _BURST):
            kinds += [Kind.AGENTS] * self._random.randint(1, max(1, self._agents - 1))
        return kinds

    def _victim(self, kind: Kind) -> Victim:
        which = self._random.randrange(_MANY)
        hang = kind is Kind.AGENTS and self._random.uniform(0, 100) < _HANG and self._now >= self._hung + _HANG_EVERY
        if hang:
            self._hung = self._now
        return Victim(kind, which, hang)
