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
        sa.CheckConstraint("audience IN ('owner by e-mail','owner by SMS','operator')", name="notice_audience"),
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
        "disbursement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("paybill", sa.String(), nullable=False),
        sa.Column("account_number", sa.String(), nullable=False),
        sa.Column("payment_count", sa.Integer(), nullable=False),
        sa.Column("collected_cents", sa.BigInteger(), nullable=False),
        sa.Column("fee_cents", sa.BigInteger(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("charge_cents", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("transaction_id", sa.String(), nullable=True),
        sa.Column("failure_code", sa.String(), nullable=True),
        sa.Column("failure_reason", sa.String(), nullable=True),
        sa.Column("advice", sa.String(), nullable=True),
        sa.Column("receiver_name", sa.String(), nullable=True),
        sa.Column("held_reason", sa.String(), nullable=True),
        sa.Column("released_by", sa.String(), nullable=True),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.Column("not_before", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.Column("completed_day", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(status = 'completed') = (completed_at IS NOT NULL AND completed_day IS NOT NULL)", name="disbursement_end"
        ),
        sa.CheckConstraint("held_reason IS NULL OR status IN ('pending','failed')", name="disbursement_held"),
        sa.CheckConstraint(
            "status = 'not_required' OR (amount_cents >= 100 AND amount_cents % 100 = 0)", name="disbursement_sendable"
        ),
        sa.CheckConstraint(
            "status IN ('pending','processing','completed','failed','not_required')", name="disbursement_status"
        ),
        sa.CheckConstraint("(released_by IS NULL) = (released_at IS NULL)", name="disbursement_released"),
        sa.CheckConstraint("amount_cents >= 0 AND fee_cents >= 0", name="disbursement_amounts"),
        sa.CheckConstraint("collected_cents = fee_cents + amount_cents", name="disbursement_division"),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["owner.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("transaction_id"),
    )
    op.create_index(
        "ix_disbursement_completed",
        "disbursement",
        ["completed_day", "collected_cents", "fee_cents", "amount_cents", "charge_cents", "payment_count"],
        unique=False,
        sqlite_where=sa.text("status = 'completed'"),
        postgresql_where=sa.text("status = 'completed'"),
    )
    op.create_index(
        "ix_disbursement_open",
        "disbursement",
        ["status", "id"],
        unique=False,
        sqlite_where=sa.text("status IN ('pending','processing','failed')"),
        postgresql_where=sa.text("status IN ('pending','processing','failed')"),
    )
    op.create_index("ix_disbursement_owner", "disbursement", ["owner_id", "id"], unique=False)
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
        sa.CheckConstraint("(in_force IS NULL) = (lifted_at IS NOT NULL)", name="payout_stop_lifted"),
        sa.CheckConstraint("in_force = 1", name="payout_stop_one"),
        sa.CheckConstraint(
            "kind IN ('restore','credential','receiver','person','rate','clock','statement')", name="payout_stop_kind"
        ),
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
        "paybill_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("property_id", sa.Integer(), nullable=False),
        sa.Column("paybill", sa.String(), nullable=False),
        sa.Column("account_number", sa.String(), nullable=False),
        sa.Column("organisation_name", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(state = 'held') = (decided_at IS NULL)", name="paybill_change_decided"),
        sa.CheckConstraint("state IN ('held','confirmed','cancelled')", name="paybill_change_state"),
        sa.CheckConstraint("length(account_number) BETWEEN 1 AND 32", name="paybill_change_account"),
        sa.CheckConstraint("length(paybill) BETWEEN 5 AND 7", name="paybill_change_paybill"),
        sa.ForeignKeyConstraint(
            ["property_id"],
            ["property.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "one_held_paybill_change",
        "paybill_change",
        ["property_id"],
        unique=True,
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
    )
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
        sa.CheckConstraint("role IN ('admin','owner','tenant')", name="access_role"),
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
        sa.Column("share_cents", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("receipt", sa.String(), nullable=True),
        sa.Column("failure_code", sa.String(), nullable=True),
        sa.Column("failure_reason", sa.String(), nullable=True),
        sa.Column("owner_paybill", sa.String(), nullable=False),
        sa.Column("owner_account_number", sa.String(), nullable=False),
        sa.Column("disbursement_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("paid_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("disbursement_id IS NULL OR status IN ('success','reversed')", name="payment_disbursed"),
        sa.CheckConstraint("method <> 'mpesa' OR amount_cents % 100 = 0", name="payment_whole_shillings"),
        sa.CheckConstraint("method = 'mpesa' OR receipt IS NULL", name="payment_receipt"),
        sa.CheckConstraint("status IN ('pending','success','failed','reversed')", name="payment_status"),
        sa.CheckConstraint("amount_cents = fee_cents + share_cents", name="payment_division"),
        sa.CheckConstraint("amount_cents > 0 AND fee_cents >= 0 AND share_cents >= 0", name="payment_amounts"),
        sa.CheckConstraint("fee_cents % 100 = 0", name="payment_fee"),
        sa.ForeignKeyConstraint(
            ["disbursement_id"],
            ["disbursement.id"],
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
        sa.UniqueConstraint("receipt"),
    )
    op.create_index(op.f("ix_payment_disbursement_id"), "payment", ["disbursement_id"], unique=False)
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
    op.create_index(op.f("ix_payment_tenant_id"), "payment", ["tenant_id"], unique=False)
    op.create_table(
        "attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("payment_id", sa.Integer(), nullable=True),
        sa.Column("disbursement_id", sa.Integer(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("token_sha256", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("checkout_request_id", sa.String(), nullable=True),
        sa.Column("merchant_request_id", sa.String(), nullable=True),
        sa.Column("conversation_id", sa.String(), nullable=True),
        sa.Column("originator_conversation_id", sa.String(), nullable=True),
        sa.Column("receipt", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("learned_by", sa.String(), nullable=True),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("next_check_at", sa.BigInteger(), nullable=True),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.Column("not_found_count", sa.Integer(), nullable=False),
        sa.Column("not_found_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(direction = 'collection' AND payment_id IS NOT NULL AND disbursement_id IS NULL) OR (direction = 'payout' AND payment_id IS NULL AND disbursement_id IS NOT NULL)",
            name="attempt_direction",
        ),
        sa.CheckConstraint("receipt IS NULL OR state = 'moved'", name="attempt_receipt"),
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
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("checkout_request_id"),
        sa.UniqueConstraint("conversation_id"),
        sa.UniqueConstraint("originator_conversation_id"),
        sa.UniqueConstraint("receipt"),
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
    op.create_index(
        "one_live_collection",
        "attempt",
        ["payment_id"],
        unique=True,
        sqlite_where=sa.text("state <> 'not_moved'"),
        postgresql_where=sa.text("state <> 'not_moved'"),
    )
    op.create_index(
        "one_live_payout",
        "attempt",
        ["disbursement_id"],
        unique=True,
        sqlite_where=sa.text("state <> 'not_moved'"),
        postgresql_where=sa.text("state <> 'not_moved'"),
    )
    op.create_index("one_number_collection", "attempt", ["payment_id", "number"], unique=True)
    op.create_index("one_number_payout", "attempt", ["disbursement_id", "number"], unique=True)
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
    op.create_index("one_stranger", "inbox", ["stranger_sha256", "path"], unique=True)
    op.create_table(
        "enquiry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("attempt_id", sa.Integer(), nullable=True),
        sa.Column("token_sha256", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("conversation_id", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("kind IN ('balance','status')", name="enquiry_kind"),
        sa.ForeignKeyConstraint(
            ["attempt_id"],
            ["attempt.id"],
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
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
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
    op.create_index(op.f("ix_finding_attempt_id"), "finding", ["attempt_id"], unique=False)
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
    create_triggers(op.get_bind())
    create_totals(op.get_bind())
    create_journal_append(op.get_bind())
