import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.rag.text import canonical_url, plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  two \t words\u00a0here ", "two words here"),
        ("one\r\n\r\n  two\u2028three", "one\ntwo\nthree"),
        ("in\u200bvis\u00adible \u202eturned\u202c \U000e0041tag \x1b[31mred\x00", "invisible turned tag [31mred"),
        ("cafe\u0301", "caf\u00e9"),
        ("", ""),
    ],
)
def test_a_text_is_left_with_what_is_seen(text: str, expected: str) -> None:
    assert plain(text, 100) == expected


def test_it_is_cut_at_a_word() -> None:
    assert plain("one two three", 9) == "one two"
    assert plain("unbroken" * 10, 9) == "unbrokenu"


@given(st.text(), st.integers(1, 50))
def test_it_is_bounded_clean_and_stays_as_it_is(text: str, limit: int) -> None:
    found = plain(text, limit)
    assert len(found) <= limit
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co"} for c in found.replace("\n", ""))
    assert plain(found, limit) == found


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://News.Example:443/a/b/?utm_source=x&id=5&fbclid=1#top", "https://news.example/a/b?id=5"),
        ("http://news.example:8080/", "http://news.example:8080"),
        ("https://user:secret@news.example/a", "https://news.example/a"),
        ("https://[::1]:99/a", "https://[::1]:99/a"),
        ("javascript:alert(1)", None),
        ("ftp://news.example/a", None),
        ("https:///a", None),
        ("https://news.example/a b", None),
        ("https://news.example:x/", None),
        ("https://news.example/" + "a" * 3000, None),
        ("", None),
    ],
)
def test_one_address_has_one_form(url: str, expected: str | None) -> None:
    assert canonical_url(url) == expected
