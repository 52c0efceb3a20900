"""What can be asked without moving money: a transaction's fate, an account's balance, an organisation's name."""

from __future__ import annotations

from dataclasses import dataclass

from rentpay_cli.simulator import bodies, ids
from rentpay_cli.simulator.b2b import SHORT_CODE_TYPE, TILL_TYPE, errand
from rentpay_cli.simulator.books import Transfer, plain
from rentpay_cli.simulator.deeds import Deed, Reply
from rentpay_cli.simulator.delivery import as_bytes
from rentpay_cli.simulator.faults import Struck
from rentpay_cli.simulator.fields import Fields, invalid
from rentpay_cli.simulator.world import Payout, World, log

NOT_FOUND_BY_RECEIPT, NOT_FOUND_BY_CONVERSATION = "2032", "2033"
MSISDN_TYPE = "1"


@dataclass(frozen=True)
class Asked:
    """What the two asynchronous queries have in common, and the ids that were given to this one."""

    initiator: str
    credential: str
    short_code: str
    timeout_url: str
    result_url: str
    originator_conversation_id: str
    conversation_id: str


def _read(world: World, fields: Fields, command: str) -> Asked:
    initiator = fields.text("Initiator")
    credential = fields.credential(any_text=world.options.accept_any_credential)
    fields.one_of("CommandID", (command,))
    short_code = fields.short_code("PartyA")
    fields.one_of("IdentifierType", (MSISDN_TYPE, TILL_TYPE, SHORT_CODE_TYPE))
    fields.text("Remarks", longest=200)
    return Asked(
        initiator,
        credential,
        short_code,
        fields.url("QueueTimeOutURL"),
        fields.url("ResultURL"),
        ids.new_request_id(),
        ids.new_conversation_id(),
    )


def _reply(asked: Asked, what: str, result: bodies.Json, raw: bytes, struck: Struck) -> Reply:
    told = asked.result_url, as_bytes(result)
    if struck.at("callback") == "queue-timeout":
        told = asked.timeout_url, raw
    answer = bodies.accepted(asked.originator_conversation_id, asked.conversation_id)
    return Reply(answer, errand(what, *told, struck))


# --- transaction status


def status(world: World, fields: Fields, raw: bytes) -> Deed:
    """Ask what became of a transaction, by receipt or by originator conversation id. Raises Refused."""
    receipt = fields.optional("TransactionID")
    conversation = fields.optional("OriginalConversationID")
    if bool(receipt.strip()) == bool(conversation.strip()):
        raise invalid("TransactionID")
    asked = _read(world, fields, "TransactionStatusQuery")
    occasion = fields.optional("Occasion")

    def deed(struck: Struck) -> Reply:
        code = struck.result_code or world.operator_trouble(asked.initiator, asked.credential)
        parameters = None
        if not code:
            parameters = _find(world, asked.short_code, receipt, conversation)
            if parameters is None or struck.at("outcome") == "not-found":
                code = NOT_FOUND_BY_RECEIPT if receipt.strip() else NOT_FOUND_BY_CONVERSATION
        log.info("status: asked by %s, ended with %s", asked.short_code, code or "0")
        return _reply(asked, "status", _status_result(asked, code, parameters, occasion), raw, struck)

    return deed


def _status_result(asked: Asked, code: str, parameters: list[bodies.Json] | None, occasion: str) -> bodies.Json:
    outer_id = ids.generic_transaction_id()  # the query's own; never the receipt of what it found
    if code or parameters is None:
        return bodies.status_failed(
            asked.originator_conversation_id, asked.conversation_id, code=code, transaction_id=outer_id
        )
    return bodies.status_found(
        asked.originator_conversation_id,
        asked.conversation_id,
        transaction_id=outer_id,
        parameters=parameters,
        occasion=occasion,
    )


def _find(world: World, asker: str, receipt: str, conversation: str) -> list[bodies.Json] | None:
    """The transaction as the asker may see it; None when there is none in which it took part."""
    if receipt.strip():
        transfer = world.books.find(receipt)
    else:
        payout = world.payouts.get(conversation)
        if payout is not None and payout.transfer is None:
            return _of_failed_payout(world, payout) if asker in (payout.sender, payout.receiver) else None
        transfer = payout.transfer if payout else None
    if transfer is None or asker not in (transfer.sender, transfer.receiver):
        return None
    return _of_transfer(world, transfer)


def _of_transfer(world: World, transfer: Transfer) -> list[bodies.Json]:
    b2b = transfer.kind == "b2b"
    charge = f"Business Pay Bill Charge|KES|{plain(transfer.charge_cents)}" if transfer.charge_cents else ""
    return bodies.transaction_parameters(
        debit_party=world.public_name(transfer.sender) if b2b else f"{transfer.sender} - CUSTOMER",
        credit_party=world.public_name(transfer.receiver),
        debit_account="MMF Account for Organization" if b2b else "MMF Account For Customer",
        reason="Business To Business Transfer via API" if b2b else "Pay Bill Online",
        status="Completed",
        originator_conversation_id=transfer.originator_conversation_id,
        conversation_id=transfer.conversation_id,
        receipt=transfer.receipt,
        amount_cents=transfer.amount_cents,
        charge=charge,
        initiated_stamp=ids.stamp(transfer.at),
        finalised_stamp=ids.stamp(transfer.at),
    )


def _of_failed_payout(world: World, payout: Payout) -> list[bodies.Json]:
    return bodies.transaction_parameters(
        debit_party=world.public_name(payout.sender),
        credit_party=world.public_name(payout.receiver),
        debit_account="MMF Account for Organization",
        reason="Business To Business Transfer via API",
        status="Failed",
        originator_conversation_id=payout.originator_conversation_id,
        conversation_id=payout.conversation_id,
        receipt="",
        amount_cents=payout.amount_cents,
        charge="",
        initiated_stamp=ids.stamp(payout.asked_at),
        finalised_stamp=ids.stamp(payout.asked_at),
    )


# --- account balance


def balance(world: World, fields: Fields, raw: bytes) -> Deed:
    """Ask what a short code holds. Raises Refused."""
    asked = _read(world, fields, "AccountBalance")

    def deed(struck: Struck) -> Reply:
        account = world.books.accounts.get(asked.short_code)
        code = struck.result_code or world.operator_trouble(asked.initiator, asked.credential)
        now = ids.stamp(ids.utc_now())
        if code or account is None:
            result = bodies.balance_failed(
                asked.originator_conversation_id,
                asked.conversation_id,
                code=code or "21",
                transaction_id=ids.generic_transaction_id(),
                shape=world.failure_shape(),
                stamp=now,
            )
        else:
            result = bodies.balance_found(
                asked.originator_conversation_id,
                asked.conversation_id,
                transaction_id=ids.generic_transaction_id(),
                account=account,
                stamp=now,
            )
        log.info("balance: asked by %s", asked.short_code)
        return _reply(asked, "balance", result, raw, struck)

    return deed


# --- organisation name


def organisation(world: World, fields: Fields, raw: bytes) -> Deed:
    """Say whose short code this is, at once. Raises Refused."""
    fields.one_of("IdentifierType", (SHORT_CODE_TYPE, TILL_TYPE))
    short_code = fields.short_code("Identifier")

    def deed(struck: Struck) -> Reply:
        log.info("organisation: asked for %s", short_code)
        conversation_id = ids.new_request_id()
        if world.is_unknown(short_code):
            return Reply(bodies.no_organisation(conversation_id, short_code))
        return Reply(bodies.organisation(conversation_id, short_code, world.name(short_code)))

    return deed
