"""What a database is made of, in lines that can be compared, and how what is found differs from what was made.

A line is `what: text`, such as `trigger journal_kept of journal: create trigger …`. The text is SQL as the database
tells it, without what means nothing: space, comments, capitals, quotes around names, the order of columns and
constraints, and PostgreSQL's casts, which it puts elsewhere when a dump is read back.

Whoever makes or upgrades a database writes these lines into it (setting `schema`); the digest that they must have is
kept with the revisions (`migrations/frozen.py`). So a start can tell that something was changed since, and what, and
that a database was made by a revision that was never released.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Rows = Callable[[str], Iterable[Mapping[str, Any]]]
"""Runs a query and gives its rows by column."""
Shape = dict[str, str]
"""What there is, such as `index one_access of access`, and its text. The last word is the table or function."""

_TOLD_AT_MOST = 3

_SQLITE = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"
_POSTGRESQL = """
WITH space AS (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema()),
ours AS (
    SELECT c.oid, c.relname, c.relpersistence FROM pg_catalog.pg_class c JOIN space s ON s.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p')
)
SELECT 'table ' || relname AS what, CASE relpersistence WHEN 'p' THEN 'plain' ELSE 'unlogged' END AS text FROM ours
UNION ALL
SELECT 'column ' || a.attname || ' of ' || o.relname,
       format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
       || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid, true), '')
  FROM ours o JOIN pg_catalog.pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = o.oid AND d.adnum = a.attnum
UNION ALL
SELECT 'constraint ' || c.conname || ' of ' || o.relname, pg_get_constraintdef(c.oid, true)
  FROM ours o JOIN pg_catalog.pg_constraint c ON c.conrelid = o.oid AND c.contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT 'index ' || c.relname || ' of ' || o.relname,
       pg_get_indexdef(i.indexrelid, 0, true) || CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END
  FROM ours o JOIN pg_catalog.pg_index i ON i.indrelid = o.oid JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
UNION ALL
SELECT 'trigger ' || t.tgname || ' of ' || o.relname,
       pg_get_triggerdef(t.oid, true) || CASE t.tgenabled WHEN 'O' THEN '' ELSE ' disabled' END
  FROM ours o JOIN pg_catalog.pg_trigger t ON t.tgrelid = o.oid AND NOT t.tgisinternal
UNION ALL
SELECT 'function ' || p.proname,
       replace(pg_get_functiondef(p.oid), quote_ident(current_schema()) || '.', '')
  FROM pg_catalog.pg_proc p JOIN space s ON s.oid = p.pronamespace WHERE p.prokind = 'f'
"""

_WORD = re.compile(
    r"""--[^\n]* | /\*.*?\*/ | ('(?:[^']|'')*' | "(?:[^"]|"")*" | [\w$.]+ | [<>=!|:-]+ | [^\w\s])""",
    re.VERBOSE | re.DOTALL,
)
_CAST = re.compile(
    r"::(?:character varying|timestamp with(?:out)? time zone|double precision|\w+)(?:\(\d+\))?(?:\[\])*"
)


def read(rows: Rows, *, is_sqlite: bool) -> Shape:
    """What the database is made of; raises whatever the query does."""
    return dict(_of_sqlite(rows(_SQLITE)) if is_sqlite else _of_postgresql(rows(_POSTGRESQL)))


def digest(shape: Shape) -> str:
    """A shape in 64 hexadecimal digits."""
    return hashlib.sha256(written(shape).encode()).hexdigest()


def written(shape: Shape) -> str:
    """A shape in lines, those of a table together."""
    return "".join(f"{what}: {shape[what]}\n" for what in sorted(shape, key=lambda what: (whose(what), what)))


def read_back(text: str) -> Shape:
    """A shape from its lines."""
    return dict(line.split(": ", 1) for line in text.splitlines())


def whose(what: str) -> str:
    """The table or function that something belongs to."""
    return what.rpartition(" ")[2]


def only_of(shape: Shape, other: Shape) -> Shape:
    """What belongs to the tables and functions of the other shape: a PostgreSQL database may serve several programs."""
    ours = {whose(what) for what in other}
    return {what: text for what, text in shape.items() if whose(what) in ours}


def without(shape: Shape, other: Shape) -> Shape:
    """What belongs to no table or function of the other shape."""
    theirs = {whose(what) for what in other}
    return {what: text for what, text in shape.items() if whose(what) not in theirs}


def differences(found: Shape, wanted: Shape) -> str:
    """How what was found differs from what must be, in words; empty if it does not."""
    there = {whose(what) for what in found}
    missing = [what for what in wanted if what not in found and (whose(what) in there or what.count(" ") == 1)]
    words = [f"the {what} is missing" for what in sorted(missing)]
    words += [f"the {what} is not rentpay's" for what in sorted(found) if what not in wanted]
    words += [f"the {what} was changed" for what in sorted(found) if wanted.get(what, found[what]) != found[what]]
    more = len(words) - _TOLD_AT_MOST
    return ", ".join(words[:_TOLD_AT_MOST]) + (f", and {more} more" if more > 0 else "")


def _of_postgresql(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for row in rows:
        what, text = row["what"], row["text"]
        yield what, _joined(_words(text if what.startswith("function ") else _CAST.sub("", text)))


def _of_sqlite(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for row in rows:
        words = _words(row["sql"])
        if row["type"] == "table":
            yield from _of_table(row["name"], words)
        else:
            yield f"{row['type']} {row['name']} of {row['tbl_name']}", _joined(words)


def _of_table(table: str, words: list[str]) -> Iterator[tuple[str, str]]:
    *parts, options = _parts(words)
    yield f"table {table}", _joined(options) or "plain"
    for part in parts:
        if part[0] == "constraint":
            yield f"constraint {part[1]} of {table}", _joined(part[2:])
        elif part[0] in ("primary", "foreign", "unique", "check"):
            columns = part[: part.index(")") + 1] if part[0] != "check" else part
            yield f"constraint {_joined(columns)} of {table}", _joined(part)
        else:
            yield f"column {part[0]} of {table}", _joined(part[1:])


def _parts(words: list[str]) -> Iterator[list[str]]:
    """What stands between the commas of a table's definition, and last what follows it."""
    depth, part = 0, list[str]()
    for word in words[words.index("(") + 1 :]:
        depth += (word == "(") - (word == ")")
        if depth == -1 or (depth == 0 and word == ","):
            yield part
            part = []
        else:
            part.append(word)
    yield part


def _words(sql: str) -> list[str]:
    """The words of a statement, in small letters but for what is text to the database, too."""
    found = filter(None, _WORD.findall(sql))
    return [word if word[0] == "'" else word.strip('"').lower() for word in found]


def _joined(words: list[str]) -> str:
    return re.sub(r"(?<=\() | (?=[,)])", "", " ".join(words))
