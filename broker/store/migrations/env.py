"""Run by Alembic: applies the versions on the connection that `broker.store.migrate` opened, in its transaction."""

from alembic import context

from broker.store.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
