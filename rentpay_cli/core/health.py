"""What needs a person now: findings from counts, moments and thresholds, and the same as metrics for a monitor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rentpay_cli.core.clock import show_local
from rentpay_cli.core.findings import where_to_look
from rentpay_cli.core.float_reading import FloatReading
from rentpay_cli.core.money import shillings, show_kes


class Trouble(StrEnum):
    """What can need a person, the worst first; the value is the code that scripts and monitors see."""

    PAYOUTS_STOPPED = "payouts_stopped"
    OWNER_STOPPED = "owner_stopped"
    WORKER_NOT_ALIVE = "worker_not_alive"
    NO_CALLBACK = "no_callback"
    UNCLEAR = "unclear"
    HELD_PAYOUTS = "held_payouts"
    FAILED = "failed"
    LOW_FLOAT = "low_float"
    PROCESSING = "processing"
    PENDING = "pending"
    RENT_PENDING = "rent_pending"
    HELD_CALLBACKS = "held_callbacks"
    CALLBACKS_REFUSED = "callbacks_refused"
    OPEN_FINDINGS = "open_findings"
    PAYBILL_CHANGE = "paybill_change"
    NOTICES_FAILED = "notices_failed"


DAILY = frozenset(
    {
        Trouble.LOW_FLOAT,
        Trouble.HELD_PAYOUTS,
        Trouble.PAYBILL_CHANGE,
        Trouble.OWNER_STOPPED,
        Trouble.CALLBACKS_REFUSED,
    }
)
"""What stays until a person deals with it: the operator is told once a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """From when on something needs a person."""

    pending_minutes: int = 60
    processing_minutes: int = 5
    silence_minutes: int = 30
    worker_seconds: int = 60
    float_cents: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the database says at a moment; `…_late` is what waits for longer than its threshold."""

    at: datetime
    failed: int = 0
    failed_cents: int = 0
    pending: int = 0
    pending_late: int = 0
    pending_late_cents: int = 0
    processing: int = 0
    processing_late: int = 0
    rents_late: int = 0
    unclear: int = 0
    unclear_payment_id: int | None = None
    unaskable_payment_id: int | None = None
    unread: int = 0
    held: int = 0
    held_payouts: int = 0
    held_payouts_cents: int = 0
    held_payment_id: int | None = None
    refused: int = 0
    refused_in_all: int = 0
    findings: int = 0
    untold: int = 0
    finding_payment_id: int | None = None
    stop_reason: str | None = None
    stopped_at: datetime | None = None
    owners_stopped: int = 0
    changes_held: int = 0
    changed_property_id: int | None = None
    due_cents: int = 0
    float: FloatReading | None = None
    unheard_of: int = 0
    last_callback_at: datetime | None = None
    worker_alive_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that needs a person, and the command that deals with it."""

    kind: Trouble
    text: str
    command: str
    count: int = 1


def findings(facts: Facts, thresholds: Thresholds) -> list[Finding]:
    """Everything that needs a person now, what is worst first."""
    return [found for trouble in Trouble for found in _CHECKS[trouble](facts, thresholds)]


_Check = Callable[[Facts, Thresholds], Iterator[Finding]]


def _stopped(facts: Facts, _: Thresholds) -> Iterator[Finding]:
    if facts.stop_reason is not None:
        since = f" since {show_local(facts.stopped_at)}" if facts.stopped_at else ""
        yield Finding(
            Trouble.PAYOUTS_STOPPED, f"All payouts are stopped{since}: {facts.stop_reason}", "rentpay payouts show"
        )


def _owners_stopped(facts: Facts, _: Thresholds) -> Iterator[Finding]:
    if facts.owners_stopped:
        text = f"Payouts to {_some(facts.owners_stopped, 'owner')} are stopped; all others go on."
        yield Finding(Trouble.OWNER_STOPPED, text, "rentpay payouts show", facts.owners_stopped)


def _changes(facts: Facts, _: Thresholds) -> Iterator[Finding]:
    if facts.changes_held:
        count = _count(facts.changes_held, "change")
        text = f"{count} held of where rent goes: the old paybill is used until it is confirmed."
        command = f"rentpay property confirm {facts.changed_property_id}"
        yield Finding(Trouble.PAYBILL_CHANGE, text, command, facts.changes_held)


def _worker(facts: Facts, thresholds: Thresholds) -> Iterator[Finding]:
    alive_at, command = facts.worker_alive_at, "rentpay serve-callbacks"
    if alive_at is None:
        waiting = facts.unread + facts.processing + facts.unclear
        if waiting:
            yield Finding(
                Trouble.WORKER_NOT_ALIVE, f"No worker has ever run here, and {_things(waiting)} for it.", command
            )
    elif facts.at - alive_at > timedelta(seconds=thresholds.worker_seconds):
        text = f"The worker has finished no round since {show_local(alive_at)}: it is not running, or it fails."
        yield Finding(Trouble.WORKER_NOT_ALIVE, text, command)


def _things(count: int) -> str:
    return "1 thing waits" if count == 1 else f"{count:,} things wait"


def _silence(facts: Facts, thresholds: Thresholds) -> Iterator[Finding]:
    if facts.unheard_of:
        last = f"since {show_local(facts.last_callback_at)}" if facts.last_callback_at else "ever"
        text = f"No callback has come {last}, and {_requests(facts.unheard_of)} over {thresholds.silence_minutes} min."
        yield Finding(Trouble.NO_CALLBACK, text, "rentpay doctor", facts.unheard_of)


def _requests(count: int) -> str:
    return "1 request has waited" if count == 1 else f"{count:,} requests have waited"


def _unclear(facts: Facts, _: Thresholds) -> Iterator[Finding]:
    if facts.unclear:
        first = facts.unaskable_payment_id or facts.unclear_payment_id
        where = f", first about payment {first}" if first else ""
        text = f"{_count(facts.unclear, 'request')} unclear{where}: money may have moved."
        unaskable = f"rentpay status {facts.unaskable_payment_id}" if facts.unaskable_payment_id else ""
        yield Finding(Trouble.UNCLEAR, text, unaskable or "rentpay chase --wait", facts.unclear)


def _held_payouts(facts: Facts, _: Thresholds) -> Iterator[Finding]:
    if facts.held_payouts:
        first = facts.held_payment_id
        text = (
            f"{_count(facts.held_payouts, 'payout')} held for a person to look at "
            f"({show_kes(facts.held_payouts_cents)}), first that of payment {first}."
        )
        yield Finding(Trouble.HELD_PAYOUTS, text, f"rentpay status {first}", facts.held_payouts)


def _failed(facts: Facts, _: Thresholds) -> Iterator[Finding]:
    if facts.failed:
        text = f"{_some(facts.failed, 'disbursement')} failed ({show_kes(facts.failed_cents)}): the owner is not paid."
        yield Finding(Trouble.FAILED, text, "rentpay retry-failed --dry-run", facts.failed)


def _float(facts: Facts, thresholds: Thresholds) -> Iterator[Finding]:
    known = facts.float
    if known is None:
        return
    read, command = f"{show_kes(known.cents)} on {show_local(known.read_at)}", "rentpay balance --wait"
    if known.falls_short_of(facts.due_cents):
        text = f"The float does not cover what is due: {read}, and {show_kes(facts.due_cents)} waits to be sent."
        yield Finding(Trouble.LOW_FLOAT, text, command)
    elif known.falls_short_of(thresholds.float_cents):
        yield Finding(Trouble.LOW_FLOAT, f"The float is under {show_kes(thresholds.float_cents)}: {read}.", command)


def _processing(facts: Facts, thresholds: Thresholds) -> Iterator[Finding]:
    if facts.processing_late:
        count = _count(facts.processing_late, "disbursement")
        text = (
            f"{count} processing for over {thresholds.processing_minutes} min: M-Pesa has not said what became of it."
        )
        yield Finding(Trouble.PROCESSING, text, "rentpay chase --wait", facts.processing_late)


def _pending(facts: Facts, thresholds: Thresholds) -> Iterator[Finding]:
    if facts.pending_late:
        count = _count(facts.pending_late, "disbursement")
        text = f"{count} pending for over {thresholds.pending_minutes} min ({show_kes(facts.pending_late_cents)})."
        command = "rentpay payments --disbursement-status pending"
        yield Finding(Trouble.PENDING, text, command, facts.pending_late)


def _rents(facts: Facts, thresholds: Thresholds) -> Iterator[Finding]:
    if facts.rents_late:
        count = _count(facts.rents_late, "payment")
        text = f"{count} pending for over {thresholds.pending_minutes} min: whether the tenant paid is not known."
        yield Finding(Trouble.RENT_PENDING, text, "rentpay chase --wait", facts.rents_late)


def _held(facts: Facts, _: Thresholds) -> Iterator[Finding]:
    if facts.held:
        text = f"{_count(facts.held, 'callback')} held: what it says is not believed."
        yield Finding(Trouble.HELD_CALLBACKS, text, "rentpay callbacks list --state held", facts.held)


def _refused(facts: Facts, _: Thresholds) -> Iterator[Finding]:
    if facts.refused:
        text = (
            f"Callbacks without a token of ours have used up their room in the database; {facts.refused:,} more were "
            "only counted, the last of them within a day."
        )
        yield Finding(Trouble.CALLBACKS_REFUSED, text, "rentpay callbacks list --state held", facts.refused)


def _open(facts: Facts, _: Thresholds) -> Iterator[Finding]:
    if facts.findings:
        first = facts.finding_payment_id
        text = f"{_count(facts.findings, 'finding')} open: something does not fit"
        where = f", first about payment {first}." if first else "."
        yield Finding(Trouble.OPEN_FINDINGS, text + where, where_to_look(first), facts.findings)


def _untold(facts: Facts, _: Thresholds) -> Iterator[Finding]:
    if facts.untold:
        text = f"{_some(facts.untold, 'notice')} of the last day did not reach anybody for certain."
        yield Finding(Trouble.NOTICES_FAILED, text, "rentpay notify list --state failed", facts.untold)


_CHECKS: dict[Trouble, _Check] = {
    Trouble.PAYOUTS_STOPPED: _stopped,
    Trouble.OWNER_STOPPED: _owners_stopped,
    Trouble.WORKER_NOT_ALIVE: _worker,
    Trouble.NO_CALLBACK: _silence,
    Trouble.UNCLEAR: _unclear,
    Trouble.HELD_PAYOUTS: _held_payouts,
    Trouble.FAILED: _failed,
    Trouble.LOW_FLOAT: _float,
    Trouble.PROCESSING: _processing,
    Trouble.PENDING: _pending,
    Trouble.RENT_PENDING: _rents,
    Trouble.HELD_CALLBACKS: _held,
    Trouble.CALLBACKS_REFUSED: _refused,
    Trouble.OPEN_FINDINGS: _open,
    Trouble.PAYBILL_CHANGE: _changes,
    Trouble.NOTICES_FAILED: _untold,
}


def _some(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _count(count: int, noun: str) -> str:
    return f"{_some(count, noun)} {'is' if count == 1 else 'are'}"


# --- metrics ---------------------------------------------------------------------------------------------------------


def metrics(facts: Facts, thresholds: Thresholds) -> str:
    """The facts and findings in Prometheus' text format, every value a gauge."""
    found = {finding.kind for finding in findings(facts, thresholds)}
    lines: list[str] = []
    for name, text, value in _gauges(facts):
        if value is not None:
            lines += [f"# HELP rentpay_{name} {text}", f"# TYPE rentpay_{name} gauge", f"rentpay_{name} {value}"]
    lines += ["# HELP rentpay_attention Whether this needs a person now.", "# TYPE rentpay_attention gauge"]
    lines += [f'rentpay_attention{{kind="{kind}"}} {int(kind in found)}' for kind in Trouble]
    return "\n".join(lines) + "\n"


def _gauges(facts: Facts) -> Iterator[tuple[str, str, int | float | None]]:
    yield "disbursements_failed", "Disbursements that failed and are still due.", facts.failed
    yield "disbursements_pending", "Disbursements that were not sent yet.", facts.pending
    yield "disbursements_pending_late", "Disbursements not sent for longer than the threshold.", facts.pending_late
    yield "disbursements_processing", "Payouts that M-Pesa has accepted, with the outcome open.", facts.processing
    yield "disbursements_processing_late", "Payouts open for longer than the threshold.", facts.processing_late
    yield "payments_pending_late", "Rent asked for longer ago than the threshold, outcome open.", facts.rents_late
    yield "attempts_unclear", "Requests that may have moved money, and nobody knows.", facts.unclear
    yield "callbacks_unread", "Callbacks that nobody has read yet.", facts.unread
    yield "callbacks_held", "Callbacks that are not believed.", facts.held
    yield "callbacks_refused_total", "Callbacks of strangers that were only counted, in all.", facts.refused_in_all
    yield "disbursements_held", "Payouts that wait for a person.", facts.held_payouts
    yield "findings_open", "Things that do not fit, for a person to look at.", facts.findings
    yield "notices_failed", "Notices of the last day that nobody may have got.", facts.untold
    yield "payouts_stopped", "Whether all payouts are stopped.", int(facts.stop_reason is not None)
    yield "owners_stopped", "Owners whose payouts alone are stopped.", facts.owners_stopped
    yield "paybill_changes_held", "Changes of where rent goes that wait for a person.", facts.changes_held
    yield "due_shillings", "What waits to be sent to owners.", shillings(facts.due_cents)
    known = facts.float
    yield "float_shillings", "What the working account held last.", shillings(known.cents) if known else None
    yield "float_read_timestamp_seconds", "When the float was read.", _seconds(known.read_at) if known else None
    yield "last_callback_timestamp_seconds", "When the last callback came.", _seconds(facts.last_callback_at)
    yield "worker_alive_timestamp_seconds", "When the worker last finished a round.", _seconds(facts.worker_alive_at)


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
