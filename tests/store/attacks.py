"""Attacks by plain SQL on healthy books (`books.a_platform`), each of which breaks one rule of the database.

`{free_share}` in a statement is the number of that row. What an attack lists as its rules is all that stands between
it and the books: each of them refuses it, until it is taken away as well, and without them all it passes. Mostly that
is one rule. Where another one always comes first, both are listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

NOBODY = "999999"
"""The number of no row."""


@dataclass(frozen=True, slots=True)
class Attack:
    """Statements of which one is refused: by each of the rules, as long as it is there."""

    rules: tuple[str, ...]
    statements: tuple[str, ...]
    only: str | None = None
    """The one kind of database that knows such a statement."""


def attack(rules: str, *statements: str, only: str | None = None) -> Attack:
    """An attack on one rule, or on several with commas between them."""
    return Attack(tuple(rules.split(", ")), statements, only)


# --- one more healthy row of each table ------------------------------------------------------------------------------

HEALTHY: Mapping[str, Mapping[str, str]] = {
    "access": {
        **{"name": "'newcomer'", "role": "'admin'", "salt": "'s'", "token_hash": "'h'"},
        **{"created_by": "'tester'", "created_at": "1"},
    },
    "attempt": {
        **{"direction": "'collection'", "payment_id": "{unasked_payment}", "state": "'sending'"},
        **{"token_sha256": "'new'", "amount_cents": "1000000", "created_at": "1", "changed_at": "1"},
        **{"checks": "0", "not_found_count": "0"},
    },
    "balance_reading": {
        **{"account": "'Working Account'", "current_cents": "1", "available_cents": "1", "source": "'query'"},
        "read_at": "1",
    },
    "disbursement": {
        **{"way": "'b2b'", "owner_id": "{owner}", "paybill": "'600001'", "account_number": "'PROP001'"},
        **{"payment_count": "1", "collected_cents": "1000000", "fee_cents": "50000", "shares_cents": "950000"},
        **{"entries_cents": "0", "carried_cents": "0", "amount_cents": "950000", "status": "'proposed'"},
        "created_at": "1",
    },
    "disbursement_member": {"disbursement_id": "{proposed_disbursement}", "payable_id": "{free_share}", "live": "1"},
    "enquiry": {"kind": "'balance'", "token_sha256": "'new'", "state": "'asked'", "asked_at": "1"},
    "finding": {"kind": "'mismatch'", "text": "'text'", "found_at": "1"},
    "hold": {
        "owner_id": "{other_owner}",
        "kind": "'evidence'",
        "reason": "'why'",
        "placed_by": "'t'",
        "placed_at": "1",
    },
    "inbox": {
        **{"path": "'payout'", "token_sha256": "'new'", "body": "'x'", "body_bytes": "1", "copies": "1"},
        **{"received_at": "1", "state": "'new'"},
    },
    "journal": {
        **{"id": "(SELECT max(id) + 1 FROM journal)", "at": "1", "actor": "'t'", "event": "'e'"},
        **{"detail": "'x'", "hash": "'h'"},
    },
    "money_in": {
        **{"way": "'bank'", "received_by": "'platform'", "amount_cents": "1000000", "paid_at": "1", "booked_at": "1"},
        **{"learned_by": "'statement'", "allocated_cents": "0"},
    },
    "notice": {
        **{"kind": "'stuck'", "subject": "1", "audience": "'operator'", "state": "'new'", "tries": "0"},
        **{"created_at": "1", "next_try_at": "1"},
    },
    "owner": {"name": "'Somebody'", "created_at": "1"},
    "payable": {
        **{"owner_id": "{owner}", "kind": "'deposit'", "amount_cents": "5000", "property_id": "{place}"},
        **{"paybill": "'600001'", "account_number": "'PROP001'", "payable_from": "1", "status": "'pending'"},
        **{"made_by": "'tester'", "booked_at": "1", "booked_day": "20261123"},
    },
    "paybill_change": {
        **{"property_id": "{second_place}", "paybill": "'600002'", "account_number": "'PROP001'", "state": "'held'"},
        **{"asked_by": "'tester'", "asked_at": "1"},
    },
    "payment": {
        **{"owner_id": "{owner}", "property_id": "{place}", "method": "'mpesa'", "amount_cents": "1000000"},
        **{"fee_cents": "50000", "vat_cents": "0", "share_cents": "950000", "other_cents": "0", "status": "'pending'"},
        **{"owner_paybill": "'600001'", "owner_account_number": "'PROP001'", "created_at": "1"},
    },
    "payout_run": {
        **{"owner_id": "{owner}", "origin": "'person'", "due_at": "1", "digest": "'digest'", "needs_approval": "0"},
        **{"status": "'proposed'", "made_by": "'tester'", "created_at": "1"},
    },
    "payout_stop": {
        **{"in_force": "1", "owner_id": "{other_owner}", "kind": "'clock'", "reason": "'why'", "stopped_by": "'t'"},
        "stopped_at": "1",
    },
    "property": {
        **{"name": "'House'", "owner_id": "{owner}", "paybill": "'600001'", "account_number": "'PROP003'"},
        **{"rent_cents": "1000000", "created_at": "1"},
    },
    "refund": {
        **{"money_in_id": "{free_money}", "way": "'reversal'", "status": "'proposed'", "reason": "'why'"},
        **{"made_by": "'tester'", "created_at": "1"},
    },
    "revenue_day": {
        **{"day": "20300101", "disbursements": "0", "payments": "0", "collected_cents": "0", "fee_cents": "0"},
        **{"amount_cents": "0", "charge_cents": "0", "charges_not_told": "0"},
    },
    "setting": {"name": "'colour'", "value": "'green'"},
    "tenant": {"name": "'Somebody'", "phone": "'254700000001'", "created_at": "1"},
}


def insert(table: str, **changes: str) -> str:
    """The statement that adds a row, healthy but for the changes."""
    columns = {**HEALTHY[table], **changes}
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(columns.values())})"


def newest(table: str) -> str:
    """The condition for the row that was added last."""
    return f"id = (SELECT max(id) FROM {table})"


SHARE = {"kind": "'share'", "amount_cents": "950000", "payment_id": "{unasked_payment}"}
ENDED = "completed_at = 1, completed_day = 20261123"
REVERSED = "status = 'reversed', reversed_because = 'refund', reversed_at = 1, reversed_day = 20261123"


def transfer(payable: str = "{free_share}", **changes: str) -> tuple[str, str]:
    """A proposed transfer of a payable."""
    number = "(SELECT max(id) FROM disbursement)"
    return insert("disbursement", **changes), insert("disbursement_member", disbursement_id=number, payable_id=payable)


def payout(transfer: str, **changes: str) -> str:
    """The statement that adds an attempt to send a transfer of one share."""
    told = {"direction": "'payout'", "payment_id": "NULL", "disbursement_id": transfer, "amount_cents": "950000"}
    return insert("attempt", **{**told, **changes})


def reversal(refund: str, **changes: str) -> str:
    """The statement that adds an attempt to refund."""
    return insert("attempt", **{"direction": "'refund'", "payment_id": "NULL", "refund_id": refund, **changes})


def sent(number: str | None = None) -> str:
    """That a transfer leaves: the newest one, if none is given."""
    which = newest("disbursement") if number is None else f"id = {number}"
    return f"UPDATE disbursement SET status = 'processing' WHERE {which}"


# --- keys, references and columns that must be told ------------------------------------------------------------------

KEYS = {"setting": "name", "revenue_day": "day"}
"""Those that are not called id."""

REFERENCES: Mapping[str, tuple[Mapping[str, str], str]] = {
    "access.owner_id": ({"role": "'owner'"}, ""),
    "access.tenant_id": ({"role": "'tenant'"}, ""),
    "attempt.payment_id": ({}, ""),
    "attempt.disbursement_id": ({"direction": "'payout'", "payment_id": "NULL"}, "trigger attempt_payout"),
    "attempt.refund_id": ({"direction": "'refund'", "payment_id": "NULL"}, "trigger attempt_refund"),
    "disbursement.run_id": ({"number": "1"}, ""),
    "disbursement.owner_id": ({}, ""),
    "disbursement_member.disbursement_id": ({}, "trigger disbursement_member_joins"),
    "disbursement_member.payable_id": ({}, "trigger disbursement_member_joins"),
    "enquiry.attempt_id": ({}, ""),
    "finding.payment_id": ({}, ""),
    "finding.attempt_id": ({}, ""),
    "hold.payable_id": ({"owner_id": "NULL"}, ""),
    "hold.property_id": ({"owner_id": "NULL"}, ""),
    "hold.owner_id": ({}, ""),
    "inbox.payment_id": ({}, ""),
    "journal.payment_id": ({}, ""),
    "journal.attempt_id": ({}, ""),
    "payable.owner_id": ({}, ""),
    "payable.payment_id": ({}, ""),
    "payable.disbursement_id": ({}, ""),
    "payable.refund_id": ({}, ""),
    "payable.property_id": ({}, ""),
    "paybill_change.property_id": ({}, ""),
    "payment.owner_id": ({}, ""),
    "payment.property_id": ({}, ""),
    "payment.tenant_id": ({}, ""),
    "payment.money_in_id": ({"status": "'success'"}, ""),
    "payout_run.owner_id": ({}, ""),
    "payout_stop.owner_id": ({}, ""),
    "property.owner_id": ({}, ""),
    "refund.money_in_id": ({}, ""),
    "tenant.property_id": ({}, ""),
}
"""What must be told besides, so that only the reference is wrong, and the rule that comes before it."""

EARLIER: Mapping[str, str] = {
    "disbursement_member.disbursement_id": "trigger disbursement_member_joins",
    "disbursement_member.payable_id": "trigger disbursement_member_joins",
}
"""The rule that refuses a row without the column before the column is missed."""


def keys() -> Iterator[Attack]:
    """A second row with the number of another."""
    for table in HEALTHY:
        key = KEYS.get(table, "id")
        yield attack(f"key {table}", insert(table, **{key: f"(SELECT min({key}) FROM {table})"}))


def references() -> Iterator[Attack]:
    """A reference to a row that is not there."""
    for name, (changes, earlier) in REFERENCES.items():
        table, column = name.split(".")
        rules = f"{earlier}, reference {name}" if earlier else f"reference {name}"
        yield attack(rules, insert(table, **{**changes, column: NOBODY}))


def missing() -> Iterator[Attack]:
    """A row without what must be told."""
    for table, columns in HEALTHY.items():
        for column in columns:
            name = f"{table}.{column}"
            if column != KEYS.get(table, "id") and name not in NOT_NEEDED:
                rules = f"{EARLIER[name]}, not null {name}" if name in EARLIER else f"not null {name}"
                yield attack(rules, insert(table, **{column: "NULL"}))


NOT_NEEDED = {
    *("attempt.payment_id", "disbursement.paybill", "disbursement.account_number", "disbursement_member.live"),
    *("hold.owner_id", "inbox.token_sha256", "payable.property_id", "payable.paybill", "payable.account_number"),
    *("payout_stop.in_force", "payout_stop.owner_id"),
}
"""What a healthy row tells, and another need not."""


# --- what is written once, and what is never deleted -----------------------------------------------------------------

FIXED: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "access": {
        **{"name": ("'other'", ""), "role": ("'clerk'", ""), "owner_id": ("{owner}", "check access_of")},
        **{"tenant_id": ("{tenant}", "check access_of"), "salt": ("'other'", ""), "token_hash": ("'other'", "")},
        **{"created_by": ("'other'", ""), "created_at": ("2", "")},
    },
    "attempt": {
        **{"direction": ("'payout'", "check attempt_direction"), "payment_id": ("{given_payment}", "")},
        **{"disbursement_id": ("{proposed_disbursement}", "check attempt_direction")},
        **{"refund_id": ("{proposed_refund}", "check attempt_direction"), "short_code": ("'600000'", "")},
        **{"token_sha256": ("'other'", ""), "amount_cents": ("200", ""), "created_at": ("2", "")},
    },
    "balance_reading": {
        **{"account": ("'other'", ""), "current_cents": ("2", ""), "available_cents": ("2", "")},
        **{"source": ("'other'", ""), "read_at": ("2", "")},
    },
    "disbursement": {
        **{"run_id": ("{proposed_run}", "check disbursement_run"), "number": ("7", "check disbursement_run")},
        **{"way": ("'portal'", ""), "owner_id": ("{other_owner}", ""), "paybill": ("'600009'", "")},
        **{"account_number": ("'MINE'", ""), "carried_cents": ("100", "check disbursement_sum")},
        **{"amount_cents": ("950100", "check disbursement_sum"), "created_at": ("2", "")},
    },
    "disbursement_member": {
        **{"disbursement_id": ("{proposed_portal}", ""), "payable_id": ("{spare_share}", "")},
    },
    "finding": {
        **{"kind": ("'other'", ""), "payment_id": ("{free_payment}", ""), "attempt_id": ("{sent_payout}", "")},
        **{"text": ("'other'", ""), "found_at": ("2", "")},
    },
    "hold": {
        **{"payable_id": ("{free_share}", "check hold_scope"), "property_id": ("{place}", "check hold_scope")},
        **{"owner_id": ("{owner}", ""), "kind": ("'limit'", ""), "reason": ("'other'", "")},
        **{"placed_by": ("'other'", ""), "placed_at": ("2", ""), "until": ("5", "")},
    },
    "inbox": {
        **{"path": ("'other'", ""), "token_sha256": ("'other'", ""), "source_ip": ("'other'", "")},
        **{"body_bytes": ("2", ""), "stranger_sha256": ("'other'", ""), "received_at": ("2", "")},
    },
    "journal": {
        **{"id": (NOBODY, ""), "at": ("2", ""), "actor": ("'other'", ""), "event": ("'other'", "")},
        **{"payment_id": ("{free_payment}", ""), "attempt_id": ("{sent_payout}", ""), "detail": ("'other'", "")},
        "hash": ("'other'", ""),
    },
    "money_in": {
        **{"way": ("'paybill'", ""), "received_by": ("'owner'", ""), "amount_cents": ("2", "")},
        **{"short_code": ("'600000'", ""), "paid_at": ("2", ""), "booked_at": ("2", "")},
    },
    "payable": {
        **{"owner_id": ("{other_owner}", ""), "kind": ("'opening'", ""), "amount_cents": ("6000", "")},
        **{"payment_id": ("{free_payment}", ""), "disbursement_id": ("{sent_disbursement}", "")},
        **{"refund_id": ("{proposed_refund}", ""), "property_id": ("{second_place}", ""), "made_by": ("'other'", "")},
        **{"booked_at": ("2", ""), "booked_day": ("20261124", "")},
    },
    "paybill_change": {
        **{"property_id": ("{other_place}", ""), "paybill": ("'600003'", ""), "account_number": ("'MINE'", "")},
        **{"organisation_name": ("'other'", ""), "asked_by": ("'other'", ""), "asked_at": ("2", "")},
    },
    "payment": {
        **{"owner_id": ("{other_owner}", ""), "property_id": ("{other_place}", ""), "method": ("'bank'", "")},
        **{"amount_cents": ("1000100", "check payment_division"), "owner_paybill": ("'600009'", "")},
        **{"owner_account_number": ("'MINE'", ""), "created_at": ("2", "")},
    },
    "payout_run": {
        **{"owner_id": ("{other_owner}", ""), "origin": ("'each'", ""), "due_at": ("2", ""), "digest": ("'other'", "")},
        **{"needs_approval": ("1", ""), "made_by": ("'other'", ""), "created_at": ("2", "")},
    },
    "payout_stop": {
        **{"owner_id": ("{owner}", ""), "kind": ("'rate'", ""), "reason": ("'other'", "")},
        **{"stopped_by": ("'other'", ""), "stopped_at": ("2", "")},
    },
    "refund": {
        **{"money_in_id": ("{spare_money}", ""), "way": ("'portal'", ""), "reason": ("'other'", "")},
        **{"made_by": ("'other'", ""), "created_at": ("2", "")},
    },
}
"""What never changes, with another value, and the rule that refuses it as well."""

KEPT = (*FIXED, "enquiry", "owner", "property", "tenant")

SET_ONCE: Mapping[str, Mapping[str, tuple[str, str, str]]] = {
    "attempt": {
        "conversation_id": ("{sent_payout}", "'other'", ""),
        "originator_conversation_id": ("{sent_payout}", "'other'", ""),
        "sent_at": ("{sent_payout}", "2", ""),
        "known_at": ("{sent_payout}", "2", ""),
        "first_not_found_at": ("{sent_payout}", "2", ""),
    },
    "disbursement": {
        "receipt": ("{completed_disbursement}", "'SKX0000001'", ""),
        "completed_at": ("{completed_disbursement}", "2", "check disbursement_end"),
        "completed_day": ("{completed_disbursement}", "20261201", "check disbursement_end"),
        "mpesa_charge_cents": ("{completed_disbursement}", "2", ""),
    },
    "hold": {
        "ended_by": ("{ended_hold}", "'other'", "check hold_ended"),
        "ended_at": ("{ended_hold}", "2", "check hold_ended"),
        "ended_reason": ("{ended_hold}", "'other'", "check hold_ended"),
    },
    "money_in": {
        "receipt": ("{free_money}", "'SKX0000001'", ""),
        "returned_at": ("{completed_refund_money}", "2", ""),
        "proved_at": ("{cash_by_platform_money}", "2", "check money_in_proved"),
        "proved_by": ("{cash_by_platform_money}", "'other'", "check money_in_proved"),
    },
    "payable": {"receipt": ("{returned}", "'SKX0000001'", "")},
    "paybill_change": {
        "decided_by": ("{confirmed_change}", "'other'", ""),
        "decided_at": ("{confirmed_change}", "2", "check paybill_change_decided"),
    },
    "payment": {
        "money_in_id": ("{free_payment}", "{unallocated_money}", "check payment_has_money"),
        "reversed_at": ("{reversed_payment}", "2", "check payment_reversed"),
        "reversed_because": ("{reversed_payment}", "'undo'", "check payment_reversed"),
    },
    "payout_stop": {
        "lifted_by": ("{lifted_stop}", "'other'", ""),
        "lifted_at": ("{lifted_stop}", "2", "check payout_stop_lifted"),
    },
    "refund": {
        "receipt": ("{portal_refund_completed}", "'SKX0000001'", ""),
        "completed_at": ("{portal_refund_completed}", "2", "check refund_end"),
    },
}
"""What is set once: a row in which it is set (or that the attack sets first), another value, and the rule that refuses,
as well, that it is taken away."""

FIRST: Mapping[str, str] = {
    "attempt.sent_at": "1",
    "attempt.known_at": "1",
    "attempt.first_not_found_at": "1",
    "refund.receipt": "'SKX0000002'",
}
"""What an attack sets first, since no row of the platform has it."""


def rewritten() -> Iterator[Attack]:
    """Another value in a column that never changes."""
    for table, columns in FIXED.items():
        for column, (value, later) in columns.items():
            rules = f"trigger {table}_fixed, {later}" if later else f"trigger {table}_fixed"
            yield attack(rules, insert(table), f"UPDATE {table} SET {column} = {value} WHERE {newest(table)}")


def deleted() -> Iterator[Attack]:
    """A row that is gone, and all rows that are."""
    for table in KEPT:
        yield attack(f"trigger {table}_kept", insert(table), f"DELETE FROM {table} WHERE {newest(table)}")
    every = ", ".join(f"trigger {table}_kept_whole" for table in KEPT)
    yield attack(every, f"TRUNCATE {', '.join(KEPT)} CASCADE", only="postgresql")


def set_twice() -> Iterator[Attack]:
    """Another value, or none, where there is one already."""
    for table, columns in SET_ONCE.items():
        for column, (number, value, later) in columns.items():
            first = FIRST.get(f"{table}.{column}")
            before = (f"UPDATE {table} SET {column} = {first} WHERE id = {number}",) if first else ()
            for after, rules in ((value, ""), ("NULL", later)):
                yield attack(
                    f"trigger {table}_set_once, {rules}".rstrip(", "),
                    *before,
                    f"UPDATE {table} SET {column} = {after} WHERE id = {number}",
                )


# --- CHECKs ----------------------------------------------------------------------------------------------------------

CHECKS = (
    attack("check access_role", insert("access", role="'guest'")),
    attack("check access_of", insert("access", role="'owner'")),
    attack("check access_of", insert("access", tenant_id="{tenant}")),
    attack("check access_revoked", insert("access", revoked_by="'tester'")),
    attack("check access_revoked", insert("access", revoked_at="1")),
    attack("check attempt_state", insert("attempt", state="'lost'")),
    attack("check attempt_direction", insert("attempt", direction="'sideways'")),
    attack("check attempt_direction", insert("attempt", payment_id="NULL")),
    attack("check attempt_direction", insert("attempt", disbursement_id="{proposed_disbursement}")),
    attack("check attempt_direction", insert("attempt", refund_id="{proposed_refund}")),
    *(
        attack(
            "check attempt_direction",
            "UPDATE disbursement SET status = 'processing' WHERE id = {proposed_disbursement}",
            payout("{proposed_disbursement}", **changes),
        )
        for changes in (
            {"direction": "'sideways'"},
            {"payment_id": "{unasked_payment}"},
            {"refund_id": "{proposed_refund}"},
        )
    ),
    *(
        attack(
            "check attempt_direction",
            "UPDATE refund SET status = 'processing' WHERE id = {proposed_refund}",
            reversal("{proposed_refund}", **changes),
        )
        for changes in (
            {"direction": "'sideways'"},
            {"payment_id": "{unasked_payment}"},
            {"disbursement_id": "{proposed_disbursement}"},
        )
    ),
    attack("check attempt_amount", insert("attempt", amount_cents="0")),
    attack("check attempt_amount", insert("attempt", amount_cents="150")),
    attack("check disbursement_way", insert("disbursement", way="'wire'")),
    attack("trigger disbursement_begins, check disbursement_status", insert("disbursement", status="'lost'")),
    attack("check disbursement_run", insert("disbursement", number="1")),
    attack("check disbursement_run", insert("disbursement", run_id="{proposed_run}")),
    attack("check disbursement_destination", insert("disbursement", paybill="NULL", account_number="NULL")),
    attack("check disbursement_account", insert("disbursement", account_number="NULL")),
    attack("check disbursement_amounts", insert("disbursement", payment_count="-1")),
    attack("check disbursement_amounts", insert("disbursement", collected_cents="-1")),
    attack("check disbursement_amounts", insert("disbursement", fee_cents="-1")),
    attack("check disbursement_amounts", insert("disbursement", shares_cents="-950000", entries_cents="1900000")),
    attack(
        "check disbursement_amounts",
        insert("disbursement", way="'portal'", carried_cents="950100", amount_cents="-100"),
    ),
    attack("check disbursement_sum", insert("disbursement", carried_cents="1")),
    attack("check disbursement_sum", insert("disbursement", entries_cents="1")),
    attack("check disbursement_whole_shillings", insert("disbursement", shares_cents="0", amount_cents="0")),
    attack("check disbursement_whole_shillings", insert("disbursement", shares_cents="950050", amount_cents="950050")),
    attack("check disbursement_settled", insert("disbursement", way="'none'")),
    attack(
        "check disbursement_settled",
        f"UPDATE disbursement SET status = 'settled', {ENDED} WHERE id = {{proposed_portal}}",
    ),
    attack(
        "check disbursement_settled",
        insert("payable", kind="'tax'", amount_cents="-7000", paybill="NULL", account_number="NULL"),
        *transfer(
            "{opening}",
            **{"way": "'portal'", "payment_count": "0", "collected_cents": "0", "fee_cents": "0"},
            **{"shares_cents": "0", "amount_cents": "0"},
        ),
        insert(
            "disbursement_member",
            **{"disbursement_id": "(SELECT max(id) FROM disbursement)", "payable_id": "(SELECT max(id) FROM payable)"},
        ),
        f"UPDATE disbursement SET status = 'settled', {ENDED} WHERE {newest('disbursement')}",
    ),
    attack(
        "trigger disbursement_ways, check disbursement_settled",
        f"UPDATE disbursement SET status = 'completed', {ENDED} WHERE id = {{proposed_settlement}}",
    ),
    attack(
        "check disbursement_charge", "UPDATE disbursement SET mpesa_charge_cents = -1 WHERE id = {sent_disbursement}"
    ),
    attack("check disbursement_receipt", "UPDATE disbursement SET receipt = 'X' WHERE id = {sent_disbursement}"),
    attack("check disbursement_end", f"UPDATE disbursement SET {ENDED} WHERE id = {{sent_disbursement}}"),
    attack("check disbursement_end", insert("disbursement", completed_day="20261123")),
    attack("check disbursement_member_live", "UPDATE disbursement_member SET live = 2 WHERE payable_id = {sent_share}"),
    attack("check enquiry_kind", insert("enquiry", kind="'gossip'")),
    attack("check hold_kind", insert("hold", kind="'mood'")),
    attack("check hold_scope", insert("hold", owner_id="NULL")),
    attack("check hold_scope", insert("hold", property_id="{place}")),
    attack("check hold_scope", insert("hold", payable_id="{free_share}")),
    attack("check hold_ended", insert("hold", ended_by="'tester'")),
    attack("check hold_ended", insert("hold", ended_at="1")),
    attack("check hold_ended", insert("hold", ended_at="1", ended_by="'tester'")),
    attack("check inbox_state", insert("inbox", state="'lost'")),
    attack("check inbox_copies", insert("inbox", copies="0")),
    attack("check money_in_way", insert("money_in", way="'gold'")),
    attack("check money_in_received_by", insert("money_in", received_by="'nobody'")),
    attack("check money_in_owner", insert("money_in", way="'stk'", received_by="'owner'")),
    attack("check money_in_owner", insert("money_in", way="'paybill'", received_by="'owner'")),
    attack("check money_in_amount", insert("money_in", amount_cents="0")),
    attack(
        "check money_in_allocated",
        insert(
            "payment",
            status="'success'",
            money_in_id="{free_money}",
            amount_cents="100",
            fee_cents="0",
            share_cents="100",
        ),
    ),
    attack(
        "check money_in_allocated",
        "UPDATE payment SET status = 'success', money_in_id = {free_money} WHERE id = {unasked_payment}",
    ),
    attack("check money_in_returned", "UPDATE money_in SET returned_at = 1 WHERE id = {free_money}"),
    attack("check money_in_returned", insert("payment", status="'success'", money_in_id="{completed_refund_money}")),
    attack("check money_in_receipt", insert("money_in", receipt="'SKX0000001'")),
    attack("check money_in_proved", insert("money_in", proved_by="'tester'")),
    attack("check money_in_proved", insert("money_in", proved_at="1")),
    attack("check notice_audience", insert("notice", audience="'everybody'")),
    attack("check notice_state", insert("notice", state="'lost'")),
    attack("check payable_kind", insert("payable", kind="'gift'")),
    attack("trigger payable_begins, check payable_status", insert("payable", status="'lost'")),
    attack("check payable_share", insert("payable", **{**SHARE, "payment_id": "NULL"})),
    attack("check payable_share", insert("payable", **SHARE, paybill="NULL", account_number="NULL")),
    attack("check payable_share, check payable_destination", insert("payable", **{**SHARE, "amount_cents": "-1"})),
    attack("check payable_share, check payable_destination", insert("payable", **SHARE, property_id="NULL")),
    attack("check payable_share", insert("payable", amount_cents="0")),
    attack("check payable_share", insert("payable", amount_cents="0", payment_id="{free_payment}")),
    attack("check payable_account", insert("payable", account_number="NULL")),
    attack("check payable_account", insert("payable", paybill="NULL")),
    attack("check payable_destination", insert("payable", amount_cents="-1")),
    attack("check payable_destination", insert("payable", property_id="NULL")),
    attack("check payable_not_required", insert("payable", status="'not_required'")),
    attack("check payable_not_required", "UPDATE payable SET status = 'not_required' WHERE id = {repair}"),
    attack("check paybill_change_state", insert("paybill_change", state="'lost'", decided_at="1")),
    attack("check paybill_change_decided", insert("paybill_change", decided_at="1")),
    attack("check paybill_change_decided", insert("paybill_change", state="'confirmed'")),
    attack("check paybill_change_paybill", insert("paybill_change", paybill="'1234'")),
    attack("check paybill_change_account", insert("paybill_change", account_number="''")),
    attack("check payment_has_money", insert("payment", money_in_id="{unallocated_money}")),
    attack("check payment_has_money", "UPDATE payment SET status = 'success' WHERE id = {unasked_payment}"),
    attack("check payment_reversed", insert("payment", reversed_because="'undo'", reversed_at="1", reversed_day="1")),
    attack("check payment_reversed", "UPDATE payment SET status = 'reversed' WHERE id = {free_payment}"),
    attack(
        "check payment_reversed",
        "UPDATE payment SET status = 'reversed', reversed_because = 'undo', reversed_at = 1 WHERE id = {free_payment}",
    ),
    attack(
        "check payment_reversed",
        "UPDATE payment SET status = 'reversed', reversed_because = 'undo', reversed_day = 1 WHERE id = {free_payment}",
    ),
    attack(
        "check payment_reversed_because",
        "UPDATE payment SET status = 'reversed', reversed_because = 'whim', reversed_at = 1, reversed_day = 1"
        " WHERE id = {free_payment}",
    ),
    attack("check payment_whole_shillings", insert("payment", amount_cents="1000050", share_cents="950050")),
    attack("check payment_method", insert("payment", method="'card'")),
    attack("check payment_status", insert("payment", status="'lost'")),
    attack("check payment_division", insert("payment", share_cents="950001")),
    attack("check payment_division", insert("payment", vat_cents="1")),
    attack("check payment_division", insert("payment", other_cents="1")),
    attack("check payment_amounts", insert("payment", amount_cents="0", fee_cents="0", share_cents="0")),
    attack("check payment_amounts", insert("payment", fee_cents="-50000", share_cents="1050000")),
    attack("check payment_amounts", insert("payment", fee_cents="1050000", share_cents="-50000")),
    attack("check payment_amounts", insert("payment", vat_cents="-100", share_cents="950100")),
    attack("check payment_amounts", insert("payment", other_cents="-100", share_cents="950100")),
    attack("check payment_fee", insert("payment", fee_cents="50050", share_cents="949950")),
    attack("check payout_run_origin", insert("payout_run", origin="'whim'")),
    attack("trigger payout_run_begins, check payout_run_status", insert("payout_run", status="'lost'")),
    attack("check payout_run_needs_approval", insert("payout_run", needs_approval="2")),
    attack("check payout_stop_kind", insert("payout_stop", kind="'restored'")),
    attack("check payout_stop_lifted", "UPDATE payout_stop SET in_force = NULL WHERE id = {stop_of_all}"),
    attack("check payout_stop_lifted", "UPDATE payout_stop SET lifted_at = 1 WHERE id = {stop_of_all}"),
    attack("check payout_stop_one", insert("payout_stop", in_force="2")),
    attack("check property_paybill", insert("property", paybill="'1234'")),
    attack("check property_paybill", insert("property", paybill="'12345678'")),
    attack("check property_account", insert("property", account_number="''")),
    attack("check property_account", insert("property", account_number=f"'{'A' * 33}'")),
    attack("check property_rent", insert("property", rent_cents="0")),
    attack("check property_rent", insert("property", rent_cents="150")),
    attack("check refund_way", insert("refund", way="'post'")),
    attack("trigger refund_begins, check refund_status", insert("refund", status="'lost'")),
    attack("check refund_end", insert("refund", completed_at="1")),
    attack("check refund_end", "UPDATE refund SET status = 'completed' WHERE id = {portal_refund}"),
    attack("check refund_receipt", "UPDATE refund SET receipt = 'SKX0000001' WHERE id = {proposed_refund}"),
)

# --- what is one of its kind -----------------------------------------------------------------------------------------

UNIQUE = (
    attack("index one_notice", insert("notice"), insert("notice")),
    attack(
        "index one_calendar_run",
        insert("payout_run", origin="'calendar'", due_at="(SELECT due_at FROM payout_run WHERE id = {approved_run})"),
    ),
    attack("index one_stop_of_all", insert("payout_stop", owner_id="NULL", kind="'person'")),
    attack("index one_stop_of_an_owner", insert("payout_stop", owner_id="{owner}", kind="'person'")),
    attack("index one_live_refund", insert("refund", money_in_id="{proposed_refund_money}")),
    attack("index one_live_refund", insert("refund", money_in_id="{processing_refund_money}")),
    attack("index one_live_refund", insert("refund", money_in_id="{completed_refund_money}")),
    attack("index one_number_of_a_run", insert("disbursement", run_id="{approved_run}", number="1")),
    attack("index one_held_paybill_change", insert("paybill_change", property_id="{place}")),
    attack("index one_access", insert("access", name="'amina'")),
    attack("index one_collection", insert("attempt", payment_id="{sending_payment}")),
    attack("index one_collection", insert("attempt", payment_id="{failed_rent_payment}")),
    attack(
        "index one_payout",
        payout("{sent_disbursement}"),
    ),
    attack(
        "index one_payout",
        "UPDATE attempt SET state = 'not_moved' WHERE id = {sent_payout}",
        payout("{sent_disbursement}"),
    ),
    attack(
        "index one_refund",
        reversal("{processing_refund}"),
    ),
    attack(
        "index one_entry_of_a_disbursement",
        insert("payable", kind="'carried'", disbursement_id="{settled_disbursement}"),
    ),
    attack(
        "index one_entry_of_a_disbursement",
        insert("payable", kind="'mpesa_charge'", disbursement_id="{completed_disbursement}"),
    ),
    attack("index one_entry_of_a_payment", insert("payable", kind="'reversal'", payment_id="{reversed_payment}")),
    attack("index one_entry_of_a_payment", insert("payable", kind="'reallocated'", payment_id="{moved_on_payment}")),
    attack(
        "index one_entry_of_a_payment",
        insert("payable", kind="'fee_collected_by_owner'", payment_id="{cash_by_owner_payment}"),
    ),
    attack("index one_share", insert("payable", **{**SHARE, "payment_id": "{free_payment}"})),
    attack(
        "index one_live_disbursement",
        insert("disbursement_member", disbursement_id="{proposed_portal}", payable_id="{proposed_share}"),
    ),
    attack(
        "index one_membership",
        "UPDATE attempt SET state = 'moved' WHERE id = {failed_payout}",
        insert("disbursement_member", disbursement_id="{failed_disbursement}", payable_id="{failed_share}"),
    ),
    attack("index one_hold_of_a_payable", insert("hold", owner_id="NULL", payable_id="{free_share}", kind="'person'")),
    attack("index one_hold_of_a_property", insert("hold", owner_id="NULL", property_id="{place}", kind="'person'")),
    attack("index one_hold_of_an_owner", insert("hold", owner_id="{owner}", kind="'person'")),
    attack(
        "index one_stranger",
        insert(
            "inbox",
            path="'collection'",
            stranger_sha256="(SELECT i.stranger_sha256 FROM inbox i WHERE i.id = {stranger})",
        ),
    ),
    attack("unique attempt.token_sha256", insert("attempt"), insert("attempt", payment_id="{given_payment}")),
    attack("unique attempt.conversation_id", insert("attempt", conversation_id="'AG_sent'")),
    attack("unique attempt.originator_conversation_id", insert("attempt", originator_conversation_id="'o-sent'")),
    attack("unique attempt.checkout_request_id", insert("attempt", checkout_request_id="'ws_CO_254700000000_waiting'")),
    attack(
        "unique disbursement.receipt",
        "UPDATE disbursement SET receipt = 'SKP0000001' WHERE id = {uncharged_disbursement}",
    ),
    attack("unique enquiry.token_sha256", insert("enquiry"), insert("enquiry")),
    attack("unique money_in.receipt", insert("money_in", way="'paybill'", receipt="'SKU0000001'")),
    attack("unique payable.receipt", insert("payable", kind="'returned'", receipt="'SKR0000001'")),
    attack(
        "unique refund.receipt",
        "UPDATE refund SET receipt = 'SKX0000001' WHERE id = {completed_refund}",
        "UPDATE refund SET receipt = 'SKX0000001' WHERE id = {portal_refund_completed}",
    ),
)

# --- triggers --------------------------------------------------------------------------------------------------------

PAID_IN_ERROR = {"property_id": "NULL", "paybill": "NULL", "account_number": "NULL"}
MOVED_AFTER_ALL = (
    "UPDATE attempt SET state = 'moved' WHERE id = {failed_payout}",
    insert(
        "payable",
        **{**PAID_IN_ERROR, "kind": "'paid_in_error'", "amount_cents": "950000"},
        disbursement_id="{failed_disbursement}",
    ),
    insert(
        "disbursement_member",
        **{"disbursement_id": "{failed_disbursement}", "payable_id": "(SELECT max(id) FROM payable)"},
    ),
    f"UPDATE disbursement SET status = 'completed', {ENDED}, payment_count = 0, collected_cents = 0, fee_cents = 0,"
    " shares_cents = 0, entries_cents = 950000 WHERE id = {failed_disbursement}",
)
"""A transfer that moved money after all, but not for its member: that was paid in error."""
MONEY_ON_ITS_WAY_BACK = insert("refund", money_in_id="{unallocated_money}")

TRIGGERS = (
    attack("trigger money_in_begins", insert("money_in", allocated_cents="100")),
    attack("trigger money_in_begins", insert("money_in", returned_at="1")),
    attack("trigger money_in_allocated", "UPDATE money_in SET allocated_cents = 0 WHERE id = {free_money}"),
    attack("trigger money_in_allocated", "UPDATE money_in SET allocated_cents = 1 WHERE id = {unallocated_money}"),
    attack(
        "trigger payment_begins",
        insert(
            "payment",
            **{"status": "'reversed'", "money_in_id": "{unallocated_money}", "reversed_because": "'undo'"},
            **{"reversed_at": "1", "reversed_day": "20261123"},
        ),
    ),
    *(
        attack(
            "trigger payment_division",
            f"UPDATE payment SET {column} = {column} + 100, share_cents = share_cents - 100 WHERE id = {{{number}}}",
        )
        for column in ("fee_cents", "vat_cents", "other_cents")
        for number in ("free_payment", "reversed_payment")
    ),
    attack(
        "trigger payment_refunded",
        MONEY_ON_ITS_WAY_BACK,
        "UPDATE payment SET status = 'success', money_in_id = {unallocated_money} WHERE id = {unasked_payment}",
    ),
    attack(
        "trigger payment_refunded",
        MONEY_ON_ITS_WAY_BACK,
        f"UPDATE refund SET status = 'processing' WHERE {newest('refund')}",
        "UPDATE payment SET status = 'success', money_in_id = {unallocated_money} WHERE id = {failed_rent_payment}",
    ),
    *(attack("trigger payable_begins", insert("payable", status=f"'{word}'")) for word in ("processing", "failed")),
    attack("trigger payable_begins", insert("payable", status="'completed'")),
    *(
        attack("trigger payable_destination", f"UPDATE payable SET {column} = '600009' WHERE id = {{{number}}}")
        for column in ("paybill", "account_number")
        for number in ("sent_share", "completed_share", "cash_by_owner_share")
    ),
    *(
        attack("trigger payable_sent", f"UPDATE payable SET status = 'processing' WHERE id = {{{number}}}")
        for number in ("free_share", "proposed_share", "failed_share")
    ),
    *(
        attack("trigger payable_settled", f"UPDATE payable SET status = 'completed' WHERE id = {{{number}}}")
        for number in ("free_share", "proposed_share", "sent_share", "failed_share")
    ),
    attack(
        "trigger payable_settled",
        *MOVED_AFTER_ALL,
        "UPDATE payable SET status = 'completed' WHERE id = {failed_share}",
    ),
    attack("trigger payable_freed", "UPDATE payable SET status = 'failed' WHERE id = {sent_share}"),
    attack("trigger payable_freed", "UPDATE payable SET status = 'not_required' WHERE id = {proposed_share}"),
    *(
        attack("trigger disbursement_begins", insert("disbursement", status=f"'{word}'"))
        for word in ("processing", "failed", "cancelled")
    ),
    attack("trigger disbursement_ways", sent("{proposed_portal}")),
    attack(
        "trigger disbursement_ways, trigger disbursement_moved",
        f"UPDATE disbursement SET status = 'completed', {ENDED} WHERE id = {{proposed_disbursement}}",
    ),
    *(
        attack("trigger disbursement_sums", *transfer(**changes), sent())
        for changes in (
            {"payment_count": "2"},
            {"collected_cents": "1000100"},
            {"fee_cents": "50100"},
            {"shares_cents": "950100", "carried_cents": "100"},
            {"entries_cents": "100", "carried_cents": "100"},
            {"owner_id": "{other_owner}"},
        )
    ),
    attack(
        "trigger disbursement_sums",
        insert(
            "disbursement",
            payment_count="0",
            collected_cents="0",
            fee_cents="0",
            shares_cents="0",
            carried_cents="-950000",
        ),
        sent(),
    ),
    attack(
        "trigger disbursement_sums",
        *transfer(
            payment_count="2",
            collected_cents="2000000",
            fee_cents="100000",
            shares_cents="1900000",
            amount_cents="1900000",
        ),
        insert("disbursement_member", disbursement_id="(SELECT max(id) FROM disbursement)", payable_id="{other_share}"),
        sent(),
    ),
    attack(
        "trigger disbursement_sums",
        *transfer(way="'portal'", fee_cents="50100"),
        f"UPDATE disbursement SET status = 'completed', {ENDED} WHERE {newest('disbursement')}",
    ),
    attack(
        "trigger disbursement_sums",
        *transfer(way="'none'", fee_cents="50100", amount_cents="0", carried_cents="950000"),
        f"UPDATE disbursement SET status = 'settled', {ENDED} WHERE {newest('disbursement')}",
    ),
    attack(
        "trigger payable_freed, trigger disbursement_free",
        "UPDATE payable SET status = 'not_required' WHERE id = {proposed_share}",
        sent("{proposed_disbursement}"),
    ),
    attack("trigger disbursement_destination", *transfer(paybill="'600009'"), sent()),
    attack("trigger disbursement_destination", *transfer(account_number="'MINE'"), sent()),
    attack("trigger disbursement_paid", *transfer("{proposed_refund_share}"), sent()),
    attack("trigger disbursement_paid", *transfer("{processing_refund_share}"), sent()),
    attack(
        "trigger disbursement_paid",
        f"UPDATE payment SET {REVERSED} WHERE id = {{free_payment}}",
        *transfer(),
        sent(),
    ),
    attack(
        "trigger disbursement_paid",
        insert("payable", **SHARE),
        *transfer("(SELECT max(id) FROM payable)"),
        sent(),
    ),
    attack("trigger disbursement_approved", sent("{disbursement_of_proposed_run}")),
    attack(
        "trigger disbursement_approved",
        "UPDATE payout_run SET status = 'void' WHERE id = {approved_run}",
        sent("{disbursement_of_approved_run}"),
    ),
    *(
        attack("trigger disbursement_not_moved", f"UPDATE disbursement SET status = 'failed' WHERE id = {{{number}}}")
        for number in ("sent_disbursement", "doubtful_disbursement")
    ),
    *(
        attack(
            "trigger disbursement_moved",
            f"UPDATE disbursement SET status = 'completed', {ENDED} WHERE id = {{{number}}}",
        )
        for number in ("sent_disbursement", "doubtful_disbursement")
    ),
    attack(
        "trigger disbursement_moved, trigger disbursement_sums",
        f"UPDATE disbursement SET status = 'completed', {ENDED} WHERE id = {{failed_disbursement}}",
    ),
    *(
        attack(
            "trigger disbursement_rewritten", f"UPDATE disbursement SET {column} = {column} + 1 WHERE id = {{{number}}}"
        )
        for column in ("payment_count", "collected_cents", "fee_cents")
        for number in ("proposed_disbursement", "sent_disbursement", "completed_disbursement", "failed_disbursement")
    ),
    attack(
        "trigger disbursement_rewritten",
        "UPDATE disbursement SET shares_cents = shares_cents + 100, entries_cents = entries_cents - 100"
        " WHERE id = {sent_disbursement}",
    ),
    attack("trigger disbursement_member_joins", insert("disbursement_member", live="NULL")),
    *(
        attack("trigger disbursement_member_joins", insert("disbursement_member", disbursement_id=f"{{{number}}}"))
        for number in (
            *("sent_disbursement", "completed_disbursement", "failed_disbursement", "cancelled_disbursement"),
            "settled_disbursement",
        )
    ),
    attack("trigger disbursement_member_joins", insert("disbursement_member", payable_id="{cash_by_owner_share}")),
    *(
        attack(
            "trigger disbursement_member_joins, index one_live_disbursement",
            insert("disbursement_member", payable_id=f"{{{number}}}"),
        )
        for number in ("sent_share", "completed_share")
    ),
    *(
        attack(
            "trigger disbursement_member_freed",
            f"UPDATE disbursement_member SET live = NULL WHERE disbursement_id = {{{number}}}",
        )
        for number in (
            *("proposed_disbursement", "sent_disbursement", "completed_disbursement", "settled_disbursement"),
            "portal_disbursement",
        )
    ),
    *(
        attack(
            "trigger disbursement_member_back",
            f"UPDATE disbursement_member SET live = 1 WHERE disbursement_id = {{{number}}}",
        )
        for number in ("failed_disbursement", "cancelled_disbursement")
    ),
    attack(
        "trigger disbursement_member_back",
        "UPDATE attempt SET state = 'moved' WHERE id = {failed_payout}",
        "UPDATE disbursement_member SET live = 1 WHERE disbursement_id = {cancelled_disbursement}",
    ),
    attack(
        "trigger disbursement_member_back",
        *MOVED_AFTER_ALL,
        "UPDATE disbursement_member SET live = 1 WHERE payable_id = {failed_share}",
    ),
    attack(
        "trigger attempt_payout",
        payout("{proposed_disbursement}"),
    ),
    *(
        attack(
            "trigger attempt_payout",
            sent("{proposed_disbursement}"),
            payout("{proposed_disbursement}", **changes),
        )
        for changes in ({"amount_cents": "950100"}, {"state": "'waiting'"}, {"state": "'moved'"})
    ),
    attack(
        "trigger attempt_refund",
        reversal("{proposed_refund}"),
    ),
    *(
        attack(
            "trigger attempt_refund",
            "UPDATE refund SET status = 'processing' WHERE id = {proposed_refund}",
            reversal("{proposed_refund}", **changes),
        )
        for changes in ({"amount_cents": "999900"}, {"state": "'waiting'"}, {"state": "'moved'"})
    ),
    attack(
        "trigger attempt_refund",
        insert("money_in", amount_cents="999900"),
        "UPDATE refund SET status = 'processing' WHERE id = {proposed_refund}",
        reversal("{proposed_refund}", amount_cents="999900"),
    ),
    attack("trigger refund_begins", insert("refund", status="'processing'")),
    attack("trigger refund_begins", insert("refund", status="'completed'", completed_at="1")),
    attack("trigger refund_ways", "UPDATE refund SET status = 'processing' WHERE id = {portal_refund}"),
    attack(
        "trigger refund_ways, trigger refund_moved",
        "UPDATE refund SET status = 'completed', completed_at = 1 WHERE id = {proposed_refund}",
    ),
    *(
        attack(
            "trigger refund_sent",
            insert("refund", money_in_id=f"{{{number}}}"),
            f"UPDATE refund SET status = 'processing' WHERE {newest('refund')}",
        )
        for number in ("proposed_money", "sent_money", "doubtful_money", "by_hand_money")
    ),
    attack("trigger refund_not_moved", "UPDATE refund SET status = 'failed' WHERE id = {processing_refund}"),
    *(
        attack(
            "trigger refund_moved", f"UPDATE refund SET status = 'completed', completed_at = 1 WHERE id = {{{number}}}"
        )
        for number in ("processing_refund", "failed_refund")
    ),
    *(
        attack("trigger payout_run_begins", insert("payout_run", status=f"'{word}'"))
        for word in ("approved", "done", "void")
    ),
    attack("trigger attempt_state_moves", "UPDATE attempt SET state = 'waiting' WHERE id = {completed_payout}"),
    attack("trigger payment_status_moves", "UPDATE payment SET status = 'pending' WHERE id = {failed_rent_payment}"),
    attack("trigger payable_status_moves", "UPDATE payable SET status = 'pending' WHERE id = {completed_share}"),
    attack(
        "trigger disbursement_status_moves",
        "UPDATE disbursement SET status = 'proposed' WHERE id = {cancelled_disbursement}",
    ),
    attack("trigger refund_status_moves", "UPDATE refund SET status = 'proposed' WHERE id = {cancelled_refund}"),
    attack("trigger payout_run_status_moves", "UPDATE payout_run SET status = 'proposed' WHERE id = {void_run}"),
    attack("trigger inbox_body_masked", "UPDATE inbox SET body = 'x' WHERE id = {new_callback}"),
    attack(
        "trigger inbox_body_masked",
        insert("setting", name="'forgetting'", value="'700000000'"),
        "UPDATE inbox SET body = 'x' WHERE id = {new_callback}",
    ),
    attack(
        "trigger attempt_checkout_request_id_masked",
        "UPDATE attempt SET checkout_request_id = 'x' WHERE id = {waiting_collection}",
    ),
    attack(
        "trigger attempt_checkout_request_id_masked",
        insert("setting", name="'forgetting'", value="'700000000'"),
        "UPDATE attempt SET checkout_request_id = NULL WHERE id = {waiting_collection}",
    ),
)

ATTACKS = (
    *keys(),
    *references(),
    *missing(),
    *rewritten(),
    *deleted(),
    *set_twice(),
    *CHECKS,
    *UNIQUE,
    *TRIGGERS,
)
