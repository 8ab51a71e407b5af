"""How a fleet is set up: the arguments of its application, and the files that they name."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agents.errors import InvalidInput

Mode = Literal["sandbox", "paper", "live"]


class FleetArgs(BaseModel):
    """How a fleet is set up: the arguments of the application in `serve_config.yaml`.

    `markets`, `start` and `seed` count for a new data directory only; `speed` always counts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data_dir: Path = Path("data")
    mode: Mode = "sandbox"
    fleet: Path | None = None
    markets: Path | None = None
    start: str | None = None
    speed: float | None = None
    seed: int = 0


def default_fleet() -> Path:
    """Return the fleet file of the working directory, or the one that came with the package."""
    here = Path("fleet.yaml")
    packaged = Path(__file__).with_name("fleet.yaml")
    beside = Path(__file__).parent.parent / "fleet.yaml"
    return next((path for path in (here, packaged, beside) if path.is_file()), here)


def usable(directory: Path) -> Path:
    """Return the directory, absolute and made if it is missing. Raises InvalidInput if it cannot be written to."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = directory / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise InvalidInput(
            f"--data-dir: {directory} cannot be used ({error.strerror}); expected a writable directory"
        ) from None
    return directory.resolve()
