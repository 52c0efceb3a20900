"""Rows about what needs a person or keeps payouts from leaving, counted and summed by the database."""

from __future__ import annotations

from datetime import datetime

from rentpay_cli.core.brake import Brake
from rentpay_cli.core.clock import from_milliseconds, to_milliseconds
from rentpay_cli.core.float_reading import FloatReading
from rentpay_cli.store import predicates
from rentpay_cli.store.readonly import Reader, Row
from rentpay_cli.store.reads import payments_of


def open_work(reader: Reader) -> Row:
    """How much waits: unread and held callbacks, shares by status."""
    row = reader.one(
        f"""
        SELECT (SELECT count(*) FROM inbox WHERE state = 'new') AS unread,
               (SELECT count(*) FROM inbox WHERE state = 'held') AS held,
               (SELECT count(*) FROM payable y WHERE {predicates.OPEN} AND y.status = 'pending'
                   AND y.kind = 'share') AS pending,
               (SELECT count(*) FROM payable y WHERE {predicates.OPEN} AND y.status = 'failed'
                   AND y.kind = 'share') AS failed
        """
    )
    assert row is not None  # an aggregate always has a row
    return row


def stops_in_force(reader: Reader) -> list[Row]:
    """The stops that keep all payouts from leaving, and when anything was last written before each.

    That of a restored copy comes first, because what waits may be paid; the others as they came.
    """
    return list(
        reader.rows(
            """
            SELECT owner_id, kind, reason, stopped_by, stopped_at,
                   (SELECT max(at) FROM journal WHERE at < stopped_at) AS written_until
              FROM payout_stop WHERE in_force = 1 AND owner_id IS NULL
             ORDER BY CASE kind WHEN 'restore' THEN 0 ELSE 1 END, id
            """
        )
    )


def stop_in_force(reader: Reader) -> Row | None:
    """The stop of all payouts that counts most; or None."""
    return next(iter(stops_in_force(reader)), None)


def brake_in_force(reader: Reader, now: datetime) -> Brake | None:
    """What keeps runs from beginning by themselves for a while, unless a payout has gone through since; or None."""
    row = reader.one("SELECT value FROM setting WHERE name = 'payout_brake'")
    brake = Brake.read(row["value"] if row else None)
    if brake.at is None or not brake.is_on(now):
        return None
    paid = reader.one(
        """
        SELECT 1 AS found FROM attempt
         WHERE direction = 'payout' AND state <> 'not_moved' AND state = 'moved' AND learned_by <> 'ruling'
           AND created_at > :braked_at LIMIT 1
        """,
        braked_at=to_milliseconds(brake.at),
    )
    return None if paid else brake


def stop_against(reader: Reader, owner_id: int) -> Row | None:
    """The stop that keeps payouts to this owner from leaving: that of all payouts, or the owner's own; or None."""
    return stop_in_force(reader) or next((stop for stop in owner_stops(reader) if stop["owner_id"] == owner_id), None)


def owner_stops(reader: Reader) -> list[Row]:
    """The stops in force of payouts to one owner each, by the owner's name."""
    return list(
        reader.rows(
            """
            SELECT s.owner_id, o.name AS owner_name, s.kind, s.reason, s.stopped_by, s.stopped_at
              FROM payout_stop s JOIN owner o ON o.id = s.owner_id
             WHERE s.in_force = 1 ORDER BY lower(o.name), o.id, s.id
            """
        )
    )


def unsent(reader: Reader) -> Row:
    """How many shares are pending or failed, and their sum."""
    row = reader.one(
        f"""
        SELECT count(*) AS payouts, coalesce(sum(y.amount_cents), 0) AS cents
          FROM payable y LEFT JOIN payment p ON p.id = y.payment_id
         WHERE {predicates.FREE} AND y.kind = 'share' AND {predicates.OWED}
        """
    )
    assert row is not None  # an aggregate always has a row
    return row


_LAST_HEARD = (
    "(SELECT received_at FROM inbox WHERE state <> 'held' AND token_sha256 IS NOT NULL ORDER BY id DESC LIMIT 1)"
)
"""When M-Pesa was last heard of: what is not believed, or carries no token, anybody could have sent."""
_UNCLEAR = """
    SELECT coalesce(a.payment_id, (SELECT min(y.payment_id) FROM disbursement_member m
               JOIN payable y ON y.id = m.payable_id WHERE m.disbursement_id = a.disbursement_id AND y.kind = 'share'))
               AS payment_id, a.disbursement_id, a.direction, a.created_at,
           CASE WHEN a.checkout_request_id IS NULL AND a.originator_conversation_id IS NULL THEN 0 ELSE 1 END AS askable
      FROM attempt a WHERE a.state IN ('sending','waiting','unclear') AND a.state = 'unclear'
"""


def unclear(reader: Reader) -> list[Row]:
    """Every request that may have moved money, and whether M-Pesa gave it an id by which it can be asked about."""
    found = list(reader.rows(f"{_UNCLEAR} ORDER BY 1"))
    theirs = payments_of(reader, (row["disbursement_id"] for row in found if row["disbursement_id"] is not None))
    for row in found:
        own = () if row["payment_id"] is None else (row["payment_id"],)
        row["payments"] = theirs.get(row["disbursement_id"], own)
    return found


def health(
    reader: Reader, *, now: int, pending_before: int, processing_before: int, silence_before: int, untold_since: int
) -> Row:
    """Counts and moments of what may need a person; what began before the given moments is late.

    Each condition is written as in its partial index, or else SQLite reads the whole table.
    """
    row = reader.one(
        f"""
        SELECT s.*, a.*, u.*,
               (SELECT payment_id FROM payable WHERE id = s.held_payable_id) AS held_payment_id,
               (SELECT count(*) FROM payment WHERE status = 'pending' AND created_at < :pending_before) AS rents_late,
               (SELECT count(*) FROM inbox WHERE state = 'new') AS unread,
               (SELECT count(*) FROM inbox WHERE state = 'held') AS held,
               (SELECT count(*) FROM finding WHERE closed_at IS NULL) AS findings,
               (SELECT min(payment_id) FROM finding WHERE closed_at IS NULL) AS finding_payment_id,
               (SELECT count(*) FROM notice WHERE state IN ('failed','unknown') AND changed_at > :untold_since)
                   AS untold,
               (SELECT count(DISTINCT owner_id) FROM payout_stop WHERE in_force = 1) AS owners_stopped,
               (SELECT count(*) FROM destination_change WHERE state = 'held') AS changes_held,
               (SELECT min(property_id) FROM destination_change WHERE state = 'held') AS changed_property_id,
               {_LAST_HEARD} AS last_callback_at,
               (SELECT value FROM setting WHERE name = 'worker_alive_at') AS worker_alive_at,
               (SELECT value FROM setting WHERE name = 'callbacks_refused') AS refused_in_all,
               (SELECT value FROM setting WHERE name = 'callbacks_refused_at') AS refused_at
          FROM (SELECT count(CASE WHEN w.status = 'failed' THEN 1 END) AS failed,
                       coalesce(sum(CASE WHEN w.status = 'failed' THEN w.amount_cents END), 0) AS failed_cents,
                       count(CASE WHEN w.is_held THEN 1 END) AS held_payouts,
                       coalesce(sum(CASE WHEN w.is_held THEN w.amount_cents END), 0) AS held_payouts_cents,
                       min(CASE WHEN w.is_held THEN w.id END) AS held_payable_id,
                       count(CASE WHEN w.status = 'pending' THEN 1 END) AS pending,
                       count(CASE WHEN w.status = 'pending' AND w.booked_at < :pending_before THEN 1 END)
                           AS pending_late,
                       coalesce(sum(CASE WHEN w.status = 'pending' AND w.booked_at < :pending_before
                           THEN w.amount_cents END), 0) AS pending_late_cents,
                       coalesce(sum(CASE WHEN w.status = 'pending' OR (w.status = 'failed' AND w.advice = 'send again')
                           THEN w.amount_cents END), 0) AS due_cents
                  FROM (SELECT y.id, y.status, y.amount_cents, y.booked_at, {predicates.IS_HELD} AS is_held,
                               CASE WHEN y.status = 'failed' THEN {predicates.LAST_ADVICE} END AS advice
                          FROM payable y LEFT JOIN payment p ON p.id = y.payment_id
                         WHERE {predicates.FREE} AND y.kind = 'share' AND {predicates.OWED}) AS w) AS s,
               (SELECT count(CASE WHEN state <> 'unclear' AND direction = 'payout' THEN 1 END) AS processing,
                       count(CASE WHEN state <> 'unclear' AND direction = 'payout' AND created_at < :processing_before
                           THEN 1 END) AS processing_late,
                       count(CASE WHEN state = 'unclear' THEN 1 END) AS unclear,
                       count(CASE WHEN created_at < :silence_before AND created_at >
                           coalesce({_LAST_HEARD}, 0)
                           THEN 1 END) AS unheard_of
                  FROM attempt WHERE state IN ('sending', 'waiting', 'unclear')) AS a,
               (SELECT min(payment_id) AS unclear_payment_id,
                       min(CASE WHEN askable = 0 THEN payment_id END) AS unaskable_payment_id
                  FROM ({_UNCLEAR}) AS unclear) AS u
        """,
        now=now,
        pending_before=pending_before,
        processing_before=processing_before,
        silence_before=silence_before,
        untold_since=untold_since,
    )
    assert row is not None  # an aggregate always has a row
    return row


_CAME_IN_LAST = "(SELECT booked_at FROM money_in WHERE way IN ('stk','paybill') ORDER BY id DESC LIMIT 1)"
"""When rent last came in by M-Pesa."""
_SENT_SINCE = """
    (SELECT sum(amount_cents) FROM attempt
      WHERE direction = 'payout' AND state <> 'not_moved' AND state = 'moved' AND created_at > r.read_at)
"""
"""What was paid out since a reading, which certainly could not have known of it."""


def last_float(reader: Reader) -> FloatReading | None:
    """What the working account, from which payouts are paid, last held; None if nobody ever said.

    It is outdated where rent came in since, and where more was paid out since than there was: somebody topped it up.
    """
    row = reader.one(
        f"""
        SELECT r.available_cents, r.read_at,
               CASE WHEN {_CAME_IN_LAST} > r.read_at OR {_SENT_SINCE} > r.available_cents THEN 1 ELSE 0 END
                   AS is_outdated
          FROM balance_reading r WHERE r.account IN ('Working Account', 'MMF Account') ORDER BY r.id DESC LIMIT 1
        """
    )
    if row is None:
        return None
    return FloatReading(row["available_cents"], from_milliseconds(int(row["read_at"])), bool(row["is_outdated"]))


def on_their_way(reader: Reader, limit: int) -> list[Row]:
    """Shares that are to be sent or were sent and are not settled, newest first."""
    return list(
        reader.rows(
            f"""
            SELECT p.id, y.status AS disbursement_status, y.amount_cents, o.name AS owner_name,
                   coalesce(d.created_at, y.booked_at) AS created_at, x.state AS payout_state
              FROM payable y
              JOIN payment p ON p.id = y.payment_id
              JOIN owner o ON o.id = y.owner_id
              LEFT JOIN disbursement_member m ON m.payable_id = y.id AND m.live = 1
              LEFT JOIN disbursement d ON d.id = m.disbursement_id
              LEFT JOIN attempt x ON x.disbursement_id = d.id
             WHERE {predicates.OPEN} AND y.status <> 'failed' AND y.kind = 'share'
             ORDER BY y.id DESC LIMIT :limit
            """,
            limit=limit,
        )
    )
