"""Errands to Ray, each in a process of its own.

Ray reads its settings when it is imported, and a Ray that dies takes along the processes that are connected to it: so the
commands that start and end a fleet stay free of it.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.errors import PolyfleetError, Unavailable
from supervisor.secrets import without_secrets

if TYPE_CHECKING:
    from ray.dashboard.modules.serve.sdk import ServeSubmissionClient

#: Seconds for the supervisor and the applications to be asked for, and for all agents to stop.
_LAUNCH_TIMEOUT = 240.0
STOP_TIMEOUT = 32.0
#: Seconds for one shared actor to stop; one that is killed instead loses nothing.
_SERVICE_TIMEOUT = 2.0


def launch(data_dir: Path, environment: dict[str, str], address: str, serve_config: dict[str, Any]) -> str:
    """Start supervisor and applications on the cluster at an address; return the dashboard's URL. Raises Unavailable."""
    answer = _send(data_dir, environment, _LAUNCH_TIMEOUT, task="launch", address=address, serve_config=serve_config)
    return str(answer["dashboard"])


def stop(data_dir: Path, environment: dict[str, str], address: str, *, withdraw: bool) -> None:
    """Stop all agents and keep them stopped; `withdraw` takes the fleet's applications and actors out of the cluster too.

    Raises:
        Unavailable: if that was not done in time.
    """
    _send(data_dir, environment, STOP_TIMEOUT, task="stop", address=address, withdraw=withdraw)


def _send(data_dir: Path, environment: dict[str, str], timeout: float, **request: Any) -> dict[str, Any]:
    what = f"{request['task']} the fleet through Ray at {request['address']}"
    # One for each task: to stop must not overwrite why it did not start.
    log = data_dir / f"errand_{request['task']}.log"
    try:
        with log.open("w") as errors:
            result = subprocess.run(
                [sys.executable, "-m", "supervisor.errand"],
                input=json.dumps(request),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=without_secrets(os.environ) | environment,
                start_new_session=True,
                timeout=timeout,
                check=False,
            )
        answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        raise Unavailable(f"could not {what} within {timeout:g} s; {log} says how far it came") from None
    except (IndexError, ValueError):
        raise Unavailable(f"could not {what}; {log} says why") from None
    if "refused" in answer:
        raise Unavailable(f"could not {what}: {answer['refused']}")
    return answer


# What follows runs in the errand's own process.


def _launch(address: str, serve_config: dict[str, Any]) -> dict[str, Any]:
    import ray
    from ray.dashboard.modules.serve.sdk import ServeSubmissionClient

    from supervisor.fleet_args import FleetArgs
    from supervisor.provision import provision
    from supervisor.services import launch_supervisor

    context = ray.init(address=address, log_to_driver=False)
    dashboard = f"http://{context.address_info['webui_url']}"
    serve = ServeSubmissionClient(dashboard)
    config = _beside_others(serve.get_serve_details(), serve_config)
    launch_supervisor(provision(FleetArgs.model_validate(serve_config["applications"][0]["args"])))
    _deploy(serve, config)
    return {"dashboard": dashboard}


def _deploy(serve: "ServeSubmissionClient", config: dict[str, Any]) -> None:
    """Declare what Serve is to run, again if need be: the first time, Serve's own start fails if its proxy is slow to start."""
    for last in (False, False, True):
        try:
            serve.deploy_applications(config)
        except RuntimeError:
            if last:
                raise
        else:
            return


def _beside_others(details: dict[str, Any], serve_config: dict[str, Any]) -> dict[str, Any]:
    """Return what to deploy on a cluster that may have a Serve already: applications that are left out would be deleted.

    Raises:
        Unavailable: if that Serve listens elsewhere than the fleet is to.
    """
    if details.get("proxies"):
        there, wanted = details["http_options"], serve_config["http_options"]
        if (there["host"], there["port"]) != (wanted["host"], wanted["port"]):
            where = f"--host {there['host']} --port {there['port']}"
            raise Unavailable(f"the cluster's Serve listens on {there['host']}:{there['port']} already; join it with {where}")
    ours = {application["name"] for application in serve_config["applications"]}
    found = details["applications"].items()
    others = [application["deployed_app_config"] for name, application in found if name not in ours]
    return serve_config | {"applications": [*serve_config["applications"], *filter(None, others)]}


def _stop(address: str, withdraw: bool) -> dict[str, Any]:
    import ray

    from actors import remote
    from actors.naming import NAMESPACE, SUPERVISOR

    ray.init(address=address, log_to_driver=False)
    with contextlib.suppress(ValueError):
        supervisor = ray.get_actor(SUPERVISOR, NAMESPACE)
        asyncio.run(remote.supervisor(STOP_TIMEOUT).shutdown())
        # It would start again what now ends.
        ray.kill(supervisor)
        asyncio.run(_stop_services())
    if withdraw:
        _withdraw()
    return {}


def _actors() -> list[str]:
    """Return the names of the fleet's actors."""
    import ray

    from actors.naming import NAMESPACE

    return [actor["name"] for actor in ray.util.list_named_actors(all_namespaces=True) if actor["namespace"] == NAMESPACE]


async def _stop_services() -> None:
    """Stop the shared actors, each before those that it needs: what can still be written is written, the log last."""
    from actors.naming import LEDGER, MARKET_FEED, SANDBOX, broker
    from actors.remote import Remote

    there = _actors()
    brokers = [name for name in there if name.startswith(broker(""))]
    for name in (*brokers, *(name for name in (MARKET_FEED, SANDBOX, LEDGER) if name in there)):
        with contextlib.suppress(PolyfleetError):
            await Remote(name, _SERVICE_TIMEOUT).stop()


def _withdraw() -> None:
    import ray
    from ray import serve

    from actors.naming import APPLICATIONS, NAMESPACE

    for name in APPLICATIONS:
        serve.delete(name)
    for name in _actors():
        with contextlib.suppress(ValueError):
            ray.kill(ray.get_actor(name, NAMESPACE))
    if not serve.status().applications:
        serve.shutdown()


def _main() -> None:
    request = json.load(sys.stdin)
    task = request.pop("task")
    try:
        answer = _launch(**request) if task == "launch" else _stop(**request)
    except PolyfleetError as error:
        answer = {"refused": str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    _main()
