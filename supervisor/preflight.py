"""The checks of `polyfleet up` before anything is started: options, files, ports, data directory."""

import os
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from actors.forecasting.settings import llm_settings_from
from actors.ledger.retention import retention_from
from actors.paper.settings import paper_settings_from
from actors.sandbox import recorded_world, recording
from actors.sandbox.service import FUNDS
from actors.settings import heartbeat_from
from actors.storage.engine import shown
from actors.telegram.settings import telegram_settings_from
from actors.venue_settings import venue_from
from agents.errors import InvalidInput
from agents.money import text
from agents.spec import AgentSpec
from supervisor.api.access import access_from, digested
from supervisor.api.places import places_from
from supervisor.api.rate_limits import limits_from
from supervisor.api.seed_routes import defaults_from
from supervisor.data_directory import DataDirectory
from supervisor.fleet_args import FleetArgs, default_fleet, usable
from supervisor.fleet_file import read_fleet
from supervisor.live import check_consent, check_named
from supervisor.log_claim import claim_log, is_local, log_url

_MODES = ("sandbox", "paper", "live")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class UpOptions:
    """The options of the command."""

    mode: str
    fleet: Path | None
    markets: Path | None
    start: str | None
    speed: float | None
    seed: int
    host: str
    port: int
    data_dir: Path
    address: str | None


def check(options: UpOptions) -> tuple[FleetArgs, list[str]]:
    """Return how the fleet is to be set up, and lines for the user.

    Raises:
        InvalidInput: if an option or a file is wrong.
        Conflict: if a fleet runs on the data directory.
    """
    _check_mode(options.mode, options.data_dir)
    _check_simulation(options)
    venue_from(os.environ, options.mode)
    _check_host(options.host)
    settings = (access_from, limits_from, places_from, defaults_from, retention_from, telegram_settings_from, heartbeat_from)
    for read in settings:
        read(os.environ)
    if options.speed is not None and not 0 < options.speed <= 1_000_000:
        raise InvalidInput(f"--speed: {options.speed:g} is not possible; expected venue seconds per wall second, such as 60")
    if options.start is not None:
        _check_start(options.start)
    llm_settings_from(os.environ)
    fleet = (options.fleet or default_fleet()).resolve()
    specs = read_fleet(fleet)
    directory = DataDirectory(usable(options.data_dir))
    directory.check_mode(options.mode)
    notes = []
    url = log_url(directory)
    local = is_local(directory, url)
    if directory.used or not local:
        claim_log(directory, url)
    if not local:
        as_before = "" if os.environ.get("DATABASE_URL") else ", as before: DATABASE_URL is not set"
        notes.append(f"the log is in {shown(url)}{as_before}")
    if directory.used:
        named = {"--markets": options.markets, "--start": options.start, "--seed": options.seed or None}
        if ignored := [name for name, value in named.items() if value is not None]:
            notes.append(f"{', '.join(ignored)} ignored: the venue in {directory.path} goes on where it stopped")
    else:
        _check_budgets(specs, fleet, options.mode)
    if not directory.used and options.markets is not None:
        for _ in recording.read(str(options.markets)):
            pass
    with directory.locked():
        directory.refuse_running()
    if options.address is None:
        # A cluster that is joined may have a Serve that listens there.
        _check_port(options.host, options.port)
    return (
        FleetArgs(
            data_dir=directory.path,
            mode=options.mode,
            fleet=fleet,
            markets=options.markets.resolve() if options.markets else None,
            start=options.start,
            speed=options.speed,
            seed=options.seed,
        ),
        notes,
    )


def _check_budgets(specs: Sequence[AgentSpec], fleet: Path, mode: str) -> None:
    """Refuse agents that are given more than their wallet has in a new sandbox or paper account."""
    funds = paper_settings_from(os.environ).cash
    if mode == "live":
        return
    remedy = ""
    if mode == "sandbox":
        funds, whose = FUNDS, "a wallet of the sandbox"
    else:
        whose, remedy = "a wallet of paper mode", "; set POLYFLEET_PAPER_CASH"
    given: Counter[str] = Counter()
    for spec in specs:
        given[spec.wallet] += spec.budget_micro
        if given[spec.wallet] > funds:
            raise InvalidInput(
                f"fleet file {fleet}: agent {spec.id}: budget: the agents of wallet {spec.wallet} are given more than the "
                f"{text(funds)} pUSD that {whose} has{remedy}"
            )


def _check_mode(mode: str, data_dir: Path) -> None:
    if mode not in _MODES:
        raise InvalidInput(f"--mode: there is no mode {mode!r}; expected {', '.join(_MODES)}")
    if mode == "live":
        check_named(os.environ, data_dir)
        check_consent(os.environ)


def _check_simulation(options: UpOptions) -> None:
    """Refuse options of the simulated venue where there is none."""
    given = {
        "--markets": options.markets is not None,
        "--start": options.start is not None,
        "--speed": options.speed is not None,
        "--seed": bool(options.seed),
    }
    if options.mode != "sandbox" and (names := [name for name, used in given.items() if used]):
        raise InvalidInput(f"{', '.join(names)}: for the sandbox only; --mode {options.mode} has real markets and time")


def _check_start(start: str) -> None:
    try:
        recorded_world.start_of(start)
    except ValueError as error:
        raise InvalidInput(f"--start: {error}") from None


def _check_host(host: str) -> None:
    if host not in _LOOPBACK and not any(digested(os.environ).values()):
        raise InvalidInput(f"--host: {host} can be reached by others; set POLYFLEET_API_TOKEN first, or use 127.0.0.1")


def _check_port(host: str, port: int) -> None:
    try:
        with socket.create_server((host, port), reuse_port=False):
            return
    except OSError as error:
        raise InvalidInput(f"--port: {port} on {host} cannot be used ({error.strerror}); choose another with --port") from None
