"""When each resolved market is paid out: at once, and again ever later for what fails, which the log is told of."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from actors.brokerage.desk import Desk
from actors.brokerage.redemption import Redemption
from agents import facts
from agents.errors import VenueRefused, VenueUnknown
from agents.events import Type

log = logging.getLogger(__name__)

#: Seconds before a market is looked at again whose trades must settle first.
_PAUSE = 1.0
#: Seconds before what failed is tried again, at first and at most; they double in between.
_SHORTEST, _LONGEST = 10.0, 600.0
#: The failure from which on the log is told: most go away by themselves.
_TELL = 3


@dataclass(slots=True)
class _Attempts:
    failures: int = 0
    after: float = 0.0
    told: str = ""


class Payouts:
    """Pays out what a wallet holds of resolved markets; what fails stops nothing else."""

    def __init__(self, desk: Desk, redemption: Redemption, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._desk = desk
        self._redemption = redemption
        self._monotonic = monotonic
        self._attempts: dict[str, _Attempts] = {}

    async def pay_out(self) -> None:
        """Try each market whose time it is. Raises Unavailable if the ledger, the feed or the venue is away."""
        due = self._redemption.due()
        self._attempts = {condition_id: self._attempts.get(condition_id) or _Attempts() for condition_id in due}
        for condition_id, attempts in list(self._attempts.items()):
            if self._monotonic() >= attempts.after:
                await self._try(condition_id, attempts)

    async def _try(self, condition_id: str, attempts: _Attempts) -> None:
        try:
            done = await self._redemption.redeem(condition_id)
        except (VenueRefused, VenueUnknown) as error:
            reason = str(error)
        else:
            if done:
                attempts.failures = 0
            attempts.after = self._monotonic() + _PAUSE
            return
        attempts.failures += 1
        pause = min(_SHORTEST * 2 ** (attempts.failures - 1), _LONGEST)
        attempts.after = self._monotonic() + pause
        log.warning("market %s is not paid out yet, and tried again in %.0f s: %s", condition_id, pause, reason)
        if attempts.failures >= _TELL and (reason != attempts.told or attempts.failures.bit_count() == 1):
            attempts.told = reason
            data = facts.stuck_data(
                wallet=self._desk.wallet.name,
                condition_id=condition_id,
                question=await self._redemption.question(condition_id),
                attempts=attempts.failures,
                reason=reason,
            )
            await self._desk.record([self._desk.source.event(Type.INFO, data)])
