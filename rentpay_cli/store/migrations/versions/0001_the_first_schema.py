"""The first schema."""

import sqlalchemy as sa
from alembic import op

from rentpay_cli.store.migrations.journal import create_journal_append
from rentpay_cli.store.migrations.totals import create_totals
from rentpay_cli.store.migrations.triggers import create_triggers

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "balance_reading",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("current_cents", sa.BigInteger(), nullable=False),
        sa.Column("available_cents", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_balance_reading_read_at"), "balance_reading", ["read_at"], unique=False)
    op.create_table(
        "known_destination",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("paybill", sa.String(), nullable=False),
        sa.Column("account_number", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("confirmed_by", sa.String(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(account_number) BETWEEN 1 AND 32", name="known_destination_account"),
        sa.CheckConstraint("length(paybill) BETWEEN 5 AND 7", name="known_destination_paybill"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("one_known_destination", "known_destination", ["paybill", "account_number"], unique=True)
    op.create_table(
        "money_in",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("received_by", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("receipt", sa.String(), nullable=True),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("short_code", sa.String(), nullable=True),
        sa.Column("phone", sa.String(), nullable=True),
        sa.Column("payer_name", sa.String(), nullable=True),
        sa.Column("account_text", sa.String(), nullable=True),
        sa.Column("paid_at", sa.BigInteger(), nullable=False),
        sa.Column("booked_at", sa.BigInteger(), nullable=False),
        sa.Column("learned_by", sa.String(), nullable=False),
        sa.Column("proved_by", sa.String(), nullable=True),
        sa.Column("proved_at", sa.BigInteger(), nullable=True),
        sa.Column("allocated_cents", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("returned_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("receipt IS NULL OR way IN ('stk','paybill')", name="money_in_receipt"),
        sa.CheckConstraint("received_by = 'platform' OR received_by = 'owner'", name="money_in_received_by"),
        sa.CheckConstraint("received_by = 'platform' OR way NOT IN ('stk','paybill')", name="money_in_owner"),
        sa.CheckConstraint("way IN ('stk','paybill','cash','bank','cheque','other')", name="money_in_way"),
        sa.CheckConstraint("(proved_by IS NULL) = (proved_at IS NULL)", name="money_in_proved"),
        sa.CheckConstraint("allocated_cents BETWEEN 0 AND amount_cents", name="money_in_allocated"),
        sa.CheckConstraint("amount_cents > 0", name="money_in_amount"),
        sa.CheckConstraint("returned_at IS NULL OR allocated_cents = 0", name="money_in_returned"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("receipt"),
    )
    op.create_index(
        "ix_money_in_unallocated",
        "money_in",
        ["id"],
        unique=False,
        sqlite_where=sa.text("allocated_cents < amount_cents"),
        postgresql_where=sa.text("allocated_cents < amount_cents"),
    )
    op.create_table(
        "notice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.Integer(), nullable=False),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("next_try_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "audience IN ('owner by e-mail','owner by SMS','tenant by e-mail','tenant by SMS','operator','operator by e-mail','operator by SMS')",
            name="notice_audience",
        ),
        sa.CheckConstraint("state IN ('new','sending','sent','failed','unknown')", name="notice_state"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_notice_failed",
        "notice",
        ["changed_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('failed','unknown')"),
        postgresql_where=sa.text("state IN ('failed','unknown')"),
    )
    op.create_index(
        "ix_notice_open",
        "notice",
        ["audience", "next_try_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('new','sending')"),
        postgresql_where=sa.text("state IN ('new','sending')"),
    )
    op.create_index("one_notice", "notice", ["kind", "subject", "audience"], unique=True)
    op.create_table(
        "owner",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=True),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "revenue_day",
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("disbursements", sa.Integer(), nullable=False),
        sa.Column("payments", sa.Integer(), nullable=False),
        sa.Column("collected_cents", sa.BigInteger(), nullable=False),
        sa.Column("fee_cents", sa.BigInteger(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("charge_cents", sa.BigInteger(), nullable=False),
        sa.Column("charges_not_told", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day"),
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "payout_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("needs_approval", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("origin IN ('calendar','each','person')", name="payout_run_origin"),
        sa.CheckConstraint("status IN ('proposed','approved','done','void')", name="payout_run_status"),
        sa.CheckConstraint("needs_approval IN (0, 1)", name="payout_run_needs_approval"),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["owner.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_payout_run_owner", "payout_run", ["owner_id", "id"], unique=False)
    op.create_index(
        "one_calendar_run",
        "payout_run",
        ["owner_id", "due_at"],
        unique=True,
        sqlite_where=sa.text("origin = 'calendar' AND status <> 'void'"),
        postgresql_where=sa.text("origin = 'calendar' AND status <> 'void'"),
    )
    op.create_table(
        "payout_stop",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("in_force", sa.Integer(), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("stopped_by", sa.String(), nullable=False),
        sa.Column("stopped_at", sa.BigInteger(), nullable=False),
        sa.Column("lifted_by", sa.String(), nullable=True),
        sa.Column("lifted_at", sa.BigInteger(), nullable=True),
        sa.Column("lifted_reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('restore','credential','receiver','person','rate','clock','statement')", name="payout_stop_kind"
        ),
        sa.CheckConstraint(
            "(in_force IS NULL) = (lifted_at IS NOT NULL) AND (lifted_at IS NULL) = (lifted_by IS NULL)",
            name="payout_stop_lifted",
        ),
        sa.CheckConstraint("in_force = 1", name="payout_stop_one"),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["owner.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "one_stop_of_all",
        "payout_stop",
        ["kind"],
        unique=True,
        sqlite_where=sa.text("owner_id IS NULL AND in_force = 1"),
        postgresql_where=sa.text("owner_id IS NULL AND in_force = 1"),
    )
    op.create_index("one_stop_of_an_owner", "payout_stop", ["owner_id", "kind", "in_force"], unique=True)
    op.create_table(
        "property",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("paybill", sa.String(), nullable=False),
        sa.Column("account_number", sa.String(), nullable=False),
        sa.Column("paybill_name", sa.String(), nullable=True),
        sa.Column("rent_cents", sa.BigInteger(), nullable=False),
        sa.Column("fee_percentage", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(account_number) BETWEEN 1 AND 32", name="property_account"),
        sa.CheckConstraint("length(paybill) BETWEEN 5 AND 7", name="property_paybill"),
        sa.CheckConstraint("rent_cents > 0 AND rent_cents % 100 = 0", name="property_rent"),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["owner.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_property_owner_id"), "property", ["owner_id"], unique=False)
    op.create_table(
        "refund",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("money_in_id", sa.Integer(), nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("receipt", sa.String(), nullable=True),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(status = 'completed') = (completed_at IS NOT NULL)", name="refund_end"),
        sa.CheckConstraint("receipt IS NULL OR status = 'completed'", name="refund_receipt"),
        sa.CheckConstraint(
            "status IN ('proposed','processing','completed','failed','cancelled')", name="refund_status"
        ),
        sa.CheckConstraint("way IN ('reversal','portal')", name="refund_way"),
        sa.ForeignKeyConstraint(
            ["money_in_id"],
            ["money_in.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("receipt"),
    )
    op.create_index("ix_refund_money_in", "refund", ["money_in_id"], unique=False)
    op.create_index(
        "one_live_refund",
        "refund",
        ["money_in_id"],
        unique=True,
        sqlite_where=sa.text("status NOT IN ('failed','cancelled')"),
        postgresql_where=sa.text("status NOT IN ('failed','cancelled')"),
    )
    op.create_table(
        "disbursement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("paybill", sa.String(), nullable=True),
        sa.Column("account_number", sa.String(), nullable=True),
        sa.Column("payment_count", sa.Integer(), nullable=False),
        sa.Column("collected_cents", sa.BigInteger(), nullable=False),
        sa.Column("fee_cents", sa.BigInteger(), nullable=False),
        sa.Column("shares_cents", sa.BigInteger(), nullable=False),
        sa.Column("entries_cents", sa.BigInteger(), nullable=False),
        sa.Column("carried_cents", sa.BigInteger(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("mpesa_charge_cents", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("receipt", sa.String(), nullable=True),
        sa.Column("failure_code", sa.String(), nullable=True),
        sa.Column("failure_reason", sa.String(), nullable=True),
        sa.Column("advice", sa.String(), nullable=True),
        sa.Column("receiver_name", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.Column("completed_day", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(status IN ('completed','settled')) = (completed_at IS NOT NULL) AND (completed_at IS NULL) = (completed_day IS NULL)",
            name="disbursement_end",
        ),
        sa.CheckConstraint(
            "(way = 'none' AND amount_cents = 0 AND status IN ('proposed','settled','cancelled')) OR (way <> 'none' AND status <> 'settled')",
            name="disbursement_settled",
        ),
        sa.CheckConstraint("receipt IS NULL OR status = 'completed'", name="disbursement_receipt"),
        sa.CheckConstraint(
            "status IN ('proposed','processing','completed','failed','cancelled','settled')", name="disbursement_status"
        ),
        sa.CheckConstraint(
            "way <> 'b2b' OR (amount_cents >= 100 AND amount_cents % 100 = 0)", name="disbursement_whole_shillings"
        ),
        sa.CheckConstraint("way = 'none' OR paybill IS NOT NULL", name="disbursement_destination"),
        sa.CheckConstraint("way IN ('b2b','portal','none')", name="disbursement_way"),
        sa.CheckConstraint("(paybill IS NULL) = (account_number IS NULL)", name="disbursement_account"),
        sa.CheckConstraint("(run_id IS NULL) = (number IS NULL)", name="disbursement_run"),
        sa.CheckConstraint("amount_cents = shares_cents + entries_cents - carried_cents", name="disbursement_sum"),
        sa.CheckConstraint("mpesa_charge_cents >= 0", name="disbursement_charge"),
        sa.CheckConstraint(
            "payment_count >= 0 AND collected_cents >= 0 AND fee_cents >= 0 AND shares_cents >= 0 AND amount_cents >= 0",
            name="disbursement_amounts",
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["owner.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["payout_run.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("receipt"),
    )
    op.create_index(
        "ix_disbursement_completed",
        "disbursement",
        ["completed_day", "collected_cents", "fee_cents", "amount_cents", "mpesa_charge_cents", "payment_count"],
        unique=False,
        sqlite_where=sa.text("status IN ('completed','settled')"),
        postgresql_where=sa.text("status IN ('completed','settled')"),
    )
    op.create_index("ix_disbursement_created", "disbursement", ["created_at"], unique=False)
    op.create_index(
        "ix_disbursement_open",
        "disbursement",
        ["owner_id", "id"],
        unique=False,
        sqlite_where=sa.text("status IN ('proposed','processing')"),
        postgresql_where=sa.text("status IN ('proposed','processing')"),
    )
    op.create_index("ix_disbursement_owner", "disbursement", ["owner_id", "id"], unique=False)
    op.create_index("one_number_of_a_run", "disbursement", ["run_id", "number"], unique=True)
    op.create_table(
        "tenant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("property_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["property_id"],
            ["property.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_tenant_phone"), "tenant", ["phone"], unique=False)
    op.create_index(op.f("ix_tenant_property_id"), "tenant", ["property_id"], unique=False)
    op.create_table(
        "access",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("tenant_id", sa.Integer(), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_by", sa.String(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(role = 'owner') = (owner_id IS NOT NULL) AND (role = 'tenant') = (tenant_id IS NOT NULL)",
            name="access_of",
        ),
        sa.CheckConstraint("role IN ('admin','owner','tenant','clerk','accountant','service')", name="access_role"),
        sa.CheckConstraint("(revoked_by IS NULL) = (revoked_at IS NULL)", name="access_revoked"),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["owner.id"],
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenant.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "one_access",
        "access",
        ["name"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "payment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("property_id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=True),
        sa.Column("phone", sa.String(), nullable=True),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("fee_cents", sa.BigInteger(), nullable=False),
        sa.Column("vat_cents", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("share_cents", sa.BigInteger(), nullable=False),
        sa.Column("other_cents", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("money_in_id", sa.Integer(), nullable=True),
        sa.Column("failure_code", sa.String(), nullable=True),
        sa.Column("failure_reason", sa.String(), nullable=True),
        sa.Column("owner_paybill", sa.String(), nullable=False),
        sa.Column("owner_account_number", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("reversed_because", sa.String(), nullable=True),
        sa.Column("reversed_at", sa.BigInteger(), nullable=True),
        sa.Column("reversed_day", sa.Integer(), nullable=True),
        sa.CheckConstraint("(money_in_id IS NOT NULL) = (status IN ('success','reversed'))", name="payment_has_money"),
        sa.CheckConstraint(
            "(status = 'reversed') = (reversed_because IS NOT NULL) AND (reversed_at IS NULL) = (reversed_because IS NULL) AND (reversed_day IS NULL) = (reversed_because IS NULL)",
            name="payment_reversed",
        ),
        sa.CheckConstraint("method <> 'mpesa' OR amount_cents % 100 = 0", name="payment_whole_shillings"),
        sa.CheckConstraint("method IN ('mpesa','paybill','cash','bank','cheque','other')", name="payment_method"),
        sa.CheckConstraint("reversed_because IN ('refund','reallocated','undo')", name="payment_reversed_because"),
        sa.CheckConstraint("status IN ('pending','success','failed','reversed')", name="payment_status"),
        sa.CheckConstraint("amount_cents = fee_cents + vat_cents + share_cents + other_cents", name="payment_division"),
        sa.CheckConstraint(
            "amount_cents > 0 AND fee_cents >= 0 AND vat_cents >= 0 AND share_cents >= 0 AND other_cents >= 0",
            name="payment_amounts",
        ),
        sa.CheckConstraint("fee_cents % 100 = 0", name="payment_fee"),
        sa.ForeignKeyConstraint(
            ["money_in_id"],
            ["money_in.id"],
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["owner.id"],
        ),
        sa.ForeignKeyConstraint(
            ["property_id"],
            ["property.id"],
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenant.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_payment_money_in", "payment", ["money_in_id"], unique=False)
    op.create_index("ix_payment_owner", "payment", ["owner_id", "id"], unique=False)
    op.create_index(
        "ix_payment_pending",
        "payment",
        ["id"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index("ix_payment_phone", "payment", ["phone", "id"], unique=False)
    op.create_index("ix_payment_property", "payment", ["property_id", "id"], unique=False)
    op.create_index(
        "ix_payment_reversed",
        "payment",
        ["id"],
        unique=False,
        sqlite_where=sa.text("status = 'reversed'"),
        postgresql_where=sa.text("status = 'reversed'"),
    )
    op.create_index(op.f("ix_payment_tenant_id"), "payment", ["tenant_id"], unique=False)
    op.create_table(
        "attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("payment_id", sa.Integer(), nullable=True),
        sa.Column("disbursement_id", sa.Integer(), nullable=True),
        sa.Column("refund_id", sa.Integer(), nullable=True),
        sa.Column("short_code", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("token_sha256", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("checkout_request_id", sa.String(), nullable=True),
        sa.Column("merchant_request_id", sa.String(), nullable=True),
        sa.Column("conversation_id", sa.String(), nullable=True),
        sa.Column("originator_conversation_id", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("learned_by", sa.String(), nullable=True),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("known_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("next_check_at", sa.BigInteger(), nullable=True),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.Column("not_found_count", sa.Integer(), nullable=False),
        sa.Column("first_not_found_at", sa.BigInteger(), nullable=True),
        sa.Column("not_found_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(direction = 'collection' AND payment_id IS NOT NULL AND disbursement_id IS NULL AND refund_id IS NULL) OR (direction = 'payout' AND payment_id IS NULL AND disbursement_id IS NOT NULL AND refund_id IS NULL) OR (direction = 'refund' AND payment_id IS NULL AND disbursement_id IS NULL AND refund_id IS NOT NULL)",
            name="attempt_direction",
        ),
        sa.CheckConstraint("state IN ('sending','waiting','unclear','moved','not_moved')", name="attempt_state"),
        sa.CheckConstraint("amount_cents >= 100 AND amount_cents % 100 = 0", name="attempt_amount"),
        sa.ForeignKeyConstraint(
            ["disbursement_id"],
            ["disbursement.id"],
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"],
            ["payment.id"],
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"],
            ["refund.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("checkout_request_id"),
        sa.UniqueConstraint("conversation_id"),
        sa.UniqueConstraint("originator_conversation_id"),
        sa.UniqueConstraint("token_sha256"),
    )
    op.create_index(
        "ix_attempt_open",
        "attempt",
        ["next_check_at", "id"],
        unique=False,
        sqlite_where=sa.text("state IN ('sending','waiting','unclear')"),
        postgresql_where=sa.text("state IN ('sending','waiting','unclear')"),
    )
    op.create_index(
        "ix_attempt_payout_began",
        "attempt",
        ["created_at", "amount_cents"],
        unique=False,
        sqlite_where=sa.text("direction = 'payout' AND state <> 'not_moved'"),
        postgresql_where=sa.text("direction = 'payout' AND state <> 'not_moved'"),
    )
    op.create_index(
        "ix_attempt_payout_not_moved",
        "attempt",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("direction = 'payout' AND state = 'not_moved'"),
        postgresql_where=sa.text("direction = 'payout' AND state = 'not_moved'"),
    )
    op.create_index("one_collection", "attempt", ["payment_id"], unique=True)
    op.create_index("one_payout", "attempt", ["disbursement_id"], unique=True)
    op.create_index("one_refund", "attempt", ["refund_id"], unique=True)
    op.create_table(
        "inbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("token_sha256", sa.String(), nullable=True),
        sa.Column("source_ip", sa.String(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("body_bytes", sa.Integer(), nullable=False),
        sa.Column("stranger_sha256", sa.String(), nullable=True),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("last_copy_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("payment_id", sa.Integer(), nullable=True),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('new','read','held')", name="inbox_state"),
        sa.CheckConstraint("copies >= 1", name="inbox_copies"),
        sa.ForeignKeyConstraint(
            ["payment_id"],
            ["payment.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_inbox_held",
        "inbox",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_index(
        "ix_inbox_new",
        "inbox",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'new'"),
        postgresql_where=sa.text("state = 'new'"),
    )
    op.create_index(op.f("ix_inbox_payment_id"), "inbox", ["payment_id"], unique=False)
    op.create_index(
        "ix_inbox_stranger",
        "inbox",
        ["body_bytes"],
        unique=False,
        sqlite_where=sa.text("stranger_sha256 IS NOT NULL"),
        postgresql_where=sa.text("stranger_sha256 IS NOT NULL"),
    )
    op.create_index(
        "ix_inbox_unread_or_held",
        "inbox",
        ["token_sha256"],
        unique=False,
        sqlite_where=sa.text("state IN ('new','held')"),
        postgresql_where=sa.text("state IN ('new','held')"),
    )
    op.create_index("one_stranger", "inbox", ["stranger_sha256", "path"], unique=True)
    op.create_table(
        "payable",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.Integer(), nullable=True),
        sa.Column("disbursement_id", sa.Integer(), nullable=True),
        sa.Column("refund_id", sa.Integer(), nullable=True),
        sa.Column("receipt", sa.String(), nullable=True),
        sa.Column("property_id", sa.Integer(), nullable=True),
        sa.Column("paybill", sa.String(), nullable=True),
        sa.Column("account_number", sa.String(), nullable=True),
        sa.Column("payable_from", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("booked_at", sa.BigInteger(), nullable=False),
        sa.Column("booked_day", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'share' AND amount_cents >= 0 AND payment_id IS NOT NULL AND property_id IS NOT NULL AND paybill IS NOT NULL) OR (kind <> 'share' AND amount_cents <> 0)",
            name="payable_share",
        ),
        sa.CheckConstraint(
            "kind IN ('share','reversal','reallocated','returned','paid_in_error','to_recover','carried','mpesa_charge','fee_collected_by_owner','deposit','repair','correction','opening','tax')",
            name="payable_kind",
        ),
        sa.CheckConstraint(
            "status <> 'not_required' OR kind IN ('share','fee_collected_by_owner')", name="payable_not_required"
        ),
        sa.CheckConstraint(
            "status IN ('pending','processing','completed','failed','not_required')", name="payable_status"
        ),
        sa.CheckConstraint("(paybill IS NULL) = (account_number IS NULL)", name="payable_account"),
        sa.CheckConstraint(
            "paybill IS NULL OR (amount_cents >= 0 AND property_id IS NOT NULL)", name="payable_destination"
        ),
        sa.ForeignKeyConstraint(
            ["disbursement_id"],
            ["disbursement.id"],
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["owner.id"],
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"],
            ["payment.id"],
        ),
        sa.ForeignKeyConstraint(
            ["property_id"],
            ["property.id"],
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"],
            ["refund.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("receipt"),
    )
    op.create_index(
        "ix_payable_booked",
        "payable",
        ["booked_at"],
        unique=False,
        sqlite_where=sa.text("kind = 'share'"),
        postgresql_where=sa.text("kind = 'share'"),
    )
    op.create_index("ix_payable_disbursement", "payable", ["disbursement_id"], unique=False)
    op.create_index(
        "ix_payable_open",
        "payable",
        ["status", "id"],
        unique=False,
        sqlite_where=sa.text("status IN ('pending','failed','processing')"),
        postgresql_where=sa.text("status IN ('pending','failed','processing')"),
    )
    op.create_index(
        "ix_payable_owner",
        "payable",
        ["owner_id", "id"],
        unique=False,
        sqlite_where=sa.text("status IN ('pending','failed','processing')"),
        postgresql_where=sa.text("status IN ('pending','failed','processing')"),
    )
    op.create_index(
        "ix_payable_owner_collected",
        "payable",
        ["id"],
        unique=False,
        sqlite_where=sa.text("kind = 'fee_collected_by_owner'"),
        postgresql_where=sa.text("kind = 'fee_collected_by_owner'"),
    )
    op.create_index("ix_payable_payment", "payable", ["payment_id", "kind"], unique=False)
    op.create_index(
        "ix_payable_share_of_nothing",
        "payable",
        ["id"],
        unique=False,
        sqlite_where=sa.text("kind = 'share' AND amount_cents = 0"),
        postgresql_where=sa.text("kind = 'share' AND amount_cents = 0"),
    )
    op.create_index(
        "ix_payable_taken_back",
        "payable",
        ["id"],
        unique=False,
        sqlite_where=sa.text("kind IN ('reversal','reallocated')"),
        postgresql_where=sa.text("kind IN ('reversal','reallocated')"),
    )
    op.create_index(
        "one_entry_of_a_disbursement",
        "payable",
        ["disbursement_id", "kind"],
        unique=True,
        sqlite_where=sa.text("kind IN ('carried','mpesa_charge')"),
        postgresql_where=sa.text("kind IN ('carried','mpesa_charge')"),
    )
    op.create_index(
        "one_entry_of_a_payment",
        "payable",
        ["payment_id", "kind"],
        unique=True,
        sqlite_where=sa.text("kind IN ('reversal','reallocated','fee_collected_by_owner')"),
        postgresql_where=sa.text("kind IN ('reversal','reallocated','fee_collected_by_owner')"),
    )
    op.create_index(
        "one_share",
        "payable",
        ["payment_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'share'"),
        postgresql_where=sa.text("kind = 'share'"),
    )
    op.create_table(
        "destination_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("property_id", sa.Integer(), nullable=True),
        sa.Column("payable_id", sa.Integer(), nullable=True),
        sa.Column("paybill", sa.String(), nullable=True),
        sa.Column("account_number", sa.String(), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("fee_percentage", sa.String(), nullable=True),
        sa.Column("from_paybill", sa.String(), nullable=True),
        sa.Column("from_account_number", sa.String(), nullable=True),
        sa.Column("from_owner_id", sa.Integer(), nullable=True),
        sa.Column("from_fee_percentage", sa.String(), nullable=True),
        sa.Column("organisation_name", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(state = 'held') = (decided_at IS NULL)", name="destination_change_decided"),
        sa.CheckConstraint("state IN ('held','confirmed','cancelled')", name="destination_change_state"),
        sa.CheckConstraint("(owner_id IS NULL) = (from_owner_id IS NULL)", name="destination_change_owner"),
        sa.CheckConstraint(
            "(paybill IS NULL) = (account_number IS NULL) AND (paybill IS NULL) = (from_paybill IS NULL) AND (from_paybill IS NULL) = (from_account_number IS NULL)",
            name="destination_change_from",
        ),
        sa.CheckConstraint("(property_id IS NULL) <> (payable_id IS NULL)", name="destination_change_scope"),
        sa.CheckConstraint("length(account_number) BETWEEN 1 AND 32", name="destination_change_account"),
        sa.CheckConstraint("length(paybill) BETWEEN 5 AND 7", name="destination_change_paybill"),
        sa.CheckConstraint(
            "paybill IS NOT NULL OR (property_id IS NOT NULL AND (owner_id IS NOT NULL OR fee_percentage IS NOT NULL))",
            name="destination_change_of_something",
        ),
        sa.ForeignKeyConstraint(
            ["from_owner_id"],
            ["owner.id"],
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["owner.id"],
        ),
        sa.ForeignKeyConstraint(
            ["payable_id"],
            ["payable.id"],
        ),
        sa.ForeignKeyConstraint(
            ["property_id"],
            ["property.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "one_held_change_of_a_payable",
        "destination_change",
        ["payable_id"],
        unique=True,
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_index(
        "one_held_change_of_a_property",
        "destination_change",
        ["property_id"],
        unique=True,
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_table(
        "disbursement_member",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("disbursement_id", sa.Integer(), nullable=False),
        sa.Column("payable_id", sa.Integer(), nullable=False),
        sa.Column("live", sa.Integer(), nullable=True),
        sa.CheckConstraint("live = 1", name="disbursement_member_live"),
        sa.ForeignKeyConstraint(
            ["disbursement_id"],
            ["disbursement.id"],
        ),
        sa.ForeignKeyConstraint(
            ["payable_id"],
            ["payable.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_disbursement_member_payable", "disbursement_member", ["payable_id", "disbursement_id"], unique=False
    )
    op.create_index(
        "one_live_disbursement",
        "disbursement_member",
        ["payable_id"],
        unique=True,
        sqlite_where=sa.text("live = 1"),
        postgresql_where=sa.text("live = 1"),
    )
    op.create_index("one_membership", "disbursement_member", ["disbursement_id", "payable_id"], unique=True)
    op.create_table(
        "enquiry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("attempt_id", sa.Integer(), nullable=True),
        sa.Column("money_in_id", sa.Integer(), nullable=True),
        sa.Column("asked_with", sa.String(), nullable=True),
        sa.Column("short_code", sa.String(), nullable=True),
        sa.Column("token_sha256", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("conversation_id", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("mpesa_asked_at", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("mpesa_answered_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("asked_with IN ('conversation','receipt')", name="enquiry_asked_with"),
        sa.CheckConstraint("kind IN ('balance','status','control')", name="enquiry_kind"),
        sa.ForeignKeyConstraint(
            ["attempt_id"],
            ["attempt.id"],
        ),
        sa.ForeignKeyConstraint(
            ["money_in_id"],
            ["money_in.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_sha256"),
    )
    op.create_index(op.f("ix_enquiry_attempt_id"), "enquiry", ["attempt_id"], unique=False)
    op.create_table(
        "finding",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("payment_id", sa.Integer(), nullable=True),
        sa.Column("attempt_id", sa.Integer(), nullable=True),
        sa.Column("disbursement_id", sa.Integer(), nullable=True),
        sa.Column("money_in_id", sa.Integer(), nullable=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (closed_reason IS NULL)",
            name="finding_closed",
        ),
        sa.ForeignKeyConstraint(
            ["attempt_id"],
            ["attempt.id"],
        ),
        sa.ForeignKeyConstraint(
            ["disbursement_id"],
            ["disbursement.id"],
        ),
        sa.ForeignKeyConstraint(
            ["money_in_id"],
            ["money_in.id"],
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"],
            ["payment.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_finding_attempt_id"), "finding", ["attempt_id"], unique=False)
    op.create_index(
        "ix_finding_disbursement",
        "finding",
        ["disbursement_id"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_finding_open",
        "finding",
        ["id"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(op.f("ix_finding_payment_id"), "finding", ["payment_id"], unique=False)
    op.create_table(
        "hold",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("payable_id", sa.Integer(), nullable=True),
        sa.Column("property_id", sa.Integer(), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("placed_by", sa.String(), nullable=False),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_reason", sa.String(), nullable=True),
        sa.CheckConstraint("kind IN ('limit','repeated','collection','evidence','person')", name="hold_kind"),
        sa.CheckConstraint(
            "(CASE WHEN payable_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN property_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN owner_id IS NULL THEN 0 ELSE 1 END) = 1",
            name="hold_scope",
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (ended_reason IS NULL)", name="hold_ended"
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["owner.id"],
        ),
        sa.ForeignKeyConstraint(
            ["payable_id"],
            ["payable.id"],
        ),
        sa.ForeignKeyConstraint(
            ["property_id"],
            ["property.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_hold_payable", "hold", ["payable_id"], unique=False)
    op.create_index(
        "one_hold_of_a_payable",
        "hold",
        ["payable_id", "kind"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "one_hold_of_a_property",
        "hold",
        ["property_id", "kind"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "one_hold_of_an_owner",
        "hold",
        ["owner_id", "kind"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "journal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("payment_id", sa.Integer(), nullable=True),
        sa.Column("attempt_id", sa.Integer(), nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt_id"],
            ["attempt.id"],
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"],
            ["payment.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_journal_at"), "journal", ["at"], unique=False)
    op.create_index(op.f("ix_journal_attempt_id"), "journal", ["attempt_id"], unique=False)
    op.create_index(op.f("ix_journal_payment_id"), "journal", ["payment_id"], unique=False)
    op.create_table(
        "request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("destination_change_id", sa.Integer(), nullable=True),
        sa.Column("attempt_id", sa.Integer(), nullable=True),
        sa.Column("hold_id", sa.Integer(), nullable=True),
        sa.Column("payout_stop_id", sa.Integer(), nullable=True),
        sa.Column("access_id", sa.Integer(), nullable=True),
        sa.Column("refund_id", sa.Integer(), nullable=True),
        sa.Column("payout_run_id", sa.Integer(), nullable=True),
        sa.Column("money_in_id", sa.Integer(), nullable=True),
        sa.Column("shown", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("needs_two", sa.Integer(), nullable=False),
        sa.Column("asked_by_id", sa.Integer(), nullable=True),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("decided_by_id", sa.Integer(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(destination_change_id IS NOT NULL) = (kind IN ('destination','move')) AND (attempt_id IS NOT NULL) = (kind IN ('ruling')) AND (hold_id IS NOT NULL) = (kind IN ('release')) AND (payout_stop_id IS NOT NULL) = (kind IN ('resume')) AND (access_id IS NOT NULL) = (kind IN ('access')) AND (refund_id IS NOT NULL) = (kind IN ('refund')) AND (payout_run_id IS NOT NULL) = (kind IN ('run')) AND (money_in_id IS NOT NULL) = (kind IN ('proof'))",
            name="request_about",
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)",
            name="request_decided",
        ),
        sa.CheckConstraint(
            "kind IN ('destination','move','ruling','release','resume','access','refund','run','proof','statement')",
            name="request_kind",
        ),
        sa.CheckConstraint(
            "needs_two = 0 OR state <> 'confirmed' OR (asked_by_id IS NOT NULL AND decided_by_id IS NOT NULL AND asked_by_id <> decided_by_id)",
            name="request_two_persons",
        ),
        sa.CheckConstraint("state IN ('waiting','confirmed','rejected','withdrawn','lapsed')", name="request_state"),
        sa.CheckConstraint("needs_two IN (0, 1)", name="request_needs_two"),
        sa.ForeignKeyConstraint(
            ["access_id"],
            ["access.id"],
        ),
        sa.ForeignKeyConstraint(
            ["asked_by_id"],
            ["access.id"],
        ),
        sa.ForeignKeyConstraint(
            ["attempt_id"],
            ["attempt.id"],
        ),
        sa.ForeignKeyConstraint(
            ["decided_by_id"],
            ["access.id"],
        ),
        sa.ForeignKeyConstraint(
            ["destination_change_id"],
            ["destination_change.id"],
        ),
        sa.ForeignKeyConstraint(
            ["hold_id"],
            ["hold.id"],
        ),
        sa.ForeignKeyConstraint(
            ["money_in_id"],
            ["money_in.id"],
        ),
        sa.ForeignKeyConstraint(
            ["payout_run_id"],
            ["payout_run.id"],
        ),
        sa.ForeignKeyConstraint(
            ["payout_stop_id"],
            ["payout_stop.id"],
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"],
            ["refund.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_request_payout_run", "request", ["payout_run_id"], unique=False)
    op.create_index(
        "ix_request_waiting",
        "request",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    create_triggers(op.get_bind())
    create_totals(op.get_bind())
    create_journal_append(op.get_bind())
