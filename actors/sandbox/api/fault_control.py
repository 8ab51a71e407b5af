"""`/sandbox/faults`: switches faults on and off while the venue runs. No part of Polymarket's API."""

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from actors.sandbox.named_faults import KNOWN, NamedFaults
from agents.errors import InvalidInput


class FaultControl:
    """GET says what can go wrong and what does; POST {NAME: VALUE} switches ("" the default, null off); DELETE clears."""

    def __init__(self, faults: NamedFaults) -> None:
        self._faults = faults

    async def serve(self, request: Request) -> Response:
        """Serve a request."""
        if request.method == "DELETE":
            self._faults.clear()
        elif request.method == "POST":
            try:
                self._faults.switch(_wanted(await request.body()))
            except InvalidInput as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(
            {
                "on": self._faults.values,
                "struck": dict(self._faults.struck),
                "known": {name: f"{known.does} ({known.kind}, {known.default or 'once'})" for name, known in KNOWN.items()},
            }
        )


def _wanted(body: bytes) -> dict[str, object]:
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise InvalidInput('expected a JSON object such as {"restart": "5", "timeout-after": 0.1}')
    return content
