"""What Ray tells of an agent's process, and what its keeper makes of it. No Ray: a handle that answers with an error."""

from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayTaskError, UnserializableException

from agents.errors import InvalidInput, Unavailable
from supervisor.agent_actors import AgentActor, AgentFailed
from supervisor.core.signals import Failure


def actor(error: Exception) -> AgentActor:
    async def fail(*args: Any) -> None:
        raise error

    return AgentActor(SimpleNamespace(call=SimpleNamespace(remote=fail)))


def raised(cause: Exception) -> RayTaskError:
    text = f"\x1b[36mray::Service.call()\x1b[39m (pid=1)\n  File ...\n{type(cause).__name__}: {cause}\n"
    return RayTaskError("call", text, cause, proctitle="ray", pid=1, ip="127.0.0.1")


async def failure(error: Exception) -> AgentFailed:
    with pytest.raises(AgentFailed) as caught:
        await actor(error).run()
    return caught.value


async def test_what_a_strategy_raises_is_told_as_plain_text() -> None:
    failed = (await failure(raised(ValueError("no")))).failed
    assert (failed.failure, failed.final, failed.summary) == (Failure.EXCEPTION, False, "ValueError: no")
    assert failed.cause.startswith("ray::Service.call() (pid=1)")


async def test_an_error_that_does_not_survive_the_way_here_is_a_failure_all_the_same() -> None:
    failed = (await failure(UnserializableException("\x1b[36mray\x1b[39m\ntheirs.Odd: an odd one (7)\n\n"))).failed
    assert (failed.failure, failed.final, failed.summary) == (Failure.EXCEPTION, False, "theirs.Odd: an odd one (7)")
    assert "\x1b" not in failed.cause


async def test_only_one_that_is_gone_or_another_life_is_not_adopted() -> None:
    def asked(answer: Any) -> AgentActor:
        async def describe(method: str) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return AgentActor(SimpleNamespace(control=SimpleNamespace(remote=describe)))

    assert await asked({"incarnation": 4}).lives_as(4)
    assert not await asked({"incarnation": 3}).lives_as(4)
    assert not await asked(ActorUnavailableError("it is not reachable", None)).lives_as(4)
    assert await asked(TimeoutError()).lives_as(4)
    assert await asked(raised(Unavailable("agent:a is starting"))).lives_as(4)


async def test_of_a_death_only_what_was_found_is_told_not_what_may_have_been() -> None:
    advice = "Some common causes include: (1) the process was killed by the OOM killer due to high memory usage"
    silent = "Worker unexpectedly exits with a connection error code 2. End of file."
    memory = "Task was killed due to the node running low on memory."
    for kind, detail, told, failure_kind in (
        ("SYSTEM_ERROR", silent, "it ended without a word, killed or crashed below Python", Failure.CRASH),
        ("NODE_OUT_OF_MEMORY", memory, memory, Failure.OOM),
    ):
        error = ActorDiedError()
        error.error_msg = f"The actor died. Worker exit type: {kind} Worker exit detail: {detail} {advice}"
        failed = (await failure(error)).failed
        assert (failed.failure, failed.cause) == (failure_kind, f"its process died: {told} ({kind})")


async def test_wrong_input_is_final() -> None:
    assert (await failure(raised(InvalidInput("params.window: it is missing")))).failed.final
