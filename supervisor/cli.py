"""The `polyfleet` command. It exits 0 when done, 1 when the fleet said no or cannot be reached, 2 for wrong input."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from agents.errors import InvalidInput, PolyfleetError
from supervisor import agent_commands, approval_commands, fleet_commands, wallet_commands
from supervisor.chaos.plan import Kind, parse_targets
from supervisor.console import ReaderGone

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Run many Polymarket trading agents at once. The default sandbox is a simulation; trading can lose money.",
)
DataDir = Annotated[Path, typer.Option(help="Where the fleet keeps all that must survive.")]
Markets = Annotated[Path | None, typer.Option(help="Recorded markets (JSON lines, gzip or plain) instead of synthetic ones.")]
Start = Annotated[str | None, typer.Option(help="The date on the venue's clock to begin at, such as 2025-11-20.")]
Seed = Annotated[int, typer.Option(help="Seed of the simulation's chance.")]
Speed = Annotated[float | None, typer.Option(help="Venue seconds per wall second.")]

_DATA_DIR = Path("data")
_TARGETS = ",".join(Kind)


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
    faults: Annotated[
        str, typer.Option(help="What goes wrong, NAME[=VALUE],…; GET /sandbox/faults of the venue lists the names.")
    ] = "",
) -> None:
    """Run the simulated venue alone, as a local Polymarket for any bot; prints one JSON line that says where."""
    from actors.sandbox.alone import run

    run(port=port, markets=markets, start=start, seed=seed, speed=speed, data_dir=data_dir, faults=faults)


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


fleet_commands.add_to(app)
approval_commands.add_to(app)
app.command()(wallet_commands.adjust)
app.add_typer(agent_commands.app, name="agents")


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
    except typer.Abort:
        code = _refuse("nothing was done", 1)
    except ReaderGone:
        # What is still buffered has no reader either; Python would say so at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code or 0)


def _refuse(sentence: str, code: int) -> int:
    if not sentence:
        # The help was shown in its place.
        return code
    sys.stderr.write(f"polyfleet: {' '.join(sentence.split())}\n")
    return code
