"""What both clients do around a request, apart from waiting: its headers, what its answer means, when to try again."""

import json
import uuid
from collections.abc import Iterator
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from agents.errors import Conflict, InvalidInput, NotFound, PolyfleetError, Unavailable
from supervisor.client.calls import Call

T = TypeVar("T")

_ERRORS: dict[int, type[PolyfleetError]] = {
    400: InvalidInput,
    404: NotFound,
    409: Conflict,
    422: InvalidInput,
    503: Unavailable,
}

#: Seconds: a stop may take 10 s, a ledger check as long.
TIMEOUT = 30.0

#: Seconds before each new attempt after a connection was lost.
_DELAYS = (0.1, 0.2, 0.4)


class Address:
    """Where a fleet is, and how it is reached.

    Raises:
        InvalidInput: if the URL is none.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.hub = f"{self.url.replace('http', 'ws', 1)}/ws"
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        # No proxy stands between this machine and itself, whatever the environment says.
        self.local = _host(url) in ("localhost", "127.0.0.1", "::1")

    @property
    def http_options(self) -> dict[str, Any]:
        """The options of both of httpx's clients."""
        return {"base_url": self.url, "headers": self.headers, "timeout": TIMEOUT, "trust_env": not self.local}

    @property
    def socket_options(self) -> dict[str, Any]:
        """The options of both of websockets' clients."""
        return {"additional_headers": self.headers, "max_size": None, "proxy": None if self.local else True}


class Exchange:
    """One call, attempted until it is answered or may not be repeated.

    A POST carries an Idempotency-Key, the same in each attempt: a server that knows it does the work once.
    """

    def __init__(self, address: Address, call: Call[Any]) -> None:
        self._address = address
        self._call = call
        self._delays: Iterator[float] = iter(_DELAYS)
        headers = {"Idempotency-Key": str(uuid.uuid4())} if call.method == "POST" else {}
        #: The arguments of httpx's `request`.
        self.request: dict[str, Any] = {"method": call.method, "url": call.path, "params": call.params, "headers": headers}
        if call.body is not None:
            self.request["json"] = call.body

    def failed(self, error: httpx.HTTPError) -> float:
        """Return the seconds to wait before the next attempt.

        Raises:
            Unavailable: if there is none: what went out may have been done, or there were enough.
        """
        url = self._address.url
        if isinstance(error, httpx.TimeoutException):
            raise Unavailable(f"{url} did not answer within {TIMEOUT:g} s") from None
        lost = isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)
        repeatable = self._call.method in ("GET", "POST") or isinstance(error, httpx.ConnectError)
        delay = next(self._delays, None) if lost and repeatable else None
        if delay is None:
            raise Unavailable(f"no fleet answers at {url} ({error}); start one with `polyfleet up`") from None
        return delay

    def answer(self, response: httpx.Response) -> Any:
        """Return an answer's JSON or text, or raise what the API refused as one of our errors."""
        call, status = self._call, response.status_code
        if call.text and response.is_success:
            return response.text
        try:
            content = response.json()
        except ValueError:
            raise PolyfleetError(f"{self._address.url}{call.path} answered {status} without JSON") from None
        # A refusal has nothing but its reasons.
        if response.is_success or (status in call.also and not content.keys() <= {"error", "details"}):
            return content
        raise _ERRORS.get(status, PolyfleetError)(sentence(response.content, status))


def sentence(body: bytes | None, status: int) -> str:
    """Return the sentence with which the API refuses."""
    try:
        return str(json.loads(body or b"")["error"])
    except (ValueError, KeyError, TypeError):
        return f"the fleet answered {status}"


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts.hostname
    except ValueError:
        pass
    raise InvalidInput(f"url: {url!r} is no address, expected one such as http://127.0.0.1:3001")
