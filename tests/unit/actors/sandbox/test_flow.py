from collections import Counter, defaultdict
from pathlib import Path

from actors.sandbox.records import BookChanged, Change, NewOrder, TickSizeChanged, TradeDone
from actors.sandbox.venue import Venue, VenueConfig
from agents.model import Level, Side, TimeInForce
from agents.money import ONE, Micro, fee, notional
from tests.unit.actors.sandbox.recordings import recorded, write
from tests.unit.actors.sandbox.stage import ALICE, Wall, assert_consistent

WALLETS = ((ALICE, 100_000 * ONE),)


def venue(wall: Wall, **changes: object) -> Venue:
    return Venue(VenueConfig(wallets=WALLETS, **changes), wall)  # type: ignore[arg-type]


def run(made: Venue, wall: Wall, seconds: float) -> None:
    for _ in range(round(seconds * 10)):
        wall.pass_by(0.1)
        made.tick()


def test_every_book_is_quoted_on_both_sides_from_the_first_moment() -> None:
    made = venue(Wall())
    for market in made.exchange.markets():
        book = made.exchange.book_snapshot(market.tokens[0])
        assert book.bids or made.history(market.tokens[0], 0, made.now)[-1][1] < 30_000
        assert book.asks or made.history(market.tokens[0], 0, made.now)[-1][1] > 970_000
    assert_consistent(made.exchange)


def test_quotes_stay_within_two_ticks_of_a_recorded_price(tmp_path: Path) -> None:
    wall = Wall()
    file = write(tmp_path / "m.jsonl", *(recorded(1, outcomes=recorded(number)["outcomes"]) | {
        "condition_id": f"0x{number:064x}", "gamma_market_id": str(number)} for number in range(1, 4)))  # fmt: skip
    made = venue(wall, markets_file=file, start="2025-11-03", speed=5000)
    for _ in range(60):
        run(made, wall, 0.5)
        for market in made.exchange.markets():
            if market.closed:
                continue
            price = made.history(market.tokens[0], 0, made.now)[-1][1]
            book = made.exchange.book_snapshot(market.tokens[0])
            if book.bids and book.asks and abs(book.bids[0].price - price) > 2 * market.tick:
                run(made, wall, 1)
                price = made.history(market.tokens[0], 0, made.now)[-1][1]
                book = made.exchange.book_snapshot(market.tokens[0])
                assert abs(book.bids[0].price - price) <= 3 * market.tick


def test_a_resting_order_is_filled_within_seconds_while_it_is_the_best() -> None:
    wall = Wall()
    made = venue(wall)
    waits = []
    for number, market in enumerate([market for market in made.exchange.markets() if market.taker_delay == 0]):
        book = made.exchange.floor.listings[market.condition_id].book
        if book is None or book.bids.best is None:
            continue
        best = book.bids.best
        cash = notional(200 * ONE, best)
        order = NewOrder(f"0x{number}", ALICE, "k", market.tokens[0], Side.BUY, cash, 200 * ONE, TimeInForce.GTC)
        made.exchange.place(order)
        for tenth in range(150):
            run(made, wall, 0.1)
            kept = made.exchange.order(order.order_id)
            assert kept is not None
            if kept.matched > 0:
                waits.append(tenth / 10)
            if kept.matched > 0 or kept.state != "LIVE" or book.bids.best != best:
                break
        else:
            waits.append(15.0)
        made.exchange.cancel_all(ALICE)
        assert_consistent(made.exchange)
    assert len(waits) >= 5
    assert max(waits) < 10
    assert sum(waits) / len(waits) < 4


def test_what_the_house_does_is_bounded_per_wall_second_at_any_speed() -> None:
    for speed in (60, 20_000):
        wall = Wall()
        made = venue(wall, speed=speed)
        seen: Counter[str] = Counter()
        made.exchange.subscribe(lambda change, seen=seen: seen.update([type(change).__name__]))  # type: ignore[misc]
        run(made, wall, 30)
        assert seen["BookChanged"] <= 29 * 30
        assert seen["TradeDone"] <= 8 * 30
        assert speed > 60 or (seen["BookChanged"] > 5 * 30 and seen["TradeDone"] > 30)
        assert made.exchange.imbalance() == 0


def test_a_late_tick_makes_up_for_two_seconds_at_most() -> None:
    wall = Wall()
    made = venue(wall)
    seen: list[Change] = []
    made.exchange.subscribe(seen.append)
    wall.pass_by(3600)
    made.tick()
    assert sum(isinstance(change, BookChanged) for change in seen) < 100


def test_the_same_seed_and_the_same_orders_give_the_same_trades() -> None:
    def trades(seed: int) -> list[object]:
        wall = Wall()
        made = venue(wall, seed=seed)
        seen: list[object] = []
        made.exchange.subscribe(lambda change: seen.append(change) if isinstance(change, TradeDone) else None)
        run(made, wall, 20)
        return seen

    assert len(trades(1)) > 20
    assert trades(1) == trades(1)
    assert trades(1) != trades(2)


def test_sets_of_outcomes_are_mispriced_both_ways_now_and_then() -> None:
    wall = Wall()
    made = venue(wall)
    seen: Counter[str] = Counter()
    for _ in range(180):
        run(made, wall, 1)
        events = defaultdict(list)
        for market in made.exchange.markets():
            if market.neg_risk and not market.closed:
                events[market.event_id].append(market)
        for markets in events.values():
            books = [made.exchange.book_snapshot(market.tokens[0]) for market in markets]
            if not all(book.bids and book.asks for book in books):
                continue
            rate = markets[0].fee.rate
            cost = sum(book.asks[0].price + fee(ONE, book.asks[0].price, rate) for book in books)
            gain = sum(book.bids[0].price - fee(ONE, book.bids[0].price, rate) for book in books)
            seen["seen"] += 1
            seen["cheap"] += ONE - 60_000 < cost < ONE
            seen["rich"] += ONE < gain < ONE + 60_000
    assert 0.02 < seen["cheap"] / seen["seen"] < 0.4
    assert 0.02 < seen["rich"] / seen["seen"] < 0.4


def test_a_disagreement_that_somebody_trades_on_is_over() -> None:
    wall = Wall()
    made = venue(wall)

    def asks(event_id: str) -> list[tuple[str, Level]]:
        event = made.exchange.event(event_id)
        assert event is not None
        records = [made.exchange.market(id) for id in event.condition_ids]
        books = [made.exchange.book_snapshot(record.tokens[0]) for record in records if record and not record.closed]
        return [(book.token_id, book.asks[0]) for book in books if book.asks] if len(books) == len(records) else []

    def cost(event_id: str) -> Micro:
        best = asks(event_id)
        markets = [made.exchange.market_by_token(token) for token, _ in best]
        fees = [fee(ONE, ask.price, market.fee.rate) for (_, ask), market in zip(best, markets, strict=True) if market]
        return sum(ask.price for _, ask in best) + sum(fees) if best else ONE

    traded = 0
    for _ in range(1200):
        run(made, wall, 0.5)
        fast = {m.event_id for m in made.exchange.markets() if m.neg_risk and not m.closed and not m.taker_delay}
        for event_id in sorted(fast):
            if not ONE - 60_000 < cost(event_id) < ONE:
                continue
            for token, ask in asks(event_id):
                cash = notional(ask.size, ask.price)
                order = NewOrder(f"{token}/{traded}", ALICE, "k", token, Side.BUY, cash, ask.size, TimeInForce.GTC)
                assert made.exchange.place(order).status == "matched"
            traded += 1
            run(made, wall, 3.5)
            assert cost(event_id) >= ONE - 5_000
        if traded == 3:
            break
    assert traded == 3
    assert_consistent(made.exchange)


def test_the_grid_gets_finer_beyond_the_edges_and_coarse_again_within(tmp_path: Path) -> None:
    wall = Wall()
    row = recorded(1)
    row["outcomes"]["Yes"]["history"][3]["p"] = 0.9
    made = venue(wall, markets_file=write(tmp_path / "m.jsonl", row), start="2025-11-02", speed=86_400)
    changes: list[tuple[Micro, Micro]] = []
    made.exchange.subscribe(
        lambda change: changes.append((change.old_tick, change.new_tick)) if isinstance(change, TickSizeChanged) else None
    )
    (market,) = made.exchange.markets()
    assert market.tick == 10_000
    run(made, wall, 2.5)
    assert changes == [(10_000, 1_000)]
    run(made, wall, 1)
    assert changes == [(10_000, 1_000), (1_000, 10_000)]
    prices = [level.price for level in made.exchange.book_snapshot(market.tokens[0]).bids]
    assert prices
    assert all(price % 10_000 == 0 for price in prices)


def test_makers_trade_with_a_user_whom_the_price_runs_over(tmp_path: Path) -> None:
    wall = Wall()
    made = venue(wall, markets_file=write(tmp_path / "m.jsonl", recorded(1)), start="2025-11-02", speed=86_400)
    (market,) = made.exchange.markets()
    made.exchange.split(ALICE, market.condition_id, 1000 * ONE)
    order = NewOrder("0x1", ALICE, "k", market.tokens[0], Side.SELL, 1000 * ONE, notional(1000 * ONE, 550_000), TimeInForce.GTC)
    assert made.exchange.place(order).status == "live"
    run(made, wall, 3)
    kept = made.exchange.order("0x1")
    assert kept is not None
    assert kept.state == "MATCHED"
    assert made.exchange.cash(ALICE).total == 99_000 * ONE + 550 * ONE
