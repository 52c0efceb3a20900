"""`rentpay help`: the pages that travel with the package."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rentpay_cli.cli import completion, show

if TYPE_CHECKING:
    from rentpay_cli.flows.pages import Page


def read(
    context: typer.Context,
    topic: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TOPIC]", help="A page, or a command.", autocompletion=completion.topics),
    ] = None,
) -> None:
    """The name of a command shows the help of that command, unless a page is called the same.

    Examples:
    rentpay help
    rentpay help safety
    rentpay help owner add
    rentpay help scripts --json
    """
    from rentpay_cli.core.nearest import no_such
    from rentpay_cli.flows.pages import pages

    found = {page.topic: page for page in pages()}
    asked = " ".join(topic or ()).lower()
    root: Any = context.find_root().command
    command = _command(context, root, asked)
    if not asked:
        _list(found.values())
    elif asked in found:
        _show(found[asked], also_command=command is not None)
    elif command is not None:
        _show_command(root, command, asked)
    else:
        raise no_such("page or command", asked, [*found, *root.commands], listed_by="rentpay help")


def _command(context: typer.Context, root: Any, asked: str) -> Any:
    """The command, or the group of commands, that is called so; None if there is none."""
    command = root
    for word in asked.split():
        if word not in getattr(command, "commands", ()):
            return None
        _, command, _ = command.resolve_command(context, [word])
    return command


def _list(found: Iterable[Page]) -> None:
    if show.wants_json():
        show.document(topics=[{"topic": page.topic, "title": page.title} for page in found])
        return
    rows = [(page.topic, page.title) for page in found]
    show.table([("Topic", "whole"), ("What it tells", "left")], rows, empty="")
    show.next_step("Read one: rentpay help TOPIC. About a command: rentpay COMMAND --help")


def _show(page: Page, *, also_command: bool) -> None:
    if show.wants_json():
        show.document(topic=page.topic, title=page.title, text=page.text)
        return
    from rentpay_cli.cli import markdown

    markdown.draw(page.text)
    if also_command:
        show.next_step(f"The commands: rentpay {page.topic} --help")


def _show_command(root: Any, command: Any, asked: str) -> None:
    if show.wants_json():
        show.document(topic=asked, title=command.help.partition("\n")[0], text=command.help)
        return
    root.main([*asked.split(), "--help"], prog_name="rentpay", standalone_mode=False)
