"""A payout over a limit, or that looks like a second one, waits for a person and is not failed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rentpay_cli.core.evidence import NotMoved, Overdue, Unanswered
from rentpay_cli.core.limits import Limits
from rentpay_cli.errors import RuleRefused, WrongUse
from rentpay_cli.flows import payouts, register
from rentpay_cli.flows.disburse import disburse, due
from rentpay_cli.flows.resolve import read_ruling, resolve
from rentpay_cli.flows.send import Unclear
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import reads
from tests.cli.conftest import Books
from tests.support.paying import because, pay_due, refusal
from tests.support.scripted import script

NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture
def books(rt: Runtime) -> Books:
    for number, name in enumerate(("Wanjiru Kamau", "Otieno Ouma"), 1):
        register.add_owner(rt, name=name)
        register.add_property(
            rt, name=f"House {number}", owner_reference=str(number), paybill="600001", account_number="A", rent="10000"
        )
    opened = Books(rt)
    opened.at(NOON)
    return opened


def limit(books: Books, **cents: int) -> None:
    books.rt.settings = replace(books.rt.settings, limits=Limits(**cents))


def row(books: Books, payment_id: int) -> dict[str, Any]:
    found = reads.payment(books.rt.reader, payment_id)
    assert found is not None
    return found


def held(books: Books, payment_id: int) -> str:
    """What is said of a payout that is refused because it is held; nothing was written but the reason."""
    outcome = disburse(books.rt, payment_id)
    assert refusal(outcome) == "held"
    assert row(books, payment_id)["disbursement_status"] == "pending"
    assert [each for each in reads.attempts(books.rt.reader, payment_id) if each["direction"] == "payout"] == []
    return because(outcome)


def test_a_transfer_over_the_limit_waits_until_a_person_releases_it(books: Books) -> None:
    limit(books, transfer_cents=900_000)
    payment_id = books.paid()
    assert "KES 9,500 is over the limit of one transfer, KES 9,000" in held(books, payment_id)
    assert row(books, payment_id)["held_reason"] == "KES 9,500 is over the limit of one transfer, KES 9,000"
    assert "it is held" in held(books, payment_id), "it stays so, whatever the limit is now"
    with pytest.raises(WrongUse):
        payouts.release(books.rt, payment_id, " ")
    assert payouts.release(books.rt, payment_id, "compared with the lease") == 950_000
    disburse(books.rt, payment_id)
    assert row(books, payment_id)["disbursement_status"] == "processing"
    with pytest.raises(RuleRefused, match="not held"):
        payouts.release(books.rt, payment_id, "again")


def test_a_run_leaves_held_shares_alone_and_says_so_once(books: Books) -> None:
    first, second = books.paid(), books.paid("2")
    limit(books, day_cents=1_000_000)
    run = pay_due(books.rt, at_once=1)
    assert run.accepted == [first]
    assert [(skipped.payment_id, skipped.code) for skipped in run.skipped] == [(second, "held")]
    assert due(books.rt, 10) == []


def test_the_limit_of_a_day_is_that_of_the_east_african_day(books: Books) -> None:
    limit(books, day_cents=1_000_000)
    books.sent()
    late = books.paid("2")
    books.at(datetime(2026, 11, 23, 20, 59, tzinfo=UTC))
    assert "would have left today" in held(books, late)
    books.at(datetime(2026, 11, 23, 21, 0, tzinfo=UTC))
    books.sent("2")


def test_the_limit_of_an_owner_leaves_other_owners_alone(books: Books) -> None:
    limit(books, owner_day_cents=1_000_000)
    books.sent()
    assert "this owner would have been sent KES 19,000 today" in held(books, books.paid())
    books.sent("2")


def test_payouts_at_once_do_not_pass_a_limit_together(books: Books) -> None:
    limit(books, day_cents=3 * 950_000)
    for _ in range(8):
        books.paid()
    run = pay_due(books.rt, at_once=8)
    assert len(run.accepted) == 3
    assert {failure.code for failure in run.skipped} == {"held"}


def test_what_failed_does_not_count_against_a_limit(books: Books) -> None:
    limit(books, day_cents=1_000_000)
    payment_id = books.sent()
    books.learn(payment_id, NotMoved("1", "too little"), "payout")
    books.sent("2")


def ruled_unpaid(books: Books) -> int:
    """A payout without an answer, which a person ruled not paid."""
    payment_id = books.paid()
    script(books.rt, lambda *_: Unanswered("nobody answered"))
    assert isinstance(disburse(books.rt, payment_id), Unclear)
    resolve(books.rt, read_ruling(payment_id, None, True, "not on the statement"))
    return payment_id


def test_what_rests_on_a_ruling_and_looks_like_a_second_payout_is_held(books: Books) -> None:
    books.completed(owner_paid_at=NOON)
    payment_id = ruled_unpaid(books)
    script(books.rt)
    outcome = disburse(books.rt, payment_id)
    assert refusal(outcome) == "held"
    assert row(books, payment_id)["disbursement_status"] == "failed"


@pytest.mark.parametrize("hours", [25, 24 * 30])
def test_a_ruled_payout_with_nothing_like_it_is_sent(books: Books, hours: int) -> None:
    books.completed(owner_paid_at=NOON - timedelta(hours=hours))
    payment_id = ruled_unpaid(books)
    script(books.rt)
    disburse(books.rt, payment_id)


def test_rents_of_the_same_amount_that_mpesa_confirmed_go_their_way(books: Books) -> None:
    for _ in range(3):
        books.completed(owner_paid_at=NOON)


def test_a_rent_that_came_in_by_a_ruling_and_looks_like_another_is_held(books: Books) -> None:
    books.completed(owner_paid_at=NOON)
    payment_id = books.asked()
    books.learn(payment_id, Overdue("nothing came"))
    resolve(books.rt, read_ruling(payment_id, "SG722NMVXQ", False, None))
    assert "rests on a person's ruling" in held(books, payment_id)


def test_hold_and_release_are_in_the_journal(books: Books) -> None:
    limit(books, transfer_cents=900_000)
    payment_id = books.paid()
    held(books, payment_id)
    payouts.release(books.rt, payment_id, "compared with the lease")
    events = [entry["event"] for entry in reads.journal(books.rt.reader, payment_id=payment_id, limit=2)]
    assert events == ["payout released", "payout held"]
