"""A real `rentpay serve-callbacks` process under every abuse we could think of, for as long as you like.

    python -m tests.attacks.listener --minutes 10 [--seed N]

One abuse after another, in an order that the seed decides, while an honest callback is sent twice a second. The memory
and the open files of the process are printed every ten seconds, and at the end their first, last and highest values.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import secrets
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rentpay_cli.service.listener import MAX_BODY_BYTES
from tests.attacks.target import COLLECTION, PAYOUT, Target, attacked
from tests.daraja import shapes

HOLD_SECONDS = 2.0
"""How long slow attackers hold on in one burst."""
HONEST_EVERY_SECONDS = 0.5
TELL_EVERY_SECONDS = 10
HONEST_PATIENCE_SECONDS = 10.0
PATHS = (COLLECTION, PAYOUT, f"{COLLECTION}/{'0' * 32}", f"{PAYOUT}/{'f' * 32}", f"{PAYOUT}/{'f' * 32}/timeout")

Burst = Callable[["Attacker"], Awaitable[None]]


@dataclass
class Attacker:
    """Opens connections, writes bytes, and gives up without complaint when it is cut off."""

    target: Target
    rng: random.Random
    answers: list[bytes] = field(default_factory=list)

    async def send(
        self, *parts: bytes, hold_seconds: float = 0.0, pause_seconds: float = 0.0, read: bool = True
    ) -> bytes:
        """Write the parts, wait a while, and return what was answered."""
        try:
            reader, writer = await asyncio.open_connection(self.target.host, self.target.port)
        except OSError:
            return b""
        answer = b""
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                if pause_seconds:
                    await asyncio.sleep(pause_seconds)
            if hold_seconds:
                await asyncio.sleep(hold_seconds)
            if read:
                with suppress(TimeoutError):
                    answer = await asyncio.wait_for(reader.read(65536), 0.5)
        except OSError:
            pass
        finally:
            writer.transport.abort()
        if answer:
            self.answers.append(answer)
        return answer

    async def many(self, count: int, make: Callable[[], Awaitable[object]]) -> None:
        """The same many times at once."""
        await asyncio.gather(*(make() for _ in range(count)))

    def path(self) -> str:
        return self.rng.choice(PATHS)


def head(path: str, *lines: str, method: str = "POST") -> bytes:
    """The head of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode("latin-1")


def request(path: str, body: bytes, *lines: str, method: str = "POST") -> bytes:
    return head(path, f"Content-Length: {len(body)}", *lines, method=method) + body


async def slow_heads(attacker: Attacker) -> None:
    drops = [b"POST /api", b"/payments", b"/callback HT", b"TP/1.1\r\nX-", b"A: b"]
    await attacker.many(300, lambda: attacker.send(*drops, pause_seconds=HOLD_SECONDS / len(drops), read=False))


async def slow_bodies(attacker: Attacker) -> None:
    start = head(attacker.path(), "Content-Length: 1000")
    drops = [start, *[b'{"slow": '] * 4]
    await attacker.many(300, lambda: attacker.send(*drops, pause_seconds=HOLD_SECONDS / 5, read=False))


async def slow_second_heads(attacker: Attacker) -> None:
    first = request(attacker.path(), b"{}")
    drops = [first, b"POST /api", b"/payments", b"\r\n"]
    await attacker.many(200, lambda: attacker.send(*drops, pause_seconds=HOLD_SECONDS / 4, read=False))


async def huge_heads(attacker: Attacker) -> None:
    line = b"X-" + b"a" * 60_000
    begun = b"POST " + COLLECTION.encode() + b" HTTP/1.1\r\n"
    await attacker.many(30, lambda: attacker.send(begun, *[line] * 40))
    await attacker.many(30, lambda: attacker.send(begun, *[b"A: b\r\n" * 1000] * 100))
    await attacker.many(10, lambda: attacker.send(b"POST /" + b"u" * 500_000 + b" HTTP/1.1\r\n\r\n"))


async def half_bodies(attacker: Attacker) -> None:
    start = head(attacker.path(), "Content-Length: 60000")
    await attacker.many(300, lambda: attacker.send(start, b"x" * attacker.rng.randrange(59_000), read=False))


async def huge_bodies(attacker: Attacker) -> None:
    announced = head(attacker.path(), f"Content-Length: {10 ** attacker.rng.randrange(6, 18)}")
    await attacker.many(30, lambda: attacker.send(announced, *[b"x" * 65536] * 30))
    await attacker.many(20, lambda: attacker.send(head("/nowhere", "Content-Length: 99999999"), *[b"x" * 65536] * 30))


async def absurd_chunks(attacker: Attacker) -> None:
    start = head(attacker.path(), "Transfer-Encoding: chunked")
    sizes = [b"ffffffffffffffff", b"7fffffff", b"-1", b"0x10", b"1" * 5000, b"g", b"", b" 5 "]
    for size in sizes:
        await attacker.many(10, lambda size=size: attacker.send(start, size + b"\r\n", b"x" * 70_000))  # type: ignore[misc]
    tiny = b"1\r\nx\r\n" * 3000
    await attacker.many(20, lambda: attacker.send(start, *[tiny] * 30))
    await attacker.many(20, lambda: attacker.send(start, b"1;" + b"e" * 60_000, *[b"e" * 60_000] * 20))


async def endless_trailers(attacker: Attacker) -> None:
    start = head(attacker.path(), "Transfer-Encoding: chunked")
    await attacker.many(20, lambda: attacker.send(start, b"2\r\n{}\r\n0\r\n", *[b"A: bbbbbbbb\r\n" * 5000] * 40))


async def pipelines(attacker: Attacker) -> None:
    one = request(attacker.path(), b"{}")
    await attacker.many(20, lambda: attacker.send(one * 3000))
    get = head("/nowhere", method="GET")
    await attacker.many(20, lambda: attacker.send(*[get * 1000] * 20, read=False))


async def two_thousand_connections(attacker: Attacker) -> None:
    await attacker.many(2000, lambda: attacker.send(b"", hold_seconds=HOLD_SECONDS, read=False))


async def garbage(attacker: Attacker) -> None:
    rubbish = [attacker.rng.randbytes(attacker.rng.randrange(1, 5000)) for _ in range(200)]
    rubbish += [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60), b"\r\n" * 9999]
    rubbish += [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    await asyncio.gather(*(attacker.send(each) for each in rubbish))


async def odd_bodies(attacker: Attacker) -> None:
    bodies = [
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"Body":{"stkCallback":' * 2500,
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"Result":{"ResultCode":' + b"9" * 60_000 + b"}}",
        b"\x00" * MAX_BODY_BYTES,
        json.dumps({"Result": {"ResultDesc": "\x1b]8;;http://x\x07\u202e"}}).encode(),
    ]
    for body in bodies:
        await attacker.many(20, lambda body=body: attacker.send(request(attacker.path(), body)))  # type: ignore[misc]


async def wrong_methods(attacker: Attacker) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "CONNECT", "BREW"):
        await attacker.many(5, lambda method=method: attacker.send(request(attacker.path(), b"{}", method=method)))  # type: ignore[misc]


async def odd_addresses(attacker: Attacker) -> None:
    tokens = ["%00", "%0d%0aX: y", "%2e%2e%2f", "..%2f..", "%ff%fe", "%u0041", "a" * 30_000, "%41" * 1000, "%ED%A0%80"]
    paths = [f"{COLLECTION}/{token}" for token in tokens]
    paths += ["/../../etc/passwd", "//", "/docs", "/redoc"]
    paths += ["/openapi.json", f"{COLLECTION}/../../../metrics", "http://evil/", "*"]
    await asyncio.gather(*(attacker.send(request(path, b"{}")) for path in paths))


async def odd_headers(attacker: Attacker) -> None:
    headers = [
        "X-Forwarded-For: 196.201.214.200",
        "X-Forwarded-For: " + "1.2.3.4, " * 3000 + "x",
        "X-Forwarded-For: \x1b[31m",
        "Content-Length: 2\r\nContent-Length: 3",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Expect: 100-continue",
        "Upgrade: websocket\r\nConnection: Upgrade",
        "Connection: keep-alive, close, \x00",
        "X: a\rb",
        "X: a\n b",
    ]
    await asyncio.gather(*(attacker.send(request(attacker.path(), b"{}", line)) for line in headers))


async def flood(attacker: Attacker) -> None:
    """Bodies that are all different, as large as may be, with tokens that are not ours."""
    for _ in range(10):
        bodies = [attacker.rng.randbytes(MAX_BODY_BYTES) for _ in range(10)]
        token = f"{attacker.rng.getrandbits(128):032x}"
        await asyncio.gather(*(attacker.send(request(f"{PAYOUT}/{token}", body)) for body in bodies))


BURSTS: tuple[Burst, ...] = (
    slow_heads,
    slow_bodies,
    slow_second_heads,
    huge_heads,
    half_bodies,
    huge_bodies,
    absurd_chunks,
    endless_trailers,
    pipelines,
    two_thousand_connections,
    garbage,
    odd_bodies,
    wrong_methods,
    odd_addresses,
    odd_headers,
    flood,
)


@dataclass
class Figures:
    """What was seen of the process."""

    rss_kib: list[int] = field(default_factory=list)
    open_files: list[int] = field(default_factory=list)
    honest_seconds: list[float] = field(default_factory=list)
    honest_lost: int = 0

    def look(self, target: Target) -> None:
        self.rss_kib.append(target.rss_kib())
        self.open_files.append(target.open_files())


async def honest_callbacks(target: Target, figures: Figures, stop: asyncio.Event) -> None:
    """M-Pesa's own callbacks, each on a connection of its own."""
    content = request(target.honest_path, shapes.stk_callback(1032, checkout_id="ws_CO_1"), "Connection: close")
    while not stop.is_set():
        figures.look(target)
        began = time.perf_counter()
        if await asyncio.to_thread(_is_thanked, target, content):
            figures.honest_seconds.append(time.perf_counter() - began)
        else:
            figures.honest_lost += 1
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), HONEST_EVERY_SECONDS)


def _is_thanked(target: Target, content: bytes) -> bool:
    """Whether a callback is answered; sent beside the attackers' loop, whose own business would make it dawdle."""
    try:
        with socket.create_connection((target.host, target.port), timeout=HONEST_PATIENCE_SECONDS) as connection:
            connection.sendall(content)
            return connection.recv(65536).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _allow_open_files() -> None:
    """The attackers of this process need files of their own."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard) if hard != resource.RLIM_INFINITY else 8192, hard))


async def abuse(target: Target, rng: random.Random, may_go_on: Callable[[int], bool]) -> tuple[Figures, Attacker]:
    """Abuse the process, one burst after another, all of them in every round."""
    _allow_open_files()
    figures, attacker, stop = Figures(), Attacker(target, rng), asyncio.Event()
    honest = asyncio.create_task(honest_callbacks(target, figures, stop))
    number = 0
    while may_go_on(number):
        if number % len(BURSTS) == 0:
            order = rng.sample(BURSTS, len(BURSTS))
        await order[number % len(BURSTS)](attacker)
        number += 1
    stop.set()
    await honest
    figures.look(target)
    return figures, attacker


def main() -> int:
    """Run it at length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    options = parser.parse_args()
    say(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="rentpay-attacks-") as folder, attacked(Path(folder)) as target:
        figures, attacker = asyncio.run(abuse(target, random.Random(options.seed), until(target, options.minutes)))
        lives = target.process.poll() is None
        log_bytes = target.log.stat().st_size
    honest, rss, files = figures.honest_seconds, figures.rss_kib, figures.open_files
    say(f"RSS KiB: first {rss[0]}, last {rss[-1]}, highest {max(rss)}")
    say(f"open files: first {files[0]}, last {files[-1]}, highest {max(files)}")
    say(f"honest callbacks: {len(honest)} thanked, {figures.honest_lost} lost")
    say(f"thanked after: median {statistics.median(honest) * 1000:.0f} ms, slowest {max(honest):.2f} s")
    say(f"answers to attackers: {len(attacker.answers)}; log: {log_bytes} bytes; the process lives: {lives}")
    return 0 if lives and figures.honest_lost == 0 else 1


def until(target: Target, minutes: float) -> Callable[[int], bool]:
    """Whether to go on, which also tells now and then how it goes."""
    began = told = time.monotonic()

    def may_go_on(bursts: int) -> bool:
        nonlocal told
        now = time.monotonic()
        if now - told >= TELL_EVERY_SECONDS or bursts == 0:
            told = now
            say(f"{now - began:6.0f} s  {bursts:5} bursts  RSS {target.rss_kib():7} KiB  {target.open_files():5} files")
        return now - began < minutes * 60

    return may_go_on


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
