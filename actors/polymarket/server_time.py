"""The wall time of the venue's order book, by which it judges signatures."""

import httpx

from agents.errors import Unavailable
from agents.ports import Endpoints

_TIMEOUT = 5.0


class ServerTime:
    """Asks one venue for its time."""

    def __init__(self, endpoints: Endpoints, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = f"{endpoints.clob_url}/time"
        # A simulated venue is on this machine: no proxy of the environment may stand between.
        self._http = httpx.AsyncClient(timeout=_TIMEOUT, transport=transport, trust_env=not endpoints.simulated)

    async def now(self) -> int:
        """Return the venue's time in whole epoch seconds. Raises Unavailable."""
        try:
            reply = await self._http.get(self._url)
            reply.raise_for_status()
            return int(reply.text)
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(f"the venue does not tell its time ({error!r})") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
