import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from actors.ledger import LedgerService
from agents.audit import LONGEST
from agents.errors import Unavailable
from agents.events import Type
from supervisor.api.access import Access, Caller, digest
from supervisor.api.asgi import rest_app
from supervisor.api.context import FleetContext
from supervisor.api.scopes import Scope
from supervisor.core.claims import Claims
from supervisor.event_line import event_line
from tests.unit.supervisor.api.stand import Stand, lifespan

Api = httpx.AsyncClient

ACCESS = Access(tokens=tuple((Caller(name, Scope.ADMIN), digest(name)) for name in ("alice", "bob")))
PATHS = {"id": "a", "strategy": "momentum", "enabled": False}


class Fleet:
    """Replicas of one fleet, of which each has a context of its own."""

    def __init__(self, ledger: LedgerService) -> None:
        self.stand = Stand(ledger, {"POLYFLEET_RATE_LIMIT_CONTROL": "off", "POLYFLEET_RATE_LIMIT_READ": "off"})
        self.contexts: list[FleetContext] = []
        self._stack = AsyncExitStack()

    async def replica(self, by: str = "alice") -> Api:
        context = self.stand.context(f"replica{len(self.contexts)}")
        self.contexts.append(context)
        app = rest_app(context, ACCESS)
        await self._stack.enter_async_context(lifespan(app))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {by}"}
        client = await self._stack.enter_async_context(Api(transport=transport, base_url="http://localhost", headers=headers))
        await context.follower.reached(0, 5.0)
        return client

    async def audited(self) -> list[dict[str, Any]]:
        events = (await self.stand.ledger.poll(0, types=[Type.AUDIT])).events
        return [event.data for event in events]

    async def close(self) -> None:
        await self._stack.aclose()


@pytest.fixture
async def fleet(ledger: LedgerService) -> AsyncIterator[Fleet]:
    fleet = Fleet(ledger)
    yield fleet
    await fleet.close()


def key(value: str) -> dict[str, str]:
    return {"Idempotency-Key": value}


async def held_stop(fleet: Fleet, api: Api, *, seen_by: Api) -> asyncio.Task[httpx.Response]:
    """Ask with a key for a stop, which is then under way until the supervisor is no longer held."""
    await api.post("/api/agents", json=PATHS | {"enabled": True})
    await fleet.stand.supervisor.settled()
    fleet.stand.supervisor.hold(True)
    stopping = asyncio.create_task(api.post("/api/agents/a/stop", headers=key("k")))
    while (await seen_by.get("/api/agents/a")).json()["state"] != "stopping":
        await asyncio.sleep(0)
    return stopping


async def test_each_change_is_one_event_that_says_who_asked_for_it(fleet: Fleet) -> None:
    api = await fleet.replica("bob")
    await api.post("/api/agents", json=PATHS, headers={"X-Correlation-ID": "abc"})
    await api.post("/api/agents/a/start")
    await api.post("/api/settings", json={"password": "hunter2"})
    await api.get("/api/agents")
    assert (await api.post("/api/agents/a/resume")).status_code == 409
    assert (await api.post("/api/agents/nobody/start")).status_code == 404
    assert (await api.post("/api/agents", json={})).status_code == 422
    found = (await api.get("/api/events", params={"type": "audit"})).json()["events"]
    assert [event["data"] | {"correlationId": ""} for event in found] == [
        {"by": "bob", "method": "POST", "path": path, "status": status, "correlationId": ""}
        for path, status in (("/api/agents", 201), ("/api/agents/a/start", 200), ("/api/settings", 200))
    ]
    assert found[0]["data"]["correlationId"] == "abc"
    assert [event["agentId"] for event in found] == [None, "a", None]
    assert event_line(found[1]).endswith("a                        bob POST /api/agents/a/start: 200")


async def test_a_failure_is_told_since_it_may_have_changed_something(fleet: Fleet) -> None:
    api = await fleet.replica()
    fleet.stand.supervisor.gone = True
    assert (await api.post("/api/fleet/reload")).status_code == 503
    assert [data["status"] for data in await fleet.audited()] == [503]


async def test_a_change_that_the_log_does_not_take_is_not_called_done(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    api = await fleet.replica()

    async def away(*args: Any) -> None:
        raise Unavailable("ledger is not running now")

    monkeypatch.setattr(FleetContext, "log", away)
    answer = await api.post("/api/settings", json={})
    assert answer.status_code == 503
    assert answer.json()["error"].startswith(
        "It was answered with 200, but the log does not take that it was asked for: ledger"
    )


async def test_a_key_gives_the_first_answer_again_on_every_replica_and_does_nothing(fleet: Fleet) -> None:
    first, other = await fleet.replica(), await fleet.replica()
    created = await first.post("/api/agents", json=PATHS, headers=key("k1"))
    assert created.status_code == 201
    assert "idempotent-replayed" not in created.headers
    fleet.stand.supervisor.claims = Claims()  # what a new life of the supervisor knows
    for api in (first, other, await fleet.replica()):
        again = await api.post("/api/agents", json=PATHS, headers=key("k1"))
        assert (again.status_code, again.json()) == (201, created.json())
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["content-type"] == "application/json"
    assert len(await fleet.audited()) == 1
    assert (await first.post("/api/agents", json=PATHS)).status_code == 409, "without the key it is another request"


async def test_a_refusal_is_given_again_too(fleet: Fleet) -> None:
    api = await fleet.replica()
    refused = await api.post("/api/agents/a/start", headers=key("k"))
    assert refused.status_code == 404
    await api.post("/api/agents", json=PATHS)
    again = await api.post("/api/agents/a/start", headers=key("k"))
    assert (again.status_code, again.json()) == (404, refused.json())
    assert (await api.post("/api/agents/a/start", headers=key("k2"))).status_code == 200


async def test_a_key_is_for_one_request_and_one_caller(fleet: Fleet) -> None:
    api, bob = await fleet.replica(), await fleet.replica("bob")
    await api.post("/api/settings", json={"a": 1}, headers=key("k"))
    for path, body in (("/api/settings", {"a": 2}), ("/api/settings?x=1", {"a": 1}), ("/api/fleet/reload", None)):
        answer = await api.post(path, json=body, headers=key("k"))
        assert answer.status_code == 422
        assert answer.json()["error"].startswith("This Idempotency-Key was used with another request")
    assert (await bob.post("/api/settings", json={"a": 2}, headers=key("k"))).json()["settings"]["a"] == 2


async def test_while_a_request_is_under_way_its_key_is_taken(fleet: Fleet) -> None:
    first, other = await fleet.replica(), await fleet.replica()
    stopping = await held_stop(fleet, first, seen_by=other)
    for api in (first, other):
        answer = await api.post("/api/agents/a/stop", headers=key("k"))
        assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")
        assert "under way" in answer.json()["error"]
    fleet.stand.supervisor.hold(False)
    done = await stopping
    assert (done.status_code, done.json()["state"]) == (200, "stopped")
    assert (await other.post("/api/agents/a/stop", headers=key("k"))).json() == done.json()


async def test_a_client_that_goes_away_gets_the_answer_with_its_key_later(fleet: Fleet) -> None:
    api = await fleet.replica()
    stopping = await held_stop(fleet, api, seen_by=api)
    stopping.cancel()
    await asyncio.gather(stopping, return_exceptions=True)
    fleet.stand.supervisor.hold(False)
    while (answer := await api.post("/api/agents/a/stop", headers=key("k"))).status_code == 409:
        await asyncio.sleep(0)
    assert (answer.status_code, answer.json()["state"]) == (200, "stopped")
    assert [data["path"] for data in await fleet.audited()] == ["/api/agents", "/api/agents/a/stop"]


async def test_a_failure_leaves_the_key_free(fleet: Fleet) -> None:
    api = await fleet.replica()
    broken = fleet.stand.supervisor.reload

    async def away() -> Any:
        raise Unavailable("supervisor did not answer reload within 30 s")

    fleet.stand.supervisor.reload = away  # type: ignore[method-assign]
    assert (await api.post("/api/fleet/reload", headers=key("k"))).status_code == 503
    fleet.stand.supervisor.reload = broken  # type: ignore[method-assign]
    assert (await api.post("/api/fleet/reload", headers=key("k"))).status_code == 200


async def test_without_the_supervisor_nothing_is_promised(fleet: Fleet) -> None:
    api = await fleet.replica()
    fleet.stand.supervisor.gone = True
    assert (await api.post("/api/settings", json={}, headers=key("k"))).status_code == 503
    assert await fleet.stand.ledger.document("settings") is None


async def test_a_key_and_an_answer_have_bounds(fleet: Fleet) -> None:
    api = await fleet.replica()
    for wrong in ("", "a b", "x" * 256):
        answer = await api.post("/api/settings", json={}, headers=key(wrong))
        assert (answer.status_code, answer.json()["error"].startswith("Idempotency-Key: expected")) == (400, True)
    large = {"a": "x" * LONGEST}
    assert (await api.post("/api/settings", json=large, headers=key("k"))).status_code == 200
    answer = await api.post("/api/settings", json=large, headers=key("k"))
    assert (answer.status_code, "answered with 200" in answer.json()["error"]) == (409, True)


async def test_the_log_has_neither_keys_nor_bodies(fleet: Fleet) -> None:
    api = await fleet.replica()
    await api.post("/api/fleet/kill-switch", json={"reason": "canary-body"}, headers=key("canary-key"))
    [data] = await fleet.audited()
    assert "canary-key" not in str(data)
    assert data.keys() == {"by", "method", "path", "status", "correlationId", "key", "fingerprint", "answer"}
    assert (await api.post("/api/settings", json={"canary": 1})).status_code == 200
    assert "canary" not in str((await fleet.audited())[1:])
