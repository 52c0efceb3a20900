"""Run the migrations on the connection that `store.schema` hands over."""

from alembic import context
from sqlmodel import SQLModel

from rentpay_cli.store import tables

tables.tell_postgresql()
context.configure(connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata)
context.run_migrations()
