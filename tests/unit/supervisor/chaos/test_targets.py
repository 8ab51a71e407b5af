from supervisor.chaos.plan import Kind, Victim
from supervisor.chaos.targets import choose

PIDS = {
    "agent:a": 1,
    "agent:b": 2,
    "agent:c": 3,
    "broker:main": 4,
    "ledger": 5,
    "market_feed": 6,
    "supervisor": 7,
    "sandbox": 8,
    "SERVE_CONTROLLER_ACTOR": 9,
    "forecaster": 11,
    "notifier": 13,
    "forkserver": 14,
    "librarian": 12,
    "SERVE_REPLICA::hub#hub#x": 10,
}


def chosen(*victims: Victim, dead: tuple[int, ...] = ()) -> dict[int, str]:
    return {pid: name for pid, (_, name) in choose(victims, PIDS, lambda pid: pid not in dead).items()}


def test_each_kind_is_found_by_the_names_of_its_actors() -> None:
    found = {kind: chosen(Victim(kind, 0)) for kind in Kind if kind is not Kind.NODE}
    assert found == {
        Kind.AGENTS: {1: "agent:a"},
        Kind.BROKER: {4: "broker:main"},
        Kind.FEED: {6: "market_feed"},
        Kind.LEDGER: {5: "ledger"},
        Kind.SUPERVISOR: {7: "supervisor"},
        Kind.SANDBOX: {8: "sandbox"},
        Kind.LIBRARIAN: {12: "librarian"},
        Kind.FORECASTER: {11: "forecaster"},
        Kind.NOTIFIER: {13: "notifier"},
        Kind.FORKSERVER: {14: "forkserver"},
        Kind.SERVE: {9: "SERVE_CONTROLLER_ACTOR"},
    }


def test_the_same_draw_twice_takes_the_next_process_and_never_more_than_there_are() -> None:
    assert chosen(Victim(Kind.AGENTS, 5), Victim(Kind.AGENTS, 5)).keys() == {3, 1}
    assert chosen(*(Victim(Kind.AGENTS, 1) for _ in range(9))).keys() == {1, 2, 3}


def test_a_process_that_is_dead_already_is_passed_over() -> None:
    assert chosen(Victim(Kind.AGENTS, 0), dead=(1,)).keys() == {2}
    assert chosen(Victim(Kind.LEDGER, 0), dead=(5,)) == {}
