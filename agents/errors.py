"""The errors that polyfleet raises on purpose; each message says what is wrong, where, and what to do."""


class PolyfleetError(Exception):
    """Base of every error that polyfleet raises on purpose."""


class InvalidInput(PolyfleetError):
    """Raised when something that a user gave (a flag, file, field or body) is wrong."""


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


class VenueUnknown(PolyfleetError):
    """Raised when it is unknown whether the venue did what it was asked (a timeout, a 5xx, a broken reply)."""
