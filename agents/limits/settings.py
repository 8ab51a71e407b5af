"""The limits as a user writes them: `risk` in the fleet file, with overrides in an agent's spec.

A bound is an amount of pUSD ("250"), a part of the capital ("25%") or "off". The capital of an agent is its budget; that of a
wallet, or of the fleet, is all that was paid in. Neither profits nor prices change it.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic.alias_generators import to_camel

from agents.money import Micro, micro, text
from agents.validation import explain, whole

_OFF = "off"
_HUNDRED: Micro = 100_000_000
_MOST: Micro = 1_000_000_000_000_000


def _bound(value: Any) -> Any:
    """Return a bound as text: an amount, a percentage or off (which YAML reads as false)."""
    if value is False or value == _OFF:
        return _OFF
    percent = isinstance(value, str) and value.endswith("%")
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
            raise ValueError
        amount = micro(str(value).removesuffix("%"))
        if not 0 <= amount <= (_HUNDRED if percent else _MOST):
            raise ValueError
    except ValueError:
        raise ValueError(f'expected pUSD such as 250, a part of the capital such as "25%", or off, not {value!r:.40}') from None
    return text(amount) + "%" * percent


#: See the head of this module.
Bound = Annotated[
    str,
    BeforeValidator(_bound),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1_000_000_000},
                {"type": "string", "pattern": r"^([0-9]{1,9}(\.[0-9]{1,6})?|[0-9]{1,2}(\.[0-9]{1,6})?%|100%|off)$"},
                {"const": False},
            ]
        },
        mode="validation",
    ),
]

_Count = Annotated[int, BeforeValidator(whole), Field(strict=True, ge=0, le=1_000_000)]
_Seconds = Annotated[float, Field(strict=True, ge=0, le=315_360_000, allow_inf_nan=False)]
_Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
_Tags = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=100)], ...], Field(max_length=500)]


def _price(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError(f"expected a difference of prices from 0 to 1, not {value!r:.40}")
    return str(value)


def _six_decimals(value: Decimal) -> Decimal:
    micro(value)
    return value


_Distance = Annotated[Decimal, BeforeValidator(_price), Field(ge=0, le=1, allow_inf_nan=False), AfterValidator(_six_decimals)]


def amount(bound: str, capital: Micro) -> Micro | None:
    """Return what a bound allows of a capital, rounded down; None if it is off."""
    if bound == _OFF:
        return None
    if bound.endswith("%"):
        return max(capital, 0) * micro(bound[:-1]) // _HUNDRED
    return micro(bound)


class _Limits(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class FleetLimits(_Limits):
    """What all wallets together may risk."""

    #: The most that one order may cost, fee included.
    max_trade: Bound = _OFF
    #: Cost of the shares held and cash that open buys may still spend: in one market, in the markets of one event, in all.
    max_market_exposure: Bound = "25%"
    max_event_exposure: Bound = "40%"
    max_exposure: Bound = "90%"
    #: What may be lost in a day of the venue's clock, and from the highest result so far; shares count at their best bid.
    max_daily_loss: Bound = "15%"
    max_drawdown: Bound = "30%"
    #: Only markets with one of these tags (empty: all), and none with one of those.
    allow_tags: _Tags = ()
    deny_tags: _Tags = ()


class WalletLimits(FleetLimits):
    """What one wallet may risk."""

    #: Orders that may be open, and orders in a minute of the wall clock.
    max_open_orders: _Count = 1000
    max_orders_per_minute: _Count = 3000


class AgentLimits(WalletLimits):
    """What one agent may risk, and which orders it may place at all. What an agent's spec says stands for it alone."""

    max_market_exposure: Bound = "40%"
    max_event_exposure: Bound = "60%"
    max_exposure: Bound = "100%"
    max_daily_loss: Bound = "25%"
    max_drawdown: Bound = "50%"
    max_open_orders: _Count = 200
    max_orders_per_minute: _Count = 600
    #: How far a limit may be from the best price: above the ask or below the bid.
    max_price_distance: _Distance = Decimal("0.25")
    #: By how much an offer may be cheaper than the market's last prices before it is too good to be true.
    max_bargain: _Distance = Decimal("0.35")
    #: Venue seconds that must be left until a market's scheduled end; 0: it does not matter.
    min_time_to_end: _Seconds = 0.0


class Breakers(_Limits):
    """When all buying stops by itself, and goes on by itself."""

    #: Seconds since the feed has answered, or a market was heard of.
    max_feed_age: _Seconds = 60.0
    #: The part of requests that the venue may fail (it did not answer, or with an error of its own), of those in a minute.
    max_venue_errors: _Share = 0.5
    #: Requests in a minute below which that is not judged.
    min_venue_requests: _Count = 10
    #: Seconds by which the venue's clock may differ from ours.
    max_clock_skew: _Seconds = 10.0


class RiskSettings(_Limits):
    """The `risk` section of the fleet file."""

    agent: AgentLimits = AgentLimits()
    wallet: WalletLimits = WalletLimits()
    fleet: FleetLimits = FleetLimits()
    breakers: Breakers = Breakers()

    def of(self, own: Mapping[str, Any]) -> AgentLimits:
        """Return the limits of an agent whose spec says `own`."""
        if not own:
            return self.agent
        given = AgentLimits.model_validate(dict(own))
        return self.agent.model_copy(update={name: getattr(given, name) for name in given.model_fields_set})

    def wire(self) -> dict[str, Any]:
        """Return the settings as they are stored and shown."""
        return self.model_dump(mode="json", by_alias=True)


def checked_overrides(own: dict[str, Any]) -> dict[str, Any]:
    """Return what an agent's spec says of limits, in the one form in which it is stored. Raises ValueError."""
    try:
        return AgentLimits.model_validate(own).model_dump(mode="json", by_alias=True, exclude_unset=True)
    except ValidationError as error:
        raise ValueError(explain(error)) from None


#: The type of `AgentSpec.risk`: any of the fields of `AgentLimits`.
AgentRisk = Annotated[
    dict[str, Any],
    AfterValidator(checked_overrides),
    WithJsonSchema(
        {**AgentLimits.model_json_schema(), "title": "AgentRisk", "description": "Overrides of the fleet's limits per agent."},
        mode="validation",
    ),
]
