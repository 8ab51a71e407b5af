"""The command line's way to a running fleet: its REST API, and its hub for following."""

import json
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from agents.errors import Conflict, InvalidInput, NotFound, PolyfleetError, Unavailable

_ERRORS: dict[int, type[PolyfleetError]] = {
    400: InvalidInput,
    404: NotFound,
    409: Conflict,
    422: InvalidInput,
    503: Unavailable,
}

#: Seconds: a stop may take 10 s, a ledger check as long.
_TIMEOUT = 30.0

#: Seconds for which a lost hub is looked for, and between two attempts.
_PATIENCE = 30.0
_RETRY = 0.5


class FleetClient:
    """Calls one fleet's API; what the API refuses is raised as one of our errors, with the API's own sentence.

    Raises:
        InvalidInput: if the URL is none.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        # No proxy stands between this machine and itself, whatever the environment says.
        self._local = _host(url) in ("localhost", "127.0.0.1", "::1")
        self._http = httpx.Client(base_url=self.url, headers=self._headers, timeout=_TIMEOUT, trust_env=not self._local)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        """GET a path and return its JSON; `/ready` answers whatever its status is."""
        return self._send("GET", path, params=params)

    def post(self, path: str, body: Any = None) -> Any:
        """POST a JSON body, if any, and return the JSON answer."""
        return self._send("POST", path, json=body)

    def patch(self, path: str, body: Any) -> Any:
        """PATCH with a JSON body and return the JSON answer."""
        return self._send("PATCH", path, json=body)

    def delete(self, path: str) -> Any:
        """DELETE a path and return the JSON answer."""
        return self._send("DELETE", path)

    def events(self, after: int, **filters: str) -> Iterator[dict[str, Any]]:
        """Yield the events after a cursor, to the end of the log."""
        while True:
            page = self.get("/api/events", after=after, limit=1000, **filters)
            yield from page["events"]
            if page["next"] == after:
                return
            after = page["next"]

    def follow(
        self, after: int, types: Sequence[str] | None = None, agents: Sequence[str] | None = None
    ) -> Generator[dict[str, Any], None, None]:
        """Yield every event after a cursor as it happens, each once and in order, through lost connections.

        Raises:
            InvalidInput: if the hub refuses what is asked for, or the token.
            Unavailable: if the hub cannot be reached, or not any more for a while.
        """
        filters = {name: list(value) for name, value in (("types", types), ("agents", agents)) if value}
        lost: float | None = None
        while True:
            try:
                for event in self._stream({"op": "subscribe", "after": after} | filters):
                    after = event["seq"]
                    yield event
                lost = time.monotonic()
            except OSError as error:
                if lost is None or time.monotonic() - lost > _PATIENCE:
                    raise Unavailable(f"the hub at {self.url}/ws cannot be reached ({error})") from None
            time.sleep(_RETRY)

    def _stream(self, subscribe: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield events until the connection is lost."""
        from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
        from websockets.sync.client import connect

        url = f"{self.url.replace('http', 'ws', 1)}/ws"
        try:
            with connect(url, additional_headers=self._headers, max_size=None, proxy=None if self._local else True) as socket:
                socket.send(json.dumps(subscribe))
                for frame in socket:
                    message = json.loads(frame)
                    if message["op"] == "event":
                        yield message["event"]
                    elif message["op"] == "error":
                        raise InvalidInput(message["error"])
        except InvalidStatus as error:
            if error.response.status_code in (401, 403):
                raise InvalidInput(_sentence(error.response.body, error.response.status_code)) from None
            raise ConnectionError(str(error)) from None
        except InvalidHandshake as error:
            raise ConnectionError(str(error)) from None
        except ConnectionClosed:
            return

    def _send(self, method: str, path: str, **content: Any) -> Any:
        try:
            response = self._http.request(method, path, **content)
        except httpx.TimeoutException:
            raise Unavailable(f"{self.url} did not answer within {_TIMEOUT:g} s") from None
        except httpx.HTTPError as error:
            raise Unavailable(f"no fleet answers at {self.url} ({error}); start one with `polyfleet up`") from None
        try:
            answer = response.json()
        except ValueError:
            raise PolyfleetError(f"{self.url}{path} answered {response.status_code} without JSON") from None
        if response.is_success or (path == "/ready" and "ready" in answer):
            return answer
        raise _ERRORS.get(response.status_code, PolyfleetError)(_sentence(response.content, response.status_code))


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts.hostname
    except ValueError:
        pass
    raise InvalidInput(f"url: {url!r} is no address, expected one such as http://127.0.0.1:3001")


def _sentence(body: bytes | None, status: int) -> str:
    try:
        return str(json.loads(body or b"")["error"])
    except (ValueError, KeyError, TypeError):
        return f"the fleet answered {status}"
