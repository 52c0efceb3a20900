"""The facts behind `rentpay health`, as both databases count them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rentpay_cli.core.evidence import NotMoved, Overdue, Unanswered
from rentpay_cli.core.findings import FindingKind
from rentpay_cli.core.float_reading import FloatReading, ReadingSource
from rentpay_cli.core.health import Facts, Thresholds, findings
from rentpay_cli.flows import health, register
from rentpay_cli.flows.disburse import disburse
from rentpay_cli.flows.payouts import stop_payouts
from rentpay_cli.flows.read_inbox import read_inbox
from rentpay_cli.flows.send import Unclear
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import enquiries, inbox, journal, signs
from tests.cli.conftest import Books
from tests.support.scripted import script

NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture
def books(rt: Runtime) -> Books:
    owner = str(register.add_owner(rt, name="Wanjiru Kamau"))
    register.add_property(
        rt, name="Sunset Apartments", owner_reference=owner, paybill="600001", account_number="PROP001", rent="10000"
    )
    made = Books(rt)
    made.at(NOON)
    return made


def after(rt: Runtime, minutes: float, **thresholds: Any) -> Facts:
    """The facts so many minutes after noon."""
    rt.now = lambda: NOON + timedelta(minutes=minutes)
    return health.facts(rt, Thresholds(**thresholds))


def test_an_empty_database_has_nothing_to_tell(rt: Runtime) -> None:
    facts = after(rt, 0)
    assert facts == Facts(at=facts.at)


def test_a_share_that_was_not_sent_is_late_after_its_time(rt: Runtime, books: Books) -> None:
    books.paid()
    assert (after(rt, 60).pending, after(rt, 60).pending_late) == (1, 0)
    facts = after(rt, 60.1)
    assert (facts.pending_late, facts.pending_late_cents, facts.due_cents) == (1, 950_000, 950_000)
    assert after(rt, 60.1, pending_minutes=61).pending_late == 0


def test_a_payout_without_an_outcome_is_late_after_five_minutes(rt: Runtime, books: Books) -> None:
    books.sent()
    assert (after(rt, 5).processing, after(rt, 5).processing_late) == (1, 0)
    assert (after(rt, 5.1).processing_late, after(rt, 5.1).due_cents) == (1, 0)


def test_rent_that_was_asked_for_is_late_after_its_time(rt: Runtime, books: Books) -> None:
    books.asked()
    assert (after(rt, 60).rents_late, after(rt, 60.1).rents_late) == (0, 1)


def test_what_failed_is_due_only_if_it_may_be_sent_again(rt: Runtime, books: Books) -> None:
    again, mend = books.sent(), books.sent()
    books.learn(again, NotMoved("1", "The float is too low."), "payout")
    books.learn(mend, NotMoved("2040", "Wrong paybill."), "payout")
    facts = after(rt, 1)
    assert (facts.failed, facts.failed_cents, facts.due_cents) == (2, 1_900_000, 950_000)


def test_unclear_is_counted_by_itself(rt: Runtime, books: Books) -> None:
    books.learn(books.sent(), Overdue("the queue timed out"), "payout")
    facts = after(rt, 30)
    assert (facts.unclear, facts.processing, facts.processing_late) == (1, 0, 0)


@pytest.mark.forges  # it has no refund beside it: health asks about the payment alone
def test_money_that_was_given_back_is_not_owed(rt: Runtime, books: Books) -> None:
    from sqlalchemy import text

    books.paid()
    with rt.database.transaction() as session:
        reversed_ = "reversed_because = 'refund', reversed_at = 1, reversed_day = 20261123"
        session.execute(text(f"UPDATE payment SET status = 'reversed', {reversed_}"))
    assert (after(rt, 90).pending, after(rt, 90).due_cents) == (0, 0)


def test_silence_is_only_that_nothing_came_since_what_waits_was_sent(rt: Runtime, books: Books) -> None:
    books.sent()
    assert (after(rt, 30).unheard_of, after(rt, 31).unheard_of) == (0, 1)
    inbox.append(rt.database, [("payout", "a token", None, b"{}")], NOON - timedelta(minutes=1))
    assert after(rt, 31).unheard_of == 1
    inbox.append(rt.database, [("payout", "another", None, b'{"Result": 1}')], NOON + timedelta(minutes=1))
    facts = after(rt, 31)
    assert (facts.unheard_of, facts.last_callback_at, facts.unread) == (0, NOON + timedelta(minutes=1), 2)


@pytest.mark.parametrize("token", [None, "f" * 32])
def test_a_forged_callback_is_no_sign_that_callbacks_arrive(rt: Runtime, books: Books, token: str | None) -> None:
    books.sent()
    inbox.append(rt.database, [("payout", token, None, b"{}")], NOON + timedelta(minutes=1))
    read_inbox(rt)
    facts = after(rt, 31)
    assert (facts.held, facts.unheard_of, facts.last_callback_at) == (1, 1, None)


def test_the_unclear_payment_is_named_and_one_that_cannot_be_asked_about_goes_first(rt: Runtime, books: Books) -> None:
    askable, lost = books.sent(), books.paid(phone="0722000222")
    books.learn(askable, Overdue("quiet"), "payout")
    assert (after(rt, 10).unclear_payment_id, after(rt, 10).unaskable_payment_id) == (askable, None)
    script(rt, lambda *_: Unanswered("read timeout"))
    assert isinstance(disburse(rt, lost), Unclear)
    facts = after(rt, 10)
    assert (facts.unclear, facts.unclear_payment_id, facts.unaskable_payment_id) == (2, askable, lost)
    (finding,) = [each for each in findings(facts, Thresholds()) if each.kind == "unclear"]
    assert finding.command == f"rentpay status {lost}"
    assert f"payment {lost}" in finding.text


def test_the_stop_the_float_the_worker_and_findings_are_told(rt: Runtime, books: Books) -> None:
    stop_payouts(rt, "the password is being changed")
    payment_id = books.paid()
    with rt.database.transaction() as session:
        enquiries.note_balances(
            session, [("Working Account", 900, 700), ("Utility Account", 5, 5)], ReadingSource.QUERY, NOON
        )
        for minute in (0, 1):
            signs.note_worker_alive(session, NOON + timedelta(minutes=minute))
        journal.raise_finding(session, NOON, FindingKind.MISMATCH, "something odd", payment_id=payment_id)
    facts = after(rt, 2)
    assert (facts.stop_reason, facts.stopped_at) == ("the password is being changed", NOON)
    assert facts.float == FloatReading(700, NOON)
    assert facts.worker_alive_at == NOON + timedelta(minutes=1)
    assert (facts.findings, facts.finding_payment_id) == (1, payment_id)


def test_the_metrics_of_this_moment_are_told(rt: Runtime, books: Books) -> None:
    books.paid()
    assert "rentpay_disbursements_pending 1\n" in health.metrics_now(rt)
