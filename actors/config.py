"""The configuration that all services of one fleet share."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from actors.paper.settings import PaperSettings
from agents.errors import Unavailable
from agents.ports import Endpoints, Wallet


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
    #: Where the venue answers, if it is neither the sandbox nor the real one at its usual addresses.
    venue: Endpoints | None = None
    paper: PaperSettings = field(default_factory=PaperSettings)
    #: Who says whether the venue takes orders from here, if not the real one.
    geoblock: str = ""
    #: The id of the Ray node that has the data directory; shared actors run there, agents anywhere. Empty: it does not matter.
    home: str = ""

    @property
    def database_file(self) -> Path:
        """The 0600 file with the URL of the log, which may hold a password; an empty one means SQLite in the directory."""
        return Path(self.data_dir) / "database_url"

    @property
    def providers_file(self) -> Path:
        """The 0600 file with the keys and settings of the providers of models and news."""
        return Path(self.data_dir) / "providers.json"

    @property
    def telegram_file(self) -> Path:
        """The 0600 file with the settings of Telegram that the environment had at the start."""
        return Path(self.data_dir) / "telegram.json"

    @property
    def telegram_token_file(self) -> Path:
        """The 0600 file with the bot's token that was given over the API."""
        return Path(self.data_dir) / "telegram_token"

    def providers(self) -> Mapping[str, str]:
        """Return the providers' keys and settings by the names of their variables; only the actors that use them read it.

        Raises Unavailable if the file cannot be read.
        """
        return _variables(self.providers_file)

    def telegram(self) -> Mapping[str, str]:
        """Return the settings of Telegram by the names of their variables; only the notifier reads it.

        Raises Unavailable if the file cannot be read.
        """
        return _variables(self.telegram_file)

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the log: what the file says or, while there is none, the environment.

        Only the ledger and the commands that open the log read it. Raises Unavailable if the file cannot be read.
        """
        try:
            url = self.database_file.read_text().strip()
        except FileNotFoundError:
            url = os.environ.get("DATABASE_URL", "")
        except OSError as error:
            why = f"{error.strerror}; it says where the log is"
            raise Unavailable(f"{self.database_file} cannot be read ({why})") from None
        return url or f"sqlite:///{self.data_dir}/ledger.db"


def _variables(file: Path) -> Mapping[str, str]:
    try:
        found: dict[str, str] = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Unavailable(f"{file} cannot be read ({error}); start the fleet again to write it anew") from None
    return found
