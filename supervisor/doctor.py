"""`polyfleet doctor`: what is wrong with a fleet, or in the way of one, and what to do about it."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from supervisor.console import Json, Token, Url, client, line, out, print_json


def doctor(
    mode: Annotated[str | None, typer.Option(help="Look at what this mode needs, paper or live, without a fleet.")] = None,
    data_dir: Annotated[Path, typer.Option(help="With --mode: the data directory.")] = Path("data"),
    fleet: Annotated[Path | None, typer.Option(help="With --mode: the fleet file.")] = None,
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Check the fleet: does it answer, is it ready, do its books equal the venue's, is the venue as trading needs it.

    With --mode it checks, before there is a fleet, what `polyfleet up --mode` would.
    """
    if mode is not None:
        from supervisor.live import look

        found = look(mode, data_dir, fleet)
        _examined([asdict(finding) for finding in found], as_json)
    api = client(url, token)
    health, ready, check = api.health(), api.ready(), api.ledger_check()
    examination = api.examine() if api.fleet()["mode"] != "sandbox" else None
    fine = health["status"] == "ok" and ready["ready"] and check["ok"] and (examination is None or examination["ok"])
    if as_json:
        print_json({"ok": fine, "health": health, "ready": ready, "ledger": check, "checks": examination})
        raise typer.Exit(0 if fine else 1)
    _show(health["status"] == "ok", "the API answers")
    _show(ready["ready"], "wallets reconciled, log followed, enabled agents started" if ready["ready"] else json.dumps(ready))
    for wallet in check["wallets"]:
        cash = f"{wallet['venueCash']} pUSD at the venue, {wallet['ledgerCash']} in the books"
        held = f"{len(wallet['positions'])} positions, {len(wallet['pending'])} fills pending"
        _show(not wallet["differences"], f"wallet {wallet['address']}: {cash}, {held}")
        for difference in wallet["differences"]:
            out.print(f"       {json.dumps(difference)}")
        if wallet["differences"]:
            out.print(f"       {_MISMATCH}")
        if wallet["blocked"]:
            line(f"       {wallet['blocked']}")
    for finding in examination["findings"] if examination else ():
        _tell(finding)
    raise typer.Exit(0 if fine else 1)


_MISMATCH = (
    "Somebody moved this wallet's money or shares outside the fleet, or the venue has not told of a fill yet. Look again in "
    "two minutes: cash that the venue lists as paid in or out is booked by itself, and so is a fill that came late. The rest "
    "is yours to explain and to book with `polyfleet adjust`. Do not trade elsewhere with a fleet's wallet."
)


def _examined(findings: list[dict[str, Any]], as_json: bool) -> None:
    fine = all(finding["ok"] for finding in findings)
    if as_json:
        print_json({"ok": fine, "checks": findings})
    else:
        for finding in findings:
            _tell(finding)
    raise typer.Exit(0 if fine else 1)


def _tell(finding: Mapping[str, Any]) -> None:
    """Show a finding; one that is fine and has a remedy all the same keeps nobody from trading."""
    if finding["remedy"]:
        line(f"{'note' if finding['ok'] else 'FAIL'}   {finding['sentence']}; {finding['remedy']}")
    else:
        _show(finding["ok"], str(finding["sentence"]))


def _show(fine: bool, sentence: str) -> None:
    line(f"{'ok  ' if fine else 'FAIL'}   {sentence}")
