import asyncio
import pickle
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import pytest

from agents.errors import Conflict, InvalidInput, Unavailable
from agents.fleet import AgentRecord, FleetState
from agents.model import Account
from agents.money import ONE
from agents.portfolio import UNALLOCATED, Book
from agents.ports import Broker, Ledger
from agents.spec import AgentSpec, AgentState, Desired
from supervisor.agent_actors import AgentActor
from supervisor.core.signals import Ended
from supervisor.keeper import Surroundings
from supervisor.registry import Registry


def spec(id: str, **fields: Any) -> AgentSpec:
    return AgentSpec.model_validate({"id": id, "strategy": "momentum", "enabled": False, "budget": 100} | fields)


class Desk:
    """Stands for the log and a wallet with 1000 pUSD that no agent was given; agents' own cash is `cash`."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str, float]] = []
        self.cash = 100 * ONE
        self.state = FleetState()
        self.state.portfolio.wallets = {"main": {UNALLOCATED: Book(cash=1000 * ONE)}}
        surroundings = Surroundings(
            ledger=cast(Ledger, self),
            actors=self,
            broker_of=lambda name: cast(Broker, self),
            log_change=self.log_change,
            slots=asyncio.Semaphore(1),
        )
        self.registry = Registry(surroundings, ("main",), lambda: self.state)

    async def log_change(self, record: AgentRecord, change: str, with_spec: bool) -> int:
        self.changes.append((record.spec.id, change, float(record.spec.budget)))
        return len(self.changes)

    async def account(self, agent_id: str) -> Account:
        return Account(cash=self.cash)

    async def launch(self, spec: AgentSpec, incarnation: int) -> AgentActor:
        raise Unavailable("no process is started here")

    async def find(self, agent_id: str) -> AgentActor | None:
        return None

    @property
    def specs(self) -> Mapping[str, AgentSpec]:
        return {id: keeper.record.spec for id, keeper in self.registry.keepers.items()}


@pytest.fixture
async def desk() -> Desk:
    desk = Desk()
    await desk.registry.adopt([spec("a"), spec("b")])
    desk.changes.clear()
    return desk


async def test_a_reload_creates_what_is_new_changes_what_differs_and_leaves_the_rest(desk: Desk) -> None:
    done = await desk.registry.reload([spec("a"), spec("b", budget=150), spec("c")])
    assert (done.created, done.changed, done.seq) == (["c"], ["b"], 2)
    assert desk.changes == [("c", "created", 100.0), ("b", "updated", 150.0)]
    assert (await desk.registry.reload([spec("c")])).seq == 0
    assert set(desk.specs) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("specs", "error", "sentence"),
    [
        ([spec("c"), spec("b", wallet="other")], InvalidInput, "agent b: wallet: it cannot be changed"),
        ([spec("c", wallet="other"), spec("b", budget=1)], InvalidInput, "wallet: there is no wallet 'other'"),
        ([spec("c", budget=600), spec("b", budget=600)], Conflict, "wallet main has only 1000"),
        ([spec("c"), spec("b", params={"look": 3})], InvalidInput, "agent b: "),
    ],
)
async def test_a_reload_with_one_mistake_changes_nothing(
    desk: Desk, specs: list[AgentSpec], error: type[Exception], sentence: str
) -> None:
    before = dict(desk.specs)
    with pytest.raises(error, match=sentence):
        await desk.registry.reload(specs)
    assert (desk.changes, desk.specs) == ([], before)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"wallet": "other"}, ["wallet"]),
        ({"strategy": "astrology"}, ["strategy"]),
        ({"params": {"window": "long", "nonsense": 1}}, ["params.window", "params.nonsense"]),
        ({"budget": -1, "interval": 0}, ["budget", "interval"]),
    ],
)
async def test_a_refused_change_names_every_wrong_field(desk: Desk, changes: dict[str, object], fields: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        await desk.registry.update("a", changes)
    found = pickle.loads(pickle.dumps(refused.value))
    assert [detail["field"] for detail in found.details] == fields
    assert all(detail.keys() == {"field", "message", "type"} for detail in found.details)
    assert str(found) == str(refused.value)
    assert str(found).startswith(f"{fields[0]}: ")


async def test_a_reload_takes_no_cash_that_is_bound(desk: Desk) -> None:
    desk.cash = 20 * ONE
    with pytest.raises(Conflict, match="agent a: budget: only 20 pUSD"):
        await desk.registry.reload([spec("a", budget=50)])
    assert (await desk.registry.reload([spec("a", budget=80)])).changed == ["a"]
    assert desk.registry.keeper("a").record.state is AgentState.STOPPED


async def test_one_that_restarts_can_be_deleted(desk: Desk) -> None:
    keeper = desk.registry.keepers["a"]
    # As after a restart was asked for: it stops, and is to run again.
    keeper.record = replace(keeper.record, state=AgentState.STOPPING, desired=Desired.RUNNING, incarnation=1)
    deleting = asyncio.create_task(desk.registry.delete("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await keeper.send(Ended())
    await deleting
    assert "a" not in desk.registry.keepers
