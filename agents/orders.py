"""The life of an order as an explicit state machine."""

from enum import StrEnum

from agents.errors import Conflict


class OrderStatus(StrEnum):
    """Where an order is. `unknown`: it was sent, and whether the venue has it is not known yet."""

    INTENDED = "intended"
    SIGNED = "signed"
    SENT = "sent"
    LIVE = "live"
    MATCHED = "matched"
    PARTIALLY_FILLED = "partially_filled"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


S = OrderStatus

_ENDS = {S.CANCELLED, S.EXPIRED}

#: Which states may follow which. `intended`: not sent, it may wait for a person; `matched`: fully filled; `pending`: no more
#: fills can come, some wait for settlement; `confirmed`: ended, all fills settled; `failed`: ended, and a settlement failed.
TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    S.INTENDED: frozenset({S.SIGNED, S.REJECTED, *_ENDS}),
    S.SIGNED: frozenset({S.SENT, S.REJECTED, S.EXPIRED, S.UNKNOWN}),
    S.SENT: frozenset({S.LIVE, S.MATCHED, S.PARTIALLY_FILLED, S.PENDING, S.REJECTED, S.UNKNOWN, *_ENDS}),
    S.UNKNOWN: frozenset({S.SENT, S.LIVE, S.MATCHED, S.PARTIALLY_FILLED, S.PENDING, S.CONFIRMED, S.REJECTED, S.FAILED, *_ENDS}),
    S.LIVE: frozenset({S.PARTIALLY_FILLED, S.MATCHED, S.PENDING, S.UNKNOWN, *_ENDS}),
    S.PARTIALLY_FILLED: frozenset({S.PARTIALLY_FILLED, S.MATCHED, S.PENDING, S.CONFIRMED, S.FAILED, S.UNKNOWN, *_ENDS}),
    S.MATCHED: frozenset({S.PENDING, S.CONFIRMED, S.FAILED}),
    S.PENDING: frozenset({S.CONFIRMED, S.FAILED}),
    S.CONFIRMED: frozenset({S.FAILED}),
    S.FAILED: frozenset(),
    S.CANCELLED: frozenset({S.CONFIRMED, S.FAILED, S.PENDING}),
    S.EXPIRED: frozenset({S.CONFIRMED, S.FAILED, S.PENDING}),
    S.REJECTED: frozenset(),
}

#: The venue may still fill an order in one of these states.
OPEN = frozenset({S.INTENDED, S.SIGNED, S.SENT, S.LIVE, S.PARTIALLY_FILLED, S.UNKNOWN})

#: A broker that starts must look at an order in one of these states.
UNSETTLED = OPEN | {S.MATCHED, S.PENDING}


def advance(current: OrderStatus, new: OrderStatus) -> OrderStatus:
    """Return the new state if it may follow the current one (or equals it).

    Raises:
        Conflict: if it may not.
    """
    if new != current and new not in TRANSITIONS[current]:
        raise Conflict(f"an order that is {current} cannot become {new}")
    return new
