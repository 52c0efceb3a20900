"""What the database itself refuses, on both databases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from rentpay_cli.core.attempt import State, allowed_moves
from rentpay_cli.core.payout import PaymentStatus, StopKind, Way
from rentpay_cli.core.transfers import Transfer
from rentpay_cli.flows.send import Claimed, claim
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, inbox, journal, payments, stops
from rentpay_cli.store.rows import StaleWrite
from rentpay_cli.store.tables import Attempt, Owner, Payment, Property
from rentpay_cli.store.write import disbursements, money_in, payables

pytestmark = pytest.mark.forges  # single steps, without those that belong to them

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def a_payment(session: Session, **changes: Any) -> Payment:
    owner = Owner(name=f"Owner {changes.get('receipt', '')}{id(changes)}", created_at=NOW)
    session.add(owner)
    session.flush()
    place = Property(
        name=f"Property {owner.id}",
        owner_id=owner.id or 0,
        paybill="600001",
        account_number="PROP001",
        rent_cents=1_000_000,
        created_at=NOW,
    )
    session.add(place)
    session.flush()
    payment = Payment(
        **{
            "owner_id": owner.id,
            "property_id": place.id,
            "phone": "254700000000",
            "amount_cents": 1_000_000,
            "fee_cents": 50_000,
            "share_cents": 950_000,
            "status": PaymentStatus.PENDING.value,
            "owner_paybill": "600001",
            "owner_account_number": "PROP001",
            "created_at": NOW,
            **changes,
        }
    )
    session.add(payment)
    session.flush()
    return payment


def a_share(session: Session) -> int:
    """The number of the share of a payment that came in."""
    payment = a_payment(session)
    number = payment.id or 0
    money = money_in.book(
        session,
        way="stk",
        amount_cents=1_000_000,
        paid_at=NOW,
        at=NOW,
        learned_by="callback",
        receipt=f"SKA{number:07}",
    )
    payments.move(session, payment, PaymentStatus.SUCCESS, money_in_id=money)
    return payables.book_share(session, payment, NOW, by="tester", is_due=True)


def a_disbursement(session: Session, share: int | None = None) -> int:
    """The number of a transfer of a share that was claimed and is about to be sent."""
    members = payables.candidates(session, [share or a_share(session)], NOW)
    each = members[0]
    transfer = Transfer(Way.B2B, each.destination, (each.payable_id,), 0, each.amount_cents, 0)
    number = disbursements.propose(session, transfer, members, NOW)
    disbursements.send(session, number, members)
    return number


def refuses(rt: Runtime, statement: str, **values: Any) -> None:
    with pytest.raises(DBAPIError), rt.database.transaction() as session:
        session.execute(text(statement), values)


def test_a_second_attempt_to_pay_out_is_refused_whatever_became_of_the_first(rt: Runtime) -> None:
    with rt.database.transaction() as session:
        number = a_disbursement(session)
        first = attempts.open_payout(session, number, 950_000, "first", NOW)
    with pytest.raises(DBAPIError), rt.database.transaction() as session:
        attempts.open_payout(session, number, 950_000, "second", NOW)
    with rt.database.transaction() as session:
        attempts.move(session, attempts.get(session, first), State.NOT_MOVED, NOW)
    with pytest.raises(DBAPIError), rt.database.transaction() as session:
        attempts.open_payout(session, number, 950_000, "second", NOW)


def test_a_share_has_one_live_transfer_and_another_once_that_has_failed(rt: Runtime) -> None:
    with rt.database.transaction() as session:
        share = a_share(session)
        number = a_disbursement(session, share)
        first = attempts.open_payout(session, number, 950_000, "first", NOW)
    with pytest.raises(DBAPIError), rt.database.transaction() as session:
        a_disbursement(session, share)
    with rt.database.transaction() as session:
        attempts.move(session, attempts.get(session, first), State.NOT_MOVED, NOW)
        disbursements.fail(session, disbursements.get(session, number), failure_code="1", failure_reason="no money")
        again = a_disbursement(session, share)
        assert disbursements.every_member_of(session, again) == disbursements.every_member_of(session, number)
        assert disbursements.number_of_try(session, number) == 1


def test_a_second_live_attempt_to_collect_is_refused(rt: Runtime) -> None:
    with rt.database.transaction() as session:
        number = a_payment(session).id or 0
        attempts.open_collection(session, number, 1_000_000, "first", NOW)
    with pytest.raises(DBAPIError), rt.database.transaction() as session:
        attempts.open_collection(session, number, 1_000_000, "second", NOW)


@pytest.mark.parametrize("before", list(State))
@pytest.mark.parametrize("after", list(State))
def test_the_database_lets_an_attempt_move_only_as_its_life_allows(rt: Runtime, before: State, after: State) -> None:
    with rt.database.transaction() as session:
        attempt = Attempt(
            direction="collection",
            payment_id=a_payment(session).id,
            state=before.value,
            token_sha256="token",
            amount_cents=1_000_000,
            created_at=NOW,
            changed_at=NOW,
        )
        session.add(attempt)
    statement = "UPDATE attempt SET state = :after WHERE id = :id"
    if before is after or (before.value, after.value) in allowed_moves():
        with rt.database.transaction() as session:
            session.execute(text(statement), {"after": after.value, "id": attempt.id})
    else:
        refuses(rt, statement, after=after.value, id=attempt.id)


@pytest.mark.parametrize("statement", [
    "UPDATE payment SET status = 'failed' WHERE status = 'success'",
    "UPDATE payment SET status = 'pending' WHERE status = 'success'",
    "UPDATE payment SET amount_cents = 1, fee_cents = 0, share_cents = 1",
    "UPDATE payment SET owner_paybill = '999999'",
    "UPDATE payment SET owner_account_number = 'MINE'",
    "UPDATE payment SET money_in_id = NULL",
    "UPDATE disbursement SET paybill = '999999'",
    "UPDATE disbursement SET amount_cents = amount_cents + 100, shares_cents = shares_cents + 100",
    "UPDATE attempt SET amount_cents = 100",
    "UPDATE attempt SET token_sha256 = 'other'",
    "DELETE FROM attempt",
    "DELETE FROM payment",
    "DELETE FROM disbursement",
    "UPDATE journal SET actor = 'nobody'",
    "DELETE FROM journal",
    "UPDATE inbox SET body = 'x'",
    "UPDATE inbox SET token_sha256 = 'x'",
    "DELETE FROM inbox",
    "UPDATE finding SET text = 'x'",
    "DELETE FROM finding",
])  # fmt: skip
def test_what_happened_cannot_be_rewritten(rt: Runtime, statement: str) -> None:
    with rt.database.transaction() as session:
        attempts.open_payout(session, a_disbursement(session), 950_000, "token", NOW)
        journal.write(session, NOW, "tester", "something")
        journal.raise_finding(session, NOW, "kind", "text")
    inbox.append(rt.database, [("payout", "token", None, b"{}")], NOW)
    refuses(rt, statement)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_cents": 0, "fee_cents": 0, "share_cents": 0},
        {"fee_cents": 60_000},
        {"fee_cents": -50_000, "share_cents": 1_050_000},
        {"amount_cents": 1_000_050, "share_cents": 950_050},
        {"status": "paid"},
        {"method": "card"},
        {"status": "success"},
        {"status": "reversed"},
    ],
)
def test_a_payment_that_does_not_add_up_is_refused(rt: Runtime, changes: dict[str, Any]) -> None:
    with pytest.raises(DBAPIError), rt.database.transaction() as session:
        a_payment(session, **changes)


def test_a_receipt_belongs_to_one_payment_only(rt: Runtime) -> None:
    with rt.database.transaction() as session:
        a_share(session)
        a_share(session)
    refuses(rt, "UPDATE money_in SET receipt = 'SKA0000001' WHERE id = 2")


def test_a_receipt_is_written_once(rt: Runtime) -> None:
    with rt.database.transaction() as session:
        a_share(session)
    refuses(rt, "UPDATE money_in SET receipt = 'OTHER12345'")


def test_empty_receipts_do_not_collide(rt: Runtime) -> None:
    with rt.database.transaction() as session:
        for _ in range(2):
            money_in.book(session, way="stk", amount_cents=100, paid_at=NOW, at=NOW, learned_by="query")


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
