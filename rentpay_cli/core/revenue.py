"""What completed disbursements brought: rent, of which a fee is ours, and what M-Pesa took for paying the rest on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Revenue:
    """Sums over completed disbursements, in cents."""

    collected_cents: int
    fee_cents: int
    charge_cents: int
    disbursed_cents: int

    @property
    def net_cents(self) -> int:
        """The fee less M-Pesa's charge."""
        return self.fee_cents - self.charge_cents


def total(parts: Iterable[Revenue]) -> Revenue:
    """All of them together; nothing, if there are none."""
    found = list(parts)
    return Revenue(
        collected_cents=sum(part.collected_cents for part in found),
        fee_cents=sum(part.fee_cents for part in found),
        charge_cents=sum(part.charge_cents for part in found),
        disbursed_cents=sum(part.disbursed_cents for part in found),
    )
