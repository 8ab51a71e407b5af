"""Trades of a fleet over a plain WebSocket. After a lost connection it resumes where it was."""

import asyncio
import json
import os

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

URL = os.environ.get("POLYFLEET_URL", "http://127.0.0.1:3001").replace("http", "ws", 1)
TOKEN = os.environ.get("POLYFLEET_API_TOKEN")


async def main() -> None:
    after: int | None = None  # the seq of the last event that was handled
    headers = {"Authorization": f"Bearer {TOKEN}"} if TOKEN else {}
    # Used as an iterator, `connect` tries again, with a growing delay.
    async for socket in connect(f"{URL}/ws", additional_headers=headers, proxy=None):
        try:
            async for frame in socket:
                message = json.loads(frame)
                if message["op"] == "hello":
                    after = message["seq"] if after is None else after
                    print("connected, from", after, "on", flush=True)
                    await socket.send(json.dumps({"op": "subscribe", "types": ["trade"], "after": after}))
                elif message["op"] == "event":
                    after, data = message["event"]["seq"], message["event"]["data"]
                    agent = message["event"]["agentId"]
                    print(agent, data["action"], data["size"], data["outcome"], "@", data["price"], data["market"], flush=True)
                elif message["op"] == "gap":
                    print("the log no longer has", message["from"], "to", message["to"], flush=True)
        except ConnectionClosed:
            continue


asyncio.run(main())
