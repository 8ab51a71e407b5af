"""REST through a real server, as the seed's curl commands and a browser use it."""

from collections.abc import AsyncIterator

import httpx

from agents.events import Type
from tests.contract.api.served import Served


def client(fleet: Served) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=fleet.url, trust_env=False, timeout=20)


async def test_the_seeds_commands(fleet: Served) -> None:
    json = {"Content-Type": "application/json"}
    async with client(fleet) as http:
        body = '{"maxTradeAmount": 100, "minConfidence": 0.75}'
        started = await http.post("/api/polymarket-agent/start", headers=json, content=body)
        assert started.json()["config"] == {"maxTradeAmount": 100, "minConfidence": 0.75}
        await fleet.stand.supervisor.settled()
        await fleet.context.settle((await fleet.agent.log(Type.DECISION, Type.TRADE))[-1])
        status = (await http.get("/api/polymarket-agent/status")).json()
        assert (status["isRunning"], status["totalDecisions"], status["totalTrades"]) == (True, 1, 1)
        decisions = (await http.get("/api/polymarket-agent/decisions?limit=20")).json()
        assert decisions["decisions"][0]["market"] == "Will it rain?"
        trades = (await http.get("/api/polymarket-agent/trades?limit=20")).json()
        assert (trades["trades"][0]["amount"], trades["trades"][0]["profitLoss"]) == (2.5, 0)
        assert (await http.post("/api/polymarket-agent/stop")).json()["success"] is True


async def test_a_large_or_broken_body_is_refused_and_the_connection_lives_on(fleet: Served) -> None:
    async with client(fleet) as http:
        answer = await http.post("/api/settings", content=b"x" * 3_000_000, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["error"]) == (413, "The body is larger than 1000000 bytes")

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(30):
                yield b"x" * 100_000

        answer = await http.post("/api/settings", content=chunks(), headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
        assert (await http.get("/health")).status_code == 200


async def test_no_route_answers_a_request_of_another_web_page(fleet: Served) -> None:
    async with client(fleet) as http:
        described = (await http.get("/openapi.json")).json()
        for path, methods in described["paths"].items():
            for method in methods:
                answer = await http.request(method, path, headers={"Origin": "https://evil.example"})
                assert answer.status_code == 403, (method, path)
    assert await fleet.ledger.head() == 0
