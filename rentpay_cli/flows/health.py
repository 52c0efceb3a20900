"""Look at everything that may need a person, in one reading of the database."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from rentpay_cli.config import Settings
from rentpay_cli.core.clock import from_milliseconds, to_milliseconds
from rentpay_cli.core.health import Facts, Thresholds, metrics
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import reads


def usual_thresholds(settings: Settings) -> Thresholds:
    """The thresholds of a monitor, a notice and of `rentpay health` without options."""
    return Thresholds(float_cents=settings.low_float_cents)


def facts(rt: Runtime, thresholds: Thresholds) -> Facts:
    """What the database says now about what the thresholds ask for."""
    now = rt.now()

    def before(**age: int) -> int:
        return to_milliseconds(now - timedelta(**age))

    row = reads.health(
        rt.reader,
        pending_before=before(minutes=thresholds.pending_minutes),
        processing_before=before(minutes=thresholds.processing_minutes),
        silence_before=before(minutes=thresholds.silence_minutes),
        untold_since=before(days=1),
    )
    stop = reads.stop_in_force(rt.reader) or {}
    reading = reads.last_float(rt.reader) or {}
    counts: dict[str, Any] = {name: int(value) for name, value in row.items() if name not in _OPTIONAL}
    return Facts(
        at=now,
        **counts,
        last_callback_at=_moment(row["last_callback_at"]),
        worker_alive_at=_moment(row["worker_alive_at"]),
        finding_payment_id=row["finding_payment_id"],
        stop_reason=stop.get("reason"),
        stopped_at=_moment(stop.get("stopped_at")),
        float_cents=reading.get("available_cents"),
        float_read_at=_moment(reading.get("read_at")),
    )


_OPTIONAL = ("last_callback_at", "worker_alive_at", "finding_payment_id")


def _moment(milliseconds: Any) -> datetime | None:
    return None if milliseconds is None else from_milliseconds(int(milliseconds))


def metrics_now(rt: Runtime) -> str:
    """The facts of this moment in Prometheus' text format, by the usual thresholds."""
    usual = usual_thresholds(rt.settings)
    return metrics(facts(rt, usual), usual)
