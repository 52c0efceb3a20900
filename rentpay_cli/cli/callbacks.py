"""`rentpay callbacks`: every callback as it came."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rentpay_cli.cli import completion, documents, show
from rentpay_cli.cli.common import Command, confirm_in_production, runtime, say_environment
from rentpay_cli.core.callbacks import Address, CallbackState, EnquiryKind
from rentpay_cli.core.redact import masked, printable, without_secrets

if TYPE_CHECKING:
    from rentpay_cli.runtime import Runtime

app = typer.Typer(no_args_is_help=True)

_LARGEST = 2**31 - 1
_STATES = tuple(each.value for each in CallbackState)


@app.command("list", cls=Command)
def list_callbacks(
    state: Annotated[
        str | None, typer.Option(help="Only those that are new (not read yet), read, or held (not believed).")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=_LARGEST, help="At most so many.")] = 50,
    before: Annotated[
        int | None, typer.Option(metavar="N", max=_LARGEST, help="Only those with a smaller number: the next page.")
    ] = None,
) -> None:
    """List callbacks, the newest first. A held one is not believed: what it says has changed nothing.

    Examples:
    rentpay callbacks list
    rentpay callbacks list --state held --json
    """
    from rentpay_cli.errors import WrongUse
    from rentpay_cli.store import reads

    if state is not None and state not in _STATES:
        raise WrongUse(f"'{state}' is not a value of --state.", f"Use one of: {', '.join(_STATES)}")
    with runtime() as rt:
        found = reads.callbacks(rt.reader, state=CallbackState(state) if state else None, before_id=before, limit=limit)
        if show.wants_json():
            show.document_with_list("callbacks", map(_document, found))
            return
        lines = [_line(row) for row in found]
    show.table(
        [
            ("No.", "right"),
            ("Came (EAT)", "left"),
            ("About", "left"),
            ("From", "left"),
            ("Payment", "right"),
            ("State", "status"),
            ("What became of it", "left"),
        ],
        lines,
        empty="No callback fits.",
    )
    if len(lines) == limit:
        show.next_step(f"More: add --before {lines[-1][0]} or --limit")
    elif lines:
        show.next_step(f"See what one says: rentpay callbacks show {lines[0][0]}")


def _line(row: documents.Row) -> tuple[str, ...]:
    return (
        str(row["id"]),
        documents.listed_minute(row["received_at"]),
        _about(row),
        printable(row["source_ip"] or ""),
        documents.first_of(row["payments"]),
        row["state"],
        _outcome(row),
    )


_ABOUT = {Address.COLLECTION: "rent", Address.PAYOUT: "payout", Address.TIMEOUT: "timeout"}


def _about(row: documents.Row) -> str:
    return "balance" if row["answered"] == EnquiryKind.BALANCE else _ABOUT[row["path"]]


def _outcome(row: documents.Row) -> str:
    """What became of a callback, with the state of an attempt as people read it."""
    state, comma, rest = (row["outcome"] or "").partition(",")
    again = f" (came {row['copies']} times)" if row["copies"] > 1 else ""
    return printable(documents.STATE_WORDS.get(state, state) + comma + rest) + again


def _copies(row: documents.Row) -> str:
    return f"{row['copies'] - 1:,} times, last {documents.local(row['last_copy_at'])}" if row["copies"] > 1 else ""


@app.command("show", cls=Command)
def show_callback(
    number: Annotated[
        int,
        typer.Argument(
            metavar="N",
            min=1,
            max=_LARGEST,
            help="The callback's number.",
            autocompletion=completion.callbacks,
        ),
    ],
    reveal: Annotated[bool, typer.Option("--reveal", help="Show phone numbers in full.")] = False,
) -> None:
    """Show one callback: where it came from, what became of it, and its body, in which no secret is shown.

    Examples:
    rentpay callbacks show 12
    rentpay callbacks show 12 --reveal --json
    """
    with runtime() as rt:
        row = _find(rt, number)
    body = _text(row["body"])
    if show.wants_json():
        show.document(callback={**_document(row), "body": body if reveal else _masked(body)})
        return
    show.block(
        f"Callback {number}",
        [
            ("About", _about(row)),
            ("Came", documents.local(row["received_at"])),
            ("The same again", _copies(row)),
            ("From", printable(row["source_ip"] or "")),
            ("Address", "with a token" if row["token_sha256"] else "without a token: anybody could have sent it"),
            ("State", row["state"]),
            ("Read", documents.local(row["read_at"])),
            ("Outcome", _outcome(row)),
            ("Payments" if len(row["payments"]) > 1 else "Payment", ", ".join(map(str, row["payments"]))),
        ],
    )
    show.line("")
    for line in _laid_out(body):
        show.line(line if reveal else _masked(line))
    if row["state"] == CallbackState.HELD:
        show.next_step(f"Once its cause is mended, read it again: rentpay callbacks replay {number} --reason TEXT")


@app.command("replay", cls=Command)
def replay(
    number: Annotated[
        int,
        typer.Argument(
            metavar="N",
            min=1,
            max=_LARGEST,
            help="The callback's number.",
            autocompletion=completion.held_callbacks,
        ),
    ],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it should pass now.", show_default=False)],
) -> None:
    """Read a held callback again, by the same rules: it is believed only if it passes them now.

    It helps after RENTPAY_CALLBACK_ALLOWED_IPS or RENTPAY_TRUSTED_PROXIES was mended. Nothing makes a callback believed
    that carries no token of ours; look its payment up with `rentpay chase` instead. Who did it is kept in the journal.

    Examples:
    rentpay callbacks replay 12 --reason "the list of allowed addresses was too short"
    """
    from rentpay_cli.errors import RuleRefused
    from rentpay_cli.flows.read_inbox import read_again

    with runtime() as rt:
        say_environment(rt)
        confirm_in_production(rt, f"Read callback {number} again, and believe it if it passes?")
        reading = read_again(rt, number, reason)
    if reading.state is CallbackState.HELD:
        raise RuleRefused(
            f"Callback {number} is still held: {printable(reading.outcome)}.",
            f"See: rentpay callbacks show {number}",
            code="still_held",
        )
    if show.wants_json():
        payment_id = None if reading.payment_id is None else str(reading.payment_id)
        show.document(message="Callback read", state=reading.state, outcome=reading.outcome, paymentId=payment_id)
        return
    show.line(f"Callback {number} was read: {printable(reading.outcome)}.")
    if reading.payment_id is not None:
        show.next_step(f"See: rentpay status {reading.payment_id}")


def _find(rt: Runtime, number: int) -> documents.Row:
    from rentpay_cli.errors import NotFound
    from rentpay_cli.store import reads

    row = reads.callback(rt.reader, number)
    if row is None:
        raise NotFound(f"There is no callback {number}.", "See: rentpay callbacks list")
    return row


def _document(row: documents.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "address": row["path"],
        "sourceIp": row["source_ip"],
        "state": row["state"],
        "outcome": row["outcome"],
        "paymentId": None if row["payment_id"] is None else str(row["payment_id"]),
        "payments": [str(number) for number in row["payments"]],
        "receivedAt": documents.moment(row["received_at"]),
        "readAt": documents.moment(row["read_at"]),
        "copies": row["copies"],
        "lastCopyAt": documents.moment(row["last_copy_at"]),
    }


_LOCAL_PHONE = re.compile(r"(?<![0-9])(0[17][0-9]{2})[0-9]{3}([0-9]{3})(?![0-9])")


def _text(body: bytes) -> str:
    """The body as text without secrets, and without control characters, of which a terminal could make something."""
    lines = bytes(body).decode("utf-8", "replace").splitlines()
    return without_secrets("\n".join(printable(line, len(line)) for line in lines))


def _masked(text: str) -> str:
    return _LOCAL_PHONE.sub(r"\1***\2", masked(text))


_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[][{},:]|[^][{},:"\s]+')


def _laid_out(text: str) -> Iterator[str]:
    """JSON line by line and indented, with every value written as it came; anything else as it is."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        yield from text.splitlines() or ["(no body)"]
        return
    depth, line = 0, ""
    for part in _PART.findall(text):
        if part in "}]":
            yield from [line] if line.strip() else []
            depth, line = depth - 1, ""
        line = (line or "  " * depth) + part + (" " if part == ":" else "")
        if part in "{[,":
            yield line
            depth, line = depth + (part != ","), ""
    yield line
