"""What must be right before real orders are sent, looked at without changing anything: hosts, place, clock, account, money."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
from polymarket import AsyncSecureClient

# Creating a client the public way may deploy a wallet; a look must not. Nor is there one to ask for a nonce alone.
from polymarket._internal.actions.relayer.deployed import fetch_deployed
from polymarket._internal.actions.relayer.nonce import fetch_execute_params, fetch_relay_payload
from polymarket._internal.environment import PRODUCTION_CONFIG
from polymarket.errors import PolymarketError, RequestRejectedError
from polymarket.models.clob.relayer import RelayerTransactionType

from actors.polymarket.environment import environment
from actors.polymarket.relayer_keys import REMEDY, GaslessKey
from actors.polymarket.trading import library_key
from actors.polymarket.wallets import kind_of, wallets_of
from agents.money import ONE, Micro, text
from agents.ports import Endpoints

#: Seconds by which this machine's clock may differ from the venue's; the venue refuses signatures that are much older.
SKEW = 5.0
#: The real venue's answer to where it takes orders from.
GEOBLOCK = "https://polymarket.com/api/geoblock"

_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_CHAIN = hex(PRODUCTION_CONFIG.chain_id)
_NOBODY = "0x" + "0" * 64
_RELAYED = {
    "proxy": RelayerTransactionType.PROXY,
    "safe": RelayerTransactionType.SAFE,
    "deposit": RelayerTransactionType.WALLET,
    "deposit-old": RelayerTransactionType.WALLET,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One look: what was found in a sentence and, where that is wrong, what to do.

    One that is `ok` and has a remedy keeps nobody from trading, and should be known beforehand.
    """

    what: str
    ok: bool
    sentence: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.sentence}; {self.remedy}" if self.remedy else self.sentence


async def examine_venue(
    endpoints: Endpoints, *, trading: bool, geoblock: str = "", wall: Callable[[], float] = time.time
) -> list[Finding]:
    """Look at the venue from here: is it reached, does its clock agree and, for `trading`, does it take orders from here."""
    public = [
        ("Gamma", endpoints.gamma_url, "/markets/keyset?limit=1"),
        ("CLOB", endpoints.clob_url, "/time"),
        ("Data API", endpoints.data_url, f"/v2/resolutions?condition_id={_NOBODY}"),
    ]
    findings = []
    async with httpx.AsyncClient(
        timeout=_TIMEOUT, headers={"User-Agent": "polyfleet"}, trust_env=not endpoints.simulated
    ) as http:
        for name, base, path in public:
            findings.append(await _reached(name, base, lambda url=base + path: http.get(url)))  # type: ignore[misc]
        if findings[1].ok:
            findings.append(await _clock(http, endpoints, wall))
        if trading:
            question = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
            findings.append(await _reached("RPC node", endpoints.rpc_url, lambda: http.post(endpoints.rpc_url, json=question)))
            if findings[-1].ok:
                findings[-1] = await _chain(http, endpoints.rpc_url, question)
            if where := geoblock or ("" if endpoints.simulated else GEOBLOCK):
                findings.append(await _place(http, where))
    return findings


async def _reached(name: str, url: str, ask: Callable[[], Awaitable[httpx.Response]]) -> Finding:
    what = f"{name} answers"
    try:
        answer = await ask()
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        return Finding(
            what, False, f"{name} at {url} cannot be reached ({reason})", "check the network, and the address in the settings"
        )
    if _is_page(answer):
        return Finding(
            what,
            False,
            f"{name} at {url} answers {answer.status_code} with a web page: it blocks this network",
            "use another network (not a VPN or a data centre), or see whether the venue serves your country",
        )
    if answer.status_code >= 500 or answer.status_code == 429:
        return Finding(what, False, f"{name} at {url} answers {answer.status_code}", "it may be down; try again later")
    return Finding(what, True, what)


def _is_page(answer: httpx.Response) -> bool:
    return answer.status_code in (401, 403, 451, 503) and "html" in answer.headers.get("content-type", "")


async def _clock(http: httpx.AsyncClient, endpoints: Endpoints, wall: Callable[[], float]) -> Finding:
    what = "the clock agrees with the venue's"
    before = wall()
    try:
        told = int((await http.get(endpoints.clob_url + "/time")).text)
    except (httpx.HTTPError, ValueError) as error:
        return Finding(what, False, f"the venue does not tell its time ({error})", "try again later")
    # It tells whole seconds, of some moment between question and answer.
    ahead = max(before - told - 1, 0) + min(wall() - told, 0)
    if abs(ahead) <= SKEW:
        return Finding(what, True, what)
    side = "ahead of" if ahead > 0 else "behind"
    return Finding(
        what,
        False,
        f"this machine's clock is {abs(ahead):.0f} s {side} the venue's, which refuses such signatures",
        "set it by NTP",
    )


async def _chain(http: httpx.AsyncClient, url: str, question: dict[str, object]) -> Finding:
    what = "the RPC node is on the venue's chain"
    try:
        chain = (await http.post(url, json=question)).json()["result"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        chain = None
    if chain == _CHAIN:
        return Finding(what, True, what)
    return Finding(
        what, False, f"the RPC node at {url} is not one of Polygon ({int(_CHAIN, 16)})", "set POLYFLEET_RPC_URL to one that is"
    )


async def _place(http: httpx.AsyncClient, url: str) -> Finding:
    what = "the venue takes orders from here"
    try:
        said = (await http.get(url)).json()
        blocked, where = bool(said["blocked"]), " ".join(str(said.get(key) or "") for key in ("country", "region")).strip()
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return Finding(what, False, f"{url} does not say whether the venue takes orders from here", "check the network")
    if blocked:
        return Finding(
            what,
            False,
            f"the venue takes no orders from here ({where or 'unknown country'})",
            "use --mode paper; do not go round it",
        )
    return Finding(what, True, what)


async def examine_wallet(
    endpoints: Endpoints,
    *,
    name: str,
    address: str,
    private_key: str,
    needed: Micro | None,
    budgets: str = "its agents' budgets",
    gasless: GaslessKey | None = None,
) -> list[Finding]:
    """Look at a wallet through its own key: is it the key's, does it exist, may it trade, is `needed` pUSD there.

    With `needed` None its balance is only told. `gasless` is its key for the relayer. Creates the wallet's API credentials at
    the venue if it has none.
    """
    kind = kind_of(private_key, address)
    whose = f"wallet {name} ({address}) is one of the key's"
    if kind is None:
        others = ", ".join(f"{other} {own}" for other, own in wallets_of(private_key).items())
        return [Finding(whose, False, f"wallet {name} is {address}, which is none of the key's: {others}", "name one of those")]
    findings = [Finding(whose, True, f"wallet {name} is the key's {kind} wallet {address}")]
    try:
        client = await AsyncSecureClient._create(
            private_key=private_key, wallet=address, environment=environment(endpoints), api_key=library_key(gasless)
        )
    except PolymarketError as error:
        what = f"the venue lets wallet {name} in"
        return [*findings, Finding(what, False, f"the venue does not let wallet {name} in: {_said(error)}", _about(error))]
    try:
        if kind in _RELAYED and not await fetch_deployed(client._ctx.relayer, address=address, type=_RELAYED[kind]):
            what = f"wallet {name} exists"
            sentence = f"wallet {name}, the key's {kind} wallet {address}, does not exist yet"
            return [
                *findings,
                Finding(what, False, sentence, "open the account at polymarket.com, or name another of the key's wallets"),
            ]
        findings.append(await _standing(client, name))
        findings += await _money(client, name, kind, needed, budgets)
        if kind in _RELAYED:
            findings.append(await _payouts(client, name, kind, gasless))
    except PolymarketError as error:
        findings.append(
            Finding("the venue answers for it", False, f"wallet {name} cannot be looked at: {_said(error)}", _about(error))
        )
    finally:
        await client.close()
    return findings


async def _standing(client: AsyncSecureClient, name: str) -> Finding:
    what = f"wallet {name} may open positions"
    if await client.get_closed_only_mode():
        return Finding(
            what,
            False,
            f"wallet {name} is in closed-only mode: the venue lets it sell and not buy",
            "ask the venue's support why",
        )
    return Finding(what, True, what)


async def _money(client: AsyncSecureClient, name: str, kind: str, needed: Micro | None, budgets: str) -> list[Finding]:
    found = await client.get_balance_allowance(asset_type="COLLATERAL")
    allowed = {spender.lower(): amount for spender, amount in found.allowances.items()}
    config = client._ctx.environment_config
    least = max(needed or 0, ONE)
    lacking = [
        spender for spender in (config.standard_exchange, config.neg_risk_exchange) if allowed.get(spender.lower(), 0) < least
    ]
    what = f"the exchange may move wallet {name}'s pUSD"
    findings = [
        Finding(
            what,
            False,
            f"wallet {name} has not allowed the exchange {' and '.join(lacking)} to move its pUSD",
            "make one trade at polymarket.com, which asks for it, or call setup_trading_approvals() of polymarket-client",
        )
        if lacking
        else Finding(what, True, what)
    ]
    what = f"wallet {name} has the money"
    has = f"wallet {name} has {text(found.balance)} pUSD"
    if needed is not None and found.balance < needed:
        sentence = f"{has}, and {budgets} come to {text(needed)}"
        findings.append(Finding(what, False, sentence, _more(kind)))
    else:
        findings.append(Finding(what, True, has))
    return findings


async def _payouts(client: AsyncSecureClient, name: str, kind: str, gasless: GaslessKey | None) -> Finding:
    """Say whether resolved markets will be paid out; where not, trading goes on all the same."""
    what = f"wallet {name} has a key for the venue's relayer"
    so = "resolved markets are not paid out by themselves"
    if gasless is None:
        return Finding(what, True, f"wallet {name}, a {kind} wallet, has no key for the venue's relayer: {so}", REMEDY)
    ask = fetch_relay_payload if kind == "proxy" else fetch_execute_params
    try:
        await ask(client._ctx.relayer, address=client.signer, type=_RELAYED[kind])
    except PolymarketError as error:
        if isinstance(error, RequestRejectedError) and error.status == 401:
            return Finding(what, True, f"the venue's relayer does not take the key that wallet {name} has for it: {so}", REMEDY)
        return Finding(what, True, f"the venue's relayer does not answer for wallet {name}: {_said(error)}", "try again later")
    return Finding(what, True, what)


def _more(kind: str) -> str:
    return f"deposit more, lower the budgets, or name another wallet of the key than its {kind} one if the money is there"


def _said(error: PolymarketError) -> str:
    message = " ".join(str(error).split())
    if _is_html(error):
        return "it answers 403 with a web page: it blocks this network"
    return message[:200]


def _is_html(error: PolymarketError) -> bool:
    return isinstance(error, RequestRejectedError) and error.status == 403 and "html" in str(error).lower()


def _about(error: PolymarketError) -> str:
    if _is_html(error):
        return "use another network (not a VPN or a data centre), or see whether the venue serves your country"
    return "see whether the key is right and the account is open at polymarket.com"
