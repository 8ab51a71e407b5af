"""Serve takes unknown keys in silence, so a typing error would go unnoticed: every key of our file is checked here."""

import pkgutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from ray.serve.schema import (
    DeploymentSchema,
    HTTPOptionsSchema,
    LoggingConfig,
    RayActorOptionsSchema,
    ServeApplicationSchema,
    ServeDeploySchema,
)

from actors.naming import APPLICATIONS
from supervisor.fleet_args import FleetArgs

CONFIG = Path(__file__).parents[3] / "serve_config.yaml"

NESTED: dict[tuple[str, str], type[BaseModel]] = {
    ("ServeDeploySchema", "http_options"): HTTPOptionsSchema,
    ("ServeDeploySchema", "logging_config"): LoggingConfig,
    ("ServeDeploySchema", "applications"): ServeApplicationSchema,
    ("ServeApplicationSchema", "deployments"): DeploymentSchema,
    ("DeploymentSchema", "ray_actor_options"): RayActorOptionsSchema,
}


def unknown_keys(content: dict[str, Any], schema: type[BaseModel], place: str = "") -> list[str]:
    found = []
    for key, value in content.items():
        if key not in schema.model_fields:
            found.append(f"{place}{key}")
        nested = NESTED.get((schema.__name__, key))
        for n, item in enumerate(value if isinstance(value, list) else [value]):
            if nested:
                found += unknown_keys(item, nested, f"{place}{key}[{n}].")
    return found


@pytest.fixture
def config() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    return content


def test_every_key_is_one_that_serve_knows(config: dict[str, Any]) -> None:
    assert unknown_keys(config, ServeDeploySchema) == []
    config["applications"][1]["deployments"][0]["num_replica"] = 1
    assert unknown_keys(config, ServeDeploySchema) == ["applications[1].deployments[0].num_replica"]


def test_it_is_valid_and_listens_on_loopback(config: dict[str, Any]) -> None:
    parsed = ServeDeploySchema.model_validate(config)
    assert parsed.http_options.host == "127.0.0.1"
    assert parsed.http_options.request_timeout_s is None
    assert tuple(application.name for application in parsed.applications) == APPLICATIONS


def test_what_it_names_can_be_imported_and_takes_its_arguments(config: dict[str, Any]) -> None:
    for application in config["applications"]:
        assert callable(pkgutil.resolve_name(application["import_path"]))
    for name in ("polyfleet", "dashboard"):
        [args] = [application["args"] for application in config["applications"] if application["name"] == name]
        assert FleetArgs.model_validate(args) == FleetArgs()
