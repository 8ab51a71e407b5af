"""A markets file made up for tests, in the format of recorded markets."""

import gzip
import json
from pathlib import Path
from typing import Any

DAY = 86_400
#: 2025-11-01 00:00 UTC.
FIRST = 1_761_955_200


def recorded(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A market that opens on day `number`, moves daily and resolves to Yes at noon of its fifth day."""
    opens = FIRST + number * DAY
    prices = [0.5, 0.6, 0.97, 0.99, 0.995]
    row: dict[str, Any] = {
        "condition_id": f"0x{number:064x}",
        "gamma_market_id": f"{500 + number}",
        "question": f"Will test {number} pass?",
        "description": "A test.",
        "open": "N/A",
        "close": "2025-12-31T12:00:00+00:00",
        "resolved_at": opens + 4 * DAY + DAY // 2,
        "winning_outcome": "Yes",
        "outcomes": {
            label: {
                "token_id": f"{number}{leg}",
                "history": [
                    {"t": opens + day * DAY, "p": round(abs(leg - price), 4)} for day, price in enumerate([*prices, 1.0])
                ],
            }
            for leg, label in enumerate(("Yes", "No"))
        },
    }
    return row | changes


def write(path: Path, *rows: dict[str, Any]) -> str:
    """Write a markets file, gzipped if its name says so."""
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return str(path)
