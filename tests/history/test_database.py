"""The one way to the database: what is written is there, what passes is told as such, the tables are as described."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from sploot_clusterd.history import schema


def is_described(name, kind, _parents):
    return kind != "table" or "_default" not in name


def test_the_migrations_lead_to_the_tables_that_are_described(database):
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_described})
        assert compare_metadata(context, schema.metadata) == []
