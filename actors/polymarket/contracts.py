"""What a wallet does on the chain: paying out the shares of resolved markets; and what came to it or left it there."""

from dataclasses import dataclass

from polymarket import AsyncSecureClient
from polymarket.models.data.activity import (
    DepositActivity,
    MakerRebateActivity,
    RedeemActivity,
    ReferralRewardActivity,
    RewardActivity,
    TakerRebateActivity,
    WithdrawalActivity,
    YieldActivity,
)
from polymarket.models.data.common import ActivityTypeFilter

from agents.money import Micro, micro

#: Cash that comes to a wallet, or leaves it, without a trade.
_TRANSFERS = (
    DepositActivity,
    WithdrawalActivity,
    RewardActivity,
    MakerRebateActivity,
    TakerRebateActivity,
    ReferralRewardActivity,
    YieldActivity,
)
_TRANSFER_TYPES: tuple[ActivityTypeFilter, ...] = (
    "DEPOSIT",
    "WITHDRAWAL",
    "REWARD",
    "MAKER_REBATE",
    "TAKER_REBATE",
    "REFERRAL_REWARD",
    "YIELD",
)


@dataclass(frozen=True, slots=True)
class Redemption:
    """A payout that the venue reports: the transaction and the pUSD that it brought."""

    tx_hash: str
    cash: Micro


async def redeem(client: AsyncSecureClient, condition_id: str) -> str:
    """Redeem all shares of a resolved market, wait until that is mined and return the transaction's hash."""
    handle = await client.redeem_positions(condition_id=condition_id)
    return str((await handle.wait()).transaction_hash)


async def redemptions(client: AsyncSecureClient, condition_id: str) -> list[Redemption]:
    """Return the payouts of a market that this wallet has had, newest first."""
    pages = client.list_activity(condition_id=condition_id, activity_types=["REDEEM"])
    items = [item async for item in pages.iter_items()]
    return [Redemption(str(item.transaction_hash), micro(item.amount)) for item in items if isinstance(item, RedeemActivity)]


async def transfers(client: AsyncSecureClient, since: int) -> dict[str, Micro]:
    """Return the cash that came to the wallet (negative: left it) without a trade since a wall second, by transaction."""
    found: dict[str, Micro] = {}
    async for item in client.list_activity(activity_types=_TRANSFER_TYPES, start=max(since, 1)).iter_items():
        if isinstance(item, _TRANSFERS):
            sign = -1 if isinstance(item, WithdrawalActivity) else 1
            tx_hash = str(item.transaction_hash)
            found[tx_hash] = found.get(tx_hash, 0) + sign * abs(micro(item.amount))
    return found
