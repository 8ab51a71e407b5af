"""The commands about a wallet's books."""

from typing import TYPE_CHECKING, Annotated

import typer

from agents.errors import Conflict, NotFound
from agents.money import micro, text
from supervisor.console import Json, Token, Url, client, confirm, line, out, print_json

if TYPE_CHECKING:
    from supervisor.api.fleet_routes import WalletCheck


def adjust(
    wallet: Annotated[str, typer.Argument(help="The wallet's name.")],
    reason: Annotated[str, typer.Option(help="How the difference came about; it goes into the log.")],
    agent: Annotated[str | None, typer.Option(help="The agent whose book it goes to; default: nobody's.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Book what the venue holds beyond a wallet's books, or lacks, so that the wallet trades again."""
    api = client(url, token)
    cash, shares = _difference(wallet, api.ledger_check()["wallets"])
    if not as_json:
        for what, amount in [("pUSD", cash), *((f"shares of token {token_id}", size) for token_id, size in shares.items())]:
            line(f"{amount:>16} {what}")
    if not yes:
        confirm(f"Book this to {agent or 'nobody'}?")
    answer = api.adjust(wallet, reason, cash=cash, shares=shares, agent_id=agent)
    if as_json:
        print_json(answer)
    else:
        out.print(f"the books of wallet {wallet} agree with the venue")


def _difference(wallet: str, checks: "list[WalletCheck]") -> tuple[str, dict[str, str]]:
    """Return the cash and the shares by token that the venue holds beyond a wallet's books, as decimal text."""
    found = next((check for check in checks if check["wallet"] == wallet), None)
    if found is None:
        raise NotFound(f"there is no wallet {wallet}; there are {', '.join(check['wallet'] for check in checks) or 'none'}")
    if not found["differences"]:
        raise Conflict(f"the books of wallet {wallet} agree with the venue; there is nothing to adjust")
    beyond = {row.get("tokenId", ""): text(micro(row["venue"]) - micro(row["ledger"])) for row in found["differences"]}
    return beyond.pop("", "0"), beyond
