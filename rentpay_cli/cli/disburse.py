"""`rentpay disburse` and `retry-failed`: money out."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rentpay_cli.cli import completion, documents, show
from rentpay_cli.cli.common import confirm_in_production, runtime, say_environment
from rentpay_cli.cli.waiting import WAIT_SECONDS, Timeout, Wait, wait_for_disbursement
from rentpay_cli.core.payout import Refusal

if TYPE_CHECKING:
    from rentpay_cli.errors import RentpayError
    from rentpay_cli.flows.brake import Run
    from rentpay_cli.flows.disburse import Plan, Preview, Stopped
    from rentpay_cli.flows.send import Outcome, Sent, Settled
    from rentpay_cli.runtime import Runtime

_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be sent.")]


def disburse(
    payment: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="The payment: its number, receipt or checkout id.", autocompletion=completion.payments
        ),
    ],
    dry_run: _DryRun = False,
    wait: Wait = False,
    timeout: Timeout = WAIT_SECONDS,
) -> None:
    """One payment is disbursed once. What is under way, unclear or completed is refused, and so is what the tenant has
    not paid.

    Examples:
    rentpay disburse 12
    rentpay disburse 12 --dry-run
    rentpay disburse 12 --wait --json
    """
    from rentpay_cli.core.money import show_kes
    from rentpay_cli.flows import disburse as flow
    from rentpay_cli.flows.look import payment_number
    from rentpay_cli.flows.send import NotSent, Sent, Settled

    with runtime() as rt:
        say_environment(rt)
        number = payment_number(rt, payment)
        if dry_run or (rt.settings.is_production and not show.wants_json()):
            planned = flow.preview(rt, number)
            if isinstance(planned, NotSent):
                raise _trouble(rt, planned)
            words = f"{show_kes(planned.amount_cents)} to paybill {planned.paybill}, account {planned.account_number}"
            if planned.owed_cents:
                words += f", after {show_kes(planned.owed_cents)} that the owner owes"
            if dry_run:
                _show_preview(planned, words)
                return
            confirm_in_production(rt, f"Send {words}?")
        else:
            confirm_in_production(rt, f"Send the owner's share of payment {number}?")
        outcome = flow.disburse(rt, number)
        if isinstance(outcome, Settled):
            _show_settled(outcome)
            return
        if not isinstance(outcome, Sent):
            raise _trouble(rt, outcome)
        if wait:
            wait_for_disbursement(rt, number, timeout)
            return
    _show_sent(outcome)


def _show_preview(planned: Preview, words: str) -> None:
    from rentpay_cli.core.money import shillings, show_kes

    if show.wants_json():
        show.document(
            message="Nothing was sent",
            dryRun=True,
            paymentId=str(planned.payment_id),
            payments=[str(planned.payment_id)],
            disbursementAmount=shillings(planned.amount_cents),
            platformFee=shillings(planned.fee_cents),
            ownerPaybill=planned.paybill,
            ownerAccountNumber=planned.account_number,
        )
    else:
        show.line(f"Would send {words}; the platform keeps {show_kes(planned.fee_cents)}. Nothing was sent.")


def _show_settled(settled: Settled) -> None:
    from rentpay_cli.core.money import shillings, show_kes

    number = settled.payment_id
    if show.wants_json():
        show.document(
            message="Settled without a transfer",
            paymentId=str(number),
            payments=[str(number)],
            disbursementConversationId=None,
            disbursementAmount=0,
            owes=shillings(settled.owes_cents),
        )
        return
    show.line(
        f"Payment {number}: nothing was sent. The share of {show_kes(settled.share_cents)} settles what the owner owes"
        + (f", who still owes {show_kes(settled.owes_cents)}." if settled.owes_cents else ".")
    )
    show.next_step(f"See: rentpay status {number}")


def _show_sent(sent: Sent) -> None:
    from rentpay_cli.core.money import shillings, show_kes

    number = sent.payment_id
    if show.wants_json():
        show.document(
            message="Disbursement initiated successfully",
            paymentId=str(number),
            payments=[str(number)],
            disbursementConversationId=sent.conversation_id,
            disbursementAmount=shillings(sent.amount_cents),
            platformFee=shillings(sent.fee_cents),
        )
        return
    show.line(
        f"Payment {number}: sent {show_kes(sent.amount_cents)} to paybill {sent.paybill}, "
        f"account {sent.account_number}; the platform keeps {show_kes(sent.fee_cents)}."
    )
    show.line("M-Pesa accepted it and has not yet said whether the owner was paid.")
    show.next_step(f"See what became of it: rentpay status {number}")


def _trouble(rt: Runtime, outcome: Outcome) -> RentpayError:
    """What an operator is told of a share that M-Pesa did not accept."""
    from rentpay_cli.core import codes
    from rentpay_cli.errors import MpesaUnreachable, OutcomeUnknown, RuleRefused
    from rentpay_cli.flows.send import Failed, Held, NotSent, Unclear

    number = outcome.payment_id
    match outcome:
        case NotSent(_, reason, because):
            words = f"Payment {number} was not disbursed: {because}."
            return RuleRefused(words, _next_command(rt, reason, number), code=reason.value)
        case Held(_, because):
            words = f"Payment {number} was not disbursed: it is held, because {because}."
            return RuleRefused(words, _next_command(rt, Refusal.HELD, number), code=Refusal.HELD.value)
        case Failed(code=codes.NOT_SENT, text=text):
            return MpesaUnreachable(
                f"The payout of payment {number} did not leave. {text}",
                f"Find out why: rentpay doctor. Then send it again: rentpay disburse {number}",
            )
        case Failed(_, code, text):
            return RuleRefused(
                f"M-Pesa refused the payout of payment {number}: {text} ({code}). Nothing moved.",
                f"What the code means: rentpay explain {code}",
                code="mpesa_refused",
            )
        case Unclear(slow_down=slow_down):
            more = " M-Pesa asks for fewer requests: wait some minutes before others." if slow_down else ""
            return OutcomeUnknown(
                f"M-Pesa gave no usable answer to the payout of payment {number}: the owner may have been paid.",
                f"It will not be sent again until that is known. See: rentpay status {number}.{more}",
            )
    raise AssertionError(outcome)


def _next_command(rt: Runtime, reason: Refusal, payment_id: int) -> str:
    from rentpay_cli.cli.why import next_command
    from rentpay_cli.store import reads

    row = reads.payment(rt.reader, payment_id)
    assert row is not None  # it was just looked at
    return next_command(rt, reason, row)


def retry_failed(
    dry_run: _DryRun = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Send at most so many; all that may be sent otherwise.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option(help="Only for this owner, by number or name.", autocompletion=completion.owners)
    ] = None,
    include: Annotated[
        str | None, typer.Option(metavar="mend-first", help="Also those whose cause you have mended: mend-first.")
    ] = None,
) -> None:
    """Only attempts that certainly moved nothing are followed by another. What is unclear is never sent again, and what
    must be mended first is left alone and counted.

    Examples:
    rentpay retry-failed --dry-run
    rentpay retry-failed --owner "Wanjiru Kamau"
    rentpay retry-failed --include mend-first
    rentpay retry-failed --yes --json
    """
    from rentpay_cli.core.codes import Advice
    from rentpay_cli.core.money import show_kes
    from rentpay_cli.errors import WrongUse
    from rentpay_cli.flows import disburse as flow
    from rentpay_cli.store import health_reads, reads

    if include not in (None, "mend-first"):
        raise WrongUse(f"'{include}' is not a value of --include.", "Use --include mend-first.")
    mended = (Advice.MEND_FIRST,) if include else ()
    with runtime() as rt:
        say_environment(rt)
        plan = flow.plan_retry(rt, owner_reference=owner, limit=limit, mended=mended)
        if isinstance(plan, flow.Stopped):
            raise _stopped(plan)
        if not dry_run and plan.sends and (stopped := flow.stop_of_all(rt)) is not None:
            raise _stopped(stopped)
        words = (
            f"{len(plan.sends)} failed disbursement{'s' if len(plan.sends) != 1 else ''}, {show_kes(plan.total_cents)}"
        )
        if not show.wants_json():
            _show_plan(plan, words)
        if dry_run or not plan.sends:
            stop = health_reads.stop_in_force(rt.reader)
            _show_unsent(plan, dry_run, stop["reason"] if stop else None)
            return
        confirm_in_production(rt, f"Send {words}?")
        run = _with_progress(rt, plan, mended)
        tried = [*run.accepted, *run.settled, *(each.payment_id for each in (*run.failed, *run.unclear))]
        transfers = reads.newest_transfers(rt.reader, tried) if show.wants_json() else []
    _show_run(run, plan, transfers)


def _stopped(stopped: Stopped) -> RentpayError:
    from rentpay_cli.cli.why import after_stop
    from rentpay_cli.errors import RuleRefused

    which = "all payouts are" if stopped.owner_id is None else f"payouts to {stopped.owner_name} are"
    return RuleRefused(
        f"Nothing was sent: {which} stopped ({stopped.reason})",
        after_stop(stopped.owner_id),
        code=Refusal.STOPPED.value,
    )


def _show_plan(plan: Plan, words: str) -> None:
    from rentpay_cli.core.money import show_kes

    if plan.sends:
        show.table(
            [("Payment", "right"), ("Share", "right")],
            [(str(item.payment_id), show_kes(item.amount_cents)) for item in plan.sends[:20]],
            empty="",
        )
        if len(plan.sends) > 20:
            show.line(f"… and {len(plan.sends) - 20} more")
    show.line(
        f"May be sent again: {words}." if plan.sends else "There is no failed disbursement that may be sent again."
    )
    _show_float(plan)
    if plan.left_alone:
        show.line(f"Left alone: {plan.left_alone} that must be mended or looked at first.")
        show.next_step("See them: rentpay payments --disbursement-status failed")


def _show_float(plan: Plan) -> None:
    """What the last reading of the float says of the plan, where it would not be enough."""
    from rentpay_cli.core.clock import show_local
    from rentpay_cli.core.money import show_kes

    known = plan.float
    if known is None or not known.was_less_than(plan.total_cents):
        return
    held = f"the working account held {show_kes(known.cents)} at {show_local(known.read_at)}"
    if known.is_outdated:
        show.line(f"Whether the float covers it is not known: {held}, and money has come in since.")
        show.next_step("Ask M-Pesa: rentpay balance --wait")
    else:
        show.line(f"The float does not cover it: {held}.", "bold red")


def _show_unsent(plan: Plan, dry_run: bool, stop_reason: str | None) -> None:
    if show.wants_json():
        show.document(
            message="Nothing was sent" if dry_run else "Retried 0 failed disbursements",
            dryRun=dry_run,
            results={"total": len(plan.sends), "successful": 0, "failed": 0, "skipped": 0, "unclear": 0, "errors": []},
            transfers=[],
            leftAlone=plan.left_alone,
            floatCovers=plan.is_covered,
            floatKnown=plan.is_float_known,
            payoutsStopped=stop_reason,
        )
        return
    if dry_run:
        show.line("Nothing was sent.")
    if stop_reason is not None:
        show.line(f"Nothing can be sent now: all payouts are stopped ({stop_reason})", "bold red")
        show.next_step("See why: rentpay payouts show")
    elif dry_run and plan.sends:
        show.next_step("Send them: the same command without --dry-run")


def _with_progress(rt: Any, plan: Plan, mended: tuple[Any, ...]) -> Run:
    from rentpay_cli.flows.brake import send_all

    if show.wants_json() or not sys.stderr.isatty():
        progress: Any = nullcontext()
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        progress = Progress(
            TextColumn("Sending"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=show.console(err=True),
            transient=True,
        )
    with progress as bar:
        task = bar.add_task("", total=len(plan.sends)) if bar else None
        return send_all(rt, plan.sends, mended=mended, on_progress=lambda: bar.advance(task) if bar else None)


def _show_run(run: Run, plan: Plan, transfers: list[documents.Row]) -> None:
    from rentpay_cli.core.brake import WORDS
    from rentpay_cli.errors import NeedsAttention

    troubles = [*run.failed, *run.unclear, *run.skipped]
    if show.wants_json():
        show.document(
            message=f"Retried {run.total} failed disbursements",
            results={
                "total": run.total,
                "successful": len(run.accepted),
                "failed": len(run.failed),
                "skipped": len(run.skipped),
                "unclear": len(run.unclear),
                "errors": [{"paymentId": str(t.payment_id), "error": t.error, "code": t.code} for t in troubles],
            },
            transfers=[documents.transfer(row) for row in transfers],
            leftAlone=plan.left_alone,
            floatCovers=plan.is_covered,
            floatKnown=plan.is_float_known,
            endedEarly=WORDS[run.end] if run.end else None,
        )
        if run.failed or run.unclear or run.end:
            raise typer.Exit(5 if run.unclear and not run.failed else 6)
        return
    show.line(f"M-Pesa accepted {len(run.accepted)} of {run.total}; whether the owners were paid comes by callback.")
    unsent = [t for t in run.skipped if run.end and t.code == run.end.value]
    told = [t for t in troubles if t not in unsent]
    if told:
        show.table(
            [("Payment", "right"), ("Code", "left"), ("Why it was not accepted", "left")],
            [(str(t.payment_id), t.code, t.error) for t in told],
            empty="",
        )
    if run.end:
        many = f"{len(unsent)} were" if len(unsent) != 1 else "1 was"
        show.line(f"The run ended early, and {many} not sent: {WORDS[run.end]}.", "bold red")
    if run.unclear and not run.failed:
        show.next_step("What is unclear is not sent again until M-Pesa says what became of it.")
        raise typer.Exit(5)
    if run.failed or run.end:
        raise NeedsAttention(
            f"{len(run.failed)} of {run.total} were refused and {len(run.unclear)} are unclear.",
            "See them: rentpay payments --disbursement-status failed",
            code="partly_failed",
        )
