"""Who may do what: both levels of authentication, order signatures and ownership, to the word of each refusal."""

import time
from typing import Any

import httpx
import pytest
from polymarket._internal.environment import PRODUCTION_CONFIG
from polymarket._internal.wallet import (
    derive_beacon_deposit_wallet_address,
    derive_proxy_wallet_address,
    derive_safe_wallet_address,
)
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import OrderArgs
from py_clob_client_v2.order_utils.model.order_data_v2 import order_to_json_v2

from agents.money import ONE
from tests.contract.sandbox.served import Served, Wallet
from tests.contract.sandbox.signing import Signed, sign_in, signed

NOBODY = {"error": "Unauthorized/Invalid api key"}
NO_SIGN_IN = {"error": "Invalid L1 Request headers"}


@pytest.fixture
def account(http: httpx.Client, served: Served) -> Signed:
    return Signed(http, served.wallet())


def order(account: Signed, served: Served, token_id: str, **options: Any) -> dict[str, Any]:
    """Return the body of a signed order to buy 10 at 0.4."""
    client = ClobClient(served.endpoints.clob_url, 137, key=account.wallet.key, **options)
    made = client.create_order(OrderArgs(token_id, 0.4, 10, "BUY"))
    body: dict[str, Any] = order_to_json_v2(made, account.creds["apiKey"], "GTC")
    return body


def test_a_sign_in_is_checked_for_signer_time_and_form(http: httpx.Client, served: Served) -> None:
    wallet, stranger = served.wallet(0), served.wallet(0)
    good = sign_in(wallet)
    bad = [
        {},
        good | {"POLY_ADDRESS": stranger.address},
        good | {"POLY_NONCE": "1"},
        good | {"POLY_TIMESTAMP": str(int(good["POLY_TIMESTAMP"]) + 1)},
        good | {"POLY_SIGNATURE": "0x" + "11" * 65},
        good | {"POLY_SIGNATURE": "nonsense"},
        good | {"POLY_ADDRESS": "0x12"},
        sign_in(wallet, timestamp=int(time.time()) - 90),
        sign_in(wallet, timestamp=int(time.time()) + 90),
    ]
    for headers in bad:
        for answer in (
            http.post("/clob/auth/api-key", headers=headers),
            http.get("/clob/auth/derive-api-key", headers=headers),
        ):
            assert (answer.status_code, answer.json()) == (401, NO_SIGN_IN)


def test_a_key_is_created_once_for_each_nonce_and_derived_after(http: httpx.Client, served: Served) -> None:
    wallet = served.wallet(0)
    missing = http.get("/clob/auth/derive-api-key", headers=sign_in(wallet))
    assert (missing.status_code, missing.json()) == (400, {"error": "Could not derive api key!"})
    created = http.post("/clob/auth/api-key", headers=sign_in(wallet)).json()
    assert set(created) == {"apiKey", "secret", "passphrase"}
    again = http.post("/clob/auth/api-key", headers=sign_in(wallet))
    assert (again.status_code, again.json()) == (400, {"error": "Could not create api key"})
    assert http.get("/clob/auth/derive-api-key", headers=sign_in(wallet)).json() == created
    second = http.post("/clob/auth/api-key", headers=sign_in(wallet, nonce=1)).json()
    assert second["apiKey"] != created["apiKey"]
    headers = signed(wallet, second, "GET", "/auth/api-keys")
    keys = http.get("/clob/auth/api-keys", headers=headers).json()["apiKeys"]
    assert set(keys) == {created["apiKey"], second["apiKey"]}


def test_a_private_request_is_checked_for_key_address_time_path_and_body(http: httpx.Client, served: Served) -> None:
    wallet, stranger = served.wallet(0), served.wallet(0)
    creds = http.post("/clob/auth/api-key", headers=sign_in(wallet)).json()
    path = "/data/orders"
    good = signed(wallet, creds, "GET", path)
    assert http.get("/clob" + path, headers=good).status_code == 200
    slow = signed(wallet, creds, "GET", path, timestamp=int(time.time()) - 30)
    assert http.get("/clob" + path, headers=slow).status_code == 200
    assert http.get("/clob" + path, headers=good, params={"market": "0x1"}).status_code == 200
    bad = [
        {},
        good | {"POLY_ADDRESS": stranger.address},
        good | {"POLY_API_KEY": "0"},
        good | {"POLY_PASSPHRASE": "0"},
        good | {"POLY_SIGNATURE": "0"},
        signed(wallet, creds, "POST", path),
        signed(wallet, creds, "GET", "/clob" + path),
        signed(wallet, creds, "GET", path, "{}"),
        signed(wallet, creds, "GET", path, timestamp=int(time.time()) - 90),
    ]
    for headers in bad:
        answer = http.get("/clob" + path, headers=headers)
        assert (answer.status_code, answer.json()) == (401, NOBODY)
    headers = signed(wallet, creds, "DELETE", "/order", '{"orderID":"0x1"}')
    changed = http.request("DELETE", "/clob/order", content='{"orderID":"0x2"}', headers=headers)
    assert (changed.status_code, changed.json()) == (401, NOBODY)


def test_an_order_must_be_signed_by_the_keys_wallet_as_it_is_sent(account: Signed, served: Served, http: httpx.Client) -> None:
    record = served.market()
    body = order(account, served, record.tokens[0])
    stranger = Signed(http, served.wallet())

    def refusal(changed: dict[str, Any], by: Signed = account) -> str:
        answer = by.call("POST", "/order", changed)
        assert answer.status_code == 400
        return str(answer.json()["error"])

    def with_fields(**fields: Any) -> dict[str, Any]:
        return body | {"order": body["order"] | fields}

    assert refusal(body, stranger) == "the order owner has to be the owner of the API KEY"
    stolen = body | {"owner": stranger.creds["apiKey"]}
    assert refusal(stolen, stranger) == "the order signer address has to be the address of the API KEY"
    assert refusal(with_fields(makerAmount="3900000")) == "invalid signature"
    assert refusal(with_fields(salt=1)) == "invalid signature"
    assert refusal(with_fields(signature="0x" + "22" * 65)) == "invalid signature"
    assert refusal(with_fields(tokenId=record.tokens[1])) == "invalid signature"
    wrong_exchange = order(account, served, served.market(neg_risk=True).tokens[0])
    token = served.market().tokens[0]
    wrong_exchange["order"]["tokenId"] = token
    assert refusal(wrong_exchange) == "invalid signature"
    placed = account.call("POST", "/order", body)
    assert (placed.status_code, placed.json()["status"]) == (200, "live")
    assert refusal(body).endswith("is invalid. Duplicated.")


@pytest.mark.parametrize(
    "change",
    [
        {"salt": "7"},
        {"salt": True},
        {"side": "HOLD"},
        {"signatureType": 4},
        {"makerAmount": 4000000},
        {"makerAmount": "-1"},
        {"takerAmount": "1e6"},
        {"tokenId": "abc"},
        {"maker": "0x12"},
        {"metadata": "0x"},
        {"signature": "zz"},
        {"timestamp": None},
        {"salt": 2**256},
    ],
)
def test_a_malformed_order_is_refused(account: Signed, served: Served, change: dict[str, Any]) -> None:
    body = order(account, served, served.market().tokens[0])
    answer = account.call("POST", "/order", body | {"order": body["order"] | change})
    assert (answer.status_code, answer.json()) == (400, {"error": "Invalid order payload"})


@pytest.mark.parametrize("content", [[], {}, {"order": []}, "text", None])
def test_what_is_no_order_is_refused(account: Signed, content: Any) -> None:
    answer = account.call("POST", "/order", content)
    assert (answer.status_code, answer.json()) == (400, {"error": "Invalid order payload"})


def test_an_order_of_the_old_version_is_refused_as_such(account: Signed, served: Served) -> None:
    body = order(account, served, served.market().tokens[0])
    fields = {key: value for key, value in body["order"].items() if key not in ("timestamp", "metadata", "builder")}
    old = body | {"order": fields | {"taker": "0x" + "0" * 40, "nonce": "0", "feeRateBps": "0"}}
    answer = account.call("POST", "/order", old)
    assert (answer.status_code, answer.json()) == (400, {"error": "order_version_mismatch"})


@pytest.mark.parametrize(
    ("signature_type", "derive"),
    [
        (1, derive_proxy_wallet_address),
        (2, derive_safe_wallet_address),
        (3, derive_beacon_deposit_wallet_address),
    ],
)
def test_contract_wallets_trade_with_their_own_cash(account: Signed, served: Served, signature_type: int, derive: Any) -> None:
    funder = derive(account.wallet.address, PRODUCTION_CONFIG.wallet_derivation)
    served.run(lambda exchange: exchange.fund(funder, 100 * ONE))
    body = order(account, served, served.market().tokens[0], signature_type=signature_type, funder=funder)
    placed = account.call("POST", "/order", body)
    assert (placed.status_code, placed.json()["status"]) == (200, "live")
    order_id = placed.json()["orderID"]
    assert account.call("GET", f"/data/order/{order_id}").json()["maker_address"] == funder
    cash = account.call("GET", "/balance-allowance", asset_type="COLLATERAL", signature_type=str(signature_type))
    assert cash.json()["balance"] == str(100 * ONE)
    assert [row["id"] for row in account.call("GET", "/data/orders").json()["data"]] == [order_id]
    assert account.call("DELETE", "/cancel-all").json()["canceled"] == [order_id]


@pytest.mark.parametrize("signature_type", [1, 2, 3])
def test_nobody_trades_for_a_strangers_wallet(account: Signed, served: Served, signature_type: int) -> None:
    stranger = served.wallet()
    body = order(account, served, served.market().tokens[0], signature_type=signature_type, funder=stranger.address)
    answer = account.call("POST", "/order", body)
    assert (answer.status_code, answer.json()) == (
        400,
        {"error": "maker address not allowed, please use the deposit wallet flow"},
    )


def test_order_answers_carry_the_rate_limit_headers(account: Signed, served: Served) -> None:
    token = served.market().tokens[0]
    answer = account.call("POST", "/order", order(account, served, token))
    assert answer.headers["poly-ratelimit-remaining"] == "59"
    assert answer.headers["poly-ratelimit-tier"] == "standard"
    assert abs(int(answer.headers["poly-ratelimit-reset"]) - time.time()) < 3
    assert "poly-ratelimit-warning" not in answer.headers
    many = account.call("DELETE", "/orders", [f"0x{number:064x}" for number in range(200)])
    assert many.headers["poly-ratelimit-warning"] == "true"
    assert account.call("GET", "/v1/user/rate-limit-tier").json() == {"tier": "standard"}


def test_too_many_orders_at_once_are_refused(account: Signed, served: Served) -> None:
    body = order(account, served, served.market().tokens[0])
    answer = account.call("POST", "/orders", [body] * 16)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Too many orders in payload")


def test_an_order_that_the_venue_does_not_have_is_null(account: Signed, wallet: Wallet) -> None:
    answer = account.call("GET", "/data/order/0x" + "0" * 64)
    assert (answer.status_code, answer.text) == (200, "null")


def test_pages_have_cursors_and_the_end_marker_is_not_one(account: Signed, served: Served) -> None:
    page = account.call("GET", "/data/orders").json()
    assert page == {"data": [], "next_cursor": "LTE=", "limit": 500, "count": 0}
    assert account.call("GET", "/data/trades", next_cursor="MA==").json()["next_cursor"] == "LTE="
    end = account.call("GET", "/data/orders", next_cursor="LTE=")
    assert (end.status_code, end.json()) == (400, {"error": "next item should be greater than or equal to 0"})
    assert account.call("GET", "/data/orders", next_cursor="?").status_code == 400
