from pathlib import Path

import pytest

from actors.config import SystemConfig
from actors.telegram.settings import account, begun, keep_token, telegram_settings_from, token_of
from agents.alerts.commands import Role
from agents.alerts.policy import AlertConfig
from agents.errors import InvalidInput, Unavailable
from supervisor.secrets import leave_telegram

FULL = {
    "TELEGRAM_BOT_TOKEN": "1:secret",
    "TELEGRAM_CHAT_ID": "100",
    "TELEGRAM_API_URL": "http://127.0.0.1:8081/",
    "POLYFLEET_TELEGRAM_CHATS": "200:viewer, -300:operator",
}


def test_the_environment_says_all() -> None:
    settings = telegram_settings_from(FULL)
    found = account(settings, begun(settings, settings.token), settings.token)
    assert found is not None
    assert (found.token, found.api_url, found.chat_id) == ("1:secret", "http://127.0.0.1:8081", "100")
    assert found.roles == {"100": Role.OPERATOR, "200": Role.VIEWER, "-300": Role.OPERATOR}
    assert "secret" not in repr(settings) + repr(found)


def test_without_token_or_chat_nothing_runs() -> None:
    for missing in ("TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID"):
        settings = telegram_settings_from(FULL | {missing: ""})
        assert account(settings, begun(settings, settings.token), settings.token) is None
    settings = telegram_settings_from(FULL)
    assert account(settings, AlertConfig(enabled=False, chat_id="100"), settings.token) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TELEGRAM_BOT_TOKEN", "se cret"),
        ("TELEGRAM_CHAT_ID", "me"),
        ("TELEGRAM_API_URL", "127.0.0.1:8081"),
        ("POLYFLEET_TELEGRAM_CHATS", "200"),
        ("POLYFLEET_TELEGRAM_CHATS", "200:owner"),
    ],
)
def test_what_is_not_possible_is_named_and_no_token_shown(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{name}") as error:
        telegram_settings_from(FULL | {name: value})
    assert "se cret" not in str(error.value)


def test_up_leaves_the_settings_in_a_private_file_and_a_token_given_later_wins(tmp_path: Path) -> None:
    config = SystemConfig(str(tmp_path))
    leave_telegram(config, FULL | {"PATH": "/bin"})
    assert config.telegram() == FULL
    assert config.telegram_file.stat().st_mode & 0o777 == 0o600
    settings = telegram_settings_from(config.telegram())
    assert token_of(config, settings) == "1:secret"
    keep_token(config, "2:other")
    assert token_of(config, settings) == "2:other"
    keep_token(config, "")
    assert token_of(config, settings) == "1:secret"
    leave_telegram(config, {})
    assert config.telegram() == {}


def test_where_there_is_no_data_directory_a_token_is_refused_with_a_sentence() -> None:
    with pytest.raises(Unavailable, match="set TELEGRAM_BOT_TOKEN and start the fleet again") as error:
        keep_token(SystemConfig("/nowhere/at/all"), "2:secret")
    assert "secret" not in str(error.value)
