"""Real programs beside an agent: what they write, how they end, and that nothing of them is left."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.child_process import ChildFailed, ChildProcess, environment
from agents.errors import InvalidInput
from agents.ports import Endpoints
from agents.process_protocol import Command
from tests.unit.agents.worlds import spec

DECISION = '{"type": "decision", "market": "Will it?", "action": "buy", "confidence": 0.9}'
ROOT = Path(__file__).parents[3]


class Time:
    """A clock that tests put forward; without that it is the real one."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


class Runner:
    """Runs scripts as programs of an agent."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Time()

    def command(self, script: str, **changes: Any) -> Command:
        file = self.path / "program.py"
        file.write_text("import os, signal, subprocess, sys, time\n" + textwrap.dedent(script))
        return Command((sys.executable, "-I", "-S", "-u", str(file)), directory=str(self.path), **changes)

    @asynccontextmanager
    async def run(self, script: str, **changes: Any) -> AsyncIterator[ChildProcess]:
        command = self.command(script, **changes)
        child = ChildProcess(command, environment(spec(), command), self.clock)
        await child.start()
        try:
            yield child
        finally:
            await child.stop()


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def said(child: ChildProcess, number: int) -> list[str]:
    lines: list[str] = []

    def enough() -> bool:
        lines.extend(child.lines())
        return len(lines) >= number

    await until(enough)
    return lines


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has taken leave of has not."""
    return not psutil.pid_exists(pid)


async def pids(path: Path, number: int) -> list[int]:
    """Wait until the program has written so many process ids into a file."""
    await until(lambda: path.exists() and len(path.read_text().split()) == number)
    return [int(pid) for pid in path.read_text().split()]


async def test_lines_are_whole_however_they_are_written(runner: Runner) -> None:
    script = f"""
        line = {DECISION!r}
        os.write(1, line[:20].encode())
        time.sleep(0.05)
        os.write(1, (line[20:] + "\\n" + line + "\\n" + line[:5]).encode())
        time.sleep(0.05)
        os.write(1, line[5:].encode())
    """
    async with runner.run(script) as child:
        assert await said(child, 3) == [DECISION] * 3
        await child.ended()
        assert child.done
        assert child.failure is None


async def test_what_is_not_of_the_protocol_goes_to_the_log(runner: Runner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "actors")
    script = f"""
        os.write(1, b"Welcome to the bot!\\n\\xff\\xfe{{\\n" + {DECISION!r}.encode() + b"\\n")
        os.write(2, b"a warning \\x1b[31m\\n")
        time.sleep(60)
    """
    async with runner.run(script) as child:
        assert await said(child, 1) == [DECISION]
        await until(lambda: "a warning" in caplog.text)
    assert "it says: Welcome to the bot!" in caplog.text
    assert "its stderr: a warning  [31m" in caplog.text


async def test_a_line_of_ten_megabytes_is_left_out_and_the_next_one_is_not(
    runner: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    before = psutil.Process().memory_info().rss
    async with runner.run(f"print('{{' + 'x' * 10_000_000 + '}}'); print({DECISION!r}); time.sleep(60)") as child:
        assert await said(child, 1) == [DECISION]
    assert psutil.Process().memory_info().rss - before < 8_000_000
    assert "too long" in caplog.text


async def test_a_flood_on_stderr_holds_up_nothing_and_fills_no_log(runner: Runner, caplog: pytest.LogCaptureFixture) -> None:
    script = f"os.write(2, b'noise\\n' * 200_000); print({DECISION!r}); time.sleep(60)"
    async with runner.run(script) as child:
        began = time.monotonic()
        assert await said(child, 1) == [DECISION]
        logged = sum("noise" in record.getMessage() for record in caplog.records)
        assert 1 <= logged <= 52 + 2 * (time.monotonic() - began)


async def test_only_so_many_lines_wait_and_the_loss_is_told(runner: Runner, caplog: pytest.LogCaptureFixture) -> None:
    async with runner.run(f"print(({DECISION!r} + '\\n') * 3000, end=''); print('done')") as child:
        await child.ended()
        assert len(child.lines()) == 1000
        assert child.lines() == ()
    assert "too long before this round: 2000" in caplog.text


async def test_what_was_said_long_ago_is_dropped(runner: Runner, caplog: pytest.LogCaptureFixture) -> None:
    async with runner.run(f"print({DECISION!r})", max_age=30.0) as child:
        await child.ended()
        runner.clock.ahead = 31.0
        assert child.lines() == ()
    assert "too long before this round: 1" in caplog.text


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("sys.exit(3)", "ended with code 3$"),
        (
            "sys.stderr.write('one\\ntwo\\nno key\\n'); sys.exit(1)",
            "code 1; the last that it wrote on stderr: one / two / no key",
        ),
        ("os.kill(os.getpid(), signal.SIGKILL)", "code 137, by SIGKILL"),
        ("raise RuntimeError('it broke')", "RuntimeError: it broke"),
    ],
)
async def test_another_code_than_zero_is_a_failure_that_says_why(runner: Runner, script: str, why: str) -> None:
    async with runner.run(script) as child:
        with pytest.raises(ChildFailed, match=why):
            await child.ended()
        assert isinstance(child.failure, ChildFailed)
        assert not child.done


async def test_silence_is_a_failure_and_ends_the_program(runner: Runner) -> None:
    async with runner.run("time.sleep(60)", silence=0.3) as child:
        with pytest.raises(ChildFailed, match=r"written nothing for 0\.3 s"):
            await child.ended()
        assert child.pid is not None
        assert gone(child.pid)


async def test_words_on_stderr_break_the_silence(runner: Runner) -> None:
    script = "for _ in range(20): sys.stderr.write('busy\\n'); time.sleep(0.05)"
    async with runner.run(script, silence=0.7) as child:
        await child.ended()
        assert child.done


FAMILY = """
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    apart = subprocess.Popen([sys.executable, "-c", stubborn], start_new_session=True)
    with open("pids.new", "w") as file:
        print(os.getpid(), child.pid, apart.pid, file=file)
    os.rename("pids.new", "pids")
"""


async def test_stop_ends_the_program_and_all_that_it_started(runner: Runner, tmp_path: Path) -> None:
    async with runner.run(FAMILY + "    time.sleep(60)") as child:
        family = await pids(tmp_path / "pids", 3)
        began = time.monotonic()
        await child.stop()
        assert time.monotonic() - began < 2
        assert child.pid is not None
        assert all(map(gone, [*family, child.pid]))
        assert child.failure is None


async def test_a_program_that_ends_leaves_no_children(runner: Runner, tmp_path: Path) -> None:
    async with runner.run(FAMILY) as child:
        family = await pids(tmp_path / "pids", 3)
        await child.ended()
        assert all(map(gone, family))
        assert child.done


async def test_a_program_that_does_not_obey_is_killed(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.child_process._GRACE", 0.2)
    async with runner.run("signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)") as child:
        await asyncio.sleep(0.1)
        await child.stop()
        assert child.pid is not None
        assert gone(child.pid)


async def test_a_program_is_let_to_finish_its_work(runner: Runner, tmp_path: Path) -> None:
    script = """
        def bye(*_):
            open("bye", "w").close()
            sys.exit(0)
        signal.signal(signal.SIGTERM, bye)
        open("ready", "w").close()
        time.sleep(60)
    """
    async with runner.run(script) as child:
        await until((tmp_path / "ready").exists)
        await child.stop()
    assert (tmp_path / "bye").exists()


AGENT = """
import asyncio, sys
from actors.child_process import ChildProcess, environment
from agents.process_protocol import Command
from agents.spec import AgentSpec

async def main():
    command = Command(tuple(sys.argv[2:]), directory=sys.argv[1])
    child = ChildProcess(command, environment(AgentSpec(id="a", strategy="process"), command))
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("victim", ["agent", "guard"])
async def test_a_kill_of_the_agent_or_of_the_guard_leaves_no_program(runner: Runner, tmp_path: Path, victim: str) -> None:
    command = runner.command(FAMILY.replace("start_new_session=True", "") + "    time.sleep(60)")
    with subprocess.Popen(
        [sys.executable, "-c", AGENT, str(tmp_path), *command.arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as agent:
        assert agent.stdout is not None
        guard = int(agent.stdout.readline())
        program, *children = await pids(tmp_path / "pids", 3)
        os.kill(agent.pid if victim == "agent" else guard, signal.SIGKILL)
        await until(lambda: gone(program))
        if victim == "agent":
            await until(lambda: all(map(gone, [guard, *children])))
        for pid in filter(psutil.pid_exists, children):
            os.kill(pid, signal.SIGKILL)
        agent.kill()


async def test_its_environment_is_the_seeds_and_holds_no_secret(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "POLYGON_WALLET_PRIVATE_KEY", "POLYFLEET_CLUSTER", "RAY_AUTH_TOKEN_PATH", "ANY_OTHER"):
        monkeypatch.setenv(name, "secret")
    async with runner.run("open('env', 'w').write('\\n'.join(os.environ))", environment={"MY_MODEL": "x"}) as child:
        await child.ended()
    names = set((tmp_path / "env").read_text().split())
    seeds = {"PYTHONPATH", "MAX_TRADE_AMOUNT", "MIN_CONFIDENCE", "RISK_TOLERANCE", "AUTO_TRADE"}
    assert names - {"LC_CTYPE"} == seeds | {"PATH", "HOME", "LANG", "PYTHONUNBUFFERED", "MY_MODEL"}


def test_the_seeds_variables_say_what_the_spec_says() -> None:
    venue = Endpoints("http://g", "http://c", "http://d", "http://r", "http://p", "ws://m", "ws://u", simulated=True)
    found = environment(spec(maxTradeAmount="12.50", minConfidence=0.8), Command(("x",), trades=True), venue)
    assert (found["MAX_TRADE_AMOUNT"], found["MIN_CONFIDENCE"]) == ("12.50", "0.8")
    assert (found["RISK_TOLERANCE"], found["AUTO_TRADE"]) == ("MEDIUM", "true")
    assert found["PYTHONPATH"] == str(ROOT)
    assert '"gammaUrl": "http://g"' in found["POLYFLEET_VENUE"]
    assert environment(spec(), Command(("x",)))["AUTO_TRADE"] == "false"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (Command(("no-such-program",)), "there is no program no-such-program"),
        (Command(("./program",)), "there is no program ./program"),
        (Command(("sh",), directory="/no/such"), "there is no directory /no/such"),
    ],
)
async def test_a_program_that_is_not_there_is_told_to_whoever_starts_it(command: Command, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        await ChildProcess(command, environment(spec(), command)).start()


async def test_a_program_is_found_on_the_path_and_relative_to_its_directory(tmp_path: Path) -> None:
    script = tmp_path / "program"
    script.write_text(f"#!/bin/sh\necho '{DECISION}'\n")
    script.chmod(0o755)
    for command in (Command(("./program",), directory=str(tmp_path)), Command(("sh", str(script)))):
        child = ChildProcess(command, environment(spec(), command))
        await child.start()
        await child.ended()
        assert child.lines() == (DECISION,)
        await child.stop()
