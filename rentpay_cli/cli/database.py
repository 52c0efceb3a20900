"""`rentpay database`: bring an older database up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from rentpay_cli.cli import progress, show
from rentpay_cli.cli.common import Command, admit_to, invocation

if TYPE_CHECKING:
    from rentpay_cli.store import schema

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    pass


@app.command("upgrade", cls=Command)
def upgrade() -> None:
    """Bring the database to the schema that this version needs, or make it if it is not there yet.

    Stop `rentpay serve-callbacks` before. It happens in one transaction, which is kept only if the journal fits every
    row: all of it or nothing. Of a file a copy stays beside it; of a PostgreSQL database make one yourself first.

    Examples:
    rentpay database upgrade
    """
    from rentpay_cli.config import load_settings
    from rentpay_cli.flows.upgrade import upgrade as bring_up_to_date
    from rentpay_cli.store.schema import CURRENT

    settings = load_settings(invocation().env_file)
    admit_to(settings)
    with progress.bar("Verifying") as on_progress:
        told = bring_up_to_date(settings, on_progress)
    done = told.upgrade
    if show.wants_json():
        kept = str(told.kept) if told.kept else None
        steps = [{"schema": step.revision, "change": step.words} for step in done.steps]
        show.document(message=_said(done), schema=CURRENT, schemaBefore=done.before, steps=steps, kept=kept)
        return
    show.line(f"{_said(done)} (schema {CURRENT}).")
    if done.before is not None:
        for step in done.steps:
            show.line(f"  {step.revision}: {step.words}")
    if told.kept is not None:
        show.line(f"As it was before, it is kept in {told.kept}")


def _said(done: schema.Upgrade) -> str:
    if done.before is None:
        return "The database was made"
    if not done.steps:
        return "The database is current"
    return f"The database was brought up to date from schema {done.before}; its journal fits every row"
