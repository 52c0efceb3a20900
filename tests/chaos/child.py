"""The command line in a process that dies where it is told to, waits for others, or lives ahead of its time.

    CHAOS_DIE_AT=after-commit:2 python -m tests.chaos.child disburse 1

CHAOS_DIE_AT               where the process ends itself by SIGKILL, and at which time it gets there:
    before-commit:N        the N-th transaction that writes has written everything and is about to commit
    after-commit:N         the N-th transaction that writes was committed just now
    after-send:N           the N-th request to M-Pesa was sent and answered, and the answer is not used yet
CHAOS_CLOCK_AHEAD_SECONDS  how far the clock of this process is ahead
CHAOS_GATE                 a folder: when it is ready to send, the process leaves a file there that is named after its
                           own number, and waits for a file `open`

The program has no hooks for this: what is changed here is changed in this process only.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlmodel import Session

from rentpay_cli import runtime
from rentpay_cli.cli.app import main
from rentpay_cli.daraja.client import Mpesa
from rentpay_cli.store.engine import Database

GATE_POLL_SECONDS = 0.0005


def die() -> None:
    """End this process as a power cut would: nothing is flushed, closed or rolled back."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(place: str) -> None:
    """Lay the death in wait; `place` is as in CHAOS_DIE_AT."""
    where, _, number = place.partition(":")
    match where:
        case "before-commit" | "after-commit":
            _die_at_transaction(where, int(number))
        case "after-send":
            _die_at_request(int(number))
        case _:
            raise SystemExit(f"CHAOS_DIE_AT={place} is no place to die")


def _die_at_transaction(where: str, number: int) -> None:
    whole = Database.transaction
    counter = itertools.count(1)
    here = threading.local()

    @event.listens_for(Engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        here.writes = here.writes or statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE"))

    @contextmanager
    def transaction(database: Database) -> Iterator[Session]:
        here.writes = is_the_last = False
        with whole(database) as session:
            yield session
            session.flush()
            is_the_last = here.writes and next(counter) == number
            if is_the_last and where == "before-commit":
                die()
        if is_the_last:
            die()

    _replace(Database, "transaction", transaction)


def _die_at_request(number: int) -> None:
    whole = Mpesa._post
    counter = itertools.count(1)

    def post(mpesa: Mpesa, path: str, body: dict[str, Any]) -> Any:
        answer = whole(mpesa, path, body)
        if next(counter) == number:
            die()
        return answer

    _replace(Mpesa, "_post", post)


def live_ahead(seconds: float) -> None:
    """Let the clock of this process be ahead of all others."""
    whole: Callable[..., None] = runtime.Runtime.__init__

    def now() -> datetime:
        return runtime.clock() + timedelta(seconds=seconds)

    def begin(rt: runtime.Runtime, *arguments: Any, **named: Any) -> None:
        whole(rt, *arguments, **{"now": now, **named})

    _replace(runtime.Runtime, "__init__", begin)


def wait_at_the_gate(gate: Path) -> None:
    """Let this process wait until the gate opens, when it has a token and is about to write what it will send."""
    whole = Mpesa.prepare

    def prepare(mpesa: Mpesa) -> None:
        whole(mpesa)
        (gate / str(os.getpid())).touch()
        while not (gate / "open").exists():
            time.sleep(GATE_POLL_SECONDS)

    _replace(Mpesa, "prepare", prepare)


def _replace(owner: type, name: str, by: Any) -> None:
    if not hasattr(owner, name):
        raise SystemExit(f"{owner.__name__} has no {name} any more: mend tests/chaos/child.py")
    setattr(owner, name, by)


def live(arguments: list[str]) -> None:
    """Run a command as the environment says; it ends this process."""
    if place := os.environ.get("CHAOS_DIE_AT"):
        die_at(place)
    if ahead := os.environ.get("CHAOS_CLOCK_AHEAD_SECONDS"):
        live_ahead(float(ahead))
    if folder := os.environ.get("CHAOS_GATE"):
        wait_at_the_gate(Path(folder))
    main(arguments)


if __name__ == "__main__":
    live(sys.argv[1:])
