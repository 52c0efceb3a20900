"""Starts many processes quickly: everything is imported once, and each command is a fork of that.

Importing is nine tenths of what a command's start takes. A fork of a process that has imported everything and opened
nothing is a process like any other: it has its own number, files, connections and death. The nursery ends all that it
has started when whoever asked for it ends, in whichever way.

Orders come as JSON lines on standard input: {"start": 3, "arguments": [...], "environment": {...}, "folder": "...",
"out": "...", "err": "..."} and {"kill": 3}. News goes as JSON lines to standard output: {"number": 3, "pid": 4711} and
{"number": 3, "status": 0}.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy.orm import configure_mappers

from rentpay_cli.flows import brake

ROOT = Path(__file__).parents[2]
POLL_SECONDS = 0.003
TRIAL_SECONDS = 2
"""For how long a run waits for the first result: here it comes in a tenth of a second, or it is lost."""

# Imported by the packages themselves when they are first used.
IMPORTED_LATE = (
    "rich.console",
    "rich.table",
    "structlog",
    "uvicorn.loops.auto",
    "uvicorn.lifespan.on",
    "uvicorn.lifespan.off",
)


class Nursery:
    """The asking side."""

    def __init__(self) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self._process = subprocess.Popen(
            (sys.executable, "-m", "tests.chaos.nursery"),
            cwd=ROOT,
            env=environment | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        self._unfinished = b""
        self._count = 0
        self._pids: dict[int, int] = {}
        self._statuses: dict[int, int] = {}

    def start(self, arguments: list[str], environment: dict[str, str], folder: Path, out: Path, err: Path) -> int:
        """Start a command and return the number that it has here."""
        self._count += 1
        places = {"folder": str(folder), "out": str(out), "err": str(err)}
        self._order({"start": self._count, "arguments": arguments, "environment": environment, **places})
        return self._count

    def kill(self, number: int) -> None:
        """Kill a process that may have ended already."""
        self._order({"kill": number})

    def pid(self, number: int) -> int | None:
        """Its number in the system, once it is born."""
        self._listen()
        return self._pids.get(number)

    def status(self, number: int) -> int | None:
        """Its exit status; None while it lives, and minus the signal that ended it."""
        self._listen()
        return self._statuses.get(number)

    def close(self) -> None:
        """End everything that was started here."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _order(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    def _listen(self) -> None:
        """Take in the news that has come."""
        assert self._process.stdout is not None
        while select.select([self._process.stdout], [], [], 0)[0]:
            more = os.read(self._process.stdout.fileno(), 65536)
            if not more:
                raise RuntimeError(f"The nursery has ended with {self._process.wait()}")
            *lines, self._unfinished = (self._unfinished + more).split(b"\n")
            for line in lines:
                news = json.loads(line)
                told, into = ("pid", self._pids) if "pid" in news else ("status", self._statuses)
                into[news["number"]] = news[told]


# --- the process that forks ------------------------------------------------------------------------------------------


def import_everything() -> None:
    import rentpay_cli

    for module in pkgutil.walk_packages(rentpay_cli.__path__, "rentpay_cli."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            importlib.import_module(module.name)
    for name in (*IMPORTED_LATE, "psycopg", "tests.chaos.child"):
        importlib.import_module(name)
    configure_mappers()  # or each command would do it at its first query
    brake.TRIAL_SECONDS = TRIAL_SECONDS


def nurse() -> dict[str, Any]:
    """Carry out orders until there are no more; in a child, return what it is to do."""
    living: dict[int, int] = {}
    for order in _orders(living):
        if "kill" in order:
            if order["kill"] in living.values():
                os.kill(next(pid for pid, number in living.items() if number == order["kill"]), signal.SIGKILL)
            continue
        pid = os.fork()
        if pid == 0:
            return order
        living[pid] = order["start"]
        _tell(number=order["start"], pid=pid)
    for pid in living:
        os.kill(pid, signal.SIGKILL)
    for pid in living:
        os.waitpid(pid, 0)
    return {}


def _orders(living: dict[int, int]) -> Iterator[dict[str, Any]]:
    """Orders as they come; meanwhile those that have ended are told of."""
    unfinished = b""
    while True:
        _bury(living)
        if not select.select([0], [], [], POLL_SECONDS if living else None)[0]:
            continue
        more = os.read(0, 65536)
        if not more:
            return
        *lines, unfinished = (unfinished + more).split(b"\n")
        yield from map(json.loads, lines)


def _bury(living: dict[int, int]) -> None:
    while living:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        _tell(number=living.pop(pid), status=os.waitstatus_to_exitcode(status))


def _tell(**news: int) -> None:
    os.write(1, json.dumps(news).encode() + b"\n")


def begin_life(order: dict[str, Any]) -> None:
    """Become the process that was ordered: its folder, its environment, its files."""
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    for descriptor, name in ((0, os.devnull), (1, order["out"]), (2, order["err"])):
        opened = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)


def live_and_end(arguments: list[str]) -> None:
    """Run the command and end at once: taking down all that was imported takes longer than most commands."""
    from tests.chaos.child import live

    status = 1
    try:
        live(arguments)
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
    if order := nurse():
        begin_life(order)
        live_and_end(order["arguments"])
