"""Trades of a fleet over Socket.IO."""

import asyncio
import os
from typing import Any

import socketio

client = socketio.AsyncClient()


@client.event
async def connect() -> None:
    print("connected", flush=True)


@client.event
async def trade(data: dict[str, Any]) -> None:
    print(data["agentId"], data["action"], data["size"], data["outcome"], "@", data["price"], data["market"], flush=True)


async def main() -> None:
    url = os.environ.get("POLYFLEET_URL", "http://127.0.0.1:3001")
    auth = {"token": os.environ.get("POLYFLEET_API_TOKEN")}
    await client.connect(url, socketio_path="/ws", transports=["websocket"], auth=auth)
    await client.wait()


asyncio.run(main())
