"""The listener over real HTTP and raw sockets: stored before answered, refused when it must be, up whatever comes."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest

from rentpay_cli.service import group_commit, listener, patience
from rentpay_cli.service.group_commit import GroupCommit
from rentpay_cli.service.listener import MAX_BODY_BYTES, Arrival, build_app, listen_on, server_of

THANKS = {"ResultCode": 0, "ResultDesc": "Accepted"}
COLLECTION, PAYOUT = "/api/payments/callback", "/api/payments/b2b-callback"


class Store:
    """Keeps what the listener hands over, one list an append."""

    def __init__(self) -> None:
        self.batches: list[list[Arrival]] = []
        self.before: Callable[[], None] = lambda: None

    def __call__(self, arrivals: Sequence[Arrival]) -> None:
        self.before()
        self.batches.append(list(arrivals))

    @property
    def arrivals(self) -> list[Arrival]:
        return [arrival for batch in self.batches for arrival in batch]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def url(store: Store) -> Iterator[str]:
    with serving(store) as address:
        yield address


def raw(url: str, content: bytes, *, close_early: bool = False) -> bytes:
    """Everything the listener answers to these bytes until it, or we, close."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(content)
        if close_early:
            return b""
        answer = b""
        while more := connection.recv(65536):
            answer += more
        return answer


def request(path: str, body: bytes, *headers: str, close: bool = True) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, *(["Connection: close"] if close else []), "", ""]).encode() + body


def eventually(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("path", "kind", "token"),
    [
        (COLLECTION, "collection", None),
        (f"{COLLECTION}/abc123", "collection", "abc123"),
        (PAYOUT, "payout", None),
        (f"{PAYOUT}/abc123", "payout", "abc123"),
        (f"{PAYOUT}/abc123/timeout", "timeout", "abc123"),
    ],
)
def test_a_callback_is_kept_as_it_came(url: str, store: Store, path: str, kind: str, token: str | None) -> None:
    body = b'{"Result": {"Odd": "\xff\x00"}} '
    answer = httpx.post(url + path, content=body)
    assert (answer.status_code, answer.json()) == (200, THANKS)
    assert store.arrivals == [(kind, token, "127.0.0.1", body)]


def test_a_body_is_stored_before_it_is_answered(url: str, store: Store) -> None:
    may_store, began = threading.Event(), threading.Event()

    def wait() -> None:
        began.set()
        assert may_store.wait(10)

    store.before = wait
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.post, url + COLLECTION, content=b"{}", timeout=10)
        assert began.wait(10)
        assert not answer.done()
        assert store.arrivals == []
        may_store.set()
        assert answer.result().status_code == 200
    assert len(store.arrivals) == 1


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"null", b"not json", b"\xff" * 50, b"<xml/>", b"[" * 30_000, b"0" * MAX_BODY_BYTES]
)
def test_the_answer_is_the_same_whatever_the_body(url: str, store: Store, body: bytes) -> None:
    answer = httpx.post(url + PAYOUT, content=body, headers={"Content-Type": "text/whatever"})
    assert (answer.status_code, answer.json()) == (200, THANKS)
    assert store.arrivals[0][3] == body


def test_what_cannot_be_stored_is_answered_503() -> None:
    def fail(_: Sequence[Arrival]) -> None:
        raise OSError("the disk is full")

    with serving(fail) as url:
        for _ in range(2):
            answer = httpx.post(url + COLLECTION, content=b"{}")
            assert answer.status_code == 503
            assert answer.json()["ResultCode"] != 0


def test_the_listener_stores_again_once_the_trouble_is_over(store: Store) -> None:
    def fail() -> None:
        raise OSError("the disk is full")

    with serving(store) as url:
        store.before = fail
        assert httpx.post(url + COLLECTION, content=b"1").status_code == 503
        store.before = lambda: None
        assert httpx.post(url + COLLECTION, content=b"2").status_code == 200
    assert [arrival[3] for arrival in store.arrivals] == [b"2"]


@contextmanager
def serving(
    append: Callable[[Any], None],
    health: Callable[[], tuple[bool, dict[str, Any]]] = lambda: (True, {"status": "ok"}),
    trusted: Sequence[str] = (),
) -> Iterator[str]:
    """The listener as `serve-callbacks` runs it, but in a thread."""
    bound = listen_on("127.0.0.1", 0)
    server = server_of(build_app(GroupCommit(append).store, health), trusted)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    eventually(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


def test_a_body_over_64_kib_is_refused_by_its_announced_length(url: str, store: Store) -> None:
    headers = f"POST {COLLECTION} HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n"
    answer = raw(url, headers.encode())  # not a byte of the body was sent
    assert answer.startswith(b"HTTP/1.1 413")
    assert store.arrivals == []


def test_a_body_over_64_kib_is_refused_while_it_comes(url: str, store: Store) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(66):
            yield b"x" * 1024

    answer = httpx.post(url + COLLECTION, content=parts())
    assert answer.status_code == 413
    assert store.arrivals == []
    exact = httpx.post(url + COLLECTION, content=iter([b"x" * MAX_BODY_BYTES]))
    assert exact.status_code == 200
    assert len(store.arrivals[0][3]) == MAX_BODY_BYTES


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_post_is_for_callbacks(url: str, store: Store, method: str) -> None:
    for path in (COLLECTION, f"{PAYOUT}/abc", f"{PAYOUT}/abc/timeout"):
        assert httpx.request(method, url + path).status_code == 405
    assert store.arrivals == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/payments",
        f"{COLLECTION}s",
        f"{COLLECTION}/",
        f"{COLLECTION}/a/b",
        f"{COLLECTION}/a/timeout",
        f"{PAYOUT}//timeout",
        f"{PAYOUT}/a/timeout/",
        "/docs",
        "/../x",
    ],
)
def test_an_unknown_address_is_not_found(url: str, store: Store, path: str) -> None:
    assert httpx.post(url + path, content=b"{}").status_code == 404
    assert store.arrivals == []


def test_no_answer_names_the_software(store: Store) -> None:
    with serving(store) as url:
        answers = [
            httpx.post(url + COLLECTION, content=b"{}"),
            httpx.get(url + COLLECTION),
            httpx.get(url + "/nowhere"),
            httpx.get(url + "/healthz"),
            httpx.post(url + COLLECTION, content=b"x" * (MAX_BODY_BYTES + 1)),
        ]
        broken = raw(url, b"NONSENSE\r\n\r\n")
    assert [answer.status_code for answer in answers] == [200, 405, 404, 200, 413]
    for answer in answers:
        assert "server" not in answer.headers
    assert b"server:" not in broken.lower()
    assert b"uvicorn" not in broken.lower()


def test_a_body_that_breaks_off_is_not_stored_and_harms_nobody(url: str, store: Store) -> None:
    head = f"POST {COLLECTION} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n".encode()
    for _ in range(20):
        raw(url, head + b'{"half": ', close_early=True)
    assert httpx.post(url + COLLECTION, content=b"whole").status_code == 200
    assert [arrival[3] for arrival in store.arrivals] == [b"whole"]


def test_a_body_that_takes_too_long_is_cut_off(url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "BODY_SECONDS", 0.1)
    head = f"POST {COLLECTION} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n".encode()
    began = time.monotonic()
    assert raw(url, head + b"slow").startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < 5
    assert store.arrivals == []


def test_callbacks_that_come_together_are_stored_together(url: str, store: Store) -> None:
    everybody_is_there, first = threading.Event(), threading.Event()

    def wait_once() -> None:
        if not first.is_set():
            first.set()
            assert everybody_is_there.wait(20)

    store.before = wait_once
    bodies = {json.dumps({"n": number}).encode() for number in range(200)}
    with httpx.Client(limits=httpx.Limits(max_connections=200), timeout=30) as client, ThreadPoolExecutor(200) as pool:
        answers = [pool.submit(client.post, url + COLLECTION, content=body) for body in bodies]
        assert first.wait(10)
        time.sleep(0.5)  # while the first append runs, the others arrive
        everybody_is_there.set()
        assert {answer.result().status_code for answer in answers} == {200}
    assert {arrival[3] for arrival in store.arrivals} == bodies
    assert len(store.arrivals) == 200
    assert len(store.batches) <= 20


def test_callbacks_that_come_one_right_after_the_other_are_stored_together(store: Store) -> None:
    async def come() -> None:
        writer = GroupCommit(store)
        first = asyncio.create_task(writer.store(("payout", None, None, b"first")))
        await asyncio.sleep(0)
        await asyncio.gather(first, writer.store(("payout", None, None, b"second")))

    asyncio.run(come())
    assert [len(batch) for batch in store.batches] == [2]


def test_callbacks_that_never_cease_do_not_keep_the_first_waiting(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "LARGEST_BATCH", 10)

    async def come() -> None:
        writer = GroupCommit(store)
        tasks = [asyncio.create_task(writer.store(("payout", None, None, b"first")))]
        while not tasks[0].done():
            assert len(tasks) < 10_000
            tasks.append(asyncio.create_task(writer.store(("payout", None, None, b"later"))))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)

    asyncio.run(come())
    assert len(store.batches[0]) == 10
    assert max(len(batch) for batch in store.batches) == 10


def test_callbacks_are_stored_in_a_thread_while_the_event_loop_goes_on_one_batch_at_a_time(store: Store) -> None:
    at_once: list[int] = []
    threads: set[int] = set()

    def wait() -> None:
        at_once.append(1)
        threads.add(threading.get_ident())
        time.sleep(0.05)  # the database takes its time
        assert len(at_once) == 1
        at_once.clear()

    store.before = wait

    async def come() -> None:
        writer = GroupCommit(store)
        stored = [asyncio.create_task(writer.store(("payout", None, None, b"1")))]
        turns = 0
        while not all(each.done() for each in stored):
            await asyncio.sleep(0.005)
            turns += 1
            if turns == 3:
                stored += [asyncio.create_task(writer.store(("payout", None, None, b"%d" % n))) for n in range(2, 5)]
        assert turns > 3
        await asyncio.gather(*stored)

    asyncio.run(come())
    assert [len(batch) for batch in store.batches] == [1, 3]
    assert threading.get_ident() not in threads


def test_who_waits_no_more_keeps_nobody_else_from_being_stored(store: Store) -> None:
    store.before = lambda: time.sleep(0.05)  # the database takes its time

    async def come() -> None:
        writer = GroupCommit(store)
        leaves, stays = (asyncio.create_task(writer.store(("payout", None, None, body))) for body in (b"1", b"2"))
        await asyncio.sleep(0.01)
        leaves.cancel()
        await stays
        assert leaves.cancelled()

    asyncio.run(come())
    assert [arrival[3] for arrival in store.arrivals] == [b"1", b"2"]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("closes", [False, True])
def test_a_callback_that_comes_in_two_parts_is_answered_as_one_that_comes_whole(fails: bool, closes: bool) -> None:
    def append(_: Sequence[Arrival]) -> None:
        if fails:
            raise OSError("the disk is full")

    content = request(COLLECTION, b"a body", close=closes)
    last = request(COLLECTION, b"the last")
    with serving(append) as url:
        host, port = url.removeprefix("http://").split(":")
        answers = []
        for parts in ([content], [content[:-3], content[-3:]]):
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                for part in parts:
                    connection.sendall(part)
                    time.sleep(0.05)  # so that each part is read by itself
                if not closes:
                    connection.sendall(last)
                answer = b""
                while more := connection.recv(65536):
                    answer += more
                answers.append(answer.lower())
    assert answers[0] == answers[1]
    assert answers[0].count(b"http/1.1 503 service unavailable" if fails else b"http/1.1 200 ok") == 2 - closes
    assert answers[0].count(b"connection: close") == 1


def test_a_callback_whose_sender_wants_to_be_asked_for_the_body_is_asked(store: Store) -> None:
    with serving(store) as url:
        answer = raw(url, request(COLLECTION, b"a body", "Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
    assert [arrival[3] for arrival in store.arrivals] == [b"a body"]


def test_a_sender_who_leaves_before_the_answer_harms_nobody(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    may_store, began = threading.Event(), threading.Event()

    def wait() -> None:
        began.set()
        assert may_store.wait(10)

    store.before = wait
    with serving(store) as url:
        raw(url, request(COLLECTION, b"left"), close_early=True)
        assert began.wait(10)
        time.sleep(0.1)  # the listener sees that it left
        may_store.set()
        assert httpx.post(url + COLLECTION, content=b"stayed").status_code == 200
    assert [arrival[3] for arrival in store.arrivals] == [b"left", b"stayed"]
    assert [record.getMessage() for record in caplog.records if record.levelname != "INFO"] == []


def test_what_came_is_stored_at_a_stop_although_its_senders_are_gone(store: Store) -> None:
    may_go_on = threading.Event()
    store.before = lambda: may_go_on.wait(30)
    with serving(store) as url:
        raw(url, request(COLLECTION, b"first", close=False), close_early=True)
        time.sleep(0.1)  # so that the second waits behind it
        raw(url, request(COLLECTION, b"second", close=False), close_early=True)
        time.sleep(0.1)  # so that it is in hand
        threading.Timer(0.3, may_go_on.set).start()  # after the server was told to stop
    assert [arrival[3] for arrival in store.arrivals] == [b"first", b"second"]


def test_a_failed_append_is_told_to_each_of_its_callbacks_and_to_no_other() -> None:
    store = Store()
    calls = iter([None, OSError("full")])
    go_on, first = threading.Event(), threading.Event()

    def second_fails() -> None:
        error = next(calls, None)
        if not first.is_set():
            first.set()
            assert go_on.wait(10)
        if error:
            raise error

    store.before = second_fails
    with serving(store) as url, ThreadPoolExecutor(10) as pool:
        good = pool.submit(httpx.post, url + COLLECTION, content=b"first", timeout=10)
        assert first.wait(10)
        bad = [pool.submit(httpx.post, url + COLLECTION, content=b"later", timeout=10) for _ in range(5)]
        time.sleep(0.3)  # they arrive while the first is being stored
        go_on.set()
        assert good.result().status_code == 200
        statuses = [each.result().status_code for each in bad]
    assert 503 in statuses
    assert len(store.arrivals) == 1 + statuses.count(200)


def test_pipelined_requests_are_each_stored_and_answered_in_order(url: str, store: Store) -> None:
    content = b"".join(request(COLLECTION, f"body {n}".encode(), close=n == 4) for n in range(5))
    answer = raw(url, content)
    assert answer.count(b"HTTP/1.1 200") == 5
    assert [arrival[3] for arrival in store.arrivals] == [f"body {n}".encode() for n in range(5)]


@pytest.mark.parametrize(
    "content",
    [
        b"NONSENSE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50,
        b"POST /api/payments/callback HTTP/9.9\r\n\r\n",
        b"POST /api/payments/callback HTTP/1.1\r\nContent-Length: abc\r\n\r\n",
        b"POST /api/payments/callback HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/payments/callback HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"POST /api/payments/callback HTTP/1.1\r\nNo colon here\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: close\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_harms_nobody(url: str, store: Store, content: bytes) -> None:
    try:
        answer = raw(url, content)
        assert not answer.startswith(b"HTTP/1.1 200")
        assert b"Traceback" not in answer
    except ConnectionError:
        pass  # it closed while we still sent
    assert store.arrivals == []
    assert httpx.post(url + COLLECTION, content=b"ok").status_code == 200


def test_a_callback_with_a_very_long_token_is_kept(url: str, store: Store) -> None:
    assert httpx.post(f"{url}{COLLECTION}/{'x' * 5000}", content=b"{}").status_code == 200
    assert store.arrivals == [("collection", "x" * 5000, "127.0.0.1", b"{}")]


@pytest.mark.parametrize(("well", "status"), [(True, 200), (False, 503)])
def test_health_is_what_the_process_says_of_itself(store: Store, well: bool, status: int) -> None:
    with serving(store, health=lambda: (well, {"status": "so and so"})) as url:
        answer = httpx.get(url + "/healthz")
        assert (answer.status_code, answer.json()) == (status, {"status": "so and so"})
        assert httpx.post(url + "/healthz").status_code == 405


@pytest.mark.parametrize(
    ("trusted", "source"), [([], "127.0.0.1"), (["10.0.0.0/8"], "127.0.0.1"), (["127.0.0.0/8"], "196.201.214.200")]
)
def test_forwarded_addresses_are_believed_only_from_trusted_proxies(
    store: Store, trusted: list[str], source: str
) -> None:
    with serving(store, trusted=trusted) as url:
        httpx.post(url + COLLECTION, content=b"{}", headers={"X-Forwarded-For": "1.2.3.4, 196.201.214.200"})
    assert [arrival[2] for arrival in store.arrivals] == [source]


def test_an_address_that_is_taken_is_an_error() -> None:
    with listen_on("127.0.0.1", 0) as taken, pytest.raises(OSError, match="in use"):
        listen_on("127.0.0.1", taken.getsockname()[1])


def test_idle_connections_do_not_lock_out_a_callback(store: Store) -> None:
    with serving(store) as url:
        host, port = url.removeprefix("http://").split(":")
        idle = [socket.create_connection((host, int(port))) for _ in range(300)]
        try:
            assert httpx.post(url + COLLECTION, content=b"{}").status_code == 200
        finally:
            for connection in idle:
                connection.close()


@pytest.mark.parametrize("begun", [b"", b"POST /api/payments/callback HTTP/1.1\r\nHost: "])
def test_a_connection_that_never_asks_for_anything_is_closed(
    store: Store, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(patience, "WAIT_SECONDS", 0.2)
    with serving(store) as url:
        assert raw(url, begun) == b""
        with httpx.Client() as client:  # one that asks in time is not
            for body in (b"1", b"2", b"3"):
                assert client.post(url + COLLECTION, content=body).status_code == 200
                time.sleep(0.1)
    assert len(store.arrivals) == 3


def test_who_begins_a_second_request_and_stops_is_cut_off(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WAIT_SECONDS", 0.3)
    store.before = lambda: time.sleep(0.5)  # longer than that: while we work nobody keeps us waiting
    with serving(store) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(request(COLLECTION, b"{}", close=False))
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
            connection.sendall(b"POST")  # now the server itself waits for the rest as long as it takes
            with suppress(ConnectionResetError):  # which is an end, too
                assert connection.recv(1) == b""


@pytest.mark.parametrize("protocol", ["websocket", "h2c", "TLS/1.0, HTTP/1.1"])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("parts", [1, 2])
def test_who_wants_another_protocol_is_refused_and_no_body_is_lost_silently(
    url: str, store: Store, protocol: str, chunked: bool, parts: int
) -> None:
    lines = [f"Upgrade: {protocol}", "Connection: keep-alive, Upgrade"]
    content = request(COLLECTION, b"a body", *lines, close=False)
    if chunked:
        content = content.replace(b"Content-Length: 6", b"Transfer-Encoding: chunked").replace(
            b"a body", b"6\r\na body\r\n0\r\n\r\n"
        )
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        for part in (content[:-5], content[-5:]) if parts == 2 else (content,):
            connection.sendall(part)
            time.sleep(0.05)  # so that each part is read by itself
        with suppress(ConnectionResetError):  # a connection that is closed can lose the answer
            assert connection.recv(65536).startswith(b"HTTP/1.1 400")
    assert store.arrivals == []
    assert (
        httpx.post(url + COLLECTION, content=b"x", headers={"Upgrade": protocol}).status_code == 200
    )  # it only says so
    assert [arrival[3] for arrival in store.arrivals] == [b"x"]


@pytest.mark.parametrize(
    "rubbish", [b"\x00\x01rubbish\r\n\r\n", b"NONSENSE", b"POST / HTTP/9.9\r\n\r\n", b"\x16\x03\x01"]
)
@pytest.mark.parametrize("count", [1, 3])
def test_whole_callbacks_are_stored_and_answered_although_rubbish_follows_them(
    url: str, store: Store, rubbish: bytes, count: int
) -> None:
    content = b"".join(request(COLLECTION, b"%d" % number, close=False) for number in range(count))
    answer = raw(url, content + rubbish)
    assert answer.count(b"HTTP/1.1 200 OK") == count
    assert answer.count(b"HTTP/1.1 400") == 1
    assert answer.rindex(b"HTTP/1.1 200") < answer.index(b"HTTP/1.1 400")
    assert [arrival[3] for arrival in store.arrivals] == [b"%d" % number for number in range(count)]


def test_a_mistake_of_ours_is_answered_500_and_ends_the_connection() -> None:
    async def mistaken(_: Any, receive: Any, __: Any) -> None:
        await receive()
        raise ZeroDivisionError

    bound = listen_on("127.0.0.1", 0)
    server = server_of(mistaken, [])
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    eventually(lambda: server.started)
    port = bound.getsockname()[1]
    answer = raw(f"http://127.0.0.1:{port}", request(COLLECTION, b"{}", close=False))
    server.should_exit = True
    thread.join()
    assert answer.startswith(b"HTTP/1.1 500")


def test_what_follows_the_last_request_of_a_connection_is_not_answered(url: str, store: Store) -> None:
    refused = request(COLLECTION, b"refused", *[f"X-{number}: y" for number in range(101)], close=False)
    for last in (request(COLLECTION, b"last"), refused):
        answer = raw(url, last + request(COLLECTION, b"behind it"))
        assert answer.count(b"HTTP/1.1") == 1
    assert httpx.post(url + COLLECTION, content=b"later").status_code == 200
    assert [arrival[3] for arrival in store.arrivals] == [b"last", b"later"]


def test_a_body_over_64_kib_that_comes_whole_is_refused(store: Store) -> None:
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (MAX_BODY_BYTES + 1, b"x" * (MAX_BODY_BYTES + 1))
    head = f"POST {COLLECTION} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    with serving(store) as url:
        for content in (head + chunk, request(COLLECTION, b"x" * (MAX_BODY_BYTES + 1))):
            assert raw(url, content).startswith(b"HTTP/1.1 413")
    assert store.arrivals == []
