"""From a decision to an accepted order: broker, risk, ledger and signing, against the bare library in the same sandbox."""

import asyncio
import json
import os
import time
from itertools import count
from pathlib import Path
from statistics import median

import aiohttp
from polymarket import AsyncSecureClient

from actors import remote
from actors.polymarket.environment import environment
from agents.model import Decision, Market, MarketView
from agents.money import ONE, text
from agents.ports import Endpoints, Intent
from tests.bench.figures import percentile, show

#: Names the fleet's data directory, where the sandbox wallet's key is.
DATA_DIR = "POLYFLEET_BENCH_DATA_DIR"

ORDERS = 150
#: Seconds between two orders: the venue takes forty a second of a wallet, and the fleet's agents share it.
PAUSE = 0.15
_SIZE = 10 * ONE
_AGENT = "bench-orders"
_WALLET = "main"


async def ordering(url: str) -> None:
    """Place the same quote in turns, through the broker as an agent does and with the library alone; cancel each."""
    broker, feed = remote.broker_of(_WALLET), remote.market_feed()
    async with aiohttp.ClientSession(url) as api:
        spec = {"id": _AGENT, "strategy": "momentum", "budget": 100, "enabled": False, "wallet": _WALLET}
        async with api.post("/api/agents", json=spec) as response:
            response.raise_for_status()
        async with api.get("/api/fleet") as response:
            addresses = (await response.json())["venue"]
    await broker.admit(_AGENT, 0, await remote.ledger().head())
    names = {"gamma", "clob", "data", "relayer", "rpc"}
    hosts = {f"{name}_url": addresses[f"{name}Url"] for name in names}
    hosts |= {"market_ws_url": addresses["marketWsUrl"], "user_ws_url": addresses["userWsUrl"]}
    wallet = json.loads((Path(os.environ[DATA_DIR]) / "wallets" / f"{_WALLET}.json").read_text())
    client = await AsyncSecureClient.create(
        private_key=wallet["privateKey"],
        wallet=wallet["address"],
        environment=environment(Endpoints(**hosts, simulated=True)),
    )
    ours, base, numbers = [], [], count(1)
    market = _quiet((await feed.snapshot()).changed)
    try:
        for _ in range(ORDERS):
            began = time.perf_counter()
            reply = await client.place_limit_order(
                token_id=market.tokens[0], price=text(market.tick), size=text(_SIZE), side="BUY", post_only=True
            )
            base.append((time.perf_counter() - began) * 1000)
            assert reply.ok, reply
            await client.cancel_order(order_id=reply.order_id)
            await asyncio.sleep(PAUSE)
            decision = Decision(market, market.tokens[0], "buy", market.tick, _SIZE, 1.0, "a measurement", quote=True)
            began = time.perf_counter()
            [placed] = await broker.execute(_AGENT, 0, [Intent(f"{_AGENT}/{next(numbers)}", decision)])
            ours.append((time.perf_counter() - began) * 1000)
            assert placed.status == "live", placed
            await broker.cancel_agent(_AGENT)
            await asyncio.sleep(PAUSE)
    finally:
        await client.close()
    added = median(ours) - median(base)
    show("decision to accepted order, p50", median(ours), "ms", f"p99 {percentile(ours, 0.99):.1f}")
    note = f"p99 {percentile(base, 0.99):.1f}; ours adds {added:.1f} ms  (goal <= 10)"
    show("the library's place_limit_order, p50", median(base), "ms", note)


def _quiet(views: tuple[MarketView, ...]) -> Market:
    """Return an open market whose best bid is far above the order's, so that it only rests."""
    return max((view for view in views if view.market.end), key=lambda view: (view.books[0].bid or 0, view.market.end)).market
