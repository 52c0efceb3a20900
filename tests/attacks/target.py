"""What is attacked: a real `rentpay serve-callbacks` process with one rent that was asked for, and its figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rentpay_cli.config import Settings
from rentpay_cli.flows import collect, register
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import schema
from tests.support.scripted import script, token_of
from tests.support.world import CALLBACK_BASE, settings_for

COLLECTION, PAYOUT = "/api/payments/callback", "/api/payments/b2b-callback"
ROOT = Path(__file__).parents[2]


def new_database(folder: Path) -> str:
    """The URL of a new SQLite database."""
    url = f"sqlite:///{folder / 'attacked.db'}"
    schema.create_or_upgrade(url, "simulator")
    return url


def environment(database_url: str) -> dict[str, str]:
    """Every setting of a process that nobody answers for."""
    passed = {
        name: os.environ[name] for name in ("PATH", "HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME") if name in os.environ
    }
    return {
        **passed,
        "PYTHONPATH": str(ROOT),
        "MPESA_ENVIRONMENT": "simulator",
        "MPESA_BASE_URL": CALLBACK_BASE,
        "MPESA_CONSUMER_KEY": "key",
        "MPESA_CONSUMER_SECRET": "secret",
        "MPESA_BUSINESS_SHORT_CODE": "174379",
        "MPESA_PASSKEY": "passkey",
        "MPESA_CALLBACK_URL": f"{CALLBACK_BASE}{COLLECTION}",
        "MPESA_INITIATOR_NAME": "testapi",
        "MPESA_SECURITY_CREDENTIAL": "Y3JlZGVudGlhbA==",
        "MPESA_B2B_CALLBACK_URL": f"{CALLBACK_BASE}{PAYOUT}",
        "RENTPAY_DATABASE_URL": database_url,
        "AUTO_DISBURSEMENT": "false",
    }


def ask_for_rent(settings: Settings) -> str:
    """Ask one tenant for rent; the token of the callback's address."""
    rt = Runtime(settings, actor="tester")
    try:
        register.add_owner(rt, name="Wanjiru Kamau")
        register.add_property(
            rt, name="Sunset Apartments", owner_reference="1", paybill="600001", account_number="PROP001", rent="10000"
        )
        mpesa = script(rt)
        collect.initiate(rt, property_reference="1", phone="0722000111")
        return token_of(mpesa.sent[-1][1])
    finally:
        rt.close()


class Target:
    """The process under attack."""

    def __init__(self, process: subprocess.Popen[str], url: str, token: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.host, port = url.removeprefix("http://").split(":")
        self.port = int(port)
        self.honest_path = f"{COLLECTION}/{token}"
        self.log = log

    def rss_kib(self) -> int:
        """Resident memory now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def open_files(self) -> int:
        """File descriptors in use now."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))  # noqa: PTH208 - a count, thousands of times


@contextmanager
def attacked(folder: Path, **settings: str) -> Iterator[Target]:
    """The listener runs on a new database in the folder."""
    database_url = new_database(folder)
    token = ask_for_rent(settings_for(database_url))
    log = folder / "listener.log"
    with serving(database_url, log, **settings) as (process, url):
        yield Target(process, url, token, log)


@contextmanager
def serving(database_url: str, log: Path, **settings: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The listener runs on the database: its process and its address."""
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "rentpay_cli", "serve-callbacks", "--port", "0", "--json"],
            env=environment(database_url) | settings,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    assert process.stdout is not None
    try:
        yield process, _announced(process, log)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _announced(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line.rstrip() == "}":
            return str(json.loads(text)["url"])
    raise AssertionError(f"it did not start: {text}{log.read_text()}")
