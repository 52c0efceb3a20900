"""Who has access, read for every command; and views that show somebody nothing but what is theirs.

The views bear the names of the tables and hide these from every query of a connection, so that no query can forget
whom it is for. Plain SQL on the driver: the commands that are typed most must stay quick.
"""

from __future__ import annotations

from rentpay_cli.core.access import Scope
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
        *("access", "balance_reading", "enquiry", "finding", "inbox", "journal", "notice", "paybill_change"),
        *("payout_stop", "revenue_day", "setting"),
    )
}

OWNERS_VIEWS = _HIDDEN | {
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
    "paybill_change": """
        SELECT * FROM main.paybill_change
         WHERE property_id IN (SELECT id FROM main.property WHERE owner_id = {id})
    """,
    "tenant": """
        SELECT * FROM main.tenant
         WHERE property_id IN (SELECT id FROM main.property WHERE owner_id = {id})
            OR id IN (SELECT tenant_id FROM main.payment WHERE owner_id = {id})
    """,
    "payment": "SELECT * FROM main.payment WHERE owner_id = {id}",
    "revenue_day": """
        SELECT completed_day AS day, count(*) AS disbursements, sum(payment_count) AS payments,
               sum(collected_cents) AS collected_cents, sum(fee_cents) AS fee_cents, sum(amount_cents) AS amount_cents,
               coalesce(sum(charge_cents), 0) AS charge_cents, count(*) - count(charge_cents) AS charges_not_told
          FROM main.disbursement WHERE owner_id = {id} AND status = 'completed' GROUP BY completed_day
    """,
    "disbursement": "SELECT * FROM main.disbursement WHERE owner_id = {id}",
    "attempt": """
        SELECT * FROM main.attempt
         WHERE payment_id IN (SELECT id FROM main.payment WHERE owner_id = {id})
            OR disbursement_id IN (SELECT id FROM main.disbursement WHERE owner_id = {id})
    """,
    "payout_stop": "SELECT * FROM main.payout_stop WHERE owner_id IS NULL OR owner_id = {id}",
}

# A payment that names no tenant is that of whoever has its telephone number.
_TENANTS_OWN = """(tenant_id = {id} OR (tenant_id IS NULL AND phone LIKE '254%' AND phone =
            (SELECT t.phone FROM main.tenant t WHERE t.id = {id})))"""
_TENANTS_PAYMENTS = f"FROM main.payment WHERE {_TENANTS_OWN}"

TENANTS_VIEWS = _HIDDEN | {
    "tenant": "SELECT * FROM main.tenant WHERE id = {id}",
    "payment": f"""
        SELECT id, owner_id, property_id, tenant_id, phone, method, amount_cents, CAST(NULL AS BIGINT) AS fee_cents,
               CAST(NULL AS BIGINT) AS share_cents, status, receipt, failure_code, failure_reason,
               NULL AS owner_paybill, NULL AS owner_account_number, disbursement_id, NULL AS note, created_at, paid_at
          {_TENANTS_PAYMENTS}
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
        SELECT id, owner_id, NULL AS paybill, NULL AS account_number, payment_count,
               CAST(NULL AS BIGINT) AS collected_cents, CAST(NULL AS BIGINT) AS fee_cents,
               CAST(NULL AS BIGINT) AS amount_cents, CAST(NULL AS BIGINT) AS charge_cents, status,
               NULL AS transaction_id, NULL AS failure_code, NULL AS failure_reason, NULL AS advice,
               NULL AS receiver_name, NULL AS held_reason, NULL AS released_by, CAST(NULL AS BIGINT) AS released_at,
               CAST(NULL AS BIGINT) AS not_before, created_at, completed_at, completed_day
          FROM main.disbursement
         WHERE id IN (SELECT disbursement_id {_TENANTS_PAYMENTS})
    """,
    "attempt": f"SELECT * FROM main.attempt WHERE payment_id IN (SELECT id {_TENANTS_PAYMENTS})",
}
