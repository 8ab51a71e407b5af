"""Answers what people ask in their chats, and does for operators what they say, through the supervisor."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from actors.follower import Follower
from actors.telegram.gateway import Flooded, Gateway, Incoming, Refused, Unreachable
from actors.telegram.pace import Pace
from actors.telegram.timing import Timing
from agents.alerts import answers
from agents.alerts.commands import ACTING, ACTIONS, TOO_OLD, Answer, Role, expired, parse
from agents.alerts.markup import outside
from agents.alerts.policy import AlertConfig, Level, Topic
from agents.audit import audit_data
from agents.errors import PolyfleetError, Unavailable
from agents.events import Type
from agents.fleet import FleetState
from agents.ports import Ledger, MarketFeed, Supervisor
from agents.valuation import Valuation, quotes

log = logging.getLogger(__name__)

#: Seconds in which an order has to show in the log before it is answered, and that names of markets may take.
_SOON = 0.8

#: The longest that an answer waits for Telegram's flood limits, and how often it is tried to send it.
_PATIENCE = 5.0
_TRIES = 3

#: Decisions and trades of one answer.
_DECISIONS = 6
_TRADES = 10

#: What the log says of who threw the kill switch.
_WHO = "an operator on Telegram"

_ONLY_LOOK = Answer("This chat may look, not act.")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a desk works with. `config` returns the settings that count now, `configure` stores changed ones; `record` logs."""

    gateway: Gateway
    pace: Pace
    roles: Mapping[str, Role]
    ledger: Ledger
    supervisor: Supervisor
    feed: MarketFeed
    follower: Follower
    config: Callable[[], AlertConfig]
    configure: Callable[[Mapping[str, Any]], Awaitable[None]]
    record: Callable[[Type, dict[str, Any]], Awaitable[None]]
    timing: Timing


class Desk:
    """Handles one update after the other."""

    def __init__(self, parts: Parts) -> None:
        self._with = parts
        #: The chat whose update is being handled.
        self._chat = ""
        self._strangers: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._asks: dict[str, Callable[[list[str], Role], Awaitable[Answer]]] = {
            "start": self._help,
            "help": self._help,
            "status": self._status,
            "agents": self._agents,
            "agent": self._agent,
            "profit": self._profit,
            "positions": self._positions,
            "decisions": self._decisions,
            "trades": self._trades,
            "score": self._score,
            "approvals": self._approvals,
            "approve": partial(self._decide, "approve"),
            "reject": partial(self._decide, "reject"),
            "kill": self._kill,
            "levels": self._levels,
        }

    async def handle(self, update: Incoming) -> None:
        """Answer an update; chats without a role get no answer. What fails is logged: the next update comes all the same."""
        role = self._with.roles.get(update.chat)
        if role is None:
            self._note_stranger(update.chat)
            return
        self._chat = update.chat
        try:
            if update.query:
                await self._pressed(update, role)
            elif update.text:
                await self._said(update, role)
        except (Refused, Flooded, Unreachable) as error:
            log.warning("an answer to a chat was given up: %s", error)
        except Exception:
            log.exception("update %d could not be answered", update.id)

    async def close(self) -> None:
        """Let go of what is still being done; the supervisor finishes it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _said(self, update: Incoming, role: Role) -> None:
        found = parse(update.text, self._with.gateway.name)
        if found is None:
            return
        age = self._with.timing.now() - update.sent
        answer = answers.too_old(age) if age > TOO_OLD else await self._answer(*found, role)
        await self._reply(update.chat, answer)

    async def _answer(self, name: str, arguments: list[str], role: Role) -> Answer:
        try:
            if name in ACTIONS:
                return await self._act(name, arguments, role)
            ask = self._asks.get(name)
            return (
                await ask(arguments, role) if ask else Answer(f"There is no /{outside(name, 40)}; /help lists what there is.")
            )
        except PolyfleetError as error:
            return Answer(outside(error))

    async def _pressed(self, update: Incoming, role: Role) -> None:
        name, _, rest = update.data.partition(":")
        # Telegram takes no acknowledgement of an old press: that is how one is known that waited while nobody was here.
        try:
            fresh = await self._with.gateway.acknowledge(update.query)
        except (Flooded, Unreachable) as error:
            log.warning("a press could not be acknowledged: %s", error)
            fresh = False
        if name in ACTING and role is not Role.OPERATOR:
            return
        # A confirmation carries its own time.
        if name in ACTING and not fresh and name not in ("kill", "flatten", "lift"):
            answer = Answer("That press came too late, or Telegram could not confirm it, and was not carried out.")
        else:
            try:
                answer = await self._press(name, rest, role)
            except PolyfleetError as error:
                answer = Answer(outside(error))
        await self._edit(update, answer)

    async def _press(self, name: str, rest: str, role: Role) -> Answer:
        match name:
            case "do":
                action, _, agent_id = rest.partition(":")
                return await self._control(action, agent_id, role)
            case "kill" | "flatten" | "lift" if expired(rest, self._with.timing.now()):
                return Answer("That question has expired; /kill asks again.")
            case "kill" | "flatten":
                return await self._throw(_WHO, flatten=name == "flatten")
            case "lift":
                return await self._throw(None)
            case "leave":
                return answers.halted(self._state)
            case "level":
                return await self._turn(rest, role)
        return await self._answer(name, [rest] if rest else [], role)

    # What is only looked at.

    async def _help(self, arguments: list[str], role: Role) -> Answer:
        return answers.help_text(role)

    async def _status(self, arguments: list[str], role: Role) -> Answer:
        return answers.status(self._state)

    async def _agents(self, arguments: list[str], role: Role) -> Answer:
        page = int(arguments[0]) if arguments and arguments[0].isdigit() else 0
        return answers.agents(self._state, page)

    async def _agent(self, arguments: list[str], role: Role) -> Answer:
        if not arguments:
            return answers.agents(self._state)
        return answers.agent(self._state, arguments[0], role, self._with.timing.now())

    async def _profit(self, arguments: list[str], role: Role) -> Answer:
        return answers.profit(self._state, await self._valuation())

    async def _positions(self, arguments: list[str], role: Role) -> Answer:
        if unknown := self._unknown(arguments):
            return unknown
        return answers.positions(self._state, await self._valuation(), arguments[0] if arguments else None)

    async def _decisions(self, arguments: list[str], role: Role) -> Answer:
        if unknown := self._unknown(arguments):
            return unknown
        page = await self._with.ledger.history("decisions", arguments[0] if arguments else None, limit=_DECISIONS)
        return answers.decisions(page.items)

    async def _trades(self, arguments: list[str], role: Role) -> Answer:
        if unknown := self._unknown(arguments):
            return unknown
        page = await self._with.ledger.history("trades", arguments[0] if arguments else None, limit=_TRADES)
        return answers.trades(page.items)

    async def _score(self, arguments: list[str], role: Role) -> Answer:
        return await asyncio.to_thread(answers.scores, self._state)

    # What acts.

    async def _act(self, name: str, arguments: list[str], role: Role) -> Answer:
        if role is not Role.OPERATOR:
            return _ONLY_LOOK
        if not arguments:
            return answers.choose(self._state, name)
        return self._unknown(arguments) or await self._control(ACTIONS[name], arguments[0], role)

    async def _control(self, action: str, agent_id: str, role: Role) -> Answer:
        if action not in ACTIONS.values():
            return Answer("There is no such action.")
        seq = await self._with.supervisor.control(agent_id, action)
        await self._audit(f"{action} {agent_id}")
        # As after any control call: who reads what was done, wherever, sees it.
        await self._with.ledger.barrier(seq)
        await self._with.follower.reached(seq, _SOON)
        return answers.agent(self._state, agent_id, role, self._with.timing.now())

    async def _approvals(self, arguments: list[str], role: Role) -> Answer:
        return answers.approvals(self._state, role, self._with.timing.now())

    async def _decide(self, name: str, arguments: list[str], role: Role) -> Answer:
        if role is not Role.OPERATOR:
            return _ONLY_LOOK
        if len(arguments) != 1:
            return Answer(f"Say /{name} ID; /approvals lists what waits.")
        by = f"telegram:{self._chat}"
        task = asyncio.ensure_future(self._with.supervisor.decide(arguments[0], name == "approve", by))
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        # The venue may take its time over an order, and /kill must not wait for that.
        await asyncio.wait({task}, timeout=_PATIENCE)
        if task.done():
            task.result()
        await self._audit(f"{name} {arguments[0]}")
        return (
            answers.decided(name, arguments[0]) if task.done() else Answer("It is under way; /trades shows what comes of it.")
        )

    async def _kill(self, arguments: list[str], role: Role) -> Answer:
        return answers.kill(self._state, self._with.timing.now()) if role is Role.OPERATOR else _ONLY_LOOK

    async def _throw(self, reason: str | None, *, flatten: bool = False) -> Answer:
        """Throw or lift the kill switch; it is in the log at once, while the supervisor still tells the wallets."""
        task = asyncio.ensure_future(self._with.supervisor.kill_switch(reason, flatten))
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        shown = asyncio.ensure_future(self._halted(reason is not None))
        await asyncio.wait({task, shown}, timeout=_SOON, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await self._with.follower.reached(task.result(), _SOON)
        if not shown.done():
            shown.cancel()
        if (self._state.halted is not None) is not (reason is not None):
            raise Unavailable("The supervisor was told and has not logged it yet; /status shows when it has")
        await self._audit(("flatten" if flatten else "kill") if reason else "lift")
        return answers.halted(self._state)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("what was asked for failed: %s", error)

    async def _halted(self, wanted: bool) -> None:
        while (self._state.halted is not None) is not wanted:
            await self._with.follower.changed()

    async def _levels(self, arguments: list[str], role: Role) -> Answer:
        if not arguments:
            return answers.levels(self._with.config(), role)
        if role is not Role.OPERATOR:
            return _ONLY_LOOK
        topics = {topic.lower(): topic for topic in Topic}
        if len(arguments) != 2 or arguments[0].lower() not in topics or arguments[1].lower() not in set(Level):
            return Answer("Say /levels TOPIC on, silent or off; /levels lists the topics.")
        return await self._set(topics[arguments[0].lower()], Level(arguments[1].lower()), role)

    async def _turn(self, name: str, role: Role) -> Answer:
        """Set a topic to the level after the one that it has."""
        if name not in set(Topic):
            return Answer("There is no such topic.")
        order = list(Level)
        level = order[(order.index(self._with.config().level(Topic(name))) + 1) % len(order)]
        return await self._set(Topic(name), level, role)

    async def _set(self, topic: Topic, level: Level, role: Role) -> Answer:
        await self._with.configure({"levels": {str(topic): str(level)}})
        await self._audit(f"levels {topic} {level}")
        return answers.levels(self._with.config(), role)

    async def _audit(self, order: str) -> None:
        """Log who has ordered what, as REST does for its requests."""
        await self._with.record(Type.AUDIT, audit_data(by=f"telegram:{self._chat}", method="SAY", path=f"/{order}", status=200))

    # How it is said.

    async def _reply(self, chat: str, answer: Answer) -> None:
        for attempt in range(_TRIES):
            wait = self._with.pace.reserve(chat, self._with.timing.clock(), answer=True)
            if wait > _PATIENCE:
                log.warning("an answer to a chat was given up: nothing may go there for %.0f s", wait)
                return
            await self._with.timing.sleep(wait)
            try:
                await self._with.gateway.send(chat, answer.text, buttons=answer.buttons)
            except Flooded as error:
                self._with.pace.hold(chat, self._with.timing.clock() + error.seconds)
            except Unreachable:
                if attempt == _TRIES - 1:
                    raise
                await self._with.timing.back_off(attempt)
            else:
                return

    async def _edit(self, update: Incoming, answer: Answer) -> None:
        if not update.message_id:
            await self._reply(update.chat, answer)
            return
        try:
            await self._with.gateway.edit(update.chat, update.message_id, answer.text, answer.buttons)
        except (Refused, Flooded, Unreachable) as error:
            log.info("an answer could not take the place of its question, and comes after it: %s", error)
            await self._reply(update.chat, answer)

    @property
    def _state(self) -> FleetState:
        state = self._with.follower.state
        if state is None:
            raise Unavailable("The log is still being read; try again in a moment")
        return state

    def _unknown(self, arguments: list[str]) -> Answer | None:
        return answers.unknown(arguments[0]) if arguments and arguments[0] not in self._state.agents else None

    async def _valuation(self) -> Valuation:
        """Return what tokens are and are worth; nothing of it while the feed does not answer soon."""
        try:
            async with asyncio.timeout(_SOON):
                quoted = quotes(await self._with.feed.markets())
        except (PolyfleetError, TimeoutError) as error:
            log.info("positions are shown without names: %s", error or "the feed did not answer in time")
            quoted = {}
        return Valuation(self._state, quoted)

    def _note_stranger(self, chat: str) -> None:
        if chat and chat not in self._strangers and len(self._strangers) < 100:
            self._strangers.add(chat)
            log.info("chat %s has no role here and gets no answer; POLYFLEET_TELEGRAM_CHATS gives it one", chat)
