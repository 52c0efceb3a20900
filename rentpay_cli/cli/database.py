"""`rentpay database`: bring an older database up to date."""

from __future__ import annotations

import typer

from rentpay_cli.cli import show
from rentpay_cli.cli.common import Command, admit_to, invocation

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    pass


@app.command("upgrade", cls=Command)
def upgrade() -> None:
    """Bring the database to the schema that this version needs. Make a copy of it first.

    It happens in one transaction: either all of it or nothing. A database that is not there yet is made.

    Examples:
    rentpay database upgrade
    """
    from rentpay_cli.config import load_settings
    from rentpay_cli.store import readonly, schema

    settings = load_settings(invocation().env_file)
    admit_to(settings)
    schema.create_or_upgrade(settings.database_url, settings.environment)
    readonly.ensure(settings.database_url, settings.environment, lambda _: None).close()
    if show.wants_json():
        show.document(message="The database is current", schema=schema.CURRENT)
    else:
        show.line(f"The database is current (schema {schema.CURRENT}).")
