"""Look at everything that may need a person, in one reading of the database."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from rentpay_cli.config import Settings
from rentpay_cli.core.clock import from_milliseconds, to_milliseconds
from rentpay_cli.core.health import Facts, Thresholds, metrics
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import health_reads


def usual_thresholds(settings: Settings) -> Thresholds:
    """The thresholds of a monitor, a notice and of `rentpay health` without options."""
    return Thresholds(float_cents=settings.low_float_cents)


def facts(rt: Runtime, thresholds: Thresholds) -> Facts:
    """What the database says now about what the thresholds ask for."""
    now = rt.now()

    def before(**age: int) -> int:
        return to_milliseconds(now - timedelta(**age))

    row = health_reads.health(
        rt.reader,
        now=to_milliseconds(now),
        pending_before=before(minutes=thresholds.pending_minutes),
        processing_before=before(minutes=thresholds.processing_minutes),
        silence_before=before(minutes=thresholds.silence_minutes),
        untold_since=before(days=1),
    )
    stop = health_reads.stop_in_force(rt.reader) or {}
    counts: dict[str, Any] = {name: int(value) for name, value in row.items() if name not in _OPTIONAL}
    refused = row["refused_at"] is not None and int(row["refused_at"]) > before(days=1)
    return Facts(
        at=now,
        **counts,
        held_payment_id=row["held_payment_id"],
        refused=int(row["refused_in_all"]) if refused else 0,
        refused_in_all=int(row["refused_in_all"] or 0),
        last_callback_at=_moment(row["last_callback_at"]),
        worker_alive_at=_moment(row["worker_alive_at"]),
        finding_payment_id=row["finding_payment_id"],
        unclear_payment_id=row["unclear_payment_id"],
        unaskable_payment_id=row["unaskable_payment_id"],
        stop_reason=stop.get("reason"),
        stopped_at=_moment(stop.get("stopped_at")),
        changed_property_id=row["changed_property_id"],
        float=health_reads.last_float(rt.reader),
    )


_OPTIONAL = (
    *("last_callback_at", "worker_alive_at"),
    *("finding_payment_id", "unclear_payment_id", "unaskable_payment_id"),
    "changed_property_id",
    *("held_payable_id", "held_payment_id", "refused_in_all", "refused_at"),
)


def _moment(milliseconds: Any) -> datetime | None:
    return None if milliseconds is None else from_milliseconds(int(milliseconds))


def metrics_now(rt: Runtime) -> str:
    """The facts of this moment in Prometheus' text format, by the usual thresholds."""
    usual = usual_thresholds(rt.settings)
    return metrics(facts(rt, usual), usual)
