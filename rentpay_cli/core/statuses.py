"""The statuses that every screen shows, alone, so that whoever only looks imports no rules: those are told in
`core/attempt` and `core/payout`, which have them, too.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where an attempt is."""

    SENDING = "sending"
    WAITING = "waiting"
    UNCLEAR = "unclear"
    MOVED = "moved"
    NOT_MOVED = "not_moved"


class Direction(StrEnum):
    """Which way the money goes: a tenant's rent in, an owner's share out, or a tenant's money back."""

    COLLECTION = "collection"
    PAYOUT = "payout"
    REFUND = "refund"


class PaymentStatus(StrEnum):
    """What is known about the tenant's money."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"
    REVERSED = "reversed"


class PayableStatus(StrEnum):
    """How far an owner's share, or another amount owed to or by him, is."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    NOT_REQUIRED = "not_required"


class Way(StrEnum):
    """How a transfer is made: by B2B, by a person in the portal, or not at all, because nothing is left to move."""

    B2B = "b2b"
    PORTAL = "portal"
    NONE = "none"
