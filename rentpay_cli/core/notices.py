"""What is told to owners and to the operator, in words that an operator can change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from string import Template


class Audience(StrEnum):
    """Who is told, and how: a notice is one message to one of these."""

    OWNER_EMAIL = "owner by e-mail"
    OWNER_SMS = "owner by SMS"
    OPERATOR = "operator"


class NoticeKind(StrEnum):
    """What a notice is about, besides the troubles of `core.health` that are told once a day."""

    COMPLETED = "completed"
    FAILED = "failed"
    STUCK = "stuck"
    STOPPED = "stopped"
    FINDING = "finding"


class NoticeState(StrEnum):
    """Whether a notice was told."""

    NEW = "new"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """rentpay ended while it was being sent: it may have been told, and is not sent again."""


OWNER = (Audience.OWNER_EMAIL, Audience.OWNER_SMS)


_OWNER_FIELDS = ("owner", "property", "amount", "collected", "fee", "paybill", "account", "receipt", "date", "payment")
FIELDS = {
    "owner-email.txt": _OWNER_FIELDS,
    "owner-sms.txt": _OWNER_FIELDS,
    "operator.txt": ("environment", "count", "lines"),
}
"""The names that may stand in each template after a dollar sign."""

TEMPLATES = {
    "owner-email.txt": """\
$amount for $property was paid to you
Dear $owner,

$amount was paid to paybill $paybill, account $account, on $date.

M-Pesa receipt: $receipt
Rent collected: $collected
Fee: $fee
Payment: $payment
""",
    "owner-sms.txt": """\
$amount for $property was paid to paybill $paybill, account $account. M-Pesa receipt $receipt, $date
""",
    "operator.txt": """\
rentpay ($environment): $count to look at
$lines

See: rentpay health
""",
}
"""Our own words, by the name of the file in which an operator can put others.

The first line is the subject, except in an SMS, which has none.
"""

TEMPLATE_OF = {
    Audience.OWNER_EMAIL: "owner-email.txt",
    Audience.OWNER_SMS: "owner-sms.txt",
    Audience.OPERATOR: "operator.txt",
}

SETTLING = timedelta(seconds=30)
"""How long the operator's notices are gathered, so that a hundred failures make one message."""

TOO_LATE = timedelta(hours=24)
"""After this a notice is no news any more and is dropped."""

_PAUSES_MINUTES = (1, 5, 30, 120)


@dataclass(frozen=True, slots=True)
class Message:
    """A subject, empty for an SMS, and a text."""

    title: str
    body: str


def pause_after(tries: int) -> timedelta | None:
    """How long to wait after so many tries in vain; None if it is enough."""
    return timedelta(minutes=_PAUSES_MINUTES[tries - 1]) if tries <= len(_PAUSES_MINUTES) else None


def too_late(created_at: datetime, now: datetime) -> bool:
    """Whether a notice is too old to be told."""
    return now - created_at > TOO_LATE


def problem_of(name: str, text: str) -> str:
    """What is wrong with a template, or an empty text."""
    template = Template(text)
    if not template.is_valid():
        return "a dollar sign stands alone; write $$ for a dollar sign"
    strangers = sorted(set(template.get_identifiers()) - set(FIELDS[name]))
    if strangers:
        known = ", ".join("$" + field for field in FIELDS[name])
        return f"it names ${strangers[0]}, which there is not; there are {known}"
    return "" if text.strip() else "it is empty"


def compose(audience: Audience, text: str, values: Mapping[str, str]) -> Message:
    """The message that a template makes of the values."""
    filled = Template(text).substitute(values).strip()
    if audience is Audience.OWNER_SMS:
        return Message("", " ".join(filled.split()))
    title, _, body = filled.partition("\n")
    return Message(title.strip(), body.strip() or title.strip())
