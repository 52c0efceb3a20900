"""`GET /metrics`: what `rentpay health` says, as Prometheus reads it, for this machine alone."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_PASSED_ON = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""What a reverse proxy on this machine adds to a request that came from elsewhere."""


def metrics_route(read: Callable[[], str | None]) -> Route:
    """The route; `read` gives the text, or None while there is none to be had, and is called in a thread."""

    async def tell(request: Request) -> Response:
        if not _is_from_here(request):
            return PlainTextResponse("Only this machine itself may ask for metrics.\n", status_code=403)
        text = await asyncio.to_thread(read)
        if text is None:
            return PlainTextResponse("There are no metrics now.\n", status_code=503)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return Route("/metrics", tell)


def _is_from_here(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _PASSED_ON):
        return False
    try:
        address = ipaddress.ip_address(request.client.host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
