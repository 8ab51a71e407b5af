import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from actors.ledger import LedgerService
from supervisor.api.access import Access, digest
from supervisor.api.asgi import rest_app
from supervisor.api.gate import MAX_BODY, bucket
from tests.unit.supervisor.api.stand import Stand, lifespan

OPEN = Access()
TOKEN = Access(token_digest=digest("s3cret"))
BEARER = {"Authorization": "Bearer s3cret"}


class Replicas:
    """Makes clients of replicas that share one ledger and one supervisor."""

    def __init__(self, ledger: LedgerService) -> None:
        self.ledger = ledger

    async def client(self, access: Access = OPEN, header: str = "", **limits: str) -> httpx.AsyncClient:
        environment = {f"POLYFLEET_RATE_LIMIT_{kind.upper()}": limit for kind, limit in limits.items()}
        app = rest_app(Stand(self.ledger, environment).context(), access, address_header=header)
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:3001")


@pytest.fixture
def replicas(ledger: LedgerService) -> Replicas:
    return Replicas(ledger)


@pytest.fixture
async def followed(ledger: LedgerService) -> AsyncIterator[httpx.AsyncClient]:
    context = Stand(ledger).context()
    app = rest_app(context, TOKEN)
    async with lifespan(app), httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        await context.follower.reached(0, 5.0)
        yield client


async def test_without_the_token_only_the_open_paths_answer(followed: httpx.AsyncClient) -> None:
    for path in ("/health", "/ready", "/metrics", "/docs", "/openapi.json"):
        assert (await followed.get(path)).status_code == 200, path
    assert (await followed.get("/")).status_code == 307
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3cret"}):
        for path in ("/api/fleet", "/api/agents", "/api/nothing", "/health/", "/docs/oauth2-redirect"):
            answer = await followed.get(path, headers=headers)
            assert answer.status_code == 401, path
            assert answer.json() == {"error": "This fleet needs a token; send it as Authorization: Bearer <token>"}
            assert answer.headers["www-authenticate"] == "Bearer"
    assert (await followed.get("/api/fleet", headers=BEARER)).status_code == 200


async def test_the_token_is_asked_for_before_anything_is_validated(followed: httpx.AsyncClient) -> None:
    for method, path, content in (
        ("GET", "/api/events?limit=x", b""),
        ("POST", "/api/agents", b"{"),
        ("PUT", "/api/agents", b""),
        ("POST", "/api/fleet/kill-switch", b"x" * (MAX_BODY + 1)),
        ("DELETE", "/api/agents/nobody", b""),
    ):
        assert (await followed.request(method, path, content=content)).status_code == 401


async def test_a_foreign_host_or_origin_is_refused_before_all_else(replicas: Replicas) -> None:
    client = await replicas.client(TOKEN)
    answer = await client.get("/health", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["error"].startswith("The Host 'evil.example'")) == (403, True)
    answer = await client.post("/api/polymarket-agent/stop", headers=BEARER | {"Origin": "https://evil.example"})
    assert (answer.status_code, answer.json()["error"].startswith("The Origin 'https://evil.example'")) == (403, True)
    assert "access-control-allow-origin" not in answer.headers


async def test_the_frontend_may_read_answers_with_credentials(replicas: Replicas) -> None:
    client = await replicas.client(TOKEN)
    frontend = {"Origin": "http://localhost:3000"}
    preflight = await client.options(
        "/api/agents/a",
        headers=frontend
        | {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization,content-type"},
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert preflight.headers["access-control-allow-credentials"] == "true"
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    for headers, status in ((frontend, 401), (frontend | BEARER, 503)):
        answer = await client.get("/api/fleet", headers=headers)
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert "RateLimit-Remaining" in answer.headers["access-control-expose-headers"]


async def test_a_correlation_id_is_echoed_or_made(replicas: Replicas) -> None:
    client = await replicas.client(TOKEN)
    for path in ("/health", "/api/fleet"):
        assert (await client.get(path, headers={"X-Correlation-ID": "abc-1"})).headers["x-correlation-id"] == "abc-1"
    made = {(await client.get("/health", headers={"X-Correlation-ID": id})).headers["x-correlation-id"] for id in ("", "a b")}
    made |= {(await client.get("/health")).headers["x-correlation-id"] for _ in range(2)}
    assert len(made) == 4
    assert all(re.fullmatch("[0-9a-f]{32}", id) for id in made)


async def test_head_is_answered_as_get_without_a_body(followed: httpx.AsyncClient) -> None:
    for path in ("/health", "/metrics", "/docs", "/openapi.json", "/api/fleet", "/api/nothing"):
        got, head = await followed.get(path, headers=BEARER), await followed.head(path, headers=BEARER)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        assert head.headers["content-type"] == got.headers["content-type"]
    assert (await followed.head("/api/fleet")).status_code == 401
    answer = await followed.head("/api/agents/a/start", headers=BEARER)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_preflight_is_refused_in_our_form(replicas: Replicas) -> None:
    client = await replicas.client()
    frontend = {"Origin": "http://localhost:3000"}
    for asked in (
        {"Access-Control-Request-Method": "TRACE"},
        {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-secret"},
    ):
        answer = await client.options("/api/agents", headers=frontend | asked)
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("Disallowed CORS ")
        assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"


async def test_what_takes_too_long_is_given_up(ledger: LedgerService) -> None:
    stand = Stand(ledger)
    context = stand.context()
    app = rest_app(context, OPEN, time_limit=0.05)
    async with lifespan(app), httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        await context.follower.reached(0, 5.0)
        stand.feed.market = lambda id: asyncio.Event().wait()  # type: ignore[method-assign, assignment, return-value]
        answer = await client.get("/api/markets/1")
        assert (answer.status_code, answer.headers["content-type"]) == (504, "application/json")
        assert answer.json() == {"error": "GET /api/markets/1 was given up after 0.05 s"}


async def test_reads_are_limited_with_the_seeds_answer(replicas: Replicas) -> None:
    client = await replicas.client(read="3/minute")
    for left in (2, 1, 0):
        answer = await client.get("/api/nothing")
        assert answer.status_code == 404
        assert answer.headers["ratelimit-limit"] == "3"
        assert answer.headers["ratelimit-remaining"] == str(left)
        assert answer.headers["ratelimit-policy"] == "3;w=60"
        assert 0 < int(answer.headers["ratelimit-reset"]) <= 60
    answer = await client.get("/api/agents")
    assert (answer.status_code, answer.json()) == (429, {"error": "Too many requests", "message": "Rate limit exceeded"})
    assert (answer.headers["ratelimit-remaining"], answer.headers["ratelimit-limit"]) == ("0", "3")
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert "x-ratelimit-limit" not in answer.headers
    assert (await client.get("/health")).status_code == 200


async def test_control_is_limited_for_each_agent(replicas: Replicas) -> None:
    client = await replicas.client(control="2/minute")
    for _ in range(2):
        assert (await client.post("/api/agents/a/start")).status_code == 503
    answer = await client.patch("/api/agents/a", json={})
    assert answer.status_code == 429
    assert answer.json() == {"error": "Too many bot control requests", "message": "Please wait before trying again"}
    assert (await client.post("/api/agents/b/start")).status_code == 503
    assert (await client.post("/api/polymarket-agent/start")).status_code == 503
    assert (await client.delete("/api/agents/default")).status_code == 503
    assert (await client.post("/api/polymarket-agent/stop")).status_code == 429
    assert (await client.get("/api/agents/a")).status_code == 503


async def test_health_has_a_limit_of_its_own_and_the_probes_have_none(replicas: Replicas) -> None:
    client = await replicas.client(health="1/minute", read="1/minute")
    assert (await client.get("/health")).status_code == 200
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()) == (429, {"error": "Too many health check requests"})
    for _ in range(3):
        for path in ("/ready", "/metrics", "/docs", "/openapi.json", "/"):
            answer = await client.get(path)
            assert answer.status_code != 429
            assert "ratelimit-limit" not in answer.headers
    assert (await client.get("/api/nothing")).status_code == 404


async def test_a_limit_can_be_turned_off(replicas: Replicas) -> None:
    client = await replicas.client(read="off")
    answer = await client.get("/api/nothing")
    assert answer.status_code == 404
    assert "ratelimit-limit" not in answer.headers


async def test_clients_are_told_apart_by_a_trusted_proxys_header_alone(replicas: Replicas) -> None:
    client = await replicas.client(header="X-Forwarded-For", read="1/minute")

    async def status(address: str) -> int:
        return (await client.get("/api/nothing", headers={"X-Forwarded-For": address})).status_code

    assert [await status("10.0.0.1"), await status("10.0.0.1"), await status("10.0.0.2")] == [404, 429, 404]
    assert await status("6.6.6.6, 10.0.0.2") == 429, "what the client wrote itself stands before the proxy's word"
    without = await replicas.client(read="1/minute")
    assert (await without.get("/api/nothing", headers={"X-Forwarded-For": "1.1.1.1"})).status_code == 404
    assert (await without.get("/api/nothing", headers={"X-Forwarded-For": "2.2.2.2"})).status_code == 429


async def test_who_has_no_token_cannot_use_up_the_limits_of_who_has(replicas: Replicas) -> None:
    client = await replicas.client(TOKEN, health="1/minute", read="1/minute")
    assert [(await client.get("/health")).status_code for _ in range(2)] == [200, 429]
    assert (await client.get("/health", headers=BEARER)).status_code == 200
    assert [(await client.get("/api/nothing")).status_code for _ in range(3)] == [401, 401, 401]
    assert (await client.get("/api/nothing", headers=BEARER)).status_code == 404


async def test_a_body_may_be_large_and_not_larger(followed: httpx.AsyncClient) -> None:
    async def settings(size: int) -> httpx.Response:
        content = b'{"a":"' + b"x" * (size - 8) + b'"}'
        headers = BEARER | {"Content-Type": "application/json"}
        return await followed.post("/api/settings", content=content, headers=headers)

    assert (await settings(MAX_BODY)).status_code == 200
    answer = await settings(MAX_BODY + 1)
    assert (answer.status_code, answer.json()) == (413, {"error": "The body is larger than 1000000 bytes"})


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/health", ("health", "")),
        ("GET", "/ready", None),
        ("GET", "/api/agents/a", ("read", "")),
        ("POST", "/api/agents", ("read", "/api/agents")),
        ("POST", "/api/notifications", ("read", "/api/notifications")),
        ("POST", "/api/polymarket-agent/start", ("control", "default")),
        ("DELETE", "/api/agents/default", ("control", "default")),
        ("PATCH", "/api/agents/a", ("control", "a")),
        ("POST", "/api/agents/a/stop", ("control", "a")),
        ("POST", "/api/fleet/kill-switch", ("control", "/api/fleet/kill-switch")),
        ("POST", "/api/settings", ("control", "/api/settings")),
    ],
)
def test_what_a_request_counts_against(method: str, path: str, expected: tuple[str, str] | None) -> None:
    assert bucket(method, path) == expected
