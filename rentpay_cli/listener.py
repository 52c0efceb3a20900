"""Store each callback and say thank you; nothing else.

M-Pesa may not send a callback again, so that the body is stored durably before it is answered, whatever it is. What
cannot be stored is answered with a 5xx. Callbacks that arrive together are committed together: one writer takes all
that wait and answers them all, which also keeps many connections from fighting for SQLite's one write lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import heapq
import ipaddress
import re
import resource
import signal
import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, TypeAlias

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

MAX_BODY_BYTES = 64 * 1024
MAX_TOKEN_LENGTH = 128
MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100
MAX_SENT_BODY_BYTES = 512 * 1024
"""A body with everything around it: the sizes of its chunks, and what may follow them."""
MAX_PIPELINED = 16
MAX_SOURCE_LENGTH = 64
BODY_SECONDS = 15
FIRST_REQUEST_SECONDS = 15
KEEP_ALIVE_SECONDS = 15
ANSWER_SECONDS = 120
"""Longer than a database may be locked: whoever reads the answer this slowly does not want it."""
LARGEST_BATCH = 500
QUIET_TURNS = 3
MAX_CONNECTIONS = 1000
ROOM_AFTER_SECONDS = 1.0
"""For how long there may be more connections than that, so that a new one has time to say what it wants."""
MOST_CONNECTIONS = 3 * MAX_CONNECTIONS
OPEN_FILES = 4 * MAX_CONNECTIONS

Arrival: TypeAlias = tuple[str, str | None, str | None, bytes]
"""Which address, the token in it, the source address, the body."""
Append: TypeAlias = Callable[[Sequence[Arrival]], None]
AppendAtOnce: TypeAlias = Callable[[Sequence[Arrival]], bool]
"""Stores them if nobody else is writing, and otherwise says at once that it did not."""
Told: TypeAlias = Callable[[Exception | None], None]
"""Is told that an arrival is durable, or why it is not."""


class GroupWriter:
    """Stores waiting arrivals, many in one call, and tells each when it is safely stored.

    They are stored by `at_once` on the event loop, which must not wait for a lock; if somebody else is writing, by
    `append` in a thread.
    """

    def __init__(self, append: Append, at_once: AppendAtOnce = lambda _: False) -> None:
        self._append = append
        self._at_once = at_once
        self._waiting: list[tuple[Arrival, Told]] = []
        self._running: asyncio.Task[None] | None = None

    def put(self, arrival: Arrival, told: Told) -> None:
        """Store the arrival soon."""
        self._waiting.append((arrival, told))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._drain())

    async def store(self, arrival: Arrival) -> None:
        """Return once the arrival is durable; raises what `append` raises."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def told(error: Exception | None) -> None:
            if stored.done():
                return  # nobody waits for it any more
            if error is None:
                stored.set_result(None)
            else:
                stored.set_exception(error)

        self.put(arrival, told)
        await stored

    @contextlib.asynccontextmanager
    async def lifespan(self, _: object) -> AsyncIterator[None]:
        """The server's life, at whose end all that waits is stored, also for senders who are gone."""
        yield
        if self._running is not None:
            await self._running

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            await self._let_come()
            batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
            error = await self._stored([arrival for arrival, _ in batch])
            for _, told in batch:
                loop.call_soon(told, error)

    async def _stored(self, arrivals: list[Arrival]) -> Exception | None:
        """Store them; why they are not stored, if they are not."""
        try:
            if not self._at_once(arrivals):
                await asyncio.to_thread(self._append, arrivals)
        except Exception as error:
            return error
        return None

    async def _let_come(self) -> None:
        """Wait as long as more arrivals come with every few turns of the event loop, so that they are stored together.

        To store some while others come is slower, because each time has its own price: at 32 connections 13,400 a
        second instead of 17,000, and 67 instead of 54 µs of processor time for each.
        """
        seen = 0
        while seen < len(self._waiting) < LARGEST_BATCH:
            seen = len(self._waiting)
            for _ in range(QUIET_TURNS):
                await asyncio.sleep(0)


_ADDRESS = re.compile(r"/api/payments/(b2b-)?callback(?:/([^/]+)(?(1)(/timeout)?))?")
_THANK_YOU = JSONResponse({"ResultCode": 0, "ResultDesc": "Accepted"})
_NOT_STORED = JSONResponse({"ResultCode": 1, "ResultDesc": "Not stored, please send again"}, status_code=503)
_ONLY_POST = PlainTextResponse("Method Not Allowed", status_code=405, headers={"Allow": "POST"})


def build_app(
    append: Append,
    *,
    at_once: AppendAtOnce = lambda _: False,
    on_error: Callable[[Exception], None],
    health: Callable[[], tuple[bool, dict[str, Any]]],
    metrics: Callable[[], str | None] = lambda: None,
) -> ASGIApp:
    """The callback addresses, `/healthz` and `/metrics`; `health` says whether the whole process is well.

    `metrics` gives Prometheus' text, or None while there is none to be had; only this machine itself may ask for it.
    """
    writer = GroupWriter(append, at_once)

    async def healthz(_: Request) -> Response:
        well, details = await asyncio.to_thread(health)
        return JSONResponse(details, status_code=200 if well else 503)

    others = Starlette(
        routes=[
            Route("/healthz", healthz, methods=["GET"]),
            Route("/metrics", _told_here(metrics), methods=["GET"]),
        ],
        lifespan=writer.lifespan,
    )
    others.router.redirect_slashes = False

    def answer_to(error: Exception | None) -> Response:
        if error is None:
            return _THANK_YOU
        on_error(error)  # whatever it was, the sender must know that nothing was stored
        return _NOT_STORED

    async def store(address: re.Match[str], scope: Scope, body: bytes) -> Response:
        try:
            await writer.store(_arrival(address, scope, body))
        except Exception as error:
            return answer_to(error)
        return answer_to(None)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # Callbacks pass Starlette by: its routes, middleware and request took almost half of the processor time that a
        # callback takes here, 85 µs with them and 46 µs without.
        address = _ADDRESS.fullmatch(scope.get("path", ""))  # there is none to the server's own life
        if address is None:
            answer: ASGIApp = others
        elif scope["method"] != "POST":
            answer = _ONLY_POST
        elif whole := scope.get("state", {}).pop(_WHOLE, None):  # or its body would stay until garbage is collected
            body, reply = whole
            writer.put(_arrival(address, scope, body), lambda error: reply(answer_to(error)))
            return
        else:
            read = await _read_body(scope, receive)
            answer = read if isinstance(read, Response) else await store(address, scope, read)
        await answer(scope, receive, send)

    return app


_WHOLE = "whole callback"
"""Under this name the state of a request has, if all of it came at once, its body and whom to give the answer."""


def _arrival(address: re.Match[str], scope: Scope, body: bytes) -> Arrival:
    payout, token, timeout = address.groups()
    if token is not None and len(token) > MAX_TOKEN_LENGTH:
        token = token[:MAX_TOKEN_LENGTH]  # not ours anyway
    path = "timeout" if timeout else "payout" if payout else "collection"
    client = scope["client"]
    return path, token, client[0][:MAX_SOURCE_LENGTH] if client else None, body


def _told_here(metrics: Callable[[], str | None]) -> Callable[[Request], Awaitable[Response]]:
    """The address of the metrics, which answers nobody but this machine."""

    async def tell(request: Request) -> Response:
        if not _is_from_here(request):
            return PlainTextResponse("Only this machine itself may ask for metrics.\n", status_code=403)
        text = await asyncio.to_thread(metrics)
        if text is None:
            return PlainTextResponse("There are no metrics now.\n", status_code=503)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return tell


_PASSED_ON = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""What a reverse proxy on this machine adds to a request that came from elsewhere."""


def _is_from_here(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _PASSED_ON):
        return False
    try:
        address = ipaddress.ip_address(request.client.host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


async def _read_body(scope: Scope, receive: Receive) -> bytes | Response:
    """The body, bounded in size and time; or the refusal."""
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        return _refusal(413, "The body is too large")
    body = bytearray()
    more_body = True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more_body:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return _refusal(400, "The body is incomplete")
                body += message.get("body", b"")
                more_body = message.get("more_body", False)
                if len(body) > MAX_BODY_BYTES:
                    return _refusal(413, "The body is too large")
    except TimeoutError:
        return _refusal(408, "The body took too long")
    return bytes(body)


def _refusal(status: int, text: str) -> Response:
    return JSONResponse({"ResultCode": 1, "ResultDesc": text}, status_code=status, headers={"Connection": "close"})


class _Impatient(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's protocol with a deadline and a size for each stage of a connection, and a limit on their number.

    The stages: no request yet, a body that comes, an answer that is owed, answered. Bytes that trickle in do not move
    the deadline; only the next stage does. When there are too many connections, those go that have kept us waiting
    longest, so that somebody who opens thousands does not lock out a callback.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to watch, and make room if there are too many now."""
        super().connection_made(transport)
        self._unanswered: deque[Any] = deque()
        self._stage: object = None
        self._stage_bytes = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._rings_at = float("inf")
        self._is_reading = False
        self._held_back: tuple[Any, ASGIApp] | None = None  # one at most: uvicorn keeps those behind it itself
        self._watch()
        if len(self.connections) > MOST_CONNECTIONS:
            self._make_room()
        else:
            self.loop.call_later(ROOM_AFTER_SECONDS, self._make_room)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching."""
        if self._alarm is not None:
            self._alarm.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, unless this stage has had enough."""
        self._stage_bytes += len(data)
        self._is_reading = True
        super().data_received(data)
        self._is_reading = False
        if self._held_back is not None:
            self._begin(*self._held_back)
        self._watch()
        limit = MAX_SENT_BODY_BYTES if self._body_comes else MAX_HEAD_BYTES
        if self._stage_bytes > limit and not self._owes_an_answer:
            self._cut_off()

    def _start_asgi_task(self, cycle: Any, app: ASGIApp) -> None:
        """Begin with a request, but not before all is read that came with its head (httptools calls this)."""
        if self._is_reading:
            self._held_back = cycle, app
        else:
            self._begin(cycle, app)

    def _begin(self, cycle: Any, app: ASGIApp) -> None:
        """Hand a whole callback over at once, and everything else to a task, as uvicorn does.

        Without a task for each, the messages of ASGI and an answer that is written in two parts, a callback takes 82 µs
        of processor time instead of 102.
        """
        self._held_back = None
        scope = cycle.scope
        is_whole = not (cycle.more_body or cycle.waiting_for_100_continue or cycle.disconnected)
        is_callback = scope["method"] == "POST" and _ADDRESS.fullmatch(scope["path"])
        if not (is_whole and is_callback) or len(cycle.body) > MAX_BODY_BYTES or self.flow.write_paused:
            super()._start_asgi_task(cycle, app)
            return
        scope["state"][_WHOLE] = bytes(cycle.body), functools.partial(self._answer, cycle)
        _run_at_once(app(scope, cycle.receive, cycle.send))

    def _answer(self, cycle: Any, response: Response) -> None:
        """Answer a callback that was handed over at once."""
        if cycle.disconnected or self.transport.is_closing():
            return
        cycle.response_started = cycle.response_complete = True
        self.transport.write(_as_bytes(response, cycle.keep_alive))
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, but none that follow a body."""
        if self._body_comes:
            return
        if len(self.headers) >= MAX_HEADERS:
            raise ValueError("there are too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Take the head; httptools calls this, and makes a refusal of what it raises (h11 has limits of its own)."""
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES:
            raise ValueError("the head is too large")
        if len(self._unanswered) > MAX_PIPELINED:
            raise ValueError("too many requests wait for an answer")
        super().on_headers_complete()
        self._unanswered.append(self.cycle)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; while an answer is owed, the refusal would be taken for it."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._cut_off()
        else:
            super().send_400_response(msg)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        if self._unanswered:
            self._unanswered.popleft()
        super().on_response_complete()
        self._watch()

    @property
    def _body_comes(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete and self.cycle.more_body

    @property
    def _owes_an_answer(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body

    def _watch(self) -> None:
        stage = (self.cycle, self._body_comes, self._owes_an_answer)
        if stage == self._stage:
            return
        self._stage, self._stage_bytes, self._stage_since = stage, 0, self.loop.time()
        self._deadline = self._stage_since + self._patience_seconds()
        if self._deadline < self._rings_at:
            self._set_alarm()

    def _set_alarm(self) -> None:
        """Look again at the deadline of this stage; one that is only put off later leaves the alarm as it is."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._rings_at = self._deadline
        self._alarm = self.loop.call_at(self._rings_at, self._ring)

    def _ring(self) -> None:
        if self.loop.time() < self._deadline:
            self._set_alarm()
        else:
            self._cut_off()

    def _patience_seconds(self) -> float:
        if self.cycle is None:
            return FIRST_REQUEST_SECONDS
        if self._body_comes:
            return BODY_SECONDS + 5  # the refusal in words comes first
        return ANSWER_SECONDS if self._owes_an_answer else KEEP_ALIVE_SECONDS + FIRST_REQUEST_SECONDS

    def _make_room(self) -> None:
        """Cut off as many as there are too many, those first that kept us waiting longest."""
        too_many = len(self.connections) - MAX_CONNECTIONS
        if too_many <= 0:
            return
        grace_seconds = ROOM_AFTER_SECONDS if len(self.connections) <= MOST_CONNECTIONS else 0
        began_before = self.loop.time() - grace_seconds
        waiting = [other for other in self.connections if other._kept_waiting_since(began_before)]
        for slowest in heapq.nsmallest(too_many, waiting, key=lambda other: other._stage_since):
            slowest._cut_off()
            self.connections.discard(slowest)  # counted no longer: uvicorn is told of its end only later

    def _kept_waiting_since(self, moment: float) -> bool:
        return not self._owes_an_answer and self._stage_since <= moment

    def _cut_off(self) -> None:
        for cycle in self._unanswered:
            cycle.disconnected = True  # what still works on an answer stops, instead of writing to nobody
        self.transport.abort()


def _run_at_once(call: Awaitable[None]) -> None:
    """Run without a task what in truth waits for nothing.

    `app` only hands a whole callback on, and uvicorn's layer for trusted proxies only changes the scope.
    """
    try:
        next(call.__await__())
    except StopIteration:
        return
    raise RuntimeError("it waits for something")


@functools.cache
def _as_bytes(response: Response, keep_alive: bool) -> bytes:
    """The whole answer, as it is written to a connection."""
    lines = [b"HTTP/1.1 %d %s" % (response.status_code, HTTPStatus(response.status_code).phrase.encode())]
    lines += [name + b": " + value for name, value in response.raw_headers]
    lines += [] if keep_alive else [b"connection: close"]
    return b"\r\n".join([*lines, b"", bytes(response.body)])


class _Server(uvicorn.Server):
    """uvicorn, except that a signal to stop ends `serve` quietly instead of killing the process afterwards."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {name: signal.signal(name, self.handle_exit) for name in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)


def listen_on(host: str, port: int) -> socket.socket:
    """Bind the address; raises `OSError` if it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048, reuse_port=False)


def _allow_open_files() -> None:
    """Ask for room for all connections: without it, a crowd of them keeps the database from opening its files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def serve(app: ASGIApp, bound: socket.socket, trusted_proxies: Sequence[str]) -> None:
    """Serve until SIGINT or SIGTERM, and answer what is in hand before returning."""
    _allow_open_files()
    # What is there by now stays: without this, the collector looks through all of it now and then, and callbacks wait
    # for it, the longest for 69 ms instead of 9.
    gc.freeze()
    config = uvicorn.Config(
        app,
        http=_Impatient,
        ws="none",
        access_log=False,
        log_config=None,
        lifespan="on",
        server_header=False,
        date_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=20,
    )
    _Server(config).run(sockets=[bound])
