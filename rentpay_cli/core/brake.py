"""How many payouts are on the wire at once, at what pace they leave, and when they slow down or stop by themselves.

M-Pesa publishes no limits, and answers who asks too much with an error that proves nothing about the money: each such
answer is a transfer that nobody can be asked about. Wrong credentials are told by the result alone, which comes later
than the answer. So a run begins with one request and doubles with each answer; where nothing has shown lately that
payouts go through, one goes first as a trial, and its result is awaited; and the first sign that repeating does harm
ends the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rentpay_cli.core.clock import from_milliseconds, to_milliseconds

MOST_AT_ONCE = 16
MOST_UNANSWERED = 3
TRIAL_SECONDS = 60
TRUST = timedelta(minutes=15)
"""For how long one success shows that payouts go through."""
PAUSE = timedelta(minutes=5)
MOST_BRAKES = 3


class End(StrEnum):
    """Why a run ended before all was sent; the value is the code that scripts see."""

    SLOW_DOWN = "slow_down"
    UNANSWERED = "mpesa_unanswered"
    NO_RESULT = "no_results"
    TRIAL_FAILED = "trial_failed"
    FLOAT_RAN_OUT = "float_ran_out"
    STOPPED = "payouts_stopped"


WORDS = {
    End.SLOW_DOWN: "M-Pesa asked for fewer requests",
    End.UNANSWERED: f"M-Pesa left {MOST_UNANSWERED} payouts of this run without an answer",
    End.NO_RESULT: "the first payout was accepted, and no result of it has come: is `rentpay serve-callbacks` running?",
    End.TRIAL_FAILED: "the first payout failed, and the cause is not its receiver",
    End.FLOAT_RAN_OUT: "the float ran out during the run",
    End.STOPPED: "all payouts were stopped during the run",
}

BRAKING = frozenset({End.SLOW_DOWN, End.UNANSWERED, End.NO_RESULT, End.TRIAL_FAILED, End.FLOAT_RAN_OUT})
"""After these no run begins by itself for a while."""
STOPPING = frozenset({End.SLOW_DOWN, End.UNANSWERED})
"""Of these, as many as `MOST_BRAKES` one after the other stop all payouts until a person has looked."""


@dataclass(frozen=True, slots=True)
class Brake:
    """How often runs were braked without a success in between, when for the last time, and why."""

    times: int = 0
    at: datetime | None = None
    end: End | None = None

    @property
    def until(self) -> datetime | None:
        """Until when no run begins by itself: for five minutes, and twice as long with each time that counts."""
        return None if self.at is None else self.at + PAUSE * 2 ** max(0, self.times - 1)

    def is_on(self, now: datetime) -> bool:
        """Whether no run may begin by itself yet; a clock that was far ahead, and was set back, does not prolong it."""
        return self.at is not None and self.until is not None and abs(now - self.at) < self.until - self.at

    def again(self, now: datetime, end: End) -> Brake:
        """The brake after one more run was braked by this end."""
        return Brake(self.times + 1 if end in STOPPING else self.times, now, end)

    @classmethod
    def read(cls, text: str | None) -> Brake:
        """The brake that was written so, or none."""
        if text is None:
            return cls()
        times, at, end = text.split()
        return cls(int(times), from_milliseconds(int(at)), End(end))

    def written(self) -> str:
        """The brake as the database keeps it."""
        assert self.at is not None  # what is written was braked
        assert self.end is not None
        return f"{self.times} {to_milliseconds(self.at)} {self.end.value}"


@dataclass(slots=True)
class Pace:
    """How many payouts may leave in a minute, evenly; None for as many as there are.

    It is a bucket that fills evenly and holds a second's worth, or one at the least.
    """

    per_minute: int | None
    left: float = 1.0
    seen_at: datetime | None = None

    def delay_seconds(self, now: datetime) -> float:
        """How long the next one has to wait; no clock that is set back makes that longer than one takes to come."""
        if self.per_minute is None:
            return 0.0
        passed_seconds = max(0.0, (now - self.seen_at).total_seconds()) if self.seen_at else 0.0
        self.left = min(max(1.0, self.per_minute / 60), self.left + passed_seconds * self.per_minute / 60)
        self.seen_at = now
        return 0.0 if self.left >= 1 else (1 - self.left) * 60 / self.per_minute

    def take(self) -> None:
        """One leaves."""
        self.left -= 1
