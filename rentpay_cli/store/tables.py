"""The tables and the constraints that every database holds us to.

Money is whole cents. A moment is milliseconds since 1970 in UTC, so that both databases sort, subtract and group it
alike; `completed_day` is the East African calendar day (20261123). What the constraints cannot say (which changes of
state are allowed, that the journal only grows) is said by the triggers in `triggers.py`.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Dialect, ForeignKey, Index, LargeBinary, text
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

from rentpay_cli.core.clock import from_milliseconds, to_milliseconds


class Moment(TypeDecorator[datetime]):
    """A moment in UTC, kept as milliseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_milliseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_milliseconds(value)


def _moment(*, null: bool = False, index: bool = False) -> Any:
    return Field(sa_column=Column(Moment, nullable=null, index=index), default=None)


def _cents(*, null: bool = False) -> Any:
    return Field(sa_column=Column(BigInteger, nullable=null), default=None)


def _partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index over the rows that fit; that it is so on PostgreSQL is told by `tell_postgresql`."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where))


def tell_postgresql() -> None:
    """Make the partial indexes partial on PostgreSQL, too, for whoever makes or compares a schema.

    To hear it in `Index`, SQLAlchemy loads all its drivers for PostgreSQL: 17 ms of the 382 that `retry-failed` takes.
    """
    for table in SQLModel.metadata.tables.values():
        for index in table.indexes:
            where = index.dialect_kwargs.get("sqlite_where")
            if where is not None:
                index.dialect_kwargs["postgresql_where"] = where


def _key(target: str, *, null: bool = False, index: bool = True) -> Any:
    return Field(sa_column=Column(ForeignKey(target), nullable=null, index=index), default=None)


class Setting(SQLModel, table=True):
    """What the database remembers about itself, such as the environment it was made for."""

    name: str = Field(primary_key=True)
    value: str


class Owner(SQLModel, table=True):
    """Whom the platform pays."""

    id: int | None = Field(default=None, primary_key=True)
    name: str
    phone: str | None = None
    email: str | None = None
    created_at: datetime = _moment()


class Property(SQLModel, table=True):
    """What is let, and where its owner's share goes."""

    __table_args__ = (
        CheckConstraint("length(paybill) BETWEEN 5 AND 7", name="property_paybill"),
        CheckConstraint("length(account_number) BETWEEN 1 AND 32", name="property_account"),
        CheckConstraint("rent_cents > 0 AND rent_cents % 100 = 0", name="property_rent"),
    )
    id: int | None = Field(default=None, primary_key=True)
    name: str
    owner_id: int = _key("owner.id")
    paybill: str
    account_number: str
    paybill_name: str | None = None
    rent_cents: int = _cents()
    fee_percentage: str | None = None
    created_at: datetime = _moment()


class PaybillChange(SQLModel, table=True):
    """A new destination of a property's rent, held until a person confirms it; one at a time a property.

    `organisation_name` is what M-Pesa calls the new paybill; NULL if it could not be asked. In `state` a change is
    `held`, then `confirmed` or `cancelled`.
    """

    __tablename__ = "paybill_change"
    __table_args__ = (
        CheckConstraint("state IN ('held','confirmed','cancelled')", name="paybill_change_state"),
        CheckConstraint("(state = 'held') = (decided_at IS NULL)", name="paybill_change_decided"),
        CheckConstraint("length(paybill) BETWEEN 5 AND 7", name="paybill_change_paybill"),
        CheckConstraint("length(account_number) BETWEEN 1 AND 32", name="paybill_change_account"),
        _partial_index(
            "one_held_paybill_change",
            "property_id",
            unique=True,
            where="state = 'held'",
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    property_id: int = _key("property.id", index=False)
    paybill: str
    account_number: str
    organisation_name: str | None = None
    state: str
    asked_by: str
    asked_at: datetime = _moment()
    decided_by: str | None = None
    decided_at: datetime | None = _moment(null=True)


class Tenant(SQLModel, table=True):
    """Who pays the rent."""

    id: int | None = Field(default=None, primary_key=True)
    name: str
    phone: str = Field(index=True)
    property_id: int | None = _key("property.id", null=True)
    created_at: datetime = _moment()


class Disbursement(SQLModel, table=True):
    """An owner's share on its way: one transfer, for one payment or several."""

    __table_args__ = (
        CheckConstraint("amount_cents >= 0 AND fee_cents >= 0", name="disbursement_amounts"),
        CheckConstraint("collected_cents = fee_cents + amount_cents", name="disbursement_division"),
        CheckConstraint(
            "status = 'not_required' OR (amount_cents >= 100 AND amount_cents % 100 = 0)",
            name="disbursement_sendable",
        ),
        CheckConstraint(
            "status IN ('pending','processing','completed','failed','not_required')",
            name="disbursement_status",
        ),
        CheckConstraint(
            "(status = 'completed') = (completed_at IS NOT NULL AND completed_day IS NOT NULL)",
            name="disbursement_end",
        ),
        _partial_index(
            "ix_disbursement_completed",
            "completed_day",
            "collected_cents",
            "fee_cents",
            "amount_cents",
            "charge_cents",
            "payment_count",
            where="status = 'completed'",
        ),
        _partial_index(
            "ix_disbursement_open",
            "status",
            "id",
            where="status IN ('pending','processing','failed')",
        ),
        CheckConstraint("held_reason IS NULL OR status IN ('pending','failed')", name="disbursement_held"),
        CheckConstraint("(released_by IS NULL) = (released_at IS NULL)", name="disbursement_released"),
        Index("ix_disbursement_owner", "owner_id", "id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    owner_id: int = _key("owner.id", index=False)
    paybill: str
    account_number: str
    payment_count: int = 1
    collected_cents: int = _cents()
    fee_cents: int = _cents()
    amount_cents: int = _cents()
    charge_cents: int | None = _cents(null=True)
    status: str
    transaction_id: str | None = Field(default=None, unique=True)
    failure_code: str | None = None
    failure_reason: str | None = None
    advice: str | None = None
    receiver_name: str | None = None
    held_reason: str | None = None
    released_by: str | None = None
    released_at: datetime | None = _moment(null=True)
    not_before: datetime | None = _moment(null=True)
    created_at: datetime = _moment()
    completed_at: datetime | None = _moment(null=True)
    completed_day: int | None = None


class RevenueDay(SQLModel, table=True):
    """What the disbursements that were completed on an East African day add up to, kept by triggers (`totals.py`)."""

    __tablename__ = "revenue_day"
    day: int | None = Field(default=None, primary_key=True)
    disbursements: int
    payments: int
    collected_cents: int = _cents()
    fee_cents: int = _cents()
    amount_cents: int = _cents()
    charge_cents: int = _cents()
    charges_not_told: int


class Payment(SQLModel, table=True):
    """Rent asked of a tenant for a property; the owner's paybill is copied when it is asked."""

    __table_args__ = (
        CheckConstraint("amount_cents > 0 AND fee_cents >= 0 AND share_cents >= 0", name="payment_amounts"),
        CheckConstraint("amount_cents = fee_cents + share_cents", name="payment_division"),
        CheckConstraint("fee_cents % 100 = 0", name="payment_fee"),
        CheckConstraint("method <> 'mpesa' OR amount_cents % 100 = 0", name="payment_whole_shillings"),
        CheckConstraint("status IN ('pending','success','failed','reversed')", name="payment_status"),
        CheckConstraint("disbursement_id IS NULL OR status IN ('success','reversed')", name="payment_disbursed"),
        CheckConstraint("method = 'mpesa' OR receipt IS NULL", name="payment_receipt"),
        Index("ix_payment_owner", "owner_id", "id"),
        Index("ix_payment_property", "property_id", "id"),
        Index("ix_payment_phone", "phone", "id"),
        _partial_index(
            "ix_payment_pending",
            "id",
            where="status = 'pending'",
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    owner_id: int = _key("owner.id", index=False)
    property_id: int = _key("property.id", index=False)
    tenant_id: int | None = _key("tenant.id", null=True)
    phone: str | None = None
    method: str = "mpesa"
    amount_cents: int = _cents()
    fee_cents: int = _cents()
    share_cents: int = _cents()
    status: str
    receipt: str | None = Field(default=None, unique=True)
    failure_code: str | None = None
    failure_reason: str | None = None
    owner_paybill: str
    owner_account_number: str
    disbursement_id: int | None = _key("disbursement.id", null=True)
    note: str | None = None
    created_at: datetime = _moment()
    paid_at: datetime | None = _moment(null=True)


class Attempt(SQLModel, table=True):
    """One request to M-Pesa to move money, in either direction."""

    __table_args__ = (
        CheckConstraint("state IN ('sending','waiting','unclear','moved','not_moved')", name="attempt_state"),
        CheckConstraint(
            "(direction = 'collection' AND payment_id IS NOT NULL AND disbursement_id IS NULL)"
            " OR (direction = 'payout' AND payment_id IS NULL AND disbursement_id IS NOT NULL)",
            name="attempt_direction",
        ),
        CheckConstraint("amount_cents >= 100 AND amount_cents % 100 = 0", name="attempt_amount"),
        CheckConstraint("receipt IS NULL OR state = 'moved'", name="attempt_receipt"),
        # One live attempt per payment and direction: the guard against paying twice.
        _partial_index(
            "one_live_collection",
            "payment_id",
            unique=True,
            where="state <> 'not_moved'",
        ),
        _partial_index(
            "one_live_payout",
            "disbursement_id",
            unique=True,
            where="state <> 'not_moved'",
        ),
        _partial_index(
            "ix_attempt_payout_began",
            "created_at",
            "amount_cents",
            where="direction = 'payout' AND state <> 'not_moved'",
        ),
        _partial_index(
            "ix_attempt_payout_not_moved",
            "created_at",
            where="direction = 'payout' AND state = 'not_moved'",
        ),
        Index("one_number_collection", "payment_id", "number", unique=True),
        Index("one_number_payout", "disbursement_id", "number", unique=True),
        _partial_index(
            "ix_attempt_open",
            "next_check_at",
            "id",
            where="state IN ('sending','waiting','unclear')",
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    direction: str
    payment_id: int | None = _key("payment.id", null=True, index=False)
    disbursement_id: int | None = _key("disbursement.id", null=True, index=False)
    number: int
    state: str
    token_sha256: str = Field(unique=True)
    amount_cents: int = _cents()
    checkout_request_id: str | None = Field(default=None, unique=True)
    merchant_request_id: str | None = None
    conversation_id: str | None = Field(default=None, unique=True)
    originator_conversation_id: str | None = Field(default=None, unique=True)
    receipt: str | None = Field(default=None, unique=True)
    code: str | None = None
    reason: str | None = None
    learned_by: str | None = None
    confirmed_at: datetime | None = _moment(null=True)
    created_at: datetime = _moment()
    changed_at: datetime = _moment()
    next_check_at: datetime | None = _moment(null=True)
    checks: int = 0
    not_found_count: int = 0
    not_found_at: datetime | None = _moment(null=True)


class Enquiry(SQLModel, table=True):
    """A question to M-Pesa whose answer comes by callback: a balance, or the status of a payout."""

    __table_args__ = (CheckConstraint("kind IN ('balance','status')", name="enquiry_kind"),)
    id: int | None = Field(default=None, primary_key=True)
    kind: str
    attempt_id: int | None = _key("attempt.id", null=True)
    token_sha256: str = Field(unique=True)
    state: str = "asked"
    conversation_id: str | None = None
    outcome: str | None = None
    asked_at: datetime = _moment()
    answered_at: datetime | None = _moment(null=True)


class PayoutStop(SQLModel, table=True):
    """While one is in force no payout leaves: none at all, or none to its owner if it names one."""

    __tablename__ = "payout_stop"
    __table_args__ = (
        CheckConstraint("(in_force IS NULL) = (lifted_at IS NOT NULL)", name="payout_stop_lifted"),
        CheckConstraint("in_force = 1", name="payout_stop_one"),
        CheckConstraint(
            "kind IN ('restore','credential','receiver','person','rate','clock','statement')", name="payout_stop_kind"
        ),
        _partial_index(
            "one_stop_of_all",
            "kind",
            unique=True,
            where="owner_id IS NULL AND in_force = 1",
        ),
        Index("one_stop_of_an_owner", "owner_id", "kind", "in_force", unique=True),
    )
    id: int | None = Field(default=None, primary_key=True)
    in_force: int | None = 1
    owner_id: int | None = _key("owner.id", null=True, index=False)
    kind: str
    reason: str
    stopped_by: str
    stopped_at: datetime = _moment()
    lifted_by: str | None = None
    lifted_at: datetime | None = _moment(null=True)


class BalanceReading(SQLModel, table=True):
    """What M-Pesa said an account of the paybill held at a moment."""

    __tablename__ = "balance_reading"
    id: int | None = Field(default=None, primary_key=True)
    account: str
    current_cents: int = _cents()
    available_cents: int = _cents()
    source: str
    read_at: datetime = _moment(index=True)


class InboxItem(SQLModel, table=True):
    """A callback as it came; its body never changes.

    One whose address carries no token of ours has the SHA-256 of its body in `stranger_sha256`: the same again only
    raises `copies`, and all such bodies together have a budget.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        CheckConstraint("state IN ('new','read','held','dismissed')", name="inbox_state"),
        CheckConstraint("copies >= 1", name="inbox_copies"),
        Index("one_stranger", "stranger_sha256", "path", unique=True),
        _partial_index(
            "ix_inbox_stranger",
            "body_bytes",
            where="stranger_sha256 IS NOT NULL",
        ),
        _partial_index("ix_inbox_new", "id", where="state = 'new'"),
        _partial_index(
            "ix_inbox_held",
            "id",
            where="state = 'held'",
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    path: str
    token_sha256: str | None = None
    source_ip: str | None = None
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    body_bytes: int
    stranger_sha256: str | None = None
    copies: int = 1
    received_at: datetime = _moment()
    last_copy_at: datetime | None = _moment(null=True)
    state: str = "new"
    outcome: str | None = None
    payment_id: int | None = _key("payment.id", null=True)
    read_at: datetime | None = _moment(null=True)


class Finding(SQLModel, table=True):
    """Something that does not fit and that a person must look at."""

    __table_args__ = (
        _partial_index(
            "ix_finding_open",
            "id",
            where="closed_at IS NULL",
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    kind: str
    payment_id: int | None = _key("payment.id", null=True)
    attempt_id: int | None = _key("attempt.id", null=True)
    text: str
    found_at: datetime = _moment()
    closed_at: datetime | None = _moment(null=True)


class JournalEntry(SQLModel, table=True):
    """What changed, why, and who did it; written in the transaction that changed it.

    `hash` covers the entry and the hash of the one before, so that nothing in between can be changed or taken out.
    """

    __tablename__ = "journal"
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = _moment(index=True)
    actor: str
    event: str
    payment_id: int | None = _key("payment.id", null=True)
    attempt_id: int | None = _key("attempt.id", null=True)
    detail: str
    hash: str = ""


class Notice(SQLModel, table=True):
    """News for an owner or the operator: the outbox from which it is told, once."""

    __table_args__ = (
        CheckConstraint("audience IN ('owner by e-mail','owner by SMS','operator')", name="notice_audience"),
        CheckConstraint("state IN ('new','sending','sent','failed','unknown')", name="notice_state"),
        Index("one_notice", "kind", "subject", "audience", unique=True),
        _partial_index(
            "ix_notice_open",
            "audience",
            "next_try_at",
            where="state IN ('new','sending')",
        ),
        _partial_index(
            "ix_notice_failed",
            "changed_at",
            where="state IN ('failed','unknown')",
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    kind: str
    subject: int
    audience: str
    words: str | None = None
    state: str
    tries: int = 0
    problem: str | None = None
    created_at: datetime = _moment()
    next_try_at: datetime = _moment()
    changed_at: datetime | None = _moment(null=True)


class Access(SQLModel, table=True):
    """Somebody who may use rentpay with a token; the token itself is not kept, only its scrypt hash."""

    __table_args__ = (
        CheckConstraint("role IN ('admin','owner','tenant')", name="access_role"),
        CheckConstraint(
            "(role = 'owner') = (owner_id IS NOT NULL) AND (role = 'tenant') = (tenant_id IS NOT NULL)",
            name="access_of",
        ),
        CheckConstraint("(revoked_by IS NULL) = (revoked_at IS NULL)", name="access_revoked"),
        _partial_index(
            "one_access",
            "name",
            unique=True,
            where="revoked_at IS NULL",
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    name: str
    role: str
    owner_id: int | None = _key("owner.id", null=True, index=False)
    tenant_id: int | None = _key("tenant.id", null=True, index=False)
    salt: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    token_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_by: str
    created_at: datetime = _moment()
    revoked_by: str | None = None
    revoked_at: datetime | None = _moment(null=True)
