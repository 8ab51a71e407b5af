"""What operators do from a page goes through the REST API's own routes, in this process: one set of checks and sentences."""

from dataclasses import replace
from typing import Any

import httpx

from agents.errors import PolyfleetError
from supervisor.api.access import DASHBOARD, Access
from supervisor.api.asgi import rest_app
from supervisor.api.context import FleetContext
from supervisor.api.rate_limits import RateLimits


class Refused(PolyfleetError):
    """Raised when a route says no; `details` are pairs of field and message."""

    def __init__(self, sentence: str, details: list[tuple[str, str]]) -> None:
        super().__init__(sentence)
        self.details = details


class Rest:
    """The REST routes, called without a network. Who may use the page may use them: no token is asked for."""

    def __init__(self, context: FleetContext) -> None:
        # Pages ask on their own account, not on that of the API's clients.
        unlimited = replace(context, limits=RateLimits(context.supervisor, {}))
        transport = httpx.ASGITransport(rest_app(unlimited, Access(anyone=DASHBOARD)), raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=None)  # noqa: S113

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Return what a route answers. Raises Refused with its sentence."""
        response = await self._client.request(method, path, json=body)
        try:
            answer = response.json()
        except ValueError:
            answer = {}
        if response.is_success:
            return answer
        sentence = answer.get("error") or f"{method} {path} was answered with {response.status_code}"
        details = [(str(found.get("field", "")), str(found.get("message", ""))) for found in answer.get("details", ())]
        if not details and ": " in sentence:
            field, _, message = sentence.partition(": ")
            details = [(field, message)]
        raise Refused(sentence, details)

    async def close(self) -> None:
        """Let go of the client."""
        await self._client.aclose()
