"""`rentpay doctor`: everything that can be checked, and how to mend what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rentpay_cli.cli import progress, show
from rentpay_cli.cli.common import admit, invocation

if TYPE_CHECKING:
    from rentpay_cli.flows.doctor import Check

_NEEDS_ATTENTION = 6


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Leave out what needs the network.")] = False,
) -> None:
    """It moves no money. Exit status 0 if nothing is wrong, 6 if something is; a note needs nobody now. The callback
    addresses are called as M-Pesa would call them, so that `rentpay serve-callbacks` must be running.

    Examples:
    rentpay doctor
    rentpay doctor --offline --json
    """
    checks = _checks(offline)
    wrong = [check for check in checks if check.result == "wrong"]
    if show.wants_json():
        show.document(
            healthy=not wrong,
            checks=[
                {"name": check.name, "result": check.result.value, "message": check.text, "mend": check.mend or None}
                for check in checks
            ],
        )
    else:
        _show(checks, wrong)
    if wrong:
        raise typer.Exit(_NEEDS_ATTENTION)


def _checks(offline: bool) -> list[Check]:
    from rentpay_cli.config import load_settings
    from rentpay_cli.errors import BadConfiguration
    from rentpay_cli.flows.doctor import bad_configuration, examine
    from rentpay_cli.runtime import Runtime

    named = invocation().env_file
    try:
        settings = load_settings(named)
    except BadConfiguration as error:
        return bad_configuration(error)
    files = [Path(".env"), *([Path(named)] if named else [])]
    rt = Runtime(settings)
    try:
        admit(rt)
        with progress.bar("Checking"):  # to read a database of a million payments takes seconds
            return list(examine(rt, [path for path in files if path.is_file()], offline=offline))
    finally:
        rt.close()


def _show(checks: list[Check], wrong: list[Check]) -> None:
    show.table(
        [("Check", "left"), ("Result", "status"), ("What was found", "left")],
        [(check.name, check.result.value, "\n→ ".join(filter(None, (check.text, check.mend)))) for check in checks],
        empty="",
    )
    if wrong:
        show.line(f"{len(wrong)} {'thing is' if len(wrong) == 1 else 'things are'} wrong.", "bold red")
    else:
        show.line("Nothing is wrong.")
        show.next_step("What needs a person now: rentpay health")
