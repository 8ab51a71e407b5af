"""An OpenAI-compatible server on loopback whose answers a test scripts."""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ANSWERS: dict[str, dict[str, Any]] = {
    "plan": {"queries": ["who decides", "what is scheduled"]},
    "digest": {"documents": [{"number": n, "relevance": 1 - n / 20, "summary": f"Summary {n}."} for n in range(1, 16)]},
    "outside_view": {"reasoning": "Seldom.", "base_rate": 0.3},
    "forecast": {"reasoning": "It will.", "probability": 0.7},
}


class ModelServer:
    """`script` returns what is answered to a request: an object, text, a status, or None for the usual answer.

    `requests` are the bodies that came, `keys` the keys; `gate` holds answers back while it is cleared.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.script: Callable[[dict[str, Any]], Any] = lambda request: None
        self.finish = "stop"
        self.usage: dict[str, int] | None = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
        self.gate = asyncio.Event()
        self.gate.set()
        self.came = asyncio.Event()
        self.url = ""

    def asked(self) -> Counter[str]:
        """Count the requests by the form that they ask for."""
        return Counter(form(request) for request in self.requests)

    async def chat(self, request: Request) -> Response:
        """Answer POST /v1/chat/completions."""
        body = await request.json()
        self.requests.append(body)
        self.keys.add(request.headers["authorization"].removeprefix("Bearer "))
        self.came.set()
        await self.gate.wait()
        said = self.script(body)
        if isinstance(said, int):
            return JSONResponse({"error": {"message": f"no, {sorted(self.keys)[0]}", "type": "x"}}, said)
        said = usual(body) if said is None else said
        message = {"role": "assistant", "content": said if isinstance(said, str) else json.dumps(said)}
        answer = {
            "id": "c1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish}],
        }
        return JSONResponse(answer | ({"usage": self.usage} if self.usage else {}))


def form(request: dict[str, Any]) -> str:
    """Return the name of the form that a request asks for, or an empty text."""
    return str(request.get("response_format", {}).get("json_schema", {}).get("name", ""))


def usual(request: dict[str, Any]) -> dict[str, Any]:
    """Return a good answer."""
    answer = ANSWERS[form(request)]
    if '"No"?' in request["messages"][-1]["content"].splitlines()[-1]:
        return answer | {"probability": round(1 - answer["probability"], 6)}
    return answer


@asynccontextmanager
async def serving(server: ModelServer, port: int = 0) -> AsyncIterator[ModelServer]:
    """Serve on a port of loopback, a free one unless it is given."""
    app = Starlette(routes=[Route("/v1/chat/completions", server.chat, methods=["POST"])])
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        running = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning", timeout_graceful_shutdown=1))
        task = asyncio.create_task(running.serve([listener]))
        while not running.started:
            await asyncio.sleep(0.001)
        server.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        yield server
        running.should_exit = True
        await task
