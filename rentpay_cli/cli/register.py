"""`rentpay owner`, `property`, `tenant`: each `add`, `list`, `show`, `edit`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rentpay_cli.cli import completion, documents, show
from rentpay_cli.cli.common import Command, confirm, invocation, runtime, talk

if TYPE_CHECKING:
    from rentpay_cli.flows.paybill import LookedUp, Proposal
    from rentpay_cli.runtime import Runtime

owner = typer.Typer(no_args_is_help=True)
rented_property = typer.Typer(no_args_is_help=True)
tenant = typer.Typer(no_args_is_help=True)


def _reference(offer: Callable[[str], completion.Offer]) -> Any:
    return typer.Argument(help="Its number or its name.", show_default=False, autocompletion=offer)


_Owner = Annotated[str, _reference(completion.owners)]
_Property = Annotated[str, _reference(completion.properties)]
_Tenant = Annotated[str, _reference(completion.tenants)]
_Reveal = Annotated[bool, typer.Option("--reveal", help="Show phone numbers in full.")]
_Name = Annotated[str, typer.Option(help="Its name.", show_default=False)]
_NewName = Annotated[str | None, typer.Option("--name", help="A new name.")]
_Phone = Annotated[str | None, typer.Option(help="A Kenyan mobile number, such as 0712 345 678.")]
_Email = Annotated[str | None, typer.Option(help="An e-mail address.")]
_LONG = "Allow an account number of more than 13 characters, which some banks have."
_LongAccount = Annotated[bool, typer.Option("--long-account", help=_LONG)]


@owner.command("add", cls=Command)
def add_owner(name: _Name, phone: _Phone = None, email: _Email = None) -> None:
    """Add an owner.

    Examples:
    rentpay owner add --name "Wanjiru Kamau" --phone 0712345678 --email wanjiru@example.co.ke
    """
    from rentpay_cli.flows import register as flow

    with runtime() as rt:
        _ask_about_namesakes(rt, "owner", name)
        number = flow.add_owner(rt, name=name, phone=phone, email=email)
        _show_one(rt, "owner", str(number), "Added", _NEXT_PROPERTY)


@rented_property.command("add", cls=Command)
def add_property(
    name: _Name,
    owner: Annotated[
        str, typer.Option(help="Its owner, by number or name.", show_default=False, autocompletion=completion.owners)
    ],
    paybill: Annotated[str, typer.Option(help="The owner's paybill: 5 to 7 digits.", show_default=False)],
    account: Annotated[str, typer.Option(help="The owner's account number there.", show_default=False)],
    rent: Annotated[str, typer.Option(help="The monthly rent in whole shillings.", show_default=False)],
    fee_percentage: Annotated[str | None, typer.Option(help="The fee, if it differs from the platform's.")] = None,
    long_account: _LongAccount = False,
) -> None:
    """Add a property and say where its owner's share goes.

    M-Pesa is asked what the organisation behind the paybill is called. Once you have said that the name is right, every
    payout must report it.

    Examples:
    rentpay property add --name "Sunset Apartments" --owner 1 --paybill 247247 --account PROP001 --rent 10000
    rentpay property add --name "Hill View" --owner 2 --paybill 522522 --account 1234567 --rent 25000 --fee-percentage 4
    """
    from rentpay_cli.flows import register as flow

    with runtime() as rt:
        _ask_about_namesakes(rt, "property", name)
        number = flow.add_property(
            rt,
            name=name,
            owner_reference=owner,
            paybill=paybill,
            account_number=account,
            rent=rent,
            fee_percentage=fee_percentage,
            long_account=long_account,
            is_right=lambda looked_up: _vouched(paybill, looked_up),
        )
        _show_one(rt, "property", str(number), "Added", f"rentpay initiate --property {number} --phone 0712345678")


@tenant.command("add", cls=Command)
def add_tenant(
    name: _Name,
    phone: Annotated[str, typer.Option(help="A Kenyan mobile number, such as 0712 345 678.", show_default=False)],
    property: Annotated[  # noqa: A002
        str | None, typer.Option(help="What the tenant rents, by number or name.", autocompletion=completion.properties)
    ] = None,
) -> None:
    """Add a tenant.

    Examples:
    rentpay tenant add --name "Otieno Ouma" --phone 0722000111 --property "Sunset Apartments"
    """
    from rentpay_cli.flows import register as flow

    with runtime() as rt:
        number = flow.add_tenant(rt, name=name, phone=phone, property_reference=property)
        _show_one(rt, "tenant", str(number), "Added", "rentpay initiate --property {propertyId} --tenant {id}")


@owner.command("edit", cls=Command)
def edit_owner(reference: _Owner, name: _NewName = None, phone: _Phone = None, email: _Email = None) -> None:
    """Change an owner.

    Examples:
    rentpay owner edit 1 --phone 0733000111
    """
    from rentpay_cli.flows import register as flow

    with runtime() as rt:
        _ask_about_namesakes(rt, "owner", name, reference)
        number = flow.edit_owner(rt, reference, name=name, phone=phone, email=email)
        _show_one(rt, "owner", str(number), "Changed")


@rented_property.command("edit", cls=Command)
def edit_property(
    reference: _Property,
    name: _NewName = None,
    owner: Annotated[
        str | None, typer.Option(help="A new owner, by number or name.", autocompletion=completion.owners)
    ] = None,
    paybill: Annotated[str | None, typer.Option(help="A new paybill: 5 to 7 digits.")] = None,
    account: Annotated[str | None, typer.Option(help="A new account number.")] = None,
    rent: Annotated[str | None, typer.Option(help="A new monthly rent in whole shillings.")] = None,
    fee_percentage: Annotated[str | None, typer.Option(help="A new fee, or 'default' for the platform's own.")] = None,
    long_account: _LongAccount = False,
) -> None:
    """Change a property. Rent that was already asked for keeps the paybill and the fee that it was asked with.

    A new paybill or account number is held, and the old one used, until `rentpay property confirm`.

    Examples:
    rentpay property edit "Sunset Apartments" --rent 12000
    rentpay property edit 1 --paybill 522522 --account 1234567890
    """
    from rentpay_cli.flows import register as flow

    with runtime() as rt:
        _ask_about_namesakes(rt, "property", name, reference)
        number = flow.edit_property(
            rt,
            reference,
            name=name,
            owner_reference=owner,
            paybill=paybill,
            account_number=account,
            rent=rent,
            fee_percentage=fee_percentage,
            long_account=long_account,
        )
        _show_one(rt, "property", str(number), "Changed")
        if not show.wants_json():
            _say_what_is_held(rt, str(number))


def _ask_about_namesakes(rt: Runtime, kind: str, name: str | None, but: str | None = None) -> None:
    """Ask back before two share a name: they may, but mostly it is the same one, typed again."""
    from rentpay_cli.flows import register as flow

    others = flow.namesakes(rt, kind, name, but) if name is not None else []
    if others:
        confirm(f"There is already {kind} {others[0]} with the name '{name}'. Should another one have it, too?")


def _vouched(paybill: str, looked_up: LookedUp) -> bool:
    """Whether a person says that the name is the owner's; raises `RuleRefused` if it is not."""
    words = f"M-Pesa says that paybill {paybill} belongs to {looked_up.name}."
    if looked_up.name is None:
        words = f"Whose paybill {paybill} is could not be looked up: {looked_up.why_not}"
    if not show.wants_json():
        talk(words)
    if looked_up.name is None:
        return False
    if invocation().yes or show.wants_json() or not sys.stdin.isatty():
        return invocation().yes
    confirm("Is that right?")
    return True


def _say_what_is_held(rt: Runtime, reference: str) -> None:
    from rentpay_cli.flows.look import one

    change = documents.rented_property(one(rt, "property", reference))["heldChange"]
    if change is None:
        return
    if change["organisationName"] is None:
        talk(
            f"Whose paybill {change['paybill']} is could not be looked up: M-Pesa is asked again when it is confirmed."
        )
    show.next_step(f"It is used once it is confirmed: rentpay property confirm {reference}")


@rented_property.command("confirm", cls=Command)
def confirm_property(reference: _Property) -> None:
    """Put a held change of a property's paybill or account number in force, or confirm the paybill's name.

    It shows the old and the new destination, what M-Pesa calls the organisation, and who asked for the change. Where
    there are two admins, another one must confirm it than the one who asked. Rent already asked for keeps the old one.

    Examples:
    rentpay property confirm "Sunset Apartments"
    """
    from rentpay_cli.flows import paybill as flow

    with runtime() as rt:
        proposed = flow.proposal(rt, reference)
        if not show.wants_json():
            _show_proposal(proposed)
        what = "its name" if proposed.change_id is None else "the new destination"
        confirm(f"Is {what} right: {_destination(proposed)}?")
        if proposed.by_the_same:
            confirm("You asked for this change yourself. Did you make sure of it with the owner, by a way of your own?")
        flow.confirm(rt, proposed)
        _show_one(rt, "property", str(proposed.property_id), "Confirmed")


def _destination(proposed: Proposal) -> str:
    name = proposed.new_name or "an organisation whose name is not known"
    return f"{name}, paybill {proposed.new_paybill}, account {proposed.new_account_number}"


def _show_proposal(proposed: Proposal) -> None:
    from rentpay_cli.core.clock import show_local

    old = f"{proposed.confirmed_name or 'name not confirmed'}, paybill {proposed.paybill}"
    why_no_name = f"M-Pesa could not say: {proposed.why_no_name}" if proposed.new_name is None else ""
    show.block(
        f"Property {proposed.property_id}: {proposed.property_name}",
        [
            ("Until now", f"{old}, account {proposed.account_number}"),
            ("From now on", _destination(proposed)),
            ("Its name", why_no_name),
            ("Asked by", proposed.asked_by),
            ("Asked", show_local(proposed.asked_at) if proposed.asked_at else ""),
        ],
    )


@rented_property.command("cancel-change", cls=Command)
def cancel_change(reference: _Property) -> None:
    """Drop a held change of a property's paybill or account number; the old one stays.

    Examples:
    rentpay property cancel-change "Sunset Apartments"
    """
    from rentpay_cli.flows import paybill as flow

    with runtime() as rt:
        number = flow.cancel_change(rt, reference)
        _show_one(rt, "property", str(number), "Unchanged")


@tenant.command("edit", cls=Command)
def edit_tenant(
    reference: _Tenant,
    name: _NewName = None,
    phone: _Phone = None,
    property: Annotated[  # noqa: A002
        str | None, typer.Option(help="What the tenant rents now.", autocompletion=completion.properties)
    ] = None,
) -> None:
    """Change a tenant.

    Examples:
    rentpay tenant edit 3 --phone 0110123456
    """
    from rentpay_cli.flows import register as flow

    with runtime() as rt:
        number = flow.edit_tenant(rt, reference, name=name, phone=phone, property_reference=property)
        _show_one(rt, "tenant", str(number), "Changed")


@tenant.command("forget", cls=Command)
def forget_tenant(reference: _Tenant) -> None:
    """Forget a tenant: the name, phone numbers and notes go, and the books stay.

    The payments stay in every report, without a name. It cannot be undone. The phone numbers also vanish from stored
    callbacks and from M-Pesa's checkout ids, by which these payments are then no longer found. The answer names what
    is beyond reach, such as backups that were made before.

    Examples:
    rentpay tenant forget 3
    rentpay tenant forget "Otieno Ouma" --yes --json
    """
    from rentpay_cli.flows import forget as flow

    def agree(number: int, payments: int) -> None:
        confirm(f"Forget tenant {number}? Payments of the tenant's, which stay without a name: {payments}.")

    with runtime() as rt:
        gone = flow.forget_tenant(rt, reference, agree)
    if show.wants_json():
        show.document(
            message="Tenant forgotten",
            tenantId=gone.tenant_id,
            payments=gone.payments,
            callbacks=gone.callbacks,
            notRemoved=list(flow.NOT_REMOVED),
        )
        return
    show.block(
        f"Tenant {gone.tenant_id} is forgotten",
        [("Payments kept", str(gone.payments)), ("Callbacks masked", str(gone.callbacks))],
    )
    show.line("What could not be removed:")
    for what in flow.NOT_REMOVED:
        show.line(f"  - {what}")


@owner.command("list", cls=Command)
def list_owners(reveal: _Reveal = False) -> None:
    """List the owners.

    Examples:
    rentpay owner list
    """
    _list("owner", reveal)


@rented_property.command("list", cls=Command)
def list_properties() -> None:
    """List the properties.

    Examples:
    rentpay property list --json
    """
    _list("property", False)


@tenant.command("list", cls=Command)
def list_tenants(reveal: _Reveal = False) -> None:
    """List the tenants.

    Examples:
    rentpay tenant list --reveal
    """
    _list("tenant", reveal)


@owner.command("show", cls=Command)
def show_owner(reference: _Owner, reveal: _Reveal = False) -> None:
    """Show an owner.

    Examples:
    rentpay owner show "Wanjiru Kamau" --reveal
    """
    with runtime() as rt:
        _show_one(rt, "owner", reference, reveal=reveal, next_step="rentpay history {id}")


@rented_property.command("show", cls=Command)
def show_property(reference: _Property) -> None:
    """Show a property.

    Examples:
    rentpay property show 1
    """
    with runtime() as rt:
        _show_one(rt, "property", reference)


@tenant.command("show", cls=Command)
def show_tenant(reference: _Tenant, reveal: _Reveal = False) -> None:
    """Show a tenant.

    Examples:
    rentpay tenant show 3
    """
    with runtime() as rt:
        _show_one(rt, "tenant", reference, reveal=reveal)


_NEXT_PROPERTY = "rentpay property add --name … --owner {id} --paybill … --account … --rent …"
_PLURAL = {"owner": "owners", "property": "properties", "tenant": "tenants"}


def _document(kind: str, row: dict[str, Any], reveal: bool) -> dict[str, Any]:
    if kind == "property":
        return documents.rented_property(row)
    return documents.owner(row, reveal=reveal) if kind == "owner" else documents.tenant(row, reveal=reveal)


def _list(kind: str, reveal: bool) -> None:
    from rentpay_cli.store import reads

    with runtime() as rt:
        entries = [_document(kind, row, reveal) for row in reads.register(rt.reader, kind)]
    if show.wants_json():
        show.document(**{_PLURAL[kind]: entries})
        return
    columns = {
        "owner": [("No.", "right"), ("Name", "left"), ("Phone", "whole"), ("E-mail", "left"), ("Properties", "right")],
        "property": [
            ("No.", "right"),
            ("Name", "left"),
            ("Owner", "left"),
            ("Paybill", "whole"),
            ("Account", "left"),
            ("Rent", "right"),
            ("Fee", "right"),
        ],
        "tenant": [("No.", "right"), ("Name", "left"), ("Phone", "whole"), ("Property", "left")],
    }[kind]
    show.table(
        columns,
        [_cells(kind, entry) for entry in entries],
        empty=f"No {_PLURAL[kind]} yet. Add one: rentpay {kind} add",
    )


def _cells(kind: str, entry: dict[str, Any]) -> list[str]:
    number, name = str(entry["id"]), entry["name"]
    if kind == "owner":
        return [number, name, entry["phone"] or "", entry["email"] or "", str(entry["properties"])]
    if kind == "tenant":
        return [number, name, entry["phone"], entry["propertyName"] or ""]
    return [
        number,
        name,
        entry["ownerName"],
        entry["paybill"],
        entry["accountNumber"],
        f"{entry['rent']:,}",
        _fee(entry["feePercentage"]),
    ]


def _fee(percentage: float | None) -> str:
    return "default" if percentage is None else f"{percentage:g} %"


def _show_one(rt: Any, kind: str, reference: str, verb: str = "", next_step: str = "", *, reveal: bool = False) -> None:
    from rentpay_cli.flows.look import one

    entry = _document(kind, one(rt, kind, reference), reveal)
    if show.wants_json():
        show.document(**{kind: entry})
        return
    fields = [
        (_LABELS[key], _FORMS.get(key, str)(value) if value is not None or key == "feePercentage" else "")
        for key, value in entry.items()
        if key in _LABELS
    ]
    title = f"{verb} {kind}" if verb else kind.capitalize()
    show.block(f"{title} {entry['id']}: {entry['name']}", fields)
    if next_step:
        place = str(entry.get("propertyId") or "…")
        show.next_step("Next: " + next_step.replace("{id}", str(entry["id"])).replace("{propertyId}", place))


_LABELS = {
    "phone": "Phone",
    "email": "E-mail",
    "properties": "Properties",
    "ownerName": "Owner",
    "paybill": "Paybill",
    "accountNumber": "Account",
    "paybillName": "Paybill's name",
    "heldChange": "Held change",
    "rent": "Rent",
    "feePercentage": "Fee",
    "propertyName": "Property",
}
_FORMS: dict[str, Callable[[Any], str]] = {
    "feePercentage": _fee,
    "rent": lambda shillings: f"KES {shillings:,}",
    "heldChange": lambda change: (
        f"to paybill {change['paybill']}, {change['organisationName'] or 'whose name is not known'}, "
        f"account {change['accountNumber']}; asked for by {change['askedBy']}"
    ),
}
