"""The invariants: each finds a row that was broken for it, and nothing in a sound database with some of everything."""

from __future__ import annotations

from contextlib import closing

import pytest

from rentpay_cli.flows.verify import verify
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import readonly
from rentpay_cli.store.read.invariants import INVARIANTS, SHOWN, breaches
from tests.support.beginnings import Begin
from tests.support.everything import some_of_everything
from tests.support.forger import forge


@pytest.fixture
def sound(rt: Runtime, begin: Begin) -> Runtime:
    begin(some_of_everything)
    return rt


pytestmark = pytest.mark.forges


def broken(rt: Runtime) -> set[int]:
    """The numbers of those that are broken, also where opening it in the usual way tells that a guard is gone."""
    with closing(readonly.open_if_there(rt.settings.database_url)) as reader:
        return {each.invariant.number for each in breaches(reader)}


def test_nothing_is_broken_in_a_sound_database(sound: Runtime) -> None:
    assert [str(each) for each in breaches(sound.reader)] == []
    verify(sound)


STATUSES = {
    "payment": {"pending", "success", "failed", "reversed"},
    "payable": {"pending", "processing", "completed", "failed", "not_required"},
    "disbursement": {"proposed", "processing", "completed", "failed", "cancelled", "settled"},
    "refund": {"processing", "completed", "failed"},
}
KINDS = {
    *("share", "reversal", "reallocated", "returned", "paid_in_error", "to_recover", "carried"),
    *("fee_collected_by_owner", "repair"),
}


def test_a_sound_database_has_some_of_everything(sound: Runtime) -> None:
    for table, statuses in STATUSES.items():
        assert {row["status"] for row in sound.reader.rows(f"SELECT status FROM {table}")} == statuses
    assert {row["kind"] for row in sound.reader.rows("SELECT kind FROM payable")} == KINDS


def first(table: str, condition: str) -> str:
    """The number of the first row that the condition is true of."""
    return f"(SELECT min(t.id) FROM {table} t WHERE {condition})"


def in_status(table: str, status: str) -> str:
    return first(table, f"t.status = '{status}'")


def of_way(way: str) -> str:
    return first("disbursement", f"t.way = '{way}'")


def of_transfer(status: str) -> str:
    return f"t.disbursement_id IN (SELECT d.id FROM disbursement d WHERE d.way = 'b2b' AND d.status = '{status}')"


FREE = "t.status = 'pending' AND t.kind = 'share' AND t.id NOT IN (SELECT m.payable_id FROM disbursement_member m)"
MOVED = first("attempt", f"t.state = 'moved' AND {of_transfer('completed')}")
FAILED = first("attempt", f"t.state = 'not_moved' AND {of_transfer('failed')}")
COMPLETED = first("disbursement", "t.status = 'completed' AND t.way = 'b2b'")
REFUNDED = "t.id IN (SELECT r.money_in_id FROM refund r WHERE r.status = 'completed')"
UNDONE = "t.id IN (SELECT p.money_in_id FROM payment p WHERE p.reversed_because = 'undo')"


def hold(of: str, since: int = -120_000, until: str = "NULL", ended: str = "NULL") -> str:
    """Somebody held what the first transfer that arrived settles, or its property or owner, before it left."""
    by = f"CASE WHEN {ended} IS NULL THEN NULL ELSE 'amina' END"
    return f"""
        INSERT INTO hold ({of}, kind, reason, placed_by, placed_at, until, ended_at, ended_by, ended_reason)
        SELECT y.{of.replace("payable_id", "id")}, 'collection', 'why', 'amina', a.created_at + {since}, {until},
               {ended}, {by}, {by}
          FROM attempt a JOIN disbursement_member m ON m.disbursement_id = a.disbursement_id
          JOIN payable y ON y.id = m.payable_id WHERE a.id = {MOVED}
    """


def stop(attempt: str, owner: str = "NULL", since: int = -120_000, lifted: str = "NULL") -> str:
    """Payouts were stopped before a transfer left."""
    force = f"CASE WHEN {lifted} IS NULL THEN 1 END"
    return f"""
        INSERT INTO payout_stop (in_force, owner_id, kind, reason, stopped_by, stopped_at, lifted_at, lifted_by)
        SELECT {force}, {owner}, 'clock', 'why', 'amina', a.created_at + {since}, {lifted},
               CASE WHEN {lifted} IS NOT NULL THEN 'amina' END
          FROM attempt a JOIN disbursement d ON d.id = a.disbursement_id WHERE a.id = {attempt}
    """


def same_receipt(table: str, other: str) -> str:
    return (
        f"UPDATE {table} SET receipt = (SELECT max(o.receipt) FROM {other} o)"
        f" WHERE id = {first(table, 't.receipt IS NOT NULL')}"
    )


BROKEN = {
    1: [
        f"UPDATE disbursement SET payment_count = payment_count + 1 WHERE id = {COMPLETED}",
        f"UPDATE disbursement SET collected_cents = collected_cents + 100 WHERE id = {COMPLETED}",
        f"UPDATE disbursement SET fee_cents = fee_cents * 2 WHERE id = {COMPLETED}",
        "UPDATE disbursement SET shares_cents = shares_cents + 100, entries_cents = entries_cents - 100"
        " WHERE status = 'processing'",
        "UPDATE disbursement SET owner_id = owner_id + 1 WHERE status = 'settled'",
        f"DELETE FROM disbursement_member WHERE id = {first('disbursement_member', of_transfer('completed'))}",
    ],
    2: [
        f"UPDATE payable SET status = 'pending' WHERE id = {in_status('payable', 'completed')}",
        "UPDATE payable SET status = 'failed' WHERE status = 'processing'",
        f"UPDATE payable SET status = 'processing' WHERE id = {first('payable', FREE)}",
        f"UPDATE payable SET status = 'completed' WHERE id = {first('payable', FREE)}",
        f"UPDATE payable SET status = 'failed' WHERE id = {first('payable', FREE)}",
        "UPDATE payable SET status = 'not_required' WHERE kind = 'share' AND id IN"
        " (SELECT m.payable_id FROM disbursement_member m JOIN disbursement d ON d.id = m.disbursement_id"
        " WHERE m.live = 1 AND d.status = 'proposed')",
    ],
    3: [
        f"UPDATE disbursement_member SET live = 1 WHERE {of_transfer('failed').replace('t.', '')}"
        " AND payable_id IN (SELECT y.id FROM payable y WHERE y.status = 'failed')",
        f"UPDATE disbursement_member SET live = NULL WHERE {of_transfer('processing').replace('t.', '')}",
        f"UPDATE disbursement_member SET live = NULL WHERE {of_transfer('completed').replace('t.', '')}",
        "UPDATE disbursement_member SET live = NULL WHERE disbursement_id IN"
        " (SELECT d.id FROM disbursement d WHERE d.status = 'settled')",
        "UPDATE payable SET amount_cents = amount_cents + 100 WHERE kind = 'paid_in_error'",
    ],
    4: [
        "UPDATE attempt SET state = 'not_moved' WHERE direction = 'payout' AND state IN ('waiting','unclear')",
        f"UPDATE attempt SET state = 'unclear' WHERE id = {MOVED}",
        f"UPDATE attempt SET state = 'moved' WHERE id = {FAILED}",
        f"UPDATE attempt SET disbursement_id = {in_status('disbursement', 'proposed')}"
        f" WHERE id = {first('attempt', of_transfer('processing'))}",
        f"UPDATE attempt SET disbursement_id = {of_way('none')} WHERE id = {MOVED}",
        f"UPDATE attempt SET disbursement_id = {of_way('portal')} WHERE id = {MOVED}",
    ],
    5: [
        f"UPDATE money_in SET allocated_cents = 0 WHERE id = {first('money_in', 't.allocated_cents > 0')}",
        f"UPDATE money_in SET allocated_cents = 100 WHERE id = {first('money_in', 't.allocated_cents = 0')}",
        "UPDATE money_in SET allocated_cents = 0, returned_at = booked_at WHERE id ="
        f" {first('money_in', 't.allocated_cents > 0')}",
    ],
    6: [
        f"DELETE FROM payable WHERE id = {first('payable', FREE)}",
        f"UPDATE payable SET amount_cents = amount_cents + 100 WHERE id = {first('payable', FREE)}",
        f"UPDATE payable SET payment_id = {in_status('payment', 'failed')} WHERE id = {first('payable', FREE)}",
    ],
    7: [
        "DELETE FROM payable WHERE kind = 'reversal'",
        "DELETE FROM payable WHERE kind = 'reallocated'",
        "UPDATE payable SET amount_cents = amount_cents + 100 WHERE kind = 'reversal'",
        "UPDATE payable SET payment_id = (SELECT min(y.payment_id) FROM payable y JOIN payment p ON p.id = y.payment_id"
        " WHERE p.status = 'reversed' AND y.status = 'not_required') WHERE kind = 'reversal'",
        f"UPDATE payable SET payment_id = {in_status('payment', 'success')} WHERE kind = 'reversal'",
        "UPDATE payable SET status = 'pending' WHERE kind = 'share' AND status = 'not_required' AND amount_cents > 0"
        " AND payment_id IN (SELECT p.id FROM payment p WHERE p.status = 'reversed')",
    ],
    8: [
        "DELETE FROM payable WHERE kind = 'carried' AND status = 'pending'",
        "UPDATE payable SET amount_cents = amount_cents + 1 WHERE kind = 'carried' AND status = 'pending'",
        f"UPDATE payable SET disbursement_id = {in_status('disbursement', 'failed')}"
        " WHERE kind = 'carried' AND status = 'pending'",
        f"UPDATE payable SET disbursement_id = {COMPLETED} WHERE kind = 'carried' AND status = 'pending'",
        "UPDATE payable SET disbursement_id = NULL WHERE kind = 'carried' AND status = 'pending'",
        "UPDATE payable SET disbursement_id = NULL WHERE kind IN ('paid_in_error','to_recover')",
        "DELETE FROM payable WHERE kind = 'to_recover'",
        "UPDATE payable SET amount_cents = amount_cents + 100 WHERE kind = 'to_recover'",
        f"UPDATE disbursement SET amount_cents = amount_cents - 100, carried_cents = 100 WHERE id = {COMPLETED}",
    ],
    9: [
        f"UPDATE payable SET owner_id = owner_id + 1 WHERE id = {in_status('payable', 'completed')}",
        f"UPDATE payable SET status = 'completed' WHERE id = {first('payable', FREE)}",
        "UPDATE disbursement SET owner_id = owner_id + 1 WHERE way = 'portal'",
    ],
    10: [
        "UPDATE payment SET share_cents = share_cents - 100, fee_cents = fee_cents + 100"
        " WHERE id = (SELECT min(id) FROM payment WHERE status = 'success' AND method = 'mpesa')",
    ],
    11: [
        same_receipt("disbursement", "money_in"),
        same_receipt("refund", "money_in"),
        same_receipt("refund", "disbursement"),
        same_receipt("payable", "money_in"),
        same_receipt("payable", "disbursement"),
        same_receipt("payable", "refund"),
    ],
    12: [
        "UPDATE money_in SET receipt = NULL WHERE way = 'stk'",
        "UPDATE money_in SET proved_by = NULL, proved_at = NULL WHERE way = 'bank'",
        "UPDATE money_in SET proved_at = proved_at + 36000000 WHERE way = 'bank'",
        hold("payable_id"),
        hold("payable_id", until="a.created_at + 1", ended="a.created_at + 1"),
        hold("property_id"),
        "INSERT INTO hold (property_id, kind, reason, placed_by, placed_at) SELECT y.property_id, 'person', 'why',"
        " 'amina', a.created_at - 120000 FROM payable y JOIN disbursement_member m ON m.payable_id = y.id"
        " JOIN attempt a ON a.disbursement_id = m.disbursement_id WHERE y.kind = 'repair'",
        hold("owner_id"),
        stop(MOVED),
        stop(FAILED),
        stop(MOVED, lifted="a.created_at + 1"),
        stop(MOVED, "d.owner_id"),
        stop(FAILED, "d.owner_id"),
        "UPDATE payout_run SET status = 'proposed'",
    ],
    13: [
        "UPDATE hold SET ended_at = 1, ended_by = 'amina', ended_reason = 'why' WHERE kind = 'evidence'",
        "UPDATE hold SET kind = 'person' WHERE kind = 'evidence'",
        "INSERT INTO finding (kind, attempt_id, text, found_at) SELECT 'contradiction', a.id, 'why', 1"
        " FROM attempt a JOIN refund r ON r.id = a.refund_id WHERE r.status = 'failed'",
    ],
    14: [
        f"UPDATE money_in SET returned_at = NULL WHERE id = {first('money_in', REFUNDED)}",
        f"UPDATE money_in SET returned_at = NULL WHERE id = {first('money_in', UNDONE)}",
        "UPDATE money_in SET returned_at = 1 WHERE way = 'paybill' AND allocated_cents = 0",
        "UPDATE refund SET status = 'failed', receipt = NULL, completed_at = NULL WHERE status = 'completed'",
        "UPDATE payment SET reversed_because = 'reallocated' WHERE reversed_because = 'undo'",
        "UPDATE payment SET status = 'success', reversed_because = NULL, reversed_at = NULL, reversed_day = NULL"
        " WHERE reversed_because = 'undo'",
        "UPDATE payment SET reversed_because = 'refund' WHERE reversed_because = 'reallocated'",
    ],
    15: [
        "UPDATE revenue_day SET fee_cents = fee_cents + 100",
        "UPDATE revenue_day SET charges_not_told = charges_not_told - 1",
        "DELETE FROM revenue_day",
        "INSERT INTO revenue_day VALUES (20250101, 1, 1, 100, 100, 100, 0, 0)",
        "UPDATE disbursement SET mpesa_charge_cents = mpesa_charge_cents + 100",
    ],
    17: [
        f"DROP INDEX one_live_disbursement; INSERT INTO disbursement_member (disbursement_id, payable_id, live)"
        f" SELECT {in_status('disbursement', 'proposed')}, m.payable_id, 1 FROM disbursement_member m"
        f" WHERE m.disbursement_id = {COMPLETED}",
    ],
}
"""For each invariant, by its number, the rows that somebody breaks who takes every guard away."""


@pytest.mark.parametrize(
    ("number", "statements"),
    [
        pytest.param(number, statements, id=f"{number}-{which}")
        for number, all_of_it in BROKEN.items()
        for which, statements in enumerate(all_of_it, 1)
    ],
)
def test_a_row_that_was_broken_is_found(sound: Runtime, number: int, statements: str) -> None:
    forge(sound.settings.database_url, *statements.split("; "))
    assert number in broken(sound)


def test_every_invariant_has_rows_that_were_broken_for_it() -> None:
    assert list(BROKEN) == [each.number for each in INVARIANTS]


@pytest.mark.parametrize(
    "statement",
    [
        hold("payable_id", ended="a.created_at - 1"),
        hold("payable_id", until="a.created_at - 1"),
        hold("payable_id", since=1),
        hold("owner_id", ended="a.created_at - 1"),
        hold("property_id", ended="a.created_at - 1"),
        hold("payable_id", since=-60_000),  # who forbids may have read the clock a minute before the lock
        stop(MOVED, since=-60_000, lifted="a.created_at + 1"),
        stop(MOVED, lifted="a.created_at - 1"),
        stop(MOVED, "d.owner_id", lifted="a.created_at - 1"),
    ],
)
def test_what_left_before_or_after_a_hold_or_a_stop_is_no_breach(sound: Runtime, statement: str) -> None:
    forge(sound.settings.database_url, statement)
    assert broken(sound) == set()


def test_a_breach_names_a_few_rows_and_says_that_there_are_others(sound: Runtime) -> None:
    forge(sound.settings.database_url, "UPDATE disbursement SET fee_cents = fee_cents + 100 WHERE status = 'completed'")
    breach = next(each for each in breaches(sound.reader) if each.invariant.number == 1)
    assert len(breach.rows) == SHOWN
    assert str(breach).startswith("The sums of a transfer are not those of what it settles. See disbursement ")
    assert str(breach).endswith(" and others.")
