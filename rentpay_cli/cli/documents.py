"""Rows as scripts see them: camelCase keys, shillings, UTC; the shapes that others rely on (keys are only added)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rentpay_cli.core.clock import from_milliseconds, iso_utc, list_local, show_local
from rentpay_cli.core.money import shillings
from rentpay_cli.core.phone import mask_phone
from rentpay_cli.core.redact import masked
from rentpay_cli.core.statuses import PayableStatus, PaymentStatus, State

if TYPE_CHECKING:
    from rentpay_cli.flows.why import WhyNot

Row = dict[str, Any]


STATE_WORDS: dict[str, str] = {
    State.SENDING: "being sent",
    State.WAITING: "accepted, outcome open",
    State.UNCLEAR: "unclear",
    State.MOVED: "money moved",
    State.NOT_MOVED: "nothing moved",
}
"""The state of an attempt, as people read it."""


def moment(milliseconds: int | None) -> str | None:
    """A stored moment as scripts see it."""
    return None if milliseconds is None else iso_utc(from_milliseconds(milliseconds))


def local(milliseconds: int | None) -> str:
    """A stored moment as people see it, with the name of its zone."""
    return "" if milliseconds is None else show_local(from_milliseconds(milliseconds))


def written_until(stop: Row) -> str:
    """When anything was last written before payouts were stopped, in words."""
    return local(stop["written_until"]) or "the copy was made"


def listed(milliseconds: int | None) -> str:
    """A stored moment to the second, for a column whose heading ends in (EAT)."""
    return "" if milliseconds is None else list_local(from_milliseconds(milliseconds))


def listed_minute(milliseconds: int | None) -> str:
    """A stored moment to the minute, for a column whose heading ends in (EAT)."""
    return listed(milliseconds)[:-3]


def phone(number: str | None, *, reveal: bool) -> str | None:
    """A phone number, masked unless it was asked for."""
    return number if reveal or number is None else mask_phone(number)


def known_shillings(cents: int | None) -> int | float | None:
    """An amount as scripts see it; None if it is not known, or not for whoever asks."""
    return None if cents is None else shillings(cents)


def checkout_id(identifier: str | None, *, reveal: bool) -> str | None:
    """M-Pesa's checkout id, in which the tenant's phone number stands: masked unless it was asked for."""
    return identifier if reveal or identifier is None else masked(identifier)


def disbursement_status(row: Row) -> str:
    """The status of the owner's share; a payment that is not paid yet has one that is still to be sent."""
    return row["disbursement_status"] or PayableStatus.PENDING.value


def is_settled(row: Row) -> bool:
    """Whether nothing is to be sent of the share any more."""
    return row["disbursement_status"] in (PayableStatus.COMPLETED, PayableStatus.NOT_REQUIRED)


def is_unclear(row: Row) -> bool:
    """Whether the payout may have moved money and nobody knows."""
    return bool(row["payout_state"] == State.UNCLEAR)


def is_rent_unclear(row: Row) -> bool:
    """Whether the tenant may have paid and nobody knows."""
    return bool(row["collection_state"] == State.UNCLEAR)


def can_be_asked_about(attempt: Row) -> bool:
    """Whether M-Pesa gave the request an id by which it can be asked about."""
    return bool(attempt["checkout_request_id"] or attempt["originator_conversation_id"])


def lacks_receipt(row: Row) -> bool:
    """Whether the tenant paid and M-Pesa's receipt is still to come."""
    return bool(row["status"] == PaymentStatus.SUCCESS and row["method"] == "mpesa" and row["receipt"] is None)


def numbers(payments: Iterable[int]) -> list[str]:
    """The payments that a transfer settles, as scripts see them."""
    return [str(number) for number in payments]


def first_of(payments: Sequence[int]) -> str:
    """The first of the payments that something is about, for a column: how many more there are stands after it."""
    if not payments:
        return ""
    return f"{payments[0]} +{len(payments) - 1}" if len(payments) > 1 else str(payments[0])


def payment(row: Row, *, reveal: bool = False) -> Row:
    """A payment with everything that is stored about it."""
    return {
        "id": str(row["id"]),
        "status": row["status"],
        "amount": shillings(row["amount_cents"]),
        "currency": "KES",
        "platformFee": known_shillings(row["fee_cents"]),
        "receipt": row["receipt"],
        "receiptPending": lacks_receipt(row),
        "method": row["method"],
        "unclear": is_rent_unclear(row),
        "phone": phone(row["phone"], reveal=reveal),
        "propertyId": row["property_id"],
        "propertyName": row["property_name"],
        "ownerId": row["owner_id"],
        "ownerName": row["owner_name"],
        "tenantId": row["tenant_id"],
        "tenantName": row["tenant_name"],
        "checkoutRequestId": checkout_id(row["checkout_request_id"], reveal=reveal),
        "merchantRequestId": row["merchant_request_id"],
        "createdAt": moment(row["created_at"]),
        "paidAt": moment(row["paid_at"]),
        "failureCode": row["failure_code"],
        "failureReason": row["failure_reason"],
        "note": row["note"],
        "ownerPaybill": row["owner_paybill"],
        "ownerAccountNumber": row["owner_account_number"],
        "disbursementStatus": disbursement_status(row),
        "disbursementUnclear": is_unclear(row),
        "disbursementAmount": known_shillings(row["share_cents"]),
        "disbursementTransactionId": row["transaction_id"],
        "disbursementConversationId": row["conversation_id"],
        "disbursementDate": moment(row["completed_at"]),
        "disbursementFailureReason": row["disbursement_failure_reason"],
        "disbursementPayments": numbers(row["payments"]),
    }


def disbursement(row: Row, payouts: list[Row], transfers: list[Row], why: WhyNot | None) -> Row:
    """The owner's share of a payment, every transfer that settles it or was to, and every attempt to send one."""
    return {
        "paymentId": str(row["id"]),
        "payments": numbers(row["payments"]),
        "amount": shillings(row["amount_cents"]),
        "disbursementAmount": known_shillings(row["share_cents"]),
        "platformFee": known_shillings(row["fee_cents"]),
        "status": disbursement_status(row),
        "unclear": is_unclear(row),
        "transactionId": row["transaction_id"],
        "conversationId": row["conversation_id"],
        "date": moment(row["completed_at"]),
        "ownerPaybill": row["owner_paybill"],
        "ownerAccountNumber": row["owner_account_number"],
        "receiverName": row["receiver_name"],
        "mpesaCharge": known_shillings(row["mpesa_charge_cents"]),
        "failureCode": row["disbursement_failure_code"],
        "failureReason": row["disbursement_failure_reason"],
        "retryAdvice": row["advice"],
        "heldReason": row["held_reason"],
        "hold": hold(row),
        "whyNotSent": None if why is None else {"code": why.reason.value, "message": why.words},
        "destination": destination(row),
        "payableFrom": moment(row["payable_from"]),
        "transfers": [transfer(each) for each in transfers],
        "attempts": [attempt(each) for each in payouts],
    }


def transfer(row: Row) -> Row:
    """One transfer to an owner: the payments whose shares it settles, what it moved and what it left to the next."""
    return {
        "number": row["id"],
        "way": row["way"],
        "status": row["status"],
        "amount": known_shillings(row["amount_cents"]),
        "entries": known_shillings(row["entries_cents"]),
        "carried": known_shillings(row["carried_cents"]),
        "mpesaCharge": known_shillings(row["mpesa_charge_cents"]),
        "transactionId": row["receipt"],
        "conversationId": row["conversation_id"],
        "payments": numbers(row["payments"]),
        "paybill": row["paybill"],
        "accountNumber": row["account_number"],
        "failureCode": row["failure_code"],
        "failureReason": row["failure_reason"],
        "createdAt": moment(row["created_at"]),
        "date": moment(row["completed_at"]),
    }


def hold(row: Row) -> Row | None:
    """Why the share is not paid now, where somebody or something holds it."""
    if row["hold_kind"] is None:
        return None
    return {
        "kind": row["hold_kind"],
        "reason": row["held_reason"],
        "placedBy": row["held_by"],
        "since": moment(row["held_since"]),
        "until": moment(row["held_until"]),
    }


def destination(row: Row) -> Row | None:
    """Where the share goes now: `ownerPaybill` is where it was to go at first."""
    if row["paybill"] is None:
        return None
    return {"paybill": row["paybill"], "accountNumber": row["account_number"]}


def attempt(row: Row) -> Row:
    """One request to M-Pesa to move money."""
    return {
        "number": row["number"],
        "transfer": row["disbursement_id"],
        "direction": row["direction"],
        "state": row["state"],
        "amount": shillings(row["amount_cents"]),
        "receipt": row["receipt"],
        "code": row["code"],
        "reason": row["reason"],
        "learnedBy": row["learned_by"],
        "conversationId": row["conversation_id"],
        "originatorConversationId": row["originator_conversation_id"],
        "startedAt": moment(row["created_at"]),
        "changedAt": moment(row["changed_at"]),
        "nextCheckAt": moment(row["next_check_at"]),
    }


def history_item(row: Row) -> Row:
    """A share in an owner's history."""
    return {
        "paymentId": str(row["id"]),
        "payments": numbers(row["payments"]),
        "amount": shillings(row["amount_cents"]),
        "disbursementAmount": shillings(row["share_cents"]),
        "platformFee": shillings(row["fee_cents"]),
        "disbursementStatus": disbursement_status(row),
        "disbursementUnclear": is_unclear(row),
        "disbursementTransactionId": row["transaction_id"],
        "disbursementDate": moment(row["completed_at"]),
        "disbursementFailureReason": row["disbursement_failure_reason"],
        "receipt": row["receipt"],
        "propertyName": row["property_name"],
        "tenantName": row["tenant_name"],
    }


def revenue_item(row: Row, key: str) -> Row:
    """A line of the revenue report."""
    return {
        "key": key,
        "payments": int(row["payments"]),
        "collected": shillings(int(row["collected_cents"])),
        "platformFees": shillings(int(row["fee_cents"])),
        "disbursed": shillings(int(row["disbursed_cents"])),
        "mpesaCharges": shillings(int(row["charge_cents"])),
    }


def owner(row: Row, *, reveal: bool = False) -> Row:
    """An owner of the register."""
    return {
        "id": row["id"],
        "name": row["name"],
        "phone": phone(row["phone"], reveal=reveal),
        "email": row["email"],
        "properties": row["property_count"],
        "createdAt": moment(row["created_at"]),
    }


def rented_property(row: Row) -> Row:
    """A property of the register."""
    return {
        "id": row["id"],
        "name": row["name"],
        "ownerId": row["owner_id"],
        "ownerName": row["owner_name"],
        "paybill": row["paybill"],
        "accountNumber": row["account_number"],
        "rent": shillings(row["rent_cents"]),
        "feePercentage": None if row["fee_percentage"] is None else float(row["fee_percentage"]),
        "paybillName": row["paybill_name"],
        "heldChange": _held_change(row),
        "createdAt": moment(row["created_at"]),
    }


def _held_change(row: Row) -> Row | None:
    """The change of where a property's rent goes that waits to be confirmed."""
    if row["change_id"] is None:
        return None
    return {
        "paybill": row["change_paybill"],
        "accountNumber": row["change_account_number"],
        "organisationName": row["change_name"],
        "askedBy": row["change_asked_by"],
        "askedAt": moment(row["change_asked_at"]),
    }


def tenant(row: Row, *, reveal: bool = False) -> Row:
    """A tenant of the register."""
    return {
        "id": row["id"],
        "name": row["name"],
        "phone": phone(row["phone"], reveal=reveal),
        "propertyId": row["property_id"],
        "propertyName": row["property_name"],
        "createdAt": moment(row["created_at"]),
    }
