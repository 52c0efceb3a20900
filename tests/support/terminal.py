"""A terminal for a command: it waits for words on the screen, and types; and what may stand on the screen."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.cells import cell_len

from tests.support.prepared import Prepared

PATIENCE_SECONDS = 30.0
ROOT = str(Path(__file__).parents[2])
CONTROL_C = "\x03"

Script = Sequence[tuple[str, str | int]]
"""Words on the screen, and what is typed once they are there, or how many columns there are from then on."""


def in_a_terminal(
    arguments: Sequence[str],
    script: Script,
    *,
    columns: int = 80,
    rows: int = 40,
    python: Sequence[str] = ("-m", "rentpay_cli"),
    patience_seconds: float = PATIENCE_SECONDS,
) -> tuple[int, str]:
    """Run rentpay, or other Python, in a terminal; when the words are there, type the answer.

    Return its status and all it wrote.
    """
    child, terminal = pty.fork()
    if child == 0:
        os.environ.pop("COLUMNS", None)
        os.environ |= {"TERM": "xterm-256color", "PYTHONPATH": ROOT}
        os.execv(sys.executable, [sys.executable, *python, *arguments])
    _resize(terminal, columns, rows)
    try:
        seen = _talk(terminal, script, patience_seconds)
    finally:
        try:
            ended, status = os.waitpid(child, os.WNOHANG)
            if not ended:
                time.sleep(0.5)
                os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
        finally:
            os.close(terminal)
    return os.waitstatus_to_exitcode(status), seen


def in_a_prepared_terminal(
    prepared: Prepared,
    arguments: Sequence[str],
    script: Script,
    *,
    environment: Mapping[str, str],
    folder: Path,
    columns: int,
) -> tuple[int, str]:
    """The same with a fork of a process that has imported rentpay; it has this environment and no other."""
    terminal, other_end = os.openpty()
    _resize(terminal, columns)
    child = prepared.start(arguments, environment, folder, os.ttyname(other_end))
    os.close(other_end)
    try:
        seen = _talk(terminal, script)
    except AssertionError:
        os.kill(child, signal.SIGKILL)
        prepared.answer()
        raise
    finally:
        os.close(terminal)
    return prepared.answer(), seen


def _resize(terminal: int, columns: int, rows: int = 40) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _talk(terminal: int, script: Script, patience_seconds: float = PATIENCE_SECONDS) -> str:
    """Play the script to its end, and on until the command has ended; all that was written."""
    screen = _Screen(terminal, patience_seconds)
    for words, answer in script:
        screen.wait_for(words)
        time.sleep(0.05)  # a hidden prompt throws away what was typed before it
        if isinstance(answer, int):
            _resize(terminal, answer)
        else:
            os.write(terminal, answer.encode())
    screen.wait_for(None)
    return screen.seen


class _Screen:
    """What has been written so far."""

    def __init__(self, terminal: int, patience_seconds: float) -> None:
        self.seen = ""
        self._patience_seconds = patience_seconds
        self._terminal = terminal
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def wait_for(self, words: str | None) -> None:
        """Read until the words are there, or to the end: only what comes from now on counts."""
        before = len(self.seen)
        ends = time.monotonic() + self._patience_seconds
        while words is None or words not in flat(self.seen[before:]):
            assert time.monotonic() < ends, f"waited for {words!r}, saw {self.seen!r}"
            if not select.select([self._terminal], [], [], 0.1)[0]:
                continue
            try:
                got = os.read(self._terminal, 65536)
            except OSError:  # the command has ended
                got = b""
            self.seen += self._decoder.decode(got, final=not got)
            if not got:
                assert words is None, f"waited for {words!r}, saw {self.seen!r}"
                return


# --- what stands on the screen ---------------------------------------------------------------------------------------

STYLE = re.compile(r"\x1b\[[0-9;]*m")
_MOVES = re.compile(r"\x1b\[(?:\?25[hl]|\?1049[hl]|H|2K|[0-9]*A)")
"""The cursor hidden and shown, the other screen and back, home, a line wiped, up: all that is used beside styles."""


def plain(seen: str) -> str:
    """The text without the escape sequences that we know; others stay in it."""
    return _MOVES.sub("", STYLE.sub("", seen))


def flat(seen: str) -> str:
    """The words alone, wherever lines break."""
    return " ".join(plain(seen).split())


def lines(seen: str) -> Iterator[str]:
    """What was written on one line each, also where another was written over it afterwards."""
    for part in re.split(r"[\r\n]+", _MOVES.sub("\n", seen.replace("^C", ""))):  # of which the terminal tells itself
        yield plain(part).expandtabs()


def faults_of(seen: str, columns: int, *, copied: re.Pattern[str] | None = None) -> list[str]:
    """What no command may leave on a screen of that width, but for lines of this form, which are copied whole."""
    written = list(lines(seen))
    whole = {each for each in written if copied and copied.fullmatch(each.strip())}
    found = [
        f"{cell_len(each)} columns: {each!r}" for each in written if cell_len(each) > columns and each not in whole
    ]
    found += [f"an unknown sign in {each!r}" for each in written if not each.isprintable()]
    return found + [f"{words!r} in {flat(seen)!r}" for words in ("Traceback", "mistake of its own") if words in seen]
