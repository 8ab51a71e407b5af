from hypothesis import given
from hypothesis import strategies as st

from agents.rag.chunking import chunks


def test_chunks_end_with_sentences() -> None:
    assert chunks("One is here. Two is there! Three?\nFour", 27) == ["One is here. Two is there!", "Three? Four"]


def test_a_long_sentence_is_cut_between_words() -> None:
    assert chunks("aaaa bbbb cccc dddd", 10) == ["aaaa bbbb", "cccc dddd"]


def test_nothing_has_no_chunks() -> None:
    assert chunks(" \n ") == []


@given(st.text(alphabet="ab. \n!", max_size=300), st.integers(5, 40))
def test_nothing_is_lost_and_none_is_too_long(text: str, size: int) -> None:
    found = chunks(text, size)
    assert all(0 < len(chunk) <= size for chunk in found)
    assert "".join("".join(found).split()) == "".join(text.split())
