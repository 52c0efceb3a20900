"""Answers and talk in the order in which things happened, and an answer that is long in few writes."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rentpay_cli.cli import output
from tests.support.terminal import ROOT, flat, in_a_terminal

SAYS = """
import sys, typer
from rentpay_cli.cli import output, show
from rentpay_cli.cli.common import Invocation, invoked, talk
output.guard()
with invoked(Invocation()):
    show.line("1"); talk("2"); sys.stdout.write("3 "); show.next_step("4"); typer.echo("5"); typer.echo("6", err=True)
    sys.stdout.write("7 "); print("8", file=sys.stderr, end=" "); show.error("code", "9", "10", 1); show.line("11")
"""
IN_ORDER = "1 2 3 → 4 5 6 7 8 Error: 9 → 10 11"


def piped(script: str, *, stderr: int = subprocess.STDOUT, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": ROOT, "PYTHONUNBUFFERED": "", **settings},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        check=True,
    )


def test_on_one_terminal_all_is_in_order() -> None:
    assert flat(in_a_terminal([], [], python=["-c", SAYS])[1]) == IN_ORDER


@pytest.mark.parametrize("settings", [{}, {"PYTHONUNBUFFERED": "1"}])
def test_in_one_pipe_all_is_in_order(settings: dict[str, str]) -> None:
    assert " ".join(piped(SAYS, **settings).stdout.split()) == IN_ORDER


def test_what_is_said_without_an_end_of_line_is_there_at_once() -> None:
    """Nothing else makes the question appear before somebody answers it."""
    asks = (
        "import os, sys; from rentpay_cli.cli import output; output.guard(); sys.stderr.write('Sure?'); os.read(0, 9)"
    )
    assert in_a_terminal([], [("Sure?", "y\n")], python=["-c", asks])[0] == 0


class Full(io.StringIO):
    """A disk that was full for a moment."""

    moments = 1

    def flush(self) -> None:
        if self.moments:
            self.moments -= 1
            raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("deed", [lambda: sys.stdout.write("more"), lambda: sys.stdout.flush()])
def test_an_answer_that_was_lost_while_something_was_said_is_told_afterwards(
    deed: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stdout", Full())
    monkeypatch.setattr(sys, "stderr", said)
    output.guard()
    sys.stdout.write("answer")
    sys.stderr.write("said")
    assert said.getvalue() == "said"
    with pytest.raises(output.OutputLost, match="No space"):
        deed()
    deed()  # it is told once


def test_of_two_places_each_has_its_own_in_order(tmp_path: Path) -> None:
    told = piped(SAYS, stderr=subprocess.PIPE)
    assert told.stdout.split() == ["1", "3", "5", "7", "11"]
    assert " ".join(told.stderr.split()) == "2 → 4 6 8 Error: 9 → 10"
    to_a_file = f"import sys; sys.stderr = open({str(tmp_path / 'talk')!r}, 'w')\n{SAYS}"
    assert flat(in_a_terminal([], [], python=["-c", to_a_file])[1]) == "1 3 5 7 11"
    assert " ".join((tmp_path / "talk").read_text().split()) == "2 → 4 6 8 Error: 9 → 10"


WATCHED = """
import io, sys
from rentpay_cli.cli import output, show
from rentpay_cli.cli.common import Invocation, invoked

class Raw(io.RawIOBase):
    writes = 0

    def writable(self):
        return True

    def write(self, content):
        Raw.writes += 1
        return len(content)

sys.stdout = io.TextIOWrapper(io.BufferedWriter(Raw()), encoding="utf-8")
output.guard()
with invoked(Invocation()):
    {deed}
sys.stdout.flush()
print(Raw.writes, file=sys.stderr)
"""
DEEDS = (
    'show.table([("Number", "right")], [(str(number),) for number in range(20_000)], empty="")',
    'show.document_with_list("rows", ({"number": number} for number in range(20_000)))',
    'from rentpay_cli.cli import sheet; sheet.write(["number"], ({"number": number} for number in range(20_000)))',
)


@pytest.mark.parametrize("deed", DEEDS)
def test_twenty_thousand_rows_go_into_a_pipe_in_few_writes(deed: str) -> None:
    writes = piped(WATCHED.format(deed=deed), stderr=subprocess.STDOUT).stdout
    assert 0 < int(writes) < 200
