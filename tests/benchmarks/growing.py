"""Callbacks turned into knowledge, and what each step costs as the history grows."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from tests.benchmarks import databases
from tests.benchmarks.databases import Size
from tests.benchmarks.reading import million
from tests.benchmarks.shared import Bench, Figure, ratio


def callbacks_into_knowledge(bench: Bench) -> Iterator[Figure]:
    """Stored callbacks per second that the worker reads, a few in a transaction, in blocks of a hundred.

    Against bare SQL that changes the same rows of a copy of the database, each callback in a durable transaction of
    its own, and decides nothing.
    """
    blocks, size = bench.few_or(30, few=2), bench.few_or(100, few=20)
    stored = (blocks + 1) * size
    history = Size(bench.few_or(10_000, few=300), asked=stored, unread=stored)
    ours, raw = (databases.copy(bench, "knowledge", history) for _ in range(2))
    pairs = [(theirs, ours) for ours, theirs in bench.inside("knowledge", ours, raw, blocks, size)]
    note = f"{size / ratio([(ours, 1) for _, ours in pairs]):,.0f} a second"
    yield Figure(
        "callbacks turned into knowledge", "raw transactions, one each", ratio(pairs), 0.4, at_least=True, note=note
    )


def cost_as_the_database_grows(bench: Bench) -> Iterator[Figure]:
    """Each step inside a running process, with M-Pesa answering at once, on 1,000,000 payments against 10,000.

    Both databases have the same open work and are in memory, so that what is compared is what the history costs, and
    not the disk. `status` looks at a payment anywhere in it. Retrying a failed payout is not in the list of limits, but
    belongs to the journey.
    """
    small = databases.sqlite(bench, "small", Size(bench.few_or(10_000, few=1_000), failed=1_000))
    large = million(bench)
    for path in (small, large):
        subprocess.run(["cksum", path], stdout=subprocess.DEVNULL, check=True)
    for name, pairs in bench.inside("growth", small, large, bench.few_or(100, few=5)).items():
        note = f"{ratio([(big, 1) for big, _ in pairs]) * 1000:.2f} ms"
        yield Figure(f"{name}, 1,000,000 payments", "10,000 payments", ratio(pairs), 1.3, note=note)
