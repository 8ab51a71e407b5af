"""Telegram's flood limits: how long to wait before the next message to a chat."""

from collections import deque

#: Messages and the seconds in which no more than so many may go: to one chat, to one group, to all together.
_CHAT = (1, 1.0)
_GROUP = (20, 60.0)
_ALL = (30, 1.0)


class _Window:
    """At most `count` times within any `seconds`."""

    def __init__(self, count: int, seconds: float) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque(maxlen=count)

    def earliest(self) -> float:
        """Return when the next one may be."""
        full = len(self._times) == self._times.maxlen
        return self._times[0] + self._seconds if full else 0.0

    def note(self, at: float) -> None:
        """Count one."""
        self._times.append(at)


class Pace:
    """Hands out the times at which messages may go; times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._all = _Window(*_ALL)
        self._chats: dict[str, tuple[_Window, ...]] = {}
        self._held: dict[str, float] = {}

    def reserve(self, chat: str, now: float, *, answer: bool = False) -> float:
        """Take the next free time for a message to a chat, and return how many seconds from now that is.

        An answer to a person does not wait for the second since the last message to the chat.
        """
        each, *rest = self._windows(chat)
        waiting = rest if answer else [each, *rest]
        at = max(now, self._held.get(chat, 0.0), self._all.earliest(), *(window.earliest() for window in waiting))
        for window in (self._all, each, *rest):
            window.note(at)
        return at - now

    def hold(self, chat: str, until: float) -> None:
        """Let nothing go to a chat before a time: Telegram has said so."""
        self._held[chat] = max(until, self._held.get(chat, 0.0))

    def held(self, chat: str, now: float) -> float:
        """Return for how many seconds nothing may go to a chat."""
        return max(0.0, self._held.get(chat, 0.0) - now)

    def _windows(self, chat: str) -> tuple[_Window, ...]:
        if chat not in self._chats:
            group = (_Window(*_GROUP),) if chat.startswith(("-", "@")) else ()
            self._chats[chat] = (_Window(*_CHAT), *group)
        return self._chats[chat]
