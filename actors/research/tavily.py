"""Tavily's search of the news, through LangChain's client."""

from datetime import timedelta

# Its public tool turns failures into answers.
from langchain_tavily._utilities import TavilySearchAPIWrapper
from pydantic import SecretStr

from actors.research.source import LOOKBACK, Article, listed, milliseconds, moment, worded
from agents.errors import Unavailable

#: Characters of a query, and results, that Tavily takes at most.
_LONGEST = 400
_MOST = 20


class Tavily:
    """Searches Tavily's news: the only topic whose results say when they were published. `url` stands for its own address."""

    name = "Tavily"
    searches = True
    rate = "60/minute"

    def __init__(self, key: str, url: str | None = None) -> None:
        self._client = TavilySearchAPIWrapper(tavily_api_key=SecretStr(key), api_base_url=url)

    async def fetch(self, query: str, as_of: int, limit: int) -> list[Article]:
        """Return the most relevant articles published from four weeks before to the day of `as_of`, with their text."""
        until = moment(as_of)
        try:
            answer = await self._client.raw_results_async(
                query[:_LONGEST],
                max_results=min(limit, _MOST),
                search_depth="basic",
                include_domains=None,
                exclude_domains=None,
                include_answer=False,
                include_raw_content="text",
                include_images=False,
                include_image_descriptions=False,
                include_favicon=False,
                topic="news",
                time_range=None,
                country=None,
                auto_parameters=False,
                start_date=(until - LOOKBACK).date().isoformat(),
                # Results of this very day are wanted, and the end may be meant to be left out.
                end_date=(until + timedelta(days=1)).date().isoformat(),
                include_usage=None,
                exact_match=None,
            )
        except Exception as error:
            # The client raises bare exceptions, and for a refusal "Error 401: Unauthorized".
            said = str(error) if str(error).startswith("Error ") else type(error).__name__
            raise Unavailable(f"{self.name} could not be asked ({said[:100]})") from None
        return [
            Article(
                "",
                worded(one, "url"),
                worded(one, "title"),
                worded(one, "raw_content") or worded(one, "content"),
                milliseconds(one.get("published_date")),
            )
            for one in listed(answer, "results", self.name)[:limit]
        ]

    async def close(self) -> None:
        """Do nothing: it keeps no connection."""
