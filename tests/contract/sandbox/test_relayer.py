"""The relayer of the simulated venue: the official client, unmodified, and what of its requests is really checked."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account
from polymarket import AsyncSecureClient, BuilderApiKey, Environment, RelayerApiKey, TransactionCall, UserInputError
from polymarket._internal.actions.relayer.auth import build_builder_key_headers
from polymarket._internal.actions.relayer.calls import ctf_redeem_positions_call, ctf_split_position_call, erc20_approval_call
from polymarket._internal.actions.relayer.gasless import build_signed_payload_for_wallet_type
from polymarket._internal.environment import create_environment, get_environment_config
from polymarket.errors import RequestRejectedError, TransactionFailedError
from polymarket.models.data.activity import RedeemActivity

from actors.polymarket.environment import environment
from actors.polymarket.wallets import KINDS, Kind, wallet_of
from actors.sandbox.api.chain import COLLATERAL, CONDITIONAL_TOKENS, EXCHANGE
from actors.sandbox.api.relayer_keys import relayer_key
from actors.sandbox.api.server import Server, listen
from actors.sandbox.records import MarketRecord
from actors.sandbox.venue import VenueConfig
from agents.money import ONE
from agents.ports import Endpoints
from tests.contract.sandbox.served import QuietVenue, Served, Wallet, quiet_market

RELAYED = [kind for kind in KINDS if kind != "eoa"]


def key_of(served: Served, signer: Wallet) -> RelayerApiKey:
    key = served.run(lambda _: relayer_key(served.server.venue, signer.address))
    return RelayerApiKey(key=key, address=signer.address)


@asynccontextmanager
async def opened(
    served: Served, kind: Kind, api_key: RelayerApiKey | BuilderApiKey | None = None, *, keyless: bool = False
) -> AsyncIterator[AsyncSecureClient]:
    """A client of a new key's wallet of this kind, with 100 pUSD and, unless it is keyless, the signer's relayer key."""
    signer = served.wallet(0)
    address = wallet_of(signer.key, kind)
    served.run(lambda exchange: exchange.fund(address, 100 * ONE))
    client = await AsyncSecureClient.create(
        private_key=signer.key,
        wallet=address,
        environment=impatient(served.endpoints),
        api_key=None if keyless else api_key or key_of(served, signer),
    )
    async with client:
        yield client


def impatient(endpoints: Endpoints) -> Environment:
    """The venue, asked for a transaction's state more often than every two seconds."""
    config = replace(get_environment_config(environment(endpoints)), relayer_poll_frequency_ms=200)
    return create_environment(name="simulated", config=config)


def holding(served: Served, client: AsyncSecureClient, **changes: object) -> MarketRecord:
    """A resolved market of which the client's wallet holds 10 shares that pay and 10 that do not."""
    record = served.market(**changes)
    served.run(lambda exchange: exchange.split(client.wallet, record.condition_id, 10 * ONE))
    served.run(lambda exchange: exchange.resolve(record.condition_id, (ONE, 0)))
    return record


def cash(served: Served, client: AsyncSecureClient) -> int:
    return served.run(lambda exchange: exchange.cash(client.wallet).total)


def redeem(record: MarketRecord) -> TransactionCall:
    return ctf_redeem_positions_call(
        ctf=CONDITIONAL_TOKENS,  # type: ignore[arg-type]
        collateral=COLLATERAL,  # type: ignore[arg-type]
        condition_id=record.condition_id,
    )


def split(record: MarketRecord, amount: int) -> TransactionCall:
    return ctf_split_position_call(
        target=CONDITIONAL_TOKENS,  # type: ignore[arg-type]
        collateral=COLLATERAL,  # type: ignore[arg-type]
        condition_id=record.condition_id,
        amount=amount,
    )


async def envelope(client: AsyncSecureClient, *calls: TransactionCall) -> dict[str, Any]:
    """What the client would post."""
    return dict(await build_signed_payload_for_wallet_type(client._ctx, calls=list(calls), metadata=""))


class Posting:
    """Posts transactions by hand, with a client's own key."""

    def __init__(self, http: httpx.Client, client: AsyncSecureClient) -> None:
        self._http = http
        assert isinstance(client._ctx.api_key, RelayerApiKey)
        self.headers = {
            "RELAYER_API_KEY": client._ctx.api_key.key,
            "RELAYER_API_KEY_ADDRESS": client._ctx.api_key.address,
        }

    def post(self, content: Any) -> tuple[int, Any]:
        """Return status and answer, the error alone if there is one."""
        answer = self._http.post("/relayer/submit", json=content, headers=self.headers)
        return answer.status_code, answer.json().get("error", answer.json())

    def state(self, id: str) -> dict[str, Any]:
        answer = self._http.get(f"/relayer/v1/account/transactions/{id}", headers=self.headers)
        return dict(answer.json())

    async def end(self, id: str) -> tuple[list[str], dict[str, Any]]:
        """Wait for a transaction's end; return the states that it went through, and how it stands."""
        states: list[str] = []
        async with asyncio.timeout(5):
            while True:
                found = self.state(id)
                if not states or found["state"] != states[-1]:
                    states.append(found["state"])
                if found["state"] in ("STATE_CONFIRMED", "STATE_FAILED"):
                    return states, found
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", RELAYED)
async def test_every_kind_of_wallet_is_paid_out(served: Served, kind: Kind) -> None:
    async with opened(served, kind) as client:
        record = holding(served, client, neg_risk=kind == "safe")
        done = await (await client.redeem_positions(condition_id=record.condition_id)).wait()
        assert cash(served, client) == 100 * ONE
        history = [item async for item in client.list_activity(condition_id=record.condition_id).iter_items()]
        assert isinstance(history[0], RedeemActivity)
        assert (history[0].transaction_hash, history[0].amount) == (done.transaction_hash, 10)
        assert served.run(lambda exchange: exchange.cash(client.signer).total) == 0, "it is the wallet's, not the signer's"


@pytest.mark.parametrize("kind", RELAYED)
async def test_several_calls_are_one_transaction(served: Served, kind: Kind) -> None:
    async with opened(served, kind) as client:
        paid, fresh = holding(served, client), served.market()
        approval = erc20_approval_call(
            token_address=COLLATERAL,  # type: ignore[arg-type]
            spender=EXCHANGE,  # type: ignore[arg-type]
            amount=ONE,
        )
        handle = await client.execute_transaction(calls=[approval, redeem(paid), split(fresh, 40 * ONE)])
        done = await handle.wait()
        assert len(done.transaction_hash) == 66
        assert cash(served, client) == 60 * ONE
        assert served.run(lambda exchange: exchange.shares(client.wallet, fresh.tokens[0]).total) == 40 * ONE


async def test_a_builder_key_made_at_the_venue_serves_too(served: Served, http: httpx.Client) -> None:
    async with opened(served, "proxy") as maker:
        key = await maker.create_builder_api_key()
    async with opened(served, "safe", key) as client:
        record = holding(served, client)
        await (await client.redeem_positions(condition_id=record.condition_id)).wait()
        assert cash(served, client) == 100 * ONE
        content = await envelope(client, redeem(record))
    body = json.dumps(content, separators=(",", ":"))
    right = build_builder_key_headers(creds=key, method="POST", path="/submit", body=body)
    stale = right | {"POLY_BUILDER_TIMESTAMP": str(int(time.time()) - 600)}
    for headers in (stale, right | {"POLY_BUILDER_PASSPHRASE": "another"}, right | {"POLY_BUILDER_API_KEY": "another"}):
        assert http.post("/relayer/submit", content=body, headers=headers).status_code == 401
    assert http.post("/relayer/submit", content=body + " ", headers=right).status_code == 401
    assert http.post("/relayer/submit", content=body, headers=right).status_code == 200


@pytest.mark.parametrize("kind", RELAYED)
async def test_without_a_key_of_its_own_nobody_is_served(served: Served, http: httpx.Client, kind: Kind) -> None:
    async with opened(served, kind, keyless=True) as client:
        record = holding(served, client)
        with pytest.raises(UserInputError, match="Relayer API Key"):
            await client.redeem_positions(condition_id=record.condition_id)
    wrong = RelayerApiKey(key="0" * 64, address=served.wallet(0).address)
    async with opened(served, kind, wrong) as client:
        record = holding(served, client)
        with pytest.raises(RequestRejectedError) as refusal:
            await client.redeem_positions(condition_id=record.condition_id)
        assert refusal.value.status == 401
        assert cash(served, client) == 90 * ONE
    asked = {"address": client.signer, "type": "SAFE"}
    assert http.get("/relayer/v1/account/transactions/params", params=asked).status_code == 401
    assert http.get("/relayer/relay-payload", params=asked).status_code == 401
    assert http.get("/relayer/v1/account/transactions/1").status_code == 401
    assert http.post("/relayer/submit", json={}).status_code == 401
    assert http.get("/relayer/deployed", params=asked).json() == {"deployed": False}, "that anybody may ask"


@pytest.mark.parametrize("kind", RELAYED)
async def test_what_the_owner_did_not_sign_is_refused(served: Served, http: httpx.Client, kind: Kind) -> None:
    async with opened(served, kind) as client, opened(served, kind) as other:
        record, posting = holding(served, client), Posting(http, client)
        right, others = await envelope(client, redeem(record)), await envelope(other, redeem(record))
        changed = json.loads(json.dumps(right).replace(record.condition_id[2:], quiet_market().condition_id[2:]))
        assert changed != right
        for forged in (changed, right | {"signature": others["signature"]}, right | {"signature": "0x" + "11" * 65}):
            assert posting.post(forged) == (400, "invalid signature")
        assert posting.post(right | {"signature": "0x"})[0] == 400
        assert posting.post(others) == (401, "the key is of another signer")
        stolen = json.loads(json.dumps(right).replace(str(client.wallet), str(other.wallet)))
        assert posting.post(stolen) == (400, "the wallet is none of the signer's")
        assert cash(served, client) == 90 * ONE


async def test_a_signature_by_another_key_for_a_wallet_is_refused(served: Served, http: httpx.Client) -> None:
    """Somebody signs rightly, in his own name, for the Safe of another."""
    async with opened(served, "safe") as client:
        record, thief = holding(served, client), served.wallet(0)
        context = replace(client._ctx, signer=Account.from_key(thief.key))
        content = dict(await build_signed_payload_for_wallet_type(context, calls=[redeem(record)], metadata=""))
    assert (content["from"], content["proxyWallet"]) == (thief.address, client.wallet)
    posting = Posting(http, client)
    posting.headers = {"RELAYER_API_KEY": key_of(served, thief).key, "RELAYER_API_KEY_ADDRESS": thief.address}
    assert posting.post(content) == (400, "the wallet is none of the signer's")


@pytest.mark.parametrize("kind", RELAYED)
async def test_a_nonce_serves_once_and_one_transaction_is_under_way(served: Served, http: httpx.Client, kind: Kind) -> None:
    async with opened(served, kind) as client:
        first, second, posting = holding(served, client), holding(served, client), Posting(http, client)
        content, late = await envelope(client, redeem(first)), await envelope(client, redeem(second))
        status, taken = posting.post(content)
        assert (status, taken["state"]) == (200, "STATE_NEW")
        assert posting.post(late) == (400, "wallet has in-flight action")
        states, found = await posting.end(taken["transactionID"])
        assert (states[0], states[-1], found["error_msg"]) == ("STATE_NEW", "STATE_CONFIRMED", "")
        assert set(states) <= {"STATE_NEW", "STATE_EXECUTED", "STATE_MINED", "STATE_CONFIRMED"}
        assert posting.post(content) == (400, "batch nonce 0 does not match on-chain nonce 1")
        assert posting.post(late) == (400, "batch nonce 0 does not match on-chain nonce 1")
        assert cash(served, client) == 90 * ONE
        status, taken = posting.post(await envelope(client, redeem(second)))
        await posting.end(taken["transactionID"])
        assert cash(served, client) == 100 * ONE
        stranger = served.wallet(0)
        headers = {"RELAYER_API_KEY": key_of(served, stranger).key, "RELAYER_API_KEY_ADDRESS": stranger.address}
        url = f"/relayer/v1/account/transactions/{taken['transactionID']}"
        assert http.get(url, headers=headers).status_code == 404


@pytest.mark.parametrize("kind", RELAYED)
async def test_a_call_that_is_not_known_or_cannot_be_done_reverts(served: Served, http: httpx.Client, kind: Kind) -> None:
    async with opened(served, kind) as client:
        record = served.market()
        strange = TransactionCall(to=CONDITIONAL_TOKENS, data="0x12345678")  # type: ignore[arg-type]
        elsewhere = TransactionCall(to="0x" + "7" * 40, data=split(record, ONE).data)  # type: ignore[arg-type]
        posting = Posting(http, client)
        for calls in ([strange], [split(record, ONE), strange], [elsewhere], [redeem(record)], [split(record, 1000 * ONE)]):
            _, taken = posting.post(await envelope(client, *calls))
            states, found = await posting.end(taken["transactionID"])
            assert (states[-1], found["transaction_hash"]) == ("STATE_FAILED", "")
            assert found["error_msg"].startswith("execution reverted")
        assert cash(served, client) == 100 * ONE
        with pytest.raises(TransactionFailedError, match="execution reverted: result for condition not received yet"):
            await (await client.execute_transaction(calls=[redeem(record)])).wait()


async def test_a_batch_whose_deadline_is_over_is_refused(
    served: Served, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(served, "deposit") as client:
        record = holding(served, client)
        monkeypatch.setattr("polymarket._internal.actions.relayer.gasless._DEPOSIT_WALLET_DEADLINE_S", -100)
        content = await envelope(client, redeem(record))
        assert Posting(http, client).post(content) == (400, "the deadline of the batch is over")


@pytest.mark.parametrize(
    "content", [None, [], {}, {"type": "WALLET-CREATE"}, {"type": "SAFE"}, {"type": "PROXY", "from": 1}, {"type": "WALLET"}]
)
async def test_what_is_no_transaction_is_refused(served: Served, http: httpx.Client, content: Any) -> None:
    signer = served.wallet(0)
    headers = {"RELAYER_API_KEY": key_of(served, signer).key, "RELAYER_API_KEY_ADDRESS": signer.address}
    answer = http.post("/relayer/submit", json=content, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.fixture
def lasting(tmp_path: Path) -> VenueConfig:
    return VenueConfig(seed=3, speed=1.0, data_dir=str(tmp_path))


async def test_what_was_taken_is_carried_out_once_by_the_next_life_of_the_venue(lasting: VenueConfig) -> None:
    signer = Account.create()
    safe = wallet_of(signer.key.to_0x_hex(), "safe")

    def asked(server: Server) -> httpx.AsyncClient:
        url = server.endpoints.clob_url.removesuffix("/clob")
        key = relayer_key(server.venue, signer.address)
        headers = {"RELAYER_API_KEY": key, "RELAYER_API_KEY_ADDRESS": signer.address}
        return httpx.AsyncClient(base_url=url, headers=headers, trust_env=False)

    first = Server(QuietVenue(lasting), listen(0))
    await first.start()
    exchange, record = first.venue.exchange, quiet_market()
    exchange.open_market(record)
    exchange.fund(safe, 100 * ONE)
    exchange.split(safe, record.condition_id, 10 * ONE)
    exchange.resolve(record.condition_id, (ONE, 0))
    api_key = RelayerApiKey(key=relayer_key(first.venue, signer.address), address=signer.address)
    client = await AsyncSecureClient.create(
        private_key=signer.key.to_0x_hex(), wallet=safe, environment=environment(first.endpoints), api_key=api_key
    )
    async with client, asked(first) as http:
        content = await envelope(client, redeem(record))
        id = (await http.post("/relayer/submit", json=content)).json()["transactionID"]
    assert exchange.cash(safe).total == 90 * ONE
    first.stop()
    await first.finished()
    first.venue.close()
    await asyncio.sleep(0.4)
    second = Server(QuietVenue(lasting), listen(0))
    await second.start()
    async with asked(second) as http:
        assert second.venue.exchange.cash(safe).total == 90 * ONE
        found = (await http.get(f"/relayer/v1/account/transactions/{id}")).json()
        assert found["state"] in ("STATE_EXECUTED", "STATE_MINED", "STATE_CONFIRMED")
        assert second.venue.exchange.cash(safe).total == 100 * ONE
        again = (await http.post("/relayer/submit", json=content)).json()["error"]
        assert again in ("wallet has in-flight action", "batch nonce 0 does not match on-chain nonce 1")
    second.stop()
    await second.finished()
    second.venue.close()
