"""What to do about a share that may not be sent: of each reason the next command, for every screen.

The reasons and their words stand in `core/payout`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rentpay_cli.cli import documents
from rentpay_cli.core.payout import Refusal, StopKind
from rentpay_cli.core.statuses import State

if TYPE_CHECKING:
    from rentpay_cli.runtime import Runtime

_RULE = "rentpay resolve {id} --paid RECEIPT, or --not-paid --reason TEXT"
_FROM_STATEMENT = "Take the receipt from the paybill's statement: rentpay resolve {id} --paid RECEIPT"
_IN_A_MINUTE = "Try again in a minute: rentpay disburse {id}"

NEXT: dict[Refusal, str] = {
    Refusal.STOPPED: "Once the cause is mended: rentpay payouts resume",
    Refusal.NOT_PAID: "Wait for the tenant: rentpay status {id} --watch. Or ask M-Pesa: rentpay chase",
    Refusal.PAYMENT_FAILED: "Ask again: rentpay initiate --property {property} {whom}",
    Refusal.REVERSED: "See what became of it: rentpay journal list --payment {id}",
    Refusal.COMPLETED: "See when and how: rentpay status {id}",
    Refusal.NOT_REQUIRED: "See why: rentpay status {id}",
    Refusal.UNCLEAR: f"Ask M-Pesa: rentpay chase. Or rule with the statement in hand: {_RULE}",
    Refusal.UNDER_WAY: "Wait for M-Pesa: rentpay status {id} --watch",
    Refusal.PROPOSED: "See the transfer that it is in: rentpay status {id}",
    Refusal.CONTRARY: f"Look for it on the paybill's statement, then: {_RULE}",
    Refusal.REFUND: "See how far that is: rentpay journal list --payment {id}",
    Refusal.NO_RECEIPT: _FROM_STATEMENT,
    Refusal.NOT_PROVED: "See who booked it, and ask for the proof: rentpay journal list --payment {id}",
    Refusal.HELD: "Once you have looked at it: rentpay payouts release {id} --reason TEXT",
    Refusal.DESTINATION_WAITING: "Look at the change, then: rentpay property confirm {property}",
    Refusal.DESTINATION_UNKNOWN: "Look whose paybill it is: rentpay property show {property}",
    Refusal.OWN_PAYBILL: "Give the owner's paybill: rentpay property edit {property} --paybill P --account A",
    Refusal.NEVER: "Look for it on the paybill's statement; if it is not there: "
    "rentpay resolve {id} --not-paid --reason TEXT",
    Refusal.MEND_FIRST: "Mend the cause first, then: rentpay disburse {id}",
    Refusal.ASK: "Look for it on the paybill's statement; if it is not there: "
    "rentpay resolve {id} --not-paid --reason TEXT",
    Refusal.NOT_YET: "See from when on: rentpay status {id}",
    Refusal.TOO_LITTLE: "See what else the owner is owed: rentpay history {owner}",
    Refusal.TOO_MUCH: "Send it by hand in M-Pesa's portal, then: rentpay resolve {id} --paid RECEIPT",
    Refusal.FLOAT_RAN_OUT: "See what the float holds: rentpay balance --wait",
    Refusal.NOT_CONFIRMED: _IN_A_MINUTE,
    Refusal.BUSY: _IN_A_MINUTE,
}
"""The next command after each refusal."""

_RESTORED = (
    "It may have been paid after {until}. If the paybill's statement has it: rentpay resolve {id} --paid RECEIPT"
)
_CANNOT_BE_ASKED = f"M-Pesa cannot be asked about it. Look for it on the paybill's statement, then: {_RULE}"


_TOLD_BY_STATUS = frozenset(
    {Refusal.NOT_PAID, Refusal.PAYMENT_FAILED, Refusal.UNCLEAR, Refusal.UNDER_WAY, Refusal.HELD}
)


def is_told_by_status(reason: Refusal) -> bool:
    """Whether `status` says it anyway, with the status of the payment or of the share."""
    return reason in _TOLD_BY_STATUS


def next_command(rt: Runtime, reason: Refusal, row: documents.Row) -> str:
    """What to do about the share of the payment in this row, which may not be sent for this reason."""
    if reason is Refusal.STOPPED:
        return _after_stop(rt, row)
    if reason is Refusal.UNCLEAR and not _can_be_asked_about(rt, row):
        return _filled(_CANNOT_BE_ASKED, row)
    return _filled(NEXT[reason], row)


def after_stop(owner_id: int | None) -> str:
    """What to do once the cause is mended that stopped all payouts, or those to one owner."""
    return NEXT[Refusal.STOPPED] + (f" --owner {owner_id}" if owner_id is not None else "")


def when_unclear(rt: Runtime, row: documents.Row) -> str:
    """What to do about a payment, or its share, of which nobody knows whether it moved."""
    return next_command(rt, Refusal.UNCLEAR, row)


def _filled(text: str, row: documents.Row) -> str:
    whom = f"--tenant {row['tenant_id']}" if row["tenant_id"] else "--phone …"
    return text.format(id=row["id"], property=row["property_id"], owner=row["owner_id"], whom=whom)


def _after_stop(rt: Runtime, row: documents.Row) -> str:
    from rentpay_cli.store import health_reads

    stop = health_reads.stop_against(rt.reader, row["owner_id"])
    if stop is None:  # it was lifted meanwhile
        return after_stop(None)
    if stop["kind"] == StopKind.RESTORE:
        return _RESTORED.format(id=row["id"], until=documents.written_until(stop))
    return after_stop(stop["owner_id"])


def _can_be_asked_about(rt: Runtime, row: documents.Row) -> bool:
    """Whether M-Pesa gave an id by which it can be asked to any of the requests that are unclear."""
    from rentpay_cli.store import reads

    unclear = [each for each in reads.attempts(rt.reader, row["id"]) if each["state"] == State.UNCLEAR]
    return not unclear or any(map(documents.can_be_asked_about, unclear))
