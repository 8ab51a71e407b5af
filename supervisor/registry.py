"""Which agents there are: created, changed and deleted by operators, kept by their keepers, and stored in the log."""

import asyncio
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from agents.errors import Conflict, InvalidInput, NotFound, Unavailable
from agents.fleet import AgentRecord, FleetState
from agents.money import Micro, text
from agents.spec import AgentSpec, AgentState, Desired
from agents.strategies import registry as strategies
from agents.validation import explain
from supervisor.core.signals import Control, Found, Signal
from supervisor.keeper import Keeper, Surroundings

#: Seconds that the deletion of a running agent waits for it to stop.
_STOP_TIMEOUT = 60.0


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
                    await self._add(spec)

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
            more = spec.budget_micro - keeper.record.spec.budget_micro
            if more > 0:
                self._check_cash(spec.wallet, more)
            elif more < 0:
                free = (await self._with.broker_of(spec.wallet).account(agent_id)).cash
                if free + more < 0:
                    raise Conflict(f"budget: only {text(free)} pUSD of the agent's budget are not bound; sell or cancel first")
            return await keeper.change(spec)

    def _changed(self, spec: AgentSpec, changes: dict[str, Any]) -> AgentSpec:
        for fixed in ("id", "wallet"):
            if changes.get(fixed, getattr(spec, fixed)) != getattr(spec, fixed):
                raise InvalidInput(f"{fixed}: it cannot be changed; create another agent")
        try:
            changed = AgentSpec.model_validate(spec.wire() | changes)
        except ValidationError as error:
            raise InvalidInput(explain(error)) from None
        self._check(changed)
        return changed

    async def delete(self, agent_id: str) -> int:
        """Stop an agent, if need be, and remove it; return the seq. Raises Unavailable if it does not stop."""
        async with self._lock:
            keeper = self.keeper(agent_id)
            if keeper.record.state not in (AgentState.STOPPED, AgentState.STOPPING):
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
        strategies.create(spec.strategy, spec.params)
        if spec.wallet not in self._wallets:
            raise InvalidInput(f"wallet: there is no wallet {spec.wallet!r}; there are {', '.join(self._wallets)}")

    def _check_cash(self, wallet: str, budget: Micro) -> None:
        free = self._state().portfolio.book(wallet).cash
        if budget > free:
            raise Conflict(f"budget: wallet {wallet} has only {text(free)} pUSD that no agent was given")
