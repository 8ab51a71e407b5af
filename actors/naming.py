"""Names of the actors within their namespace; they are what Ray's dashboard shows."""

#: The namespace of everything that one fleet runs; each data directory has its own Ray cluster.
NAMESPACE = "polyfleet"

#: The Serve applications of `serve_config.yaml`.
APPLICATIONS = ("polyfleet", "hub", "dashboard")

LEDGER = "ledger"
SUPERVISOR = "supervisor"
MARKET_FEED = "market_feed"
SANDBOX = "sandbox"
FORECASTER = "forecaster"
LIBRARIAN = "librarian"
NOTIFIER = "notifier"


def broker(wallet: str) -> str:
    """Return the name of a wallet's broker."""
    return f"broker:{wallet}"


def agent(agent_id: str) -> str:
    """Return the name of an agent's actor."""
    return f"agent:{agent_id}"
