"""What a wallet does on the chain: paying out the shares of resolved markets."""

from dataclasses import dataclass

from polymarket import AsyncSecureClient
from polymarket.models.data.activity import RedeemActivity

from agents.money import Micro, micro


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
