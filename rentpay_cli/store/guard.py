"""The guard's one question: all that decides whether payables may be sent.

It is asked of both sides of the store, in the same words: to send, of rows that are locked; to look, of the reader,
which shows an owner what is his own alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rentpay_cli.core.clock import to_milliseconds
from rentpay_cli.core.codes import FLOAT_TOO_LOW, Advice
from rentpay_cli.core.payout import (
    DisbursementStatus,
    Facts,
    HoldKind,
    PayableKind,
    Refusal,
)
from rentpay_cli.core.statuses import PayableStatus, PaymentStatus, State
from rentpay_cli.core.transfers import Destination
from rentpay_cli.store import predicates
from rentpay_cli.store.readonly import Reader


@dataclass(frozen=True, slots=True)
class Candidate:
    """A payable that may perhaps be sent, and all that decides it."""

    payable_id: int
    owner_id: int
    kind: PayableKind
    amount_cents: int
    destination: Destination | None
    property_id: int | None
    payment_id: int | None
    collected_cents: int
    fee_cents: int
    facts: Facts

    @property
    def is_share(self) -> bool:
        return self.kind is PayableKind.SHARE


_TOO_LOW = ",".join(f"'{code}'" for code in FLOAT_TOO_LOW)
_NEVER = 2**62


def candidates_query(payables: str) -> str:
    """The question about the payables that stand in this list."""
    return f"""
    SELECT y.id, y.owner_id, y.kind, y.amount_cents, y.paybill, y.account_number, y.property_id, y.payment_id,
           coalesce(p.amount_cents, 0) AS collected_cents, coalesce(p.fee_cents, 0) AS fee_cents,
           y.status, coalesce(p.status, 'success') AS payment_status,
           EXISTS (SELECT 1 FROM payable e WHERE e.payment_id = p.id AND e.kind IN ('reversal','reallocated'))
               AS is_taken_back,
           {predicates.IS_STOPPED} AS is_stopped,
           (SELECT t.status FROM disbursement_member m JOIN disbursement t ON t.id = m.disbursement_id
             WHERE m.payable_id = y.id AND m.live = 1) AS live,
           (SELECT a.state FROM disbursement_member m JOIN attempt a ON a.disbursement_id = m.disbursement_id
             WHERE m.payable_id = y.id AND (m.live = 1 OR a.state <> 'moved')
             ORDER BY CASE a.state WHEN 'moved' THEN 0 WHEN 'unclear' THEN 1 WHEN 'not_moved' THEN 3 ELSE 2 END LIMIT 1)
               AS attempt,
           {predicates.IS_CONTRADICTED} OR {predicates.IS_REFUND_CONTRADICTED} AS is_contradicted,
           {predicates.IS_REFUND_UNDER_WAY} AS is_refund_under_way,
           {predicates.HAS_RECEIPT} AS has_receipt, {predicates.IS_PROVED} AS is_proved,
           (SELECT kind FROM ({predicates.HOLDS}) AS holds
             ORDER BY CASE kind WHEN 'evidence' THEN 0 ELSE 1 END, id LIMIT 1) AS hold,
           CASE WHEN y.paybill = :own THEN 'own_paybill'
                WHEN {predicates.IS_DESTINATION_WAITING} THEN 'destination_waiting'
                WHEN :must_be_known = 1 AND NOT {predicates.IS_DESTINATION_KNOWN} THEN 'destination_not_confirmed' END
               AS destination,
           {predicates.LAST_ADVICE} AS advice, y.payable_from <= :now AS is_payable,
           EXISTS (SELECT 1 FROM attempt WHERE direction = 'payout' AND state = 'not_moved'
                      AND code IN ({_TOO_LOW}) AND created_at >= :since) AS float_ran_out
      FROM payable y
      LEFT JOIN payment p ON p.id = y.payment_id AND y.kind = 'share'
      LEFT JOIN money_in i ON i.id = p.money_in_id
     WHERE y.id IN {payables} ORDER BY y.id
    """


def values(now: datetime, since: datetime | None, *, own: str, must_be_known: bool) -> dict[str, Any]:
    """What the question is asked with; see `payables.candidates`."""
    return {
        "now": to_milliseconds(now),
        "since": _NEVER if since is None else to_milliseconds(since),
        "own": own,
        "must_be_known": int(must_be_known),
    }


def candidate(row: Mapping[Any, Any]) -> Candidate:
    """A row of the answer."""
    return Candidate(
        row["id"],
        row["owner_id"],
        PayableKind(row["kind"]),
        row["amount_cents"],
        (row["paybill"], row["account_number"]) if row["paybill"] is not None else None,
        row["property_id"],
        row["payment_id"],
        row["collected_cents"],
        row["fee_cents"],
        Facts(
            status=PayableStatus(row["status"]),
            payment_status=PaymentStatus(row["payment_status"]),
            is_taken_back=bool(row["is_taken_back"]),
            is_stopped=bool(row["is_stopped"]),
            live=DisbursementStatus(row["live"]) if row["live"] else None,
            attempt=State(row["attempt"]) if row["attempt"] else None,
            is_contradicted=bool(row["is_contradicted"]),
            is_refund_under_way=bool(row["is_refund_under_way"]),
            has_receipt=bool(row["has_receipt"]),
            is_proved=bool(row["is_proved"]),
            hold=HoldKind(row["hold"]) if row["hold"] else None,
            destination=Refusal(row["destination"]) if row["destination"] else None,
            advice=Advice(row["advice"]) if row["advice"] else None,
            is_payable=bool(row["is_payable"]),
            float_ran_out=bool(row["float_ran_out"]),
        ),
    )


HOLD_REASON = f"""
    SELECT h.reason FROM payable y JOIN hold h ON h.id = (SELECT id FROM ({predicates.HOLDS}) AS holds
             ORDER BY CASE kind WHEN 'evidence' THEN 0 ELSE 1 END, id LIMIT 1)
     WHERE y.id = :payable
"""
"""Why the payable is held, by the hold that the question finds."""


def share_with_debts(reader: Reader, payable_id: int, owner_id: int, now: datetime, *, own: str) -> list[Candidate]:
    """A share and what its owner owes, as they are now; nothing is locked by looking."""
    of_owner = f"SELECT y.id FROM payable y WHERE {predicates.FREE} AND y.owner_id = :owner AND y.amount_cents < 0"
    debts = [row["id"] for row in reader.rows(of_owner, owner=owner_id)]
    numbers = ",".join(str(int(number)) for number in (payable_id, *debts))
    asked = values(now, None, own=own, must_be_known=False)
    return [candidate(row) for row in reader.rows(candidates_query(f"({numbers})"), **asked)]


def hold_reason(reader: Reader, payable_id: int, now: datetime) -> str | None:
    """Why the payable is held, if it is."""
    row = reader.one(HOLD_REASON, payable=payable_id, now=to_milliseconds(now))
    return None if row is None else str(row["reason"])
