"""The Serve applications of `serve_config.yaml`: REST and hub, each a thin deployment around an ASGI application.

Building either one sees to it that the supervisor runs, so `serve deploy serve_config.yaml` on any cluster gives the system.
"""

import os
from typing import Any

import ray
from ray import serve

from actors import naming, remote
from actors.config import SystemConfig
from actors.follower import Follower
from actors.venue_location import locate
from supervisor.fleet_args import FleetArgs
from supervisor.provision import provision
from supervisor.services import launch_supervisor


@serve.ingress()
class RestReplica:
    """A replica of the REST API."""

    def __init__(self, config: SystemConfig) -> None:
        self._config = config

    def __serve_build_asgi_app__(self) -> Any:
        """Return the application, in the replica."""
        from supervisor.api.access import access_from
        from supervisor.api.asgi import rest_app
        from supervisor.api.context import FleetContext
        from supervisor.api.rate_limits import RateLimits, limits_from
        from supervisor.api.seed_routes import defaults_from

        replica = ray.get_runtime_context().get_actor_id()
        ledger, supervisor = remote.ledger(), remote.supervisor()
        brokers = [naming.broker(wallet.name) for wallet in self._config.wallets]
        context = FleetContext(
            follower=Follower(ledger, f"rest:{replica}"),
            ledger=ledger,
            supervisor=supervisor,
            feed=remote.market_feed(),
            broker_of=remote.broker_of,
            venue=lambda: locate(self._config),
            limits=RateLimits(supervisor, limits_from(os.environ)),
            actor_log=remote.log_of,
            ask_queues=lambda: remote.queues(naming.LEDGER, *brokers),
            mode=self._config.mode,
            defaults=defaults_from(os.environ),
        )
        return rest_app(context, access_from(os.environ), address_header=os.environ.get("POLYFLEET_ADDRESS_HEADER", ""))


@serve.ingress()
class HubReplica:
    """The one replica that holds all WebSocket and Socket.IO clients."""

    def __serve_build_asgi_app__(self) -> Any:
        """Return the application, in the replica."""
        from supervisor.api.access import access_from
        from supervisor.api.asgi import hub_app

        return hub_app(remote.ledger(), access_from(os.environ))


def rest(args: FleetArgs) -> serve.Application:
    """Build the REST application."""
    config = provision(args)
    launch_supervisor(config)
    return serve.deployment(name="rest")(RestReplica).bind(config)


def hub(args: dict[str, Any]) -> serve.Application:
    """Build the hub."""
    return serve.deployment(name="hub")(HubReplica).bind()
