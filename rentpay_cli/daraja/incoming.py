"""Read what M-Pesa says, replies and callbacks, into evidence; no I/O, and no exception for anything it may send.

What a body does not clearly say becomes a `Doubt`, which books nothing: the callback is held for a person. The
shapes that occur (Daraja, sections 3 to 7): lists that may be one object, values that are missing, empty, text or
number, codes as text or number, HTML, empty bodies, gateway faults, and our own request posted back.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from rentpay_cli.core.clock import read_mpesa_time
from rentpay_cli.core.codes import (
    NO_TRANSACTION,
    ORGANISATION_FOUND,
    SUCCESS,
    TEXT_DECIDES,
    Family,
    asks_for_less,
    blames_mpesa,
    blames_the_request,
    meaning,
    of_ended_status,
    says_nothing_moved,
)
from rentpay_cli.core.evidence import Acknowledged, Moved, NotMoved, Overdue, Refused, Unanswered
from rentpay_cli.core.money import cents_from_mpesa
from rentpay_cli.core.redact import printable, redact

MAX_ID_LENGTH = 120

TOO_MANY_REQUESTS = 429
_RATE_WORDS = ("spike arrest", "system is busy", "quota violation", "rate limit", "too many requests")
_STK_REFUSALS = ("merchant does not exist", "wrong credentials", "unable to lock subscriber")
_RECEIPT = re.compile(r"[A-Z0-9]{6,20}", re.IGNORECASE)
_BASIC_AMOUNT = re.compile(r"BasicAmount=(-?[0-9]+(?:\.[0-9]+)?)")
_GENERIC_RECEIPT = re.compile(r"[A-Z0-9]{0,3}0{7,}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Doubt:
    """The body does not say clearly what happened; the reason is for a person."""

    reason: str


@dataclass(frozen=True, slots=True)
class StillPending:
    """M-Pesa is still working on it: no news."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoRecord:
    """M-Pesa finds no such transaction (2032, 2033): proof only while it is recent, and only if repeated."""

    code: str


@dataclass(frozen=True, slots=True)
class QuestionFailed:
    """The question itself failed; it says nothing about the payment."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Organisation:
    """What M-Pesa calls the organisation behind a paybill."""

    name: str


PaymentReply: TypeAlias = Acknowledged | Refused | Unanswered
News: TypeAlias = Moved | NotMoved | Overdue | StillPending | Doubt


@dataclass(frozen=True, slots=True)
class Result:
    """A callback, read: the ids that it names, and what it says."""

    news: News
    conversation_id: str | None = None
    originator_conversation_id: str | None = None
    checkout_request_id: str | None = None
    merchant_request_id: str | None = None
    float_accounts: tuple[tuple[str, int, int], ...] = ()


# --- replies ---------------------------------------------------------------------------------------------------------


def payment_reply(status: int, body: bytes, family: Family) -> PaymentReply:
    """What the reply to a push, a payout or an asynchronous question says (Daraja, tables 3 and 5.1)."""
    document = parse(body)
    if document is None:
        return Unanswered(f"M-Pesa answered HTTP {status} without a readable body.", status == TOO_MANY_REQUESTS)
    error = gateway_error(document)
    if status == TOO_MANY_REQUESTS or (error is not None and _asks_for_less(*error)):
        code, text = error or ("", "too many requests")
        return Unanswered(f"M-Pesa answered HTTP {status}, {code or 'a fault'}: {text}", slow_down=True)
    if error is not None:
        code, text = error
        accepted_too = code_text(document.get("ResponseCode")) == SUCCESS
        if _certainly_refused(status, code, text, family) and not accepted_too:
            return Refused(code, text)
        return Unanswered(f"M-Pesa answered HTTP {status}, {code or 'a fault'}: {text}")
    response_code = code_text(document.get("ResponseCode"))
    if not 200 <= status < 300 or not response_code:
        return Unanswered(f"M-Pesa answered HTTP {status} without a response code.")
    if response_code != SUCCESS:
        description = _text(document.get("ResponseDescription"))
        if _asks_for_less(response_code, description):
            return Unanswered(f"M-Pesa answered {response_code}: {description}", slow_down=True)
        if not says_nothing_moved(family, response_code):
            return Unanswered(f"M-Pesa answered {response_code}, which proves nothing: {description}")
        return Refused(response_code, description)
    return Acknowledged(
        conversation_id=_identifier(document.get("ConversationID")),
        originator_conversation_id=_identifier(document.get("OriginatorConversationID")),
        checkout_request_id=_identifier(document.get("CheckoutRequestID")),
        merchant_request_id=_identifier(document.get("MerchantRequestID")),
    )


def stk_query_reply(status: int, body: bytes) -> Moved | NotMoved | StillPending | QuestionFailed:
    """What an STK query says; a success carries no receipt, and 4999 or "being processed" is no news."""
    document = parse(body)
    if document is None:
        return QuestionFailed("", f"M-Pesa answered HTTP {status} without a readable body.")
    error = gateway_error(document)
    if error is not None:
        code, text = error
        if code == TEXT_DECIDES and "process" in text.lower():
            return StillPending(text)
        return QuestionFailed(code, text)
    result_code = code_text(document.get("ResultCode"))
    if not 200 <= status < 300 or not result_code:
        return QuestionFailed("", f"M-Pesa answered HTTP {status} without a result code.")
    if result_code == SUCCESS:
        return Moved(receipt=None, amount_cents=None)
    if not says_nothing_moved(Family.STK, result_code):
        return StillPending(_text(document.get("ResultDesc")))
    return NotMoved(result_code, meaning(Family.STK, result_code, _text(document.get("ResultDesc"))))


def organisation_reply(status: int, body: bytes) -> Organisation | QuestionFailed:
    """What a look-up of an organisation says (Daraja, 9)."""
    document = parse(body)
    if document is None:
        return QuestionFailed("", f"M-Pesa answered HTTP {status} without a readable body.")
    error = gateway_error(document)
    if error is not None:
        return QuestionFailed(*error)
    code, name = code_text(document.get("ResponseCode")), _text(document.get("OrganizationName")).strip()
    if not 200 <= status < 300 or code not in ORGANISATION_FOUND or not name:
        text = _text(document.get("DetailedMessage")) or _text(document.get("ResponseMessage"))
        return QuestionFailed(code, text or f"M-Pesa answered HTTP {status} without a name.")
    return Organisation(name)


def gateway_error(document: dict[str, Any]) -> tuple[str, str] | None:
    """The code and text of a gateway error in any of its shapes, or None."""
    fault = document.get("fault")
    if isinstance(fault, dict):
        detail = fault.get("detail")
        code = detail.get("errorcode") if isinstance(detail, dict) else None
        return code_text(code), _text(fault.get("faultstring"))
    envelope = document.get("Envelope")
    if isinstance(envelope, dict):
        return "", _text(_dig(envelope, "Body", "Fault", "faultstring")) or "SOAP fault"
    code = code_text(document.get("errorCode") or document.get("ErrorCode"))
    if code:
        return code, _text(document.get("errorMessage") or document.get("ErrorMessage"))
    return None


def _asks_for_less(code: str, text: str) -> bool:
    """Whether the error says that too many requests come, or that M-Pesa is busy (Daraja, 3)."""
    return asks_for_less(code) or any(words in text.lower() for words in _RATE_WORDS)


def _certainly_refused(status: int, code: str, text: str, family: Family) -> bool:
    """Whether the error proves that M-Pesa never acted on the request."""
    if not code:
        return False
    if code == TEXT_DECIDES and family is Family.STK:
        return any(words in text.lower() for words in _STK_REFUSALS)
    if blames_mpesa(code):
        return False
    return 400 <= status < 500 or (200 <= status < 300 and blames_the_request(code))


# --- callbacks -------------------------------------------------------------------------------------------------------


def stk_callback(body: bytes) -> Result:
    """What the callback of an STK Push says (Daraja, 4.1)."""
    callback = _dig(parse(body), "Body", "stkCallback")
    if not isinstance(callback, dict):
        return Result(Doubt("it is not the body of an STK callback"))
    return Result(
        news=_stk_news(callback),
        checkout_request_id=_identifier(callback.get("CheckoutRequestID")),
        merchant_request_id=_identifier(callback.get("MerchantRequestID")),
    )


def _stk_news(callback: dict[str, Any]) -> News:
    code = code_text(callback.get("ResultCode"))
    if not code:
        return Doubt("it has no result code")
    if code != SUCCESS:
        if not says_nothing_moved(Family.STK, code):
            return StillPending(_text(callback.get("ResultDesc")))
        return NotMoved(code, meaning(Family.STK, code, _text(callback.get("ResultDesc"))))
    items = _Parameters(_dig(callback, "CallbackMetadata", "Item"), key="Name")
    receipt = receipt_of(items.one("MpesaReceiptNumber"))
    amount_cents = cents_from_mpesa(items.one("Amount"))
    if receipt is None:
        return Doubt("it says paid, but has no receipt that M-Pesa could have given")
    if amount_cents is None or items.disagrees("Amount") or items.disagrees("MpesaReceiptNumber"):
        return Doubt("it says paid, but not clearly how much")
    return Moved(receipt, amount_cents, moved_at=read_mpesa_time(items.one("TransactionDate")))


def payout_result(body: bytes) -> Result:
    """What the result of a B2B payout says (Daraja, 5.2); our request posted back is a queue timeout (5.3)."""
    document = parse(body)
    result = _dig(document, "Result")
    if not isinstance(result, dict):
        if document is not None and {"CommandID", "ResultCode", "SecurityCredential"} & document.keys():
            return Result(Overdue("M-Pesa's queue timed out"))
        return Result(Doubt("it is not the body of a result"))
    parameters = _result_parameters(result)
    return Result(
        news=_payout_news(result, parameters),
        conversation_id=_identifier(result.get("ConversationID")),
        originator_conversation_id=_identifier(result.get("OriginatorConversationID")),
        float_accounts=_affected_account(parameters),
    )


def _payout_news(result: dict[str, Any], parameters: _Parameters) -> News:
    code = code_text(result.get("ResultCode"))
    if not code:
        return Doubt("it has no result code")
    if code != SUCCESS:
        text = _text(result.get("ResultDesc"))
        if not says_nothing_moved(Family.B2B, code):
            return Overdue(meaning(Family.B2B, code, text))
        return NotMoved(code, meaning(Family.B2B, code, text))
    receipt = receipt_of(result.get("TransactionID"))
    if receipt is None:
        return Doubt("it says paid, but has no receipt that M-Pesa could have given")
    amount_cents = None
    if parameters.has("Amount"):  # a production till payout came without it: our own row knows the amount
        amount_cents = cents_from_mpesa(parameters.one("Amount"))
        if amount_cents is None or parameters.disagrees("Amount"):
            return Doubt("it says paid, but not clearly how much")
    return Moved(
        receipt,
        amount_cents,
        moved_at=read_mpesa_time(parameters.one("TransCompletedTime")),
        charge_cents=_charge(parameters.one("DebitPartyCharges")),
        receiver_name=_text(parameters.one("ReceiverPartyPublicName")) or None,
    )


def status_result(body: bytes) -> Moved | NotMoved | StillPending | NoRecord | QuestionFailed | Doubt:
    """What a transaction status query learned about a payout (Daraja, 6).

    The receipt is `ReceiptNo`; the result's own `TransactionID` belongs to the query and is never used.
    """
    result = _dig(parse(body), "Result")
    if not isinstance(result, dict):
        return Doubt("it is not the body of a result")
    code = code_text(result.get("ResultCode"))
    text = _text(result.get("ResultDesc"))
    if code in NO_TRANSACTION:
        return NoRecord(code)
    if code != SUCCESS:
        return QuestionFailed(code, meaning(Family.STATUS, code, text))
    parameters = _result_parameters(result)
    if any(parameters.disagrees(name) for name in ("TransactionStatus", "ReceiptNo", "Amount")):
        return Doubt("it says two different things")
    status = _text(parameters.one("TransactionStatus")).lower()
    amount_cents = cents_from_mpesa(parameters.one("Amount"))
    if status == "completed" and amount_cents is None and parameters.has("Amount"):
        return Doubt("it says completed, but not clearly how much")
    if status == "completed":
        receipt = receipt_of(parameters.one("ReceiptNo"))
        if receipt is None:
            return Doubt("it says completed, but has no receipt")
        return Moved(
            receipt,
            amount_cents,
            moved_at=read_mpesa_time(parameters.one("FinalisedTime") or parameters.one("FinalizedTime")),
            charge_cents=_charge(parameters.one("DebitPartyCharges")),
            receiver_name=_text(parameters.one("CreditPartyName")) or None,
        )
    ended = of_ended_status(status)
    if ended is not None:
        return NotMoved(ended, f"M-Pesa's transaction status says {status}.")
    return StillPending(f"M-Pesa's transaction status says {status or 'nothing'}.")


def original_ids(body: bytes) -> tuple[str | None, str | None]:
    """The conversation ids of the payment that a status result is about (not those of the query)."""
    result = _dig(parse(body), "Result")
    parameters = _result_parameters(result if isinstance(result, dict) else {})
    return (
        _identifier(parameters.one("ConversationID") or parameters.one("Conversation ID")),
        _identifier(parameters.one("OriginatorConversationID") or parameters.one("Originator Conversation ID")),
    )


def balance_result(body: bytes) -> tuple[tuple[str, int, int], ...] | QuestionFailed | Doubt:
    """What the paybill's accounts hold: name, current cents, available cents (Daraja, 7)."""
    result = _dig(parse(body), "Result")
    if not isinstance(result, dict):
        return Doubt("it is not the body of a result")
    code = code_text(result.get("ResultCode"))
    if code != SUCCESS:
        return QuestionFailed(code, meaning(Family.STATUS, code, _text(result.get("ResultDesc"))))
    accounts = _accounts(_result_parameters(result).one("AccountBalance"))
    return accounts or Doubt("it names no account")


# --- the small shapes ------------------------------------------------------------------------------------------------


def parse(body: bytes) -> dict[str, Any] | None:
    """The JSON object in the body, its fractions exact; None for anything else."""
    try:
        document = json.loads(body, parse_float=Decimal, parse_constant=lambda _: None)
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def code_text(value: object) -> str:
    """A code as text, however it was written; empty if it is none."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, int):
        return str(value) if abs(value) < 10**15 else ""
    if isinstance(value, Decimal):
        return str(int(value)) if value.is_finite() and -(10**15) < value < 10**15 and value == int(value) else ""
    return printable(redact(value.strip()), 40) if isinstance(value, str) else ""


class _Parameters:
    """M-Pesa's key and value items: a list or a single object, where a key may repeat and a value may be missing."""

    def __init__(self, items: object, *, key: str) -> None:
        self._values: dict[str, list[object]] = {}
        for item in items if isinstance(items, list) else [items]:
            if isinstance(item, dict) and isinstance(item.get(key), str):
                self._values.setdefault(item[key], []).append(item.get("Value"))

    def has(self, name: str) -> bool:
        return any(value not in (None, "") for value in self._values.get(name, []))

    def one(self, name: str) -> object:
        return next((value for value in self._values.get(name, []) if value not in (None, "")), None)

    def disagrees(self, name: str) -> bool:
        return len({str(value) for value in self._values.get(name, []) if value not in (None, "")}) > 1


def _result_parameters(result: dict[str, Any]) -> _Parameters:
    return _Parameters(_dig(result, "ResultParameters", "ResultParameter"), key="Key")


def _dig(document: object, *path: str) -> Any:
    for key in path:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def _text(value: object) -> str:
    return printable(redact(value)) if isinstance(value, str) else ""


def _identifier(value: object) -> str | None:
    """An id of M-Pesa's, or None for an empty one: empty ids collide in unique columns."""
    text = value.strip() if isinstance(value, str) else ""
    return text if text and len(text) <= MAX_ID_LENGTH and text.isprintable() else None


def receipt_of(value: object) -> str | None:
    """A receipt that names one transaction; M-Pesa also sends generic ones such as `OAK0000000` or only zeros."""
    text = value.strip() if isinstance(value, str) else ""
    if not text.isascii() or not _RECEIPT.fullmatch(text) or _GENERIC_RECEIPT.fullmatch(text):
        return None
    return text.upper()


def _charge(value: object) -> int | None:
    """The sender's charge in `name|KES|67.00`, in cents."""
    parts = value.split("|") if isinstance(value, str) else []
    return cents_from_mpesa(parts[2]) if len(parts) == 3 else None


def _accounts(value: object) -> tuple[tuple[str, int, int], ...]:
    """The accounts in `name|currency|current|available|reserved|uncleared&…`."""
    accounts = []
    for part in value.split("&") if isinstance(value, str) else []:
        fields = part.split("|")
        if len(fields) < 4:
            continue
        current, available = cents_from_mpesa(fields[2]), cents_from_mpesa(fields[3])
        if current is not None and available is not None:
            accounts.append((printable(redact(fields[0].strip()), 60), current, available))
    return tuple(accounts)


def _affected_account(parameters: _Parameters) -> tuple[tuple[str, int, int], ...]:
    """What the debited account holds after a payout: a full line, or only a Java map of its available amount."""
    accounts = _accounts(parameters.one("DebitPartyAffectedAccountBalance"))
    if accounts:
        return accounts
    written = parameters.one("DebitAccountCurrentBalance") or parameters.one("DebitAccountBalance")
    found = _BASIC_AMOUNT.search(written) if isinstance(written, str) else None
    cents = cents_from_mpesa(found.group(1)) if found else None
    return (("Working Account", cents, cents),) if cents is not None else ()
