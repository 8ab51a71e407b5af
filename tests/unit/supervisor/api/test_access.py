import pytest

from agents.errors import InvalidInput
from supervisor.api.access import Access, Caller, access_from, bearer, digest, digested
from supervisor.api.scopes import Scope


def test_a_token_fits_only_itself() -> None:
    access = access_from({"POLYFLEET_API_TOKEN": "s3cret"})
    assert access.token_fits("s3cret")
    for wrong in (None, "", "s3cre", "s3cret ", "S3CRET", digest("s3cret")):
        assert not access.token_fits(wrong)
    assert "s3cret" not in repr(access)


def test_the_digest_stands_for_the_token() -> None:
    assert access_from({"POLYFLEET_API_TOKEN_DIGEST": digest("s3cret").upper()}).token_fits("s3cret")


def test_without_a_token_anything_fits() -> None:
    access = access_from({"POLYFLEET_API_TOKEN": "", "POLYFLEET_API_TOKENS": " , "})
    assert not access.guarded
    assert access.token_fits(None)
    assert access.caller(None) == Caller("anyone", Scope.ADMIN)


NAMED = {"POLYFLEET_API_TOKEN": "s3cret", "POLYFLEET_API_TOKENS": "monitor:read:abc, bot:control:d:e"}


@pytest.mark.parametrize("environment", [NAMED, digested(NAMED)])
def test_each_token_has_a_name_and_a_scope(environment: dict[str, str]) -> None:
    access = access_from(environment)
    assert access.caller("s3cret") == Caller("admin", Scope.ADMIN)
    assert access.caller("abc") == Caller("monitor", Scope.READ)
    assert access.caller("d:e") == Caller("bot", Scope.CONTROL)
    for wrong in (None, "", "abc ", "d", digest("abc")):
        assert access.caller(wrong) is None


def test_named_tokens_alone_guard_the_api() -> None:
    access = access_from({"POLYFLEET_API_TOKENS": "monitor:read:abc"})
    assert access.guarded
    assert access.caller("") is None
    assert access.caller(None) is None


def test_what_the_apis_processes_are_given_has_no_token() -> None:
    given = digested(NAMED)
    assert given.keys() == {"POLYFLEET_API_TOKEN_DIGEST", "POLYFLEET_API_TOKEN_DIGESTS"}
    assert given["POLYFLEET_API_TOKEN_DIGESTS"] == f"monitor:read:{digest('abc')},bot:control:{digest('d:e')}"
    assert digested({}) == dict.fromkeys(given, "")


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("hunter2", "entry 1 is wrong; expected name:scope:token"),
        ("a:read:x,hunter2:", "entry 2 is wrong"),
        ("a:root:hunter2", "scopes are read, control, admin"),
        ("A:read:hunter2", "names lower-case"),
        ("a:read:x,a:admin:hunter2", "entry 2 has a name that is taken"),
        ("admin:read:hunter2", "entry 1 has a name that is taken"),
        ("a:read:hunter2,b:admin:hunter2", "stands for two names"),
        ("a:read:s3cret", "stands for two names"),
    ],
)
def test_a_wrong_token_setting_is_refused_and_not_shown(setting: str, found: str) -> None:
    with pytest.raises(InvalidInput, match=found) as refused:
        access_from({"POLYFLEET_API_TOKEN": "s3cret", "POLYFLEET_API_TOKENS": setting})
    assert "hunter2" not in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_bearer_token_is_read_from_its_header() -> None:
    assert bearer("Bearer abc") == bearer("bearer  abc ") == "abc"
    for none in (None, "", "abc", "Basic abc", "Bearer", "Bearer "):
        assert bearer(none) is None


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:3001", "127.0.0.1:3001", "[::1]:3001", "fleet.example"])
def test_loopback_and_what_is_configured_are_served(host: str) -> None:
    assert access_from({"POLYFLEET_ALLOWED_HOSTS": "fleet.example, other.example"}).refusal(host, None) is None


@pytest.mark.parametrize("host", [None, "", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "[::2]"])
def test_another_host_is_refused(host: str | None) -> None:
    refusal = Access().refusal(host, None)
    assert refusal
    assert refusal.startswith("The Host ")
    assert "POLYFLEET_ALLOWED_HOSTS" in refusal


def test_the_frontend_and_the_api_itself_may_call_it() -> None:
    access = access_from({"FRONTEND_URL": "https://App.example/path, http://localhost:5173"})
    for origin in (None, "https://app.example", "http://localhost:5173", "http://127.0.0.1:3001"):
        assert access.refusal("127.0.0.1:3001", origin) is None
    assert Access().refusal("localhost:3001", "http://localhost:3000") is None


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "", "http://localhost:3000.evil.example", "http://localhost"]
)
def test_another_origin_is_refused(origin: str) -> None:
    refusal = Access().refusal("localhost:3001", origin)
    assert refusal
    assert refusal.startswith("The Origin ")
    assert "FRONTEND_URL" in refusal


@pytest.mark.parametrize("url", ["*", "localhost:3000", "ftp://x", "https://"])
def test_a_frontend_that_is_no_web_page_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"FRONTEND_URL is .*, expected the address of a web page such as http"):
        access_from({"FRONTEND_URL": url})
