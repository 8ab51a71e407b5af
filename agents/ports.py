"""What the parts ask of each other: one Protocol for each service, kept free of how it is reached.

Every method may raise `Unavailable` when the service cannot be reached; those that change something say what else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol

from pydantic.alias_generators import to_camel

from agents.events import Event
from agents.forecasting.records import Evidence, Forecast, PastMarket, Recipe
from agents.model import Account, Book, Decision, Market, MarketView
from agents.money import Micro

if TYPE_CHECKING:
    # The agents' processes have no state of the fleet.
    from agents.fleet import FleetState

#: What waits, by the name of the service that it waits for, then by queue.
Queues = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a history, newest first; `next` is the seq to ask `before` next, or None at the end."""

    items: list[dict[str, Any]]
    total: int
    next: int | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Events after a cursor, oldest first; `next` is the new cursor, `floor` the lowest seq that can be replayed."""

    events: list[Event]
    next: int
    floor: int
    head: int


class Ledger(Protocol):
    """The one writer of the log. Events go in with seq 0; what it acknowledges is on disk."""

    async def open_source(self, source: str) -> int:
        """Begin the next life of a source and return its incarnation (1, 2, 3, ...); earlier lives are refused from now on."""

    async def append(self, events: Sequence[Event], signed: Mapping[str, bytes] = {}) -> list[int]:
        """Store events, and signed orders by order id, in one commit; return each event's seq.

        An event id that is stored already keeps its seq. Raises StaleIncarnation for an event of an earlier life.
        """

    async def poll(
        self,
        after: int,
        *,
        limit: int = 1000,
        wait: float = 0.0,
        agent: str | None = None,
        types: Sequence[str] | None = None,
        follower: str | None = None,
        reader: str | None = None,
    ) -> Batch:
        """Return events after a cursor, waiting up to `wait` seconds for the first.

        A `follower` that names itself says by `after` what it has applied: see `barrier`. A `reader` that does is only
        known by name: nobody waits for it.
        """

    async def barrier(self, seq: int, timeout: float = 2.0) -> bool:
        """Wait until every live follower has applied `seq`; False if one is late (it is then no longer waited for)."""

    async def head(self) -> int:
        """Return the seq of the newest event."""

    async def snapshot(self) -> "FleetState":
        """Return the folded state up to the head."""

    async def history(self, kind: str, agent: str | None = None, *, limit: int = 100, before: int | None = None) -> Page:
        """Return `decisions`, `trades`, `forecasts`, `telegram` (messages), `events` or `orders` (latest state of each)."""

    async def unsettled_orders(self, wallet: str) -> list[tuple[dict[str, Any], bytes | None]]:
        """Return the latest data (with agentId, created, and decisionId) and signed bytes of orders that are not settled."""

    async def order(self, order_id: str) -> dict[str, Any] | None:
        """Return the latest data of one order, or None."""

    async def dropped_fills(self, wallet: str) -> dict[str, int]:
        """Return fills whose events have left the log, as far as the venue may report them again: trade id/order id to time."""

    async def document(self, name: str) -> Any | None:
        """Return a stored JSON document (settings and the like), or None."""

    async def put_document(self, name: str, content: Any) -> None:
        """Store a JSON document."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the feed gives an agent: the venue's time and the markets that changed since `version`."""

    version: int
    now: int
    changed: tuple[MarketView, ...]
    #: Condition ids that the agent should forget: resolved, closed or no longer selected.
    gone: tuple[str, ...] = ()


class MarketFeed(Protocol):
    """The one reader of market data."""

    async def snapshot(self, selection: Sequence[str] = (), since: int = 0) -> Snapshot:
        """Return the open, tradable markets of a selection (ids, slugs, events, tags; empty: all) changed since a version."""

    async def markets(self) -> list[MarketView]:
        """Return every market it knows, resolved ones included."""

    async def market(self, id: str) -> MarketView | None:
        """Return one market by condition id, Gamma id, slug or token id, asking the venue if it is not followed."""

    async def watch(self, condition_ids: Sequence[str]) -> None:
        """Follow these markets too until they resolve (a broker does this for what it holds)."""

    async def rules(self, condition_id: str) -> str:
        """Return the text by which a market resolves, as the venue words it (untrusted); empty if it is not known."""

    async def now(self) -> int:
        """Return the venue's time in epoch milliseconds."""


@dataclass(frozen=True, slots=True)
class Question:
    """What an agent wants a forecast of: the market, its first outcome's book as the agent saw it, and see `Wanted`."""

    market: Market
    book: Book
    max_age: int
    discount: float = 1.0


@dataclass(frozen=True, slots=True)
class Reply:
    """The forecasts that are there, by condition id; `waiting` says why the others are not being made, empty if they are."""

    forecasts: Mapping[str, Forecast]
    waiting: str = ""


class Forecaster(Protocol):
    """The one that asks language models, for all agents."""

    async def ask(self, agent_id: str, strategy: str, recipe: Recipe, questions: Sequence[Question], now: int) -> Reply:
        """Return at once what is known, and go on to work on the rest; `now` is venue time, which evidence is limited to.

        A forecast that is returned for the first time to an agent was logged as its `forecast` event before.
        """


@dataclass(frozen=True, slots=True)
class Findings:
    """What a search found, the most relevant first: `Evidence` whose `summary` is the passage itself, not yet summarised.

    `tokens` is what embedding it cost, `notes` which sources failed, one sentence each.
    """

    evidence: tuple[Evidence, ...]
    tokens: int = 0
    notes: tuple[str, ...] = ()


class Librarian(Protocol):
    """The one that reads the news and remembers, for all agents."""

    async def load(self) -> None:
        """Begin to load what is heavy, as the first question does; until that is done questions raise Unavailable."""

    async def search(self, queries: Sequence[str], *, as_of: int, limit: int = 30) -> Findings:
        """Return passages for some queries, of documents published at or before `as_of` (venue milliseconds), no two alike."""

    async def similar(self, question: str, *, as_of: int, limit: int = 5) -> list[PastMarket]:
        """Return markets like this one that had resolved by `as_of`, the most alike first."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A decision on its way to a broker; `id` is unique and the same on every retry."""

    id: str
    decision: Decision


@dataclass(frozen=True, slots=True)
class Placed:
    """What came of an intent: the order's id (or None if it was refused before it was signed), status and reason."""

    intent_id: str
    order_id: str | None
    status: str
    reason: str = ""
    filled: Micro = 0


class Broker(Protocol):
    """One wallet: the only holder of its key."""

    async def admit(self, agent_id: str, incarnation: int, seq: int) -> None:
        """Let this life of an agent trade once the log is known up to `seq`; earlier lives are refused from now on."""

    async def account(self, agent_id: str) -> Account:
        """Return an agent's free cash, holdings and open orders."""

    async def execute(
        self, agent_id: str, incarnation: int, intents: Sequence[Intent], cancels: Sequence[str] = ()
    ) -> list[Placed]:
        """Cancel first, then place in order; the answer comes when each outcome is known and logged.

        Raises StaleIncarnation, or Unavailable while it reconciles, is halted or cannot reach the venue.
        """

    async def cancel(self, *, order_id: str | None = None, agent_id: str | None = None, condition_id: str | None = None) -> int:
        """Cancel the fleet's resting orders that are all that is named, and return how many there were."""

    async def decide(self, approval_id: str, approve: bool, by: str) -> list[Placed]:
        """Send the orders that wait for a person under an id, or reject them; `by` says who decided.

        Raises NotFound, or Conflict if it was decided before or they can be sent no more.
        """

    async def cancel_agent(self, agent_id: str) -> int:
        """Cancel all resting orders of an agent and return how many there were."""

    async def cancel_all(self) -> int:
        """Cancel all resting orders of the wallet."""

    async def halt(self, reason: str | None) -> None:
        """Refuse all new orders for a reason, or lift that with None."""

    async def check(self) -> dict[str, Any]:
        """Compare the books with the venue at one cut.

        Returns {wallet, address, venueCash, ledgerCash, positions, pending, differences, blocked}.
        """

    async def adjust(self, cash: Micro, shares: Mapping[str, Micro], reason: str, agent_id: str | None = None) -> None:
        """Book a difference between venue and books that an operator has looked at: to an agent, or to nobody.

        Raises Conflict if it is not the difference, NotFound for a strange agent, Unavailable while something is in flight.
        """

    async def examine(self) -> list[dict[str, Any]]:
        """Look at what must be right for trading, without changing anything: [{what, ok, sentence, remedy}]."""

    async def ready(self) -> bool:
        """Whether it has settled with the venue what was open, and compared the books with it."""


@dataclass(frozen=True, slots=True)
class Beat:
    """An agent's heartbeat; times are seconds of a monotonic clock's difference, so no clocks are compared."""

    pid: int
    loop_lag: float
    since_progress: float
    rounds: int
    #: Private memory in megabytes.
    memory: float = 0.0
    last_error: str | None = None
    tick_failures: int = 0
    #: Events that the ledger has not acknowledged yet.
    outbox: int = 0


class Supervisor(Protocol):
    """The control plane. Control calls answer when their effect is in the log and return the seq of it."""

    async def beat(self, agent_id: str, incarnation: int, beat: Beat) -> float:
        """Take a heartbeat and return the lease: for how many seconds the agent may go on without another answer.

        Raises StaleIncarnation when the caller is not the current life: it must exit.
        """

    async def create(self, spec: dict[str, Any]) -> int:
        """Create and, if enabled, start an agent. Raises InvalidInput, or Conflict if the id exists."""

    async def update(self, agent_id: str, changes: dict[str, Any]) -> int:
        """Change fields of a spec while it runs. Raises NotFound or InvalidInput."""

    async def delete(self, agent_id: str) -> int:
        """Stop an agent, if need be, and remove it; its book goes to the wallet's unallocated one."""

    async def control(self, agent_id: str, action: str) -> int:
        """start, stop, pause, resume or restart an agent. Raises NotFound, or Conflict in a state that does not allow it."""

    async def resume_trading(self, scope: str) -> int:
        """Lift the stops for losses of a scope (agent:ID, wallet:NAME or fleet). Raises NotFound, or Conflict if none is on."""

    async def kill(self, agent_id: str) -> int:
        """Kill an agent's process, which then fails as in any crash. Raises NotFound, or Conflict if it is not at work."""

    async def reload(self) -> tuple[list[str], list[str], int]:
        """Read the fleet file again: (created, changed, seq). Raises InvalidInput or Conflict, and changes nothing then."""

    async def kill_switch(self, reason: str | None, flatten: bool = False) -> int:
        """Stop all trading and cancel all orders for a reason, and sell out with `flatten`; or lift it with None.

        Once it sells out, it does so until it is lifted.
        """

    async def decide(self, approval_id: str, approve: bool, by: str) -> int:
        """Approve or reject orders that wait for a person. Raises NotFound, or Conflict if it was decided or comes too late."""

    async def beats(self) -> dict[str, tuple[int, Beat]]:
        """Return each agent's last heartbeat, and when it came in wall milliseconds."""

    async def ready(self) -> dict[str, bool]:
        """Return what `/ready` needs: {wallets, agents}, each true when done."""

    async def hit(self, bucket: str, limit: str, cost: int = 1) -> tuple[bool, int, int]:
        """Count `cost` requests, all or none, against a shared rate limit: (allowed, remaining, seconds to reset)."""

    async def claim(self, key: str, holder: str, seconds: float) -> bool:
        """Claim a key for so many seconds at most; False if another holder has it. A new life knows of no claims."""

    async def release(self, key: str, holder: str) -> None:
        """Give a claim back; one that is another's by now stays."""

    async def shutdown(self) -> None:
        """Stop every agent (their orders are cancelled) and keep them stopped; desired states stay as they are."""


class Notifier(Protocol):
    """The one that talks to Telegram, and the only holder of the bot's token."""

    async def configuration(self) -> dict[str, Any]:
        """Return the settings as the seed's clients see them: `botToken` is '***' or ''."""

    async def configure(self, changes: Mapping[str, Any]) -> None:
        """Store changed settings (those of `AlertConfig`) and use them, and the token that is in its file, from now on.

        Raises InvalidInput.
        """

    async def send(self, message: str, kind: str) -> dict[str, Any]:
        """Send a text to the configured chat at once and return Telegram's answer; it is logged as sent or failed.

        Raises InvalidInput if Telegram is not configured, DeliveryRefused with Telegram's reason, or Unavailable if Telegram
        does not answer: then it may have been sent all the same.
        """


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet as a broker is given it: name, public address, and the 0600 file that holds {privateKey, address}."""

    name: str
    address: str
    key_file: str


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a venue answers."""

    gamma_url: str
    clob_url: str
    data_url: str
    relayer_url: str
    rpc_url: str
    market_ws_url: str
    user_ws_url: str
    #: The simulated venue's own news wire and OpenAI-compatible model; empty elsewhere.
    news_url: str = ""
    openai_url: str = ""
    simulated: bool = field(default=False)

    def addresses(self) -> dict[str, str]:
        """Return the addresses by the names that clients know them by: gammaUrl, clobUrl and so on."""
        return {to_camel(part.name): getattr(self, part.name) for part in fields(self) if part.name.endswith("_url")}
