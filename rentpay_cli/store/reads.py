"""Rows for people: plain named SQL on the driver itself, grouped and summed by the database.

It keeps SQLModel, which takes half a second to import, out of the commands that are typed most. Rows come back as
dictionaries; moments in them are still milliseconds.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from rentpay_cli.errors import BadDatabase
from rentpay_cli.store import schema

Row = dict[str, Any]


class _Driver(Protocol):
    def run(self, sql: str, values: Mapping[str, Any]) -> Iterator[Row]: ...

    def close(self) -> None: ...


class _Sqlite:
    def __init__(self, path: Path) -> None:
        # Read from whatever thread asks; the module itself takes one at a time.
        self._connection = sqlite3.connect(path, timeout=30, check_same_thread=False)
        self._connection.execute("PRAGMA query_only=ON")

    def run(self, sql: str, values: Mapping[str, Any]) -> Iterator[Row]:
        cursor = self._connection.execute(sql, values)
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, row, strict=True))

    def close(self) -> None:
        self._connection.close()


class _Postgresql:
    def __init__(self, url: str) -> None:
        try:
            import psycopg
        except ModuleNotFoundError as error:
            from rentpay_cli.store.engine import missing_driver

            raise missing_driver() from error
        self._connection = psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://", 1), autocommit=True)

    def run(self, sql: str, values: Mapping[str, Any]) -> Iterator[Row]:
        from psycopg.rows import dict_row

        with self._connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(re.sub(r"(?<!:):([a-z_]+)", r"%(\1)s", sql.replace("%", "%%")), dict(values))
            yield from cursor

    def close(self) -> None:
        self._connection.close()


class Reader:
    """An open database that is only read."""

    def __init__(self, url: str, driver: _Driver) -> None:
        self._url = url
        self._driver = driver

    def rows(self, sql: str, **values: Any) -> Iterator[Row]:
        """The rows of a query, one at a time; raises `BadDatabase` if the database cannot be used."""
        try:
            yield from self._driver.run(sql, values)
        except sqlite3.DatabaseError as error:
            raise _unusable(self._url, error) from error

    def one(self, sql: str, **values: Any) -> Row | None:
        """The first row of a query, or None."""
        return next(iter(list(self.rows(sql, **values))), None)

    def close(self) -> None:
        """Close the connection."""
        self._driver.close()


def ensure(url: str, environment: str, made: Callable[[str], None]) -> Reader:
    """Open the database for reading, and make it first if there is none; raises `BadDatabase`."""
    reader = _checked(url, environment)
    if reader is None:
        schema.create_or_upgrade(url, environment)
        made(url)
        reader = _checked(url, environment)
    assert reader is not None  # it was just made
    return reader


def _checked(url: str, environment: str) -> Reader | None:
    """The open database, current and of this environment; None if there is none yet. Raises `BadDatabase`."""
    reader = open_unchecked(url)
    if reader is None:
        return None
    try:
        if _has_schema(reader):
            _check(reader, url, environment)
            return reader
    except BaseException:
        reader.close()
        raise
    reader.close()
    return None


def existing(url: str, environment: str) -> Reader | None:
    """Open the database for reading if there is one; raises `BadDatabase` if it is not ours or not current."""
    reader = open_unchecked(url)
    if reader is None:
        return None
    try:
        if _has_schema(reader):
            _check(reader, url, environment)
            return reader
    except BaseException:
        reader.close()
        raise
    reader.close()
    return None


def open_unchecked(url: str) -> Reader | None:
    """The open database, whosever it is; None if its SQLite file does not exist. Raises `BadDatabase`."""
    try:
        if not url.startswith("sqlite"):
            return Reader(url, _Postgresql(url))
        path = Path(url.removeprefix("sqlite:///"))
        return Reader(url, _Sqlite(path)) if path.exists() else None
    except BadDatabase:
        raise
    except Exception as error:  # the driver's own tree: sqlite3.Error, psycopg.Error, OSError
        if not isinstance(error, sqlite3.Error | OSError) and type(error).__module__.split(".")[0] != "psycopg":
            raise
        raise _unusable(url, error) from error


def _unusable(url: str, error: Exception) -> BadDatabase:
    from rentpay_cli.store.engine import unusable

    return unusable(url, str(error))


_TABLES = {
    True: "SELECT count(*) AS n FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'",
    False: "SELECT count(*) AS n FROM pg_catalog.pg_class WHERE relkind = 'r' AND relname = 'alembic_version'"
    " AND pg_catalog.pg_table_is_visible(oid)",
}


def _has_schema(reader: Reader) -> bool:
    row = reader.one(_TABLES[reader._url.startswith("sqlite")])
    return bool(row and row["n"])


def _check(reader: Reader, url: str, environment: str) -> None:
    revision = reader.one("SELECT version_num FROM alembic_version")
    found = reader.one("SELECT value FROM setting WHERE name = 'environment'")
    schema.check_versions(
        url, revision["version_num"] if revision else None, found["value"] if found else None, environment
    )


# --- payments --------------------------------------------------------------------------------------------------------

_PAYMENT = """
SELECT p.id, p.status, p.method, p.amount_cents, p.fee_cents, p.share_cents, p.receipt, p.phone, p.created_at,
       p.paid_at, p.failure_code, p.failure_reason, p.owner_paybill, p.owner_account_number, p.note,
       p.disbursement_id, d.status AS disbursement_status, d.amount_cents AS disbursement_cents,
       d.transaction_id, d.completed_at, d.failure_code AS disbursement_failure_code,
       d.failure_reason AS disbursement_failure_reason, d.advice, d.charge_cents,
       o.id AS owner_id, o.name AS owner_name, pr.id AS property_id, pr.name AS property_name,
       t.id AS tenant_id, t.name AS tenant_name,
       c.checkout_request_id, c.merchant_request_id, c.state AS collection_state,
       x.state AS payout_state, x.conversation_id
  FROM payment p
  JOIN owner o ON o.id = p.owner_id
  JOIN property pr ON pr.id = p.property_id
  LEFT JOIN tenant t ON t.id = p.tenant_id
  LEFT JOIN disbursement d ON d.id = p.disbursement_id
  LEFT JOIN attempt c ON c.payment_id = p.id AND c.number = 1
  LEFT JOIN attempt x ON x.disbursement_id = p.disbursement_id
        AND x.number = (SELECT max(y.number) FROM attempt y WHERE y.disbursement_id = p.disbursement_id)
"""


def payment(reader: Reader, payment_id: int) -> Row | None:
    """One payment with all that belongs to it."""
    return reader.one(_PAYMENT + " WHERE p.id = :id", id=payment_id)


def find_payment(reader: Reader, reference: str) -> int | None:
    """The number of the payment with this number, receipt, checkout id or conversation id."""
    if reference.isascii() and reference.isdigit() and len(reference) < 10:
        row = reader.one("SELECT id FROM payment WHERE id = :id", id=int(reference))
        if row:
            return int(row["id"])
    row = reader.one(
        """
        SELECT id FROM payment WHERE receipt = :receipt
        UNION ALL SELECT p.id FROM payment p JOIN disbursement d ON d.id = p.disbursement_id
                   WHERE d.transaction_id = :receipt
        UNION ALL SELECT payment_id FROM attempt WHERE checkout_request_id = :ref AND payment_id IS NOT NULL
        UNION ALL SELECT p.id FROM attempt a JOIN payment p ON p.disbursement_id = a.disbursement_id
                   WHERE a.conversation_id = :ref OR a.originator_conversation_id = :ref
        """,
        ref=reference,
        receipt=reference.upper(),
    )
    return int(row["id"]) if row else None


def attempts(reader: Reader, payment_id: int) -> list[Row]:
    """Every attempt to collect or to pay out a payment, oldest first."""
    return list(
        reader.rows(
            """
            SELECT a.* FROM attempt a WHERE a.payment_id = :id
            UNION ALL
            SELECT a.* FROM attempt a JOIN payment p ON p.disbursement_id = a.disbursement_id WHERE p.id = :id
            ORDER BY id
            """,
            id=payment_id,
        )
    )


def open_findings(reader: Reader, payment_id: int) -> list[Row]:
    """What does not fit about a payment and is still for a person to look at."""
    return list(
        reader.rows(
            "SELECT id, kind, text, found_at FROM finding WHERE payment_id = :id AND closed_at IS NULL ORDER BY id",
            id=payment_id,
        )
    )


def payments(
    reader: Reader,
    *,
    owner_id: int | None = None,
    property_id: int | None = None,
    tenant_id: int | None = None,
    status: str | None = None,
    disbursement_status: str | None = None,
    since: int | None = None,
    until: int | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> Iterator[Row]:
    """Payments, newest first, that fit every filter given; `before_id` continues a list by key."""
    conditions, values = _conditions(
        {
            "p.owner_id = :owner_id": owner_id,
            "p.property_id = :property_id": property_id,
            "p.tenant_id = :tenant_id": tenant_id,
            "p.status = :status": status,
            "d.status = :disbursement_status": disbursement_status,
            "p.created_at >= :since": since,
            "p.created_at < :until": until,
            "p.id < :before_id": before_id,
        }
    )
    return reader.rows(_PAYMENT + conditions + " ORDER BY p.id DESC LIMIT :limit", **values, limit=limit)


def _conditions(filters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    used = {condition: value for condition, value in filters.items() if value is not None}
    values = {condition.rsplit(":", 1)[1]: value for condition, value in used.items()}
    return (" WHERE " + " AND ".join(used) if used else ""), values


# --- an owner's history ----------------------------------------------------------------------------------------------


def owner_summary(reader: Reader, owner_id: int) -> Row:
    """What an owner was paid, what the platform kept for it, and how many shares wait or failed."""
    row = reader.one(
        """
        SELECT coalesce(sum(CASE WHEN status = 'completed' THEN amount_cents END), 0) AS disbursed_cents,
               coalesce(sum(CASE WHEN status = 'completed' THEN fee_cents END), 0) AS fee_cents,
               count(CASE WHEN status IN ('pending', 'processing') THEN 1 END) AS pending,
               count(CASE WHEN status = 'failed' THEN 1 END) AS failed
          FROM disbursement WHERE owner_id = :owner_id
        """,
        owner_id=owner_id,
    )
    assert row is not None  # an aggregate always has a row
    return row


def owner_disbursements(reader: Reader, owner_id: int, limit: int, before_id: int | None = None) -> Iterator[Row]:
    """An owner's paid rents and what became of each share, newest first."""
    conditions, values = _conditions({"p.owner_id = :owner_id": owner_id, "p.id < :before_id": before_id})
    return reader.rows(
        _PAYMENT + conditions + " AND p.disbursement_id IS NOT NULL ORDER BY p.id DESC LIMIT :limit",
        **values,
        limit=limit,
    )


# --- the register ----------------------------------------------------------------------------------------------------

_REGISTER = {
    "owner": """
        SELECT o.*, (SELECT count(*) FROM property p WHERE p.owner_id = o.id) AS property_count FROM owner o
    """,
    "property": "SELECT p.*, o.name AS owner_name FROM property p JOIN owner o ON o.id = p.owner_id",
    "tenant": "SELECT t.*, p.name AS property_name FROM tenant t LEFT JOIN property p ON p.id = t.property_id",
}
_ALIAS = {"owner": "o", "property": "p", "tenant": "t"}


def register(reader: Reader, kind: str) -> list[Row]:
    """Every owner, property or tenant, by name."""
    alias = _ALIAS[kind]
    return list(reader.rows(f"{_REGISTER[kind]} ORDER BY lower({alias}.name), {alias}.id"))


def registered(reader: Reader, kind: str, reference: str) -> list[Row]:
    """The entries with this number or name (two at most: more than one name is as bad as many)."""
    alias = _ALIAS[kind]
    if reference.isascii() and reference.isdigit() and len(reference) < 10:
        found = list(reader.rows(f"{_REGISTER[kind]} WHERE {alias}.id = :id", id=int(reference)))
        if found:
            return found
    return list(
        reader.rows(f"{_REGISTER[kind]} WHERE lower({alias}.name) = lower(:name) LIMIT 2", name=reference.strip())
    )


# --- revenue ---------------------------------------------------------------------------------------------------------

_SUMS = """
    sum(payment_count) AS payments, sum(collected_cents) AS collected_cents, sum(fee_cents) AS fee_cents,
    sum(amount_cents) AS disbursed_cents, coalesce(sum(charge_cents), 0) AS charge_cents
"""
_REVENUE = {
    "day": f"SELECT completed_day AS key, {_SUMS} FROM disbursement d",
    "month": f"SELECT completed_day / 100 AS key, {_SUMS} FROM disbursement d",
    "owner": f"""SELECT o.name AS key, {_SUMS} FROM disbursement d JOIN owner o ON o.id = d.owner_id""",
    "property": """
        SELECT pr.name AS key, count(*) AS payments, sum(p.amount_cents) AS collected_cents,
               sum(p.fee_cents) AS fee_cents, sum(p.share_cents) AS disbursed_cents,
               coalesce(sum(d.charge_cents), 0) AS charge_cents
          FROM disbursement d JOIN payment p ON p.disbursement_id = d.id JOIN property pr ON pr.id = p.property_id
    """,
}
_GROUP = {
    "day": "completed_day",
    "month": "completed_day / 100",
    "owner": "o.id, o.name",
    "property": "pr.id, pr.name",
}


def revenue(reader: Reader, by: str, first_day: int | None, last_day: int | None) -> list[Row]:
    """Fees earned on completed disbursements from one East African day to another, both included."""
    conditions, values = _conditions(
        {"d.completed_day >= :first_day": first_day, "d.completed_day <= :last_day": last_day}
    )
    where = conditions + (" AND " if conditions else " WHERE ") + "d.status = 'completed'"
    return list(reader.rows(f"{_REVENUE[by]} {where} GROUP BY {_GROUP[by]} ORDER BY 1", **values))


# --- balances --------------------------------------------------------------------------------------------------------


def balances(reader: Reader) -> list[Row]:
    """What M-Pesa last said that each account holds."""
    return list(
        reader.rows(
            """
            SELECT b.account, b.current_cents, b.available_cents, b.source, b.read_at FROM balance_reading b
             WHERE b.id IN (SELECT max(id) FROM balance_reading GROUP BY account) ORDER BY b.account
            """
        )
    )


def enquiry(reader: Reader, enquiry_id: int) -> Row | None:
    """A question to M-Pesa and what became of it."""
    return reader.one(
        "SELECT id, kind, state, outcome, asked_at, answered_at FROM enquiry WHERE id = :id", id=enquiry_id
    )


# --- the listener's own ----------------------------------------------------------------------------------------------


def open_work(reader: Reader) -> Row:
    """How much waits: unread and held callbacks, shares by status."""
    row = reader.one(
        """
        SELECT (SELECT count(*) FROM inbox WHERE state = 'new') AS unread,
               (SELECT count(*) FROM inbox WHERE state = 'held') AS held,
               (SELECT count(*) FROM disbursement WHERE status = 'pending') AS pending,
               (SELECT count(*) FROM disbursement WHERE status = 'failed') AS failed
        """
    )
    assert row is not None  # an aggregate always has a row
    return row


# --- the stop, the float, the books ----------------------------------------------------------------------------------


def stop_in_force(reader: Reader) -> Row | None:
    """The stop that keeps all payouts from leaving, or None."""
    return reader.one("SELECT reason, stopped_by, stopped_at FROM payout_stop WHERE in_force = 1")


def ledger_facts(reader: Reader) -> Row:
    """Sums over settled facts: M-Pesa payments that succeeded, and disbursements that completed."""
    row = reader.one(
        """
        SELECT coalesce(sum(collected_cents), 0) AS collected_cents, coalesce(sum(fee_cents), 0) AS fee_cents,
               coalesce(sum(share_cents), 0) AS share_cents, coalesce(sum(paid_out_cents), 0) AS paid_out_cents,
               coalesce(sum(charge_cents), 0) AS charge_cents
          FROM (SELECT amount_cents AS collected_cents, fee_cents, share_cents, 0 AS paid_out_cents, 0 AS charge_cents
                  FROM payment WHERE status = 'success' AND method = 'mpesa'
                UNION ALL
                SELECT 0, 0, 0, amount_cents, coalesce(charge_cents, 0)
                  FROM disbursement WHERE status = 'completed') AS facts
        """
    )
    assert row is not None  # an aggregate always has a row
    return row


def unknown_charges(reader: Reader) -> int:
    """How many completed disbursements came without M-Pesa's charge, which the books therefore lack."""
    row = reader.one("SELECT count(*) AS n FROM disbursement WHERE status = 'completed' AND charge_cents IS NULL")
    return int(row["n"]) if row else 0


# --- what needs a person ---------------------------------------------------------------------------------------------

_OWED = "d.id IN (SELECT p.disbursement_id FROM payment p WHERE p.disbursement_id = d.id AND p.status = 'success')"
"""A share of rent that was paid and not given back."""


def health(
    reader: Reader, *, pending_before: int, processing_before: int, silence_before: int, untold_since: int
) -> Row:
    """Counts and moments of what may need a person; what began before the given moments is late.

    Each condition is written as in its partial index, or else SQLite reads the whole table.
    """
    row = reader.one(
        f"""
        SELECT s.*, a.*,
               (SELECT count(*) FROM payment WHERE status = 'pending' AND created_at < :pending_before) AS rents_late,
               (SELECT count(*) FROM inbox WHERE state = 'new') AS unread,
               (SELECT count(*) FROM inbox WHERE state = 'held') AS held,
               (SELECT count(*) FROM finding WHERE closed_at IS NULL) AS findings,
               (SELECT min(payment_id) FROM finding WHERE closed_at IS NULL) AS finding_payment_id,
               (SELECT count(*) FROM notice WHERE state IN ('failed','unknown') AND changed_at > :untold_since)
                   AS untold,
               (SELECT received_at FROM inbox ORDER BY id DESC LIMIT 1) AS last_callback_at,
               (SELECT value FROM setting WHERE name = 'worker_alive_at') AS worker_alive_at
          FROM (SELECT count(CASE WHEN d.status = 'failed' THEN 1 END) AS failed,
                       coalesce(sum(CASE WHEN d.status = 'failed' THEN d.amount_cents END), 0) AS failed_cents,
                       count(CASE WHEN d.status = 'pending' THEN 1 END) AS pending,
                       count(CASE WHEN d.status = 'pending' AND d.created_at < :pending_before THEN 1 END)
                           AS pending_late,
                       coalesce(sum(CASE WHEN d.status = 'pending' AND d.created_at < :pending_before
                           THEN d.amount_cents END), 0) AS pending_late_cents,
                       coalesce(sum(CASE WHEN d.status = 'pending' OR (d.status = 'failed' AND d.advice = 'send again')
                           THEN d.amount_cents END), 0) AS due_cents
                  FROM disbursement d WHERE d.status IN ('pending','processing','failed') AND {_OWED}) AS s,
               (SELECT count(CASE WHEN state <> 'unclear' AND direction = 'payout' THEN 1 END) AS processing,
                       count(CASE WHEN state <> 'unclear' AND direction = 'payout' AND created_at < :processing_before
                           THEN 1 END) AS processing_late,
                       count(CASE WHEN state = 'unclear' THEN 1 END) AS unclear,
                       count(CASE WHEN created_at < :silence_before AND created_at >
                           coalesce((SELECT received_at FROM inbox ORDER BY id DESC LIMIT 1), 0)
                           THEN 1 END) AS unheard_of
                  FROM attempt WHERE state IN ('sending', 'waiting', 'unclear')) AS a
        """,
        pending_before=pending_before,
        processing_before=processing_before,
        silence_before=silence_before,
        untold_since=untold_since,
    )
    assert row is not None  # an aggregate always has a row
    return row


def last_float(reader: Reader) -> Row | None:
    """What the working account, from which payouts are paid, last held; None if nobody ever said."""
    return reader.one(
        """
        SELECT available_cents, read_at FROM balance_reading
         WHERE account IN ('Working Account', 'MMF Account') ORDER BY id DESC LIMIT 1
        """
    )


# --- callbacks and the journal ---------------------------------------------------------------------------------------


_BEYOND = 2**31 - 1
"""More than any number of a callback."""


def callbacks(
    reader: Reader, *, state: str | None = None, before_id: int | None = None, limit: int = 50
) -> Iterator[Row]:
    """Callbacks without their bodies, newest first; `before_id` continues a list by key."""
    chosen = f"state = '{state}'" if state in ("new", "read", "held") else "1 = 1"  # in words: its index is partial
    return reader.rows(
        "SELECT id, path, source_ip, received_at, state, outcome, payment_id, read_at FROM inbox"
        f" WHERE {chosen} AND id < :before_id ORDER BY id DESC LIMIT :limit",
        before_id=_BEYOND if before_id is None else before_id,
        limit=limit,
    )


def callback(reader: Reader, callback_id: int) -> Row | None:
    """One callback as it came, and what became of it."""
    return reader.one("SELECT * FROM inbox WHERE id = :id", id=callback_id)


def journal(
    reader: Reader,
    *,
    payment_id: int | None = None,
    event: str | None = None,
    since: int | None = None,
    until: int | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> Iterator[Row]:
    """Entries of the journal, newest first; `before_id` continues a list by key."""
    conditions, values = _conditions(
        {
            "payment_id = :payment_id": payment_id,
            "event = :event": event,
            "at >= :since": since,
            "at < :until": until,
            "id < :before_id": before_id,
        }
    )
    return reader.rows(f"SELECT * FROM journal{conditions} ORDER BY id DESC LIMIT :limit", **values, limit=limit)


# --- the database itself ---------------------------------------------------------------------------------------------


def damage(reader: Reader) -> list[str]:
    """What SQLite finds damaged in its file, at most ten lines; PostgreSQL looks after itself."""
    if not reader._url.startswith("sqlite"):
        return []
    found = [str(row["quick_check"]) for row in reader.rows("PRAGMA quick_check(10)")]
    return [] if found == ["ok"] else found


def setting(reader: Reader, name: str) -> str | None:
    """What the database remembers about itself under this name."""
    row = reader.one("SELECT value FROM setting WHERE name = :name", name=name)
    return None if row is None else str(row["value"])
