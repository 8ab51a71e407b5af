"""From a decision to an accepted order: broker, risk, ledger and signing, against the bare library in the same sandbox."""

import asyncio
import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import ray

from actors import remote
from agents.model import Market, MarketView
from agents.money import ONE, text
from agents.ports import Endpoints
from tests.bench.figures import percentile, show

#: Names the fleet's data directory, where the sandbox wallet's key is.
DATA_DIR = "POLYFLEET_BENCH_DATA_DIR"

ORDERS = 100
#: Seconds between two orders: the venue takes forty a second of a wallet, and the fleet's agents share it.
PAUSE = 0.15
_SIZE = 10 * ONE
#: Far above a price of one tick.
_FAR = ONE // 5
_AGENT = "bench-orders"
_WALLET = "main"


class Trader:
    """An actor, as an agent is, that places a quote of one tick through the broker, and one with the library alone."""

    async def start(self, endpoints: Endpoints, wallet: Mapping[str, str]) -> None:
        """Have the agent admitted, and connect the library."""
        from polymarket import AsyncSecureClient

        from actors.polymarket.environment import environment

        self._broker, self._ledger = remote.broker_of(_WALLET), remote.ledger()
        self._known = await self._ledger.head()
        await self._broker.admit(_AGENT, 0, self._known)
        self._client = await AsyncSecureClient.create(
            private_key=wallet["privateKey"], wallet=wallet["address"], environment=environment(endpoints)
        )

    async def alone(self, market: Market) -> float:
        """Place and cancel with the library; return the milliseconds until the venue had accepted the order."""
        began = time.perf_counter()
        reply = await self._client.place_limit_order(
            token_id=market.tokens[0], price=text(market.tick), size=text(_SIZE), side="BUY", post_only=True
        )
        seconds = time.perf_counter() - began
        assert reply.ok, reply
        await self._client.cancel_order(order_id=reply.order_id)
        return seconds * 1000

    async def decided(self, market: Market, name: str) -> tuple[float, float]:
        """Place and cancel as an agent; return the milliseconds until the order was accepted, and until that was answered."""
        from agents.events import Type
        from agents.model import Decision
        from agents.ports import Intent

        decision = Decision(market, market.tokens[0], "buy", market.tick, _SIZE, 1.0, "a measurement", quote=True)
        began, wall = time.perf_counter(), time.time()
        [placed] = await self._broker.execute(_AGENT, 0, [Intent(name, decision)])
        seconds = time.perf_counter() - began
        assert placed.status == "live", placed
        # The broker writes this down when it has the venue's answer; to log that comes after.
        batch = await self._ledger.poll(self._known, agent=_AGENT, types=[Type.ORDER])
        [live] = [event for event in batch.events if event.data["status"] == "live"]
        await self._broker.cancel_agent(_AGENT)
        self._known = batch.next
        return live.timestamp - wall * 1000, seconds * 1000

    async def stop(self) -> None:
        """Close the library's connections."""
        await self._client.close()


async def ordering(url: str) -> None:
    """Place both in turns: with the fleet's agents paused, as the goal speaks of what one order costs, and while they trade."""
    async with aiohttp.ClientSession(url) as api:
        async with api.get("/api/agents") as response:
            ids = [agent["id"] for agent in (await response.json())["agents"]]
        spec = {"id": _AGENT, "strategy": "momentum", "budget": 100, "enabled": False, "wallet": _WALLET}
        async with api.post("/api/agents", json=spec) as response:
            response.raise_for_status()
        async with api.get("/api/fleet") as response:
            addresses = (await response.json())["venue"]
        hosts = {f"{name}_url": addresses[f"{name}Url"] for name in ("gamma", "clob", "data", "relayer", "rpc")}
        hosts |= {"market_ws_url": addresses["marketWsUrl"], "user_ws_url": addresses["userWsUrl"]}
        wallet = json.loads((Path(os.environ[DATA_DIR]) / "wallets" / f"{_WALLET}.json").read_text())
        trader = ray.remote(Trader).options(num_cpus=0).remote()
        await trader.start.remote(Endpoints(**hosts, simulated=True), wallet)
        await _ask(api, ids, "pause")
        await _compare(trader, "agents paused", "  (goal <= 10)")
        await _ask(api, ids, "resume")
        await _compare(trader, f"{len(ids)} trading", "")
        await trader.stop.remote()
        # The parts after this one speak of the fleet's own agents.
        async with api.delete(f"/api/agents/{_AGENT}") as response:
            response.raise_for_status()


async def _compare(trader: Any, name: str, goal: str) -> None:
    feed = remote.market_feed()
    accepted, answered, alone = [], [], []
    for number in range(ORDERS):
        market = _quiet((await feed.snapshot()).changed)
        alone.append(await trader.alone.remote(market))
        await asyncio.sleep(PAUSE)
        until_accepted, until_answered = await trader.decided.remote(market, f"{_AGENT}/{name}/{number}")
        accepted.append(until_accepted)
        answered.append(until_answered)
        await asyncio.sleep(PAUSE)
    logged = f"p99 {percentile(accepted, 0.99):.1f}; logged as such after {median(answered):.1f}"
    show(f"decision to accepted order, {name}, p50", median(accepted), "ms", logged)
    added = f"p99 {percentile(alone, 0.99):.1f}; ours adds {median(accepted) - median(alone):.1f} ms{goal}"
    show("the library's place_limit_order, p50", median(alone), "ms", added)


async def _ask(api: aiohttp.ClientSession, ids: Iterable[str], action: str) -> None:
    for id in ids:
        async with api.post(f"/api/agents/{id}/{action}") as response:
            response.raise_for_status()


def _quiet(views: tuple[MarketView, ...]) -> Market:
    """Return the open market with the latest end whose best bid is far above the order's, so that it only rests."""
    resting = (view for view in views if view.market.takes_orders and view.market.end and (view.books[0].bid or 0) > _FAR)
    return max(resting, key=lambda view: view.market.end or 0).market
