"""Who may talk to the API: the token, and the hosts and origins that a web page cannot fake."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from agents.errors import InvalidInput

#: Paths that answer without a token even when one is set.
OPEN_PATHS = frozenset({"/", "/health", "/ready", "/metrics", "/docs", "/openapi.json"})

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})

#: The seed's default.
_FRONTEND = "http://localhost:3000"


def digest(token: str) -> str:
    """Return the SHA-256 of a token in hex: what the API's processes are given instead of the token."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Access:
    """The API's rules of admission. `token_digest` is "" when no token is set; `origins` are web pages that may call it."""

    token_digest: str = ""
    hosts: frozenset[str] = _LOOPBACK
    origins: frozenset[str] = frozenset({_FRONTEND})

    def token_fits(self, token: str | None) -> bool:
        """Whether no token is set, or this is it; takes the same time for every wrong one."""
        if not self.token_digest:
            return True
        return token is not None and hmac.compare_digest(digest(token), self.token_digest)

    def refusal(self, host: str | None, origin: str | None) -> str | None:
        """Return one sentence that says why a request with this Host and Origin is refused, or None if it is not."""
        if host is None or _hostname(host) not in self.hosts:
            return (
                f"The Host {_shown(host)} is not served here; use localhost or 127.0.0.1, "
                "or add the name to POLYFLEET_ALLOWED_HOSTS"
            )
        if origin is None or origin in self.origins or _same(origin, host):
            return None
        return f"The Origin {_shown(origin)} may not use this API; set FRONTEND_URL to the address of your web page"


def access_from(environment: Mapping[str, str]) -> Access:
    """Read the rules from environment variables.

    POLYFLEET_API_TOKEN_DIGEST (or POLYFLEET_API_TOKEN), POLYFLEET_ALLOWED_HOSTS (names, commas between) and FRONTEND_URL.

    Raises:
        InvalidInput: if FRONTEND_URL is not the address of a web page.
    """
    token = environment.get("POLYFLEET_API_TOKEN", "")
    frontends = _listed(environment.get("FRONTEND_URL") or _FRONTEND)
    return Access(
        token_digest=environment.get("POLYFLEET_API_TOKEN_DIGEST", "").lower() or (digest(token) if token else ""),
        hosts=_LOOPBACK | {_hostname(name) for name in _listed(environment.get("POLYFLEET_ALLOWED_HOSTS", ""))},
        origins=frozenset(_origin(url) for url in frontends),
    )


def bearer(authorization: str | None) -> str | None:
    """Return the token of an Authorization header, or None if it carries none."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """Return the first value of a header of an ASGI scope; the name in lower case."""
    return next((value.decode("latin-1") for key, value in headers if key == name), None)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _hostname(host: str) -> str:
    """Return a Host without its port, in lower case; an IPv6 address keeps its brackets."""
    host = host.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InvalidInput(f"FRONTEND_URL is {url!r}, expected the address of a web page such as {_FRONTEND}")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _same(origin: str, host: str) -> bool:
    return origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")


def _shown(value: str | None) -> str:
    return ascii(value[:100]) if value else "(none)"
