"""What a broker needs of a venue, and which adapter gives it in which mode."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from actors.brokerage.wallet_key import read_key
from actors.config import SystemConfig
from actors.polymarket.account import VenueOrder, VenueTrade
from actors.polymarket.contracts import Redemption
from actors.polymarket.signing import Signed, Ticket
from actors.polymarket.trading import Reply, TradingSession
from actors.polymarket.wallets import wallet_of
from agents.errors import VenueRefused, VenueUnknown
from agents.money import Micro
from agents.ports import Endpoints, Wallet


class VenueSession(Protocol):
    """One wallet's connection; see `TradingSession` for what its methods do and raise."""

    @property
    def owner(self) -> str:
        """The API key, which is how the venue names the owner of an order."""

    @property
    def address(self) -> str:
        """The wallet's address, lower-case."""

    async def close(self) -> None:
        """Close all connections."""

    async def sign(self, ticket: Ticket) -> Signed:
        """Sign an order, without sending it."""

    async def post(self, payload: bytes) -> Reply:
        """Send a signed order, once."""

    async def post_all(self, payloads: Sequence[bytes]) -> list[Reply | VenueRefused | VenueUnknown]:
        """Send up to 15 signed orders in one request and return what came of each; raises where the request itself failed."""

    async def order(self, order_id: str) -> VenueOrder | None:
        """Return an order, open or ended, or None if the venue has no such order."""

    async def open_orders(self) -> list[VenueOrder]:
        """Return all open orders of the wallet."""

    async def trades(self, after: int | None = None, condition_id: str | None = None) -> list[VenueTrade]:
        """Return the wallet's trades matched since `after` (wall epoch seconds), of one market if named; oldest first."""

    async def trade(self, trade_id: str) -> VenueTrade | None:
        """Return one trade, or None."""

    async def cancel(self, order_ids: Sequence[str]) -> tuple[set[str], dict[str, str]]:
        """Cancel orders; return those that are cancelled and, for the others, why not."""

    async def cancel_all(self) -> set[str]:
        """Cancel every open order of the wallet in one request; return those that are cancelled."""

    async def beat(self, heartbeat_id: str) -> str:
        """Send the dead-man heartbeat that carries the id given last and return the next one. Raises OtherHeartbeat."""

    async def cash(self) -> Micro:
        """Return the wallet's pUSD."""

    async def shares(self, token_id: str) -> Micro:
        """Return the wallet's shares of one token."""

    async def positions(self, condition_id: str | None = None) -> dict[str, Micro]:
        """Return the wallet's shares by token, of one market only, if named."""

    async def redeem(self, condition_id: str) -> str:
        """Pay out the wallet's shares of a resolved market; returns the transaction's hash."""

    async def redemptions(self, condition_id: str) -> list[Redemption]:
        """Return the payouts of a market that the wallet has had, newest first."""

    async def transfers(self, since: int) -> dict[str, Micro]:
        """Return the deposits, withdrawals, rewards and rebates since a wall second: cash, by transaction."""

    def updates(self) -> AsyncIterator[VenueOrder | VenueTrade]:
        """Yield what the venue reports of the wallet's orders, for as long as the session is open."""


async def connect(config: SystemConfig, wallet: Wallet, endpoints: Endpoints) -> VenueSession:
    """Return a wallet's connection: a simulated one in paper mode, where no key is read, else the venue's own.

    Raises:
        InvalidInput: if the key file is wrong.
        Unavailable, VenueRefused, VenueUnknown: if the venue does not let it in now.
    """
    if config.mode == "paper":
        from actors.paper.session import PaperSession

        return await PaperSession.connect(endpoints, config.data_dir, wallet.name, config.paper)
    key = read_key(wallet)
    # The library would take a wallet that is none of the key's for one that a session key trades for.
    return await TradingSession.connect(endpoints, key.private, wallet_of(key.private, wallet.address), key.gasless)
