"""A simulator, a client that speaks plain HTTP to it, and a place where its results arrive."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from rentpay_cli.simulator.options import Options
from rentpay_cli.simulator.server import Started, running
from tests.support.stage import Simulators

PATIENCE_SECONDS = 5.0
Json = dict[str, Any]
T = TypeVar("T")


@dataclass
class Arrivals:
    """What has been posted to us, by path."""

    base_url: str = ""
    posts: list[tuple[str, bytes]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    hold_seconds: float = 0.0

    def at(self, path: str) -> list[Json]:
        """The bodies posted to a path so far."""
        return [json.loads(body) for where, body in self.posts if where == path]

    def wait(self, path: str, count: int = 1) -> list[Json]:
        """The bodies posted to a path, once there are this many."""
        with self.changed:
            arrived = self.changed.wait_for(lambda: len(self.at(path)) >= count, PATIENCE_SECONDS)
        assert arrived, f"{len(self.at(path))} of {count} arrived at {path}"
        return self.at(path)

    def one(self, path: str) -> Json:
        """The only body posted to a path."""
        (body,) = self.wait(path)
        return body


@pytest.fixture
def arrivals() -> Iterator[Arrivals]:
    """A client's listener."""
    arrived = Arrivals()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(arrived.hold_seconds)
            with arrived.changed:
                arrived.posts.append((self.path, body))
                arrived.changed.notify_all()
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.request_queue_size = 128
    server.socket.listen(128)
    arrived.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield arrived
    server.shutdown()
    thread.join()
    server.server_close()


class Client:
    """Speaks to a simulator as a stranger's client would."""

    def __init__(self, started: Started, arrivals: Arrivals) -> None:
        self.started = started
        self.arrivals = arrivals
        self.http = httpx.Client(base_url=started.base_url, trust_env=False, timeout=10)
        self.http.headers["Authorization"] = f"Bearer {self.token()}"

    def token(self) -> str:
        answer = self.http.get(
            "/oauth/v1/generate", params={"grant_type": "client_credentials"}, auth=("key", "secret")
        )
        return str(answer.json()["access_token"])

    def push_fields(self, **changes: object) -> Json:
        fields = {
            "BusinessShortCode": "174379",
            "Timestamp": "20261123101500",
            "TransactionType": "CustomerPayBillOnline",
            "Amount": 10000,
            "PartyA": "254712345678",
            "PartyB": "174379",
            "PhoneNumber": "254712345678",
            "CallBackURL": self.arrivals.base_url + "/stk",
            "AccountReference": "UNIT4",
            "TransactionDesc": "Rent",
        } | changes
        return {"Password": self.password(str(fields["Timestamp"]))} | fields

    def password(self, timestamp: str, short_code: str = "174379") -> str:
        passkey = self.started.environment["MPESA_PASSKEY"]
        return base64.b64encode(f"{short_code}{passkey}{timestamp}".encode()).decode()

    def push(self, **changes: object) -> httpx.Response:
        return self.http.post("/mpesa/stkpush/v1/processrequest", json=without_none(self.push_fields(**changes)))

    def push_to(self, phone: str, **changes: object) -> Json:
        answer = self.push(PhoneNumber=phone, PartyA=phone, **changes)
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    def query(self, checkout_request_id: str, **changes: object) -> httpx.Response:
        fields = {
            "BusinessShortCode": "174379",
            "Timestamp": "20261123101600",
            "Password": self.password("20261123101600"),
            "CheckoutRequestID": checkout_request_id,
        }
        return self.http.post("/mpesa/stkpushquery/v1/query", json=without_none(fields | changes))

    def pay_fields(self, **changes: object) -> Json:
        return {
            "Initiator": "testapi",
            "SecurityCredential": self.started.environment["MPESA_SECURITY_CREDENTIAL"],
            "CommandID": "BusinessPayBill",
            "SenderIdentifierType": "4",
            "RecieverIdentifierType": "4",
            "Amount": 9500,
            "PartyA": "174379",
            "PartyB": "600123",
            "AccountReference": "PROP001",
            "Remarks": "Rent for June",
            "QueueTimeOutURL": self.arrivals.base_url + "/timeout",
            "ResultURL": self.arrivals.base_url + "/result",
        } | changes

    def pay(self, **changes: object) -> httpx.Response:
        return self.http.post("/mpesa/b2b/v1/paymentrequest", json=without_none(self.pay_fields(**changes)))

    def status(self, **changes: object) -> httpx.Response:
        fields = {
            "Initiator": "testapi",
            "SecurityCredential": self.started.environment["MPESA_SECURITY_CREDENTIAL"],
            "CommandID": "TransactionStatusQuery",
            "PartyA": "174379",
            "IdentifierType": "4",
            "Remarks": "check",
            "Occasion": "po-17",
            "QueueTimeOutURL": self.arrivals.base_url + "/timeout",
            "ResultURL": self.arrivals.base_url + "/status",
        }
        return self.http.post("/mpesa/transactionstatus/v1/query", json=without_none(fields | changes))

    def balance(self, **changes: object) -> httpx.Response:
        fields = {
            "Initiator": "testapi",
            "SecurityCredential": self.started.environment["MPESA_SECURITY_CREDENTIAL"],
            "CommandID": "AccountBalance",
            "PartyA": "174379",
            "IdentifierType": "4",
            "Remarks": "check",
            "QueueTimeOutURL": self.arrivals.base_url + "/timeout",
            "ResultURL": self.arrivals.base_url + "/balance",
        }
        return self.http.post("/mpesa/accountbalance/v1/query", json=without_none(fields | changes))

    def ledger(self) -> Json:
        body: Json = self.http.get("/simulator/ledger").json()
        return body

    def result(self, path: str = "/result") -> Json:
        """The result that has arrived at a path."""
        body: Json = self.arrivals.one(path)["Result"]
        return body

    def lay(self, *specs: str) -> None:
        answer = self.http.post("/simulator/faults", json={"faults": list(specs)})
        assert answer.status_code == 200, answer.text


def without_none(fields: Json) -> Json:
    """The fields, less those that a test has struck out."""
    return {key: value for key, value in fields.items() if value is not None}


def parameters(result: Json) -> Json:
    """The result parameters by key; one without a value is None."""
    return {each["Key"]: each.get("Value") for each in result["ResultParameters"]["ResultParameter"]}


def eventually(look: Callable[[], T]) -> T:
    """What `look` sees, as soon as it is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (seen := look()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)
    return seen


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder with one key pair for all."""
    return tmp_path_factory.mktemp("simulator")


@pytest.fixture
def simulate(home: Path, simulators: Simulators, arrivals: Arrivals) -> Iterator[Callable[..., Client]]:
    """Start a simulator with the options of the test's choice, in the place of the one before unless it has a home."""
    with ExitStack() as stack:

        def start(**options: Any) -> Client:
            settings = Options(**{"home": home, "delay_seconds": 0.0, **options})
            if "home" not in options:
                stack.close()
            started = stack.enter_context(running(settings) if "home" in options else simulators.playing(settings))
            client = Client(started, arrivals)
            stack.callback(client.http.close)
            return client

        yield start


@pytest.fixture(scope="module")
def refusing(home: Path) -> Iterator[Client]:
    """A client of one simulator for a whole file: for requests that are refused, and so leave nothing behind."""
    with running(Options(home=home)) as started:
        client = Client(started, Arrivals("http://127.0.0.1:9"))
        with closing(client.http):
            yield client


@pytest.fixture
def client(simulate: Callable[..., Client]) -> Client:
    """A client of a simulator with a float of 50,000."""
    return simulate(working=50_000)
