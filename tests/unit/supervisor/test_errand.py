from typing import Any

import pytest

from agents.errors import Unavailable
from supervisor.errand import _beside_others

CONFIG: dict[str, Any] = {"http_options": {"host": "127.0.0.1", "port": 3001}, "applications": [{"name": "hub"}]}


def test_a_cluster_without_serve_gets_what_is_ours() -> None:
    assert _beside_others({"proxies": {}, "http_options": None, "applications": {}}, CONFIG) == CONFIG


def test_applications_of_others_on_a_joined_cluster_stay() -> None:
    theirs = {"name": "theirs", "import_path": "x:y"}
    details = {
        "proxies": {"node": {}},
        "http_options": {"host": "127.0.0.1", "port": 3001},
        "applications": {
            "theirs": {"deployed_app_config": theirs},
            "by code": {"deployed_app_config": None},
            "hub": {"deployed_app_config": {"name": "hub"}},
        },
    }
    assert _beside_others(details, CONFIG)["applications"] == [{"name": "hub"}, theirs]


def test_a_serve_that_listens_elsewhere_is_told_of_with_the_options_to_join_it() -> None:
    details = {"proxies": {"node": {}}, "http_options": {"host": "127.0.0.1", "port": 8000}, "applications": {}}
    with pytest.raises(Unavailable, match=r"join it with --host 127\.0\.0\.1 --port 8000"):
        _beside_others(details, CONFIG)
