"""The root of the command line: the list of commands, and the one place that turns a failure into an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from rentpay_cli import __version__
from rentpay_cli.cli import (
    backup,
    balance,
    callbacks,
    collect,
    credential,
    database,
    demo,
    disburse,
    doctor,
    doubt,
    explain,
    health,
    init,
    journal,
    look,
    notify,
    register,
    report,
    serve,
    show,
    watch,
)
from rentpay_cli.cli.common import Command, Invocation, invocation
from rentpay_cli.cli.simulator import simulator
from rentpay_cli.errors import RentpayError

_REGISTER, _MONEY_IN, _MONEY_OUT, _DOUBT, _LOOK, _RUN, _SET_UP = PANELS = (
    "Register",
    "Money in",
    "Money out",
    "Doubt",
    "Look",
    "Run",
    "Set up and try",
)


class Root(TyperGroup):
    """The root, whose help shows its panels in the order of the work."""

    def list_commands(self, ctx: Any) -> list[str]:
        panels = {name: getattr(command, "rich_help_panel", _RUN) for name, command in self.commands.items()}
        return sorted(panels, key=lambda name: PANELS.index(panels[name]))


app = typer.Typer(
    name="rentpay",
    cls=Root,
    help="Collect rent by M-Pesa STK Push, keep the platform's fee, and pass the rest on to owners by M-Pesa B2B.",
    epilog="New here? [bold]rentpay demo[/bold] shows the whole journey in under a minute, offline.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rentpay {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


for name, function, panel in (
    ("initiate", collect.initiate, _MONEY_IN),
    ("record-payment", collect.record_payment, _MONEY_IN),
    ("disburse", disburse.disburse, _MONEY_OUT),
    ("retry-failed", disburse.retry_failed, _MONEY_OUT),
    ("balance", balance.balance, _MONEY_OUT),
    ("chase", doubt.chase, _DOUBT),
    ("resolve", doubt.resolve, _DOUBT),
    ("status", look.status, _LOOK),
    ("payments", look.payments, _LOOK),
    ("history", look.history, _LOOK),
    ("health", health.health, _LOOK),
    ("explain", explain.explain, _LOOK),
    ("watch", watch.watch, _LOOK),
    ("serve-callbacks", serve.serve_callbacks, _RUN),
    ("backup", backup.backup, _RUN),
    ("restore", backup.restore, _RUN),
    ("demo", demo.demo, _SET_UP),
    ("init", init.init, _SET_UP),
    ("doctor", doctor.doctor, _SET_UP),
    ("simulator", simulator, _SET_UP),
):
    app.command(name, cls=Command, rich_help_panel=panel)(function)

for name, group, panel in (
    ("payouts", doubt.payouts, _DOUBT),
    ("report", report.app, _LOOK),
    ("callbacks", callbacks.app, _LOOK),
    ("journal", journal.app, _LOOK),
    ("owner", register.owner, _REGISTER),
    ("property", register.rented_property, _REGISTER),
    ("tenant", register.tenant, _REGISTER),
    ("credential", credential.app, _SET_UP),
    ("database", database.app, _SET_UP),
    ("notify", notify.app, _SET_UP),
):
    app.add_typer(group, name=name, rich_help_panel=panel)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its status."""
    status = 1
    try:
        status = run(sys.argv[1:] if arguments is None else list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_standard_output()
    sys.exit(status)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; every failure that an operator can meet is shown here."""
    invocation.__dict__.update(vars(Invocation(json="--json" in arguments)))
    try:
        result = app(arguments, standalone_mode=False, prog_name="rentpay")
    except RentpayError as error:
        show.error(error.code, error.message, error.hint, error.exit_status)
        return error.exit_status
    except typer.Abort:
        return _interrupted()
    except typer.TyperException as error:
        return _wrong_use(error)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # whoever read our output has gone, which is no failure
            _forget_standard_output()
            return 0
        raise
    if result == _INTERRUPTED:  # Ctrl-C, of which typer makes this result without a word
        return _interrupted()
    return result if isinstance(result, int) else 0


_INTERRUPTED = 130


def _interrupted() -> int:
    hint = "What M-Pesa has already accepted goes its way; see: rentpay payments"
    show.error("interrupted", "Interrupted.", hint, _INTERRUPTED)
    return _INTERRUPTED


def _forget_standard_output() -> None:
    """Let Python's own last flush write to nowhere instead of complaining about a closed pipe."""
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - it stays open until the process ends


def _wrong_use(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "rentpay"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the whole help text
        typer.echo(message, err=invocation.json)
        if invocation.json:
            show.error("wrong_use", "A command is missing.", f"See: {path} --help", 2)
        return 2 if invocation.json else 0
    show.error("wrong_use", message.strip(), f"See: {path} --help", 2)
    return 2
