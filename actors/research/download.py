"""Reads a body over HTTP that may be slow, huge or no good."""

import logging
from collections.abc import Mapping

import httpx

from agents.errors import Unavailable

# It tells the whole address of each request, which may hold a feed's token.
logging.getLogger("httpx").setLevel(logging.WARNING)

#: Seconds between two signs of life, and bytes of one body.
_PATIENCE = 10.0
_MOST = 4_000_000


def downloader() -> httpx.AsyncClient:
    """Return a client for `download`; making one takes some 20 ms of CPU."""
    return httpx.AsyncClient(timeout=_PATIENCE, follow_redirects=True, max_redirects=5)


async def download(client: httpx.AsyncClient, url: str, name: str, params: Mapping[str, str | int] | None = None) -> bytes:
    """Return the body at an address, which may redirect. Raises Unavailable, saying what `name` did instead."""
    try:
        async with client.stream("GET", url, params=params) as response:
            if response.status_code != httpx.codes.OK:
                raise Unavailable(f"{name} answered {response.status_code}")
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _MOST:
                    raise Unavailable(f"{name} sent more than {_MOST // 1_000_000} MB")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(f"{name} cannot be reached ({type(error).__name__})") from error
    return bytes(body)
