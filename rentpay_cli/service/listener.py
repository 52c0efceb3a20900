"""Store each callback and say thank you; nothing else.

M-Pesa may not send a callback again, so that the body is stored durably before it is answered, whatever it is. What
cannot be stored is answered with a 503.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from rentpay_cli.service.patience import MAX_HEAD_BYTES, MAX_WAITING, Connection, Patience

MAX_BODY_BYTES = 64 * 1024
MAX_HEADERS = 100
MAX_SOURCE_LENGTH = 64
BODY_SECONDS = KEEP_ALIVE_SECONDS = 15
STOP_SECONDS = 40  # longer than a transaction waits for a database that is locked

Arrival: TypeAlias = tuple[str, str | None, str | None, bytes]
"""Which address, the token in it, the source address, the body."""
StoreBytes: TypeAlias = Callable[[Arrival], Awaitable[None]]
"""Returns once the arrival is durable, and raises if it is not."""

_ADDRESS = re.compile(r"/api/payments/(b2b-)?callback(?:/([^/]+)(?(1)(/timeout)?))?")
_THANK_YOU = JSONResponse({"ResultCode": 0, "ResultDesc": "Accepted"})
_NOT_STORED = JSONResponse({"ResultCode": 1, "ResultDesc": "Not stored, please send again"}, status_code=503)
_ONLY_POST = PlainTextResponse("Method Not Allowed", status_code=405, headers={"Allow": "POST"})


def build_app(store_bytes: StoreBytes, is_well: Callable[[], tuple[bool, dict[str, Any]]], *more: Route) -> ASGIApp:
    """The callback addresses; `/healthz`, where `is_well` says it of the whole process, with details; and `more`."""

    async def healthz(_: Request) -> Response:
        well, details = await asyncio.to_thread(is_well)
        return JSONResponse(details, status_code=200 if well else 503)

    others = Starlette(routes=[Route("/healthz", healthz), *more])

    async def answer_to(scope: Scope, receive: Receive) -> ASGIApp:
        # Callbacks pass Starlette by, whose routes and request would take as long as all the rest.
        body = _refused_head(scope) or await _read_body(receive)
        if isinstance(body, Response):
            return body
        address = _ADDRESS.fullmatch(scope["path"])
        if address is None or scope["method"] != "POST":
            return _ONLY_POST if address else others
        payout, token, timeout = address.groups()
        kind = "timeout" if timeout else "payout" if payout else "collection"
        source = scope["client"][0][:MAX_SOURCE_LENGTH] if scope["client"] else None
        try:
            await store_bytes((kind, token, source, body))
        except Exception:  # whatever it was, the sender must know that nothing was stored
            return _NOT_STORED
        return _THANK_YOU

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answer = await answer_to(scope, receive)
        await answer(scope, receive, send)

    return app


def _refused_head(scope: Scope) -> Response | None:
    headers, url = scope["headers"], scope["raw_path"] + scope["query_string"]
    if len(headers) > MAX_HEADERS or len(url) + sum(len(name) + len(value) for name, value in headers) > MAX_HEAD_BYTES:
        return _refusal(431, "The head is too large")
    values = dict(headers)
    if b"upgrade" in values and b"upgrade" in values.get(b"connection", b"").lower():
        return _refusal(400, "Only HTTP/1.1 is spoken here")  # the server takes the body for the other protocol's
    length = values.get(b"content-length", b"")
    return _refusal(413, "The body is too large") if length.isdigit() and int(length) > MAX_BODY_BYTES else None


async def _read_body(receive: Receive) -> bytes | Response:
    body, more_body = b"", True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more_body:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return _refusal(400, "The body is incomplete")
                body, more_body = body + message.get("body", b""), message.get("more_body", False)
                if len(body) > MAX_BODY_BYTES:
                    return _refusal(413, "The body is too large")
    except TimeoutError:
        return _refusal(408, "The body took too long")
    return body


def _refusal(status: int, text: str) -> Response:
    return JSONResponse({"ResultCode": 1, "ResultDesc": text}, status_code=status, headers={"Connection": "close"})


def listen_on(host: str, port: int) -> socket.socket:
    """Bind the address; raises `OSError` if it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048, reuse_port=False)


def server_of(app: ASGIApp, trusted_proxies: Sequence[str]) -> uvicorn.Server:
    """A server for bound sockets: it runs until its `should_exit` is set, then answers what is in hand."""
    patience = Patience(app)
    protocol: Any = lambda **given: Connection(patience, AutoHTTPProtocol(**given))  # noqa: E731
    options = uvicorn.Config(
        patience,
        http=protocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        limit_concurrency=3 * MAX_WAITING,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return uvicorn.Server(options)
