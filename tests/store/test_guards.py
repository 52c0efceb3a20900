"""What the database refuses to the store's own functions, and what they make of it, on both databases."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from rentpay_cli.core.attempt import State
from rentpay_cli.core.payout import StopKind
from rentpay_cli.flows.send import Claimed, claim
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, stops
from rentpay_cli.store.rows import StaleWrite
from rentpay_cli.store.write import disbursements, payables
from tests.store.books import NOW, a_disbursement, a_payment, a_property, a_share, money

pytestmark = pytest.mark.forges  # single steps, without those that belong to them


def refuses(rt: Runtime, statement: str, **values: Any) -> None:
    with pytest.raises(DBAPIError), rt.database.transaction() as session:
        session.execute(text(statement), values)


def test_a_share_has_one_live_transfer_and_another_once_that_has_failed(rt: Runtime) -> None:
    with rt.database.transaction() as session:
        share = a_share(session)
        number = a_disbursement(session, share)
        first = attempts.open_payout(session, number, 950_000, "first", NOW)
    with pytest.raises(DBAPIError), rt.database.transaction() as session:
        a_disbursement(session, share)
    with rt.database.transaction() as session:
        attempts.move(session, attempts.get(session, first), State.NOT_MOVED, NOW)
        failed = disbursements.get(session, number)
        disbursements.fail(session, failed, NOW, "tester", failure_code="1", failure_reason="no money")
        again = a_disbursement(session, share)
        assert disbursements.every_member_of(session, again) == disbursements.every_member_of(session, number)
        assert disbursements.number_of_try(session, number) == 1


def test_a_stale_write_changes_nothing(rt: Runtime) -> None:
    with rt.database.transaction() as session:
        attempt_id = attempts.open_payout(session, a_disbursement(session), 950_000, "token", NOW)
    with rt.database.transaction() as session:
        seen = attempts.get(session, attempt_id)
        session.execute(text("UPDATE attempt SET state = 'moved'"))
        with pytest.raises(StaleWrite):
            attempts.move(session, seen, State.NOT_MOVED, NOW)


def test_of_eight_racing_intentions_one_is_written(rt: Runtime) -> None:
    with rt.database.transaction() as session:
        share = a_share(session)
    start = threading.Barrier(8)
    outcomes: list[str] = []

    def race() -> None:
        start.wait()
        claimed = claim(rt, lambda session: payables.lock_to_be_sent(session, share), mended=())
        outcomes.append("written" if isinstance(claimed, Claimed) else "refused")

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 7 + ["written"]


def test_of_two_payments_that_race_for_the_same_money_one_is_written(rt: Runtime) -> None:
    """The second looks while the first is not committed yet, and is refused after it is."""
    with rt.database.transaction() as session:
        place = a_property(session)
        came = money(session)
    parts = {"amount_cents": 600_000, "fee_cents": 0, "share_cents": 600_000}
    refused: list[IntegrityError] = []

    def second() -> None:
        try:
            with rt.database.transaction() as session:
                a_payment(session, place, status="success", money_in_id=came, **parts)
        except IntegrityError as error:
            refused.append(error)

    racing = threading.Thread(target=second)
    with rt.database.transaction() as session:
        a_payment(session, place, status="success", money_in_id=came, **parts)
        racing.start()
        while not rt.database.is_sqlite and not session.execute(text(WAITING)).first():
            time.sleep(0.01)  # until the second waits for the first
    racing.join()
    assert len(refused) == 1


WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted"
"""Each test process has a server of its own, so that nobody else waits there."""

STOP = (
    "INSERT INTO payout_stop (in_force, owner_id, kind, reason, stopped_by, stopped_at)"
    " VALUES (1, :owner, :kind, 'why', 'tester', 1)"
)


def test_a_stop_is_of_a_known_kind_and_one_of_each_is_in_force(rt: Runtime) -> None:
    with rt.database.transaction() as session:
        owner = a_payment(session).owner_id
        for of in (None, owner):
            for kind in StopKind:
                session.execute(text(STOP), {"owner": of, "kind": kind.value})
    for of in (None, owner):
        refuses(rt, STOP, owner=of, kind="restored")
        refuses(rt, STOP, owner=of, kind=StopKind.RATE.value)
    with rt.database.transaction() as session:
        stops.lift(session, "tester", NOW)
        session.execute(text(STOP), {"owner": None, "kind": StopKind.RATE.value})
    refuses(rt, STOP, owner=owner, kind=StopKind.RATE.value)
