"""The books: double entry, derived from facts and stored nowhere.

Money that the platform received is unallocated until a payment says what it is for: our fee, the VAT on it, the owner's
share, and what is neither. A transfer to an owner takes what is owed to him out of the float, and M-Pesa charges us for
it beside. An entry for or against an owner is owed to or by him, and has an account on its other side.

Each fact has one posting, and what has none is as much a part of the table: rent that the owner received moved none of
our money; what a transfer carries on stays owed; what was paid in error was posted by the transfer that paid it, and
stands against the owner until it is recovered; an entry that takes back a share was posted by its payment, which is
reversed. So the account of each owner is what he is owed, always.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from rentpay_cli.core.collect import ReceivedBy
from rentpay_cli.core.payout import DisbursementStatus, PayableKind, PayableStatus, PaymentStatus, Reversed


class Account(StrEnum):
    """The accounts of the platform's books."""

    UTILITY = "M-Pesa utility"
    """Where rent lands."""
    WORKING = "M-Pesa working"
    """From which owners are paid; what is moved to it from where rent lands is on M-Pesa's statement alone."""
    CHARGES_PAID = "M-Pesa charges account"
    CASH = "Cash and bank"
    UNALLOCATED = "Unallocated money"
    OWNERS = "Owed to owners"
    DEPOSITS = "Deposits held"
    FEES = "Platform fees earned"
    VAT_DUE = "VAT due"
    CHARGES = "M-Pesa charges"
    OWNER_DEBITS = "Owner debits"
    TAX_WITHHELD = "Tax withheld"
    OPENING = "Opening balances"


FLOAT = "M-Pesa float"
FLOAT_ACCOUNTS = (Account.UTILITY, Account.WORKING)
"""What M-Pesa holds for us, which is one account in what scripts and people see."""


class Fact(StrEnum):
    """What happened to money, or to what is owed; entries for or against an owner are named after their kinds."""

    CAME_BY_MPESA = "came_by_mpesa"
    CAME_OTHERWISE = "came_otherwise"
    WENT_BACK_BY_MPESA = "went_back_by_mpesa"
    WENT_BACK_OTHERWISE = "went_back_otherwise"
    FEE = "fee"
    VAT = "vat"
    SHARE = "share"
    OTHER = "other"
    TRANSFER = "transfer"
    CHARGE = "charge"
    FEE_COLLECTED_BY_OWNER = PayableKind.FEE_COLLECTED_BY_OWNER.value
    VAT_COLLECTED_BY_OWNER = "vat_collected_by_owner"
    RETURNED = PayableKind.RETURNED.value
    DEPOSIT = PayableKind.DEPOSIT.value
    MPESA_CHARGE = PayableKind.MPESA_CHARGE.value
    REPAIR = PayableKind.REPAIR.value
    CORRECTION = PayableKind.CORRECTION.value
    OPENING = PayableKind.OPENING.value
    TAX = PayableKind.TAX.value


ACCOUNTS: Mapping[Fact, tuple[Account, Account]] = {
    Fact.CAME_BY_MPESA: (Account.UTILITY, Account.UNALLOCATED),
    Fact.CAME_OTHERWISE: (Account.CASH, Account.UNALLOCATED),
    Fact.WENT_BACK_BY_MPESA: (Account.UNALLOCATED, Account.UTILITY),
    Fact.WENT_BACK_OTHERWISE: (Account.UNALLOCATED, Account.CASH),
    # What a payment is for; one that is reversed posts the same turned round.
    Fact.FEE: (Account.UNALLOCATED, Account.FEES),
    Fact.VAT: (Account.UNALLOCATED, Account.VAT_DUE),
    Fact.SHARE: (Account.UNALLOCATED, Account.OWNERS),
    Fact.OTHER: (Account.UNALLOCATED, Account.DEPOSITS),
    Fact.TRANSFER: (Account.OWNERS, Account.WORKING),
    Fact.CHARGE: (Account.CHARGES, Account.CHARGES_PAID),
    # Entries, as they are for the owner; one that is against him posts the same turned round.
    Fact.FEE_COLLECTED_BY_OWNER: (Account.FEES, Account.OWNERS),
    Fact.VAT_COLLECTED_BY_OWNER: (Account.VAT_DUE, Account.OWNERS),
    Fact.RETURNED: (Account.WORKING, Account.OWNERS),
    Fact.DEPOSIT: (Account.DEPOSITS, Account.OWNERS),
    Fact.MPESA_CHARGE: (Account.CHARGES, Account.OWNERS),
    Fact.REPAIR: (Account.OWNER_DEBITS, Account.OWNERS),
    Fact.CORRECTION: (Account.OWNER_DEBITS, Account.OWNERS),
    Fact.TAX: (Account.TAX_WITHHELD, Account.OWNERS),
    Fact.OPENING: (Account.OPENING, Account.OWNERS),
}
"""The account that a fact debits, and the one that it credits."""

WITHOUT_POSTING = (
    PayableKind.REVERSAL,
    PayableKind.REALLOCATED,
    PayableKind.PAID_IN_ERROR,
    PayableKind.TO_RECOVER,
    PayableKind.CARRIED,
)
"""Entries that say again what another fact has posted."""
ENTRIES = tuple(kind for kind in PayableKind if kind is not PayableKind.SHARE and kind not in WITHOUT_POSTING)
"""Kinds of payables that are facts of their own; a share is a fact of its payment."""

MPESA_WAYS = ("stk", "paybill")
MPESA_METHODS = ("mpesa", "paybill")
"""How M-Pesa brings money, in the words of the money and of its payment: it is always the platform that received it."""


# --- postings --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Posting:
    """An amount that one account gets and another one gives, in cents."""

    debit: Account
    credit: Account
    cents: int


def posting(fact: Fact, cents: int) -> Posting:
    """What a fact posts; a negative one posts the same turned round."""
    debit, credit = ACCOUNTS[fact]
    return Posting(debit, credit, cents) if cents >= 0 else Posting(credit, debit, -cents)


@dataclass(frozen=True, slots=True)
class Line:
    """An account with its debits and credits, in cents."""

    account: str
    debit_cents: int
    credit_cents: int

    @property
    def balance_cents(self) -> int:
        """Debits less credits."""
        return self.debit_cents - self.credit_cents


@dataclass(frozen=True, slots=True)
class Books:
    """All postings, and what two of the accounts must hold by the rows that say what is left: `left_cents`."""

    postings: tuple[Posting, ...]
    left_cents: Mapping[Account, int]

    def line(self, account: Account) -> Line:
        """An account with all that it got and gave."""
        return Line(
            account.value,
            sum(each.cents for each in self.postings if each.debit is account),
            sum(each.cents for each in self.postings if each.credit is account),
        )

    @property
    def lines(self) -> tuple[Line, ...]:
        """Every account."""
        return tuple(map(self.line, Account))

    @property
    def float_line(self) -> Line:
        """What M-Pesa holds for us, in whichever of its accounts; what went from one to the other is not in it."""
        parts = [self.line(account) for account in FLOAT_ACCOUNTS]
        return Line(FLOAT, sum(each.debit_cents for each in parts), sum(each.credit_cents for each in parts))

    @property
    def total_cents(self) -> int:
        """Debits less credits of everything: nothing, always."""
        return sum(line.balance_cents for line in self.lines)

    def differences(self) -> list[tuple[Account, int, int]]:
        """The accounts that do not hold what is left, each with its cents by the postings and by what is left."""
        found = [(account, -self.line(account).balance_cents, cents) for account, cents in self.left_cents.items()]
        return [each for each in found if each[1] != each[2]]


def books(facts: Iterable[tuple[Fact, int]], left_cents: Mapping[Account, int]) -> Books:
    """The books of facts; those of one kind may come added up, if not with those of the other sign."""
    return Books(tuple(posting(fact, cents) for fact, cents in facts), left_cents)


# --- facts of rows ---------------------------------------------------------------------------------------------------

Row: TypeAlias = Mapping[str, Any]
Find: TypeAlias = Callable[[str, int], Row]
"""The row of a table with this number."""


def facts_of(table: str, row: Row, find: Find) -> Iterator[tuple[Fact, int]]:
    """What a row of a table is for the books, in cents; `find` gives the rows that it refers to."""
    match table:
        case "money_in":
            yield from _of_money(row)
        case "payment":
            yield from _of_payment(row, find)
        case "payable":
            yield from _of_payable(row, find)
        case "disbursement" if row["status"] == DisbursementStatus.COMPLETED:
            yield Fact.TRANSFER, row["amount_cents"]
            yield Fact.CHARGE, row.get("mpesa_charge_cents") or 0


def _of_money(money: Row) -> Iterator[tuple[Fact, int]]:
    if money["received_by"] != ReceivedBy.PLATFORM:
        return
    is_mpesa = money["way"] in MPESA_WAYS
    yield Fact.CAME_BY_MPESA if is_mpesa else Fact.CAME_OTHERWISE, money["amount_cents"]
    if money.get("returned_at") is not None:
        yield Fact.WENT_BACK_BY_MPESA if is_mpesa else Fact.WENT_BACK_OTHERWISE, money["amount_cents"]


PARTS = (Fact.FEE, Fact.VAT, Fact.SHARE, Fact.OTHER)
"""What a payment is for: each has a column of its name."""


def _of_payment(payment: Row, find: Find) -> Iterator[tuple[Fact, int]]:
    is_reversed = payment["status"] == PaymentStatus.REVERSED
    if not (is_reversed or payment["status"] == PaymentStatus.SUCCESS) or not is_platforms(payment, find):
        return
    for part in PARTS:
        yield part, payment[f"{part}_cents"]
        if is_reversed:
            yield part, -payment[f"{part}_cents"]


def is_platforms(payment: Row, find: Find) -> bool:
    """Whether the platform received the money of a payment that has some."""
    if payment["method"] in MPESA_METHODS:
        return True
    return bool(find("money_in", payment["money_in_id"]).get("received_by") == ReceivedBy.PLATFORM)


def _of_payable(payable: Row, find: Find) -> Iterator[tuple[Fact, int]]:
    kind, cents = PayableKind(payable["kind"]), payable["amount_cents"]
    if kind not in ENTRIES or payable["status"] == PayableStatus.NOT_REQUIRED:
        return
    payment = find("payment", payable["payment_id"]) if payable.get("payment_id") is not None else {}
    gives_fee_back = (
        kind is PayableKind.CORRECTION
        and payment.get("reversed_because") == Reversed.UNDO
        and not is_platforms(payment, find)
    )
    if kind is PayableKind.FEE_COLLECTED_BY_OWNER or gives_fee_back:
        vat_cents = payment["vat_cents"] if cents > 0 else -payment["vat_cents"]
        yield Fact.FEE_COLLECTED_BY_OWNER, cents - vat_cents
        yield Fact.VAT_COLLECTED_BY_OWNER, vat_cents
    else:
        yield Fact(kind.value), cents
