"""What is read about transfers of many members, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rentpay_cli.core.callbacks import Address, CallbackState, EnquiryKind
from rentpay_cli.core.clock import to_milliseconds
from rentpay_cli.core.evidence import Moved, NotMoved, Overdue
from rentpay_cli.core.findings import FindingKind
from rentpay_cli.flows.disburse import disburse
from rentpay_cli.flows.send import Claimed
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import enquiries, health_reads, inbox, journal, reads, report_reads
from tests.cli.conftest import Books, two_properties
from tests.support.together import learn_of, move, owe, send_together

BEGAN = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LOW = NotMoved("1", "The balance is insufficient")


@pytest.fixture
def books(rt: Runtime) -> Books:
    two_properties(rt)
    opened = Books(rt)
    opened.at(BEGAN)
    return opened


@pytest.fixture
def sent(books: Books) -> Claimed:
    """Three rents of one destination, on their way in one transfer."""
    (claimed,) = send_together(books.rt, [books.paid() for _ in range(3)])
    return claimed


def statuses(books: Books) -> dict[str, tuple[int, int, int]]:
    return {
        row["status"]: (int(row["disbursements"]), int(row["payments"]), int(row["amount_cents"]))
        for row in report_reads.disbursements_by_status(books.rt.reader, None, None)
    }


def reasons(books: Books) -> list[tuple[str, int, int]]:
    found = report_reads.failure_reasons(books.rt.reader, None, None)
    return [(row["code"], int(row["failures"]), int(row["still_failed"])) for row in found]


def retried(books: Books) -> tuple[int, int]:
    found = report_reads.retries(books.rt.reader, None, None)
    return int(found["retried"]), int(found["completed"])


def test_transfers_are_counted_at_each_step(books: Books, sent: Claimed) -> None:
    assert statuses(books) == {"processing": (1, 3, 2_850_000)}
    learn_of(books.rt, sent, LOW)
    assert statuses(books) == {"failed": (1, 3, 2_850_000)}
    assert (reasons(books), retried(books)) == ([("1", 1, 1)], (0, 0))
    (again,) = send_together(books.rt, [1, 2])
    assert statuses(books) == {"processing": (1, 2, 1_900_000), "failed": (1, 1, 950_000)}
    learn_of(books.rt, again, Moved("SKP0000001", None, moved_at=BEGAN + timedelta(minutes=2)))
    assert statuses(books) == {"completed": (1, 2, 1_900_000), "failed": (1, 1, 950_000)}
    assert (reasons(books), retried(books)) == ([("1", 1, 1)], (1, 1))
    (last,) = send_together(books.rt, [3])
    learn_of(books.rt, last, NotMoved("2", "Other"))
    assert statuses(books) == {"completed": (1, 2, 1_900_000), "failed": (1, 1, 950_000)}
    assert (reasons(books), retried(books)) == ([("1", 1, 0), ("2", 1, 1)], (2, 1))


def test_a_transfer_counts_in_the_period_in_which_it_was_made(books: Books) -> None:
    numbers = [books.paid() for _ in range(3)]
    books.at(BEGAN + timedelta(days=1))
    (claimed,) = send_together(books.rt, numbers[:2])
    day = to_milliseconds(BEGAN + timedelta(days=1))
    reader = books.rt.reader

    def counted(since: int | None, until: int | None) -> dict[str, int]:
        found = report_reads.disbursements_by_status(reader, since, until)
        return {row["status"]: int(row["disbursements"]) for row in found}

    assert (counted(None, day), counted(day, None)) == ({"pending": 1}, {"processing": 1})
    learn_of(books.rt, claimed, LOW)
    assert counted(day, None) == {"failed": 1}
    assert (report_reads.failure_reasons(reader, None, day), len(report_reads.failure_reasons(reader, day, None))) == (
        [],
        1,
    )


def test_what_settles_itself_is_no_transfer_of_money(books: Books) -> None:
    owe(books.rt, 1, 1_000_000)
    number = books.paid()
    disburse(books.rt, number)
    assert statuses(books) == {"settled": (1, 1, 0)}
    (transfer,) = reads.transfers_of(books.rt.reader, number)
    assert (transfer["way"], transfer["amount_cents"], transfer["carried_cents"], transfer["payments"]) == (
        *("none", 0, -50_000),
        (number,),
    )


@pytest.mark.parametrize("debt_first", [False, True])
def test_the_charge_counts_once_and_is_not_lost_beside_a_debt(books: Books, debt_first: bool) -> None:
    """A debt that is older than the shares is the first member, and no property's."""
    if debt_first:
        owe(books.rt, 1, 50_000)
    numbers = [books.paid(), books.paid(place="2")]
    move(books.rt, numbers[1], "600001", "PROP001")
    if not debt_first:
        owe(books.rt, 1, 50_000)
    (claimed,) = send_together(books.rt, numbers)
    learn_of(books.rt, claimed, Moved("SKP0000001", None, moved_at=BEGAN, charge_cents=3400))
    for by in ("day", "month", "owner", "property"):
        found = report_reads.revenue(books.rt.reader, by, None, None)
        assert sum(int(row["charge_cents"]) for row in found) == 3400, by
        assert sum(int(row["payments"]) for row in found) == 2, by


def test_every_transfer_of_a_share_is_read_with_its_members(books: Books, sent: Claimed) -> None:
    learn_of(books.rt, sent, LOW)
    move(books.rt, 3, "600002", "PROP009")
    two, one = send_together(books.rt, [1, 2, 3])
    reader = books.rt.reader

    def read(number: int) -> list[tuple[int, tuple[int, ...], str]]:
        return [(row["id"], row["payments"], row["status"]) for row in reads.transfers_of(reader, number)]

    failed = (sent.disbursement_id, (1, 2, 3), "failed")
    assert read(2) == [failed, (two.disbursement_id, (1, 2), "processing")]
    assert read(3) == [failed, (one.disbursement_id, (3,), "processing")]
    assert [row["payments"] for row in reads.payments(reader)] == [(3,), (1, 2), (1, 2)]
    assert [row["payments"] for row in reads.attempts(reader, 3)] == [(3,), (1, 2, 3), (3,)]
    assert [row["id"] for row in reads.newest_transfers(reader, [1, 2, 3])] == [
        two.disbursement_id,
        one.disbursement_id,
    ]
    assert reads.payments_of(reader, []) == {}
    assert reads.newest_transfers(reader, []) == []


def test_the_journal_is_found_by_a_later_member(books: Books, sent: Claimed) -> None:
    learn_of(books.rt, sent, LOW)
    for number in (1, 2, 3):
        found = list(reads.journal(books.rt.reader, payment_id=number))
        assert [row["attempt_id"] for row in found].count(sent.attempt_id) == 3, "intended, accepted, failed"
        assert {row["payment_id"] for row in found} == {1, number}
        assert sum(row["event"] == "rent asked" for row in found) == 1
    (asked,) = reads.journal(books.rt.reader, payment_id=2, event="rent asked")
    assert asked["payment_id"] == 2


def test_a_finding_about_a_transfer_is_open_at_each_member(books: Books, sent: Claimed) -> None:
    with books.rt.database.transaction() as session:
        journal.raise_finding(session, BEGAN, FindingKind.MISMATCH, "odd", payment_id=1, attempt_id=sent.attempt_id)
        journal.raise_finding(session, BEGAN, FindingKind.MISMATCH, "of the first alone", payment_id=1)
    texts = [[row["text"] for row in reads.open_findings(books.rt.reader, number)] for number in (1, 2, 3)]
    assert texts == [["odd", "of the first alone"], ["odd"], ["odd"]]


def test_an_unclear_transfer_is_one_request_about_all(books: Books, sent: Claimed) -> None:
    learn_of(books.rt, sent, Overdue("M-Pesa's queue timed out"))
    (row,) = health_reads.unclear(books.rt.reader)
    assert (row["payment_id"], row["payments"]) == (1, (1, 2, 3))


def test_a_callback_and_the_answer_to_a_question_are_about_all(books: Books, sent: Claimed) -> None:
    with books.rt.database.transaction() as session:
        enquiries.ask(session, EnquiryKind.STATUS, "asked", BEGAN, sent.attempt_id)
    inbox.append(
        books.rt.database, [(Address.PAYOUT, token, None, b"{}") for token in (sent.token, "asked", "none")], BEGAN
    )
    with books.rt.database.transaction() as session:
        inbox.mark(session, [inbox.Reading(number, CallbackState.READ, "moved", 1) for number in (1, 2, 3)], BEGAN)
    assert [row["payments"] for row in reads.callbacks(books.rt.reader)] == [(1,), (1, 2, 3), (1, 2, 3)]
