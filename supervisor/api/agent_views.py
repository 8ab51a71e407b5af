"""Agents and the fleet as clients see them, made from the folded log by pure functions. Times are epoch milliseconds."""

from typing import Annotated, cast
from urllib.parse import urlsplit

from pydantic import Field
from typing_extensions import TypedDict

from actors.naming import SUPERVISOR
from agents.fleet import AgentRecord, FleetState, ServiceRecord
from agents.money import number, text
from agents.ports import Endpoints
from agents.spec import AgentSpec, AgentState

#: The states in which the seed calls an agent running.
RUNNING = frozenset({AgentState.STARTING, AgentState.RUNNING, AgentState.PAUSED, AgentState.BACKING_OFF})


class AgentFacts(TypedDict):
    """What is said of an agent in the same words on both sides of the wire."""

    id: str
    strategy: str
    reason: Annotated[str, Field(description="Why it is in this state.")]
    blocked: Annotated[str | None, Field(description="Why it may not trade now, such as a budget; null: it may.")]
    incarnation: Annotated[int, Field(description="Which life of its process this is.")]
    pid: int | None
    restarts: int
    startedAt: int | None
    uptime: Annotated[int, Field(description="Milliseconds.")]
    lastHeartbeat: int | None
    lastError: str | None
    totalDecisions: int
    totalTrades: int
    totalProfit: Annotated[float, Field(description="Realised, fees taken off, in pUSD.")]


class AgentStatus(AgentFacts):
    """One agent and how it does."""

    state: AgentState
    spec: AgentSpec


class SeedConfig(TypedDict):
    """The seed's two settings of an agent."""

    maxTradeAmount: float
    minConfidence: float


class SeedStatus(TypedDict):
    """The seed's status of its agent."""

    isRunning: bool
    startedAt: int | None
    uptime: int
    totalDecisions: int
    totalTrades: int
    totalProfit: float
    config: SeedConfig


class AgentCounts(TypedDict):
    """How many agents there are, in all and in each state."""

    total: int
    byState: dict[AgentState, int]


class ServiceStatus(TypedDict):
    """One shared actor."""

    name: str
    state: str
    restarts: int


class Venue(TypedDict):
    """Where the venue answers; only a simulated one has news and a language model."""

    gammaUrl: str
    clobUrl: str
    dataUrl: str
    relayerUrl: str
    rpcUrl: str
    marketWsUrl: str
    userWsUrl: str
    newsUrl: str
    openaiUrl: str


class Unsold(TypedDict):
    """Shares that the kill switch has not sold yet, and why."""

    agentId: Annotated[str | None, Field(description="Null: no agent owns them.")]
    tokenId: str
    size: str
    marketQuestion: str
    outcome: str
    reason: str


class SellOut(TypedDict):
    """How far one wallet is sold out."""

    wallet: str
    left: list[Unsold]


class Fleet(TypedDict):
    """The fleet at a glance."""

    mode: str
    simulated: Annotated[bool, Field(description="Whether the money is not real.")]
    seq: int
    halted: Annotated[str | None, Field(description="Why the kill switch is on; null: it is off.")]
    flatten: Annotated[
        list[SellOut] | None,
        Field(description="What each wallet that has begun to sell out has left; null: the kill switch does not sell out."),
    ]
    agents: AgentCounts
    totalDecisions: int
    totalTrades: int
    totalProfit: float
    exposure: Annotated[float, Field(description="What the shares held now have cost, in pUSD.")]
    services: list[ServiceStatus]
    venue: Annotated[Venue | None, Field(description="Null while it is not known.")]


def agent_status(state: FleetState, record: AgentRecord, *, now: int, heartbeat: int | None) -> AgentStatus:
    """Return an AgentStatus."""
    spec = record.spec
    return {
        "id": spec.id,
        "strategy": spec.strategy,
        "state": record.state,
        "reason": record.reason,
        "blocked": state.blocked(record),
        "incarnation": record.incarnation,
        "pid": record.pid,
        "restarts": record.restarts,
        "startedAt": record.started_at,
        "uptime": _uptime(record, now),
        "lastHeartbeat": heartbeat,
        "lastError": record.last_error,
        "totalDecisions": record.total_decisions,
        "totalTrades": record.total_trades,
        "totalProfit": number(state.profit(spec.id)),
        "spec": spec,
    }


def seed_status(state: FleetState, record: AgentRecord | None, *, now: int, defaults: SeedConfig) -> SeedStatus:
    """Return the seed's status of one agent; `defaults` are its settings while there is no such agent."""
    running = record is not None and record.state in RUNNING
    # While it has no process, it has been starting or backing off since then.
    started = (record.started_at or (record.since if running else None)) if record else None
    return {
        "isRunning": running,
        "startedAt": started,
        "uptime": max(0, now - started) if started else 0,
        "totalDecisions": record.total_decisions if record else 0,
        "totalTrades": record.total_trades if record else 0,
        "totalProfit": number(state.profit(record.spec.id)) if record else 0,
        "config": seed_config(record) if record else defaults,
    }


def seed_config(record: AgentRecord) -> SeedConfig:
    """Return the seed's two settings of an agent."""
    return {"maxTradeAmount": float(record.spec.max_trade_amount), "minConfidence": record.spec.min_confidence}


def fleet(state: FleetState, mode: str, venue: Endpoints | None, *, supervised: bool) -> Fleet:
    """Return the fleet at a glance; `supervised` is whether the supervisor answers, which it cannot log of itself."""
    records = state.agents.values()
    by_state = dict.fromkeys(AgentState, 0)
    for record in records:
        by_state[record.state] += 1
    restarts = state.services.get(SUPERVISOR, ServiceRecord()).restarts
    services = state.services | {SUPERVISOR: ServiceRecord("running" if supervised else "restarting", restarts)}
    exposure = sum(book.cost for books in state.portfolio.wallets.values() for book in books.values())
    return {
        "mode": mode,
        "simulated": mode != "live",
        "seq": state.seq,
        "halted": state.halted,
        "flatten": sell_outs(state),
        "agents": {"total": len(records), "byState": by_state},
        "totalDecisions": sum(record.total_decisions for record in records),
        "totalTrades": sum(record.total_trades for record in records),
        "totalProfit": number(state.total_profit),
        "exposure": number(exposure),
        "services": [
            {"name": name, "state": service.state, "restarts": service.restarts} for name, service in sorted(services.items())
        ],
        "venue": _shown(venue) if venue else None,
    }


def sell_outs(state: FleetState) -> list[SellOut] | None:
    """Return how far each wallet is sold out, None if the kill switch does not sell out."""
    if not state.flattening:
        return None
    return [
        {
            "wallet": wallet,
            "left": [
                {
                    "agentId": left.owner or None,
                    "tokenId": left.token_id,
                    "size": text(left.size),
                    "marketQuestion": left.question,
                    "outcome": left.outcome,
                    "reason": left.reason,
                }
                for left in sell_out.left
            ],
        }
        for wallet, sell_out in sorted(state.sell_outs.items())
    ]


def _shown(venue: Endpoints) -> Venue:
    """Return a venue's addresses; of a node that is no simulation only the host, as its path may hold an API key."""
    found = venue.addresses()
    if not venue.simulated:
        node = urlsplit(found["rpcUrl"])
        found["rpcUrl"] = f"{node.scheme}://{node.netloc.rpartition('@')[2]}"
    return cast(Venue, found)


def _uptime(record: AgentRecord, now: int) -> int:
    return max(0, now - record.started_at) if record.started_at else 0
