"""Whose fills a trade holds, and what they cost."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from actors.brokerage.fills import fills_of
from actors.polymarket.account import Leg, VenueTrade
from agents.model import Side
from agents.money import ONE, micro

OURS = "key"
HOME = "0xaa"


def leg(order: str, token: str, side: Side, price: str, size: str, owner: str = "other", address: str = "0xbb") -> Leg:
    return Leg(order, owner, address, token, side, micro(price), micro(size))


def trade(taker: Leg, *makers: Leg, **changes: object) -> VenueTrade:
    found = VenueTrade("t", "0x1", "MATCHED", "0xhash", 1_700_000_000, taker, makers)
    return replace(found, **changes)  # type: ignore[arg-type]


def test_a_taker_pays_its_makers_prices_on_either_token() -> None:
    [fill] = fills_of(
        trade(
            leg("mine", "yes", Side.BUY, "0.6", "30", OURS),
            leg("x", "yes", Side.SELL, "0.55", "10"),
            leg("y", "no", Side.BUY, "0.42", "20"),
        ),
        OURS,
        HOME,
    )
    assert (fill.size, fill.cost, fill.maker) == (30 * ONE, micro("5.5") + micro("11.6"), False)
    assert fill.price == micro("0.57")


def test_several_entries_of_one_maker_order_are_one_fill() -> None:
    makers = [leg("mine", "yes", Side.BUY, "0.4", "5", OURS), leg("mine", "yes", Side.BUY, "0.3", "2.5", OURS)]
    [fill] = fills_of(trade(leg("x", "yes", Side.SELL, "0.3", "7.5"), *makers), OURS, HOME)
    assert (fill.size, fill.cost, fill.maker, fill.price) == (micro("7.5"), micro("2.75"), True, 366_667)


def test_two_maker_orders_of_ours_are_two_fills() -> None:
    makers = [leg("one", "yes", Side.BUY, "0.4", "5", OURS), leg("two", "no", Side.SELL, "0.6", "2", OURS)]
    fills = fills_of(trade(leg("x", "yes", Side.SELL, "0.4", "7"), *makers), OURS, HOME)
    assert [(fill.key, fill.token_id, fill.side, fill.cost) for fill in fills] == [
        ("t/one", "yes", Side.BUY, 2 * ONE),
        ("t/two", "no", Side.SELL, micro("1.2")),
    ]


def test_a_trade_seen_as_its_maker_is_not_ours_as_its_taker() -> None:
    # Listings of makers have been seen with the asker's own key as the owner of the trade.
    taken = trade(leg("x", "yes", Side.SELL, "0.4", "5", OURS), leg("mine", "yes", Side.BUY, "0.4", "5", OURS), maker_only=True)
    assert [fill.order_id for fill in fills_of(taken, OURS, HOME)] == ["mine"]


def test_an_order_without_an_owner_is_known_by_its_wallet() -> None:
    taken = trade(leg("x", "yes", Side.SELL, "0.4", "5"), leg("mine", "yes", Side.BUY, "0.4", "5", "", HOME))
    assert [fill.order_id for fill in fills_of(taken, OURS, HOME)] == ["mine"]
    assert fills_of(taken, OURS, "0xcc") == []


@given(st.lists(st.tuples(st.integers(1, 999), st.integers(1, 100_000), st.booleans()), min_size=1, max_size=6))
def test_what_a_taker_pays_is_what_its_makers_get(legs: list[tuple[int, int, bool]]) -> None:
    makers = [
        Leg(f"m{n}", "other", "0xbb", "no" if mint else "yes", Side.BUY if mint else Side.SELL, price * 1000, size * 10_000)
        for n, (price, size, mint) in enumerate(legs)
    ]
    size = sum(maker.size for maker in makers)
    [fill] = fills_of(trade(Leg("mine", OURS, HOME, "yes", Side.BUY, 999_000, size), *makers), OURS, HOME)
    paid = sum(maker.size * (ONE - maker.price if maker.token_id == "no" else maker.price) for maker in makers)
    assert fill.cost * ONE == paid
