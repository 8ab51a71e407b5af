"""What a client has seen is durable: answers and frames wait for a commit, which all that came meanwhile share."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from actors.sandbox.venue import Venue


class Commits:
    """Commits the venue soon after it is asked to, once for all who asked in the same turn of the event loop."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._round: asyncio.Future[None] | None = None
        self._then: list[Callable[[], None]] = []
        #: Set when a commit failed: the venue can no longer be trusted to keep what it says.
        self.failure: BaseException | None = None

    async def done(self) -> None:
        """Return once all that has happened until now is durable. Raises what the commit raised."""
        await asyncio.shield(self._ask())

    def then(self, callback: Callable[[], None]) -> None:
        """Call back once all that has happened until now is durable."""
        self._then.append(callback)
        self._ask()

    def _ask(self) -> asyncio.Future[None]:
        if self._round is None:
            loop = asyncio.get_running_loop()
            self._round = loop.create_future()
            loop.call_soon(self._commit)
        return self._round

    def _commit(self) -> None:
        waiting, callbacks = self._round, self._then
        self._round, self._then = None, []
        assert waiting is not None
        try:
            self._venue.commit()
        except Exception as error:
            self.failure = error
            waiting.set_exception(error)
            waiting.exception()  # Nobody may be waiting; whoever runs the server sees `failure`.
            return
        waiting.set_result(None)
        for callback in callbacks:
            callback()


class Receiver(Protocol):
    """Somebody to whom text can be sent at once."""

    def send(self, text: str) -> None:
        """Send a text."""


class Delivery:
    """Delivers frames in order, each once what it tells is durable."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._queue: list[tuple[tuple[Receiver, ...], str]] = []

    def post(self, receivers: Iterable[Receiver], text: str, delays: Sequence[float] = (0.0,)) -> None:
        """Send a frame to those who listen now: once for each delay, after that many wall seconds."""
        receivers = tuple(receivers)
        for delay in delays:
            if delay:
                asyncio.get_running_loop().call_later(delay, self._post, receivers, text)
            else:
                self._post(receivers, text)

    def _post(self, receivers: tuple[Receiver, ...], text: str) -> None:
        if not self._queue:
            self._commits.then(self._flush)
        self._queue.append((receivers, text))

    def _flush(self) -> None:
        queue, self._queue = self._queue, []
        for receivers, text in queue:
            for receiver in receivers:
                receiver.send(text)
