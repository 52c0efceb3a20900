"""B2B payouts: decided and booked when accepted, told later."""

from __future__ import annotations

from dataclasses import dataclass

from rentpay_cli.simulator import bodies, ids
from rentpay_cli.simulator.books import InsufficientFunds, shillings
from rentpay_cli.simulator.deeds import Deed, Reply, copies
from rentpay_cli.simulator.delivery import Errand, as_bytes
from rentpay_cli.simulator.faults import Struck
from rentpay_cli.simulator.fields import Fields
from rentpay_cli.simulator.world import MOST_CENTS, Payout, World, log

PAY_BILL = "BusinessPayBill"
BUY_GOODS = "BusinessBuyGoods"
LONGEST_REFERENCE = 32
SHORT_CODE_TYPE, TILL_TYPE = "4", "2"
OTHER_NAME = "SOMEBODY ELSE LIMITED"


@dataclass(frozen=True)
class Order:
    """A payout request whose fields are in order."""

    initiator: str
    credential: str
    pay_bill: bool
    amount_cents: int
    sender: str
    receiver: str
    account_reference: str
    timeout_url: str
    result_url: str


def read(world: World, fields: Fields) -> Order:
    """Check the fields, in the order of Safaricom's page. Raises Refused."""
    initiator = fields.text("Initiator")
    credential = fields.credential(any_text=world.options.accept_any_credential)
    pay_bill = fields.one_of("CommandID", (PAY_BILL, BUY_GOODS)) == PAY_BILL
    fields.one_of("SenderIdentifierType", (SHORT_CODE_TYPE,))
    fields.one_of("RecieverIdentifierType", (SHORT_CODE_TYPE, TILL_TYPE))  # Safaricom's spelling
    amount_cents = fields.amount_cents()
    sender = fields.short_code("PartyA")
    receiver = fields.short_code("PartyB")
    reference = fields.optional("AccountReference")
    if pay_bill:
        reference = fields.text("AccountReference", longest=LONGEST_REFERENCE)
    if fields.optional("Requester"):
        fields.msisdn("Requester")
    fields.text("Remarks", longest=200)
    fields.optional("Occassion")
    timeout_url = fields.url("QueueTimeOutURL")
    result_url = fields.url("ResultURL")
    return Order(initiator, credential, pay_bill, amount_cents, sender, receiver, reference, timeout_url, result_url)


def pay(world: World, fields: Fields, raw: bytes) -> Deed:
    """Pay another organisation. Raises Refused when a field forbids it."""
    order = read(world, fields)

    def deed(struck: Struck) -> Reply:
        payout = Payout(
            originator_conversation_id=ids.new_request_id(),
            conversation_id=ids.new_conversation_id(),
            sender=order.sender,
            receiver=order.receiver,
            amount_cents=order.amount_cents,
            account_reference=order.account_reference,
            pay_bill=order.pay_bill,
            asked_at=ids.utc_now(),
        )
        what = f"b2b {shillings(order.amount_cents)} from {order.sender} to {order.receiver}"
        if struck.moved:
            payout.code = struck.result_code or _decide(world, order, payout)
            world.payouts[payout.originator_conversation_id] = payout
            log.info("%s: ended with %s", what, payout.code)
        else:
            log.info("%s: timed out in the queue, nothing moved", what)
        named = OTHER_NAME if struck.at("name") == "other-name" else world.name(order.receiver)
        told = order.result_url, as_bytes(_result(world, payout, f"{order.receiver} - {named}")) if payout.code else b""
        if struck.at("callback") == "queue-timeout":
            told = order.timeout_url, raw  # the request itself comes back, with all that was in it
        answer = bodies.accepted(payout.originator_conversation_id, payout.conversation_id)
        return Reply(answer, errand(what, *told, struck))

    return deed


def errand(what: str, url: str, body: bytes, struck: Struck) -> Errand:
    """Tell a result that is known already."""
    early = struck.at("callback") == "callback-early"
    return Errand(what, url, write=lambda: body, copies=copies(struck), early=early)


def _decide(world: World, order: Order, payout: Payout) -> str:
    """Move the money, or say with which code it did not move."""
    trouble = world.operator_trouble(order.initiator, order.credential)
    if trouble:
        return trouble
    if order.sender not in world.books.accounts:
        return "21"
    if world.is_unknown(order.receiver):
        return "SFC_IC0003"
    if order.amount_cents > MOST_CENTS:
        return "3"
    try:
        payout.transfer = world.books.pay_out(
            sender=order.sender,
            receiver=order.receiver,
            amount_cents=order.amount_cents,
            account_reference=order.account_reference,
            conversation_id=payout.conversation_id,
            originator_conversation_id=payout.originator_conversation_id,
        )
    except InsufficientFunds:
        return "1"
    return "0"


def _result(world: World, payout: Payout, receiver_name: str) -> bodies.Json:
    moved = payout.transfer
    if moved is None:
        return bodies.b2b_failed(
            payout.originator_conversation_id,
            payout.conversation_id,
            code=payout.code,
            transaction_id=ids.generic_transaction_id(),
            shape=world.failure_shape(),
            stamp=ids.stamp(ids.utc_now()),
            bill_reference=payout.account_reference,
            pay_bill=payout.pay_bill,
        )
    return bodies.b2b_done(
        payout.originator_conversation_id,
        payout.conversation_id,
        receipt=moved.receipt,
        amount_cents=moved.amount_cents,
        charge_cents=moved.charge_cents,
        balance_cents=moved.balance_after_cents,
        done_stamp=ids.stamp(moved.at),
        receiver_name=receiver_name,
        bill_reference=payout.account_reference,
        pay_bill=payout.pay_bill,
    )
