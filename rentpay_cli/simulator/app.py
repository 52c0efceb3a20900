"""The HTTP face: Safaricom's endpoints, with what its gateway checks before M-Pesa sees a request."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from rentpay_cli.simulator import b2b, bodies, ids, queries, stk
from rentpay_cli.simulator.control import control_routes
from rentpay_cli.simulator.deeds import Deed, Reply
from rentpay_cli.simulator.delivery import Courier, as_bytes
from rentpay_cli.simulator.faults import Product, Struck
from rentpay_cli.simulator.fields import Fields, Refused, read_json
from rentpay_cli.simulator.world import World, log

MOST_BODY_BYTES = 100_000
Handler = Callable[[Request], Awaitable[Response]]


class Connections:
    """The open connections by the client's address, so that one can be cut without an answer."""

    def __init__(self) -> None:
        self.transports: dict[object, asyncio.Transport] = {}

    async def cut(self, request: Request) -> None:
        """Drop the connection of this request, and wait until it is gone."""
        client = request.scope.get("client")
        transport = self.transports.get(tuple(client) if client else None)
        if transport is None:
            return
        transport.close()
        while not await request.is_disconnected():
            await asyncio.sleep(0.001)


class Silent(Response):
    """No response at all: the connection is gone, and nothing is to be written to it."""

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        """Write nothing."""


@dataclass(frozen=True)
class Endpoint:
    """One product of the API. Those of the STK family complain about tokens in their own way."""

    path: str
    product: Product | None
    first_field: str
    check: Callable[[World, Fields, bytes], Deed]
    stk_family: bool = False


ENDPOINTS = (
    Endpoint("/mpesa/stkpush/v1/processrequest", "stk", "BusinessShortCode", stk.push, stk_family=True),
    Endpoint("/mpesa/stkpushquery/v1/query", "stk-query", "BusinessShortCode", stk.query, stk_family=True),
    Endpoint("/mpesa/b2b/v1/paymentrequest", "b2b", "Initiator", b2b.pay),
    Endpoint("/mpesa/transactionstatus/v1/query", "status", "Initiator", queries.status),
    Endpoint("/mpesa/accountbalance/v1/query", "balance", "Initiator", queries.balance),
    Endpoint("/sfcverify/v1/query/info", None, "IdentifierType", queries.organisation),
)


def build(world: World, courier_holder: list[Courier], connections: Connections) -> Starlette:
    """The whole application over one world. The courier is put into the holder when the loop runs."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        courier = Courier()
        courier_holder.append(courier)
        try:
            yield
        finally:
            await courier.close()

    gateway = Gateway(world, courier_holder, connections)
    routes = [Route("/oauth/v1/generate", gateway.oauth, methods=["GET"])]
    routes += [Route(at.path, gateway.handler(at), methods=["POST"]) for at in ENDPOINTS]
    app = Starlette(
        routes=routes + control_routes(world),
        lifespan=lifespan,
        exception_handlers={Refused: _refused, 404: _no_such_path, 405: _wrong_method},
    )
    app.router.redirect_slashes = False
    return app


class Gateway:
    """Checks tokens and fields, draws the faults, does the deed and answers."""

    def __init__(self, world: World, courier_holder: list[Courier], connections: Connections) -> None:
        self.world = world
        self._courier_holder = courier_holder
        self._connections = connections

    async def oauth(self, request: Request) -> Response:
        """Hand out an access token for a key and a secret."""
        if request.query_params.get("grant_type") != "client_credentials":
            raise Refused(400, "400.008.02", "Invalid grant type passed")
        self._check_key(request.headers.get("authorization", ""))
        struck = self.world.faults.strike("oauth")

        def deed(_: Struck) -> Reply:
            log.info("oauth: token handed out")
            return Reply(bodies.token(self.world.new_token(), self.world.options.token_lifetime_seconds))

        return await self._answer(request, "oauth", deed, struck)

    def handler(self, endpoint: Endpoint) -> Handler:
        """The handler of one endpoint."""

        async def handle(request: Request) -> Response:
            self._check_token(request.headers.get("authorization", ""), stk_family=endpoint.stk_family)
            raw = await _body(request)
            fields = read_json(raw, request.headers.get("content-type", ""), endpoint.first_field)
            deed = endpoint.check(self.world, fields, raw)
            struck = self.world.faults.strike(endpoint.product) if endpoint.product else Struck()
            return await self._answer(request, endpoint.product or "organisation", deed, struck)

        return handle

    async def _answer(self, request: Request, product: str, deed: Deed, struck: Struck) -> Response:
        if struck.names:
            log.info("%s: meets %s", product, " and ".join(struck.names))
        if struck.at("answer") == "503-before":
            return _unavailable()
        if struck.at("answer") == "spike":
            return _json(bodies.spike_arrest(), 500)
        reply = deed(struck)
        courier = self._courier_holder[0]
        if reply.errand is not None:
            await courier.send(reply.errand, self.world.options.delay_seconds + struck.late_seconds)
        if struck.slow_seconds:
            await courier.pause(struck.slow_seconds)
        return await self._worded(request, reply, struck)

    async def _worded(self, request: Request, reply: Reply, struck: Struck) -> Response:
        """The answer as it leaves, if it leaves."""
        match struck.at("answer"):
            case "lost":
                await self._connections.cut(request)
                return Silent()
            case "503-after":
                return _unavailable()
            case "html":
                return HTMLResponse(bodies.html_page("Request unsuccessful"))
            case "empty":
                return _json(bodies.emptied(reply.body))
            case _:
                return _json(reply.body, reply.http_status)

    def _check_key(self, authorization: str) -> None:
        """Basic authentication: any key and secret, unless the simulator was given its own."""
        scheme, _, given = authorization.partition(" ")
        try:
            key, colon, secret = base64.b64decode(given.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            key = colon = secret = ""
        options = self.world.options
        good = (
            scheme.lower() == "basic"
            and bool(key and colon and secret)
            and _same(key, options.consumer_key)
            and _same(secret, options.consumer_secret)
        )
        if not good:
            raise Refused(400, "400.008.01", "Invalid Authentication passed")

    def _check_token(self, authorization: str, *, stk_family: bool) -> None:
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer":
            raise Refused(404, "404.001.04", "Invalid Authentication Header")
        if self.world.token_is_good(token):
            return
        if stk_family:
            raise Refused(404, "404.001.03", "Invalid Access Token")
        # Safaricom really echoes the token here; clients must keep it out of their logs.
        raise Refused(401, "401.002.01", f"Error Occurred - Invalid Access Token - {token}")


def _same(given: str, wanted: str | None) -> bool:
    return wanted is None or hmac.compare_digest(given.encode(), wanted.encode())


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY_BYTES:
            raise Refused(400, "400.002.05", "Invalid Request Payload")
    return bytes(body)


def _json(body: bodies.Json, http_status: int = 200) -> Response:
    return Response(as_bytes(body), http_status, media_type="application/json")


def _unavailable() -> Response:
    return HTMLResponse(bodies.html_page("503 Service Unavailable"), 503)


def _error(http_status: int, code: str, message: str) -> Response:
    return _json(bodies.error(ids.new_request_id(), code, message), http_status)


def _path(request: Request) -> str:
    """The path as it was sent, still quoted: a line break in it must not become one in the log."""
    raw: bytes = request.scope.get("raw_path", b"")
    return raw.decode("ascii", "replace")[:200]


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, Refused):  # Starlette hands over nothing else
        raise error
    # An invalid token is echoed in the message, so the log gets the code and the safe part only.
    log.info("%s: refused, %s %s", _path(request), error.code, error.message.partition(" Access Token")[0])
    return _error(error.http_status, error.code, error.message)


async def _no_such_path(request: Request, error: Exception) -> Response:
    log.info("%s %s: no such path", request.method, _path(request))
    return _error(404, "404.001.01", "Resource not found")


async def _wrong_method(request: Request, error: Exception) -> Response:
    log.info("%s %s: wrong method", request.method, _path(request))
    if request.method in ("GET", "HEAD"):
        return _error(404, "404.001.04", "Invalid Authentication Header")
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    response = _error(405, "405.001", "Method Not Allowed")
    response.headers.update(headers)
    return response
