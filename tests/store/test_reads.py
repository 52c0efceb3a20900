"""Lists of payments, on both databases: what is open is found, and without going through the whole history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rentpay_cli.core.evidence import NotMoved
from rentpay_cli.flows import register
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import readonly, reads
from tests.cli.conftest import Books
from tests.support.beginnings import Begin

FOUND = [
    ({"status": "pending"}, [5]),
    ({"status": "success"}, [4, 3, 2, 1]),
    ({"disbursement_status": "pending"}, [2]),
    ({"disbursement_status": "processing"}, [3]),
    ({"disbursement_status": "failed"}, [4]),
    ({"disbursement_status": "completed"}, [1]),
    ({"status": "pending", "disbursement_status": "failed"}, []),
    ({"disbursement_status": "failed", "before_id": 4}, []),
]


def one_in_each_state(rt: Runtime) -> None:
    """Completed, due, sent, failed, asked."""
    owner = str(register.add_owner(rt, name="Wanjiru Kamau"))
    place = {"owner_reference": owner, "paybill": "600001", "account_number": "A1", "rent": "10000"}
    register.add_property(rt, name="Sunset Apartments", **place)
    opened = Books(rt)
    opened.completed()
    opened.paid()
    opened.sent()
    opened.learn(opened.sent(), NotMoved("1", "The balance is insufficient"), "payout")
    opened.asked()


@pytest.fixture
def books(rt: Runtime, begin: Begin) -> Books:
    """A payment in each state."""
    begin(one_in_each_state)
    return Books(rt, first_number=100)


@pytest.mark.parametrize(("filters", "numbers"), FOUND)
def test_payments_are_found_by_their_states(books: Books, filters: dict[str, Any], numbers: list[int]) -> None:
    assert [row["id"] for row in reads.payments(books.rt.reader, **filters)] == numbers


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # PostgreSQL chooses by how many rows there are
@pytest.mark.parametrize(
    ("filters", "index"),
    [({"status": "pending"}, "ix_payment_pending")]
    + [({"disbursement_status": status}, "ix_payable_open") for status in ("pending", "processing", "failed")],
)
def test_what_is_open_is_found_by_an_index_of_its_own(
    books: Books, monkeypatch: pytest.MonkeyPatch, filters: dict[str, Any], index: str
) -> None:
    run = readonly.Reader.rows
    plans: list[str] = []

    def planned(reader: readonly.Reader, sql: str, **values: Any) -> Iterator[readonly.Row]:
        plans.extend(str(row) for row in run(reader, f"EXPLAIN QUERY PLAN {sql}", **values))
        return run(reader, sql, **values)

    monkeypatch.setattr(readonly.Reader, "rows", planned)
    assert len(list(reads.payments(books.rt.reader, **filters))) == 1
    assert any(index in plan for plan in plans)
