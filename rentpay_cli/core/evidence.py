"""Everything that can become known about an attempt.

An attempt is one request to M-Pesa to move money. Replies, callbacks, queries and rulings are all read into one of
these values, and all of them pass through `flows.learn`. Trouble at M-Pesa is a value here, not an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias


class Source(StrEnum):
    """How something became known."""

    REPLY = "reply"
    CALLBACK = "callback"
    QUERY = "query"
    TIME = "time"
    RULING = "ruling"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """M-Pesa accepted the request: it says nothing about whether money moves (`ResponseCode` "0")."""

    conversation_id: str | None = None
    originator_conversation_id: str | None = None
    checkout_request_id: str | None = None
    merchant_request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The request certainly did not reach M-Pesa's core: no connection, or the gateway said no."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The request may have reached M-Pesa and may have moved money: we cannot know.

    With `slow_down` M-Pesa said that too many requests come, or that it is busy.
    """

    reason: str
    slow_down: bool = False


@dataclass(frozen=True, slots=True)
class Overdue:
    """Too long without news, or M-Pesa's queue gave up on it: we cannot know."""

    reason: str


@dataclass(frozen=True, slots=True)
class Moved:
    """Money moved. `amount_cents` and `receipt` are what M-Pesa reports, where it does."""

    receipt: str | None
    amount_cents: int | None
    moved_at: datetime | None = None
    charge_cents: int | None = None
    receiver_name: str | None = None


@dataclass(frozen=True, slots=True)
class NotMoved:
    """M-Pesa finished with the request and moved nothing."""

    code: str
    text: str


Evidence: TypeAlias = Acknowledged | Refused | Unanswered | Overdue | Moved | NotMoved
