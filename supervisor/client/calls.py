"""Every request that the API takes, as data: what both clients send. Nothing here talks to anyone.

The functions only describe a request; their docstrings say what sending it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote

if TYPE_CHECKING:
    from supervisor.client import answers

T = TypeVar("T")

#: Entries that one request for a part of a list asks for: the most that the API gives.
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request, whose answer is a `T`. `also` are statuses besides 2xx that carry such an answer.

    The answer is JSON or, where `text` says so, text as it is.
    """

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    also: tuple[int, ...] = ()
    text: bool = False


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list of `T` that comes in parts: `field` of each answer has the entries, `next` where to go on from."""

    call: Call[Any]
    field: str
    cursor: str

    def rest(self, answer: Mapping[str, Any]) -> Listing[T] | None:
        """Return the list from where an answer ends, or None if that was all of it."""
        position = answer["next"]
        if position is None or position == self.call.params.get(self.cursor):
            return None
        return replace(self, call=replace(self.call, params={**self.call.params, self.cursor: position}))


def health() -> Call[answers.Health]:
    """Return whether the API answers and agents run."""
    return Call("GET", "/health")


def ready() -> Call[answers.Readiness]:
    """Return what is ready, whether all of it is or not."""
    return Call("GET", "/ready", also=(503,))


def fleet() -> Call[answers.Fleet]:
    """Return the fleet at a glance."""
    return Call("GET", "/api/fleet")


def agents() -> Call[answers.AgentList]:
    """Return every agent and how it does."""
    return Call("GET", "/api/agents")


def agent(agent_id: str) -> Call[answers.AgentStatus]:
    """Return one agent and how it does. Raises NotFound."""
    return Call("GET", _agent(agent_id))


def create(spec: Mapping[str, Any]) -> Call[answers.AgentStatus]:
    """Create an agent from the fields of an AgentSpec. Raises InvalidInput, or Conflict if the id exists."""
    return Call("POST", "/api/agents", body=dict(spec))


def update(agent_id: str, changes: Mapping[str, Any]) -> Call[answers.AgentStatus]:
    """Change fields of an agent's spec while it runs; `params` are replaced as a whole. Raises NotFound or InvalidInput."""
    return Call("PATCH", _agent(agent_id), body=dict(changes))


def delete(agent_id: str) -> Call[answers.Deleted]:
    """Stop an agent, if need be, and remove it. Raises NotFound."""
    return Call("DELETE", _agent(agent_id))


def control(agent_id: str, action: str) -> Call[answers.AgentStatus]:
    """Start, stop, pause, resume, restart or kill an agent. Raises NotFound, or Conflict in a state that does not allow it."""
    return Call("POST", f"{_agent(agent_id)}/{quote(action, safe='')}")


def start(agent_id: str) -> Call[answers.AgentStatus]:
    """Start an agent. Raises NotFound or Conflict."""
    return control(agent_id, "start")


def stop(agent_id: str) -> Call[answers.AgentStatus]:
    """Stop an agent and cancel its orders; answers when it has stopped, or after 9 s. Raises NotFound or Conflict."""
    return control(agent_id, "stop")


def pause(agent_id: str) -> Call[answers.AgentStatus]:
    """Pause an agent and cancel its quotes. Raises NotFound or Conflict."""
    return control(agent_id, "pause")


def resume(agent_id: str) -> Call[answers.AgentStatus]:
    """Let a paused or quarantined agent go on. Raises NotFound or Conflict."""
    return control(agent_id, "resume")


def restart(agent_id: str) -> Call[answers.AgentStatus]:
    """Stop an agent and start it again. Raises NotFound or Conflict."""
    return control(agent_id, "restart")


def kill(agent_id: str) -> Call[answers.AgentStatus]:
    """Kill an agent's process, which then fails as in any crash. Raises NotFound, or Conflict if it is not at work."""
    return control(agent_id, "kill")


def logs(agent_id: str, limit: int = 100) -> Call[answers.Logs]:
    """Return the newest lines that an agent's process has logged, oldest first. Raises NotFound."""
    return Call("GET", f"{_agent(agent_id)}/logs", {"limit": limit})


def service_logs(name: str, limit: int = 100) -> Call[answers.Logs]:
    """Return the newest lines that a service has logged, oldest first; names are as in `fleet`. Raises NotFound."""
    return Call("GET", f"/api/services/{quote(name, safe='')}/logs", {"limit": limit})


def positions(agent_id: str, limit: int = _PAGE) -> Call[answers.Positions]:
    """Return what an agent holds, the dearest first. Raises NotFound."""
    return Call("GET", f"{_agent(agent_id)}/positions", {"limit": limit})


def decisions(agent_id: str, before: int | None = None) -> Listing[dict[str, Any]]:
    """Yield an agent's decisions, newest first, all or those before a seq. Raises NotFound."""
    return _history(agent_id, "decisions", before)


def trades(agent_id: str, before: int | None = None) -> Listing[dict[str, Any]]:
    """Yield an agent's trades, newest first, all or those before a seq. Raises NotFound."""
    return _history(agent_id, "trades", before)


def orders(agent_id: str, before: int | None = None) -> Listing[dict[str, Any]]:
    """Yield an agent's orders in their latest state, newest first, all or those before a seq. Raises NotFound."""
    return _history(agent_id, "orders", before)


def forecasts(agent_id: str, before: int | None = None) -> Listing[dict[str, Any]]:
    """Yield an agent's forecasts, newest first, all or those before a seq. Raises NotFound."""
    return _history(agent_id, "forecasts", before)


def agent_events(agent_id: str, before: int | None = None) -> Listing[answers.LoggedEvent]:
    """Yield all that was logged of an agent, newest first, all or what is before a seq. Raises NotFound."""
    return _history(agent_id, "events", before)


def events(after: int = 0, agent: str | None = None, type: str | Sequence[str] | None = None) -> Listing[answers.LoggedEvent]:
    """Yield the log after a cursor, oldest first, to its end; all of it, or one agent's, or some types. Raises InvalidInput."""
    filters = _given(agent=agent, type=type)
    return Listing(Call("GET", "/api/events", {"after": after, "limit": _PAGE, **filters}), "events", "after")


def portfolio() -> Call[answers.Portfolio]:
    """Return every wallet's and agent's book; amounts are decimal text."""
    return Call("GET", "/api/portfolio")


def equity(
    agent: str | None = None, wallet: str | None = None, start: int | None = None, end: int | None = None
) -> Call[answers.EquityCurve]:
    """Return equity, profit and drawdown between two epoch milliseconds: the fleet's, an agent's or a wallet's.

    Raises NotFound, or InvalidInput for an agent and a wallet.
    """
    params = _given(agent=agent, wallet=wallet, to=end) | ({} if start is None else {"from": start})
    return Call("GET", "/api/portfolio/equity", params)


def portfolio_csv() -> Call[str]:
    """Return every book's cash and positions as CSV."""
    return Call("GET", "/api/portfolio.csv", text=True)


def trades_csv(agent: str | None = None, wallet: str | None = None) -> Call[str]:
    """Return every fill and payout in the log as CSV, oldest first, with what went of cost, fee and profit. Raises NotFound."""
    return Call("GET", "/api/portfolio/trades.csv", _given(agent=agent, wallet=wallet), text=True)


def scores(by: str = "agent") -> Call[answers.Scores]:
    """Return how good forecasts were beside the price, by agent, strategy, model or category. Raises InvalidInput."""
    return Call("GET", "/api/scores", {"by": by})


def markets(closed: bool | None = None, limit: int = _PAGE) -> Call[answers.Markets]:
    """Return the markets that the feed knows: all, the closed or the open ones."""
    return Call("GET", "/api/markets", {"limit": limit, **_given(closed=closed)})


def market(market_id: str) -> Call[answers.MarketBook]:
    """Return one market by condition id, Gamma id, slug or token id, with its books. Raises NotFound."""
    return Call("GET", f"/api/markets/{quote(market_id, safe='')}")


def ledger_check() -> Call[answers.LedgerCheck]:
    """Compare the books with the venue at one cut. Raises Unavailable if that takes too long."""
    return Call("GET", "/api/ledger/check")


def adjust(
    wallet: str, reason: str, *, cash: str = "0", shares: Mapping[str, str] | None = None, agent_id: str | None = None
) -> Call[answers.Adjusted]:
    """Book the difference between a wallet's books and the venue, to an agent or to nobody. Raises NotFound or Conflict."""
    body = {"reason": reason, "cash": cash, "shares": dict(shares or {}), "agentId": agent_id}
    return Call("POST", f"/api/wallets/{quote(wallet, safe='')}/adjust", body=body)


def examine() -> Call[answers.Examination]:
    """Look at hosts, place, clock, accounts and money. Raises Unavailable if that takes too long."""
    return Call("GET", "/api/checks")


def kill_switch(reason: str, *, flatten: bool = False) -> Call[answers.Halted]:
    """Stop all trading and cancel all orders; with `flatten` sell out too. Raises InvalidInput."""
    return Call("POST", "/api/fleet/kill-switch", body={"reason": reason, "flatten": flatten})


def lift() -> Call[answers.Halted]:
    """Lift the kill switch: let the fleet trade again."""
    return Call("DELETE", "/api/fleet/kill-switch")


def cancel_orders(agent: str | None = None, market: str | None = None) -> Call[answers.Cancelled]:
    """Cancel resting orders: of an agent, on a market, both, or all. Raises NotFound."""
    which = {"agent": agent, "market": market}
    return Call("POST", "/api/orders/cancel", body={name: value for name, value in which.items() if value is not None})


def cancel_order(order_id: str) -> Call[answers.Cancelled]:
    """Cancel one resting order. Raises NotFound, or Conflict if it does not rest."""
    return Call("POST", f"/api/orders/{quote(order_id, safe='')}/cancel")


def approvals() -> Call[answers.Approvals]:
    """Return the trades that wait to be approved or rejected."""
    return Call("GET", "/api/approvals")


def approve(approval_id: str) -> Call[answers.Decided]:
    """Send a trade that waits. Raises NotFound, or Conflict if it was decided before or cannot be sent any more."""
    return Call("POST", f"/api/approvals/{quote(approval_id, safe='')}/approve")


def reject(approval_id: str) -> Call[answers.Decided]:
    """Drop a trade that waits. Raises NotFound, or Conflict if it was decided before."""
    return Call("POST", f"/api/approvals/{quote(approval_id, safe='')}/reject")


def risk() -> Call[answers.Risk]:
    """Return the fleet's limits, what is used up of them, and what is stopped."""
    return Call("GET", "/api/risk")


def resume_trading(scope: str) -> Call[answers.ScopeRisk]:
    """Lift the stops for losses of a scope: agent:ID, wallet:NAME or fleet. Raises NotFound, or Conflict if none is on."""
    return Call("POST", "/api/risk/resume", body={"scope": scope})


def reload() -> Call[answers.Reloaded]:
    """Read the fleet file again: create the agents that are new, change those that it describes otherwise."""
    return Call("POST", "/api/fleet/reload")


def publish(notification: Mapping[str, Any]) -> Call[answers.Published]:
    """Publish one of the notification types (its `type`: opportunity, crosschain, ...) to the hub. Raises InvalidInput."""
    return Call("POST", "/api/notifications", body=dict(notification))


def copy_of(status: answers.AgentStatus, agent_id: str, changes: Mapping[str, Any]) -> Call[answers.AgentStatus]:
    """Create an agent with the spec of another one, but for its id and what is changed."""
    return create({**status["spec"], **changes, "id": agent_id})


def _agent(agent_id: str) -> str:
    return f"/api/agents/{quote(agent_id, safe='')}"


def _history(agent_id: str, name: str, before: int | None) -> Listing[Any]:
    return Listing(Call("GET", f"{_agent(agent_id)}/{name}", {"limit": _PAGE, **_given(before=before)}), name, "before")


def _given(**params: Any) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
