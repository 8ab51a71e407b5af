"""Which sources there are to ask."""

from collections.abc import Awaitable, Callable, Mapping

from actors.research.source import Source
from actors.research.wire import Wire
from agents.ports import Endpoints


def sources_from(settings: Mapping[str, str], where: Callable[[], Awaitable[Endpoints]], *, simulated: bool) -> list[Source]:
    """Return the sources that keys and settings allow; for a simulated venue only its own wire.

    TAVILY_API_KEY; NEWS_API_KEY or NEWSAPI_API_KEY; POLYFLEET_RSS_FEEDS (addresses with commas between).
    """
    if simulated:
        return [Wire(where)]
    # Each is imported only when it is used: their clients take a second to load.
    found: list[Source] = []
    if key := settings.get("TAVILY_API_KEY"):
        from actors.research.tavily import Tavily

        found.append(Tavily(key))
    if key := settings.get("NEWS_API_KEY") or settings.get("NEWSAPI_API_KEY"):
        from actors.research.news_api import NewsApi

        found.append(NewsApi(key))
    if feeds := settings.get("POLYFLEET_RSS_FEEDS"):
        from actors.research.rss import Rss

        found += [Rss(url.strip()) for url in feeds.split(",") if url.strip()]
    return found
