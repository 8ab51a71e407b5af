import asyncio
import json
import random
import sys
from pathlib import Path

from actors.ledger import LedgerService
from actors.system import SystemConfig

KILLS = 6
BATCHES = 240


async def until_killed(
    data_dir: Path, unacknowledged: dict[int, list[int]], acknowledged: dict[int, int], answers: int | None
) -> None:
    """Run a ledger, ask it for all that is not acknowledged, and kill it after some answers (None: after the last)."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.contract.ledger.served_ledger", str(data_dir)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    assert await process.stdout.readline() == b"ready\n"
    process.stdin.writelines(json.dumps(counts).encode() + b"\n" for counts in unacknowledged.values())
    answered = 0
    while unacknowledged and answered != answers:
        line = await process.stdout.readline()
        pairs = json.loads(line)
        answered += 1
        for count, seq in pairs:
            assert acknowledged.setdefault(count, seq) == seq
        del unacknowledged[pairs[0][0]]
    process.kill()
    # What it had acknowledged before it died counts as well.
    for line in (await process.communicate())[0].splitlines(keepends=True):
        if line.endswith(b"\n"):
            for count, seq in json.loads(line):
                assert acknowledged.setdefault(count, seq) == seq
            unacknowledged.pop(json.loads(line)[0][0])


async def test_every_acknowledged_event_survives_sigkill_once_and_without_a_gap(tmp_path: Path, database: str) -> None:
    chance = random.Random(7)
    acknowledged: dict[int, int] = {}
    unacknowledged: dict[int, list[int]] = {}
    made = 0
    for kill in range(KILLS + 1):
        for _ in range(BATCHES // KILLS):
            size = chance.randint(1, 8)
            unacknowledged[made] = list(range(made, made + size))
            made += size
        await until_killed(tmp_path, unacknowledged, acknowledged, chance.randint(1, 30) if kill < KILLS else None)
    assert unacknowledged == {}
    assert sorted(acknowledged) == list(range(made))
    assert sorted(acknowledged.values()) == list(range(1, made + 1))

    ledger = LedgerService(SystemConfig(str(tmp_path)))
    await ledger.start()
    after, stored = 0, []
    while events := (await ledger.poll(after)).events:
        stored += [(event.data["n"], event.seq) for event in events]
        after = events[-1].seq
    await ledger.stop()
    assert [seq for _, seq in stored] == list(range(1, made + 1))
    assert dict(stored) == acknowledged
