"""Where rent goes: a change is held, a person confirms it, and whom M-Pesa says it paid is compared with that."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from rentpay_cli.core.evidence import Moved
from rentpay_cli.core.payout import Refusal
from rentpay_cli.daraja.incoming import Organisation, QuestionFailed
from rentpay_cli.errors import NotAllowed, NotFound, RuleRefused, WrongUse
from rentpay_cli.flows import health, paybill
from rentpay_cli.flows import register as registering
from rentpay_cli.flows.brake import send_all
from rentpay_cli.flows.chase import chase
from rentpay_cli.flows.collect import initiate
from rentpay_cli.flows.disburse import Stopped, disburse, due, plan_retry, preview
from rentpay_cli.flows.health import usual_thresholds
from rentpay_cli.flows.learn import Source, learn
from rentpay_cli.flows.payouts import resume_payouts, stop_payouts
from rentpay_cli.flows.send import NotSent
from rentpay_cli.flows.verify import verify
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import health_reads, readonly, reads
from rentpay_cli.store.tables import Access
from tests.support.paying import pay_due
from tests.support.scripted import ScriptedMpesa, script
from tests.support.world import World

NAME = "Organisation 600001"


@pytest.fixture
def mpesa(rt: Runtime) -> ScriptedMpesa:
    registering.add_owner(rt, name="Wanjiru Kamau")
    scripted = script(rt)
    registering.add_property(
        rt,
        name="Sunset Apartments",
        owner_reference="1",
        paybill="600001",
        account_number="PROP001",
        rent="10000",
        is_right=lambda _: True,
    )
    return scripted


def place(rt: Runtime) -> readonly.Row:
    (row,) = reads.registered(rt.reader, "property", "1")
    return row


def destination(rt: Runtime) -> tuple[str, str, str | None]:
    row = place(rt)
    return row["paybill"], row["account_number"], row["paybill_name"]


def events(rt: Runtime) -> list[str]:
    return [row["event"] for row in reads.journal(rt.reader)]


def admins(rt: Runtime, *names: str) -> None:
    with rt.database.transaction() as session:
        for name in names:
            session.add(
                Access(name=name, role="admin", salt=b"s", token_hash=b"h", created_by="tester", created_at=rt.now())
            )


def confirm(rt: Runtime) -> None:
    paybill.confirm(rt, paybill.proposal(rt, "1"))


# --- a change --------------------------------------------------------------------------------------------------------


def test_a_new_destination_is_held_until_it_is_confirmed(rt: Runtime, mpesa: ScriptedMpesa) -> None:
    registering.edit_property(rt, "1", paybill="600009", account_number="NEW", rent="12000")
    row = place(rt)
    assert destination(rt) == ("600001", "PROP001", NAME)
    assert row["rent_cents"] == 1_200_000  # what is no destination changes at once
    assert (row["change_paybill"], row["change_account_number"]) == ("600009", "NEW")
    assert (row["change_name"], row["change_asked_by"]) == ("Organisation 600009", "tester")
    confirm(rt)
    assert destination(rt) == ("600009", "NEW", "Organisation 600009")
    assert place(rt)["change_id"] is None


def test_rent_asked_for_before_a_change_is_confirmed_keeps_its_destination(rt: Runtime, mpesa: ScriptedMpesa) -> None:
    def ask(phone: str) -> tuple[str, str]:
        number = initiate(rt, property_reference="1", phone=phone).payment_id
        row = reads.payment(rt.reader, number)
        assert row is not None
        return row["owner_paybill"], row["owner_account_number"]

    before = ask("0722000111")
    registering.edit_property(rt, "1", paybill="600009", account_number="NEW")
    held = ask("0722000222")
    confirm(rt)
    assert (before, held, ask("0722000333")) == (("600001", "PROP001"), ("600001", "PROP001"), ("600009", "NEW"))
    assert reads.payment(rt.reader, 1) is not None
    assert [row["owner_paybill"] for row in reads.payments(rt.reader)] == ["600009", "600001", "600001"]


def test_a_new_account_number_alone_is_held_too(rt: Runtime, mpesa: ScriptedMpesa) -> None:
    registering.edit_property(rt, "1", account_number="NEW")
    assert destination(rt) == ("600001", "PROP001", NAME)
    assert (place(rt)["change_paybill"], place(rt)["change_account_number"]) == ("600001", "NEW")


def test_a_change_is_held_without_a_name_where_m_pesa_cannot_be_asked(rt: Runtime) -> None:
    registering.add_owner(rt, name="Wanjiru Kamau")
    registering.add_property(
        rt, name="Sunset", owner_reference="1", paybill="600001", account_number="PROP001", rent="10000"
    )
    registering.edit_property(rt, "1", paybill="600009")  # nobody answers for this M-Pesa
    assert (place(rt)["change_paybill"], place(rt)["change_name"]) == ("600009", None)
    proposed = paybill.proposal(rt, "1")
    assert proposed.new_name is None
    assert "M-Pesa" in proposed.why_no_name
    script(rt)
    confirm(rt)  # and is asked again when it is confirmed
    assert destination(rt) == ("600009", "PROP001", "Organisation 600009")


def test_a_paybill_that_m_pesa_does_not_know_is_only_a_reason(rt: Runtime, mpesa: ScriptedMpesa) -> None:
    mpesa.organisation = lambda _: QuestionFailed("1", "Organization does not exist")  # type: ignore[method-assign]
    assert paybill.look_up(rt, "600009") == paybill.LookedUp(None, "Organization does not exist (1)")


def test_a_second_change_is_refused_while_one_is_held(rt: Runtime, mpesa: ScriptedMpesa) -> None:
    registering.edit_property(rt, "1", paybill="600009")
    with pytest.raises(RuleRefused, match="held already") as refused:
        registering.edit_property(rt, "1", account_number="NEW")
    assert refused.value.code == "change_held"
    assert (place(rt)["change_paybill"], place(rt)["change_account_number"]) == ("600009", "PROP001")


def test_two_people_at_once_hold_one_change(rt: Runtime, mpesa: ScriptedMpesa) -> None:
    def meanwhile(short_code: str) -> Organisation:
        mpesa.organisation = lambda _: Organisation("X")  # type: ignore[method-assign]
        registering.edit_property(rt, "1", paybill="600008")
        return Organisation(short_code)

    mpesa.organisation = meanwhile  # type: ignore[method-assign]
    with pytest.raises(RuleRefused, match="held already"):
        registering.edit_property(rt, "1", paybill="600009")
    assert place(rt)["change_paybill"] == "600008"


def test_the_same_destination_again_is_no_change(rt: Runtime, mpesa: ScriptedMpesa) -> None:
    with pytest.raises(WrongUse, match="paybill 600001, account PROP001 already"):
        registering.edit_property(rt, "1", paybill="600001", account_number="PROP001")
    registering.edit_property(rt, "1", paybill="600001", rent="11000")
    assert (place(rt)["change_id"], place(rt)["rent_cents"]) == (None, 1_100_000)


def test_a_cancelled_change_is_gone_and_another_may_follow(rt: Runtime, mpesa: ScriptedMpesa) -> None:
    registering.edit_property(rt, "1", paybill="600009")
    assert paybill.cancel_change(rt, "Sunset Apartments") == 1
    assert destination(rt) == ("600001", "PROP001", NAME)
    with pytest.raises(RuleRefused, match="No change"):
        paybill.cancel_change(rt, "1")
    registering.edit_property(rt, "1", paybill="600008")
    assert place(rt)["change_paybill"] == "600008"


def test_only_what_was_shown_is_confirmed(rt: Runtime, mpesa: ScriptedMpesa) -> None:
    registering.edit_property(rt, "1", paybill="600009")
    shown = paybill.proposal(rt, "1")
    paybill.cancel_change(rt, "1")
    registering.edit_property(rt, "1", paybill="666666")
    with pytest.raises(RuleRefused, match="has changed since it was shown") as refused:
        paybill.confirm(rt, shown)
    assert refused.value.code == "change_gone"
    assert destination(rt) == ("600001", "PROP001", NAME)


def test_where_there_are_two_admins_another_one_confirms(rt: Runtime, mpesa: ScriptedMpesa) -> None:
    admins(rt, "amina", "brian")
    rt.actor, rt.access_id = "amina", 1
    registering.edit_property(rt, "1", paybill="600009")
    with pytest.raises(NotAllowed, match="second admin"):
        paybill.proposal(rt, "1")
    rt.actor, rt.access_id = "brian", 2
    proposed = paybill.proposal(rt, "1")
    assert not proposed.by_the_same
    rt.actor, rt.access_id = "amina, from elsewhere", 1
    with pytest.raises(NotAllowed, match="second admin"):
        paybill.confirm(rt, proposed)
    assert destination(rt) == ("600001", "PROP001", NAME)
    rt.actor, rt.access_id = "brian", 2
    paybill.confirm(rt, proposed)
    assert destination(rt)[0] == "600009"
    (request,) = rt.reader.rows("SELECT kind, state, asked_by_id, decided_by_id, needs_two FROM request")
    assert request == {
        "kind": "destination",
        "state": "confirmed",
        "asked_by_id": 1,
        "decided_by_id": 2,
        "needs_two": 1,
    }


def test_an_only_admin_may_confirm_and_a_revoked_one_does_not_count(rt: Runtime, mpesa: ScriptedMpesa) -> None:
    admins(rt, "amina", "brian")
    with rt.database.transaction() as session:
        access = session.get(Access, 2)
        assert access is not None
        access.revoked_by, access.revoked_at = "amina", rt.now()
    rt.actor, rt.access_id = "amina", 1
    registering.edit_property(rt, "1", paybill="600009")
    proposed = paybill.proposal(rt, "1")
    assert proposed.by_the_same
    paybill.confirm(rt, proposed)
    assert destination(rt)[0] == "600009"


def test_every_step_is_in_the_journal(rt: Runtime, mpesa: ScriptedMpesa) -> None:
    registering.edit_property(rt, "1", paybill="600009")
    paybill.cancel_change(rt, "1")
    registering.edit_property(rt, "1", paybill="600008")
    confirm(rt)
    assert events(rt)[:4] == [
        "paybill change confirmed",
        "paybill change held",
        "paybill change cancelled",
        "paybill change held",
    ]
    newest = next(iter(reads.journal(rt.reader)))
    detail = json.loads(newest["detail"])
    assert (detail["property"], detail["paybill"], detail["name"]) == (1, "600008", "Organisation 600008")
    assert detail["before"] == {"paybill": "600001", "account_number": "PROP001", "name": NAME}
    assert detail["asked_by"] == "tester"
    stop_payouts(rt, "a quarrel", "1")
    resume_payouts(rt, "1")
    assert [(row["event"], json.loads(row["detail"])["owner"]) for row in reads.journal(rt.reader, limit=2)] == [
        ("payouts resumed", 1),
        ("payouts stopped", 1),
    ]
    assert verify(rt).rows["destination_change"] == 2


def test_a_held_change_is_a_finding_with_its_command(rt: Runtime, mpesa: ScriptedMpesa) -> None:
    facts = health.facts(rt, usual_thresholds(rt.settings))
    assert (facts.changes_held, facts.changed_property_id) == (0, None)
    registering.edit_property(rt, "1", paybill="600009")
    facts = health.facts(rt, usual_thresholds(rt.settings))
    assert (facts.changes_held, facts.changed_property_id) == (1, 1)
    confirm(rt)
    assert health.facts(rt, usual_thresholds(rt.settings)).changes_held == 0


# --- a property that is added -----------------------------------------------------------------------------------------


def test_the_name_of_a_new_property_s_paybill_is_kept_only_if_a_person_says_so(rt: Runtime) -> None:
    script(rt)
    registering.add_owner(rt, name="Wanjiru Kamau")
    shown: list[Any] = []

    def add(name: str, is_right: Callable[[Any], bool]) -> None:
        registering.add_property(
            rt, name=name, owner_reference="1", paybill="600001", account_number="A", rent="1", is_right=is_right
        )

    add("A1", lambda found: bool(shown.append(found)))
    add("A2", lambda _: True)
    assert shown == [paybill.LookedUp(NAME)]
    assert [row["paybill_name"] for row in reads.register(rt.reader, "property")] == [None, NAME]


@pytest.mark.parametrize(("owner", "name", "error"), [("9", "B", NotFound), ("1", " ", WrongUse)])
def test_nobody_is_asked_about_a_property_that_cannot_be_added(
    rt: Runtime, mpesa: ScriptedMpesa, owner: str, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        registering.add_property(
            rt,
            name=name,
            owner_reference=owner,
            paybill="600001",
            account_number="A",
            rent="1",
            is_right=lambda _: pytest.fail("it was asked"),
        )


def test_a_name_that_was_not_confirmed_can_be_confirmed_later(rt: Runtime) -> None:
    registering.add_owner(rt, name="Wanjiru Kamau")
    registering.add_property(rt, name="Sunset", owner_reference="1", paybill="600001", account_number="A", rent="10000")
    with pytest.raises(RuleRefused, match="M-Pesa could not be asked") as refused:
        paybill.proposal(rt, "1")
    assert refused.value.code == "name_unknown"
    script(rt)
    confirm(rt)
    assert destination(rt) == ("600001", "A", NAME)
    assert events(rt)[0] == "paybill name confirmed"
    with pytest.raises(RuleRefused, match="nothing to confirm") as refused:
        paybill.proposal(rt, "1")
    assert refused.value.code == "nothing_held"


# --- whom M-Pesa says that it paid ------------------------------------------------------------------------------------


def let_confirmed(world: World) -> None:
    world.let(is_right=lambda _: True)
    assert place(world.rt)["paybill_name"] == NAME
    world.set_float(1_000_000)


def paid_out(world: World, phone: str) -> int:
    number = world.paid_rent(phone)
    disburse(world.rt, number)
    world.read_until(lambda: world.payment(number)["disbursement_status"] == "completed")
    return number


def owner_stops(rt: Runtime) -> list[tuple[str, str]]:
    return [(stop["owner_name"], stop["reason"]) for stop in health_reads.owner_stops(rt.reader)]


def test_the_name_that_was_confirmed_is_the_one_that_a_payout_reports(world: World) -> None:
    let_confirmed(world)
    number = paid_out(world, "0722000111")
    assert world.payment(number)["receiver_name"] == f"600001 - {NAME}"
    assert owner_stops(world.rt) == []
    assert world.findings() == []


def test_another_name_stops_payouts_to_that_owner_alone(world: World) -> None:
    let_confirmed(world)
    other = registering.add_owner(world.rt, name="Kip Rono")
    registering.add_property(
        world.rt, name="Hill View", owner_reference=str(other), paybill="600002", account_number="H", rent="8000"
    )
    first, again = world.paid_rent("0722000111"), world.paid_rent("0722000222")
    elsewhere = world.paid_rent("0722000333", place="2")
    world.fault("b2b:other-name")
    disburse(world.rt, first)
    world.read_until(lambda: world.payment(first)["disbursement_status"] == "completed")
    ((owner, reason),) = owner_stops(world.rt)
    assert owner == "Wanjiru Kamau"
    assert "600001 - SOMEBODY ELSE LIMITED" in reason
    assert f"'{NAME}'" in reason
    (finding,) = world.findings()
    assert "SOMEBODY ELSE LIMITED" in finding
    assert NAME in finding
    assert health.facts(world.rt, usual_thresholds(world.rt.settings)).owners_stopped == 1
    outcome = disburse(world.rt, again)
    assert isinstance(outcome, NotSent)
    assert "payouts to Wanjiru Kamau are stopped" in outcome.because
    assert (outcome.reason, outcome.owner_id) == (Refusal.STOPPED, 1)
    assert [item.payment_id for item in due(world.rt, 10)] == [elsewhere]
    disburse(world.rt, elsewhere)
    assert len(world.transfers("b2b")) == 2


def test_a_name_that_was_looked_into_can_be_confirmed_and_stops_nothing_again(world: World) -> None:
    let_confirmed(world)
    world.fault("b2b:other-name,times=2")
    paid_out(world, "0722000111")
    proposed = paybill.proposal(world.rt, "1")
    assert (proposed.confirmed_name, proposed.new_name) == (NAME, "SOMEBODY ELSE LIMITED")
    paybill.confirm(world.rt, proposed)
    resume_payouts(world.rt, "Wanjiru Kamau")
    assert world.findings() == []
    paid_out(world, "0722000222")
    assert owner_stops(world.rt) == []


def test_without_a_confirmed_name_there_is_nothing_to_compare(world: World) -> None:
    world.let()
    world.set_float(1_000_000)
    world.fault("b2b:other-name")
    number = paid_out(world, "0722000111")
    assert world.payment(number)["receiver_name"] == "600001 - SOMEBODY ELSE LIMITED"
    assert owner_stops(world.rt) == []


def test_a_payout_to_the_old_paybill_is_not_compared_with_the_name_of_the_new_one(world: World) -> None:
    let_confirmed(world)
    number = world.paid_rent("0722000111")
    registering.edit_property(world.rt, "1", paybill="600009")
    confirm(world.rt)
    disburse(world.rt, number)
    world.read_until(lambda: world.payment(number)["disbursement_status"] == "completed")
    assert world.transfers("b2b")[0]["to"] == "600001"
    assert owner_stops(world.rt) == []


def test_a_payout_to_a_paybill_of_before_is_compared_with_what_was_confirmed_then(world: World) -> None:
    let_confirmed(world)
    registering.edit_property(world.rt, "1", paybill="600009")
    confirm(world.rt)
    number = world.paid_rent("0722000111")
    registering.edit_property(world.rt, "1", paybill="600008")
    confirm(world.rt)
    world.fault("b2b:other-name")
    disburse(world.rt, number)
    world.read_until(lambda: world.payment(number)["disbursement_status"] == "completed")
    ((_, reason),) = owner_stops(world.rt)
    assert "paybill 600009 is 'Organisation 600009'" in reason


def test_the_name_in_the_answer_to_a_status_query_is_compared_too(world: World) -> None:
    let_confirmed(world)
    number = world.paid_rent("0722000111")
    world.simulator.world.options.names["600001"] = "Renamed Since"  # type: ignore[index]
    world.fault("b2b:no-callback")
    disburse(world.rt, number)
    chase(world.rt, limit=10, by_hand=True)
    now = world.rt.now()
    world.rt.now = lambda: now + timedelta(minutes=30)
    chase(world.rt, limit=10, by_hand=True)
    world.read_until(lambda: world.payment(number)["disbursement_status"] == "completed")
    assert world.payment(number)["receiver_name"] == "600001 - Renamed Since"
    assert [owner for owner, _ in owner_stops(world.rt)] == ["Wanjiru Kamau"]


def test_a_name_that_comes_after_a_ruling_is_compared_once(rt: Runtime, mpesa: ScriptedMpesa) -> None:
    number = initiate(rt, property_reference="1", phone="0722000111").payment_id

    def say(evidence: Moved, source: Source, direction: str) -> None:
        attempt = next(row for row in reads.attempts(rt.reader, number) if row["direction"] == direction)
        with rt.database.transaction() as session:
            learn(session, attempt["id"], evidence, source=source, actor="test", at=rt.now())

    say(Moved("SKN0000101", None), Source.CALLBACK, "collection")
    disburse(rt, number)
    say(Moved("SKP0000102", None), Source.QUERY, "payout")
    assert owner_stops(rt) == []
    for _ in range(2):
        say(Moved("SKP0000102", None, receiver_name="600001 - Else"), Source.CALLBACK, "payout")
    assert len(owner_stops(rt)) == 1
    assert len(list(rt.reader.rows("SELECT id FROM finding"))) == 1
    resume_payouts(rt, "1")
    say(Moved("SKP0000102", None, receiver_name="600001 - Else"), Source.CALLBACK, "payout")
    assert owner_stops(rt) == []


# --- a stop of one owner ----------------------------------------------------------------------------------------------


def test_a_stop_of_one_owner_is_by_itself(rt: Runtime, mpesa: ScriptedMpesa) -> None:
    registering.add_owner(rt, name="Kip Rono")
    stop_payouts(rt, "a quarrel", "Wanjiru Kamau")
    with pytest.raises(RuleRefused, match="Payouts to Wanjiru Kamau are stopped already"):
        stop_payouts(rt, "again", "1")
    stop_payouts(rt, "another", "2")
    assert health_reads.stop_in_force(rt.reader) is None
    assert owner_stops(rt) == [("Kip Rono", "another"), ("Wanjiru Kamau", "a quarrel")]
    with pytest.raises(RuleRefused, match="not stopped"):
        resume_payouts(rt)
    assert resume_payouts(rt, "2") == "another"
    with pytest.raises(RuleRefused, match="Payouts to Kip Rono are not stopped"):
        resume_payouts(rt, "2")
    stop_payouts(rt, "all of them")
    assert resume_payouts(rt, "1") == "a quarrel"
    stop = health_reads.stop_against(rt.reader, 1)
    assert stop is not None
    assert (stop["reason"], stop["owner_id"]) == ("all of them", None)


def test_an_owner_who_is_not_there_cannot_be_stopped(rt: Runtime, mpesa: ScriptedMpesa) -> None:
    for command in (lambda: stop_payouts(rt, "x", "Nobody"), lambda: resume_payouts(rt, "Nobody")):
        with pytest.raises(NotFound):
            command()


def test_a_stopped_owner_is_left_out_of_every_run(world: World) -> None:
    let_confirmed(world)
    number = world.paid_rent("0722000111")
    plan = due(world.rt, 10)
    assert [item.payment_id for item in plan] == [number]
    stop_payouts(world.rt, "all of them")  # which every run looks for by itself, before it sends anything
    assert due(world.rt, 10) == plan
    resume_payouts(world.rt)
    stop_payouts(world.rt, "a quarrel", "1")
    assert due(world.rt, 10) == []
    assert plan_retry(world.rt, owner_reference="1") == Stopped("a quarrel", 1, "Wanjiru Kamau")
    refused = preview(world.rt, number)
    assert isinstance(refused, NotSent)
    assert refused.because == "payouts to Wanjiru Kamau are stopped (a quarrel)"
    run = send_all(world.rt, plan)  # it was planned before the stop
    assert [failure.code for failure in run.skipped] == ["payouts_stopped"]
    assert world.transfers("b2b") == []
    resume_payouts(world.rt, "1")
    assert pay_due(world.rt).accepted == [number]
