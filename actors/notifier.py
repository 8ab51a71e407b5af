"""The notifier: tells Telegram chats what happens, and answers what they ask, for the whole fleet."""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from actors import remote
from actors.event_source import EventSource
from actors.system import SystemConfig
from actors.telegram.settings import Account, TelegramSettings, account, begun, telegram_settings_from, token_of
from actors.telegram.timing import Timing
from agents.alerts.policy import SOURCE, AlertConfig
from agents.errors import DeliveryRefused, InvalidInput, PolyfleetError, Unavailable
from agents.events import Type
from agents.ports import Ledger, MarketFeed, Supervisor
from agents.validation import explain

if TYPE_CHECKING:
    from actors.telegram.session import Session

log = logging.getLogger(__name__)

#: The document with the settings; the token is not among them.
_DOCUMENT = "telegram"

#: Seconds between attempts to read the settings, and that a message sent by hand may wait for the flood limits.
_RETRY = 0.5
_PATIENCE = 10.0

_NOT_CONFIGURED = "Telegram bot is not configured. Please configure in settings."


class NotifierService:
    """Implements `agents.ports.Notifier`.

    What talks to Telegram is imported and started once it is configured: a fleet without Telegram does not pay for it. What is
    to be told, and what was, lies in the log (see `actors.telegram.delivery` for what a kill may do).
    """

    def __init__(
        self,
        config: SystemConfig,
        *,
        ledger: Ledger | None = None,
        supervisor: Supervisor | None = None,
        feed: MarketFeed | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._config = config
        self._ledger = ledger or remote.ledger()
        self._supervisor = supervisor or remote.supervisor()
        self._feed = feed or remote.market_feed()
        self._timing = timing or Timing()
        self._alerts = AlertConfig()
        self._session: Session | None = None
        self._source: EventSource | None = None
        self._sourcing = asyncio.Lock()
        self._changing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to read the settings; neither they nor the log need be there yet."""
        self._task = asyncio.get_running_loop().create_task(self._begin())

    async def stop(self) -> None:
        """End at once; what was not sent is sent by the next life."""
        tasks = [task for task in (self._task, *self._tasks) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._end_session()

    async def configuration(self) -> dict[str, Any]:
        """Return the settings as the seed's clients see them: `botToken` is '***' or ''. Raises Unavailable."""
        _, alerts, token = await self._read()
        shown = alerts.model_dump(mode="json", by_alias=True, exclude_none=True)
        return shown | {"botToken": "***" if token else "", "hasToken": bool(token), "levels": alerts.all_levels()}

    async def configure(self, changes: Mapping[str, Any]) -> None:
        """Store changed settings (those of `AlertConfig`) and use them, and the token that is in its file, from now on.

        Raises InvalidInput or Unavailable.
        """
        async with self._changing:
            _, alerts, _ = await self._read()
            stored = alerts.model_dump(mode="json", by_alias=True)
            nested = {name: stored[name] | dict(value) for name, value in changes.items() if isinstance(value, Mapping)}
            try:
                changed = AlertConfig.model_validate(stored | dict(changes) | nested | {"updatedAt": self._timing.now()})
            except ValidationError as error:
                raise InvalidInput(explain(error)) from None
            await self._ledger.put_document(_DOCUMENT, changed.model_dump(mode="json", by_alias=True))
            if changed.enabled and not alerts.enabled:
                await self._forget_the_past(changed)
            await self._use(revive=True)

    async def send(self, message: str, kind: str) -> dict[str, Any]:
        """Send a text to the configured chat at once and return Telegram's answer; it is logged as sent or failed.

        Raises InvalidInput if Telegram is not configured, DeliveryRefused with Telegram's reason, or Unavailable if Telegram
        does not answer: then it may have been sent all the same.
        """
        async with self._changing:
            session = await self._use()
        if session is None:
            raise InvalidInput(_NOT_CONFIGURED)
        data = {
            "messageId": f"sent/{secrets.token_hex(8)}",
            "message": message,
            "chatId": session.account.chat_id,
            "type": kind,
        }
        try:
            answer = await self._deliver(session, message)
        except PolyfleetError as error:
            await self._record(Type.TELEGRAM, data | {"status": "failed", "error": str(error)})
            raise
        await self._record(Type.TELEGRAM, data | {"status": "sent"})
        return {"ok": True, "result": answer}

    async def _deliver(self, session: "Session", message: str) -> dict[str, Any]:
        from actors.telegram.gateway import Flooded, Refused, Unreachable

        chat, clock = session.account.chat_id, self._timing.clock
        if (held := session.pace.held(chat, clock())) > _PATIENCE:
            raise DeliveryRefused(f"Too Many Requests: Telegram takes no message to this chat for another {held:.0f} s")
        await self._timing.sleep(session.pace.reserve(chat, clock()))
        try:
            return await session.gateway.send(chat, message, marked=False)
        except Flooded as error:
            session.pace.hold(chat, clock() + error.seconds)
            raise DeliveryRefused(str(error)) from None
        except Refused as error:
            raise DeliveryRefused(str(error)) from None
        except Unreachable as error:
            raise Unavailable(f"Telegram does not answer ({error}); the message may have been sent") from None

    async def _begin(self) -> None:
        while True:
            try:
                async with self._changing:
                    await self._use()
            except PolyfleetError as error:
                log.warning("the notifier cannot read its settings: %s; trying again", error)
            else:
                return
            await asyncio.sleep(_RETRY)

    async def _read(self) -> tuple[TelegramSettings, AlertConfig, str]:
        """Return what the environment said, what is stored, and the token."""
        settings = telegram_settings_from(self._config.telegram())
        token = token_of(self._config, settings)
        stored = await self._ledger.document(_DOCUMENT)
        return settings, AlertConfig.model_validate(stored) if stored else begun(settings, token), token

    async def _use(self, *, revive: bool = False) -> "Session | None":
        """Run a session of the present settings, if they ask for one, and return it; `_changing` is held."""
        settings, self._alerts, token = await self._read()
        wanted = account(settings, self._alerts, token)
        if self._session is None or self._session.account != wanted or (revive and self._session.refused):
            await self._end_session()
            if wanted is not None:
                self._session = self._new_session(wanted)
        if revive and self._session:
            self._session.revive()
        return self._session

    def _new_session(self, wanted: Account) -> "Session":
        # Half a second of CPU and 20 MB.
        from actors.telegram.session import Session, Surroundings

        session = Session(
            wanted,
            Surroundings(
                ledger=self._ledger,
                supervisor=self._supervisor,
                feed=self._feed,
                config=lambda: self._alerts,
                configure=self._reconfigure,
                record=self._record,
                timing=self._timing,
            ),
        )
        session.start()
        return session

    async def _end_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.stop()

    async def _reconfigure(self, changes: Mapping[str, Any]) -> None:
        """Store what a chat has changed; in a task of its own, as it could end the session that asks."""
        task = asyncio.get_running_loop().create_task(self.configure(changes))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def _forget_the_past(self, changed: AlertConfig) -> None:
        """Let alerts begin now, not where they ended when they were turned off."""
        from actors.telegram.delivery import document_of

        settings, _, token = await self._read()
        if wanted := account(settings, changed, token):
            for chat in wanted.roles:
                await self._ledger.put_document(document_of(chat), None)

    async def _record(self, kind: Type, data: dict[str, Any]) -> None:
        """Log an event, however long the log is away."""
        async with self._sourcing:
            if self._source is None:
                self._source = EventSource(SOURCE, await self._open_source(), self._ledger, self._timing.wall)
        await self._source.store([self._source.event(kind, data | {"timestamp": self._timing.now()})])

    async def _open_source(self) -> int:
        while True:
            try:
                return await self._ledger.open_source(SOURCE)
            except Unavailable as error:
                log.warning("the notifier cannot log: %s; trying again", error)
                await asyncio.sleep(_RETRY)
