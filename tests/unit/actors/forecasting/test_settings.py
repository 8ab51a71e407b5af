import pytest

from actors.forecasting.settings import LlmSettings, llm_settings_from
from agents.errors import InvalidInput
from agents.money import ONE


def test_nothing_set_is_all_default() -> None:
    assert llm_settings_from({}) == LlmSettings()
    assert llm_settings_from({"OPENAI_BASE_URL": "", "POLYFLEET_LLM_RATE": " "}) == LlmSettings()


def test_what_is_set_is_read() -> None:
    found = llm_settings_from(
        {
            "OPENAI_BASE_URL": "http://127.0.0.1:8000/v1",
            "POLYFLEET_LLM_RATE": "0.5",
            "POLYFLEET_LLM_TIMEOUT": "5",
            "POLYFLEET_LLM_CONCURRENCY": "3",
            "POLYFLEET_LLM_DAILY_BUDGET": "1.25",
            "POLYFLEET_LLM_PRICES": "m=1/2",
        }
    )
    assert (found.base_url, found.rate, found.timeout, found.concurrency) == ("http://127.0.0.1:8000/v1", 0.5, 5.0, 3)
    assert (found.daily_budget, list(found.prices)) == (ONE * 5 // 4, ["m"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_BASE_URL", "localhost:8000"),
        ("OPENAI_BASE_URL", "ftp://host/v1"),
        ("POLYFLEET_LLM_RATE", "0"),
        ("POLYFLEET_LLM_RATE", "nan"),
        ("POLYFLEET_LLM_TIMEOUT", "soon"),
        ("POLYFLEET_LLM_CONCURRENCY", "0"),
        ("POLYFLEET_LLM_DAILY_BUDGET", "-1"),
        ("POLYFLEET_LLM_DAILY_BUDGET", "much"),
        ("POLYFLEET_LLM_PRICES", "gpt-5"),
    ],
)
def test_what_is_wrong_is_named_with_what_was_expected(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{name}: '{value}' is .*; expected "):
        llm_settings_from({name: value})


def test_openais_own_server_is_known_by_its_address() -> None:
    urls = ("", "https://api.openai.com/v1", "http://127.0.0.1:8000/v1")
    assert [LlmSettings(base_url=url).elsewhere for url in urls] == [False, False, True]
