"""The CLOB's private side: placing and cancelling orders, an account's orders, trades and balances, heartbeats."""

from collections.abc import Iterable
from typing import Any

from actors.sandbox.api import order_objects
from actors.sandbox.api.chain import EXCHANGE, NEG_RISK_ADAPTER, NEG_RISK_EXCHANGE, wallets
from actors.sandbox.api.credentials import Authentication
from actors.sandbox.api.messages import Answer, Call, Operation
from actors.sandbox.api.pages import page
from actors.sandbox.api.rate_limits import TIER, Buckets
from actors.sandbox.api.signed_orders import read, verify
from actors.sandbox.records import Cancelled, Credentials, OrderRecord, Refused, TradeRecord
from actors.sandbox.venue import Venue

_MOST_PLACED = 15
_MOST_CANCELLED = 3000
_PAGE = 500
_NO_LIMIT = str(2**256 - 1)


class Trading:
    """The operations that need an API key."""

    def __init__(self, venue: Venue, authentication: Authentication) -> None:
        self._exchange = venue.exchange
        self._authentication = authentication
        self._orders = Buckets(40, 60, venue.exchange.floor.wall)
        self._cancels = Buckets(80, 120, venue.exchange.floor.wall)

    def operations(self) -> tuple[Operation, ...]:
        """Return the operations."""
        return (
            Operation("POST", "/order", self.place),
            Operation("POST", "/orders", self.place_many),
            Operation("DELETE", "/order", self.cancel),
            Operation("DELETE", "/orders", self.cancel_many),
            Operation("DELETE", "/cancel-all", self.cancel_all),
            Operation("DELETE", "/cancel-market-orders", self.cancel_market),
            Operation("GET", "/data/order/{order_id}", self.order),
            Operation("GET", "/data/orders", self.orders),
            Operation("GET", "/data/trades", self.trades),
            Operation("GET", "/balance-allowance", self.balance),
            Operation("GET", "/balance-allowance/update", self.update_balance),
            Operation("POST", "/v1/heartbeats", self.heartbeat),
            Operation("GET", "/v1/user/rate-limit-tier", self.tier),
        )

    def place(self, call: Call) -> Answer:
        """Place one order."""
        credentials = self._authentication.require(call)
        headers = self._spend(self._orders, credentials)
        content = self._place(call.json("Invalid order payload"), credentials)
        return Answer(content, headers=headers)

    def place_many(self, call: Call) -> Answer:
        """Place up to 15 orders; each has its own outcome in the answer."""
        credentials = self._authentication.require(call)
        items = call.json("Invalid order payload")
        if not isinstance(items, list) or not items:
            raise Refused("Invalid order payload")
        if len(items) > _MOST_PLACED:
            raise Refused(f"Too many orders in payload: {len(items)}, max allowed: {_MOST_PLACED}")
        headers = self._spend(self._orders, credentials, len(items))
        answers = []
        for item in items:
            try:
                answers.append(self._place(item, credentials))
            except Refused as refusal:
                answers.append(order_objects.refused(refusal.message))
        return Answer(answers, headers=headers)

    def _place(self, content: Any, credentials: Credentials) -> dict[str, Any]:
        return order_objects.placed(self._exchange.place(verify(read(content), credentials, self._exchange)))

    def cancel(self, call: Call) -> Answer:
        """Cancel one order."""
        credentials = self._authentication.require(call)
        content = call.json("Invalid order payload")
        order_id = content.get("orderID") if isinstance(content, dict) else None
        if not isinstance(order_id, str) or not order_id:
            raise Refused("Invalid orderID")
        headers = self._spend(self._cancels, credentials)
        return _cancelled(self._cancel(credentials, [order_id]), headers)

    def cancel_many(self, call: Call) -> Answer:
        """Cancel orders by their ids."""
        credentials = self._authentication.require(call)
        ids = call.json("Invalid order payload")
        if not isinstance(ids, list) or not ids or not all(isinstance(id, str) for id in ids):
            raise Refused("Invalid order payload")
        if len(ids) > _MOST_CANCELLED:
            raise Refused(f"Too many orders in payload: {len(ids)}, max allowed: {_MOST_CANCELLED}")
        headers = self._spend(self._cancels, credentials, len(ids))
        return _cancelled(self._cancel(credentials, ids), headers)

    def cancel_all(self, call: Call) -> Answer:
        """Cancel all orders of the account."""
        credentials = self._authentication.require(call)
        headers = self._spend(self._cancels, credentials, 1 + len(self._open(credentials)))
        return _cancelled(_joined(self._exchange.cancel_all(owner) for owner in wallets(credentials.address)), headers)

    def cancel_market(self, call: Call) -> Answer:
        """Cancel the account's orders in a market, on a token, or both."""
        credentials = self._authentication.require(call)
        content = call.json("Invalid order payload") if call.body else {}
        if not isinstance(content, dict) or not (content.get("market") or content.get("asset_id")):
            raise Refused("Invalid order payload")
        market, token_id = str(content.get("market") or ""), str(content.get("asset_id") or "")
        headers = self._spend(self._cancels, credentials, 1 + len(self._open(credentials, market, token_id)))
        result = _joined(self._exchange.cancel_market(owner, market, token_id) for owner in wallets(credentials.address))
        return _cancelled(result, headers)

    def _cancel(self, credentials: Credentials, order_ids: list[str]) -> Cancelled:
        """Cancel orders, each in the name of the wallet that placed it; those of strangers are not found."""
        by_owner: dict[str, list[str]] = {}
        for order_id in order_ids:
            record = self._own(credentials, order_id)
            by_owner.setdefault(record.owner if record else credentials.address, []).append(order_id)
        return _joined(self._exchange.cancel(owner, ids) for owner, ids in by_owner.items())

    def _spend(self, buckets: Buckets, credentials: Credentials, cost: int = 1) -> dict[str, str]:
        return buckets.spend(credentials.address, cost, strictness=self._exchange.faults.strictness)

    def _open(self, credentials: Credentials, market: str = "", token_id: str = "", id: str = "") -> list[OrderRecord]:
        """Return the account's open orders: all, or those in a market, on a token, of an id."""
        return [
            record
            for owner in wallets(credentials.address)
            for record in self._exchange.open_orders(owner)
            if id in ("", record.order_id) and market in ("", record.condition_id) and token_id in ("", record.token_id)
        ]

    def order(self, call: Call) -> Any:
        """Return one of the account's orders, open or ended, or null."""
        record = self._own(self._authentication.require(call), call.params["order_id"])
        return order_objects.order(record) if record else None

    def _own(self, credentials: Credentials, order_id: str) -> OrderRecord | None:
        record = self._exchange.order(order_id)
        return record if record and record.owner in wallets(credentials.address) else None

    def orders(self, call: Call) -> Any:
        """Return the account's open orders."""
        credentials = self._authentication.require(call)
        rows = self._open(credentials, call.one("market"), call.one("asset_id"), call.one("id"))
        return page(rows, call.one("next_cursor"), _PAGE, order_objects.order)

    def trades(self, call: Call) -> Any:
        """Return the account's trades, newest first."""
        mine = wallets(self._authentication.require(call).address)
        market, token_id, id = call.one("market"), call.one("asset_id"), call.one("id")
        maker = call.one("maker_address").lower()
        before, after = _seconds(call, "before"), _seconds(call, "after")

        def wanted(record: TradeRecord) -> bool:
            sides = (record.taker, record.maker)
            matched = record.match_wall // 1000
            return (
                market in ("", record.condition_id)
                and (not token_id or any(side.token_id == token_id for side in sides))
                and (not maker or any(side.owner == maker for side in sides))
                and (before is None or matched <= before)
                and (after is None or matched >= after)
            )

        if id:
            record = self._exchange.trade(id)
            found = [record] if record and {record.taker.owner, record.maker.owner} & set(mine) else []
        else:
            found = [record for owner in mine for record in self._exchange.trades(owner)]
        rows = [record for record in found if wanted(record)]
        return page(
            rows,
            call.one("next_cursor"),
            _PAGE,
            lambda record: order_objects.trade(record, maker=record.taker.owner not in mine),
        )

    def balance(self, call: Call) -> Any:
        """Return what the account holds of pUSD or of one token, and that the venue's contracts may move it."""
        owner = self._owner(self._authentication.require(call), call)
        kind, token_id = call.one("asset_type"), call.one("token_id")
        if kind == "COLLATERAL":
            total = self._exchange.cash(owner).total
        elif kind in ("CONDITIONAL", "CONDITIONAL-V2") and token_id:
            total = self._exchange.shares(owner, token_id).total
        else:
            raise Refused("assetAddress invalid params")
        allowances = dict.fromkeys((EXCHANGE, NEG_RISK_ADAPTER, NEG_RISK_EXCHANGE), _NO_LIMIT)
        return {"balance": str(total), "allowances": allowances}

    def update_balance(self, call: Call) -> Answer:
        """Look at the chain again, which the simulated venue need not."""
        self._authentication.require(call)
        return Answer(b"")

    def _owner(self, credentials: Credentials, call: Call) -> str:
        kind = call.one("signature_type", "0")
        mine = wallets(credentials.address)
        if kind == "3":
            # An account may still live in a deposit wallet of the older make.
            return mine[4] if self._holds(mine[4]) else mine[3]
        return mine[int(kind)] if kind in ("1", "2") else mine[0]

    def heartbeat(self, call: Call) -> Any:
        """Take a heartbeat; a wrong id is refused with the right one."""
        credentials = self._authentication.require(call)
        content = call.json()
        beat = content.get("heartbeat_id") if isinstance(content, dict) else None
        if beat is not None and not isinstance(beat, str):
            raise Refused("Invalid payload")
        owner = self._account(credentials)
        try:
            return {"heartbeat_id": self._exchange.heartbeat(owner, beat or "")}
        except Refused as refusal:
            if refusal.message != "Invalid Heartbeat ID":
                raise
            expected = self._exchange.expected_heartbeat(owner)
            return Answer({"error_msg": refusal.message, "heartbeat_id": expected}, 400)

    def _account(self, credentials: Credentials) -> str:
        """Return the wallet that a key trades for: the first that holds anything, else its own."""
        mine = wallets(credentials.address)
        return next((owner for owner in mine if self._holds(owner)), mine[0])

    def _holds(self, owner: str) -> bool:
        return self._exchange.cash(owner).total != 0 or bool(self._exchange.positions(owner))

    def tier(self, call: Call) -> Any:
        """Return the rate limit tier."""
        self._authentication.require(call)
        return {"tier": TIER}


def _cancelled(result: Cancelled, headers: dict[str, str]) -> Answer:
    return Answer({"canceled": list(result.canceled), "not_canceled": result.not_canceled}, headers=headers)


def _joined(results: Iterable[Cancelled]) -> Cancelled:
    canceled: list[str] = []
    refused: dict[str, str] = {}
    for result in results:
        canceled.extend(result.canceled)
        refused |= result.not_canceled
    return Cancelled(tuple(canceled), refused)


def _seconds(call: Call, name: str) -> int | None:
    value = call.one(name)
    if not value:
        return None
    if not value.isdecimal():
        raise Refused(f"invalid {name}")
    return int(value)
