"""`polyfleet sandbox`: the simulated venue alone, as a local Polymarket for any bot."""

import asyncio
import errno
import json
import logging
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from eth_account import Account

from actors.sandbox.api.relayer_keys import relayer_key
from actors.sandbox.api.server import HOST, Server, listen
from actors.sandbox.named_faults import parse_faults
from actors.sandbox.venue import Venue, VenueConfig
from agents.errors import InvalidInput
from agents.money import ONE, Micro, text

_WALLETS = 2
#: What each wallet is given once: 100,000 pUSD.
_FUNDS: Micro = 100_000 * ONE
_DOCUMENT = "wallets"


def run(
    *, port: int, markets: Path | None, start: str | None, seed: int, speed: float, data_dir: Path | None, faults: str = ""
) -> int:
    """Serve a venue until SIGTERM or Ctrl-C; prints one JSON line on stdout when it is ready, all else on stderr.

    Raises:
        InvalidInput: if the port is in use, or the markets file, start date, speed, data directory or a fault is wrong.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    # Until the event loop takes signals, they end the process in order, the temporary folder included.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    if not speed > 0:
        raise InvalidInput(f"--speed is {speed:g}; a number greater than 0 was expected")
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(port))
        folder = data_dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="polyfleet-sandbox-")))
        config = VenueConfig(
            data_dir=str(folder), markets_file=str(markets) if markets else None, start=start, seed=seed, speed=speed
        )
        venue = Venue(config)
        stack.callback(venue.close)
        venue.faults.switch(parse_faults(faults))
        for note in venue.notes:
            _tell(note)
        wallets = _wallets(venue)
        asyncio.run(_serve(Server(venue, listener), wallets))
    return 0


def _listen(port: int) -> Any:
    try:
        return listen(port)
    except OSError as error:
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise InvalidInput(f"port {port} on {HOST} {reason}; give another --port, or 0 for any free one") from None


def _wallets(venue: Venue) -> list[dict[str, Any]]:
    """Return the venue's own wallets, each as a key file has it too; they are made, and funded, once."""
    stored = venue.get_document(_DOCUMENT)
    if stored is None:
        stored = json.dumps([Account.create().key.to_0x_hex() for _ in range(_WALLETS)])
        venue.put_document(_DOCUMENT, stored)
    keys: list[str] = json.loads(stored)
    funded = set(venue.exchange.addresses())
    addresses = [str(Account.from_key(key).address) for key in keys]
    for address in addresses:
        if address.lower() not in funded:
            venue.exchange.fund(address, _FUNDS)
    wallets = [
        {
            "privateKey": key,
            "address": address,
            "balance": text(venue.exchange.cash(address).total),
            "relayerKey": {"key": relayer_key(venue, address), "address": address},
        }
        for key, address in zip(keys, addresses, strict=True)
    ]
    venue.commit()
    return wallets


async def _serve(server: Server, wallets: list[dict[str, Any]]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    await server.start()
    at = server.endpoints
    ready = at.addresses() | {"wallets": wallets}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    _tell(f"a simulated Polymarket answers at {at.clob_url.removesuffix('/clob')}; Ctrl-C ends it")
    await server.finished()


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
