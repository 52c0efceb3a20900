"""The tables and the constraints that every database holds us to.

Money is whole cents. A moment is milliseconds since 1970 in UTC, so that both databases sort, subtract and group it
alike; `completed_day` is the East African calendar day (20261123). What the constraints cannot say (which changes of
state are allowed, that the journal only grows) is said by the triggers in `triggers.py`.
"""

from collections.abc import Sequence
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


def _quoted(words: Sequence[str]) -> list[str]:
    return [f"'{word}'" for word in words]


def _words(table: str, column: str, words: Sequence[str]) -> CheckConstraint:
    """That a column holds one of the words."""
    return CheckConstraint(f"{column} IN ({','.join(_quoted(words))})", name=f"{table}_{column}")


WAYS_IN = ("stk", "paybill", "cash", "bank", "cheque", "other")
METHODS = ("mpesa", *WAYS_IN[1:])
"""How a payment is made: `mpesa` is asked for by a prompt."""
PAYABLE_KINDS = (
    *("share", "reversal", "reallocated", "returned", "paid_in_error", "to_recover", "carried", "mpesa_charge"),
    *("fee_collected_by_owner", "deposit", "repair", "correction", "opening", "tax"),
)
REQUESTS_ABOUT = {
    "destination": "destination_change_id",
    "move": "destination_change_id",
    "ruling": "attempt_id",
    "release": "hold_id",
    "resume": "payout_stop_id",
    "access": "access_id",
    "refund": "refund_id",
    "run": "payout_run_id",
    "proof": "money_in_id",
    "statement": None,
}
"""What kinds of requests there are, and by which key each says what it is about."""
_KINDS_ABOUT = {
    column: [kind for kind, about in REQUESTS_ABOUT.items() if about == column]
    for column in dict.fromkeys(filter(None, REQUESTS_ABOUT.values()))
}


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


class DestinationChange(SQLModel, table=True):
    """Another destination, owner or fee of a property, or another destination of one payable, until it is decided.

    Only what changes is set, and what it was before stands beside it. `organisation_name` is what M-Pesa calls the new
    paybill; NULL if it could not be asked. One at a time is held of each.
    """

    __tablename__ = "destination_change"
    __table_args__ = (
        _words("destination_change", "state", ("held", "confirmed", "cancelled")),
        CheckConstraint("(property_id IS NULL) <> (payable_id IS NULL)", name="destination_change_scope"),
        CheckConstraint("(state = 'held') = (decided_at IS NULL)", name="destination_change_decided"),
        CheckConstraint("length(paybill) BETWEEN 5 AND 7", name="destination_change_paybill"),
        CheckConstraint("length(account_number) BETWEEN 1 AND 32", name="destination_change_account"),
        CheckConstraint(
            "(paybill IS NULL) = (account_number IS NULL) AND (paybill IS NULL) = (from_paybill IS NULL)"
            " AND (from_paybill IS NULL) = (from_account_number IS NULL)",
            name="destination_change_from",
        ),
        CheckConstraint(
            "paybill IS NOT NULL OR (property_id IS NOT NULL AND (owner_id IS NOT NULL OR fee_percentage IS NOT NULL))",
            name="destination_change_of_something",
        ),
        CheckConstraint("(owner_id IS NULL) = (from_owner_id IS NULL)", name="destination_change_owner"),
        _partial_index("one_held_change_of_a_property", "property_id", unique=True, where="state = 'held'"),
        _partial_index("one_held_change_of_a_payable", "payable_id", unique=True, where="state = 'held'"),
    )
    id: int | None = Field(default=None, primary_key=True)
    property_id: int | None = _key("property.id", null=True, index=False)
    payable_id: int | None = _key("payable.id", null=True, index=False)
    paybill: str | None = None
    account_number: str | None = None
    owner_id: int | None = _key("owner.id", null=True, index=False)
    fee_percentage: str | None = None
    from_paybill: str | None = None
    from_account_number: str | None = None
    from_owner_id: int | None = _key("owner.id", null=True, index=False)
    from_fee_percentage: str | None = None
    organisation_name: str | None = None
    state: str
    asked_by: str
    asked_at: datetime = _moment()
    decided_by: str | None = None
    decided_at: datetime | None = _moment(null=True)


class KnownDestination(SQLModel, table=True):
    """Where money may go: a paybill and account that a person confirmed once, with the name that M-Pesa gave it."""

    __tablename__ = "known_destination"
    __table_args__ = (
        Index("one_known_destination", "paybill", "account_number", unique=True),
        CheckConstraint("length(paybill) BETWEEN 5 AND 7", name="known_destination_paybill"),
        CheckConstraint("length(account_number) BETWEEN 1 AND 32", name="known_destination_account"),
    )
    id: int | None = Field(default=None, primary_key=True)
    paybill: str
    account_number: str
    name: str | None = None
    confirmed_by: str
    confirmed_at: datetime = _moment()


class Request(SQLModel, table=True):
    """What needs a second person: what was shown, who asked, who decided.

    Who asked and who decided are accesses; the texts beside them tell a person. Exactly one of the keys says what it is
    about; a kind whose table comes later has none yet.
    """

    __table_args__ = (
        _words("request", "kind", tuple(REQUESTS_ABOUT)),
        _words("request", "state", ("waiting", "confirmed", "rejected", "withdrawn", "lapsed")),
        CheckConstraint(
            " AND ".join(
                f"({column} IS NOT NULL) = (kind IN ({','.join(_quoted(kinds))}))"
                for column, kinds in _KINDS_ABOUT.items()
            ),
            name="request_about",
        ),
        CheckConstraint("needs_two IN (0, 1)", name="request_needs_two"),
        CheckConstraint(
            "(state = 'waiting') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)",
            name="request_decided",
        ),
        CheckConstraint(
            "needs_two = 0 OR state <> 'confirmed' OR (asked_by_id IS NOT NULL AND decided_by_id IS NOT NULL"
            " AND asked_by_id <> decided_by_id)",
            name="request_two_persons",
        ),
        _partial_index("ix_request_waiting", "id", where="state = 'waiting'"),
        Index("ix_request_payout_run", "payout_run_id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    kind: str
    destination_change_id: int | None = _key("destination_change.id", null=True, index=False)
    attempt_id: int | None = _key("attempt.id", null=True, index=False)
    hold_id: int | None = _key("hold.id", null=True, index=False)
    payout_stop_id: int | None = _key("payout_stop.id", null=True, index=False)
    access_id: int | None = _key("access.id", null=True, index=False)
    refund_id: int | None = _key("refund.id", null=True, index=False)
    payout_run_id: int | None = _key("payout_run.id", null=True, index=False)
    money_in_id: int | None = _key("money_in.id", null=True, index=False)
    shown: str
    digest: str
    needs_two: int
    asked_by_id: int | None = _key("access.id", null=True, index=False)
    asked_by: str
    asked_at: datetime = _moment()
    state: str = "waiting"
    reason: str | None = None
    decided_by_id: int | None = _key("access.id", null=True, index=False)
    decided_by: str | None = None
    decided_at: datetime | None = _moment(null=True)


class Tenant(SQLModel, table=True):
    """Who pays the rent."""

    id: int | None = Field(default=None, primary_key=True)
    name: str
    phone: str = Field(index=True)
    property_id: int | None = _key("property.id", null=True)
    created_at: datetime = _moment()


class MoneyIn(SQLModel, table=True):
    """Money that came: a fact, also where nobody knows yet what it is for.

    `receipt` is unknown at first for a prompt that only a query confirmed. `proved_at` is when something besides the
    confirmation showed it: for cash and the like that the platform received, the word of an admin. A prompt's phone
    stands on its payment. `allocated_cents` is kept by triggers: the sum of its live payments.
    """

    __tablename__ = "money_in"
    __table_args__ = (
        _words("money_in", "way", WAYS_IN),
        CheckConstraint("received_by = 'platform' OR received_by = 'owner'", name="money_in_received_by"),
        CheckConstraint("received_by = 'platform' OR way NOT IN ('stk','paybill')", name="money_in_owner"),
        CheckConstraint("amount_cents > 0", name="money_in_amount"),
        CheckConstraint("allocated_cents BETWEEN 0 AND amount_cents", name="money_in_allocated"),
        CheckConstraint("returned_at IS NULL OR allocated_cents = 0", name="money_in_returned"),
        CheckConstraint("receipt IS NULL OR way IN ('stk','paybill')", name="money_in_receipt"),
        CheckConstraint("(proved_by IS NULL) = (proved_at IS NULL)", name="money_in_proved"),
        _partial_index("ix_money_in_unallocated", "id", where="allocated_cents < amount_cents"),
    )
    id: int | None = Field(default=None, primary_key=True)
    way: str
    received_by: str = "platform"
    amount_cents: int = _cents()
    receipt: str | None = Field(default=None, unique=True)
    reference: str | None = None
    short_code: str | None = None
    phone: str | None = None
    payer_name: str | None = None
    account_text: str | None = None
    paid_at: datetime = _moment()
    booked_at: datetime = _moment()
    learned_by: str
    proved_by: str | None = None
    proved_at: datetime | None = _moment(null=True)
    allocated_cents: int = Field(sa_column=Column(BigInteger, nullable=False, server_default="0"), default=0)
    returned_at: datetime | None = _moment(null=True)


class Refund(SQLModel, table=True):
    """A tenant's money on its way back, whole: by a reversal of ours, or by hand in the portal."""

    __table_args__ = (
        _words("refund", "way", ("reversal", "portal")),
        _words("refund", "status", ("proposed", "processing", "completed", "failed", "cancelled")),
        CheckConstraint("(status = 'completed') = (completed_at IS NOT NULL)", name="refund_end"),
        CheckConstraint("receipt IS NULL OR status = 'completed'", name="refund_receipt"),
        _partial_index(
            "one_live_refund",
            "money_in_id",
            unique=True,
            where="status NOT IN ('failed','cancelled')",
        ),
        Index("ix_refund_money_in", "money_in_id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    money_in_id: int = _key("money_in.id", index=False)
    way: str
    status: str
    reason: str
    receipt: str | None = Field(default=None, unique=True)
    made_by: str
    created_at: datetime = _moment()
    completed_at: datetime | None = _moment(null=True)


class PayoutRun(SQLModel, table=True):
    """One owner's due payables at one due instant."""

    __tablename__ = "payout_run"
    __table_args__ = (
        _words("payout_run", "origin", ("calendar", "each", "person")),
        _words("payout_run", "status", ("proposed", "approved", "done", "void")),
        CheckConstraint("needs_approval IN (0, 1)", name="payout_run_needs_approval"),
        _partial_index(
            "one_calendar_run",
            "owner_id",
            "due_at",
            unique=True,
            where="origin = 'calendar' AND status <> 'void'",
        ),
        Index("ix_payout_run_owner", "owner_id", "id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    owner_id: int = _key("owner.id", index=False)
    origin: str
    due_at: datetime = _moment()
    digest: str
    needs_approval: int
    status: str
    made_by: str
    created_at: datetime = _moment()


class Disbursement(SQLModel, table=True):
    """One transfer to one destination, at most once on the wire, ever; it settles its members.

    `way` says how: by B2B, by hand in the portal, or without a transfer (none). `carried_cents` is what of its members
    it leaves to the next one: what is kept back, cents that B2B cannot carry, a debt that the shares do not cover.
    """

    __table_args__ = (
        _words("disbursement", "way", ("b2b", "portal", "none")),
        _words("disbursement", "status", ("proposed", "processing", "completed", "failed", "cancelled", "settled")),
        CheckConstraint("(run_id IS NULL) = (number IS NULL)", name="disbursement_run"),
        CheckConstraint("way = 'none' OR paybill IS NOT NULL", name="disbursement_destination"),
        CheckConstraint("(paybill IS NULL) = (account_number IS NULL)", name="disbursement_account"),
        CheckConstraint(
            "payment_count >= 0 AND collected_cents >= 0 AND fee_cents >= 0"
            " AND shares_cents >= 0 AND amount_cents >= 0",
            name="disbursement_amounts",
        ),
        CheckConstraint("amount_cents = shares_cents + entries_cents - carried_cents", name="disbursement_sum"),
        CheckConstraint(
            "way <> 'b2b' OR (amount_cents >= 100 AND amount_cents % 100 = 0)", name="disbursement_whole_shillings"
        ),
        CheckConstraint(
            "(way = 'none' AND amount_cents = 0 AND status IN ('proposed','settled','cancelled'))"
            " OR (way <> 'none' AND status <> 'settled')",
            name="disbursement_settled",
        ),
        CheckConstraint("mpesa_charge_cents >= 0", name="disbursement_charge"),
        CheckConstraint("receipt IS NULL OR status = 'completed'", name="disbursement_receipt"),
        CheckConstraint(
            "(status IN ('completed','settled')) = (completed_at IS NOT NULL)"
            " AND (completed_at IS NULL) = (completed_day IS NULL)",
            name="disbursement_end",
        ),
        Index("one_number_of_a_run", "run_id", "number", unique=True),
        _partial_index(
            "ix_disbursement_completed",
            "completed_day",
            "collected_cents",
            "fee_cents",
            "amount_cents",
            "mpesa_charge_cents",
            "payment_count",
            where="status IN ('completed','settled')",
        ),
        _partial_index(
            "ix_disbursement_open",
            "owner_id",
            "id",
            where="status IN ('proposed','processing')",
        ),
        Index("ix_disbursement_owner", "owner_id", "id"),
        Index("ix_disbursement_created", "created_at"),
    )
    id: int | None = Field(default=None, primary_key=True)
    run_id: int | None = _key("payout_run.id", null=True, index=False)
    number: int | None = None
    way: str
    owner_id: int = _key("owner.id", index=False)
    paybill: str | None = None
    account_number: str | None = None
    payment_count: int
    collected_cents: int = _cents()
    fee_cents: int = _cents()
    shares_cents: int = _cents()
    entries_cents: int = _cents()
    carried_cents: int = _cents()
    amount_cents: int = _cents()
    mpesa_charge_cents: int | None = _cents(null=True)
    status: str
    receipt: str | None = Field(default=None, unique=True)
    failure_code: str | None = None
    failure_reason: str | None = None
    advice: str | None = None
    receiver_name: str | None = None
    created_at: datetime = _moment()
    completed_at: datetime | None = _moment(null=True)
    completed_day: int | None = None


class Payable(SQLModel, table=True):
    """An amount owed to an owner, or by him where it is negative: the share of a payment, or any other entry.

    `paybill` and `account_number` are where it goes now; where a share was to go at first stands on its payment. A debt
    and an entry of the owner as a whole have no destination of their own.
    """

    __table_args__ = (
        _words("payable", "kind", PAYABLE_KINDS),
        _words("payable", "status", ("pending", "processing", "completed", "failed", "not_required")),
        CheckConstraint(
            "(kind = 'share' AND amount_cents >= 0 AND payment_id IS NOT NULL AND property_id IS NOT NULL"
            " AND paybill IS NOT NULL) OR (kind <> 'share' AND amount_cents <> 0)",
            name="payable_share",
        ),
        CheckConstraint("(paybill IS NULL) = (account_number IS NULL)", name="payable_account"),
        CheckConstraint(
            "paybill IS NULL OR (amount_cents >= 0 AND property_id IS NOT NULL)", name="payable_destination"
        ),
        CheckConstraint(
            "status <> 'not_required' OR kind IN ('share','fee_collected_by_owner')", name="payable_not_required"
        ),
        _partial_index("one_share", "payment_id", unique=True, where="kind = 'share'"),
        _partial_index(
            "one_entry_of_a_payment",
            "payment_id",
            "kind",
            unique=True,
            where="kind IN ('reversal','reallocated','fee_collected_by_owner')",
        ),
        _partial_index(
            "one_entry_of_a_disbursement",
            "disbursement_id",
            "kind",
            unique=True,
            where="kind IN ('carried','mpesa_charge')",
        ),
        _partial_index("ix_payable_owner", "owner_id", "id", where="status IN ('pending','failed','processing')"),
        _partial_index("ix_payable_open", "status", "id", where="status IN ('pending','failed','processing')"),
        _partial_index("ix_payable_share_of_nothing", "id", where="kind = 'share' AND amount_cents = 0"),
        _partial_index("ix_payable_taken_back", "id", where="kind IN ('reversal','reallocated')"),
        _partial_index("ix_payable_owner_collected", "id", where="kind = 'fee_collected_by_owner'"),
        _partial_index("ix_payable_booked", "booked_at", where="kind = 'share'"),
        Index("ix_payable_payment", "payment_id", "kind"),
        Index("ix_payable_disbursement", "disbursement_id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    owner_id: int = _key("owner.id", index=False)
    kind: str
    amount_cents: int = _cents()
    payment_id: int | None = _key("payment.id", null=True, index=False)
    disbursement_id: int | None = _key("disbursement.id", null=True, index=False)
    refund_id: int | None = _key("refund.id", null=True, index=False)
    receipt: str | None = Field(default=None, unique=True)
    property_id: int | None = _key("property.id", null=True, index=False)
    paybill: str | None = None
    account_number: str | None = None
    payable_from: datetime = _moment()
    status: str
    reason: str | None = None
    reference: str | None = None
    made_by: str
    booked_at: datetime = _moment()
    booked_day: int


class DisbursementMember(SQLModel, table=True):
    """That a disbursement settles a payable; `live` is 1 until the disbursement fails or is cancelled."""

    __tablename__ = "disbursement_member"
    __table_args__ = (
        CheckConstraint("live = 1", name="disbursement_member_live"),
        # The guard against paying twice.
        _partial_index("one_live_disbursement", "payable_id", unique=True, where="live = 1"),
        Index("one_membership", "disbursement_id", "payable_id", unique=True),
        Index("ix_disbursement_member_payable", "payable_id", "disbursement_id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    disbursement_id: int = _key("disbursement.id", index=False)
    payable_id: int = _key("payable.id", index=False)
    live: int | None = 1


class Hold(SQLModel, table=True):
    """Why something is not paid now: one payable, all of a property, or all of an owner."""

    __table_args__ = (
        _words("hold", "kind", ("limit", "repeated", "collection", "evidence", "person")),
        CheckConstraint(
            "(CASE WHEN payable_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN property_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN owner_id IS NULL THEN 0 ELSE 1 END) = 1",
            name="hold_scope",
        ),
        CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (ended_reason IS NULL)", name="hold_ended"
        ),
        _partial_index("one_hold_of_a_payable", "payable_id", "kind", unique=True, where="ended_at IS NULL"),
        _partial_index("one_hold_of_a_property", "property_id", "kind", unique=True, where="ended_at IS NULL"),
        _partial_index("one_hold_of_an_owner", "owner_id", "kind", unique=True, where="ended_at IS NULL"),
        Index("ix_hold_payable", "payable_id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    payable_id: int | None = _key("payable.id", null=True, index=False)
    property_id: int | None = _key("property.id", null=True, index=False)
    owner_id: int | None = _key("owner.id", null=True, index=False)
    kind: str
    reason: str
    placed_by: str
    placed_at: datetime = _moment()
    until: datetime | None = _moment(null=True)
    ended_by: str | None = None
    ended_at: datetime | None = _moment(null=True)
    ended_reason: str | None = None


class RevenueDay(SQLModel, table=True):
    """What was earned and paid out on an East African day, kept by triggers (`totals.py`)."""

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
    """Rent asked of a tenant for a property, or what money that came by itself is for.

    The owner's paybill is copied when it is made. Its receipt and moment are those of its money.
    """

    __table_args__ = (
        CheckConstraint(
            "amount_cents > 0 AND fee_cents >= 0 AND vat_cents >= 0 AND share_cents >= 0 AND other_cents >= 0",
            name="payment_amounts",
        ),
        CheckConstraint("amount_cents = fee_cents + vat_cents + share_cents + other_cents", name="payment_division"),
        CheckConstraint("fee_cents % 100 = 0", name="payment_fee"),
        CheckConstraint("method <> 'mpesa' OR amount_cents % 100 = 0", name="payment_whole_shillings"),
        _words("payment", "method", METHODS),
        _words("payment", "status", ("pending", "success", "failed", "reversed")),
        CheckConstraint("(money_in_id IS NOT NULL) = (status IN ('success','reversed'))", name="payment_has_money"),
        _words("payment", "reversed_because", ("refund", "reallocated", "undo")),
        CheckConstraint(
            "(status = 'reversed') = (reversed_because IS NOT NULL)"
            " AND (reversed_at IS NULL) = (reversed_because IS NULL)"
            " AND (reversed_day IS NULL) = (reversed_because IS NULL)",
            name="payment_reversed",
        ),
        Index("ix_payment_money_in", "money_in_id"),
        _partial_index("ix_payment_reversed", "id", where="status = 'reversed'"),
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
    vat_cents: int = Field(sa_column=Column(BigInteger, nullable=False, server_default="0"), default=0)
    share_cents: int = _cents()
    other_cents: int = Field(sa_column=Column(BigInteger, nullable=False, server_default="0"), default=0)
    status: str
    money_in_id: int | None = _key("money_in.id", null=True, index=False)
    failure_code: str | None = None
    failure_reason: str | None = None
    owner_paybill: str
    owner_account_number: str
    note: str | None = None
    created_at: datetime = _moment()
    reversed_because: str | None = None
    reversed_at: datetime | None = _moment(null=True)
    reversed_day: int | None = None


class Attempt(SQLModel, table=True):
    """One request to M-Pesa to move money: rent in, a transfer to an owner, or rent back to a tenant."""

    __table_args__ = (
        CheckConstraint("state IN ('sending','waiting','unclear','moved','not_moved')", name="attempt_state"),
        CheckConstraint(
            "(direction = 'collection' AND payment_id IS NOT NULL AND disbursement_id IS NULL AND refund_id IS NULL)"
            " OR (direction = 'payout' AND payment_id IS NULL AND disbursement_id IS NOT NULL AND refund_id IS NULL)"
            " OR (direction = 'refund' AND payment_id IS NULL AND disbursement_id IS NULL AND refund_id IS NOT NULL)",
            name="attempt_direction",
        ),
        CheckConstraint("amount_cents >= 100 AND amount_cents % 100 = 0", name="attempt_amount"),
        # One request per transfer, ever; a prompt that failed is followed by another payment.
        Index("one_collection", "payment_id", unique=True),
        Index("one_payout", "disbursement_id", unique=True),
        Index("one_refund", "refund_id", unique=True),
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
    refund_id: int | None = _key("refund.id", null=True, index=False)
    short_code: str | None = None
    state: str
    token_sha256: str = Field(unique=True)
    amount_cents: int = _cents()
    checkout_request_id: str | None = Field(default=None, unique=True)
    merchant_request_id: str | None = None
    conversation_id: str | None = Field(default=None, unique=True)
    originator_conversation_id: str | None = Field(default=None, unique=True)
    code: str | None = None
    reason: str | None = None
    learned_by: str | None = None
    confirmed_at: datetime | None = _moment(null=True)
    created_at: datetime = _moment()
    sent_at: datetime | None = _moment(null=True)
    known_at: datetime | None = _moment(null=True)
    changed_at: datetime = _moment()
    next_check_at: datetime | None = _moment(null=True)
    checks: int = 0
    not_found_count: int = 0
    first_not_found_at: datetime | None = _moment(null=True)
    not_found_at: datetime | None = _moment(null=True)


class Enquiry(SQLModel, table=True):
    """A question to M-Pesa whose answer comes by callback: a balance, or the status of a payout."""

    __table_args__ = (
        _words("enquiry", "kind", ("balance", "status", "control")),
        _words("enquiry", "asked_with", ("conversation", "receipt")),
    )
    id: int | None = Field(default=None, primary_key=True)
    kind: str
    attempt_id: int | None = _key("attempt.id", null=True)
    money_in_id: int | None = _key("money_in.id", null=True, index=False)
    asked_with: str | None = None
    short_code: str | None = None
    token_sha256: str = Field(unique=True)
    state: str = "asked"
    conversation_id: str | None = None
    outcome: str | None = None
    asked_at: datetime = _moment()
    mpesa_asked_at: datetime | None = _moment(null=True)
    answered_at: datetime | None = _moment(null=True)
    mpesa_answered_at: datetime | None = _moment(null=True)


class PayoutStop(SQLModel, table=True):
    """While one is in force no payout leaves: none at all, or none to its owner if it names one."""

    __tablename__ = "payout_stop"
    __table_args__ = (
        CheckConstraint(
            "(in_force IS NULL) = (lifted_at IS NOT NULL) AND (lifted_at IS NULL) = (lifted_by IS NULL)",
            name="payout_stop_lifted",
        ),
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
    lifted_reason: str | None = None


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
        _partial_index("ix_inbox_unread_or_held", "token_sha256", where="state IN ('new','held')"),
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
        CheckConstraint(
            "(closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (closed_reason IS NULL)",
            name="finding_closed",
        ),
        _partial_index("ix_finding_open", "id", where="closed_at IS NULL"),
        _partial_index("ix_finding_disbursement", "disbursement_id", where="closed_at IS NULL"),
    )
    id: int | None = Field(default=None, primary_key=True)
    kind: str
    payment_id: int | None = _key("payment.id", null=True)
    attempt_id: int | None = _key("attempt.id", null=True)
    disbursement_id: int | None = _key("disbursement.id", null=True, index=False)
    money_in_id: int | None = _key("money_in.id", null=True, index=False)
    text: str
    found_at: datetime = _moment()
    closed_by: str | None = None
    closed_at: datetime | None = _moment(null=True)
    closed_reason: str | None = None


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


AUDIENCES = (
    *("owner by e-mail", "owner by SMS", "tenant by e-mail", "tenant by SMS"),
    *("operator", "operator by e-mail", "operator by SMS"),
)


class Notice(SQLModel, table=True):
    """News for an owner or the operator: the outbox from which it is told, once."""

    __table_args__ = (
        _words("notice", "audience", AUDIENCES),
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
        _words("access", "role", ("admin", "owner", "tenant", "clerk", "accountant", "service")),
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
