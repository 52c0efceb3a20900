"""Rows that are moved by statements built once: what is in hand is what is stored, and what is asked uses an index."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import NoResultFound
from sqlmodel import Session, SQLModel

from rentpay_cli.core.attempt import State
from rentpay_cli.core.evidence import Source
from rentpay_cli.core.payout import PayableStatus
from rentpay_cli.flows import register
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts
from rentpay_cli.store.rows import StaleWrite
from rentpay_cli.store.write import payables
from tests.cli.conftest import Books
from tests.support.world import settings_for

pytestmark = pytest.mark.forges  # single steps, without those that belong to them

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture
def sent(rt: Runtime) -> int:
    """The number of the attempt to pay out the share of payment 1."""
    register.add_owner(rt, name="Wanjiru Kamau")
    register.add_property(rt, name="Sunset", owner_reference="1", paybill="600001", account_number="A1", rent="10000")
    Books(rt).sent()
    with rt.database.transaction() as session:
        return attempts.of_payable(session, 1)[0].id or 0


def as_stored(session: Session, row: SQLModel) -> dict[str, Any]:
    in_hand = row.model_dump()
    session.refresh(row)
    assert row.model_dump() == in_hand
    return in_hand


def test_a_row_that_was_moved_is_in_hand_as_it_is_stored(rt: Runtime, sent: int) -> None:
    with rt.database.transaction() as session:
        attempt = attempts.get(session, sent)
        attempts.move(session, attempt, State.MOVED, NOW, reason="so it is")
        stored = as_stored(session, attempt)
    assert (stored["state"], stored["reason"], stored["next_check_at"]) == ("moved", "so it is", None)


def test_a_change_that_waits_is_written_before_the_row_is_moved(rt: Runtime, sent: int) -> None:
    with rt.database.transaction() as session:
        attempt = attempts.get(session, sent)
        attempt.conversation_id = "of another attempt"
        session.add(attempt)
        attempt.conversation_id = "AG_2"
        with session.no_autoflush:  # SQLAlchemy 2.1 flushes before any statement, older ones do not
            attempts.move(session, attempt, State.MOVED, NOW)
        assert as_stored(session, attempt)["state"] == "moved"


def test_a_stale_row_stays_as_it_was_seen(rt: Runtime, sent: int) -> None:
    with rt.database.transaction() as session:
        attempt = attempts.get(session, sent)
        session.execute(text("UPDATE attempt SET state = 'unclear' WHERE id = :id"), {"id": sent})
        with pytest.raises(StaleWrite, match=f"attempt {sent} is no longer waiting"):
            attempts.move(session, attempt, State.MOVED, NOW)
        assert attempt.state == "waiting"


def test_a_row_that_is_read_again_is_as_it_is_now(rt: Runtime, sent: int) -> None:
    with rt.database.transaction() as session:
        attempt = attempts.get(session, sent)
        session.execute(text("UPDATE attempt SET state = 'unclear' WHERE id = :id"), {"id": sent})
        assert attempts.get(session, sent).state == attempt.state == "unclear"


def test_ids_of_another_attempt_are_named_and_our_own_are_not(rt: Runtime, sent: int) -> None:
    with rt.database.transaction() as session:
        known = attempts.get(session, sent)
        ids: dict[str, object] = {"conversation_id": known.conversation_id, "originator_conversation_id": "new"}
        assert attempts.ids_in_use(session, ids, sent) == []
        assert attempts.ids_in_use(session, ids, sent + 1) == ["conversation_id"]
        assert attempts.ids_in_use(session, {"receipt": "SKA1B2C3D4"}, sent + 1) == []


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda session: attempts.went_through_after(session, NOW, not_by=Source.RULING), "ix_attempt_payout_began"),
        (lambda session: payables.candidates(session, [1], NOW, NOW), "ix_attempt_payout_not_moved"),
        (payables.count_failed, "ix_payable_open"),
        (lambda session: payables.waiting(session, PayableStatus.FAILED, now=NOW), "ix_payable_open"),
        (lambda session: payables.lock_debts(session, 1), "ix_payable_owner"),
    ],
)
def test_what_is_asked_at_every_run_does_not_read_the_whole_history(
    new_sqlite: Callable[[], str], ask: Any, index: str
) -> None:
    rt = Runtime(settings_for(new_sqlite()))  # PostgreSQL reads a table this small as a whole, whatever indexes it has
    asked: list[Any] = []

    def note(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        asked.append((statement, values))

    with rt.database.transaction() as session:
        event.listen(rt.database.engine, "before_cursor_execute", note)
        with suppress(NoResultFound):
            ask(session)
        event.remove(rt.database.engine, "before_cursor_execute", note)
        [(statement, values)] = asked[-1:]
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    rt.close()
    assert any(index in step[3] for step in plan)
    assert not any(step[3].startswith("SCAN attempt") for step in plan)
