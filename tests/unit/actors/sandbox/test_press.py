from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.sandbox.articles import Article
from actors.sandbox.venue import Venue, VenueConfig
from actors.sandbox.words import words
from tests.unit.actors.sandbox.stage import WALL, Wall

EVER = 10**15
MINUTE = 60_000


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def venue(wall: Wall) -> Iterator[Venue]:
    made = Venue(VenueConfig(seed=3, speed=60.0), wall)
    yield made
    made.close()


def test_nothing_is_found_before_its_date_and_everything_after_it(venue: Venue, wall: Wall) -> None:
    opened = venue.now
    before = venue.press.search("", 0, EVER, 1000)
    assert before
    assert max(article.published for article in before) <= opened
    wall.pass_by(60)
    venue.tick()
    after = venue.press.search("", 0, EVER, 1000)
    fresh = {article.id for article in after} - {article.id for article in before}
    assert fresh
    assert all(article.published > opened for article in after if article.id in fresh)
    assert max(article.published for article in after) <= venue.now
    assert venue.press.search("", venue.now + 1, EVER, 1000) == []


def test_a_search_for_a_markets_question_finds_its_articles_first_hand(venue: Venue) -> None:
    for record in venue.exchange.markets():
        found = venue.press.search(record.question, 0, EVER, 100)
        assert {article.id for article in found if article.id.startswith(f"{record.id}-")} == {
            article.id for article in venue.press.search("", 0, EVER, 1000) if article.id.startswith(f"{record.id}-")
        }
        dates = [article.published for article in found]
        assert dates == sorted(dates, reverse=True)


def test_a_search_for_a_few_words_finds_what_has_them_and_none_finds_nothing(venue: Venue) -> None:
    record = next(record for record in venue.exchange.markets() if "velda" in words(record.question))
    found = venue.press.search("news from Velda", 0, EVER, 100)
    assert any(article.id.startswith(f"{record.id}-") for article in found)
    assert all("velda" in words(article.title + article.content) for article in found)
    assert venue.press.search("bitcoin halving ETF inflows", 0, EVER, 100) == []


def test_the_window_and_the_limit_hold(venue: Venue) -> None:
    every = venue.press.search("", 0, EVER, 1000)
    assert venue.press.search("", 0, EVER, 3) == every[:3]
    start, end = every[10].published, every[5].published
    assert venue.press.search("", start, end, 1000) == [one for one in every if start <= one.published <= end]


def test_an_article_is_found_by_its_id_once_it_is_published(venue: Venue, wall: Wall) -> None:
    known = {article.id: article for article in venue.press.search("", 0, EVER, 1000)}
    assert all(venue.press.article(id) == article for id, article in known.items())
    wanted = {f"{record.id}-{number}" for record in venue.exchange.markets() for number in range(15)} - set(known)
    assert not any(venue.press.article(id) for id in wanted)
    wall.pass_by(30)
    venue.tick()
    assert 0 < sum(venue.press.article(id) is not None for id in wanted) < len(wanted)
    for wrong in ("", "-", "1-1", "x-0", *(f"{next(iter(known)).split('-')[0]}-{end}" for end in ("9999", "x", "\u00b2"))):
        assert venue.press.article(wrong) is None


def test_markets_that_resolved_are_still_found_by_a_search(venue: Venue, wall: Wall) -> None:
    record = min(venue.exchange.markets(), key=lambda market: market.end or EVER)
    wall.pass_by(1 + ((record.end or 0) - venue.now) / MINUTE)
    venue.tick()
    resolved = venue.exchange.market(record.condition_id)
    assert resolved is not None
    assert resolved.closed
    found = venue.press.search(record.question, 0, EVER, 100)
    assert any(article.id.startswith(f"{record.id}-") for article in found)
    assert not any(article.id.startswith(f"{record.id}-") for article in venue.press.search("", 0, EVER, 1000))


def test_a_venue_that_starts_again_has_the_same_news(tmp_path: Path, wall: Wall) -> None:
    def news(seed: int = 0) -> list[Article]:
        venue = Venue(VenueConfig(str(tmp_path), speed=60.0, seed=seed), wall)
        try:
            return venue.press.search("", 0, int(WALL) * 1000, 1000)
        finally:
            venue.close()

    first = news(5)
    assert first
    assert news() == first
