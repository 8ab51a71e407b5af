"""What an outside system may publish through the hub: the seed's notification types, each with its own fields.

No publication can reach the books or an agent's counts: fields that they are made of (`size`, `tradeStatus`, `spec`,
`kind`, `redeemed`, ...) are not among the fields that are taken, and what is published belongs to no agent.
"""

import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from agents.events import Type
from agents.validation import whole

_Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e15, le=1e15)]
_Confidence = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
_Short = Annotated[str, Field(min_length=1, max_length=300)]
_Long = Annotated[str, Field(min_length=1, max_length=4000)]


#: A name or a number, as outside systems have it.
_Id = _Short | Annotated[int, BeforeValidator(whole), Field(strict=True, ge=-(2**53), le=2**53)]
#: Epoch milliseconds.
_Time = Annotated[int, BeforeValidator(whole), Field(strict=True, ge=0, le=2**53)]


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _small(value: Any) -> Any:
    if len(json.dumps(value)) > 4000:
        raise ValueError("expected at most 4000 characters of JSON")
    return value


class _Fields(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")

    #: Names that the seed's document or code has for a field, and ours.
    other_names: ClassVar[dict[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        others = {cls.other_names[name]: value[name] for name in value if name in cls.other_names}
        return others | {name: found for name, found in value.items() if name not in cls.other_names}

    def event_data(self, id: str, timestamp: int) -> dict[str, Any]:
        """Return the data of the event, whose id and time (epoch milliseconds) stand for those that were not given."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class TradeData(_Fields):
    """A trade made elsewhere."""

    other_names: ClassVar[dict[str, str]] = {
        "tradeId": "id",
        "market": "token",
        "marketQuestion": "token",
        "side": "action",
        "profitLoss": "profit",
        "transactionHash": "txHash",
    }

    id: _Id | None = None
    timestamp: _Time | None = None
    type: Literal["dex", "polymarket"] = "dex"
    token: _Short
    market_id: _Id | None = None
    outcome: _Short | None = None
    action: Annotated[Literal["buy", "sell"], BeforeValidator(_lower)]
    amount: _Number
    price: _Number = 0.0
    profit: _Number = 0.0
    status: Literal["PENDING", "EXECUTED", "FAILED"] = "EXECUTED"
    tx_hash: _Short | None = None

    def event_data(self, id: str, timestamp: int) -> dict[str, Any]:
        """Return the union of the seed's field names."""
        return {
            "id": str(self.id or id),
            "timestamp": self.timestamp or timestamp,
            "type": self.type,
            "token": self.token,
            "market": self.token,
            "marketId": str(self.market_id or ""),
            "marketQuestion": self.token,
            "outcome": self.outcome or "",
            "action": self.action,
            "side": self.action.upper(),
            "amount": self.amount,
            "price": self.price,
            "profit": self.profit,
            "profitLoss": self.profit,
            "status": self.status,
            "txHash": self.tx_hash or "",
            "transactionHash": self.tx_hash or "",
        }


class DecisionData(_Fields):
    """A decision taken elsewhere."""

    other_names: ClassVar[dict[str, str]] = {"marketQuestion": "market", "token": "market", "side": "action"}

    id: _Id | None = None
    timestamp: _Time | None = None
    market: _Short
    market_id: _Id | None = None
    outcome: _Short | None = None
    action: Annotated[Literal["buy", "sell", "hold"], BeforeValidator(_lower)]
    confidence: _Confidence
    reasoning: _Long
    suggested_amount: _Number = 0.0

    def event_data(self, id: str, timestamp: int) -> dict[str, Any]:
        """Return the union of the seed's field names."""
        return {
            "id": str(self.id or id),
            "timestamp": self.timestamp or timestamp,
            "market": self.market,
            "marketId": str(self.market_id or ""),
            "marketQuestion": self.market,
            "outcome": self.outcome or "",
            "action": self.action,
            "side": self.action.upper(),
            "confidence": self.confidence,
            "reasoning": self.reasoning,
            "suggestedAmount": self.suggested_amount,
        }


class OpportunityData(_Fields):
    """A chance of profit that another system found."""

    opportunity_id: _Short | None = None
    source: _Short
    description: _Long
    profit_percent: _Number
    confidence: _Confidence | None = None


class TelegramData(_Fields):
    """A Telegram message that another system sent."""

    message_id: _Id | None = None
    message: _Long
    status: Literal["sent", "failed"] = "sent"
    chat_id: _Id | None = None

    def event_data(self, id: str, timestamp: int) -> dict[str, Any]:
        """Return the fields of a message of ours."""
        return {"messageId": id, "timestamp": timestamp} | super().event_data(id, timestamp)


class CrosschainData(_Fields):
    """An arbitrage between chains."""

    token_symbol: _Short
    source_chain: _Short
    target_chain: _Short
    profit_percent: _Number
    net_profit: _Number = 0.0


class ErrorData(_Fields):
    """An error of another system."""

    message: _Long | None = None
    code: _Id | None = None
    details: Annotated[Any, AfterValidator(_small)] = None


class _Publication(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: _Short | None = None
    message: _Long | None = None
    priority: Literal["low", "medium", "high"] | None = None


class Trade(_Publication):
    """Publish a trade."""

    type: Literal["trade"]
    data: TradeData


class AiDecision(_Publication):
    """Publish a decision."""

    type: Literal["ai-decision"]
    data: DecisionData


class Opportunity(_Publication):
    """Publish an opportunity."""

    type: Literal["opportunity"]
    data: OpportunityData


class Telegram(_Publication):
    """Publish that a Telegram message was sent."""

    type: Literal["telegram"]
    data: TelegramData


class Crosschain(_Publication):
    """Publish an arbitrage between chains."""

    type: Literal["crosschain"]
    data: CrosschainData


class Error(_Publication):
    """Publish an error; `message` alone is enough, in the data or beside it."""

    type: Literal["error"]
    data: ErrorData | None = None


class Message(_Publication):
    """Publish a message; title and message are enough."""

    type: Literal["info", "success"]
    title: _Short
    message: _Long


Publication = Annotated[Trade | AiDecision | Opportunity | Telegram | Crosschain | Error | Message, Field(discriminator="type")]

_TYPES = {
    "trade": Type.TRADE,
    "ai-decision": Type.DECISION,
    "opportunity": Type.OPPORTUNITY,
    "telegram": Type.TELEGRAM,
    "crosschain": Type.CROSSCHAIN,
    "error": Type.ERROR,
    "info": Type.INFO,
    "success": Type.INFO,
}


def event_of(publication: Any, id: str, timestamp: int) -> tuple[Type, dict[str, Any]]:
    """Return the type and data of the event that a publication becomes; id and time stand for those that it does not give."""
    given = publication.model_dump(include={"title", "message", "priority"}, exclude_none=True)
    if publication.type == "success":
        given["type"] = "success"
    if isinstance(publication, Message):
        data = {"message": publication.message}
    elif isinstance(publication, Error):
        said = publication.data.event_data(id, timestamp) if publication.data else {}
        data = {"message": publication.message or publication.title or "An error was reported"} | said
    else:
        data = publication.data.event_data(id, timestamp)
    return _TYPES[publication.type], data | ({"notification": given} if given else {})
