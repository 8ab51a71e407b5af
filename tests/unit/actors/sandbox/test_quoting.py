from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.sandbox.quoting import Quote, ladder, quote, style, tilt
from agents.money import ONE, Micro, fee

TICKS = st.sampled_from([10_000, 1_000])


@given(worth=st.integers(0, ONE), tick=TICKS, half=st.floats(0.5, 3))
def test_a_quote_stands_around_the_worth_on_the_grid(worth: Micro, tick: Micro, half: float) -> None:
    made = quote(worth, tick, half)
    for price in (made.bid, made.ask):
        assert price is None or (price % tick == 0 and tick <= price <= ONE - tick)
    assert made.bid is None or worth - half * tick - tick < made.bid <= worth
    assert made.ask is None or worth <= made.ask < worth + half * tick + 2 * tick or made.ask == tick
    assert made.bid is None or made.ask is None or made.bid < made.ask
    assert (made.bid, made.ask) != (None, None)


def test_near_certain_markets_have_one_side_only() -> None:
    assert quote(400, 1_000, 2.0) == Quote(None, 1_000)
    assert quote(999_600, 1_000, 2.0) == Quote(999_000, None)


@given(worth=st.integers(0, ONE), tick=TICKS, seed=st.integers(0, 99))
def test_a_ladder_goes_away_from_the_best_price_within_the_grid(worth: Micro, tick: Micro, seed: int) -> None:
    look = style(Random(seed), tick)
    best = quote(worth, tick, look.half)
    levels = ladder(best, tick, look)
    bids = sorted((price for bid, price in levels if bid), reverse=True)
    asks = sorted(price for bid, price in levels if not bid)
    assert bids[:1] == ([best.bid] if best.bid is not None else [])
    assert asks[:1] == ([best.ask] if best.ask is not None else [])
    assert all(tick <= price <= ONE - tick for price in (*bids, *asks))
    assert [levels[False, price] for price in asks] == list(look.sizes[: len(asks)])


@pytest.mark.parametrize("rate", [Decimal(0), Decimal("0.04"), Decimal("0.07")])
@given(worths=st.lists(st.integers(1, 100), min_size=3, max_size=6), tick=TICKS, ticks=st.integers(1, 4))
def test_a_tilted_event_is_mispriced_by_the_margin_after_fees(
    rate: Decimal, worths: list[int], tick: Micro, ticks: int
) -> None:
    scale = ONE / sum(worths)
    for cheap in (True, False):
        quotes = [quote(int(worth * scale), tick, 1.0) for worth in worths]
        margin = ticks * tick
        tilt(quotes, [tick] * len(quotes), [rate] * len(quotes), margin, cheap=cheap)
        if cheap:
            cost = sum(q.ask + fee(ONE, q.ask, rate) for q in quotes if q.ask is not None)
            assert ONE - margin - 3 * tick < cost <= ONE - margin
        else:
            gain = sum(q.bid - fee(ONE, q.bid, rate) for q in quotes if q.bid is not None)
            assert ONE + margin <= gain < ONE + margin + 3 * tick
        assert all(q.bid is None or q.ask is None or q.bid < q.ask for q in quotes)
