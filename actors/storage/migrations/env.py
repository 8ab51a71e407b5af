"""Alembic runs this for every migration, in the transaction of the connection that it is handed."""

from alembic import context

from actors.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
