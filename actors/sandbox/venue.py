"""The simulated venue as one object: exchange, markets, clock, background flow and store."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from actors.sandbox.exchange import Exchange
from actors.sandbox.faults import Faults
from agents.money import Micro


@dataclass(frozen=True, slots=True)
class VenueConfig:
    """How a venue is set up. `markets_file`, `start`, `seed` and `wallets` count for a new data directory only.

    `data_dir` None keeps everything in memory; `speed` None is 60 for synthetic markets and 5000 for recorded ones;
    `start` is an ISO date; wallets are (address, pUSD millionths).
    """

    data_dir: str | None = None
    markets_file: str | None = None
    start: str | None = None
    seed: int = 0
    speed: float | None = None
    wallets: tuple[tuple[str, Micro], ...] = ()


class Venue:
    """A running venue. Raises InvalidInput for a corrupt markets file or start date."""

    exchange: Exchange
    #: Lines for the user, such as which settings were ignored because the data directory is not new.
    notes: tuple[str, ...]

    def __init__(self, config: VenueConfig, wall: Callable[[], float] = time.time, faults: Faults | None = None) -> None:
        raise NotImplementedError

    @property
    def now(self) -> int:
        """The venue's time in epoch milliseconds."""
        raise NotImplementedError

    @property
    def speed(self) -> float:
        """How many venue seconds pass in one wall second."""
        raise NotImplementedError

    def tick(self) -> None:
        """Do what is due: settlements, delays, expiries, heartbeats, openings, resolutions, background flow."""
        raise NotImplementedError

    def commit(self) -> None:
        """Make all that has happened durable; call it before answering a client. Cheap when nothing changed."""
        raise NotImplementedError

    def history(self, token_id: str, start: int, end: int) -> list[tuple[int, Micro]]:
        """Return a token's prices (venue milliseconds, price) within [start, end] and never after now, oldest first.

        The point in force at `start` is not included; a resolved market's last point is its payout. Empty if unknown.
        """
        raise NotImplementedError

    def get_document(self, name: str) -> str | None:
        """Return a text that `put_document` stored (wallet keys of a stand-alone sandbox, say)."""
        raise NotImplementedError

    def put_document(self, name: str, text: str) -> None:
        """Store a text under a name."""
        raise NotImplementedError

    def close(self) -> None:
        """Commit, with the clock's exact position, and let go of the data directory."""
        raise NotImplementedError
