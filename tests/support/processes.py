"""Commands in processes of their own, without the third of a second that each would take to import everything.

What belongs to the interpreter's own start is not tried this way: how it is buffered and encoded, a closed standard
output, what is imported when, and what happens at its end.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess

from tests.chaos.nursery import Nursery

PATIENCE_SECONDS = 60.0


class Processes:
    """Runs commands as forks of a process that has imported everything."""

    def __init__(self, nursery: Nursery, folder: Path) -> None:
        self.nursery = nursery
        self._folder = folder
        self._numbers = itertools.count(1)

    def start(self, *arguments: str, environment: Mapping[str, str], folder: Path | None = None) -> Running:
        """Start a command in a folder; nobody answers what it asks."""
        name = f"{next(self._numbers)}"
        out, err = self._folder / f"{name}.out", self._folder / f"{name}.err"
        number = self.nursery.start([*arguments], dict(environment), folder or Path.cwd(), out, err)
        return Running(self.nursery, number, arguments, out, err)

    def run(
        self, *arguments: str, environment: Mapping[str, str], folder: Path | None = None
    ) -> CompletedProcess[bytes]:
        """Run a command to its end."""
        return self.start(*arguments, environment=environment, folder=folder).ended()


class Running:
    """A command that was started."""

    def __init__(self, nursery: Nursery, number: int, arguments: tuple[str, ...], out: Path, err: Path) -> None:
        self._nursery = nursery
        self._number = number
        self._arguments = arguments
        self.out, self.err = out, err

    def ended(self) -> CompletedProcess[bytes]:
        """What it said, and its exit status, once it has ended."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while (status := self._nursery.status(self._number)) is None:
            assert time.monotonic() < ends, f"{self._arguments} does not end"
            time.sleep(0.002)
        return CompletedProcess(self._arguments, status, self.out.read_bytes(), self.err.read_bytes())
