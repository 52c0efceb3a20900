"""Rows for people: plain named SQL on the driver itself, grouped and summed by the database.

It keeps SQLModel, which takes half a second to import, out of the commands that are typed most. Rows come back as
dictionaries; moments in them are still milliseconds.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from rentpay_cli.errors import BadDatabase
from rentpay_cli.store import schema

Row = dict[str, Any]


class _Driver(Protocol):
    def run(self, sql: str, values: Mapping[str, Any]) -> Iterator[Row]: ...

    def snapshot(self) -> AbstractContextManager[None]: ...

    def shadow(self, views: Mapping[str, str]) -> None: ...

    def close(self) -> None: ...


class _Sqlite:
    def __init__(self, path: Path, *, untouched: bool) -> None:
        # Read from whatever thread asks; the module itself takes one at a time.
        address = f"file:{quote(str(path))}?mode={'ro' if untouched else 'rw'}"
        self._connection = sqlite3.connect(address, uri=True, timeout=30, check_same_thread=False)
        self._connection.execute("PRAGMA query_only=ON")

    def run(self, sql: str, values: Mapping[str, Any]) -> Iterator[Row]:
        cursor = self._connection.execute(sql, values)
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, row, strict=True))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        ours = self._connection.text_factory
        self._connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")  # whatever somebody wrote
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")
            self._connection.text_factory = ours

    def shadow(self, views: Mapping[str, str]) -> None:
        self._connection.execute("PRAGMA query_only=OFF")
        for table, sql in views.items():
            self._connection.execute(f"CREATE TEMP VIEW {table} AS {sql}")
        self._connection.execute("PRAGMA query_only=ON")

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

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def shadow(self, views: Mapping[str, str]) -> None:
        schema_name = str(next(self.run("SELECT quote_ident(current_schema()) AS name", {}))["name"])
        for table, sql in views.items():
            there = sql.replace("main.", f"{schema_name}.")
            self._connection.execute(f"CREATE TEMP VIEW {table} AS {there}".encode())

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
        except Exception as error:
            if _is_of_the_driver(error) or isinstance(error, UnicodeDecodeError):
                raise _unusable(self._url, error) from error
            raise

    def one(self, sql: str, **values: Any) -> Row | None:
        """The first row of a query, or None."""
        return next(iter(list(self.rows(sql, **values))), None)

    def snapshot(self) -> AbstractContextManager[None]:
        """See one moment of the database until the end, whatever others write; damaged text is read as it is."""
        return self._driver.snapshot()

    def shadow(self, views: Mapping[str, str]) -> None:
        """Put views in the place of the tables that they are named after, for this connection alone.

        A view reads the table itself as `main.` and its name.
        """
        self._driver.shadow(views)

    def close(self) -> None:
        """Close the connection."""
        self._driver.close()


def ensure(url: str, environment: str, made: Callable[[str], None]) -> Reader:
    """Open the database for reading, and make it first if there is none; raises `BadDatabase`."""
    reader = existing(url, environment)
    if reader is None:
        schema.create_or_upgrade(url, environment)
        made(url)
        reader = existing(url, environment)
    assert reader is not None  # it was just made
    return reader


def existing(url: str, environment: str) -> Reader | None:
    """Open the database for reading if there is one; raises `BadDatabase` if it is not ours or not current."""
    reader = open_unchecked(url)
    if reader is None:
        return None
    try:
        if _has_schema(reader):
            _check(reader, url, environment)
            return reader
        _refuse_foreign(reader, url)
    except BaseException:
        reader.close()
        raise
    reader.close()
    return None


def no_database(url: str, environment: str) -> BadDatabase:
    """The error for a database that is not there, which names those that are there under another name."""
    path = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else None
    make = "If the settings are right, make it with `rentpay init`, or `rentpay database upgrade`."
    others = ", ".join(str(other) for other in _beside(path)) if path else ""
    hint = f"There is {others}: is MPESA_ENVIRONMENT right? {make}" if others else make
    place = path or "on PostgreSQL"
    return BadDatabase(f"There is no database for the {environment} environment yet: {place}.", hint)


def _beside(path: Path) -> list[Path]:
    """The other databases of ours in the folder of this one."""
    return [each for each in sorted(path.parent.glob("*.db")) if each != path and _is_ours(each)]


def _is_ours(path: Path) -> bool:
    reader: Reader | None = None
    try:
        reader = open_unchecked(f"sqlite:///{path}")
        return reader is not None and _has_schema(reader)
    except BadDatabase:  # it is something else, or may not be read
        return False
    finally:
        if reader is not None:
            reader.close()


def open_unchecked(url: str, *, untouched: bool = False) -> Reader | None:
    """The open database, whosever it is; None if its SQLite file does not exist. Raises `BadDatabase`.

    SQLite mends what a crash has left half done unless its files are to stay `untouched`.
    """
    try:
        if not url.startswith("sqlite"):
            return Reader(url, _Postgresql(url))
        path = Path(url.removeprefix("sqlite:///"))
        if path.is_symlink():  # it would be written through, to wherever somebody lets it lead
            hint = "Let RENTPAY_DATABASE_URL name the file itself."
            raise BadDatabase(f"The database {path} is a symbolic link.", hint)
        return Reader(url, _Sqlite(path, untouched=untouched)) if path.exists() else None
    except BadDatabase:
        raise
    except Exception as error:
        if _is_of_the_driver(error) or isinstance(error, OSError):
            raise _unusable(url, error) from error
        raise


def _is_of_the_driver(error: Exception) -> bool:
    """Whether the driver itself says it; psycopg's errors are known by their module, which is imported only if used."""
    return isinstance(error, sqlite3.Error) or type(error).__module__.split(".")[0] == "psycopg"


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


def _refuse_foreign(reader: Reader, url: str) -> None:
    """Raise `BadDatabase` for an SQLite file that another program keeps its tables in."""
    if not url.startswith("sqlite"):  # one PostgreSQL database may serve several programs
        return
    row = reader.one("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    if row is not None:
        raise BadDatabase(
            f"The database {url.removeprefix('sqlite:///')} belongs to another program: nothing was changed.",
            "Set RENTPAY_DATABASE_URL to a file of its own, such as sqlite:////var/lib/rentpay/rentpay.db",
        )


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
       d.failure_reason AS disbursement_failure_reason, d.advice, d.charge_cents, d.held_reason, d.receiver_name,
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
    limit: int | None = 50,
) -> Iterator[Row]:
    """Payments, newest first, that fit every filter given; `before_id` continues a list by key."""
    filters = {
        "p.owner_id = :owner_id": owner_id,
        "p.property_id = :property_id": property_id,
        "p.tenant_id = :tenant_id": tenant_id,
        "p.status = :status": status,
        "d.status = :disbursement_status": disbursement_status,
        "p.created_at >= :since": since,
        "p.created_at < :until": until,
    }
    return _newest_first(reader, _PAYMENT, "p.id", filters, before_id, limit)


PAGE_ROWS = 1000


def _newest_first(
    reader: Reader, sql: str, key: str, filters: Mapping[str, Any], before_id: int | None, limit: int | None
) -> Iterator[Row]:
    """Rows by falling number, a page at a time, until the limit if there is one: memory stays flat, however many."""
    while limit is None or limit > 0:
        conditions, values = _conditions({**filters, f"{key} < :before_id": before_id})
        size = PAGE_ROWS if limit is None else min(PAGE_ROWS, limit)
        page = list(reader.rows(f"{sql}{conditions} ORDER BY {key} DESC LIMIT :size", **values, size=size))
        yield from page
        if len(page) < size:
            return
        before_id = page[-1]["id"]
        limit = None if limit is None else limit - size


def _conditions(filters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The conditions that have a value, and the value of each that names a place for it."""
    used = {condition: value for condition, value in filters.items() if value is not None}
    values = {condition.rsplit(":", 1)[1]: value for condition, value in used.items() if ":" in condition}
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


def owner_disbursements(
    reader: Reader, owner_id: int, limit: int | None, before_id: int | None = None
) -> Iterator[Row]:
    """An owner's paid rents and what became of each share, newest first; `before_id` continues a list by key."""
    paid = {"p.owner_id = :owner_id": owner_id, "p.disbursement_id IS NOT NULL": True}
    return _newest_first(reader, _PAYMENT, "p.id", paid, before_id, limit)


# --- the register ----------------------------------------------------------------------------------------------------

_REGISTER = {
    "owner": """
        SELECT o.*, (SELECT count(*) FROM property p WHERE p.owner_id = o.id) AS property_count FROM owner o
    """,
    "property": """
        SELECT p.*, o.name AS owner_name, c.id AS change_id, c.paybill AS change_paybill,
               c.account_number AS change_account_number, c.organisation_name AS change_name,
               c.asked_by AS change_asked_by, c.asked_at AS change_asked_at
          FROM property p JOIN owner o ON o.id = p.owner_id
          LEFT JOIN paybill_change c ON c.property_id = p.id AND c.state = 'held'
    """,
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


def reported_name(reader: Reader, property_id: int, paybill: str) -> str | None:
    """Whom M-Pesa said that it paid, the last time that rent of the property went to this paybill; or None."""
    row = reader.one(
        """
        SELECT d.receiver_name FROM payment p JOIN disbursement d ON d.id = p.disbursement_id
         WHERE p.property_id = :property_id AND d.paybill = :paybill AND d.receiver_name IS NOT NULL
         ORDER BY p.id DESC LIMIT 1
        """,
        property_id=property_id,
        paybill=paybill,
    )
    return None if row is None else str(row["receiver_name"])


# --- revenue ---------------------------------------------------------------------------------------------------------

_SUMS = """
    sum({payments}) AS payments, sum(collected_cents) AS collected_cents, sum(fee_cents) AS fee_cents,
    sum(amount_cents) AS disbursed_cents, coalesce(sum(charge_cents), 0) AS charge_cents
"""
_REVENUE_OF_DAYS = {
    "day": f"SELECT day AS key, {_SUMS.format(payments='payments')} FROM revenue_day",
    "month": f"SELECT day / 100 AS key, {_SUMS.format(payments='payments')} FROM revenue_day",
}
"""Read from the sums that the database keeps for each day (`migrations/totals.py`)."""
_REVENUE = {
    "owner": f"""
        SELECT o.name AS key, {_SUMS.format(payments="payment_count")}
          FROM disbursement d JOIN owner o ON o.id = d.owner_id
    """,
    "property": """
        SELECT max(pr.name) AS key, count(*) AS payments, sum(p.amount_cents) AS collected_cents,
               sum(p.fee_cents) AS fee_cents, sum(p.share_cents) AS disbursed_cents,
               coalesce(sum(d.charge_cents), 0) AS charge_cents
          FROM disbursement d JOIN payment p ON p.disbursement_id = d.id JOIN property pr ON pr.id = p.property_id
    """,
}
_GROUP = {
    "owner": "o.id, o.name",
    "property": "p.property_id",
}
"""Properties by number alone, or else SQLite compares names a million times: 0.6 s instead of 1.0 s."""


def revenue(reader: Reader, by: str, first_day: int | None, last_day: int | None) -> list[Row]:
    """Fees earned on completed disbursements from one East African day to another, both included."""
    if by in _REVENUE_OF_DAYS:
        conditions, values = _conditions({"day >= :first_day": first_day, "day <= :last_day": last_day})
        return list(reader.rows(f"{_REVENUE_OF_DAYS[by]} {conditions} GROUP BY 1 ORDER BY 1", **values))
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
    """The stop that keeps all payouts from leaving, and when anything was last written before it; or None."""
    return reader.one(
        """
        SELECT owner_id, reason, stopped_by, stopped_at,
               (SELECT max(at) FROM journal WHERE at < stopped_at) AS written_until
          FROM payout_stop WHERE in_force = 1 AND owner_id IS NULL
        """
    )


def stop_against(reader: Reader, owner_id: int) -> Row | None:
    """The stop that keeps payouts to this owner from leaving: that of all payouts, or the owner's own; or None."""
    return stop_in_force(reader) or next((stop for stop in owner_stops(reader) if stop["owner_id"] == owner_id), None)


def owner_stops(reader: Reader) -> list[Row]:
    """The stops in force of payouts to one owner each, by the owner's name."""
    return list(
        reader.rows(
            """
            SELECT s.owner_id, o.name AS owner_name, s.reason, s.stopped_by, s.stopped_at
              FROM payout_stop s JOIN owner o ON o.id = s.owner_id WHERE s.in_force = 1 ORDER BY lower(o.name), o.id
            """
        )
    )


def unsent(reader: Reader) -> Row:
    """How many shares are pending or failed, and their sum."""
    row = reader.one(
        f"""
        SELECT count(CASE WHEN d.status <> 'processing' THEN 1 END) AS payouts,
               coalesce(sum(CASE WHEN d.status <> 'processing' THEN d.amount_cents END), 0) AS cents
          FROM disbursement d WHERE d.status IN ('pending','processing','failed') AND {_OWED}
        """
    )
    assert row is not None  # an aggregate always has a row
    return row


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
                SELECT 0, 0, 0, amount_cents, charge_cents FROM revenue_day) AS facts
        """
    )
    assert row is not None  # an aggregate always has a row
    return row


def unknown_charges(reader: Reader) -> int:
    """How many completed disbursements came without M-Pesa's charge, which the books therefore lack."""
    row = reader.one("SELECT coalesce(sum(charges_not_told), 0) AS n FROM revenue_day")
    return int(row["n"]) if row else 0


# --- what needs a person ---------------------------------------------------------------------------------------------

_OWED = "d.id IN (SELECT p.disbursement_id FROM payment p WHERE p.disbursement_id = d.id AND p.status = 'success')"
"""A share of rent that was paid and not given back."""


_LAST_HEARD = (
    "(SELECT received_at FROM inbox WHERE state <> 'held' AND token_sha256 IS NOT NULL ORDER BY id DESC LIMIT 1)"
)
"""When M-Pesa was last heard of: what is not believed, or carries no token, anybody could have sent."""

_UNCLEAR = """
    SELECT coalesce(a.payment_id, (SELECT min(p.id) FROM payment p WHERE p.disbursement_id = a.disbursement_id))
               AS payment_id, a.direction, a.created_at,
           CASE WHEN a.checkout_request_id IS NULL AND a.originator_conversation_id IS NULL THEN 0 ELSE 1 END AS askable
      FROM attempt a WHERE a.state IN ('sending','waiting','unclear') AND a.state = 'unclear'
"""


def unclear(reader: Reader) -> list[Row]:
    """Every request that may have moved money, and whether M-Pesa gave it an id by which it can be asked about."""
    return list(reader.rows(f"{_UNCLEAR} ORDER BY 1"))


def health(
    reader: Reader, *, pending_before: int, processing_before: int, silence_before: int, untold_since: int
) -> Row:
    """Counts and moments of what may need a person; what began before the given moments is late.

    Each condition is written as in its partial index, or else SQLite reads the whole table.
    """
    row = reader.one(
        f"""
        SELECT s.*, a.*, u.*,
               (SELECT min(id) FROM payment WHERE disbursement_id = s.held_disbursement_id) AS held_payment_id,
               (SELECT count(*) FROM payment WHERE status = 'pending' AND created_at < :pending_before) AS rents_late,
               (SELECT count(*) FROM inbox WHERE state = 'new') AS unread,
               (SELECT count(*) FROM inbox WHERE state = 'held') AS held,
               (SELECT count(*) FROM finding WHERE closed_at IS NULL) AS findings,
               (SELECT min(payment_id) FROM finding WHERE closed_at IS NULL) AS finding_payment_id,
               (SELECT count(*) FROM notice WHERE state IN ('failed','unknown') AND changed_at > :untold_since)
                   AS untold,
               (SELECT count(*) FROM payout_stop WHERE in_force = 1 AND owner_id IS NOT NULL) AS owners_stopped,
               (SELECT count(*) FROM paybill_change WHERE state = 'held') AS changes_held,
               (SELECT min(property_id) FROM paybill_change WHERE state = 'held') AS changed_property_id,
               {_LAST_HEARD} AS last_callback_at,
               (SELECT value FROM setting WHERE name = 'worker_alive_at') AS worker_alive_at,
               (SELECT value FROM setting WHERE name = 'callbacks_refused') AS refused_in_all,
               (SELECT value FROM setting WHERE name = 'callbacks_refused_at') AS refused_at
          FROM (SELECT count(CASE WHEN d.status = 'failed' THEN 1 END) AS failed,
                       coalesce(sum(CASE WHEN d.status = 'failed' THEN d.amount_cents END), 0) AS failed_cents,
                       count(d.held_reason) AS held_payouts,
                       coalesce(sum(CASE WHEN d.held_reason IS NOT NULL THEN d.amount_cents END), 0)
                           AS held_payouts_cents,
                       min(CASE WHEN d.held_reason IS NOT NULL THEN d.id END) AS held_disbursement_id,
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
                           coalesce({_LAST_HEARD}, 0)
                           THEN 1 END) AS unheard_of
                  FROM attempt WHERE state IN ('sending', 'waiting', 'unclear')) AS a,
               (SELECT min(payment_id) AS unclear_payment_id,
                       min(CASE WHEN askable = 0 THEN payment_id END) AS unaskable_payment_id
                  FROM ({_UNCLEAR}) AS unclear) AS u
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


_CALLBACKS = """
SELECT id, path, source_ip, received_at, state, outcome, payment_id, read_at, copies, last_copy_at FROM inbox
"""


def callbacks(
    reader: Reader, *, state: str | None = None, before_id: int | None = None, limit: int = 50
) -> Iterator[Row]:
    """Callbacks without their bodies, newest first; `before_id` continues a list by key."""
    assert state in (None, "new", "read", "held")
    chosen = {f"state = '{state}'": state}  # in words, because the index of those that are new or held is partial
    return _newest_first(reader, _CALLBACKS, "id", chosen, before_id, limit)


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
    filters = {
        "payment_id = :payment_id": payment_id,
        "event = :event": event,
        "at >= :since": since,
        "at < :until": until,
    }
    return _newest_first(reader, "SELECT * FROM journal", "id", filters, before_id, limit)


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
