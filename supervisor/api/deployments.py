"""The Serve applications of `serve_config.yaml`: REST, hub and dashboard, each a thin deployment around an ASGI application.

Building either one sees to it that the supervisor runs, so `serve deploy serve_config.yaml` on any cluster gives the system.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import ray
from ray import serve

from actors import naming, remote
from actors.config import SystemConfig
from actors.follower import Follower
from actors.telegram.settings import keep_token
from actors.venue_location import locate
from actors.venue_settings import venue_from
from agents.events import Event
from supervisor.fleet_args import FleetArgs
from supervisor.provision import provision
from supervisor.services import launch_supervisor

if TYPE_CHECKING:
    from supervisor.api.context import FleetContext


@serve.ingress()
class RestReplica:
    """A replica of the REST API."""

    def __init__(self, config: SystemConfig) -> None:
        self._config = config

    def __serve_build_asgi_app__(self) -> Any:
        """Return the application, in the replica."""
        from supervisor.api.access import access_from
        from supervisor.api.asgi import rest_app

        context = _context("rest", self._config)
        return rest_app(context, access_from(os.environ), address_header=os.environ.get("POLYFLEET_ADDRESS_HEADER", ""))


def _context(name: str, config: SystemConfig, on_event: Callable[[Event], None] | None = None) -> "FleetContext":
    """Return what a replica knows, and whom it asks."""
    from supervisor.api.context import FleetContext
    from supervisor.api.rate_limits import RateLimits, limits_from
    from supervisor.api.seed_routes import defaults_from

    replica = ray.get_runtime_context().get_actor_id()
    ledger, supervisor = remote.ledger(), remote.supervisor()
    brokers = [naming.broker(wallet.name) for wallet in config.wallets]
    return FleetContext(
        follower=Follower(ledger, f"{name}:{replica}", on_event),
        ledger=ledger,
        supervisor=supervisor,
        feed=remote.market_feed(),
        notifier=remote.notifier(),
        broker_of=remote.broker_of,
        venue=lambda: locate(config),
        limits=RateLimits(supervisor, limits_from(os.environ)),
        actor_log=remote.log_of,
        ask_queues=lambda: remote.queues(naming.LEDGER, *brokers),
        keep_telegram_token=partial(keep_token, config),
        mode=config.mode,
        defaults=defaults_from(os.environ),
    )


@serve.ingress()
class HubReplica:
    """The one replica that holds all WebSocket and Socket.IO clients."""

    def __serve_build_asgi_app__(self) -> Any:
        """Return the application, in the replica."""
        from supervisor.api import hub_server
        from supervisor.api.access import access_from
        from supervisor.api.asgi import hub_app
        from supervisor.api.places import places_from

        # Serve starts this replica's server after the application is there.
        hub_server.install()
        return hub_app(remote.ledger(), access_from(os.environ), places=places_from(os.environ))


@serve.ingress()
class DashboardReplica:
    """The one replica that holds all open pages."""

    def __init__(self, config: SystemConfig) -> None:
        self._config = config

    def __serve_build_asgi_app__(self) -> Any:
        """Return the application, in the replica."""
        from supervisor.api.access import access_from
        from supervisor.dashboard.app import dashboard_app
        from supervisor.dashboard.watch import Watch

        watch = Watch()
        context = _context("dashboard", self._config, watch.take)
        address_header = os.environ.get("POLYFLEET_ADDRESS_HEADER", "")
        return dashboard_app(watch, context, access_from(os.environ), address_header=address_header)


def rest(args: FleetArgs) -> serve.Application:
    """Build the REST application."""
    config = provision(args)
    launch_supervisor(config)
    return serve.deployment(name="rest")(RestReplica).bind(config)


def hub(args: dict[str, Any]) -> serve.Application:
    """Build the hub."""
    return serve.deployment(name="hub")(HubReplica).bind()


def dashboard(args: FleetArgs) -> serve.Application:
    """Build the dashboard. What it is told is that of the REST application, which makes the fleet."""
    config = SystemConfig(str(args.data_dir.absolute()), args.mode, venue=venue_from(os.environ, args.mode))
    return serve.deployment(name="dashboard")(DashboardReplica).bind(config)
