"""The types of the API's answers: those that the API itself promises.

Loading them loads the API, so who only talks to it imports them under `TYPE_CHECKING`, as the clients do.
"""

from typing import Any

from typing_extensions import TypedDict

from supervisor.api.agent_routes import Deleted, Positions
from supervisor.api.agent_views import AgentFacts, Fleet
from supervisor.api.approval_routes import Approvals, Decided
from supervisor.api.book_views import Portfolio, Position, Sums
from supervisor.api.equity_views import EquityCurve
from supervisor.api.fleet_routes import Examination, Halted, LedgerCheck, Markets, Reloaded, Scores
from supervisor.api.log_routes import LoggedEvent, Logs, Published
from supervisor.api.market_views import MarketBook
from supervisor.api.order_routes import Cancelled
from supervisor.api.probe_routes import Readiness
from supervisor.api.risk_views import Risk, ScopeRisk
from supervisor.api.seed_routes import Health
from supervisor.api.wallet_routes import Adjusted

__all__ = [
    "Adjusted",
    "AgentList",
    "AgentStatus",
    "Approvals",
    "Cancelled",
    "Decided",
    "Deleted",
    "EquityCurve",
    "Examination",
    "Fleet",
    "Halted",
    "Health",
    "LedgerCheck",
    "LoggedEvent",
    "Logs",
    "MarketBook",
    "Markets",
    "Portfolio",
    "Position",
    "Positions",
    "Published",
    "Readiness",
    "Reloaded",
    "Risk",
    "ScopeRisk",
    "Scores",
    "Sums",
]


class AgentStatus(AgentFacts):
    """One agent and how it does; `spec` has the fields of an AgentSpec under the names of the wire."""

    state: str
    spec: dict[str, Any]


class AgentList(TypedDict):
    """Every agent."""

    agents: list[AgentStatus]
    total: int
