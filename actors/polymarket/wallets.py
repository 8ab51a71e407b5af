"""Which wallets belong to a key: its own address, and the contract wallets that the venue derives from it."""

from typing import Literal, get_args

from eth_account import Account
from eth_utils.address import to_checksum_address

# Facts of the chain that the library knows and has no public way to ask for.
from polymarket._internal.environment import PRODUCTION_CONFIG
from polymarket._internal.wallet import (
    derive_beacon_deposit_wallet_address,
    derive_proxy_wallet_address,
    derive_safe_wallet_address,
    derive_uups_deposit_wallet_address,
)

from agents.errors import InvalidInput

#: The kinds of wallet in the words of our settings, with the venue's signature types 0, 1, 2, 3 and 3: the key's own address,
#: the proxy of an account by e-mail, the Safe of a browser wallet, the deposit wallet of a newer account, and its older form.
Kind = Literal["eoa", "proxy", "safe", "deposit", "deposit-old"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def wallets_of(private_key: str) -> dict[Kind, str]:
    """Return the addresses of a key's wallets, whether they exist or not. Raises InvalidInput for what is no key."""
    try:
        signer = str(Account.from_key(private_key).address)
    except (ValueError, TypeError):
        # The library's message may quote the key.
        raise InvalidInput("the private key is none; expected 64 hexadecimal digits") from None
    config = PRODUCTION_CONFIG.wallet_derivation
    return {
        "eoa": signer,
        "proxy": derive_proxy_wallet_address(signer, config),
        "safe": derive_safe_wallet_address(signer, config),
        "deposit": derive_beacon_deposit_wallet_address(signer, config),
        "deposit-old": derive_uups_deposit_wallet_address(signer, config),
    }


def wallet_of(private_key: str, which: str) -> str:
    """Return the address of one of a key's wallets, named by its kind or its address.

    Raises:
        InvalidInput: if it is none of them. The library would take any other address for one that a session key trades for.
    """
    mine = wallets_of(private_key)
    if which in KINDS:
        return mine[which]
    try:
        address = to_checksum_address(which)
    except ValueError:
        raise InvalidInput(f"{which!r} is no wallet; expected {', '.join(KINDS)} or an address") from None
    if address not in mine.values():
        others = ", ".join(f"{kind} {own}" for kind, own in mine.items())
        raise InvalidInput(f"wallet {address} is none of the key's; those are {others}")
    return str(address)


def kind_of(private_key: str, address: str) -> Kind | None:
    """Return which of a key's wallets an address is, or None."""
    return next((kind for kind, own in wallets_of(private_key).items() if own.lower() == address.lower()), None)
