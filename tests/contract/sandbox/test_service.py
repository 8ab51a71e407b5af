"""The venue as a service of the fleet: the same wire, in the loop of its actor."""

import asyncio
import os
import socket
from pathlib import Path

import httpx
import pytest

from actors.sandbox.service import SandboxService
from actors.system import SystemConfig
from agents.money import ONE
from agents.ports import Endpoints, Wallet
from tests.contract.sandbox.served import quiet_market

ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"


def config(folder: Path) -> SystemConfig:
    return SystemConfig(str(folder), wallets=(Wallet("main", ADDRESS, "unused"),), speed=60.0)


def port_of(endpoints: Endpoints) -> int:
    return int(endpoints.clob_url.split(":")[2].split("/")[0])


async def balance(endpoints: Endpoints) -> str:
    data = "0x70a08231" + ADDRESS[2:].lower().rjust(64, "0")
    async with httpx.AsyncClient(trust_env=False) as http:
        call = {"id": 1, "method": "eth_call", "params": [{"to": "0x0", "data": data}, "latest"]}
        result: str = (await http.post(endpoints.rpc_url, json=call)).json()["result"]
        return str(int(result, 16))


async def test_it_funds_the_fleets_wallets_once_and_comes_back_on_the_same_port(tmp_path: Path) -> None:
    service = SandboxService(config(tmp_path))
    await service.start()
    endpoints = await service.endpoints()
    assert endpoints.simulated
    assert await balance(endpoints) == str(100_000 * ONE)
    now = await service.now()
    stats = await service.stats()
    assert stats["requests"] == {"/rpc/": 1}
    assert (stats["speed"], stats["accounts"]) == (60.0, 1)
    await service.stop()
    again = SandboxService(config(tmp_path))
    await again.start()
    assert port_of(await again.endpoints()) == port_of(endpoints)
    assert await balance(await again.endpoints()) == str(100_000 * ONE)
    assert await again.now() >= now
    await again.stop()


async def test_it_takes_another_port_when_its_former_one_is_taken(tmp_path: Path) -> None:
    service = SandboxService(config(tmp_path))
    await service.start()
    port = port_of(await service.endpoints())
    await service.stop()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        await service.start()
        assert port_of(await service.endpoints()) != port
        assert await balance(await service.endpoints()) == str(100_000 * ONE)
        await service.stop()


async def test_a_venue_that_fails_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(os, "_exit", ended.set_result)
    service = SandboxService(config(tmp_path))
    await service.start()
    server = service._started()
    # An order book that is gone from under an open market: the next step of the background flow fails.
    for listing in server.venue.exchange.floor.listings.values():
        listing.book = None
    assert await asyncio.wait_for(ended, 10) == 1
    server.venue.exchange.floor.listings.clear()


async def test_a_commit_that_fails_is_no_answer_and_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(os, "_exit", ended.set_result)
    service = SandboxService(config(tmp_path))
    await service.start()
    server = service._started()
    server.venue.exchange.open_market(quiet_market())
    server.venue._store.close()
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get((await service.endpoints()).clob_url + "/markets")
        assert answer.status_code == 500
    assert await asyncio.wait_for(ended, 10) == 1
