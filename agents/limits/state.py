"""What the log says of risk: the limits that stand, the stops that are on, and what is needed to see the next one coming."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from agents.events import Event, Type
from agents.limits.exposure import Commitment, Place, agent_scope, scopes
from agents.limits.settings import RiskSettings
from agents.money import Micro, micro, notional, text
from agents.orders import OPEN
from agents.portfolio import UNALLOCATED
from agents.validation import explain


class Rule(StrEnum):
    """The rules that stop all buying in a scope, by the names that events and clients know them by."""

    DAILY_LOSS = "maxDailyLoss"
    DRAWDOWN = "maxDrawdown"
    FEED_AGE = "maxFeedAge"
    VENUE_ERRORS = "maxVenueErrors"
    CLOCK_SKEW = "maxClockSkew"


#: The stops that an operator may lift; a breaker closes by itself once its reason is gone.
LIFTABLE = (Rule.DAILY_LOSS, Rule.DRAWDOWN)

#: The day of the mark of an agent that was not looked at yet: it has won and lost nothing.
NEW = -1


@dataclass(frozen=True, slots=True)
class Mark:
    """A scope's result (realised profit, and what its shares are worth beyond their cost) to measure losses from.

    `start` is that at the beginning of `day`, a number of days of the venue's clock; `peak` the highest so far.
    """

    day: int
    start: Micro
    peak: Micro


@dataclass(frozen=True, slots=True)
class Stop:
    """A scope in which nothing may be bought. `result` is what the scope's was when a loss stopped it."""

    rule: Rule
    limit: str
    figure: str
    message: str
    day: int
    result: Micro = 0


@dataclass(frozen=True, slots=True)
class WorkingOrder:
    """An order that may still be filled, and the cash that it may still spend, its fee included: none for a sale."""

    wallet: str
    owner: str
    place: Place
    left: Micro
    #: The seq of its first event.
    seq: int = 0

    @property
    def commitment(self) -> Commitment:
        """What it holds back."""
        return Commitment(self.wallet, self.owner, self.place, self.left)


@dataclass(slots=True)
class RiskState:
    """A fold over the log; `settings` is None if the log's latest limits cannot be read, and `unreadable` says why."""

    settings: RiskSettings | None = field(default_factory=RiskSettings)
    unreadable: str = ""
    marks: dict[str, Mark] = field(default_factory=dict)
    #: By scope and rule.
    stops: dict[str, dict[Rule, Stop]] = field(default_factory=dict)
    #: By order id, those of all wallets.
    working: dict[str, WorkingOrder] = field(default_factory=dict)
    #: By token id, of all tokens that were ever ordered.
    places: dict[str, Place] = field(default_factory=dict)

    def stopped(self, agent_id: str, wallet: str) -> Stop | None:
        """Return a stop that is on for an agent of a wallet, the narrowest, or None."""
        return next((stop for scope in scopes(agent_id, wallet) for stop in self.stops.get(scope, {}).values()), None)

    def blocked(self, agent_id: str, wallet: str) -> str | None:
        """Return why an agent of a wallet may buy nothing, or None."""
        if self.settings is None:
            return self.unreadable
        stop = self.stopped(agent_id, wallet)
        return stop.message if stop else None

    def apply(self, event: Event) -> None:
        """Fold one event; events of no concern here change nothing."""
        data = event.data
        match event.type, data.get("kind"):
            case Type.ORDER, _ if "orderId" in data and "conditionId" in data:
                self._order(event.agent_id or UNALLOCATED, data, event.seq)
            case Type.TRADE, _ if data.get("orderId") in self.working:
                order = self.working[data["orderId"]]
                spent = micro(data["cost"]) if "cost" in data else notional(micro(data["size"]), micro(data["exactPrice"]))
                self.working[data["orderId"]] = replace(order, left=max(order.left - spent - micro(data["fee"]), 0))
            case Type.INFO, "marks":
                self._mark(data["marks"])
            case Type.RISK, "limits":
                self._limit(data["limits"])
            case Type.RISK, "stop":
                stop = Stop(
                    Rule(data["rule"]), data["limit"], data["figure"], data["message"], data["day"], micro(data["result"])
                )
                self.stops.setdefault(data["scope"], {})[stop.rule] = stop
            case Type.RISK, "resumed":
                self._resume(data["scope"], [Rule(rule) for rule in data["rules"]])
            case Type.AGENT, _ if data.get("change") == "created" and event.agent_id:
                self.marks[agent_scope(event.agent_id)] = Mark(NEW, 0, 0)
            case Type.AGENT, _ if data.get("change") == "deleted" and event.agent_id:
                self.marks.pop(agent_scope(event.agent_id), None)
                self.stops.pop(agent_scope(event.agent_id), None)

    def _order(self, owner: str, data: Mapping[str, Any], seq: int) -> None:
        place = Place(data["conditionId"], data.get("eventId") or data["conditionId"])
        self.places[data["tokenId"]] = place
        if data["status"] not in OPEN:
            self.working.pop(data["orderId"], None)
        elif data["orderId"] not in self.working:
            most = "0"
            if data["side"] == "BUY":
                # An order of an earlier version says nothing of its fee.
                most = data.get("mayCost") or text(notional(micro(data["size"]), micro(data["price"]), up=True))
            self.working[data["orderId"]] = WorkingOrder(data["wallet"], owner, place, micro(most), seq)

    def _mark(self, marks: Mapping[str, Mapping[str, Any]]) -> None:
        for scope, said in marks.items():
            day, known = int(said["day"]), self.marks.get(scope)
            if known is not None and known.day >= day:
                # A broker's second word on a day: the first has said where it began.
                self.marks[scope] = replace(known, peak=max(known.peak, micro(said["peak"])))
                continue
            self.marks[scope] = Mark(day, micro(said["start"]), micro(said["peak"]))
            if scope in self.stops:
                self._drop(
                    scope, [rule for rule, stop in self.stops[scope].items() if rule is Rule.DAILY_LOSS and stop.day < day]
                )

    def _limit(self, limits: Any) -> None:
        try:
            self.settings, self.unreadable = RiskSettings.model_validate(limits), ""
        except ValidationError as error:
            self.settings = None
            self.unreadable = (
                f"the limits in the log cannot be read ({explain(error, 'risk')}); mend the fleet file and reload it"
            )

    def _resume(self, scope: str, rules: Iterable[Rule]) -> None:
        """Drop stops; losses are measured from what was left when they came."""
        stops, mark = self.stops.get(scope, {}), self.marks.get(scope)
        for rule in rules:
            if mark is None or rule not in stops:
                continue
            if rule is Rule.DAILY_LOSS:
                mark = replace(mark, start=stops[rule].result)
            elif rule is Rule.DRAWDOWN:
                mark = replace(mark, peak=stops[rule].result)
            self.marks[scope] = mark
        self._drop(scope, rules)

    def _drop(self, scope: str, rules: Iterable[Rule]) -> None:
        kept = {rule: stop for rule, stop in self.stops.get(scope, {}).items() if rule not in set(rules)}
        if kept:
            self.stops[scope] = kept
        else:
            self.stops.pop(scope, None)


def limits_data(settings: RiskSettings) -> dict[str, Any]:
    """Return the data of the `risk` event that sets the fleet's limits."""
    return {"kind": "limits", "limits": settings.wire(), "message": "The limits of the fleet file stand from now on"}


def stop_data(scope: str, stop: Stop, venue_time: int) -> dict[str, Any]:
    """Return the data of the `risk` event of a stop."""
    return {
        "kind": "stop",
        "scope": scope,
        "rule": str(stop.rule),
        "limit": stop.limit,
        "figure": stop.figure,
        "day": stop.day,
        "result": text(stop.result),
        "message": stop.message,
        "venueTime": venue_time,
    }


def resumed_data(scope: str, rules: Iterable[Rule], message: str) -> dict[str, Any]:
    """Return the data of the `risk` event that ends stops of a scope."""
    return {"kind": "resumed", "scope": scope, "rules": [str(rule) for rule in rules], "message": message}


def marks_data(marks: Mapping[str, Mark], venue_time: int) -> dict[str, Any]:
    """Return the data of the `info` that says from where losses are measured."""
    lines = {scope: {"day": mark.day, "start": text(mark.start), "peak": text(mark.peak)} for scope, mark in marks.items()}
    return {"kind": "marks", "marks": lines, "message": "Losses are measured from here", "venueTime": venue_time}
