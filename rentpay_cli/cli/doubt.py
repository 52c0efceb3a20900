"""`rentpay chase`, `resolve` and `payouts`: the means to end every doubt."""

from __future__ import annotations

from typing import Annotated

import typer

from rentpay_cli.cli import completion, documents, show
from rentpay_cli.cli.common import Command, confirm, confirm_in_production, runtime, say_environment
from rentpay_cli.cli.waiting import WAIT_SECONDS, Timeout, Wait, until
from rentpay_cli.core.money import show_kes

payouts = typer.Typer(help="Stop all payouts, and let them go on.", no_args_is_help=True)

MOST_AT_ONCE = 200


def chase(wait: Wait = False, timeout: Timeout = WAIT_SECONDS) -> None:
    """Ask M-Pesa about every payment and disbursement that has gone quiet. It moves no money.

    A prompt is asked about after a minute, a payout after five. What became of a payout M-Pesa tells by callback, which
    `rentpay serve-callbacks` receives; the listener also asks by itself, at its own pace.

    Examples:
    rentpay chase
    rentpay chase --wait
    """
    from rentpay_cli.flows.chase import chase as flow
    from rentpay_cli.store import reads

    with runtime() as rt:
        say_environment(rt)
        chased = flow(rt, limit=MOST_AT_ONCE, by_hand=True)
        pending = [each.enquiry_id for each in chased if each.enquiry_id is not None]
        outcomes = {each.enquiry_id: each.outcome for each in chased}
        if wait and pending:

            def answered() -> bool | None:
                rows = {number: reads.enquiry(rt.reader, number) for number in pending}
                ended = {number: row for number, row in rows.items() if row is not None and row["state"] != "asked"}
                outcomes.update({number: row["outcome"] or row["state"] for number, row in ended.items()})
                return True if len(ended) == len(pending) else None

            until(answered, timeout, "Waiting for M-Pesa…")
        rows = [reads.payment(rt.reader, each.payment_id) for each in chased]
    results = [
        {
            "paymentId": str(each.payment_id),
            "about": "rent" if each.direction.value == "collection" else "disbursement",
            "outcome": outcomes.get(each.enquiry_id, each.outcome) if each.enquiry_id else each.outcome,
            "paymentStatus": row["status"] if row else None,
            "disbursementStatus": row["disbursement_status"] if row else None,
            "unclear": bool(row and (row["collection_state"] == "unclear" or documents.is_unclear(row))),
        }
        for each, row in zip(chased, rows, strict=True)
    ]
    still_open = sum(1 for result in results if result["unclear"])
    if show.wants_json():
        show.document(message=f"Asked M-Pesa about {len(results)}", results=results, unclear=still_open)
        return
    show.table(
        [("Payment", "right"), ("About", "left"), ("What M-Pesa says", "left")],
        [(str(r["paymentId"]), str(r["about"]), str(r["outcome"])) for r in results],
        empty="Nothing has gone quiet: there is nothing to ask about.",
    )
    if still_open:
        show.next_step("What stays unclear, look up on the paybill's statement, then: rentpay resolve ID")


def resolve(
    payment: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="The payment: its number, receipt or checkout id.", autocompletion=completion.payments
        ),
    ],
    paid: Annotated[
        str | None, typer.Option(metavar="RECEIPT", help="It was paid, with this receipt of M-Pesa's.")
    ] = None,
    not_paid: Annotated[bool, typer.Option("--not-paid", help="It was not paid; needs a reason.")] = False,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="What the ruling rests on.")] = None,
) -> None:
    """Rule on an unclear attempt, with evidence that M-Pesa's API did not give, such as the paybill's statement.

    It is about the tenant's payment while that is open, and about the payout after that. "Not paid" lets a payout be
    sent again, so that a wrong ruling pays twice. The ruling and who made it are kept in the journal.

    Examples:
    rentpay resolve 12 --paid SG722NMVXQ --reason "statement of 23 November, line 14"
    rentpay resolve 12 --not-paid --reason "not on the statement of 23 and 24 November"
    """
    from rentpay_cli.flows import resolve as flow
    from rentpay_cli.flows.look import payment_number

    with runtime() as rt:
        say_environment(rt)
        number = payment_number(rt, payment)
        ruling = flow.read_ruling(number, paid, not_paid, reason)
        about = flow.question(rt, ruling)
        what = "the tenant's payment" if about.direction.value == "collection" else "the payout to the owner"
        verdict = f"was paid, with receipt {ruling.receipt}" if ruling.receipt else "was NOT paid"
        confirm(f"Rule that {what} of {show_kes(about.amount_cents)} (payment {number}) {verdict}?")
        state = flow.resolve(rt, ruling)
    if show.wants_json():
        show.document(
            message="Ruling carried out", paymentId=str(number), about=about.direction.value, state=state.value
        )
        return
    show.line(f"Payment {number}: {what} {verdict}. The ruling is in the journal.")
    show.next_step(f"See: rentpay status {number}")


@payouts.command("stop", cls=Command)
def stop(reason: Annotated[str, typer.Option(metavar="TEXT", help="Why.", show_default=False)]) -> None:
    """Let no payout leave from now on, whoever asks for it. Rent still comes in.

    Examples:
    rentpay payouts stop --reason "the operator's password is being changed"
    """
    from rentpay_cli.flows.payouts import stop_payouts

    with runtime() as rt:
        say_environment(rt)
        stop_payouts(rt, reason)
    if show.wants_json():
        show.document(message="Payouts stopped", stopped=True, reason=reason)
    else:
        show.line("All payouts are stopped.")
        show.next_step("Let them go on: rentpay payouts resume")


@payouts.command("resume", cls=Command)
def resume() -> None:
    """Let payouts leave again, once what stopped them is mended.

    After 2001 or 8006 make sure that the operator's password, its certificate and its role are right: a few more wrong
    tries lock the operator.

    Examples:
    rentpay payouts resume
    """
    from rentpay_cli.flows.payouts import resume_payouts

    with runtime() as rt:
        say_environment(rt)
        confirm_in_production(rt, "Let payouts leave again?")
        reason = resume_payouts(rt)
    if show.wants_json():
        show.document(message="Payouts resumed", stopped=False, reason=reason)
    else:
        show.line(f"Payouts may leave again. They had been stopped because: {reason}")
        show.next_step("Send what failed: rentpay retry-failed --include mend-first --dry-run")


@payouts.command("show", cls=Command)
def show_stop() -> None:
    """Say whether payouts are stopped, and why.

    Examples:
    rentpay payouts show
    """
    from rentpay_cli.store import reads

    with runtime() as rt:
        found = reads.stop_in_force(rt.reader)
    if show.wants_json():
        show.document(
            stopped=found is not None,
            reason=found["reason"] if found else None,
            stoppedBy=found["stopped_by"] if found else None,
            stoppedAt=documents.moment(found["stopped_at"]) if found else None,
        )
    elif found is None:
        show.line("Payouts are not stopped.")
    else:
        show.block(
            "All payouts are stopped",
            [("Why", found["reason"]), ("Since", documents.local(found["stopped_at"])), ("By", found["stopped_by"])],
        )
        show.next_step("Once the cause is mended: rentpay payouts resume")
