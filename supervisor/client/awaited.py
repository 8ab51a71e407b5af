"""The client that is awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from supervisor.client.calls import Call, Listing, copy_of
from supervisor.client.exchange import Address, Exchange
from supervisor.client.following import Following, Gap
from supervisor.client.routes import Routes

if TYPE_CHECKING:
    from supervisor.client.answers import AgentStatus, LoggedEvent

T = TypeVar("T")


class AsyncFleetClient(Routes):
    """Calls one fleet's API, awaited; everything else is as in `FleetClient`.

    Raises:
        InvalidInput: if the URL is none.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._address = Address(url, token)
        self._http = httpx.AsyncClient(**self._address.http_options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    @property
    def url(self) -> str:
        """The fleet's address."""
        return self._address.url

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    async def send(self, call: Call[T]) -> T:
        """Send a call and return its answer; raises what the API refuses."""
        exchange = Exchange(self._address, call)
        while True:
            try:
                response = await self._http.request(**exchange.request)
            except httpx.HTTPError as error:
                await asyncio.sleep(exchange.failed(error))
            else:
                answer: T = exchange.answer(response)
                return answer

    async def entries(self, listing: Listing[T]) -> AsyncIterator[T]:
        """Yield the entries of a list, asking for its parts one after the other."""
        rest: Listing[T] | None = listing
        while rest is not None:
            answer = await self.send(rest.call)
            for entry in answer[rest.field]:
                yield entry
            rest = rest.rest(answer)

    async def clone(self, agent_id: str, new_id: str, **changes: Any) -> AgentStatus:
        """Create an agent with another one's spec, and fields of it changed. Raises NotFound, Conflict or InvalidInput."""
        return await self.send(copy_of(await self.agent(agent_id), new_id, changes))

    async def follow(
        self, after: int | None = None, types: Sequence[str] | None = None, agents: Sequence[str] | None = None
    ) -> AsyncGenerator[LoggedEvent | Gap, None]:
        """Yield every event after a cursor as it happens; see `FleetClient.follow`."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        following = Following(self._address, after, types, agents)
        while True:
            try:
                async with connect(self._address.hub, **self._address.socket_options) as socket:
                    await socket.send(following.greeting)
                    while True:
                        news = following.take(await socket.recv())
                        if isinstance(news, str):
                            await socket.send(news)
                        elif news is not None:
                            yield news
            except (OSError, WebSocketException) as error:
                await asyncio.sleep(following.lost(error))
