"""When to ask M-Pesa about an attempt that has gone quiet, and what "no such transaction" proves.

A prompt lives for one to three minutes, and M-Pesa limits how often it may be asked (Daraja, STK query). A payout's
result usually comes within seconds; a status query soon after it could run ahead of M-Pesa's own books. "No such
transaction" (2032, 2033) is proof only while the payout is recent, and only if M-Pesa says so twice, some minutes apart
(Daraja, transaction status).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from rentpay_cli.core.attempt import Direction

_MINUTE = timedelta(minutes=1)
_COLLECTION_LADDER = (1, 2, 3, 5, 10, 30, 60, 180, 720, 1440)
_PAYOUT_LADDER = (5, 15, 25, 45, 90, 180, 360, 720, 1440, 2160, 2880)
"""Minutes after the attempt began; beyond the last rung, once a day."""

NO_RECORD_SPACING = timedelta(minutes=3)
NO_RECORD_AGAIN = timedelta(minutes=5)
"""How soon to ask again after the first "no such transaction": the second one settles it."""
NO_RECORD_PROVES_UNTIL = timedelta(hours=48)


def first_rung(direction: Direction) -> timedelta:
    """How long an attempt must be quiet before it is asked about at all."""
    return _ladder(direction)[0] * _MINUTE


def first_check(direction: Direction, began_at: datetime) -> datetime:
    """When a new attempt is first asked about, if nothing is heard of it."""
    return began_at + first_rung(direction)


def next_check(direction: Direction, began_at: datetime, now: datetime) -> datetime:
    """When to ask again: the next rung of the ladder, and once a day above it."""
    for minutes in _ladder(direction):
        rung = began_at + minutes * _MINUTE
        if rung > now:
            return rung
    return now + timedelta(days=1)


def _ladder(direction: Direction) -> tuple[int, ...]:
    return _COLLECTION_LADDER if direction is Direction.COLLECTION else _PAYOUT_LADDER


@dataclass(frozen=True, slots=True)
class NoRecords:
    """The earlier times at which M-Pesa was asked about an attempt and found nothing."""

    count: int
    last_asked_at: datetime | None


def no_record_counts(earlier: NoRecords, asked_at: datetime) -> bool:
    """Whether one more "no such transaction" is far enough from the last one to count."""
    return earlier.last_asked_at is None or asked_at - earlier.last_asked_at >= NO_RECORD_SPACING


def proves_not_moved(count: int, began_at: datetime, asked_at: datetime) -> bool:
    """Whether so many answers "no such transaction" prove that nothing moved."""
    return count >= 2 and asked_at - began_at <= NO_RECORD_PROVES_UNTIL
