"""Decides what a program decides: any executable that speaks the seed's protocol."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field, field_validator

from agents import facts
from agents.errors import InvalidInput
from agents.events import Type
from agents.model import SIZE_STEP, Book, Decision, Market, MarketView, TimeInForce, View
from agents.money import ONE, Micro, ceil_to, floor_to, number, text
from agents.process_protocol import Command, Report, SaidDecision, SaidTrade, parse
from agents.risk import take_step
from agents.strategies.strategy import Params, Strategy

#: How the names of variables end that hold what nobody else should read.
_SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD", "MNEMONIC")

_Word = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")]
_Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
_Value = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00]*$")]


class ProcessParams(Params):
    """Times are wall seconds."""

    command: tuple[_Word, ...] = Field(
        min_length=1, max_length=100, strict=False, description="The program and its arguments, a list; no shell reads it."
    )
    directory: str = Field("", max_length=4096, description="Where it runs; the home directory if left out.")
    env: dict[_Variable, _Value] = Field(
        default_factory=dict, max_length=100, description="More variables for it; no secrets, since params are shown."
    )
    risk_tolerance: Literal["LOW", "MEDIUM", "HIGH"] = Field("MEDIUM", description="What RISK_TOLERANCE tells it.")
    reports_trades: bool = Field(
        False,
        description="It trades by itself, with a wallet of its own: it is told AUTO_TRADE=true, and only recorded.",
    )
    max_line: int = Field(65_536, ge=256, le=1_000_000, description="Bytes of a line; a longer one is left out.")
    max_age: float = Field(120.0, gt=0, le=86_400, description="Seconds for which a decision is good.")
    silence: float = Field(600.0, gt=0, le=86_400, description="Seconds without a word after which it has failed.")

    @field_validator("env")
    @classmethod
    def _no_secret(cls, env: dict[str, str]) -> dict[str, str]:
        for name in env:
            if name.upper().endswith(_SECRET):
                raise ValueError(f"{name} looks like a secret, and params are shown; let the program read it from a file")
        return env


@dataclass(frozen=True, slots=True)
class _Named:
    """A market by one of its names, and how many have that name."""

    seen: MarketView
    others: int = 0


class Process(Strategy[ProcessParams]):
    """Reads the decisions that its program writes and wants the same, each once, in the round after it was written.

    A decision names a market by condition id, id, slug or question, and an outcome by its label (the first if it names
    none). `suggestedAmount` is pUSD, as much as one trade may be if left out; `price` is its limit, the best on the book if
    left out; `maxSpend` caps a buy, fee included; `orderType` FOK wants all of it or nothing, and what is there otherwise. The
    confidence is the program's. Where it decides twice on one outcome between two rounds, the later counts.

    A program that trades by itself is only recorded: nothing is ordered for it, and what it reports moves no book.
    """

    name = "process"
    description = "Runs any program that writes the seed's JSON lines, and trades what it decides or records what it traded."
    params_type = ProcessParams

    @property
    def command(self) -> Command:
        """What its params say."""
        p = self.params
        return Command(
            arguments=p.command,
            environment=p.env,
            directory=p.directory,
            risk_tolerance=p.risk_tolerance,
            trades=p.reports_trades,
            max_line=p.max_line,
            max_age=p.max_age,
            silence=p.silence,
        )

    def decide(self, view: View) -> list[Decision]:
        """Return what was said since the last round."""
        remarks: list[str] = []
        reports: list[Report] = []
        decisions: dict[str, Decision] = {}
        names = _names(view.markets) if view.said else {}
        for line in view.said:
            try:
                said = parse(line)
                if isinstance(said, SaidDecision):
                    decision = self._decision(said, _find(names, said.names), view)
                    if self.params.reports_trades:
                        reports.append(self._report(said, decision))
                        continue
                    if decisions.pop(decision.token_id, None):
                        remarks.append(
                            f"it decided twice on {decision.outcome} of {decision.market.question!r}; the later counts"
                        )
                    decisions[decision.token_id] = decision
                elif isinstance(said, SaidTrade):
                    reports.append(self._reported(said, names))
            except InvalidInput as error:
                remarks.append(str(error))
        self.remarks, self.reports = tuple(remarks), tuple(reports)
        return list(decisions.values())

    def _report(self, said: SaidDecision, decision: Decision) -> Report:
        as_said = replace(decision, action=said.action, reasoning=said.reasoning)
        data = facts.decision_data(as_said, id="", timestamp=0, venue_time=0)
        return Report(Type.DECISION, data | {"suggestedAmount": number(said.amount or 0), "reported": True})

    def _reported(self, said: SaidTrade, names: dict[str, _Named]) -> Report:
        if not self.params.reports_trades:
            raise InvalidInput(f"it reports a trade on {said.names[-1]!r}, which is not recorded: reportsTrades is false")
        try:
            return reported_trade(said, _find(names, said.names).market)
        except InvalidInput:
            return reported_trade(said, None)

    def _decision(self, said: SaidDecision, seen: MarketView, view: View) -> Decision:
        book = seen.books[_outcome(seen, said.outcome)]
        price = _limit(said, book, seen.market.tick)
        action, size, reasoning = said.action, 0, said.reasoning
        if action != "hold" and not price:
            action, reasoning = "hold", f"Held, there is nobody to {action} {'from' if action == 'buy' else 'to'}. {reasoning}"
        elif action == "buy":
            amount = view.account.cash if said.amount is None else said.amount
            size = floor_to(max(amount, 0) * ONE // price, take_step(price))
        elif action == "sell":
            holding = view.account.holdings.get(book.token_id)
            held = holding.size if holding else 0
            size = floor_to(held if said.amount is None else min(held, said.amount * ONE // price), SIZE_STEP)
        return Decision(
            seen.market,
            book.token_id,
            action,
            price,
            size,
            said.confidence,
            reasoning,
            time_in_force=TimeInForce.FOK if said.whole and action != "hold" else None,
            max_spend=said.max_spend if action == "buy" else None,
        )


def reported_trade(said: SaidTrade, market: Market | None) -> Report:
    """Return the `trade` that a program reports; `market` is the one that it names, if that is followed.

    It has no exact `size`: the program's word moves no book. What it really did with a wallet of ours, the broker books.
    """
    question = market.question if market else said.names[-1]
    data = {
        "type": "polymarket",
        "token": question,
        "market": question,
        "marketId": market.id if market else said.names[0],
        "marketQuestion": question,
        "outcome": said.outcome,
        "action": said.action,
        "side": said.action.upper(),
        "amount": number(said.amount),
        "price": number(said.price),
        "profit": number(said.profit),
        "profitLoss": number(said.profit),
        "status": said.status,
        "txHash": said.tx_hash,
        "transactionHash": said.tx_hash,
        "error": said.error,
        "reportedId": said.id,
        "reported": True,
    }
    return Report(Type.TRADE, data)


def _names(markets: Iterable[MarketView]) -> dict[str, _Named]:
    names: dict[str, _Named] = {}
    for seen in markets:
        market = seen.market
        for name in {market.condition_id, market.id, market.slug, market.question.casefold()}:
            known = names.get(name)
            names[name] = _Named(seen, known.others + 1) if known else _Named(seen)
    return names


def _find(names: dict[str, _Named], wanted: tuple[str, ...]) -> MarketView:
    """Return the one market that has one of these names; raises InvalidInput."""
    found = [named for name in wanted if (named := names.get(name) or names.get(name.casefold()))]
    for named in found:
        if not named.others:
            return named.seen
    why = "several markets are called" if found else "none of the markets that it sees is called"
    raise InvalidInput(f"{why} {' or '.join(wanted)[:200]!r}; name it by its condition id")


def _outcome(seen: MarketView, label: str) -> int:
    labels = [outcome.casefold() for outcome in seen.market.outcomes]
    if label and label.casefold() not in labels:
        raise InvalidInput(f"{seen.market.question} has no outcome {label!r}; it has {' and '.join(seen.market.outcomes)}")
    return labels.index(label.casefold()) if label else 0


def _limit(said: SaidDecision, book: Book, tick: Micro) -> Micro:
    """Return the price on the market's grid that is no worse than what was said, or else than the best there is; 0: none."""
    if said.action == "sell":
        price = floor_to(book.bid or 0, tick) if said.price is None else ceil_to(said.price, tick)
    elif said.action == "buy":
        price = ceil_to(book.ask or 0, tick) if said.price is None else floor_to(said.price, tick)
    else:
        return said.price or book.mid or 0
    if said.price is not None and not 0 < price < ONE:
        raise InvalidInput(f'its "price" {text(said.price)} leaves none on the grid of {text(tick)}')
    return price if price < ONE else 0
