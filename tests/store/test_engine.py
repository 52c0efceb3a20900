"""The turns of the writers of one process, and the gaps that they leave to others."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from rentpay_cli.runtime import Runtime
from rentpay_cli.store import engine
from rentpay_cli.store.engine import GIVE_WAY_EVERY_SECONDS, sqlite_path

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def file_of(rt: Runtime) -> Path:
    return sqlite_path(rt.settings.database_url)


@only_sqlite
def test_writers_of_a_process_have_their_turns_in_the_order_in_which_they_ask(rt: Runtime) -> None:
    order: list[str] = []

    def write(name: str) -> None:
        with rt.database.transaction():
            order.append(name)

    with ThreadPoolExecutor(4) as pool:
        with rt.database.transaction():
            waiting = []
            for name in "abcd":
                waiting.append(pool.submit(write, name))
                time.sleep(0.02)  # until it waits
        write("last")  # by whoever has just been there
        [each.result() for each in waiting]
    assert order == ["a", "b", "c", "d", "last"]


@only_sqlite
def test_a_turn_that_is_not_taken_keeps_nobody_waiting(rt: Runtime) -> None:
    def interrupt() -> None:
        time.sleep(0.05)  # until it waits
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def write() -> None:
        with rt.database.transaction():
            pass

    with ThreadPoolExecutor(2) as pool:
        held, over = threading.Event(), threading.Event()

        def hold() -> None:
            with rt.database.transaction():
                held.set()
                over.wait()

        holding = pool.submit(hold)
        held.wait()
        interrupting = pool.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            write()
        over.set()
        holding.result()
        interrupting.result()
        pool.submit(write).result(timeout=5)


@only_sqlite
def test_another_process_is_let_in_where_one_writes_without_a_rest(
    rt: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, gaps, ours = 1_000.0, [], []

    def gap(seconds: float) -> None:
        ours.append(pool.submit(write))  # waits until the gap is over
        with closing(sqlite3.connect(file_of(rt), timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            gaps.append((now, seconds, ours[-1].done()))
            other.execute("ROLLBACK")

    def write() -> None:
        with rt.database.transaction():
            pass

    monkeypatch.setattr(engine.time, "sleep", gap)
    monkeypatch.setattr(engine.time, "monotonic", lambda: now)
    with ThreadPoolExecutor(1) as pool:
        while now < 1_002:
            write()
            now += 0.01
            rt.database.give_way()
        [each.result() for each in ours]
    assert len(gaps) == int(2 / GIVE_WAY_EVERY_SECONDS)
    assert all(seconds > 0.1 and not was_done for _, seconds, was_done in gaps)


@only_sqlite
def test_who_writes_seldom_waits_for_nobody(rt: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    gaps: list[float] = []
    monkeypatch.setattr(engine.time, "sleep", gaps.append)
    now = 1_000.0
    monkeypatch.setattr(engine.time, "monotonic", lambda: now)
    for _ in range(5):
        with rt.database.transaction():
            pass
        now += 1
        with rt.database.transaction():
            pass
        rt.database.give_way()
    assert gaps == []
