"""What an outside system may publish through the hub: the seed's notification types, each with its own fields.

No publication can reach the books or an agent's counts: fields that they are made of (`size`, `tradeStatus`, `spec`,
`kind`, `redeemed`, ...) are not among the fields that are taken, and what is published belongs to no agent.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from agents.events import Type

_Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e15, le=1e15)]
_Confidence = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
_Short = Annotated[str, Field(min_length=1, max_length=300)]
_Long = Annotated[str, Field(min_length=1, max_length=4000)]


class _Fields(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")

    def wire(self) -> dict[str, Any]:
        """Return the fields that were given, as clients see them."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class TradeData(_Fields):
    """A trade made elsewhere."""

    token: _Short
    action: Literal["buy", "sell", "BUY", "SELL"]
    amount: _Number
    price: _Number = 0.0
    profit_loss: _Number | None = None
    type: Literal["dex", "polymarket"] = "dex"
    tx_hash: _Short | None = None

    def wire(self) -> dict[str, Any]:
        """Return the union of the seed's field names."""
        data = super().wire()
        names = {"action": self.action.lower(), "side": self.action.upper(), "market": self.token, "marketQuestion": self.token}
        if self.profit_loss is not None:
            names["profit"] = self.profit_loss  # type: ignore[assignment]
        if self.tx_hash is not None:
            names["transactionHash"] = self.tx_hash
        return data | names


class DecisionData(_Fields):
    """A decision taken elsewhere."""

    market: _Short
    action: Literal["buy", "sell", "hold", "BUY", "SELL", "HOLD"]
    confidence: _Confidence
    reasoning: _Long

    def wire(self) -> dict[str, Any]:
        """Return the union of the seed's field names."""
        names = {"action": self.action.lower(), "side": self.action.upper(), "marketQuestion": self.market}
        return super().wire() | names


class OpportunityData(_Fields):
    """A chance of profit that another system found."""

    opportunity_id: _Short | None = None
    source: _Short
    description: _Long
    profit_percent: _Number
    confidence: _Confidence | None = None


class TelegramData(_Fields):
    """A Telegram message that another system sent."""

    message_id: _Short | None = None
    message: _Long
    status: Literal["sent", "failed"] = "sent"
    chat_id: _Short | None = None


class CrosschainData(_Fields):
    """An arbitrage between chains."""

    token_symbol: _Short
    source_chain: _Short
    target_chain: _Short
    profit_percent: _Number
    net_profit: _Number = 0.0


class ErrorData(_Fields):
    """An error of another system."""

    message: _Long
    code: _Short | None = None
    details: _Long | None = None


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
    """Publish an error; `message` alone is enough."""

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


def event_of(publication: Any) -> tuple[Type, dict[str, Any]]:
    """Return the type and data of the event that a publication becomes."""
    given = publication.model_dump(include={"title", "message", "priority"}, exclude_none=True)
    if publication.type == "success":
        given["type"] = "success"
    if isinstance(publication, Message):
        data = {"message": publication.message}
    elif isinstance(publication, Error) and publication.data is None:
        data = {"message": publication.message or publication.title or "An error was reported"}
    else:
        data = publication.data.wire()
    return _TYPES[publication.type], data | ({"notification": given} if given else {})
