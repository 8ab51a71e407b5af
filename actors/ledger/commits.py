"""Group commit: whatever is asked for while one commit is on its way to disk goes into the next one."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from actors.storage.jobs import Commit, Job, Outcome, Stored
from agents.errors import InvalidInput, StaleIncarnation, Unavailable

log = logging.getLogger(__name__)

_Waiting = tuple[Job, asyncio.Future[Outcome]]


class GroupCommits:
    """Runs `commit` on a thread, one call at a time, and `publish` on the loop with what each has stored.

    A job's outcome is known when it is on disk and published. When the log can be written again after it could not,
    `recovered` is told for how many seconds that was and why.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Job]], Commit],
        publish: Callable[[list[Stored]], None],
        thread: ThreadPoolExecutor,
        recovered: Callable[[float, str], None],
    ) -> None:
        self._commit = commit
        self._publish = publish
        self._thread = thread
        self._queue: list[_Waiting] = []
        self._asked = asyncio.Event()
        self._closed = False
        self._recovered = recovered
        #: Jobs that were asked for and are not on disk yet.
        self.depth = 0
        #: When the log could not be written for the first time, and why; None while it can be.
        self._failing: tuple[float, str] | None = None
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def run(self, job: Job) -> Outcome:
        """Do a job and return its outcome.

        Raises:
            Unavailable: if the log cannot be written now.
            InvalidInput: if the database does not take it.
            StaleIncarnation: if it comes from an earlier life of a source.
        """
        if self._closed:
            raise Unavailable("the ledger has stopped")
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._queue.append((job, outcome))
        self._asked.set()
        self.depth += 1
        try:
            return await outcome
        finally:
            self.depth -= 1

    async def close(self) -> None:
        """Finish what was asked for; refuse what comes later."""
        self._closed = True
        self._asked.set()
        await self._task

    async def _run(self) -> None:
        while self._queue or not self._closed:
            await self._asked.wait()
            self._asked.clear()
            waiting, self._queue = self._queue, []
            if waiting:
                await self._store(waiting)

    async def _store(self, waiting: list[_Waiting]) -> None:
        jobs = [job for job, _ in waiting]
        try:
            commit = await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, jobs)
        except Unavailable as error:
            self._report(error)
            for _, outcome in waiting:
                _fail(outcome, error)
        except Exception as error:
            if len(waiting) > 1:
                # One of them is at fault; the others must not suffer for it.
                for one in waiting:
                    await self._store([one])
            elif isinstance(error, InvalidInput):
                _fail(waiting[0][1], error)
            else:
                log.exception("a job for the log failed")
                _fail(waiting[0][1], InvalidInput(f"the log does not take this: {error!r}"))
        else:
            self._report(None)
            self._publish(commit.stored)
            for (_, outcome), result in zip(waiting, commit.outcomes, strict=True):
                if isinstance(result, StaleIncarnation):
                    _fail(outcome, result)
                elif not outcome.done():
                    outcome.set_result(result)

    def _report(self, error: Unavailable | None) -> None:
        if error is not None and self._failing is None:
            log.error("%s; writers wait and try again", error)
            self._failing = time.monotonic(), str(error)
        elif error is None and self._failing is not None:
            since, reason = self._failing
            self._failing = None
            log.warning("the log can be written again")
            self._recovered(time.monotonic() - since, reason)


def _fail(outcome: asyncio.Future[Outcome], error: Exception) -> None:
    if not outcome.done():
        outcome.set_exception(error)
