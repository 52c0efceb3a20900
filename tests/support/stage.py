"""The stage for all worlds of a process: one simulator's server and one listener, on which they play one after another.

To start the two and to stop them takes half a second, a hundred times as long as most of what is played. Whoever plays
has an M-Pesa of its own, with books in which nothing stands yet; what was still on its way when it went is not told.
"""

from __future__ import annotations

import asyncio
import http.client
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from rentpay_cli.service.listener import listen_on
from rentpay_cli.simulator.app import Connections, build
from rentpay_cli.simulator.delivery import Courier
from rentpay_cli.simulator.keys import Keys, load_or_make
from rentpay_cli.simulator.options import Options
from rentpay_cli.simulator.server import Started, base_url_of, environment_of, served
from rentpay_cli.simulator.world import World
from tests.support.world import listening

PATIENCE_SECONDS = 10.0
HOST = "127.0.0.1"

Append = Callable[[Any], None]
T = TypeVar("T")


class Simulators:
    """Simulators that follow each other at one address, under one key pair."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.connections = Connections()
        self.port = 0
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._app: ASGIApp | None = None
        self._under_way = set[asyncio.Task[Any] | None]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the one that plays answer."""
        if scope["type"] == "lifespan":
            self._loop.set_result(asyncio.get_running_loop())
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        assert self._app is not None, "nobody plays"
        self._under_way.add(asyncio.current_task())
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way.discard(asyncio.current_task())

    @contextmanager
    def playing(self, options: Options) -> Iterator[Started]:
        """A new simulator, until the block ends."""
        world, couriers, life = World(options, self.keys), list[Courier](), AsyncExitStack()
        app = build(world, couriers, self.connections)
        self._on_the_loop(life.enter_async_context(app.router.lifespan_context(app)))
        environment = environment_of(options, self.keys, self.port)
        self._app = app
        try:
            yield Started(base_url_of(HOST, self.port), environment, world)
        finally:
            self._app = None
            self._on_the_loop(self._end(life, couriers))

    async def _end(self, life: AsyncExitStack, couriers: list[Courier]) -> None:
        for courier in couriers:
            courier.stop_waiting()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self._under_way:
                await asyncio.sleep(0.001)
        await life.aclose()

    def _on_the_loop(self, work: Coroutine[Any, Any, T]) -> T:
        loop = self._loop.result(PATIENCE_SECONDS)
        return asyncio.run_coroutine_threadsafe(work, loop).result(2 * PATIENCE_SECONDS)


@contextmanager
def serving(home: Path) -> Iterator[Simulators]:
    """A server for simulators, whose key pair is in the folder."""
    simulators = Simulators(load_or_make(home))
    server = uvicorn.Server(served(simulators, simulators.connections))
    with listen_on(HOST, 0) as bound:
        simulators.port = int(bound.getsockname()[1])
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.002)
        yield simulators
        server.should_exit = True
        thread.join()


class Stage:
    """The simulators, and a listener that stores for whoever plays."""

    def __init__(self, simulators: Simulators) -> None:
        self.simulators = simulators
        self.listener_url = ""
        self._append: Append | None = None
        self._turn = threading.Lock()
        self._errors: list[Exception] = []

    def store(self, arrivals: Any) -> None:
        """Store what arrived where whoever plays wants it; when nobody does, nowhere."""
        with self._turn:
            if self._append is None:
                return
            try:
                self._append(arrivals)
            except Exception as error:
                self._errors.append(error)
                raise

    @contextmanager
    def playing(self, options: Options, append: Append) -> Iterator[Started]:
        """A new simulator, and the listener at one's disposal, until the block ends."""
        self._append = append
        try:
            with self.simulators.playing(options) as started:
                yield started
        finally:
            with self._turn:
                self._append = None
            self._let_all_arrive()
            errors, self._errors = self._errors, []
        assert errors == [], errors

    @property
    def listener_address(self) -> tuple[str, int]:
        """Where the listener is, for a socket."""
        return HOST, int(self.listener_url.rpartition(":")[2])

    def _let_all_arrive(self) -> None:
        """Wait until the listener has answered one more callback: what came before is then through, too."""
        connection = http.client.HTTPConnection(*self.listener_address, timeout=PATIENCE_SECONDS)
        connection.request("POST", "/api/payments/callback", b"{}")
        assert connection.getresponse().status == 200
        connection.close()


@contextmanager
def built(simulators: Simulators) -> Iterator[Stage]:
    """The stage, with its listener running."""
    stage = Stage(simulators)
    with listening(stage.store) as stage.listener_url:
        yield stage
