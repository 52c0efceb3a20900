"""Callbacks that are read together: in one transaction, or each by itself when one of them trips us up."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import ProgrammingError

from rentpay_cli.errors import BadDatabase
from rentpay_cli.flows import read_inbox, verify
from rentpay_cli.flows.read_inbox import COLLECTION
from rentpay_cli.runtime import Runtime
from rentpay_cli.service import worker
from rentpay_cli.store import health_reads, inbox
from rentpay_cli.store.inbox import TOGETHER
from rentpay_cli.store.rows import StaleWrite


def arrive(rt: Runtime, count: int) -> None:
    inbox.append(rt.database, [(COLLECTION, None, None, b"%d" % number) for number in range(count)], rt.now())


def marks(rt: Runtime) -> list[str]:
    """What the journal says that became of callbacks, each in its own words."""
    query = "SELECT event FROM journal WHERE event LIKE 'callback %' AND actor = 'listener' AND event <> :received"
    return [row["event"] for row in rt.reader.rows(query, received="callbacks received")]


@pytest.mark.parametrize("trouble", [ValueError("odd"), StaleWrite("somebody was faster")])
def test_one_that_trips_us_up_leaves_nothing_of_the_others_twice(
    rt: Runtime, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    arrive(rt, 5)
    honest = read_inbox._understand

    def trip(runtime: Runtime, session: Any, item: Any, attempt: Any) -> Any:
        if item.id == 4:
            raise trouble
        return honest(runtime, session, item, attempt)

    monkeypatch.setattr(read_inbox, "_understand", trip)
    readings = read_inbox.read_inbox(rt)
    read = [1, 2, 3, 5] if isinstance(trouble, StaleWrite) else [1, 2, 3, 4, 5]
    assert [reading.item_id for reading in readings] == read
    assert len(marks(rt)) == len(read)
    assert verify.verify(rt).rows["inbox"] == 5


def test_a_few_are_committed_together_on_sqlite_and_each_by_itself_on_postgresql(
    rt: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(rt, TOGETHER + 1)
    transactions, honest = [], rt.database.transaction

    def counted() -> Any:
        transactions.append(1)
        return honest()

    monkeypatch.setattr(rt.database, "transaction", counted)
    assert len(read_inbox.read_inbox(rt, TOGETHER + 1)) == TOGETHER + 1
    assert len(transactions) == (2 if rt.database.is_sqlite else TOGETHER + 1)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_workers_on_postgresql_read_different_callbacks(rt: Runtime) -> None:
    arrive(rt, 2 * TOGETHER)
    with rt.database.transaction() as session:
        held = {item.id for item in inbox.claim_unread(session, TOGETHER)}
        read = {reading.item_id for reading in read_inbox.read_inbox(rt)}
    assert len(read) == TOGETHER
    assert not read & held


def test_that_the_inbox_cannot_be_read_is_not_taken_for_an_empty_one(
    rt: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ProgrammingError("SELECT", {}, Exception("permission denied for inbox"))

    arrive(rt, 1)
    monkeypatch.setattr(inbox, "claim_unread", broken)
    with pytest.raises((ProgrammingError, BadDatabase)):
        read_inbox.read_inbox(rt)


def test_the_worker_lets_others_write_after_every_few(rt: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    arrive(rt, 2 * TOGETHER + 1)
    unread: list[int] = []

    def give_way() -> None:
        unread.append(int(health_reads.open_work(rt.reader)["unread"]))

    monkeypatch.setattr(rt.database, "give_way", give_way)
    worker.round_of_work(rt, lambda *_, **__: None)
    assert unread[-1] == 0
    assert len(unread) >= 3
