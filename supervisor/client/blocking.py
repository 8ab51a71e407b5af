"""The client that blocks."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from supervisor.client.calls import Call, Listing, copy_of
from supervisor.client.exchange import Address, Exchange
from supervisor.client.following import Following, Gap
from supervisor.client.routes import Routes

if TYPE_CHECKING:
    from supervisor.client.answers import AgentStatus, LoggedEvent

T = TypeVar("T")


class FleetClient(Routes):
    """Calls one fleet's API; `AsyncFleetClient` is the same for `await`. One thread at a time.

    Every method may raise Unavailable when the fleet does not answer; a GET or POST whose connection is lost is repeated first.

    Raises:
        InvalidInput: if the URL is none.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._address = Address(url, token)
        self._http = httpx.Client(**self._address.http_options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The fleet's address."""
        return self._address.url

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def send(self, call: Call[T]) -> T:
        """Send a call and return its answer; raises what the API refuses."""
        exchange = Exchange(self._address, call)
        while True:
            try:
                response = self._http.request(**exchange.request)
            except httpx.HTTPError as error:
                time.sleep(exchange.failed(error))
            else:
                answer: T = exchange.answer(response)
                return answer

    def entries(self, listing: Listing[T]) -> Iterator[T]:
        """Yield the entries of a list, asking for its parts one after the other."""
        rest: Listing[T] | None = listing
        while rest is not None:
            answer = self.send(rest.call)
            yield from answer[rest.field]
            rest = rest.rest(answer)

    def clone(self, agent_id: str, new_id: str, **changes: Any) -> AgentStatus:
        """Create an agent with another one's spec, and fields of it changed. Raises NotFound, Conflict or InvalidInput."""
        return self.send(copy_of(self.agent(agent_id), new_id, changes))

    def follow(
        self, after: int | None = None, types: Sequence[str] | None = None, agents: Sequence[str] | None = None
    ) -> Generator[LoggedEvent | Gap, None, None]:
        """Yield every event after a cursor (None: from now on) as it happens, each once and in order, for ever.

        It resumes by itself when the connection is lost; a `Gap` says what the log no longer has.

        Raises:
            InvalidInput: if the hub refuses what is asked for, or the token.
            Unavailable: if the hub cannot be reached, or not any more for half a minute.
        """
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        following = Following(self._address, after, types, agents)
        while True:
            try:
                with connect(self._address.hub, **self._address.socket_options) as socket:
                    socket.send(following.greeting)
                    while True:
                        news = following.take(socket.recv())
                        if isinstance(news, str):
                            socket.send(news)
                        elif news is not None:
                            yield news
            except (OSError, WebSocketException) as error:
                time.sleep(following.lost(error))
