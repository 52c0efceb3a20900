"""A real listener process under abuse: it stays small, cuts off who dawdles, and goes on thanking M-Pesa."""

from __future__ import annotations

import asyncio
import gc
import json
import select
import socket
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from rentpay_cli.cli.serve import OPEN_FILES
from rentpay_cli.service import patience
from tests.attacks import listener as attacks
from tests.attacks.listener import Attacker, Burst, head, request
from tests.attacks.target import COLLECTION, PAYOUT, Target, attacked
from tests.daraja import shapes
from tests.test_listener import Store, eventually, serving

THANKS = {"ResultCode": 0, "ResultDesc": "Accepted"}
HONEST = shapes.stk_callback(1032, checkout_id="ws_CO_1")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with attacked(tmp_path_factory.mktemp("attacked")) as opened:
        yield opened


@pytest.fixture
def store() -> Store:
    return Store()


def ask(url: str, *parts: bytes, pause_seconds: float = 0.0) -> bytes:
    """Everything that is answered to the parts until the listener closes."""
    host, port = url.removeprefix("http://").split(":")
    answer = b""
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause_seconds)
            while more := connection.recv(65536):
                answer += more
        except ConnectionError:
            pass  # it was cut off while we still sent
    return answer


# --- all of it, for a while ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("burst", attacks.BURSTS, ids=lambda burst: burst.__name__)
def test_an_honest_callback_is_thanked_while_the_listener_is_abused(
    target: Target, burst: Burst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attacks, "HOLD_SECONDS", 0.5)
    monkeypatch.setattr(attacks, "BURSTS", (burst,))
    figures, attacker = asyncio.run(attacks.abuse(target, Random(1), lambda number: number < 1))
    assert figures.honest_lost == 0
    assert max(figures.honest_seconds) < 5
    assert max(figures.rss_kib) < 300 * 1024
    assert max(figures.open_files) < OPEN_FILES
    for answer in attacker.answers:
        assert b"Traceback" not in answer
        assert b"\r\nserver:" not in answer.lower()
    assert target.process.poll() is None


def test_the_memory_of_the_listener_does_not_grow_with_abuse(target: Target) -> None:
    def round_of_bursts() -> int:
        attacker = Attacker(target, Random(1))
        for burst in (attacks.huge_heads, attacks.endless_trailers, attacks.pipelines, attacks.absurd_chunks):
            asyncio.run(burst(attacker))
        return target.rss_kib()

    first = round_of_bursts()
    assert round_of_bursts() < first + 40 * 1024


def test_the_log_of_an_abused_listener_is_one_clean_line_an_event(target: Target) -> None:
    ask(target.url, b"\x1b[31mNO\x00HTTP\r\n\r\n")
    asyncio.run(attacks.garbage(Attacker(target, Random(2))))
    lines = [json.loads(line) for line in target.log.read_text().splitlines()]
    rubbish = [line for line in lines if line.get("text") == "Invalid HTTP request received."]
    assert 1 <= len(rubbish) <= 3, "the same words are said once a minute"
    assert "\x1b" not in target.log.read_text()


# --- deadlines -------------------------------------------------------------------------------------------------------


def drip(first: bytes) -> tuple[bytes, ...]:
    return (first, *[b"x"] * 30)


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(drip(b"POST /api/payments/callback HTTP/1.1\r\nX: "), id="its first head"),
        pytest.param(drip(request(COLLECTION, b"{}") + b"POST /api HTTP/1.1\r\nX: "), id="its second head"),
        pytest.param((request(COLLECTION, b"{}"), *[b"\r\n"] * 30), id="empty lines after an answer"),
        pytest.param(drip(head(COLLECTION, "Content-Length: 999")), id="its body"),
        pytest.param(drip(head("/nowhere", "Content-Length: 999")), id="a body that nobody wants"),
        pytest.param(drip(head(COLLECTION, "Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\nX: "), id="what follows"),
    ],
)
def test_who_sends_drop_by_drop_is_cut_off(
    store: Store, monkeypatch: pytest.MonkeyPatch, parts: tuple[bytes, ...]
) -> None:
    monkeypatch.setattr(patience, "WAIT_SECONDS", 0.3)
    with serving(store) as url:
        began = time.monotonic()
        ask(url, *parts, pause_seconds=0.1)
        assert time.monotonic() - began < 2
        assert httpx.post(url + COLLECTION, content=b"{}").status_code == 200


def test_a_second_request_that_comes_whole_is_answered(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WAIT_SECONDS", 0.3)
    with serving(store) as url, httpx.Client() as client:
        for _ in range(5):
            assert client.post(url + COLLECTION, content=b"{}").status_code == 200
            time.sleep(0.15)
    assert len(store.arrivals) == 5


def test_an_answer_that_takes_long_is_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WAIT_SECONDS", 0.1)
    store.before = lambda: time.sleep(1)  # longer than that
    with serving(store) as url:
        assert httpx.post(url + COLLECTION, content=b"{}").status_code == 200


# --- sizes -----------------------------------------------------------------------------------------------------------


def long_head(size: int, line: Callable[[int], bytes]) -> bytes:
    begun = f"POST {COLLECTION} HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n".encode()
    return begun + line(size - len(begun) - 4) + b"\r\n\r\n{}"


def one_header(size: int) -> bytes:
    return b"X: " + b"a" * (size - 3)


def fifty_headers(size: int) -> bytes:
    return b"\r\n".join([b"X: " + b"a" * (size // 50 - 5)] * 50)


@pytest.mark.parametrize("line", [one_header, fifty_headers])
@pytest.mark.parametrize("pieces", [1, 40])
def test_a_head_beyond_32_kib_is_refused_and_one_below_is_not(
    store: Store, line: Callable[[int], bytes], pieces: int
) -> None:
    def cut(content: bytes) -> list[bytes]:
        size = -(-len(content) // pieces)
        return [content[start : start + size] for start in range(0, len(content), size)]

    with serving(store) as url:
        assert ask(url, *cut(long_head(30_000, line))).startswith(b"HTTP/1.1 200")
        assert not ask(url, *cut(long_head(36_000, line)), pause_seconds=0.001).startswith(b"HTTP/1.1 200")
    assert len(store.arrivals) == 1


def test_a_head_that_never_ends_is_cut_off_after_32_kib(store: Store) -> None:
    with serving(store) as url:
        host, port = url.removeprefix("http://").split(":")
        with closing(socket.create_connection((host, int(port)), timeout=10)) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nX: ")
            sent = 0
            with suppress(ConnectionError):
                while sent < 50_000_000:
                    connection.sendall(b"a" * 10_000)
                    sent += 10_000
                    time.sleep(0.001)
    assert sent < 5_000_000


def test_more_than_a_hundred_headers_are_refused(store: Store) -> None:
    lines = [f"X-{number}: y" for number in range(97)]
    with serving(store) as url:
        assert b" 200 " in ask(url, request(COLLECTION, b"{}", "Connection: close", *lines))
        refused = ask(url, request(COLLECTION, b"{}", "Connection: close", "One: more", *lines))
    assert refused.startswith(b"HTTP/1.1 431")
    assert len(store.arrivals) == 1


def test_what_follows_a_chunked_body_is_not_kept(store: Store) -> None:
    start = head(COLLECTION, "Transfer-Encoding: chunked", "Connection: close")
    with serving(store) as url:
        short = b"2\r\n{}\r\n0\r\n" + b"A: b\r\n" * 50 + b"\r\n"
        assert ask(url, start, short).startswith(b"HTTP/1.1 200")
        assert ask(url, start, b"2\r\n{}\r\n0\r\n", *[b"A: b\r\n" * 5000] * 100) == b""
    assert len(store.arrivals) == 1


@pytest.mark.parametrize(
    "begun",
    [b"", b"POST /api", head(COLLECTION, "Content-Length: 9") + b"{", request(COLLECTION, b"{}")],
    ids=["connects", "begins a head", "begins a body", "was answered"],
)
def test_a_crowd_that_stays_does_not_lock_out_a_callback(
    store: Store, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(patience, "MAX_WAITING", 50)
    with serving(store) as url, ExitStack() as crowd:
        host, port = url.removeprefix("http://").split(":")
        members = []
        for _ in range(200):
            member = crowd.enter_context(socket.create_connection((host, int(port)), timeout=10))
            member.sendall(begun)
            members.append(member)
        assert httpx.post(url + COLLECTION, content=b"{}").status_code == 200
        with suppress(ConnectionResetError):
            while members[0].recv(65536):
                pass  # it was answered first
        last, _, _ = select.select(members[-1:], [], [], 0)  # who kept us waiting longest goes first
        assert not last or members[-1].recv(65536) != b"", "and the last has not waited long"


def test_what_a_connection_needed_is_free_at_its_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crowd would fill the memory long before the garbage collector comes: nothing may wait for it."""
    made: list[weakref.ref[patience.Connection]] = []
    honest = patience.Connection.connection_made

    def connection_made(connection: patience.Connection, transport: Any) -> None:
        made.append(weakref.ref(connection))
        honest(connection, transport)

    monkeypatch.setattr(patience.Connection, "connection_made", connection_made)
    gc.collect()
    gc.disable()
    try:
        with serving(store) as url:
            for parts in ([b""], [b"POST /api"], [request(COLLECTION, b"{}")], [b"NONSENSE\r\n\r\n"]):
                host, port = url.removeprefix("http://").split(":")
                with socket.create_connection((host, int(port)), timeout=10) as connection:
                    connection.sendall(b"".join(parts))
            ask(url, request(COLLECTION, b"{}", "Connection: close"))
            ask(url, request(COLLECTION, b"{}") + b"NONSENSE\r\n\r\n")
            eventually(lambda: len(made) == 6 and not any(each() for each in made))
    finally:
        gc.enable()


def test_too_many_requests_at_once_on_one_connection_are_cut_off(store: Store) -> None:
    store.before = lambda: time.sleep(0.2)
    with serving(store) as url:
        ask(url, request(COLLECTION, b"{}") * 1000)
        assert httpx.post(url + COLLECTION, content=b"{}").status_code == 200
    assert len(store.arrivals) < 100


# --- what the answers give away --------------------------------------------------------------------------------------


def answer_of(target: Target, path: str, body: bytes = HONEST) -> tuple[int, bytes, list[str]]:
    answer = httpx.post(target.url + path, content=body)
    return answer.status_code, answer.content, sorted(answer.headers)


def test_a_token_cannot_be_guessed_by_the_answer(target: Target) -> None:
    ours = answer_of(target, target.honest_path)
    assert ours[:2] == (200, json.dumps(THANKS, separators=(",", ":")).encode())
    for path in (COLLECTION, f"{COLLECTION}/{'0' * 32}", f"{PAYOUT}/{'0' * 32}", f"{PAYOUT}/{'0' * 32}/timeout"):
        assert answer_of(target, path) == ours


def test_a_token_cannot_be_guessed_by_the_time_that_the_answer_takes(target: Target) -> None:
    """Both are stored before they are answered; their medians must be of the same order."""
    paths = (target.honest_path, f"{COLLECTION}/{'0' * 32}")
    taken: dict[str, list[float]] = {path: [] for path in paths}
    with httpx.Client() as client:
        for number in range(60):
            for path in paths:  # in turn, because the machine has other things to do, too
                began = time.perf_counter()
                client.post(target.url + path, content=HONEST + b" " * number)  # no two the same
                taken[path].append(time.perf_counter() - began)
    known, unknown = (sorted(seconds)[30] for seconds in taken.values())
    assert 1 / 3 < known / unknown < 3


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/", "/api/payments/callback/../../../metrics"])
def test_nothing_but_callbacks_is_served(target: Target, path: str) -> None:
    assert b" 404 " in ask(target.url, head(path, "Connection: close", method="GET")).splitlines()[0]


@pytest.mark.parametrize("path", [COLLECTION, PAYOUT, f"{COLLECTION}/x", f"{PAYOUT}/x", f"{PAYOUT}/x/timeout"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "TRACE"])
def test_callback_addresses_take_nothing_but_post(target: Target, method: str, path: str) -> None:
    first = ask(target.url, head(path, "Connection: close", method=method)).splitlines()[0]
    assert b" 405 " in first


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{COLLECTION}/%2e%2e%2f%2e%2e%2fetc", 404),
        (f"{COLLECTION}/..", 200),  # a token like any other, that is not ours
        (f"{COLLECTION}/%00", 200),
        (f"{COLLECTION}/%0d%0aSet-Cookie:%20a=b", 200),
        (f"{COLLECTION}/%ff%fe%ed%a0%80", 200),
        (f"{COLLECTION}/{'%41' * 4000}", 200),
        (f"{COLLECTION}/a%2fb", 404),
        (f"{COLLECTION}/", 404),
        (f"//{COLLECTION}", 404),
    ],
)
def test_odd_addresses_are_read_as_what_they_are(target: Target, path: str, status: int) -> None:
    answer = ask(target.url, request(path, b"{}", "Connection: close"))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"set-cookie" not in answer.lower()


# --- where a callback says it comes from -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trusted", "lines", "source"),
    [
        ([], ["196.201.214.200"], "127.0.0.1"),
        (["127.0.0.1"], ["196.201.214.200"], "196.201.214.200"),
        (["127.0.0.1"], ["196.201.214.200, 6.6.6.6"], "6.6.6.6"),
        (["127.0.0.1"], ["196.201.214.200", "6.6.6.6"], "6.6.6.6"),
        (["127.0.0.1", "10.0.0.0/8"], ["196.201.214.200, 6.6.6.6, 10.1.2.3"], "6.6.6.6"),
        (["127.0.0.1"], ["196.201.214.200, not-an-address"], "not-an-address"),
        (["127.0.0.1"], ["196.201.214.200, " + "9" * 500], "9" * 64),
    ],
)
def test_the_right_most_untrusted_address_counts(
    store: Store, trusted: list[str], lines: list[str], source: str
) -> None:
    with serving(store, trusted=trusted) as url:
        headers = [f"X-Forwarded-For: {line}" for line in lines]
        assert b" 200 " in ask(url, request(COLLECTION, b"{}", "Connection: close", *headers))
    assert [arrival[2] for arrival in store.arrivals] == [source]


@pytest.mark.parametrize("odd", ["X: a\rY: b", "X: a\nY b", "X : y", "X\x00: y", "Content-Length: 3", ": y"])
def test_headers_that_two_readers_could_read_differently_are_refused(target: Target, odd: str) -> None:
    answer = ask(target.url, request(COLLECTION, b"{}", odd, "Connection: close"))
    assert not answer.startswith(b"HTTP/1.1 200")


def test_the_process_may_open_enough_files_for_all_connections(target: Target) -> None:
    limits = Path(f"/proc/{target.process.pid}/limits").read_text()
    soft, hard = next(line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files"))
    assert "unlimited" in (soft, hard) or int(soft) >= min(OPEN_FILES, int(hard))


def test_answers_to_who_never_reads_them_do_not_pile_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    piles: list[int] = []
    honest_made, honest_flush = patience.Connection.connection_made, patience.Connection._flush

    def made(connection: Any, transport: Any) -> None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        honest_made(connection, transport)

    def flush(connection: Any) -> None:
        honest_flush(connection)
        piles.append(connection.transport.get_write_buffer_size())

    monkeypatch.setattr(patience.Connection, "connection_made", made)
    monkeypatch.setattr(patience.Connection, "_flush", flush)
    with serving(store) as url, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, port = url.removeprefix("http://").split(":")
        connection.connect((host, int(port)))
        connection.settimeout(1)
        for number in range(300):
            connection.sendall(request(COLLECTION, b"{}") * 8)
            ends = time.monotonic() + 2
            while len(store.arrivals) < 8 * (number + 1) and time.monotonic() < ends:
                time.sleep(0.001)  # more than a few at once it would refuse
            if time.monotonic() >= ends:
                break  # it takes no more
    assert 8 < len(piles) < 300 * 8
    assert max(piles) <= 80 * 1024
