"""A terminal for a command: it waits for words on the screen, and types."""

from __future__ import annotations

import os
import pty
import select
import signal
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PATIENCE_SECONDS = 30.0
ROOT = str(Path(__file__).parents[2])


def in_a_terminal(
    arguments: Sequence[str],
    script: Sequence[tuple[str, str]],
    *,
    columns: int = 80,
    rows: int = 40,
    python: Sequence[str] = ("-m", "rentpay_cli"),
) -> tuple[int, str]:
    """Run rentpay, or other Python, in a terminal; when the words are there, type the answer.

    Return its status and all it wrote.
    """
    import fcntl
    import termios

    child, terminal = pty.fork()
    if child == 0:
        os.environ.pop("COLUMNS", None)
        os.environ |= {"TERM": "xterm-256color", "PYTHONPATH": ROOT}
        os.execv(sys.executable, [sys.executable, *python, *arguments])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    seen = ""
    try:
        for words, answer in script:
            seen = _read_until(terminal, seen, words)
            time.sleep(0.05)  # a hidden prompt throws away what was typed before it
            os.write(terminal, answer.encode())
            seen += "\0"
        seen = _read_until(terminal, seen, None)
    finally:
        try:
            ended, status = os.waitpid(child, os.WNOHANG)
            if not ended:
                time.sleep(0.5)
                os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
        finally:
            os.close(terminal)
    return os.waitstatus_to_exitcode(status), seen.replace("\0", "")


def _read_until(terminal: int, seen: str, words: str | None) -> str:
    ends = time.monotonic() + PATIENCE_SECONDS
    while words is None or words not in seen.rpartition("\0")[2]:
        assert time.monotonic() < ends, f"waited for {words!r}, saw {seen!r}"
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            got = os.read(terminal, 65536)
        except OSError:  # the command has ended
            got = b""
        if not got:
            assert words is None, f"waited for {words!r}, saw {seen!r}"
            return seen
        seen += got.decode(errors="replace")
    return seen
