"""Running a simulator: in the foreground for a person, or in a background thread for a test or a demo."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from rentpay_cli.simulator import keys as key_pairs
from rentpay_cli.simulator.app import Connections, build
from rentpay_cli.simulator.delivery import Courier
from rentpay_cli.simulator.options import Options
from rentpay_cli.simulator.world import World

START_SECONDS = 10.0
BACKLOG = 1024


class CannotListen(Exception):
    """The address cannot be listened on; the message is a sentence."""


@dataclass(frozen=True)
class Started:
    """A simulator that is listening."""

    base_url: str
    environment: dict[str, str]
    """The settings of a client that wants to talk to it."""
    world: World


def run(options: Options, *, announce: Callable[[Started], None]) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises CannotListen, BadKeys or BadFault, all before serving."""
    world = _world(options)
    listening = _listen(options.host, options.port)
    with contextlib.closing(listening):
        server = _server(world)
        with _stopped_by_signals(server):
            announce(_started(world, listening))
            server.run(sockets=[listening])


@contextlib.contextmanager
def running(options: Options | None = None) -> Iterator[Started]:
    """Serve on a free loopback port in the background, and stop when the block ends."""
    options = replace(options or Options(), host="127.0.0.1", port=0)
    world = _world(options)
    listening = _listen(options.host, options.port)
    with contextlib.closing(listening):
        server = _server(world)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="rentpay-simulator")
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield _started(world, listening)
        finally:
            server.should_exit = True
            thread.join()


def environment_of(options: Options, keys: key_pairs.Keys, port: int) -> dict[str, str]:
    """What a client's `.env` must say to use this simulator."""
    callbacks = f"http://127.0.0.1:{options.callback_port}/api/payments"
    return {
        "MPESA_ENVIRONMENT": "simulator",
        "MPESA_BASE_URL": base_url_of(options.host, port),
        "MPESA_CONSUMER_KEY": options.consumer_key or "simulator-key",
        "MPESA_CONSUMER_SECRET": options.consumer_secret or "simulator-secret",
        "MPESA_BUSINESS_SHORT_CODE": options.short_code,
        "MPESA_PASSKEY": options.passkey,
        "MPESA_CALLBACK_URL": f"{callbacks}/callback",
        "MPESA_INITIATOR_NAME": options.initiator_name,
        "MPESA_SECURITY_CREDENTIAL": keys.encrypt(options.initiator_password),
        "MPESA_B2B_CALLBACK_URL": f"{callbacks}/b2b-callback",
        "MPESA_TIMEOUT_URL": f"{callbacks}/b2b-callback",
        "MPESA_CERTIFICATE": str(keys.certificate_path),
    }


def base_url_of(host: str, port: int) -> str:
    """The address that a client on this machine uses."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - recognising, not binding
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """uvicorn, with signals left to `run` and pauses ended before it waits for the requests in flight."""

    couriers: list[Courier]

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for courier in self.couriers:
            courier.stop_waiting()
        await super().shutdown(sockets)


def _server(world: World) -> _Server:
    connections, couriers = Connections(), list[Courier]()
    server = _Server(served(build(world, couriers, connections), connections))
    server.couriers = couriers
    return server


def served(app: ASGIApp, connections: Connections) -> uvicorn.Config:
    """How the application of a simulator is served."""
    return uvicorn.Config(
        app,
        http=_counted(connections),
        ws="none",
        lifespan="on",
        log_config=None,
        log_level=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=2,
        backlog=BACKLOG,
    )


def _counted(connections: Connections) -> type[asyncio.Protocol]:
    """uvicorn's protocol, noting each connection so that it can be cut."""

    class Counted(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
        def connection_made(self, transport: asyncio.Transport) -> None:
            self._peer = transport.get_extra_info("peername")
            connections.transports[self._peer[:2]] = transport
            super().connection_made(transport)

        def connection_lost(self, error: Exception | None) -> None:
            connections.transports.pop(self._peer[:2], None)
            super().connection_lost(error)

    return Counted


def _world(options: Options) -> World:
    return World(options, key_pairs.load_or_make(options.home or key_pairs.default_home()))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        # asyncio and the socket module put words of their own around what the system says
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise CannotListen(f"Cannot listen on {host} port {port}: {reason}.") from error


def _started(world: World, listening: socket.socket) -> Started:
    port = int(listening.getsockname()[1])
    environment = environment_of(world.options, world.keys, port)
    return Started(environment["MPESA_BASE_URL"], environment, world)


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise CannotListen("The simulator did not start.")
        time.sleep(0.002)


@contextlib.contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the simulator in order; a second one ends it at once."""

    def stop(number: int, frame: object) -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[signal.Signals, Any] = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
