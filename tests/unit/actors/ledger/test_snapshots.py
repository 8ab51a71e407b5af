import json
import pickle
from collections import Counter

from actors.ledger import snapshots
from agents.events import Event, Type
from agents.fleet import AgentRecord, FleetState, agent_data
from agents.forecasting import track
from agents.lots import Lot
from agents.spec import AgentSpec


def forecasting(agents: int, markets: int) -> FleetState:
    """Return a fleet whose agents have asked about so many markets as often as is kept, and all but the last have ended."""
    state = FleetState()

    def fold(kind: Type, agent: str | None, data: dict[str, object]) -> None:
        state.apply(Event(f"t/1/{state.seq}", kind, "t", agent, 1, 0, data, state.seq + 1))

    for number in range(agents):
        record = AgentRecord(AgentSpec(id=f"agent-{number}", strategy="llm"))
        fold(Type.AGENT, record.spec.id, agent_data(record, "created", with_spec=True))
    for number in range(markets):
        condition, token = f"0x{number:064x}", f"{10**76 + number}"
        names = {"strategy": "llm", "model": "openai:gpt-5-mini", "category": "politics", "event": f"{number}"}
        for n in range(agents * track.PER_MARKET):
            chances = {name: (n + 1) / 997 for name in ("pooled", "calibrated", "blended", "marketPrice")}
            where = {"conditionId": condition, "tokenId": token, "venueTime": 1_764_000_000_000 + n}
            fold(Type.FORECAST, f"agent-{n % agents}", names | chances | where)
        if number + 1 < markets:
            fold(Type.RESOLUTION, None, {"conditionId": condition, "payouts": {token: "1", "2": "0"}})
    return state


def test_a_record_of_forecasts_is_the_same_from_a_snapshot() -> None:
    state = forecasting(agents=2, markets=5)
    stored = snapshots.encode(state.seq, state, Counter())
    found = snapshots.newest([stored], floor=1)
    assert found is not None
    assert found.state == state
    assert found.state.record.waiting == 2 * track.PER_MARKET
    assert len(found.state.record.of("agent-1")) == 4 * track.PER_MARKET


def test_the_full_record_of_an_agent_is_small() -> None:
    state = forecasting(agents=1, markets=track.KEPT // track.PER_MARKET + 1)
    assert len(state.record.of("agent-0")) == track.KEPT
    assert len(pickle.dumps(state)) < 150_000
    assert len(snapshots.encode(state.seq, state, Counter()).state) < 250_000


def test_the_books_of_an_older_snapshot_have_one_lot_for_what_they_hold() -> None:
    state = FleetState(seq=7)
    position = state.portfolio.book("main", "a").position("1", seq=3)
    position.buy(100, 40, 2, "t1/o1")
    position.sell(20, 30, 1)
    stored = snapshots.encode(7, state, Counter())
    older = json.loads(stored.state)
    for name in ("lots", "used", "kept", "selling"):
        del older["portfolio"]["wallets"]["main"]["a"]["positions"]["1"][name]
    found = snapshots.newest([stored._replace(version="1-older", state=json.dumps(older))], floor=5)
    assert found is not None
    read = found.state.portfolio.book("main", "a").positions["1"]
    assert (read.size, read.cost, read.profit, read.fees, read.seq) == (80, 32, 19, 3, 3)
    assert read.lots == [Lot("", 80, 32, 0, 80)]
