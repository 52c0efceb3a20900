"""What every command has: `--json`, `--yes`, `--env-file`, examples in its help, and a runtime."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperOption

from rentpay_cli.cli import terminal
from rentpay_cli.core.redact import harmless

if TYPE_CHECKING:
    from rentpay_cli.config import Settings
    from rentpay_cli.runtime import Runtime


@dataclass
class Invocation:
    """What was asked of one run beyond the command itself, and what its end must tell."""

    json: bool = False
    yes: bool = False
    env_file: str | None = None
    is_listing: bool = False
    """A JSON document has begun with a list that has no end yet."""
    command: str = ""
    """Its words after `rentpay`, by which it is looked up who may use it."""
    sent: list[int] = field(default_factory=list)
    """Numbers of the payments about which a request that may move money has left."""


_of_this_run: ContextVar[Invocation] = ContextVar("invocation")


def invocation() -> Invocation:
    """What was asked of the run that asks; raises `LookupError` where none is, as in a thread that a run has begun."""
    return _of_this_run.get()


@contextmanager
def invoked(run: Invocation) -> Iterator[None]:
    """Let what runs inside, in this thread alone, be what was asked for so."""
    before = _of_this_run.set(run)
    try:
        yield
    finally:
        _of_this_run.reset(before)


def _common_option(name: str, declarations: list[str], text: str, **rest: Any) -> TyperOption:
    def remember(_context: Any, _parameter: Any, value: Any) -> Any:
        if value:
            setattr(invocation(), name, value)
        return value

    return TyperOption(
        param_decls=declarations,
        expose_value=False,
        callback=remember,
        help=text,
        rich_help_panel="Everywhere",
        **rest,
    )


def _common_options() -> list[TyperOption]:
    return [
        _common_option(
            "json", ["--json"], "Print one JSON document on standard output, also on failure.", is_flag=True
        ),
        _common_option("yes", ["--yes", "-y"], "Do not ask back.", is_flag=True),
        _common_option(
            "env_file",
            ["--env-file"],
            "Read settings from this file; the environment goes before it.",
            metavar="FILE",
        ),
    ]


class Command(TyperCommand):
    """A command with the options that all have, and the examples of its docstring below the options."""

    def __init__(self, name: str | None, *, params: Any = None, help: str | None = None, **rest: Any) -> None:  # noqa: A002
        text, _, examples = (help or "").partition("Examples:")
        self._examples = [line.strip() for line in examples.splitlines() if line.strip()]
        super().__init__(name, params=[*(params or []), *_common_options()], help=_unwrapped(text), **rest)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line; what is wrong with a number is said in plain words."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = _in_plain_words(error.message)
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run the command, and remember which it is."""
        invocation().command = ctx.command_path.partition(" ")[2]
        return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The help, and the examples line by line, which help texts would run together."""
        super().format_help(ctx, formatter)
        if self._examples:
            typer.echo("\n".join([" Examples:", *map(_example, self._examples), ""]))


def _in_plain_words(message: str) -> str:
    if found := re.fullmatch(r"(.+) is not a valid (int|float)( range)?\.", message):
        return f"{found[1]} is not a {'whole number' if found[2] == 'int' else 'number'}."
    if found := re.fullmatch(r"(.+) is not in the range (?:x>=(.+)|(.+)<=x<=(.+))\.", message):
        value, alone, least, most = found.groups()
        bounds = f"at least {alone}" if alone else f"from {least} to {most}"
        return f"{value} is not possible: it must be {bounds}."
    return message


def _unwrapped(text: str) -> str:
    """The paragraphs without the line ends of the source, so that they fill the terminal."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))


def _example(line: str) -> str:
    """An example that still works when it is copied from a narrow terminal."""
    return typed(line, "   ", max(40, shutil.get_terminal_size().columns))


def typed(command: str, indent: str, columns: int) -> str:
    """A command after its prompt, in lines that can be copied together and typed again."""
    whole = re.sub(r'"[^"]*"', lambda quoted: quoted[0].replace(" ", "\0"), command)
    room = max(terminal.NARROWEST_COLUMNS, columns - len(indent) - len("     \\"))
    parts = textwrap.wrap(whole, room, break_long_words=False, break_on_hyphens=False)
    return f"{indent}$ " + f" \\\n{indent}    ".join(parts).replace("\0", " ")


@contextmanager
def runtime(*, is_lasting: bool = False) -> Iterator[Runtime]:
    """The live objects of this run, closed at its end, for somebody who may use this command.

    What there is to say about who may is said once the command has done its work, or at once if that lasts. Raises
    `BadConfiguration` before anything is opened, and `NotAllowed`.
    """
    from rentpay_cli.config import load_settings
    from rentpay_cli.runtime import Runtime

    rt = Runtime(load_settings(invocation().env_file), made_database=say_made, sending=invocation().sent.append)
    try:
        is_open = admit(rt)
        if is_open and is_lasting:
            say_open()
        yield rt
        if is_open and not is_lasting:
            say_open()
    finally:
        rt.close()


def admit(rt: Runtime) -> bool:
    """Let the runtime act for whoever asks; whether the database is open to all. Raises `NotAllowed`."""
    from rentpay_cli.config import read_token
    from rentpay_cli.flows import permit

    return permit.admit(rt, invocation().command, read_token)


def admit_to(settings: Settings) -> None:
    """Let nobody go on who may not use this command on the database of these settings; raises `NotAllowed`."""
    from rentpay_cli.runtime import Runtime

    rt = Runtime(settings)
    try:
        admit(rt)
    finally:
        rt.close()


def say_open() -> None:
    """Say that nobody needs a token yet, where something was changed."""
    from rentpay_cli.core.access import CHANGING

    if invocation().command in CHANGING and not invocation().json:
        talk(OPEN_TO_ALL)


OPEN_TO_ALL = "Nobody has an access token yet: whoever can open this database is admin. See: rentpay access add --help"


def say_made(url: str) -> None:
    from rentpay_cli.store.place import sqlite_file

    talk(f"Made a new database: {sqlite_file(url) or 'on PostgreSQL'}")


def talk(text: str) -> None:
    """Say something to the person, on standard error."""
    terminal.write(terminal.folded(harmless(text), terminal.width(err=True)), err=True)


def fitting(text: str, answers: str) -> str:
    """The question in lines that leave room for the answers there are, such as `y/N`, and for one of a letter."""
    room = max(terminal.NARROWEST_COLUMNS, terminal.width(err=True) - len(f" [{answers}]: y"))
    return "\n".join(terminal.folded(harmless(text), room))


def say_environment(rt: Runtime) -> None:
    """Say which environment a command that moves money acts on."""
    if not invocation().json:
        talk(f"Environment: {rt.settings.environment}")


def confirm_in_production(rt: Runtime, asked: str) -> None:
    """Ask before real money moves; raises `WrongUse` where nobody can answer, `RuleRefused` if the answer is no."""
    if rt.settings.is_production and not invocation().yes:
        confirm(asked)


def confirm(asked: str) -> None:
    """Ask back, unless --yes was given; raises `WrongUse` where nobody can answer, `RuleRefused` if it is a no."""
    from rentpay_cli.errors import RuleRefused, WrongUse

    if invocation().yes:
        return
    if invocation().json or not sys.stdin.isatty():
        raise WrongUse(f"This needs a yes, and there is no terminal to ask at: {asked}", "Add --yes if you mean it.")
    if not typer.confirm(fitting(asked, "y/N"), err=True):
        raise RuleRefused("Nothing was done.", code="declined")
