"""Group commit: what arrives while others are being stored is stored together, in one transaction.

One at a time writes, so that many connections do not fight for SQLite's one lock, and each waits for its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

Thing = TypeVar("Thing")

LARGEST_BATCH = 500
QUIET_TURNS = 3
"""After so many turns of the event loop in which nothing more has come, what has come is stored: a transaction has its
own price, whatever is in it, and those who were answered together send their next together."""


class GroupCommit(Generic[Thing]):
    """Stores things with `append`, which is called in a thread with many at once: it makes them durable, or raises."""

    def __init__(self, append: Callable[[Sequence[Thing]], None]) -> None:
        self._append = append
        self._coming: list[Thing] = []
        self._storing: asyncio.Task[None] | None = None

    async def store(self, thing: Thing) -> None:
        """Return once it is durable; raises what `append` raises. Who waits no more keeps no other from waiting."""
        if self._storing is None or not 0 < len(self._coming) < LARGEST_BATCH:
            self._coming = []
            storing = self._store(self._coming, self._storing)
            self._storing = asyncio.create_task(storing, context=Context())  # it holds on to nobody's own
        self._coming.append(thing)
        await asyncio.shield(self._storing)

    async def _store(self, batch: list[Thing], before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        seen = 0
        while seen < len(batch):
            seen = len(batch)
            for _ in range(QUIET_TURNS):
                await asyncio.sleep(0)
        if batch is self._coming:
            self._coming = []
        await asyncio.to_thread(self._append, batch)
