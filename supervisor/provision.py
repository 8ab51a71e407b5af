"""What a fleet needs before it starts: its data directory, the wallets' key files, the configuration that all services get."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from eth_account import Account

from actors.config import SystemConfig
from actors.paper.settings import paper_address, paper_settings_from
from actors.private_file import write_private
from actors.venue_settings import venue_from
from agents.ports import Wallet
from supervisor.data_directory import DataDirectory
from supervisor.fleet_args import FleetArgs, default_fleet, usable
from supervisor.fleet_file import read_fleet
from supervisor.live import check_consent, known_wallets
from supervisor.log_claim import claim_log, remember_log


def provision(args: FleetArgs) -> SystemConfig:
    """Make the data directory and its key files where they are missing, and return the services' configuration.

    Raises:
        InvalidInput: if directory or database cannot be used, the fleet file is wrong, or live mode was not asked for twice.
    """
    if args.mode == "live":
        check_consent(os.environ)
    data_dir = usable(args.data_dir)
    fleet = (args.fleet or default_fleet()).resolve()
    names = sorted({spec.wallet for spec in read_fleet(fleet)})
    directory = DataDirectory(data_dir)
    directory.keep_mode(args.mode)
    _take_database(directory)
    return SystemConfig(
        data_dir=str(data_dir),
        mode=args.mode,
        wallets=_wallets(args.mode, data_dir, names),
        markets_file=str(args.markets.resolve()) if args.markets else None,
        start=args.start,
        speed=args.speed,
        seed=args.seed,
        fleet_file=str(fleet),
        venue=venue_from(os.environ, args.mode),
        paper=paper_settings_from(os.environ),
        geoblock=os.environ.get("POLYFLEET_GEOBLOCK_URL", ""),
    )


def _take_database(directory: DataDirectory) -> None:
    """Take the database that the environment names, as a cluster's does for `serve deploy`; after `up` it names none."""
    config = SystemConfig(str(directory.path))
    known = config.database_url if config.database_file.exists() else None
    if (url := os.environ.get("DATABASE_URL")) and url != known:
        claim_log(directory, url)
        remember_log(directory, url)


def _wallets(mode: str, data_dir: Path, names: Sequence[str]) -> tuple[Wallet, ...]:
    if mode == "live":
        return known_wallets(data_dir)
    wallet = _sandbox_wallet if mode == "sandbox" else _paper_wallet
    return tuple(wallet(data_dir, name) for name in names)


def _sandbox_wallet(data_dir: Path, name: str) -> Wallet:
    """Return a wallet of the simulated venue; its key is made here and worth nothing anywhere else."""
    file = data_dir / "wallets" / f"{name}.json"
    if not file.exists():
        file.parent.mkdir(mode=0o700, exist_ok=True)
        account = Account.create()
        write_private(file, json.dumps({"privateKey": account.key.to_0x_hex(), "address": account.address}))
    return Wallet(name, json.loads(file.read_text())["address"], str(file))


def _paper_wallet(data_dir: Path, name: str) -> Wallet:
    """Return a wallet of paper mode, for which there is no key."""
    return Wallet(name, paper_address(name), "")
