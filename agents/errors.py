"""The errors that polyfleet raises on purpose; each message says what is wrong, where, and what to do."""

from collections.abc import Mapping, Sequence


class PolyfleetError(Exception):
    """Base of every error that polyfleet raises on purpose."""


class InvalidInput(PolyfleetError):
    """Raised when something that a user gave (a flag, file, field or body) is wrong.

    `details` are the wrong fields, where there are such, each {field, message, type}.
    """

    def __init__(self, message: str, details: Sequence[Mapping[str, str]] = ()) -> None:
        # Both are arguments of the exception: so it is the same in another process.
        super().__init__(message, *([details] if details else ()))

    def __str__(self) -> str:
        return str(self.args[0])

    @property
    def details(self) -> Sequence[Mapping[str, str]]:
        """The wrong fields."""
        return self.args[1] if len(self.args) > 1 else ()


class NotFound(PolyfleetError):
    """Raised when the agent, market or order asked for does not exist."""


class Conflict(PolyfleetError):
    """Raised when the present state does not allow what was asked for."""


class Unavailable(PolyfleetError):
    """Raised when a part of the system cannot answer now; trying again later may work."""


class StaleIncarnation(PolyfleetError):
    """Raised when an earlier life of a source tries to write or trade."""


class VenueRefused(PolyfleetError):
    """Raised when the venue definitely refused a request; nothing happened there."""


class VenueBusy(VenueRefused):
    """Raised when the venue did nothing, and may take the same request in `retry_after` seconds (0: it did not say when)."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        # Both are arguments of the exception: so it is the same in another process.
        super().__init__(message, retry_after)

    def __str__(self) -> str:
        return str(self.args[0])

    @property
    def retry_after(self) -> float:
        """Wall seconds after which it may be tried again."""
        return float(self.args[1])


class DeliveryRefused(PolyfleetError):
    """Raised when Telegram definitely refused a message; it was not delivered."""


class VenueUnknown(PolyfleetError):
    """Raised when it is unknown whether the venue did what it was asked (a timeout, a 5xx, a broken reply)."""
