import pytest

from agents.errors import InvalidInput
from supervisor.api.places import Places, places_from


def test_they_are_read_from_the_environment() -> None:
    assert places_from({}) == Places(2000, 200, "")
    settings = {
        "POLYFLEET_HUB_MAX_CLIENTS": "5",
        "POLYFLEET_HUB_MAX_CLIENTS_PER_ADDRESS": "2",
        "POLYFLEET_ADDRESS_HEADER": "X-Real-IP",
    }
    assert places_from(settings) == Places(5, 2, "X-Real-IP")
    with pytest.raises(InvalidInput, match="POLYFLEET_HUB_MAX_CLIENTS: 'many' is not possible"):
        places_from({"POLYFLEET_HUB_MAX_CLIENTS": "many"})
