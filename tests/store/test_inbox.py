"""The inbox: what is ours is always kept; what strangers send is kept once, and within a budget."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from rentpay_cli.core.journal import changes_in
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, derived, enquiries, inbox
from rentpay_cli.store.tables import InboxItem

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@pytest.fixture
def token(rt: Runtime) -> str:
    """The token of a question of ours."""
    with rt.database.transaction() as session:
        enquiries.ask(session, "balance", "ours", NOW)
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
        enquiries.ask(session, "status", "t", NOW)
        assert inbox._ours(session, {digest}) == {digest}


def test_a_credential_in_a_body_is_not_stored(rt: Runtime) -> None:
    inbox.append(rt.database, [("timeout", None, None, b'{"SecurityCredential": "hidden"}')], NOW)
    with rt.database.transaction() as session:
        item = session.get_one(InboxItem, 1)
        assert b"hidden" not in item.body
        assert item.body_bytes == len(item.body)
