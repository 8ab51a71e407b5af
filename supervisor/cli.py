"""The `polyfleet` command. It exits 0 when done, 1 when the fleet said no or cannot be reached, 2 for wrong input."""

import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.exceptions import TyperException

from agents.errors import InvalidInput, PolyfleetError
from supervisor.chaos.plan import Kind, parse_targets
from supervisor.event_line import clock, event_line
from supervisor.rest_client import FleetClient

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Run many Polymarket trading agents at once. The default sandbox is a simulation; trading can lose money.",
)
# A pipe has no width; 80 columns would break every table.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 200)

DataDir = Annotated[Path, typer.Option(help="Where the fleet keeps all that must survive.")]
Markets = Annotated[Path | None, typer.Option(help="Recorded markets (JSON lines, gzipped) instead of synthetic ones.")]
Start = Annotated[str | None, typer.Option(help="The date on the venue's clock to begin at, such as 2025-11-20.")]
Seed = Annotated[int, typer.Option(help="Seed of the simulation's chance.")]
Speed = Annotated[float | None, typer.Option(help="Venue seconds per wall second.")]
Url = Annotated[str | None, typer.Option(envvar="POLYFLEET_URL", help="The fleet's address; default: loopback at PORT.")]
Token = Annotated[str | None, typer.Option(envvar="POLYFLEET_API_TOKEN", help="The API token, if one is set.")]
Json = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]
Agent = Annotated[str, typer.Argument(help="The agent's id.")]

_DATA_DIR = Path("data")
_TARGETS = ",".join(Kind)

#: Events that `events` shows unless told from where on.
_LATEST = 20


@app.command()
def up(
    mode: Annotated[str, typer.Option(help="sandbox, paper or live.")] = "sandbox",
    fleet: Annotated[Path | None, typer.Option(help="The agents; default: the fleet.yaml here, else the packaged one.")] = None,
    markets: Markets = None,
    start: Start = None,
    speed: Speed = None,
    seed: Seed = 0,
    host: Annotated[str, typer.Option(help="Address to listen on; any but loopback needs POLYFLEET_API_TOKEN.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="PORT", min=1, max=65535, help="Port of REST and hub.")] = 3001,
    data_dir: DataDir = _DATA_DIR,
    address: Annotated[str | None, typer.Option(help="Join this Ray cluster instead of starting one.")] = None,
) -> None:
    """Start the fleet and stay with it; Ctrl-C stops its agents, cancels their orders and ends all that was started."""
    from supervisor.preflight import UpOptions
    from supervisor.up import up as run

    options = UpOptions(
        mode=mode,
        fleet=fleet,
        markets=markets,
        start=start,
        speed=speed,
        seed=seed,
        host=host,
        port=port,
        data_dir=data_dir,
        address=address,
    )
    raise typer.Exit(run(options))


@app.command()
def down(data_dir: DataDir = _DATA_DIR) -> None:
    """End a fleet whose `up` is gone."""
    from supervisor.down import down as run

    raise typer.Exit(run(data_dir))


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="The file to write.")], data_dir: DataDir = _DATA_DIR) -> None:
    """Write the log and the simulated venue into one file; the fleet may run. Real wallets' keys are never in it."""
    from supervisor.backup import backup as run

    raise typer.Exit(run(file, data_dir))


@app.command()
def restore(file: Annotated[Path, typer.Argument(help="A file that `backup` wrote.")], data_dir: DataDir = _DATA_DIR) -> None:
    """Make a new data directory, and the log at DATABASE_URL, from a backup."""
    from supervisor.backup import restore as run

    raise typer.Exit(run(file, data_dir))


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the venue; 0 takes a free one.")] = 0,
    markets: Markets = None,
    start: Start = None,
    seed: Seed = 0,
    speed: Annotated[float, typer.Option(help="Venue seconds per wall second.")] = 1.0,
    data_dir: Annotated[Path | None, typer.Option(help="Where the venue is kept; default: a temporary folder.")] = None,
) -> None:
    """Run the simulated venue alone, as a local Polymarket for any bot; prints one JSON line that says where."""
    from actors.sandbox.alone import run

    run(port=port, markets=markets, start=start, seed=seed, speed=speed, data_dir=data_dir)


@app.command()
def chaos(
    duration: Annotated[
        float, typer.Option(min=1, help="Seconds for which it kills; starting a whole node again is not counted.")
    ] = 60.0,
    kills: Annotated[int | None, typer.Option(min=1, help="Stop killing after so many, if that is sooner.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of what is killed when.")] = 0,
    agents: Annotated[int, typer.Option(min=1, max=200, help="How many agents.")] = 20,
    targets: Annotated[str, typer.Option(help="What is killed, comma-separated.")] = _TARGETS,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the directory for study.")] = False,
    database: Annotated[
        str | None, typer.Option(help="URL of an empty PostgreSQL database for the log; default: SQLite.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Kill the processes of a fleet of its own at random, and check that nothing was lost or done twice."""
    from supervisor.chaos.run import ChaosOptions
    from supervisor.chaos.run import chaos as run

    raise typer.Exit(run(ChaosOptions(duration, seed, agents, parse_targets(targets), kills, as_json, keep, database)))


@app.command()
def status(url: Url = None, token: Token = None, as_json: Json = False) -> None:
    """Show the fleet: its mode, counts, profit and services."""
    fleet = _client(url, token).get("/api/fleet")
    if as_json:
        return _print_json(fleet)
    states = ", ".join(f"{count} {state}" for state, count in fleet["agents"]["byState"].items() if count)
    out.print(f"mode       {fleet['mode']}" + ("  (simulated venue)" if fleet["mode"] == "sandbox" else ""))
    out.print(f"agents     {fleet['agents']['total']}: {states or 'none'}")
    out.print(f"decisions  {fleet['totalDecisions']}")
    out.print(f"trades     {fleet['totalTrades']}")
    out.print(f"profit     {fleet['totalProfit']:.2f} pUSD realised, fees taken off")
    out.print(f"exposure   {float(fleet['exposure']):.2f} pUSD")
    table = _table("service", "state", "restarts")
    for service in fleet["services"]:
        table.add_row(service["name"], service["state"], str(service["restarts"]))
    return out.print(table)


@app.command()
def agents(url: Url = None, token: Token = None, as_json: Json = False) -> None:
    """List the agents and how they do."""
    found = _client(url, token).get("/api/agents")
    if as_json:
        return _print_json(found)
    table = _table("agent", "strategy", "state", "life", "restarts", "decisions", "trades", "profit", "last error")
    for agent in found["agents"]:
        table.add_row(
            agent["id"],
            agent["strategy"],
            agent["state"] + (f" (blocked: {agent['blocked']})" if agent["blocked"] else ""),
            str(agent["incarnation"]),
            str(agent["restarts"]),
            str(agent["totalDecisions"]),
            str(agent["totalTrades"]),
            f"{agent['totalProfit']:.2f}",
            (agent["lastError"] or "")[:60],
        )
    return out.print(table)


@app.command()
def score(
    by: Annotated[str, typer.Option(help="What makes a group: agent, strategy, model or category.")] = "agent",
    markets: Annotated[
        Path | None, typer.Option(help="Score the price on recorded markets (JSON lines, gzipped) instead; asks no fleet.")
    ] = None,
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Show how good forecasts were beside the market's price; Brier scores, of which lower is better."""
    from supervisor.score_report import baseline_table, baselines, score_table

    if markets is not None:
        prices = baselines(markets)
        return _print_json([asdict(each) for each in prices]) if as_json else out.print(baseline_table(prices))
    found = _client(url, token).get("/api/scores", by=by)
    if as_json:
        return _print_json(found)
    if found["scores"]:
        out.print(score_table(found["scores"]))
    return out.print(f"forecasts whose markets have not resolved yet: {found['waiting']}")


@app.command()
def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they happen, until Ctrl-C.")] = False,
    agent: Annotated[str | None, typer.Option(help="Only this agent's.")] = None,
    type: Annotated[str | None, typer.Option(help="Only this type, such as trade.")] = None,
    after: Annotated[int | None, typer.Option(min=0, help="Begin after this seq; default: the newest 20.")] = None,
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Show the log, oldest first."""
    client = _client(url, token)
    filters = {name: value for name, value in (("agent", agent), ("type", type)) if value}
    if after is not None:
        found: Iterable[dict[str, Any]] = client.events(after, **filters)
    elif filters:
        found = deque(client.events(0, **filters), maxlen=_LATEST)
    else:
        found = client.events(max(0, client.get("/ready")["seq"] - _LATEST))
    seq = after or 0
    for event in found:
        _print_event(event, as_json)
        seq = event["seq"]
    if follow:
        for event in client.follow(seq, [type] if type else None, [agent] if agent else None):
            _print_event(event, as_json)


@app.command()
def logs(
    agent: Agent,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they come, until Ctrl-C.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many lines.")] = 50,
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Show what an agent's process has logged, oldest first."""
    client = _client(url, token)
    shown: dict[str, Any] | None = None
    note: str | None = None
    while True:
        answer = client.get(f"/api/agents/{agent}/logs", limit=1000 if shown else limit)
        lines = answer["logs"]
        for line in lines[lines.index(shown) + 1 if shown in lines else 0 :]:
            sentence = f"{clock(line['timestamp'])} {line['level']:<8} {line['message']}\n{line.get('exception', '')}".rstrip()
            _print_json(line) if as_json else out.print(sentence, markup=False)
        if answer["note"] != note and (note := answer["note"]):
            sys.stderr.write(f"polyfleet: {note}\n")
        shown = lines[-1] if lines else shown
        if not follow:
            return
        time.sleep(1.0)


def _control(action: str, help: str) -> None:
    def run(agent: Agent, url: Url = None, token: Token = None, as_json: Json = False) -> None:
        status = _client(url, token).post(f"/api/agents/{agent}/{action}")
        if as_json:
            _print_json(status)
        else:
            out.print(f"{agent} is {status['state']} (life {status['incarnation']})")

    app.command(action, help=help)(run)


_control("start", "Start one agent.")
_control("stop", "Stop one agent and cancel its orders.")
_control("pause", "Pause one agent and cancel its quotes.")
_control("resume", "Let a paused or quarantined agent go on.")
_control("restart", "Stop one agent and start it again.")


@app.command("kill-switch")
def kill_switch(
    reason: Annotated[str, typer.Option(help="Why; it goes into the log.")] = "thrown from the command line",
    lift: Annotated[bool, typer.Option("--lift", help="Let the fleet trade again.")] = False,
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Stop all trading and cancel all orders, or lift that."""
    client = _client(url, token)
    path = "/api/fleet/kill-switch"
    answer = client.delete(path) if lift else client.post(path, {"reason": reason, "flatten": False})
    if as_json:
        _print_json(answer)
    else:
        out.print("trading is allowed again" if lift else "all trading is stopped and all orders are cancelled")


@app.command()
def reload(url: Url = None, token: Token = None, as_json: Json = False) -> None:
    """Read the fleet file again: create the agents that are new, change those that it describes otherwise."""
    answer = _client(url, token).post("/api/fleet/reload")
    if as_json:
        _print_json(answer)
        return
    for what in ("created", "changed"):
        out.print(f"{what}: {', '.join(answer[what]) or 'none'}")


@app.command()
def doctor(url: Url = None, token: Token = None, as_json: Json = False) -> None:
    """Check the fleet: does it answer, is it ready, do its books equal the venue's to the micro-unit."""
    client = _client(url, token)
    health, ready, check = client.get("/health"), client.get("/ready"), client.get("/api/ledger/check")
    fine = health["status"] == "ok" and ready["ready"] and check["ok"]
    if as_json:
        _print_json({"ok": fine, "health": health, "ready": ready, "ledger": check})
        raise typer.Exit(0 if fine else 1)
    _line(health["status"] == "ok", "the API answers")
    _line(ready["ready"], "wallets reconciled, log followed, enabled agents started" if ready["ready"] else json.dumps(ready))
    for wallet in check["wallets"]:
        cash = f"{wallet['venueCash']} pUSD at the venue, {wallet['ledgerCash']} in the books"
        held = f"{len(wallet['positions'])} positions, {len(wallet['pending'])} fills pending"
        _line(not wallet["differences"], f"wallet {wallet['address']}: {cash}, {held}")
        for difference in wallet["differences"]:
            out.print(f"       {json.dumps(difference)}")
    raise typer.Exit(0 if fine else 1)


def _client(url: str | None, token: str | None) -> FleetClient:
    return FleetClient(url or f"http://127.0.0.1:{os.environ.get('PORT', '3001')}", token)


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        right = column in ("life", "restarts", "decisions", "trades", "profit")
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    return table


def _print_json(content: Any) -> None:
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


def _print_event(event: dict[str, Any], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
        return
    out.print(event_line(event), soft_wrap=True, markup=False)


def _line(fine: bool, sentence: str) -> None:
    out.print(f"{'ok  ' if fine else 'FAIL'}   {sentence}", soft_wrap=True, markup=False)


def main() -> None:
    """Run the command line; every refusal is one sentence on stderr."""
    from dotenv import load_dotenv

    load_dotenv(Path.cwd() / ".env")
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        code = _refuse(error.format_message(), 2)
    except InvalidInput as error:
        code = _refuse(str(error), 2)
    except PolyfleetError as error:
        code = _refuse(str(error), 1)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        code = 0
    sys.exit(code or 0)


def _refuse(sentence: str, code: int) -> int:
    if not sentence:
        # The help was shown in its place.
        return code
    sys.stderr.write(f"polyfleet: {' '.join(sentence.split())}\n")
    return code
