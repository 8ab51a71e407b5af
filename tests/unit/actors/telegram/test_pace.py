from actors.telegram.pace import Pace


def times(pace: Pace, chat: str, count: int, now: float = 100.0) -> list[float]:
    return [now + pace.reserve(chat, now) for _ in range(count)]


def test_one_message_a_second_goes_to_a_chat() -> None:
    assert times(Pace(), "7", 3) == [100.0, 101.0, 102.0]


def test_twenty_a_minute_go_to_a_group() -> None:
    found = times(Pace(), "-7", 41)
    assert found[19] == 119.0
    assert found[20] == 160.0
    assert found[40] == 220.0


def test_thirty_a_second_go_to_all_together() -> None:
    pace = Pace()
    found = [pace.reserve(str(chat), 100.0) for chat in range(61)]
    assert found[:31] == [0.0] * 30 + [1.0]
    assert found[60] == 2.0


def test_an_answer_does_not_wait_for_the_last_alert_but_the_next_alert_for_it() -> None:
    pace = Pace()
    assert pace.reserve("7", 100.0) == 0.0
    assert pace.reserve("7", 100.2, answer=True) == 0.0
    assert round(pace.reserve("7", 100.2), 6) == 1.0


def test_nothing_goes_before_the_time_that_telegram_has_said() -> None:
    pace = Pace()
    pace.hold("7", 130.0)
    pace.hold("7", 110.0)
    assert pace.held("7", 100.0) == 30.0
    assert pace.reserve("7", 100.0, answer=True) == 30.0
    assert pace.reserve("8", 100.0) == 0.0
