"""Movements outside trading: deposits, sets split and merged, resolved shares redeemed."""

from collections.abc import Iterable

from actors.sandbox.accounts import HOUSE
from actors.sandbox.floor import Floor
from actors.sandbox.listing import Listing
from actors.sandbox.records import ActivityKind, Refused
from agents.money import Micro, notional


class Custody:
    """Cash in, sets in and out, payouts."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def fund(self, owner: str, cash: Micro) -> str:
        """Deposit cash."""
        floor = self._floor
        floor.deposited += cash
        floor.accounts.pay(floor.accounts.get(owner), cash)
        return floor.note_activity(ActivityKind.DEPOSIT, owner, cash=cash)

    def withdraw(self, owner: str, cash: Micro) -> str:
        """Take cash out that no open order holds."""
        floor = self._floor
        account = floor.accounts.get(owner)
        if not 0 < cash <= account.available:
            raise Refused("ERC20: transfer amount exceeds balance")
        floor.deposited -= cash
        floor.accounts.pay(account, -cash)
        return floor.note_activity(ActivityKind.WITHDRAWAL, owner, cash=cash)

    def split(self, owner: str, condition_id: str, amount: Micro) -> str:
        """Turn cash into both tokens."""
        floor = self._floor
        floor.faults.before("split", owner)
        listing = floor.listing(condition_id)
        account = floor.accounts.get(owner)
        if listing.record.closed:
            raise Refused("the market is closed")
        if not 0 < amount <= account.available:
            raise Refused("ERC20: transfer amount exceeds balance")
        floor.accounts.pay(account, -amount)
        for token_id, cost in zip(listing.record.tokens, _halves(amount), strict=True):
            floor.accounts.gain(account, condition_id, token_id, amount, cost, 0, floor.venue_now())
        self._back(listing, amount)
        return floor.note_activity(ActivityKind.SPLIT, owner, condition_id=condition_id, size=amount, cash=amount)

    def merge(self, owner: str, condition_id: str, amount: Micro) -> str:
        """Turn both tokens back into cash."""
        floor = self._floor
        floor.faults.before("merge", owner)
        listing = floor.listing(condition_id)
        account = floor.accounts.get(owner)
        if not 0 < amount <= min(account.free(token_id) for token_id in listing.record.tokens):
            raise Refused("SafeMath: subtraction overflow")
        for token_id, proceeds in zip(listing.record.tokens, _halves(amount), strict=True):
            floor.accounts.lose(account, token_id, amount, proceeds, 0, floor.venue_now())
        floor.accounts.pay(account, amount)
        self._back(listing, -amount)
        return floor.note_activity(ActivityKind.MERGE, owner, condition_id=condition_id, size=amount, cash=amount)

    def redeem(self, owner: str, condition_id: str, token_ids: Iterable[str] | None) -> str:
        """Pay resolved shares out."""
        floor = self._floor
        floor.faults.before("redeem", owner)
        listing = floor.listing(condition_id)
        record = listing.record
        if record.payouts is None:
            raise Refused("result for condition not received yet")
        account = floor.accounts.get(owner)
        wanted = record.tokens if token_ids is None else tuple(token_ids)
        total, size = 0, 0
        for token_id, payout in zip(record.tokens, record.payouts, strict=True):
            held = account.held(token_id)
            if token_id not in wanted or held <= 0:
                continue
            paid = notional(held, payout)
            floor.accounts.lose(account, token_id, held, paid, 0, floor.venue_now())
            total += paid
            size += held
        floor.accounts.pay(account, total)
        self._back(listing, -total)
        return floor.note_activity(ActivityKind.REDEEM, owner, condition_id=condition_id, size=size, cash=total)

    def redeem_house(self, listing: Listing) -> None:
        """Pay the house out and forget what it held."""
        floor = self._floor
        record = listing.record
        assert record.payouts is not None
        for address in HOUSE:
            account = floor.accounts.get(address)
            for token_id, payout in zip(record.tokens, record.payouts, strict=True):
                paid = notional(account.held(token_id), payout)
                floor.accounts.pay(account, paid)
                floor.accounts.forget(account, token_id)
                self._back(listing, -paid)

    def _back(self, listing: Listing, change: Micro) -> None:
        listing.collateral += change
        self._floor.journal.listings.add(listing.record.condition_id)


def _halves(amount: Micro) -> tuple[Micro, Micro]:
    return amount - amount // 2, amount // 2
