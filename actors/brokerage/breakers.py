"""What stops all buying of a wallet for a while: a feed that is silent, a venue that fails, clocks that differ."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agents.errors import Unavailable, VenueRefused, VenueUnknown
from agents.limits.settings import Breakers as Settings
from agents.limits.state import Rule, Stop

#: Seconds over which the venue's failures are counted.
_MINUTE = 60.0
#: Looks in a row at which a condition must hold before it stops anything, and must not before it no longer does.
_ON, _OFF = 2, 5
#: Seconds after which an old answer about the venue's clock says nothing any more.
_FORGOTTEN = 120.0


class Breakers:
    """Told of every request to the venue and of its clock; says at each look which rules stop the wallet."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._requests: deque[tuple[float, bool]] = deque()
        self._skew: tuple[float, float] | None = None
        #: By rule, how many looks in a row it has (above 0) or has not (below 0) held.
        self._looks: dict[Rule, int] = {}

    def note(self, *, failed: bool) -> None:
        """Take note of a request that the venue answered, or failed: it did not answer, or with an error of its own."""
        self._requests.append((self._monotonic(), failed))

    @contextmanager
    def request(self) -> Iterator[None]:
        """Note how a request to the venue goes that is made within."""
        try:
            yield
        except (VenueUnknown, Unavailable):
            self.note(failed=True)
            raise
        except VenueRefused:
            self.note(failed=False)
            raise
        self.note(failed=False)

    def clock(self, venue: int, wall: float) -> None:
        """Take note of the venue's time, in whole seconds, and of ours at that moment."""
        # Any time within its second is what the venue may have meant.
        self._skew = self._monotonic(), max(venue - wall, wall - (venue + 1), 0.0)

    def look(
        self, limits: Settings, wallet: str, feed_age: float, day: int, on: frozenset[Rule]
    ) -> tuple[list[Stop], list[Rule]]:
        """Return the stops that begin and the rules whose stops (those `on`) end."""
        broken = {stop.rule: stop for stop in self._broken(limits, wallet, feed_age, day)}
        began: list[Stop] = []
        ended: list[Rule] = []
        for rule in (Rule.FEED_AGE, Rule.VENUE_ERRORS, Rule.CLOCK_SKEW):
            holds, seen = rule in broken, self._looks.get(rule, 0)
            self._looks[rule] = max(seen, 0) + 1 if holds else min(seen, 0) - 1
            if holds and rule not in on and self._looks[rule] >= _ON:
                began.append(broken[rule])
            elif rule in on and self._looks[rule] <= -_OFF:
                ended.append(rule)
        return began, ended

    def _broken(self, limits: Settings, wallet: str, feed_age: float, day: int) -> Iterator[Stop]:
        what = f"wallet {wallet} buys nothing until that is over"
        if not feed_age <= limits.max_feed_age:
            message = (
                f"maxFeedAge: the market feed has not answered for {feed_age:.0f} s, and may {limits.max_feed_age:g} s; {what}"
            )
            yield Stop(Rule.FEED_AGE, f"{limits.max_feed_age:g}", f"{feed_age:.0f}", message, day)
        now = self._monotonic()
        while self._requests and self._requests[0][0] < now - _MINUTE:
            self._requests.popleft()
        failed, total = sum(failed for _, failed in self._requests), len(self._requests)
        if total >= max(limits.min_venue_requests, 1) and failed / total > limits.max_venue_errors:
            message = (
                f"maxVenueErrors: the venue failed {failed} of {total} requests of the last minute, "
                f"and may {limits.max_venue_errors:.0%}; {what}"
            )
            yield Stop(Rule.VENUE_ERRORS, f"{limits.max_venue_errors:g}", f"{failed / total:.2f}", message, day)
        if self._skew is not None and now - self._skew[0] < _FORGOTTEN and self._skew[1] > limits.max_clock_skew:
            message = (
                f"maxClockSkew: the venue's clock and ours differ by {self._skew[1]:.0f} s, "
                f"and may by {limits.max_clock_skew:g} s; {what}"
            )
            yield Stop(Rule.CLOCK_SKEW, f"{limits.max_clock_skew:g}", f"{self._skew[1]:.0f}", message, day)
