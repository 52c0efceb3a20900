"""Callbacks over many connections, each of which posts the next one as soon as the last is answered.

One client for all servers alike, in a process of its own: it takes an order as JSON on standard input and prints what
it saw. Every body is new. A server that closes the connection after an answer gets a new one, and the time for that
counts as its own. Anything but HTTP 200 ends the run.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator

import uvloop

BODY = (
    '{"Body":{"stkCallback":{"MerchantRequestID":"29115-34620561-1","CheckoutRequestID":"ws_CO_%032d","ResultCode":0,'
    '"ResultDesc":"The service request is processed successfully.","CallbackMetadata":{"Item":[{"Name":"Amount",'
    '"Value":10000},{"Name":"MpesaReceiptNumber","Value":"NLJ%07dX"},{"Name":"Balance"},{"Name":"TransactionDate","Value":'
    '20261123103000},{"Name":"PhoneNumber","Value":254722000111}]}},"Padding":"%s"}}'
)


def new_callbacks(payments: int) -> Iterator[tuple[str, str]]:
    """Callbacks of 600 bytes to the addresses of the first payments, no two alike, also from one run to the next."""
    begin = time.time_ns() // 1000 % 10**12
    padding = "x" * (600 - len(BODY % (0, 0, "")))
    for number in itertools.count(begin):
        token = 3 * (number % payments + 1)  # as `databases.py` makes them
        yield f"/api/payments/callback/{token:032x}", BODY % (number, number % 10**7, padding)


class Load:
    """What is still to be posted, and what was seen."""

    def __init__(self, ports: list[int], seconds: float, payments: int, requests: list[list[str]]) -> None:
        self._ports = itertools.cycle(ports)
        self._requests = iter(requests) if requests else new_callbacks(payments)
        self._ends = None if requests else time.perf_counter() + seconds
        self.took_seconds: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.busy = 0

    def next_request(self) -> bytes | None:
        """The next request to be sent; None at the end."""
        over = self._ends is not None and time.perf_counter() > self._ends
        path, body = ("", "") if over else next(self._requests, ("", ""))
        if not path:
            return None
        content = body.encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        return head.encode() + b"Content-Length: %d\r\n\r\n" % len(content) + content

    def start_connection(self) -> None:
        self.busy += 1
        asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        began = time.perf_counter()
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: Connection(self, began), "127.0.0.1", next(self._ports))
        except OSError as error:
            self.fail(str(error))

    def end_connection(self) -> None:
        self.busy -= 1
        if not self.busy and not self.done.done():
            self.done.set_result(None)

    def fail(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(f"The server did not answer as it should: {reason}"))


class Connection(asyncio.Protocol):
    """One connection, with one request on it at a time."""

    def __init__(self, load: Load, began: float) -> None:
        self._load = load
        self._began = began
        self._waits = False
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        request = self._load.next_request()
        if request is None:
            self._transport.close()
            self._load.end_connection()
            return
        self._waits = True
        self._transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        fields = head.lower()
        length = int(fields.partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) < length:
            return
        if b" 200 " not in head[:13]:
            self._load.fail(self._received.decode(errors="replace"))
            return
        now = time.perf_counter()
        self._load.took_seconds.append(now - self._began)
        self._received, self._began, self._waits = b"", now, False
        if fields.startswith(b"http/1.0") or b"connection: close" in fields:
            self._transport.close()
            self._load.start_connection()
            self._load.end_connection()
        else:
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if self._waits:
            self._load.fail(f"the connection was closed ({error})")


async def main() -> None:
    order = json.load(sys.stdin)
    load = Load(order["ports"], order["seconds"], order["payments"], order["requests"])
    began = time.perf_counter()
    for _ in range(order["connections"]):
        load.start_connection()
    await load.done
    took = time.perf_counter() - began
    seen = sorted(load.took_seconds)
    told = {
        "per_second": len(seen) / took,
        "p99_ms": seen[int(len(seen) * 0.99)] * 1000,
        "longest_ms": seen[-1] * 1000,
        "answered": len(seen),
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
