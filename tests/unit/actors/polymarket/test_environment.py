from polymarket._internal.environment import PRODUCTION_CONFIG, get_environment_config

from actors.polymarket.environment import POLYMARKET, environment
from agents.ports import Endpoints


def test_no_host_of_a_simulated_venue_leaves_loopback() -> None:
    http, socket = "http://127.0.0.1:1", "ws://127.0.0.1:1/ws/market"
    endpoints = Endpoints(http, http, http, http, http, socket, socket, simulated=True)
    config = get_environment_config(environment(endpoints))
    urls = {name: getattr(config, name) for name in config.__dataclass_fields__ if name.endswith("_url")}
    assert len(urls) > 12
    assert {url for url in urls.values() if "127.0.0.1" not in url} == set()


def test_the_real_venue_is_the_librarys_own() -> None:
    assert get_environment_config(environment(POLYMARKET)) == PRODUCTION_CONFIG
