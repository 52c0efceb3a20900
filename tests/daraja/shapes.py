"""What M-Pesa sends, in the shapes that were recorded; every id, receipt, name and number here is made up."""

from __future__ import annotations

import json
from typing import Any

MERCHANT_ID = "7f3a-4b1e-9c2d-000000000001"
CHECKOUT_ID = "ws_CO_23112026101530440700000000"
OLD_CHECKOUT_ID = "ws_CO_DMZ_100200300_23112026101530440"
CONVERSATION_ID = "AG_20261123_201000000000000000a1"
ORIGINATOR_ID = "4c2e-4f80-8a00-000000000002"
OLD_ORIGINATOR_ID = "5000-100200300-1"
QUERY_CONVERSATION_ID = "AG_20261123_20100000000000000fff"
QUERY_ORIGINATOR_ID = "0d0d-4f80-8a00-00000000000f"
RECEIPT = "SKN4TEST7Q"
GENERIC_RECEIPT = "SKN0000000"
PHONE = 254700000000
PROCESSED = "The service request is processed successfully."
INTERNAL_URL = "https://internalapi.example/mpesa/b2bresults/v1/submit"
CREDENTIAL = "aB3/" * 85 + "aB3="


def body(document: object) -> bytes:
    """The document as M-Pesa posts it."""
    return json.dumps(document).encode()


# --- STK callbacks ---------------------------------------------------------------------------------------------------


def stk_items(amount: object = 10000, receipt: object = RECEIPT, *, balance: bool = True) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = [
        {"Name": "Amount", "Value": amount},
        {"Name": "MpesaReceiptNumber", "Value": receipt},
        {"Name": "Balance"},
        {"Name": "TransactionDate", "Value": 20261123101545},
        {"Name": "PhoneNumber", "Value": PHONE},
    ]
    return items if balance else [item for item in items if item["Name"] != "Balance"]


def stk_callback(code: object = 0, desc: str = PROCESSED, *, checkout_id: str = CHECKOUT_ID, **more: object) -> bytes:
    """An STK callback; `more` is what else stands in `stkCallback`."""
    callback = {
        "MerchantRequestID": MERCHANT_ID,
        "CheckoutRequestID": checkout_id,
        "ResultCode": code,
        "ResultDesc": desc,
        **more,
    }
    return body({"Body": {"stkCallback": callback}})


def stk_paid(items: object = None, **more: Any) -> bytes:
    """A callback that says paid."""
    return stk_callback(CallbackMetadata={"Item": stk_items() if items is None else items}, **more)


def stk_paid_verbatim(amount: str) -> bytes:
    """A callback that says paid, with the amount written exactly so (JSON knows 1, 1.0 and 1.00)."""
    return stk_paid(stk_items("AMOUNT")).replace(b'"AMOUNT"', amount.encode())


# --- results ---------------------------------------------------------------------------------------------------------


def java_map(cents: int, *, basic_first: bool = False) -> str:
    """A balance as Java prints it; the order inside varies."""
    basic = f"BasicAmount={cents // 100}.{cents % 100:02d}"
    if basic_first:
        return f"{{ Amount={{{basic}, MinimumAmount={cents}, CurrencyCode=KES}}}}"
    return f"{{Amount={{CurrencyCode=KES, MinimumAmount={cents}, {basic}}}}}"


def keyed(*pairs: tuple[str, object]) -> list[dict[str, Any]]:
    """Keyed items; a value of `...` is missing altogether."""
    return [{"Key": key} if value is ... else {"Key": key, "Value": value} for key, value in pairs]


def result(
    code: object = 0,
    desc: str = PROCESSED,
    *,
    transaction_id: object = RECEIPT,
    parameters: object = None,
    references: object = None,
    **more: object,
) -> bytes:
    """A result; without parameters it has no such block at all."""
    told: dict[str, Any] = {
        "ResultType": 0,
        "ResultCode": code,
        "ResultDesc": desc,
        "OriginatorConversationID": ORIGINATOR_ID,
        "ConversationID": CONVERSATION_ID,
        "TransactionID": transaction_id,
        **more,
    }
    if parameters is not None:
        told["ResultParameters"] = {"ResultParameter": parameters}
    if references is not None:
        told["ReferenceData"] = {"ReferenceItem": references}
    return body({"Result": told})


def b2b_references(bill: object = 4411) -> list[dict[str, Any]]:
    return keyed(("BillReferenceNumber", bill), ("QueueTimeoutURL", INTERNAL_URL), ("Occassion", ...))


def b2b_parameters(amount: object = 9500, charge: object = ..., *, basic_first: bool = False) -> list[dict[str, Any]]:
    return keyed(
        ("InitiatorAccountCurrentBalance", java_map(45_384_550, basic_first=basic_first)),
        ("DebitAccountCurrentBalance", java_map(45_384_550, basic_first=basic_first)),
        ("Amount", amount),
        ("DebitPartyAffectedAccountBalance", "Working Account|KES|453845.50|453845.50|0.00|0.00"),
        ("TransCompletedTime", 20261123101622),
        ("DebitPartyCharges", charge),
        ("ReceiverPartyPublicName", "600001 - SUNSET OWNER"),
        ("Currency", "KES"),
    )


def status_parameters(
    status: object = "Completed", receipt: object = RECEIPT, amount: object = 9500
) -> list[dict[str, Any]]:
    return keyed(
        ("DebitPartyName", "600000 - Platform"),
        ("CreditPartyName", "600001 - SUNSET OWNER"),
        ("OriginatorConversationID", ORIGINATOR_ID),
        ("InitiatedTime", 20261123101620),
        ("DebitAccountType", "MMF Account for Organization"),
        ("DebitPartyCharges", ...),
        ("TransactionReason", ...),
        ("ReasonType", "Business To Business Transfer via API"),
        ("TransactionStatus", status),
        ("FinalisedTime", 20261123101622),
        ("Amount", amount),
        ("ConversationID", CONVERSATION_ID),
        ("ReceiptNo", receipt),
    )


def status_result(code: object = 0, parameters: object = None, desc: str = PROCESSED) -> bytes:
    """A status result: its outer ids and its TransactionID are those of the query."""
    return result(
        code,
        desc,
        transaction_id=GENERIC_RECEIPT,
        parameters=parameters,
        references=keyed(("Occasion", ...)),
        ConversationID=QUERY_CONVERSATION_ID,
        OriginatorConversationID=QUERY_ORIGINATOR_ID,
    )


# --- replies ---------------------------------------------------------------------------------------------------------


def stk_ack(*, checkout_id: str = CHECKOUT_ID, customer_message: bool = True) -> bytes:
    document = {
        "MerchantRequestID": MERCHANT_ID,
        "CheckoutRequestID": checkout_id,
        "ResponseCode": "0",
        "ResponseDescription": "Success. Request accepted for processing",
    }
    if customer_message:
        document["CustomerMessage"] = "Success. Request accepted for processing"
    return body(document)


def b2b_ack(originator_id: str = ORIGINATOR_ID) -> bytes:
    """The reply to a payout, a status query or a balance query."""
    return body(
        {
            "OriginatorConversationID": originator_id,
            "ConversationID": CONVERSATION_ID,
            "ResponseCode": "0",
            "ResponseDescription": "Accept the service request successfully.",
        }
    )


def empty_ack() -> bytes:
    return body({"ConversationID": "", "OriginatorConversationID": "", "ResponseCode": "", "ResponseDescription": ""})


def stk_query_answer(code: object, desc: str = "Request cancelled by user") -> bytes:
    return body(
        {
            "ResponseCode": "0",
            "ResponseDescription": "The service request has been accepted successsfully",
            "MerchantRequestID": MERCHANT_ID,
            "CheckoutRequestID": CHECKOUT_ID,
            "ResultCode": code,
            "ResultDesc": desc,
        }
    )


def error(code: object, message: str, *, capitalised: bool = False, request_id: bool = True) -> bytes:
    """The gateway's usual error body."""
    document = {"requestId": "0a0a-4ba8-815c-000000000009"} if request_id else {}
    document |= {"errorCode": code, "errorMessage": message}  # type: ignore[dict-item]
    return body({name[0].upper() + name[1:]: value for name, value in document.items()} if capitalised else document)


def apigee_fault(
    code: str = "policies.ratelimit.SpikeArrestViolation", text: str = "Spike arrest violation. Allowed rate : 5pm"
) -> bytes:
    return body({"fault": {"faultstring": text, "detail": {"errorcode": code}}})


def soap_fault(text: str = "The service is not available") -> bytes:
    return body({"Envelope": {"Body": {"Fault": {"faultcode": "env:Server", "faultstring": text}}}})


HTML = b"<html><head><title>Request unsuccessful</title></head><body>Incident ID: 0-0</body></html>"
