"""The commands by which a person decides on what waits for him."""

import time
from collections.abc import Callable
from typing import Annotated

import typer

from supervisor.console import Json, Token, Url, client, line, print_json

Id = Annotated[str, typer.Argument(help="The id that `polyfleet approvals` shows.")]


def approvals(url: Url = None, token: Token = None, as_json: Json = False) -> None:
    """Show the trades that wait to be approved or rejected."""
    found = client(url, token).approvals()
    if as_json:
        return print_json(found)
    now = time.time() * 1000
    for trade in found["approvals"]:
        left = max(0, round((trade["expiresAt"] - now) / 1000))
        line(f"{trade['id']}  {trade['agentId']}, for {left} s yet")
        for order in trade["orders"]:
            what = f"{order['side'].lower()} {order['size']} {order['outcome']} @ {order['price']} = {order['amount']} pUSD"
            line(f"  {what}  {order['marketQuestion']}")
            line(f"  {order['confidence']:.0%} sure: {order['reasoning']}")
    return None if found["approvals"] else line("nothing waits to be approved")


def _decision(approve: bool) -> Callable[..., None]:
    def run(id: Id, url: Url = None, token: Token = None, as_json: Json = False) -> None:
        api = client(url, token)
        answer = api.approve(id) if approve else api.reject(id)
        if as_json:
            return print_json(answer)
        line(f"{id} is {'approved' if approve else 'rejected'}")
        for order in answer["orders"]:
            line(f"  order {order['orderId']} is {order['status']}" + (f": {order['reason']}" if order["reason"] else ""))
        return None

    return run


def add_to(app: typer.Typer) -> None:
    """Make them commands of an application."""
    app.command()(approvals)
    app.command("approve", help="Send a trade that waits.")(_decision(True))
    app.command("reject", help="Drop a trade that waits.")(_decision(False))
