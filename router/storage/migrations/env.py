"""Runs migrations on the connection that `router.storage.database` gives, in its transaction."""

from alembic import context

from router.storage.database import VERSION_TABLE
from router.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
