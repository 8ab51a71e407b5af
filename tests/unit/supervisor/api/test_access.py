import pytest

from agents.errors import InvalidInput
from supervisor.api.access import Access, access_from, bearer, digest


def test_a_token_fits_only_itself() -> None:
    access = access_from({"POLYFLEET_API_TOKEN": "s3cret"})
    assert access.token_fits("s3cret")
    for wrong in (None, "", "s3cre", "s3cret ", "S3CRET", digest("s3cret")):
        assert not access.token_fits(wrong)
    assert "s3cret" not in repr(access)


def test_the_digest_stands_for_the_token() -> None:
    assert access_from({"POLYFLEET_API_TOKEN_DIGEST": digest("s3cret").upper()}).token_fits("s3cret")


def test_without_a_token_anything_fits() -> None:
    assert access_from({"POLYFLEET_API_TOKEN": ""}).token_fits(None)


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
