"""Whether the books fit: the owners' accounts what is owed, and the database's sums those of its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rentpay_cli.core.ledger import Fact, facts_of
from rentpay_cli.store.read.ledger import MONEY_NOT_AS_ALLOCATED, OWNERS_NOT_AS_OWED, read_books, read_facts
from rentpay_cli.store.readonly import Reader


def misfits(reader: Reader) -> list[str]:
    """What does not fit, in words."""
    return list(_misfits(reader))


def _misfits(reader: Reader) -> Iterator[str]:
    found = read_books(reader)
    for account, ours, left in found.differences():
        yield f"{account.value} is {ours} by the books and {left} by what is left"
    if found.total_cents:
        yield f"debits less credits are {found.total_cents}"
    for sql in (OWNERS_NOT_AS_OWED, MONEY_NOT_AS_ALLOCATED):
        yield from map(str, reader.rows(sql))
    by_database, by_rows = read_facts(reader), _facts_of_rows(reader)
    for fact in Fact:
        if by_database[fact] != by_rows[fact]:
            yield f"{fact} is {by_database[fact]} by the database and {by_rows[fact]} by its rows"


def _facts_of_rows(reader: Reader) -> Counter[Fact]:
    """The facts as one row after another tells them."""
    tables = ("money_in", "payment", "payable", "disbursement")
    rows = {table: {row["id"]: row for row in reader.rows(f"SELECT * FROM {table}")} for table in tables}
    sums: Counter[Fact] = Counter()
    for table in tables:
        for row in rows[table].values():
            for fact, cents in facts_of(table, row, lambda name, number: rows[name][number]):
                sums[fact] += cents
    return sums
