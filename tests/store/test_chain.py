"""The journal's chain under many writers, in transactions that fail, and against whoever would empty a table."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from rentpay_cli.core.journal import WATCHED, Entry, why_not_next
from rentpay_cli.flows import register as registering
from rentpay_cli.flows.verify import verify
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import chain, derived, inbox, journal
from rentpay_cli.store.migrations.triggers import FIXED, KEPT

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def entries(rt: Runtime) -> list[Entry]:
    found = list(derived.entries(rt.reader))
    for before, entry in zip([None, *found], found, strict=False):
        assert why_not_next(before, entry) == ""
    return found


def test_eight_threads_that_write_at_once_make_one_unbroken_chain(rt: Runtime) -> None:
    registering.add_owner(rt, name="Wanjiru Kamau")
    start = threading.Barrier(8)
    failures: list[BaseException] = []

    def write(number: int) -> None:
        start.wait()
        try:
            for n in range(10):
                with rt.database.transaction() as session:
                    journal.write(session, NOW, f"thread {number}", "first", n=n)
                    journal.write(session, NOW, f"thread {number}", "second", n=n)
                inbox.append(rt.database, [("payout", None, None, b"%d %d" % (number, n))], NOW)
        except BaseException as error:  # shown below, where a test can fail
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    found = entries(rt)
    assert [entry.id for entry in found] == list(range(1, 8 * 10 * 3 + 2))
    pairs = [entry for entry in found if entry.event in ("first", "second")]
    assert all(a.actor == b.actor and a.detail == b.detail for a, b in zip(pairs[::2], pairs[1::2], strict=True))
    verify(rt)


def test_both_databases_chain_any_text_alike(rt: Runtime) -> None:
    actor, reason = 'Wanjirũ "W" \\ 😀', "it said \"\\u0041\", 'ũ', 100 % and {more: [1]}"
    with rt.database.transaction() as session:
        journal.write(session, NOW, actor, "noted", reason=reason)
        journal.write(session, NOW, actor, "noted again")
    first, second = entries(rt)
    assert (first.actor, json.loads(first.detail)["reason"], second.event) == (actor, reason, "noted again")


def test_a_transaction_that_is_undone_leaves_no_gap(rt: Runtime) -> None:
    for number in range(3):
        with pytest.raises(DBAPIError), rt.database.transaction() as session:
            journal.write(session, NOW, "tester", "undone", payment_id=99)  # which there is not
        with rt.database.transaction() as session:
            journal.write(session, NOW, "tester", "done", number=number)
    assert [(entry.id, entry.event) for entry in entries(rt)] == [(1, "done"), (2, "done"), (3, "done")]


def test_a_transaction_that_only_reads_writes_no_entry(rt: Runtime) -> None:
    with rt.database.transaction() as session:
        session.execute(text("SELECT 1"))
    assert entries(rt) == []


def test_an_entry_tells_the_changes_that_were_made_since_the_one_before(rt: Runtime) -> None:
    registering.add_owner(rt, name="Wanjiru Kamau")
    with rt.database.transaction() as session:
        chain.changed(session, "payout_stop", 1, {"in_force": 1, "reason": "not watched"})
        journal.write(session, NOW, "tester", "first")
        chain.changed(session, "payout_stop", 2, {"in_force": 1})
        journal.write(session, NOW, "tester", "second")
        chain.changed(session, "payout_stop", 2, {"in_force": None})
    first, second = entries(rt)[-2:]
    assert first.detail == '{"changes": {"payout_stop 1": {"in_force": 1}}}'
    assert second.detail == '{"changes": {"payout_stop 2": {"in_force": null}}}'


def test_every_watched_column_is_one_of_a_table() -> None:
    for table, columns in WATCHED.items():
        assert set(columns) <= set(SQLModel.metadata.tables[table].columns.keys())
    assert {model.__tablename__ for model in chain._MODELS} == set(WATCHED)


def test_what_tells_what_happened_is_never_deleted_from() -> None:
    assert set(WATCHED) | {"journal"} <= set(KEPT)
    assert "hash" in FIXED["journal"]


@pytest.mark.parametrize("table", KEPT)
def test_no_table_that_is_kept_can_be_emptied_at_once(rt: Runtime, table: str) -> None:
    if rt.settings.database_url.startswith("sqlite"):
        return  # which knows no TRUNCATE
    with pytest.raises(DBAPIError, match=f"{table} is never deleted"), rt.database.transaction() as session:
        session.execute(text(f"TRUNCATE {table} CASCADE"))


def test_a_hash_cannot_be_rewritten(rt: Runtime) -> None:
    registering.add_owner(rt, name="Wanjiru Kamau")
    with pytest.raises(DBAPIError, match="written once"), rt.database.transaction() as session:
        session.execute(text("UPDATE journal SET hash = 'other'"))


def test_memory_stays_flat_while_rows_are_derived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "ROWS_IN_HAND", 3)
    told = derived.Derived()
    for number in (5, 1, 3, 2, 4, 5, 1):
        told.tell("payment", number, {"status": "pending", "receipt": f"R{number}"})
        assert len(told._in_hand) < 3
    told.tell("payment", 3, {"status": "failed", "receipt": None})
    assert [number for number, _ in told.rows("payment")] == [1, 2, 3, 4, 5]
    assert dict(told.rows("payment"))[3] == {"status": "failed"}
    assert list(told.rows("attempt")) == []
    told.close()
