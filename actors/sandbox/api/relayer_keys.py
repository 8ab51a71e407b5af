"""Who may use the relayer: the holder of a signer's relayer key, or of a builder key, whose HMAC is really checked.

Simulated, and simpler than the real venue: a relayer key follows from the signer's address and a secret of this venue, so that
each signer has one that never changes; a builder key is made at the CLOB as there, and may be neither listed nor revoked.
"""

import base64
import hashlib
import hmac
import json
import secrets
from uuid import uuid4

from actors.sandbox.api.credentials import Authentication, hmac_of, same
from actors.sandbox.api.messages import Call, Operation
from actors.sandbox.records import Refused
from actors.sandbox.venue import Venue

_DOCUMENT = "relayer:secret"


def relayer_key(venue: Venue, signer: str) -> str:
    """Return a signer's relayer key."""
    secret = venue.get_document(_DOCUMENT)
    if secret is None:
        secret = secrets.token_hex(32)
        venue.put_document(_DOCUMENT, secret)
    return hmac.new(bytes.fromhex(secret), signer.lower().encode(), hashlib.sha256).hexdigest()


class RelayerKeys:
    """Makes builder keys, and tells whose key signed a request to the relayer."""

    def __init__(self, venue: Venue, authentication: Authentication) -> None:
        self._venue = venue
        self._authentication = authentication

    def operations(self) -> tuple[Operation, ...]:
        """Return the CLOB's operation on builder keys."""
        return (Operation("POST", "/auth/builder-api-key", self.create),)

    def create(self, call: Call) -> dict[str, str]:
        """Give a wallet a builder key."""
        self._authentication.require(call)
        key = {
            "key": str(uuid4()),
            "secret": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "passphrase": secrets.token_hex(32),
        }
        self._venue.put_document(f"builder:{key['key']}", json.dumps(key))
        return key

    def require(self, call: Call) -> str:
        """Return the lower-case signer whose relayer key a request carries, or "" for a builder key, which serves all signers.

        Raises:
            Refused: (401) if it carries neither.
        """
        headers = call.headers
        signer = headers.get("relayer_api_key_address", "").lower()
        if signer and same(relayer_key(self._venue, signer), headers.get("relayer_api_key", "")):
            return signer
        if not self._by_builder(call):
            raise Refused("invalid authorization", 401)
        return ""

    def _by_builder(self, call: Call) -> bool:
        headers = call.headers
        stored = self._venue.get_document(f"builder:{headers.get('poly_builder_api_key', '')}")
        if stored is None:
            return False
        key, timestamp = json.loads(stored), headers.get("poly_builder_timestamp", "")
        return (
            same(key["passphrase"], headers.get("poly_builder_passphrase", ""))
            and self._authentication.fresh(timestamp)
            and same(hmac_of(key["secret"], timestamp, call), headers.get("poly_builder_signature", ""))
        )
