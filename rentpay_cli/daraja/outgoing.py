"""The request bodies of Daraja, with its own spellings (`RecieverIdentifierType`, `QueueTimeOutURL`); no I/O here."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rentpay_cli.core.clock import mpesa_timestamp
from rentpay_cli.core.money import CENTS, is_whole_shillings

STK_PUSH = "/mpesa/stkpush/v1/processrequest"
STK_QUERY = "/mpesa/stkpushquery/v1/query"
B2B = "/mpesa/b2b/v1/paymentrequest"
TRANSACTION_STATUS = "/mpesa/transactionstatus/v1/query"
ACCOUNT_BALANCE = "/mpesa/accountbalance/v1/query"
ORGANISATION = "/sfcverify/v1/query/info"

_PAYBILL = "4"  # identifier type of an organisation's short code


@dataclass(frozen=True, slots=True)
class Paybill:
    """The platform's paybill and what proves that a request is its own; secrets do not show."""

    short_code: str
    passkey: str = ""
    initiator_name: str = ""
    security_credential: str = ""

    def __repr__(self) -> str:
        return f"Paybill({self.short_code})"


def whole_shillings(amount_cents: int) -> int:
    """The amount as M-Pesa takes it; raises `ValueError` for cents, which it cannot move."""
    if amount_cents < CENTS or not is_whole_shillings(amount_cents):
        raise ValueError(f"M-Pesa moves whole shillings, not {amount_cents} cents")
    return amount_cents // CENTS


def stk_password(paybill: Paybill, timestamp: str) -> str:
    """base64(short code + passkey + timestamp), with the time stamp that the request carries."""
    return base64.b64encode(f"{paybill.short_code}{paybill.passkey}{timestamp}".encode()).decode()


def stk_push(
    paybill: Paybill,
    *,
    phone: str,
    amount_cents: int,
    reference: str,
    description: str,
    callback_url: str,
    now: datetime,
) -> dict[str, Any]:
    """Ask a tenant to pay: `reference` at most 12 characters, `description` 13 and not empty."""
    timestamp = mpesa_timestamp(now)
    return {
        "BusinessShortCode": paybill.short_code,
        "Password": stk_password(paybill, timestamp),
        "Timestamp": timestamp,
        "TransactionType": "CustomerPayBillOnline",
        "Amount": whole_shillings(amount_cents),
        "PartyA": phone,
        "PartyB": paybill.short_code,
        "PhoneNumber": phone,
        "CallBackURL": callback_url,
        "AccountReference": reference,
        "TransactionDesc": description,
    }


def stk_query(paybill: Paybill, checkout_request_id: str, now: datetime) -> dict[str, Any]:
    """Ask what became of a push."""
    timestamp = mpesa_timestamp(now)
    return {
        "BusinessShortCode": paybill.short_code,
        "Password": stk_password(paybill, timestamp),
        "Timestamp": timestamp,
        "CheckoutRequestID": checkout_request_id,
    }


def b2b_payment(
    paybill: Paybill,
    *,
    to_paybill: str,
    account_number: str,
    amount_cents: int,
    remarks: str,
    result_url: str,
    timeout_url: str,
) -> dict[str, Any]:
    """Pay an owner's paybill from the platform's working account."""
    return {
        "Initiator": paybill.initiator_name,
        "SecurityCredential": paybill.security_credential,
        "CommandID": "BusinessPayBill",
        "SenderIdentifierType": _PAYBILL,
        "RecieverIdentifierType": _PAYBILL,
        "Amount": whole_shillings(amount_cents),
        "PartyA": paybill.short_code,
        "PartyB": to_paybill,
        "AccountReference": account_number,
        "Remarks": remarks,
        "QueueTimeOutURL": timeout_url,
        "ResultURL": result_url,
    }


def transaction_status(
    paybill: Paybill,
    *,
    originator_conversation_id: str = "",
    transaction_id: str = "",
    remarks: str,
    result_url: str,
    timeout_url: str,
) -> dict[str, Any]:
    """Ask what became of a payment: by its originator conversation id, else by its receipt; never by both.

    The name is `OriginalConversationID` here, and an empty key for the other one spoils the request (Daraja, 6).
    """
    key = (
        {"OriginalConversationID": originator_conversation_id}
        if originator_conversation_id
        else {"TransactionID": transaction_id}
    )
    return {
        "Initiator": paybill.initiator_name,
        "SecurityCredential": paybill.security_credential,
        "CommandID": "TransactionStatusQuery",
        **key,
        "PartyA": paybill.short_code,
        "IdentifierType": _PAYBILL,
        "ResultURL": result_url,
        "QueueTimeOutURL": timeout_url,
        "Remarks": remarks,
        "Occasion": remarks,
    }


def account_balance(paybill: Paybill, *, remarks: str, result_url: str, timeout_url: str) -> dict[str, Any]:
    """Ask what the paybill's accounts hold."""
    return {
        "Initiator": paybill.initiator_name,
        "SecurityCredential": paybill.security_credential,
        "CommandID": "AccountBalance",
        "PartyA": paybill.short_code,
        "IdentifierType": _PAYBILL,
        "Remarks": remarks,
        "QueueTimeOutURL": timeout_url,
        "ResultURL": result_url,
    }


def organisation(short_code: str) -> dict[str, Any]:
    """Ask what the organisation behind a paybill is called."""
    return {"IdentifierType": _PAYBILL, "Identifier": short_code}
