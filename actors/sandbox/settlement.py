"""Trades: moves cash and shares when orders match, then follows each trade to its confirmation or failure."""

import heapq
from dataclasses import replace

from actors.sandbox import matching
from actors.sandbox.accounts import FEES, Account
from actors.sandbox.book import Order
from actors.sandbox.floor import Floor
from actors.sandbox.listing import Listing
from actors.sandbox.matching import Fill
from actors.sandbox.records import MatchKind, TradeDone, TradeRecord, TradeSide, TradeStatus, TradeUpdated
from agents.model import Side
from agents.money import Micro, notional

_ENDS = (TradeStatus.CONFIRMED, TradeStatus.FAILED)


class Settlement:
    """Books matches at once; a trade that fails later is taken back."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._due: list[tuple[int, int, str, TradeStatus]] = []
        #: Users whose trades were taken back since this was last looked at: their orders may be covered no longer.
        self.recalled: set[str] = set()
        self._n = 0

    def match(self, listing: Listing, taker: Order, fill: Fill) -> None:
        """Carry one match out: cash, shares, fee, the orders' counts and the trade's record."""
        floor = self._floor
        maker = fill.maker
        kind = matching.kind(taker, maker)
        maker_cash = notional(fill.size, maker.price)
        now, wall = floor.venue_now(), floor.wall_ms()
        trade = TradeRecord(
            trade_id=floor.uuid(),
            condition_id=taker.condition_id,
            kind=kind,
            size=fill.size,
            taker=_side(taker, fill.price, fill.fee),
            maker=_side(maker, maker.price, 0),
            status=TradeStatus.MATCHED,
            match_wall=wall,
            update_wall=wall,
            venue_time=now,
            transaction_hash=floor.hash(),
        )
        self._move(taker.account, trade.taker, taker.condition_id, fill.size, fill.cash, now)
        self._move(maker.account, trade.maker, maker.condition_id, fill.size, maker_cash, now)
        floor.accounts.pay(floor.accounts.get(FEES), fill.fee)
        listing.collateral += _minted(kind, fill.size)
        for order, cash in ((taker, fill.cash), (maker, maker_cash)):
            order.matched += fill.size
            order.cash += cash
            if not order.account.house:
                order.trade_ids.append(trade.trade_id)
        listing.count(trade)
        floor.journal.listings.add(listing.record.condition_id)
        floor.emit(TradeDone(trade, wall))
        if taker.account.house and maker.account.house:
            self._net(listing, taker.account, now)
            self._net(listing, maker.account, now)
            return
        floor.add_trade(trade)
        self._changed(trade)
        for delay, status in floor.faults.settle(trade):
            self._n += 1
            heapq.heappush(self._due, (wall + delay, self._n, trade.trade_id, status))
        for account in (taker.account, maker.account):
            if account.house:
                self._net(listing, account, now)

    def run_due(self, wall: int) -> None:
        """Give trades the statuses that are due."""
        while self._due and self._due[0][0] <= wall:
            _, _, trade_id, status = heapq.heappop(self._due)
            self.advance(trade_id, status)

    def advance(self, trade_id: str, status: TradeStatus) -> None:
        """Give a trade a status; FAILED takes it back. Nothing happens once it ended."""
        floor = self._floor
        trade = floor.trades.get(trade_id)
        if trade is None or trade.status in _ENDS or trade.status is status:
            return
        trade = replace(trade, status=status, update_wall=floor.wall_ms())
        floor.trades[trade_id] = trade
        if status is TradeStatus.FAILED:
            self._recall(trade)
            self._take_back(trade)
        self._changed(trade)

    def restore(self, trade: TradeRecord) -> None:
        """Take up a stored trade again."""
        self._floor.add_trade(trade)
        if trade.status in _ENDS:
            return
        for delay, status in self._floor.faults.settle(trade):
            self._n += 1
            heapq.heappush(self._due, (trade.match_wall + delay, self._n, trade.trade_id, status))

    def _move(self, account: Account, side: TradeSide, condition_id: str, size: Micro, cash: Micro, now: int) -> None:
        accounts = self._floor.accounts
        if side.side is Side.BUY:
            accounts.pay(account, -cash - side.fee)
            accounts.gain(account, condition_id, side.token_id, size, cash, side.fee, now)
        else:
            accounts.pay(account, cash - side.fee)
            accounts.lose(account, side.token_id, size, cash, side.fee, now)

    def _recall(self, trade: TradeRecord) -> None:
        """Fail the later trades in which a buyer has sold what it does not get: on the chain they have nothing to move."""
        floor = self._floor
        for side in (trade.taker, trade.maker):
            account = floor.accounts.get(side.owner)
            if account.house:
                continue
            self.recalled.add(side.owner)
            if side.side is Side.SELL:
                continue
            for trade_id in reversed(list(floor.trade_ids.get(side.owner, ()))):
                if account.held(side.token_id) >= trade.size:
                    break
                later = floor.trades.get(trade_id)
                if later is not None and later.trade_id != trade.trade_id and _sells(later, side.owner, side.token_id):
                    self.advance(trade_id, TradeStatus.FAILED)

    def _take_back(self, trade: TradeRecord) -> None:
        floor = self._floor
        accounts = floor.accounts
        now = floor.venue_now()
        for side in (trade.taker, trade.maker):
            account = accounts.get(side.owner)
            cash = notional(trade.size, side.price)
            if side.side is Side.BUY:
                accounts.pay(account, cash + side.fee)
                if account.house:
                    self.lend(trade.condition_id, account, side.token_id, trade.size)
                accounts.ungain(account, side.token_id, trade.size, cash, side.fee, now)
            else:
                accounts.pay(account, side.fee - cash)
                accounts.unlose(account, trade.condition_id, side.token_id, trade.size, cash, side.fee, now)
        accounts.pay(accounts.get(FEES), -trade.taker.fee)
        listing = floor.listings[trade.condition_id]
        listing.collateral -= _minted(trade.kind, trade.size)
        floor.journal.listings.add(trade.condition_id)

    def lend(self, condition_id: str, account: Account, token_id: str, size: Micro) -> None:
        """Mint the house the shares that it lacks, so that it can give that many."""
        missing = size - account.held(token_id)
        if missing > 0:
            listing, now = self._floor.listings[condition_id], self._floor.venue_now()
            self._floor.accounts.pay(account, -missing)
            for token in listing.record.tokens:
                self._floor.accounts.gain(account, condition_id, token, missing, missing // 2, 0, now)
            listing.collateral += missing

    def _net(self, listing: Listing, account: Account, now: int) -> None:
        """Merge the sets that a house account holds back into cash."""
        first, second = listing.record.tokens
        size = min(account.held(first), account.held(second))
        if size <= 0:
            return
        accounts = self._floor.accounts
        for token_id in (first, second):
            accounts.lose(account, token_id, size, size // 2, 0, now)
        accounts.pay(account, size)
        listing.collateral -= size

    def _changed(self, trade: TradeRecord) -> None:
        floor = self._floor
        floor.journal.trades[trade.trade_id] = None
        floor.journal.urgent = True
        floor.emit(TradeUpdated(trade, floor.wall_ms()))


def _side(order: Order, price: Micro, fee: Micro) -> TradeSide:
    return TradeSide(
        order_id=order.order_id,
        owner=order.account.address,
        api_key=order.api_key,
        token_id=order.token_id,
        outcome=order.outcome,
        side=order.side,
        price=price,
        fee=fee,
    )


def _sells(trade: TradeRecord, owner: str, token_id: str) -> bool:
    sides = (trade.taker, trade.maker)
    return any(side.owner == owner and side.token_id == token_id and side.side is Side.SELL for side in sides)


def _minted(kind: MatchKind, size: Micro) -> Micro:
    """Return by how much a match changes the collateral."""
    return size if kind is MatchKind.MINT else -size if kind is MatchKind.MERGE else 0
