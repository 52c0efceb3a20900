"""Tell owners that they were paid, and the operator what failed, sticks or does not fit: from the outbox, each once.

A notice is taken before it is sent, so that a process that dies over it leaves it `unknown` instead of telling it
twice. What a service did not take is tried again a few times. Nothing here touches money, or is waited for by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlmodel import Session

from rentpay_cli.core.clock import eat_day, show_local
from rentpay_cli.core.health import DAILY, findings
from rentpay_cli.core.money import show_kes
from rentpay_cli.core.notices import SETTLING, TOO_LATE, Audience, NoticeState, pause_after
from rentpay_cli.core.redact import printable
from rentpay_cli.errors import BadConfiguration, NotFound, RuleRefused
from rentpay_cli.flows.health import facts, usual_thresholds
from rentpay_cli.flows.look import one
from rentpay_cli.notifier import Notifier
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import notices
from rentpay_cli.store.rows import number_of

AT_ONCE = 50
"""How many owners are told in one round, and how many lines one message to the operator has."""


def notifier_of(rt: Runtime) -> Notifier:
    """The ways to owners and the operator; raises `BadConfiguration` for a wrong address or template."""
    settings = rt.settings
    return Notifier(
        settings.notify_operator, settings.notify_owner_email, settings.notify_owner_sms, settings.notify_templates
    )


def tell(rt: Runtime, notifier: Notifier) -> list[str]:
    """One round: note what sticks, tell what is due, forget what nobody is told; of each message, what went wrong."""
    now = rt.now()
    with rt.database.transaction() as session:
        notices.give_up_lost(session, now)
        for audience in Audience:
            notices.forget(session, audience, now - TOO_LATE if audience in notifier.reaches else now)
    if Audience.OPERATOR in notifier.reaches:
        _note_what_sticks(rt)
    problems: list[str] = []
    for audience in notifier.reaches:
        if audience is Audience.OPERATOR:
            problems += _tell_operator(rt, notifier)
        else:
            problems += _tell_owners(rt, notifier, audience)
    return problems


def _note_what_sticks(rt: Runtime) -> None:
    now, thresholds = rt.now(), usual_thresholds(rt.settings)
    found = findings(facts(rt, thresholds), thresholds)
    with rt.database.transaction() as session:
        notices.put_stuck(
            session,
            now,
            timedelta(minutes=thresholds.processing_minutes),
            timedelta(minutes=thresholds.pending_minutes),
            AT_ONCE,
        )
        for finding in found:
            if finding.kind in DAILY:
                notices.put_once(session, finding.kind, eat_day(now), now, f"{finding.text} {finding.command}")


def _tell_owners(rt: Runtime, notifier: Notifier, audience: Audience) -> list[str]:
    problems: list[str] = []
    for _ in range(AT_ONCE):  # each is claimed alone, so that a death in between leaves one of them unknown
        now = rt.now()
        with rt.database.transaction() as session:
            claimed = notices.claim(session, audience, now, now, limit=1)
            if not claimed:
                break
            notice = claimed[0]
            address, values = _about_payout(session, audience, notice.subject)
            if not address:
                notices.drop(session, notice)  # an owner without this kind of address
        if address:
            problems.append(_settle(rt, [number_of(notice)], notice.tries, notifier.tell(audience, address, values)))
    return problems


def _about_payout(session: Session, audience: Audience, disbursement_id: int) -> tuple[str | None, dict[str, str]]:
    """The owner's address, if there is one, and what the templates may say about the payout."""
    owner, disbursement, paid = notices.about_disbursement(session, disbursement_id)
    numbers, names = [number for number, _ in paid], [name for _, name in paid] or ["earlier amounts"]
    return owner.email if audience is Audience.OWNER_EMAIL else owner.phone, {
        "owner": printable(owner.name, 80),
        "property": printable(", ".join(dict.fromkeys(names)), 120),
        "amount": show_kes(disbursement.amount_cents),
        "collected": show_kes(disbursement.collected_cents),
        "fee": show_kes(disbursement.fee_cents),
        "paybill": disbursement.paybill or "",
        "account": disbursement.account_number or "",
        "receipt": disbursement.receipt or "not known",
        "date": _date(disbursement.completed_at),
        "payment": ", ".join(map(str, numbers)) or "none",
    }


def _date(moment: datetime | None) -> str:
    return "" if moment is None else show_local(moment)


def _tell_operator(rt: Runtime, notifier: Notifier) -> list[str]:
    now = rt.now()
    with rt.database.transaction() as session:
        claimed = notices.claim(session, Audience.OPERATOR, now - SETTLING, now, AT_ONCE)
    if not claimed:
        return []
    values = _about_trouble(rt, [notice.words or notice.kind for notice in claimed])
    problem = notifier.tell(Audience.OPERATOR, "", values)
    return [_settle(rt, [number_of(notice) for notice in claimed], max(notice.tries for notice in claimed), problem)]


def _about_trouble(rt: Runtime, lines: list[str]) -> Mapping[str, str]:
    return {
        "environment": rt.settings.environment,
        "count": "1 thing" if len(lines) == 1 else f"{len(lines)} things",
        "lines": "\n".join(f"- {printable(line)}" for line in lines),
    }


def _settle(rt: Runtime, notice_ids: list[int], tries: int, problem: str) -> str:
    now, pause = rt.now(), pause_after(tries)
    with rt.database.transaction() as session:
        if not problem:
            notices.settle(session, notice_ids, NoticeState.SENT, now)
        elif pause is None:
            notices.settle(session, notice_ids, NoticeState.FAILED, now, problem=problem)
        else:
            notices.settle(session, notice_ids, NoticeState.NEW, now, problem=problem, next_try_at=now + pause)
    return problem


def send_test(rt: Runtime, owner_reference: str | None) -> list[str]:
    """Tell the operator, or one owner, that this is a test, and return by which ways; raises `RuleRefused`."""
    notifier = notifier_of(rt)
    if owner_reference is None:
        addresses: dict[Audience, str | None] = {Audience.OPERATOR: "the operator"}
        values = _about_trouble(rt, ["This is a test: nothing is wrong. rentpay notify test"])
    else:
        owner = one(rt, "owner", owner_reference)
        addresses = {Audience.OWNER_EMAIL: owner["email"], Audience.OWNER_SMS: owner["phone"]}
        values = _example(owner["name"])
    if not any(audience in notifier.reaches for audience in addresses):
        name = "RENTPAY_NOTIFY_OPERATOR" if owner_reference is None else "RENTPAY_NOTIFY_OWNER_EMAIL or _SMS"
        raise BadConfiguration(
            f"{name} is not set, so that nobody can be told.", "See .env.example for how the ways are written."
        )
    ways = {audience: address for audience, address in addresses.items() if address and audience in notifier.reaches}
    if not ways:
        raise NotFound(
            "This owner has no address for the ways that are configured.",
            f"Add one: rentpay owner edit {owner_reference} --phone 0712345678 --email owner@example.co.ke",
        )
    for audience, address in ways.items():
        problem = notifier.tell(audience, address, values)
        if problem:
            raise RuleRefused(f"The test was not sent ({audience.value}): {problem}", code="not_told")
    return [audience.value for audience in ways]


def _example(owner_name: str) -> dict[str, str]:
    return {
        "owner": printable(owner_name, 80),
        "property": "a test: no property",
        "amount": show_kes(0),
        "collected": show_kes(0),
        "fee": show_kes(0),
        "paybill": "000000",
        "account": "TEST",
        "receipt": "TEST",
        "date": "today",
        "payment": "0",
    }
