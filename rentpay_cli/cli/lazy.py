"""A root whose commands are lines of a table until one is called: only then is its module imported.

The line is written in the table alone. The docstring of a command goes on from there; a group has no text of its own.
"""

from __future__ import annotations

from importlib import import_module
from inspect import getdoc
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from rentpay_cli.cli.common import Command

Table = dict[str, dict[str, tuple[str, str]]]
"""By panel and name: where the command is, as `module.attribute` beside this file, and its line in the help."""


class Listed(TyperCommand):
    """What the help and the shell show of a command, and where the command itself is."""

    def __init__(self, name: str, panel: str, where: str, line: str) -> None:
        super().__init__(name, help=line, rich_help_panel=panel)
        self._where = where

    def load(self) -> Any:
        """The command itself, or the group of commands."""
        module, _, attribute = self._where.partition(".")
        found = getattr(import_module(f"rentpay_cli.cli.{module}"), attribute)
        holder = typer.Typer(callback=_nothing, rich_markup_mode="rich")  # a callback keeps one command a group
        if isinstance(found, typer.Typer):
            holder.add_typer(found, name=self.name, help=self.help)
        else:
            holder.command(self.name, cls=Command, help=f"{self.help}\n\n{getdoc(found)}")(found)
        (command,) = typer.main.get_group(holder).commands.values()
        return command


def _nothing() -> None:
    pass


class LazyGroup(TyperGroup):
    """A group that has the commands of a table, in its order.

    Building all of them and importing their modules took a quarter of the time of `rentpay status`.
    """

    table: ClassVar[Table] = {}

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for panel, commands in self.table.items():
            for name, (where, line) in commands.items():
                self.add_command(Listed(name, panel, where, line))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that is meant; a name that there is not gets a suggestion from the table."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Listed) else None, rest
