"""The real processes of a run: a simulator, listeners and commands on one database, none of which outlives it."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tests.chaos.nursery import Nursery

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.01
OURS = ("MPESA_", "RENTPAY_", "PLATFORM_FEE", "AUTO_DISBURSEMENT", "CHAOS_")


class CannotRun(Exception):
    """The run could not be set up: it says nothing about the program."""


class Hangs(Exception):
    """Commands did not end."""

    def __init__(self, children: Iterable[Child]) -> None:
        super().__init__(f"it hangs: {', '.join(child.name for child in children)}")


class Child:
    """A process of ours; what it prints is kept in files."""

    def __init__(
        self, name: str, nursery: Nursery, arguments: Sequence[str], environment: dict[str, str], folder: Path
    ) -> None:
        self.name = name
        self.out, self.err = folder / f"{name}.out", folder / f"{name}.err"
        self.out.touch()
        self.err.touch()
        self.kill_at: float | None = None
        self.kill_after_seconds: float | None = None
        self._nursery = nursery
        self._number = nursery.start([*arguments], environment, folder, self.out, self.err)

    @property
    def pid(self) -> int | None:
        """Its number in the system, once it is born."""
        return self._nursery.pid(self._number)

    @property
    def status(self) -> int | None:
        """Its exit status; None while it lives, and minus the signal that ended it."""
        return self._nursery.status(self._number)

    @property
    def is_alive(self) -> bool:
        return self.status is None

    @property
    def was_killed(self) -> bool:
        return self.status == -signal.SIGKILL

    def kill(self) -> None:
        """End it as a power cut would."""
        self._nursery.kill(self._number)
        while self.is_alive:
            time.sleep(0.001)

    def begin_to_count(self) -> None:
        """Let the time begin after which it is killed, if it is to be."""
        if self.kill_after_seconds is not None:
            self.kill_at = time.monotonic() + self.kill_after_seconds

    def json(self) -> dict[str, Any]:
        """The one JSON document that it printed; an empty one if it printed none, or something else."""
        try:
            document = json.loads(self.out.read_text())
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}

    def error_code(self) -> str:
        """The code of the failure that it told of."""
        return str(self.json().get("error", {}).get("code", ""))


class Listener:
    """A callback listener that may die and come back on the same port."""

    def __init__(self) -> None:
        # The port stays ours while nobody listens: a bound socket keeps the system from giving it to somebody else.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port = int(self._reserved.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.child: Child | None = None
        if sys.platform != "linux":  # elsewhere nobody could listen on it then
            self._reserved.close()

    @property
    def is_alive(self) -> bool:
        return self.child is not None and self.child.is_alive

    @property
    def is_ready(self) -> bool:
        """Whether it has said where it listens."""
        return self.is_alive and self.child is not None and bool(self.child.json().get("url"))

    def environment(self) -> dict[str, str]:
        """The settings that lead M-Pesa's callbacks here."""
        base = f"{self.url}/api/payments"
        return {
            "MPESA_CALLBACK_URL": f"{base}/callback",
            "MPESA_B2B_CALLBACK_URL": f"{base}/b2b-callback",
            "MPESA_TIMEOUT_URL": f"{base}/b2b-callback",
        }

    def close(self) -> None:
        self._reserved.close()


class Platform:
    """A rent platform made of real processes, and a simulator for its M-Pesa."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        nursery: Nursery,
        *,
        seed: int = 0,
        delay: float = 0.05,
        auto: bool = False,
        listeners: int = 1,
    ) -> None:
        self.folder = folder
        self._nursery = nursery
        self.database_url = database_url
        self.auto = auto
        self.delay = delay
        self.ahead_seconds = 0
        self.children: list[Child] = []
        self._gates: list[tuple[Path, list[Child]]] = []
        self.listeners = [Listener() for _ in range(listeners)]
        self._environment = _clean_environment(folder) | {
            "RENTPAY_DATABASE_URL": database_url,
            "AUTO_DISBURSEMENT": str(auto).lower(),
            "RENTPAY_PAYOUTS_PER_MINUTE": "off",
        }
        try:
            self._start_simulator(seed)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Platform:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process."""
        for child in self.children:
            if child.is_alive:
                child.kill()
        for listener in self.listeners:
            listener.close()

    # --- M-Pesa ------------------------------------------------------------------------------------------------------

    def _start_simulator(self, seed: int) -> None:
        options = ("--port", "0", "--json", "--prompt-gap", "0", "--home", str(self.folder / "simulator"))
        chance = ("--delay", str(self.delay), "--seed", str(seed))
        self._simulator = self._start("simulator", ("simulator", *options, *chance), {})
        self.wait_until(lambda: bool(self._simulator.json()), "the simulator starts", self._simulator)
        started = self._simulator.json()
        self.mpesa_url = str(started["baseUrl"])
        self._environment = self._environment | started["environment"]

    def ledger(self) -> list[dict[str, Any]]:
        """Every transfer that really happened, by M-Pesa's own books."""
        transfers: list[dict[str, Any]] = self._control("GET", "ledger")["transfers"]
        return transfers

    def lay_faults(self, specs: Iterable[str]) -> None:
        """Let the simulator fail from now on."""
        self._control("POST", "faults", {"faults": list(specs)})

    def clear_faults(self) -> int:
        """Let the simulator be well from now on, and return how often faults struck."""
        struck = sum(fault["struck"] for fault in self._control("GET", "faults")["faults"])
        self._control("DELETE", "faults")
        return int(struck)

    def _control(self, method: str, what: str, order: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = httpx.request(method, f"{self.mpesa_url}/simulator/{what}", json=order, timeout=20, trust_env=False)
        answer.raise_for_status()
        content: dict[str, Any] = answer.json()
        return content

    def callbacks_delivered(self) -> int:
        """How many of M-Pesa's callbacks were answered with 200."""
        return sum("answered 200" in line for line in self._simulator.err.read_text().splitlines())

    # --- listeners ---------------------------------------------------------------------------------------------------

    def start_listener(self, listener: Listener, death: str = "") -> None:
        """Start it, on its own port; `death` is as in `start`."""
        listener.child = self.start("serve-callbacks", "--port", str(listener.port), listener=listener, death=death)

    def start_listeners(self) -> None:
        """Start every listener, and wait until all of them listen."""
        for listener in self.listeners:
            self.start_listener(listener)
        for listener in self.listeners:
            self.wait_until(lambda: listener.is_ready, "the listener starts", listener.child)  # noqa: B023

    def move_clock(self, seconds: int) -> None:
        """Let it be later from now on, for the listeners, too."""
        self.ahead_seconds = seconds
        for listener in self.listeners:
            if listener.child is not None:
                listener.child.kill()
        self.start_listeners()

    # --- commands ----------------------------------------------------------------------------------------------------

    def start(
        self,
        *arguments: str,
        listener: Listener | None = None,
        death: str = "",
        ahead_seconds: int = 0,
        gate: Path | None = None,
    ) -> Child:
        """Start a command in a process of its own.

        `death` is where it dies, as in CHAOS_DIE_AT, or `kill:S` for a kill from outside after S seconds.
        """
        settings = (listener or self.listeners[0]).environment()
        ahead = ahead_seconds or self.ahead_seconds
        if death and not death.startswith("kill:"):
            settings["CHAOS_DIE_AT"] = death
        if ahead:
            settings["CHAOS_CLOCK_AHEAD_SECONDS"] = str(ahead)
        if gate is not None:
            settings["CHAOS_GATE"] = str(gate)
        child = self._start(f"{len(self.children):03}-{arguments[0]}", (*arguments, "--json"), settings)
        if death.startswith("kill:"):
            child.kill_after_seconds = float(death.removeprefix("kill:"))
            if gate is None:
                child.begin_to_count()
        return child

    def start_at_once(self, count: int, *arguments: str, deaths: Sequence[str] = ()) -> list[Child]:
        """Start a command several times; all begin in the same moment, once `pass_time` sees them at the gate."""
        gate = self.folder / f"gate-{len(self.children):03}"
        gate.mkdir()
        children = [
            self.start(
                *arguments,
                gate=gate,
                death=deaths[number] if deaths else "",
                listener=self.listeners[number % len(self.listeners)],
            )
            for number in range(count)
        ]
        self._gates.append((gate, children))
        return children

    def run(self, *arguments: str) -> Child:
        """Run a command to its end."""
        child = self.start(*arguments)
        self.wait_for([child])
        return child

    def run_all(self, commands: Iterable[Sequence[str]], at_once: int = 4) -> list[Child]:
        """Run commands to their ends, some at once."""
        done: list[Child] = []
        for arguments in commands:
            self.wait_until(lambda: sum(child.is_alive for child in done) < at_once, "a command ends")
            done.append(self.start(*arguments))
        self.wait_for(done)
        return done

    def do(self, *commands: Sequence[str]) -> None:
        """Run commands that must succeed."""
        for child in self.run_all(commands):
            if child.status != 0:
                raise CannotRun(
                    f"{child.name} ended with {child.status}: {child.out.read_text()}{child.err.read_text()}"
                )

    def _start(self, name: str, arguments: Sequence[str], settings: dict[str, str]) -> Child:
        child = Child(name, self._nursery, arguments, self._environment | settings, self.folder)
        self.children.append(child)
        return child

    # --- time --------------------------------------------------------------------------------------------------------

    def pass_time(self) -> None:
        """Open the gates where all have come, kill the processes whose time is up, and let a moment go by."""
        self._gates = [(gate, waiting) for gate, waiting in self._gates if not _opened(gate, waiting)]
        now = time.monotonic()
        for child in self.children:
            if child.kill_at is not None and now >= child.kill_at:
                child.kill_at = None
                if child.is_alive:
                    child.kill()
        time.sleep(POLL_SECONDS)

    def wait_for(self, children: Iterable[Child]) -> None:
        """Wait until all of them have ended; raises `Hangs`."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while waiting := [child for child in children if child.is_alive]:
            if time.monotonic() > ends:
                raise Hangs(waiting)
            self.pass_time()

    def wait_until(self, holds: Callable[[], bool], what: str, needs: Child | None = None) -> None:
        """Wait for something that must happen; raises `CannotRun` if it does not, or if who must do it has died."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            if time.monotonic() > ends or (needs is not None and not needs.is_alive):
                words = needs.err.read_text()[-2000:] if needs else ""
                raise CannotRun(f"It did not happen that {what}. {words}")
            self.pass_time()


def _opened(gate: Path, children: Sequence[Child]) -> bool:
    """Open the gate if everybody who still lives is there."""
    if not all((gate / str(child.pid)).exists() or not child.is_alive for child in children):
        return False
    (gate / "open").touch()
    for child in children:
        child.begin_to_count()
    return True


def _clean_environment(folder: Path) -> dict[str, str]:
    """The environment of this process without settings and folders of the person who runs it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return kept | {
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
