"""The trading side of the venue for one wallet: orders, trades, balances and payouts in our own terms and errors.

Every method raises `VenueRefused` when the venue definitely did nothing (`VenueBusy`, if it may do it later), `VenueUnknown`
when it may have, and `Unavailable` when it was never reached.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from polymarket import AsyncSecureClient, BuilderApiKey, RelayerApiKey, UserInputError
from polymarket._internal.protocol import is_v2_position_id
from polymarket.errors import (
    OrderHeartbeatMismatchError,
    PolymarketError,
    RateLimitError,
    RequestRejectedError,
    SigningError,
    TransactionFailedError,
    TransportError,
    UnexpectedResponseError,
)
from polymarket.models.clob import AssetType
from polymarket.models.clob.order_response import OrderResponse
from polymarket.streams import UserSpec

from actors.polymarket import contracts, signing
from actors.polymarket.account import VenueOrder, VenueTrade, parse_order, parse_trade
from actors.polymarket.environment import environment
from actors.polymarket.relayer_keys import REMEDY, GaslessKey, RelayerKey
from agents.errors import Unavailable, VenueBusy, VenueRefused, VenueUnknown
from agents.money import Micro, micro
from agents.ports import Endpoints

#: The most orders that one request may place; and cancel: it takes more, but a signer's bucket of cancels holds 120.
PLACE_BATCH = 15
_CANCEL_BATCH = 100

#: The status with which the venue answers while its engine restarts.
_TOO_EARLY = 425

#: What it says of an order that it has had before, and of one that it lost track of.
DUPLICATE = "Duplicated"
_TIMED_OUT = "timed out"

#: Failures before a request left this machine.
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@dataclass(frozen=True, slots=True)
class Reply:
    """The venue's answer to a new order: live, matched or delayed, and the trades that it made at once."""

    order_id: str
    status: str
    trade_ids: tuple[str, ...]


class SignedOut(VenueRefused):
    """Raised when the venue refused a request because the API key is revoked: sign in again."""


class OtherHeartbeat(VenueRefused):
    """Raised when a heartbeat carried another id than the venue expects: `expected`, which is "" if none is running."""

    def __init__(self, expected: str) -> None:
        super().__init__("the venue expects a heartbeat with another id")
        self.expected = expected


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except RateLimitError as error:
        wait = error.retry_after or 1.0
        raise VenueBusy(f"the venue's rate limit refused {what}; try again in {wait:g} s", wait) from error
    except RequestRejectedError as error:
        if error.status == 401:
            raise SignedOut(f"{what}: the venue does not know the wallet's API key any more ({error})") from error
        if error.restriction is not None or error.status == _TOO_EARLY:
            raise VenueBusy(str(error), error.retry_after or 0.0) from error
        if error.status >= 500:
            raise VenueUnknown(f"{what}: the venue answered {error.status} ({error})") from error
        raise VenueRefused(str(error)) from error
    except (UserInputError, SigningError, TransactionFailedError) as error:
        raise VenueRefused(str(error)) from error
    except TransportError as error:
        if isinstance(error.__cause__, _UNSENT):
            raise Unavailable(f"{what}: the venue cannot be reached ({error})") from error
        raise VenueUnknown(f"{what}: the venue did not answer ({error})") from error
    except PolymarketError as error:
        raise VenueUnknown(f"{what}: {error}") from error


class TradingSession:
    """An authenticated connection of one wallet."""

    def __init__(self, client: AsyncSecureClient, *, gasless: bool = False) -> None:
        self._client = client
        #: Whether the relayer sends its transactions, and it has a key for that.
        self._relayed = client.wallet_type != "EOA"
        self._gasless = gasless

    @classmethod
    async def connect(
        cls, endpoints: Endpoints, private_key: str, address: str, gasless: GaslessKey | None = None
    ) -> "TradingSession":
        """Derive the wallet's API credentials and return its session; `gasless` is a key for the relayer."""
        with _translated("signing in"):
            client = await AsyncSecureClient.create(
                private_key=private_key,
                wallet=address,
                environment=environment(endpoints),
                api_key=library_key(gasless),
            )
        return cls(client, gasless=gasless is not None)

    @property
    def owner(self) -> str:
        """The API key, which is how the venue names the owner of an order."""
        return self._client.credentials.key

    @property
    def address(self) -> str:
        """The wallet's address, lower-case."""
        return str(self._client.wallet).lower()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def sign(self, ticket: signing.Ticket) -> signing.Signed:
        """Sign an order, without sending it."""
        with _translated("signing an order"):
            return await signing.sign(self._client, ticket)

    async def post(self, payload: bytes) -> Reply:
        """Send a signed order, once. The venue takes the same bytes once only; no approval is ever sent to the chain for it.

        Raises VenueUnknown too where the venue has had the order before.
        """
        try:
            with _translated("placing an order"):
                reply = await self._client.post_order(signing.decode(payload))
        except VenueRefused as error:
            if DUPLICATE in str(error):
                raise VenueUnknown(f"the venue has had the order before: {error}") from error
            raise
        outcome = _outcome(reply)
        if isinstance(outcome, Reply):
            return outcome
        raise outcome

    async def post_all(self, payloads: Sequence[bytes]) -> list[Reply | VenueRefused | VenueUnknown]:
        """Send up to 15 signed orders in one request and return what came of each; raises where the request itself failed."""
        with _translated("placing orders"):
            replies = await self._client.post_orders([signing.decode(payload) for payload in payloads])
        if len(replies) != len(payloads):
            raise VenueUnknown(f"the venue answered for {len(replies)} of {len(payloads)} orders")
        return [_outcome(reply) for reply in replies]

    async def order(self, order_id: str) -> VenueOrder | None:
        """Return an order, open or ended, or None if the venue has no such order."""
        with _translated("asking for an order"):
            try:
                return _order(await self._client.get_order(order_id=order_id))
            except RequestRejectedError as error:
                if error.status == 404:
                    return None
                raise
            except UnexpectedResponseError:
                # The venue answers null for an order that it does not keep; a broken answer shows in the list too.
                page = await self._client.list_open_orders(id=order_id).first_page()
                return _order(page.items[0]) if page.items else None

    async def open_orders(self) -> list[VenueOrder]:
        """Return all open orders of the wallet."""
        with _translated("listing open orders"):
            return [_order(item) async for item in self._client.list_open_orders().iter_items()]

    async def trades(self, after: int | None = None, condition_id: str | None = None) -> list[VenueTrade]:
        """Return the wallet's trades matched since `after` (wall epoch seconds), of one market if named; oldest first."""
        with _translated("listing trades"):
            pages = self._client.list_account_trades(after=str(max(after, 1)) if after else None, market=condition_id)
            found = [_trade(item) async for item in pages.iter_items()]
        return sorted(found, key=lambda trade: trade.matched_at)

    async def trade(self, trade_id: str) -> VenueTrade | None:
        """Return one trade, or None."""
        with _translated("asking for a trade"):
            page = await self._client.list_account_trades(id=trade_id).first_page()
        return next((_trade(item) for item in page.items if item.id == trade_id), None)

    async def cancel(self, order_ids: Sequence[str]) -> tuple[set[str], dict[str, str]]:
        """Cancel orders; return those that are cancelled and, for the others, why not."""
        done: set[str] = set()
        refused: dict[str, str] = {}
        for start in range(0, len(order_ids), _CANCEL_BATCH):
            with _translated("cancelling orders"):
                reply = await self._client.cancel_orders(order_ids=order_ids[start : start + _CANCEL_BATCH])
            done.update(map(str, reply.canceled))
            refused.update({str(order_id): reason for order_id, reason in reply.not_canceled.items()})
        return done, refused

    async def cancel_all(self) -> set[str]:
        """Cancel every open order of the wallet in one request, whoever placed it; return those that are cancelled."""
        with _translated("cancelling all orders"):
            return set(map(str, (await self._client.cancel_all()).canceled))

    async def beat(self, heartbeat_id: str) -> str:
        """Send the dead-man heartbeat that carries the id given last ("" begins it) and return the id for the next one.

        From the first one on the venue cancels all orders of this API key, whoever placed them, once it has heard of none for
        some ten seconds. Raises OtherHeartbeat if it expects another id.
        """
        with _translated("sending the heartbeat"):
            try:
                return (await self._client.send_order_heartbeat(heartbeat_id=heartbeat_id)).heartbeat_id
            except OrderHeartbeatMismatchError as error:
                raise OtherHeartbeat(error.heartbeat_id) from error

    async def cash(self) -> Micro:
        """Return the wallet's pUSD."""
        with _translated("asking for the balance"):
            return (await self._client.get_balance_allowance(asset_type="COLLATERAL")).balance

    async def shares(self, token_id: str) -> Micro:
        """Return the wallet's shares of one token, as orders may sell them."""
        asset: AssetType = "CONDITIONAL-V2" if is_v2_position_id(token_id) else "CONDITIONAL"
        with _translated("asking for a balance"):
            return (await self._client.get_balance_allowance(asset_type=asset, asset_id=token_id)).balance

    async def positions(self, condition_id: str | None = None) -> dict[str, Micro]:
        """Return the wallet's shares by token, resolved and unredeemed ones included; of one market only, if named."""
        shares: dict[str, Micro] = {}
        with _translated("listing positions"):
            for status in ("OPEN", "REDEEMABLE", "REDEEMABLE_LOST"):
                pages = self._client.list_positions(condition_id=condition_id, status=status, page_size=1000)
                async for item in pages.iter_items():
                    if item.current_size:
                        shares[str(item.asset_id)] = micro(item.current_size)
        return shares

    async def redeem(self, condition_id: str) -> str:
        """Pay out the wallet's shares of a resolved market; returns the transaction's hash once it is mined.

        Raises VenueRefused too where the relayer has to do it and does not take the key that the wallet has for it, if any.
        """
        if self._relayed and not self._gasless:
            raise VenueRefused(f"the venue's relayer pays out such a wallet and wants a key of its own; {REMEDY}")
        try:
            with _translated("redeeming"):
                return await contracts.redeem(self._client, condition_id)
        except SignedOut as error:
            # Only the relayer asks who it is, and to sign in again would not help.
            raise VenueRefused(f"the venue's relayer does not take the key in the wallet's key file; {REMEDY}") from error

    async def redemptions(self, condition_id: str) -> list[contracts.Redemption]:
        """Return the payouts of a market that the wallet has had, newest first."""
        with _translated("listing payouts"):
            return await contracts.redemptions(self._client, condition_id)

    async def transfers(self, since: int) -> dict[str, Micro]:
        """Return the deposits, withdrawals, rewards and rebates since a wall second: cash, by transaction."""
        with _translated("listing transfers"):
            return await contracts.transfers(self._client, since)

    async def updates(self) -> AsyncIterator[VenueOrder | VenueTrade]:
        """Yield what the user channel says, for as long as the session is open; the library reconnects by itself."""
        with _translated("subscribing to the user channel"):
            handle = await self._client.subscribe(UserSpec())
        with _translated("reading the user channel"):
            async with handle:
                async for event in handle:
                    yield _order(event.payload) if event.type == "order" else _trade(event.payload)


def library_key(key: GaslessKey | None) -> RelayerApiKey | BuilderApiKey | None:
    """Return a key for the relayer as the library takes it."""
    if key is None:
        return None
    if isinstance(key, RelayerKey):
        return RelayerApiKey(key=key.key, address=key.address)
    return BuilderApiKey(key=key.key, secret=key.secret, passphrase=key.passphrase)


def _outcome(reply: OrderResponse) -> Reply | VenueRefused | VenueUnknown:
    if reply.ok:
        return Reply(str(reply.order_id), reply.status, reply.trade_ids)
    if reply.code == "unmatched":
        return VenueUnknown(f"the venue says that an order is unmatched: {reply.message}")
    if DUPLICATE in reply.message or _TIMED_OUT in reply.message:
        return VenueUnknown(f"the venue does not say what it did with the order: {reply.message}")
    return VenueBusy(reply.message) if reply.code == "post_only_mode" else VenueRefused(reply.message)


def _order(model: Any) -> VenueOrder:
    try:
        return parse_order(model.model_dump())
    except (KeyError, ValueError) as error:
        raise UnexpectedResponseError(f"an order that cannot be read: {error!r}") from error


def _trade(model: Any) -> VenueTrade:
    try:
        return parse_trade(model.model_dump())
    except (KeyError, ValueError) as error:
        raise UnexpectedResponseError(f"a trade that cannot be read: {error!r}") from error
