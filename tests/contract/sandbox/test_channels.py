"""Both WebSocket channels to the letter: who may say what first, the shape of every frame, limits and keep-alives."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from polymarket import AsyncSecureClient
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from actors.sandbox.api.book_objects import book_hash
from agents.money import ONE
from tests.contract.sandbox.served import Served
from tests.contract.sandbox.signing import sign_in

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def receive(socket: ClientConnection) -> Any:
    async with asyncio.timeout(5):
        text = await socket.recv()
    return text if text in ("PONG", "INVALID OPERATION") else json.loads(text)


async def frames(socket: ClientConnection, *types: str) -> dict[str, Any]:
    """Return the first frame of each of these types."""
    found: dict[str, Any] = {}
    while not found.keys() >= set(types):
        for frame in [content] if isinstance(content := await receive(socket), dict) else content:
            found.setdefault(frame["event_type"], frame)
    return found


async def silence(socket: ClientConnection, seconds: float = 0.2) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await socket.recv()


def market(served: Served) -> Any:
    return connect(served.endpoints.market_ws_url, ping_interval=None, proxy=None)


def user(served: Served) -> Any:
    return connect(served.endpoints.user_ws_url, ping_interval=None, proxy=None)


async def send(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


def shape(value: Any) -> Any:
    """Return keys and types of a frame; of a list, those of its first element."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def live(recorded: Path, name: str) -> Any:
    lines = (recorded / "ws" / "live_frames_2026-08-14.jsonl").read_text().splitlines()
    return next(json.loads(row["raw"]) for row in map(json.loads, lines) if row["name"] == name)


async def test_a_subscription_starts_with_one_array_of_the_books_that_exist(served: Served) -> None:
    record = served.market()
    async with market(served) as socket:
        await send(socket, type="market", assets_ids=["1", *record.tokens])
        snapshot = await receive(socket)
        assert [frame["asset_id"] for frame in snapshot] == list(record.tokens)
        await send(socket, operation="subscribe", assets_ids=["2"])
        assert await receive(socket) == []
        second = served.market()
        await send(socket, operation="subscribe", assets_ids=[second.tokens[0], record.tokens[0]])
        assert [frame["asset_id"] for frame in await receive(socket)] == [second.tokens[0]]
    async with market(served) as socket:
        await send(socket, type="market", assets_ids=["1"])
        assert await receive(socket) == []


async def test_a_snapshot_may_be_left_out(served: Served) -> None:
    record = served.market()
    async with market(served) as socket:
        await send(socket, type="market", assets_ids=list(record.tokens), initial_dump=False)
        await silence(socket)


async def test_frames_have_the_shape_of_the_recorded_ones(
    client: AsyncSecureClient, other: AsyncSecureClient, served: Served, recorded: Path, http: httpx.Client
) -> None:
    record = served.market()
    yes, no = record.tokens
    await client.place_limit_order(token_id=yes, price="0.40", size="100", side="BUY")
    await client.place_limit_order(token_id=yes, price="0.39", size="100", side="BUY")
    await client.place_limit_order(token_id=no, price="0.50", size="100", side="BUY")
    async with market(served) as socket:
        await send(socket, type="market", assets_ids=[yes, no], custom_feature_enabled=True)
        initial = await receive(socket)
        theirs = json.loads((recorded / "ws" / "ws_market_initial_frame_2026-10-02.json").read_text())
        assert shape(initial) == shape(theirs)
        rest = http.get("/clob/book", params={"token_id": yes}).json()
        assert rest["hash"] == initial[0]["hash"] == book_hash(rest)
        await other.place_limit_order(token_id=no, price="0.60", size="100", side="BUY")
        found = await frames(socket, "last_trade_price", "price_change", "book", "best_bid_ask")
        assert shape(found["price_change"]) == shape(live(recorded, "priceChangeFrame"))
        assert shape(found["last_trade_price"]) == shape(live(recorded, "lastTradeFrame"))
        assert shape(found["best_bid_ask"]) == shape(live(recorded, "bestBidAskFrame"))
        assert found["book"].keys() == live(recorded, "bookFrame").keys() - {"tick_size", "last_trade_price"}
        served.run(lambda exchange: exchange.change_tick(exchange.floor.listings[record.condition_id], 1000))
        tick = (await frames(socket, "tick_size_change"))["tick_size_change"]
        assert shape(tick) | {} == shape(json.loads((recorded / "ws" / "recorded_tick_size_change.json").read_text()))
        served.market()
        news = (await frames(socket, "new_market"))["new_market"]
        known = json.loads((recorded / "ws" / "ws_new_market_2026-10-02.json").read_text())
        assert {**shape(news), "tags": []} == {**shape(known), "tags": []}
        assert list(news) == list(known)
        served.run(lambda exchange: exchange.resolve(record.condition_id, (ONE, 0)))
        resolved = (await frames(socket, "market_resolved"))["market_resolved"]
        assert resolved.keys() >= {"id", "market", "assets_ids", "winning_asset_id", "winning_outcome", "timestamp", "tags"}


async def test_a_change_tells_both_legs_and_hashes_of_the_books_after_it(
    client: AsyncSecureClient, served: Served, http: httpx.Client
) -> None:
    record = served.market()
    yes, no = record.tokens
    async with market(served) as socket:
        await send(socket, type="market", assets_ids=[no])
        await receive(socket)
        placed = await client.place_limit_order(token_id=yes, price="0.40", size="100", side="BUY")
        assert placed.ok
        change = await receive(socket)
        assert [(row["asset_id"], row["side"], row["price"], row["size"]) for row in change["price_changes"]] == [
            (yes, "BUY", "0.4", "100"),
            (no, "SELL", "0.6", "100"),
        ]
        for row in change["price_changes"]:
            assert row["hash"] == http.get("/clob/book", params={"token_id": row["asset_id"]}).json()["hash"]
        assert (change["price_changes"][1]["best_bid"], change["price_changes"][1]["best_ask"]) == ("0", "0.6")
        await client.cancel_order(order_id=placed.order_id)
        assert [row["size"] for row in (await receive(socket))["price_changes"]] == ["0", "0"]
        await send(socket, operation="unsubscribe", assets_ids=[no])
        await send(socket, operation="subscribe", assets_ids=[])
        await client.place_limit_order(token_id=yes, price="0.41", size="100", side="BUY")
        await silence(socket)


async def test_announcements_come_only_to_who_asked(served: Served) -> None:
    record = served.market()
    async with market(served) as plain, market(served) as custom:
        await send(plain, type="market", assets_ids=[record.tokens[0]])
        await send(custom, type="market", assets_ids=["1"], custom_feature_enabled=True)
        await receive(plain)
        await receive(custom)
        opened = served.market()
        assert (await frames(custom, "new_market"))["new_market"]["condition_id"] == opened.condition_id
        await silence(plain)
        await send(plain, operation="subscribe", assets_ids=[record.tokens[0]], custom_feature_enabled=True)
        await asyncio.sleep(0.05)
        again = served.market()
        assert (await frames(plain, "new_market"))["new_market"]["condition_id"] == again.condition_id


async def test_pings_are_texts_and_one_that_is_too_early_ends_it(served: Served) -> None:
    async with market(served) as socket:
        await send(socket, type="market", assets_ids=["1"])
        await receive(socket)
        await socket.send("PING")
        assert await receive(socket) == "PONG"
    for channel in (market, user):
        async with channel(served) as socket:
            await socket.send("PING")
            with pytest.raises(ConnectionClosed) as closed:
                await receive(socket)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008


@pytest.mark.parametrize(
    "text",
    ["hello", "[]", '{"type":"user"}', '{"operation":"subscribe","assets_ids":["1"]}', '{"type":"market","assets_ids":"1"}'],
)
async def test_what_is_no_subscription_is_an_invalid_operation(served: Served, text: str) -> None:
    async with market(served) as socket:
        await socket.send(text)
        assert await receive(socket) == "INVALID OPERATION"


async def test_a_second_first_frame_is_an_invalid_operation(served: Served) -> None:
    async with market(served) as socket:
        for _ in range(2):
            await send(socket, type="market", assets_ids=["1"])
        # The refusal needs no commit, so it may come first.
        assert sorted([str(await receive(socket)), str(await receive(socket))]) == ["INVALID OPERATION", "[]"]


async def test_beyond_750_assets_the_snapshot_never_comes_and_nothing_says_so(
    client: AsyncSecureClient, served: Served
) -> None:
    record = served.market()
    async with market(served) as socket:
        await send(socket, type="market", assets_ids=[record.tokens[0], *map(str, range(750))])
        await silence(socket)
        await client.place_limit_order(token_id=record.tokens[0], price="0.40", size="100", side="BUY")
        assert (await receive(socket))["event_type"] == "price_change"
    async with market(served) as socket:
        await send(socket, type="market", assets_ids=[record.tokens[0], *map(str, range(749))])
        assert len(await receive(socket)) == 1


async def test_open_sockets_are_counted_until_they_close(served: Served, http: httpx.Client) -> None:
    def counts() -> tuple[int, int]:
        stats = http.get("/sandbox/stats").json()
        return stats["marketConnections"], stats["userConnections"]

    before = counts()
    async with market(served) as first, user(served) as second:
        await send(first, type="market", assets_ids=["1"])
        await receive(first)
        await send(second, type="market")
        await asyncio.sleep(0.05)
        assert counts()[0] == before[0] + 1
    await asyncio.sleep(0.1)
    assert counts() == before


async def test_the_user_channel_opens_only_with_all_three_secrets(served: Served, http: httpx.Client) -> None:
    creds = http.post("/clob/auth/api-key", headers=sign_in(served.wallet(0))).json()
    for wrong in ("apiKey", "secret", "passphrase"):
        async with user(served) as socket:
            await send(socket, type="user", auth=creds | {wrong: "0"}, markets=[])
            with pytest.raises(ConnectionClosed):
                await receive(socket)
    async with user(served) as socket:
        await send(socket, type="user", auth=creds)
        await socket.send("PING")
        assert await receive(socket) == "PONG"
        await send(socket, type="user", auth=creds)
        assert await receive(socket) == "INVALID OPERATION"


async def test_user_frames_have_the_shape_of_the_recorded_ones(
    client: AsyncSecureClient, other: AsyncSecureClient, served: Served, recorded: Path
) -> None:
    record, elsewhere = served.market(), served.market()
    yes, no = record.tokens
    auth = {
        "apiKey": client.credentials.key,
        "secret": client.credentials.secret,
        "passphrase": client.credentials.passphrase,
    }

    def theirs(name: str) -> Any:
        return shape(json.loads((recorded / "ws" / name).read_text()))

    async with user(served) as socket:
        await send(socket, type="user", auth=auth, markets=[record.condition_id])
        await socket.send("PING")
        await receive(socket)
        await client.place_limit_order(token_id=elsewhere.tokens[0], price="0.40", size="10", side="BUY")
        await client.place_limit_order(token_id=yes, price="0.40", size="10", side="BUY")
        placement = await receive(socket)
        assert placement["market"] == record.condition_id
        # Recorded frames say null where a newer one has an empty list.
        assert shape(placement) == theirs("recorded_order_placement.json") | {"associate_trades": []}
        assert (placement["type"], placement["status"], placement["owner"]) == ("PLACEMENT", "LIVE", client.credentials.key)
        await other.place_limit_order(token_id=no, price="0.60", size="6", side="BUY")
        found = await frames(socket, "trade", "order")
        known = theirs("recorded_user_trade3.json")
        assert shape(found["trade"]) == known
        assert (found["trade"]["trader_side"], found["trade"]["owner"]) == ("MAKER", other.credentials.key)
        await client.cancel_market_orders(market=record.condition_id)
        while (cancelled := await receive(socket))["event_type"] != "order":
            pass
        assert shape(cancelled) == theirs("recorded_order_cancel.json") | {"associate_trades": ["str"]}
        assert (cancelled["type"], cancelled["status"]) == ("CANCELLATION", "CANCELED")


async def test_a_frame_comes_after_its_commit(client: AsyncSecureClient, served: Served) -> None:
    record = served.market()
    commits: list[bool] = []
    venue = served.server.venue
    commit = venue.commit

    def counted() -> None:
        commits.append(venue.exchange.floor.journal.urgent)
        commit()

    venue.commit = counted  # type: ignore[method-assign]
    try:
        async with market(served) as socket:
            await send(socket, type="market", assets_ids=[record.tokens[0]])
            await receive(socket)
            commits.clear()
            await client.place_limit_order(token_id=record.tokens[0], price="0.40", size="100", side="BUY")
            assert (await receive(socket))["event_type"] == "price_change"
            assert any(commits)
    finally:
        venue.commit = commit  # type: ignore[method-assign]
