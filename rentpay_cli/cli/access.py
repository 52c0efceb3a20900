"""`rentpay access`: who may do what, each by a token of their own."""

from __future__ import annotations

from typing import Annotated

import typer

from rentpay_cli.cli import completion, documents, show
from rentpay_cli.cli.common import Command, runtime

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    pass


@app.command("add", cls=Command)
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who it is for; the journal names it.")],
    role: Annotated[str, typer.Option(metavar="ROLE", help="admin, owner or tenant.", show_default=False)],
    owner: Annotated[
        str | None,
        typer.Option(metavar="O", help="Which owner it is, by number or name.", autocompletion=completion.owners),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(metavar="T", help="Which tenant it is, by number or name.", autocompletion=completion.tenants),
    ] = None,
) -> None:
    """Give somebody access, and print the token: once, because only its hash is kept.

    An admin may do everything. An owner sees only what is the owner's, and may disburse it. A tenant sees only the
    tenant's own payments. The first must be an admin; from then on every command that opens the database needs a token.

    Examples:
    rentpay access add asha --role admin
    rentpay access add "Wanjiru Kamau" --role owner --owner 1
    rentpay access add otieno --role tenant --tenant "Otieno Ouma" --json
    """
    from rentpay_cli.flows import access as flow

    with runtime() as rt:
        given = flow.give(rt, name=name, role=role, owner=owner, tenant=tenant)
    if show.wants_json():
        show.document(
            message="Access given",
            access={
                "id": given.number,
                "name": given.name,
                "role": given.role.value,
                "ownerId": given.owner_id,
                "tenantId": given.tenant_id,
            },
            token=given.token,
        )
        return
    typer.echo(given.token)  # what `show` prints has no secret in it
    show.next_step(f"The token of {given.name}, {given.role.value}. It is not shown again: only its hash is kept.")
    show.next_step("Use it as RENTPAY_TOKEN, or put it into a file that you alone can read: RENTPAY_TOKEN_FILE")


@app.command("list", cls=Command)
def list_access() -> None:
    """List everybody who has or had access.

    Examples:
    rentpay access list
    rentpay access list --json
    """
    from rentpay_cli.store import access_reads

    with runtime() as rt:
        rows = access_reads.everybody(rt.reader)
    if show.wants_json():
        show.document(access=[_document(row) for row in rows])
        return
    show.table(
        [
            ("No.", "right"),
            ("Name", "left"),
            ("Role", "left"),
            ("Whose", "left"),
            ("Given (EAT)", "whole"),
            ("Revoked (EAT)", "whole"),
        ],
        [
            (
                str(row["id"]),
                row["name"],
                row["role"],
                row["owner_name"] or row["tenant_name"] or "",
                documents.listed_minute(row["created_at"]),
                documents.listed_minute(row["revoked_at"]),
            )
            for row in rows
        ],
        empty="Nobody has been given access: whoever can open the database is admin.",
    )
    if not rows:
        show.next_step("Begin with yourself: rentpay access add NAME --role admin")


def _document(row: documents.Row) -> documents.Row:
    return {
        "id": row["id"],
        "name": row["name"],
        "role": row["role"],
        "ownerId": row["owner_id"],
        "ownerName": row["owner_name"],
        "tenantId": row["tenant_id"],
        "tenantName": row["tenant_name"],
        "givenBy": row["created_by"],
        "givenAt": documents.moment(row["created_at"]),
        "revokedBy": row["revoked_by"],
        "revokedAt": documents.moment(row["revoked_at"]),
    }


@app.command("revoke", cls=Command)
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose access ends.")],
) -> None:
    """Take somebody's access away, at once. What it did stays in the journal. The last admin's cannot be taken.

    A listener that is running was let in at its start, and goes on.

    Examples:
    rentpay access revoke asha
    """
    from rentpay_cli.flows import access as flow

    with runtime() as rt:
        flow.revoke(rt, name)
    if show.wants_json():
        show.document(message="Access revoked", name=name)
        return
    show.line(f"{name} has no access any more.")
