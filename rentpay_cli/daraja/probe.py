"""Look at a place on the network without asking it for anything: does it answer, as whom, and at what time."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from rentpay_cli.daraja.incoming import parse
from rentpay_cli.errors import MpesaUnreachable

SECONDS = 10.0
_LARGEST_BYTES = 10_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a place answered: its status, its clock if it told it, and the JSON object in the body, if there is one."""

    status: int
    date: datetime | None
    document: dict[str, object]


def look(url: str) -> Answer:
    """Get the address once; raises `MpesaUnreachable` if nothing answers."""
    try:
        with httpx.stream("GET", url, timeout=SECONDS, headers={"User-Agent": "rentpay"}) as response:
            content = b""
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > _LARGEST_BYTES:
                    break
            return Answer(response.status_code, _date(response.headers.get("date", "")), parse(content) or {})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise MpesaUnreachable(f"{url} does not answer ({type(error).__name__}).") from error


def addresses(host: str) -> list[str]:
    """The IP addresses of a name; none if the name is not known."""
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except OSError:
        return []


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
