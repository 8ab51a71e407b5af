"""The class of every actor, without Ray."""

import json
from pathlib import Path

import pytest

from actors import process_log
from actors.system import Service, SystemConfig
from agents.errors import Unavailable

pytestmark = pytest.mark.usefixtures("root_as_before")


class Fast:
    """A service that starts at once."""

    def __init__(self, config: SystemConfig) -> None:
        pass

    async def start(self) -> None:
        """Do nothing."""

    async def ready(self) -> bool:
        """Return that it is."""
        return True

    async def control_queues(self) -> dict[str, dict[str, int]]:
        """Return one queue."""
        return {"fast": {"work": 3}}


async def test_the_control_thread_says_that_a_service_is_starting_then_answers_for_it(tmp_path: Path) -> None:
    service = Service("fast", f"{__name__}:Fast", SystemConfig(str(tmp_path)))
    with pytest.raises(Unavailable, match="fast is starting"):
        await service.control("queues")
    assert await service.call("ready")
    assert await service.control("queues") == {"fast": {"work": 3}}


async def test_an_actor_reads_the_log_of_any_other_on_its_machine(tmp_path: Path) -> None:
    service = Service("fast", f"{__name__}:Fast", SystemConfig(str(tmp_path)))
    path = process_log.path_of(str(tmp_path), "agent:a")
    path.write_text("".join(json.dumps({"message": n}) + "\n" for n in range(5)))
    assert await service.logged("agent:a", 2) == [{"message": 3}, {"message": 4}]


async def test_an_actor_lives_without_a_directory_for_its_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    service = Service("fast", f"{__name__}:Fast", SystemConfig(str(tmp_path / "file")))
    assert await service.call("ready")
    assert "the log of fast goes to stderr alone" in caplog.text
    assert await service.logged("fast", 10) == []
