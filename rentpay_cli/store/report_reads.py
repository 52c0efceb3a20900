"""Rows of the reports, counted and summed by the database; the same SQL on both databases."""

from __future__ import annotations

from rentpay_cli.store import predicates
from rentpay_cli.store.readonly import Reader, Row, where_all

_SUMS = """
    sum({payments}) AS payments, sum(collected_cents) AS collected_cents, sum(fee_cents) AS fee_cents,
    sum(amount_cents) AS disbursed_cents, coalesce(sum(charge_cents), 0) AS charge_cents
"""
_REVENUE_OF_DAYS = {
    "day": f"SELECT day AS key, {_SUMS.format(payments='payments')} FROM revenue_day",
    "month": f"SELECT day / 100 AS key, {_SUMS.format(payments='payments')} FROM revenue_day",
}
"""Read from the sums that the database keeps for each day (`migrations/totals.py`)."""
_TRANSFERS = """
    SELECT d.owner_id, NULL AS property_id, d.completed_day AS day, d.payment_count AS payments, d.collected_cents,
           d.fee_cents, d.amount_cents, coalesce(d.mpesa_charge_cents, 0) AS charge_cents
      FROM disbursement d WHERE d.status IN ('completed','settled')
"""
_SHARES = """
    SELECT p.owner_id, p.property_id, d.completed_day AS day, 1 AS payments, p.amount_cents AS collected_cents,
           p.fee_cents, y.amount_cents, CASE WHEN y.id = (SELECT min(f.payable_id)
               FROM disbursement_member f JOIN payable s ON s.id = f.payable_id
               WHERE f.disbursement_id = d.id AND f.live = 1 AND s.kind = 'share')
           THEN coalesce(d.mpesa_charge_cents, 0) ELSE 0 END AS charge_cents
      FROM disbursement d JOIN disbursement_member m ON m.disbursement_id = d.id AND m.live = 1
      JOIN payable y ON y.id = m.payable_id AND y.kind = 'share' JOIN payment p ON p.id = y.payment_id
     WHERE d.status IN ('completed','settled')
"""
_BESIDES = "".join(
    f" UNION ALL SELECT owner_id, property_id, day, payments, collected_cents, fee_cents, 0, 0 FROM ({each}) AS besides"
    for each in predicates.EARNED_BESIDES
)
_REVENUE = {
    "owner": f"""
        SELECT o.name AS key, {_SUMS.format(payments="payments")}
          FROM ({_TRANSFERS} {_BESIDES}) AS e JOIN owner o ON o.id = e.owner_id
    """,
    "property": f"""
        SELECT max(pr.name) AS key, {_SUMS.format(payments="payments")}
          FROM ({_SHARES} {_BESIDES}) AS e JOIN property pr ON pr.id = e.property_id
    """,
}
_GROUP = {
    "owner": "o.id, o.name",
    "property": "e.property_id",
}
"""Properties by number alone, or else SQLite compares names a million times: 0.6 s instead of 1.0 s."""


def revenue(reader: Reader, by: str, first_day: int | None, last_day: int | None) -> list[Row]:
    """Fees earned from one East African day to another, both included."""
    conditions, values = where_all({"day >= :first_day": first_day, "day <= :last_day": last_day})
    if by in _REVENUE_OF_DAYS:
        return list(reader.rows(f"{_REVENUE_OF_DAYS[by]} {conditions} GROUP BY 1 ORDER BY 1", **values))
    return list(reader.rows(f"{_REVENUE[by]} {conditions} GROUP BY {_GROUP[by]} ORDER BY 1", **values))


_ENDLESS = 2**62
_BOOKED = "y.booked_at >= :since AND y.booked_at < :until"
_MADE = "d.created_at >= :since AND d.created_at < :until"


def _period(since: int | None, until: int | None) -> dict[str, int]:
    return {"since": 0 if since is None else since, "until": _ENDLESS if until is None else until}


_STILL_FAILED = f"""payable y JOIN disbursement d ON d.id = {predicates.LAST_TRANSFER}
     WHERE {predicates.OPEN} AND y.status = 'failed' AND y.kind = 'share'"""
"""Shares that are not sent again yet, and the transfers that failed them."""
_BY_STATUS = f"""
    SELECT d.status, count(*) AS disbursements, sum(d.payment_count) AS payments, sum(d.amount_cents) AS amount_cents
      FROM disbursement d WHERE d.status IN ('processing','completed','settled') AND {_MADE} GROUP BY d.status
    UNION ALL
    SELECT 'failed', count(DISTINCT d.id), count(*), sum(y.amount_cents) FROM {_STILL_FAILED} AND {_MADE}
    UNION ALL
    SELECT y.status, count(*), count(*), sum(y.amount_cents) FROM payable y
     WHERE {predicates.OPEN} AND y.status = 'pending' AND y.kind = 'share' AND {_BOOKED} GROUP BY y.status
    UNION ALL
    SELECT y.status, count(*), count(*), sum(y.amount_cents) FROM payable y
     WHERE y.status = 'not_required' AND y.kind = 'share' AND {_BOOKED} GROUP BY y.status
"""


def disbursements_by_status(reader: Reader, since: int | None, until: int | None) -> list[Row]:
    """How many transfers that were made in the period are how far, of how many payments, and what they add up to.

    Of those that failed, what is not sent again yet; and shares booked in the period for which there is no transfer.
    """
    return [row for row in reader.rows(_BY_STATUS, **_period(since, until)) if row["disbursements"]]


_TIMES = f"""
    SELECT d.completed_at - i.paid_at AS took FROM disbursement d
      JOIN disbursement_member m ON m.disbursement_id = d.id AND m.live = 1
      JOIN payable y ON y.id = m.payable_id AND y.kind = 'share'
      JOIN payment p ON p.id = y.payment_id JOIN money_in i ON i.id = p.money_in_id
     WHERE d.status = 'completed' AND {_MADE}
"""


def times_to_owner(reader: Reader, since: int | None, until: int | None) -> Row:
    """Mean and median milliseconds from the tenant's payment until its owner had the share; None without any."""
    period = _period(since, until)
    found = reader.one(f"SELECT count(*) AS n, avg(took) AS mean FROM ({_TIMES}) AS times", **period)
    assert found is not None  # an aggregate always has a row
    count = int(found["n"])
    middle = reader.one(
        f"SELECT avg(took) AS median FROM ({_TIMES} ORDER BY took LIMIT :size OFFSET :skip) AS middle",
        **period,
        size=2 - count % 2,
        skip=max(0, (count - 1) // 2),
    )
    return {"payments": count, "mean": found["mean"], "median": middle["median"] if middle else None}


def failure_reasons(reader: Reader, since: int | None, until: int | None) -> list[Row]:
    """Why transfers moved nothing, the most frequent first; also those whose members were sent again later."""
    return list(
        reader.rows(
            f"""
            SELECT a.code, max(a.reason) AS reason, count(*) AS failures,
                   count(CASE WHEN d.id IN (SELECT d.id FROM {_STILL_FAILED}) THEN 1 END) AS still_failed
              FROM attempt a JOIN disbursement d ON d.id = a.disbursement_id
             WHERE a.direction = 'payout' AND a.state = 'not_moved' AND {_MADE}
             GROUP BY a.code ORDER BY failures DESC, a.code
            """,
            **_period(since, until),
        )
    )


def retries(reader: Reader, since: int | None, until: int | None) -> Row:
    """How many transfers were the newest try of shares that another one had failed, and how many were completed."""
    row = reader.one(
        f"""
        SELECT count(*) AS retried, count(CASE WHEN d.status = 'completed' THEN 1 END) AS completed
          FROM disbursement d
         WHERE {_MADE} AND d.id IN (
               SELECT {predicates.LAST_TRANSFER} FROM disbursement f
                 JOIN disbursement_member m ON m.disbursement_id = f.id
                 JOIN payable y ON y.id = m.payable_id AND y.kind = 'share'
                WHERE f.status = 'failed' AND f.id <> {predicates.LAST_TRANSFER})
        """,
        **_period(since, until),
    )
    assert row is not None  # an aggregate always has a row
    return row


def charges_not_told(reader: Reader, first_day: int | None, last_day: int | None) -> int:
    """How many disbursements completed from one East African day to another came without M-Pesa's charge."""
    row = reader.one(
        "SELECT coalesce(sum(charges_not_told), 0) AS n FROM revenue_day WHERE day >= :first AND day <= :last",
        first=first_day or 0,
        last=last_day or 99991231,
    )
    return int(row["n"]) if row else 0
