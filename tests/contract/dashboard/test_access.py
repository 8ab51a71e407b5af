"""Who gets in: the token's login page, its cookie, and what a page elsewhere is refused."""

import re

import httpx
import pytest
from playwright.sync_api import Browser, expect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from agents.events import Type
from supervisor.dashboard.login import COOKIE
from tests.contract.dashboard.served import Dashboard
from tests.contract.dashboard.visitor import SOON, Visitor

SOCKET = "_nicegui_ws/socket.io/?EIO=4&transport="


def client(dashboard: Dashboard) -> httpx.Client:
    return httpx.Client(base_url=dashboard.url, trust_env=False, timeout=30)


def test_somebody_with_the_token_logs_in_and_out(browser: Browser, guarded: Dashboard) -> None:
    visitor = Visitor(browser, guarded.url)
    page = visitor.page
    page.goto(guarded.url + "portfolio")
    assert page.url.endswith("/dashboard/login")
    field = page.get_by_label("API token of this fleet")
    assert page.evaluate("document.activeElement.id") == "token"
    field.fill("guess")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("That is not the token")
    visitor.troubles.clear()  # the browser logs the 401
    page.get_by_label("API token of this fleet").fill("s3cret")
    page.keyboard.press("Enter")
    expect(page.locator("#main h1")).to_have_text("Fleet")
    expect(page.get_by_text("There is no agent yet.")).to_be_visible()
    [cookie] = [cookie for cookie in visitor.context.cookies() if cookie["name"] == COOKIE]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/dashboard")
    assert "s3cret" not in page.content()
    guarded.run(guarded.stand.supervisor.create({"id": "one", "strategy": "momentum"}))
    expect(visitor.row("one")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("API token of this fleet")).to_be_visible()
    with client(guarded) as http:
        assert http.get("", headers={"Accept": "text/html", "Cookie": f"{COOKIE}={cookie['value']}"}).status_code == 303
    visitor.leave()


def test_without_a_session_nothing_but_the_login_page_answers(guarded: Dashboard) -> None:
    with client(guarded) as http:
        for path in ("", "agent/x", "_nicegui/3.18.0/static/nicegui.js", f"{SOCKET}polling"):
            assert http.get(path).status_code == 401
            assert http.get(path, headers={"Accept": "text/html"}).headers["location"] == "/dashboard/login"
        for forged in ("", "x", "session.x.y", 'a"; b'):
            assert http.get("", headers={"Cookie": f"{COOKIE}={forged}"}).status_code == 401
        assert http.post("login", data={"token": "x" * 10_000}).status_code == 401
        assert http.get("login").headers["cache-control"] == "no-store"
    with pytest.raises(InvalidStatus, match="401"):
        connect(guarded.url.replace("http", "ws", 1) + SOCKET + "websocket", proxy=None)


def test_a_connection_does_not_outlive_its_session(guarded: Dashboard) -> None:
    with client(guarded) as http:
        http.post("login", data={"token": "s3cret"})
        headers = {"Cookie": f"{COOKIE}={http.cookies[COOKIE]}"}
        page = http.get("").text
        found = re.search(r"""client_id["']: ["']([^"']+)""", page)
        assert found
        url = guarded.url.replace("http", "ws", 1) + SOCKET + f"websocket&client_id={found[1]}"
        with connect(url, additional_headers=headers, proxy=None) as socket:
            assert socket.recv(timeout=30).startswith("0")  # type: ignore[arg-type]
            assert http.post("logout").status_code == 303
            socket.send("40")
            with pytest.raises(ConnectionClosed):
                _read(socket)


def _read(socket: Connection) -> None:
    while True:
        socket.recv(timeout=30)


def test_guesses_are_limited(guarded: Dashboard) -> None:
    with client(guarded) as http:
        for _ in range(10):
            assert http.post("login", data={"token": "guess"}).status_code == 401
        answer = http.post("login", data={"token": "s3cret"})
        assert (answer.status_code, COOKIE in http.cookies) == (429, False)
        assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_behind_tls_the_cookie_is_sent_over_tls_only(guarded: Dashboard) -> None:
    host = guarded.url.split("/")[2]
    with client(guarded) as http:
        for scheme, secure in (("http", False), ("https", True)):
            answer = http.post("login", data={"token": "s3cret"}, headers={"Origin": f"{scheme}://{host}"})
            assert (answer.status_code, "; Secure" in answer.headers["set-cookie"]) == (303, secure)


def test_a_page_elsewhere_cannot_drive_the_dashboard(dashboard: Dashboard) -> None:
    with client(dashboard) as http:
        for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "http://localhost:3000"}):
            for path in ("", f"{SOCKET}polling"):
                assert http.get(path, headers=headers).status_code == 403
        answer = http.get("")
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "evil" not in http.get("", headers={"X-Forwarded-Prefix": "//evil.example"}).text
        assert http.get(dashboard.url.removesuffix("/")).headers["location"] == "/dashboard/"
    url = dashboard.url.replace("http", "ws", 1) + SOCKET + "websocket"
    with pytest.raises(InvalidStatus, match="403"):
        connect(url, origin="https://evil.example", proxy=None)  # type: ignore[arg-type]


def test_no_secret_is_in_any_page(guarded: Dashboard) -> None:
    guarded.run(guarded.stand.supervisor.store(Type.INFO, {"message": "hello"}))
    with client(guarded) as http:
        http.post("login", data={"token": "s3cret"})
        for path in ("", "markets", "portfolio", "notifications", "settings"):
            content = http.get(path).text
            assert "s3cret" not in content
            assert guarded.access.token_digest not in content
