"""`rentpay chase`, `resolve` and `payouts`: the means to end every doubt."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rentpay_cli.cli import completion, documents, show
from rentpay_cli.cli.common import Command, confirm, confirm_in_production, invocation, runtime, say_environment, talk
from rentpay_cli.cli.waiting import WAIT_SECONDS, Timeout, Wait, until
from rentpay_cli.core.attempt import Direction, State
from rentpay_cli.core.callbacks import EnquiryState
from rentpay_cli.core.members import payments_in_words
from rentpay_cli.core.money import shillings, show_kes

if TYPE_CHECKING:
    from rentpay_cli.flows.resolve import Question
    from rentpay_cli.runtime import Runtime

payouts = typer.Typer(no_args_is_help=True)

MOST_AT_ONCE = 200
_OneOwner = Annotated[
    str | None,
    typer.Option(help="Only payouts to this owner, by number or name.", autocompletion=completion.owners),
]


def chase(wait: Wait = False, timeout: Timeout = WAIT_SECONDS) -> None:
    """A prompt is asked about after a minute, a payout after five. What became of a payout M-Pesa tells by callback,
    which `rentpay serve-callbacks` receives; the listener also asks by itself, at its own pace.

    Examples:
    rentpay chase
    rentpay chase --wait
    """
    from rentpay_cli.flows.chase import chase as flow
    from rentpay_cli.store import health_reads, reads

    with runtime() as rt:
        say_environment(rt)
        chased = flow(rt, limit=MOST_AT_ONCE, by_hand=True)
        pending = [each.enquiry_id for each in chased if each.enquiry_id is not None]
        outcomes = {each.enquiry_id: each.outcome for each in chased}
        if wait and pending:

            def answered() -> bool | None:
                rows = {number: reads.enquiry(rt.reader, number) for number in pending}
                ended = {
                    number: row
                    for number, row in rows.items()
                    if row is not None and row["state"] != EnquiryState.ASKED
                }
                outcomes.update({number: row["outcome"] or row["state"] for number, row in ended.items()})
                return True if len(ended) == len(pending) else None

            until(answered, timeout, "Waiting for M-Pesa…")
        rows = [reads.payment(rt.reader, each.payment_id) if each.payment_id else None for each in chased]
        unclear = health_reads.unclear(rt.reader)
    asked = {(each.payments, each.direction.value) for each in chased}
    left_out = [row for row in unclear if (row["payments"], row["direction"]) not in asked]
    results: list[documents.Row] = [
        {
            **_whose(each.payments),
            "about": _ABOUT[each.direction],
            "outcome": outcomes.get(each.enquiry_id, each.outcome) if each.enquiry_id else each.outcome,
            "paymentStatus": row["status"] if row else None,
            "disbursementStatus": row["disbursement_status"] if row else None,
            "unclear": bool(row and (row["collection_state"] == State.UNCLEAR or documents.is_unclear(row))),
        }
        for each, row in zip(chased, rows, strict=True)
    ]
    not_asked: list[documents.Row] = [
        {**_whose(row["payments"]), "about": _ABOUT[row["direction"]], "outcome": _why_not_asked(row)}
        for row in left_out
    ]
    if show.wants_json():
        show.document(
            message=f"Asked M-Pesa about {len(results)}", results=results, notAsked=not_asked, unclear=len(unclear)
        )
        return
    show.table(
        [("Payment", "right"), ("About", "left"), ("What M-Pesa says", "left")],
        [(", ".join(r["payments"]), r["about"], r["outcome"]) for r in (*results, *not_asked)],
        empty="Nothing has gone quiet: there is nothing to ask about.",
    )
    if unclear:
        first = min(unclear, key=_is_askable)["payment_id"]
        show.next_step(
            "What stays unclear, look up on the paybill's statement, then: "
            f"rentpay resolve {first} --paid RECEIPT, or --not-paid --reason TEXT"
        )


def _whose(payments: Sequence[int]) -> documents.Row:
    """The payments that a request is about: the first one, and all."""
    return {"paymentId": str(payments[0]) if payments else None, "payments": [str(number) for number in payments]}


_ABOUT = {Direction.COLLECTION: "rent", Direction.PAYOUT: "disbursement"}


def _is_askable(row: documents.Row) -> bool:
    return bool(row["askable"])


def _why_not_asked(row: documents.Row) -> str:
    """Why an unclear request was not asked about in this run."""
    if not _is_askable(row):
        return "unclear: M-Pesa never gave it an id to ask by: look on the paybill's statement"
    return "unclear: it is too early to ask M-Pesa about it"


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
    attempt: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Which attempt to pay the owner, where several are in doubt.", show_default=False
        ),
    ] = None,
) -> None:
    """It is about the tenant's payment while that is open, and about the payout after that. "Not paid" lets a payout be
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
        ruling = flow.read_ruling(number, paid, not_paid, reason, attempt)
        about = flow.question(rt, ruling)
        what = "the tenant's payment" if about.direction is Direction.COLLECTION else "the payout to the owner"
        verdict = f"was paid, with receipt {ruling.receipt}" if ruling.receipt else "was NOT paid"
        whose = payments_in_words(about.payments) if about.payments else f"payment {number}"
        unsent = "Nothing was sent to the owner from here, as far as this database knows. " if about.never_sent else ""
        if len(about.payments) > 1 and not show.wants_json():
            _show_members(rt, about)
        confirm(f"{unsent}Rule that {what} of {show_kes(about.amount_cents)} ({whose}) {verdict}?")
        state = flow.resolve(rt, ruling, about)
    if show.wants_json():
        show.document(
            message="Ruling carried out",
            paymentId=str(number),
            payments=[str(each) for each in about.payments],
            about=about.direction.value,
            state=state.value,
        )
        return
    show.line(f"{whose.capitalize()}: {what} {verdict}. The ruling is in the journal.")
    show.next_step(f"See: rentpay status {number}")


def _show_members(rt: Runtime, about: Question) -> None:
    """All the payments that a ruling on one transfer counts for."""
    from rentpay_cli.store import reads

    rows = [row for number in about.payments if (row := reads.payment(rt.reader, number)) is not None]
    show.table(
        [("Payment", "right"), ("Property", "left"), ("Tenant", "left"), ("Share", "right")],
        [(str(row["id"]), row["property_name"], _tenant(row), show_kes(row["share_cents"])) for row in rows],
        empty="",
    )
    amount = show_kes(about.amount_cents)
    show.line(f"They went in one transfer of {amount}: the ruling counts for all {len(about.payments):,}.", "bold")


def _tenant(row: documents.Row) -> str:
    return row["tenant_name"] or documents.phone(row["phone"], reveal=False) or ""


@payouts.command("stop", cls=Command)
def stop(
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why.", show_default=False)] = None,
    owner: _OneOwner = None,
    restored: Annotated[
        bool,
        typer.Option("--restored", help="The database went back to a copy by other means than `rentpay restore`."),
    ] = False,
) -> None:
    """Let no payout leave from now on, whoever asks for it; or none to one owner. Rent still comes in.

    Examples:
    rentpay payouts stop --reason "the operator's password is being changed"
    rentpay payouts stop --owner "Wanjiru Kamau" --reason "she asked us to wait"
    rentpay payouts stop --restored
    """
    from rentpay_cli.core.payout import StopKind
    from rentpay_cli.errors import WrongUse
    from rentpay_cli.flows.backup import STOP_REASON
    from rentpay_cli.flows.look import one
    from rentpay_cli.flows.payouts import stop_payouts
    from rentpay_cli.store import health_reads

    if restored and (reason or owner):
        raise WrongUse(
            "--restored goes with neither --reason nor --owner.", "For example: rentpay payouts stop --restored"
        )
    why = STOP_REASON if restored else reason or ""
    with runtime() as rt:
        say_environment(rt)
        owner = None if owner is None else str(one(rt, "owner", owner)["name"])
        stop_payouts(rt, why, owner, kind=StopKind.RESTORE if restored else StopKind.PERSON)
        is_stopped = health_reads.stop_in_force(rt.reader) is not None
    if show.wants_json():
        show.document(message="Payouts stopped", stopped=is_stopped, owner=owner, reason=why)
    elif owner is None:
        show.line("All payouts are stopped.")
        show.next_step(
            "What to compare: rentpay payouts show" if restored else "Let them go on: rentpay payouts resume"
        )
    else:
        show.line(f"Payouts to {owner} are stopped.")
        show.next_step(f"Let them go on: rentpay payouts resume --owner {shlex.quote(owner)}")


@payouts.command("resume", cls=Command)
def resume(
    owner: _OneOwner = None,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why they may leave again, for the books.", show_default=False)
    ] = None,
) -> None:
    """Let payouts leave again, or those to one owner, once what stopped them is mended.

    After 2001 or 8006 make sure that the operator's password, its certificate and its role are right: a few more wrong
    tries lock the operator.

    Examples:
    rentpay payouts resume
    rentpay payouts resume --owner "Wanjiru Kamau"
    rentpay payouts resume --reason "new password, tried on the portal"
    """
    if owner is not None:
        _resume_owner(owner, reason)
        return
    from rentpay_cli.core.payout import StopKind
    from rentpay_cli.flows.payouts import resume_payouts
    from rentpay_cli.store import health_reads

    with runtime() as rt:
        say_environment(rt)
        stop = health_reads.stop_in_force(rt.reader)
        unsent = health_reads.unsent(rt.reader)
        is_restored = stop is not None and stop["kind"] == StopKind.RESTORE
        if stop is not None and is_restored and unsent["payouts"]:
            words = _unsent_words(stop, unsent)
            if invocation().yes and not show.wants_json():
                talk(words)
            confirm(f"{words} Let them leave?")
        else:
            confirm_in_production(rt, "Let payouts leave again?")
        stopped_because = resume_payouts(rt, reason=reason)
    if show.wants_json():
        show.document(
            message="Payouts resumed",
            stopped=False,
            reason=stopped_because,
            unsent=int(unsent["payouts"]),
            unsentAmount=shillings(int(unsent["cents"])),
        )
        return
    show.line(f"Payouts may leave again. They had been stopped because: {stopped_because}")
    if is_restored:
        show.next_step("See what waits: rentpay payments --disbursement-status pending")
    else:
        show.next_step("Send what failed: rentpay retry-failed --include mend-first --dry-run")


def _resume_owner(reference: str, reason: str | None) -> None:
    from rentpay_cli.flows.look import one
    from rentpay_cli.flows.payouts import resume_payouts
    from rentpay_cli.store import health_reads

    with runtime() as rt:
        say_environment(rt)
        owner = str(one(rt, "owner", reference)["name"])
        confirm_in_production(rt, f"Let payouts to {owner} leave again?")
        stopped_because = resume_payouts(rt, owner, reason=reason)
        is_stopped = health_reads.stop_in_force(rt.reader) is not None
    if show.wants_json():
        show.document(message="Payouts resumed", stopped=is_stopped, owner=owner, reason=stopped_because)
        return
    show.line(f"Payouts to {owner} may leave again. They had been stopped because: {stopped_because}")
    if is_stopped:
        show.next_step("All payouts are stopped, still: rentpay payouts show")
    else:
        show.next_step(f"See what waits: rentpay payments --owner {shlex.quote(owner)} --disbursement-status pending")


def _unsent_words(stop: documents.Row, unsent: documents.Row) -> str:
    count, sum_words = int(unsent["payouts"]), show_kes(int(unsent["cents"]))
    many = f"{count:,} payouts, {sum_words}, are pending or failed here; each" if count != 1 else ""
    one = many or f"1 payout, {sum_words}, is pending or failed here; it"
    return f"{one} may have been paid after {documents.written_until(stop)}."


@payouts.command("show", cls=Command)
def show_stop() -> None:
    """Say whether payouts are stopped, all or those to one owner, and why.

    Examples:
    rentpay payouts show
    """
    from rentpay_cli.cli.why import after_stop
    from rentpay_cli.core.brake import WORDS
    from rentpay_cli.core.clock import iso_utc, show_local
    from rentpay_cli.core.payout import StopKind
    from rentpay_cli.store import health_reads

    with runtime() as rt:
        stops, owners = health_reads.stops_in_force(rt.reader), health_reads.owner_stops(rt.reader)
        brake = health_reads.brake_in_force(rt.reader, rt.now())
    found = stops[0] if stops else None
    if show.wants_json():
        show.document(
            owners=[
                {"ownerId": each["owner_id"], "ownerName": each["owner_name"], **_stop_document(each)}
                for each in owners
            ],
            stopped=found is not None,
            **(_stop_document(found) if found else dict.fromkeys(_STOP_KEYS)),
            stops=[_stop_document(each) for each in stops],
            pausedUntil=iso_utc(brake.until) if brake and brake.until else None,
            pausedBecause=WORDS[brake.end] if brake and brake.end else None,
        )
        return
    if found is None and not owners:
        show.line("Payouts are not stopped.")
    if brake and brake.end and brake.until:
        show.line(f"No payout leaves by itself before {show_local(brake.until)}: {WORDS[brake.end]}.", "yellow")
    for each in owners:
        _show_stop(f"Payouts to {each['owner_name']} are stopped", each)
        if found is None:
            show.next_step(after_stop(each["owner_id"]))
    for each in stops:
        _show_stop("All payouts are stopped", each)
    if found is not None:
        if found["kind"] == StopKind.RESTORE:
            show.next_step("What the statement shows as paid: rentpay resolve ID --paid RECEIPT")
            show.next_step("After that: rentpay payouts resume")
        else:
            show.next_step(after_stop(None))


_STOP_KEYS = ("kind", "reason", "stoppedBy", "stoppedAt")


def _stop_document(stop: documents.Row) -> dict[str, Any]:
    values = (stop["kind"], stop["reason"], stop["stopped_by"], documents.moment(stop["stopped_at"]))
    return dict(zip(_STOP_KEYS, values, strict=True))


def _show_stop(title: str, stop: documents.Row) -> None:
    show.block(
        title, [("Why", stop["reason"]), ("Since", documents.local(stop["stopped_at"])), ("By", stop["stopped_by"])]
    )


@payouts.command("release", cls=Command)
def release(
    payment: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="The payment: its number, receipt or checkout id.", autocompletion=completion.payments
        ),
    ],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it may go, for the journal.")],
) -> None:
    """Let a share go that is held: over a limit, or too much like one that was paid. It is not sent by this.

    Examples:
    rentpay payouts release 12 --reason "compared with the lease"
    """
    from rentpay_cli.flows.look import payment_number
    from rentpay_cli.flows.payouts import release as let_go

    with runtime() as rt:
        say_environment(rt)
        number = payment_number(rt, payment)
        confirm_in_production(rt, f"Let the owner's share of payment {number} leave?")
        cents = let_go(rt, number, reason)
    if show.wants_json():
        show.document(message="Released", paymentId=str(number), disbursementAmount=shillings(cents))
        return
    show.line(f"The share of payment {number}, {show_kes(cents)}, may leave.")
    show.next_step(f"Send it: rentpay disburse {number}")
