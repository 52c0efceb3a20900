"""The float as it was last read: when it is an alarm, and when the database itself knows better."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rentpay_cli.core.evidence import Moved, NotMoved
from rentpay_cli.core.float_reading import FloatReading, ReadingSource
from rentpay_cli.core.health import findings
from rentpay_cli.flows import collect, health, register
from rentpay_cli.flows.disburse import Plan, disburse, plan_retry
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import enquiries
from tests.cli.conftest import Books

NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LATER = NOON + timedelta(seconds=1)


@pytest.fixture
def books(rt: Runtime) -> Books:
    """One property, and a payout of KES 9,500 that failed for lack of float before noon."""
    owner = str(register.add_owner(rt, name="Wanjiru Kamau"))
    register.add_property(
        rt, name="Sunset Apartments", owner_reference=owner, paybill="600001", account_number="PROP001", rent="10000"
    )
    made = Books(rt)
    made.at(NOON - timedelta(minutes=5))
    made.learn(made.sent(), NotMoved("1", "The balance is insufficient."), "payout")
    made.at(NOON)
    return made


def read(rt: Runtime, shillings: int) -> None:
    with rt.database.transaction() as session:
        enquiries.note_balances(session, [("Working Account", 0, shillings * 100)], ReadingSource.QUERY, rt.now())


def known(rt: Runtime) -> FloatReading:
    seen = health.facts(rt, health.usual_thresholds(rt.settings)).float
    assert seen is not None
    return seen


def is_alarm(rt: Runtime) -> bool:
    """Whether the plan of `retry-failed` and `health` warn of the float, which they do together."""
    usual = health.usual_thresholds(rt.settings)
    warned = "low_float" in [found.kind for found in findings(health.facts(rt, usual), usual)]
    assert warned is not plan_retry(rt).is_covered
    return warned


def test_nobody_is_warned_of_a_float_that_nobody_read(rt: Runtime, books: Books) -> None:
    plan = plan_retry(rt)
    assert (plan.total_cents, plan.float) == (950_000, None)
    assert (plan.is_covered, plan.is_float_known) == (True, False)


def test_a_float_that_does_not_cover_what_is_due_is_an_alarm(rt: Runtime, books: Books) -> None:
    read(rt, 9_499)
    assert is_alarm(rt)
    assert known(rt) == FloatReading(949_900, NOON)
    read(rt, 9_500)
    assert not is_alarm(rt)
    assert plan_retry(rt).is_float_known


def test_rent_that_came_in_since_makes_a_reading_no_alarm_until_the_next_one(rt: Runtime, books: Books) -> None:
    read(rt, 500)
    books.at(LATER)
    asked = books.asked()
    assert is_alarm(rt), "that rent was asked for is no money"
    books.learn(asked, Moved("SKN0000042", None))
    assert not is_alarm(rt)
    assert known(rt) == FloatReading(50_000, NOON, is_outdated=True)
    assert (plan_retry(rt).is_covered, plan_retry(rt).is_float_known) == (True, False)
    read(rt, 600)
    assert is_alarm(rt)


def test_rent_that_was_there_when_the_float_was_read_excuses_nothing(rt: Runtime, books: Books) -> None:
    books.paid()
    read(rt, 500)
    assert is_alarm(rt)


def test_rent_that_was_paid_outside_mpesa_brings_no_float(rt: Runtime, books: Books) -> None:
    read(rt, 500)
    books.at(LATER)
    collect.record_payment(rt, property_reference="1", amount_cents=1_000_000, method="cash")
    assert is_alarm(rt)


def sent_to_another(books: Books, shillings: int) -> int:
    """A payout that began now, of rent that had come in before noon."""
    now = books.rt.now()
    books.at(NOON - timedelta(minutes=1))
    number = books.paid(amount_cents=shillings * 100)
    books.at(now)
    disburse(books.rt, number)
    return number


def test_a_payout_that_the_reading_could_not_have_covered_says_that_it_was_topped_up(rt: Runtime, books: Books) -> None:
    read(rt, 900)
    books.at(LATER)
    number = sent_to_another(books, 1_000)  # of which the owner gets KES 950
    assert is_alarm(rt), "it may yet fail"
    books.learn(number, Moved("SKP0000042", None), "payout")
    assert not is_alarm(rt)
    assert known(rt).is_outdated


def test_payouts_that_the_reading_could_not_have_covered_together_say_so_too(rt: Runtime, books: Books) -> None:
    read(rt, 1_000)
    books.at(LATER)
    for receipt in ("SKP0000042", "SKP0000043"):
        assert is_alarm(rt)
        books.learn(sent_to_another(books, 1_000), Moved(receipt, None), "payout")
    assert not is_alarm(rt)


@pytest.mark.parametrize("began", [NOON - timedelta(seconds=30), NOON])
def test_a_payout_that_began_before_the_reading_may_be_in_it_and_says_nothing(
    rt: Runtime, books: Books, began: datetime
) -> None:
    books.at(began)
    number = sent_to_another(books, 1_000)
    books.at(NOON)
    read(rt, 900)
    books.at(LATER)
    books.learn(number, Moved("SKP0000042", None), "payout")
    assert is_alarm(rt)


def test_a_payout_that_failed_says_nothing_of_a_top_up(rt: Runtime, books: Books) -> None:
    read(rt, 900)
    books.at(LATER)
    books.learn(sent_to_another(books, 1_000), NotMoved("1", "The balance is insufficient."), "payout")
    assert is_alarm(rt)


def test_a_float_below_nothing_stays_an_alarm(rt: Runtime, books: Books) -> None:
    read(rt, -48)
    assert is_alarm(rt)


def test_a_plan_of_nothing_is_covered() -> None:
    assert Plan((), 0, 0, FloatReading(0, NOON)).is_covered
