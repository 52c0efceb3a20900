"""What must hold once all is calm: the database compared with M-Pesa's own ledger, as with a statement.

Every property has its own account number and every payment its own amount, so that a transfer tells by itself which
payment it belongs to: the account and the amount of a payout, the reference (RENT12) of a tenant's payment.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import psycopg
from psycopg.rows import dict_row

Row: TypeAlias = dict[str, Any]

_PAYMENTS = """
SELECT p.*, i.receipt, y.status AS disbursement_status, d.receipt AS transaction_id, d.advice, d.mpesa_charge_cents
  FROM payment p LEFT JOIN money_in i ON i.id = p.money_in_id
  LEFT JOIN payable y ON y.payment_id = p.id AND y.kind = 'share'
  LEFT JOIN disbursement d ON d.id =
       (SELECT max(m.disbursement_id) FROM disbursement_member m WHERE m.payable_id = y.id)
 ORDER BY p.id
"""
_ATTEMPTS = """
SELECT a.*, coalesce(a.payment_id, y.payment_id) AS of_payment, y.id AS payable_id,
       coalesce(d.receipt, i.receipt) AS receipt,
       row_number() OVER (PARTITION BY a.direction, coalesce(a.payment_id, y.payment_id) ORDER BY a.id) AS number
  FROM attempt a LEFT JOIN disbursement d ON d.id = a.disbursement_id
  LEFT JOIN disbursement_member m ON m.disbursement_id = d.id
  LEFT JOIN payable y ON y.id = m.payable_id AND y.kind = 'share'
  LEFT JOIN payment p ON p.id = a.payment_id LEFT JOIN money_in i ON i.id = p.money_in_id
 ORDER BY a.id
"""
_JOURNAL = "SELECT id, event, attempt_id, detail FROM journal ORDER BY id"


def rows(database_url: str, sql: str) -> list[Row]:
    """The rows of a query, read past the program on the driver itself."""
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"), timeout=30)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql)]
    url = database_url.replace("postgresql+psycopg://", "postgresql://", 1)
    with psycopg.connect(url, row_factory=dict_row) as server:
        return server.execute(sql.encode()).fetchall()


def payments(database_url: str) -> list[Row]:
    """Every payment, with what is known about its owner's share."""
    return rows(database_url, _PAYMENTS)


def attempts(database_url: str) -> list[Row]:
    """Every attempt in both directions, with the payment that it is about."""
    return rows(database_url, _ATTEMPTS)


@dataclass(frozen=True)
class Statement:
    """Both sides: what rentpay has written down, and what M-Pesa has done."""

    payments: list[Row]
    attempts: list[Row]
    journal: list[Row]
    transfers: list[Row]
    report: Row
    """What `report ledger --json` says."""

    @classmethod
    def read(cls, database_url: str, transfers: list[Row], report: Row) -> Statement:
        """Read everything there is on our side."""
        return cls(payments(database_url), attempts(database_url), rows(database_url, _JOURNAL), transfers, report)

    def violations(self) -> list[str]:
        """Every promise that is broken, in a sentence each."""
        return [f"{rule.__name__}: {words}" for rule in RULES for words in rule(self)]

    @cached_property
    def payouts(self) -> list[Row]:
        return [transfer for transfer in self.transfers if transfer["kind"] == "b2b"]

    @cached_property
    def collections(self) -> list[Row]:
        return [transfer for transfer in self.transfers if transfer["kind"] == "stk"]

    @cached_property
    def payment_by_share(self) -> dict[tuple[str, int], Row]:
        return {(row["owner_account_number"], row["share_cents"]): row for row in self.payments}

    def paid_by(self, payout: Row) -> Row | None:
        """The payment that a transfer to an owner belongs to."""
        return self.payment_by_share.get((payout["accountReference"], cents(payout["amount"])))

    def payouts_of(self, payment: Row) -> list[Row]:
        """What really went to the owner for a payment."""
        return [payout for payout in self.payouts if self.paid_by(payout) is payment]

    def collected_for(self, payment_id: int) -> list[Row]:
        """What really came from the tenant for a payment."""
        return [transfer for transfer in self.collections if transfer["accountReference"] == f"RENT{payment_id}"]


def cents(shillings: float) -> int:
    return round(shillings * 100)


# --- the promises ----------------------------------------------------------------------------------------------------


def no_payment_is_disbursed_twice(s: Statement) -> Iterator[str]:
    for payment in s.payments:
        found = s.payouts_of(payment)
        if len(found) > 1:
            yield f"payment {payment['id']} has {len(found)} transfers: {_receipts(found)}"


def no_payout_leaves_before_the_tenant_has_paid(s: Statement) -> Iterator[str]:
    for payout in s.payouts:
        payment = s.paid_by(payout)
        if payment is None:
            yield f"nobody knows the transfer {payout['receipt']} of {payout['amount']} to {payout['accountReference']}"
        elif not s.collected_for(payment["id"]):
            yield f"payment {payment['id']} was disbursed ({payout['receipt']}) and the tenant has not paid"


def no_owner_gets_more_than_came_in_less_the_fees(s: Statement) -> Iterator[str]:
    due: defaultdict[int, int] = defaultdict(int)
    for payment in s.payments:
        came_in = sum(cents(transfer["amount"]) for transfer in s.collected_for(payment["id"]))
        went_out = sum(cents(transfer["amount"]) for transfer in s.payouts_of(payment))
        due[payment["owner_id"]] += max(0, came_in - payment["fee_cents"]) - went_out
    for owner, rest in due.items():
        if rest < 0:
            yield f"owner {owner} got {-rest / 100:g} too much"


def every_transfer_from_a_tenant_is_known(s: Statement) -> Iterator[str]:
    by_reference = {f"RENT{payment['id']}": payment for payment in s.payments}
    for transfer in s.collections:
        payment = by_reference.get(transfer["accountReference"])
        if payment is None:
            yield f"nobody knows {transfer['receipt']} of {transfer['amount']} for {transfer['accountReference']}"
        elif (payment["status"], payment["receipt"]) != ("success", transfer["receipt"]):
            yield f"{transfer['receipt']} came in for payment {payment['id']}, which is {_shown(payment)}"


def every_payment_agrees_with_mpesa(s: Statement) -> Iterator[str]:
    for payment in s.payments:
        found = s.collected_for(payment["id"])
        if payment["status"] == "success" and not _is_among(found, payment["receipt"], payment["amount_cents"]):
            yield f"payment {payment['id']} is {_shown(payment)}, and M-Pesa has {_receipts(found)}"
        if payment["status"] == "failed" and found:
            yield f"payment {payment['id']} failed, and the tenant has paid: {_receipts(found)}"


def every_disbursement_agrees_with_mpesa(s: Statement) -> Iterator[str]:
    for payment in s.payments:
        found = s.payouts_of(payment)
        status, receipt = payment["disbursement_status"], payment["transaction_id"]
        if status == "completed" and not _is_among(found, receipt, payment["share_cents"]):
            yield f"payment {payment['id']} is disbursed with {receipt}, and M-Pesa has {_receipts(found)}"
        if status in (None, "pending", "failed", "not_required") and found:
            yield f"the disbursement of payment {payment['id']} is {status}, and M-Pesa has {_receipts(found)}"


def every_ended_attempt_agrees_with_mpesa(s: Statement) -> Iterator[str]:
    by_receipt = {transfer["receipt"]: transfer for transfer in s.transfers}
    by_id = {transfer.get("conversationId") or transfer["checkoutRequestId"]: transfer for transfer in s.transfers}
    for attempt in s.attempts:
        what = f"attempt {attempt['number']} ({attempt['direction']}) of payment {attempt['of_payment']}"
        named = by_id.get(attempt["conversation_id"] or attempt["checkout_request_id"])
        if attempt["state"] == "not_moved" and named is not None:
            yield f"{what} is not_moved, and M-Pesa moved {named['receipt']}"
        if attempt["state"] != "moved":
            continue
        moved = by_receipt.get(attempt["receipt"])
        if moved is None or cents(moved["amount"]) != attempt["amount_cents"]:
            yield f"{what} moved with {attempt['receipt']}, which is not what M-Pesa has"
        elif named is not None and named is not moved:
            yield f"{what} has the receipt {moved['receipt']} and the id of {named['receipt']}"


def every_attempt_follows_only_one_that_moved_nothing(s: Statement) -> Iterator[str]:
    """By the journal, where each attempt began and ended: none began while an earlier one could still have moved."""
    ended_at = {
        row["attempt_id"]: row["id"] for row in s.journal if json.loads(row["detail"]).get("after") == "not_moved"
    }
    began_at = {row["attempt_id"]: row["id"] for row in s.journal if row["event"] == "payout intended"}
    by_payable: defaultdict[int, list[Row]] = defaultdict(list)
    for attempt in s.attempts:
        if attempt["payable_id"] is not None:
            by_payable[attempt["payable_id"]].append(attempt)
    for tries in by_payable.values():
        for earlier, later in itertools.pairwise(tries):
            if ended_at.get(earlier["id"], began_at[later["id"]]) >= began_at[later["id"]]:
                yield f"payment {later['of_payment']} was sent again while attempt {earlier['number']} had not ended"
        if sum(attempt["state"] != "not_moved" for attempt in tries) > 1:
            yield f"payment {tries[0]['of_payment']} has several attempts that may have moved money"


def nothing_is_left_open(s: Statement) -> Iterator[str]:
    for attempt in s.attempts:
        if attempt["state"] not in ("moved", "not_moved"):
            yield f"attempt {attempt['number']} of payment {attempt['of_payment']} is still {attempt['state']}"
    for payment in s.payments:
        if payment["status"] == "pending":
            yield f"payment {payment['id']} is still pending"
        if payment["status"] == "success" and payment["disbursement_status"] != "completed":
            words = f"{payment['disbursement_status']} ({payment['advice']})"
            yield f"payment {payment['id']} was paid, and its disbursement is {words}"


def the_books_equal_mpesas(s: Statement) -> Iterator[str]:
    if s.report.get("total") != 0:
        yield f"the trial balance is {s.report}"
        return
    accounts = {line["account"]: line for line in s.report["accounts"]}
    sums = {
        "collected": (accounts["M-Pesa float"]["debit"], _sum(s.collections, "amount")),
        "paid out": (accounts["M-Pesa float"]["credit"], _sum(s.payouts, "amount")),
        "owed to owners": (accounts["Owed to owners"]["debit"], _sum(s.payouts, "amount")),
    }
    if not s.report["disbursementsWithoutCharge"]:
        sums["M-Pesa's charges"] = (accounts["M-Pesa charges"]["debit"], _sum(s.payouts, "charge"))
    for what, (ours, theirs) in sums.items():
        if cents(ours) != cents(theirs):
            yield f"{what} is {ours} in our books and {theirs} in M-Pesa's"


RULES: tuple[Callable[[Statement], Iterable[str]], ...] = (
    no_payment_is_disbursed_twice,
    no_payout_leaves_before_the_tenant_has_paid,
    no_owner_gets_more_than_came_in_less_the_fees,
    every_transfer_from_a_tenant_is_known,
    every_payment_agrees_with_mpesa,
    every_disbursement_agrees_with_mpesa,
    every_ended_attempt_agrees_with_mpesa,
    every_attempt_follows_only_one_that_moved_nothing,
    nothing_is_left_open,
    the_books_equal_mpesas,
)


def what_was_acknowledged_and_lost(database_url: str, markers: Iterable[str], delivered_by_mpesa: int) -> list[str]:
    """Callbacks that were answered with 200 and are not in the inbox."""
    bodies = [bytes(row["body"]) for row in rows(database_url, "SELECT body FROM inbox")]
    everything = b"\n".join(bodies)
    thanked = list(markers)
    lost = [
        f"the callback {marker} was answered with 200 and is lost"
        for marker in thanked
        if marker.encode() not in everything
    ]
    if len(bodies) < delivered_by_mpesa + len(thanked):
        lost.append(
            f"M-Pesa had {delivered_by_mpesa} callbacks answered and we {len(thanked)}, but {len(bodies)} are kept"
        )
    return lost


def _is_among(transfers: list[Row], receipt: str | None, amount_cents: int) -> bool:
    return any(t["receipt"] == receipt and cents(t["amount"]) == amount_cents for t in transfers)


def _receipts(transfers: list[Row]) -> str:
    counted = Counter(str(transfer["receipt"]) for transfer in transfers)
    return ", ".join(sorted(counted)) or "nothing"


def _shown(payment: Row) -> str:
    return f"{payment['status']} with receipt {payment['receipt']}"


def _sum(transfers: list[Row], what: str) -> float:
    return sum(float(transfer[what]) for transfer in transfers)
