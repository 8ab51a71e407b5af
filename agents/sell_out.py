"""Selling out: what the kill switch sells, at what price at least, and why something is not sold. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.model import SIZE_STEP, STALE_AFTER, Decision, MarketView
from agents.money import ONE, Micro, ceil_to, floor_to, micro, text

#: How far below the best bid that there was when it began a share may be sold, in millionths of that bid.
SLIPPAGE: Micro = 100_000


@dataclass(frozen=True, slots=True)
class Left:
    """Shares of an owner ("" for nobody) that are not sold yet, and why."""

    owner: str
    token_id: str
    size: Micro
    question: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class SellOut:
    """How far one wallet is: the least price by token, set when a bid was first seen, and what is left."""

    limits: Mapping[str, Micro] = field(default_factory=dict)
    left: tuple[Left, ...] = ()


def limit_of(bid: Micro, tick: Micro) -> Micro:
    """Return the least price to sell at where the best bid was `bid`: a tenth below it, on the grid, and never nothing."""
    return max(ceil_to(bid * (ONE - SLIPPAGE) // ONE, tick), tick)


def why_not(view: MarketView | None, token_id: str, free: Micro, limit: Micro | None) -> str | None:
    """Return why shares cannot be sold now, or None. `free`: those that no open order holds; `limit`: see `SellOut.limits`.

    The reason holds no figure that changes from one look to the next.
    """
    if view is None:
        return "the venue knows no such market"
    if view.market.payouts is not None:
        return "the market has resolved; they are paid out"
    if not view.market.takes_orders:
        return "the market takes no orders now"
    if view.age > STALE_AFTER:
        return "nothing was heard of the market for a while, so its price is not known"
    if free <= 0:
        return "an order on them is not settled yet"
    if free < SIZE_STEP:
        return f"the venue sells no less than {text(SIZE_STEP)} shares"
    bid = view.books[view.market.index(token_id)].bid
    if bid is None:
        return "nobody bids for them"
    if limit is not None and bid < limit:
        return f"bids are below {text(limit)}, a tenth less than the best bid when selling out began"
    return None


def sale(view: MarketView, token_id: str, free: Micro, limit: Micro) -> Decision:
    """Return the decision that sells what it can at the best bids down to a limit."""
    tick = view.market.tick
    price = min(ceil_to(limit, tick), ONE - tick)
    return Decision(view.market, token_id, "sell", price, floor_to(free, SIZE_STEP), 1.0, "sold out by the kill switch")


def sell_out_data(wallet: str, since: int, sell_out: SellOut) -> dict[str, Any]:
    """Return the data of the `risk` event that says how far selling out a wallet is; `since`: see `FleetState.flattening`."""
    return {
        "kind": "flatten",
        "since": since,
        "wallet": wallet,
        "message": _sentence(wallet, sell_out),
        "limits": {token_id: text(limit) for token_id, limit in sell_out.limits.items()},
        "left": [
            {
                "agentId": each.owner or None,
                "tokenId": each.token_id,
                "size": text(each.size),
                "marketQuestion": each.question,
                "outcome": each.outcome,
                "reason": each.reason,
            }
            for each in sell_out.left
        ],
    }


def read_sell_out(data: Mapping[str, Any]) -> SellOut:
    """Read what `sell_out_data` wrote."""
    return SellOut(
        {token_id: micro(limit) for token_id, limit in data["limits"].items()},
        tuple(
            Left(
                each["agentId"] or "",
                each["tokenId"],
                micro(each["size"]),
                each["marketQuestion"],
                each["outcome"],
                each["reason"],
            )
            for each in data["left"]
        ),
    )


def _sentence(wallet: str, sell_out: SellOut) -> str:
    if not sell_out.left:
        return f"Wallet {wallet} is sold out"
    reasons = dict.fromkeys(each.reason for each in sell_out.left)
    return f"Wallet {wallet} still holds {len(sell_out.left)} positions: {'; '.join(reasons)}"
