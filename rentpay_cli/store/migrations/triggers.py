"""The triggers of the first schema: which changes the database itself refuses.

A state moves only as the tables of the life cycle allow, an amount or a destination never changes once it is written,
and nothing that tells what happened can be deleted. A later change of these rules is a new migration, not an edit here.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, text

MOVES = {
    ("attempt", "state"): [
        ("sending", "waiting"),
        ("sending", "unclear"),
        ("sending", "moved"),
        ("sending", "not_moved"),
        ("waiting", "unclear"),
        ("waiting", "moved"),
        ("waiting", "not_moved"),
        ("unclear", "waiting"),
        ("unclear", "moved"),
        ("unclear", "not_moved"),
        ("not_moved", "moved"),  # only by a person's ruling
    ],
    ("payment", "status"): [
        ("pending", "success"),
        ("pending", "failed"),
        ("failed", "success"),
        ("success", "reversed"),
    ],
    ("disbursement", "status"): [
        ("pending", "processing"),
        ("processing", "completed"),
        ("processing", "failed"),
        ("failed", "processing"),
        ("failed", "completed"),  # only by a person's ruling
    ],
}

FIXED = {
    "attempt": (
        "direction",
        "payment_id",
        "disbursement_id",
        "number",
        "token_sha256",
        "amount_cents",
        "created_at",
    ),
    "payment": (
        "owner_id",
        "property_id",
        "method",
        "amount_cents",
        "fee_cents",
        "share_cents",
        "owner_paybill",
        "owner_account_number",
        "created_at",
    ),
    "disbursement": (
        "owner_id",
        "paybill",
        "account_number",
        "payment_count",
        "collected_cents",
        "fee_cents",
        "amount_cents",
        "created_at",
    ),
    "inbox": ("path", "token_sha256", "source_ip", "body_bytes", "stranger_sha256", "received_at"),
    "access": ("name", "role", "owner_id", "tenant_id", "salt", "token_hash", "created_by", "created_at"),
    "paybill_change": ("property_id", "paybill", "account_number", "organisation_name", "asked_by", "asked_at"),
    "finding": ("kind", "payment_id", "attempt_id", "text", "found_at"),
    "balance_reading": ("account", "current_cents", "available_cents", "source", "read_at"),
    "journal": ("id", "at", "actor", "event", "payment_id", "attempt_id", "detail", "hash"),
}

KEPT = (*FIXED, "owner", "property", "tenant", "enquiry", "payout_stop")
"""The tables that nothing is ever deleted from."""

SET_ONCE = {
    "attempt": ("receipt", "conversation_id", "originator_conversation_id"),
    "payment": ("receipt", "disbursement_id", "paid_at"),
    "disbursement": ("transaction_id", "completed_at"),
}

FORGETTING = "forgetting"
"""The setting that holds a telephone number's nine digits while its tenant is being forgotten, and never longer."""
_DIGITS = f"(SELECT value FROM setting WHERE name = '{FORGETTING}')"
MASKED = {
    ("inbox", "body"): (
        f"hex(NEW.body) = replace(hex(OLD.body), hex({_DIGITS}), hex('000000000'))",
        "encode(NEW.body, 'hex') = replace(encode(OLD.body, 'hex'),"
        f" encode(convert_to({_DIGITS}, 'UTF8'), 'hex'), '303030303030303030')",
        "inbox is written once",
    ),
    ("attempt", "checkout_request_id"): (
        f"NEW.checkout_request_id = replace(OLD.checkout_request_id, {_DIGITS}, substr('000000000' || OLD.id, -9))",
        f"NEW.checkout_request_id = replace(OLD.checkout_request_id, {_DIGITS}, right('000000000' || OLD.id, 9))",
        "attempt: a receipt or an id is set once",
    ),
}
"""What may lose a telephone number and nothing else: the only change, as SQLite and as PostgreSQL say it.

Ids stay unique: in theirs the number of the attempt takes the place of the digits.
"""


def create_triggers(connection: Connection) -> None:
    """Create every trigger, in the words of the database at hand."""
    is_sqlite = connection.dialect.name == "sqlite"
    make = _sqlite if is_sqlite else _postgresql
    for name, table, on, condition, message in (*_rules(), *_masked(0 if is_sqlite else 1)):
        for statement in make(name, table, on, condition, message):
            connection.execute(text(statement))


def _rules() -> Iterable[tuple[str, str, str, str, str]]:
    for (table, column), moves in MOVES.items():
        allowed = " OR ".join(f"(OLD.{column} = '{a}' AND NEW.{column} = '{b}')" for a, b in moves)
        yield (
            f"{table}_{column}_moves",
            table,
            "UPDATE",
            f"OLD.{column} <> NEW.{column} AND NOT ({allowed})",
            f"this change of {table}.{column} is not allowed",
        )
    for table, columns in FIXED.items():
        changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns)
        yield f"{table}_fixed", table, "UPDATE", changed, f"{table} is written once"
    for table in KEPT:
        yield f"{table}_kept", table, "DELETE", "", f"{table} is never deleted"
    for table, columns in SET_ONCE.items():
        changed = " OR ".join(
            f"(OLD.{column} IS NOT NULL AND OLD.{column} IS DISTINCT FROM NEW.{column})" for column in columns
        )
        yield f"{table}_set_once", table, "UPDATE", changed, f"{table}: a receipt or an id is set once"


def _masked(dialect: int) -> Iterable[tuple[str, str, str, str, str]]:
    for (table, column), words in MASKED.items():
        changed = f"OLD.{column} IS NOT NULL AND OLD.{column} IS DISTINCT FROM NEW.{column}"
        condition = f"{changed} AND NOT coalesce({words[dialect]}, FALSE)"
        yield f"{table}_{column}_masked", table, "UPDATE", condition, words[2]


def _sqlite(name: str, table: str, on: str, condition: str, message: str) -> list[str]:
    when = f"WHEN {condition.replace('IS DISTINCT FROM', 'IS NOT')}" if condition else ""
    return [f"CREATE TRIGGER {name} BEFORE {on} ON {table} {when} BEGIN SELECT RAISE(ABORT, '{message}'); END"]


def _postgresql(name: str, table: str, on: str, condition: str, message: str) -> list[str]:
    asks = "SELECT" in condition  # which PostgreSQL takes only inside of the function
    when = f"WHEN ({condition})" if condition and not asks else ""
    emptied = (  # TRUNCATE deletes every row without asking a trigger of rows
        [f"CREATE TRIGGER {name}_whole BEFORE TRUNCATE ON {table} EXECUTE FUNCTION refuse_{name}()"]
        if on == "DELETE"
        else []
    )
    refusal = f"RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation';"
    return [
        f"CREATE FUNCTION refuse_{name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {f'IF {condition} THEN {refusal} END IF; RETURN NEW;' if asks else refusal} END $$",
        f"CREATE TRIGGER {name} BEFORE {on} ON {table} FOR EACH ROW {when} EXECUTE FUNCTION refuse_{name}()",
        *emptied,
    ]
