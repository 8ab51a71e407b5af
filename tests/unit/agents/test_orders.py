import pytest

from agents.errors import Conflict
from agents.orders import OPEN, TRANSITIONS, UNSETTLED, OrderStatus, advance

S = OrderStatus


def test_every_state_has_its_transitions_and_can_be_reached() -> None:
    assert set(TRANSITIONS) == set(S)
    reached, left = {S.INTENDED}, [S.INTENDED]
    while left:
        new = TRANSITIONS[left.pop()] - reached
        reached |= new
        left.extend(new)
    assert reached == set(S)


def test_what_was_refused_or_has_failed_is_over() -> None:
    assert {state for state in S if not TRANSITIONS[state]} == {S.REJECTED, S.FAILED}


def test_an_order_is_signed_before_it_is_sent() -> None:
    assert S.SENT not in TRANSITIONS[S.INTENDED]
    assert S.LIVE not in TRANSITIONS[S.SIGNED]


def test_an_order_that_may_fill_is_open_and_one_whose_fills_wait_is_unsettled() -> None:
    assert {S.LIVE, S.PARTIALLY_FILLED, S.UNKNOWN} <= OPEN
    assert {S.MATCHED, S.PENDING} == UNSETTLED - OPEN
    assert not OPEN & {S.CANCELLED, S.EXPIRED, S.REJECTED, S.CONFIRMED, S.FAILED}


def test_a_timeout_is_unknown_and_may_turn_out_as_anything() -> None:
    assert S.UNKNOWN in TRANSITIONS[S.SENT]
    assert {S.LIVE, S.MATCHED, S.CANCELLED, S.REJECTED, S.CONFIRMED} <= TRANSITIONS[S.UNKNOWN]


def test_a_late_fill_of_a_cancelled_order_can_be_settled() -> None:
    assert advance(S.CANCELLED, S.CONFIRMED) is S.CONFIRMED


def test_to_stay_is_always_allowed() -> None:
    for state in S:
        assert advance(state, state) is state


def test_a_step_that_cannot_be_is_refused_by_name() -> None:
    with pytest.raises(Conflict, match="an order that is rejected cannot become live"):
        advance(S.REJECTED, S.LIVE)
