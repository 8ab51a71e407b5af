"""Signed orders: exact amounts in, the library's signature and the order's id (its EIP-712 hash) out, bytes for the log."""

import dataclasses
import json
from dataclasses import dataclass
from typing import cast

from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from polymarket import AsyncSecureClient, SignedOrder

# The library builds market buys from an amount of cash alone, and from ticks that it keeps for ten minutes. We sign the amounts
# that the books were asked for, on the grid that the feed sees, so the draft is made here and signed by the library, whose
# cache of ticks is never asked; its version is pinned for this.
from polymarket._internal.actions.orders.context import resolve_order_exchange_address
from polymarket._internal.actions.orders.typed_data import build_order_typed_data
from polymarket._internal.actions.orders.types import OrderDraft, UnsignedOrder
from polymarket._internal.protocol import is_v2_position_id
from polymarket.models.types import ClobAssetId
from polymarket.types import EvmAddress

from agents.model import Side, TimeInForce
from agents.money import Micro


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order ready to be signed. A buy offers pUSD for shares, a sell the reverse; both in millionths."""

    token_id: str
    side: Side
    offered: Micro
    requested: Micro
    order_type: TimeInForce
    post_only: bool
    neg_risk: bool
    #: Wall epoch seconds that a GTD order states; 0 for any other.
    expiration: int = 0


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed order: its id at the venue, and the bytes that `decode` turns back into the library's order."""

    order_id: str
    payload: bytes


async def sign(client: AsyncSecureClient, ticket: Ticket) -> Signed:
    """Sign an order once; signing again makes another order. Takes about half a millisecond of this thread."""
    ctx = client._ctx
    exchange = resolve_order_exchange_address(ctx.environment_config, asset_id=ticket.token_id, neg_risk=ticket.neg_risk)
    draft = OrderDraft(
        chain_id=ctx.environment_config.chain_id,
        exchange_address=exchange,
        expiration=ticket.expiration,
        funder_address=ctx.wallet,
        offered_amount=ticket.offered,
        order_type=ticket.order_type.value,
        side=ticket.side.value,
        signer=EvmAddress(ctx.signer.address),
        requested_amount=ticket.requested,
        asset_id=cast(ClobAssetId, ticket.token_id),
    )
    signed = await client._sign_order(draft, post_only=ticket.post_only)
    return Signed(order_id(signed, draft.chain_id, exchange), encode(signed))


def order_id(order: SignedOrder, chain_id: int, exchange: EvmAddress) -> str:
    """Return the id under which the venue keeps an order: the hash of its typed data, whoever signs it."""
    unsigned = UnsignedOrder(
        chain_id=chain_id,
        exchange_address=exchange,
        protocol_version="3" if is_v2_position_id(order.token_id) else "2",
        **{
            name: getattr(order, name)
            for name in (
                "builder",
                "expiration",
                "maker",
                "maker_amount",
                "metadata",
                "order_type",
                "salt",
                "side",
                "signature_type",
                "signer",
                "taker_amount",
                "timestamp",
                "token_id",
            )
        },
    )
    typed = build_order_typed_data(unsigned)
    if typed["primaryType"] == "TypedDataSign":
        # A contract wallet signs a wrapper; the order's own hash is that of what is wrapped.
        typed = typed | {
            "primaryType": "Order",
            "types": {name: typed["types"][name] for name in ("EIP712Domain", "Order")},
            "message": typed["message"]["contents"],
        }
    signable = encode_typed_data(full_message=typed)
    return "0x" + keccak(b"\x19" + signable.version + signable.header + signable.body).hex()


def encode(order: SignedOrder) -> bytes:
    """Write a signed order as JSON."""
    return json.dumps(dataclasses.asdict(order), separators=(",", ":")).encode()


def decode(payload: bytes) -> SignedOrder:
    """Read what `encode` wrote."""
    return SignedOrder(**json.loads(payload))
