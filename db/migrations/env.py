"""Runs migrations on the connection that `db.migrate` hands over, in one transaction."""

from alembic import context
from sqlmodel import SQLModel

from db import tables

assert tables.ALL  # importing the package registers every table in the metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata)
with context.begin_transaction():
    context.run_migrations()
