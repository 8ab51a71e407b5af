"""Reads a posted order, and checks who signed it and for whom, before the exchange sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from actors.sandbox.api.chain import EXCHANGE, NEG_RISK_EXCHANGE, OF_TYPE, wallets
from actors.sandbox.api.eip712 import OrderFields, order_hash, order_signer
from actors.sandbox.api.written import ADDRESS, NUMBER, WORD, matching
from actors.sandbox.exchange import Exchange
from actors.sandbox.records import Credentials, NewOrder, Refused
from agents.model import Side, TimeInForce

#: Fields of the orders that the venue took before its second version.
_FIRST_VERSION = frozenset({"taker", "nonce", "feeRateBps"})


@dataclass(frozen=True, slots=True)
class Posted:
    """An order as it was posted."""

    fields: OrderFields
    token_id: str
    side: Side
    signature: bytes
    owner: str
    order_type: TimeInForce
    post_only: bool
    expiration: int


def read(content: Any) -> Posted:
    """Read the body of an order. Raises Refused for one that is malformed or of the old version."""
    try:
        order = content["order"]
        if _FIRST_VERSION & order.keys() and "timestamp" not in order:
            raise Refused("order_version_mismatch")
        side = Side(order["side"])
        post_only = content.get("postOnly", False)
        if not isinstance(post_only, bool) or not isinstance(content.get("deferExec", False), bool):
            raise ValueError
        return Posted(
            fields=_fields(order, side),
            token_id=matching(NUMBER, order["tokenId"]),
            side=side,
            signature=bytes.fromhex(str(order["signature"]).removeprefix("0x")),
            owner=str(content["owner"]),
            order_type=TimeInForce(content["orderType"]),
            post_only=post_only,
            expiration=int(matching(NUMBER, str(order.get("expiration") or "0"))),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Refused("Invalid order payload") from None


def verify(posted: Posted, credentials: Credentials, exchange: Exchange) -> NewOrder:
    """Check ownership and signature of an order and return it as the exchange takes it. Raises Refused if they are wrong."""
    fields = posted.fields
    if posted.owner != credentials.api_key:
        raise Refused("the order owner has to be the owner of the API KEY")
    # A contract wallet signs in its own name; whose key it was shows in the signature.
    if fields.signature_type != 3 and fields.signer.lower() != credentials.address:
        raise Refused("the order signer address has to be the address of the API KEY")
    market = exchange.market_by_token(posted.token_id)
    contract = NEG_RISK_EXCHANGE if market and market.neg_risk else EXCHANGE
    try:
        order_id = "0x" + order_hash(fields, contract).hex()
        signer = order_signer(fields, contract, posted.signature)
    except OverflowError:
        raise Refused("Invalid order payload") from None
    if signer != credentials.address:
        raise Refused("invalid signature")
    mine = wallets(credentials.address)
    if fields.maker.lower() not in [mine[index] for index in OF_TYPE[fields.signature_type]]:
        raise Refused("maker address not allowed, please use the deposit wallet flow")
    return NewOrder(
        order_id=order_id,
        owner=fields.maker.lower(),
        api_key=credentials.api_key,
        token_id=posted.token_id,
        side=posted.side,
        maker_amount=fields.maker_amount,
        taker_amount=fields.taker_amount,
        order_type=posted.order_type,
        post_only=posted.post_only,
        expiration=posted.expiration,
        signature_type=fields.signature_type,
        signer=fields.signer.lower(),
    )


def _fields(order: Mapping[str, Any], side: Side) -> OrderFields:
    salt, signature_type = order["salt"], order["signatureType"]
    if type(salt) is not int or type(signature_type) is not int or signature_type not in OF_TYPE:
        raise ValueError
    return OrderFields(
        salt=salt,
        maker=matching(ADDRESS, order["maker"]),
        signer=matching(ADDRESS, order["signer"]),
        token_id=int(matching(NUMBER, order["tokenId"])),
        maker_amount=int(matching(NUMBER, order["makerAmount"])),
        taker_amount=int(matching(NUMBER, order["takerAmount"])),
        side=0 if side is Side.BUY else 1,
        signature_type=signature_type,
        timestamp=int(matching(NUMBER, order["timestamp"])),
        metadata=bytes.fromhex(matching(WORD, order["metadata"])[2:]),
        builder=bytes.fromhex(matching(WORD, order["builder"])[2:]),
    )
