"""The seam where a fault injector plugs in; by itself it injects nothing."""

from collections.abc import Sequence

from actors.sandbox.records import TradeRecord, TradeStatus


class Faults:
    """What may go wrong, asked at the points where it would. Subclass it to inject faults by name."""

    #: Wall milliseconds after the match at which a trade is mined and confirmed.
    settlement: Sequence[tuple[int, TradeStatus]] = ((1000, TradeStatus.MINED), (2000, TradeStatus.CONFIRMED))

    def before(self, operation: str, address: str) -> None:
        """Raise `Refused` to refuse an operation: "place", "cancel", "split", "merge", "redeem" or "heartbeat"."""

    def settle(self, trade: TradeRecord) -> Sequence[tuple[int, TradeStatus]]:
        """Return the further statuses of a trade and when it takes them (wall milliseconds after the match).

        The last one must be CONFIRMED or FAILED; FAILED takes both sides' shares, cash and fee back.
        """
        return self.settlement
