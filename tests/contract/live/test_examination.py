"""What keeps a fleet from trading live: each is found out against a venue that is so, told in one sentence, with a remedy."""

import time
from collections.abc import Sequence

import pytest

from actors.polymarket.examination import Finding, examine_venue, examine_wallet
from actors.polymarket.relayer_keys import GaslessKey, RelayerKey
from actors.polymarket.signing import Ticket
from actors.polymarket.trading import TradingSession
from actors.polymarket.wallets import KINDS, Kind, wallet_of, wallets_of
from actors.sandbox.api.relayer_keys import relayer_key
from agents.model import Side, TimeInForce
from agents.money import ONE, Micro
from tests.contract.live.door import PAGE, Door
from tests.contract.sandbox.served import Served, Wallet

OPEN = '{"blocked": false, "ip": "192.0.2.7", "country": "PT", "region": "11"}'


async def venue(door: Door, served: Served, **changes: float) -> list[Finding]:
    door.lies.setdefault("/geoblock", (200, "application/json", OPEN))
    return await examine_venue(
        door.before(served.endpoints),
        trading=True,
        geoblock=f"{door.url}/geoblock",
        wall=lambda: time.time() + changes.get("ahead", 0),
    )


async def account(
    door: Door,
    served: Served,
    wallet: Wallet,
    *,
    needed: Micro | None = 100 * ONE,
    address: str = "",
    gasless: GaslessKey | None = None,
) -> list[Finding]:
    return await examine_wallet(
        door.before(served.endpoints),
        name="main",
        address=address or wallet.address,
        private_key=wallet.key,
        needed=needed,
        gasless=gasless,
    )


def notes(findings: Sequence[Finding]) -> list[str]:
    return [str(finding) for finding in findings if finding.ok and finding.remedy]


def wrong(findings: Sequence[Finding]) -> list[str]:
    return [str(finding) for finding in findings if not finding.ok]


async def test_a_venue_and_a_wallet_as_they_should_be(door: Door, served: Served) -> None:
    wallet = served.wallet()
    assert wrong(await venue(door, served)) == []
    found = await account(door, served, wallet)
    assert wrong(found) == []
    assert [finding.sentence for finding in found][-1] == "wallet main has 10000 pUSD"
    assert not any("DELETE" in asked or "/order" in asked for asked in door.asked), "it only looks"


async def test_a_place_where_the_venue_takes_no_orders(door: Door, served: Served) -> None:
    door.lie("/geoblock", '{"blocked": true, "ip": "192.0.2.7", "country": "US", "region": "NY"}')
    [said] = wrong(await venue(door, served))
    assert said == "the venue takes no orders from here (US NY); use --mode paper; do not go round it"


@pytest.mark.parametrize("answer", ["<html>", "[]", "{}"])
async def test_a_place_that_is_not_told_counts_as_blocked(door: Door, served: Served, answer: str) -> None:
    door.lie("/geoblock", answer)
    [said] = wrong(await venue(door, served))
    assert "does not say whether the venue takes orders from here" in said


@pytest.mark.parametrize(("seconds", "side"), [(30, "30 s ahead of"), (-30, "30 s behind")])
async def test_a_clock_that_is_wrong(door: Door, served: Served, seconds: int, side: str) -> None:
    said = " ".join(wrong(await venue(door, served, ahead=seconds)))
    assert side.split(" s ")[1] in said
    assert said.endswith("set it by NTP")
    assert wrong(await venue(door, served, ahead=3)) == []


async def test_a_guard_that_blocks_this_network(door: Door, served: Served) -> None:
    door.lies["/clob/time"] = PAGE
    [said] = wrong(await venue(door, served))
    assert "answers 403 with a web page: it blocks this network; use another network" in said


async def test_a_host_that_cannot_be_reached(served: Served) -> None:
    door = Door(served.url)
    endpoints = door.before(served.endpoints)
    door.close()
    said = wrong(await examine_venue(endpoints, trading=False))
    assert len(said) == 3
    assert all("cannot be reached" in sentence and "check the network" in sentence for sentence in said)


async def test_a_node_of_another_chain(door: Door, served: Served) -> None:
    door.lie("/rpc", '{"jsonrpc": "2.0", "id": 1, "result": "0x1"}')
    [said] = wrong(await venue(door, served))
    assert "is not one of Polygon (137); set POLYFLEET_RPC_URL" in said


async def test_an_account_that_may_only_sell(door: Door, served: Served) -> None:
    door.lie("/clob/auth/ban-status/closed-only", '{"closed_only": true}')
    [said] = wrong(await account(door, served, served.wallet()))
    assert "closed-only mode: the venue lets it sell and not buy" in said


async def test_a_wallet_that_allowed_nothing(door: Door, served: Served) -> None:
    door.lie("/clob/balance-allowance", '{"balance": "5000000000", "allowances": {}}')
    [said] = wrong(await account(door, served, served.wallet()))
    assert said.startswith("wallet main has not allowed the exchange 0xE1111800")
    assert "make one trade at polymarket.com" in said


async def test_a_wallet_with_less_than_the_budgets(door: Door, served: Served) -> None:
    wallet = served.wallet(50 * ONE)
    [said] = wrong(await account(door, served, wallet))
    assert said.startswith("wallet main has 50 pUSD, and its agents' budgets come to 100; deposit more")
    assert wrong(await account(door, served, wallet, needed=None)) == []


async def test_a_wallet_of_somebody_else(door: Door, served: Served) -> None:
    wallet = served.wallet()
    [said] = wrong(await account(door, served, wallet, address=served.wallet().address))
    assert "which is none of the key's: eoa " in said
    assert wallets_of(wallet.key)["safe"] in said
    assert door.asked == [], "the key is not used for it"


async def test_a_wallet_that_was_never_opened(door: Door, served: Served) -> None:
    wallet = served.wallet()
    [said] = wrong(await account(door, served, wallet, address=wallet_of(wallet.key, "deposit")))
    assert "does not exist yet; open the account at polymarket.com" in said
    assert not any("/submit" in asked for asked in door.asked), "and none is opened"


async def test_an_account_that_is_shut_out(door: Door, served: Served) -> None:
    door.lies["/clob/auth"] = PAGE
    [said] = wrong(await account(door, served, served.wallet()))
    assert "the venue does not let wallet main in: it answers 403 with a web page" in said


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_wallet_trades_with_its_own_cash(door: Door, served: Served, kind: Kind) -> None:
    signer = served.wallet(0)
    funder = wallet_of(signer.key, kind)
    served.run(lambda exchange: exchange.fund(funder, 200 * ONE))
    assert wrong(await account(door, served, signer, address=funder)) == []
    assert len(notes(await account(door, served, signer, address=funder))) == (kind != "eoa"), "who pays it out"
    session = await TradingSession.connect(served.endpoints, signer.key, funder)
    try:
        record = served.market()
        ticket = Ticket(record.tokens[0], Side.BUY, 4 * ONE, 10 * ONE, TimeInForce.GTC, post_only=True, neg_risk=False)
        signed = await session.sign(ticket)
        assert (await session.post(signed.payload)).order_id == signed.order_id
        assert await session.cash() == 200 * ONE
        assert [order.id for order in await session.open_orders()] == [signed.order_id]
        done, _ = await session.cancel([signed.order_id])
        assert done == {signed.order_id}
    finally:
        await session.close()


async def test_a_wallet_without_a_key_for_the_relayer_trades_and_is_told_of_it(door: Door, served: Served) -> None:
    signer = served.wallet(0)
    safe = wallet_of(signer.key, "safe")
    served.run(lambda exchange: exchange.fund(safe, 200 * ONE))
    found = await account(door, served, signer, address=safe)
    assert wrong(found) == []
    remedy = "; put a relayer key (polymarket.com, Settings, API keys) or a builder key into its key file as relayerKey or "
    remedy += "builderKey, or claim at polymarket.com"
    so = ": resolved markets are not paid out by themselves" + remedy
    assert notes(found) == ["wallet main, a safe wallet, has no key for the venue's relayer" + so]
    refused = await account(door, served, signer, address=safe, gasless=RelayerKey("another", signer.address))
    assert wrong(refused) == []
    assert notes(refused) == ["the venue's relayer does not take the key that wallet main has for it" + so]
    right = RelayerKey(served.run(lambda _: relayer_key(served.server.venue, signer.address)), signer.address)
    fine = await account(door, served, signer, address=safe, gasless=right)
    assert (wrong(fine), notes(fine)) == ([], [])
    assert fine[-1].sentence == "wallet main has a key for the venue's relayer"
    door.lies["/relayer/v1"] = (500, "application/json", '{"error": "it rests"}')
    away = await account(door, served, signer, address=safe, gasless=right)
    assert wrong(away) == []
    assert notes(away) == ["the venue's relayer does not answer for wallet main: it rests; try again later"]
    assert not any("/submit" in asked for asked in door.asked), "it only looks"
