"""What paper mode's settings may be."""

import pytest

from actors.paper.settings import paper_address, paper_settings_from
from agents.errors import InvalidInput
from agents.money import ONE


def test_they_are_read() -> None:
    found = paper_settings_from({"POLYFLEET_PAPER_CASH": "2500.5", "POLYFLEET_PAPER_LATENCY": "80"})
    assert (found.cash, found.latency) == (2_500 * ONE + ONE // 2, 0.08)
    assert paper_settings_from({}).cash == 100_000 * ONE


@pytest.mark.parametrize("name", ["POLYFLEET_PAPER_CASH", "POLYFLEET_PAPER_LATENCY"])
def test_what_is_no_number_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        paper_settings_from({name: "lots"})


def test_every_wallet_has_an_address_of_its_own_that_is_made_up() -> None:
    assert paper_address("main") == paper_address("main") != paper_address("second")
    assert len(paper_address("main")) == 42
    assert paper_address("main").startswith("0x" + "0" * 24)
