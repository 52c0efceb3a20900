"""Asking tenants for rent."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from rentpay_cli.core.evidence import Refused, Unanswered
from rentpay_cli.errors import BadConfiguration, NotFound, RuleRefused, WrongUse
from rentpay_cli.flows import collect
from rentpay_cli.flows import register as registering
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import reads
from tests.support.scripted import Killed, script
from tests.support.world import World


def let(rt: Runtime, name: str = "Sunset Apartments") -> str:
    registering.add_owner(rt, name=f"Owner of {name}")
    number = registering.add_property(
        rt,
        name=name,
        owner_reference=f"Owner of {name}",
        paybill="600001",
        account_number="PROP001",
        rent="10000",
    )
    return str(number)


def ask(rt: Runtime, place: str = "1", phone: str = "0722000111", *, force: bool = False) -> collect.Asked:
    return collect.initiate(rt, property_reference=place, phone=phone, force=force)


def test_the_intention_is_in_the_database_before_the_request_leaves(rt: Runtime) -> None:
    let(rt)
    seen: list[str] = []

    def answer(kind: str, request: object) -> Refused:
        seen.extend(row["state"] for row in rt.reader.rows("SELECT state FROM attempt"))
        return Refused("400.002.02", "Bad Request - Invalid PhoneNumber")

    script(rt, answer)
    refused = ask(rt)
    assert isinstance(refused, collect.NotAsked)
    assert (refused.code, refused.text) == ("400.002.02", "Bad Request - Invalid PhoneNumber")
    assert seen == ["sending"]
    row = reads.payment(rt.reader, 1)
    assert row is not None
    assert (row["status"], row["failure_code"]) == ("failed", "400.002.02")


def test_what_leaves_is_what_was_booked(rt: Runtime) -> None:
    let(rt)
    mpesa = script(rt)
    asked = ask(rt, phone="+254 722-000 111")
    ((_, request),) = mpesa.sent
    assert (request["phone"], request["amount_cents"], request["reference"]) == ("254722000111", 1_000_000, "RENT1")
    assert request["callback_url"].startswith(rt.settings.callback_url + "/")
    assert asked.checkout_request_id == "ws_CO_1"


def test_no_answer_is_unclear_and_not_failed(rt: Runtime) -> None:
    let(rt)
    script(rt, lambda *_: Unanswered("read timeout"))
    assert isinstance(ask(rt), collect.PerhapsAsked)
    row = reads.payment(rt.reader, 1)
    assert row is not None
    assert (row["status"], row["collection_state"]) == ("pending", "unclear")


def test_a_second_prompt_to_the_same_phone_within_a_minute_is_refused(rt: Runtime) -> None:
    let(rt)
    let(rt, "Hill View")
    mpesa = script(rt)
    ask(rt)
    with pytest.raises(RuleRefused, match="less than a minute ago") as caught:
        ask(rt, "2")
    assert caught.value.code == "too_soon"
    assert len(mpesa.sent) == 1
    ask(rt, "2", force=True)
    assert len(mpesa.sent) == 2


def test_after_a_minute_another_property_may_be_asked_for_but_not_the_unanswered_one(rt: Runtime) -> None:
    let(rt)
    let(rt, "Hill View")
    script(rt)
    now = rt.now()
    rt.now = lambda: now
    ask(rt)
    rt.now = lambda: now + timedelta(seconds=61)
    with pytest.raises(RuleRefused, match="already asked") as caught:
        ask(rt)
    assert caught.value.code == "still_open"
    ask(rt, "2")


def test_two_operators_asking_the_same_phone_at_once_prompt_it_once(rt: Runtime) -> None:
    let(rt)
    mpesa = script(rt)
    start = threading.Barrier(4)
    refused: list[str] = []

    def operator() -> None:
        start.wait()
        try:
            ask(rt)
        except RuleRefused as error:
            refused.append(error.code)

    threads = [threading.Thread(target=operator) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mpesa.sent) == 1
    assert len(refused) == 3


def test_a_later_change_of_the_paybill_does_not_redirect_rent_already_asked_for(rt: Runtime) -> None:
    let(rt)
    script(rt)
    ask(rt)
    registering.edit_property(rt, "1", paybill="600009", account_number="NEW")
    row = reads.payment(rt.reader, 1)
    assert row is not None
    assert (row["owner_paybill"], row["owner_account_number"]) == ("600001", "PROP001")


def test_the_propertys_own_fee_is_used(rt: Runtime) -> None:
    let(rt)
    registering.edit_property(rt, "1", fee_percentage="7.5")
    script(rt)
    ask(rt)
    row = reads.payment(rt.reader, 1)
    assert row is not None
    assert row["fee_cents"] == 75_000
    registering.edit_property(rt, "1", fee_percentage="default")
    ask(rt, phone="0722000222")
    row = reads.payment(rt.reader, 2)
    assert row is not None
    assert row["fee_cents"] == 50_000


def test_the_tenant_is_found_by_the_phone(rt: Runtime) -> None:
    let(rt)
    registering.add_tenant(rt, name="Otieno Ouma", phone="0722000111", property_reference="1")
    script(rt)
    ask(rt)
    row = reads.payment(rt.reader, 1)
    assert row is not None
    assert row["tenant_name"] == "Otieno Ouma"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"property_reference": "Nowhere"}, NotFound),
        ({"phone": "0812345678"}, WrongUse),
        ({"phone": None}, WrongUse),
        ({"amount_cents": 0}, WrongUse),
        ({"amount_cents": 100_050}, WrongUse),
        ({"amount_cents": 25_000_100}, WrongUse),
        ({"tenant_reference": "Nobody"}, NotFound),
    ],
)
def test_bad_input_asks_nobody_and_leaves_nothing_behind(
    rt: Runtime, changes: dict[str, object], error: type[Exception]
) -> None:
    let(rt)
    mpesa = script(rt)
    with pytest.raises(error):
        collect.initiate(rt, **{"property_reference": "1", "phone": "0722000111", **changes})  # type: ignore[arg-type]
    assert mpesa.sent == []
    assert list(reads.payments(rt.reader)) == []


def test_wrong_keys_are_a_configuration_error_before_anything_is_written(world: World) -> None:
    world.let()
    world.with_settings(base_url=world.simulator.base_url, consumer_secret="")
    with pytest.raises(BadConfiguration, match="MPESA_CONSUMER_SECRET is not set"):
        ask(world.rt)
    assert list(reads.payments(world.rt.reader)) == []


def test_a_process_that_dies_on_the_wire_leaves_an_attempt_that_is_not_taken_for_failed(rt: Runtime) -> None:
    let(rt)

    def die(*_: object) -> Refused:
        raise Killed

    script(rt, die)
    with pytest.raises(Killed):
        ask(rt)
    row = reads.payment(rt.reader, 1)
    assert row is not None
    assert (row["status"], row["collection_state"]) == ("pending", "sending")
    script(rt)
    with pytest.raises(RuleRefused):
        ask(rt)


@pytest.mark.parametrize(("ending", "code"), [("01", "1032"), ("02", "1"), ("03", "2001"), ("05", "1037")])
def test_a_tenant_who_does_not_pay_leaves_a_failed_payment_with_the_reason(
    world: World, ending: str, code: str
) -> None:
    world.let()
    asked = ask(world.rt, phone=f"07220001{ending}")
    world.read_until(lambda: world.payment(asked.payment_id)["status"] == "failed")
    assert world.payment(asked.payment_id)["failure_code"] == code
    assert world.transfers("stk") == []


def test_a_callback_that_comes_twice_books_once(world: World) -> None:
    world.let()
    payment_id = world.paid_rent("0722000106")
    world.read_until(lambda: len(list(world.rt.reader.rows("SELECT id FROM inbox WHERE state = 'read'"))) == 2)
    assert world.findings() == []
    assert world.held() == []
    (booked,) = world.rt.reader.rows(
        "SELECT (SELECT count(*) FROM money_in) AS money, (SELECT count(*) FROM payable) AS shares"
    )
    assert booked == {"money": 1, "shares": 1}
    assert world.payment(payment_id)["status"] == "success"


def test_a_callback_that_outruns_the_reply_is_understood(world: World) -> None:
    world.let()
    payment_id = world.paid_rent("0722000107")
    assert world.payment(payment_id)["receipt"] == world.transfers("stk")[0]["receipt"]
    assert world.findings() == []


def test_a_lost_answer_to_a_push_is_cleared_by_the_callback(world: World) -> None:
    world.let()
    world.fault("stk:lost")
    assert isinstance(ask(world.rt), collect.PerhapsAsked)
    world.read_until(lambda: world.payment(1)["status"] == "success")
    assert world.payment(1)["checkout_request_id"].startswith("ws_CO_")


def test_cash_is_booked_and_nothing_is_due_for_it(rt: Runtime) -> None:
    let(rt)
    recorded = collect.record_payment(rt, property_reference="1", amount_cents=999_950, method="cash")
    row = reads.payment(rt.reader, recorded.payment_id)
    assert row is not None
    assert (row["status"], row["disbursement_status"]) == ("success", "not_required")
    assert row["fee_cents"] + row["share_cents"] == 999_950
    assert row["fee_cents"] % 100 == 0


def test_a_share_under_one_shilling_is_not_required(world: World) -> None:
    world.let(fee_percentage="100")
    payment_id = world.paid_rent()
    assert world.payment(payment_id)["disbursement_status"] == "not_required"
