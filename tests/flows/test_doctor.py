"""`rentpay doctor`: each thing that can be wrong is found by itself, and nothing is changed by looking."""

from __future__ import annotations

import base64
import dataclasses
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rentpay_cli.core.clock import to_milliseconds
from rentpay_cli.core.float_reading import ReadingSource
from rentpay_cli.daraja import probe
from rentpay_cli.errors import MpesaUnreachable
from rentpay_cli.flows.doctor import Check, examine
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import enquiries, inbox
from tests.support.beginnings import Begin
from tests.support.everything import some_of_everything
from tests.support.forger import forge
from tests.support.stage import Stage
from tests.support.world import World

CREDENTIAL = base64.b64encode(b"x" * 256).decode()
NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def look(rt: Runtime, *, offline: bool = True, files: tuple[Path, ...] = ()) -> list[Check]:
    return list(examine(rt, list(files), offline=offline))


def wrong(rt: Runtime, *, offline: bool = True, files: tuple[Path, ...] = ()) -> list[str]:
    found = [check for check in look(rt, offline=offline, files=files) if check.result == "wrong"]
    assert all(check.mend for check in found), "what is wrong says how to mend it"
    return [check.name for check in found]


@pytest.fixture
def healthy(rt: Runtime) -> Runtime:
    """Settings with nothing wrong, on a database that its owner alone can read."""
    change(rt, security_credential=CREDENTIAL)
    if rt.settings.database_url.startswith("sqlite"):
        file_of(rt).chmod(0o600)
    return rt


def change(rt: Runtime, **changes: Any) -> None:
    rt.settings = dataclasses.replace(rt.settings, **changes)


def file_of(rt: Runtime) -> Path:
    return Path(rt.settings.database_url.removeprefix("sqlite:///"))


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Every place on the network answers this."""

    def answer(status: int = 200, date: datetime | None = None, **document: object) -> None:
        monkeypatch.setattr(probe, "look", lambda _: probe.Answer(status, date, document))

    return answer


def test_nothing_is_wrong_where_nothing_is(healthy: Runtime) -> None:
    assert wrong(healthy) == []
    skipped = [check.name for check in look(healthy) if check.result == "skipped"]
    assert skipped == ["certificate", "address", "clock and token"]


def test_the_network_is_left_alone_when_offline(healthy: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(probe, "look", refuse)
    monkeypatch.setattr(probe, "addresses", refuse)
    assert "mpesa" not in healthy.__dict__
    look(healthy)
    assert "mpesa" not in healthy.__dict__


def test_missing_settings_are_told(healthy: Runtime) -> None:
    change(healthy, passkey="", initiator_name="")
    assert wrong(healthy) == ["configuration", "configuration"]


def test_settings_that_others_may_read_are_told(healthy: Runtime, tmp_path: Path) -> None:
    path = tmp_path / "settings"
    path.touch(mode=0o600)
    assert wrong(healthy, files=(path,)) == []
    path.chmod(0o640)
    assert wrong(healthy, files=(path,)) == ["configuration"]


def test_a_credential_of_the_wrong_shape_is_told(healthy: Runtime) -> None:
    change(healthy, security_credential="Y3JlZGVudGlhbA==")
    assert wrong(healthy) == ["credential"]


def test_a_certificate_is_told_by_its_fingerprint_or_as_unusable(healthy: Runtime, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    path = tmp_path / "key.pem"
    for bits, expected in ((2048, []), (1024, ["certificate"])):
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key()
        path.write_bytes(key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
        change(healthy, certificate=str(path))
        assert wrong(healthy) == expected
        assert f"{bits} bits, SHA-256 " in " ".join(check.text for check in look(healthy))
    path.write_text("no certificate")
    assert wrong(healthy) == ["certificate"]
    path.unlink()
    assert wrong(healthy) == ["certificate"]


def test_a_database_that_is_not_there_is_noted_and_not_made(healthy: Runtime, tmp_path: Path) -> None:
    change(healthy, database_url=f"sqlite:///{tmp_path / 'nothing.db'}")
    assert wrong(healthy) == []
    assert not (tmp_path / "nothing.db").exists()


def test_a_database_of_another_environment_is_told(healthy: Runtime) -> None:
    change(healthy, environment="sandbox", callback_url="", b2b_callback_url="", timeout_url="")
    assert "database" in wrong(healthy)


def test_a_damaged_or_open_or_cramped_file_is_told(
    new_sqlite: Callable[[], str], healthy: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(healthy, database_url=new_sqlite())
    path = file_of(healthy)
    path.chmod(0o600)
    assert wrong(healthy) == []
    path.chmod(0o644)
    assert set(wrong(healthy)) == {"database"}
    path.chmod(0o600)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=199_999_999))
        assert wrong(healthy) == ["database"]
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_master SET rootpage = 2 WHERE name = 'ix_inbox_new'")
    connection.close()
    assert "database" in wrong(healthy)


@pytest.mark.forges
def test_records_that_do_not_agree_are_told_with_what_to_do(healthy: Runtime, begin: Begin) -> None:
    begin(some_of_everything)
    assert wrong(healthy) == []
    forge(
        healthy.settings.database_url,
        "UPDATE disbursement SET fee_cents = fee_cents + 100 WHERE status = 'completed'",
        "UPDATE money_in SET allocated_cents = 0 WHERE id = 1",
    )
    sums, allocated, *others = [check for check in look(healthy) if check.result == "wrong"]
    assert {check.name for check in (sums, allocated, *others)} == {"records"}
    assert sums.text.startswith("The sums of a transfer are not those of what it settles. See disbursement ")
    assert allocated.text == "What a receipt is used for is not the sum of its payments. See money in 1."
    assert "rentpay payouts stop" in sums.mend


def test_news_and_copies_are_told_with_their_age(healthy: Runtime) -> None:
    healthy.now = lambda: NOON
    inbox.append(healthy.database, [("payout", "a token", None, b"{}")], NOON - timedelta(hours=3))
    with healthy.database.transaction() as session:
        from sqlalchemy import text

        enquiries.note_balances(session, [("Working Account", 900, 700)], ReadingSource.QUERY, NOON)
        made_at = str(to_milliseconds(NOON - timedelta(days=3)))
        session.execute(text("INSERT INTO setting VALUES ('last_backup_at', :value)"), {"value": made_at})
    told = {check.name: (check.result.value, check.text) for check in look(healthy)}
    assert told["callbacks"] == ("ok", "The last one came on 23 Nov 2026 09:00:00 EAT.")
    assert told["balance"] == ("ok", "Working Account: KES 7 on 23 Nov 2026 12:00:00 EAT.")
    if healthy.database.is_sqlite:
        assert told["backup"] == ("note", "The last copy was made on 20 Nov 2026 12:00:00 EAT.")


@pytest.mark.parametrize(
    ("status", "document", "expected"),
    [
        (200, {"worker": "alive"}, []),
        (503, {"worker": "dead"}, ["listener"]),
        (200, {}, ["listener"]),
        (404, {}, ["listener"]),
    ],
)
def test_the_listener_must_answer_through_the_callback_address(
    healthy: Runtime, answers: Any, status: int, document: Any, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(status, healthy.now(), **document)
    monkeypatch.setattr("rentpay_cli.daraja.client.Mpesa.renew_token", lambda _: None)
    assert wrong(healthy, offline=False) == expected


def test_a_name_must_lead_to_a_public_address(healthy: Runtime, answers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rentpay_cli.daraja.client.Mpesa.renew_token", lambda _: None)
    answers(200, healthy.now(), worker="alive")
    url = "https://rent.example.co.ke/api/payments/callback"
    change(healthy, environment="sandbox", callback_url=url, b2b_callback_url=url, timeout_url=url)
    for found, expected in ((["10.0.0.1"], ["address"]), ([], ["address"]), (["10.0.0.1", "196.201.214.200"], [])):
        monkeypatch.setattr(probe, "addresses", lambda _, found=found: found)
        assert [name for name in wrong(healthy, offline=False) if name != "database"] == expected


@pytest.mark.parametrize(("seconds", "expected"), [(0, []), (29, []), (31, ["clock"]), (-31, ["clock"])])
def test_a_clock_that_is_wrong_is_told(
    healthy: Runtime, answers: Any, seconds: int, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rentpay_cli.daraja.client.Mpesa.renew_token", lambda _: None)
    healthy.now = lambda: NOON
    answers(200, NOON + timedelta(seconds=seconds), worker="alive")
    assert wrong(healthy, offline=False) == expected


def test_m_pesa_and_a_listener_that_cannot_be_reached_are_told(healthy: Runtime) -> None:
    assert wrong(healthy, offline=False) == ["listener", "clock", "token"]


def test_a_real_m_pesa_tells_its_time_and_gives_a_new_token_every_time(world: World) -> None:
    told = {check.name: check.result.value for check in look(world.rt, offline=False)}
    assert (told["clock"], told["token"]) == ("ok", "ok")
    assert told["listener"] == "wrong", "what answers there is no `serve-callbacks`"


def test_keys_that_are_refused_are_told_although_a_token_is_kept(stage: Stage, database_url: str) -> None:
    with World.open(database_url, stage, consumer_secret="right") as world:
        world.with_settings(consumer_secret="right")
        world.rt.mpesa.prepare()
        world.rt.__dict__.pop("mpesa").close()
        world.with_settings(consumer_secret="wrong")
        assert "token" in wrong(world.rt, offline=False)


def test_a_place_that_answers_nonsense_is_no_crash(world: World) -> None:
    answer = probe.look(f"{world.listener_url}/nothing")
    assert (answer.status, answer.document) == (404, {})
    with pytest.raises(MpesaUnreachable):
        probe.look("http://127.0.0.1:9/")
    assert probe.addresses("no-such-name.invalid") == []
