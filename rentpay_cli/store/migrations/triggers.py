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
    "inbox": ("path", "token_sha256", "source_ip", "body", "received_at"),
    "finding": ("kind", "payment_id", "attempt_id", "text", "found_at"),
    "balance_reading": ("account", "current_cents", "available_cents", "source", "read_at"),
    "journal": ("id", "at", "actor", "event", "payment_id", "attempt_id", "detail"),
}

SET_ONCE = {
    "attempt": ("receipt", "checkout_request_id", "conversation_id", "originator_conversation_id"),
    "payment": ("receipt", "disbursement_id", "paid_at"),
    "disbursement": ("transaction_id", "completed_at"),
}


def create_triggers(connection: Connection) -> None:
    """Create every trigger, in the words of the database at hand."""
    make = _sqlite if connection.dialect.name == "sqlite" else _postgresql
    for name, table, on, condition, message in _rules():
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
        yield f"{table}_kept", table, "DELETE", "", f"{table} is never deleted"
    for table, columns in SET_ONCE.items():
        changed = " OR ".join(
            f"(OLD.{column} IS NOT NULL AND OLD.{column} IS DISTINCT FROM NEW.{column})" for column in columns
        )
        yield f"{table}_set_once", table, "UPDATE", changed, f"{table}: a receipt or an id is set once"


def _sqlite(name: str, table: str, on: str, condition: str, message: str) -> list[str]:
    when = f"WHEN {condition.replace('IS DISTINCT FROM', 'IS NOT')}" if condition else ""
    return [f"CREATE TRIGGER {name} BEFORE {on} ON {table} {when} BEGIN SELECT RAISE(ABORT, '{message}'); END"]


def _postgresql(name: str, table: str, on: str, condition: str, message: str) -> list[str]:
    when = f"WHEN ({condition})" if condition else ""
    return [
        f"CREATE FUNCTION refuse_{name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        f"CREATE TRIGGER {name} BEFORE {on} ON {table} FOR EACH ROW {when} EXECUTE FUNCTION refuse_{name}()",
    ]
