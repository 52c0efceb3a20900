"""Carrying results to the client's addresses: once, beside everything else, and never fatally."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from rentpay_cli.simulator.world import log

TIMEOUT_SECONDS = 5.0
AT_ONCE = 100  # more wait their turn, so that a client that never answers cannot use up our sockets


@dataclass(frozen=True)
class Errand:
    """Something to tell a client. `write` settles what is still open, then returns the body."""

    what: str
    url: str
    write: Callable[[], bytes]
    copies: int = 1
    early: bool = False
    """Told before the request itself is answered."""


class Courier:
    """Delivers errands in the background of one event loop."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(TIMEOUT_SECONDS, pool=None),
            # No kept connections: an idle one that the client closes at the wrong moment would lose a result.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
        )
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._closing = asyncio.Event()
        self._under_way = set[asyncio.Task[None]]()

    async def send(self, errand: Errand, delay_seconds: float) -> None:
        """Deliver now if the errand is early; otherwise after the delay, without waiting for it."""
        if errand.early:
            await self._deliver(errand)
        else:
            self._in_background(self._deliver_later(errand, delay_seconds))

    async def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end of the simulator."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            pass

    def stop_waiting(self) -> None:
        """End every pause: the simulator is about to stop."""
        self._closing.set()

    async def close(self) -> None:
        """Give up what is under way and close the connections."""
        self.stop_waiting()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._client.aclose()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _deliver_later(self, errand: Errand, delay_seconds: float) -> None:
        await asyncio.sleep(delay_seconds)
        await self._deliver(errand)

    async def _deliver(self, errand: Errand) -> None:
        body = errand.write()
        if not errand.copies:
            log.info("%s: result kept back, by order", errand.what)
        await asyncio.gather(*(self._post(errand, body) for _ in range(errand.copies)))

    async def _post(self, errand: Errand, body: bytes) -> None:
        # Only the host is logged: the path may hold a secret of the client's.
        host = urlsplit(errand.url).netloc.rpartition("@")[2]
        try:
            async with self._turns:
                answer = await self._client.post(errand.url, content=body, headers={"Content-Type": "application/json"})
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            log.warning("%s: result not delivered to %s: %s", errand.what, host, type(error).__name__)
        else:
            log.info("%s: result delivered to %s, answered %s", errand.what, host, answer.status_code)


def as_bytes(body: object) -> bytes:
    """JSON as it goes over the wire."""
    return json.dumps(body, separators=(",", ":")).encode()
