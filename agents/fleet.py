"""The fleet's state as a fold over the log: agents, counts, books, services. The same code in every process that needs it."""

from dataclasses import dataclass, field
from typing import Any

from agents.audit import Answers
from agents.events import Event, Type
from agents.forecasting.spend import Spend
from agents.forecasting.track import TrackRecord
from agents.money import Micro
from agents.portfolio import Portfolio
from agents.sell_out import SellOut, read_sell_out
from agents.spec import AgentSpec, AgentState, Desired


@dataclass(slots=True)
class AgentRecord:
    """What the log says of one agent. Times are wall milliseconds; `started_at` is None while it has no process."""

    spec: AgentSpec
    state: AgentState = AgentState.PENDING
    desired: Desired = Desired.RUNNING
    reason: str = ""
    blocked: str | None = None
    incarnation: int = 0
    pid: int | None = None
    restarts: int = 0
    #: Wall milliseconds of the latest restarts, for the restart intensity.
    restart_times: tuple[int, ...] = ()
    #: Failures in a row without a stable spell, for the backoff.
    failures: int = 0
    started_at: int | None = None
    #: When it came into its state; 0 if the log no longer tells.
    since: int = 0
    last_error: str | None = None
    total_decisions: int = 0
    total_trades: int = 0
    total_forecasts: int = 0


@dataclass(slots=True)
class ServiceRecord:
    """What the log says of one shared actor."""

    state: str = "starting"
    restarts: int = 0
    pid: int | None = None


@dataclass(slots=True)
class FleetState:
    """All that the log says of the fleet up to `seq`."""

    seq: int = 0
    agents: dict[str, AgentRecord] = field(default_factory=dict)
    services: dict[str, ServiceRecord] = field(default_factory=dict)
    portfolio: Portfolio = field(default_factory=Portfolio)
    #: The forecasts of the agents that there are, and what came of them.
    record: TrackRecord = field(default_factory=TrackRecord)
    #: What language models have cost.
    spend: Spend = field(default_factory=Spend)
    #: The reason given when the kill switch was thrown, or None.
    halted: str | None = None
    #: Whether it was the breaker: then no agent is started either.
    tripped: bool = False
    #: The seq of the event since which the kill switch also sells out; 0: it does not.
    flattening: int = 0
    #: Wallet name to what selling it out has come to.
    sell_outs: dict[str, SellOut] = field(default_factory=dict)
    #: Condition ids of resolved markets, each with its tokens' payouts as decimal text.
    resolutions: dict[str, dict[str, str]] = field(default_factory=dict)
    #: Wallet name to the transactions of the payouts that are booked.
    payouts: dict[str, set[str]] = field(default_factory=dict)
    #: Wallet name to address.
    addresses: dict[str, str] = field(default_factory=dict)
    #: What requests with an idempotency key were answered.
    answers: Answers = field(default_factory=Answers)

    def profit(self, agent_id: str) -> Micro:
        """Return an agent's realised profit over all wallets, fees taken off."""
        return sum(book.profit for _, book in self.portfolio.books_of(agent_id))

    @property
    def total_profit(self) -> Micro:
        """Realised profit of all agents that exist, fees taken off."""
        return sum(self.profit(agent_id) for agent_id in self.agents)

    def apply(self, event: Event) -> None:
        """Fold one event. An event at or before `seq` was folded already and changes nothing."""
        if event.seq <= self.seq:
            return
        self.seq = event.seq
        self.portfolio.apply(event)
        self.spend.apply(event)
        self.answers.apply(event)
        agent = self.agents.get(event.agent_id) if event.agent_id else None
        data = event.data
        match event.type:
            case Type.AGENT if event.agent_id:
                self._agent(event, event.agent_id, agent)
            case Type.DECISION if agent and event.source == f"agent:{event.agent_id}":
                agent.total_decisions += 1
            case Type.TRADE if agent and "size" in data:
                agent.total_trades += 1
            case Type.FORECAST if agent:
                agent.total_forecasts += 1
                self.record.apply(event)
            case Type.RISK:
                self._risk(event, agent)
            case Type.RESOLUTION if "redeemed" not in data and "payouts" in data:
                self.resolutions[data["conditionId"]] = data["payouts"]
                self.record.apply(event)
            case Type.RESOLUTION if "redeemed" in data:
                self.payouts.setdefault(data["wallet"], set()).add(data["txHash"])
            case Type.INFO if data.get("kind") == "service":
                self._service(data)
            case Type.INFO if data.get("kind") == "deposit":
                self.addresses[data["wallet"]] = data["address"]

    def _risk(self, event: Event, agent: AgentRecord | None) -> None:
        data = event.data
        kind = data.get("kind")
        if agent and "blocked" in data:
            agent.blocked = data["blocked"]
        elif kind == "kill_switch":
            on = data["on"]
            self.halted = data["reason"] if on else None
            self.tripped = on and (self.tripped or data.get("by") == "breaker")
            # Thrown once more without it, by another operator or the breaker, it goes on selling.
            sells = on and (self.flattening or data.get("flatten", False))
            self.flattening = (self.flattening or event.seq) if sells else 0
            self.sell_outs = self.sell_outs if sells else {}
        elif kind == "flatten" and data["since"] == self.flattening:
            self.sell_outs[data["wallet"]] = read_sell_out(data)

    def _agent(self, event: Event, agent_id: str, agent: AgentRecord | None) -> None:
        data = event.data
        if data["change"] == "deleted":
            self.agents.pop(agent_id, None)
            self.record.forget(agent_id)
            return
        if agent is None:
            if "spec" not in data:
                # A late word on an agent that was deleted.
                return
            agent = self.agents[agent_id] = AgentRecord(AgentSpec.model_validate(data["spec"]), since=event.timestamp)
        elif "spec" in data:
            agent.spec = AgentSpec.model_validate(data["spec"])
        state = AgentState(data["state"])
        if state is not agent.state:
            agent.since = event.timestamp
        agent.state = state
        agent.desired = Desired(data["desired"])
        agent.reason = data["reason"]
        agent.incarnation = data["incarnation"]
        agent.pid = data["pid"]
        agent.restarts = data["restarts"]
        agent.restart_times = tuple(data["restartTimes"])
        agent.failures = data["failures"]
        agent.started_at = data["startedAt"]
        agent.last_error = data["lastError"]

    def _service(self, data: dict[str, Any]) -> None:
        self.services[data["name"]] = ServiceRecord(data["state"], data["restarts"], data["pid"])


def agent_data(record: AgentRecord, change: str, *, with_spec: bool = False) -> dict[str, Any]:
    """Return the data of an `agent` event: the record as it is after the change (created, updated, deleted, state)."""
    data = {
        "change": change,
        "state": str(record.state),
        "desired": str(record.desired),
        "reason": record.reason,
        "incarnation": record.incarnation,
        "pid": record.pid,
        "restarts": record.restarts,
        "restartTimes": list(record.restart_times),
        "failures": record.failures,
        "startedAt": record.started_at,
        "lastError": record.last_error,
    }
    return data | {"spec": record.spec.wire()} if with_spec else data
