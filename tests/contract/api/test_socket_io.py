"""The official npm client, and the raw protocol where a client would be too polite."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from agents.events import Type
from supervisor.api.socket_io import CAPACITY
from tests.contract.api.served import Served
from tests.node_packages import FOLDER, node

#: Seconds for what is certain to come.
SOON = 20.0

#: The seed's document, outside the project.
SEED = Path(__file__).parents[4] / "shared" / "seed.md"

WEBSOCKET = {"path": "/ws", "transports": ["websocket"]}
POLLING_FIRST = {"path": "/ws"}
POLLING = {"path": "/ws", "transports": ["polling"]}


class Listener:
    """A Node process that writes what it hears."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.transport: str | None = None

    async def line(self) -> str:
        """Return the next line that it writes."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), SOON)
        assert line, "the process has ended"
        return line.decode().rstrip("\n")

    async def hear(self) -> tuple[str, Any]:
        """Return the next event and its data; note the transport that it came over."""
        found = json.loads(await self.line())
        self.transport = found.get("transport")
        return found["event"], found["data"]

    async def until(self, event: str) -> Any:
        """Return the data of the next such event; others before it are dropped."""
        while True:
            name, data = await self.hear()
            if name == event:
                return data


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[Listener]:
    """Run Node until the block ends."""
    program = await asyncio.to_thread(node)
    process = await asyncio.create_subprocess_exec(
        program, *arguments, cwd=FOLDER, stdout=asyncio.subprocess.PIPE, limit=10_000_000
    )
    try:
        yield Listener(process)
    finally:
        process.kill()
        await process.communicate()


def listening(fleet: Served, options: dict[str, Any], *emit: str) -> Any:
    return running("listen.mjs", fleet.url, json.dumps(options), *emit)


@pytest.mark.parametrize("options", [WEBSOCKET, POLLING_FIRST, POLLING, {"path": "/ws/", "transports": ["websocket"]}])
async def test_a_client_gets_history_then_each_event_in_both_forms(fleet: Served, options: dict[str, Any]) -> None:
    for n in range(25):
        await fleet.agent.log(Type.INFO, message=f"n{n}")
    async with listening(fleet, options) as client:
        assert await client.hear() == ("connect", None)
        event, history = await client.hear()
        assert event == "history"
        await fleet.agent.log(Type.DECISION, Type.ORDER, Type.TRADE)
        heard = [await client.hear() for _ in range(5)]
    assert [note["message"] for note in history] == [f"n{n}" for n in range(5, 25)]
    assert [event for event, _ in heard] == ["notification", "ai-decision", "order", "notification", "trade"]
    assert heard[0][1]["type"] == "ai-decision"
    assert heard[1][1]["reasoning"] == "clouds"
    assert heard[3][1]["title"] == "Trade Executed: BUY Will it rain?"
    trade = heard[4][1]
    assert {"id", "timestamp", "type", "token", "action", "amount", "profit", "txHash"} <= trade.keys()
    assert (trade["type"], trade["action"], trade["amount"]) == ("polymarket", "buy", 2.5)


#: What the document's programs write, in order: the one with `transports`, and the one without.
WRITTEN = [
    [
        "Connected to WebSocket server",
        "Notification history: []",
        "Received notification: {",
        "AI Decision: {",
        "Received notification: {",
        "Trade executed: {",
    ],
    ["Connected!", "Notification: {", "Notification: {"],
]


@pytest.mark.parametrize("number", [0, 1])
async def test_the_programs_of_the_seeds_document_run_as_they_are(fleet: Served, number: int) -> None:
    """Only the address differs: the document's port is a running fleet's."""
    if not SEED.exists():
        pytest.skip(f"the seed's document is not at {SEED}")
    blocks = [block.partition("```")[0].partition("\n")[2] for block in SEED.read_text().split("```")[1::2]]
    program = [block for block in blocks if "socket.io-client" in block][number].replace("http://localhost:3001", fleet.url)
    assert fleet.url in program
    kind = "module" if "import " in program else "commonjs"
    greeting, expected = (2, WRITTEN[0]) if number == 0 else (1, WRITTEN[1])
    async with running(f"--input-type={kind}", "--eval", program) as client:
        written = [await client.line() for _ in range(greeting)]
        await fleet.agent.log(Type.DECISION, Type.TRADE)
        while len(written) < len(expected):
            line = await client.line()
            written += [line] if line in expected else []
    assert written == expected


async def test_a_ping_is_answered_and_an_acknowledgement_is_taken(fleet: Served) -> None:
    async with listening(fleet, WEBSOCKET, "ping", "{}") as client:
        pong = await client.until("pong")
        assert abs(pong["timestamp"] - fleet.context.clock()) < 20_000
    async with listening(fleet, POLLING, "notification-ack", '"agent:default/1/1"') as client:
        assert await client.until("answered") is None


async def test_with_a_token_a_client_says_it_in_auth_or_in_a_header(guarded: Served) -> None:
    in_auth, in_header = {"auth": {"token": "s3cret"}}, {"extraHeaders": {"Authorization": "Bearer s3cret"}}
    for admitted in (WEBSOCKET | in_auth, WEBSOCKET | in_header, POLLING | in_auth, POLLING_FIRST | in_auth):
        async with listening(guarded, admitted) as client:
            assert await client.hear() == ("connect", None)
    refusal = ("connect_error", "This fleet needs a token; connect with auth: { token }")
    for options in (WEBSOCKET, POLLING | {"auth": {"token": "wrong"}}, WEBSOCKET | {"auth": {"token": 1}}):
        async with listening(guarded, options) as client:
            assert await client.hear() == refusal


async def test_a_client_that_polls_first_goes_over_to_websocket_and_misses_nothing(fleet: Served) -> None:
    async with listening(fleet, POLLING_FIRST) as client:
        await client.until("history")
        heard: list[str] = []
        while client.transport != "websocket":
            await fleet.agent.log(Type.ORDER, orderId=f"o{len(heard)}")
            heard.append((await client.hear())[1]["orderId"])
        assert heard == [f"o{n}" for n in range(len(heard))]
    async with listening(fleet, POLLING) as client:
        await client.until("history")
        for _ in range(10):
            await fleet.agent.log(Type.ORDER)
            assert await client.until("order")
            assert client.transport == "polling"


@pytest.mark.parametrize("options", [WEBSOCKET, POLLING])
async def test_a_client_comes_back_by_itself_when_the_hub_is_replaced(fleet: Served, options: dict[str, Any]) -> None:
    async with listening(fleet, options | {"reconnectionDelay": 10, "reconnectionDelayMax": 100}) as client:
        assert await client.until("history") == []
        await fleet.agent.log(Type.INFO, message="before")
        assert (await client.until("info"))["message"] == "before"
        await fleet.stop_hub()
        assert await client.until("disconnect") in ("transport close", "transport error")
        await fleet.start_hub()
        assert [note["message"] for note in await client.until("history")] == ["before"]
        await fleet.agent.log(Type.INFO, message="after")
        assert (await client.until("info"))["message"] == "after"


class Raw:
    """A long-polling client of Engine.IO 4 that does only what it is told."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._query = {"EIO": "4", "transport": "polling"}

    async def connect(self) -> None:
        """Open a session and connect to the default namespace."""
        opened = await self.poll()
        self._query["sid"] = json.loads(opened[1:])["sid"]
        await self._http.post("/ws/", params=self._query, content="40")

    async def poll(self) -> str:
        """Return what one request brings."""
        answer = await self._http.get("/ws/", params=self._query)
        answer.raise_for_status()
        return answer.text


async def test_a_client_that_does_not_read_is_dropped_and_delays_nobody(fleet: Served) -> None:
    async with httpx.AsyncClient(base_url=fleet.url, trust_env=False) as http, listening(fleet, WEBSOCKET) as quick:
        await quick.until("history")
        slow = Raw(http)
        await slow.connect()
        for n in range(CAPACITY // 100 + 5):
            await fleet.agent.log(*[Type.ORDER] * 100, orderId=f"o{n}")
            assert [(await quick.until("order"))["orderId"] for _ in range(100)] == [f"o{n}"] * 100
        with pytest.raises(httpx.HTTPStatusError, match="400"):
            await slow.poll()


async def test_no_client_hears_an_event_twice_that_its_history_has(fleet: Served) -> None:
    """Clients connect while events are stored all the time: history and live meet without gap or overlap."""
    done = asyncio.Event()

    async def write() -> None:
        n = 0
        while not done.is_set():
            await fleet.agent.log(Type.INFO, message=str(n))
            n += 1
            await asyncio.sleep(0.002)

    writing = asyncio.create_task(write())
    async with listening(fleet, WEBSOCKET) as one, listening(fleet, POLLING_FIRST) as two:
        for client in (one, two):
            seen = [int(note["message"]) for note in await client.until("history")]
            seen += [int((await client.until("notification"))["message"]) for _ in range(200)]
            assert seen == list(range(seen[0], seen[0] + len(seen)))
    done.set()
    await writing


async def test_what_is_no_socket_io_is_refused(fleet: Served) -> None:
    async with httpx.AsyncClient(base_url=fleet.url, trust_env=False) as http:
        for query, status in (("EIO=3&transport=polling", 400), ("EIO=4&transport=pigeon", 400), ("EIO=4&sid=nobody", 400)):
            assert (await http.get(f"/ws/?{query}")).status_code == status
        answer = await http.get("/ws")
        assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
        assert answer.json() == {"error": "/ws speaks WebSocket and Socket.IO; connect with one of them"}
        polling = "/ws/?EIO=4&transport=polling"
        assert (await http.get(polling, headers={"Origin": "https://evil.example"})).status_code == 403
        frontend = {"Origin": "http://localhost:3000"}
        answer = await http.get(polling, headers=frontend)
        assert answer.headers.get_list("access-control-allow-origin") == ["http://localhost:3000"]
        assert answer.headers.get_list("access-control-allow-credentials") == ["true"]
        preflight = frontend | {"Access-Control-Request-Method": "POST"}
        assert (await http.options(polling, headers=preflight)).status_code == 200
