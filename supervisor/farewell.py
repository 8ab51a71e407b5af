"""The end of a fleet: agents stop and cancel their orders, then every process ends."""

import logging

from agents.errors import Unavailable
from supervisor import errand, ray_cluster
from supervisor.data_directory import DataDirectory

log = logging.getLogger(__name__)


def end(directory: DataDirectory) -> int:
    """End the fleet of a data directory; return how many processes were ended."""
    run = directory.last_run()
    if run is not None and (run.joined or ray_cluster.processes(directory.path)):
        environment = {} if run.joined else ray_cluster.environment(directory.path)
        try:
            errand.stop(directory.path, environment, run.ray_address, withdraw=run.joined)
        except Unavailable as error:
            log.warning("the agents could not be stopped in good order, their orders stay until the next start: %s", error)
        if run.joined:
            directory.forget()
    return ray_cluster.end(directory.path)
