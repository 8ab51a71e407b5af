"""The command line's way to a running fleet: its REST API, and its hub for following."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx

from agents.errors import Conflict, InvalidInput, NotFound, PolyfleetError, Unavailable

_ERRORS = {400: InvalidInput, 404: NotFound, 409: Conflict, 422: InvalidInput, 503: Unavailable}

#: Seconds: a stop may take 10 s, a ledger check as long.
_TIMEOUT = 30.0


class FleetClient:
    """Calls one fleet's API; what the API refuses is raised as one of our errors, with the API's own sentence."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=self.url, headers=self._headers, timeout=_TIMEOUT)

    def get(self, path: str, **params: Any) -> Any:
        """GET a path and return its JSON."""
        return self._send("GET", path, params=params)

    def post(self, path: str, body: Any = None) -> Any:
        """POST a JSON body, if any, and return the JSON answer."""
        return self._send("POST", path, json=body)

    def delete(self, path: str) -> Any:
        """DELETE a path and return the JSON answer."""
        return self._send("DELETE", path)

    def _send(self, method: str, path: str, **content: Any) -> Any:
        try:
            response = self._http.request(method, path, **content)
        except httpx.TimeoutException:
            raise Unavailable(f"{self.url} did not answer within {_TIMEOUT:g} s") from None
        except httpx.HTTPError as error:
            raise Unavailable(f"no fleet answers at {self.url} ({error}); start one with `polyfleet up`") from None
        try:
            body = response.json()
        except ValueError:
            raise PolyfleetError(f"{self.url}{path} answered {response.status_code} without JSON") from None
        if response.is_success or path == "/ready":
            return body
        raise _ERRORS.get(response.status_code, PolyfleetError)(body.get("error", f"status {response.status_code}"))

    def follow(self, after: int, types: list[str] | None, agents: list[str] | None) -> Iterator[dict[str, Any]]:
        """Yield every event after a cursor as it happens, over the hub's WebSocket; goes on after a lost connection."""
        from websockets.exceptions import ConnectionClosed
        from websockets.sync.client import connect

        wanted = {"types": types, "agents": agents}
        subscribe = {"op": "subscribe"} | {name: value for name, value in wanted.items() if value}
        parts = urlsplit(self.url)
        url = f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}/ws"
        while True:
            try:
                with connect(url, additional_headers=self._headers, max_size=None) as socket:
                    socket.send(json.dumps(subscribe | {"after": after}))
                    for frame in socket:
                        message = json.loads(frame)
                        if message["op"] == "event":
                            after = message["event"]["seq"]
                            yield message["event"]
                        elif message["op"] == "error":
                            raise InvalidInput(message["error"])
            except ConnectionClosed:
                continue
            except OSError as error:
                raise Unavailable(f"the hub at {url} cannot be reached ({error})") from None
