"""The inbox: what is ours is always kept; what strangers send is kept once, and within a budget."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from rentpay_cli.core.callbacks import EnquiryKind
from rentpay_cli.core.journal import changes_in
from rentpay_cli.flows.verify import verify
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, chain, derived, enquiries, inbox
from rentpay_cli.store.engine import sqlite_path
from rentpay_cli.store.tables import InboxItem

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@pytest.fixture
def token(rt: Runtime) -> str:
    """The token of a question of ours."""
    with rt.database.transaction() as session:
        enquiries.ask(session, EnquiryKind.BALANCE, "ours", NOW)
    return "ours"


def stored(rt: Runtime) -> list[dict[str, Any]]:
    return list(rt.reader.rows("SELECT * FROM inbox ORDER BY id"))


def setting(rt: Runtime, name: str) -> str | None:
    row = rt.reader.one("SELECT value FROM setting WHERE name = :name", name=name)
    return None if row is None else str(row["value"])


def test_the_same_body_of_a_stranger_is_kept_once_and_counted(rt: Runtime) -> None:
    inbox.append(rt.database, [("collection", None, "1.2.3.4", b"{}")] * 3, NOW)
    inbox.append(rt.database, [("collection", "guessed", "1.2.3.5", b"{}"), ("payout", None, None, b"{}")], LATER)
    first, second = stored(rt)
    assert (first["copies"], first["source_ip"], first["path"]) == (4, "1.2.3.4", "collection")
    assert first["last_copy_at"] > first["received_at"]
    assert (second["copies"], second["path"]) == (1, "payout")


def test_what_carries_a_token_of_ours_is_kept_every_time(rt: Runtime, token: str) -> None:
    inbox.append(rt.database, [("payout", token, None, b"{}")] * 2 + [("payout", "guessed", None, b"{}")], NOW)
    assert [(row["stranger_sha256"] is None, row["copies"]) for row in stored(rt)] == [(True, 1), (True, 1), (False, 1)]


def test_the_journal_names_each_callback_by_the_number_that_it_has(rt: Runtime, token: str) -> None:
    bodies = [b"%d" % number for number in range(40)]
    for batch in (bodies[:1], bodies[1:3], [], bodies[3:]):
        arrivals = [("payout", token, "1.2.3.4", body) for body in batch]
        inbox.append(rt.database, [*arrivals, ("payout", None, None, b"a stranger's")], NOW)
    noted = {
        number: columns["body"]
        for entry in derived.entries(rt.reader)
        for table, number, columns in changes_in(entry)
        if table == "inbox"
    }
    assert noted == {row["id"]: hashlib.sha256(row["body"]).hexdigest() for row in stored(rt)}
    assert [bytes(row["body"]) for row in stored(rt) if row["stranger_sha256"] is None] == bodies


def test_beyond_the_budget_strangers_are_counted_and_ours_are_still_kept(
    rt: Runtime, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "STRANGERS_BUDGET_BYTES", 3 * (inbox.ROW_BYTES + 10))
    flood = [("collection", None, None, b"%010d" % number) for number in range(10)]
    inbox.append(rt.database, flood[:5], NOW)
    inbox.append(rt.database, [*flood[5:], flood[0]], LATER)
    assert [row["copies"] for row in stored(rt)] == [2, 1, 1]
    assert setting(rt, "callbacks_refused") == "7"
    assert setting(rt, "callbacks_refused_at") == str(int(LATER.timestamp() * 1000))
    inbox.append(rt.database, [("payout", token, None, b"x" * 5000)], LATER)
    assert stored(rt)[-1]["body_bytes"] == 5000


def test_the_token_of_an_attempt_is_ours(rt: Runtime) -> None:
    digest = attempts.token_sha256("t")
    with rt.database.transaction() as session:
        assert inbox._ours(session, {digest}) == set()
        enquiries.ask(session, EnquiryKind.STATUS, "t", NOW)
        assert inbox._ours(session, {digest}) == {digest}


def test_a_credential_in_a_body_is_not_stored(rt: Runtime) -> None:
    inbox.append(rt.database, [("timeout", None, None, b'{"SecurityCredential": "hidden"}')], NOW)
    with rt.database.transaction() as session:
        item = session.get_one(InboxItem, 1)
        assert b"hidden" not in item.body
        assert item.body_bytes == len(item.body)


def own(token: str, *bodies: bytes) -> list[inbox.Arrival]:
    return [("payout", token, "1.2.3.4", body) for body in bodies]


def test_what_is_stored_together_is_stored_as_it_is_alone(rt: Runtime, token: str) -> None:
    bodies = [b"%d" % number for number in range(40)]
    for body in bodies:
        inbox.append(rt.database, own(token, body), NOW)
    inbox.append(rt.database, [*own(token, *bodies), ("payout", None, None, b"a stranger's")], NOW)
    columns = ("path", "token_sha256", "source_ip", "body", "body_bytes", "copies", "received_at", "state")
    rows = [tuple(row[column] for column in columns) for row in stored(rt) if row["stranger_sha256"] is None]
    assert [bytes(row[3]) for row in rows] == bodies * 2
    assert rows[:40] == rows[40:]
    told = [json.loads(entry.detail) for entry in derived.entries(rt.reader) if entry.event == "callbacks received"]
    assert [len(detail["changes"]) for detail in told] == [1] * 40 + [41]
    assert [set(detail) for detail in told] == [{"changes"}] * 41
    assert verify(rt).rows["inbox"] == len(stored(rt))


def test_to_store_nothing_changes_nothing(rt: Runtime) -> None:
    inbox.append(rt.database, [], NOW)
    assert list(derived.entries(rt.reader)) == []


def test_who_stores_waits_for_another_process(rt: Runtime, token: str) -> None:
    if not rt.database.is_sqlite:
        return  # where writers do not wait for each other until they add to the journal
    path = sqlite_path(rt.database.url)
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = threading.Timer(0.3, other.execute, ["ROLLBACK"])
        done.start()
        inbox.append(rt.database, own(token, b"{}"), NOW)
        done.join()
    assert len(stored(rt)) == 1


def test_what_fails_in_the_middle_is_undone_and_keeps_nobody_from_writing(
    rt: Runtime, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(chain, "seal", fail)
        with pytest.raises(ZeroDivisionError):
            inbox.append(rt.database, own(token, b"undone"), NOW)
    inbox.append(rt.database, own(token, b"stored"), NOW)
    assert [bytes(row["body"]) for row in stored(rt)] == [b"stored"]
    verify(rt)
