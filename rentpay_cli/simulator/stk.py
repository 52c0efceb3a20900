"""STK Push and its query: a prompt on a phone, whose last two digits decide how it ends."""

from __future__ import annotations

import base64
import hmac

from rentpay_cli.simulator import bodies, ids
from rentpay_cli.simulator.books import CENTS, shillings
from rentpay_cli.simulator.deeds import Deed, Reply, copies
from rentpay_cli.simulator.delivery import Errand, as_bytes
from rentpay_cli.simulator.faults import Struck
from rentpay_cli.simulator.fields import Fields, Refused
from rentpay_cli.simulator.world import MOST_CENTS, Prompt, World, log

PAY_BILL = "CustomerPayBillOnline"
BUY_GOODS = "CustomerBuyGoodsOnline"
LONGEST_PROMPT = 182

FATES = {"01": "1032", "02": "1", "03": "2001", "05": "1037"}
NO_CALLBACK, CALLBACK_TWICE, CALLBACK_EARLY = "04", "06", "07"


def push(world: World, fields: Fields, raw: bytes) -> Deed:
    """Send a prompt. Raises Refused when a field, the password or the phone's last prompt forbids it."""
    short_code = _signed_short_code(world, fields)
    kind = fields.one_of("TransactionType", (PAY_BILL, BUY_GOODS))
    amount_cents = fields.amount_cents()
    fields.msisdn("PartyA")
    receiver = fields.short_code("PartyB")
    phone = fields.msisdn("PhoneNumber")
    callback_url = fields.url("CallBackURL")
    reference = fields.text("AccountReference")
    fields.text("TransactionDesc", named="Remarks")  # the name Safaricom gives this field when it is missing
    if world.prompted_lately(phone):
        raise Refused(500, "500.001.1001", bodies.STK_WORDS["1001"])
    misrouted = kind == PAY_BILL and receiver != short_code

    def deed(struck: Struck) -> Reply:
        prompt = Prompt(
            merchant_request_id=ids.new_request_id(),
            checkout_request_id=world.unused_checkout_id(phone),
            phone=phone,
            receiver=receiver,
            amount_cents=amount_cents,
            account_reference=reference,
            callback_url=callback_url,
            fate=struck.result_code or ("SFC_IC0003" if misrouted else _fate(world, phone, amount_cents, reference)),
        )
        world.remember(prompt)
        log.info("stk: prompt for %s sent to %s", shillings(amount_cents), ids.masked(phone))
        answer = bodies.stk_accepted(prompt.merchant_request_id, prompt.checkout_request_id)
        return Reply(answer, _errand(world, prompt, struck))

    return deed


def query(world: World, fields: Fields, raw: bytes) -> Deed:
    """Tell how a prompt ended, or that it has not. Raises Refused."""
    _signed_short_code(world, fields)
    checkout_request_id = fields.text("CheckoutRequestID")

    def deed(struck: Struck) -> Reply:
        prompt = world.prompts.get(checkout_request_id)
        # An id that M-Pesa does not know gets the same answer as one that it is working on.
        if prompt is None or struck.at("outcome") == "pending":
            words = "The transaction is being processed"
            return Reply(bodies.error(ids.new_request_id(), "500.001.1001", words), http_status=500)
        code = struck.result_code or prompt.code or "4999"
        return Reply(bodies.stk_queried(prompt.merchant_request_id, checkout_request_id, code))

    return deed


def _signed_short_code(world: World, fields: Fields) -> str:
    """The short code, once the password made of it, the passkey and the timestamp is right."""
    short_code = fields.short_code("BusinessShortCode")
    password = fields.text("Password")
    timestamp = fields.timestamp()
    if short_code != world.options.short_code:
        raise Refused(500, "500.001.1001", "Merchant does not exist")
    right = base64.b64encode(f"{short_code}{world.options.passkey}{timestamp}".encode())
    if not hmac.compare_digest(right, password.encode()):
        raise Refused(500, "500.001.1001", "Wrong credentials")
    return short_code


def _fate(world: World, phone: str, amount_cents: int, reference: str) -> str:
    if len(prompt_text(world, amount_cents, reference)) > LONGEST_PROMPT:
        return "1025"
    if amount_cents > MOST_CENTS:
        return "3"
    return FATES.get(phone[-2:], "0")


def prompt_text(world: World, amount_cents: int, reference: str) -> str:
    """What the customer would read."""
    name = world.name(world.options.short_code)
    return f"Do you want to pay Ksh{amount_cents // CENTS} to {name} Account no. {reference}? Enter M-PESA PIN:"


def _errand(world: World, prompt: Prompt, struck: Struck) -> Errand:
    ending = prompt.phone[-2:]
    usual = {NO_CALLBACK: 0, CALLBACK_TWICE: 2}.get(ending, 1)
    return Errand(
        what=f"stk {ids.masked(prompt.phone)}",
        url=prompt.callback_url,
        write=lambda: as_bytes(_settle(world, prompt)),
        copies=copies(struck, usual),
        early=struck.at("callback") == "callback-early" or ending == CALLBACK_EARLY,
    )


def _settle(world: World, prompt: Prompt) -> bodies.Json:
    """The customer decides: money moves now, or not at all."""
    prompt.code = prompt.fate
    log.info("stk %s: ended with %s", ids.masked(prompt.phone), prompt.code)
    if prompt.code != "0":
        return bodies.stk_not_paid(prompt.merchant_request_id, prompt.checkout_request_id, prompt.code)
    prompt.transfer = world.books.collect(
        phone=prompt.phone,
        short_code=prompt.receiver,
        amount_cents=prompt.amount_cents,
        account_reference=prompt.account_reference,
        checkout_request_id=prompt.checkout_request_id,
        merchant_request_id=prompt.merchant_request_id,
    )
    return bodies.stk_paid(
        prompt.merchant_request_id,
        prompt.checkout_request_id,
        amount_cents=prompt.amount_cents,
        receipt=prompt.transfer.receipt,
        paid_stamp=ids.stamp(prompt.transfer.at),
        phone=prompt.phone,
    )
