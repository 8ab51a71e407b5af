"""Brings a database to the schema of this version, or says in one sentence why it cannot."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from agents.errors import InvalidInput


def upgrade(engine: Engine) -> None:
    """Create the schema or upgrade it, all or nothing.

    Raises:
        InvalidInput: if the database belongs to a newer version of polyfleet, or to something else.
    """
    config = Config()
    config.set_main_option("script_location", "actors.storage:migrations")
    with engine.begin() as connection:
        _check(connection, ScriptDirectory.from_config(config))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _check(connection: Connection, scripts: ScriptDirectory) -> None:
    where = connection.engine.url.render_as_string(hide_password=True)
    known = {script.revision for script in scripts.walk_revisions()}
    found = MigrationContext.configure(connection).get_current_heads()
    if unknown := set(found) - known:
        raise InvalidInput(
            f"the log at {where} was written by a newer version of polyfleet (its schema is {min(unknown)}, "
            f"this version knows up to {scripts.get_current_head()}); upgrade polyfleet or use another data directory"
        )
    if not found and (tables := inspect(connection).get_table_names()):
        raise InvalidInput(f"the database at {where} is not a polyfleet log (it has a table {tables[0]!r}); use another one")
