"""A whole world for a test: a simulator, a listener and a runtime, on a real database over real HTTP."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from rentpay_cli.config import Settings, check_settings
from rentpay_cli.flows import collect
from rentpay_cli.flows import register as registering
from rentpay_cli.flows.read_inbox import read_inbox
from rentpay_cli.runtime import Runtime
from rentpay_cli.service.group_commit import GroupCommit
from rentpay_cli.service.listener import build_app, listen_on, server_of
from rentpay_cli.simulator.options import Options
from rentpay_cli.simulator.server import Started
from rentpay_cli.store import inbox, readonly, reads
from rentpay_cli.store.inbox import Reading

if TYPE_CHECKING:
    from tests.support.stage import Stage

PATIENCE_SECONDS = 10.0

CALLBACK_BASE = "http://127.0.0.1:9"  # nobody listens on the discard port


def settings_for(database_url: str, **changes: str) -> Settings:
    """Settings that are complete, with values that belong to nobody."""
    return check_settings(
        {
            "MPESA_ENVIRONMENT": "simulator",
            "MPESA_BASE_URL": CALLBACK_BASE,
            "MPESA_CONSUMER_KEY": "key",
            "MPESA_CONSUMER_SECRET": "secret",
            "MPESA_BUSINESS_SHORT_CODE": "174379",
            "MPESA_PASSKEY": "passkey",
            "MPESA_CALLBACK_URL": f"{CALLBACK_BASE}/api/payments/callback",
            "MPESA_INITIATOR_NAME": "testapi",
            "MPESA_SECURITY_CREDENTIAL": "Y3JlZGVudGlhbA==",
            "MPESA_B2B_CALLBACK_URL": f"{CALLBACK_BASE}/api/payments/b2b-callback",
            "RENTPAY_PAYOUTS_PER_MINUTE": "off",
            "RENTPAY_DATABASE_URL": database_url,
            **changes,
        }
    )


class World:
    """What a flow test plays in."""

    def __init__(self, rt: Runtime, simulator: Started, listener_url: str) -> None:
        self.rt = rt
        self.simulator = simulator
        self.listener_url = listener_url

    @classmethod
    @contextmanager
    def open(cls, database_url: str, stage: Stage, **changes: Any) -> Iterator[World]:
        """A world on the stage, whose simulator has these options, too."""
        options = Options(delay_seconds=0.01, prompt_gap_seconds=0, **changes)
        rt = Runtime(settings_for(database_url), actor="tester")
        url = stage.listener_url

        def read_meanwhile(_: float) -> None:
            """Whoever waits for a result waits until callbacks are read."""
            read_inbox(rt)
            time.sleep(0.02)  # until a callback comes

        rt.pause = read_meanwhile

        def append(arrivals: Any) -> None:
            inbox.append(rt.database, arrivals, rt.now())

        try:
            with stage.playing(options, append) as simulator:
                rt.settings = check_settings(
                    {
                        **simulator.environment,
                        "MPESA_CALLBACK_URL": f"{url}/api/payments/callback",
                        "MPESA_B2B_CALLBACK_URL": f"{url}/api/payments/b2b-callback",
                        "MPESA_TIMEOUT_URL": f"{url}/api/payments/b2b-callback",
                        "RENTPAY_PAYOUTS_PER_MINUTE": "off",
                        "RENTPAY_DATABASE_URL": database_url,
                    }
                )
                yield cls(rt, simulator, url)
        finally:
            rt.close()  # when the listener stores nothing here any more

    def with_settings(self, **changes: Any) -> None:
        """Change some checked settings."""
        self.rt.settings = dataclasses.replace(self.rt.settings, **changes)

    # --- deeds -------------------------------------------------------------------------------------------------------

    def let(self, rent: str = "10000", **changes: Any) -> int:
        """Register an owner and a property, and return the property's number."""
        owner = registering.add_owner(self.rt, name="Wanjiru Kamau")
        return registering.add_property(
            self.rt,
            **{
                "name": "Sunset Apartments",
                "owner_reference": str(owner),
                "paybill": "600001",
                "account_number": "PROP001",
                "rent": rent,
                **changes,
            },
        )

    def paid_rent(self, phone: str = "0722000111", *, amount_cents: int | None = None, place: str = "1") -> int:
        """Rent that was asked for and paid, and that the callback told us of."""
        asked = collect.initiate(self.rt, property_reference=place, phone=phone, amount_cents=amount_cents, force=True)
        self.read_until(lambda: self.payment(asked.payment_id)["status"] == "success")
        return asked.payment_id

    def fault(self, spec: str) -> None:
        self.simulator.world.faults.add(spec)

    def set_float(self, shillings: int) -> None:
        """What the platform's working account holds."""
        httpx.post(
            f"{self.simulator.base_url}/simulator/accounts",
            json={"shortCode": self.rt.settings.short_code, "working": shillings},
        ).raise_for_status()

    def post(self, path: str, content: Any) -> httpx.Response:
        """Send a callback to the listener."""
        body = content if isinstance(content, bytes) else None
        return httpx.post(self.listener_url + path, content=body, json=None if body is not None else content)

    # --- what there is to see ----------------------------------------------------------------------------------------

    def payment(self, payment_id: int) -> readonly.Row:
        row = reads.payment(self.rt.reader, payment_id)
        assert row is not None
        return row

    def attempts(self, payment_id: int, direction: str = "payout") -> list[readonly.Row]:
        return [row for row in reads.attempts(self.rt.reader, payment_id) if row["direction"] == direction]

    def transfers(self, kind: str) -> list[dict[str, Any]]:
        """What really moved, by M-Pesa's own books."""
        ledger = httpx.get(f"{self.simulator.base_url}/simulator/ledger").json()
        return [item for item in ledger["transfers"] if item["kind"] == kind]

    def read(self) -> list[Reading]:
        """Read the callbacks that have arrived."""
        return read_inbox(self.rt)

    def read_until(self, holds: Callable[[], bool]) -> None:
        """Read callbacks as they arrive until the condition holds."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while True:
            read_inbox(self.rt)
            if holds():
                return
            assert time.monotonic() < ends, "it did not happen in time"
            time.sleep(0.005)  # for the next callback to come

    def held(self) -> list[str]:
        """Why callbacks are held."""
        return [row["outcome"] for row in self.rt.reader.rows("SELECT outcome FROM inbox WHERE state = 'held'")]

    def findings(self) -> list[str]:
        return [row["text"] for row in self.rt.reader.rows("SELECT text FROM finding WHERE closed_at IS NULL")]


@contextmanager
def listening(append: Callable[[Any], None]) -> Iterator[str]:
    """The real listener in a thread, and its address."""
    errors: list[Exception] = []

    def append_and_tell(arrivals: Any) -> None:
        try:
            append(arrivals)
        except Exception as error:
            errors.append(error)
            raise

    bound = listen_on("127.0.0.1", 0)
    server = server_of(build_app(GroupCommit(append_and_tell).store, lambda: (True, {"status": "ok"})), [])
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    bound.close()
    assert errors == [], errors
