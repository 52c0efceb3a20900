"""Owners, properties and tenants: check what a person typed, then write it down."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sqlmodel import Session

from rentpay_cli.core.collect import MAX_PUSH_CENTS
from rentpay_cli.core.fee import parse_percentage
from rentpay_cli.core.money import is_whole_shillings, parse_cents, show_kes
from rentpay_cli.core.phone import mask_phone, parse_phone
from rentpay_cli.core.redact import printable
from rentpay_cli.errors import WrongUse
from rentpay_cli.flows.paybill import LookedUp, hold_change, look_up, refuse_second_change
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import journal, register
from rentpay_cli.store.rows import number_of
from rentpay_cli.store.tables import Owner, Property, Tenant

MAX_NAME_LENGTH = 80
DOCUMENTED_ACCOUNT_LENGTH = 13
"""The longest AccountReference that Daraja documents for B2B."""
LONGEST_ACCOUNT_LENGTH = 32
"""The longest that production projects report to have worked."""


def namesakes(rt: Runtime, kind: str, name: str, but: str | None = None) -> list[int]:
    """The numbers of other owners or properties that have this name already, but not of the one meant by `but`."""
    with rt.database.transaction() as session:
        if kind == "owner":
            return _namesakes(session, Owner, _name(name), but)
        return _namesakes(session, Property, _name(name), but)


def _namesakes(session: Session, kind: type[register.Entry], name: str, but: str | None) -> list[int]:
    itself = register.find(session, kind, but).id if but is not None else None
    return [number for number in register.namesakes(session, kind, name) if number != itself]


def add_owner(rt: Runtime, *, name: str, phone: str | None = None, email: str | None = None) -> int:
    """Add an owner; raises `WrongUse` for a bad value."""
    owner = Owner(name=_name(name), phone=_phone(phone), email=_email(email), created_at=rt.now())
    return _add(rt, owner)


def add_property(
    rt: Runtime,
    *,
    name: str,
    owner_reference: str,
    paybill: str,
    account_number: str,
    rent: str,
    fee_percentage: str | None = None,
    long_account: bool = False,
    is_right: Callable[[LookedUp], bool] | None = None,
) -> int:
    """Add a property; raises `WrongUse` for a bad value, `NotFound` for an unknown owner.

    `is_right` is shown what M-Pesa calls the paybill, if it can be asked, and says whether a person confirms the name.
    """
    entry = Property(
        name=_name(name),
        paybill=_paybill(paybill),
        account_number=_account(account_number, long_account),
        rent_cents=_rent(rent),
        fee_percentage=_fee(fee_percentage),
        created_at=rt.now(),
    )
    with rt.database.transaction() as session:
        entry.owner_id = number_of(register.find(session, Owner, owner_reference))
    if is_right is not None:
        looked_up = look_up(rt, entry.paybill)
        entry.paybill_name = looked_up.name if is_right(looked_up) else None
    return _add(rt, entry)


def add_tenant(rt: Runtime, *, name: str, phone: str, property_reference: str | None = None) -> int:
    """Add a tenant; raises `WrongUse` for a bad value, `NotFound` for an unknown property."""
    entry = Tenant(name=_name(name), phone=_mobile(phone), created_at=rt.now())
    with rt.database.transaction() as session:
        if property_reference is not None:
            entry.property_id = register.find(session, Property, property_reference).id
        return _added(rt, session, entry)


def edit_owner(
    rt: Runtime, reference: str, *, name: str | None = None, phone: str | None = None, email: str | None = None
) -> int:
    """Change an owner."""
    changes = _given(name=(name, _name), phone=(phone, _phone), email=(email, _email))
    with rt.database.transaction() as session:
        return _change(rt, session, register.find(session, Owner, reference), changes)


def edit_property(
    rt: Runtime,
    reference: str,
    *,
    name: str | None = None,
    owner_reference: str | None = None,
    paybill: str | None = None,
    account_number: str | None = None,
    rent: str | None = None,
    fee_percentage: str | None = None,
    long_account: bool = False,
) -> int:
    """Change a property; rent already asked for keeps the destination and the fee that it was asked with.

    A new paybill or account number is only held: `flows.paybill.confirm` puts it in force.
    """
    changes = _given(
        name=(name, _name),
        rent_cents=(rent, _rent),
        fee_percentage=(fee_percentage, lambda text: None if text == "default" else _fee(text)),
    )
    wanted = _given(
        paybill=(paybill, _paybill), account_number=(account_number, lambda text: _account(text, long_account))
    )
    with rt.database.transaction() as session:
        entry = register.find(session, Property, reference)
        number, destination = number_of(entry), _destination(entry, wanted)
        if owner_reference is not None:
            changes["owner_id"] = register.find(session, Owner, owner_reference).id
        if destination is None:
            return _change(rt, session, entry, changes, _destination_stays(entry) if wanted else "")
        refuse_second_change(session, entry)
    looked_up = look_up(rt, destination[0])
    with rt.database.transaction() as session:
        entry = register.find(session, Property, str(number))
        if changes:
            _change(rt, session, entry, changes)
        hold_change(rt, session, entry, *destination, looked_up)
    return number


def _destination(entry: Property, wanted: dict[str, str]) -> tuple[str, str] | None:
    """Where the rent is to go from now on, or None if it goes there already."""
    now = entry.paybill, entry.account_number
    new = wanted.get("paybill", entry.paybill), wanted.get("account_number", entry.account_number)
    return None if new == now else new


def _destination_stays(entry: Property) -> str:
    return f"The rent of {entry.name} goes to paybill {entry.paybill}, account {entry.account_number} already."


def edit_tenant(
    rt: Runtime,
    reference: str,
    *,
    name: str | None = None,
    phone: str | None = None,
    property_reference: str | None = None,
) -> int:
    """Change a tenant."""
    changes = _given(name=(name, _name), phone=(phone, _phone))
    with rt.database.transaction() as session:
        if property_reference is not None:
            changes["property_id"] = register.find(session, Property, property_reference).id
        return _change(rt, session, register.find(session, Tenant, reference), changes)


def _add(rt: Runtime, entry: Owner | Property | Tenant) -> int:
    with rt.database.transaction() as session:
        return _added(rt, session, entry)


def _added(rt: Runtime, session: Session, entry: Owner | Property | Tenant) -> int:
    register.add(session, entry)
    journal.write(session, rt.now(), rt.actor, f"{type(entry).__name__.lower()} added", **_told(entry))
    return number_of(entry)


def _change(
    rt: Runtime, session: Session, entry: Owner | Property | Tenant, changes: dict[str, Any], why_none: str = ""
) -> int:
    if not changes:
        raise WrongUse(why_none or "Nothing to change was given.", "Name what to change; --help lists the options.")
    before = _told(entry)
    register.change(session, entry, changes)
    journal.write(
        session, rt.now(), rt.actor, f"{type(entry).__name__.lower()} changed", before=before, after=_told(entry)
    )
    return number_of(entry)


def _given(**fields: tuple[str | None, Callable[[str], Any]]) -> dict[str, Any]:
    """The fields that were given, each checked by its own rule."""
    return {name: check(text) for name, (text, check) in fields.items() if text is not None}


def _told(entry: Owner | Property | Tenant) -> dict[str, Any]:
    """What the journal may keep of an entry: of a person neither name nor address, and the phone masked."""
    kept = {name: value for name, value in entry.model_dump().items() if name != "created_at"}
    if not isinstance(entry, Property):
        kept = {name: value for name, value in kept.items() if name not in ("name", "email")}
        kept["phone"] = entry.phone and mask_phone(entry.phone)
    return kept


def _name(text: str) -> str:
    name = " ".join(text.split())
    wrong = ""
    if not name:
        wrong = "The name is empty."
    elif len(name) > MAX_NAME_LENGTH:
        wrong = f"The name has {len(name)} characters, and at most {MAX_NAME_LENGTH} are possible."
    elif not name.isprintable():
        wrong = "The name has a character in it that cannot be seen, such as a control code."
    if wrong:
        raise WrongUse(wrong, "For example: --name 'Sunset Apartments'")
    if name.isdigit():
        raise WrongUse(f"'{name}' is only digits, and would be taken for a number.", "Add a word to the name.")
    return name


def _phone(text: str | None) -> str | None:
    return None if text is None else _mobile(text)


def _mobile(text: str) -> str:
    try:
        return parse_phone(text)
    except ValueError as error:
        raise WrongUse(f"{error}.", "Check --phone.") from None


def _email(text: str | None) -> str | None:
    if text is None:
        return None
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text.strip()) or len(text) > 200:
        raise WrongUse(
            f"'{printable(text, 80)}' is not an e-mail address.", "For example: --email wanjiru@example.co.ke"
        )
    return text.strip()


def _paybill(text: str) -> str:
    if not re.fullmatch(r"[0-9]{5,7}", text.strip()) or not text.isascii():
        raise WrongUse(
            f"'{printable(text, 40)}' is not a paybill: it has 5 to 7 digits.", "For example: --paybill 247247"
        )
    return text.strip()


def _account(text: str, long_account: bool) -> str:
    account = text.strip()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ./_-]*", account):
        raise WrongUse(
            f"'{printable(text, 40)}' is not an account number that M-Pesa carries safely.",
            "Use letters, digits, blanks and . / _ - only, for example: --account PROP001",
        )
    longest = LONGEST_ACCOUNT_LENGTH if long_account else DOCUMENTED_ACCOUNT_LENGTH
    if len(account) > longest:
        more = (
            "It is never cut, because a cut number pays somebody else."
            if long_account
            else f"If the owner's bank really has longer ones, add --long-account (up to {LONGEST_ACCOUNT_LENGTH})."
        )
        raise WrongUse(
            f"The account number '{account}' has {len(account)} characters; M-Pesa documents {longest}.", more
        )
    return account


def _rent(text: str) -> int:
    try:
        cents = parse_cents(text)
    except ValueError as error:
        raise WrongUse(f"{error}.", "For example: --rent 10000") from None
    if cents <= 0 or not is_whole_shillings(cents):
        raise WrongUse("The rent must be whole shillings, at least one.", "For example: --rent 10000")
    if cents > MAX_PUSH_CENTS:
        raise WrongUse(
            f"{show_kes(cents)} cannot be asked for: M-Pesa moves at most {show_kes(MAX_PUSH_CENTS)} at once.",
            "Register what is let in parts, each with its own rent, or collect it by bank: rentpay record-payment",
        )
    return cents


def _fee(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return str(parse_percentage(text))
    except ValueError as error:
        raise WrongUse(f"{error}.", "For example: --fee-percentage 4.5") from None
