import itsdangerous
import pytest

from supervisor.dashboard.login import LIFETIME, Sessions


def test_a_session_lives_until_it_is_ended() -> None:
    sessions = Sessions("digest")
    one, other = sessions.begin(), sessions.begin()
    assert sessions.lives(one)
    sessions.end(one)
    assert not sessions.lives(one)
    assert sessions.lives(other)


def test_only_the_same_token_s_signature_counts() -> None:
    session = Sessions("digest").begin()
    assert Sessions("digest").lives(session)
    assert not Sessions("another").lives(session)
    for forged in (None, "", session[:-1], session.replace(".", ".x", 1), f"x{session}"):
        assert not Sessions("digest").lives(forged)


def test_a_session_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions("digest")
    session = sessions.begin()
    now = itsdangerous.TimestampSigner("x").get_timestamp()
    monkeypatch.setattr(itsdangerous.TimestampSigner, "get_timestamp", lambda self: now + LIFETIME + 2)
    assert not sessions.lives(session)
