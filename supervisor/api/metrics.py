"""The fleet's figures in the text format of Prometheus; the same on every replica, since all are folds of one log."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agents.fleet import FleetState
from agents.money import number
from agents.spec import AgentState


class _Figures(Collector):
    def __init__(self, state: FleetState) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Yield every figure."""
        state = self._state
        yield GaugeMetricFamily("polyfleet_log_seq", "Newest event that this replica has folded.", value=state.seq)
        yield GaugeMetricFamily("polyfleet_halted", "1 while the kill switch is on.", value=state.halted is not None)
        states = GaugeMetricFamily("polyfleet_agents", "Agents by state.", labels=["state"])
        for kind in AgentState:
            states.add_metric([kind], sum(record.state is kind for record in state.agents.values()))
        yield states
        services = GaugeMetricFamily("polyfleet_service_up", "1 while a shared actor runs.", labels=["service"])
        for name, service in state.services.items():
            services.add_metric([name], service.state == "running")
        yield services
        yield from self._agents()
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


def exposition(state: FleetState) -> bytes:
    """Return all figures as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(_Figures(state))
    exposed: bytes = generate_latest(registry)
    return exposed
