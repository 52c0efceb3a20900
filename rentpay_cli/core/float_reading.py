"""What M-Pesa last said that the working account holds, from which payouts are paid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ReadingSource(StrEnum):
    """What told us what an account holds: the answer to our question, or the result of a payout."""

    QUERY = "query"
    PAYOUT = "payout"


@dataclass(frozen=True, slots=True)
class FloatReading:
    """The available cents at a moment; outdated once the database knows that money has come in since."""

    cents: int
    read_at: datetime
    is_outdated: bool = False

    def falls_short_of(self, cents: int) -> bool:
        """Whether the float is known not to cover the sum: an outdated reading says nothing about that."""
        return not self.is_outdated and self.was_less_than(cents)

    def was_less_than(self, cents: int) -> bool:
        """Whether it would not have covered the sum when it was read."""
        return self.cents < cents
