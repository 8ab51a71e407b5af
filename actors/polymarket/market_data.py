"""Public reads of the venue: markets, books, price history, resolutions.

The official library's models of these are strict where the venue is loose (one odd market loses a page) and leave out
fields that we need, so they are read with our own `actors.polymarket.schema`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx

from actors.polymarket import schema
from actors.polymarket.schema import BookFrame, Listing
from agents.errors import Unavailable
from agents.money import Micro
from agents.ports import Endpoints

log = logging.getLogger(__name__)

_PAGE = 100
#: Books asked for in one request; the venue takes 500.
_BOOKS = 250
#: Condition ids in one request: the Data API's own limit, and a bound on the length of Gamma's URLs.
_IDS = 20
#: A history window may be no longer, in seconds.
_LONGEST_WINDOW = 15 * 86_400
_ATTEMPTS = 3
#: The venue asks for patience with these; anything else in 4xx is our mistake.
_RETRIED = frozenset({425, 429, 500, 502, 503, 504})


class MarketData:
    """Reader of one venue's public endpoints; every method raises Unavailable when the venue does not answer properly."""

    def __init__(self, endpoints: Endpoints, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._endpoints = endpoints
        self._http = httpx.AsyncClient(
            headers={"User-Agent": "polyfleet"},
            timeout=httpx.Timeout(15.0, connect=5.0),
            transport=transport,
            # A simulated venue is on this machine: no proxy of the environment may stand between.
            trust_env=not endpoints.simulated,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def time(self) -> int:
        """Return the venue's wall time in epoch seconds."""
        return int(await self._get(self._endpoints.clob_url, "/time", {}))

    async def open_markets(self, limit: int | None = None) -> list[Listing]:
        """Return the markets that are open, all of them or those `limit` with the most trading of the day."""
        found: list[Listing] = []
        order: dict[str, Any] = {"order": "volume24hr", "ascending": "false"} if limit else {}
        async for rows in self._pages({"closed": "false", "include_tag": "true", **order}):
            found.extend(schema.readable(rows))
            if limit and len(found) >= limit:
                break
        return await self._with_fees(found[:limit] if limit else found)

    async def _pages(self, params: dict[str, Any]) -> AsyncIterator[list[dict[str, Any]]]:
        cursor: str | None = None
        while True:
            query = {"limit": _PAGE, **params, **({"after_cursor": cursor} if cursor else {})}
            page = await self._get(self._endpoints.gamma_url, "/markets/keyset", query)
            yield list(page.get("markets") or ())
            if not (cursor := page.get("next_cursor")) or not page.get("markets"):
                return

    async def by_conditions(self, condition_ids: Sequence[str]) -> list[Listing]:
        """Return the markets with these condition ids, open or closed."""
        return await self._by("condition_ids", condition_ids)

    async def by_tokens(self, token_ids: Sequence[str]) -> list[Listing]:
        """Return the markets of these tokens, open or closed."""
        return await self._by("clob_token_ids", token_ids)

    async def _by(self, name: str, values: Sequence[str]) -> list[Listing]:
        found: dict[str, Listing] = {}
        for ids in _chunks(values, _IDS):
            for closed in ("false", "true"):  # The listing leaves out closed markets unless only they are asked for.
                async for rows in self._pages({name: list(ids), "closed": closed, "include_tag": "true"}):
                    found |= {item.market.condition_id: item for item in schema.readable(rows)}
        return await self._with_fees(list(found.values()))

    async def lookup(self, key: str) -> list[Listing]:
        """Return the markets that a condition id, token id, Gamma id, slug, or event slug or id names."""
        if key.startswith("0x"):
            return await self.by_conditions([key])
        if key.isdigit():
            if len(key) > 20:
                return await self.by_tokens([key])
            return await self._one(f"/markets/{key}") or await self._event(f"/events/{key}")
        return await self._one(f"/markets/slug/{key}") or await self._event(f"/events/slug/{key}")

    async def _one(self, path: str) -> list[Listing]:
        row = await self._get(self._endpoints.gamma_url, path, {"include_tag": "true"}, missing={})
        return await self._with_fees(schema.readable([row])) if row else []

    async def _event(self, path: str) -> list[Listing]:
        row = await self._get(self._endpoints.gamma_url, path, {}, missing={})
        return await self._with_fees(schema.event_listings(row)) if row else []

    async def _with_fees(self, listings: list[Listing]) -> list[Listing]:
        """Ask the CLOB for the fee schedules that Gamma left out, for the markets that still trade."""
        return [item if item.fee_known or item.market.closed else await self._with_fee(item) for item in listings]

    async def _with_fee(self, item: Listing) -> Listing:
        path = f"/clob-markets/{item.market.condition_id}"
        row = await self._get(self._endpoints.clob_url, path, {}, missing=None)
        if row is None:
            return item
        return replace(item, market=replace(item.market, fee=schema.clob_fee(row)), fee_known=True)

    async def books(self, token_ids: Sequence[str]) -> dict[str, BookFrame]:
        """Return the books of these tokens; a token without one is left out."""
        found: dict[str, BookFrame] = {}
        for ids in _chunks(token_ids, _BOOKS):
            rows = await self._request(
                "POST", self._endpoints.clob_url, "/books", json=[{"token_id": token_id} for token_id in ids]
            )
            for row in rows or ():
                frame = schema.book(row)
                found[frame.token_id] = frame
        return found

    async def histories(
        self, token_ids: Sequence[str], start: int, end: int, bucket: int
    ) -> dict[str, list[tuple[int, Micro]]]:
        """Return tokens' prices from `start` to `end` in steps of about `bucket`, all in epoch milliseconds, oldest first."""
        found: dict[str, list[tuple[int, Micro]]] = {}
        last = end // 1000
        first = max(start // 1000, last - _LONGEST_WINDOW)
        for ids in _chunks(token_ids, _IDS):
            body = {"markets": list(ids), "start_ts": first, "end_ts": last, "fidelity": max(1, bucket // 60_000)}
            reply = await self._request("POST", self._endpoints.clob_url, "/batch-prices-history", missing={}, json=body)
            for token_id, points in (reply.get("history") or {}).items():
                found[token_id] = _points(points, first, last)
        return found

    async def payouts(self, condition_ids: Sequence[str]) -> dict[str, tuple[Micro, Micro]]:
        """Return what a share of each token pays, for those of these markets of which the chain says so."""
        found: dict[str, tuple[Micro, Micro]] = {}
        for ids in _chunks(condition_ids, _IDS):
            reply = await self._get(self._endpoints.data_url, "/v2/resolutions", {"condition_id": ",".join(ids)}, missing={})
            rows = reply.get("data") if isinstance(reply, dict) else reply
            found |= dict(pair for row in rows or () if (pair := schema.payouts(row)))
        return found

    async def open_in_event(self, event_id: str) -> int:
        """Return how many markets of an event are not closed, tradable or not; 0 if the venue does not know it."""
        row = await self._get(self._endpoints.gamma_url, f"/events/{event_id}", {}, missing={})
        return sum(not market.get("closed") for market in row.get("markets") or ())

    async def _get(self, base: str, path: str, params: dict[str, Any], **options: Any) -> Any:
        return await self._request("GET", base, path, params=params, **options)

    async def _request(self, method: str, base: str, path: str, *, missing: Any = ..., **content: Any) -> Any:
        """Send a request, again where that may help; a 404 returns `missing` if it is given.

        Raises:
            Unavailable: if the venue cannot be reached or answers with an error or something that is not JSON.
        """
        reason = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(0.25 * 2**attempt)
            try:
                response = await self._http.request(method, base + path, **content)
            except httpx.HTTPError as error:
                reason = f"{type(error).__name__} {error}".strip()
                continue
            if response.status_code == 404 and missing is not ...:
                return missing
            reason = f"it answered {response.status_code}: {response.text[:200]}"
            if response.is_success:
                try:
                    return schema.loads(response.content)
                except ValueError:
                    reason = "its answer is not JSON"
            elif response.status_code not in _RETRIED:
                break
        raise Unavailable(f"the venue did not serve {method} {path}: {reason}")


def _points(rows: Sequence[Mapping[str, Any]], first: int, last: int) -> list[tuple[int, Micro]]:
    points = ((int(row["t"]), schema.amount(row["p"])) for row in rows)
    # The venue adds one point of now even to past windows.
    return [(second * 1000, price) for second, price in points if first <= second <= last]


def _chunks(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
