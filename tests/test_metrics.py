"""The worker's sign of life, and `GET /metrics`, which answers this machine alone."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from rentpay_cli.cli.serve import _metrics
from rentpay_cli.runtime import Runtime
from rentpay_cli.service.listener import build_app
from rentpay_cli.service.metrics import metrics_route
from rentpay_cli.service.worker import Worker
from rentpay_cli.store import health_reads

NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def asked_from(address: str, metrics: Callable[[], str | None] = lambda: "rentpay_x 1\n", **headers: str) -> Any:
    async def store_bytes(_: object) -> None:
        pytest.fail("it is no callback")

    app = build_app(store_bytes, lambda: (True, {}), metrics_route(metrics))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(address, 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://listener") as client:
            return await client.get("/metrics", headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_metrics_are_told_to_this_machine(address: str) -> None:
    answer = asked_from(address)
    assert (answer.status_code, answer.text) == (200, "rentpay_x 1\n")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize("address", ["196.201.214.200", "10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "testclient"])
def test_metrics_are_told_to_nobody_else(address: str) -> None:
    answer = asked_from(address)
    assert answer.status_code == 403
    assert "rentpay_x" not in answer.text


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_metrics_are_not_told_through_a_proxy_on_this_machine(header: str) -> None:
    assert asked_from("127.0.0.1", **{header: "127.0.0.1"}).status_code == 403


def test_metrics_that_cannot_be_read_are_a_503() -> None:
    assert asked_from("127.0.0.1", lambda: None).status_code == 503


def test_metrics_come_from_the_database_and_its_loss_is_logged(rt: Runtime, tmp_path: Any) -> None:
    events: list[str] = []

    def log(event: str, **_: Any) -> None:
        events.append(event)

    assert "rentpay_disbursements_failed 0\n" in (_metrics(rt, log) or "")
    (tmp_path / "notes.db").write_text("these are my notes, and no database\n" * 50)
    rt.settings = dataclasses.replace(rt.settings, database_url=f"sqlite:///{tmp_path / 'notes.db'}")
    assert _metrics(rt, log) is None
    assert events == ["metrics not read"]


def test_a_worker_leaves_a_sign_of_life_at_most_every_15_seconds(rt: Runtime) -> None:
    worker = Worker(rt, lambda *_, **__: None)
    told = []
    for seconds in (0, 14, 15, 16, -60):  # the clock may be set back
        rt.now = lambda seconds=seconds: NOON + timedelta(seconds=seconds)
        worker._leave_sign()
        row = health_reads.health(
            rt.reader, now=0, pending_before=0, processing_before=0, silence_before=0, untold_since=0
        )
        told.append(int(row["worker_alive_at"]) - int(NOON.timestamp() * 1000))
    assert told == [0, 0, 15_000, 15_000, -60_000]


def test_only_a_round_that_went_well_is_a_sign_of_life(rt: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(rt, lambda *_, **__: None)
    signs: list[bool] = []
    monkeypatch.setattr(worker, "_leave_sign", lambda: signs.append(True))

    def fail(*_: Any) -> int:
        worker._stopping.set()
        raise ValueError("x")

    def succeed(*_: Any) -> int:
        worker._stopping.set()
        return 1

    for one_round, expected in ((fail, []), (succeed, [True])):
        monkeypatch.setattr("rentpay_cli.service.worker.round_of_work", one_round)
        worker._stopping.clear()
        worker._run()
        assert signs == expected
