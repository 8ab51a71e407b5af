"""Keys for the venue's relayer, which sends the transactions of proxies, Safes and deposit wallets and pays their gas."""

from dataclasses import dataclass, field

#: Where there is none, what to do; the wallets of type 0 need none.
REMEDY = (
    "put a relayer key (polymarket.com, Settings, API keys) or a builder key into its key file as relayerKey or builderKey, "
    "or claim at polymarket.com"
)


@dataclass(frozen=True, slots=True)
class RelayerKey:
    """A key of the relayer's own, and the address that it was made for."""

    key: str = field(repr=False)
    address: str


@dataclass(frozen=True, slots=True)
class BuilderKey:
    """A key of the venue's builders, which signs each request; `secret` is base64."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    passphrase: str = field(repr=False)


GaslessKey = RelayerKey | BuilderKey
