"""No secret is found anywhere: the whole journey with marked secrets, and every file, table, log and answer searched.

The access token of M-Pesa's gateway is kept on purpose, so that the processes of one machine share it: in one file of
mode 0600 in a folder of mode 0700. The settings file holds the secrets that it was given. The bodies of callbacks are
kept as they came, whatever anybody put in them. Nothing else may.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from rentpay_cli.core import redact
from rentpay_cli.simulator.options import Options
from rentpay_cli.simulator.server import Started, running
from rentpay_cli.store import readonly
from tests.support.processes import Processes

MARKS = {
    "consumer key": "MarkKeyQw7zT4bVx9LmN2",
    "consumer secret": "MarkSecretHj5kP8sDf3Gy6R",
    "passkey": "4d61726b50617373c0ffee0987abcdef1234",
    "initiator password": "MarkPw#Zx!81vBn%t=yU3",
    "mail password": "MarkMailYt6rE2wQpZ5x",
    "gateway key": "MarkSmsUi9oP3aSdFgH7j",
    "database password": "MarkDbLk4jH7gFsA2mNb",
    "M-Pesa's token": "MarkBearerEcho0Xc8vB5nM1qW",
}
OTHERS = {
    "long base64": "a credential " + "qW3rT9y4" * 43,
    "secret field": '{"Password": "OtherField5tGb7YhN2uJ"}',
    "secret field in a text": '{"said": "{\\"SecurityCredential\\": \\"OtherNested8kMj3NhB6vC\\"}"}',
    "authorization": "Authorization: Bearer OtherBearer1qAz4WsX7eD",
    "echoed token": "Invalid Access Token - OtherEcho9oLp2IkM5jN",
    "callback address": "https://example.com/api/payments/b2b-callback/OtherCallback6yHn3UjM/timeout",
    "access token": f"rp_3_{'0123456789abcdef' * 2}",
    "address with a password": "postgresql://rentpay:OtherDatabase4rFv8TgB@db.example.com/rentpay",
    "address with a key": "atalk://rentpay@OtherGateway2wSx6EdC/254700000000",
    "query with a password": "postgresql://db.example.com/rentpay?password=OtherQuery7uJm1IkO",
}
"""Secrets of which this process knows nothing, each in the place by which its rule finds it."""


def secret_in(rule: str) -> str:
    """The secret in one of these texts."""
    found = re.search(r"Other\w+|qW3rT9y4qW3rT9y4|0123456789abcdef", OTHERS[rule])
    assert found is not None
    return found[0]


SHORTEST_PIECE = 12
"""A secret that was cut in two is still one when so much of it is left."""
PHONE = "254722000111"


def forms_of(secret: str) -> set[bytes]:
    """The beginning and the end of a secret in every way in which it may have been written."""
    raw = secret.encode()
    plain = {secret, quote(secret, safe=""), raw.hex(), json.dumps(secret)[1:-1]}
    forms = {piece for form in plain for piece in (form[:SHORTEST_PIECE], form[-SHORTEST_PIECE:])}
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        forms |= {coded[4 : 4 + SHORTEST_PIECE], coded[-SHORTEST_PIECE - 2 : -2]}
    return {form.encode() for form in forms if len(form) == SHORTEST_PIECE}


def found_in(content: bytes, marks: dict[str, str]) -> set[str]:
    """The names of the secrets that are in it."""
    flat = re.sub(rb"\\u00([0-9a-f]{2})", lambda code: bytes([int(code[1], 16)]), content).replace(b"\\/", b"/")
    flat += re.sub(rb"\s+", b"", flat)  # a terminal's line ends may stand in the middle of it
    return {name for name, secret in marks.items() if any(form in flat for form in forms_of(secret))}


def test_the_search_finds_a_mark_however_it_is_written() -> None:
    for name, secret in MARKS.items():
        raw = secret.encode()
        for written in (
            raw,
            raw[:14],
            raw[4:],
            raw.hex().encode(),
            quote(secret, safe="").encode(),
            *(base64.b64encode(b"x" * before + raw + b"2026") for before in range(4)),
        ):
            assert found_in(b"before " + written + b" after", MARKS) >= {name}, written
    assert found_in(b"nothing of the kind", MARKS) == set()


class _Echo(BaseHTTPRequestHandler):
    """A gateway that refuses everything, and repeats in its refusal all that it was sent."""

    def do_GET(self) -> None:
        self._answer(200, {"access_token": MARKS["M-Pesa's token"], "expires_in": "3599"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        token = self.headers["Authorization"].removeprefix("Bearer ")
        said = [f"Invalid Access Token - {token}", f"bad header {token}", body[:250], body]
        said += [f"the Password was {json.loads(body).get('Password', 'none')}"]
        document = {"requestId": "1-2-3", "errorCode": "404.001.03", "errorMessage": " | ".join(said)}
        self._answer(401, document)

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def echo_gateway() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


class Journey:
    """Commands in processes of their own, in a folder with a settings file; all that they say is kept."""

    def __init__(self, folder: Path, settings: dict[str, str], processes: Processes) -> None:
        self.folder = folder
        self._processes = processes
        self.said: list[tuple[str, bytes]] = []
        self.settings = settings
        self.environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        env_file = folder / ".env"
        env_file.touch(mode=0o600)
        env_file.write_text("".join(f"{name}='{value}'\n" for name, value in settings.items()))

    def __call__(self, *arguments: str, status: int | None = 0, **settings: str) -> bytes:
        environment = {**self.environment, **settings}
        done = self._processes.run(*arguments, environment=environment, folder=self.folder)
        return self._kept(arguments, status, done)

    def python(self, *arguments: str, status: int | None = 0, given: str = "", **settings: str) -> bytes:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**self.environment, **settings},
            input=given.encode(),
            capture_output=True,
            check=False,
            timeout=60,
        )
        return self._kept(arguments, status, done)

    def _kept(self, arguments: tuple[str, ...], status: int | None, done: subprocess.CompletedProcess[bytes]) -> bytes:
        self.said.append((" ".join(arguments)[:120], done.stdout + b"\n" + done.stderr))
        assert status in (None, done.returncode), (arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout

    @contextmanager
    def listener(self, port: int) -> Iterator[None]:
        with (self.folder / "listener.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "rentpay_cli", "serve-callbacks", "--port", str(port)],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
            try:
                ends = time.monotonic() + 20
                while b"listening" not in (self.folder / "listener.log").read_bytes():
                    assert process.poll() is None, (self.folder / "listener.log").read_text()
                    assert time.monotonic() < ends
                    time.sleep(0.05)
                yield
            finally:
                process.terminate()
                process.wait(30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


@contextmanager
def journey(database_url: str, folder: Path, processes: Processes) -> Iterator[tuple[Journey, Started, int]]:
    """A simulator that knows the marked secrets, and the settings for it."""
    options = Options(
        home=folder / "simulator",
        delay_seconds=0.05,
        prompt_gap_seconds=0,
        consumer_key=MARKS["consumer key"],
        consumer_secret=MARKS["consumer secret"],
        passkey=MARKS["passkey"],
        initiator_password=MARKS["initiator password"],
    )
    port = free_port()
    base = f"http://127.0.0.1:{port}/api/payments"
    if database_url.startswith("postgresql"):
        database_url = re.sub(r"://([^:@/]*)(:[^@/]*)?@", rf"://\1:{MARKS['database password']}@", database_url)
        assert MARKS["database password"] in database_url
    work = folder / "work"
    work.mkdir()
    with running(options) as simulator:
        settings = {
            **simulator.environment,
            "MPESA_CALLBACK_URL": f"{base}/callback",
            "MPESA_B2B_CALLBACK_URL": f"{base}/b2b-callback",
            "MPESA_TIMEOUT_URL": f"{base}/b2b-callback",
            "RENTPAY_DATABASE_URL": database_url,
            "RENTPAY_NOTIFY_OPERATOR": f"mailto://rentpay:{MARKS['mail password']}@127.0.0.1:9"
            "?from=rentpay@example.com&mode=insecure&to=op@example.com",
            "RENTPAY_NOTIFY_OWNER_SMS": f"atalk://rentpay@{MARKS['gateway key']}/{{phone}}",
        }
        yield Journey(work, settings, processes), simulator, port


CRASH = """
import sys
from rentpay_cli.cli import app
from rentpay_cli.flows import look

def crash(rt, reference):
    settings = rt.settings
    raise RuntimeError(f"{settings} {settings.passkey} {settings.consumer_secret} {settings.database_url} {reference}")

look.payment_number = crash
app.main(["status", "254722000111", *sys.argv[1:]])
"""


def walk(run: Journey, simulator: Started, port: int, echo: str) -> dict[str, str]:
    """The whole journey; the secrets that it made by itself."""
    marks = {"security credential": run.settings["MPESA_SECURITY_CREDENTIAL"]}
    marks |= {f"somebody's {rule}": secret_in(rule) for rule in OTHERS}
    given = json.loads(run("access", "add", "asha", "--role", "admin", "--json"))
    run.said.pop()  # the one answer that is a secret
    marks["access token"] = given["token"]
    run.environment["RENTPAY_TOKEN"] = given["token"]
    run("owner", "add", "--name", "Wanjiru Kamau", "--phone", "0712345678")
    place = ("property", "add", "--name", "Sunset Apartments", "--owner", "1", "--paybill", "600001")
    run(*place, "--account", "PROP001", "--rent", "10000")
    run("tenant", "add", "--name", "Otieno Ouma", "--phone", "0722000111", "--property", "1")
    ask = ("initiate", "--property", "1", "--tenant", "1", "--force")

    def fault(spec: str) -> None:
        simulator.world.faults.add(spec)

    with run.listener(port):
        run(*ask, "--wait")
        for _ in range(3):
            run(*ask, "--wait", "--json")
            run.said.pop()  # in which scripts need the whole checkout id, and with it the phone
        run("disburse", "1", "--wait", "--yes")
        fault("b2b:queue-timeout")
        run("disburse", "2", "--yes")
        fault("b2b:result,code=2001")
        run("disburse", "3", "--yes", "--json", "--wait", status=1)
        run("payouts", "resume", "--yes")
        run("retry-failed", "--json", "--include", "mend-first", status=None)
        for arguments in (("balance",), ("disburse", "4", "--yes"), (*ask, "--json"), ask):
            run(*arguments, status=None, MPESA_BASE_URL=echo)
        run("chase", "--json", status=None, MPESA_BASE_URL=echo)
        forged = {"errors": [MARKS["passkey"], marks["security credential"]], "token": given["token"], "n": PHONE}
        for content in (json.dumps(forged).encode(), json.dumps({"x": json.dumps({"Password": "p" * 20})}).encode()):
            httpx.post(f"http://127.0.0.1:{port}/api/payments/callback/{'ab' * 16}", content=content)
        for text in OTHERS.values():
            httpx.post(f"http://127.0.0.1:{port}/api/payments/callback", content=text.encode())
        with socket.create_connection(("127.0.0.1", port)) as rubbish:
            rubbish.sendall(f"GET /{MARKS['passkey']} {MARKS['consumer secret']}\r\n\r\n".encode())
        wait_until_read(run)
    for arguments in (
        ("status", "1"),
        ("status", "2", "--json"),
        ("payments", "--json"),
        ("payments", "--format", "csv"),
        ("history", "1", "--json"),
        ("journal", "list", "--limit", "500"),
        ("journal", "list", "--json", "--limit", "500"),
        ("journal", "verify"),
        ("callbacks", "list", "--json"),
        *(("callbacks", "show", str(number)) for number in (1, 4, 8)),
        ("health",),
        ("doctor", "--json"),
        ("notify", "test"),
        ("notify", "test", "--owner", "1", "--json"),
        ("notify", "list"),
        ("backup", "copy.db", "--json"),
        ("access", "list", "--json"),
        ("status", given["token"]),
        ("status", "1", "--no-such", MARKS["consumer secret"]),
    ):
        run(*arguments, status=None)
    run("status", "1", status=7, RENTPAY_TOKEN=given["token"][:-1] + "x")
    run("payments", status=4, RENTPAY_LOW_FLOAT=MARKS["passkey"])
    certificate = simulator.environment["MPESA_CERTIFICATE"]
    encrypt = ("-m", "rentpay_cli", "credential", "encrypt", "--password-file", "-", "--certificate")
    run.python(*encrypt, str(run.folder), status=None, given=MARKS["initiator password"])
    run.python(*encrypt, certificate, given=MARKS["initiator password"])
    run.said.pop()  # the other answer that is a secret
    for debug in ("", "1"):
        run.python("-c", CRASH, status=1, RENTPAY_DEBUG=debug)
        run.python("-c", CRASH, "--json", status=1, RENTPAY_DEBUG=debug)
    return marks


def wait_until_read(run: Journey) -> None:
    ends = time.monotonic() + 20
    while json.loads(run("callbacks", "list", "--state", "new", "--json"))["callbacks"]:
        assert time.monotonic() < ends
        time.sleep(0.1)


def everything_kept(run: Journey, database_url: str) -> Iterator[tuple[str, bytes]]:
    """Every answer, every file but the settings file, and every column of every table, without callbacks' bodies."""
    yield from run.said
    reader = readonly.existing(database_url, "simulator")
    assert reader is not None
    bodies = [bytes(row["body"]) for row in reader.rows("SELECT body FROM inbox ORDER BY body_bytes DESC")]
    assert any(MARKS["passkey"].encode() in body for body in bodies)
    for path in run.folder.parent.rglob("*"):
        if path.is_file() and path.name != ".env" and run.folder.parent / "simulator" not in path.parents:
            content = path.read_bytes()
            for body in filter(None, bodies):
                content = content.replace(body, b"")
            yield str(path), content
    names = (
        "SELECT name FROM sqlite_master WHERE type = 'table'"
        if database_url.startswith("sqlite")
        else "SELECT tablename AS name FROM pg_catalog.pg_tables WHERE schemaname = 'public'"
    )
    for table in [row["name"] for row in reader.rows(names)]:
        for row in reader.rows(f"SELECT * FROM {table}"):
            if table == "inbox":
                row = {**row, "body": b""}
            for column, value in row.items():
                content = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                yield f"{table}.{column}", content
    reader.close()


def test_after_the_whole_journey_no_secret_is_found_anywhere(
    database_url: str, tmp_path: Path, processes: Processes
) -> None:
    with echo_gateway() as echo, journey(database_url, tmp_path, processes) as (run, simulator, port):
        marks = MARKS | walk(run, simulator, port, echo)
        kept = list(everything_kept(run, database_url))
        caches = list((tmp_path / "cache").rglob("token-*.json"))
        assert caches
        for cache in caches:  # M-Pesa's token is kept here and nowhere else
            marks[cache.name] = json.loads(cache.read_text())["value"]
            assert (cache.stat().st_mode & 0o777, cache.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    places = {place: found_in(content, marks) for place, content in kept if place not in map(str, caches)}
    assert {place: found for place, found in places.items() if found} == {}
    digests = {content.decode() for place, content in kept if place.endswith("token_sha256")}
    assert len(digests) > 5
    for place, content in kept:
        for token in set(re.findall(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])", content)):
            assert hashlib.sha256(token).hexdigest() not in digests - {hashlib.sha256(b"ab" * 16).hexdigest()}, place
    for place, content in run.said:
        assert PHONE.encode() not in content, place
        assert PHONE[3:].encode() not in content, place
    log = (run.folder / "listener.log").read_text()
    assert PHONE[3:] not in log
    assert "callback held" in log
    crashes = [content.decode() for place, content in run.said if place.startswith("-c")]
    assert ["Traceback" in crash for crash in crashes] == [False, False, True, True]
    assert all("rentpay made a mistake of its own (RuntimeError" in crash for crash in crashes)


@pytest.mark.parametrize("name", redact.RULES)
def test_every_rule_is_needed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert redact.REMOVED in redact.without_secrets(OTHERS[name])
    assert secret_in(name) not in redact.without_secrets(OTHERS[name])
    monkeypatch.setattr(redact, "RULES", {other: rule for other, rule in redact.RULES.items() if other != name})
    assert redact.without_secrets(OTHERS[name]) == OTHERS[name]
