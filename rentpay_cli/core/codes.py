"""What each M-Pesa code says about the money, and what to do.

Sources: the Daraja portal's result tables, and codes that production projects report. A code that is not in the table
says nothing that we could rely on, so that a failure with it is never sent again without a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """Where a code is seen: the same number means different things in different places."""

    STK = "stk"
    B2B = "b2b"
    STATUS = "status"
    GATEWAY = "gateway"


class Money(StrEnum):
    """What the code says about the money of the request that it answers."""

    MOVED = "moved"
    NOT_MOVED = "not moved"
    UNKNOWN = "unknown"


class Advice(StrEnum):
    """Whether a request that ended with the code may be made again."""

    SEND_AGAIN = "send again"
    MEND_FIRST = "mend first"
    NEVER = "never"
    ASK = "ask"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Code:
    """One row of the table."""

    family: Family
    code: str
    meaning: str
    money: Money
    advice: Advice
    action: str
    stops_payouts: bool = False


SUCCESS = "0"
"""In a reply: the request was accepted. In a result: it was done."""
NOT_SENT, NO_RECORD, RULED_NOT_PAID = "not_sent", "no_record", "ruling"
"""Codes of our own, for what M-Pesa has none: how we know that nothing moved."""
_ENDED_STATUSES = frozenset({"failed", "cancelled", "declined", "expired"})
_STATUS = "status:"
"""Before a word of M-Pesa's transaction status that stands in the place of a code."""

_NO, _MAYBE, _YES = Money.NOT_MOVED, Money.UNKNOWN, Money.MOVED
_AGAIN, _MEND, _NEVER, _ASK, _DONE = (
    Advice.SEND_AGAIN,
    Advice.MEND_FIRST,
    Advice.NEVER,
    Advice.ASK,
    Advice.DONE,
)
_CONFIGURATION = "Mend the configuration of the operator or of the product with Safaricom, then send again."
_OPERATOR = (
    "Mend the API operator on the M-Pesa portal first: repeated tries lock it. Then rentpay payouts resume lifts the "
    "stop, and rentpay retry-failed --include mend-first sends what failed."
)
_WAIT = "Wait: the answer is still to come."
_UNKNOWN = "Ask M-Pesa for the transaction's status; until then it stays unclear and is not sent again."
_TARGET = "Check the owner's paybill and account number, mend them, then send again."

_STK = [
    ("0", "The tenant paid.", _YES, _DONE, "Nothing."),
    ("1", "The tenant's M-Pesa balance is too low.", _NO, _AGAIN, "Ask again once the tenant has topped up."),
    ("2", "The amount is below M-Pesa's minimum.", _NO, _MEND, "Ask for another amount."),
    ("3", "The amount is above M-Pesa's maximum for one transaction.", _NO, _MEND, "Ask for it in parts."),
    ("4", "The tenant reached the daily limit of M-Pesa.", _NO, _AGAIN, "Ask again the next day."),
    (
        "8",
        "The paybill would exceed its maximum balance.",
        _NO,
        _MEND,
        "Withdraw from the paybill, then ask again.",
    ),
    (
        "17",
        "The same amount was asked of the same tenant within two minutes.",
        _NO,
        _AGAIN,
        "Wait, then ask again.",
    ),
    ("26", "M-Pesa is too busy.", _NO, _AGAIN, "Ask again later."),
    (
        "1001",
        "The tenant has another M-Pesa session open.",
        _NO,
        _AGAIN,
        "Ask again in two or three minutes.",
    ),
    ("1019", "The prompt expired.", _NO, _AGAIN, "Ask again."),
    ("1025", "The prompt could not be sent; its text may be too long.", _NO, _MEND, "Shorten the reference."),
    ("1031", "The tenant cancelled the prompt.", _NO, _AGAIN, "Speak to the tenant, then ask again."),
    (
        "1032",
        "The tenant cancelled the prompt, or it ran out.",
        _NO,
        _AGAIN,
        "Speak to the tenant, then ask again.",
    ),
    ("1036", "The phone did not confirm the prompt.", _NO, _AGAIN, "Ask again."),
    (
        "1037",
        "The phone could not be reached, or nobody answered.",
        _NO,
        _AGAIN,
        "Ask again when the phone is on.",
    ),
    ("2001", "The tenant typed a wrong PIN.", _NO, _AGAIN, "Speak to the tenant, then ask again."),
    ("2028", "The transaction type or short code does not fit the product.", _NO, _MEND, _CONFIGURATION),
    (
        "8006",
        "The tenant's M-Pesa PIN is locked.",
        _NO,
        _NEVER,
        "The tenant must have the PIN unlocked by Safaricom.",
    ),
    ("9999", "The prompt could not be pushed.", _NO, _AGAIN, "Ask again."),
    ("SFC_IC0003", "The short code does not fit the transaction type.", _NO, _MEND, _CONFIGURATION),
    ("E3008", "The tenant owes M-Pesa a debt.", _NO, _NEVER, "Collect this rent in another way."),
    ("4999", "The prompt is still being worked on.", _MAYBE, _ASK, _WAIT),
]

_B2B = [
    ("0", "The owner was paid.", _YES, _DONE, "Nothing."),
    (
        "1",
        "The working account holds too little money.",
        _NO,
        _AGAIN,
        "Top up the float; rentpay retry-failed then sends it again.",
    ),
    ("2", "The amount is below M-Pesa's minimum.", _NO, _MEND, "Pay this share in another way."),
    ("3", "The amount is above M-Pesa's maximum for one transfer.", _NO, _MEND, "Pay this share in parts."),
    ("4", "The daily limit was reached.", _NO, _AGAIN, "Retry the next day."),
    (
        "5",
        "The working account would fall below its minimum.",
        _NO,
        _AGAIN,
        "Top up the float; rentpay retry-failed then sends it again.",
    ),
    ("6", "M-Pesa cannot find our own short code.", _NO, _MEND, _CONFIGURATION),
    ("7", "M-Pesa cannot find the owner's paybill.", _NO, _MEND, _TARGET),
    (
        "8",
        "The owner's paybill would exceed its maximum balance.",
        _NO,
        _AGAIN,
        "Tell the owner, then retry.",
    ),
    (
        "11",
        "Our account is in a state that allows no payout.",
        _NO,
        _MEND,
        "Call Safaricom's business support.",
    ),
    ("12", "The owner's account is not valid.", _NO, _MEND, _TARGET),
    ("13", "M-Pesa cannot find the account to debit.", _NO, _MEND, _CONFIGURATION),
    ("14", "M-Pesa cannot find the owner's account.", _NO, _MEND, _TARGET),
    ("15", "M-Pesa has seen this request before.", _MAYBE, _ASK, _UNKNOWN),
    (
        "17",
        "M-Pesa had an internal failure.",
        _NO,
        _ASK,
        "Look for it on the paybill's statement. If it is not there, rule so: rentpay resolve ID --not-paid.",
    ),
    ("18", "The initiator's credential was refused.", _NO, _MEND, _OPERATOR),
    ("19", "M-Pesa refused the order of the requests.", _NO, _MEND, _CONFIGURATION),
    ("20", "M-Pesa cannot find the initiator.", _NO, _MEND, _CONFIGURATION),
    ("21", "The initiator may not make this payment.", _NO, _MEND, _OPERATOR),
    ("22", "The initiator is not active.", _NO, _MEND, _CONFIGURATION),
    ("24", "A field that M-Pesa needs is missing.", _NO, _MEND, _CONFIGURATION),
    ("25", "M-Pesa found a field that is not valid.", _NO, _MEND, _CONFIGURATION),
    ("26", "M-Pesa is too busy.", _NO, _ASK, "Make sure that it was not paid, then send again."),
    ("29", "M-Pesa does not know the command.", _NO, _MEND, _CONFIGURATION),
    ("1005", "The account number is not valid.", _NO, _MEND, _TARGET),
    ("2001", "The initiator's name, password or certificate is wrong.", _NO, _MEND, _OPERATOR),
    ("2006", "An account rule declined it; the short code may be inactive.", _NO, _MEND, "Call Safaricom."),
    ("2007", "The owner's bank or biller refused the account number.", _NO, _MEND, _TARGET),
    ("2020", "The amount's format was refused.", _NO, _MEND, _CONFIGURATION),
    ("2028", "Our short code does not have the B2B product.", _NO, _MEND, _CONFIGURATION),
    ("2029", "M-Pesa cannot find the reason type.", _NO, _MEND, _CONFIGURATION),
    ("2040", "The owner's paybill cannot receive this kind of payment.", _NO, _MEND, _TARGET),
    ("2043", "The organisation is not a child of ours.", _NO, _MEND, _CONFIGURATION),
    ("2051", "The requester's phone number is not valid.", _NO, _MEND, _CONFIGURATION),
    ("2202", "The account number is not valid.", _NO, _MEND, _TARGET),
    ("8006", "The initiator's credential is locked.", _NO, _MEND, _OPERATOR),
    ("SFC_IC0003", "The owner's paybill does not exist or cannot receive this.", _NO, _MEND, _TARGET),
    ("TP40153", "The initiator lacks the permission.", _NO, _MEND, _CONFIGURATION),
    (NO_RECORD, "M-Pesa said twice, minutes apart, that it knows of no such payout.", _NO, _AGAIN, "Send again."),
    *(
        (f"{_STATUS}{word}", f"M-Pesa's transaction status says {word}.", _NO, _AGAIN, "Send again.")
        for word in sorted(_ENDED_STATUSES)
    ),
    (RULED_NOT_PAID, "A person ruled that it was not paid.", _NO, _AGAIN, "Send again."),
    *(
        (str(100_000_000 + n), "M-Pesa's core is overloaded or had a failure.", _MAYBE, _ASK, _UNKNOWN)
        for n in range(12)
    ),
]
_STOPPING = frozenset({"2001", "8006", "18", "21"})
FLOAT_TOO_LOW = ("1", "5")
"""A payout's result codes for too little money in the working account."""
_OF_THE_SHARE = frozenset({"2", "3", "7", "8", "12", "14", "1005", "2007", "2040", "2202", "SFC_IC0003"})

_QUERY_FAILED = "The question failed: it says nothing about the payment. Mend the operator, then ask again."
_QUESTIONS = [
    (
        "0",
        "The question was answered; the payment's fate is in TransactionStatus.",
        _MAYBE,
        _DONE,
        "Nothing.",
    ),
    ("2032", "M-Pesa has no transaction with this receipt.", _MAYBE, _ASK, "Ask again in some minutes."),
    (
        "2033",
        "M-Pesa has no transaction with this conversation id.",
        _MAYBE,
        _ASK,
        "Ask again in some minutes.",
    ),
    *((code, "The question was refused.", _MAYBE, _ASK, _QUERY_FAILED) for code in ("2001", "8006", "21", "25")),
]

_GATEWAY = [
    ("400.002.02", "A field of the request is not valid; the text names it.", _NO, _MEND, _CONFIGURATION),
    ("400.002.05", "The request is not valid.", _NO, _MEND, _CONFIGURATION),
    ("400.003.01", "The access token is not valid.", _NO, _AGAIN, "Try again."),
    ("400.003.02", "The request is bad; use your own short code.", _NO, _MEND, _CONFIGURATION),
    (
        "400.008.01",
        "The consumer key or secret was refused.",
        _NO,
        _MEND,
        "Check MPESA_CONSUMER_KEY and _SECRET.",
    ),
    ("400.008.02", "The grant type was refused.", _NO, _MEND, _CONFIGURATION),
    (
        "401.002.01",
        "The access token is not valid, or the app lacks the product.",
        _NO,
        _MEND,
        _CONFIGURATION,
    ),
    (
        "401.003.01",
        "The access token is not valid, or the app lacks the product.",
        _NO,
        _MEND,
        _CONFIGURATION,
    ),
    ("403.002.1001", "The address is not allowed, or the app lacks the product.", _NO, _MEND, _CONFIGURATION),
    ("404.001.01", "There is no such address.", _NO, _MEND, "Check MPESA_BASE_URL and MPESA_ENVIRONMENT."),
    ("404.001.03", "The access token is not valid.", _NO, _AGAIN, "Try again."),
    ("404.001.04", "The authentication header is not valid.", _NO, _MEND, _CONFIGURATION),
    ("404.002.01", "There is no such address.", _NO, _MEND, "Check MPESA_BASE_URL and MPESA_ENVIRONMENT."),
    ("404.003.01", "There is no such address.", _NO, _MEND, "Check MPESA_BASE_URL and MPESA_ENVIRONMENT."),
    ("405.001", "The method is not allowed.", _NO, _MEND, _CONFIGURATION),
    (
        "500.001.1001",
        "It depends on the text: wrong credentials, or still being processed.",
        _MAYBE,
        _ASK,
        _UNKNOWN,
    ),
    ("500.002.1001", "It depends on the text: a duplicate, or an internal failure.", _MAYBE, _ASK, _UNKNOWN),
    ("500.003.1001", "M-Pesa had an internal failure.", _MAYBE, _ASK, _UNKNOWN),
    ("500.003.02", "Too many requests, or M-Pesa is busy.", _MAYBE, _ASK, _UNKNOWN),
    ("500.003.03", "The app's quota is used up.", _MAYBE, _ASK, _UNKNOWN),
    (NOT_SENT, "No connection to M-Pesa could be made: nothing was sent.", _NO, _AGAIN, "Send again."),
]

TABLE: dict[tuple[Family, str], Code] = {
    (family, row[0]): Code(family, *row, stops_payouts=family is Family.B2B and row[0] in _STOPPING)
    for family, rows in (
        (Family.STK, _STK),
        (Family.B2B, _B2B),
        (Family.STATUS, _QUESTIONS),
        (Family.GATEWAY, _GATEWAY),
    )
    for row in rows
}


NO_TRANSACTION = frozenset({"2032", "2033"})
"""Answers to "what became of this payout?": M-Pesa has none such."""
ORGANISATION_FOUND = frozenset({"4000", SUCCESS})
"""Answers to "whose paybill is this?"; sources disagree on which of them says that it was found (Daraja, 9)."""
TOKEN_REFUSED = frozenset({"400.003.01", "401.002.01", "401.003.01", "404.001.03", "oauth.v2.InvalidAccessToken"})
"""The gateway did not let the access token in: M-Pesa never saw the request."""
TEXT_DECIDES = "500.001.1001"
"""The gateway's code for many things, of which the text beside it says which (Daraja, 3)."""
_TOO_MANY = frozenset({"500.003.02", "500.003.03"})


def asks_for_less(code: str) -> bool:
    """Whether a gateway's code says that too many requests come, or that M-Pesa is busy."""
    return code in _TOO_MANY or "ratelimit" in code.lower()


def blames_mpesa(code: str) -> bool:
    """Whether a gateway's code names a failure behind it: like HTTP's statuses, these begin with a five."""
    return code.startswith("5")


def blames_the_request(code: str) -> bool:
    """Whether a gateway's code names a mistake in the request: these begin with a four."""
    return code.startswith("4")


def of_ended_status(word: str) -> str | None:
    """The code of a payout of which M-Pesa's transaction status says so; None if it does not say that it ended."""
    return f"{_STATUS}{word}" if word in _ENDED_STATUSES else None


def look_up(family: Family, code: str) -> Code | None:
    """The row of a code where it was seen; an asynchronous answer may also carry a gateway's code."""
    return TABLE.get((family, code)) or TABLE.get((Family.GATEWAY, code))


def rows_for(code: str) -> list[Code]:
    """Every row with this code, for a person who does not know where it was seen."""
    return [row for row in TABLE.values() if row.code.casefold() == code.strip().casefold()]


def payout_advice(code: str) -> Advice:
    """Whether a payout that ended with the code may be sent again; an unknown code is for a person."""
    row = look_up(Family.B2B, code)
    return row.advice if row else Advice.ASK


def blames_the_share(code: str) -> bool:
    """Whether a payout ended so because of its receiver or its amount, so that the next may well go through."""
    return code in _OF_THE_SHARE


def says_nothing_moved(family: Family, code: str) -> bool:
    """Whether the code of a finished request may be believed to say that nothing moved.

    A result that carries an unknown code is final, but only the table's "unknown" codes leave the money in doubt
    (Daraja, B2B result codes 15 and 100000000 to 100000011).
    """
    row = look_up(family, code)
    return row is None or row.money is Money.NOT_MOVED


def meaning(family: Family, code: str, text: str) -> str:
    """What to show a person: our sentence for a known code, M-Pesa's own text otherwise."""
    row = look_up(family, code)
    return row.meaning if row else text or f"M-Pesa answered with code {code}."
