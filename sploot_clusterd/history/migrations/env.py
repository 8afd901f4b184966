"""What Alembic runs each migration in: the connection that it was handed, and one transaction."""

from alembic import context

from sploot_clusterd.history.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
