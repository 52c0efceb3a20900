"""What may be done by plain SQL on healthy books: each move from state to state, and what only looks like an attack.

Also what triggers do then: the sums that they keep.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.store.attacks import ENDED, MOVED_AFTER_ALL, PAID_IN_ERROR, REVERSED, SHARE, insert, newest, sent, transfer

# --- states, and how one follows another -----------------------------------------------------------------------------

COMPLETED = f"status = 'completed', {ENDED}"


def _moved(attempt: str, state: str) -> str:
    return f"UPDATE attempt SET state = '{state}' WHERE id = {{{attempt}}}"


def _becomes(table: str, number: str, changes: str) -> str:
    return f"UPDATE {table} SET {changes} WHERE id = {{{number}}}"


_AGAIN = transfer("{failed_share}")
_BY_HAND = (
    *transfer("{failed_share}", way="'portal'"),
    f"UPDATE disbursement SET {COMPLETED} WHERE {newest('disbursement')}",
)
_FREED = (
    _moved("sent_payout", "not_moved"),
    _becomes("disbursement", "sent_disbursement", "status = 'failed'"),
    "UPDATE disbursement_member SET live = NULL WHERE disbursement_id = {sent_disbursement}",
)
_BACK = (
    _moved("failed_payout", "moved"),
    "UPDATE disbursement_member SET live = 1 WHERE disbursement_id = {failed_disbursement}",
)

STATES: Mapping[str, Mapping[str, str]] = {
    "attempt.state": {
        **{"sending": "sending_collection", "waiting": "waiting_collection", "unclear": "unclear_collection"},
        **{"moved": "free_collection", "not_moved": "failed_rent_collection"},
    },
    "payment.status": {
        **{"pending": "unasked_payment", "success": "free_payment", "failed": "failed_rent_payment"},
        "reversed": "reversed_payment",
    },
    "payable.status": {
        **{"pending": "free_share", "processing": "sent_share", "completed": "completed_share"},
        **{"failed": "failed_share", "not_required": "cash_by_owner_share"},
    },
    "disbursement.status": {
        **{"proposed": "proposed_disbursement", "processing": "sent_disbursement"},
        **{"completed": "completed_disbursement", "failed": "failed_disbursement"},
        **{"cancelled": "cancelled_disbursement", "settled": "settled_disbursement"},
    },
    "refund.status": {
        **{"proposed": "proposed_refund", "processing": "processing_refund", "completed": "completed_refund"},
        **{"failed": "failed_refund", "cancelled": "cancelled_refund"},
    },
    "payout_run.status": {
        **{"proposed": "proposed_run", "approved": "approved_run", "done": "done_run", "void": "void_run"},
    },
}
"""A row in each state."""

_MONEY = "status = 'success', money_in_id = {unallocated_money}"

MOVES: Mapping[str, Mapping[tuple[str, str], tuple[str, ...]]] = {
    "attempt.state": {
        (before, after): (
            insert("attempt", state=f"'{before}'"),
            f"UPDATE attempt SET state = '{after}' WHERE {newest('attempt')}",
        )
        for before, after in (
            *(("sending", after) for after in ("waiting", "unclear", "moved", "not_moved")),
            *(("waiting", after) for after in ("unclear", "moved", "not_moved")),
            *(("unclear", after) for after in ("waiting", "moved", "not_moved")),
            ("not_moved", "moved"),
        )
    },
    "payment.status": {
        ("pending", "success"): (_becomes("payment", "unasked_payment", _MONEY),),
        ("pending", "failed"): (_becomes("payment", "unasked_payment", "status = 'failed'"),),
        ("failed", "success"): (_becomes("payment", "failed_rent_payment", _MONEY),),
        ("success", "reversed"): (_becomes("payment", "free_payment", REVERSED),),
    },
    "payable.status": {
        ("pending", "processing"): (
            sent("{proposed_disbursement}"),
            _becomes("payable", "proposed_share", "status = 'processing'"),
        ),
        ("pending", "completed"): (
            _becomes("disbursement", "proposed_portal", COMPLETED),
            _becomes("payable", "by_hand_share", "status = 'completed'"),
        ),
        ("pending", "not_required"): (_becomes("payable", "free_share", "status = 'not_required'"),),
        ("failed", "processing"): (*_AGAIN, sent(), _becomes("payable", "failed_share", "status = 'processing'")),
        ("failed", "completed"): (*_BY_HAND, _becomes("payable", "failed_share", "status = 'completed'")),
        ("failed", "not_required"): (_becomes("payable", "failed_share", "status = 'not_required'"),),
        ("processing", "completed"): (
            _moved("sent_payout", "moved"),
            _becomes("disbursement", "sent_disbursement", COMPLETED),
            _becomes("payable", "sent_share", "status = 'completed'"),
        ),
        ("processing", "failed"): (*_FREED, _becomes("payable", "sent_share", "status = 'failed'")),
    },
    "disbursement.status": {
        ("proposed", "processing"): (sent("{disbursement_of_approved_run}"),),
        ("proposed", "completed"): (_becomes("disbursement", "proposed_portal", COMPLETED),),
        ("proposed", "settled"): (_becomes("disbursement", "proposed_settlement", f"status = 'settled', {ENDED}"),),
        ("proposed", "cancelled"): (_becomes("disbursement", "proposed_disbursement", "status = 'cancelled'"),),
        ("processing", "completed"): (
            _moved("doubtful_payout", "moved"),
            _becomes("disbursement", "doubtful_disbursement", COMPLETED),
        ),
        ("processing", "failed"): (
            _moved("doubtful_payout", "not_moved"),
            _becomes("disbursement", "doubtful_disbursement", "status = 'failed'"),
        ),
        ("failed", "completed"): (*_BACK, _becomes("disbursement", "failed_disbursement", COMPLETED)),
    },
    "refund.status": {
        ("proposed", "processing"): (_becomes("refund", "proposed_refund", "status = 'processing'"),),
        ("proposed", "completed"): (_becomes("refund", "portal_refund", "status = 'completed', completed_at = 1"),),
        ("proposed", "cancelled"): (_becomes("refund", "proposed_refund", "status = 'cancelled'"),),
        ("processing", "completed"): (
            _moved("processing_refund_attempt", "moved"),
            _becomes("refund", "processing_refund", "status = 'completed', completed_at = 1"),
        ),
        ("processing", "failed"): (
            _moved("processing_refund_attempt", "not_moved"),
            _becomes("refund", "processing_refund", "status = 'failed'"),
        ),
        ("failed", "completed"): (
            _moved("failed_refund_attempt", "moved"),
            _becomes("refund", "failed_refund", "status = 'completed', completed_at = 1"),
        ),
    },
    "payout_run.status": {
        ("proposed", "approved"): (_becomes("payout_run", "proposed_run", "status = 'approved'"),),
        ("proposed", "void"): (_becomes("payout_run", "proposed_run", "status = 'void'"),),
        ("approved", "done"): (_becomes("payout_run", "approved_run", "status = 'done'"),),
        ("approved", "void"): (_becomes("payout_run", "approved_run", "status = 'void'"),),
    },
}
"""Each move that is allowed, made in the way in which it comes about."""

# --- what is allowed, although it looks much like an attack ----------------------------------------------------------

_TAKEN_BACK = (
    f"UPDATE payment SET {REVERSED} WHERE id = {{failed_payment}}",
    insert(
        "payable",
        **{"kind": "'reversal'", "payment_id": "{failed_payment}", "amount_cents": "-950000"},
        **{"paybill": "NULL", "account_number": "NULL"},
    ),
)
_FORGETTING = insert("setting", name="'forgetting'", value="'700000000'")

ALLOWED: Mapping[str, tuple[str, ...]] = {
    "money without a receipt, twice": (insert("money_in", way="'stk'"), insert("money_in", way="'stk'")),
    "a receipt that is learned later": (
        "UPDATE money_in SET receipt = 'SKX0000001'"
        " WHERE id = (SELECT money_in_id FROM payment WHERE id = {query_only_payment})",
        "UPDATE disbursement SET receipt = 'SKX0000002', mpesa_charge_cents = 2500 WHERE id = {uncharged_disbursement}",
    ),
    "another division of rent that has not come": tuple(
        f"UPDATE payment SET fee_cents = 100000, share_cents = 900000 WHERE id = {{{number}}}"
        for number in ("unasked_payment", "failed_rent_payment")
    ),
    "two payments of one receipt": tuple(
        insert(
            "payment",
            **{"status": "'success'", "money_in_id": "{unallocated_money}"},
            **{"amount_cents": "500000", "fee_cents": "0", "share_cents": "500000"},
        )
        for _ in range(2)
    ),
    "another destination of what was not sent": tuple(
        f"UPDATE payable SET paybill = '600002', account_number = 'MOVED' WHERE id = {{{number}}}"
        for number in ("free_share", "failed_share")
    ),
    "a share that waits again in another transfer": transfer("{cancelled_share}"),
    "a share that failed in another transfer": (*transfer("{failed_share}"), sent()),
    "a second transfer of an approved run": (*transfer(run_id="{approved_run}", number="2"), sent()),
    "a transfer of a share and a debt": (
        *transfer(entries_cents="-1000", amount_cents="949000"),
        insert("disbursement_member", disbursement_id="(SELECT max(id) FROM disbursement)", payable_id="{repair}"),
        sent(),
    ),
    "a share that was taken back, settled with what takes it back": (
        *_TAKEN_BACK,
        *transfer(
            "{failed_share}",
            **{"way": "'none'", "paybill": "NULL", "account_number": "NULL"},
            **{"entries_cents": "-950000", "amount_cents": "0"},
        ),
        insert(
            "disbursement_member",
            disbursement_id="(SELECT max(id) FROM disbursement)",
            payable_id="(SELECT max(id) FROM payable)",
        ),
        f"UPDATE disbursement SET status = 'settled', {ENDED} WHERE {newest('disbursement')}",
    ),
    "a share that was taken back, sent since what takes it back is not free": (
        *_TAKEN_BACK,
        *transfer("{failed_share}"),
        sent(),
    ),
    "a transfer that moved after all, of a share that another one settled": (
        *_BY_HAND,
        "UPDATE payable SET status = 'completed' WHERE id = {failed_share}",
        *MOVED_AFTER_ALL,
        insert(
            "payable",
            **{**PAID_IN_ERROR, "kind": "'to_recover'", "amount_cents": "-950000"},
            disbursement_id="{failed_disbursement}",
        ),
    ),
    "what was owed for rent that an undo gave back": (
        "UPDATE payable SET status = 'not_required' WHERE id = {owners_fee}",
    ),
    "a refund after one that failed, and after one that was cancelled": tuple(
        insert("refund", money_in_id=f"{{{number}}}") for number in ("failed_refund_money", "cancelled_refund_money")
    ),
    "a refund of what its owner has": (
        insert("refund", money_in_id="{completed_money}"),
        f"UPDATE refund SET status = 'processing' WHERE {newest('refund')}",
    ),
    "a refund by hand, with its receipt": (
        "UPDATE refund SET status = 'completed', completed_at = 1, receipt = 'SKX0000001' WHERE id = {portal_refund}",
    ),
    "a run at the instant of one that is void": (
        insert("payout_run", origin="'calendar'", due_at="(SELECT due_at FROM payout_run WHERE id = {void_run})"),
    ),
    "a person's run at the instant of the calendar's": (
        insert("payout_run", due_at="(SELECT due_at FROM payout_run WHERE id = {approved_run})"),
    ),
    "a hold after one that was ended": (insert("hold", owner_id="NULL", payable_id="{free_share}", kind="'limit'"),),
    "a stop after one that was lifted": (
        "UPDATE payout_stop SET in_force = NULL, lifted_at = 1, lifted_by = 't' WHERE id = {stop_of_all}",
        insert("payout_stop", owner_id="NULL", kind="'person'"),
    ),
    "what is set once, for the first time": (
        "UPDATE attempt SET conversation_id = 'new', originator_conversation_id = 'new', checkout_request_id = 'new',"
        " sent_at = 1, known_at = 1, first_not_found_at = 1 WHERE id = {being_sent_payout}",
        "UPDATE payable SET receipt = 'SKX0000001' WHERE id = {opening}",
        "UPDATE hold SET ended_by = 't', ended_at = 1, ended_reason = 'why' WHERE id = {person_hold_of_owner}",
        "UPDATE hold SET ended_by = 't', ended_at = 1, ended_reason = 'why' WHERE id = {person_hold_of_property}",
        insert("hold", owner_id="{owner}", kind="'person'"),
        insert("hold", owner_id="NULL", property_id="{place}", kind="'person'"),
        "UPDATE paybill_change SET state = 'confirmed', decided_at = 1, decided_by = 't' WHERE id = {held_change}",
        "UPDATE money_in SET proved_at = 1, proved_by = 't' WHERE id = {unallocated_money}",
        "UPDATE money_in SET returned_at = 1 WHERE id = {unallocated_money}",
    ),
    "money that was taken back, for another payment": (
        insert("payment", status="'success'", money_in_id="{reversed_money}"),
    ),
    "the rent of a refund that was cancelled, and of one that failed": (
        *transfer("{cancelled_refund_share}"),
        sent(),
        *transfer("{failed_refund_share}"),
        sent(),
    ),
    "several entries of a kind from one payment or transfer": (
        *(insert("payable", kind="'repair'", payment_id="{reversed_payment}") for _ in range(2)),
        *(insert("payable", kind="'returned'", disbursement_id="{completed_disbursement}") for _ in range(2)),
    ),
    "cents by the bank, and rent that the owner received": (
        insert("payment", method="'bank'", amount_cents="1000050", share_cents="950050"),
        insert("money_in", way="'cash'", received_by="'owner'"),
    ),
    "a name that somebody had whose access was revoked": (insert("access", name="'former'"),),
    "a telephone number that is forgotten": (
        _FORGETTING,
        "UPDATE inbox SET body = CAST('254000000000 was paid' AS {blob}) WHERE id = {new_callback}",
        "UPDATE attempt SET checkout_request_id = replace(checkout_request_id, '700000000',"
        " substr('000000000' || id, length('000000000' || id) - 8)) WHERE id = {waiting_collection}",
    ),
}

# --- what triggers do ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Deed:
    """Statements that add to what a query says, because a trigger does something."""

    trigger: str
    statements: tuple[str, ...]
    query: str
    adds: int


ALLOCATED = "SELECT allocated_cents FROM money_in WHERE id = {unallocated_money}"
EARNED = "SELECT coalesce(sum(fee_cents), 0) FROM revenue_day"

_PAID = {"status": "'success'", "money_in_id": "{unallocated_money}"}
_NOTHING = (insert("payment", **_PAID, fee_cents="1000000", share_cents="0"),)
_OWNERS_NOTHING = (
    insert("money_in", way="'cash'", received_by="'owner'"),
    insert(
        "payment",
        **{**_PAID, "money_in_id": "(SELECT max(id) FROM money_in)"},
        **{"method": "'cash'", "fee_cents": "1000000", "share_cents": "0"},
    ),
)


def _share_of_it(**changes: str) -> str:
    """The statement that adds the share of the newest payment, of which nothing is to be sent."""
    share = {**SHARE, "payment_id": "(SELECT max(id) FROM payment)", "amount_cents": "0", "status": "'not_required'"}
    return insert("payable", **{**share, **changes})


DEEDS = (
    Deed(
        "deed money_allocated",
        ("UPDATE payment SET status = 'success', money_in_id = {unallocated_money} WHERE id = {unasked_payment}",),
        *(ALLOCATED, 1_000_000),
    ),
    Deed(
        "deed money_allocated",
        (f"UPDATE payment SET {REVERSED} WHERE id = {{free_payment}}",),
        *("SELECT allocated_cents FROM money_in WHERE id = {free_money}", -1_000_000),
    ),
    Deed(
        "deed money_allocated_at_once",
        (insert("payment", status="'success'", money_in_id="{unallocated_money}"),),
        *(ALLOCATED, 1_000_000),
    ),
    Deed(
        "deed disbursement_earned",
        (f"UPDATE disbursement SET status = 'completed', {ENDED} WHERE id = {{proposed_portal}}",),
        *(EARNED, 50_000),
    ),
    Deed(
        "deed disbursement_earned",
        (
            f"UPDATE disbursement SET status = 'completed', {ENDED} WHERE id = {{proposed_portal}}",
            "UPDATE payable SET status = 'completed' WHERE id = {by_hand_share}",
        ),
        *("SELECT sum(disbursements) + sum(charges_not_told) * 1000 + sum(fee_cents) FROM revenue_day", 51_001),
    ),
    Deed(
        "deed disbursement_earned",
        (
            "UPDATE disbursement SET mpesa_charge_cents = 7 WHERE id = {proposed_portal}",
            f"UPDATE disbursement SET status = 'completed', {ENDED} WHERE id = {{proposed_portal}}",
        ),
        *("SELECT sum(charges_not_told) * 1000 + sum(charge_cents) FROM revenue_day", 7),
    ),
    Deed(
        "deed disbursement_earned",
        (f"UPDATE disbursement SET status = 'settled', {ENDED} WHERE id = {{proposed_settlement}}",),
        *("SELECT sum(disbursements) + sum(charges_not_told) * 1000 + sum(payments) FROM revenue_day", 0),
    ),
    Deed(
        "deed disbursement_earned",
        (
            "UPDATE disbursement SET receiver_name = 'Somebody'",
            "UPDATE payment SET note = 'looked at'",
            "UPDATE payable SET reference = 'looked at'",
        ),
        *(EARNED, 0),
    ),
    *(
        Deed("deed share_of_nothing_earned", (*of_it, _share_of_it(**changes)), EARNED, 0)
        for of_it, changes in (
            (_NOTHING, {"status": "'pending'"}),
            ((insert("payment", **_PAID),), {"amount_cents": "950000"}),
            (_OWNERS_NOTHING, {}),
        )
    ),
    Deed(
        "deed share_of_nothing_taken_back",
        (*_OWNERS_NOTHING, f"UPDATE payment SET {REVERSED} WHERE {newest('payment')}"),
        *(EARNED, 0),
    ),
    Deed(
        "deed share_of_nothing_taken_back",
        (f"UPDATE payment SET {REVERSED} WHERE id = {{free_payment}}",),
        *(EARNED, 0),
    ),
    Deed("deed share_of_nothing_earned", (*_NOTHING, _share_of_it()), EARNED, 1_000_000),
    Deed(
        "deed share_of_nothing_taken_back",
        (f"UPDATE payment SET {REVERSED} WHERE id = {{nothing_payment}}", "UPDATE payment SET note = 'looked at'"),
        *(EARNED, -1_000_000),
    ),
    Deed(
        "deed taken_back",
        (
            insert(
                "payable",
                **{"kind": "'reversal'", "payment_id": "{completed_payment}", "amount_cents": "-950000"},
                **{"paybill": "NULL", "account_number": "NULL"},
            ),
        ),
        *(EARNED, -50_000),
    ),
    Deed(
        "deed owner_collected",
        (
            *transfer(
                "{owners_fee}",
                **{"way": "'none'", "payment_count": "0", "collected_cents": "0", "fee_cents": "0"},
                **{"shares_cents": "0", "entries_cents": "-50000", "carried_cents": "-50000", "amount_cents": "0"},
            ),
            "UPDATE disbursement SET status = 'settled', completed_at = 1, completed_day = 20301231"
            f" WHERE {newest('disbursement')}",
            "UPDATE payable SET status = 'completed' WHERE id = {owners_fee}",
            "UPDATE payable SET reference = 'looked at'",
        ),
        *("SELECT coalesce(sum(fee_cents), 0) FROM revenue_day WHERE day = 20301231", 50_000),
    ),
)
