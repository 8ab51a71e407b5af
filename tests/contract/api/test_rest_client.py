"""The client of the command line against the real applications."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from queue import Queue
from threading import Thread
from typing import Any, ParamSpec, TypeVar

import pytest

from agents.errors import Conflict, InvalidInput, NotFound, PolyfleetError, Unavailable
from agents.events import Type
from supervisor.rest_client import FleetClient
from tests.contract.api.served import Served

P = ParamSpec("P")
T = TypeVar("T")
Reach = Callable[..., FleetClient]


async def call(ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await asyncio.to_thread(ask, *args, **kwargs)


def first(client: FleetClient, *filters: list[str]) -> dict[str, Any]:
    """Return the first event of the log."""
    with closing(client.follow(0, *filters)) as events:
        return next(events)


@pytest.fixture
def reach() -> Iterator[Reach]:
    """Return what makes clients, and close them at the end."""
    with ExitStack() as clients:
        yield lambda url, token=None: clients.enter_context(FleetClient(url, token))


async def test_it_asks_and_changes(fleet: Served, reach: Reach) -> None:
    client = reach(fleet.url + "/")
    spec = {"id": "a", "strategy": "momentum", "enabled": False}
    assert (await call(client.post, "/api/agents", spec))["id"] == "a"
    assert (await call(client.patch, "/api/agents/a", {"budget": 5}))["spec"]["budget"] == 5
    assert (await call(client.get, "/api/events", after=1, limit=1))["events"][0]["seq"] == 2
    assert (await call(client.get, "/ready"))["ready"] is True
    fleet.stand.supervisor.readiness["agents"] = False
    assert (await call(client.get, "/ready"))["ready"] is False
    assert (await call(client.delete, "/api/agents/a")) == {"success": True, "id": "a"}


async def test_what_the_api_refuses_is_raised_with_its_own_sentence(fleet: Served, reach: Reach) -> None:
    client = reach(fleet.url)
    with pytest.raises(NotFound, match=r"^There is no agent 'x'; GET /api/agents lists them$"):
        await call(client.post, "/api/agents/x/stop")
    with pytest.raises(InvalidInput, match=r"^strategy: there is no 'astrology'"):
        await call(client.post, "/api/agents", {"id": "a", "strategy": "astrology"})
    with pytest.raises(InvalidInput, match=r"^limit: Input should be less than or equal to 1000$"):
        await call(client.get, "/api/events", limit=5000)
    await call(client.post, "/api/agents", {"id": "a", "strategy": "momentum", "enabled": False})
    with pytest.raises(Conflict, match=r"^agent a is stopped, and cannot be asked to pause now$"):
        await call(client.post, "/api/agents/a/pause")
    fleet.stand.supervisor.gone = True
    with pytest.raises(Unavailable, match=r"^supervisor is not running now$"):
        await call(client.post, "/api/agents", {"id": "b", "strategy": "momentum"})


async def test_a_fleet_that_is_not_there_is_unavailable(reach: Reach) -> None:
    client = reach("http://127.0.0.1:1")
    with pytest.raises(Unavailable, match=r"no fleet answers at http://127.0.0.1:1 .*start one with `polyfleet up`"):
        await call(client.get, "/health")
    with pytest.raises(Unavailable, match=r"the hub at http://127.0.0.1:1/ws cannot be reached"):
        await call(first, client)


@pytest.mark.parametrize("url", ["localhost:3001", "ftp://x", "http://", "http://x:99999", "http://[::1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"^url: '.*' is no address, expected one such as http://127\.0\.0\.1:3001$"):
        FleetClient(url)


async def test_the_token_opens_rest_and_hub(guarded: Served, reach: Reach) -> None:
    await guarded.agent.log(Type.INFO)
    client = reach(guarded.url, "s3cret")
    assert (await call(client.get, "/api/agents"))["total"] == 0
    assert (await call(first, client))["seq"] == 1
    for token in (None, "wrong"):
        stranger = reach(guarded.url, token)
        with pytest.raises(PolyfleetError, match=r"needs a token"):
            await call(stranger.get, "/api/agents")
        with pytest.raises(InvalidInput, match=r"token is (missing or )?wrong"):
            await call(first, stranger)


async def test_it_follows_through_a_lost_connection(fleet: Served, reach: Reach) -> None:
    heard: Queue[dict[str, Any]] = Queue()

    def follow() -> None:
        for event in reach(fleet.url).follow(0, ["info"], ["default"]):
            heard.put(event)
            if event["data"]["message"] == "end":
                return

    following = Thread(target=follow, daemon=True)
    following.start()
    for n in range(3):
        await fleet.agent.log(Type.INFO, Type.ORDER, message=str(n))
        assert (await call(heard.get, timeout=20))["data"]["message"] == str(n)
        await fleet.stop_hub()
        await fleet.agent.log(Type.INFO, message=f"{n} away")
        await fleet.start_hub()
        assert (await call(heard.get, timeout=20))["data"]["message"] == f"{n} away"
    await fleet.agent.log(Type.INFO, message="end")
    await call(following.join, 20)
    assert heard.get(timeout=1)["data"]["message"] == "end"


async def test_what_the_hub_refuses_to_follow_is_wrong_input(fleet: Served, reach: Reach) -> None:
    with pytest.raises(InvalidInput, match=r"types: 'gossip' is no type of event"):
        await call(first, reach(fleet.url), ["gossip"])
