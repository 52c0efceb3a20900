"""Commands in terminals of their own, quickly: everything is imported once, and each command is a fork of that.

Importing is nine tenths of what a command's start takes. The process that forks has itself a terminal, so that Python
has opened its streams as it does on one; the child takes another, which becomes its own, with Ctrl-C and all.

Orders come as JSON lines, one at a time, and are answered with the child's number and then with its status.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import termios
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy.orm import configure_mappers

ROOT = Path(__file__).parents[2]
IMPORTED_LATE = ("rich.console", "rich.live", "rich.progress", "rich.status", "rich.table", "structlog")


class Prepared:
    """The asking side."""

    def __init__(self) -> None:
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        self._screen, terminal = os.openpty()
        self._process = subprocess.Popen(
            (sys.executable, "-m", "tests.support.prepared", str(orders), str(answers)),
            cwd=ROOT,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            pass_fds=(orders, answers),
            start_new_session=True,
        )
        for descriptor in (orders, answers, terminal):
            os.close(descriptor)
        self._unread = b""

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, terminal: str) -> int:
        """Start a command in the terminal of this name, and return its number in the system."""
        order = {"arguments": [*arguments], "environment": {**environment}, "folder": str(folder), "terminal": terminal}
        os.write(self._orders, json.dumps(order).encode() + b"\n")
        return self.answer()

    def answer(self) -> int:
        """The next answer: the number of the child that was started, or the status that it ended with."""
        while b"\n" not in self._unread:
            more = os.read(self._answers, 100)
            if not more:
                raise RuntimeError(f"It has ended: {os.read(self._screen, 65536).decode()}")
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        return int(line)

    def close(self) -> None:
        """End the process."""
        os.close(self._orders)
        self._process.wait()
        os.close(self._answers)
        os.close(self._screen)


# --- the process that forks ------------------------------------------------------------------------------------------


def import_everything() -> None:
    import rentpay_cli

    for module in pkgutil.walk_packages(rentpay_cli.__path__, "rentpay_cli."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            importlib.import_module(module.name)
    for name in IMPORTED_LATE:
        importlib.import_module(name)
    configure_mappers()  # as the first use of a table would


def carry_out(orders: int, answers: int) -> None:
    """Fork for each order until there are no more."""
    with os.fdopen(orders) as lines:
        for line in lines:
            order = json.loads(line)
            terminal = os.open(order["terminal"], os.O_RDWR | os.O_NOCTTY)
            child = os.fork()
            if child == 0:
                live(order, terminal)
            os.close(terminal)
            os.write(answers, b"%d\n" % child)
            _, status = os.waitpid(child, 0)
            os.write(answers, b"%d\n" % os.waitstatus_to_exitcode(status))


def live(order: dict[str, Any], terminal: int) -> NoReturn:
    """Be the command, and end at once: taking down all that was imported takes longer than most commands."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for descriptor in (0, 1, 2):
        os.dup2(terminal, descriptor)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    from rentpay_cli.__main__ import main

    sys.argv = ["rentpay", *order["arguments"]]
    status = 1
    try:
        main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    import_everything()
    gc.freeze()
    carry_out(*map(int, sys.argv[1:]))
