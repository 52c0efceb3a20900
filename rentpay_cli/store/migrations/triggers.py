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
    ("payable", "status"): [
        ("pending", "processing"),
        ("pending", "completed"),  # paid by hand in the portal, or settled without a transfer
        ("pending", "not_required"),
        ("failed", "processing"),
        ("failed", "completed"),
        ("failed", "not_required"),
        ("processing", "completed"),
        ("processing", "failed"),
    ],
    ("disbursement", "status"): [
        ("proposed", "processing"),
        ("proposed", "completed"),
        ("proposed", "settled"),
        ("proposed", "cancelled"),
        ("processing", "completed"),
        ("processing", "failed"),
        ("failed", "completed"),  # only by a person's ruling
    ],
    ("refund", "status"): [
        ("proposed", "processing"),
        ("proposed", "completed"),
        ("proposed", "cancelled"),
        ("processing", "completed"),
        ("processing", "failed"),
        ("failed", "completed"),  # only by a person's ruling
    ],
    ("request", "state"): [
        ("waiting", "confirmed"),
        ("waiting", "rejected"),
        ("waiting", "withdrawn"),
        ("waiting", "lapsed"),
    ],
    ("destination_change", "state"): [("held", "confirmed"), ("held", "cancelled")],
    ("payout_run", "status"): [
        ("proposed", "approved"),
        ("proposed", "void"),
        ("approved", "done"),
        ("approved", "void"),
    ],
}

FIXED = {
    "money_in": ("way", "received_by", "amount_cents", "short_code", "paid_at", "booked_at"),
    "attempt": (
        "direction",
        "payment_id",
        "disbursement_id",
        "refund_id",
        "short_code",
        "token_sha256",
        "amount_cents",
        "created_at",
    ),
    "payment": (
        "owner_id",
        "property_id",
        "method",
        "amount_cents",
        "owner_paybill",
        "owner_account_number",
        "created_at",
    ),
    "payable": (
        "owner_id",
        "kind",
        "amount_cents",
        "payment_id",
        "disbursement_id",
        "refund_id",
        "property_id",
        "made_by",
        "booked_at",
        "booked_day",
    ),
    "disbursement": (
        "run_id",
        "number",
        "way",
        "owner_id",
        "paybill",
        "account_number",
        "carried_cents",
        "amount_cents",
        "created_at",
    ),
    "disbursement_member": ("disbursement_id", "payable_id"),
    "refund": ("money_in_id", "way", "reason", "made_by", "created_at"),
    "payout_run": ("owner_id", "origin", "due_at", "digest", "needs_approval", "made_by", "created_at"),
    "hold": ("payable_id", "property_id", "owner_id", "kind", "reason", "placed_by", "placed_at", "until"),
    "payout_stop": ("owner_id", "kind", "reason", "stopped_by", "stopped_at"),
    "inbox": ("path", "token_sha256", "source_ip", "body_bytes", "stranger_sha256", "received_at"),
    "access": ("name", "role", "owner_id", "tenant_id", "salt", "token_hash", "created_by", "created_at"),
    "destination_change": (
        *("property_id", "payable_id", "paybill", "account_number", "owner_id", "fee_percentage", "from_paybill"),
        *("from_account_number", "from_owner_id", "from_fee_percentage", "organisation_name", "asked_by", "asked_at"),
    ),
    "known_destination": ("paybill", "account_number", "name", "confirmed_by", "confirmed_at"),
    "request": (
        *("kind", "destination_change_id", "attempt_id", "hold_id", "payout_stop_id", "access_id", "refund_id"),
        *("payout_run_id", "money_in_id", "shown", "digest", "needs_two", "asked_by_id", "asked_by", "asked_at"),
    ),
    "enquiry": ("kind", "attempt_id", "money_in_id", "asked_with", "short_code", "token_sha256", "asked_at"),
    "finding": ("kind", "payment_id", "attempt_id", "disbursement_id", "money_in_id", "text", "found_at"),
    "balance_reading": ("account", "current_cents", "available_cents", "source", "read_at"),
    "journal": ("id", "at", "actor", "event", "payment_id", "attempt_id", "detail", "hash"),
}

KEPT = (*FIXED, "owner", "property", "tenant")
"""The tables that nothing is ever deleted from."""

SET_ONCE = {
    "money_in": ("receipt", "returned_at", "proved_at", "proved_by"),
    "attempt": ("conversation_id", "originator_conversation_id", "sent_at", "known_at", "first_not_found_at"),
    "payment": ("money_in_id", "reversed_at", "reversed_because", "reversed_day"),
    "payable": ("receipt",),
    "disbursement": ("receipt", "completed_at", "completed_day", "mpesa_charge_cents"),
    "refund": ("receipt", "completed_at"),
    "hold": ("ended_by", "ended_at", "ended_reason"),
    "payout_stop": ("lifted_by", "lifted_at", "lifted_reason"),
    "access": ("revoked_by", "revoked_at"),
    "enquiry": ("answered_at", "mpesa_asked_at", "mpesa_answered_at"),
    "destination_change": ("decided_by", "decided_at"),
    "request": ("decided_by_id", "decided_by", "decided_at"),
    "finding": ("closed_by", "closed_at", "closed_reason"),
}

_LIVE = (
    "FROM disbursement_member m JOIN payable y ON y.id = m.payable_id WHERE m.disbursement_id = NEW.id AND m.live = 1"
)
_ATTEMPT_IS = "EXISTS (SELECT 1 FROM attempt a WHERE a.{table}_id = {id} AND a.state = '{state}')"
_LIVE_IN = """EXISTS (SELECT 1 FROM disbursement_member m JOIN disbursement d ON d.id = m.disbursement_id
    WHERE m.payable_id = NEW.id AND m.live = 1 AND d.status IN ({statuses}))"""
_NINE_DIGITS = "length(NEW.value) = 9 AND CAST(CAST(NEW.value AS BIGINT) AS TEXT) = NEW.value"
_REFUND_UNDER_WAY = "SELECT 1 FROM refund r WHERE r.money_in_id = {money_in} AND r.status IN ('proposed','processing')"


def _becomes(*statuses: str) -> str:
    among = ",".join(f"'{status}'" for status in statuses)
    return f"OLD.status <> NEW.status AND NEW.status IN ({among})"


CHECKS = {
    ("money_in", "begins", "INSERT"): (
        "NEW.allocated_cents <> 0 OR NEW.returned_at IS NOT NULL",
        "",
        "money comes in for nothing yet",
    ),
    ("money_in", "allocated", "UPDATE"): (
        "OLD.allocated_cents <> NEW.allocated_cents",
        "NEW.allocated_cents = (SELECT coalesce(sum(p.amount_cents), 0) FROM payment p"
        " WHERE p.money_in_id = NEW.id AND p.status = 'success')",
        "what is allocated is the sum of the payments",
    ),
    ("payment", "begins", "INSERT"): ("NEW.status = 'reversed'", "", "a payment does not begin reversed"),
    ("payment", "division", "UPDATE"): (
        "OLD.status IN ('success','reversed') AND (OLD.fee_cents <> NEW.fee_cents OR OLD.vat_cents <> NEW.vat_cents"
        " OR OLD.share_cents <> NEW.share_cents OR OLD.other_cents <> NEW.other_cents)",
        "",
        "the division of rent that came in is fixed",
    ),
    ("payment", "refunded_at_once", "INSERT"): (
        "NEW.status = 'success'",
        f"NOT EXISTS ({_REFUND_UNDER_WAY.format(money_in='NEW.money_in_id')})",
        "this money is on its way back",
    ),
    ("payment", "refunded", "UPDATE"): (
        _becomes("success"),
        f"NOT EXISTS ({_REFUND_UNDER_WAY.format(money_in='NEW.money_in_id')})",
        "this money is on its way back",
    ),
    ("payable", "begins", "INSERT"): (
        "NEW.status NOT IN ('pending','not_required')",
        "",
        "a payable begins pending or not_required",
    ),
    ("payable", "destination", "UPDATE"): (
        "OLD.paybill IS DISTINCT FROM NEW.paybill OR OLD.account_number IS DISTINCT FROM NEW.account_number",
        "OLD.status IN ('pending','failed') AND NEW.status IN ('pending','failed') AND NOT EXISTS ("
        "SELECT 1 FROM disbursement_member m JOIN disbursement d ON d.id = m.disbursement_id"
        " WHERE m.payable_id = NEW.id AND m.live = 1 AND d.status <> 'proposed')",
        "the destination of what was sent is fixed",
    ),
    ("payable", "sent", "UPDATE"): (
        _becomes("processing"),
        _LIVE_IN.format(statuses="'processing'"),
        "a payable is processing in a disbursement that is",
    ),
    ("payable", "settled", "UPDATE"): (
        _becomes("completed"),
        _LIVE_IN.format(statuses="'completed','settled'"),
        "a payable is completed in a disbursement that is",
    ),
    ("payable", "freed", "UPDATE"): (
        _becomes("failed", "not_required"),
        "NOT EXISTS (SELECT 1 FROM disbursement_member m WHERE m.payable_id = NEW.id AND m.live = 1)",
        "a payable in a live disbursement is not free",
    ),
    ("disbursement", "begins", "INSERT"): ("NEW.status <> 'proposed'", "", "a disbursement begins proposed"),
    ("disbursement", "ways", "UPDATE"): (
        "OLD.status = 'proposed' AND ((NEW.status = 'processing' AND NEW.way <> 'b2b')"
        " OR (NEW.status = 'completed' AND NEW.way <> 'portal'))",
        "",
        "this way of a disbursement has no such status",
    ),
    ("disbursement", "sums", "UPDATE"): (
        _becomes("processing", "completed", "settled"),
        f"""(SELECT count(*) > 0
                AND coalesce(sum(CASE WHEN y.kind = 'share' THEN y.amount_cents ELSE 0 END), 0) = NEW.shares_cents
                AND coalesce(sum(CASE WHEN y.kind = 'share' THEN 0 ELSE y.amount_cents END), 0) = NEW.entries_cents
                AND coalesce(min(y.owner_id), 0) = NEW.owner_id AND coalesce(max(y.owner_id), 0) = NEW.owner_id
               {_LIVE})
            AND (SELECT count(*) = NEW.payment_count AND coalesce(sum(p.amount_cents), 0) = NEW.collected_cents
                    AND coalesce(sum(p.fee_cents), 0) = NEW.fee_cents
                   FROM disbursement_member m JOIN payable y ON y.id = m.payable_id
                   JOIN payment p ON p.id = y.payment_id
                  WHERE m.disbursement_id = NEW.id AND m.live = 1 AND y.kind = 'share')""",
        "a disbursement is the sum of its members, all of one owner",
    ),
    ("disbursement", "free", "UPDATE"): (
        f"OLD.status = 'proposed' AND {_becomes('processing', 'completed', 'settled')}",
        f"NOT EXISTS (SELECT 1 {_LIVE} AND y.status NOT IN ('pending','failed'))",
        "a member is not free",
    ),
    ("disbursement", "destination", "UPDATE"): (
        _becomes("processing"),
        f"NOT EXISTS (SELECT 1 {_LIVE} AND y.paybill IS NOT NULL"
        " AND (y.paybill <> NEW.paybill OR y.account_number <> NEW.account_number))",
        "a member goes to another destination",
    ),
    ("disbursement", "paid", "UPDATE"): (
        _becomes("processing", "settled"),
        f"""NOT EXISTS (SELECT 1 FROM disbursement_member m
                JOIN payable y ON y.id = m.payable_id JOIN payment p ON p.id = y.payment_id
               WHERE m.disbursement_id = NEW.id AND m.live = 1 AND y.kind = 'share'
                 AND (EXISTS ({_REFUND_UNDER_WAY.format(money_in="p.money_in_id")})
                      OR (p.status <> 'success' AND NOT EXISTS (SELECT 1 FROM payable e
                           WHERE e.payment_id = p.id AND e.kind IN ('reversal','reallocated')))))""",
        "a member is rent that did not come in, or goes back",
    ),
    ("disbursement", "approved", "UPDATE"): (
        _becomes("processing"),
        "NEW.run_id IS NULL OR EXISTS (SELECT 1 FROM payout_run r"
        " WHERE r.id = NEW.run_id AND r.owner_id = NEW.owner_id AND r.status = 'approved')",
        "its run is not approved",
    ),
    ("disbursement", "not_moved", "UPDATE"): (
        _becomes("failed"),
        _ATTEMPT_IS.format(table="disbursement", id="NEW.id", state="not_moved"),
        "nobody knows that its attempt moved nothing",
    ),
    ("disbursement", "moved", "UPDATE"): (
        f"NEW.way = 'b2b' AND {_becomes('completed')}",
        _ATTEMPT_IS.format(table="disbursement", id="NEW.id", state="moved"),
        "nobody knows that its attempt moved money",
    ),
    ("disbursement", "rewritten", "UPDATE"): (
        "NOT (OLD.status = 'failed' AND NEW.status = 'completed') AND (OLD.shares_cents <> NEW.shares_cents"
        " OR OLD.entries_cents <> NEW.entries_cents OR OLD.payment_count <> NEW.payment_count"
        " OR OLD.collected_cents <> NEW.collected_cents OR OLD.fee_cents <> NEW.fee_cents)",
        "",
        "the sums of a disbursement are fixed",
    ),
    ("disbursement_member", "joins", "INSERT"): (
        "",
        f"""coalesce(NEW.live, 0) = 1 AND EXISTS (SELECT 1 FROM disbursement d WHERE d.id = NEW.disbursement_id
                AND (d.status = 'proposed' OR (d.status = 'failed'
                     AND {_ATTEMPT_IS.format(table="disbursement", id="d.id", state="moved")})))
            AND EXISTS (SELECT 1 FROM payable y WHERE y.id = NEW.payable_id AND y.status IN ('pending','failed'))""",
        "only what is free joins, and only what is proposed",
    ),
    ("disbursement_member", "freed", "UPDATE"): (
        "OLD.live = 1 AND NEW.live IS NULL",
        "EXISTS (SELECT 1 FROM disbursement d WHERE d.id = NEW.disbursement_id AND d.status IN ('failed','cancelled'))",
        "a member leaves only what failed or was cancelled",
    ),
    ("disbursement_member", "back", "UPDATE"): (
        "OLD.live IS NULL AND NEW.live = 1",
        f"""EXISTS (SELECT 1 FROM disbursement d WHERE d.id = NEW.disbursement_id AND d.status = 'failed'
                AND {_ATTEMPT_IS.format(table="disbursement", id="d.id", state="moved")})
            AND EXISTS (SELECT 1 FROM payable y WHERE y.id = NEW.payable_id AND y.status IN ('pending','failed'))""",
        "a member comes back only to what moved after all",
    ),
    ("attempt", "payout", "INSERT"): (
        "NEW.direction = 'payout'",
        "NEW.state = 'sending' AND EXISTS (SELECT 1 FROM disbursement d WHERE d.id = NEW.disbursement_id"
        " AND d.status = 'processing' AND d.amount_cents = NEW.amount_cents)",
        "an attempt to pay out is that of a disbursement on its way",
    ),
    ("attempt", "refund", "INSERT"): (
        "NEW.direction = 'refund'",
        "NEW.state = 'sending' AND EXISTS (SELECT 1 FROM refund r JOIN money_in i ON i.id = r.money_in_id"
        " WHERE r.id = NEW.refund_id AND r.status = 'processing' AND i.amount_cents = NEW.amount_cents)",
        "an attempt to refund is that of a refund on its way",
    ),
    ("refund", "begins", "INSERT"): ("NEW.status <> 'proposed'", "", "a refund begins proposed"),
    ("refund", "of_money", "INSERT"): (
        "",
        "EXISTS (SELECT 1 FROM money_in i WHERE i.id = NEW.money_in_id AND i.returned_at IS NULL)",
        "this money is not with us any more",
    ),
    ("refund", "ways", "UPDATE"): (
        "OLD.status = 'proposed' AND ((NEW.status = 'processing' AND NEW.way <> 'reversal')"
        " OR (NEW.status = 'completed' AND NEW.way <> 'portal'))",
        "",
        "this way of a refund has no such status",
    ),
    ("refund", "sent", "UPDATE"): (
        _becomes("processing"),
        """NOT EXISTS (SELECT 1 FROM payment p JOIN payable y ON y.payment_id = p.id AND y.kind = 'share'
                JOIN disbursement_member m ON m.payable_id = y.id AND m.live = 1
                JOIN disbursement d ON d.id = m.disbursement_id
               WHERE p.money_in_id = NEW.money_in_id AND d.status IN ('proposed','processing'))""",
        "a share of this money is on its way to its owner",
    ),
    ("refund", "not_moved", "UPDATE"): (
        _becomes("failed"),
        _ATTEMPT_IS.format(table="refund", id="NEW.id", state="not_moved"),
        "nobody knows that its attempt moved nothing",
    ),
    ("refund", "moved", "UPDATE"): (
        f"NEW.way = 'reversal' AND {_becomes('completed')}",
        _ATTEMPT_IS.format(table="refund", id="NEW.id", state="moved"),
        "nobody knows that its attempt moved money",
    ),
    ("setting", "forgetting", "INSERT"): ("NEW.name = 'forgetting'", _NINE_DIGITS, "only nine digits are forgotten"),
    ("setting", "forgotten", "UPDATE"): ("NEW.name = 'forgetting'", _NINE_DIGITS, "only nine digits are forgotten"),
    ("payout_run", "begins", "INSERT"): ("NEW.status <> 'proposed'", "", "a run begins proposed"),
    ("payout_run", "approved", "UPDATE"): (
        f"NEW.needs_approval = 1 AND {_becomes('approved')}",
        "EXISTS (SELECT 1 FROM request q WHERE q.payout_run_id = NEW.id AND q.kind = 'run' AND q.state = 'confirmed')",
        "nobody has confirmed the run",
    ),
    ("request", "begins", "INSERT"): ("NEW.state <> 'waiting'", "", "a request begins waiting"),
}
"""What is refused when the first condition holds, which looks at the row alone, unless the second does, which asks."""

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
    for name, table, on, when, unless, message in (*_rules(), *_masked(0 if is_sqlite else 1)):
        for statement in make(name, table, on, when, unless, message):
            connection.execute(text(statement))


def _rules() -> Iterable[tuple[str, str, str, str, str, str]]:
    for (table, column), moves in MOVES.items():
        allowed = " OR ".join(f"(OLD.{column} = '{a}' AND NEW.{column} = '{b}')" for a, b in moves)
        yield (
            f"{table}_{column}_moves",
            table,
            "UPDATE",
            f"OLD.{column} <> NEW.{column} AND NOT ({allowed})",
            "",
            f"this change of {table}.{column} is not allowed",
        )
    for table, columns in FIXED.items():
        changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns)
        yield f"{table}_fixed", table, "UPDATE", changed, "", f"{table} is written once"
    for table in KEPT:
        yield f"{table}_kept", table, "DELETE", "", "", f"{table} is never deleted"
    for table, columns in SET_ONCE.items():
        changed = " OR ".join(
            f"(OLD.{column} IS NOT NULL AND OLD.{column} IS DISTINCT FROM NEW.{column})" for column in columns
        )
        yield f"{table}_set_once", table, "UPDATE", changed, "", f"{table}: a receipt or an id is set once"
    for (table, name, on), (when, unless, message) in CHECKS.items():
        yield f"{table}_{name}", table, on, when, unless, message


def _masked(dialect: int) -> Iterable[tuple[str, str, str, str, str, str]]:
    for (table, column), words in MASKED.items():
        changed = f"OLD.{column} IS NOT NULL AND OLD.{column} IS DISTINCT FROM NEW.{column}"
        yield f"{table}_{column}_masked", table, "UPDATE", changed, f"coalesce({words[dialect]}, FALSE)", words[2]


def _sqlite(name: str, table: str, on: str, when: str, unless: str, message: str) -> list[str]:
    conditions = [*([f"({when})"] if when else []), *([f"NOT ({unless})"] if unless else [])]
    condition = " AND ".join(conditions).replace("IS DISTINCT FROM", "IS NOT")
    refused = f"WHEN {condition}" if condition else ""
    return [f"CREATE TRIGGER {name} BEFORE {on} ON {table} {refused} BEGIN SELECT RAISE(ABORT, '{message}'); END"]


def _postgresql(name: str, table: str, on: str, when: str, unless: str, message: str) -> list[str]:
    """Only inside of a function may PostgreSQL ask another table."""
    condition = f"WHEN ({when})" if when else ""
    emptied = (  # TRUNCATE deletes every row without asking a trigger of rows
        [f"CREATE TRIGGER {name}_whole BEFORE TRUNCATE ON {table} EXECUTE FUNCTION refuse_{name}()"]
        if on == "DELETE"
        else []
    )
    refusal = f"RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation';"
    body = f"IF NOT ({unless}) THEN {refusal} END IF; RETURN NEW;" if unless else refusal
    return [
        f"CREATE FUNCTION refuse_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$",
        f"CREATE TRIGGER {name} BEFORE {on} ON {table} FOR EACH ROW {condition} EXECUTE FUNCTION refuse_{name}()",
        *emptied,
    ]
