"""Which agents there are: created, changed and deleted by operators, kept by their keepers, and stored in the log."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from agents.errors import Conflict, NotFound, PolyfleetError, Unavailable
from agents.fleet import AgentRecord, FleetState
from agents.money import Micro, text
from agents.spec import AgentSpec, AgentState, Desired
from agents.strategies import registry as strategies
from agents.validation import invalid, wrong
from supervisor.core.signals import Control, Found, Signal
from supervisor.keeper import Keeper, Surroundings

#: Seconds that the deletion of a running agent waits for it to stop.
_STOP_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What reading the fleet file again did: the ids of the agents that it created and changed, and the latest seq."""

    created: list[str]
    changed: list[str]
    seq: int


class Registry:
    """The agents' keepers by id. `state` gives the folded log, for what the books hold."""

    def __init__(self, surroundings: Surroundings, wallets: tuple[str, ...], state: Callable[[], FleetState]) -> None:
        self.keepers: dict[str, Keeper] = {}
        self._with = surroundings
        self._wallets = wallets
        self._state = state
        #: One creation, change or deletion at a time: two budgets may not be given out of the same cash.
        self._lock = asyncio.Lock()

    def keeper(self, agent_id: str) -> Keeper:
        """Return an agent's keeper. Raises NotFound."""
        if agent_id not in self.keepers:
            raise NotFound(f"There is no agent {agent_id!r}; GET /api/agents lists them")
        return self.keepers[agent_id]

    def restore(self, state: FleetState) -> None:
        """Take up the agents of the log."""
        self.keepers = {agent_id: Keeper(record, self._with) for agent_id, record in state.agents.items()}

    async def create(self, spec: AgentSpec) -> int:
        """Create an agent and, if it is enabled, start it; return the seq of its creation.

        Raises:
            Conflict: if the id exists, or the wallet has no such budget left.
            InvalidInput: if the strategy, its params or the wallet are wrong.
        """
        async with self._lock:
            if spec.id in self.keepers:
                raise Conflict(f"id: there is an agent {spec.id!r} already")
            self._check(spec)
            self._check_cash(spec.wallet, spec.budget_micro)
            return await self._add(spec)

    async def adopt(self, specs: list[AgentSpec]) -> None:
        """Create the agents of a fleet file that do not exist; their wallets may not be known to the log yet."""
        async with self._lock:
            for spec in specs:
                if spec.id not in self.keepers:
                    if spec.wallet in self._state().addresses:
                        self._check_cash(spec.wallet, spec.budget_micro)
                    await self._add(spec)

    async def reload(self, specs: list[AgentSpec]) -> Reloaded:
        """Create the agents of a fleet file that are new and change those that it describes otherwise, all or nothing.

        An agent that the file does not name stays as it is.

        Raises:
            Conflict, InvalidInput: if one of them cannot be; nothing was changed then.
        """
        async with self._lock:
            new = [spec for spec in specs if spec.id not in self.keepers]
            known = [(self.keepers[spec.id], spec) for spec in specs if spec.id in self.keepers]
            changed = [(keeper, spec) for keeper, spec in known if spec != keeper.record.spec]
            more: Counter[str] = Counter()
            for spec in new:
                self._check(spec)
                more[spec.wallet] += spec.budget_micro
            for keeper, spec in changed:
                try:
                    self._changed(keeper.record.spec, spec.wire())
                    more[spec.wallet] += await self._growth(keeper, spec)
                except PolyfleetError as error:
                    raise type(error)(f"agent {spec.id}: {error}") from None
            for wallet, budget in more.items():
                self._check_cash(wallet, budget)
            seqs = [await self._add(spec) for spec in new] + [await keeper.change(spec) for keeper, spec in changed]
            return Reloaded([spec.id for spec in new], [spec.id for _, spec in changed], max(seqs, default=0))

    async def _growth(self, keeper: Keeper, spec: AgentSpec) -> Micro:
        """Return by how much a changed spec's budget grows; raises Conflict if it shrinks by cash that is bound."""
        more = spec.budget_micro - keeper.record.spec.budget_micro
        if more < 0:
            free = (await self._with.broker_of(spec.wallet).account(spec.id)).cash
            if free + more < 0:
                raise Conflict(f"budget: only {text(free)} pUSD of the agent's budget are not bound; sell or cancel first")
        return max(more, 0)

    async def _add(self, spec: AgentSpec) -> int:
        state, desired = (AgentState.PENDING, Desired.RUNNING) if spec.enabled else (AgentState.STOPPED, Desired.STOPPED)
        record = AgentRecord(spec, state=state, desired=desired, reason="created")
        seq = await self._with.log_change(record, "created", True)
        keeper = self.keepers[spec.id] = Keeper(record, self._with)
        # A new agent is like one that a former supervisor left waiting for its turn.
        await keeper.send(Found(alive=False))
        return seq

    async def update(self, agent_id: str, changes: dict[str, Any]) -> int:
        """Change fields of an agent's spec, while it runs or not; return the seq."""
        async with self._lock:
            keeper = self.keeper(agent_id)
            spec = self._changed(keeper.record.spec, changes)
            if more := await self._growth(keeper, spec):
                self._check_cash(spec.wallet, more)
            return await keeper.change(spec)

    def _changed(self, spec: AgentSpec, changes: dict[str, Any]) -> AgentSpec:
        for fixed in ("id", "wallet"):
            if changes.get(fixed, getattr(spec, fixed)) != getattr(spec, fixed):
                raise wrong(fixed, "it cannot be changed; create another agent")
        try:
            changed = AgentSpec.model_validate(spec.wire() | changes)
        except ValidationError as error:
            raise invalid(error) from None
        self._check(changed)
        return changed

    async def delete(self, agent_id: str) -> int:
        """Stop an agent, if need be, and remove it; return the seq. Raises Unavailable if it does not stop."""
        async with self._lock:
            keeper = self.keeper(agent_id)
            if keeper.record.state is not AgentState.STOPPED:
                # One that stops already, for good, need not be asked.
                with suppress(Conflict):
                    await keeper.send(Control("stop"))
            if not await keeper.at_rest(_STOP_TIMEOUT):
                raise Unavailable(f"agent {agent_id} did not stop within {_STOP_TIMEOUT:g} s; try again")
            seq = await self._with.log_change(keeper.record, "deleted", True)
            del self.keepers[agent_id]
            return seq

    async def send_all(self, signal: Signal) -> None:
        """Send a signal to every keeper."""
        await asyncio.gather(*(keeper.send(signal) for keeper in list(self.keepers.values())))

    def _check(self, spec: AgentSpec) -> None:
        strategies.check(spec.strategy, spec.params)
        if spec.wallet not in self._wallets:
            raise wrong("wallet", f"there is no wallet {spec.wallet!r}; there are {', '.join(self._wallets)}")

    def _check_cash(self, wallet: str, budget: Micro) -> None:
        free = self._state().portfolio.book(wallet).cash
        if budget > free:
            raise Conflict(f"budget: wallet {wallet} has only {text(free)} pUSD that no agent was given")
