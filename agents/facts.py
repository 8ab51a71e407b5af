"""Builders of event data: the one place that knows which fields an event of each type carries.

`decision` and `trade` carry the union of the field names of the seed's document and code. Numbers that the seed sends as
JSON numbers stay numbers; beside them stand exact decimal strings (`size`, `exactPrice`, `fee`), which the books are made of.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from agents.model import Decision, Market, Side
from agents.money import Micro, notional, number, text
from agents.orders import OrderStatus


def decision_data(decision: Decision, *, id: str, timestamp: int, venue_time: int, action: str | None = None) -> dict[str, Any]:
    """Return the data of a `decision`; `action` overrides the decision's own (a hold with its reason)."""
    action = action or decision.action
    return {
        "id": id,
        "timestamp": timestamp,
        "venueTime": venue_time,
        "market": decision.market.question,
        "marketId": decision.market.id,
        "marketQuestion": decision.market.question,
        "conditionId": decision.market.condition_id,
        "tokenId": decision.token_id,
        "outcome": decision.outcome,
        "action": action,
        "side": action.upper(),
        "price": number(decision.price),
        "confidence": decision.confidence,
        "reasoning": decision.reasoning,
        "suggestedAmount": number(decision.size * decision.price // 1_000_000),
        "size": text(decision.size),
        "quote": decision.quote,
        "orderType": str(decision.order_type),
        "expires": decision.expires,
        "maxSpend": None if decision.max_spend is None else text(decision.max_spend),
    }


def trade_data(
    *,
    trade_id: str,
    order_id: str,
    decision_id: str,
    wallet: str,
    market: Market,
    token_id: str,
    side: Side,
    size: Micro,
    price: Micro,
    fee: Micro,
    profit: Micro,
    maker: bool,
    tx_hash: str,
    timestamp: int,
    venue_time: int,
    cost: Micro | None = None,
    basis: Micro = 0,
) -> dict[str, Any]:
    """Return the data of a `trade`: one fill of one order, when the venue matched it.

    `profit` is what it realised, fee taken off; `basis` is what the shares had cost that it sold, first in first out.

    `cost` is the cash that moved, fee not included, where it is not size times price: one trade may meet several makers,
    and `price` then is an average.
    """
    cost = notional(size, price) if cost is None else cost
    return {
        "id": f"{trade_id}/{order_id}",
        "timestamp": timestamp,
        "venueTime": venue_time,
        "type": "polymarket",
        "token": market.question,
        "market": market.question,
        "marketId": market.id,
        "marketQuestion": market.question,
        "conditionId": market.condition_id,
        "tokenId": token_id,
        "outcome": market.outcome(token_id),
        "action": side.lower(),
        "side": str(side),
        "amount": number(cost),
        "price": number(price),
        "profit": number(profit),
        "profitLoss": number(profit),
        "status": "EXECUTED",
        "txHash": tx_hash,
        "transactionHash": tx_hash,
        "tradeId": trade_id,
        "orderId": order_id,
        "decisionId": decision_id,
        "wallet": wallet,
        "size": text(size),
        "exactPrice": text(price),
        "cost": text(cost),
        "fee": text(fee),
        "basis": text(basis),
        "realised": text(profit),
        "liquidity": "maker" if maker else "taker",
    }


def order_data(
    *,
    order_id: str,
    decision_id: str,
    wallet: str,
    market: Market,
    token_id: str,
    side: Side,
    price: Micro,
    size: Micro,
    filled: Micro,
    status: OrderStatus,
    order_type: str,
    post_only: bool,
    venue_time: int,
    reason: str = "",
    expires: int | None = None,
    may_cost: Micro = 0,
    trade_id: str = "",
    trade_status: str = "",
    undone: Micro | None = None,
    approval: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the data of an `order`; `trade_id` and `trade_status` (confirmed, failed) only where a fill was settled.

    `order_type` is the one that was signed. `expires` is when it ends on the venue's clock, whoever ends it. `may_cost` is
    the most that all of a buy can cost, its fee included. `undone` is by how much the realised profit changes with a fill
    that has failed. `approval` only where a person is, or was, asked: see `agents.approvals.Approval`.
    """
    data: dict[str, Any] = {
        "orderId": order_id,
        "decisionId": decision_id,
        "wallet": wallet,
        "marketId": market.id,
        "marketQuestion": market.question,
        "conditionId": market.condition_id,
        "eventId": market.event_id,
        "tokenId": token_id,
        "outcome": market.outcome(token_id),
        "side": str(side),
        "price": text(price),
        "size": text(size),
        "filled": text(filled),
        "status": str(status),
        "orderType": order_type,
        "postOnly": post_only,
        "reason": reason,
        "venueTime": venue_time,
    }
    if expires is not None:
        data["expires"] = expires
    if may_cost:
        data["mayCost"] = text(may_cost)
    if trade_status:
        data |= {"tradeId": trade_id, "tradeStatus": trade_status}
    if undone is not None:
        data["realised"] = text(undone)
    if approval is not None:
        data["approval"] = dict(approval)
    return data


def resolution_data(market: Market, *, venue_time: int) -> dict[str, Any]:
    """Return the data of the `resolution` that the feed reports: what a share of each token pays."""
    payouts = market.payouts or (0, 0)
    return {
        "marketId": market.id,
        "marketQuestion": market.question,
        "conditionId": market.condition_id,
        "outcome": market.outcomes[payouts.index(max(payouts))] if payouts[0] != payouts[1] else "split",
        "payouts": {token: text(payout) for token, payout in zip(market.tokens, payouts, strict=True)},
        "venueTime": venue_time,
    }


def redemption_data(
    market: Market, *, wallet: str, redeemed: list[dict[str, str]], tx_hash: str, venue_time: int
) -> dict[str, Any]:
    """Return the data of the `resolution` that a broker reports once shares were paid out.

    Each line of `redeemed` is {agentId, tokenId, size, payout, basis, realised}, amounts as decimal text: the basis is what
    the shares have cost, and the payout less that is realised.
    """
    return resolution_data(market, venue_time=venue_time) | {"wallet": wallet, "redeemed": redeemed, "txHash": tx_hash}


def stuck_data(*, wallet: str, condition_id: str, question: str, attempts: int, reason: str) -> dict[str, Any]:
    """Return the data of the `info` that says why a resolved market is not paid out, after so many attempts."""
    return {
        "kind": "redemption",
        "wallet": wallet,
        "conditionId": condition_id,
        "marketQuestion": question,
        "attempts": attempts,
        "reason": reason,
        "message": f"{question or condition_id} is not paid out after {attempts} attempts: {reason}",
    }


def deposit_data(
    *,
    wallet: str,
    address: str,
    cash: Micro,
    reason: str,
    shares: Mapping[str, Micro] | None = None,
    owner: str = "",
    transactions: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the data of the `info` that books cash, and shares by token, which came to (or left) a wallet outside trading.

    They go to the book of an `owner`: an agent's id, or nobody's. `transactions` are the transfers that it accounts for.
    """
    return {
        "kind": "deposit",
        "wallet": wallet,
        "address": address,
        "cash": text(cash),
        "shares": {token_id: text(size) for token_id, size in (shares or {}).items()},
        "message": reason,
        "owner": owner,
        "transactions": list(transactions),
    }


def reconciliation_data(*, wallet: str, address: str, differences: Sequence[Mapping[str, str]], message: str) -> dict[str, Any]:
    """Return the data of the `risk` that says that a wallet's books differ from the venue, with both sides of each row.

    Without differences it says that they agree again. While they differ the wallet places no orders.
    """
    return {
        "kind": "reconciliation",
        "wallet": wallet,
        "address": address,
        "differences": [dict(row) for row in differences],
        "message": message,
    }
