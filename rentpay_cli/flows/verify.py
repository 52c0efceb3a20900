"""Prove that nothing was rewritten: the journal's own chain, and every table against what the journal says of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rentpay_cli.core.journal import BEGINNING, WATCHED, Columns, Entry, changes_in, difference, why_not_next
from rentpay_cli.core.ledger import Fact, facts_of
from rentpay_cli.core.money import show_kes
from rentpay_cli.core.redact import printable
from rentpay_cli.errors import NeedsAttention, WrongUse
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import derived
from rentpay_cli.store.derived import Derived
from rentpay_cli.store.read import ledger

OnProgress = Callable[[int, int], None]
"""Told how many entries and rows of how many were read."""
TELL_EVERY = 1_000


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry of a journal: its number, if that is known, and its hash."""

    number: int | None
    hash: str

    def __str__(self) -> str:
        return f"{self.hash}:{self.number}"


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found whole: the journal up to its head, and how many rows of each table."""

    head: Head
    rows: dict[str, int]


def head(rt: Runtime) -> Head:
    """The head of the journal, to be kept where nobody can change it."""
    newest = derived.head(rt.reader)
    return Head(newest.id, newest.hash) if newest else Head(0, BEGINNING)


def read_head(text: str) -> Head:
    """A head as `rentpay journal head` prints it, or its hash alone; raises `WrongUse`."""
    found = re.fullmatch(r"([0-9a-f]{64})(?::([0-9]{1,18}))?", text.strip().lower(), re.ASCII)
    if found is None:
        raise WrongUse(
            f"'{printable(text, 80)}' is not the head of a journal.",
            "It is 64 hexadecimal digits, and perhaps a colon and a number, as `rentpay journal head` printed it.",
        )
    return Head(int(found[2]) if found[2] else None, found[1])


def verify(rt: Runtime, kept: Head | None = None, on_progress: OnProgress = lambda *_: None) -> Verified:
    """Check the chain, the head that was kept, and every table.

    Raises `NeedsAttention` with the first entry or row that does not fit.
    """
    told = Derived()
    try:
        with rt.reader.snapshot():
            step = _steps(on_progress, derived.size(rt.reader))
            newest = _check_chain(rt, told, kept, step)
            sums: Counter[Fact] = Counter()
            rows = {table: _check_table(rt, told, table, sums, step) for table in WATCHED}
            _check_sums(rt, sums)
    finally:
        told.close()
    return Verified(newest, rows)


def _check_chain(rt: Runtime, told: Derived, kept: Head | None, step: Callable[[], None]) -> Head:
    before: Entry | None = None
    found = kept is None or kept == Head(kept.number and 0, BEGINNING)
    for entry in derived.entries(rt.reader):
        why = why_not_next(before, entry)
        if why:
            raise does_not_fit(why)
        if kept is not None and kept.number == entry.id and kept.hash != entry.hash:
            raise does_not_fit(
                f"Entry {entry.id} of the journal is not the one whose hash was kept: "
                "the journal was rewritten at it or before it."
            )
        found = found or (kept is not None and kept.hash == entry.hash)
        try:
            for table, number, columns in changes_in(entry):
                told.tell(table, number, columns)
        except (AttributeError, TypeError, ValueError) as error:
            raise does_not_fit(f"Entry {entry.id} of the journal cannot be read: its detail is damaged.") from error
        before = entry
        step()
    newest = Head(before.id, before.hash) if before else Head(0, BEGINNING)
    if not found:
        raise does_not_fit(_why_head_is_missing(kept, newest))
    return newest


def _why_head_is_missing(kept: Head | None, newest: Head) -> str:
    number = kept.number if kept else None
    if number is not None and newest.number is not None and number > newest.number:
        return f"The journal was cut off: it ends with entry {newest.number}, but the head that was kept is {number}."
    return "No entry of the journal has the hash that was kept: the journal was cut off or rewritten since."


def _check_table(rt: Runtime, told: Derived, table: str, sums: Counter[Fact], step: Callable[[], None]) -> int:
    """Compare a table with what was told of it, both by number, and return how many rows it has."""
    count, stated = 0, told.rows(table)
    number, columns = next(stated, _NO_MORE)
    for row in derived.table_rows(rt.reader, table):
        if number is not None and number < row["id"]:
            raise does_not_fit(_gone(table, number))
        if number != row["id"]:
            raise does_not_fit(
                f"{_name(table, row['id'])} does not fit: it is in the database, but not in the journal."
            )
        why = difference(table, columns, row)
        if why:
            raise does_not_fit(f"{_name(table, number)} does not fit: {why}.")
        for fact, cents in facts_of(table, columns, told.row):
            sums[fact] += cents
        number, columns = next(stated, _NO_MORE)
        count += 1
        step()
    if number is not None:
        raise does_not_fit(_gone(table, number))
    return count


_NO_MORE: tuple[None, Columns] = (None, {})


def _check_sums(rt: Runtime, sums: Counter[Fact]) -> None:
    """The books that reports show are drawn up from sums over the tables; they must be the sums over the journal."""
    day = derived.day_that_differs(rt.reader)
    if day is not None:
        raise does_not_fit(f"What is kept as earned on the day {day} is not what its disbursements add up to.")
    by_tables = ledger.read_facts(rt.reader)
    for fact in Fact:
        if by_tables[fact] != sums[fact]:
            words, ours, theirs = fact.value.replace("_", " "), show_kes(sums[fact]), show_kes(by_tables[fact])
            raise does_not_fit(f"The books differ: {words}: {ours} by the journal, {theirs} by the tables.")


def _gone(table: str, number: int) -> str:
    return f"{_name(table, number)} does not fit: it is in the journal, but not in the database any more."


_NAMES = {"inbox": "callback", "enquiry": "question", "access": "access", "finding": "finding"}


def _name(table: str, number: int | None) -> str:
    return f"{_NAMES.get(table, table.replace('_', ' ')).capitalize()} {number}"


def does_not_fit(what: str) -> NeedsAttention:
    """The error that something in the database cannot be as it is."""
    return NeedsAttention(
        what,
        "Somebody or something changed the database other than by rentpay. Keep the file as it is, stop payouts "
        "(rentpay payouts stop), and compare with a backup and with the paybill's statement.",
        code="does_not_fit",
    )


def _steps(on_progress: OnProgress, total: int) -> Callable[[], None]:
    counted: Iterator[int] = iter(range(1, 2**62))

    def step() -> None:
        done = next(counted)
        if done % TELL_EVERY == 0:
            on_progress(done, total)

    return step
