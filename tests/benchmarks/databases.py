"""Databases as a platform has them after three years: rows made by arithmetic and written through the real schema.

The history is the same whenever it is made, but for its moments, which end now: payments of all properties in turn,
month by month, each with its money, its owner's share, its transfers, attempts, callbacks and journal. One tenant in
fifty did not pay, one owner in a hundred was paid by the second transfer, one owner has a twentieth of the properties.
After the history come payments that are still open; how many does not depend on the size of the history, so that what
grows is the history alone.

All rows take the steps that the schema's triggers want, which refuse what could not have been and keep the sums.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.shared import Bench, whole_process

HOUR = 3_600_000
PERIOD = 36 * 30 * 24 * HOUR
CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Size:
    """How many payments there are: settled ones, and behind them the open ones by what they wait for."""

    settled: int
    asked: int = 50
    """Whose tenant has not answered yet."""
    unread: int = 0
    """Of those asked, whose callback is stored and not read."""
    due: int = 50
    """Whose owner's share was not sent yet."""
    failed: int = 50
    """Whose owner's share failed, and may be sent again."""

    @property
    def properties(self) -> int:
        return max(20, self.settled // 36)

    @property
    def due_ids(self) -> range:
        return range(self.settled + self.asked + 1, self.settled + self.asked + self.due + 1)


def sqlite(bench: Bench, name: str, size: Size) -> Path:
    """An SQLite database of the size, made once."""
    path = bench.folder / f"{name}.db"
    if not path.exists():
        _make_schema(bench, f"sqlite:///{path}")
        with closing(sqlite3.connect(path)) as connection:
            fill(connection, size)
            _check(connection, size)
    return path


def copy(bench: Bench, name: str, size: Size) -> Path:
    """A new copy of such a database, to write into."""
    there = sqlite(bench, name, size)
    return Path(shutil.copy(there, there.with_name(f"{name}-{time.time_ns()}.db")))


def postgresql(bench: Bench, url: str, source: Path) -> None:
    """Make an empty PostgreSQL database the same as the SQLite database."""
    import psycopg

    _make_schema(bench, url)
    with closing(sqlite3.connect(source)) as there, psycopg.connect(url.replace("+psycopg", "", 1)) as here:
        for table in TABLES:
            here.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")  # rows come as they ended, with their sums
            rows = there.execute(f"SELECT * FROM {table}")
            columns = ", ".join(column[0] for column in rows.description)
            with here.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as sink:
                for row in rows:
                    sink.write_row(row)
            here.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            if table != "revenue_day":
                here.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")


def _make_schema(bench: Bench, url: str) -> None:
    # A command that may write makes the database that is not there yet.
    whole_process([bench.rentpay, "retry-failed", "--yes", "--json"], bench.environment(url))


# --- what is in them -------------------------------------------------------------------------------------------------


def fill(connection: sqlite3.Connection, size: Size) -> None:
    """Write the rows into an empty database."""
    for pragma in ("foreign_keys = ON", "synchronous = OFF", "cache_size = -1000000"):
        connection.execute(f"PRAGMA {pragma}")
    for function, count in ((token_sha256, 1), (receipt, 1), (rent_paid, 2), (owner_paid, 2)):
        connection.create_function(function.__name__, count, function, deterministic=True)
    connection.execute(
        "CREATE TEMP TABLE plan (number INTEGER PRIMARY KEY, place, owner, rent, fee, at, status, share, unread, tries)"
    )
    places = range(1, size.properties + 1)
    with connection:
        owners = sorted({owner_of(place, size) for place in places})
        connection.executemany("INSERT INTO owner (id, name, created_at) VALUES (?, 'Owner ' || ?1, 0)", zip(owners))
        connection.executemany(PROPERTY, ((place, owner_of(place, size), rent_cents(place)) for place in places))
        connection.executemany(TENANT, zip(places))
    last = size.settled + size.asked + size.due + size.failed
    now = time.time_ns() // 1_000_000
    for first in range(1, last + 1, CHUNK):
        with connection:
            chunk = (_plan(number, size, now) for number in range(first, min(first + CHUNK, last + 1)))
            connection.executemany("INSERT INTO plan VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", chunk)
            for statement in (*RENT_IN, *PAID_OUT.format(n=1).split(";"), *PAID_OUT.format(n=2).split(";"), *BESIDES):
                connection.execute(statement)
            connection.execute("DELETE FROM plan")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _check(connection: sqlite3.Connection, size: Size) -> None:
    """Raise `RuntimeError` if there is not as much of everything as there should be."""
    told = connection.execute(COUNTS, (size.settled,)).fetchone()
    in_order = (size.asked, size.due, size.failed, 0, 0, 0)
    if told != in_order:
        raise RuntimeError(f"The database should have {in_order} rows of each kind, and has {told}")


def _plan(number: int, size: Size, now: int) -> tuple[object, ...]:
    """What decides about all rows of one payment."""
    place = (number - 1) % size.properties + 1
    open_number = number - size.settled
    # History ends two minutes ago; what is open began a minute ago, so that nothing of it is overdue.
    at = now - 60_000 if open_number > 0 else now - 120_000 + open_number * PERIOD // size.settled
    if open_number <= 0:
        status, share = ("failed", None) if number % 50 == 7 else ("success", "completed")
    elif open_number <= size.asked:
        status, share = "pending", None
    else:
        status, share = "success", "pending" if open_number <= size.asked + size.due else "failed"
    tries = 0 if share in (None, "pending") else 2 if open_number <= 0 and number % 100 == 1 else 1
    unread = 0 < open_number <= size.unread
    rent = rent_cents(place)
    return number, place, owner_of(place, size), rent, rent * 5 // 100, at, status, share, unread, tries


def rent_cents(place: int) -> int:
    """The rent of a property; five percent of it are whole shillings."""
    return (8_000 + place % 40 * 500) * 100


def owner_of(place: int, size: Size) -> int:
    """Owner 1 has a twentieth of the properties, every other owner about twenty."""
    return 1 if place % 20 == 0 else 2 + place % (size.properties // 20)


def first_transfer(size: Size) -> int:
    """The number that no transfer of the history reaches."""
    return 3 * size.settled + 3


def token(attempt: int) -> str:
    """The secret in the callback address of an attempt."""
    return f"{attempt:032x}"


def token_sha256(attempt: int) -> str:
    """What the database keeps of it."""
    return hashlib.sha256(token(attempt).encode()).hexdigest()


def receipt(attempt: int) -> str:
    """M-Pesa's code for the money that an attempt moved."""
    return f"SK{attempt:08d}"


def rent_paid(attempt: int, cents: int) -> bytes:
    """M-Pesa's callback for rent that was paid."""
    return (
        f'{{"Body":{{"stkCallback":{{"MerchantRequestID":"m-{attempt}","CheckoutRequestID":"ws_CO_{attempt}",'
        '"ResultCode":0,"ResultDesc":"The service request is processed successfully.","CallbackMetadata":{"Item":['
        f'{{"Name":"Amount","Value":{cents // 100}}},{{"Name":"MpesaReceiptNumber","Value":"{receipt(attempt)}"}},'
        '{"Name":"Balance"},{"Name":"TransactionDate","Value":20261123103000},'
        '{"Name":"PhoneNumber","Value":254722000111}]}}}}'
    ).encode()


def owner_paid(attempt: int, cents: int) -> bytes:
    """M-Pesa's callback for an owner's share that was paid."""
    return (
        '{"Result":{"ResultType":0,"ResultCode":0,"ResultDesc":"The service request is processed successfully.",'
        f'"OriginatorConversationID":"o-{attempt}","ConversationID":"AG_{attempt}","TransactionID":"{receipt(attempt)}",'
        f'"ResultParameters":{{"ResultParameter":[{{"Key":"Amount","Value":{cents // 100}}},'
        '{"Key":"DebitPartyCharges","Value":"Business Pay Bill Charge|KES|5.00"},'
        '{"Key":"TransCompletedTime","Value":20261123103000}]}}}'
    ).encode()


def stored_requests(size: Size) -> Iterator[tuple[str, str]]:
    """The callbacks, with their addresses, for the payments that are asked for."""
    for number in range(size.settled + 1, size.settled + size.asked + 1):
        cents = rent_cents((number - 1) % size.properties + 1)
        yield f"/api/payments/callback/{token(3 * number)}", rent_paid(3 * number, cents).decode()


# --- rows: only the columns that this needs, by name -----------------------------------------------------------------

PROPERTY = """
INSERT INTO property (id, name, owner_id, rent_cents, paybill, account_number, created_at)
VALUES (?1, 'House ' || ?1, ?2, ?3, 600000 + ?1 % 1000, 'H' || ?1, 0)
"""
TENANT = """
INSERT INTO tenant (id, name, phone, property_id, created_at)
VALUES (?1, 'Tenant ' || ?1, 254700000000 + ?1, ?1, 0)
"""
RENT_IN = (
    """
INSERT INTO money_in (id, way, received_by, amount_cents, receipt, short_code, paid_at, booked_at, learned_by)
SELECT number, 'stk', 'platform', rent, receipt(3 * number), '174379', at + 20000, at + 20000, 'callback'
  FROM plan WHERE status = 'success'
""",
    """
INSERT INTO payment (id, owner_id, property_id, tenant_id, phone, method, amount_cents, fee_cents, share_cents, status,
       money_in_id, failure_code, failure_reason, owner_paybill, owner_account_number, created_at)
SELECT number, owner, place, place, 254700000000 + place, 'mpesa', rent, fee, rent - fee, status,
       iif(status = 'success', number, NULL), iif(status = 'failed', '1032', NULL),
       iif(status = 'failed', 'Request cancelled by user.', NULL), 600000 + place % 1000, 'H' || place, at
  FROM plan
""",
    """
INSERT INTO attempt (id, direction, payment_id, short_code, state, token_sha256, amount_cents, checkout_request_id,
       merchant_request_id, code, learned_by, created_at, changed_at, next_check_at, checks, not_found_count)
SELECT 3 * number, 'collection', number, '174379',
       CASE status WHEN 'success' THEN 'moved' WHEN 'failed' THEN 'not_moved' ELSE 'waiting' END,
       token_sha256(3 * number), rent, 'ws_CO_' || (3 * number), 'm-' || (3 * number),
       iif(status = 'failed', '1032', NULL), iif(status = 'pending', NULL, 'callback'), at, at + 20000,
       iif(status = 'pending', at + 86400000, NULL), 0, 0
  FROM plan
""",
    """
INSERT INTO payable (id, owner_id, kind, amount_cents, payment_id, property_id, paybill, account_number, payable_from,
       status, made_by, booked_at, booked_day)
SELECT number, owner, 'share', rent - fee, number, place, 600000 + place % 1000, 'H' || place, at + 20000, 'pending',
       'listener', at + 20000, CAST(strftime('%Y%m%d', at / 1000 + 20 + 3 * 3600, 'unixepoch') AS INTEGER)
  FROM plan WHERE share IS NOT NULL
""",
)
PAID_OUT = """
INSERT INTO disbursement (id, way, owner_id, paybill, account_number, payment_count, collected_cents, fee_cents,
       shares_cents, entries_cents, carried_cents, amount_cents, status, created_at)
SELECT 3 * number + {n}, 'b2b', owner, 600000 + place % 1000, 'H' || place, 1, rent, fee, rent - fee, 0, 0, rent - fee,
       'proposed', at + 60000
  FROM plan WHERE tries >= {n}
;
INSERT INTO disbursement_member (disbursement_id, payable_id, live)
SELECT 3 * number + {n}, number, 1 FROM plan WHERE tries >= {n}
;
UPDATE disbursement SET status = 'processing' FROM plan WHERE disbursement.id = 3 * plan.number + {n} AND tries >= {n}
;
UPDATE payable SET status = 'processing' FROM plan WHERE payable.id = number AND tries >= {n}
;
INSERT INTO attempt (id, direction, disbursement_id, short_code, state, token_sha256, amount_cents, conversation_id,
       originator_conversation_id, created_at, changed_at, checks, not_found_count)
SELECT 3 * number + {n}, 'payout', 3 * number + {n}, '174379', 'sending', token_sha256(3 * number + {n}), rent - fee,
       'AG_' || (3 * number + {n}), 'o-' || (3 * number + {n}), at + 60000, at + 60000, 0, 0
  FROM plan WHERE tries >= {n}
;
UPDATE attempt SET state = iif(share = 'completed' AND tries = {n}, 'moved', 'not_moved'),
       code = iif(share = 'completed' AND tries = {n}, NULL, '17'), learned_by = 'callback', changed_at = at + 90000
  FROM plan WHERE attempt.id = 3 * number + {n} AND tries >= {n}
;
UPDATE disbursement SET status = 'completed', receipt = receipt(3 * plan.number + {n}), mpesa_charge_cents = 500,
       completed_at = at + 90000,
       completed_day = CAST(strftime('%Y%m%d', at / 1000 + 90 + 3 * 3600, 'unixepoch') AS INTEGER)
  FROM plan WHERE disbursement.id = 3 * plan.number + {n} AND tries = {n} AND share = 'completed'
;
UPDATE payable SET status = 'completed' FROM plan WHERE payable.id = number AND tries = {n} AND share = 'completed'
;
UPDATE disbursement SET status = 'failed', failure_code = '17', failure_reason = 'System internal error.',
       advice = 'send again'
  FROM plan WHERE disbursement.id = 3 * plan.number + {n} AND (tries > {n} OR (tries = {n} AND share = 'failed'))
;
UPDATE disbursement_member SET live = NULL FROM plan
 WHERE disbursement_id = 3 * number + {n} AND (tries > {n} OR (tries = {n} AND share = 'failed'))
;
UPDATE payable SET status = 'failed' FROM plan
 WHERE payable.id = number AND (tries > {n} OR (tries = {n} AND share = 'failed'))
"""
"""The life of the transfers that are the n-th of their shares, step by step; all but the last one failed."""
BESIDES = (
    """
INSERT INTO inbox (path, token_sha256, source_ip, body, body_bytes, copies, received_at, state, outcome, payment_id,
       read_at)
SELECT 'collection', token_sha256(3 * number), '196.201.214.200', rent_paid(3 * number, rent),
       length(rent_paid(3 * number, rent)), 1, at + 20000,
       iif(unread, 'new', 'read'), iif(unread, NULL, 'moved'), iif(unread, NULL, number), iif(unread, NULL, at + 21000)
  FROM plan WHERE status <> 'pending' OR unread
 UNION ALL
SELECT 'payout', token_sha256(3 * number + tries), '196.201.214.200', owner_paid(3 * number + tries, rent - fee),
       length(owner_paid(3 * number + tries, rent - fee)), 1, at + 90000, 'read', 'moved', number, at + 91000
  FROM plan WHERE tries > 0
""",
    """
INSERT INTO journal (at, actor, event, payment_id, attempt_id, hash, detail)
SELECT at, 'listener', event, number, 3 * number, '', '{"amount_cents": ' || rent || ', "direction": "collection"}'
  FROM plan JOIN (SELECT 'rent asked' AS event UNION ALL SELECT 'learned')
 UNION ALL
SELECT at + 60000, 'listener', event, number, 3 * number + tries, '',
       '{"amount_cents": ' || (rent - fee) || ', "direction": "payout"}'
  FROM plan JOIN (SELECT 'payout intended' AS event UNION ALL SELECT 'learned') WHERE tries > 0
""",
)
TABLES = (
    *("owner", "property", "tenant", "money_in", "payment", "payable", "disbursement", "disbursement_member"),
    *("attempt", "inbox", "journal", "revenue_day"),
)
COUNTS = """
SELECT (SELECT count(*) FROM payment WHERE status = 'pending'),
       (SELECT count(*) FROM payable WHERE status = 'pending' AND amount_cents > 0),
       (SELECT count(*) FROM payable y JOIN disbursement_member m ON m.payable_id = y.id AND m.live IS NULL
           JOIN attempt a ON a.disbursement_id = m.disbursement_id AND a.state = 'not_moved' WHERE y.status = 'failed'),
       (SELECT count(*) FROM payable WHERE status NOT IN ('completed','pending','failed')),
       (SELECT count(*) FROM money_in WHERE allocated_cents <> amount_cents),
       (SELECT count(*) FROM (SELECT count(*) AS number FROM payment WHERE status = 'success' AND id <= ?
           EXCEPT SELECT coalesce(sum(payments), 0) FROM revenue_day))
"""
"""Rent that is asked for, shares that wait, shares that failed, and what there should be none of."""
