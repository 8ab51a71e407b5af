"""Which events become alerts, and how loudly: a level for each topic, and the seed's switches and filters."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from agents.events import Event, Type


class Level(StrEnum):
    """How an alert comes: with a sound, without one, or not at all."""

    ON = "on"
    SILENT = "silent"
    OFF = "off"


class Topic(StrEnum):
    """What has a level of its own: each event type, and what stands out among the events of some."""

    TRADE = "trade"
    DECISION = "decision"
    ORDER = "order"
    APPROVAL = "approval"
    FORECAST = "forecast"
    AGENT = "agent"
    CRASH = "crash"
    QUARANTINE = "quarantine"
    RISK = "risk"
    KILL_SWITCH = "killSwitch"
    RESOLUTION = "resolution"
    REDEMPTION = "redemption"
    INFO = "info"
    SERVICE = "service"
    OPPORTUNITY = "opportunity"
    CROSSCHAIN = "crosschain"
    TELEGRAM = "telegram"
    AUDIT = "audit"
    EQUITY = "equity"
    ERROR = "error"
    DAILY_SUMMARY = "dailySummary"


#: The source of the notifier's own events; they never become alerts, or each alert would make another.
SOURCE = "notifier"

_DEFAULTS = {
    Topic.TRADE: Level.ON,
    Topic.APPROVAL: Level.ON,
    Topic.CRASH: Level.SILENT,
    Topic.QUARANTINE: Level.ON,
    Topic.RISK: Level.ON,
    Topic.KILL_SWITCH: Level.ON,
    Topic.REDEMPTION: Level.SILENT,
    Topic.SERVICE: Level.SILENT,
    Topic.OPPORTUNITY: Level.SILENT,
    Topic.CROSSCHAIN: Level.SILENT,
    Topic.ERROR: Level.ON,
    Topic.DAILY_SUMMARY: Level.SILENT,
}

#: Topics that one of the seed's switches turns off too, by its name.
_SWITCHED = {
    Topic.TRADE: "trades",
    Topic.OPPORTUNITY: "opportunities",
    Topic.CROSSCHAIN: "opportunities",
    Topic.ERROR: "errors",
    Topic.CRASH: "errors",
    Topic.QUARANTINE: "errors",
    Topic.DAILY_SUMMARY: "daily_summary",
}

#: Topics of events of one type, besides the topic that bears its name.
_WITHIN = {
    Type.AGENT: (Topic.CRASH, Topic.QUARANTINE),
    Type.ORDER: (Topic.APPROVAL,),
    Type.RISK: (Topic.KILL_SWITCH,),
    Type.RESOLUTION: (Topic.REDEMPTION,),
    Type.INFO: (Topic.SERVICE,),
}


class _Stored(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Switches(_Stored):
    """The seed's switches."""

    trades: bool = Field(True, strict=True)
    opportunities: bool = Field(True, strict=True)
    errors: bool = Field(True, strict=True)
    daily_summary: bool = Field(True, strict=True)


class Filters(_Stored):
    """The seed's filters: per cent that an opportunity must promise, and confidence of decisions and opportunities."""

    min_profit_percent: float = Field(1.0, strict=True, ge=0, le=1e6, allow_inf_nan=False)
    min_confidence: float = Field(0.7, strict=True, ge=0, le=1, allow_inf_nan=False)


def _chat(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


#: A chat's number, or the name of a public channel; empty: none.
ChatId = Annotated[str, BeforeValidator(_chat), Field(pattern=r"^(-?\d{1,20}|@[A-Za-z]\w{3,31})?$")]


class AlertConfig(_Stored):
    """What is stored of the Telegram settings: all but the token. `updated_at` is in wall milliseconds."""

    enabled: bool = Field(False, strict=True)
    chat_id: ChatId = ""
    notifications: Switches = Switches()
    filters: Filters = Filters()
    #: Levels that differ from the defaults.
    levels: dict[Topic, Level] = Field(default_factory=dict)
    updated_at: int | None = None

    def level(self, topic: Topic) -> Level:
        """Return a topic's level, the seed's switches apart."""
        return self.levels.get(topic, _DEFAULTS.get(topic, Level.OFF))

    def all_levels(self) -> dict[str, str]:
        """Return the level of every topic."""
        return {str(topic): str(self.level(topic)) for topic in Topic}

    def effective(self, topic: Topic) -> Level:
        """Return a topic's level after the seed's switches."""
        switch = _SWITCHED.get(topic)
        return Level.OFF if switch and not getattr(self.notifications, switch) else self.level(topic)

    def wants(self, event: Event) -> Level:
        """Return how an event is to be told."""
        if event.source == SOURCE or not self._passes(event):
            return Level.OFF
        return self.effective(topic(event))

    def types(self) -> list[str]:
        """Return the event types of which some are told."""
        topics = {type: (Topic(type), *_WITHIN.get(type, ())) for type in Type}
        return [str(type) for type, named in topics.items() if any(self.effective(each) is not Level.OFF for each in named)]

    def _passes(self, event: Event) -> bool:
        data, filters = event.data, self.filters
        if event.type in (Type.OPPORTUNITY, Type.CROSSCHAIN) and _number(data, "profitPercent") < filters.min_profit_percent:
            return False
        confident = event.type not in (Type.OPPORTUNITY, Type.DECISION) or "confidence" not in data
        return confident or _number(data, "confidence") >= filters.min_confidence


def topic(event: Event) -> Topic:
    """Return what an event is about."""
    data = event.data
    match event.type:
        case Type.AGENT if data.get("change", "state") == "state" and data.get("state") == "backing_off":
            return Topic.CRASH
        case Type.AGENT if data.get("change", "state") == "state" and data.get("state") == "quarantined":
            return Topic.QUARANTINE
        case Type.ORDER if "approval" in data and data.get("status") == "intended":
            return Topic.APPROVAL
        case Type.RISK if data.get("kind") == "kill_switch":
            return Topic.KILL_SWITCH
        case Type.RESOLUTION if "redeemed" in data:
            return Topic.REDEMPTION
        case Type.INFO if data.get("kind") == "service":
            return Topic.SERVICE
    return Topic(event.type)


def _number(data: dict[str, Any], name: str) -> float:
    value = data.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
