"""The ten things that hurt developers of Polymarket bots the most, and the tests that say what we do about each.

The tests themselves run where they belong; here it is seen that none of them goes away.
"""

import importlib
import inspect

import pytest

_BROKER, _SANDBOX, _WIRE = "tests.contract.broker", "tests.contract.sandbox", "tests.unit.actors.polymarket"

_LIVE = "tests.contract.live.test_examination"

PAINS = {
    "1 sockets that freeze silently, and resolutions that are not announced": (
        "tests.contract.feed.test_market_feed:test_a_frozen_market_socket_is_noticed_by_its_age_and_replaced",
        f"{_BROKER}.test_faults:test_a_user_channel_gone_silent_is_noticed_and_replaced",
        f"{_BROKER}.test_faults:test_a_market_that_closes_under_an_order_cancels_it_and_pays_fractions",
    ),
    "2 authentication and wallet types": (
        f"{_BROKER}.test_faults:test_revoked_keys_are_derived_again_and_fills_of_older_orders_are_booked",
        f"{_LIVE}:test_a_wallet_of_somebody_else",
        f"{_LIVE}:test_a_wallet_that_was_never_opened",
        f"{_LIVE}:test_a_wallet_that_allowed_nothing",
        f"{_LIVE}:test_every_kind_of_wallet_trades_with_its_own_cash",
        "tests.unit.actors.brokerage.test_wallet_key:test_any_other_file_is_refused_and_its_content_is_not_told",
    ),
    "3 breaking migrations": (
        f"{_SANDBOX}.test_polymarket_client:test_orders_in_negative_risk_markets_are_signed_for_their_own_exchange",
        f"{_WIRE}.test_listings:test_position_ids_are_the_tokens_of_a_v2_market_only",
        f"{_WIRE}.test_frames:test_both_shapes_of_a_price_change_are_read",
    ),
    "4 precision and rounding of amounts": (
        "tests.unit.actors.brokerage.test_ticket:test_signed_amounts_are_price_and_size_exactly_and_never_worse_than_decided",
        f"{_BROKER}.test_faults:test_a_finer_tick_is_used_and_an_order_on_the_old_grid_is_refused_or_put_on_the_new_one",
    ),
    "5 clients that block, and time-outs": (
        f"{_BROKER}.test_orders:test_a_slow_answer_to_one_agent_holds_up_no_other",
        f"{_BROKER}.test_faults:test_an_order_whose_answer_never_comes_is_unknown_and_then_found",
        f"{_BROKER}.test_faults:test_an_order_that_was_taken_although_it_timed_out_is_found_by_its_id_and_never_twice",
    ),
    "6 ghost fills and settlements that fail": (
        f"{_BROKER}.test_faults:test_a_failed_settlement_takes_both_sides_back_to_the_last_millionth",
        f"{_BROKER}.test_faults:test_a_trade_that_is_retried_stays_pending_until_it_is_confirmed",
    ),
    "7 whose fill it is, and fills that come twice": (
        f"{_BROKER}.test_orders:test_a_makers_fills_are_booked_on_whichever_token_the_taker_came",
        f"{_BROKER}.test_faults:test_frames_that_come_twice_and_out_of_order_are_booked_once",
    ),
    "8 redemption": (f"{_BROKER}.test_recovery:test_a_resolved_market_is_paid_out_to_those_who_held_it",),
    "9 Cloudflare and geoblocks": (
        f"{_LIVE}:test_a_place_where_the_venue_takes_no_orders",
        f"{_LIVE}:test_a_guard_that_blocks_this_network",
        f"{_BROKER}.test_faults:test_an_order_that_the_venue_does_not_take_ends_and_holds_nothing_back",
        f"{_SANDBOX}.test_faults_wire:test_the_library_recognises_what_the_venue_says",
        f"{_WIRE}.test_market_data:test_an_html_page_with_status_200_is_no_answer",
    ),
    "10 traps in the data": (
        f"{_WIRE}.test_listings:test_lists_come_as_text_or_as_arrays",
        f"{_WIRE}.test_listings:test_best_prices_of_a_listing_are_not_used",
        f"{_WIRE}.test_frames:test_a_book_of_rest_is_read_whatever_the_order_of_its_levels",
        f"{_WIRE}.test_market_data:test_history_is_cut_at_the_end_of_its_window",
        f"{_BROKER}.test_faults:test_beyond_the_rate_limit_nothing_is_lost_and_nothing_is_placed_twice",
    ),
}


@pytest.mark.parametrize("pain", PAINS)
def test_each_pain_has_its_tests(pain: str) -> None:
    for reference in PAINS[pain]:
        module, _, name = reference.partition(":")
        assert inspect.isfunction(getattr(importlib.import_module(module), name, None)), reference
