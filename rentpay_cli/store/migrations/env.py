"""Run the migrations on the connection that is handed over, or compare what they made with the tables of the code."""

from alembic import context
from sqlmodel import SQLModel

from rentpay_cli.store import tables

tables.tell_postgresql()
given = context.config.attributes
context.configure(connection=given["connection"], target_metadata=given.get("metadata", SQLModel.metadata))
context.run_migrations()
