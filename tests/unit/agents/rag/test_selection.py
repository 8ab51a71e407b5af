from hypothesis import given
from hypothesis import strategies as st

from agents.rag.selection import LONGEST, Passage, admissible, selected

WORDS = ["alpha beta gamma delta epsilon", "one two three four five six", "red green blue black white grey"]


def passage(
    text: str = WORDS[0], *, url: str = "https://x.example/a", at: int = 100, relevance: float = 0.5, n: int = 0
) -> Passage:
    return Passage("X", url, "Title", text, n, at, 200, relevance)


@given(
    st.lists(
        st.builds(
            passage,
            st.sampled_from(WORDS),
            url=st.sampled_from("abc"),
            at=st.integers(-1, 5),
            relevance=st.floats(0, 1),
            n=st.integers(0, 3),
        )
    ),
    st.integers(0, 5),
    st.floats(0, 1),
    st.integers(1, 3),
)
def test_what_comes_back_is_in_time_relevant_ranked_and_unlike(
    passages: list[Passage], as_of: int, least: float, limit: int
) -> None:
    found = selected(passages, as_of=as_of, least=least, limit=limit)
    assert len(found) <= limit
    assert all(0 < one.published <= as_of and one.relevance >= round(least, 4) for one in found)
    assert [one.relevance for one in found] == sorted((one.relevance for one in found), reverse=True)
    assert len({one.url for one in found}) == len(found) == len({one.summary for one in found})


def test_chunks_of_one_document_are_joined_in_its_order() -> None:
    found = selected(
        [
            passage("Third.", n=3, relevance=0.9),
            passage("First.", n=0, relevance=0.4),
            passage("Fourth.", n=4),
            passage("Third.", n=3, relevance=0.7),
        ],
        as_of=100,
        least=0.3,
        limit=5,
    )
    assert [(one.summary, one.relevance) for one in found] == [("First. … Third. Fourth.", 0.9)]


def test_what_is_returned_of_a_document_is_bounded_by_its_best_chunks() -> None:
    chunks = [passage(f"{n} " * 600, n=n, relevance=0.5 + n / 100) for n in range(10)]
    (found,) = selected(chunks, as_of=100, least=0, limit=5)
    assert len(found.summary) <= LONGEST
    assert found.summary.startswith("8 ")
    assert found.summary.rstrip().endswith("9")


def test_what_is_far_less_relevant_than_the_best_is_left_out() -> None:
    passages = [passage(text, url=text, relevance=p) for text, p in zip(WORDS, (0.9, 0.5, 0.4), strict=True)]
    assert [one.relevance for one in selected(passages, as_of=100, least=0.2, limit=5)] == [0.9, 0.5]
    assert [one.relevance for one in selected(passages[2:], as_of=100, least=0.2, limit=5)] == [0.4]


def test_of_two_editions_the_newest_in_time_counts() -> None:
    editions = [passage("Old.", at=10), passage("New.", at=20, relevance=0.4), passage("Later.", at=30)]
    assert [one.summary for one in selected(editions, as_of=25, least=0, limit=5)] == ["New."]


def test_only_a_document_with_a_time_that_has_come_is_admissible() -> None:
    assert [admissible(at, 10) for at in (None, 0, -5, 1, 10, 11)] == [False, False, False, True, True, False]
