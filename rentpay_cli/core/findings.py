"""What is found that does not fit, and what a person does about it: one row a kind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FindingKind(StrEnum):
    """What it is that does not fit; the value is the code that scripts see."""

    CONTRADICTION = "contradiction"
    MISMATCH = "mismatch"
    REPEATED_ID = "repeated id"
    OTHER_RECEIVER = "other receiver"


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table."""

    meaning: str
    is_contrary: bool
    """Whether it may mean that a share was paid which counts as not paid, so that the share is not sent."""
    action: str
    """What deals with it; `{payment}` is the number of the payment that it is about."""


_RULE = (
    "Look at the paybill's statement, then rule: rentpay resolve {payment} --paid RECEIPT, or --not-paid --reason TEXT"
)
TABLE: dict[FindingKind, Kind] = {
    FindingKind.CONTRADICTION: Kind("M-Pesa says the contrary of what is known about a request.", True, _RULE),
    FindingKind.MISMATCH: Kind(
        "M-Pesa names another amount than was asked, or the receipt of something else.", False, _RULE
    ),
    FindingKind.REPEATED_ID: Kind("M-Pesa gave one id to two requests, so that it names neither.", False, _RULE),
    FindingKind.OTHER_RECEIVER: Kind(
        "M-Pesa paid somebody of another name than a person confirmed.",
        False,
        "Ask the owner whose paybill it is, then: rentpay payouts resume --owner O, which rentpay payouts show names",
    ),
}
CONTRARY = tuple(kind for kind, row in TABLE.items() if row.is_contrary)
"""While one is open about an earlier transfer of a share, the share is not sent."""


def where_to_look(payment_id: int | None) -> str:
    """The command that shows an open finding: with its payment, or in the journal if it is about none."""
    return "rentpay journal list --event disbelieved" if payment_id is None else f"rentpay status {payment_id}"
