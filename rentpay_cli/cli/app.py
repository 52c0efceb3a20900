"""The root of the command line: the list of commands, and the one place that turns a failure into an exit status."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from rentpay_cli import __version__
from rentpay_cli.cli import output, show, terminal
from rentpay_cli.cli.common import Invocation, invocation, invoked
from rentpay_cli.cli.lazy import LazyGroup, Table
from rentpay_cli.errors import BadDatabase, OutcomeUnknown, RentpayError, WrongUse

COMMANDS: Table = {
    "Register": {
        "owner": ("register.owner", "Owners: whom the platform pays."),
        "property": ("register.rented_property", "Properties: what is let, and where its owner's share goes."),
        "tenant": ("register.tenant", "Tenants: who pays the rent."),
    },
    "Money in": {
        "initiate": (
            "collect.initiate",
            "Ask a tenant for rent by M-Pesa STK Push: a prompt appears on the tenant's phone.",
        ),
        "record-payment": (
            "collect.record_payment",
            "Book rent that was paid outside M-Pesa. It moves no M-Pesa money, so that nothing is disbursed for it.",
        ),
    },
    "Money out": {
        "disburse": ("disburse.disburse", "Send the owner's share of one payment by M-Pesa B2B."),
        "retry-failed": ("disburse.retry_failed", "Send every failed disbursement that may safely be sent again."),
        "balance": (
            "balance.balance",
            "Ask M-Pesa what the paybill's accounts hold; payouts are paid from the Working Account.",
        ),
    },
    "Doubt": {
        "chase": (
            "doubt.chase",
            "Ask M-Pesa about every payment and disbursement that has gone quiet. It moves no money.",
        ),
        "resolve": (
            "doubt.resolve",
            "Rule on an unclear attempt, with evidence that M-Pesa's API did not give,"
            " such as the paybill's statement.",
        ),
        "payouts": ("doubt.payouts", "Stop all payouts, and let them go on."),
        "requests": ("requests.app", "What waits for a second person: seen in one list, and decided in one way."),
    },
    "Look": {
        "status": (
            "look.status",
            "Show all about one payment: whether the tenant paid, and where the owner's share is.",
        ),
        "payments": ("look.payments", "List payments, the newest first."),
        "history": (
            "look.history",
            'Show what an owner was paid, and what is still on its way: the answer to "where is my money?".',
        ),
        "health": (
            "health.health",
            "Say what needs a person now, and which command deals with it."
            " Exit status 0 if nothing does, 6 if something does.",
        ),
        "explain": (
            "explain.explain",
            "Explain an M-Pesa code: what it means, whether money moved, and what to do.",
        ),
        "watch": (
            "watch.watch",
            "Show live what is happening, until Ctrl-C: payments, disbursements on their way, what needs a person.",
        ),
        "report": ("report.app", "Reports: what the platform earned, how payouts went, and the books."),
        "callbacks": ("callbacks.app", "Every callback as it came, and what became of it."),
        "journal": ("journal.app", "Who did what, and what changed. Alone it lists."),
        "help": (
            "help.read",
            "Show a page about rentpay as a whole, such as how to deploy it or what to do in trouble;"
            " alone it lists them.",
        ),
    },
    "Run": {
        "serve-callbacks": (
            "serve.serve_callbacks",
            "Receive M-Pesa's callbacks, and do what follows from them.",
        ),
        "backup": ("backup.backup", "Make a checked copy of the database, also while the listener writes."),
        "restore": (
            "backup.restore",
            "Go back to a copy: it is checked first, and the database of now is kept beside it under a dated name.",
        ),
    },
    "Set up and try": {
        "demo": (
            "demo.demo",
            "Show the whole journey in under a minute, offline: against the bundled simulator,"
            " in a throw-away database.",
        ),
        "init": (
            "init.init",
            "Ask for what is needed, write the settings file so that you alone can read it, and make the database.",
        ),
        "doctor": (
            "doctor.doctor",
            "Check the settings, the database, the credential, the clock, a token and the callback addresses.",
        ),
        "simulator": (
            "simulator.simulator",
            "Run a local M-Pesa that any client can talk to, with its own books and faults on demand.",
        ),
        "credential": ("credential.app", "The security credential that payouts need."),
        "database": ("database.app", "The database: bring an older one up to date."),
        "access": ("access.app", "Who may do what: each has a token, and a role."),
        "notify": (
            "notify.app",
            "Tell owners that they were paid, and the operator what needs a person, by e-mail, SMS and more.",
        ),
    },
}


class Root(LazyGroup):
    """The root, whose help shows its panels in the order of the work."""

    table = COMMANDS


app = typer.Typer(
    name="rentpay",
    cls=Root,
    help="Collect rent by M-Pesa STK Push, keep the platform's fee, and pass the rest on to owners by M-Pesa B2B.",
    epilog="New here? [bold]rentpay demo[/bold] shows the whole journey in under a minute, offline."
    " More to read, also in trouble: [bold]rentpay help[/bold].",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
    if invocation().json:
        show.document(version=__version__)
    else:
        typer.echo(f"rentpay {__version__}")
    raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", hidden=True)] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its status."""
    output.guard()
    terminal.drop_nonsense()
    typed = sys.argv[1:] if arguments is None else list(arguments)
    with invoked(_asked(typed)):
        status = _run_to_the_end(typed)
    sys.exit(status)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; every failure that an operator can meet is shown here."""
    with invoked(_asked(arguments)):
        return _run(arguments)


def _asked(arguments: Sequence[str]) -> Invocation:
    """What holds before the command line is read: a script is answered in JSON even if it cannot be."""
    return Invocation(json="--json" in arguments)


def _run_to_the_end(arguments: Sequence[str]) -> int:
    """Run one command, and write out all of its answer; also a mistake of ours is told, with its status."""
    try:
        status = _run(arguments)
    except Exception as error:
        status = _crashed(error)
    try:
        output.flush()
    except output.OutputLost as lost:
        told = _unwritten(lost)
        status = status or told
    return status


def _run(arguments: Sequence[str]) -> int:
    try:
        return _call(arguments)
    except output.OutputLost as lost:
        return _unwritten(lost)


def _call(arguments: Sequence[str]) -> int:
    try:
        _refuse_unreadable(arguments)
        result = app(arguments, standalone_mode=False, prog_name="rentpay")
    except RentpayError as error:
        return _failed(error)
    except typer.Abort:
        return _interrupted()
    except typer.TyperException as error:
        return _wrong_use(error)
    except SystemExit as ended:
        if isinstance(ended.__context__, output.OutputLost):  # of which typer makes this where the reader has gone
            raise ended.__context__ from None
        raise
    if result == _INTERRUPTED:  # Ctrl-C, of which typer makes this result without a word
        return _interrupted()
    return result if isinstance(result, int) else 0


def _refuse_unreadable(arguments: Sequence[str]) -> None:
    """Bytes that are no text in the terminal's encoding cannot be looked up, kept or shown."""
    for number, argument in enumerate(arguments, 1):
        if any("\ud800" <= sign <= "\udfff" for sign in argument):
            raise WrongUse(f"Argument {number} is not text in UTF-8.", "Type it again, or set LANG=C.UTF-8.")


_INTERRUPTED = 130


def _failed(error: RentpayError) -> int:
    """Show the failure; its exit status says what is known about the money, whether or not it can be shown."""
    if invocation().sent and isinstance(error, BadDatabase):  # what M-Pesa said could not be written down, or not read
        hint = f"Do not send again. {error.hint} Then: {_where_to_see()}"
        error = OutcomeUnknown(f"{error.message} {_sent_words()}", hint)
    try:
        show.error(error.code, error.message, error.hint, error.exit_status)
        output.flush()
    except output.OutputLost as lost:
        output.tell(lost, f"{error.message} {error.hint}")
        output.forget()
    return error.exit_status


def _crashed(error: Exception) -> int:
    """Tell of a mistake of ours in a sentence that has nothing in it which the program was working on."""
    if os.environ.get("RENTPAY_DEBUG", "") not in ("", "0"):
        from rentpay_cli.core.redact import redact

        with suppress(output.OutputLost):  # the sentence below is tried as well
            sys.stderr.write(redact("".join(traceback.format_exception(error))))
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"
    hint = (
        "To see how it came about: RENTPAY_DEBUG=1 rentpay …, which hides secrets but not everything that is private."
    )
    if invocation().sent:  # it must not end as if nothing had been sent
        message = f"rentpay made a mistake of its own ({where}). {_sent_words()}"
        return _failed(OutcomeUnknown(message, f"Do not send again. See: {_where_to_see()}. {hint}", code="internal"))
    return _failed(
        RentpayError(f"rentpay made a mistake of its own ({where}); nothing was sent.", hint, code="internal")
    )


def _interrupted() -> int:
    sent = invocation().sent
    message = f"Interrupted. {_sent_words()}" if sent else "Interrupted."
    hint = f"See what became of it: {_where_to_see()}" if sent else ""
    show.error("interrupted", message, hint, _INTERRUPTED)
    return _INTERRUPTED


def _sent_words() -> str:
    """What has left, in a sentence."""
    sent = invocation().sent
    return (
        f"The request for payment {sent[0]} has left, and goes its way."
        if len(sent) == 1
        else f"The requests for {len(sent)} payments have left, and go their way."
    )


def _where_to_see() -> str:
    return f"rentpay status {invocation().sent[0]}" if len(invocation().sent) == 1 else "rentpay payments"


def _unwritten(lost: output.OutputLost) -> int:
    """Say that the answer could not be written, and return the exit status for it: 5 if anything was sent."""
    status = 1
    if invocation().sent:
        status = 5
        output.tell(lost, f"{_sent_words()} Do not send again. See: {_where_to_see()}")
    elif lost.errno == errno.EPIPE:  # whoever read our output has gone, which is no failure
        status = 0
    else:
        output.tell(lost, "")
    output.forget()
    return status


def _wrong_use(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "rentpay"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the whole help text
        typer.echo(message, err=invocation().json)
        if invocation().json:
            show.error("wrong_use", "A command is missing.", f"See: {path} --help", 2)
        return 2 if invocation().json else 0
    show.error("wrong_use", message.strip(), f"See: {path} --help", 2)
    return 2
