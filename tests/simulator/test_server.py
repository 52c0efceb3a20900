"""Starting and stopping: the key pair, the settings that are printed, the signals, the deliveries."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from rentpay_cli.simulator.announce import environment_block, environment_json
from rentpay_cli.simulator.keys import BadKeys, load_or_make
from rentpay_cli.simulator.options import BadOption, Options, read_name
from rentpay_cli.simulator.server import CannotListen, run, running
from tests.simulator.conftest import Arrivals, Client, eventually


def test_the_environment_tells_a_client_everything(client: Client) -> None:
    environment = client.started.environment
    assert list(environment) == [
        "MPESA_ENVIRONMENT",
        "MPESA_BASE_URL",
        "MPESA_CONSUMER_KEY",
        "MPESA_CONSUMER_SECRET",
        "MPESA_BUSINESS_SHORT_CODE",
        "MPESA_PASSKEY",
        "MPESA_CALLBACK_URL",
        "MPESA_INITIATOR_NAME",
        "MPESA_SECURITY_CREDENTIAL",
        "MPESA_B2B_CALLBACK_URL",
        "MPESA_TIMEOUT_URL",
        "MPESA_CERTIFICATE",
    ]
    assert environment["MPESA_ENVIRONMENT"] == "simulator"
    assert environment["MPESA_BASE_URL"] == client.started.base_url
    assert environment["MPESA_BUSINESS_SHORT_CODE"] == "174379"
    assert environment["MPESA_CALLBACK_URL"] == "http://127.0.0.1:8000/api/payments/callback"
    assert environment["MPESA_TIMEOUT_URL"] == environment["MPESA_B2B_CALLBACK_URL"]
    assert len(environment["MPESA_SECURITY_CREDENTIAL"]) == 344
    certificate = Path(environment["MPESA_CERTIFICATE"])
    assert certificate.read_bytes() == client.http.get("/simulator/certificate").content


def test_the_block_is_read_back_by_dotenv(tmp_path: Path) -> None:
    dotenv_values = pytest.importorskip("dotenv").dotenv_values
    settings = {"A": "http://127.0.0.1:1/x", "B": "it's # a \\ test $HOME", "C": "a+b/c=="}
    (tmp_path / ".env").write_text(environment_block(settings, "http://x"))
    assert dict(dotenv_values(tmp_path / ".env", interpolate=False)) == settings
    document = json.loads(environment_json(settings, "http://x"))
    assert document == {"success": True, "environment": settings, "baseUrl": "http://x"}


def test_a_credential_stays_good_after_a_restart(simulate: Callable[..., Client], tmp_path: Path) -> None:
    first = simulate(home=tmp_path)
    second = simulate(home=tmp_path, working=50_000)
    second.pay(SecurityCredential=first.started.environment["MPESA_SECURITY_CREDENTIAL"])
    assert second.result()["ResultCode"] == 0


def test_the_key_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    load_or_make(tmp_path / "home")
    assert stat.S_IMODE((tmp_path / "home" / "key.pem").stat().st_mode) == 0o600


def test_simulators_that_start_together_have_one_key(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from rentpay_cli.simulator.keys import load_or_make\n"
    code += "sys.stdout.write(load_or_make(Path(sys.argv[1])).certificate_pem.decode())"
    command = [sys.executable, "-c", code, str(tmp_path / "home")]
    with ThreadPoolExecutor(4) as pool:
        seen = set(pool.map(lambda _: subprocess.run(command, capture_output=True, check=True).stdout, range(4)))
    assert len(seen) == 1


def test_a_damaged_key_is_told_and_not_replaced(tmp_path: Path) -> None:
    load_or_make(tmp_path)
    (tmp_path / "key.pem").write_text("broken")
    with pytest.raises(BadKeys, match="damaged"):
        load_or_make(tmp_path)
    assert (tmp_path / "key.pem").read_text() == "broken"


def test_a_stop_leaves_no_thread_and_frees_the_port(home: Path) -> None:
    before = threading.active_count()
    with running(Options(home=home)) as started:
        assert httpx.get(started.base_url + "/simulator/ledger").status_code == 200
    assert threading.active_count() == before
    with pytest.raises(httpx.ConnectError):
        httpx.get(started.base_url + "/simulator/ledger")


def test_a_stop_does_not_wait_for_results_to_be_sent(home: Path, arrivals: Arrivals) -> None:
    began = time.monotonic()
    with running(Options(home=home, delay_seconds=30.0)) as started:
        client = Client(started, arrivals)
        with closing(client.http):
            client.pay()
    assert time.monotonic() - began < 3
    assert arrivals.posts == []


def test_a_port_in_use_is_told_in_a_sentence(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"port {port}"):
            run(Options(home=home, port=port), announce=lambda _: None)


def test_many_results_are_delivered_at_the_same_time(simulate: Callable[..., Client], arrivals: Arrivals) -> None:
    client = simulate(working=50_000)
    arrivals.hold_seconds = 0.3
    began = time.monotonic()
    for _ in range(40):
        client.pay(Amount=10)
    assert time.monotonic() - began < 1.5  # the answers do not wait for the deliveries
    arrivals.wait("/result", 40)
    assert time.monotonic() - began < 3  # one after the other it would take 12 seconds


def test_an_address_that_does_not_answer_harms_nothing(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="rentpay.simulator")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    client.pay(ResultURL=f"http://127.0.0.1:{port}/a-secret-token")
    client.pay()
    client.result()
    eventually(lambda: "not delivered" in caplog.text)
    assert "a-secret-token" not in caplog.text


def test_the_log_keeps_secrets_and_phone_numbers(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="rentpay.simulator")
    ack = client.push_to("254712345678")
    client.arrivals.wait("/stk")
    client.query(ack["CheckoutRequestID"])
    client.pay(ResultURL=client.arrivals.base_url + "/a-secret-token")
    client.arrivals.wait("/a-secret-token")
    client.http.post("/mpesa/b2b/v1/paymentrequest", headers={"Authorization": "Bearer my-old-token"})
    eventually(lambda: caplog.text.count("result delivered") == 2)
    token = client.http.headers["Authorization"].removeprefix("Bearer ")
    credential = client.started.environment["MPESA_SECURITY_CREDENTIAL"]
    assert "254712***678" in caplog.text
    assert "401.002.01" in caplog.text
    for secret in ("254712345678", "712345678", token, credential, "my-old-token", "a-secret-token", "Safaricom123!"):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    "options",
    [
        {"short_code": "abc"},
        {"unknown_paybills": frozenset(["1"])},
        {"delay_seconds": -1.0},
        {"delay_seconds": float("nan")},
        {"passkey": ""},
        {"initiator_password": "x" * 246},
    ],
)
def test_options_without_meaning_are_refused_in_a_sentence(options: dict[str, Any]) -> None:
    with pytest.raises(BadOption) as refused:
        Options(**options)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize("text", ["600000", "600000=", "=Sunset", "x=Sunset"])
def test_a_name_must_say_whose_it_is(text: str) -> None:
    assert read_name("600000=Sunset = Homes") == ("600000", "Sunset = Homes")
    with pytest.raises(BadOption):
        read_name(text)


# --- the real process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_its_settings_serves_and_stops_in_order(home: Path, number: signal.Signals) -> None:
    with command(home, "--port", "0") as process:
        assert process.stdout
        lines = []
        while not (lines and lines[-1].startswith("MPESA_CERTIFICATE")):
            lines.append(process.stdout.readline())
            assert lines[-1], "it ended before all was printed"
        settings = dict(line.strip().split("=", 1) for line in lines if not line.startswith("#"))
        assert len(settings["MPESA_SECURITY_CREDENTIAL"]) == 344
        assert httpx.get(settings["MPESA_BASE_URL"] + "/simulator/ledger").status_code == 200
        process.send_signal(number)
        rest, log = process.communicate(timeout=10)
    assert process.returncode == 0, log
    assert rest == ""
    assert settings["MPESA_BASE_URL"] in log


def test_the_command_prints_one_json_document_when_asked(home: Path) -> None:
    with command(home, "--port", "0", "--quiet", "--json") as process:
        assert process.stdout
        document = json.loads(process.stdout.readline())
        process.terminate()
        rest, log = process.communicate(timeout=10)
    assert (process.returncode, rest, log) == (0, "", "")
    assert document["success"] is True
    assert document["environment"]["MPESA_BASE_URL"] == document["baseUrl"]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--fault", "b2b:nothing"], 2), (["--short-code", "x"], 2), (["--name", "x"], 2), (["--delay", "-1"], 2)],
)
def test_the_command_refuses_what_it_does_not_understand(home: Path, arguments: list[str], status: int) -> None:
    with command(home, "--port", "0", *arguments) as process:
        out, log = process.communicate(timeout=10)
    assert process.returncode == status
    assert out == ""
    assert log.strip()
    assert "Traceback" not in log


def test_the_command_says_that_its_port_is_taken(home: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        command(home, "--port", str(taken.getsockname()[1]), "--json") as process,
    ):
        out, log = process.communicate(timeout=10)
    assert (process.returncode, log) == (1, "")
    error = json.loads(out)["error"]
    assert error["code"] == "port_taken"
    assert re.fullmatch(r"Cannot listen on 127\.0\.0\.1 port [0-9]+: Address already in use\.", error["message"])


def test_the_log_says_in_which_zone_its_times_are(home: Path) -> None:
    with command(home, "--port", "0") as process:
        assert process.stdout
        block = "".join(process.stdout.readline() for _ in range(4))
        base_url = re.findall("MPESA_BASE_URL=(.+)", block)[0]
        httpx.post(f"{base_url}/simulator/faults", json={"fault": "b2b:lost"}).raise_for_status()
        process.terminate()
        _, log = process.communicate(timeout=10)
    (at,) = re.findall("([0-9:]{8}) EAT fault laid", log)
    now = datetime.now(UTC) + timedelta(hours=3)
    assert at in {(now - timedelta(seconds=ago)).strftime("%H:%M:%S") for ago in range(60)}


def test_the_help_cuts_no_option_at_eighty_columns() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "rentpay_cli", "simulator", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "80", "TERMINAL_WIDTH": "80"},
    ).stdout
    assert "--accept-any-credential " in shown
    assert "…" not in shown
    assert '{"fault": "b2b:lost"}' in " ".join(shown.split())


def command(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """The real command, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "rentpay_cli", "simulator", "--home", str(home), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
