"""`rentpay status`, `payments` and `history`: where the money is."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rentpay_cli.cli import completion, documents, sheet, show, terminal
from rentpay_cli.cli.common import runtime, talk
from rentpay_cli.core.access import EVERYTHING
from rentpay_cli.core.members import payments_in_words
from rentpay_cli.core.money import shillings, show_kes
from rentpay_cli.core.statuses import Direction, PayableStatus, PaymentStatus, State, Way

if TYPE_CHECKING:
    from rentpay_cli.flows.why import WhyNot
    from rentpay_cli.runtime import Runtime

LIST_ROWS = 50
DAY_LENGTH = len("23 Nov 2026")
_Limit = Annotated[
    int | None, typer.Option(min=1, show_default=False, help="At most so many; without it 50, and in CSV all.")
]
_Reveal = Annotated[bool, typer.Option("--reveal", help="Show phone numbers in full.")]


def status(
    payment: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Our number, or a receipt, checkout id or conversation id of M-Pesa's.",
            autocompletion=completion.payments,
        ),
    ],
    reveal: _Reveal = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Wait until nothing is open any more, or until Ctrl-C, then show it.")
    ] = False,
) -> None:
    """Examples:
    rentpay status 12
    rentpay status SG722NMVXQ --json
    rentpay status ws_CO_231120260712345678 --watch
    """
    from rentpay_cli.flows.look import payment_number
    from rentpay_cli.store import health_reads, reads

    with runtime() as rt:
        number = payment_number(rt, payment)
        if watch:
            _watch(rt, number)
        row = reads.payment(rt.reader, number)
        assert row is not None  # it was just found
        attempts = reads.attempts(rt.reader, number)
        transfers = reads.transfers_of(rt.reader, number) if show.wants_json() else []
        findings = reads.open_findings(rt.reader, number)
        stop = health_reads.stop_against(rt.reader, row["owner_id"])
        why = _why(rt, row)
        sees_all = rt.scope == EVERYTHING
        hint = _hint(rt, row, why) if sees_all else ""
    if show.wants_json():
        payouts = [attempt for attempt in attempts if attempt["direction"] == Direction.PAYOUT]
        show.document(
            payment={
                **documents.payment(row, reveal=reveal),
                "attempts": [documents.attempt(each) for each in attempts if each["direction"] == Direction.COLLECTION],
                "findings": findings,
            },
            disbursement=documents.disbursement(row, payouts, transfers, why),
            payoutsStopped=stop["reason"] if stop else None,
        )
        return
    _show_payment(row, attempts, findings, reveal, why, sees_all=sees_all)
    if hint:
        show.next_step(hint)


def _watch(rt: Any, number: int) -> None:
    from rentpay_cli.cli.waiting import until
    from rentpay_cli.store import reads

    def at_rest() -> bool | None:
        row = reads.payment(rt.reader, number)
        if row is None:
            return True
        is_open = row["status"] == PaymentStatus.PENDING or row["disbursement_status"] == PayableStatus.PROCESSING
        return None if is_open else True

    try:
        until(at_rest, 3600, f"Payment {number} is still open. Ctrl-C ends the waiting.")
    except KeyboardInterrupt:
        if show.wants_json() or not sys.stdout.isatty():
            raise
        talk("No longer waiting.")  # as with `rentpay watch`, it is the way to leave, which is no failure


def _show_payment(
    row: documents.Row,
    attempts: list[documents.Row],
    findings: list[documents.Row],
    reveal: bool,
    why: WhyNot | None,
    *,
    sees_all: bool,
) -> None:
    tenant = " ".join(filter(None, (row["tenant_name"], documents.phone(row["phone"], reveal=reveal))))
    is_due = row["disbursement_status"] not in (None, PayableStatus.NOT_REQUIRED)
    is_tenants = row["share_cents"] is None  # who asks is a tenant, whom the division of the rent does not concern
    show.block(
        f"Payment {row['id']}: {show_kes(row['amount_cents'])}, rent of {row['property_name']}",
        [
            ("Rent", _rent_words(row)),
            ("Tenant", tenant),
            ("Asked", documents.local(row["created_at"])),
            ("Paid", documents.local(row["paid_at"])),
            ("Receipt", row["receipt"] or ("still to come" if documents.lacks_receipt(row) else "")),
            ("Platform fee", "" if is_tenants else show_kes(row["fee_cents"])),
            ("Disbursement", _share_words(row)),
            ("Owner", row["owner_name"] if is_tenants else f"{row['owner_name']}, {_destination(row)}"),
            ("Share", "" if is_tenants or not is_due else show_kes(row["share_cents"])),
            ("Owner paid", documents.local(row["completed_at"])),
            ("Owner's receipt", row["transaction_id"] or ""),
            ("Transfer", "" if is_tenants else _transfer_words(row)),
            ("M-Pesa's charge", _charge_words(row)),
        ],
    )
    if attempts:
        show.table(
            [("Attempt", "left"), ("Began (EAT)", "whole"), ("State", "status"), ("What is known", "left")],
            [
                (
                    f"{'rent in' if each['direction'] == Direction.COLLECTION else 'payout'} {each['number']}",
                    documents.listed(each["created_at"]),
                    documents.STATE_WORDS[each["state"]],
                    _attempt_words(each, row),
                )
                for each in attempts
            ],
            empty="",
        )
    for finding in findings:
        show.line(f"Look at this: {finding['text']}", "bold red")
        if sees_all:
            show.next_step(finding["action"])
    if why is not None:
        from rentpay_cli.cli.why import is_told_by_status

        if not is_told_by_status(why.reason):
            show.line(f"It is not sent to the owner: {why.words}.", "bold red")


def _destination(row: documents.Row) -> str:
    """Where the share goes, or went; and where it was to go at first, if that was elsewhere."""
    first = (row["owner_paybill"], row["owner_account_number"])
    paybill, account_number = now = first if row["paybill"] is None else (row["paybill"], row["account_number"])
    moved = "" if now == first else f" (at first paybill {first[0]}, account {first[1]})"
    return f"paybill {paybill}, account {account_number}{moved}"


def _others(row: documents.Row) -> list[int]:
    """The payments that the newest transfer of a share settles beside this one."""
    return [number for number in row["payments"] if number != row["id"]]


def _transfer_words(row: documents.Row) -> str:
    """With what the share went, where it did not go alone."""
    with_others = f"together with {payments_in_words(others)}, " if (others := _others(row)) else ""
    if row["disbursement_way"] == Way.NONE:
        return f"{with_others}settled without one: no money moved"
    if others:
        return f"{with_others}in one transfer of {show_kes(row['transfer_cents'])}"
    if row["entries_cents"]:
        entries = show_kes(row["entries_cents"])
        return f"a transfer of {show_kes(row['transfer_cents'])}, with other amounts of the owner's: {entries}"
    return "by hand, in M-Pesa's portal" if row["disbursement_way"] == Way.PORTAL else ""


def _charge_words(row: documents.Row) -> str:
    if row["mpesa_charge_cents"] is None:
        return ""
    once = ", once for the transfer" if _others(row) else ""
    return show_kes(row["mpesa_charge_cents"]) + once


def _attempt_words(attempt: documents.Row, row: documents.Row) -> str:
    shared = attempt["payments"] if attempt["disbursement_id"] != row["disbursement_id"] else ()  # which is told above
    code = f" ({attempt['code']})" if attempt["code"] else ""
    known = f"receipt {attempt['receipt']}" if attempt["receipt"] else f"{attempt['reason'] or ''}{code}".strip()
    among = f"For {payments_in_words(shared)}: {show_kes(attempt['amount_cents'])}." if len(shared) > 1 else ""
    more = [each for each in (among, "" if attempt["receipt"] else _next_check_words(attempt)) if each]
    ended = f"{known}." if known and more and not known.endswith(".") else known
    return " ".join(filter(None, [ended, *more]))


def _next_check_words(attempt: documents.Row) -> str:
    if not attempt["next_check_at"]:
        return ""
    if attempt["state"] == State.UNCLEAR and not documents.can_be_asked_about(attempt):
        return "M-Pesa gave it no id that it could be asked by."
    return f"M-Pesa is asked again at {documents.local(attempt['next_check_at'])}."


def _rent_words(row: documents.Row) -> str:
    if row["status"] == PaymentStatus.PENDING:
        if documents.is_rent_unclear(row):
            return "pending, unclear: M-Pesa gave no answer, the tenant may still pay"
        return "pending: the tenant was asked and M-Pesa has not said yet whether it was paid"
    if row["status"] == PaymentStatus.FAILED:
        return f"failed: {row['failure_reason']} ({row['failure_code']})"
    return "success: the tenant paid" + ("" if row["method"] == "mpesa" else f" outside M-Pesa ({row['method']})")


def _share_words(row: documents.Row) -> str:
    state = documents.disbursement_status(row)
    if row["held_reason"]:
        return f"{state}, held: {row['held_reason']}"
    if state == PayableStatus.PENDING:
        return "pending: not sent" if row["status"] == PaymentStatus.SUCCESS else ""
    if state == PayableStatus.PROCESSING:
        if documents.is_unclear(row):
            return "processing, unclear: it may have been paid; it is not sent again until that is known"
        return "processing: M-Pesa accepted it and has not yet said whether the owner was paid"
    if state == PayableStatus.FAILED:
        reason, code = row["disbursement_failure_reason"], row["disbursement_failure_code"]
        return f"failed: {reason} ({code})"
    if state == PayableStatus.NOT_REQUIRED:
        return "not_required: nothing to send"
    settled = row["disbursement_way"] == Way.NONE
    return "completed: it settled what the owner owed" if settled else "completed: the owner was paid"


def _why(rt: Runtime, row: documents.Row) -> WhyNot | None:
    """What keeps the share from being sent; what is settled, as most payments are, needs no rules to be loaded."""
    if documents.is_settled(row):
        return None
    from rentpay_cli.flows.why import why_not_sent

    return why_not_sent(rt, row)


def _hint(rt: Runtime, row: documents.Row, why: WhyNot | None) -> str:
    """The next command: about the tenant's payment while that is in doubt, else about the owner's share."""
    if documents.is_settled(row) and not documents.lacks_receipt(row):
        return ""
    from rentpay_cli.cli.why import next_command, when_unclear
    from rentpay_cli.core.payout import Refusal

    if documents.is_rent_unclear(row):
        return when_unclear(rt, row)
    if why is not None:
        return next_command(rt, why.reason, row)
    if documents.lacks_receipt(row):
        return next_command(rt, Refusal.NO_RECEIPT, row)
    state = documents.disbursement_status(row)
    if state == PayableStatus.FAILED:
        return f"It may be sent again: rentpay disburse {row['id']}, or all such: rentpay retry-failed"
    return f"Send it: rentpay disburse {row['id']}" if state == PayableStatus.PENDING else ""


def payments(
    owner: Annotated[
        str | None, typer.Option(help="Only this owner's, by number or name.", autocompletion=completion.owners)
    ] = None,
    property: Annotated[  # noqa: A002
        str | None, typer.Option(help="Only of this property, by number or name.", autocompletion=completion.properties)
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Only of this tenant, by number or name.", autocompletion=completion.tenants)
    ] = None,
    status: Annotated[str | None, typer.Option(help="pending, success, failed or reversed.")] = None,
    disbursement_status: Annotated[
        str | None, typer.Option(help="pending, processing, completed, failed or not_required.")
    ] = None,
    since: Annotated[str | None, typer.Option("--from", metavar="DAY", help="Asked on this day or later.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="DAY", help="Asked on this day or earlier.")] = None,
    limit: _Limit = None,
    before: Annotated[
        int | None, typer.Option(metavar="ID", help="Only those with a smaller number: the next page.")
    ] = None,
    reveal: _Reveal = False,
    form: sheet.Format = "table",
) -> None:
    """Examples:
    rentpay payments --disbursement-status failed
    rentpay payments --owner "Wanjiru Kamau" --from 2026-11-01 --to 2026-11-30
    rentpay payments --from 2026-11-01 --format csv > payments.csv
    """
    from rentpay_cli.flows.look import day_start, one, read_day
    from rentpay_cli.store import reads

    _check_choice("--status", status, tuple(PaymentStatus))
    _check_choice("--disbursement-status", disbursement_status, tuple(PayableStatus))
    wants_csv = sheet.chosen(form)
    first, last = (read_day(text) if text else None for text in (since, until))
    with runtime() as rt:
        found = reads.payments(
            rt.reader,
            owner_id=one(rt, "owner", owner)["id"] if owner else None,
            property_id=one(rt, "property", property)["id"] if property else None,
            tenant_id=one(rt, "tenant", tenant)["id"] if tenant else None,
            status=status,
            disbursement_status=disbursement_status,
            since=day_start(first),
            until=day_start(last + timedelta(days=1) if last else None),
            before_id=before,
            limit=limit or (None if wants_csv else LIST_ROWS),
        )
        if wants_csv:
            sheet.write(PAYMENT_COLUMNS, (documents.payment(row, reveal=reveal) for row in found))
            return
        if show.wants_json():
            show.document_with_list("payments", (documents.payment(row, reveal=reveal) for row in found))
            return
        lines = [_payment_line(row) for row in found]
    show.table(
        [
            ("No.", "right"),
            ("Asked (EAT)", "whole"),
            ("Property", "left"),
            ("Amount", "right"),
            ("Status", "status"),
            ("Share", "right"),
            ("Disbursement", "status"),
        ],
        lines,
        empty="No payment fits.",
    )
    if len(lines) == (limit or LIST_ROWS):
        show.next_step(f"More: add --before {lines[-1][0]} or --limit")


def _payment_line(row: documents.Row) -> tuple[str, ...]:
    return (
        str(row["id"]),
        _minute(row["created_at"]),
        row["property_name"],
        f"{shillings(row['amount_cents']):,}",
        _marked(row["status"], documents.is_rent_unclear(row)),
        _share(row),
        _short_share(row),
    )


PAYMENT_COLUMNS = (
    *("id", "status", "amount", "currency", "platformFee", "receipt", "receiptPending", "method", "unclear", "phone"),
    *("propertyId", "propertyName", "ownerId", "ownerName", "tenantId", "tenantName", "createdAt", "paidAt"),
    *("failureCode", "failureReason", "note", "ownerPaybill", "ownerAccountNumber", "disbursementStatus"),
    *("disbursementUnclear", "disbursementAmount", "disbursementTransactionId", "disbursementDate"),
    *("disbursementFailureReason", "checkoutRequestId", "merchantRequestId", "disbursementConversationId"),
    "disbursementPayments",
)


def _share(row: documents.Row) -> str:
    """The owner's share, once there is one; nothing for a tenant, whom it does not concern."""
    if row["disbursement_status"] is None or row["share_cents"] is None:
        return ""
    return f"{shillings(row['share_cents']):,}"


def _short_share(row: documents.Row) -> str:
    if row["disbursement_status"] is None:
        return ""
    return _marked(documents.disbursement_status(row), documents.is_unclear(row))


def _marked(status: str, unclear: bool) -> str:
    """The status with its mark, of which a narrow table has room for the mark alone."""
    if not unclear:
        return status
    return "unclear" if terminal.is_narrow() else f"{status} (unclear)"


def _minute(milliseconds: int | None) -> str:
    """A moment for a column, with a shorter year where the table is narrow."""
    text = documents.listed_minute(milliseconds)
    return re.sub(r" 20([0-9]{2}) ", r" \1 ", text) if terminal.is_narrow() else text


def _check_choice(option: str, value: str | None, choices: tuple[str, ...]) -> None:
    from rentpay_cli.errors import WrongUse

    if value is not None and value not in choices:
        raise WrongUse(f"'{value}' is not a value of {option}.", f"Use one of: {', '.join(choices)}")


def history(
    owner: Annotated[str, typer.Argument(help="The owner, by number or name.", autocompletion=completion.owners)],
    limit: _Limit = None,
    before: Annotated[int | None, typer.Option(metavar="ID", help="Only payments with a smaller number.")] = None,
    form: sheet.Format = "table",
) -> None:
    """Examples:
    rentpay history "Wanjiru Kamau"
    rentpay history 1 --json
    rentpay history 1 --format csv > wanjiru.csv
    """
    from rentpay_cli.flows.look import one
    from rentpay_cli.store import reads

    wants_csv = sheet.chosen(form)
    with runtime() as rt:
        entry = one(rt, "owner", owner)
        most = limit or (None if wants_csv else LIST_ROWS)
        found = reads.owner_disbursements(rt.reader, entry["id"], most, before)
        if wants_csv:
            sheet.write(HISTORY_COLUMNS, (documents.history_item(row) for row in found))
            return
        summary = reads.owner_summary(rt.reader, entry["id"])
        if show.wants_json():
            seen: set[int] = set()
            show.document_with_list(
                "disbursements",
                (documents.history_item(row) for row in _noting_transfers(found, seen)),
                lambda: {"transfers": [documents.transfer(row) for row in reads.transfers(rt.reader, seen)]},
                owner={"id": entry["id"], "name": entry["name"]},
                summary={
                    "totalDisbursed": shillings(int(summary["disbursed_cents"])),
                    "totalPlatformFees": shillings(int(summary["fee_cents"])),
                    "pendingDisbursements": int(summary["pending"]),
                    "failedDisbursements": int(summary["failed"]),
                },
            )
            return
        lines = [_history_line(row) for row in found]
    show.block(
        f"{entry['name']} (owner {entry['id']})",
        [
            ("Paid to the owner", show_kes(int(summary["disbursed_cents"]))),
            ("Platform fees", show_kes(int(summary["fee_cents"]))),
            ("On its way", str(summary["pending"])),
            ("Failed", str(summary["failed"])),
        ],
    )
    show.table(
        [
            ("No.", "right"),
            ("Property", "left"),
            ("Rent", "right"),
            ("Share", "right"),
            ("Disbursement", "status"),
            ("Receipt", "whole"),
            ("Paid (EAT)" if terminal.is_narrow() else "Owner paid (EAT)", "whole"),
        ],
        lines,
        empty="No rent has been paid for this owner yet.",
    )


def _noting_transfers(rows: Iterable[documents.Row], seen: set[int]) -> Iterator[documents.Row]:
    """The rows; which transfer was the newest of each is put into `seen`."""
    for row in rows:
        if row["disbursement_id"] is not None:
            seen.add(row["disbursement_id"])
        yield row


def _history_line(row: documents.Row) -> tuple[str, ...]:
    return (
        str(row["id"]),
        row["property_name"],
        f"{shillings(row['amount_cents']):,}",
        f"{shillings(row['share_cents']):,}",
        _short_share(row),
        row["transaction_id"] or "",
        documents.listed_minute(row["completed_at"])[: DAY_LENGTH if terminal.is_narrow() else None],
    )


HISTORY_COLUMNS = (
    *("paymentId", "propertyName", "tenantName", "amount", "receipt", "platformFee", "disbursementAmount"),
    *("disbursementStatus", "disbursementUnclear", "disbursementTransactionId", "disbursementDate"),
    *("disbursementFailureReason", "payments"),
)
