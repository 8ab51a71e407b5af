"""The agents of a fleet under test: five strategies by turns, eager to trade, and restarted nearly without limit."""

from typing import Any

from agents.spec import RestartPolicy

#: Restarts hardly ever run out and come soon: the test is of recovery, not of patience.
POLICY = RestartPolicy(type="permanent", initial_delay=0.25, factor=2.0, max_delay=1.0, max_restarts=10_000, window=60.0)

#: Cash of all agents together, in pUSD; the simulated wallet has a little more.
_BUDGET = 90_000


def roster(agents: int) -> dict[str, Any]:
    """Return the content of the fleet file for so many agents."""
    makers = (agents + 4) // 5
    budget = min(4000, _BUDGET // agents)
    kinds: tuple[tuple[str, str, dict[str, Any], int], ...] = (
        ("maker", "market_maker", {"lanes": makers, "size": 20, "maxInventory": 80, "noise": 0.7, "requote": 0.4}, 60),
        ("momentum", "momentum", {"window": 6, "entry": 1.5, "stake": 20, "maxPositions": 8}, 60),
        ("favourite", "favourite_longshot", {"slope": 1.2, "kelly": 0.2}, 120),
        ("arbitrage", "neg_risk_arbitrage", {"stake": 60, "minReturn": 0.003, "maxCost": 600}, 60),
        ("forecast", "llm", {"refresh": 1, "near": 0.5, "markets": 4, "articles": 6, "weight": 0.5}, 60),
    )
    restart = POLICY.model_dump(mode="json", by_alias=True)
    listed: list[dict[str, Any]] = []
    for number in range(agents):
        name, strategy, params, interval = kinds[number % 5]
        params = params | ({"lane": number // 5} if strategy == "market_maker" else {})
        listed.append(
            {
                "id": f"{name}-{number // 5 + 1}",
                "strategy": strategy,
                "params": params,
                "budget": budget,
                "interval": interval,
                "restart": restart,
            }
        )
    return {"agents": listed}
