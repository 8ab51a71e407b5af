"""Signs requests as any client of the venue must (L1 and L2), written from the venue's rules rather than from our server."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import httpx
from eth_account import Account

from tests.contract.sandbox.served import Wallet


def sign_in(wallet: Wallet, *, timestamp: int | None = None, nonce: int = 0) -> dict[str, str]:
    """Return the headers of a sign-in (L1)."""
    at = str(int(time.time()) if timestamp is None else timestamp)
    typed = {
        "domain": {"name": "ClobAuthDomain", "version": "1", "chainId": 137},
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
            ],
            "ClobAuth": [
                {"name": "address", "type": "address"},
                {"name": "timestamp", "type": "string"},
                {"name": "nonce", "type": "uint256"},
                {"name": "message", "type": "string"},
            ],
        },
        "primaryType": "ClobAuth",
        "message": {
            "address": wallet.address,
            "timestamp": at,
            "nonce": nonce,
            "message": "This message attests that I control the given wallet",
        },
    }
    signed = Account.from_key(wallet.key).sign_typed_data(full_message=typed)
    return {
        "POLY_ADDRESS": wallet.address,
        "POLY_SIGNATURE": signed.signature.to_0x_hex(),
        "POLY_TIMESTAMP": at,
        "POLY_NONCE": str(nonce),
    }


def signed(
    wallet: Wallet, creds: dict[str, str], method: str, path: str, body: str = "", *, timestamp: int | None = None
) -> dict[str, str]:
    """Return the headers of a private request (L2)."""
    at = str(int(time.time()) if timestamp is None else timestamp)
    message = f"{at}{method}{path}{body}".encode()
    digest = hmac.new(base64.urlsafe_b64decode(creds["secret"]), message, hashlib.sha256).digest()
    return {
        "POLY_ADDRESS": wallet.address,
        "POLY_API_KEY": creds["apiKey"],
        "POLY_PASSPHRASE": creds["passphrase"],
        "POLY_TIMESTAMP": at,
        "POLY_SIGNATURE": base64.urlsafe_b64encode(digest).decode(),
    }


class Signed:
    """One wallet's private requests."""

    def __init__(self, http: httpx.Client, wallet: Wallet) -> None:
        self.http = http
        self.wallet = wallet
        self.creds: dict[str, str] = http.post("/clob/auth/api-key", headers=sign_in(wallet)).json()

    def call(self, method: str, path: str, content: Any = None, **query: str) -> httpx.Response:
        """Send a signed request."""
        body = "" if content is None else json.dumps(content, separators=(",", ":"))
        headers = signed(self.wallet, self.creds, method, path, body)
        return self.http.request(method, "/clob" + path, content=body or None, headers=headers, params=query)
