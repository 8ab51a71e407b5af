from pathlib import Path

from actors.config import SystemConfig
from supervisor.secrets import leave_providers, without_secrets

SECRET = {
    "POLYGON_WALLET_PRIVATE_KEY": "a",
    "OPENAI_API_KEY": "b",
    "NEWSAPI_API_KEY": "c",
    "ANTHROPIC_API_KEY": "d",
    "TELEGRAM_BOT_TOKEN": "e",
    "POLYFLEET_API_TOKEN": "f",
    "POLYFLEET_API_TOKENS": "a:read:f",
    "DATABASE_URL": "g",
}


def test_nothing_secret_is_inherited() -> None:
    assert without_secrets(SECRET | {"PATH": "/bin", "OPENAI_BASE_URL": "http://m/v1"}) == {
        "PATH": "/bin",
        "OPENAI_BASE_URL": "http://m/v1",
    }


def test_providers_keys_and_settings_are_left_in_a_private_file_and_no_others(tmp_path: Path) -> None:
    config = SystemConfig(str(tmp_path))
    assert config.providers() == {}
    leave_providers(config, SECRET | {"POLYFLEET_LLM_RATE": "2", "POLYFLEET_LLM_PRICES": "", "PATH": "/bin"})
    assert config.providers_file.stat().st_mode & 0o777 == 0o600
    assert config.providers() == {
        "OPENAI_API_KEY": "b",
        "NEWSAPI_API_KEY": "c",
        "ANTHROPIC_API_KEY": "d",
        "POLYFLEET_LLM_RATE": "2",
    }
    leave_providers(config, {})
    assert config.providers() == {}
