"""The books: double entry, derived from settled facts and stored nowhere.

A tenant's payment that succeeded puts money into the float, most of it owed to the owner, the rest ours. A disbursement
that completed takes the owner's share out of the float, and M-Pesa charges us for it beside. Rent that was paid outside
M-Pesa moved none of the platform's money and has no posting.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Account(StrEnum):
    """The accounts of the platform's books."""

    FLOAT = "M-Pesa float"
    CHARGES_PAID = "M-Pesa charges account"
    OWNERS = "Owed to owners"
    FEES = "Platform fees earned"
    CHARGES = "M-Pesa charges"


@dataclass(frozen=True, slots=True)
class Facts:
    """Sums over settled facts, in cents."""

    collected_cents: int
    fee_cents: int
    share_cents: int
    paid_out_cents: int
    charge_cents: int


@dataclass(frozen=True, slots=True)
class Line:
    """An account with its debits and credits, in cents."""

    account: Account
    debit_cents: int
    credit_cents: int

    @property
    def balance_cents(self) -> int:
        """Debits less credits."""
        return self.debit_cents - self.credit_cents


def trial_balance(facts: Facts) -> tuple[Line, ...]:
    """What every account took and gave; the debits equal the credits, always."""
    return (
        Line(Account.FLOAT, facts.collected_cents, facts.paid_out_cents),
        Line(Account.CHARGES_PAID, 0, facts.charge_cents),
        Line(Account.OWNERS, facts.paid_out_cents, facts.share_cents),
        Line(Account.FEES, 0, facts.fee_cents),
        Line(Account.CHARGES, facts.charge_cents, 0),
    )


def out_of_balance_cents(lines: tuple[Line, ...]) -> int:
    """By how much the debits exceed the credits: nothing, unless the facts contradict each other."""
    return sum(line.balance_cents for line in lines)
