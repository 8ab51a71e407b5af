import sqlite3
from pathlib import Path

from actors.sandbox.records import MatchKind, OrderRecord, OrderState, TradeRecord, TradeSide, TradeStatus
from actors.sandbox.store import ORDERS, TRADES, Store
from agents.model import Side, TimeInForce
from supervisor.chaos.evidence import read_venue

ME, HOUSE = "0xme", "0xhouse"


def order(order_id: str, owner: str) -> OrderRecord:
    return OrderRecord(
        order_id, owner, "key", "0xc", "7", "Yes", Side.BUY, 500_000, 5, 0, TimeInForce.GTC, False, OrderState.LIVE, 1, 0
    )


def trade(trade_id: str, taker: str, maker: str, status: TradeStatus = TradeStatus.CONFIRMED) -> TradeRecord:
    sides = [
        TradeSide(f"0x-{trade_id}-{role}", owner, "key", "7", "Yes", side, 500_000)
        for role, owner, side in (("taker", taker, Side.BUY), ("maker", maker, Side.SELL))
    ]
    return TradeRecord(trade_id, "0xc", MatchKind.COMPLEMENTARY, 5, sides[0], sides[1], status, 1, 1, 1, "0xt")


def test_the_wallets_orders_and_fills_are_read_from_the_venues_own_database(tmp_path: Path) -> None:
    Store(str(tmp_path / "venue")).close()
    trades = [
        trade("t1", ME, HOUSE),
        trade("t2", HOUSE, ME),
        trade("t3", HOUSE, "0xother"),
        trade("t4", ME, ME, TradeStatus.FAILED),
    ]
    with sqlite3.connect(tmp_path / "venue" / "venue.db") as database:
        for record in (order("0x1", ME), order("0x2", HOUSE)):
            row = (record.order_id, ORDERS.dump_json(record).decode())
            database.execute("INSERT INTO orders (order_id, open, place, budget, cash, record) VALUES (?, 1, 0, 0, 0, ?)", row)
        for done in trades:
            row_ = (done.trade_id, done.taker.owner, done.maker.owner, TRADES.dump_json(done).decode())
            database.execute("INSERT INTO trades (trade_id, taker, maker, record) VALUES (?, ?, ?, ?)", row_)
    database.close()
    venue = read_venue(tmp_path, {"0xMe"})
    assert dict(venue.orders) == {"0x1": 1}
    assert venue.sizes == {
        ("t1", "0x-t1-taker"): 5,
        ("t2", "0x-t2-maker"): 5,
        ("t4", "0x-t4-taker"): 5,
        ("t4", "0x-t4-maker"): 5,
    }
    assert venue.failed == {("t4", "0x-t4-taker"), ("t4", "0x-t4-maker")}
