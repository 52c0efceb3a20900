"""`python -m tests.store.freeze [REVISION …]`: keep what revisions make, so that it never changes unnoticed.

Of each revision that is named (the newest, if none is) it writes the digest of its schema on both databases into
`store/migrations/frozen.py`, and a stored database into `tests/store/fixtures`: a short story told through the real
flows, as SQL. A revision that was released is never frozen again.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

from rentpay_cli.store import fingerprint, schema
from rentpay_cli.store.engine import Database
from tests.store.story import first_days, telling
from tests.support.databases import bare_server
from tests.support.stored import FIXTURES, shape_of

FROZEN = schema.MIGRATIONS / "frozen.py"
HEADER = '''"""The digest of what each revision makes, written by `python -m tests.store.freeze`."""

from collections.abc import Mapping

'''


def freeze(revisions: list[str]) -> None:
    """Write the digests and the stored databases of these revisions."""
    with tempfile.TemporaryDirectory(prefix="rentpay-freeze-") as name, bare_server(Path(name)) as server:
        server.execute("CREATE DATABASE frozen")
        digests = {
            revision: {
                "sqlite": digest(f"sqlite:///{name}/{revision}.db", revision),
                "postgresql": digest(server.database("frozen"), revision),
            }
            for revision in revisions
        }
        frozen = {**schema.FROZEN, **digests}
        _write(FROZEN, HEADER + f"FROZEN: Mapping[str, Mapping[str, str]] = {_shown(frozen)}")
        with patch.object(schema, "FROZEN", frozen):
            for revision in revisions:
                _write(FIXTURES / f"{revision}.sql", stored(Path(name) / f"{revision}-told.db", revision))


def digest(url: str, revision: str) -> str:
    """What a revision makes of a new database; the transaction is undone."""
    database = Database(url)
    with database.engine.connect() as connection, schema.rebuilding(connection), connection.begin() as transaction:
        schema.run_revisions(connection, revision)
        made = shape_of(connection)
        transaction.rollback()
    database.close()
    return fingerprint.digest(made)


def stored(path: Path, revision: str) -> str:
    """The story in a database of this revision, as SQL, and in which tables nothing stands."""
    with patch.object(schema, "CURRENT", revision):
        schema.create_or_upgrade(f"sqlite:///{path}", "simulator")
        with telling(f"sqlite:///{path}") as teller:
            first_days(teller)
    with closing(sqlite3.connect(path)) as connection:
        lines = [*connection.iterdump()]
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        empty = [name for name in names if not connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]]
    without = f"-- Nothing stands in: {', '.join(sorted(empty)) or 'no table'}.\n"
    return f"-- A database of revision {revision}, by tests/store/freeze.py.\n{without}" + "\n".join(lines) + "\n"


def _shown(frozen: Mapping[str, Mapping[str, str]]) -> str:
    """As the formatter of the house would write it."""
    lines = ["{"]
    for revision, digests in sorted(frozen.items()):
        lines += [
            f'    "{revision}": {{',
            *(f'        "{kind}": "{text}",' for kind, text in digests.items()),
            "    },",
        ]
    return "\n".join([*lines, "}", ""])


def _write(path: Path, text: str) -> None:
    changed = not path.exists() or path.read_text(encoding="utf-8") != text
    path.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{path.name}: {'written' if changed else 'as it was'}\n")


if __name__ == "__main__":
    freeze(sys.argv[1:] or [schema.CURRENT])
