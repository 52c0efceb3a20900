"""Who has access, read for every command; and views that show somebody nothing but what is theirs.

The views bear the names of the tables and hide these from every query of a connection, so that no query can forget
whom it is for. Plain SQL on the driver: the commands that are typed most must stay quick.
"""

from __future__ import annotations

from rentpay_cli.core.access import Scope
from rentpay_cli.store.predicates import EARNED_BY_DAY
from rentpay_cli.store.readonly import Reader, Row


def has_admin(reader: Reader) -> bool:
    """Whether anybody is an admin; until then nobody needs a token."""
    return reader.one("SELECT id FROM access WHERE role = 'admin' AND revoked_at IS NULL LIMIT 1") is not None


def in_force(reader: Reader, number: int) -> Row | None:
    """The access with this number, unless it was revoked."""
    return reader.one(
        "SELECT id, name, role, owner_id, tenant_id, salt, token_hash FROM access"
        " WHERE id = :id AND revoked_at IS NULL",
        id=number,
    )


def everybody(reader: Reader) -> list[Row]:
    """Everybody who has or had access, without their hashes."""
    return list(
        reader.rows(
            """
            SELECT a.id, a.name, a.role, a.owner_id, o.name AS owner_name, a.tenant_id, t.name AS tenant_name,
                   a.created_by, a.created_at, a.revoked_by, a.revoked_at
              FROM access a LEFT JOIN owner o ON o.id = a.owner_id LEFT JOIN tenant t ON t.id = a.tenant_id
             ORDER BY a.id
            """
        )
    )


def narrow(reader: Reader, scope: Scope) -> None:
    """Let the reader see only what is in the scope, from now on."""
    if scope.owner_id is not None:
        reader.shadow({table: sql.format(id=int(scope.owner_id)) for table, sql in OWNERS_VIEWS.items()})
    elif scope.tenant_id is not None:
        reader.shadow({table: sql.format(id=int(scope.tenant_id)) for table, sql in TENANTS_VIEWS.items()})


_HIDDEN = {
    table: f"SELECT * FROM main.{table} WHERE 1 = 0"
    for table in (
        *("access", "balance_reading", "enquiry", "finding", "inbox", "journal", "notice", "destination_change"),
        *("known_destination", "request"),
        *("payout_stop", "payout_run", "refund", "revenue_day", "setting"),
        *("money_in", "payable", "disbursement_member", "hold"),
    )
}

OWNERS_VIEWS = {table: sql for table, sql in _HIDDEN.items() if table != "revenue_day"} | {
    "owner": "SELECT * FROM main.owner WHERE id = {id}",
    # Of a property that has another owner by now, the name alone: rent of the time before still names it.
    "property": """
        SELECT id, name, owner_id, CASE WHEN owner_id = {id} THEN paybill END AS paybill,
               CASE WHEN owner_id = {id} THEN account_number END AS account_number,
               CASE WHEN owner_id = {id} THEN paybill_name END AS paybill_name,
               CASE WHEN owner_id = {id} THEN rent_cents END AS rent_cents,
               CASE WHEN owner_id = {id} THEN fee_percentage END AS fee_percentage, created_at
          FROM main.property
         WHERE owner_id = {id} OR id IN (SELECT property_id FROM main.payment WHERE owner_id = {id})
    """,
    "destination_change": """
        SELECT * FROM main.destination_change
         WHERE property_id IN (SELECT id FROM main.property WHERE owner_id = {id})
    """,
    "tenant": """
        SELECT * FROM main.tenant
         WHERE property_id IN (SELECT id FROM main.property WHERE owner_id = {id})
            OR id IN (SELECT tenant_id FROM main.payment WHERE owner_id = {id})
    """,
    "payment": "SELECT * FROM main.payment WHERE owner_id = {id}",
    "money_in": """
        SELECT id, way, received_by, amount_cents, receipt, NULL AS reference, NULL AS short_code, NULL AS phone,
               NULL AS payer_name, NULL AS account_text, paid_at, booked_at, learned_by, NULL AS proved_by,
               proved_at, allocated_cents, returned_at
          FROM main.money_in WHERE id IN (SELECT money_in_id FROM main.payment WHERE owner_id = {id})
    """,
    "payable": "SELECT * FROM main.payable WHERE owner_id = {id}",
    "disbursement_member": """
        SELECT * FROM main.disbursement_member
         WHERE payable_id IN (SELECT id FROM main.payable WHERE owner_id = {id})
    """,
    "hold": """
        SELECT * FROM main.hold
         WHERE owner_id = {id} OR property_id IN (SELECT id FROM main.property WHERE owner_id = {id})
            OR payable_id IN (SELECT id FROM main.payable WHERE owner_id = {id})
    """,
    "disbursement": "SELECT * FROM main.disbursement WHERE owner_id = {id}",
    "attempt": """
        SELECT * FROM main.attempt
         WHERE payment_id IN (SELECT id FROM main.payment WHERE owner_id = {id})
            OR disbursement_id IN (SELECT id FROM main.disbursement WHERE owner_id = {id})
    """,
    "payout_stop": "SELECT * FROM main.payout_stop WHERE owner_id IS NULL OR owner_id = {id}",
    "revenue_day": EARNED_BY_DAY,  # the last, because it reads the views above
}

# A payment that names no tenant is that of whoever has its telephone number.
_TENANTS_OWN = """(tenant_id = {id} OR (tenant_id IS NULL AND phone LIKE '254%' AND phone =
            (SELECT t.phone FROM main.tenant t WHERE t.id = {id})))"""
_TENANTS_PAYMENTS = f"FROM main.payment WHERE {_TENANTS_OWN}"

TENANTS_VIEWS = _HIDDEN | {
    "tenant": "SELECT * FROM main.tenant WHERE id = {id}",
    "payment": f"""
        SELECT id, owner_id, property_id, tenant_id, phone, method, amount_cents, CAST(NULL AS BIGINT) AS fee_cents,
               CAST(NULL AS BIGINT) AS vat_cents, CAST(NULL AS BIGINT) AS share_cents,
               CAST(NULL AS BIGINT) AS other_cents, status, money_in_id, failure_code, failure_reason,
               NULL AS owner_paybill, NULL AS owner_account_number, NULL AS note, created_at,
               reversed_because, reversed_at, reversed_day
          {_TENANTS_PAYMENTS}
    """,
    "money_in": f"""
        SELECT id, way, received_by, amount_cents, receipt, NULL AS reference, NULL AS short_code, NULL AS phone,
               NULL AS payer_name, NULL AS account_text, paid_at, booked_at, NULL AS learned_by, NULL AS proved_by,
               proved_at, allocated_cents, returned_at
          FROM main.money_in WHERE id IN (SELECT money_in_id {_TENANTS_PAYMENTS})
    """,
    "payable": f"""
        SELECT id, owner_id, kind, CAST(NULL AS BIGINT) AS amount_cents, payment_id,
               CAST(NULL AS BIGINT) AS disbursement_id, CAST(NULL AS BIGINT) AS refund_id, NULL AS receipt, property_id,
               NULL AS paybill, NULL AS account_number, CAST(NULL AS BIGINT) AS payable_from, status, NULL AS reason,
               NULL AS reference, NULL AS made_by, booked_at, booked_day
          FROM main.payable WHERE kind = 'share' AND payment_id IN (SELECT id {_TENANTS_PAYMENTS})
    """,
    "disbursement_member": f"""
        SELECT * FROM main.disbursement_member WHERE payable_id IN
               (SELECT id FROM main.payable WHERE kind = 'share' AND payment_id IN (SELECT id {_TENANTS_PAYMENTS}))
    """,
    "owner": f"""
        SELECT id, name, NULL AS phone, NULL AS email, created_at FROM main.owner
         WHERE id IN (SELECT owner_id {_TENANTS_PAYMENTS})
    """,
    "property": f"""
        SELECT id, name, owner_id, NULL AS paybill, NULL AS account_number, NULL AS paybill_name, rent_cents,
               NULL AS fee_percentage, created_at
          FROM main.property
         WHERE id IN (SELECT property_id {_TENANTS_PAYMENTS})
            OR id IN (SELECT t.property_id FROM main.tenant t WHERE t.id = {{id}})
    """,
    "disbursement": f"""
        SELECT id, run_id, number, way, owner_id, NULL AS paybill, NULL AS account_number, payment_count,
               CAST(NULL AS BIGINT) AS collected_cents, CAST(NULL AS BIGINT) AS fee_cents,
               CAST(NULL AS BIGINT) AS shares_cents, CAST(NULL AS BIGINT) AS entries_cents,
               CAST(NULL AS BIGINT) AS carried_cents, CAST(NULL AS BIGINT) AS amount_cents,
               CAST(NULL AS BIGINT) AS mpesa_charge_cents, status, NULL AS receipt, NULL AS failure_code,
               NULL AS failure_reason, NULL AS advice, NULL AS receiver_name, created_at, completed_at, completed_day
          FROM main.disbursement
         WHERE id IN (SELECT m.disbursement_id
                        FROM main.disbursement_member m JOIN main.payable y ON y.id = m.payable_id
                       WHERE y.kind = 'share' AND y.payment_id IN (SELECT id {_TENANTS_PAYMENTS}))
    """,
    "attempt": f"SELECT * FROM main.attempt WHERE payment_id IN (SELECT id {_TENANTS_PAYMENTS})",
}
