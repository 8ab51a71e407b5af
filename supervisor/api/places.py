"""How many clients the hub takes, in all and from one address."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from starlette.types import Scope

from actors.settings import number_setting
from supervisor.api.access import header

_TOTAL = 2000
_EACH = 200


@dataclass(frozen=True, slots=True)
class Places:
    """The hub's limits. One address's counts only with an `address_header`: behind a proxy all clients look alike."""

    total: int = _TOTAL
    each: int = _EACH
    address_header: str = ""

    def refusal(self, scope: Scope, connected: Collection[Scope]) -> str | None:
        """Return one sentence that says why there is no place for one more client, or None if there is."""
        if len(connected) >= self.total:
            return f"The hub has {self.total} clients and takes no more (POLYFLEET_HUB_MAX_CLIENTS); try again later"
        address = self._address(scope)
        if address is not None and sum(self._address(other) == address for other in connected) >= self.each:
            return (
                f"The hub has {self.each} clients from your address and takes no more "
                "(POLYFLEET_HUB_MAX_CLIENTS_PER_ADDRESS); close some of them"
            )
        return None

    def _address(self, scope: Scope) -> str | None:
        name = self.address_header.strip().lower().encode()
        address = header(scope["headers"], name) if name else None
        return address.rpartition(",")[2].strip()[:64] if address else None


def places_from(environment: Mapping[str, str]) -> Places:
    """Read the limits from the environment.

    Raises:
        InvalidInput: if one is no possible number.
    """
    return Places(
        int(number_setting(environment, "POLYFLEET_HUB_MAX_CLIENTS", _TOTAL, 1, 9000)),
        int(number_setting(environment, "POLYFLEET_HUB_MAX_CLIENTS_PER_ADDRESS", _EACH, 1)),
        environment.get("POLYFLEET_ADDRESS_HEADER", ""),
    )
