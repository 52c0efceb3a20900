"""Money out: a bulk of payouts against what the wire alone would take, and two of each process against one."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks import databases
from tests.benchmarks.databases import Size
from tests.benchmarks.shared import Bench, Figure, free_port, load, mpesa, ratio, server, whole_process

ANSWER_SECONDS = 0.05
AT_ONCE = 16


def retry_failed(bench: Bench) -> Iterator[Figure]:
    """`rentpay retry-failed`, every step committed; M-Pesa takes 50 ms an answer.

    Against what the answers alone take, sixteen at a time: the run itself, and the whole command with its start. The
    processor is that of the whole command.
    """
    count = bench.few_or(1_000, few=40)
    size = Size(bench.few_or(10_000, few=100), failed=count)
    bound_seconds = count * ANSWER_SECONDS / AT_ONCE
    inside, runs = [], []
    for _ in range(bench.few_or(5, few=1)):
        with mpesa(bench, ANSWER_SECONDS) as address:
            inside.append(bench.inside("retry", databases.copy(bench, "retry", size), mpesa=address))
            _check_once_each(address, count)
        with mpesa(bench, ANSWER_SECONDS) as address:
            command = [bench.rentpay, "retry-failed", "--yes", "--json"]
            url = f"sqlite:///{databases.copy(bench, 'retry', size)}"
            runs.append(whole_process(command, bench.environment(url, address)))
            _check_once_each(address, count)
    run_seconds = statistics.median(inside)
    wall = statistics.median(run.wall_seconds for run in runs)
    processor = statistics.median(run.processor_seconds for run in runs)
    against = f"{count:,} times {ANSWER_SECONDS * 1000:.0f} ms / {AT_ONCE}"
    what = f"retry-failed, {count:,} payouts"
    yield Figure(what, against, run_seconds / bound_seconds, 1.25, note=f"{run_seconds:.2f} s")
    yield Figure("  the whole command, its start too", against, wall / bound_seconds, note=f"{wall:.2f} s")
    yield Figure("  processor time of a payout, the command's start too", "", processor / count * 1000, 3.0, unit="ms")


def _check_once_each(address: str, count: int) -> None:
    seen = _seen(address)
    if seen != {"payouts": count, "payments": count}:
        raise RuntimeError(f"Each of {count} payouts should have come once: {seen}")


def _seen(address: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{address}/seen") as reply:
        seen: dict[str, int] = json.load(reply)
        return seen


def two_of_each_on_postgresql(bench: Bench) -> Iterator[Figure]:
    """Rents that arrive at two `serve-callbacks` on one PostgreSQL until every owner's share is sent, against one.

    M-Pesa's callbacks come over 32 connections, to both in turn; M-Pesa takes 50 ms an answer; the database server is
    started for this and has its usual, durable settings.
    """
    from tests.support.databases import own_server

    count = bench.few_or(1_000, few=60)
    size = Size(1, asked=count, due=0, failed=0)  # one went through lately, so that no trial goes first
    pairs = []
    with tempfile.TemporaryDirectory(prefix="rentpay-benchmarks-") as folder, own_server(Path(folder)) as postgresql:
        for number in range(bench.few_or(3, few=1)):
            rates = []
            for listeners in (2, 1):
                name = f"bench_{number}_{listeners}"
                postgresql.execute(f"CREATE DATABASE {name}")
                url = postgresql.database(name)
                databases.postgresql(bench, url, databases.sqlite(bench, "two", size))
                rates.append(count / _seconds_to_pay_all(bench, url, size, listeners))
            pairs.append((rates[0], rates[1]))
    rates = [statistics.median(pair[side] for pair in pairs) for side in (0, 1)]
    note = f"{rates[0]:.0f} and {rates[1]:.0f} payouts a second"
    yield Figure("two listeners with workers, PostgreSQL", "one", ratio(pairs), 1.5, at_least=True, note=note)


def _seconds_to_pay_all(bench: Bench, url: str, size: Size, listeners: int) -> float:
    ports = [free_port() for _ in range(listeners)]
    with mpesa(bench, ANSWER_SECONDS) as address, ExitStack() as stack:
        environment = bench.environment(url, address, AUTO_DISBURSEMENT="true")
        for port in ports:
            stack.enter_context(server([bench.rentpay, "serve-callbacks", "--port", port], environment, port))
        began = time.perf_counter()
        load(bench, ports, requests=[*databases.stored_requests(size)])
        while _seen(address)["payments"] < size.asked:
            if time.perf_counter() - began > 300:
                raise RuntimeError(f"After 300 s only {_seen(address)} of {size.asked} are paid")
            time.sleep(0.02)
        took = time.perf_counter() - began
    _check_each_paid_once(url, size)
    return took


def _check_each_paid_once(url: str, size: Size) -> None:
    import psycopg

    with psycopg.connect(url.replace("+psycopg", "", 1)) as connection:
        told = connection.execute(
            "SELECT count(*), count(DISTINCT a.disbursement_id), count(DISTINCT m.payable_id) FROM attempt a"
            " JOIN disbursement_member m ON m.disbursement_id = a.disbursement_id"
            " WHERE a.direction = 'payout' AND a.disbursement_id >= %s",
            (databases.first_transfer(size),),
        ).fetchone()
    if told != (size.asked, size.asked, size.asked):
        raise RuntimeError(f"Each of {size.asked} owners should have been paid once: {told}")
