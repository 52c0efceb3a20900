"""Where a property's rent goes: M-Pesa is asked whose paybill it is, a change is held, and a person confirms it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from rentpay_cli.core.clock import from_milliseconds
from rentpay_cli.core.paybill import ChangeState, plain_name, same_organisation
from rentpay_cli.core.requests import RequestKind, RequestState, needs_another
from rentpay_cli.daraja.incoming import Organisation
from rentpay_cli.errors import BadConfiguration, NotAllowed, RuleRefused
from rentpay_cli.flows.look import one
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import access, journal, readonly, reads, register
from rentpay_cli.store.rows import number_of
from rentpay_cli.store.tables import DestinationChange, Property, Request
from rentpay_cli.store.write import requests


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What M-Pesa calls the organisation behind a paybill, or why that is not known."""

    name: str | None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What there is to confirm of a property: a held change, or only the name of the paybill that it has."""

    property_id: int
    property_name: str
    paybill: str
    account_number: str
    confirmed_name: str | None
    new_paybill: str
    new_account_number: str
    new_name: str | None
    why_no_name: str = ""
    change_id: int | None = None
    asked_by: str = ""
    asked_at: datetime | None = None
    by_the_same: bool = False
    """Whether who asked for the change is who would confirm it."""


def look_up(rt: Runtime, paybill: str) -> LookedUp:
    """Ask M-Pesa whose paybill it is; whatever goes wrong is only a reason why the name is not known."""
    try:
        rt.settings.require(("MPESA_CONSUMER_KEY", "MPESA_CONSUMER_SECRET"))
    except BadConfiguration as error:
        return LookedUp(None, error.message)
    answer = rt.mpesa.organisation(paybill)
    if isinstance(answer, Organisation):
        return LookedUp(plain_name(answer.name, paybill) or answer.name)
    code = f" ({answer.code})" if answer.code else ""
    return LookedUp(None, f"{answer.text}{code}")


def refuse_second_change(session: Session, entry: Property) -> None:
    """Raise `RuleRefused` if a change of the property's destination is held already."""
    if register.held_change(session, number_of(entry)) is not None:
        raise RuleRefused(
            f"A change of where the rent of {entry.name} goes is held already.",
            f"Look at it and confirm it: rentpay property confirm {entry.id}. "
            f"Or drop it: rentpay property cancel-change {entry.id}",
            code="change_held",
        )


def hold_change(
    rt: Runtime, session: Session, entry: Property, paybill: str, account_number: str, looked_up: LookedUp
) -> None:
    """Write down a new destination, which is not used until it is confirmed; raises `RuleRefused` for a second one."""
    refuse_second_change(session, entry)
    change = DestinationChange(
        property_id=number_of(entry),
        paybill=paybill,
        account_number=account_number,
        from_paybill=entry.paybill,
        from_account_number=entry.account_number,
        organisation_name=looked_up.name,
        state=ChangeState.HELD.value,
        asked_by=rt.actor,
        asked_at=rt.now(),
    )
    register.hold_change(session, change)
    requests.ask(
        session,
        RequestKind.DESTINATION,
        number_of(change),
        _shown(entry, change),
        needs_two=access.admins(session) >= 2,
        by=rt.who,
        at=rt.now(),
    )
    _write_journal(rt, session, "paybill change held", entry, change)


def _shown(entry: Property, change: DestinationChange) -> str:
    """What whoever asks for a change sees of it."""
    name = change.organisation_name or "an organisation whose name is not known"
    return (
        f"from paybill {entry.paybill}, account {entry.account_number}, to {name}, paybill {change.paybill}, "
        f"account {change.account_number}"
    )


def proposal(rt: Runtime, reference: str) -> Proposal:
    """What may be confirmed of the property.

    Raises `NotFound`, `RuleRefused` if there is nothing, and `NotAllowed` if another admin must confirm it.
    """
    row = one(rt, "property", reference)
    if row["change_id"] is None:
        return _proposed_name(rt, row)
    with rt.database.transaction() as session:
        _refuse_the_same_admin(rt, session, _request(session, row["change_id"]), row["id"])
    name, why_no_name = row["change_name"], ""
    if name is None:
        looked_up = look_up(rt, row["change_paybill"])
        name, why_no_name = looked_up.name, looked_up.why_not
    return Proposal(
        property_id=row["id"],
        property_name=row["name"],
        paybill=row["paybill"],
        account_number=row["account_number"],
        confirmed_name=row["paybill_name"],
        new_paybill=row["change_paybill"],
        new_account_number=row["change_account_number"],
        new_name=name,
        why_no_name=why_no_name,
        change_id=row["change_id"],
        asked_by=row["change_asked_by"],
        asked_at=from_milliseconds(row["change_asked_at"]),
        by_the_same=row["change_asked_by_id"] == rt.access_id,
    )


def _proposed_name(rt: Runtime, row: readonly.Row) -> Proposal:
    """The name that M-Pesa gives to the paybill that the property has: in its last result, or when it is asked."""
    paybill, known = row["paybill"], row["paybill_name"]
    reported = reads.reported_name(rt.reader, row["id"], paybill)
    if known is not None and (reported is None or same_organisation(reported, known, paybill)):
        raise RuleRefused(
            f"There is nothing to confirm: the rent of {row['name']} goes to paybill {paybill}, {known}, "
            f"account {row['account_number']}.",
            f"To change that: rentpay property edit {row['id']} --paybill N --account A",
            code="nothing_held",
        )
    looked_up = look_up(rt, paybill) if reported is None else LookedUp(plain_name(reported, paybill))
    if looked_up.name is None:
        raise RuleRefused(
            f"The name of paybill {paybill} is not known, and M-Pesa could not be asked: {looked_up.why_not}",
            "No change of the destination is held. Try again later: the name is all that is missing.",
            code="name_unknown",
        )
    return Proposal(
        property_id=row["id"],
        property_name=row["name"],
        paybill=paybill,
        account_number=row["account_number"],
        confirmed_name=known,
        new_paybill=paybill,
        new_account_number=row["account_number"],
        new_name=looked_up.name,
    )


def confirm(rt: Runtime, proposed: Proposal) -> None:
    """Put in force what a person saw and confirmed.

    Raises `NotAllowed` if another admin must confirm it, and `RuleRefused` if it is no longer what was shown.
    """
    with rt.database.transaction() as session:
        entry = register.find(session, Property, str(proposed.property_id))
        change = register.held_change(session, proposed.property_id)
        now = change.id if change else None, entry.paybill, entry.account_number
        if now != (proposed.change_id, proposed.paybill, proposed.account_number):
            raise RuleRefused(
                f"What was held for {entry.name} has changed since it was shown; nothing was confirmed.",
                f"Look again: rentpay property confirm {entry.id}",
                code="change_gone",
            )
        if change is None:
            register.change(session, entry, {"paybill_name": proposed.new_name})
            journal.write(
                session,
                rt.now(),
                rt.actor,
                "paybill name confirmed",
                property=entry.id,
                paybill=entry.paybill,
                name=proposed.new_name,
                before=proposed.confirmed_name,
            )
            return
        request = _request(session, number_of(change))
        _refuse_the_same_admin(rt, session, request, proposed.property_id)
        before = {"paybill": entry.paybill, "account_number": entry.account_number, "name": entry.paybill_name}
        register.change(
            session,
            entry,
            {
                "paybill": change.paybill,
                "account_number": change.account_number,
                "paybill_name": proposed.new_name,
            },
        )
        _decide(rt, session, change, ChangeState.CONFIRMED, request, RequestState.CONFIRMED)
        _write_journal(rt, session, "paybill change confirmed", entry, change, before=before)


def cancel_change(rt: Runtime, reference: str) -> int:
    """Drop the held change of a property, whose number it returns; raises `NotFound`, `RuleRefused` if none is held."""
    with rt.database.transaction() as session:
        entry = register.find(session, Property, reference)
        change = register.held_change(session, number_of(entry))
        if change is None:
            raise RuleRefused(
                f"No change of where the rent of {entry.name} goes is held.",
                f"See: rentpay property show {entry.id}",
                code="nothing_held",
            )
        request = _request(session, number_of(change))
        is_mine = request.asked_by_id == rt.access_id
        became = RequestState.WITHDRAWN if is_mine else RequestState.REJECTED
        _decide(rt, session, change, ChangeState.CANCELLED, request, became)
        _write_journal(rt, session, "paybill change cancelled", entry, change)
        return number_of(entry)


def _request(session: Session, change_id: int) -> Request:
    """The request by which a held change is decided."""
    found = requests.waiting_about(session, RequestKind.DESTINATION, change_id)
    assert found is not None  # it was made with the change, and is decided with it
    return found


def _refuse_the_same_admin(rt: Runtime, session: Session, request: Request, property_id: int) -> None:
    needs_two = bool(request.needs_two)
    if needs_another(request.asked_by_id, rt.access_id, needs_two=needs_two, admins=access.admins(session)):
        raise NotAllowed(
            "Who asked for a change of a paybill cannot confirm it where there is a second admin.",
            f"Let another admin confirm it: rentpay property confirm {property_id}",
            code="second_admin",
        )


def _decide(
    rt: Runtime,
    session: Session,
    change: DestinationChange,
    state: ChangeState,
    request: Request,
    became: RequestState,
) -> None:
    register.decide_change(session, change, state, rt.actor, rt.now())
    requests.decide(session, request, became, rt.who, rt.now())


def _write_journal(
    rt: Runtime,
    session: Session,
    event: str,
    entry: Property,
    change: DestinationChange,
    before: dict[str, str | None] | None = None,
) -> None:
    journal.write(
        session,
        rt.now(),
        rt.actor,
        event,
        property=entry.id,
        before=before or {"paybill": entry.paybill, "account_number": entry.account_number},
        paybill=change.paybill,
        account_number=change.account_number,
        name=entry.paybill_name if change.state == ChangeState.CONFIRMED else change.organisation_name,
        asked_by=change.asked_by,
    )
