"""`rentpay database`: bring an older database up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from rentpay_cli.cli import progress, show
from rentpay_cli.cli.common import Command, admit_to, invocation

if TYPE_CHECKING:
    from rentpay_cli.store import schema

app = typer.Typer(help="The database: bring an older one up to date.", no_args_is_help=True)


@app.callback()
def group() -> None:
    pass


@app.command("upgrade", cls=Command)
def upgrade() -> None:
    """Bring the database to the schema that this version needs. Make a copy of it first.

    Stop `rentpay serve-callbacks` before. It happens in one transaction, which ends only when the journal fits every
    row: either all of it or nothing. A database that is not there yet is made.

    Examples:
    rentpay database upgrade
    """
    from rentpay_cli.config import load_settings
    from rentpay_cli.flows.upgrade import bring_up_to_date
    from rentpay_cli.store.schema import CURRENT

    settings = load_settings(invocation.env_file)
    admit_to(settings)
    with progress.bar("Verifying") as on_progress:
        done = bring_up_to_date(settings.database_url, settings, on_progress)
    if show.wants_json():
        steps = [{"schema": step.revision, "change": step.words} for step in done.steps]
        show.document(message=_said(done), schema=CURRENT, schemaBefore=done.before, steps=steps)
        return
    show.line(f"{_said(done)} (schema {CURRENT}).")
    if done.before is not None:
        for step in done.steps:
            show.line(f"  {step.revision}: {step.words}")


def _said(done: schema.Upgrade) -> str:
    if done.before is None:
        return "The database was made"
    if not done.steps:
        return "The database is current"
    return f"The database was brought up to date from schema {done.before}; its journal fits every row"
