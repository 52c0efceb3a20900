"""Deeds that share a transaction: all are committed, none spoils another, and each has its own outcome."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, text
from sqlmodel import Session

from rentpay_cli.errors import BadDatabase
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import journal
from rentpay_cli.store.engine import Deadlock

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def entries(rt: Runtime) -> list[str]:
    with rt.database.transaction() as session:
        return list(session.execute(text("SELECT event FROM journal ORDER BY id")).scalars())


def write(name: str) -> Callable[[Session], str]:
    def deed(session: Session) -> str:
        journal.write(session, NOW, "tester", name)
        return name.upper()

    return deed


def fail(session: Session) -> None:
    journal.write(session, NOW, "tester", "of the one that fails")
    raise ValueError("no")


def test_each_deed_has_its_outcome_once_all_is_committed(rt: Runtime) -> None:
    outcomes = rt.database.together(write("a"), write("b"))
    assert [each.result() for each in outcomes] == ["A", "B"]
    assert entries(rt) == ["a", "b"]


def test_a_deed_that_fails_leaves_nothing_and_spoils_no_other(rt: Runtime) -> None:
    first, failed, last = rt.database.together(write("a"), fail, write("b"))
    with pytest.raises(ValueError, match="no"):
        failed.result()
    assert (first.result(), last.result()) == ("A", "B")
    assert entries(rt) == ["a", "b"]


def test_deeds_that_wait_for_the_turn_share_a_transaction_on_sqlite_alone(rt: Runtime) -> None:
    commits = []
    began = threading.Barrier(9)

    def ask(number: int) -> str:
        began.wait(30)
        (outcome,) = rt.database.together(write(f"{number}"))
        return str(outcome.result())

    with ThreadPoolExecutor(8) as pool:
        with rt.database.transaction() as session:
            session.connection()
            answers = [pool.submit(ask, number) for number in range(8)]
            event.listen(rt.database.engine, "commit", lambda _: commits.append(1))
            began.wait(30)
            ends = time.monotonic() + 30
            while rt.database.is_sqlite and len(rt.database._asked_for) < 8 and time.monotonic() < ends:
                time.sleep(0.001)  # for the threads that come to ask
        told = [answer.result() for answer in answers]
    assert told == [f"{number}" for number in range(8)]
    assert sorted(entries(rt)) == told
    ours = len(commits) - 2  # that of the transaction which held them up, and that of looking
    assert ours == (1 if rt.database.is_sqlite else 8)


def test_a_database_that_cannot_be_written_fails_every_deed(rt: Runtime) -> None:
    event.listen(rt.database.engine, "commit", _break)
    first, second = rt.database.together(write("a"), write("b"))
    event.remove(rt.database.engine, "commit", _break)
    for outcome in (first, second):
        with pytest.raises(BadDatabase):
            outcome.result()
    assert entries(rt) == []


def _break(_: object) -> None:
    raise BadDatabase("the disk is full")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_of_two_transactions_that_wait_for_each_other_one_is_undone_and_told_so(rt: Runtime) -> None:
    each_has_one = threading.Barrier(2)

    def take(first: int, second: int) -> None:
        with rt.database.transaction() as session:
            journal.write(session, NOW, "tester", "taken")
            session.execute(text(f"SELECT pg_advisory_xact_lock({first})"))
            each_has_one.wait(30)
            session.execute(text(f"SELECT pg_advisory_xact_lock({second})"))

    with ThreadPoolExecutor(2) as pool:
        errors = [each.exception() for each in (pool.submit(take, 1, 2), pool.submit(take, 2, 1))]
    assert sorted(type(error) for error in errors if error is not None) == [Deadlock]
    assert entries(rt) == ["taken"]
