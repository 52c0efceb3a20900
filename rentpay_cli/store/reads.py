"""Rows for people: payments, an owner's history, the register, callbacks and the journal; the same SQL on both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from rentpay_cli.core.callbacks import CallbackState
from rentpay_cli.core.findings import TABLE as FINDINGS
from rentpay_cli.core.findings import FindingKind
from rentpay_cli.core.nearest import MOST_NAMES
from rentpay_cli.core.notices import NoticeKind, NoticeState
from rentpay_cli.store import predicates
from rentpay_cli.store.predicates import who_is_meant
from rentpay_cli.store.readonly import Reader, Row, where_all

_OPEN_HOLD = """(SELECT h.id FROM hold h WHERE h.{column} = y.{own} AND h.ended_at IS NULL
    ORDER BY CASE h.kind WHEN 'evidence' THEN 0 ELSE 1 END, h.id LIMIT 1)"""
_HOLD = f"""CASE WHEN {predicates.FREE} THEN coalesce({_OPEN_HOLD.format(column="payable_id", own="id")},
    {_OPEN_HOLD.format(column="property_id", own="property_id")},
    {_OPEN_HOLD.format(column="owner_id", own="owner_id")}) END"""
_PAYMENT = f"""
SELECT p.id, p.status, p.method, p.amount_cents, p.fee_cents, p.share_cents, i.receipt, p.phone, p.created_at,
       i.paid_at, p.failure_code, p.failure_reason, p.owner_paybill, p.owner_account_number, p.note,
       y.id AS payable_id, y.status AS disbursement_status, y.paybill, y.account_number, y.payable_from,
       d.id AS disbursement_id, d.way AS disbursement_way, d.receipt AS transaction_id, d.completed_at,
       d.failure_code AS disbursement_failure_code, d.failure_reason AS disbursement_failure_reason,
       d.advice, d.mpesa_charge_cents, d.receiver_name, d.amount_cents AS transfer_cents, d.entries_cents,
       (SELECT count(*) FROM disbursement_member n WHERE n.disbursement_id = d.id) AS transfer_members,
       g.reason AS held_reason, g.kind AS hold_kind, g.placed_by AS held_by, g.placed_at AS held_since,
       g.until AS held_until,
       o.id AS owner_id, o.name AS owner_name, pr.id AS property_id, pr.name AS property_name,
       t.id AS tenant_id, t.name AS tenant_name,
       c.checkout_request_id, c.merchant_request_id, c.state AS collection_state,
       x.state AS payout_state, x.conversation_id
  FROM payment p
  JOIN owner o ON o.id = p.owner_id
  JOIN property pr ON pr.id = p.property_id
  LEFT JOIN tenant t ON t.id = p.tenant_id
  LEFT JOIN money_in i ON i.id = p.money_in_id
  LEFT JOIN payable y ON y.payment_id = p.id AND y.kind = 'share'
  LEFT JOIN hold g ON g.id = {_HOLD}
  LEFT JOIN disbursement d ON d.id = {predicates.LAST_TRANSFER}
  LEFT JOIN attempt c ON c.payment_id = p.id
  LEFT JOIN attempt x ON x.disbursement_id = d.id
"""


def payment(reader: Reader, payment_id: int) -> Row | None:
    """One payment with all that belongs to it; `payments` are those that the newest transfer of its share settles."""
    row = reader.one(_PAYMENT + " WHERE p.id = :id", id=payment_id)
    return None if row is None else _with_their_payments(reader, [row])[0]


def payments_of(reader: Reader, disbursement_ids: Iterable[int]) -> dict[int, tuple[int, ...]]:
    """Of each transfer, the numbers of the payments whose shares it carries, or was to carry."""
    found: dict[int, list[int]] = {}
    for among in _pages(disbursement_ids):
        for row in reader.rows(
            f"""
            SELECT m.disbursement_id, y.payment_id FROM disbursement_member m JOIN payable y ON y.id = m.payable_id
             WHERE m.disbursement_id IN ({among}) AND y.kind = 'share' ORDER BY m.disbursement_id, y.payment_id
            """
        ):
            found.setdefault(row["disbursement_id"], []).append(row["payment_id"])
    return {number: tuple(payments) for number, payments in found.items()}


def _pages(numbers: Iterable[int]) -> Iterator[str]:
    """The numbers in ascending order, as lists for SQL that are not too long."""
    wanted = sorted(set(numbers))
    for start in range(0, len(wanted), PAGE_ROWS):
        yield ",".join(str(int(number)) for number in wanted[start : start + PAGE_ROWS])


def _with_their_payments(reader: Reader, rows: list[Row]) -> list[Row]:
    """Rows about one payment each, with the payments that the newest transfer of its share settles."""
    several = payments_of(reader, (row["disbursement_id"] for row in rows if row["transfer_members"] > 1))
    for row in rows:
        row["payments"] = several.get(row["disbursement_id"], (row["id"],))
    return rows


def find_payment(reader: Reader, reference: str) -> int | None:
    """The number of the payment with this number, receipt, checkout id or conversation id."""
    if reference.isascii() and reference.isdigit() and len(reference) < 10:
        row = reader.one("SELECT id FROM payment WHERE id = :id", id=int(reference))
        if row:
            return int(row["id"])
    row = reader.one(
        """
        SELECT p.id FROM money_in i JOIN payment p ON p.money_in_id = i.id WHERE i.receipt = :receipt
        UNION ALL SELECT y.payment_id FROM disbursement d
                    JOIN disbursement_member m ON m.disbursement_id = d.id JOIN payable y ON y.id = m.payable_id
                   WHERE d.receipt = :receipt AND y.kind = 'share'
        UNION ALL SELECT payment_id FROM attempt WHERE checkout_request_id = :ref AND payment_id IS NOT NULL
        UNION ALL SELECT y.payment_id FROM attempt a
                    JOIN disbursement_member m ON m.disbursement_id = a.disbursement_id
                    JOIN payable y ON y.id = m.payable_id
                   WHERE (a.conversation_id = :ref OR a.originator_conversation_id = :ref) AND y.kind = 'share'
        ORDER BY 1 LIMIT 1
        """,
        ref=reference,
        receipt=reference.upper(),
    )
    return int(row["id"]) if row else None


def attempts(reader: Reader, payment_id: int) -> list[Row]:
    """Every attempt to collect or to pay out a payment, oldest first, with the payments that it is about."""
    found = list(
        reader.rows(
            """
            SELECT a.*, i.receipt, 1 AS number FROM attempt a
              JOIN payment p ON p.id = a.payment_id LEFT JOIN money_in i ON i.id = p.money_in_id
             WHERE a.payment_id = :id
            UNION ALL
            SELECT a.*, d.receipt, row_number() OVER (ORDER BY a.id) AS number
              FROM payable y JOIN disbursement_member m ON m.payable_id = y.id
              JOIN disbursement d ON d.id = m.disbursement_id JOIN attempt a ON a.disbursement_id = d.id
             WHERE y.payment_id = :id AND y.kind = 'share'
            ORDER BY id
            """,
            id=payment_id,
        )
    )
    several = payments_of(reader, (row["disbursement_id"] for row in found if row["disbursement_id"] is not None))
    return [{**row, "payments": several.get(row["disbursement_id"], (payment_id,))} for row in found]


_TRANSFER = """
SELECT d.id, d.way, d.status, d.amount_cents, d.entries_cents, d.carried_cents, d.mpesa_charge_cents, d.receipt,
       d.paybill, d.account_number, d.failure_code, d.failure_reason, d.created_at, d.completed_at, x.conversation_id
  FROM disbursement d LEFT JOIN attempt x ON x.disbursement_id = d.id
"""


def transfers_of(reader: Reader, payment_id: int) -> list[Row]:
    """Every transfer that settles the share of a payment, or was to settle it, oldest first."""
    return _transfers(
        reader,
        """WHERE d.id IN (SELECT m.disbursement_id FROM payable y JOIN disbursement_member m ON m.payable_id = y.id
            WHERE y.payment_id = :id AND y.kind = 'share')""",
        id=payment_id,
    )


def transfers(reader: Reader, disbursement_ids: Iterable[int]) -> list[Row]:
    """These transfers, oldest first."""
    return [row for among in _pages(disbursement_ids) for row in _transfers(reader, f"WHERE d.id IN ({among})")]


def newest_transfers(reader: Reader, payment_ids: Iterable[int]) -> list[Row]:
    """The newest transfer of the share of each of these payments, oldest first."""
    newest = f"SELECT {predicates.LAST_TRANSFER} AS id FROM payable y WHERE y.kind = 'share' AND y.payment_id IN"
    found = [row["id"] for among in _pages(payment_ids) for row in reader.rows(f"{newest} ({among})")]
    return transfers(reader, (number for number in found if number is not None))


def _transfers(reader: Reader, condition: str, **values: Any) -> list[Row]:
    found = list(reader.rows(f"{_TRANSFER} {condition} ORDER BY d.id", **values))
    theirs = payments_of(reader, (row["id"] for row in found))
    return [{**row, "payments": theirs.get(row["id"], ())} for row in found]


def open_findings(reader: Reader, payment_id: int) -> list[Row]:
    """What does not fit about a payment, or a transfer of its share, and is still for a person to look at.

    With what it means, and what deals with it.
    """
    query = """
        SELECT id, kind, text FROM finding
         WHERE closed_at IS NULL AND (payment_id = :id OR attempt_id IN (
               SELECT a.id FROM payable y JOIN disbursement_member m ON m.payable_id = y.id
                 JOIN attempt a ON a.disbursement_id = m.disbursement_id
                WHERE y.payment_id = :id AND y.kind = 'share'))
         ORDER BY id
    """
    return [
        {**row, "meaning": kind.meaning, "action": kind.action.format(payment=payment_id)}
        for row in reader.rows(query, id=payment_id)
        for kind in [FINDINGS[FindingKind(row["kind"])]]
    ]


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
    of_share = _OPEN_SHARE if disbursement_status in _OPEN else "coalesce(y.status, '') = :disbursement_status"
    filters = {
        "p.owner_id = :owner_id": owner_id,
        "p.property_id = :property_id": property_id,
        "p.tenant_id = :tenant_id": tenant_id,
        "p.status = :status": status,
        of_share: disbursement_status,
        "p.created_at >= :since": since,
        "p.created_at < :until": until,
    }
    return _newest_first(reader, _PAYMENT, "p.id", filters, before_id, limit, _with_their_payments)


_OPEN = ("pending", "processing", "failed")
_OPEN_SHARE = """y.status = :disbursement_status AND p.id IN (SELECT payment_id FROM payable
    WHERE status IN ('pending','failed','processing') AND status = :disbursement_status)"""
"""By the partial index: to go through a million payments for the few that are stuck took 2.9 s, 0.4 s if in memory."""

PAGE_ROWS = 1000


def _as_they_are(_: Reader, rows: list[Row]) -> list[Row]:
    return rows


def _newest_first(
    reader: Reader,
    sql: str,
    key: str,
    filters: Mapping[str, Any],
    before_id: int | None,
    limit: int | None,
    completed: Callable[[Reader, list[Row]], list[Row]] = _as_they_are,
) -> Iterator[Row]:
    """Rows by falling number, a page at a time, until the limit if there is one: memory stays flat, however many.

    `completed` adds to the rows of a page what other queries tell.
    """
    while limit is None or limit > 0:
        conditions, values = where_all({**filters, f"{key} < :before_id": before_id})
        size = PAGE_ROWS if limit is None else min(PAGE_ROWS, limit)
        page = list(reader.rows(f"{sql}{conditions} ORDER BY {key} DESC LIMIT :size", **values, size=size))
        yield from completed(reader, page)
        if len(page) < size:
            return
        before_id = page[-1]["id"]
        limit = None if limit is None else limit - size


def owner_summary(reader: Reader, owner_id: int) -> Row:
    """What an owner was paid, what the platform kept for it, and how many shares wait or failed."""
    row = reader.one(
        """
        SELECT d.disbursed_cents, d.fee_cents, y.pending, y.failed
          FROM (SELECT coalesce(sum(amount_cents), 0) AS disbursed_cents, coalesce(sum(fee_cents), 0) AS fee_cents
                  FROM disbursement WHERE owner_id = :owner_id AND status IN ('completed','settled')) AS d,
               (SELECT count(CASE WHEN status <> 'failed' THEN 1 END) AS pending,
                       count(CASE WHEN status = 'failed' THEN 1 END) AS failed
                  FROM payable WHERE owner_id = :owner_id AND status IN ('pending','failed','processing')
                   AND kind = 'share') AS y
        """,
        owner_id=owner_id,
    )
    assert row is not None  # an aggregate always has a row
    return row


def owner_disbursements(
    reader: Reader, owner_id: int, limit: int | None, before_id: int | None = None
) -> Iterator[Row]:
    """An owner's paid rents and what became of each share, newest first; `before_id` continues a list by key."""
    paid = {"p.owner_id = :owner_id": owner_id, "y.id IS NOT NULL": True}
    return _newest_first(reader, _PAYMENT, "p.id", paid, before_id, limit, _with_their_payments)


_REGISTER = {
    "owner": """
        SELECT owner.*, (SELECT count(*) FROM property WHERE property.owner_id = owner.id) AS property_count FROM owner
    """,
    "property": """
        SELECT property.*, owner.name AS owner_name, c.id AS change_id, c.paybill AS change_paybill,
               c.account_number AS change_account_number, c.organisation_name AS change_name,
               c.asked_by AS change_asked_by, c.asked_at AS change_asked_at, q.asked_by_id AS change_asked_by_id
          FROM property JOIN owner ON owner.id = property.owner_id
          LEFT JOIN destination_change c ON c.property_id = property.id AND c.state = 'held'
          LEFT JOIN request q ON q.destination_change_id = c.id AND q.state = 'waiting'
    """,
    "tenant": """
        SELECT tenant.*, property.name AS property_name
          FROM tenant LEFT JOIN property ON property.id = tenant.property_id
    """,
}


def register(reader: Reader, kind: str) -> list[Row]:
    """Every owner, property or tenant, by name."""
    return list(reader.rows(f"{_REGISTER[kind]} ORDER BY lower({kind}.name), {kind}.id"))


def registered(reader: Reader, kind: str, reference: str) -> list[Row]:
    """The entries that the reference means, some of them at most if it is not clear which."""
    for condition, meant in who_is_meant(kind, reference):
        found = list(reader.rows(f"{_REGISTER[kind]} WHERE {condition} LIMIT {MOST_NAMES + 1}", **meant))
        if found:
            return found
    return []


_REQUESTS = """
SELECT q.*, c.property_id, pr.name AS property_name FROM request q
  LEFT JOIN destination_change c ON c.id = q.destination_change_id LEFT JOIN property pr ON pr.id = c.property_id
"""


def requests(reader: Reader, *, only_waiting: bool) -> list[Row]:
    """What needs a second person, the oldest first."""
    which = " WHERE q.state = 'waiting'" if only_waiting else ""
    return list(reader.rows(f"{_REQUESTS}{which} ORDER BY q.id"))


def request(reader: Reader, number: int) -> Row | None:
    """One request, and what it is about."""
    return reader.one(f"{_REQUESTS} WHERE q.id = :number", number=number)


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


def reported_name(reader: Reader, property_id: int, paybill: str) -> str | None:
    """Whom M-Pesa said that it paid, the last time that rent of the property went to this paybill; or None."""
    row = reader.one(
        """
        SELECT d.receiver_name FROM payment p JOIN payable y ON y.payment_id = p.id AND y.kind = 'share'
          JOIN disbursement_member m ON m.payable_id = y.id JOIN disbursement d ON d.id = m.disbursement_id
         WHERE p.property_id = :property_id AND d.paybill = :paybill AND d.receiver_name IS NOT NULL
         ORDER BY p.id DESC, d.id DESC LIMIT 1
        """,
        property_id=property_id,
        paybill=paybill,
    )
    return None if row is None else str(row["receiver_name"])


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


_ANSWERED = "(SELECT q.kind FROM enquiry q WHERE q.token_sha256 = inbox.token_sha256) AS answered"
"""What we had asked, where the callback answers a question of ours."""
_CALLBACKS = f"""
SELECT id, path, source_ip, received_at, state, outcome, payment_id, read_at, copies, last_copy_at, {_ANSWERED}
  FROM inbox
"""


def callbacks(
    reader: Reader, *, state: CallbackState | None = None, before_id: int | None = None, limit: int = 50
) -> Iterator[Row]:
    """Callbacks without their bodies, newest first; `before_id` continues a list by key."""
    # In words, because the index of those that are new or held is partial.
    chosen = {f"state = '{state}'": state and state.value}
    return _newest_first(reader, _CALLBACKS, "id", chosen, before_id, limit, _with_payments_told_of)


def callback(reader: Reader, callback_id: int) -> Row | None:
    """One callback as it came, and what became of it."""
    row = reader.one(f"SELECT inbox.*, {_ANSWERED} FROM inbox WHERE id = :id", id=callback_id)
    return None if row is None else _with_payments_told_of(reader, [row])[0]


def _with_payments_told_of(reader: Reader, rows: list[Row]) -> list[Row]:
    """Callbacks, with the payments that each is about: several, if it tells of a transfer that settles several."""
    told = {
        row["id"]: row["disbursement_id"]
        for row in reader.rows(
            f"""
            SELECT b.id, coalesce(a.disbursement_id, e.disbursement_id) AS disbursement_id FROM inbox b
              LEFT JOIN attempt a ON a.token_sha256 = b.token_sha256
              LEFT JOIN enquiry q ON q.token_sha256 = b.token_sha256 LEFT JOIN attempt e ON e.id = q.attempt_id
             WHERE b.payment_id IS NOT NULL AND b.id IN ({",".join(str(row["id"]) for row in rows) or "0"})
            """
        )
        if row["disbursement_id"] is not None
    }
    several = payments_of(reader, told.values())
    for row in rows:
        own = () if row["payment_id"] is None else (row["payment_id"],)
        row["payments"] = several.get(told.get(row["id"], 0), own)
    return rows


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
    """Entries of the journal, newest first; `before_id` continues a list by key.

    Of a payment whose share went together with others, also those about the transfer that name another one first.
    """
    about = "payment_id = :payment_id"
    shared = [row for row in attempts(reader, payment_id) if len(row["payments"]) > 1] if payment_id else []
    if shared:
        named_first = ",".join(sorted({str(number) for row in shared for number in row["payments"]}))
        tries = ",".join(str(row["id"]) for row in shared)
        about = f"payment_id IN ({named_first}) AND (payment_id = :payment_id OR attempt_id IN ({tries}))"
    filters = {
        about: payment_id,
        "event = :event": event,
        "at >= :since": since,
        "at < :until": until,
    }
    return _newest_first(reader, "SELECT * FROM journal", "id", filters, before_id, limit)


def notices(reader: Reader, state: NoticeState | None, limit: int) -> list[Row]:
    """Notices, the newest first, with the numbers of the payments that a disbursement settles."""
    found = list(
        reader.rows(
            f"SELECT n.* FROM notice n {'WHERE n.state = :state' if state else ''} ORDER BY n.id DESC LIMIT :limit",
            state=state and state.value,
            limit=limit,
        )
    )
    completed = [row["subject"] for row in found if row["kind"] == NoticeKind.COMPLETED]
    theirs = payments_of(reader, completed)
    return [
        {**row, "payments": theirs.get(row["subject"], ()) if row["kind"] == NoticeKind.COMPLETED else ()}
        for row in found
    ]
