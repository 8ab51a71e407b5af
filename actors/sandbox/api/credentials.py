"""Who is asking: sign-in by a wallet's signature (L1), every private request by a key's HMAC (L2), both really checked."""

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Any
from uuid import uuid4

from actors.sandbox.api.eip712 import sign_in_signer
from actors.sandbox.api.messages import Call, Operation
from actors.sandbox.api.written import ADDRESS
from actors.sandbox.records import Credentials, Refused
from actors.sandbox.venue import Venue

#: Wall seconds by which a signed timestamp may differ from the venue's.
_TOLERANCE = 60


class Authentication:
    """Checks both levels and hands out API keys."""

    def __init__(self, venue: Venue) -> None:
        self._exchange = venue.exchange

    def operations(self) -> tuple[Operation, ...]:
        """Return the operations on API keys."""
        return (
            Operation("POST", "/auth/api-key", self.create),
            Operation("GET", "/auth/derive-api-key", self.derive),
            Operation("GET", "/auth/api-keys", self.keys),
            Operation("DELETE", "/auth/api-key", self.delete),
            Operation("GET", "/auth/ban-status/closed-only", self.closed_only),
        )

    def require(self, call: Call) -> Credentials:
        """Return the credentials that signed a request. Raises Refused (401) if none of ours did."""
        headers = call.headers
        credentials = self._exchange.credentials_of_key(headers.get("poly_api_key", ""))
        timestamp = headers.get("poly_timestamp", "")
        if (
            credentials is None
            or credentials.address != headers.get("poly_address", "").lower()
            or not same(credentials.passphrase, headers.get("poly_passphrase", ""))
            or not self.fresh(timestamp)
            or not same(hmac_of(credentials.secret, timestamp, call), headers.get("poly_signature", ""))
        ):
            raise Refused("Unauthorized/Invalid api key", 401)
        return credentials

    def of_channel(self, auth: Any) -> Credentials | None:
        """Return the credentials that a user channel was opened with, or None if they are not ours."""
        if not isinstance(auth, dict):
            return None
        credentials = self._exchange.credentials_of_key(str(auth.get("apiKey") or ""))
        if (
            credentials is None
            or not same(credentials.secret, str(auth.get("secret") or ""))
            or not same(credentials.passphrase, str(auth.get("passphrase") or ""))
        ):
            return None
        return credentials

    def create(self, call: Call) -> Any:
        """Give a wallet an API key. One that has one for this nonce is refused (400): it is to derive it."""
        address, nonce = self._signed_in(call)
        if self._find(address, nonce):
            raise Refused("Could not create api key")
        credentials = Credentials(
            address=address,
            api_key=str(uuid4()),
            secret=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            passphrase=secrets.token_hex(32),
            nonce=nonce,
        )
        self._exchange.put_credentials(credentials)
        return _shown(credentials)

    def derive(self, call: Call) -> Any:
        """Return the API key that a wallet was given for a nonce."""
        credentials = self._find(*self._signed_in(call))
        if credentials is None:
            raise Refused("Could not derive api key!")
        return _shown(credentials)

    def keys(self, call: Call) -> Any:
        """Return the API keys of a wallet."""
        address = self.require(call).address
        return {"apiKeys": [credentials.api_key for credentials in self._exchange.credentials(address)]}

    def delete(self, call: Call) -> Any:
        """Forget the API key that signed this request."""
        self._exchange.delete_credentials(self.require(call).api_key)
        return "OK"

    def closed_only(self, call: Call) -> Any:
        """Say that nobody here is restricted to closing."""
        self.require(call)
        return {"closed_only": False}

    def _signed_in(self, call: Call) -> tuple[str, int]:
        headers = call.headers
        address, timestamp = headers.get("poly_address", ""), headers.get("poly_timestamp", "")
        nonce = headers.get("poly_nonce", "0")
        try:
            signature = bytes.fromhex(headers.get("poly_signature", "").removeprefix("0x"))
            valid = (
                ADDRESS.fullmatch(address) is not None
                and self.fresh(timestamp)
                and nonce.isdecimal()
                and sign_in_signer(address, timestamp, int(nonce), signature) == address.lower()
            )
        except (ValueError, OverflowError):
            valid = False
        if not valid:
            raise Refused("Invalid L1 Request headers", 401)
        return address.lower(), int(nonce)

    def _find(self, address: str, nonce: int) -> Credentials | None:
        return next((found for found in self._exchange.credentials(address) if found.nonce == nonce), None)

    def fresh(self, timestamp: str) -> bool:
        """Whether a signed timestamp is of about now."""
        return timestamp.isdecimal() and abs(int(timestamp) - self._exchange.floor.wall()) <= _TOLERANCE


def _shown(credentials: Credentials) -> dict[str, str]:
    return {"apiKey": credentials.api_key, "secret": credentials.secret, "passphrase": credentials.passphrase}


def hmac_of(secret: str, timestamp: str, call: Call) -> str:
    """Return the HMAC of a request by a key's secret, or "" for a secret that is none."""
    try:
        key = base64.urlsafe_b64decode(secret)
    except binascii.Error:
        return ""
    message = f"{timestamp}{call.method}{call.path}".encode() + call.body
    return base64.urlsafe_b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


def same(first: str, second: str) -> bool:
    """Compare two secrets; an empty one is like no other."""
    return bool(first) and hmac.compare_digest(first.encode(), second.encode())
