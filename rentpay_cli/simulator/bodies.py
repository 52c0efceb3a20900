"""The shapes of M-Pesa's answers and results, as they have been recorded. Pure: no time, chance or network.

The oddities are real and deliberate: numbers that were text, items without a value, a list that may be a single
object.
"""

from __future__ import annotations

from typing import Literal

from rentpay_cli.simulator.books import Account, plain, shillings

Json = dict[str, object]
FailureShape = Literal["bare", "single", "zeros"]
FAILURE_SHAPES: tuple[FailureShape, ...] = ("bare", "single", "zeros")

ACCEPTED = "Accept the service request successfully."
DONE = "The service request is processed successfully."
INTERNAL_URL = "https://internalsandbox.safaricom.co.ke/mpesa/{}results/v1/submit"

STK_WORDS = {
    "0": DONE,
    "1": "The balance is insufficient for the transaction.",
    "2": "The amount is below the minimum for a transaction.",
    "3": "The amount is above the maximum for a transaction.",
    "17": "Rule limited.",
    "26": "System busy, traffic blocking is in place.",
    "1001": "Unable to lock subscriber, a transaction is already in process for the current subscriber.",
    "1019": "Transaction has expired",
    "1025": "An error occurred while sending a push request.",
    "1032": "Request cancelled by user",
    "1036": "SMSC ACK timeout.",
    "1037": "No response from user.",
    "2001": "The initiator information is invalid.",
    "4999": "The transaction is still under processing",
    "SFC_IC0003": "The operator does not exist.",
    "E3008": "Error, the user has a bad debt contract.",
}

RESULT_WORDS = {
    "0": DONE,
    "1": "The balance is insufficient for the transaction.",
    "3": "The amount is above the maximum for a transaction.",
    "17": "System internal error.",
    "18": "Initiator credential check failure.",
    "21": "The initiator is not allowed to initiate this request.",
    "26": "System busy, traffic blocking is in place.",
    "2001": "The initiator information is invalid.",
    "2028": "The request is not permitted according to product assignment.",
    "2032": "The transaction receipt number does not exist.",
    "2033": "The transaction receipt number cannot be found by the specified OriginatorConversationID or "
    "ConversationID.",
    "8006": "The security credential is locked.",
    "SFC_IC0003": "Receiver party is invalid.",
}
OTHER_WORDS = "The transaction failed."


def error(request_id: str, code: str, message: str) -> Json:
    """The gateway's usual error body."""
    return {"requestId": request_id, "errorCode": code, "errorMessage": message}


def spike_arrest() -> Json:
    """The other error body, straight from the gateway's own software."""
    says = (
        "Spike arrest violation. Allowed rate : "
        "MessageRate{messagesPerPeriod=5, periodInMicroseconds=60000000, maxBurstMessageCount=1.0}"
    )
    return {"fault": {"faultstring": says, "detail": {"errorcode": "policies.ratelimit.SpikeArrestViolation"}}}


def html_page(title: str) -> str:
    """What a firewall in front of the gateway sends instead of an answer."""
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1><p>Incident ID: 0</p></body></html>"


def emptied(answer: Json) -> Json:
    """The acknowledgement with every value empty, as production has been seen to send it."""
    return dict.fromkeys(answer, "")


def token(access_token: str, lifetime_seconds: int) -> Json:
    """The answer to OAuth. The lifetime is text."""
    return {"access_token": access_token, "expires_in": str(lifetime_seconds)}


def stk_accepted(merchant_request_id: str, checkout_request_id: str) -> Json:
    """The prompt is on its way."""
    return {
        "MerchantRequestID": merchant_request_id,
        "CheckoutRequestID": checkout_request_id,
        "ResponseCode": "0",
        "ResponseDescription": "Success. Request accepted for processing",
        "CustomerMessage": "Success. Request accepted for processing",
    }


def stk_queried(merchant_request_id: str, checkout_request_id: str, code: str) -> Json:
    """The answer to an STK query: the code is text, and there is no receipt."""
    return {
        "ResponseCode": "0",
        "ResponseDescription": "The service request has been accepted successfully",
        "MerchantRequestID": merchant_request_id,
        "CheckoutRequestID": checkout_request_id,
        "ResultCode": code,
        "ResultDesc": STK_WORDS.get(code, OTHER_WORDS),
    }


def stk_paid(
    merchant_request_id: str,
    checkout_request_id: str,
    *,
    amount_cents: int,
    receipt: str,
    paid_stamp: int,
    phone: str,
) -> Json:
    """The callback of a payment. `Balance` has no value, and the account reference is not told."""
    items: list[Json] = [
        {"Name": "Amount", "Value": shillings(amount_cents)},
        {"Name": "MpesaReceiptNumber", "Value": receipt},
        {"Name": "Balance"},
        {"Name": "TransactionDate", "Value": paid_stamp},
        {"Name": "PhoneNumber", "Value": int(phone)},
    ]
    told = _stk_told(merchant_request_id, checkout_request_id, "0")
    told["CallbackMetadata"] = {"Item": items}
    return {"Body": {"stkCallback": told}}


def stk_not_paid(merchant_request_id: str, checkout_request_id: str, code: str) -> Json:
    """The callback of a prompt that brought no money: no metadata at all."""
    return {"Body": {"stkCallback": _stk_told(merchant_request_id, checkout_request_id, code)}}


def accepted(originator_conversation_id: str, conversation_id: str) -> Json:
    """The request will be worked on; the result comes later. It does not mean done."""
    return {
        "OriginatorConversationID": originator_conversation_id,
        "ConversationID": conversation_id,
        "ResponseCode": "0",
        "ResponseDescription": ACCEPTED,
    }


def b2b_done(
    originator_conversation_id: str,
    conversation_id: str,
    *,
    receipt: str,
    amount_cents: int,
    charge_cents: int,
    balance_cents: int,
    done_stamp: int,
    receiver_name: str,
    bill_reference: str,
    pay_bill: bool,
) -> Json:
    """The result of a payout that moved money."""
    balance = f"{{Amount={{CurrencyCode=KES, MinimumAmount={balance_cents}, BasicAmount={plain(balance_cents)}}}}}"
    charge = f"Business {'Pay Bill' if pay_bill else 'Buy Goods'} Charge|KES|{plain(charge_cents)}"
    parameters = [
        item("DebitAccountCurrentBalance", balance),
        item("InitiatorAccountCurrentBalance", balance),
        item("Amount", shillings(amount_cents)),
        item("DebitPartyAffectedAccountBalance", account_text("Working Account", balance_cents)),
        item("TransCompletedTime", done_stamp),
        item("DebitPartyCharges", charge if charge_cents else None),
        item("ReceiverPartyPublicName", receiver_name),
        item("Currency", "KES"),
    ]
    told = _result(originator_conversation_id, conversation_id, "0", receipt)
    told["ResultParameters"] = {"ResultParameter": parameters}
    told["ReferenceData"] = {"ReferenceItem": _b2b_references(bill_reference if pay_bill else None)}
    return {"Result": told}


def b2b_failed(
    originator_conversation_id: str,
    conversation_id: str,
    *,
    code: str,
    transaction_id: str,
    shape: FailureShape,
    stamp: int,
    bill_reference: str,
    pay_bill: bool,
) -> Json:
    """The result of a payout that moved nothing, in one of the shapes seen."""
    told = _result(originator_conversation_id, conversation_id, code, transaction_id)
    if shape == "zeros":
        told["TransactionID"] = "0" * 16
    if shape == "single":
        told["ResultParameters"] = {"ResultParameter": item("BOCompletedTime", stamp)}
        told["ReferenceData"] = {"ReferenceItem": item("QueueTimeoutURL", INTERNAL_URL.format("b2b"))}
    else:
        told["ReferenceData"] = {"ReferenceItem": _b2b_references(bill_reference if pay_bill else None)}
    return {"Result": told}


def status_found(
    originator_conversation_id: str,
    conversation_id: str,
    *,
    transaction_id: str,
    parameters: list[Json],
    occasion: str,
) -> Json:
    """The result of a status query that found: its own ids outside, the transaction's ids inside."""
    told = _result(originator_conversation_id, conversation_id, "0", transaction_id)
    told["ResultParameters"] = {"ResultParameter": parameters}
    told["ReferenceData"] = {"ReferenceItem": item("Occasion", occasion or None)}
    return {"Result": told}


def transaction_parameters(
    *,
    debit_party: str,
    credit_party: str,
    debit_account: str,
    reason: str,
    status: str,
    originator_conversation_id: str,
    conversation_id: str,
    receipt: str,
    amount_cents: int,
    charge: str,
    initiated_stamp: int,
    finalised_stamp: int,
) -> list[Json]:
    """What a status query tells about the transaction it found."""
    return [
        item("DebitPartyName", debit_party),
        item("CreditPartyName", credit_party),
        item("OriginatorConversationID", originator_conversation_id),
        item("InitiatedTime", initiated_stamp),
        item("CreditPartyCharges"),
        item("DebitAccountType", debit_account),
        item("DebitPartyCharges", charge or None),
        item("TransactionReason"),
        item("ReasonType", reason),
        item("TransactionStatus", status),
        item("FinalisedTime", finalised_stamp),
        item("Amount", shillings(amount_cents)),
        item("ConversationID", conversation_id),
        item("ReceiptNo", receipt or None),
    ]


def status_failed(originator_conversation_id: str, conversation_id: str, *, code: str, transaction_id: str) -> Json:
    """The result of a status query that says nothing about the payment, or that nothing was found."""
    told = _result(originator_conversation_id, conversation_id, code, transaction_id)
    told["ReferenceData"] = {"ReferenceItem": item("Occasion")}
    return {"Result": told}


def balance_found(
    originator_conversation_id: str,
    conversation_id: str,
    *,
    transaction_id: str,
    account: Account,
    stamp: int,
) -> Json:
    """The result of a balance query: all accounts in one text."""
    accounts = "&".join(
        (
            account_text("Working Account", account.working_cents),
            account_text("Float Account", 0),
            account_text("Utility Account", account.utility_cents),
            account_text("Charges Paid Account", account.charges_cents),
            account_text("Organization Settlement Account", 0),
        )
    )
    told = _result(originator_conversation_id, conversation_id, "0", transaction_id)
    told["ResultParameters"] = {"ResultParameter": [item("AccountBalance", accounts), item("BOCompletedTime", stamp)]}
    told["ReferenceData"] = {"ReferenceItem": item("QueueTimeoutURL", INTERNAL_URL.format("ab"))}
    return {"Result": told}


def balance_failed(
    originator_conversation_id: str,
    conversation_id: str,
    *,
    code: str,
    transaction_id: str,
    shape: FailureShape,
    stamp: int,
) -> Json:
    """The result of a balance query that failed: a single parameter, or a list of them."""
    told = _result(originator_conversation_id, conversation_id, code, transaction_id)
    completed = item("BOCompletedTime", stamp)
    if shape == "single":
        told["ResultParameters"] = {"ResultParameter": completed}
    else:
        wrong = "API Password is locked. " if code == "8006" else RESULT_WORDS.get(code, OTHER_WORDS)
        parameters = [item("ActionType", "AccountBalance"), item("ErrorMsg", wrong), completed]
        told["ResultParameters"] = {"ResultParameter": parameters}
    told["ReferenceData"] = {"ReferenceItem": item("QueueTimeoutURL")}
    return {"Result": told}


def organisation(conversation_id: str, short_code: str, name: str) -> Json:
    """The answer to a name look-up."""
    return {
        "ConversationID": conversation_id,
        "ResponseCode": "4000",
        "ResponseMessage": "Success",
        "DetailedMessage": "Request received successfully",
        "OrganizationShortCode": short_code,
        "OrganizationName": name,
        "ChargeProfileID": "20013",
    }


def no_organisation(conversation_id: str, short_code: str) -> Json:
    """The answer to a name look-up that found nobody."""
    return {
        "ConversationID": conversation_id,
        "ResponseCode": "1",
        "ResponseMessage": "Failed",
        "DetailedMessage": "Organization does not exist",
        "OrganizationShortCode": short_code,
    }


def account_text(name: str, cents: int) -> str:
    """name|currency|current|available|reserved|uncleared"""
    return f"{name}|KES|{plain(cents)}|{plain(cents)}|0.00|0.00"


def item(key: str, value: object = None) -> Json:
    """One parameter; without a value, the element is left out."""
    return {"Key": key} if value is None else {"Key": key, "Value": value}


def result_code(code: str) -> int | str:
    """A number where it is one; SFC_IC0003 and its like stay text."""
    return int(code) if code.isdigit() else code


def _stk_told(merchant_request_id: str, checkout_request_id: str, code: str) -> Json:
    return {
        "MerchantRequestID": merchant_request_id,
        "CheckoutRequestID": checkout_request_id,
        "ResultCode": result_code(code),
        "ResultDesc": STK_WORDS.get(code, OTHER_WORDS),
    }


def _result(originator_conversation_id: str, conversation_id: str, code: str, transaction_id: str) -> Json:
    return {
        "ResultType": 0,
        "ResultCode": result_code(code),
        "ResultDesc": RESULT_WORDS.get(code, OTHER_WORDS),
        "OriginatorConversationID": originator_conversation_id,
        "ConversationID": conversation_id,
        "TransactionID": transaction_id,
    }


def _b2b_references(bill_reference: str | None) -> list[Json]:
    """A reference that looks like a number becomes one and loses its leading zeros, as at M-Pesa."""
    references = [
        item("QueueTimeoutURL", INTERNAL_URL.format("b2b")),
        item("Occassion"),
    ]
    if bill_reference is not None:
        numeric = bill_reference.isascii() and bill_reference.isdigit()
        references.insert(0, item("BillReferenceNumber", int(bill_reference) if numeric else bill_reference))
    return references
