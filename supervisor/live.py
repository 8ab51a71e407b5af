"""Live mode: asked for twice, its wallets and their keys, and the checks that it must pass before an order is sent."""

import asyncio
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.brokerage.wallet_key import WalletKey, read_key_file
from actors.private_file import write_private
from actors.venue_settings import venue_from
from agents.errors import Conflict, InvalidInput
from agents.money import Micro
from agents.ports import Wallet
from agents.spec import AgentSpec
from supervisor.data_directory import DataDirectory
from supervisor.fleet_args import FleetArgs, default_fleet
from supervisor.fleet_file import read_fleet

if TYPE_CHECKING:
    from actors.polymarket.examination import Finding

#: What POLYFLEET_LIVE must say: asked for twice, nobody trades by a slip.
CONSENT = "yes-with-real-money"

#: The seed's variable with the key of wallet `main`.
KEY = "POLYGON_WALLET_PRIVATE_KEY"

_MAIN = "main"


@dataclass(frozen=True, slots=True)
class Keyring:
    """The wallets of a live fleet, and the private keys of those for which there is no file of their own yet."""

    wallets: tuple[Wallet, ...]
    given: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Keyring({[wallet.name for wallet in self.wallets]})"


def check_consent(environment: Mapping[str, str]) -> None:
    """Raise InvalidInput unless the environment too says that this is about real money."""
    if environment.get("POLYFLEET_LIVE") != CONSENT:
        raise InvalidInput(
            f"--mode: live trades with real money; set POLYFLEET_LIVE={CONSENT} too if you mean it, or use --mode paper"
        )


def check_named(environment: Mapping[str, str], data_dir: Path) -> None:
    """Raise InvalidInput if no key is named at all, neither now nor at an earlier start."""
    if not (environment.get(KEY) or environment.get("POLYFLEET_WALLETS") or _list(data_dir).exists()):
        raise InvalidInput(f"--mode: live needs a wallet's key; set {KEY} or POLYFLEET_WALLETS, or use --mode paper")


def keyring_from(environment: Mapping[str, str], names: Iterable[str], data_dir: Path) -> Keyring:
    """Return the wallets that the agents name, found by the settings.

    POLYGON_WALLET_PRIVATE_KEY is the key of `main`, and POLYFLEET_WALLET says which of its wallets that is: eoa (the
    default), proxy, safe, deposit, or an address. POLYFLEET_WALLETS has key files, `name=file` or `name=file:which`.

    Raises:
        InvalidInput: if a wallet has no key, a file is wrong, or the wallet is none of its key's.
    """
    from actors.polymarket.wallets import wallet_of

    wallets: dict[str, Wallet] = {}
    given: dict[str, str] = {}
    if private := environment.get(KEY):
        which = environment.get("POLYFLEET_WALLET") or "eoa"
        private = private if private.startswith("0x") else f"0x{private}"
        try:
            address = wallet_of(private, which)
        except InvalidInput as error:
            raise InvalidInput(f"{KEY}, POLYFLEET_WALLET: {error}") from None
        wallets[_MAIN] = Wallet(_MAIN, address, str(_own_file(data_dir, _MAIN)))
        given[_MAIN] = private
    for name, file, which in _files(environment.get("POLYFLEET_WALLETS", "")):
        if name in wallets:
            raise InvalidInput(f"POLYFLEET_WALLETS: wallet {name} has a key already; give it one")
        key = read_key_file(name, file)
        try:
            address = wallet_of(key.private, which or key.address or "eoa")
            wallets[name] = Wallet(name, address, str(Path(file).absolute()))
        except InvalidInput as error:
            raise InvalidInput(f"POLYFLEET_WALLETS: {name}: {error}") from None
    for name in sorted(names):
        if name not in wallets and _own_file(data_dir, name).exists():
            # What an earlier start was given; its address is in it.
            own = str(_own_file(data_dir, name))
            wallets[name] = Wallet(name, read_key_file(name, own).address, own)
        if name not in wallets:
            where = f"{KEY}, or POLYFLEET_WALLETS={name}=<file>" if name == _MAIN else f"POLYFLEET_WALLETS={name}=<file>"
            raise InvalidInput(f"--mode: live needs a key for wallet {name}; set {where}, or use --mode paper")
    return Keyring(tuple(wallets.values()), given)


def _files(setting: str) -> list[tuple[str, str, str]]:
    found = []
    for part in filter(None, (part.strip() for part in setting.split(","))):
        name, sign, rest = part.partition("=")
        file, colon, which = rest.rpartition(":")
        if not (name.strip() and sign and rest):
            raise InvalidInput("POLYFLEET_WALLETS: expected name=file or name=file:which, commas between")
        found.append((name.strip(), file if colon else rest, which if colon else ""))
    return found


def _own_file(data_dir: Path, name: str) -> Path:
    return data_dir / "wallets" / f"{name}.json"


def leave_keys(keyring: Keyring, data_dir: Path) -> None:
    """Leave the given keys to the brokers, in files that only they open, and the names and addresses to everybody."""
    for wallet in keyring.wallets:
        if key := keyring.given.get(wallet.name):
            file = Path(wallet.key_file)
            file.parent.mkdir(mode=0o700, exist_ok=True)
            write_private(file, json.dumps(_beside(file, key) | {"privateKey": key, "address": wallet.address}))
    write_private(_list(data_dir), json.dumps([asdict(wallet) for wallet in keyring.wallets]))


def _beside(file: Path, key: str) -> dict[str, Any]:
    """Return what a wallet's own file holds beside this private key, such as a key for the relayer that somebody put there."""
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) and content.get("privateKey") == key else {}


def _keys(keyring: Keyring, wallet: Wallet) -> WalletKey:
    """Return a wallet's keys; of one whose private key was given, its file may hold a key for the relayer."""
    given = keyring.given.get(wallet.name)
    if given is None or _beside(Path(wallet.key_file), given):
        return read_key_file(wallet.name, wallet.key_file)
    return WalletKey(given, wallet.address)


def known_wallets(data_dir: Path) -> tuple[Wallet, ...]:
    """Return the wallets that the last `up` left. Raises InvalidInput if none did."""
    try:
        return tuple(Wallet(**fields) for fields in json.loads(_list(data_dir).read_text()))
    except (OSError, ValueError, TypeError):
        raise InvalidInput(f"{_list(data_dir)} cannot be read; start the fleet with `polyfleet up --mode live`") from None


def _list(data_dir: Path) -> Path:
    return data_dir / "live_wallets.json"


def admit(args: FleetArgs, *, new: bool) -> None:
    """See to it that a fleet in paper or live mode may start, and leave its keys to the brokers alone.

    The environment of this process has no key any more then.

    Raises:
        InvalidInput: if a setting or a key file is wrong.
        Conflict: if a check fails; each that does is told on stderr, with what to do.
    """
    try:
        if args.mode == "sandbox":
            return
        specs = read_fleet(args.fleet or default_fleet())
        names = {spec.wallet for spec in specs}
        keyring = keyring_from(os.environ, names, args.data_dir) if args.mode == "live" else None
        findings = examine(os.environ, args.mode, keyring, specs, new=new)
        wrong = [finding for finding in findings if not finding.ok]
        for finding in findings:
            if finding.remedy:
                sys.stderr.write(f"polyfleet: {finding}\n")
        if wrong:
            again = f"`polyfleet doctor --mode {args.mode}` looks again"
            raise Conflict(f"--mode {args.mode} is refused: {len(wrong)} of {len(findings)} checks failed; {again}")
        if keyring is not None:
            leave_keys(keyring, args.data_dir)
    finally:
        os.environ.pop(KEY, None)


def look(mode: str, data_dir: Path, fleet: Path | None) -> "list[Finding]":
    """Look at what a mode needs, as `admit` does, with no fleet and without leaving anything. Raises InvalidInput."""
    if mode not in ("paper", "live"):
        raise InvalidInput(f"--mode: {mode!r} is not possible; expected paper or live")
    specs = read_fleet(fleet or default_fleet())
    names = {spec.wallet for spec in specs}
    keyring = keyring_from(os.environ, names, data_dir.absolute()) if mode == "live" else None
    new = not (data_dir.is_dir() and DataDirectory(data_dir.absolute()).used)
    return examine(os.environ, mode, keyring, specs, new=new)


def examine(
    environment: Mapping[str, str], mode: str, keyring: Keyring | None, specs: Sequence[AgentSpec], *, new: bool
) -> "list[Finding]":
    """Look at all that must be right; nothing is changed. Balances are held against the budgets of a `new` fleet.

    Raises:
        InvalidInput: if a setting is wrong or a key file cannot be used.
    """
    from actors.polymarket.environment import POLYMARKET
    from actors.polymarket.examination import examine_venue, examine_wallet

    endpoints = venue_from(environment, mode) or POLYMARKET

    async def look() -> "list[Finding]":
        geoblock = environment.get("POLYFLEET_GEOBLOCK_URL", "")
        found = await examine_venue(endpoints, trading=mode == "live", geoblock=geoblock)
        if not all(finding.ok for finding in found):
            return found  # A key is used with a venue that is as it should be.
        for wallet in keyring.wallets if keyring else ():
            assert keyring is not None
            key = _keys(keyring, wallet)
            found += await examine_wallet(
                endpoints,
                name=wallet.name,
                address=wallet.address,
                private_key=key.private,
                gasless=key.gasless,
                needed=_budgets(specs, wallet.name) if new else None,
            )
        return found

    return asyncio.run(look())


def _budgets(specs: Sequence[AgentSpec], wallet: str) -> Micro:
    return sum(spec.budget_micro for spec in specs if spec.wallet == wallet)
