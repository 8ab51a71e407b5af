"""Named faults as any bot meets them: over the wire of a served venue, switched on by `/sandbox/faults`."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from polymarket import AsyncSecureClient
from polymarket.errors import RateLimitError, RequestRejectedError
from websockets.asyncio.client import connect

from actors.polymarket.environment import environment
from agents.model import Side
from tests.contract.broker.rival import Rival
from tests.contract.sandbox.served import Served


@pytest.fixture
def control(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, trust_env=False) as client:
        yield client
        client.delete("/sandbox/faults")


@pytest.fixture
async def client(served: Served) -> AsyncIterator[AsyncSecureClient]:
    wallet = served.wallet()
    client = await AsyncSecureClient.create(
        private_key=wallet.key, wallet=wallet.address, environment=environment(served.endpoints)
    )
    yield client
    await client.close()


def switch(control: httpx.Client, **faults: object) -> None:
    answer = control.post("/sandbox/faults", json={name.replace("_", "-"): value for name, value in faults.items()})
    assert answer.status_code == 200, answer.text


def test_faults_are_listed_switched_and_refused(control: httpx.Client) -> None:
    answer = control.get("/sandbox/faults").json()
    assert answer["on"] == {}
    assert "restart" in answer["known"]
    switch(control, restart="5", failed=0.25)
    assert control.get("/sandbox/faults").json()["on"] == {"restart": "5", "failed": "0.25"}
    switch(control, restart=None)
    assert control.get("/sandbox/faults").json()["on"] == {"failed": "0.25"}
    wrongs: list[Any] = [{"nonsense": 1}, {"failed": 3}, [], "x"]
    for wrong in wrongs:
        refused = control.post("/sandbox/faults", json=wrong)
        assert (refused.status_code, list(refused.json())) == (400, ["error"])
    assert control.delete("/sandbox/faults").json()["on"] == {}


async def test_the_library_recognises_what_the_venue_says(
    served: Served, control: httpx.Client, client: AsyncSecureClient
) -> None:
    token = served.market().tokens[0]

    async def refusal() -> tuple[int, str | None]:
        with pytest.raises(RequestRejectedError) as caught:
            await client.place_limit_order(token_id=token, price="0.4", size="10", side="BUY")
        return caught.value.status, caught.value.restriction

    switch(control, restart="60")
    assert await refusal() == (425, "restarting")
    switch(control, restart=None, post_only="60")
    assert await refusal() == (503, "post_only")
    quote = await client.place_limit_order(token_id=token, price="0.4", size="10", side="BUY", post_only=True)
    assert quote.ok
    switch(control, cancel_only="60")
    assert await refusal() == (503, "cancel_only")
    assert (await client.cancel_order(order_id=quote.order_id)).canceled == (quote.order_id,)
    switch(control, cancel_only=None, post_only=None, timeout_before=1)
    assert await refusal() == (500, None)
    switch(control, timeout_before=None, forbidden=1)
    with pytest.raises(RequestRejectedError, match="blocked by Cloudflare with status 403"):
        await client.place_limit_order(token_id=token, price="0.4", size="10", side="BUY")
    assert [order async for order in client.list_open_orders().iter_items()] == []
    switch(control, forbidden=None, timeout_after=1)
    assert await refusal() == (500, None)
    assert len([order async for order in client.list_open_orders().iter_items()]) == 1


async def test_a_signer_is_refused_beyond_its_rate(served: Served, control: httpx.Client, client: AsyncSecureClient) -> None:
    token = served.market().tokens[0]
    switch(control, rate_limit=0.025)  # One order a second, and one at once.

    async def place() -> Any:
        return await client.place_limit_order(token_id=token, price="0.4", size="10", side="BUY")

    assert (await place()).ok
    with pytest.raises(RateLimitError) as caught:
        await place()
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 1
    await asyncio.sleep(1.1)
    assert (await place()).ok


async def test_a_request_that_hangs_is_handled_or_not(served: Served, control: httpx.Client) -> None:
    switch(control, hang=1)
    async with httpx.AsyncClient(base_url=served.endpoints.clob_url, trust_env=False, timeout=0.5) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.get("/ok")
        switch(control, hang=None)
        assert (await http.get("/ok")).status_code == 200


async def test_a_frozen_market_socket_answers_pings_and_tells_nothing(served: Served, control: httpx.Client) -> None:
    record = served.market()
    first = json.dumps({"assets_ids": [record.tokens[0]], "type": "market", "custom_feature_enabled": True})
    rival = Rival(served)
    async with connect(served.endpoints.market_ws_url, proxy=None) as old:
        await old.send(first)
        assert json.loads(await old.recv())[0]["event_type"] == "book"
        switch(control, frozen_market="")
        rival.rest(record.tokens[0], Side.BUY, "0.3", "10")
        await old.send("PING")
        assert await old.recv() == "PONG"
        async with connect(served.endpoints.market_ws_url, proxy=None) as new:
            await new.send(first)
            assert json.loads(await new.recv())[0]["bids"] == [{"price": "0.3", "size": "10"}]
            rival.rest(record.tokens[0], Side.BUY, "0.31", "10")
            assert json.loads(await new.recv())["event_type"] == "price_change"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await old.recv()
