"""The sums of the reports, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rentpay_cli.core.clock import to_milliseconds
from rentpay_cli.core.evidence import Moved, NotMoved
from rentpay_cli.flows import register
from rentpay_cli.flows.disburse import disburse
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import health_reads, reads, report_reads
from tests.cli.conftest import Books

BEGAN = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)


@pytest.fixture
def books(rt: Runtime) -> Books:
    owner = str(register.add_owner(rt, name="Wanjiru Kamau"))
    place = {"owner_reference": owner, "paybill": "600001", "account_number": "A1", "rent": "10000"}
    register.add_property(rt, name="Sunset Apartments", **place)
    opened = Books(rt)
    opened.at(BEGAN)
    return opened


def paid_after(books: Books, *minutes: int) -> None:
    for each in minutes:
        books.completed(owner_paid_at=BEGAN + timedelta(minutes=each))


@pytest.mark.parametrize(
    ("minutes", "median", "mean"),
    [((), None, None), ((3,), 3, 3), ((1, 3), 2, 2), ((9, 1, 2), 2, 4), ((8, 1, 3, 4), 3.5, 4)],
)
def test_the_median_and_the_mean_are_those_of_the_times(
    books: Books, minutes: tuple[int, ...], median: float | None, mean: float | None
) -> None:
    paid_after(books, *minutes)
    times = report_reads.times_to_owner(books.rt.reader, None, None)
    assert times["payments"] == len(minutes)
    for found, expected in ((times["median"], median), (times["mean"], mean)):
        assert (found if found is None else float(found) / 60_000) == expected


def test_only_the_period_counts(books: Books) -> None:
    paid_after(books, 1)
    books.at(BEGAN + timedelta(days=1))
    books.learn(books.sent(), NotMoved("1", "Too little"), "payout")
    start, end = to_milliseconds(BEGAN), to_milliseconds(BEGAN + timedelta(days=1))
    reader = books.rt.reader

    def statuses(since: int | None, until: int | None) -> dict[str, int]:
        return {
            row["status"]: int(row["disbursements"])
            for row in report_reads.disbursements_by_status(reader, since, until)
        }

    assert statuses(start, end) == {"completed": 1}
    assert statuses(end, None) == {"failed": 1}
    assert statuses(None, None) == {"completed": 1, "failed": 1}
    assert report_reads.failure_reasons(reader, start, end) == []
    assert report_reads.times_to_owner(reader, end, None)["payments"] == 0


def test_reasons_are_counted_also_those_of_what_succeeded_later(books: Books) -> None:
    first, second = books.sent(), books.sent()
    for number in (first, second):
        books.learn(number, NotMoved("1", "Too little"), "payout")
    third = books.sent()
    books.learn(third, NotMoved("2001", "Wrong initiator"), "payout")
    from rentpay_cli.store import stops

    with books.rt.database.transaction() as session:
        stops.lift(session, "test", BEGAN)
    disburse(books.rt, first)
    books.learn(first, Moved("SKP0000001", None), "payout")
    rows = [
        (row["code"], int(row["failures"]), int(row["still_failed"]))
        for row in report_reads.failure_reasons(books.rt.reader, None, None)
    ]
    assert rows == [("1", 2, 1), ("2001", 1, 1)]
    retried = report_reads.retries(books.rt.reader, None, None)
    assert (int(retried["retried"]), int(retried["completed"])) == (1, 1)


def test_charges_that_were_not_told_are_counted_by_day(books: Books) -> None:
    paid_after(books, 1, 2)
    number = books.sent()
    books.learn(number, Moved("SKP0000099", None, moved_at=BEGAN, charge_cents=100), "payout")
    reader = books.rt.reader
    assert report_reads.charges_not_told(reader, None, None) == 2
    assert report_reads.charges_not_told(reader, 20261103, 20261103) == 2
    assert report_reads.charges_not_told(reader, 20261104, None) == 0


def test_what_is_on_its_way_is_what_is_not_settled(books: Books) -> None:
    paid_after(books, 1)
    travelling = books.sent()
    books.learn(books.sent(), NotMoved("1", "Too little"), "payout")
    rows = health_reads.on_their_way(books.rt.reader, 10)
    assert [(row["id"], row["disbursement_status"], row["payout_state"]) for row in rows] == [
        (travelling, "processing", "waiting")
    ]


def test_names_are_found_by_how_they_begin(books: Books) -> None:
    for name in ("Wambui", "100% Homes", "wairimu"):
        register.add_owner(books.rt, name=name)

    def found(text: str) -> list[str]:
        return [row["name"] for row in reads.names_beginning(books.rt.reader, "owner", text, 9)]

    assert found("wa") == ["wairimu", "Wambui", "Wanjiru Kamau"]
    assert found("1") == ["Wanjiru Kamau"]
    assert found("%") == []
    assert len(found("")) == 4
    assert len(reads.names_beginning(books.rt.reader, "owner", "", 2)) == 2
    assert reads.names_beginning(books.rt.reader, "property", "SUN", 9)[0]["name"] == "Sunset Apartments"
