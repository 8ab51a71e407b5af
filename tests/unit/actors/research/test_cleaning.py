import time

import pytest

from actors.research.cleaning import cleaned


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('<p>Analysts put the chance of "Yes" at about 63 in 100.</p>', 'Analysts put the chance of "Yes" at about 63 in 100.'),
        ("One line.\n\nAnother, with 5 < 6 &amp; no markup.", "One line.\nAnother, with 5 < 6 & no markup."),
        ('<?xml version="1.0" encoding="utf-8"?><p>Declared text.</p>', "Declared text."),
        ("<!-- nothing -->", ""),
        ("<script>only()</script>", ""),
        ("<", "<"),
        ("", ""),
    ],
)
def test_it_leaves_what_is_read(content: str, expected: str) -> None:
    assert cleaned(content) == expected


@pytest.mark.parametrize(
    "hidden",
    [
        "<p hidden>secret</p>",
        "<div style='color:red; DISPLAY : none'><p>secret</p></div>",
        "<span style='visibility:hidden'>secret</span>",
        "<p style='font-size:0'>secret</p>",
        "<p style='opacity: 0'>secret</p>",
        "<p style='position:absolute;left:-9999px'>secret</p>",
        "<div aria-hidden='true'>secret</div>",
        "<script>secret</script>",
        "<style>secret</style>",
        "<template><p>secret</p></template>",
        "<noscript>secret</noscript>",
        "<iframe>secret</iframe>",
        "<!-- secret -->",
        "<p title='secret' data-x='secret'></p>",
        "<img alt='secret' src='x'>",
    ],
)
def test_what_is_hidden_is_left_out(hidden: str) -> None:
    page = f"<html><body><article><p>First paragraph of text.</p>{hidden}<p>Second one.</p></article></body></html>"
    assert cleaned(page).split("\n") == ["First paragraph of text.", "Second one."]


@pytest.mark.parametrize(
    "page",
    ["<div>" * 60_000, "<b><i>" * 50_000 + "x", "<p>a b c</p>" * 40_000, "<table><tr>" + "<td>x</td>" * 50_000, "<" * 300_000],
)
def test_pages_made_to_be_slow_are_not(page: str) -> None:
    began = time.process_time()
    assert len(cleaned(page)) <= 20_000
    assert time.process_time() - began < 5
