"""Calls to a named actor: found when first needed, found again when it died, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayTaskError

from actors.naming import FORECASTER, LEDGER, LIBRARIAN, MARKET_FEED, NAMESPACE, NOTIFIER, SUPERVISOR, broker
from agents import ports
from agents.errors import PolyfleetError, Unavailable

#: Seconds that a call may take unless told otherwise, those to read a log, and those to look at the queues.
DEADLINE = 30.0
_LOG_DEADLINE = 5.0
_QUEUES_DEADLINE = 1.0


class Remote:
    """The service of a named actor: any attribute is an async method that runs there.

    Errors of ours (`PolyfleetError`) are raised here as they were raised there; a dead, unreachable or late actor
    is `Unavailable`.
    """

    def __init__(self, name: str, deadline: float = DEADLINE) -> None:
        self._name = name
        self._deadline = deadline
        self._handle: Any = None

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        if method.startswith("__"):
            raise AttributeError(method)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._call(method, args, kwargs)

        return call

    async def _call(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        deadline = self._deadline + float(kwargs.get("wait") or kwargs.get("timeout") or 0)
        return await self._ask(method, deadline, lambda handle: handle.call.remote(method, *args, **kwargs))

    async def _ask(self, what: str, deadline: float, send: Callable[[Any], Awaitable[Any]]) -> Any:
        try:
            if self._handle is None:
                self._handle = await asyncio.to_thread(ray.get_actor, self._name, NAMESPACE)
            async with asyncio.timeout(deadline):
                return await send(self._handle)
        except RayTaskError as error:
            cause = error.cause
            if isinstance(cause, PolyfleetError):
                raise type(cause)(*cause.args) from None
            raise
        except (ActorDiedError, ActorUnavailableError) as error:
            self._handle = None
            raise Unavailable(f"{self._name} is not running now") from error
        except ValueError as error:
            if self._handle is not None:
                raise
            raise Unavailable(f"{self._name} has not been started") from error
        except TimeoutError as error:
            raise Unavailable(f"{self._name} did not answer {what} within {deadline:g} s") from error


def ledger(deadline: float = DEADLINE) -> ports.Ledger:
    """Return the ledger."""
    return cast(ports.Ledger, Remote(LEDGER, deadline))


def market_feed(deadline: float = DEADLINE) -> ports.MarketFeed:
    """Return the market feed."""
    return cast(ports.MarketFeed, Remote(MARKET_FEED, deadline))


def supervisor(deadline: float = DEADLINE) -> ports.Supervisor:
    """Return the supervisor."""
    return cast(ports.Supervisor, Remote(SUPERVISOR, deadline))


def forecaster(deadline: float = DEADLINE) -> ports.Forecaster:
    """Return the forecaster."""
    return cast(ports.Forecaster, Remote(FORECASTER, deadline))


def librarian(deadline: float = DEADLINE) -> ports.Librarian:
    """Return the librarian."""
    return cast(ports.Librarian, Remote(LIBRARIAN, deadline))


def notifier(deadline: float = DEADLINE) -> ports.Notifier:
    """Return the notifier."""
    return cast(ports.Notifier, Remote(NOTIFIER, deadline))


def broker_of(wallet: str, deadline: float = DEADLINE) -> ports.Broker:
    """Return a wallet's broker."""
    return cast(ports.Broker, Remote(broker(wallet), deadline))


async def log_of(name: str, limit: int) -> list[dict[str, Any]]:
    """Return the newest lines of an actor's log, oldest first.

    Its own process reads them, on whatever machine that is; while it has none, the supervisor's, on the machine with the
    data directory. Raises Unavailable.
    """
    try:
        return cast(list[dict[str, Any]], await _controlled(name, _LOG_DEADLINE, "logged", name, limit))
    except Unavailable:
        return cast(list[dict[str, Any]], await _controlled(SUPERVISOR, _LOG_DEADLINE, "logged", name, limit))


async def queues(*names: str) -> ports.Queues:
    """Return what waits in the queues that actors know of; nothing is said of those that do not answer."""
    asked = [_controlled(name, _QUEUES_DEADLINE, "control", "queues") for name in names]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    found: dict[str, dict[str, int]] = {}
    for answer in answers:
        if isinstance(answer, Unavailable):
            continue
        if isinstance(answer, BaseException):
            raise answer
        for owner, depths in answer.items():
            found.setdefault(owner, {}).update(depths)
    return found


async def _controlled(name: str, deadline: float, method: str, *args: Any) -> Any:
    """Ask an actor's control thread, which answers even while its main loop is stuck."""
    return await Remote(name)._ask(method, deadline, lambda handle: getattr(handle, method).remote(*args))
