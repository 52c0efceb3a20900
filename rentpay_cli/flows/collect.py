"""Ask a tenant for rent by STK Push, or book rent that moved outside M-Pesa."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlmodel import Session

from rentpay_cli.config import COLLECT
from rentpay_cli.core.attempt import State
from rentpay_cli.core.collect import (
    MAX_PUSH_CENTS,
    OUTSIDE_MPESA,
    Method,
    ReceivedBy,
    StillOpen,
    TooSoon,
    WayIn,
    may_push,
)
from rentpay_cli.core.evidence import Acknowledged, Refused, Source
from rentpay_cli.core.fee import divide
from rentpay_cli.core.money import show_kes
from rentpay_cli.core.payout import PaymentStatus
from rentpay_cli.core.phone import mask_phone, parse_phone
from rentpay_cli.errors import RuleRefused, WrongUse
from rentpay_cli.flows.learn import learn
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, journal, payments, register
from rentpay_cli.store.engine import lock_while_deciding
from rentpay_cli.store.rows import number_of
from rentpay_cli.store.tables import Payment, Property, Tenant
from rentpay_cli.store.write import money_in, payables


@dataclass(frozen=True, slots=True)
class Asked:
    """A tenant was asked; whether the tenant pays is not known yet."""

    payment_id: int
    checkout_request_id: str | None
    merchant_request_id: str | None
    amount_cents: int
    phone: str
    property_name: str


@dataclass(frozen=True, slots=True)
class NotAsked:
    """M-Pesa refused the request, or could not be reached: no prompt appears."""

    payment_id: int
    phone: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class PerhapsAsked:
    """No usable answer came: the tenant may see the prompt."""

    payment_id: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """A payment that moved outside M-Pesa was booked."""

    payment_id: int
    amount_cents: int
    fee_cents: int
    property_name: str


def initiate(
    rt: Runtime,
    *,
    property_reference: str,
    phone: str | None = None,
    amount_cents: int | None = None,
    tenant_reference: str | None = None,
    force: bool = False,
) -> Asked | NotAsked | PerhapsAsked:
    """Ask a tenant for rent.

    Raises `RuleRefused` if the phone must not be prompted now, `NotFound` and `WrongUse` for what the register does not
    have or an amount that M-Pesa cannot move, and `MpesaUnreachable` before anything is written down.
    """
    rt.settings.require(COLLECT)
    with rt.database.transaction() as session:  # say what is wrong before M-Pesa is asked for a token
        place, _, number = _who_and_where(session, property_reference, phone, tenant_reference)
        _check_amount(place.rent_cents if amount_cents is None else amount_cents, Method.MPESA)
        if not force:
            _refuse_second_push(session, number, place, rt.now())
    rt.mpesa.prepare()
    token, at = rt.new_token(), rt.now()
    with rt.database.transaction() as session:  # ① the intention, before the wire
        place, tenant, number = _who_and_where(session, property_reference, phone, tenant_reference)
        lock_while_deciding(session, number)
        if not force:
            _refuse_second_push(session, number, place, at)
        payment = _new_payment(rt, session, place, tenant, amount_cents, at, method=Method.MPESA, phone=number)
        attempt_id = attempts.open_collection(
            session, number_of(payment), payment.amount_cents, token, at, rt.settings.short_code
        )
        journal.write(
            session,
            at,
            rt.actor,
            "rent asked",
            payment_id=payment.id,
            attempt_id=attempt_id,
            amount_cents=payment.amount_cents,
            fee_cents=payment.fee_cents,
            phone=mask_phone(number),
            tenant=payment.tenant_id,
            forced=force or None,
        )
    payment_id = number_of(payment)
    rt.sending(payment_id)
    reply = rt.mpesa.stk_push(  # ② the wire
        phone=number,
        amount_cents=payment.amount_cents,
        reference=f"RENT{payment_id}",
        description="Rent",
        callback_url=f"{rt.settings.callback_url}/{token}",
    )
    with rt.database.transaction() as session:  # ③ what we learned
        learn(session, attempt_id, reply, source=Source.REPLY, actor=rt.actor, at=rt.now())
    match reply:
        case Acknowledged():
            return Asked(
                payment_id,
                reply.checkout_request_id,
                reply.merchant_request_id,
                payment.amount_cents,
                number,
                place.name,
            )
        case Refused(code, text):
            return NotAsked(payment_id, number, code, text)
    return PerhapsAsked(payment_id)


def record_payment(
    rt: Runtime,
    *,
    property_reference: str,
    amount_cents: int,
    method: str,
    tenant_reference: str | None = None,
    note: str | None = None,
) -> Recorded:
    """Book rent that moved outside M-Pesa: nothing is disbursed for it."""
    if method not in OUTSIDE_MPESA:
        raise WrongUse(f"'{method}' is no method of payment here.", f"Use one of: {', '.join(OUTSIDE_MPESA)}")
    chosen = Method(method)
    at = rt.now()
    with rt.database.transaction() as session:
        place = register.find(session, Property, property_reference)
        tenant = register.find(session, Tenant, tenant_reference) if tenant_reference else None
        payment = _new_payment(rt, session, place, tenant, amount_cents, at, method=chosen, note=note)
        money = money_in.book(
            session,
            way=WayIn(chosen),
            received_by=ReceivedBy.OWNER,
            amount_cents=amount_cents,
            paid_at=at,
            at=at,
            learned_by=Source.RULING,
        )
        payments.move(session, payment, PaymentStatus.SUCCESS, money_in_id=money)
        payables.book_share(session, payment, at, by=rt.actor, is_due=False)
        journal.write(
            session,
            at,
            rt.actor,
            "payment recorded",
            payment_id=payment.id,
            method=chosen.value,
            amount_cents=amount_cents,
            fee_cents=payment.fee_cents,
            tenant=payment.tenant_id,
        )
    return Recorded(number_of(payment), payment.amount_cents, payment.fee_cents, place.name)


def _who_and_where(
    session: Session, property_reference: str, phone: str | None, tenant_reference: str | None
) -> tuple[Property, Tenant | None, str]:
    place = register.find(session, Property, property_reference)
    tenant = register.find(session, Tenant, tenant_reference) if tenant_reference else None
    if phone is None and tenant is None:
        raise WrongUse("Whom to ask is missing.", "Add --phone 0712345678, or --tenant with a registered tenant.")
    if phone is None and tenant is not None and not tenant.phone:
        raise WrongUse(f"Tenant {tenant.id} was forgotten, and has no telephone number.", "Add --phone 0712345678.")
    try:
        number = parse_phone(phone) if phone is not None else (tenant.phone if tenant else "")
    except ValueError as error:
        raise WrongUse(f"{error}.", "Check --phone.") from None
    return place, tenant or register.tenants_of(session, number, number_of(place)), number


def _refuse_second_push(session: Session, phone: str, place: Property, at: datetime) -> None:
    earlier = payments.earlier_pushes(session, phone, since=at - timedelta(minutes=2))
    match may_push(earlier, number_of(place), at):
        case TooSoon(payment_id, wait_seconds):
            raise RuleRefused(
                f"{mask_phone(phone)} was asked less than a minute ago (payment {payment_id}), and M-Pesa allows one "
                "prompt a minute.",
                f"Wait {wait_seconds} seconds, or use --force.",
                code="too_soon",
            )
        case StillOpen(payment_id, state):
            known = "M-Pesa has not said whether it was paid" if state is State.WAITING else "its outcome is not known"
            raise RuleRefused(
                f"Rent of {place.name} was already asked of {mask_phone(phone)} (payment {payment_id}), and {known}.",
                f"See: rentpay status {payment_id}. To ask all the same, use --force: the tenant could pay twice.",
                code="still_open",
            )


def _check_amount(amount: int, method: Method) -> None:
    """Raise `WrongUse` for an amount (in cents) that cannot be paid in this way."""
    if amount <= 0:
        raise WrongUse("The amount must be more than nothing.", "For example: --amount 10000")
    if method is Method.MPESA and amount % 100:
        raise WrongUse(f"M-Pesa moves whole shillings, not {show_kes(amount)}.", "Round the amount.")
    if method is Method.MPESA and amount > MAX_PUSH_CENTS:
        raise WrongUse(
            f"{show_kes(amount)} is more than M-Pesa moves in one payment ({show_kes(MAX_PUSH_CENTS)}).",
            "Ask for it in parts.",
        )


def _new_payment(
    rt: Runtime,
    session: Session,
    place: Property,
    tenant: Tenant | None,
    amount_cents: int | None,
    at: datetime,
    *,
    method: Method,
    phone: str | None = None,
    note: str | None = None,
) -> Payment:
    amount = place.rent_cents if amount_cents is None else amount_cents
    _check_amount(amount, method)
    percentage = Decimal(place.fee_percentage) if place.fee_percentage is not None else rt.settings.fee_percentage
    division = divide(amount, percentage)
    payment = Payment(
        owner_id=place.owner_id,
        property_id=number_of(place),
        tenant_id=tenant.id if tenant else None,
        phone=phone,
        method=method.value,
        amount_cents=division.amount_cents,
        fee_cents=division.fee_cents,
        share_cents=division.share_cents,
        status=PaymentStatus.PENDING.value,
        owner_paybill=place.paybill,
        owner_account_number=place.account_number,
        note=note,
        created_at=at,
    )
    payments.add(session, payment)
    return payment
