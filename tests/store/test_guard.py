"""The guard's question, asked by whoever sends and by whoever looks: the same answer, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from rentpay_cli.core.access import Scope
from rentpay_cli.core.evidence import Moved, NotMoved, Overdue
from rentpay_cli.core.payout import HoldKind, Refusal, why_not
from rentpay_cli.flows import payouts, register
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import access_reads, guard, readonly
from rentpay_cli.store.write import holds, payables
from tests.cli.conftest import Books, two_properties
from tests.support.together import learn_of, owe, send_together

BEGAN = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
OWN = "174379"


@pytest.fixture
def books(rt: Runtime) -> Books:
    """Two shares of one owner, who owes something."""
    two_properties(rt)
    opened = Books(rt)
    opened.at(BEGAN)
    opened.paid()
    opened.paid(place="2")
    owe(rt, 1, 50_000)
    return opened


def held(books: Books, **of: int) -> None:
    with books.rt.database.transaction() as session:
        holds.place(session, HoldKind.PERSON, "why not", "amina", BEGAN, **of)  # type: ignore[arg-type]


def sent(books: Books, *news: Any) -> None:
    (first, *_) = send_together(books.rt, [1])
    for each in news:
        learn_of(books.rt, first, each)


HAPPENS: dict[str, tuple[Callable[[Books], Any], Refusal | None]] = {
    "nothing": (lambda books: None, None),
    "a stop": (lambda books: payouts.stop_payouts(books.rt, "the password"), Refusal.STOPPED),
    "a stop of the owner's": (lambda books: payouts.stop_payouts(books.rt, "a quarrel", "1"), Refusal.STOPPED),
    "a hold": (lambda books: held(books, payable_id=1), Refusal.HELD),
    "a hold of the property": (lambda books: held(books, property_id=1), Refusal.HELD),
    "a hold of the owner": (lambda books: held(books, owner_id=1), Refusal.HELD),
    "a change": (lambda books: register.edit_property(books.rt, "1", paybill="600009"), Refusal.DESTINATION_WAITING),
    "on its way": (sent, Refusal.UNDER_WAY),
    "unclear": (lambda books: sent(books, Overdue("M-Pesa's queue timed out")), Refusal.UNCLEAR),
    "paid": (lambda books: sent(books, Moved("SKP1", None)), Refusal.COMPLETED),
    "failed": (lambda books: sent(books, NotMoved("1", "Too little")), None),
    "to be mended": (lambda books: sent(books, NotMoved("2007", "Not active")), Refusal.MEND_FIRST),
    "contradicted": (lambda books: sent(books, NotMoved("1", "Too little"), Moved("SKP1", None)), Refusal.CONTRARY),
}


@pytest.mark.parametrize("what", HAPPENS)
def test_whoever_looks_gets_the_answer_of_whoever_sends(books: Books, what: str) -> None:
    happens, expected = HAPPENS[what]
    happens(books)
    now = books.rt.now()
    with books.rt.database.transaction() as session:
        debts = [debt.id or 0 for debt in payables.lock_debts(session, 1)]
        asked = payables.candidates(session, [1, *debts], now, own=OWN)
        reason = holds.reason(session, 1, now)
    looked = guard.share_with_debts(books.rt.reader, 1, 1, now, own=OWN)
    assert looked == asked
    assert why_not(looked[0].facts) is expected
    assert guard.hold_reason(books.rt.reader, 1, now) == reason
    owner = readonly.existing(books.rt.settings.database_url, "simulator")
    assert owner is not None
    access_reads.narrow(owner, Scope(owner_id=1))
    try:
        (own_share, *_) = guard.share_with_debts(owner, 1, 1, now, own=OWN)
        assert why_not(own_share.facts) is expected, "an owner is told the same"
    finally:
        owner.close()


def test_a_hold_ends_with_its_day(books: Books) -> None:
    with books.rt.database.transaction() as session:
        until = BEGAN + timedelta(hours=1)
        holds.place(session, HoldKind.PERSON, "until ten", "amina", BEGAN, owner_id=1, until=until)
    for minutes, reason in ((59, "until ten"), (61, None)):
        now = BEGAN + timedelta(minutes=minutes)
        assert guard.hold_reason(books.rt.reader, 1, now) == reason
        (share, *_) = guard.share_with_debts(books.rt.reader, 1, 1, now, own=OWN)
        assert (share.facts.hold is None) == (reason is None)


def test_our_own_short_code_is_seen(books: Books) -> None:
    with books.rt.database.transaction() as session:
        session.execute(text("UPDATE payable SET paybill = :own WHERE id = 1"), {"own": OWN})
    (share, *_) = guard.share_with_debts(books.rt.reader, 1, 1, BEGAN, own=OWN)
    assert why_not(share.facts) is Refusal.OWN_PAYBILL
