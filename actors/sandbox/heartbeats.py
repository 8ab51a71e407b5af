"""The dead-man switch: an address that sent one heartbeat and then falls silent loses its orders."""

from actors.sandbox.floor import Floor
from actors.sandbox.records import Refused

#: Wall milliseconds of silence after which all orders are cancelled.
SILENCE = 10_000


class Heartbeats:
    """The running heartbeats by address."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._running: dict[str, tuple[str, int]] = {}

    def beat(self, owner: str, heartbeat_id: str) -> str:
        """Take a heartbeat that carries the id given last ("" starts it) and return the next id."""
        self._floor.faults.before("heartbeat", owner)
        if heartbeat_id != self.expected(owner):
            raise Refused("Invalid Heartbeat ID")
        new = self._floor.uuid()
        self._running[owner] = (new, self._floor.wall_ms())
        self._changed()
        return new

    def expected(self, owner: str) -> str:
        """Return the id that the next heartbeat must carry."""
        return self._running.get(owner, ("", 0))[0]

    def missed(self, wall: int) -> list[str]:
        """Return the addresses that fell silent; their heartbeats end."""
        silent = [owner for owner, (_, last) in self._running.items() if wall - last >= SILENCE]
        for owner in silent:
            del self._running[owner]
            self._changed()
        return silent

    def ids(self) -> dict[str, str]:
        """Return what must be stored."""
        return {owner: id for owner, (id, _) in self._running.items()}

    def restore(self, ids: dict[str, str]) -> None:
        """Take running heartbeats up again; their silence starts now."""
        self._running = {owner: (id, self._floor.wall_ms()) for owner, id in ids.items()}

    def _changed(self) -> None:
        self._floor.journal.heartbeats = True
        self._floor.journal.urgent = True
