"""What all measurements share: the installed wheel and its peers, processes, servers, pairs, and figures."""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PATIENCE_SECONDS = 60.0


class CannotMeasure(Exception):
    """Something that the measurement needs is not on this machine."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A ratio, or a plain number with a unit, and the limit that it must keep."""

    what: str
    against: str
    value: float
    limit: float | None = None
    at_least: bool = False
    unit: str = "x"
    note: str = ""

    @property
    def is_reached(self) -> bool:
        """Whether the limit is kept; what has none is only told."""
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def line(self) -> str:
        """The figure for people."""
        digits = 4 if self.value < 0.1 else 2
        text = f"{self.what:<58} {self.against:<44} {self.value:8.{digits}f} {self.unit:<4}"
        if self.limit is not None:
            text += f" {'at least' if self.at_least else 'at most '} {self.limit:<6g}"
            text += " reached" if self.is_reached else " NOT REACHED"
        return f"{text}  {self.note}".rstrip()


@dataclass
class Bench:
    """A folder with everything that is measured, which is gone afterwards."""

    folder: Path
    quick: bool
    without_node: str = ""

    @classmethod
    @contextmanager
    def open(cls, *, quick: bool) -> Iterator[Bench]:
        """Install the wheel and the peers; what is compared gets the same Python."""
        folder = Path(tempfile.mkdtemp(prefix="rentpay-benchmarks-"))
        try:
            bench = cls(folder, quick)
            bench._install()
            yield bench
        finally:
            shutil.rmtree(folder)

    def _install(self) -> None:
        source = self.folder / "source"  # a copy, because a wheel's making leaves files in its source
        source.mkdir()
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, source)
        shutil.copytree(ROOT / "rentpay_cli", source / "rentpay_cli", ignore=shutil.ignore_patterns("__pycache__"))
        self.node_folder.mkdir()
        for name, folder in (("express.cjs", self.node_folder), ("flask_app.py", self.folder)):
            shutil.copy(HERE / "peers" / name, folder)  # they are run where what they need is, and leave files there
        steps = [_install_python(self.folder / "ours", f"{source}[postgres]")]
        steps.append(_install_python(self.folder / "peers", "flask", "gunicorn", "sqlite-utils"))
        if shutil.which("npm"):
            npm = ["npm", "install", "--silent", "--no-fund", "--no-audit", "express", "better-sqlite3"]
            steps.append(subprocess.Popen(npm, cwd=self.node_folder, stdout=subprocess.DEVNULL))
        else:
            self.without_node = "node is not here"
        statuses = [step.wait() for step in steps]
        if any(statuses[:2]):
            raise RuntimeError("rentpay or its peers could not be installed")
        if any(statuses[2:]):
            self.without_node = "express and better-sqlite3 could not be installed"

    @property
    def python(self) -> Path:
        return self.folder / "ours" / "bin" / "python"

    @property
    def rentpay(self) -> Path:
        return self.folder / "ours" / "bin" / "rentpay"

    @property
    def node_folder(self) -> Path:
        return self.folder / "node"

    def peer(self, name: str) -> Path:
        """A program in the environment of the peers."""
        return self.folder / "peers" / "bin" / name

    def few_or(self, count: int, *, few: int) -> int:
        """The count, or a small one for a run that only shows that it runs."""
        return few if self.quick else count

    def environment(self, database_url: str = "", mpesa: str = "http://127.0.0.1:9", **more: str) -> dict[str, str]:
        """Settings that are complete, and nothing of the person who runs this; nobody listens on the discard port."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        callbacks = "http://127.0.0.1:9/api/payments"
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "MPESA_ENVIRONMENT": "simulator",
            "MPESA_BASE_URL": mpesa,
            "MPESA_CONSUMER_KEY": "key",
            "MPESA_CONSUMER_SECRET": "secret",
            "MPESA_BUSINESS_SHORT_CODE": "174379",
            "MPESA_PASSKEY": "passkey",
            "MPESA_CALLBACK_URL": f"{callbacks}/callback",
            "MPESA_INITIATOR_NAME": "testapi",
            "MPESA_SECURITY_CREDENTIAL": "Y3JlZGVudGlhbA==",
            "MPESA_B2B_CALLBACK_URL": f"{callbacks}/b2b-callback",
            "RENTPAY_PAYOUTS_PER_MINUTE": "off",
            "RENTPAY_DATABASE_URL": database_url,
            **more,
        }

    def inside(self, *arguments: object, **settings: str) -> Any:
        """What the installed package measured inside its own process (see `inside.py`)."""
        command = [str(each) for each in (self.python, HERE / "inside.py", *arguments)]
        return json.loads(subprocess.check_output(command, env=self.environment(**settings), text=True))


def _install_python(folder: Path, *packages: str) -> subprocess.Popen[bytes]:
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check", *packages]
    return subprocess.Popen(pip, env=environment, cwd=folder)


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


# --- processes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """What a whole process took, by the system's own accounts."""

    wall_seconds: float
    processor_seconds: float
    peak_mebibytes: float


def whole_process(
    command: Sequence[object], environment: dict[str, str], *, statuses: Sequence[int] = (0,), out: Path | None = None
) -> Run:
    """Run a command to its end; one that ends with another status measures nothing and stops the benchmark."""
    errors = Path(environment["HOME"]) / "errors"
    peak_kibibytes = 0
    with (out or Path(os.devnull)).open("wb") as output, errors.open("wb") as complaints:
        began = time.perf_counter()
        process = subprocess.Popen([str(each) for each in command], env=environment, stdout=output, stderr=complaints)
        if out is not None:  # the peak that wait4 tells includes that of the process that forked it
            while (seen := _peak_kibibytes(process.pid)) is not None:
                peak_kibibytes = max(peak_kibibytes, seen)
                time.sleep(0.01)
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in statuses:
        raise RuntimeError(f"{command} ended with {process.returncode}: {errors.read_text()[-2000:]}")
    return Run(took, usage.ru_utime + usage.ru_stime, peak_kibibytes / 1024)


def _peak_kibibytes(pid: int) -> int | None:
    """The most memory that a living process has had; None once it has ended."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    return None


@contextmanager
def server(command: Sequence[object], environment: dict[str, str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server, from its first answer until the block ends."""
    errors = Path(environment["HOME"]) / f"errors-{port}"
    with errors.open("wb") as complaints:
        process = subprocess.Popen(
            [str(each) for each in command], env=environment, stdout=subprocess.DEVNULL, stderr=complaints
        )
    try:
        ends = time.monotonic() + PATIENCE_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(f"{command} does not listen: {errors.read_text()[-2000:]}")
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def _answers(port: int) -> bool:
    """Whether there is an answer by HTTP, whatever it says; a port may be open long before."""
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as probe:
            probe.sendall(b"GET /seen HTTP/1.0\r\n\r\n")
            return bool(probe.recv(1))
    except OSError:
        return False


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mpesa(bench: Bench, delay_seconds: float = 0.0) -> Iterator[str]:
    """An M-Pesa that accepts everything after the delay, and its address (see `mpesa_stub.py`)."""
    port = free_port()
    with server([bench.python, HERE / "mpesa_stub.py", port, delay_seconds], bench.environment(), port):
        yield f"http://127.0.0.1:{port}"


@dataclass(frozen=True, slots=True)
class Load:
    """What a load saw."""

    per_second: float
    p99_ms: float
    longest_ms: float
    answered: int


def load(bench: Bench, ports: Sequence[int], **what: object) -> Load:
    """Post callbacks over 32 connections: `requests`, or for some `seconds` new ones about the first `payments`."""
    order = {"ports": [*ports], "connections": 32, "seconds": 0, "payments": 0, "requests": [], **what}
    command = [str(bench.python), str(HERE / "load.py")]
    told = subprocess.check_output(command, input=json.dumps(order), env=bench.environment(), text=True)
    return Load(**json.loads(told))


# --- pairs -----------------------------------------------------------------------------------------------------------


def in_turn(count: int, first: Callable[[int], float], second: Callable[[int], float]) -> list[tuple[float, float]]:
    """Measure both in turn; a first pair, which warms the caches, does not count."""
    return [(first(number), second(number)) for number in range(-1, count)][1:]


def ratio(pairs: Sequence[Sequence[float]]) -> float:
    """The median of first divided by second."""
    return statistics.median(first / second for first, second, *_ in pairs)
