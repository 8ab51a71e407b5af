"""Brings a stored venue's exchange back: markets, accounts, orders, trades and credentials as they were committed."""

import json
from collections.abc import Iterator

from actors.sandbox.accounts import HOUSE, Account, Holding
from actors.sandbox.book import Book, Order
from actors.sandbox.exchange import Exchange
from actors.sandbox.floor import KEPT
from actors.sandbox.listing import Listing
from actors.sandbox.records import Credentials, OrderRecord, TradeRecord
from actors.sandbox.store import ACTIVITY, MARKETS, ORDERS, TRADES, Store
from agents.model import Side
from agents.money import Micro

_LATEST_ACTIVITY = "SELECT record FROM activity WHERE owner = ? ORDER BY seq DESC LIMIT ?"
_LATEST_TRADES = "SELECT n, record FROM trades WHERE taker = ? OR maker = ? ORDER BY n DESC LIMIT ?"


def restore(store: Store, exchange: Exchange) -> None:
    """Load everything into a new exchange. Settlements, delays and expiries that came due meanwhile happen at its next run."""
    floor = exchange.floor
    for listing in _listings(store, exchange):
        floor.add(listing)
    for address, cash in store.rows("SELECT address, cash FROM accounts"):
        floor.accounts.get(address).cash = cash
    for address, token_id, *values in store.rows("SELECT * FROM holdings"):
        floor.accounts.get(address).holdings[token_id] = _holding(values)
    users = [address for address in floor.accounts.all if address not in HOUSE]
    for owner in users:
        for (record,) in reversed(store.rows(_LATEST_ACTIVITY, owner, KEPT)):
            floor.add_activity(ACTIVITY.validate_json(record))
    for trade in _trades(store, users):
        exchange.settlement.restore(trade)
    open_orders = store.rows("SELECT record, place, budget, cash FROM orders WHERE open ORDER BY n")
    exchange.desk.restore(_order(exchange, ORDERS.validate_json(record), *rest) for record, *rest in open_orders)
    for row in store.rows("SELECT address, api_key, secret, passphrase, nonce FROM credentials"):
        exchange.put_credentials(Credentials(*row))
    exchange.heartbeats.restore(dict(store.rows("SELECT owner, id FROM heartbeats")))
    floor.activity_seq = store.rows("SELECT coalesce(max(seq), 0) FROM activity")[0][0]
    floor.archive = store.order
    floor.journal.clear()


def _listings(store: Store, exchange: Exchange) -> Iterator[Listing]:
    query = (
        "SELECT record, last_price, last_side, volume, hours, collateral FROM markets JOIN listings USING (condition_id)"
        " ORDER BY markets.n"
    )
    for record, last_price, last_side, volume, hours, collateral in store.rows(query):
        market = MARKETS.validate_json(record)
        yield Listing(
            record=market,
            book=None if market.closed else Book(),
            updated_wall=exchange.floor.wall_ms(),
            last_price=last_price,
            last_side=Side(last_side),
            volume=volume,
            hours={int(hour): cash for hour, cash in json.loads(hours).items()},
            collateral=collateral,
        )


def _holding(values: list[str | int]) -> Holding:
    condition_id, size, cost, fees, realized, total_size, total_cost, first_at, last_at = values
    return Holding(
        condition_id=str(condition_id),
        size=int(size),
        cost=int(cost),
        fees=int(fees),
        realized=int(realized),
        total_size=int(total_size),
        total_cost=int(total_cost),
        first_at=int(first_at),
        last_at=int(last_at),
    )


def _trades(store: Store, users: list[str]) -> list[TradeRecord]:
    """Return each user's latest trades, oldest first."""
    found = {n: record for owner in users for n, record in store.rows(_LATEST_TRADES, owner, owner, KEPT)}
    return [TRADES.validate_json(found[n]) for n in sorted(found)]


def _order(exchange: Exchange, record: OrderRecord, place: int, budget: Micro, cash: Micro) -> Order:
    account: Account = exchange.floor.accounts.get(record.owner)
    return Order(
        order_id=record.order_id,
        account=account,
        api_key=record.api_key,
        condition_id=record.condition_id,
        token_id=record.token_id,
        outcome=record.outcome,
        leg=exchange.floor.listings[record.condition_id].record.index(record.token_id),
        side=record.side,
        price=record.price,
        size=record.size,
        order_type=record.order_type,
        post_only=record.post_only,
        created_wall=record.created_wall,
        expiration=record.expiration,
        signer=record.signer,
        place=place,
        budget=budget,
        matched=record.matched,
        cash=cash,
        state=record.state,
        reason=record.reason,
        trade_ids=list(record.trade_ids),
    )
