"""What needs a person: each finding by itself, at its threshold, and the metrics that say the same."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rentpay_cli.core.float_reading import FloatReading
from rentpay_cli.core.health import Facts, Thresholds, Trouble, findings, metrics

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
USUAL = Thresholds()

ONE_OF_EACH: dict[str, dict[str, Any]] = {
    "payouts_stopped": {"stop_reason": "2001", "stopped_at": NOW},
    "owner_stopped": {"owners_stopped": 1},
    "worker_not_alive": {"worker_alive_at": NOW - timedelta(seconds=61)},
    "no_callback": {"unheard_of": 1},
    "unclear": {"unclear": 1, "worker_alive_at": NOW},
    "held_payouts": {"held_payouts": 1, "held_payouts_cents": 950_000, "held_payment_id": 7},
    "failed": {"failed": 1, "failed_cents": 950_000},
    "low_float": {"due_cents": 100, "float": FloatReading(99, NOW)},
    "processing": {"processing_late": 1},
    "pending": {"pending_late": 1},
    "rent_pending": {"rents_late": 1},
    "held_callbacks": {"held": 1},
    "callbacks_refused": {"refused": 3},
    "open_findings": {"findings": 1},
    "paybill_change": {"changes_held": 1, "changed_property_id": 1},
    "notices_failed": {"untold": 1},
}


def kinds(thresholds: Thresholds = USUAL, **facts: Any) -> list[str]:
    return [finding.kind for finding in findings(Facts(at=NOW, **facts), thresholds)]


def test_nothing_needs_a_person_where_nothing_is() -> None:
    assert kinds() == []


@pytest.mark.parametrize("kind", Trouble)
def test_each_trouble_is_one_finding_with_a_command(kind: Trouble) -> None:
    found = findings(Facts(at=NOW, **ONE_OF_EACH[kind]), USUAL)
    assert [finding.kind for finding in found] == [kind]
    assert found[0].command.startswith("rentpay ")
    assert found[0].text.endswith(".") or kind is Trouble.PAYOUTS_STOPPED


def test_all_troubles_are_told_the_worst_first() -> None:
    everything = {name: value for facts in ONE_OF_EACH.values() for name, value in facts.items()}
    everything["worker_alive_at"] = NOW - timedelta(hours=1)
    assert kinds(**everything) == list(Trouble)


@pytest.mark.parametrize(("age", "expected"), [(60, []), (61, ["worker_not_alive"])])
def test_a_worker_is_missed_after_a_minute(age: int, expected: list[str]) -> None:
    assert kinds(worker_alive_at=NOW - timedelta(seconds=age)) == expected
    assert kinds(Thresholds(worker_seconds=120), worker_alive_at=NOW - timedelta(seconds=age)) == []


@pytest.mark.parametrize("waiting", ["unread", "processing"])
def test_a_worker_that_never_ran_is_missed_only_where_work_waits(waiting: str) -> None:
    assert kinds(**{waiting: 1}) == ["worker_not_alive"]


def test_a_float_that_covers_what_is_due_is_no_finding() -> None:
    assert kinds(due_cents=100, float=FloatReading(100, NOW)) == []
    assert kinds(due_cents=100) == [], "what nobody has read says nothing"
    assert kinds(Thresholds(float_cents=101), float=FloatReading(100, NOW)) == ["low_float"]


def test_a_float_that_was_read_before_money_came_in_is_no_finding() -> None:
    old = FloatReading(99, NOW, is_outdated=True)
    assert kinds(due_cents=100, float=old) == []
    assert kinds(Thresholds(float_cents=101), float=old) == []


def test_the_metrics_are_valid_text_for_prometheus_and_say_what_is_found() -> None:
    text = metrics(Facts(at=NOW, failed=3, due_cents=950_050, float=FloatReading(100, NOW)), USUAL)
    assert text.endswith("\n")
    told: dict[str, float] = {}
    typed: set[str] = set()
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP [a-z_]+ [^\n]+|TYPE [a-z_]+ gauge)", line)
            typed |= {line.split()[2]} if line.startswith("# TYPE") else set()
            continue
        found = re.fullmatch(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-z]+="[a-z_]+"\})? (-?[0-9.]+)', line)
        assert found, line
        assert found[1] in typed, "a sample comes after its type"
        told[found[1] + (found[2] or "")] = float(found[3])
    assert told["rentpay_disbursements_failed"] == 3
    assert told["rentpay_due_shillings"] == 9500.5
    assert told["rentpay_float_shillings"] == 1
    assert told['rentpay_attention{kind="failed"}'] == told['rentpay_attention{kind="low_float"}'] == 1
    assert told['rentpay_attention{kind="unclear"}'] == 0
    assert "rentpay_last_callback_timestamp_seconds" not in told, "what is not known is not told"
