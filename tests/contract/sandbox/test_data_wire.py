"""The Data API and the chain's JSON-RPC to the letter."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_abi.abi import decode, encode
from eth_account import Account
from eth_utils.crypto import keccak

from actors.sandbox.records import NewOrder
from agents.model import Side, TimeInForce
from agents.money import ONE
from tests.contract.sandbox.served import Served, Wallet

CTF = "0x4D97DCd97eC945f40cF65F87097ACe5EA0476045"


def place(served: Served, owner: str, token_id: str, price: int, size: int) -> None:
    order_id = "0x" + keccak(f"{owner}{token_id}{price}{size}".encode()).hex()
    order = NewOrder(order_id, owner.lower(), "key", token_id, Side.BUY, price * size // ONE, size, TimeInForce.GTC)
    served.run(lambda exchange: exchange.place(order))


@pytest.fixture
def traded(served: Served) -> tuple[Any, Wallet, Wallet]:
    """A market in which a taker bought 10 Yes at 0.4 from a maker's bid for No, which is at 0.6."""
    record, taker, maker = served.market(), served.wallet(), served.wallet()
    place(served, maker.address, record.tokens[1], 600_000, 10 * ONE)
    place(served, taker.address, record.tokens[0], 400_000, 10 * ONE)
    return record, taker, maker


def rows(http: httpx.Client, path: str, **query: Any) -> list[dict[str, Any]]:
    answer = http.get("/data" + path, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def test_positions_have_the_shape_of_the_recorded_rows(http: httpx.Client, traded: Any, recorded: Path) -> None:
    record, taker, _ = traded
    page = http.get("/data/v2/positions", params={"user": taker.address}).json()
    theirs = json.loads((recorded / "data_api" / "data_api_v2_positions_rows_2026-10-02.json").read_text())
    assert page.keys() == theirs.keys()
    assert page["pagination"] == {"limit": 100, "offset": 0, "has_more": False, "next_cursor": None}
    ours = page["data"][0]
    assert {key: type(value) for key, value in ours.items()} == {key: type(value) for key, value in theirs["data"][0].items()}
    assert (ours["proxy_wallet"], ours["token_id"], ours["current_size"]) == (taker.address.lower(), record.tokens[0], 10.0)
    assert (ours["entry_cost_usdc"], ours["entry_fees_usdc"], ours["total_cost_usdc"]) == (4.0, 0.12, 4.12)


def test_activity_has_the_shape_of_the_recorded_rows(http: httpx.Client, traded: Any, recorded: Path) -> None:
    _, taker, _ = traded
    theirs = json.loads((recorded / "data_api" / "data_api_v2_activity_rows_2026-10-02.json").read_text())["data"][0]
    found = rows(http, "/v2/activity", user=taker.address, exclude_deposits_withdrawals="false")
    assert [row["type"] for row in found] == ["TRADE", "DEPOSIT"]
    for ours in found:
        assert {key: type(value) for key, value in ours.items()} == {key: type(value) for key, value in theirs.items()}
    deposit = found[1]
    assert (deposit["condition_id"], deposit["token_id"], deposit["side"], deposit["outcome_index"]) == ("", "", "", 999)
    assert [row["type"] for row in rows(http, "/v2/activity", user=taker.address)] == ["TRADE"]
    assert rows(http, "/v2/activity", user=taker.address, type="DEPOSIT") == []


def test_trades_show_takers_unless_told_otherwise(http: httpx.Client, traded: Any) -> None:
    record, taker, maker = traded
    found = rows(http, "/v2/trades", condition_id=record.condition_id)
    assert [(row["proxy_wallet"], row["price"], row["size"]) for row in found] == [(taker.address.lower(), 0.4, 10.0)]
    both = rows(http, "/v2/trades", condition_id=record.condition_id, taker_only="false")
    assert {row["proxy_wallet"] for row in both} == {taker.address.lower(), maker.address.lower()}
    assert rows(http, "/v2/trades", condition_id=record.condition_id, side="SELL") == []
    assert rows(http, "/v2/trades", condition_id=record.condition_id, filter_type="CASH", filter_amount="4.01") == []
    assert len(rows(http, "/v2/trades", limit=1000)) > 1


def test_positions_follow_their_status(http: httpx.Client, traded: Any, served: Served) -> None:
    record, taker, maker = traded

    def found(wallet: Wallet) -> dict[str, int]:
        statuses = ("OPEN", "REDEEMABLE", "REDEEMABLE_LOST", "MERGEABLE", "CLOSED")
        return {status: len(rows(http, "/v2/positions", user=wallet.address, status=status)) for status in statuses}

    nothing = dict.fromkeys(("OPEN", "REDEEMABLE", "REDEEMABLE_LOST", "MERGEABLE", "CLOSED"), 0)
    assert found(taker) == nothing | {"OPEN": 1}
    served.run(lambda exchange: exchange.resolve(record.condition_id, (ONE, 0)))
    assert found(taker) == nothing | {"REDEEMABLE": 1}
    assert found(maker) == nothing | {"REDEEMABLE_LOST": 1}
    assert http.get("/data/v2/value", params={"user": taker.address}).json()["data"] == {
        "proxy_wallet": taker.address,
        "value": 10.0,
    }
    served.run(lambda exchange: exchange.redeem(taker.address, record.condition_id))
    assert found(taker) == nothing | {"CLOSED": 1}
    by_market = rows(http, "/v2/positions", condition_id=record.condition_id)
    assert [row["proxy_wallet"] for row in by_market] == [maker.address.lower()]


def test_pages_are_walked_by_cursor(http: httpx.Client, served: Served) -> None:
    wallet = served.wallet()
    records = [served.market() for _ in range(5)]
    served.run(lambda exchange: [exchange.split(wallet.address, record.condition_id, ONE) for record in records])
    seen: list[str] = []
    cursor = ""
    while True:
        page = http.get("/data/v2/positions", params={"user": wallet.address, "limit": 4, "cursor": cursor}).json()
        seen.extend(row["token_id"] for row in page["data"])
        assert page["pagination"]["has_more"] is (page["pagination"]["next_cursor"] is not None)
        if not page["pagination"]["has_more"]:
            break
        cursor = page["pagination"]["next_cursor"]
    assert sorted(seen) == sorted(token for record in records for token in record.tokens)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v2/positions", {"user": "0x1", "offset": "1"}),
        ("/v2/positions", {"user": "0x1", "status": "LOST"}),
        ("/v2/positions", {}),
        ("/v2/trades", {"condition_id": "0x1", "event_id": "2"}),
        ("/v2/trades", {"limit": "1001"}),
        ("/v2/activity", {}),
        ("/v2/activity", {"user": "0x1", "type": "GIFT"}),
        ("/v2/activity", {"user": "0x1", "cursor": "?"}),
        ("/v2/resolutions", {}),
        ("/v2/prices-history", {"token_id": "1"}),
        ("/v2/prices-history", {"token_id": "1", "start": "0"}),
        ("/v2/prices-history", {"token_id": "1", "start": "1", "end": "1300000"}),
        ("/v2/prices-history", {"token_id": "1", "start": "1", "interval": "1d"}),
        ("/v2/approvals", {"user": "0x1"}),
    ],
)
def test_refusals_have_code_and_trace_id(http: httpx.Client, path: str, query: dict[str, str]) -> None:
    answer = http.get("/data" + path, params=query)
    assert answer.status_code == 400
    content = answer.json()
    assert content.keys() == {"error", "code", "retryable", "trace_id"}
    assert content["retryable"] is False


def test_a_malformed_user_is_nobody(http: httpx.Client) -> None:
    assert rows(http, "/v2/positions", user="nobody") == []
    assert rows(http, "/v2/activity", user="nobody") == []
    assert http.get("/data/v2/value", params={"user": "nobody"}).json() == {"data": {"proxy_wallet": "nobody", "value": 0.0}}


def test_resolutions_tell_of_proposals_and_payouts(http: httpx.Client, served: Served) -> None:
    proposed, unknown, resolved = served.market(uma_status="proposed"), served.market(), served.market()
    served.run(lambda exchange: exchange.resolve(resolved.condition_id, (250_000, 750_000)))
    ids = ",".join(record.condition_id for record in (proposed, unknown, resolved))
    found = {row["condition_id"]: row for row in rows(http, "/v2/resolutions", condition_id=ids)}
    assert found.keys() == {proposed.condition_id, resolved.condition_id}
    assert (found[proposed.condition_id]["status"], found[proposed.condition_id]["price"]) == ("proposed", "69")
    assert "payouts" not in found[proposed.condition_id]
    assert found[resolved.condition_id]["payouts"] == [250_000, 750_000]
    by_question = rows(http, "/v2/resolutions", question_id=resolved.question_id)
    assert [row["condition_id"] for row in by_question] == [resolved.condition_id]


class Chain:
    """JSON-RPC calls."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def __call__(self, method: str, *params: Any) -> Any:
        answer = self._http.post("/rpc", json={"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)}).json()
        assert answer["id"] == 7
        return answer.get("result", answer.get("error"))

    def read(self, signature: str, returns: str, *arguments: Any) -> Any:
        types = signature[signature.index("(") + 1 : -1].split(",") if "()" not in signature else []
        data = keccak(signature.encode())[:4] + encode(types, arguments)
        return decode([returns], bytes.fromhex(self("eth_call", {"to": CTF, "data": "0x" + data.hex()}, "latest")[2:]))[0]


@pytest.fixture
def chain(http: httpx.Client) -> Chain:
    return Chain(http)


def test_the_chain_knows_balances_and_payouts(chain: Chain, served: Served, traded: Any) -> None:
    record, taker, maker = traded
    assert chain("eth_chainId") == "0x89"
    assert chain.read("balanceOf(address)", "uint256", taker.address) == 10_000 * ONE - 4 * ONE - 120_000
    token = int(record.tokens[0])
    assert chain.read("balanceOf(address,uint256)", "uint256", taker.address, token) == 10 * ONE
    balances = chain.read(
        "balanceOfBatch(address[],uint256[])", "uint256[]", [taker.address, maker.address], [token, int(record.tokens[1])]
    )
    assert balances == (10 * ONE, 10 * ONE)
    condition = bytes.fromhex(record.condition_id[2:])
    assert chain.read("payoutDenominator(bytes32)", "uint256", condition) == 0
    served.run(lambda exchange: exchange.resolve(record.condition_id, (0, ONE)))
    assert chain.read("payoutDenominator(bytes32)", "uint256", condition) == ONE
    assert [chain.read("payoutNumerators(bytes32,uint256)", "uint256", condition, index) for index in (0, 1)] == [0, ONE]


def split(condition_id: str, amount: int) -> str:
    types = ["address", "bytes32", "bytes32", "uint256[]", "uint256"]
    arguments = ["0x" + "0" * 40, bytes(32), bytes.fromhex(condition_id[2:]), [1, 2], amount]
    selector = keccak(f"splitPosition({','.join(types)})".encode())[:4]
    return "0x" + (selector + encode(types, arguments)).hex()


def send(chain: Chain, wallet: Wallet, data: str, **changes: Any) -> Any:
    transaction = {"to": CTF, "value": 0, "data": data, "gas": 300_000, "gasPrice": 10**9, "nonce": 0, "chainId": 137}
    raw = Account.from_key(wallet.key).sign_transaction(transaction | changes).raw_transaction
    return chain("eth_sendRawTransaction", "0x" + raw.hex())


def test_a_signed_transaction_is_carried_out_once(chain: Chain, served: Served) -> None:
    record, wallet = served.market(), served.wallet()
    assert chain("eth_getTransactionCount", wallet.address, "pending") == "0x0"
    data = split(record.condition_id, 5 * ONE)
    tx_hash = send(chain, wallet, data)
    assert send(chain, wallet, data) == tx_hash
    assert served.run(lambda exchange: exchange.shares(wallet.address, record.tokens[0]).total) == 5 * ONE
    receipt = chain("eth_getTransactionReceipt", tx_hash)
    assert (receipt["status"], receipt["from"], receipt["transactionHash"]) == ("0x1", wallet.address.lower(), tx_hash)
    assert chain("eth_getTransactionCount", wallet.address, "latest") == "0x1"
    assert send(chain, wallet, data, gasPrice=2 * 10**9)["message"] == "nonce too low"
    assert send(chain, wallet, data, nonce=5)["message"] == "nonce too high"
    dynamic = {"nonce": 1, "gasPrice": None, "maxFeePerGas": 10**9, "maxPriorityFeePerGas": 1, "type": 2}
    transaction = {
        key: value
        for key, value in ({"to": CTF, "value": 0, "data": data, "gas": 300_000, "chainId": 137} | dynamic).items()
        if value is not None
    }
    raw = Account.from_key(wallet.key).sign_transaction(transaction).raw_transaction
    assert chain("eth_getTransactionReceipt", chain("eth_sendRawTransaction", "0x" + raw.hex()))["status"] == "0x1"
    assert served.run(lambda exchange: exchange.shares(wallet.address, record.tokens[0]).total) == 10 * ONE


def test_what_the_chain_does_not_take(chain: Chain, served: Served, http: httpx.Client) -> None:
    record, wallet = served.market(), served.wallet()
    other_chain = send(chain, wallet, split(record.condition_id, ONE), chainId=1)
    assert "another chain" in other_chain["message"]
    assert chain("eth_sendRawTransaction", "0x1234")["code"] == -32000
    assert chain("eth_fly")["code"] == -32601
    assert chain("eth_getTransactionReceipt", "0x" + "0" * 64) is None
    assert chain("eth_call", {"to": CTF, "data": "0x12345678"}, "latest") == {"code": 3, "message": "execution reverted"}
    failed = send(chain, wallet, split("0x" + "ee" * 32, ONE))
    assert chain("eth_getTransactionReceipt", failed)["status"] == "0x0"
    batch = http.post("/rpc", json=[{"id": 1, "method": "eth_chainId"}, {"id": 2, "method": "net_version"}]).json()
    assert [(row["id"], row["result"]) for row in batch] == [(1, "0x89"), (2, "137")]


def test_the_relayer_knows_accounts(http: httpx.Client, served: Served) -> None:
    wallet = served.wallet()
    assert http.get("/relayer/deployed", params={"address": wallet.address, "type": "WALLET"}).json() == {"deployed": True}
    assert http.get("/relayer/deployed", params={"address": "0x" + "9" * 40}).json() == {"deployed": False}
    assert http.get("/relayer/deployed").json() == {"error": "invalid address"}
