import math
from itertools import pairwise
from random import Random

from actors.sandbox.truth import chances, draw, quoted

PRIORS = (0.1, 0.3, 0.6)
STEPS = 60


def paths(count: int) -> list[tuple[int, list[list[float]]]]:
    made = []
    for number in range(count):
        random = Random(number)
        winner = draw(PRIORS, random)
        made.append((winner, list(chances(PRIORS, winner, STEPS, random))))
    return made


def test_chances_start_at_the_priors_add_up_and_end_at_the_winner() -> None:
    found = 0
    for winner, path in paths(200):
        assert [round(chance, 9) for chance in path[0]] == list(PRIORS)
        assert all(math.isclose(sum(state), 1) for state in path)
        found += path[-1][winner] > 0.95
    assert found > 160


def test_chances_are_calibrated_at_every_time_of_the_way() -> None:
    made = paths(2500)
    for step in (STEPS // 4, STEPS // 2, STEPS - 5):
        for low, high in ((0.05, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 0.95)):
            inside = [
                (chance, state == winner)
                for winner, path in made
                for state, chance in enumerate(path[step])
                if low <= chance < high
            ]
            expected = sum(chance for chance, _ in inside) / len(inside)
            came = sum(won for _, won in inside) / len(inside)
            spread = math.sqrt(expected * (1 - expected) / len(inside))
            assert abs(came - expected) < 4 * spread, (step, low)


def test_quotes_pull_longshots_up_and_favourites_down() -> None:
    truth = [[0.05, 0.95]]
    (shown,) = quoted(iter(truth), 1.0)
    assert 0.055 < shown[0] < 0.065
    assert math.isclose(sum(shown), 1)


def test_a_slow_pace_makes_prices_drift_the_way_they_went() -> None:
    def autocorrelation(pace: float) -> float:
        together = before = 0.0
        for number in range(300):
            random = Random(number)
            shown = [state[1] for state in quoted(chances((0.5, 0.5), draw((1, 1), random), STEPS, random), pace)]
            moves = [later - earlier for earlier, later in pairwise(shown)]
            together += sum(one * two for one, two in pairwise(moves))
            before += sum(move * move for move in moves)
        return together / before

    assert autocorrelation(0.15) > 0.5
    assert abs(autocorrelation(1.0)) < 0.1
