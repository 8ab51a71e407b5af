"""What changed since the last commit: the exchange notes it, the store drains it."""

from dataclasses import dataclass, field

from actors.sandbox.records import ActivityRecord, Credentials


@dataclass(slots=True)
class Journal:
    """Keys of changed records, those of orders, trades and markets in order.

    `urgent`: a client may see one of the changes, so they must be stored before it does.
    """

    accounts: set[str] = field(default_factory=set)
    holdings: set[tuple[str, str]] = field(default_factory=set)
    orders: dict[str, None] = field(default_factory=dict)
    trades: dict[str, None] = field(default_factory=dict)
    markets: dict[str, None] = field(default_factory=dict)
    listings: set[str] = field(default_factory=set)
    activity: list[ActivityRecord] = field(default_factory=list)
    credentials: list[Credentials] = field(default_factory=list)
    deleted_keys: list[str] = field(default_factory=list)
    heartbeats: bool = False
    urgent: bool = False

    def clear(self) -> None:
        """Forget what was stored."""
        for name in (
            "accounts",
            "holdings",
            "orders",
            "trades",
            "markets",
            "listings",
            "activity",
            "credentials",
            "deleted_keys",
        ):
            getattr(self, name).clear()
        self.heartbeats = False
        self.urgent = False
