"""The methods that both clients have: each is one described request, sent by whichever client it is asked of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from supervisor.client import calls
from supervisor.client.calls import Call, Listing

if TYPE_CHECKING:
    from supervisor.client.awaited import AsyncFleetClient
    from supervisor.client.blocking import FleetClient

P = ParamSpec("P")
T = TypeVar("T")


class Route(Generic[P, T]):
    """A method that sends a call: the blocking client's returns the answer, the other's is awaited."""

    def __init__(self, describe: Callable[P, Call[T]]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: FleetClient, owner: Any = None) -> Callable[P, T]: ...

    @overload
    def __get__(self, client: AsyncFleetClient, owner: Any = None) -> Callable[P, Coroutine[Any, Any, T]]: ...

    def __get__(self, client: Any, owner: Any = None) -> Any:
        """Return the method of a client; of a class, the function that describes it."""
        return _bound(self._describe, client and client.send)


class ListRoute(Generic[P, T]):
    """A method that yields a list's entries and asks for the next part when one is used up."""

    def __init__(self, describe: Callable[P, Listing[T]]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: FleetClient, owner: Any = None) -> Callable[P, Iterator[T]]: ...

    @overload
    def __get__(self, client: AsyncFleetClient, owner: Any = None) -> Callable[P, AsyncIterator[T]]: ...

    def __get__(self, client: Any, owner: Any = None) -> Any:
        """Return the method of a client; of a class, the function that describes it."""
        return _bound(self._describe, client and client.entries)


class Routes:
    """All of them."""

    health = Route(calls.health)
    ready = Route(calls.ready)
    fleet = Route(calls.fleet)
    agents = Route(calls.agents)
    agent = Route(calls.agent)
    create = Route(calls.create)
    update = Route(calls.update)
    delete = Route(calls.delete)
    control = Route(calls.control)
    start = Route(calls.start)
    stop = Route(calls.stop)
    pause = Route(calls.pause)
    resume = Route(calls.resume)
    restart = Route(calls.restart)
    kill = Route(calls.kill)
    logs = Route(calls.logs)
    service_logs = Route(calls.service_logs)
    positions = Route(calls.positions)
    decisions = ListRoute(calls.decisions)
    trades = ListRoute(calls.trades)
    orders = ListRoute(calls.orders)
    forecasts = ListRoute(calls.forecasts)
    agent_events = ListRoute(calls.agent_events)
    events = ListRoute(calls.events)
    portfolio = Route(calls.portfolio)
    equity = Route(calls.equity)
    portfolio_csv = Route(calls.portfolio_csv)
    trades_csv = Route(calls.trades_csv)
    scores = Route(calls.scores)
    markets = Route(calls.markets)
    market = Route(calls.market)
    ledger_check = Route(calls.ledger_check)
    adjust = Route(calls.adjust)
    examine = Route(calls.examine)
    kill_switch = Route(calls.kill_switch)
    lift = Route(calls.lift)
    cancel_orders = Route(calls.cancel_orders)
    cancel_order = Route(calls.cancel_order)
    approvals = Route(calls.approvals)
    approve = Route(calls.approve)
    reject = Route(calls.reject)
    risk = Route(calls.risk)
    resume_trading = Route(calls.resume_trading)
    reload = Route(calls.reload)
    publish = Route(calls.publish)


def _bound(describe: Callable[..., Any], send: Callable[[Any], Any] | None) -> Callable[..., Any]:
    if send is None:
        return describe
    return update_wrapper(lambda *args, **kwargs: send(describe(*args, **kwargs)), describe)
