"""One bot that runs: its connection, its alerts and its ear, until the settings say something else."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from actors.event_source import RETRY
from actors.follower import Follower
from actors.telegram.delivery import Delivery
from actors.telegram.desk import Desk, Parts
from actors.telegram.gateway import Flooded, Gateway, Refused, TokenRefused, Unreachable
from actors.telegram.pace import Pace
from actors.telegram.settings import Account
from actors.telegram.timing import Timing
from agents.alerts.policy import SOURCE, AlertConfig, Level
from agents.errors import PolyfleetError
from agents.events import Event, Type
from agents.ports import Ledger, MarketFeed, Supervisor

log = logging.getLogger(__name__)

#: The document that says which updates of which bot were handled.
_UPDATES = "telegram_updates"

#: Seconds that alerts wait for the folded log at the start, and the least that there are between two polls without news.
_PATIENCE = 5.0
_LEAST = 1.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What sessions work with. `config` returns the settings that count now, `configure` stores changed ones; `record` logs."""

    ledger: Ledger
    supervisor: Supervisor
    feed: MarketFeed
    config: Callable[[], AlertConfig]
    configure: Callable[[Mapping[str, Any]], Awaitable[None]]
    record: Callable[[Type, dict[str, Any]], Awaitable[None]]
    timing: Timing


class Session:
    """Runs from `start` to `stop`, unless Telegram refuses the token; it need not reach Telegram or the log for either."""

    def __init__(self, account: Account, surroundings: Surroundings) -> None:
        self.account = account
        #: Whether Telegram does not know the token.
        self.refused = False
        self.pace = Pace()
        self.gateway = Gateway(account.token, account.api_url)
        self._with = surroundings
        self._follower = Follower(surroundings.ledger, SOURCE, self._noticed, awaited=False)
        parts = Parts(
            record=surroundings.record,
            gateway=self.gateway,
            pace=self.pace,
            roles=account.roles,
            ledger=surroundings.ledger,
            supervisor=surroundings.supervisor,
            feed=surroundings.feed,
            follower=self._follower,
            config=surroundings.config,
            configure=surroundings.configure,
            timing=surroundings.timing,
        )
        self._desk = Desk(parts)
        self._deliveries = {chat: self._delivery(chat) for chat in account.roles}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._follower.start()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End at once; what was not sent is sent by the next session."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._desk.close()
        await self._follower.stop()
        await self.gateway.close()

    def revive(self) -> None:
        """Try again to reach chats that could not be reached."""
        for delivery in self._deliveries.values():
            delivery.revive()

    def _noticed(self, event: Event) -> None:
        if self._with.config().wants(event) is not Level.OFF:
            for delivery in self._deliveries.values():
                delivery.wake()

    def _delivery(self, chat: str) -> Delivery:
        return Delivery(
            chat,
            ledger=self._with.ledger,
            gateway=self.gateway,
            pace=self.pace,
            config=self._with.config,
            state=lambda: self._follower.state,
            record=self._record,
            report=self._report,
            timing=self._with.timing,
        )

    async def _run(self) -> None:
        await self._follower.reached(0, _PATIENCE)
        alerts = (delivery.run() for delivery in self._deliveries.values())
        await asyncio.gather(*(self._unless_refused(work) for work in (*alerts, self._listen())))

    async def _unless_refused(self, work: Coroutine[Any, Any, None]) -> None:
        """Do one part of the session's work until Telegram refuses the token, which is reported once."""
        try:
            await work
        except TokenRefused as error:
            if not self.refused:
                self.refused = True
                await self._report(f"Telegram refuses the bot's token ({error}); get the right one from @BotFather and save it")

    async def _sign_in(self) -> str:
        attempt = 0
        while True:
            try:
                bot = await self.gateway.sign_in()
            except TokenRefused:
                raise
            except (Flooded, Unreachable, Refused) as error:
                log.warning("Telegram cannot be reached, attempt %d: %s", attempt + 1, error)
                await self._wait(error, attempt)
                attempt += 1
            else:
                log.info("Telegram bot @%s runs for %d chats", self.gateway.name, len(self.account.roles))
                return bot

    async def _listen(self) -> None:
        """Read updates and handle them one by one; each is marked as handled once it was."""
        bot = await self._sign_in()
        after = await self._handled(bot)
        attempt = 0
        while True:
            asked = self._with.timing.clock()
            try:
                updates = await self.gateway.updates(after)
            except TokenRefused:
                raise
            except (Flooded, Unreachable, Refused) as error:
                log.warning("Telegram's updates cannot be read, attempt %d: %s", attempt + 1, error)
                await self._wait(error, attempt)
                attempt += 1
                continue
            attempt = 0
            if not updates:
                # A server that does not wait for news is not asked all the time.
                await self._with.timing.sleep(max(0.0, asked + _LEAST - self._with.timing.clock()))
            for update in updates:
                if after is not None and update.id <= after:
                    continue
                if delivery := self._deliveries.get(update.chat):
                    delivery.revive()
                await self._desk.handle(update)
                after = update.id
                await self._until_stored({"bot": bot, "after": after})

    async def _handled(self, bot: str) -> int | None:
        while True:
            try:
                stored = await self._with.ledger.document(_UPDATES)
            except PolyfleetError as error:
                log.warning("what was handled cannot be read: %s", error)
                await asyncio.sleep(RETRY)
            else:
                return stored["after"] if stored and stored["bot"] == bot else None

    async def _until_stored(self, handled: dict[str, Any]) -> None:
        while True:
            try:
                await self._with.ledger.put_document(_UPDATES, handled)
            except PolyfleetError as error:
                log.warning("what was handled cannot be stored: %s", error)
                await asyncio.sleep(RETRY)
            else:
                return

    async def _wait(self, error: Exception, attempt: int) -> None:
        if isinstance(error, Flooded):
            await self._with.timing.sleep(error.seconds)
        else:
            await self._with.timing.back_off(attempt)

    async def _record(self, data: dict[str, Any]) -> None:
        await self._with.record(Type.TELEGRAM, data)

    async def _report(self, message: str) -> None:
        log.error("%s", message)
        await self._with.record(Type.ERROR, {"message": message, "code": "telegram"})
