"""Accounts by address: cash, shares, what open orders reserve, and what shares cost."""

from dataclasses import dataclass, field

from actors.sandbox.journal import Journal
from actors.sandbox.records import PositionRecord
from agents.money import Micro

#: Where taker fees go.
FEES = "0x00000000000000000000000000000000000000fe"
#: The house's market maker and its takers: they may owe cash without limit and are not shown to users.
HOUSE_MAKER = "0x00000000000000000000000000000000000000aa"
HOUSE_TAKER = "0x00000000000000000000000000000000000000bb"
HOUSE = frozenset({FEES, HOUSE_MAKER, HOUSE_TAKER})


@dataclass(slots=True)
class Holding:
    """Shares of one token in one account."""

    condition_id: str
    size: Micro = 0
    reserved: Micro = 0
    cost: Micro = 0
    fees: Micro = 0
    realized: Micro = 0
    total_size: Micro = 0
    total_cost: Micro = 0
    first_at: int = 0
    last_at: int = 0


@dataclass(slots=True, eq=False)
class Account:
    """Cash and shares of one address."""

    address: str
    house: bool = False
    cash: Micro = 0
    reserved: Micro = 0
    holdings: dict[str, Holding] = field(default_factory=dict)

    @property
    def available(self) -> Micro:
        """Cash that no open order holds."""
        return self.cash - self.reserved

    def held(self, token_id: str) -> Micro:
        """Shares of a token."""
        holding = self.holdings.get(token_id)
        return holding.size if holding else 0

    def free(self, token_id: str) -> Micro:
        """Shares of a token that no open order holds."""
        holding = self.holdings.get(token_id)
        return holding.size - holding.reserved if holding else 0


class Accounts:
    """All accounts; every movement of cash and shares goes through here."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.all: dict[str, Account] = {}
        for address in HOUSE:
            self.all[address] = Account(address, house=True)

    def get(self, address: str) -> Account:
        """Return an address's account, made if there is none."""
        account = self.all.get(address)
        if account is None:
            account = self.all[address] = Account(address)
        return account

    def pay(self, account: Account, cash: Micro) -> None:
        """Add cash (negative: take it)."""
        account.cash += cash
        self._touch(account)

    def gain(self, account: Account, condition_id: str, token_id: str, size: Micro, cost: Micro, fee: Micro, at: int) -> None:
        """Add shares that cost `cost` and a fee; cash is not touched."""
        holding = account.holdings.get(token_id)
        if holding is None:
            holding = account.holdings[token_id] = Holding(condition_id, first_at=at)
        holding.size += size
        holding.cost += cost
        holding.fees += fee
        holding.total_size += size
        holding.total_cost += cost
        holding.last_at = at
        self._touch(account, token_id)

    def lose(self, account: Account, token_id: str, size: Micro, proceeds: Micro, fee: Micro, at: int) -> None:
        """Take shares away that brought `proceeds`; cash is not touched."""
        holding = account.holdings[token_id]
        released = holding.cost if size >= holding.size else holding.cost * size // holding.size
        holding.size -= size
        holding.cost -= released
        holding.fees += fee
        holding.realized += proceeds - released
        holding.last_at = at
        self._touch(account, token_id)

    def ungain(self, account: Account, token_id: str, size: Micro, cost: Micro, fee: Micro, at: int) -> None:
        """Take a purchase back."""
        holding = account.holdings[token_id]
        holding.size -= size
        holding.cost -= cost
        holding.fees -= fee
        holding.total_size -= size
        holding.total_cost -= cost
        holding.last_at = at
        self._touch(account, token_id)

    def unlose(
        self, account: Account, condition_id: str, token_id: str, size: Micro, proceeds: Micro, fee: Micro, at: int
    ) -> None:
        """Take a sale back; the shares come back at the price they were sold for."""
        holding = account.holdings.setdefault(token_id, Holding(condition_id, first_at=at))
        holding.size += size
        holding.cost += proceeds
        holding.fees -= fee
        holding.last_at = at
        self._touch(account, token_id)

    def reserve(self, account: Account, token_id: str | None, amount: Micro) -> None:
        """Hold cash (no token) or shares for an open order; a negative amount lets go of them."""
        if account.house:
            return
        if token_id is None:
            account.reserved += amount
        else:
            account.holdings[token_id].reserved += amount

    def forget(self, account: Account, token_id: str) -> None:
        """Drop a holding for good (the house's, once redeemed)."""
        account.holdings.pop(token_id, None)
        self._journal.holdings.add((account.address, token_id))

    def positions(self, address: str) -> list[PositionRecord]:
        """Return all that an address ever held, the latest touched first."""
        account = self.all.get(address)
        if account is None:
            return []
        return sorted(
            (
                PositionRecord(
                    token_id=token_id,
                    condition_id=holding.condition_id,
                    size=holding.size,
                    cost=holding.cost,
                    fees=holding.fees,
                    realized=holding.realized,
                    total_size=holding.total_size,
                    total_cost=holding.total_cost,
                    first_at=holding.first_at,
                    last_at=holding.last_at,
                )
                for token_id, holding in account.holdings.items()
            ),
            key=lambda position: (position.last_at, position.token_id),
            reverse=True,
        )

    def _touch(self, account: Account, token_id: str | None = None) -> None:
        self._journal.accounts.add(account.address)
        if token_id is not None:
            self._journal.holdings.add((account.address, token_id))
        if not account.house:
            self._journal.urgent = True
