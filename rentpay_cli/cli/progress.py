"""A progress bar on standard error, for what may take longer than a person waits without a word."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer

from rentpay_cli.cli import show

PATIENCE_SECONDS = 1.0


@contextmanager
def bar(
    doing: str, at_the_end: str = "", patience_seconds: float = PATIENCE_SECONDS
) -> Iterator[Callable[[int, int], None]]:
    """Gives a function that is told how much of how much is done; the bar comes on a terminal only, after a second.

    `at_the_end` is what is still being done once everything is counted.
    """
    if show.wants_json() or not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    drawn = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=show.console(err=True),
        transient=True,
    )
    task = drawn.add_task(doing, total=None)

    def on_progress(done: int, total: int) -> None:
        is_counted = done == total and bool(at_the_end)
        drawn.update(task, completed=done, total=total, description=at_the_end if is_counted else doing)

    patience = Timer(patience_seconds, drawn.start)
    patience.start()
    try:
        yield on_progress
    finally:
        patience.cancel()
        patience.join()
        drawn.stop()
