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


def test_a_deed_that_fails_leaves_nothing_and_what_is_asked_for_behind_it_is_not_done(rt: Runtime) -> None:
    first, failed, behind = rt.database.together(write("a"), fail, write("b"))
    assert first.result() == "A"
    for outcome in (failed, behind):
        with pytest.raises(ValueError, match="no"):
            outcome.result()
    assert entries(rt) == ["a"]


@pytest.mark.parametrize("one_fails", [False, True])
def test_deeds_that_wait_for_the_turn_share_a_transaction_on_sqlite_alone(rt: Runtime, one_fails: bool) -> None:
    commits = []
    began = threading.Barrier(9)

    def ask(number: int) -> str:
        began.wait(30)
        (outcome,) = rt.database.together(fail if one_fails and number == 3 else write(f"{number}"))
        return str(outcome.exception() or outcome.result())

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
    done = [f"{number}" for number in range(8) if not (one_fails and number == 3)]
    assert [text for text in told if text != "no"] == done
    assert sorted(entries(rt)) == done
    ours = len(commits) - 2  # that of the transaction which held them up, and that of looking
    assert ours == (1 if rt.database.is_sqlite and not one_fails else len(done))


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
