"""`rentpay backup` and `restore`: a copy of the database while it is in use, and the way back to one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rentpay_cli.cli import documents, progress, show
from rentpay_cli.cli.common import confirm, runtime, say_environment

if TYPE_CHECKING:
    from rentpay_cli.store.backup import Contents

PATIENCE_SECONDS = 1.0


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes.")],
) -> None:
    """The copy is one file that its owner alone can read. An existing file is replaced only after asking, or with
    --yes.

    Examples:
    rentpay backup rentpay-2026-11-23.db
    rentpay backup /mnt/backup/rentpay.db --yes --json
    """
    from rentpay_cli.flows.backup import back_up, check_target, period

    with runtime() as rt:
        check_target(rt, file)
        exists = file.exists()
        if exists:
            confirm(f"{file} exists. Replace it?")
        with _progress() as on_progress:
            made = back_up(rt, file, overwrite=exists, on_progress=on_progress)
    if show.wants_json():
        show.document(
            message="Backup made",
            file=str(made.path),
            sizeBytes=made.size_bytes,
            payments=made.payment_count,
            upTo=documents.moment(made.newest_at),
        )
        return
    show.block(
        f"Backup made: {made.path}",
        [
            ("Size", f"{made.size_bytes:,} bytes"),
            ("Payments", f"{made.payment_count:,}"),
            ("Up to", period(made.newest_at)),
        ],
    )
    show.next_step(f"Keep it on another machine. The way back: rentpay restore {file}")


def _progress() -> AbstractContextManager[Callable[[int, int], None]]:
    """A bar that comes once the copy has taken a second."""
    return progress.bar("Copying", "Checking", PATIENCE_SECONDS)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A copy that `rentpay backup` has made.")],
) -> None:
    """Stop `rentpay serve-callbacks` before. What was paid out since the copy was made is not in it and could be sent
    twice; therefore payouts are stopped until you have compared it with the paybill's statement.

    Examples:
    rentpay restore rentpay-2026-11-23.db
    rentpay restore rentpay-2026-11-23.db --yes --json
    """
    from rentpay_cli.flows import backup as flow
    from rentpay_cli.store import schema

    def agree(found: Contents) -> None:
        confirm(
            f"{file} goes back to {flow.period(found.newest_at)} (payments in it: {found.payment_count:,}). "
            "Everything later is left out. Restore it?"
        )

    with runtime() as rt:
        say_environment(rt)
        done = flow.restore(rt, file, agree)
    is_older = done.revision != schema.CURRENT
    if show.wants_json():
        show.document(
            message="Restored",
            database=str(done.path),
            kept=str(done.kept) if done.kept else None,
            schema=schema.CURRENT,
            schemaBefore=done.revision,
            payments=done.payment_count,
            backTo=documents.moment(done.newest_at),
            payoutsStopped=flow.STOP_REASON,
        )
        return
    show.block(
        f"Restored: {done.path}",
        [
            ("Goes back to", flow.period(done.newest_at)),
            ("Payments", f"{done.payment_count:,}"),
            ("The old one", str(done.kept) if done.kept else "there was none"),
            *([("Schema", f"brought from {done.revision} to {schema.CURRENT}")] if is_older else []),
            ("Payouts", "stopped, because later payouts are not in it"),
        ],
    )
    show.next_step("Compare it with the paybill's statement and rule on what differs; then: rentpay payouts resume")
