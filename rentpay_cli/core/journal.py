"""The journal as a chain: what each entry's hash covers, and what the tables must say if every entry is true.

Anybody can check a journal with nothing but SHA-256 and JSON. The hash of an entry is

    sha256(hash of the entry before + "\\n" + content), in lower-case hex, all of it ASCII

where the content is `[id, at, actor, event, payment_id, attempt_id, detail]` as compact JSON (no blanks, `\\uXXXX` for
everything beyond ASCII), `at` is milliseconds since 1970 in UTC, `detail` is the text as it is stored, and the hash
before the first entry is 64 zeros. Entries are numbered from 1 without a gap.

`changes` in a detail names rows and what their columns became: `{"payment 12": {"status": "success"}}`. The newest of
these, for every column of every row, is what the tables must hold.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from rentpay_cli.core.clock import to_milliseconds
from rentpay_cli.core.money import show_kes
from rentpay_cli.core.redact import printable, redact, without_secrets

BEGINNING = "0" * 64
"""What stands for the hash before the first entry."""
LONGEST_TEXT = 500
"""The most characters of any text in an entry."""

Value: TypeAlias = str | int | None
Columns: TypeAlias = dict[str, Value]

WATCHED: Mapping[str, tuple[str, ...]] = {
    "money_in": (
        *("way", "received_by", "amount_cents", "receipt", "short_code", "paid_at", "booked_at", "learned_by"),
        *("proved_by", "proved_at", "returned_at"),
    ),
    "payment": (
        *("owner_id", "property_id", "method", "amount_cents", "fee_cents", "vat_cents", "share_cents", "other_cents"),
        *("status", "money_in_id", "failure_code", "owner_paybill", "owner_account_number", "created_at"),
        *("reversed_because", "reversed_at", "reversed_day"),
    ),
    "payable": (
        *("owner_id", "kind", "amount_cents", "payment_id", "disbursement_id", "refund_id", "receipt", "property_id"),
        *("paybill", "account_number", "payable_from", "status", "made_by", "booked_at", "booked_day"),
    ),
    "disbursement": (
        *("run_id", "number", "way", "owner_id", "paybill", "account_number", "payment_count", "collected_cents"),
        *("fee_cents", "shares_cents", "entries_cents", "carried_cents", "amount_cents", "mpesa_charge_cents"),
        *("status", "receipt", "failure_code", "advice", "receiver_name", "created_at", "completed_at"),
        "completed_day",
    ),
    "disbursement_member": ("disbursement_id", "payable_id", "live"),
    "refund": ("money_in_id", "way", "status", "receipt", "made_by", "created_at", "completed_at"),
    "payout_run": ("owner_id", "origin", "due_at", "digest", "needs_approval", "status", "made_by", "created_at"),
    "hold": (
        *("payable_id", "property_id", "owner_id", "kind", "placed_by", "placed_at", "until", "ended_by"),
        "ended_at",
    ),
    "attempt": (
        *("direction", "payment_id", "disbursement_id", "refund_id", "short_code", "state", "token_sha256"),
        *("amount_cents", "conversation_id", "originator_conversation_id", "code", "created_at"),
    ),
    "inbox": ("path", "token_sha256", "source_ip", "body", "received_at", "state"),
    "enquiry": ("kind", "attempt_id", "money_in_id", "token_sha256", "state"),
    "payout_stop": ("in_force", "owner_id", "kind"),
    "property": ("owner_id", "paybill", "account_number", "paybill_name", "rent_cents", "fee_percentage"),
    "destination_change": (
        *("property_id", "payable_id", "paybill", "account_number", "owner_id", "fee_percentage", "from_paybill"),
        *("from_account_number", "from_owner_id", "from_fee_percentage", "organisation_name", "state"),
    ),
    "known_destination": ("paybill", "account_number", "name", "confirmed_by", "confirmed_at"),
    "request": (
        *("kind", "destination_change_id", "attempt_id", "hold_id", "payout_stop_id", "access_id", "refund_id"),
        *("payout_run_id", "money_in_id", "digest", "needs_two", "asked_by_id", "asked_at", "state", "decided_by_id"),
        "decided_at",
    ),
    "access": ("role", "owner_id", "tenant_id", "salt", "token_hash", "revoked_at"),
    "balance_reading": ("account", "current_cents", "available_cents", "source", "read_at"),
    "finding": ("kind", "payment_id", "attempt_id", "disbursement_id", "money_in_id", "closed_at"),
}
"""The columns that the journal answers for. Names, telephone numbers and notes are not among them: who is forgotten
must not live on in the journal."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is stored."""

    id: int
    at: int
    actor: str
    event: str
    payment_id: int | None
    attempt_id: int | None
    detail: str
    hash: str = ""


def entry_hash(before: str, entry: Entry) -> str:
    """The hash that the entry must carry after the entry with the hash `before`."""
    rest = after_number(entry.at, entry.actor, entry.event, entry.payment_id, entry.attempt_id, entry.detail)
    content = f"[{_canonical(entry.id)},{rest}"
    return hashlib.sha256(f"{before}\n{content}".encode("ascii")).hexdigest()


def after_number(at: int, actor: str, event: str, payment_id: int | None, attempt_id: int | None, detail: str) -> str:
    """The content of an entry but for its beginning, the number, which is known only when it is written."""
    return _canonical([at, actor, event, payment_id, attempt_id, detail]).removeprefix("[")


def _canonical(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), default=repr)  # a forger writes anything


def why_not_next(before: Entry | None, entry: Entry) -> str:
    """Why the entry cannot follow the one before, in a sentence that names it; an empty text if it can."""
    expected = before.id + 1 if before else 1
    if entry.id != expected:
        gone = f"entry {expected} is" if entry.id == expected + 1 else f"entries {expected} to {entry.id - 1} are"
        return f"In the journal {gone} missing."
    if entry.hash != entry_hash(before.hash if before else BEGINNING, entry):
        return f"Entry {entry.id} of the journal does not fit: it, or the one before it, is not as it was written."
    return ""


_DIGEST = re.compile(r"[0-9a-f]{64}")


def told(value: Any) -> Any:
    """A detail as the journal keeps it: without secrets and telephone numbers, and every text of bounded length.

    A SHA-256 stays whole, although digits in it can look like a telephone number.
    """
    match value:
        case Mapping():
            return {str(name): told(part) for name, part in value.items()}
        case list() | tuple():
            return [told(part) for part in value]
        case None | bool() | int():
            return value
    text = str(value)
    return text if _DIGEST.fullmatch(text) else printable(redact(text), LONGEST_TEXT)


def kept(value: Any) -> Value:
    """A column's value as `changes` state it: whole but for secrets, bytes by their SHA-256, moments as numbers."""
    match value:
        case str():
            return value if _DIGEST.fullmatch(value) else without_secrets(value)
        case bytes() | memoryview():
            return hashlib.sha256(value).hexdigest()
        case datetime():
            return to_milliseconds(value)
        case None | int():
            return value
    raise TypeError(f"the journal cannot state a {type(value).__name__}")


FORGOTTEN = "tenant forgotten"
"""The event whose `inbox` names the callbacks whose bodies were masked, each with its new SHA-256."""


def changes_in(entry: Entry) -> Iterator[tuple[str, int, Columns]]:
    """What the entry says became of which rows: table, number, columns."""
    if '"changes"' not in entry.detail and entry.event != FORGOTTEN:
        return
    detail = json.loads(entry.detail)
    for row, columns in detail.get("changes", {}).items():
        table, _, number = row.rpartition(" ")
        if table in WATCHED:
            yield table, int(number), dict(columns)
    if entry.event == FORGOTTEN:
        for number, digest in detail.get("inbox", {}).items():
            yield "inbox", int(number), {"body": digest}


def difference(table: str, derived: Mapping[str, Value], found: Mapping[str, Any]) -> str:
    """The first column in which a row differs from what the journal says of it, in words; an empty text if none."""
    for column in WATCHED[table]:
        stated, value = derived.get(column), found[column]
        if value != stated and kept(value) != stated:
            words = column.removesuffix("_id").removesuffix("_cents").replace("_", " ")
            said, says = _shown(column, stated), _shown(column, kept(value))
            return f"the journal says that its {words} is {said}, but the table says {says}"
    return ""


def _shown(column: str, value: Value) -> str:
    if value is None:
        return "empty"
    if column.endswith("_cents") and isinstance(value, int):
        return show_kes(value)
    return printable(str(value), 80)
