import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from actors.sandbox.records import Credentials, NewOrder, Refused
from actors.sandbox.venue import Venue, VenueConfig
from agents.errors import Conflict, InvalidInput
from agents.model import Side, TimeInForce
from agents.money import ONE, notional
from tests.unit.actors.sandbox.recordings import DAY, FIRST, recorded, write
from tests.unit.actors.sandbox.stage import ALICE, BOB, Wall, assert_consistent

WALLETS = ((ALICE, 10_000 * ONE), (BOB, 10_000 * ONE))


class Lives:
    """A venue on a data directory that may be killed: its files are then as they were on disk at that moment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wall = Wall()
        self.life = 0
        self.orders = 0
        self.left: list[Venue] = []

    def data_dir(self) -> Path:
        return self.folder / str(self.life)

    def start(self, **changes: object) -> Venue:
        config = VenueConfig(data_dir=str(self.data_dir()), wallets=WALLETS, **changes)  # type: ignore[arg-type]
        self.left.append(Venue(config, self.wall))
        return self.left[-1]

    def kill(self, **changes: object) -> Venue:
        """Start again from what is on disk, without the former venue having been closed."""
        shutil.copytree(self.data_dir(), self.folder / str(self.life + 1))
        self.life += 1
        return self.start(**changes)

    def run(self, venue: Venue, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.wall.pass_by(0.1)
            venue.tick()
            venue.commit()

    def order(self, venue: Venue, owner: str, side: Side, price: int, size: int, token: str = "") -> NewOrder:
        self.orders += 1
        shares, cash = size * ONE, notional(size * ONE, price)
        maker, taker = (cash, shares) if side is Side.BUY else (shares, cash)
        token = token or quiet(venue)
        return NewOrder(f"0x{self.orders:x}", owner, f"k{owner[2]}", token, side, maker, taker, TimeInForce.GTC)


@pytest.fixture
def lives(tmp_path: Path) -> Lives:
    return Lives(tmp_path)


def quiet(venue: Venue) -> str:
    """The first token of the open market that lasts longest."""
    return max((m for m in venue.exchange.markets() if not m.closed), key=lambda market: market.end or 0).tokens[0]


def seen(venue: Venue) -> dict[str, object]:
    """All that clients may have seen of users."""
    exchange = venue.exchange
    return {
        owner: (
            exchange.cash(owner),
            exchange.open_orders(owner),
            exchange.trades(owner),
            exchange.activity(owner),
            exchange.positions(owner),
            exchange.credentials(owner),
            exchange.expected_heartbeat(owner),
        )
        for owner in (ALICE, BOB)
    } | {"markets": list(exchange.markets()), "events": list(exchange.events())}


def test_a_killed_venue_is_the_same_when_it_starts_again(lives: Lives) -> None:
    venue = lives.start()
    exchange = venue.exchange
    token = quiet(venue)
    tick = exchange.book_snapshot(token).tick
    taker = lives.order(venue, ALICE, Side.BUY, exchange.book_snapshot(token).asks[0].price, 10)
    exchange.place(taker)
    for owner, size in ((ALICE, 20), (BOB, 30)):
        exchange.place(lives.order(venue, owner, Side.BUY, 2 * tick, size))
    market = exchange.market_by_token(token)
    assert market is not None
    exchange.split(BOB, market.condition_id, 12 * ONE)
    exchange.put_credentials(Credentials(ALICE, "key", "secret", "pass", 3))
    exchange.put_credentials(Credentials(BOB, "gone", "secret", "pass"))
    exchange.delete_credentials("gone")
    exchange.heartbeat(BOB, "")
    venue.put_document("note", "kept")
    venue.commit()
    before = seen(venue)
    assert len(exchange.trades(ALICE)) == 1
    again = lives.kill()
    assert seen(again) == before
    assert (again.get_document("note"), again.get_document("other"), again.notes) == ("kept", None, ())
    assert_consistent(again.exchange)
    book = again.exchange.floor.listings[market.condition_id].book
    assert book is not None
    assert [order.account.address for order in book.bids.at(2 * tick)][:2] == [ALICE, BOB]
    with pytest.raises(Refused, match="Duplicated"):
        again.exchange.place(taker)


def test_settlements_delays_expiries_and_heartbeats_go_on_after_a_kill(lives: Lives) -> None:
    venue = lives.start()
    exchange = venue.exchange
    token = quiet(venue)
    tick = exchange.book_snapshot(token).tick
    exchange.place(lives.order(venue, ALICE, Side.BUY, exchange.book_snapshot(token).asks[0].price, 10))
    timed = replace(
        lives.order(venue, BOB, Side.BUY, 2 * tick, 10),
        order_type=TimeInForce.GTD,
        expiration=int(lives.wall()) + 180,
    )
    exchange.place(timed)
    slow = next(market for market in exchange.markets() if market.taker_delay == 1000 and not market.closed)
    ask = exchange.book_snapshot(slow.tokens[0]).asks[0].price
    delayed = lives.order(venue, BOB, Side.BUY, ask, 10, slow.tokens[0])
    assert exchange.place(delayed).status == "delayed"
    exchange.place(lives.order(venue, ALICE, Side.BUY, 2 * tick, 10))
    exchange.heartbeat(ALICE, "")
    venue.commit()
    again = lives.kill()
    lives.run(again, 3)
    (trade,) = again.exchange.trades(ALICE)
    assert trade.status == "CONFIRMED"
    ended = again.exchange.order(delayed.order_id)
    assert ended is not None
    assert ended.state in ("MATCHED", "LIVE")
    assert len(again.exchange.open_orders(ALICE)) == 1
    lives.run(again, 8)
    assert again.exchange.open_orders(ALICE) == []
    lives.wall.pass_by(110)
    again.tick()
    expired = again.exchange.order(timed.order_id)
    assert expired is not None
    assert expired.state == "EXPIRED"
    assert_consistent(again.exchange)


def test_whenever_it_is_killed_nothing_that_was_committed_is_lost(lives: Lives) -> None:
    venue = lives.start(seed=5)
    random = Random(5)
    for _ in range(12):
        for _ in range(25):
            lives.run(venue, 0.2)
            act(lives, venue, random)
            venue.commit()
        before = seen(venue)
        for _ in range(random.randrange(3)):
            act(lives, venue, random)
        venue = lives.kill()
        assert seen(venue) == before
        assert_consistent(venue.exchange)
    assert len(venue.exchange.trades(ALICE)) > 20


def act(lives: Lives, venue: Venue, random: Random) -> None:
    """Let a user do something that is likely to trade."""
    exchange = venue.exchange
    owner = random.choice((ALICE, BOB))
    market = random.choice([market for market in exchange.markets() if not market.closed])
    book = exchange.book_snapshot(market.tokens[0])
    side = random.choice(list(Side))
    levels = book.asks if (side is Side.BUY) == (random.random() < 0.7) else book.bids
    if not levels:
        return
    with suppress(Refused):
        if side is Side.SELL and exchange.shares(owner, market.tokens[0]).available < 50 * ONE:
            exchange.split(owner, market.condition_id, 50 * ONE)
        exchange.place(lives.order(venue, owner, side, levels[0].price, random.randrange(5, 50), market.tokens[0]))
        if random.random() < 0.3:
            exchange.cancel_all(owner)


def test_the_clock_stands_still_while_the_venue_is_stopped(lives: Lives) -> None:
    venue = lives.start(start="2026-01-01", speed=100)
    assert venue.now == 1_767_225_600_000
    lives.run(venue, 12.3)
    stopped = venue.now
    assert abs(stopped - 1_767_225_600_000 - 1_230_000) < 10
    venue.close()
    lives.wall.pass_by(3600)
    again = lives.start(speed=7)
    assert again.now == stopped
    lives.wall.pass_by(2)
    assert again.now == stopped + 14_000


def test_the_clock_of_a_killed_venue_is_never_behind_what_clients_saw_and_at_most_two_seconds_ahead(lives: Lives) -> None:
    venue = lives.start(speed=1000)
    lives.run(venue, 7.7)
    lives.wall.pass_by(0.9)
    venue.tick()
    stopped = venue.now
    again = lives.kill(speed=1000)
    assert stopped <= again.now <= stopped + 2_000_000


def test_markets_go_on_opening_and_resolving_after_a_kill(lives: Lives) -> None:
    venue = lives.start(speed=600)
    known = {market.condition_id for market in venue.exchange.markets()}
    for _ in range(6):
        lives.run(venue, 5)
        venue = lives.kill(speed=600)
    markets = list(venue.exchange.markets())
    assert known < {market.condition_id for market in markets}
    assert sum(market.closed for market in markets) > 10
    assert 12 < sum(not market.closed for market in markets) < 30
    straight = Lives(lives.folder / "straight")
    other = straight.start(speed=600)
    straight.run(other, 30 + 6 * 2)  # Each kill moves the clock up to two seconds ahead.
    assert {m.condition_id for m in markets} <= {m.condition_id for m in other.exchange.markets()}


def test_recorded_markets_need_their_file_once(lives: Lives, tmp_path: Path) -> None:
    file = write(tmp_path / "markets.jsonl.gz", recorded(1), recorded(2))
    venue = lives.start(markets_file=file, start="2025-11-03")
    assert venue.speed == 5000
    assert [market.question for market in venue.exchange.markets()] == ["Will test 1 pass?", "Will test 2 pass?"]
    history = venue.history("10", 0, 10**15)
    assert history == [((FIRST + DAY) * 1000, 500_000), ((FIRST + 2 * DAY) * 1000, 600_000)]
    Path(file).unlink()
    again = lives.kill(markets_file=file)
    assert again.speed == 5000
    assert again.history("10", 0, 10**15) == history


def test_recorded_markets_resolve_when_and_as_they_did_and_then_the_venue_idles(lives: Lives, tmp_path: Path) -> None:
    no = recorded(2, winning_outcome="No")
    venue = lives.start(markets_file=write(tmp_path / "m.jsonl", recorded(1), no), start="2025-11-03", speed=DAY)
    for token in ("10", "20"):
        exchange = venue.exchange
        market = exchange.market_by_token(token)
        assert market is not None
        exchange.split(ALICE, market.condition_id, 100 * ONE)
        exchange.merge(ALICE, market.condition_id, 40 * ONE)
    assert not venue.idle
    lives.run(venue, 5)
    for token, payouts, resolved in (("10", (ONE, 0), 5), ("20", (0, ONE), 6)):
        market = venue.exchange.market_by_token(token)
        assert market is not None
        assert (market.payouts, market.resolved_at) == (payouts, (FIRST + resolved * DAY + DAY // 2) * 1000)
        assert venue.history(token, 0, 10**15)[-1] == (market.resolved_at, payouts[0])
        venue.exchange.redeem(ALICE, market.condition_id)
    assert venue.exchange.cash(ALICE).total == 10_000 * ONE
    assert venue.idle
    assert venue.notes == ("the last market resolved on 2025-11-07: nothing trades any more",)
    changes: list[object] = []
    venue.exchange.subscribe(changes.append)
    lives.run(venue, 2)
    assert changes == []
    assert lives.kill().exchange.imbalance() == 0


def test_history_shows_nothing_after_now_and_no_payout_before_the_resolution(lives: Lives) -> None:
    venue = lives.start(speed=3600)
    for _ in range(20):
        lives.wall.pass_by(0.5)
        now = venue.now
        for market in venue.exchange.markets():
            points = venue.history(market.tokens[0], 0, 10**15)
            assert points[-1][0] <= now
            assert market.closed or points[-1][1] not in (0, ONE)
            opposite = venue.history(market.tokens[1], 0, 10**15)
            assert [(at, ONE - price) for at, price in points] == opposite
        venue.tick()
    assert venue.history("unknown", 0, 10**15) == []


def test_settings_for_a_new_data_directory_are_ignored_for_an_old_one_and_the_venue_says_so(lives: Lives) -> None:
    first = lives.start(seed=3, start="2026-01-01")
    tokens = quiet(first)
    first.close()
    carol = (f"0x{'C' * 40}", ONE)
    config = VenueConfig(str(lives.data_dir()), "none.jsonl", "2020-01-01", 4, None, (*WALLETS, carol))
    again = Venue(config, lives.wall)
    assert quiet(again) == tokens
    assert again.exchange.cash(carol[0]).total == 0
    (note,) = again.notes
    assert note.endswith("goes on from 2026-01-01: markets file, start, seed 4, funds for " + carol[0])
    again.close()
    assert lives.start().notes == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": "tomorrow"}, "start date: 'tomorrow' is not an ISO date such as 2025-11-20"),
        ({"speed": 0.0}, "speed 0.0 is wrong; expected a number above 0"),
        ({"speed": float("nan")}, "speed nan is wrong"),
        ({"markets_file": "nowhere.jsonl"}, "markets file nowhere.jsonl cannot be read"),
    ],
)
def test_wrong_settings_leave_nothing_behind(lives: Lives, changes: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        lives.start(**changes)
    assert message in str(error.value)
    assert lives.start(seed=9).notes == ()


def test_a_start_without_open_markets_is_noted(lives: Lives, tmp_path: Path) -> None:
    venue = lives.start(markets_file=write(tmp_path / "m.jsonl", recorded(1)), start="2020-01-01")
    assert venue.notes == ("no market is open on 2020-01-01, where the venue's clock starts",)


def test_one_venue_holds_a_data_directory(lives: Lives) -> None:
    venue = lives.start()
    with pytest.raises(Conflict, match="in use by another venue"):
        lives.start()
    venue.close()
    lives.start()


def file_instead_of_folder(path: Path) -> None:
    path.write_text("")


def other_database(path: Path) -> None:
    path.mkdir()
    (path / "venue.db").write_text("certainly no database, but long enough to be read as one " * 20)


@pytest.mark.parametrize("spoil", [file_instead_of_folder, other_database])
def test_an_unusable_data_directory_is_named(lives: Lives, spoil: Callable[[Path], None]) -> None:
    spoil(lives.data_dir())
    with pytest.raises(InvalidInput, match=str(lives.data_dir())):
        lives.start()


def test_without_a_data_directory_everything_stays_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    venue = Venue(VenueConfig(wallets=WALLETS), Wall())
    venue.close()
    assert venue.exchange.cash(ALICE).total == 10_000 * ONE
    assert list(tmp_path.iterdir()) == []
