"""What an agent is asked to be: its spec, its restart policy, and the states it may be in."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from agents.limits.settings import AgentRisk
from agents.money import Micro, micro
from agents.validation import whole


def _six_decimals(value: Decimal) -> Decimal:
    micro(value)
    return value


#: What it looks like to clients; that a number has at most six decimals cannot be said of floats.
_AMOUNT = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": 1_000_000_000},
        {"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,6})?$"},
    ]
}

#: A pUSD amount of at most six decimals; a JSON number on the wire, as in the seed. Decimal text is taken too.
Amount = Annotated[
    Decimal,
    Field(ge=0, le=1_000_000_000, allow_inf_nan=False),
    AfterValidator(_six_decimals),
    PlainSerializer(float, return_type=float, when_used="json"),
    WithJsonSchema(_AMOUNT, mode="validation"),
]


class Fields(BaseModel):
    """Base of the models that users write: camelCase, frozen, unknown fields refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class AgentState(StrEnum):
    """Where an agent is in its life."""

    PENDING = "pending"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    BACKING_OFF = "backing_off"
    STOPPING = "stopping"
    STOPPED = "stopped"
    QUARANTINED = "quarantined"


class Desired(StrEnum):
    """What an operator last asked of an agent; it survives every crash."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class RestartPolicy(Fields):
    """When and how fast a failed agent is started again; times in wall seconds."""

    model_config = ConfigDict(strict=True)

    type: Literal["permanent", "transient", "temporary"] = "permanent"
    #: Delay before restart n is uniform in [0.25, min(max_delay, initial_delay * factor**n)].
    initial_delay: float = Field(1.0, gt=0, le=3600)
    factor: float = Field(2.0, ge=1, le=10)
    max_delay: float = Field(60.0, gt=0, le=3600)
    #: More than this many restarts within `window` quarantine the agent.
    max_restarts: Annotated[int, BeforeValidator(whole)] = Field(5, ge=0, le=10_000)
    window: float = Field(300.0, gt=0)
    #: The backoff starts over after this long in good health.
    stable_after: float = Field(120.0, gt=0)
    start_timeout: float = Field(60.0, gt=0)
    #: At least two beats, of which there is one every two seconds: a slow one is no hang.
    heartbeat_deadline: float = Field(10.0, ge=4)
    #: An agent that lives but finishes no decision round for this long is hung.
    progress_deadline: float = Field(60.0, gt=0)
    #: Megabytes of private memory that its process may have.
    memory_limit: float = Field(500.0, ge=100)
    stop_timeout: float = Field(8.0, gt=0, le=60)


class ApprovalRule(Fields):
    """Which trades wait for a person who approves or rejects them."""

    #: Trades of more than this many pUSD wait; 0: all.
    above: Amount = Decimal(0)
    #: Wall seconds after which a trade that nobody has decided on is dropped.
    expires: float = Field(900.0, strict=True, ge=5, le=86_400 * 7, allow_inf_nan=False)
    #: Whether sales wait as well; they only reduce what the agent holds.
    sells: bool = Field(False, strict=True)

    @property
    def above_micro(self) -> Micro:
        """The limit in millionths."""
        return micro(self.above)


def _rule(value: Any) -> Any:
    """Take `true` for a rule with its defaults, and `false` for none."""
    return {True: {}, False: None}[value] if isinstance(value, bool) else value


class AgentSpec(Fields):
    """One agent, as a user describes it."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="lower-case letters, digits, - and _")
    strategy: str = Field(min_length=1, max_length=100)
    params: dict[str, Any] = Field(default_factory=dict)
    #: Condition ids, slugs, event ids or tags; empty: all markets.
    markets: tuple[str, ...] = Field(default=(), max_length=500)
    wallet: str = Field("main", pattern=r"^[a-z0-9][a-z0-9_-]{0,30}$")
    #: The cash that it may use, in pUSD.
    budget: Amount = Decimal(1000)
    #: The most that one decision may spend, in pUSD.
    max_trade_amount: Amount = Decimal(100)
    #: Decisions below this confidence are held.
    min_confidence: float = Field(0.7, strict=True, ge=0, le=1, allow_inf_nan=False)
    #: Seconds of the venue's clock between decisions; at most one a wall second all the same.
    interval: float = Field(60.0, strict=True, gt=0, le=86_400 * 30, allow_inf_nan=False)
    #: Limits that stand for this agent in place of the fleet's: fields of `agents.limits.settings.AgentLimits`.
    risk: AgentRisk = Field(default_factory=dict)
    restart: RestartPolicy = RestartPolicy()
    enabled: bool = Field(True, strict=True)
    #: Which of its trades a person must approve; `true`: all buys.
    approval: Annotated[ApprovalRule | None, BeforeValidator(_rule, json_schema_input_type=ApprovalRule | bool | None)] = None

    @property
    def budget_micro(self) -> Micro:
        """The budget in millionths."""
        return micro(self.budget)

    @property
    def max_trade_micro(self) -> Micro:
        """The most that one decision may spend, in millionths."""
        return micro(self.max_trade_amount)

    def wire(self) -> dict[str, Any]:
        """Return the spec as it is stored and shown."""
        return self.model_dump(mode="json", by_alias=True)
