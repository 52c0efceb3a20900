"""`python -m rentpay_cli.store.migrations.next "What is so then"`: begin the next revision, for who develops rentpay.

What differs between `store/tables.py` and the revisions is written into a new file, as far as Alembic sees it; what it
does not see is told. How to go on stands in `help/revisions.md`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from sqlalchemy import Connection, MetaData
from sqlmodel import SQLModel

from rentpay_cli.store import fingerprint, schema
from rentpay_cli.store.engine import Database, prepare_sqlite_file
from rentpay_cli.store.fingerprint import Shape

USE = 'Say in a sentence what is so then, such as: python -m rentpay_cli.store.migrations.next "Units have rents"\n'
THEN = """\
Then:
  1. Read it, and run: ruff format. Money is BIGINT cents, a moment is BIGINT; a new column of an old table may be NULL.
  2. Write what Alembic does not see: a list of words that grows (widen), other CHECKs, triggers, functions.
  3. python -m tests.store.freeze
  4. python -m pytest tests/store
More: rentpay help revisions
"""


def begin(words: str, migrations: Path, metadata: MetaData) -> tuple[Path, str]:
    """Write the next revision into `versions`; its file, and what differs that Alembic does not look at."""
    newest = max(path.name[:4] for path in (migrations / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))
    config = schema.alembic_config(migrations)
    with tempfile.TemporaryDirectory() as folder:
        with _new(Path(folder) / "made.db") as connection:
            schema.run_revisions(connection, newest, migrations)
            config.attributes.update(connection=connection, metadata=metadata)
            script = command.revision(config, words.rstrip("."), autogenerate=True, rev_id=f"{int(newest) + 1:04d}")
            made = _constraints(connection)
        with _new(Path(folder) / "described.db") as connection:
            metadata.create_all(connection)
            described = _constraints(connection, {what.rpartition(" ")[2] for what in made})
    assert script is not None
    assert not isinstance(script, list)
    return Path(script.path), fingerprint.differences(described, made)


@contextmanager
def _new(path: Path) -> Iterator[Connection]:
    prepare_sqlite_file(path)
    database = Database(f"sqlite:///{path}")
    with database.engine.connect() as connection, schema.rebuilding(connection), connection.begin():
        yield connection
    database.close()


def _constraints(connection: Connection, of: set[str] | None = None) -> Shape:
    """The constraints of the tables, or of those that are named."""
    told = fingerprint.read(lambda sql: [*connection.exec_driver_sql(sql).mappings()], is_sqlite=True)
    ours = fingerprint.without(told, {"alembic_version"}) if of is None else fingerprint.only_of(told, of)
    shape = fingerprint.shape(ours, is_sqlite=True)
    return {what: text for what, text in shape.items() if what.startswith(("constraint ", "table "))}


def main(arguments: list[str]) -> int:
    """Begin a revision of this package and say what to do next; 2 if nothing was said of it."""
    if len(arguments) != 1 or not arguments[0].strip() or arguments[0].startswith("-"):
        sys.stderr.write(USE)
        return 2
    _, unseen = begin(arguments[0], schema.MIGRATIONS, SQLModel.metadata)
    sys.stdout.write(f"What Alembic does not see: {unseen or 'nothing'}.\n{THEN}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
