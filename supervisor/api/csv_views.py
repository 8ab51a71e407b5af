"""Books and trades as CSV: RFC 4180, UTF-8, amounts as exact decimal text, and no cell that a spreadsheet would run."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from agents.events import Event, Type
from agents.money import micro, text
from supervisor.api.book_views import Portfolio

#: What makes a cell a formula to a spreadsheet, in the first place that is not blank; the last four are the wide forms.
_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")

_BOOKS = (
    *("wallet", "agent", "kind", "market", "outcome", "event", "category", "conditionId", "tokenId", "size", "averagePrice"),
    *("cost", "price", "priceSource", "value", "redeemable", "unrealised", "realised", "fees"),
)
_TRADES = (
    *("seq", "time", "kind", "wallet", "agent", "market", "outcome", "conditionId", "tokenId", "tradeId", "orderId", "txHash"),
    *("price", "size", "amount", "fee", "basis", "realised"),
)

#: The types of event that trades are read from.
TRADE_TYPES = (str(Type.TRADE), str(Type.ORDER), str(Type.RESOLUTION))


def cell(value: object) -> str:
    """Return an untrusted text as a cell that is text to every spreadsheet: one that looks like a formula is quoted by '."""
    shown = "" if value is None else str(value).replace("\x00", "")
    return f"'{shown}" if shown[:1] in _FORMULA or shown.lstrip()[:1] in _FORMULA else shown


def portfolio_csv(found: Portfolio) -> str:
    """Return every book: a line for its cash, and one for each position."""
    rows: list[Mapping[str, object]] = []
    for wallet in found["wallets"]:
        for book in wallet["books"]:
            owner = {"wallet": cell(wallet["wallet"]), "agent": cell(book["agentId"])}
            rows.append(owner | {"kind": "cash", "cost": book["cash"], "value": book["cash"]})
            for held in book["positions"]:
                texts = {
                    "market": held["marketQuestion"],
                    "outcome": held["outcome"],
                    "event": held["eventTitle"],
                    "category": held["category"],
                    "conditionId": held["conditionId"],
                    "tokenId": held["tokenId"],
                }
                figures = {name: held.get(name) for name in _BOOKS[9:]}
                rows.append(owner | {"kind": "position"} | {name: cell(value) for name, value in texts.items()} | figures)
    return header(_BOOKS) + _lines(_BOOKS, rows)


def trades_header() -> str:
    """Return the first line of the trades."""
    return header(_TRADES)


def trades_csv(events: Iterable[Event], wallet: str | None = None, agent: str | None = None) -> str:
    """Return the lines of what moved shares: fills, payouts, and fills that came to nothing; of one wallet or agent, if named.

    `basis` is what the shares had cost that went, first in first out; `realised` is the profit, fee taken off. A fill that
    failed has another line, whose `realised` takes back what the first line said.
    """
    rows = (row for event in events if wallet in (None, event.data.get("wallet")) for row in _movements(event))
    return _lines(_TRADES, (row for row in rows if agent is None or row["agent"] == cell(agent)))


def header(columns: Sequence[str]) -> str:
    """Return a line of names."""
    return ",".join(columns) + "\r\n"


def _movements(event: Event) -> Iterator[dict[str, object]]:
    data = event.data
    if event.type is Type.TRADE and "size" in data:
        basis, realised = data.get("basis", ""), data.get("realised") or f"{data.get('profit') or 0:.6f}"
        size, price = data["size"], data["exactPrice"]
        amount = data.get("cost") or text(micro(size) * micro(price) // 1_000_000)
        figures = {"price": price, "size": size, "amount": amount, "fee": data["fee"], "basis": basis, "realised": realised}
        yield _about(event, str(data["side"]).lower(), event.agent_id) | figures
    elif event.type is Type.ORDER and data.get("tradeStatus") == "failed":
        yield _about(event, "failed", event.agent_id) | {"realised": data.get("realised", "")}
    elif event.type is Type.RESOLUTION and "redeemed" in data:
        for line in data["redeemed"]:
            figures = {
                "size": line["size"],
                "amount": line["payout"],
                "fee": "0",
                "price": data["payouts"].get(line["tokenId"]),
            }
            figures |= {"basis": line.get("basis", ""), "realised": line.get("realised", "")}
            yield _about(event, "redemption", line["agentId"]) | {"tokenId": cell(line["tokenId"])} | figures


def _about(event: Event, kind: str, owner: str | None) -> dict[str, object]:
    data: Mapping[str, Any] = event.data
    at = data.get("timestamp") or event.timestamp
    texts = {name: data.get(name) for name in ("wallet", "outcome", "conditionId", "tokenId", "tradeId", "orderId", "txHash")}
    texts |= {"agent": owner, "market": data.get("marketQuestion") or data.get("market")}
    moment = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    return {"seq": event.seq, "time": moment, "kind": kind} | {name: cell(value) for name, value in texts.items()}


def _lines(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    written = io.StringIO()
    writer = csv.DictWriter(written, columns, restval="")
    writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    return written.getvalue()
