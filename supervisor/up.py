"""`polyfleet up`: starts a fleet, shows how it comes up, stays with it, and ends everything that it started."""

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
import yaml
from rich.console import Console

from actors.config import SystemConfig
from actors.venue_settings import as_variables, venue_from
from agents.errors import PolyfleetError, Unavailable
from supervisor import errand, farewell, ray_cluster
from supervisor.api.access import digested
from supervisor.data_directory import DataDirectory, Run
from supervisor.fleet_args import FleetArgs
from supervisor.live import admit
from supervisor.log_claim import log_url, remember_log
from supervisor.preflight import UpOptions, check
from supervisor.secrets import leave_providers, leave_telegram, without_secrets

out = Console(highlight=False, soft_wrap=True)

#: Seconds for the fleet to become ready.
_READY_TIMEOUT = 300.0
_LOOK = 0.25

#: Settings of the API that bear the seed's names.
_SEED_SETTINGS = ("FRONTEND_URL", "MAX_TRADE_AMOUNT", "MIN_CONFIDENCE")

_MODES = {
    "sandbox": "the sandbox: venue, markets and money are simulated",
    "paper": "paper mode: real prices, simulated orders, fills and money; no order leaves this machine, no key is read",
    "live": "LIVE mode: real orders with real money, which can be lost",
}

#: What `/ready` waits for, and the line that tells that it is there.
_WAITS = {"log": "the log is read", "wallets": "wallets are reconciled with the venue", "agents": "agents were started"}


def up(options: UpOptions) -> int:
    """Run a fleet until a signal ends it; return the exit code.

    Raises:
        InvalidInput: if an option, or a file that it names, is wrong; nothing was started then.
        Conflict: if a fleet runs on the data directory already, or paper or live mode is refused.
    """
    args, notes = check(options)
    directory = DataDirectory(args.data_dir)
    admit(args, new=not directory.used)
    with directory.locked():
        remember_log(directory, log_url(directory))
        fleet = _Fleet(options, args, directory)
        for note in notes:
            out.print(note)
        return fleet.run()


class _Interrupt(Exception):
    """Raised in the main thread by the first signal that ends the fleet."""


class _Fleet:
    def __init__(self, options: UpOptions, args: FleetArgs, directory: DataDirectory) -> None:
        self._options = options
        self._args = args
        self._directory = directory
        self._url = f"http://{options.host if options.host != '0.0.0.0' else '127.0.0.1'}:{options.port}"  # noqa: S104
        self._dashboard = ""
        self._began = time.monotonic()

    def run(self) -> int:
        """Start, stay, end."""
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, _interrupt)
        code = 0
        try:
            self._start()
            self._show()
            self._stay()
        except _Interrupt:
            out.print("\nstopping: agents finish their round and cancel their orders")
        except PolyfleetError as error:
            sys.stderr.write(f"polyfleet: {error}\n")
            code = 1
        finally:
            for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(name, _hurry)
            self._end()
        return code

    def _start(self) -> None:
        out.print(f"polyfleet in {_MODES[self._args.mode]}; data in {self._options.data_dir}")
        environment = self._settings()
        serve_config = self._serve_config()
        address = self._options.address
        if address is not None:
            # A cluster that others started has its own environment: the API's settings go with the applications, and a
            # database that it may name is not this fleet's.
            for application in serve_config["applications"]:
                application["runtime_env"] = {"env_vars": environment | {"DATABASE_URL": ""}}
        else:
            self._say("starting Ray")
            ray_cluster.prepare(self._directory.path)
            environment |= ray_cluster.environment(self._directory.path)
            address = ray_cluster.start(self._directory.path, environment)
        run = Run(self._url, address, "", joined=self._options.address is not None)
        self._directory.remember(run)
        config = SystemConfig(str(self._directory.path))
        leave_providers(config, os.environ)
        leave_telegram(config, os.environ)
        self._say("starting supervisor, log, venue, feed, brokers and API")
        self._dashboard = errand.launch(self._directory.path, environment, address, serve_config)
        self._directory.remember(replace(run, dashboard=self._dashboard))
        self._until_ready()

    def _settings(self) -> dict[str, str]:
        """Return the settings of the API's processes: they are given the tokens' digests, not the tokens."""
        names = [name for name in os.environ if name.startswith("POLYFLEET_") or name in _SEED_SETTINGS]
        given = without_secrets({name: os.environ[name] for name in names})
        hosts = os.environ.get("POLYFLEET_ALLOWED_HOSTS", "")
        venue = venue_from(os.environ, self._args.mode)
        return given | {
            **(as_variables(venue) if venue else {}),
            **digested(os.environ),
            "POLYFLEET_ALLOWED_HOSTS": ",".join(name for name in (hosts, self._options.host) if name),
        }

    def _serve_config(self) -> dict[str, Any]:
        content: dict[str, Any] = yaml.safe_load(_packaged("serve_config.yaml").read_text())
        content["http_options"] |= {"host": self._options.host, "port": self._options.port}
        for application in content["applications"]:
            if "data_dir" in application["args"]:
                application["args"] = self._args.model_dump(mode="json")
        return content

    def _until_ready(self) -> None:
        said: set[str] = set()
        deadline = time.monotonic() + _READY_TIMEOUT
        while time.monotonic() < deadline:
            found = self._asked()
            for name, sentence in _WAITS.items():
                if found and found[name] and name not in said:
                    said.add(name)
                    self._say(sentence)
            if found and found["ready"]:
                return
            self._watch_processes()
            time.sleep(_LOOK)
        raise Unavailable(f"the fleet was not ready within {_READY_TIMEOUT:g} s; its logs are in {self._directory.path}/logs")

    def _asked(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = httpx.get(f"{self._url}/ready", timeout=5.0).json()
        except (httpx.HTTPError, ValueError):
            return None
        return found if "ready" in found else None

    def _show(self) -> None:
        out.print(f"ready after {time.monotonic() - self._began:.0f} s")
        out.print(f"  dashboard      {self._url}/dashboard/")
        out.print(f"  API            {self._url}")
        out.print(f"  documentation  {self._url}/docs")
        out.print(f"  hub            {self._url.replace('http', 'ws', 1)}/ws  (Socket.IO and plain WebSocket)")
        token = "" if self._options.address else f"  (its token is in {self._options.data_dir}/ray_token)"
        out.print(f"  Ray dashboard  {self._dashboard}{token}")
        out.print("Ctrl-C stops the agents, cancels their orders and ends everything that was started here.")

    def _stay(self) -> None:
        while True:
            time.sleep(1.0)
            self._watch_processes()

    def _watch_processes(self) -> None:
        if self._options.address is None and not ray_cluster.processes(self._directory.path):
            raise Unavailable(f"the fleet's processes are gone; their logs are in {self._directory.path}/logs")

    def _end(self) -> None:
        count = farewell.end(self._directory)
        out.print(f"stopped; {count} processes ended" if count else "stopped")

    def _say(self, sentence: str) -> None:
        out.print(f"  {time.monotonic() - self._began:5.1f} s  {sentence}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise _Interrupt


def _hurry(number: int, frame: FrameType | None) -> None:
    out.print("it is stopping already; a moment")


def _packaged(name: str) -> Path:
    """Return a file that lies beside the packages in a checkout, and in this one when it is installed."""
    beside = Path(__file__).parent.parent / name
    return beside if beside.is_file() else Path(__file__).with_name(name)
