"""A ledger in a process of its own, for tests that kill it.

A line on stdin is a JSON list of counts: the events "agent:a/1/COUNT" to append at once. A line on stdout is their
[count, seq] pairs, written when the ledger has acknowledged them; the first line says that it is ready.
"""

import asyncio
import json
import sys

from actors.ledger import LedgerService
from actors.system import SystemConfig
from agents.events import Event, Type


async def serve(data_dir: str) -> None:
    """Append what is asked for until stdin ends."""
    ledger = LedgerService(SystemConfig(data_dir))
    await ledger.start()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print("ready", flush=True)

    async def append(counts: list[int]) -> None:
        events = [Event(f"agent:a/1/{n}", Type.INFO, "agent:a", "a", 1, n, {"n": n, "text": "x" * 200}) for n in counts]
        print(json.dumps(list(zip(counts, await ledger.append(events), strict=True))), flush=True)

    tasks = set()
    while line := await reader.readline():
        tasks.add(task := asyncio.create_task(append(json.loads(line))))
        task.add_done_callback(tasks.discard)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
