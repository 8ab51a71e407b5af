"""The configuration that all services of one fleet share."""

import os
from dataclasses import dataclass

from agents.ports import Wallet


@dataclass(frozen=True, slots=True)
class SystemConfig:
    """What every service of one fleet is told. It holds no secret: keys stay in files that only their owner opens."""

    data_dir: str
    mode: str = "sandbox"
    wallets: tuple[Wallet, ...] = ()
    markets_file: str | None = None
    start: str | None = None
    speed: float | None = None
    seed: int = 0
    #: Where the fleet file's agents come from on the first start.
    fleet_file: str | None = None
    #: The id of the Ray node that has the data directory; shared actors run there, agents anywhere. Empty: it does not matter.
    home: str = ""

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the log."""
        return os.environ.get("DATABASE_URL") or f"sqlite:///{self.data_dir}/ledger.db"
