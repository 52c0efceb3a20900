"""`rentpay initiate` and `record-payment`: money in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rentpay_cli.cli import completion, show
from rentpay_cli.cli.common import confirm_in_production, runtime, say_environment, talk
from rentpay_cli.cli.waiting import WAIT_SECONDS, Timeout, Wait, wait_for_payment

if TYPE_CHECKING:
    from rentpay_cli.errors import RentpayError
    from rentpay_cli.flows.collect import NotAsked, PerhapsAsked


def _amount(text: str | None) -> int | None:
    from rentpay_cli.core.money import parse_cents
    from rentpay_cli.errors import WrongUse

    if text is None:
        return None
    try:
        return parse_cents(text)
    except ValueError as error:
        raise WrongUse(f"{error}.", "For example: --amount 10000") from None


def initiate(
    property: Annotated[  # noqa: A002
        str,
        typer.Option(help="The property, by number or name.", show_default=False, autocompletion=completion.properties),
    ],
    phone: Annotated[str | None, typer.Option(help="Whom to ask: a Kenyan mobile number, such as 0712345678.")] = None,
    amount: Annotated[str | None, typer.Option(help="Shillings to ask for; the property's rent, unless given.")] = None,
    tenant: Annotated[
        str | None,
        typer.Option(help="The tenant, by number or name; gives the phone, too.", autocompletion=completion.tenants),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Ask although an earlier prompt is recent or open: it could be paid twice.")
    ] = False,
    wait: Wait = False,
    timeout: Timeout = WAIT_SECONDS,
) -> None:
    """M-Pesa's "accepted" only means that the tenant is asked. Whether the tenant paid comes to `rentpay
    serve-callbacks`.

    Examples:
    rentpay initiate --property "Sunset Apartments" --phone 0712345678
    rentpay initiate --property 1 --tenant "Otieno Ouma" --amount 5000 --wait
    """
    from rentpay_cli.core.money import show_kes
    from rentpay_cli.core.phone import mask_phone
    from rentpay_cli.core.redact import printable
    from rentpay_cli.flows import collect as flow
    from rentpay_cli.flows.look import one

    with runtime() as rt:
        say_environment(rt)
        amount_cents = _amount(amount)
        place = one(rt, "property", property)
        asked_for = show_kes(place["rent_cents"] if amount_cents is None else amount_cents)
        whom = mask_phone(phone) if phone else f"tenant {tenant}"
        confirm_in_production(rt, f"Ask {printable(whom, 100)} for {asked_for}, rent of {place['name']}?")
        asked = flow.initiate(
            rt,
            property_reference=property,
            phone=phone,
            amount_cents=amount_cents,
            tenant_reference=tenant,
            force=force,
        )
        if not isinstance(asked, flow.Asked):
            raise _trouble(asked)
        if wait:
            if not show.wants_json():
                talk(f"Payment {asked.payment_id}: asked {mask_phone(asked.phone)}; waiting for the outcome.")
            wait_for_payment(rt, asked.payment_id, timeout)
            return
    if show.wants_json():
        show.document(
            message="STK Push sent successfully",
            paymentId=str(asked.payment_id),
            checkoutRequestId=asked.checkout_request_id,
            merchantRequestId=asked.merchant_request_id,
        )
        return
    show.line(
        f"Payment {asked.payment_id}: asked {mask_phone(asked.phone)} for {show_kes(asked.amount_cents)}, "
        f"rent of {asked.property_name}."
    )
    show.line("M-Pesa accepted it and has not yet said whether the tenant paid.")
    show.next_step(f"See what became of it: rentpay status {asked.payment_id}")


def _trouble(outcome: NotAsked | PerhapsAsked) -> RentpayError:
    """What an operator is told of a request that M-Pesa did not accept."""
    from rentpay_cli.core.codes import NOT_SENT
    from rentpay_cli.core.phone import mask_phone
    from rentpay_cli.errors import MpesaUnreachable, OutcomeUnknown, RuleRefused
    from rentpay_cli.flows.collect import NotAsked

    number = outcome.payment_id
    if not isinstance(outcome, NotAsked):
        return OutcomeUnknown(
            f"M-Pesa did not answer, so that the tenant may still see the prompt for payment {number}.",
            f"Do not ask again before it is known; see: rentpay status {number}",
        )
    phone, code = mask_phone(outcome.phone), outcome.code
    if code == NOT_SENT:
        return MpesaUnreachable(
            f"{phone} was not asked for payment {number}. {outcome.text}",
            "Find out why: rentpay doctor. Then ask again: rentpay initiate",
        )
    return RuleRefused(
        f"M-Pesa refused to ask {phone} for payment {number}: {outcome.text} ({code}).",
        f"Nothing was asked. What the code means: rentpay explain {code}",
        code="mpesa_refused",
    )


def record_payment(
    property: Annotated[  # noqa: A002
        str,
        typer.Option(help="The property, by number or name.", show_default=False, autocompletion=completion.properties),
    ],
    amount: Annotated[str, typer.Option(help="Shillings that were paid.", show_default=False)],
    method: Annotated[str, typer.Option(help="How it was paid: cash, bank, cheque or other.")] = "cash",
    tenant: Annotated[
        str | None, typer.Option(help="The tenant, by number or name.", autocompletion=completion.tenants)
    ] = None,
    note: Annotated[str | None, typer.Option(help="A note, such as the number of the receipt that you wrote.")] = None,
) -> None:
    """Examples:
    rentpay record-payment --property "Sunset Apartments" --amount 10000 --method cash
    """
    from rentpay_cli.core.money import shillings, show_kes
    from rentpay_cli.core.payout import PayableStatus
    from rentpay_cli.core.redact import printable
    from rentpay_cli.flows import collect as flow

    with runtime() as rt:
        recorded = flow.record_payment(
            rt,
            property_reference=property,
            amount_cents=_amount(amount) or 0,
            method=method,
            tenant_reference=tenant,
            note=printable(note, 200) if note else None,
        )
    if show.wants_json():
        show.document(
            message="Payment recorded",
            paymentId=str(recorded.payment_id),
            amount=shillings(recorded.amount_cents),
            platformFee=shillings(recorded.fee_cents),
            method=method,
            disbursementStatus=PayableStatus.NOT_REQUIRED,
        )
        return
    show.line(
        f"Payment {recorded.payment_id}: {show_kes(recorded.amount_cents)} ({method}) for {recorded.property_name}."
    )
    show.line("Nothing will be disbursed for it: no M-Pesa money moved.")
