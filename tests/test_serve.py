"""`serve-callbacks` and `demo` as real processes: signals, sudden death, a locked database, and what the log says."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from rentpay_cli.cli import serve
from rentpay_cli.config import check_settings
from rentpay_cli.flows import collect, register
from rentpay_cli.flows.disburse import disburse
from rentpay_cli.runtime import Runtime
from rentpay_cli.simulator.options import Options
from rentpay_cli.store import health_reads, readonly, reads
from tests.support.stage import Simulators

PATIENCE_SECONDS = 20
SECRETS = {
    "MPESA_CONSUMER_KEY": "KEYMARK0001",
    "MPESA_CONSUMER_SECRET": "SECRETMARK0002",
}


@pytest.fixture
def database_url(new_sqlite: Callable[[], str]) -> str:
    return new_sqlite()


@contextmanager
def process(log: Path, environment: dict[str, str], *arguments: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A process that serves, and what it announced; killed at the end if it still runs."""
    with log.open("w") as stderr:
        started = subprocess.Popen(
            [sys.executable, "-m", "rentpay_cli", *arguments, "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    assert started.stdout is not None
    try:
        text = ""
        for line in started.stdout:
            text += line
            try:
                announced = json.loads(text)
            except json.JSONDecodeError:
                continue
            break
        else:
            pytest.fail(f"it did not start: {text}{log.read_text()}")
        yield started, announced
    finally:
        started.kill()
        started.wait()
        started.stdout.close()


class Stage:
    """A simulator and a listener, each a process, and a runtime that does what the commands do."""

    def __init__(self, folder: Path, environment: dict[str, str], simulator: str) -> None:
        self.folder = folder
        self.environment = environment
        self.simulator = simulator
        self.url = ""
        self.process: Any = None
        self.announced: dict[str, Any] = {}
        self.rt: Runtime

    @contextmanager
    def listening(self, **settings: str) -> Iterator[None]:
        """The listener runs."""
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            **self.environment,
            "MPESA_CALLBACK_URL": f"{self.url}/api/payments/callback",
            "MPESA_B2B_CALLBACK_URL": f"{self.url}/api/payments/b2b-callback",
            "MPESA_TIMEOUT_URL": f"{self.url}/api/payments/b2b-callback",
            **settings,
        }
        with process(self.log_path, environment, "serve-callbacks", "--port", str(port)) as (started, announced):
            self.process, self.announced = started, announced
            assert announced["url"] == self.url
            ours = {name: value for name, value in environment.items() if name.startswith(("MPESA_", "RENTPAY_"))}
            self.rt = Runtime(check_settings(ours), actor="tester")
            try:
                yield
            finally:
                self.rt.close()

    @property
    def log_path(self) -> Path:
        return self.folder / "listener.log"

    def log(self) -> list[dict[str, Any]]:
        """Every line of the log, each of which is JSON."""
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]

    def let(self) -> None:
        owner = str(register.add_owner(self.rt, name="Wanjiru Kamau"))
        register.add_property(
            self.rt,
            name="Sunset Apartments",
            owner_reference=owner,
            paybill="600001",
            account_number="PROP001",
            rent="10000",
        )

    def ask(self, phone: str = "0722000111") -> int:
        return collect.initiate(self.rt, property_reference="1", phone=phone, force=True).payment_id

    def row(self, payment_id: int) -> readonly.Row:
        row = reads.payment(self.rt.reader, payment_id)
        assert row is not None
        return row

    def transfers(self, kind: str) -> list[dict[str, Any]]:
        ledger = httpx.get(f"{self.simulator}/simulator/ledger").json()
        return [item for item in ledger["transfers"] if item["kind"] == kind]

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return int(self.process.wait(timeout=PATIENCE_SECONDS))


def eventually(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def stage(tmp_path: Path, database_url: str, simulators: Simulators) -> Iterator[Stage]:
    """A simulator runs; the listener is started by the test."""
    environment = {**os.environ, "AUTO_DISBURSEMENT": "false", "RENTPAY_DATABASE_URL": database_url}
    environment.pop("PYTHONUNBUFFERED", None)
    with simulators.playing(Options(delay_seconds=0.1, prompt_gap_seconds=0)) as simulator:
        yield Stage(tmp_path, {**environment, **simulator.environment, **SECRETS}, simulator.base_url)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_listener_in_order(stage: Stage, number: int) -> None:
    with stage.listening():
        assert httpx.get(f"{stage.url}/healthz").status_code == 200
        assert httpx.get(f"{stage.url}/healthz").json()["status"] == "ok"
        assert stage.stop(number) == 0
    assert [line["event"] for line in stage.log()] == ["listening", "stopped"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_simulator_in_order(tmp_path: Path, number: int) -> None:
    with process(tmp_path / "log", {**os.environ}, "simulator", "--port", "0") as (started, _):
        started.send_signal(number)
        assert started.wait(timeout=PATIENCE_SECONDS) == 0


def test_the_announcement_is_one_document_and_says_what_will_happen(stage: Stage) -> None:
    with stage.listening():
        assert set(stage.announced) >= {"success", "url", "environment", "autoDisbursement"}
        assert (stage.announced["environment"], stage.announced["autoDisbursement"]) == ("simulator", False)


def test_a_request_in_hand_is_answered_before_the_end(stage: Stage) -> None:
    with stage.listening():
        host, port = stage.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as connection:
            connection.sendall(b"POST /api/payments/callback HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
            httpx.get(f"{stage.url}/healthz")  # by now the other request is being read
            stage.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            connection.sendall(b"67890")
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        assert stage.process.wait(timeout=PATIENCE_SECONDS) == 0
        (row,) = list(stage.rt.reader.rows("SELECT body FROM inbox"))
    assert bytes(row["body"]) == b"1234567890"


def test_what_was_answered_survives_sudden_death(stage: Stage) -> None:
    answered: list[str] = []

    def post(worker: int) -> None:
        with httpx.Client() as client:
            for number in range(100_000):
                body = f"w{worker}-{number}"
                try:
                    if client.post(f"{stage.url}/api/payments/callback", content=body).status_code == 200:
                        answered.append(body)
                except httpx.HTTPError:
                    return

    with stage.listening():
        threads = [threading.Thread(target=post, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(answered) > 100)
        stage.process.kill()
        for thread in threads:
            thread.join()
        stored = {bytes(row["body"]).decode() for row in stage.rt.reader.rows("SELECT body FROM inbox")}
    assert set(answered) <= stored
    assert len(answered) > 100
    with stage.listening():  # and the next one reads them all
        eventually(lambda: health_reads.open_work(stage.rt.reader)["unread"] == 0)


def test_with_auto_disbursement_the_owner_is_paid_by_itself_and_once(stage: Stage) -> None:
    with stage.listening(AUTO_DISBURSEMENT="true"):
        stage.let()
        numbers = [stage.ask(f"07220001{ending}") for ending in (11, 12, 13)]
        eventually(lambda: all(stage.row(number)["disbursement_status"] == "completed" for number in numbers))
        assert stage.stop() == 0
        receipts = {stage.row(number)["transaction_id"] for number in numbers}
    transfers = stage.transfers("b2b")
    assert {item["receipt"] for item in transfers} == receipts
    assert [item["amount"] for item in transfers] == [9500, 9500, 9500]
    with stage.listening(AUTO_DISBURSEMENT="true"):  # a second start sends nothing again
        eventually(lambda: httpx.get(f"{stage.url}/healthz").status_code == 200)
        time.sleep(1.5)  # longer than a round and its rest
    assert len(stage.transfers("b2b")) == 3


def test_without_auto_disbursement_nothing_is_sent(stage: Stage) -> None:
    with stage.listening(AUTO_DISBURSEMENT="false"):
        stage.let()
        number = stage.ask()
        eventually(lambda: stage.row(number)["status"] == "success")
        time.sleep(1.5)  # longer than a round and its rest
        assert stage.row(number)["disbursement_status"] == "pending"
        assert stage.row(number)["payout_state"] is None
    assert stage.transfers("b2b") == []


def test_the_log_is_a_json_line_an_event_with_the_payment_and_without_secrets(stage: Stage) -> None:
    with stage.listening(AUTO_DISBURSEMENT="true"):
        stage.let()
        number = stage.ask("0722000111")
        eventually(lambda: stage.row(number)["disbursement_status"] == "completed")
        stage.ask("0733000101")  # cancelled
        httpx.post(f"{stage.url}/api/payments/callback", content=b'{"Phone": 254722000111}')
        httpx.post(f"{stage.url}/api/payments/callback/TOKENMARK0003", content=b"\x1b[31m 254722000111")
        httpx.post(f"{stage.url}/api/payments/b2b-callback/x/timeout", content=b'{"SecurityCredential": "CREDMARK"}')
        host, port = stage.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"NONSENSE 254722000111\r\n\r\n")
            connection.recv(1000)
        eventually(lambda: sum(line["event"] == "callback held" for line in stage.log()) == 3)
        assert stage.stop() == 0
    text = stage.log_path.read_text()
    events = stage.log()
    assert all({"event", "timestamp"} <= set(line) for line in events)
    assert all(line["payment"] == number for line in events if line["event"].startswith("payout"))
    assert any(line.get("payment") == number for line in events if line["event"] == "callback read")
    for secret in (*SECRETS.values(), "TOKENMARK0003", "CREDMARK", stage.environment["MPESA_PASSKEY"]):
        assert secret not in text
    assert stage.environment["MPESA_SECURITY_CREDENTIAL"][:40] not in text
    for phone in ("254722000111", "0722000111", "722000111", "733000101"):
        assert phone not in text
    assert "\x1b" not in text


def test_a_database_that_is_locked_for_a_while_delays_and_loses_nothing(stage: Stage, database_url: str) -> None:
    with stage.listening():
        locking = sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)
        locking.execute("BEGIN IMMEDIATE")
        answers: list[int] = []

        def post(number: int) -> None:
            answer = httpx.post(f"{stage.url}/api/payments/callback", content=f"{number}", timeout=30)
            answers.append(answer.status_code)

        threads = [threading.Thread(target=post, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        time.sleep(2)  # how long the database stays locked
        assert answers == [], "nothing is answered that is not stored"
        locking.execute("COMMIT")
        locking.close()
        for thread in threads:
            thread.join()
        assert answers == [200] * 5
        eventually(lambda: health_reads.open_work(stage.rt.reader)["unread"] == 0)
        rows = list(stage.rt.reader.rows("SELECT body FROM inbox"))
        assert sorted(bytes(row["body"]) for row in rows) == [b"0", b"1", b"2", b"3", b"4"]
        assert httpx.get(f"{stage.url}/healthz").status_code == 200
        assert stage.stop() == 0


def test_a_payout_by_hand_and_the_listener_meet_without_harm(stage: Stage) -> None:
    with stage.listening():
        stage.let()
        number = stage.ask()
        eventually(lambda: stage.row(number)["status"] == "success")
        disburse(stage.rt, number)
        eventually(lambda: stage.row(number)["disbursement_status"] == "completed")
    assert len(stage.transfers("b2b")) == 1


def test_the_demo_says_that_everything_came_true() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rentpay_cli", "demo", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(done.stdout)
    assert content["success"] is True
    assert content["checks"]
    assert all(check["holds"] for check in content["checks"])
    assert content["seconds"] < 60


def test_the_web_server_is_heard_only_while_it_serves() -> None:
    log, said = logging.getLogger("uvicorn"), []
    before = [*log.handlers]
    with serve._web_server_heard(lambda event, **fields: said.append((event, fields["text"]))):
        log.warning("Invalid HTTP request received.")
    assert said == [("web server", "Invalid HTTP request received.")]
    assert log.handlers == before
