"""The simulator's own books: every account and every transfer that really happened.

Nothing here waits, so a transfer is whole or not at all on the one event loop that calls it. Money is in whole
cents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

CENTS = 100

# Upper end of each band in shillings, and what the sender of a B2B transfer pays in shillings. One of several
# tariffs in use; which one applies depends on the short code's charge profile.
B2B_TARIFF = (
    (100, 0),
    (500, 5),
    (1_000, 10),
    (1_500, 15),
    (2_500, 20),
    (3_500, 25),
    (5_000, 34),
    (7_500, 42),
    (10_000, 48),
    (15_000, 57),
    (20_000, 62),
    (25_000, 67),
    (30_000, 72),
    (35_000, 83),
    (40_000, 99),
    (45_000, 103),
)
B2B_TOP_CHARGE = 108


def b2b_charge_cents(amount_cents: int) -> int:
    """What the sender of a B2B transfer is charged on top."""
    for upper, charge in B2B_TARIFF:
        if amount_cents <= upper * CENTS:
            return charge * CENTS
    return B2B_TOP_CHARGE * CENTS


def shillings(cents: int) -> int | float:
    """The amount as a JSON number of shillings: whole when it is whole."""
    whole, rest = divmod(cents, CENTS)
    return cents / CENTS if rest else whole


def plain(cents: int) -> str:
    """The amount as M-Pesa writes it in text: always two decimals."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // CENTS}.{abs(cents) % CENTS:02d}"


@dataclass
class Account:
    """What an organisation holds. Charges accumulate as a negative figure until they are settled."""

    working_cents: int = 0
    utility_cents: int = 0
    charges_cents: int = 0

    def as_json(self) -> dict[str, int | float]:
        """The account as the ledger shows it."""
        return {
            "working": shillings(self.working_cents),
            "utility": shillings(self.utility_cents),
            "charges": shillings(self.charges_cents),
        }


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Money that moved."""

    kind: Literal["stk", "b2b"]
    receipt: str
    sender: str
    receiver: str
    amount_cents: int
    charge_cents: int
    account_reference: str
    conversation_id: str
    originator_conversation_id: str
    at: datetime
    """UTC."""
    balance_after_cents: int
    """The sender's (B2B) or the receiver's (STK) working account, right after."""

    def as_json(self) -> dict[str, object]:
        """The transfer as the ledger shows it."""
        shown: dict[str, object] = {
            "kind": self.kind,
            "receipt": self.receipt,
            "from": self.sender,
            "to": self.receiver,
            "amount": shillings(self.amount_cents),
            "charge": shillings(self.charge_cents),
            "accountReference": self.account_reference,
            "at": self.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if self.kind == "stk":
            shown["checkoutRequestId"] = self.conversation_id
            shown["merchantRequestId"] = self.originator_conversation_id
        else:
            shown["conversationId"] = self.conversation_id
            shown["originatorConversationId"] = self.originator_conversation_id
        return shown


class InsufficientFunds(Exception):
    """The working account holds less than the amount."""


class Books:
    """Accounts by short code, and the transfers in the order they happened."""

    def __init__(self, new_receipt: Callable[[], str], now: Callable[[], datetime]) -> None:
        self.accounts: dict[str, Account] = {}
        self.transfers: list[Transfer] = []
        self._by_receipt: dict[str, Transfer] = {}
        self._new_receipt = new_receipt
        self._now = now

    def open(self, short_code: str) -> Account:
        """The account of a short code, opened empty if it is new."""
        return self.accounts.setdefault(short_code, Account())

    def collect(
        self,
        *,
        phone: str,
        short_code: str,
        amount_cents: int,
        account_reference: str,
        checkout_request_id: str,
        merchant_request_id: str,
    ) -> Transfer:
        """A customer pays a paybill. The money lands in Working, as for a one-account paybill."""
        account = self.open(short_code)
        account.working_cents += amount_cents
        return self._record(
            Transfer(
                kind="stk",
                receipt=self._unused_receipt(),
                sender=phone,
                receiver=short_code,
                amount_cents=amount_cents,
                charge_cents=0,
                account_reference=account_reference,
                conversation_id=checkout_request_id,
                originator_conversation_id=merchant_request_id,
                at=self._now(),
                balance_after_cents=account.working_cents,
            )
        )

    def pay_out(
        self,
        *,
        sender: str,
        receiver: str,
        amount_cents: int,
        account_reference: str,
        conversation_id: str,
        originator_conversation_id: str,
    ) -> Transfer:
        """Move money from the sender's Working to the receiver's Utility; the charge is the sender's.

        Raises InsufficientFunds, having changed nothing, when Working does not hold the amount.
        """
        account = self.open(sender)
        if account.working_cents < amount_cents:
            raise InsufficientFunds
        charge_cents = b2b_charge_cents(amount_cents)
        account.working_cents -= amount_cents
        account.charges_cents -= charge_cents
        self.open(receiver).utility_cents += amount_cents
        return self._record(
            Transfer(
                kind="b2b",
                receipt=self._unused_receipt(),
                sender=sender,
                receiver=receiver,
                amount_cents=amount_cents,
                charge_cents=charge_cents,
                account_reference=account_reference,
                conversation_id=conversation_id,
                originator_conversation_id=originator_conversation_id,
                at=self._now(),
                balance_after_cents=account.working_cents,
            )
        )

    def find(self, receipt: str) -> Transfer | None:
        """The transfer with this receipt."""
        return self._by_receipt.get(receipt)

    def as_json(self) -> dict[str, object]:
        """The whole ledger."""
        return {
            "accounts": {code: account.as_json() for code, account in self.accounts.items()},
            "transfers": [transfer.as_json() for transfer in self.transfers],
        }

    def _record(self, transfer: Transfer) -> Transfer:
        self.transfers.append(transfer)
        self._by_receipt[transfer.receipt] = transfer
        return transfer

    def _unused_receipt(self) -> str:
        receipt = self._new_receipt()
        while receipt in self._by_receipt:
            receipt = self._new_receipt()
        return receipt
