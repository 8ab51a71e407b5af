"""Brings a database to the schema of this version, or says in one sentence why it cannot."""

from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, inspect, select

from agents.errors import InvalidInput

#: The lock that keeps two processes from upgrading one PostgreSQL database at a time; SQLite knows one writer anyway.
_LOCK = 0x706F6C79


def upgrade(engine: Engine) -> None:
    """Create the schema or upgrade it, all or nothing.

    Raises:
        InvalidInput: if the database belongs to a newer version of polyfleet, or to something else.
    """
    config, scripts = _scripts()
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        if _found(connection, scripts) == (scripts.get_current_head(),):
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@cache
def _scripts() -> tuple[Config, ScriptDirectory]:
    config = Config()
    config.set_main_option("script_location", "actors.storage:migrations")
    return config, ScriptDirectory.from_config(config)


def _found(connection: Connection, scripts: ScriptDirectory) -> tuple[str, ...]:
    """Return the revisions that a database is at; raises InvalidInput if we cannot upgrade it."""
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
    return found
