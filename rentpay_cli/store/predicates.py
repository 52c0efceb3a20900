"""Conditions that the writing and the reading side of the store share, as SQL.

`y` is a payable, `p` the payment whose share it is, `i` the money of that payment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rentpay_cli.core.findings import CONTRARY
from rentpay_cli.core.phone import parse_phone

OPEN = "y.status IN ('pending','failed','processing')"
"""Not settled; written as in the partial index, or else all payables are read."""
FREE = f"{OPEN} AND y.status <> 'processing'"
"""Neither settled nor on its way."""
OWED = "(p.id IS NULL OR p.status = 'success')"
"""Not the share of rent that was given back."""

_LAST = """(SELECT {column} FROM disbursement_member m JOIN disbursement t ON t.id = m.disbursement_id
    WHERE m.payable_id = y.id AND t.status NOT IN ('proposed','cancelled') ORDER BY m.disbursement_id DESC LIMIT 1)"""
LAST_TRANSFER = _LAST.format(column="t.id")
"""The newest transfer of a payable that was sent or settled."""
LAST_ADVICE = _LAST.format(column="t.advice")

_HELD_NOW = "h.ended_at IS NULL AND (h.until IS NULL OR h.until > :now)"
HOLDS = f"""
    SELECT h.kind, h.id FROM hold h WHERE h.payable_id = y.id AND {_HELD_NOW}
    UNION ALL SELECT h.kind, h.id FROM hold h WHERE h.property_id = y.property_id AND {_HELD_NOW}
    UNION ALL SELECT h.kind, h.id FROM hold h WHERE h.owner_id = y.owner_id AND {_HELD_NOW}
"""
"""The holds in force at the moment `now`, of the payable itself, its property and its owner."""
IS_HELD = f"EXISTS ({HOLDS})"
IS_STOPPED = """EXISTS (SELECT 1 FROM payout_stop s WHERE s.in_force = 1
    AND (s.owner_id IS NULL OR s.owner_id = y.owner_id))"""

_CONTRARY = ",".join(f"'{kind}'" for kind in CONTRARY)
_IS_CONTRARY = f"f.kind IN ({_CONTRARY}) AND f.closed_at IS NULL"
_EARLIER = """FROM disbursement_member m JOIN attempt a ON a.disbursement_id = m.disbursement_id
    WHERE m.payable_id = y.id"""
IS_CONTRADICTED = f"""(
    EXISTS (SELECT 1 {_EARLIER} AND EXISTS (SELECT 1 FROM finding f
        WHERE f.attempt_id = a.id AND {_IS_CONTRARY}))
    OR EXISTS (SELECT 1 {_EARLIER} AND EXISTS (SELECT 1 FROM inbox b
        WHERE b.token_sha256 = a.token_sha256 AND b.state IN ('new','held')))
    OR EXISTS (SELECT 1 {_EARLIER} AND EXISTS (SELECT 1 FROM enquiry q JOIN inbox b ON b.token_sha256 = q.token_sha256
        WHERE q.attempt_id = a.id AND b.state IN ('new','held'))))"""
"""Something about an earlier transfer of the payable is contrary, not read yet, or held."""

IS_DESTINATION_WAITING = """(
    EXISTS (SELECT 1 FROM destination_change c
             WHERE c.payable_id = y.id AND c.state = 'held' AND c.paybill IS NOT NULL)
    OR EXISTS (SELECT 1 FROM destination_change c
                WHERE c.property_id = y.property_id AND c.state = 'held' AND c.paybill IS NOT NULL))"""
IS_DESTINATION_KNOWN = """(y.paybill IS NULL OR EXISTS (SELECT 1 FROM known_destination k
    WHERE k.paybill = y.paybill AND k.account_number = y.account_number))"""

_REFUNDS = "FROM refund r WHERE r.money_in_id = p.money_in_id"
IS_REFUND_UNDER_WAY = f"EXISTS (SELECT 1 {_REFUNDS} AND r.status IN ('proposed','processing'))"
IS_REFUND_CONTRADICTED = f"""EXISTS (SELECT 1 {_REFUNDS} AND EXISTS (SELECT 1 FROM attempt a WHERE a.refund_id = r.id
    AND (EXISTS (SELECT 1 FROM finding f WHERE f.attempt_id = a.id AND {_IS_CONTRARY})
        OR EXISTS (SELECT 1 FROM inbox b WHERE b.token_sha256 = a.token_sha256 AND b.state IN ('new','held')))))"""

HAS_RECEIPT = "(i.id IS NULL OR i.way NOT IN ('stk','paybill') OR i.receipt IS NOT NULL)"
IS_PROVED = """(i.id IS NULL OR i.proved_at IS NOT NULL
    OR NOT (i.way = 'paybill' OR (i.received_by = 'platform' AND i.way NOT IN ('stk','paybill'))))"""
"""A prompt proves itself; of other money somebody must say, or M-Pesa must show, that it is there."""


_OF_PAYMENT = "{sign}1 AS payments, {sign}p.amount_cents AS collected_cents, {sign}p.fee_cents AS fee_cents"
_IS_PLATFORMS = "EXISTS (SELECT 1 FROM money_in i WHERE i.id = p.money_in_id AND i.received_by = 'platform')"
EARNED_BESIDES = (
    f"""
    SELECT p.owner_id, p.property_id, y.booked_day AS day, {_OF_PAYMENT.format(sign="")}
      FROM payable y JOIN payment p ON p.id = y.payment_id
     WHERE y.kind = 'share' AND y.amount_cents = 0 AND y.id > 0 AND {_IS_PLATFORMS}
    """,
    f"""
    SELECT p.owner_id, p.property_id, y.booked_day AS day, {_OF_PAYMENT.format(sign="-")}
      FROM payable y JOIN payment p ON p.id = y.payment_id WHERE y.kind IN ('reversal','reallocated')
    """,
    f"""
    SELECT p.owner_id, p.property_id, d.completed_day AS day, {_OF_PAYMENT.format(sign="")}
      FROM payable y JOIN payment p ON p.id = y.payment_id
      JOIN disbursement_member m ON m.payable_id = y.id AND m.live = 1 JOIN disbursement d ON d.id = m.disbursement_id
     WHERE y.kind = 'fee_collected_by_owner' AND y.status = 'completed'
    """,
    f"""
    SELECT p.owner_id, p.property_id, p.reversed_day AS day, {_OF_PAYMENT.format(sign="-")}
      FROM payment p WHERE p.status = 'reversed' AND p.share_cents = 0 AND {_IS_PLATFORMS}
    """,
)
"""What was earned, or taken back, by other than a transfer: as the triggers of `migrations/totals.py` sum it up.

That a number is more than 0 lets SQLite take the index of the shares of nothing instead of that of all shares.
"""


_OF_TRANSFERS = """
    SELECT completed_day AS day, CASE status WHEN 'completed' THEN 1 ELSE 0 END AS disbursements,
           payment_count AS payments, collected_cents, fee_cents, amount_cents,
           coalesce(mpesa_charge_cents, 0) AS charge_cents,
           CASE WHEN status = 'completed' AND mpesa_charge_cents IS NULL THEN 1 ELSE 0 END AS charges_not_told
      FROM disbursement WHERE status IN ('completed','settled')
"""
_BESIDES = "".join(
    f" UNION ALL SELECT day, 0, payments, collected_cents, fee_cents, 0, 0, 0 FROM ({each}) AS besides"
    for each in EARNED_BESIDES
)
EARNED_BY_DAY = f"""
    SELECT day, sum(disbursements) AS disbursements, sum(payments) AS payments,
           sum(collected_cents) AS collected_cents, sum(fee_cents) AS fee_cents, sum(amount_cents) AS amount_cents,
           sum(charge_cents) AS charge_cents, sum(charges_not_told) AS charges_not_told
      FROM ({_OF_TRANSFERS} {_BESIDES}) AS earned GROUP BY day
"""
"""What `revenue_day` keeps, from what it is made of."""
_SUMS_OF_A_DAY = (
    *("disbursements", "payments", "collected_cents", "fee_cents", "amount_cents", "charge_cents", "charges_not_told"),
)
DAYS_THAT_DIFFER = f"""
    SELECT day FROM (SELECT day, {", ".join(_SUMS_OF_A_DAY)} FROM revenue_day
                      UNION ALL SELECT day, {", ".join(f"-{each}" for each in _SUMS_OF_A_DAY)}
                                  FROM ({EARNED_BY_DAY}) AS by_day) AS kept_less_earned
     GROUP BY day HAVING {" OR ".join(f"sum({each}) <> 0" for each in _SUMS_OF_A_DAY)}
"""
"""The days whose kept sums are not those of what they are made of."""


def who_is_meant(kind: str, reference: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Conditions on the table of owners, properties or tenants, with their values: the first that finds one counts.

    A number comes before a name in any case, and that before a tenant's phone number, in any way of writing it.
    """
    text = reference.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        yield f"{kind}.id = :meant", {"meant": int(text)}
    yield f"lower({kind}.name) = lower(:meant)", {"meant": text}
    if kind == "tenant":
        try:
            yield "tenant.phone = :meant", {"meant": parse_phone(text)}
        except ValueError:  # it is no phone number
            return
