"""What a database is made of, as it tells it itself, and how that differs from what it told when it was made.

Whoever makes or upgrades a database writes what it is made of into it: the setting `schema`, first the digest by which
its revision is known (`migrations/frozen.py`), then a line of JSON for each thing. While the database tells the same,
a start has nothing more to do. If it tells something else, both are brought into a shape: SQL without what means
nothing, which is space, comments, capitals, quotes around names, the order of columns and constraints, and PostgreSQL's
casts, which it puts elsewhere when a dump is read back. Then it can be said what was changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Rows = Callable[[str], Iterable[Mapping[str, Any]]]
"""Runs a query and gives its rows by column."""
Told = list[list[str]]
"""What there is, as the database tells it: what it belongs to, its kind and name in words, and its SQL."""
Shape = dict[str, str]
"""What there is, such as `index one_access of access`, and what it means. The last word is the table or function."""

_TOLD_AT_MOST = 3

_SQLITE = """
SELECT tbl_name AS whose, type || ' ' || name || CASE type WHEN 'table' THEN '' ELSE ' of ' || tbl_name END AS what,
       sql AS text
  FROM sqlite_master WHERE sql IS NOT NULL ORDER BY whose, what
"""
_POSTGRESQL = """
WITH space AS (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema()),
ours AS (
    SELECT c.oid, c.relname, c.relpersistence FROM pg_catalog.pg_class c JOIN space s ON s.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p')
)
SELECT relname AS whose, 'table ' || relname AS what,
       CASE relpersistence WHEN 'p' THEN 'plain' ELSE 'unlogged' END AS text
  FROM ours
UNION ALL
SELECT o.relname, 'column ' || a.attname || ' of ' || o.relname,
       format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
       || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid, true), '')
  FROM ours o JOIN pg_catalog.pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = o.oid AND d.adnum = a.attnum
UNION ALL
SELECT o.relname, 'constraint ' || c.conname || ' of ' || o.relname, pg_get_constraintdef(c.oid, true)
  FROM ours o JOIN pg_catalog.pg_constraint c ON c.conrelid = o.oid AND c.contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT o.relname, 'index ' || c.relname || ' of ' || o.relname,
       pg_get_indexdef(i.indexrelid, 0, true) || CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END
  FROM ours o JOIN pg_catalog.pg_index i ON i.indrelid = o.oid JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
UNION ALL
SELECT o.relname, 'trigger ' || t.tgname || ' of ' || o.relname,
       pg_get_triggerdef(t.oid, true) || CASE t.tgenabled WHEN 'O' THEN '' ELSE ' disabled' END
  FROM ours o JOIN pg_catalog.pg_trigger t ON t.tgrelid = o.oid AND NOT t.tgisinternal
UNION ALL
SELECT p.proname, 'function ' || p.proname,
       replace(pg_get_functiondef(p.oid), quote_ident(current_schema()) || '.', '')
  FROM pg_catalog.pg_proc p JOIN space s ON s.oid = p.pronamespace WHERE p.prokind = 'f'
 ORDER BY whose, what
"""

_WORD = r"""(?xs) --[^\n]* | /\*.*?\*/ | ('(?:[^']|'')*' | "(?:[^"]|"")*" | [\w$.]+ | [<>=!|:-]+ | [^\w\s])"""
_CAST = r"::(?:character varying|timestamp with(?:out)? time zone|double precision|\w+)(?:\(\d+\))?(?:\[\])*"


def read(rows: Rows, *, is_sqlite: bool) -> Told:
    """What the database is made of; raises whatever the query does."""
    return [[row["whose"], row["what"], row["text"]] for row in rows(_SQLITE if is_sqlite else _POSTGRESQL)]


def owners(told: Told) -> set[str]:
    """The tables and functions that there are."""
    return {whose for whose, _, _ in told}


def only_of(told: Told, ours: set[str]) -> Told:
    """What belongs to these tables and functions: a PostgreSQL database may serve several programs."""
    return [each for each in told if each[0] in ours]


def without(told: Told, theirs: set[str]) -> Told:
    """What belongs to none of these tables and functions."""
    return [each for each in told if each[0] not in theirs]


def written(told: Told) -> str:
    """What was told, a line each."""
    return "".join(f"{json.dumps(each)}\n" for each in told)


def read_back(text: str) -> Told:
    """What was told, from its lines."""
    return [json.loads(line) for line in text.splitlines()]


def digest(shape: Shape) -> str:
    """A shape in 64 hexadecimal digits."""
    import hashlib  # with its libraries: too slow for a start, which needs no digest

    return hashlib.sha256("".join(f"{what}: {shape[what]}\n" for what in sorted(shape)).encode()).hexdigest()


def shape(told: Told, *, is_sqlite: bool) -> Shape:
    """What was told, without what means nothing."""
    return dict(_of_sqlite(told) if is_sqlite else _of_postgresql(told))


def differences(found: Shape, wanted: Shape) -> str:
    """How what was found differs from what must be, in words; empty if it does not."""
    there = {_whose(what) for what in found}
    missing = [what for what in wanted if what not in found and (_whose(what) in there or what.count(" ") == 1)]
    words = [f"the {what} is missing" for what in sorted(missing)]
    words += [f"the {what} is not rentpay's" for what in sorted(found) if what not in wanted]
    words += [f"the {what} was changed" for what in sorted(found) if wanted.get(what, found[what]) != found[what]]
    more = len(words) - _TOLD_AT_MOST
    return ", ".join(words[:_TOLD_AT_MOST]) + (f", and {more} more" if more > 0 else "")


def _whose(what: str) -> str:
    return what.rpartition(" ")[2]


def _of_postgresql(told: Told) -> Iterator[tuple[str, str]]:
    for _, what, text in told:
        yield what, _joined(_words(text if what.startswith("function ") else re.sub(_CAST, "", text)))


def _of_sqlite(told: Told) -> Iterator[tuple[str, str]]:
    for table, what, sql in told:
        if what.startswith("table "):
            yield from _of_table(table, _words(sql))
        else:
            yield what, _joined(_words(sql))


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
    found = filter(None, re.findall(_WORD, sql))
    return [word if word[0] == "'" else word.strip('"').lower() for word in found]


def _joined(words: list[str]) -> str:
    return re.sub(r"(?<=\() | (?=[,)])", "", " ".join(words))
