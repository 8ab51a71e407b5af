"""The chain that the venue settles on: its id, the contracts that matter, and which wallets belong to a key."""

from functools import lru_cache

from eth_utils.address import to_checksum_address

# The addresses and the derivation of wallets are facts of the real chain, which the official library knows; it has no
# public way to ask for them.
from polymarket._internal.environment import PRODUCTION_CONFIG
from polymarket._internal.wallet import (
    derive_beacon_deposit_wallet_address,
    derive_proxy_wallet_address,
    derive_safe_wallet_address,
    derive_uups_deposit_wallet_address,
)

CHAIN_ID = PRODUCTION_CONFIG.chain_id
EXCHANGE = PRODUCTION_CONFIG.standard_exchange
NEG_RISK_EXCHANGE = PRODUCTION_CONFIG.neg_risk_exchange
NEG_RISK_ADAPTER = PRODUCTION_CONFIG.neg_risk_adapter
CONDITIONAL_TOKENS = PRODUCTION_CONFIG.conditional_tokens
COLLATERAL = PRODUCTION_CONFIG.collateral_token
DEPOSIT_WALLET_BEACON = PRODUCTION_CONFIG.wallet_derivation.deposit_wallet_beacon
DEPOSIT_WALLET_FACTORY = PRODUCTION_CONFIG.wallet_derivation.deposit_wallet_factory
PROXY_FACTORY = PRODUCTION_CONFIG.wallet_derivation.proxy_factory
SAFE_MULTISEND = PRODUCTION_CONFIG.safe_multisend
RELAY_HUB = PRODUCTION_CONFIG.relay_hub

#: What every account of the venue has approved, without limit: (token, spender or operator).
ERC20_APPROVALS = tuple(
    (COLLATERAL, spender)
    for spender in (
        EXCHANGE,
        NEG_RISK_EXCHANGE,
        PRODUCTION_CONFIG.collateral_adapter,
        PRODUCTION_CONFIG.neg_risk_collateral_adapter,
        PRODUCTION_CONFIG.protocol_v2_router,
        PRODUCTION_CONFIG.exchange_v3,
        PRODUCTION_CONFIG.perps_deposit_contract,
    )
)
ERC1155_APPROVALS = (
    *(
        (CONDITIONAL_TOKENS, operator)
        for operator in (
            EXCHANGE,
            NEG_RISK_EXCHANGE,
            PRODUCTION_CONFIG.collateral_adapter,
            PRODUCTION_CONFIG.neg_risk_collateral_adapter,
            PRODUCTION_CONFIG.auto_redeem_operator,
            PRODUCTION_CONFIG.binary_module,
            PRODUCTION_CONFIG.neg_risk_module,
        )
    ),
    *(
        (PRODUCTION_CONFIG.position_manager, operator)
        for operator in (
            PRODUCTION_CONFIG.protocol_v2_router,
            PRODUCTION_CONFIG.exchange_v3,
            PRODUCTION_CONFIG.auto_redeem_operator,
        )
    ),
)

#: The contracts that accounts call here, lower-case: they hold money and positions, and split, merge and redeem.
CONTRACTS = frozenset(
    contract.lower()
    for contract in (
        COLLATERAL,
        CONDITIONAL_TOKENS,
        NEG_RISK_ADAPTER,
        PRODUCTION_CONFIG.collateral_adapter,
        PRODUCTION_CONFIG.neg_risk_collateral_adapter,
        PRODUCTION_CONFIG.position_manager,
    )
)


#: Which of a signer's `wallets` an order may be of, by signature type.
OF_TYPE = {0: (0,), 1: (1,), 2: (2,), 3: (3, 4)}


@lru_cache(maxsize=4096)
def checksum(address: str) -> str:
    """Write an address in the mixed case that carries its checksum. Raises ValueError for what is none."""
    return str(to_checksum_address(address))


@lru_cache(maxsize=4096)
def wallets(signer: str) -> tuple[str, ...]:
    """Return the accounts that a key may act for, lower-case: itself, its proxy, its safe, its deposit wallets (new, old)."""
    derivation = PRODUCTION_CONFIG.wallet_derivation
    address = checksum(signer)
    found = (
        address,
        derive_proxy_wallet_address(address, derivation),
        derive_safe_wallet_address(address, derivation),
        derive_beacon_deposit_wallet_address(address, derivation),
        derive_uups_deposit_wallet_address(address, derivation),
    )
    return tuple(wallet.lower() for wallet in found)
