"""`rentpay notify`: whether owners and the operator can be told, and what they were told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rentpay_cli.cli import completion, documents, show
from rentpay_cli.cli.common import Command, runtime, talk
from rentpay_cli.core.members import payments_in_words
from rentpay_cli.core.notices import FIELDS, TEMPLATES, NoticeKind, NoticeState
from rentpay_cli.core.redact import printable

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    pass


@app.command("test", cls=Command)
def try_out(
    owner: Annotated[
        str | None,
        typer.Option(
            metavar="O", help="Tell this owner, by name or number, instead of the operator.",
            autocompletion=completion.owners,
        ),
    ] = None,
) -> None:  # fmt: skip
    """Send a test to the operator, or to an owner, by every way that is configured.

    Examples:
    rentpay notify test
    rentpay notify test --owner "Wanjiru Kamau"
    """
    from rentpay_cli.flows.notices import send_test

    with runtime() as rt:
        ways = send_test(rt, owner)
    if show.wants_json():
        show.document(message="Test sent", ways=ways)
        return
    show.line(f"Sent to {' and '.join(ways)}. Whether it arrived, only the reader can say.")


@app.command("list", cls=Command)
def list_notices(
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help="Only these: new, sending, sent, failed or unknown.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
) -> None:
    """List what was told and what is to be told, the newest first.

    `failed` was tried five times; of `unknown`, rentpay ended while it was being sent, so that it is not sent again.

    Examples:
    rentpay notify list
    rentpay notify list --state failed --json
    """
    from rentpay_cli.errors import WrongUse
    from rentpay_cli.store import reads

    if state is not None and state not in tuple(NoticeState):
        raise WrongUse(f"'{state}' is not a state of a notice.", "Use new, sending, sent, failed or unknown.")
    with runtime() as rt:
        rows = list(reads.notices(rt.reader, NoticeState(state) if state else None, limit))
    if show.wants_json():
        show.document(notices=[_document(row) for row in rows])
        return
    show.table(
        [("No.", "right"), ("Made (EAT)", "left"), ("To", "left"), ("About", "left"), ("State", "left"), ("", "left")],
        [
            (
                str(row["id"]),
                documents.local(row["created_at"])[:17],
                row["audience"],
                _about(row),
                row["state"],
                printable(row["problem"] or ""),
            )
            for row in rows
        ],
        empty="No notice fits.",
    )


def _about(row: documents.Row) -> str:
    if row["kind"] == NoticeKind.COMPLETED:
        return f"{payments_in_words(row['payments'])} completed" if row["payments"] else "a payout completed"
    return printable(row["words"] or row["kind"])


def _document(row: documents.Row) -> documents.Row:
    return {
        "id": row["id"],
        "kind": row["kind"],
        "to": row["audience"],
        "paymentId": str(row["payments"][0]) if row["payments"] else None,
        "payments": [str(number) for number in row["payments"]],
        "text": row["words"],
        "state": row["state"],
        "tries": row["tries"],
        "problem": row["problem"],
        "createdAt": documents.moment(row["created_at"]),
        "changedAt": documents.moment(row["changed_at"]),
    }


@app.command("templates", cls=Command)
def templates(
    write: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Put them there to be changed; files that exist stay.")
    ] = None,
) -> None:
    """Show the words of the notices, or put them into a folder to be changed.

    Set RENTPAY_NOTIFY_TEMPLATES to that folder afterwards. The first line of an e-mail is its subject.

    Examples:
    rentpay notify templates
    rentpay notify templates --write /etc/rentpay/notices
    """
    written = _write(write) if write is not None else []
    if show.wants_json():
        content = [
            {"name": name, "text": text, "fields": list(FIELDS[name]), "written": name in written}
            for name, text in TEMPLATES.items()
        ]
        show.document(templates=content)
    elif write is None:
        for name, text in TEMPLATES.items():
            show.line(name, "bold")
            typer.echo(text)
            talk(f"Names that may stand in it: {', '.join('$' + field for field in FIELDS[name])}\n")
    else:
        show.line(f"Wrote {', '.join(written)} to {write}" if written else f"All of them are in {write} already.")
        show.next_step(f"Set RENTPAY_NOTIFY_TEMPLATES={write}")


def _write(folder: Path) -> list[str]:
    from rentpay_cli.errors import RuleRefused

    try:
        folder.mkdir(parents=True, exist_ok=True)
        missing = [name for name in TEMPLATES if not (folder / name).exists()]
        for name in missing:
            with (folder / name).open("x", encoding="utf-8") as file:  # which also follows no link that leads nowhere
                file.write(TEMPLATES[name])
    except OSError as error:
        raise RuleRefused(
            f"The templates cannot be written to {folder}: {error.strerror}.", "Choose a folder that you may write."
        ) from error
    return missing
