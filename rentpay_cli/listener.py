"""Store each callback and say thank you; nothing else.

M-Pesa may not send a callback again, so that the body is stored durably before it is answered, whatever it is. What
cannot be stored is answered with a 5xx. Callbacks that arrive together are committed together: one writer takes all
that wait and answers them all, which also keeps many connections from fighting for SQLite's one write lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeAlias

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.auto import AutoHTTPProtocol

MAX_BODY_BYTES = 64 * 1024
MAX_TOKEN_LENGTH = 128
BODY_SECONDS = 15
FIRST_REQUEST_SECONDS = 15
LARGEST_BATCH = 500
MAX_CONNECTIONS = 1000

Arrival: TypeAlias = tuple[str, str | None, str | None, bytes]
"""Which address, the token in it, the source address, the body."""
Append: TypeAlias = Callable[[Sequence[Arrival]], None]

_THANKS = {"ResultCode": 0, "ResultDesc": "Accepted"}
_NOT_STORED = {"ResultCode": 1, "ResultDesc": "Not stored, please send again"}


class GroupWriter:
    """Hands waiting arrivals to `append`, many in one call, and tells each when it is safely stored."""

    def __init__(self, append: Append) -> None:
        self._append = append
        self._waiting: list[tuple[Arrival, asyncio.Future[None]]] = []
        self._running: asyncio.Task[None] | None = None

    async def store(self, arrival: Arrival) -> None:
        """Return once the arrival is durable; raises what `append` raises."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, stored))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._drain())
        await stored

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
            try:
                await asyncio.to_thread(self._append, [arrival for arrival, _ in batch])
            except Exception as error:
                for _, stored in batch:
                    if not stored.done():
                        stored.set_exception(error)
            else:
                for _, stored in batch:
                    if not stored.done():
                        stored.set_result(None)


def build_app(
    append: Append,
    *,
    on_error: Callable[[Exception], None],
    health: Callable[[], tuple[bool, dict[str, Any]]],
    metrics: Callable[[], str | None] = lambda: None,
) -> Starlette:
    """The callback addresses, `/healthz` and `/metrics`; `health` says whether the whole process is well.

    `metrics` gives Prometheus' text, or None while there is none to be had; only this machine itself may ask for it.
    """
    writer = GroupWriter(append)

    async def callback(request: Request, path: str) -> Response:
        token = request.path_params.get("token")
        if token is not None and len(token) > MAX_TOKEN_LENGTH:
            token = token[:MAX_TOKEN_LENGTH]  # not ours anyway
        body = await _read_body(request)
        if isinstance(body, Response):
            return body
        source = request.client.host if request.client else None
        try:
            await writer.store((path, token, source, body))
        except Exception as error:  # whatever it was, the sender must know that nothing was stored
            on_error(error)
            return JSONResponse(_NOT_STORED, status_code=503)
        return JSONResponse(_THANKS)

    async def collection(request: Request) -> Response:
        return await callback(request, "collection")

    async def payout(request: Request) -> Response:
        return await callback(request, "payout")

    async def timeout(request: Request) -> Response:
        return await callback(request, "timeout")

    async def healthz(_: Request) -> Response:
        well, details = await asyncio.to_thread(health)
        return JSONResponse(details, status_code=200 if well else 503)

    app = Starlette(
        routes=[
            Route("/api/payments/callback", collection, methods=["POST"]),
            Route("/api/payments/callback/{token}", collection, methods=["POST"]),
            Route("/api/payments/b2b-callback", payout, methods=["POST"]),
            Route("/api/payments/b2b-callback/{token}", payout, methods=["POST"]),
            Route("/api/payments/b2b-callback/{token}/timeout", timeout, methods=["POST"]),
            Route("/healthz", healthz, methods=["GET"]),
            Route("/metrics", _told_here(metrics), methods=["GET"]),
        ]
    )
    app.router.redirect_slashes = False
    return app


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


async def _read_body(request: Request) -> bytes | Response:
    """The body, bounded in size and time; or the refusal."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        return _refusal(413, "The body is too large")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    return _refusal(413, "The body is too large")
    except TimeoutError:
        return _refusal(408, "The body took too long")
    except ClientDisconnect:
        return _refusal(400, "The body is incomplete")
    return bytes(body)


def _refusal(status: int, text: str) -> Response:
    return JSONResponse({"ResultCode": 1, "ResultDesc": text}, status_code=status, headers={"Connection": "close"})


class _Impatient(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's protocol, closing connections that never get as far as a request: they count as connections, too."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.loop.call_later(FIRST_REQUEST_SECONDS, self._close_unless_asked)

    def _close_unless_asked(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


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


def serve(app: Starlette, bound: socket.socket, trusted_proxies: Sequence[str]) -> None:
    """Serve until SIGINT or SIGTERM, and answer what is in hand before returning."""
    config = uvicorn.Config(
        app,
        http=_Impatient,
        ws="none",
        access_log=False,
        log_config=None,
        lifespan="off",
        server_header=False,
        date_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=20,
    )
    _Server(config).run(sockets=[bound])
