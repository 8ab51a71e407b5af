"""The fleet's figures in the text format of Prometheus.

They are the same on every replica but for the log's lag and the requests, which are told apart by the replica.
"""

import time
from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agents.fleet import FleetState
from agents.money import number
from agents.ports import Beat, Queues
from agents.spec import AgentState
from supervisor.api.score_views import ScoreRow

#: Each agent's last heartbeat, and when it came in epoch milliseconds.
Beats = Mapping[str, tuple[int, Beat]]


#: Methods by which requests are counted; all others are one.
_METHODS = frozenset({"GET", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"})


class RequestFigures:
    """What one replica has answered so far."""

    def __init__(self, replica: str) -> None:
        self.registry = CollectorRegistry()
        self._replica = replica
        labels = ["replica", "route", "method", "status"]
        about = "Requests answered, by the route's template; none: no route."
        self._count = Counter("polyfleet_http_requests", about, labels, registry=self.registry)
        about = "How long requests took."
        self._seconds = Histogram("polyfleet_http_request_seconds", about, labels[:3], registry=self.registry)

    def note(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        known = method if method in _METHODS else "other"
        self._count.labels(self._replica, route, known, status).inc()
        self._seconds.labels(self._replica, route, known).observe(seconds)


class Measured:
    """Counts the requests of an application and how long they took."""

    def __init__(self, app: ASGIApp, figures: RequestFigures) -> None:
        self._app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or lifespan."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, time.perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            route = str(scope.get("shortcut") or getattr(scope.get("route"), "path", "none"))
            self._figures.note(route, scope["method"], status, time.perf_counter() - began)


class _Figures(Collector):
    def __init__(
        self, state: FleetState, head: int | None, beats: Beats, queues: Queues, scores: Sequence[ScoreRow], now: int
    ) -> None:
        self._state = state
        self._head = head
        self._beats = beats
        self._queues = queues
        self._scores = scores
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Yield every figure."""
        state = self._state
        yield GaugeMetricFamily("polyfleet_log_seq", "Newest event that this replica has folded.", value=state.seq)
        if self._head is not None:
            lag = max(0, self._head - state.seq)
            yield GaugeMetricFamily("polyfleet_log_lag", "Events that this replica has not folded yet.", value=lag)
        yield GaugeMetricFamily("polyfleet_halted", "1 while the kill switch is on.", value=state.halted is not None)
        states = GaugeMetricFamily("polyfleet_agents", "Agents by state.", labels=["state"])
        for kind in AgentState:
            states.add_metric([kind], sum(record.state is kind for record in state.agents.values()))
        yield states
        services = GaugeMetricFamily("polyfleet_service_up", "1 while a shared actor runs.", labels=["service"])
        for name, service in state.services.items():
            services.add_metric([name], service.state == "running")
        yield services
        away = CounterMetricFamily("polyfleet_service_restarts", "Restarts of a shared actor.", labels=["service"])
        for name, service in state.services.items():
            away.add_metric([name], service.restarts)
        yield away
        yield from self._agents()
        yield from self._forecasts()
        yield from self._health()
        yield self._depths()
        cash = GaugeMetricFamily("polyfleet_wallet_cash", "Cash of a wallet over all its books, in pUSD.", labels=["wallet"])
        for wallet in state.portfolio.wallets:
            cash.add_metric([wallet], number(state.portfolio.cash(wallet)))
        yield cash

    def _agents(self) -> Iterator[Metric]:
        state = self._state
        decisions = CounterMetricFamily("polyfleet_decisions", "Decisions logged.", labels=["agent"])
        trades = CounterMetricFamily("polyfleet_trades", "Fills logged.", labels=["agent"])
        restarts = CounterMetricFamily("polyfleet_restarts", "Restarts after a failure.", labels=["agent"])
        profit = GaugeMetricFamily("polyfleet_profit", "Realised profit in pUSD, fees taken off.", labels=["agent"])
        for name, record in state.agents.items():
            decisions.add_metric([name], record.total_decisions)
            trades.add_metric([name], record.total_trades)
            restarts.add_metric([name], record.restarts)
            profit.add_metric([name], number(state.profit(name)))
        yield from (decisions, trades, restarts, profit)

    def _forecasts(self) -> Iterator[Metric]:
        made = CounterMetricFamily("polyfleet_forecasts", "Forecasts logged.", labels=["agent"])
        for name, record in self._state.agents.items():
            made.add_metric([name], record.total_forecasts)
        labels = ["agent", "strategy", "model"]
        own = GaugeMetricFamily("polyfleet_brier", "Brier score of the blended forecasts that came out.", labels=labels)
        price = GaugeMetricFamily("polyfleet_market_brier", "That of the price at the same moments.", labels=labels)
        for row in self._scores:
            group = [row["agentId"] or "", row["strategy"] or "", row["model"] or ""]
            own.add_metric(group, row["brier"])
            price.add_metric(group, row["marketBrier"])
        yield from (made, own, price)

    def _health(self) -> Iterator[Metric]:
        age = GaugeMetricFamily("polyfleet_heartbeat_age_seconds", "Since an agent's last heartbeat.", labels=["agent"])
        lag = GaugeMetricFamily("polyfleet_loop_lag_seconds", "How late an agent's loop woke up.", labels=["agent"])
        taken = GaugeMetricFamily("polyfleet_round_seconds", "How long its decision round takes so far.", labels=["agent"])
        memory = GaugeMetricFamily("polyfleet_private_memory_bytes", "Private memory of its process.", labels=["agent"])
        outbox = GaugeMetricFamily("polyfleet_outbox", "Decisions of an agent that are not in the log yet.", labels=["agent"])
        failures = GaugeMetricFamily("polyfleet_failures", "Failures in a row, which its backoff grows with.", labels=["agent"])
        for name, record in self._state.agents.items():
            failures.add_metric([name], record.failures)
        for name, (moment, beat) in self._beats.items():
            age.add_metric([name], max(0, self._now - moment) / 1000)
            lag.add_metric([name], beat.loop_lag)
            taken.add_metric([name], beat.since_progress)
            memory.add_metric([name], beat.memory * 1e6)
            outbox.add_metric([name], beat.outbox)
        yield from (age, lag, taken, memory, outbox, failures)

    def _depths(self) -> Metric:
        about = (
            "What waits for a service: log (events that it has not seen), commits (jobs that are not on disk), "
            "orders (whose outcome is unknown), updates (of the venue that are not booked)."
        )
        depths: dict[tuple[str, str], int] = {}
        for owner, queues in self._queues.items():
            # Of the API's replicas, whose names change with every start, the one that is furthest behind.
            service = owner.partition(":")[0] if owner.startswith(("rest:", "dashboard:")) else owner
            for queue, depth in queues.items():
                depths[service, queue] = max(depth, depths.get((service, queue), 0))
        family = GaugeMetricFamily("polyfleet_queue_depth", about, labels=["service", "queue"])
        for labels, depth in depths.items():
            family.add_metric(labels, depth)
        return family


def exposition(
    state: FleetState,
    head: int | None,
    beats: Beats,
    queues: Queues,
    scores: Sequence[ScoreRow],
    requests: RequestFigures,
    now: int,
) -> bytes:
    """Return all figures as Prometheus reads them; `head` is the log's, `scores` are by agent, `now` epoch milliseconds."""
    registry = CollectorRegistry()
    registry.register(_Figures(state, head, beats, queues, scores, now))
    exposed: bytes = generate_latest(registry) + generate_latest(requests.registry)
    return exposed
