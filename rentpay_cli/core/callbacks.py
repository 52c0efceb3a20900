"""What M-Pesa sends to us by itself: to which of our addresses, and what became of it."""

from __future__ import annotations

from enum import StrEnum


class Address(StrEnum):
    """Which of our addresses a callback came to."""

    COLLECTION = "collection"
    PAYOUT = "payout"
    """The results of payouts, and the answers to what we asked."""
    TIMEOUT = "timeout"


class CallbackState(StrEnum):
    """What became of a callback."""

    NEW = "new"
    READ = "read"
    HELD = "held"
    """It is not believed, and is for a person to look at."""


class EnquiryKind(StrEnum):
    """What M-Pesa was asked that it answers by callback."""

    BALANCE = "balance"
    STATUS = "status"


class EnquiryState(StrEnum):
    """What became of a question."""

    ASKED = "asked"
    ANSWERED = "answered"
    REFUSED = "refused"
    """M-Pesa did not take the question."""
    FAILED = "failed"
    LOST = "lost"
    """M-Pesa's queue timed out over it."""
