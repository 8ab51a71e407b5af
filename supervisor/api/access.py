"""Who may talk to the API: tokens and their scopes, and the hosts and origins that a web page cannot fake."""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from agents.errors import InvalidInput
from supervisor.api.scopes import Scope

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})

#: The seed's default.
_FRONTEND = "http://localhost:3000"


def digest(token: str) -> str:
    """Return the SHA-256 of a token in hex: what the API's processes are given instead of the token."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request, by the name of the token, and what it may do."""

    name: str
    scope: Scope


#: Who comes with POLYFLEET_API_TOKEN, and who comes while no token is set.
ADMIN = Caller("admin", Scope.ADMIN)
ANYONE = Caller("anyone", Scope.ADMIN)
#: Who comes from a page of the dashboard, which has asked for a token itself.
DASHBOARD = Caller("dashboard", Scope.ADMIN)

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")
_SHAPE = "expected name:scope:token, commas between, such as monitor:read:<token>"


@dataclass(frozen=True, slots=True)
class Access:
    """The API's rules of admission. `token_digest` is that of the token that may do everything, "" when there is none.

    `tokens` are others as (caller, digest), `origins` are web pages that may call the API;
    `anyone` is who comes while no token is set.
    """

    token_digest: str = ""
    hosts: frozenset[str] = _LOOPBACK
    origins: frozenset[str] = frozenset({_FRONTEND})
    tokens: tuple[tuple[Caller, str], ...] = ()
    anyone: Caller = ANYONE

    @property
    def guarded(self) -> bool:
        """Whether a token is set, so that one is asked for."""
        return bool(self.token_digest or self.tokens)

    def caller(self, token: str | None) -> Caller | None:
        """Return whose token this is, or None if it is nobody's; it takes the same time for every wrong one."""
        if not self.guarded:
            return self.anyone
        if token is None:
            return None
        offered, found = digest(token), None
        for caller, known in ((ADMIN, self.token_digest), *self.tokens):
            if hmac.compare_digest(offered, known):
                found = caller
        return found

    def token_fits(self, token: str | None) -> bool:
        """Whether no token is set, or this is one of them: each may read."""
        return self.caller(token) is not None

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

    POLYFLEET_API_TOKEN and POLYFLEET_API_TOKENS, or what `digested` makes of them; POLYFLEET_ALLOWED_HOSTS (names, commas
    between) and FRONTEND_URL.

    Raises:
        InvalidInput: if FRONTEND_URL is not the address of a web page, or a token has no name or scope.
    """
    frontends = _listed(environment.get("FRONTEND_URL") or _FRONTEND)
    digests = digested(environment) | {name: environment[name] for name in _DIGESTS if environment.get(name)}
    return Access(
        token_digest=digests["POLYFLEET_API_TOKEN_DIGEST"].lower(),
        hosts=_LOOPBACK | {_hostname(name) for name in _listed(environment.get("POLYFLEET_ALLOWED_HOSTS", ""))},
        origins=frozenset(_origin(url) for url in frontends),
        tokens=_named(digests["POLYFLEET_API_TOKEN_DIGESTS"], "POLYFLEET_API_TOKEN_DIGESTS"),
    )


#: What the API's processes are given instead of tokens.
_DIGESTS = ("POLYFLEET_API_TOKEN_DIGEST", "POLYFLEET_API_TOKEN_DIGESTS")


def digested(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that tell the API's processes which tokens there are, without the tokens.

    Raises:
        InvalidInput: if a token has no name or scope, or a name or token stands for two.
    """
    token = environment.get("POLYFLEET_API_TOKEN", "")
    named = _named(environment.get("POLYFLEET_API_TOKENS", ""), "POLYFLEET_API_TOKENS")
    digests = [(caller, digest(each)) for caller, each in named]
    known = [*(each for _, each in digests), *([digest(token)] if token else [])]
    if len(set(known)) < len(known):
        raise InvalidInput("POLYFLEET_API_TOKENS has a token that stands for two names; give each its own")
    return {
        "POLYFLEET_API_TOKEN_DIGEST": digest(token) if token else "",
        "POLYFLEET_API_TOKEN_DIGESTS": ",".join(f"{caller.name}:{caller.scope}:{each}" for caller, each in digests),
    }


def _named(text: str, setting: str) -> tuple[tuple[Caller, str], ...]:
    """Read name:scope:token, commas between; no error shows a token."""
    found: dict[str, tuple[Caller, str]] = {}
    for number, entry in enumerate(_listed(text), 1):
        name, _, rest = entry.partition(":")
        scope, _, token = rest.partition(":")
        if not token or not _NAME.fullmatch(name) or scope.upper() not in Scope.__members__:
            scopes = ", ".join(str(each) for each in Scope)
            raise InvalidInput(f"{setting}: entry {number} is wrong; {_SHAPE}; scopes are {scopes}, names lower-case")
        if name in found or name in (ADMIN.name, ANYONE.name, DASHBOARD.name):
            raise InvalidInput(f"{setting}: entry {number} has a name that is taken; give each token its own")
        found[name] = Caller(name, Scope[scope.upper()]), token
    return tuple(found.values())


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
