"""Rows of the reports, counted and summed by the database; the same SQL on both databases."""

from __future__ import annotations

from rentpay_cli.errors import BadDatabase
from rentpay_cli.store import reads
from rentpay_cli.store.reads import Reader, Row

_IN_PERIOD = "d.created_at >= :since AND d.created_at < :until"
_ENDLESS = 2**62


def _period(since: int | None, until: int | None) -> dict[str, int]:
    return {"since": 0 if since is None else since, "until": _ENDLESS if until is None else until}


def disbursements_by_status(reader: Reader, since: int | None, until: int | None) -> list[Row]:
    """How many disbursements that were made in the period have which status, and what they add up to."""
    return list(
        reader.rows(
            "SELECT d.status, count(*) AS disbursements, sum(d.amount_cents) AS amount_cents FROM disbursement d"
            f" WHERE {_IN_PERIOD} GROUP BY d.status",
            **_period(since, until),
        )
    )


_TIMES = f"""
    SELECT d.completed_at - p.paid_at AS took FROM disbursement d JOIN payment p ON p.disbursement_id = d.id
     WHERE d.status = 'completed' AND p.paid_at IS NOT NULL AND {_IN_PERIOD}
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
    """Why payouts moved nothing, the most frequent first; also those that succeeded later."""
    return list(
        reader.rows(
            f"""
            SELECT a.code, max(a.reason) AS reason, count(*) AS failures,
                   count(DISTINCT CASE WHEN d.status = 'failed' THEN d.id END) AS still_failed
              FROM disbursement d JOIN attempt a ON a.disbursement_id = d.id
             WHERE a.state = 'not_moved' AND {_IN_PERIOD}
             GROUP BY a.code ORDER BY failures DESC, a.code
            """,
            **_period(since, until),
        )
    )


def retries(reader: Reader, since: int | None, until: int | None) -> Row:
    """How many disbursements were sent more than once, and how many of these were completed."""
    row = reader.one(
        f"""
        SELECT count(*) AS retried, count(CASE WHEN d.status = 'completed' THEN 1 END) AS completed
          FROM disbursement d
         WHERE {_IN_PERIOD}
           AND EXISTS (SELECT 1 FROM attempt a WHERE a.disbursement_id = d.id AND a.number > 1)
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


def on_their_way(reader: Reader, limit: int) -> list[Row]:
    """Shares that are to be sent or were sent and are not settled, newest first."""
    return list(
        reader.rows(
            """
            SELECT p.id, d.status AS disbursement_status, d.amount_cents, o.name AS owner_name,
                   d.created_at, x.state AS payout_state
              FROM disbursement d
              JOIN payment p ON p.disbursement_id = d.id
              JOIN owner o ON o.id = d.owner_id
              LEFT JOIN attempt x ON x.disbursement_id = d.id
                    AND x.number = (SELECT max(y.number) FROM attempt y WHERE y.disbursement_id = d.id)
             WHERE d.status IN ('pending','processing')
             ORDER BY d.id DESC LIMIT :limit
            """,
            limit=limit,
        )
    )


def open_if_there(url: str) -> Reader:
    """The database for reading, neither made nor checked; raises `BadDatabase`."""
    reader = reads.open_unchecked(url)
    if reader is None:
        raise BadDatabase("There is no database yet.")
    return reader


def names_beginning(reader: Reader, kind: str, text: str, limit: int) -> list[Row]:
    """Owners, properties or tenants whose name begins so, or whose number does if the text is one."""
    assert kind in ("owner", "property", "tenant")
    column = "CAST(id AS TEXT)" if text.isdigit() else "lower(name)"
    return list(
        reader.rows(
            f"SELECT id, name FROM {kind} WHERE substr({column}, 1, :length) = lower(:text)"
            f" ORDER BY {column} LIMIT :limit",
            length=len(text),
            text=text,
            limit=limit,
        )
    )


def notices(reader: Reader, state: str | None, limit: int) -> list[Row]:
    """Notices, the newest first, with the number of the first payment that a disbursement pays."""
    return list(
        reader.rows(
            f"""
            SELECT n.*, (SELECT min(p.id) FROM payment p WHERE p.disbursement_id = n.subject AND n.kind = 'completed')
                   AS payment_id
              FROM notice n {"WHERE n.state = :state" if state else ""} ORDER BY n.id DESC LIMIT :limit
            """,
            state=state,
            limit=limit,
        )
    )
