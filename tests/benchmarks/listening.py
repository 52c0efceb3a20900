"""The listener: callbacks of 600 bytes over 32 connections, each answered once it is durable, on SQLite.

The same client loads every server (see `load.py`). The peers are the listeners that one would write first, with one
commit a request (see `peers/`); all run at once, and only the one that is loaded has something to do.
"""

from __future__ import annotations

import sqlite3
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tests.benchmarks import databases
from tests.benchmarks.databases import Size
from tests.benchmarks.shared import (
    HERE,
    Bench,
    CannotMeasure,
    Figure,
    Load,
    free_port,
    load,
    ratio,
    server,
    whole_process,
)

KNOWN = 1_000
"""Payments whose callbacks come: the listener stores what is addressed to one of them, and little else."""


def listener_and_its_peers(bench: Bench) -> Iterator[Figure]:
    """Acknowledgements per second, and the slowest hundredth, of the listener alone."""
    seconds = bench.few_or(6, few=1)
    with ExitStack() as stack:
        ports = {"ours": stack.enter_context(_listener(bench, databases.copy(bench, "listener", Size(KNOWN))))}
        for name, command in _peers(bench).items():
            ports[name] = free_port()
            environment = bench.environment(DATABASE=str(bench.folder / f"{name}.db"))
            folder_and_port = [str(each).replace("PORT", str(ports[name])) for each in command]
            stack.enter_context(server(folder_and_port, environment, ports[name]))
        for port in ports.values():
            load(bench, [port], seconds=1, payments=KNOWN)
        seen: dict[str, list[Load]] = {name: [] for name in ports}
        for _ in range(bench.few_or(5, few=1)):
            for name, port in ports.items():
                seen[name].append(load(bench, [port], seconds=seconds, payments=KNOWN))
    for name, limit in (("Flask's server", None), ("gunicorn, 4 workers", 6.0), ("Express + better-sqlite3", 3.0)):
        if name in seen:
            rates = [(a.per_second, b.per_second) for a, b in zip(seen["ours"], seen[name], strict=True)]
            note = f"{_median(rates, 0):,.0f} and {_median(rates, 1):,.0f} a second"
            yield Figure("listener, acknowledgements", name, ratio(rates), limit, at_least=True, note=note)
            slowest = [(a.p99_ms, b.p99_ms) for a, b in zip(seen["ours"], seen[name], strict=True)]
            note = f"{_median(slowest, 0):.1f} and {_median(slowest, 1):.1f} ms"
            limit_of_slowest = 0.35 if name.startswith("Express") else None
            yield Figure("listener, slowest hundredth", name, ratio(slowest), limit_of_slowest, note=note)
    if bench.without_node:
        raise CannotMeasure(f"Express + better-sqlite3: {bench.without_node}")


def _peers(bench: Bench) -> dict[str, list[object]]:
    flask = bench.folder / "flask_app.py"
    gunicorn = [bench.peer("gunicorn"), "--chdir", flask.parent, "-w", "4", "-b", "127.0.0.1:PORT", "flask_app:app"]
    peers: dict[str, list[object]] = {
        "Flask's server": [bench.peer("python"), flask, "PORT"],
        "gunicorn, 4 workers": gunicorn,
    }
    if not bench.without_node:
        peers["Express + better-sqlite3"] = ["node", bench.node_folder / "express.cjs", "PORT"]
    return peers


@contextmanager
def _listener(bench: Bench, path: Path) -> Iterator[int]:
    port = free_port()
    with server([bench.python, HERE / "inside.py", "listen", path, port], bench.environment(), port):
        yield port


def _median(pairs: list[tuple[float, float]], side: int) -> float:
    return statistics.median(pair[side] for pair in pairs)


# --- while others work -----------------------------------------------------------------------------------------------


def listener_while_others_work(bench: Bench) -> Iterator[Figure]:
    """The same load on `rentpay serve-callbacks` while its worker reads 10,000 stored callbacks and commands run.

    Against the listener alone on a copy of the same database. A writer of another process asks for the database's lock
    all the time, and tells how long it waited; nobody may find the database locked.
    """
    stored = bench.few_or(10_000, few=300)
    size = Size(bench.few_or(10_000, few=300), asked=stored, unread=stored)
    seconds = bench.few_or(6, few=1)
    rates: list[tuple[float, float]] = []
    longest_ms, waited_ms, commands, left = 0.0, 0.0, 0, 0
    for _ in range(bench.few_or(3, few=1)):
        path = databases.copy(bench, "busy", size)
        with _serve_callbacks(bench, path) as port, _Others(bench, path) as others:
            busy = load(bench, [port], seconds=seconds, payments=size.settled)
        left = max(left, others.stored_after)
        longest_ms, waited_ms = max(longest_ms, busy.longest_ms), max(waited_ms, others.longest_wait_ms)
        commands += others.commands
        with _listener(bench, databases.copy(bench, "busy", size)) as port:
            rates.append((busy.per_second, load(bench, [port], seconds=seconds, payments=size.settled).per_second))
    note = f"{_median(rates, 0):,.0f} and {_median(rates, 1):,.0f} a second; {left:,} of {stored:,} not read at the end"
    yield Figure("listener while others work", "itself alone", ratio(rates), 0.6, at_least=True, note=note)
    yield Figure("  longest wait for an acknowledgement", "a second", longest_ms / 1000, 1.0)
    note = f"{commands} commands ran beside it, none found the database locked"
    yield Figure("  longest wait of another writer for the lock", "a second", waited_ms / 1000, 1.0, note=note)


@contextmanager
def _serve_callbacks(bench: Bench, path: Path) -> Iterator[int]:
    port = free_port()
    environment = bench.environment(f"sqlite:///{path}")
    with server([bench.rentpay, "serve-callbacks", "--port", port], environment, port):
        yield port


class _Others:
    """Commands that read and write, one after the other, and a writer that only wants the lock."""

    def __init__(self, bench: Bench, path: Path) -> None:
        self._bench, self._path = bench, path
        self._over = threading.Event()
        self._stored = self._ask("SELECT max(id) FROM inbox")
        self._threads = [threading.Thread(target=each) for each in (self._command, self._want_lock)]
        self._trouble: list[Exception] = []
        self.commands = self.stored_after = 0
        self.longest_wait_ms = 0.0

    def __enter__(self) -> _Others:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self.stored_after = self._ask("SELECT count(*) FROM inbox WHERE state = 'new' AND id <= ?", self._stored)
        if self._trouble:
            raise self._trouble[0]

    def _ask(self, question: str, *values: int) -> int:
        with closing(sqlite3.connect(self._path)) as connection:
            return int(connection.execute(question, values).fetchone()[0])

    def _command(self) -> None:
        environment = self._bench.environment(f"sqlite:///{self._path}")
        record = ["record-payment", "--property", "1", "--amount", "10000", "--method", "cash"]
        try:
            while not self._over.is_set():
                for arguments in (["payments"], record, ["status", "5"]):
                    whole_process([self._bench.rentpay, *arguments], environment)
                    self.commands += 1
        except Exception as error:  # it is raised where the block ends
            self._trouble.append(error)

    def _want_lock(self) -> None:
        try:
            with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as connection:
                while not self._over.is_set():
                    began = time.perf_counter()
                    connection.execute("BEGIN IMMEDIATE")
                    connection.execute("ROLLBACK")
                    self.longest_wait_ms = max(self.longest_wait_ms, (time.perf_counter() - began) * 1000)
                    time.sleep(0.02)
        except sqlite3.Error as error:  # it is raised where the block ends
            self._trouble.append(error)
