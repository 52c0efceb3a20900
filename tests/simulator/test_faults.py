"""Faults on demand: each does what it says, as often as it was ordered, and the ledger knows the truth."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from rentpay_cli.simulator.faults import KINDS, BadFault, Faults, parse
from rentpay_cli.simulator.options import Options
from rentpay_cli.simulator.server import running
from tests.simulator.conftest import Arrivals, Client, eventually, parameters


def test_a_lost_answer_drops_the_connection_after_the_money_has_moved(client: Client) -> None:
    client.lay("b2b:lost")
    with pytest.raises(httpx.RemoteProtocolError):
        client.pay()
    result = client.result()  # the result finds its way although the answer did not
    assert client.ledger()["transfers"][0]["receipt"] == result["TransactionID"]
    assert client.pay().status_code == 200
    assert client.ledger()["accounts"]["600123"]["utility"] == 19000


def test_an_answer_and_its_result_can_both_be_lost(client: Client) -> None:
    client.lay("b2b:lost", "b2b:no-callback")
    with pytest.raises(httpx.RemoteProtocolError):
        client.pay()
    client.pay(ResultURL=client.arrivals.base_url + "/second")
    client.arrivals.wait("/second")
    assert client.arrivals.at("/result") == []
    assert len(client.ledger()["transfers"]) == 2


def test_503_before_processing_moves_nothing(client: Client) -> None:
    client.lay("b2b:503-before")
    answer = client.pay()
    assert answer.status_code == 503
    assert "html" in answer.headers["Content-Type"]
    assert client.ledger()["transfers"] == []
    assert client.pay().status_code == 200


def test_503_after_processing_has_moved_the_money(client: Client) -> None:
    client.lay("b2b:503-after")
    assert client.pay().status_code == 503
    assert client.result()["ResultCode"] == 0
    assert len(client.ledger()["transfers"]) == 1


def test_html_with_status_200_has_moved_the_money(client: Client) -> None:
    client.lay("b2b:html")
    answer = client.pay()
    assert answer.status_code == 200
    assert answer.text.startswith("<html>")
    assert client.result()["ResultCode"] == 0


def test_a_payout_can_report_another_organisation_than_was_paid(simulate: Callable[..., Client]) -> None:
    client = simulate(names={"600123": "Sunset Homes"}, working=50_000)
    client.lay("b2b:other-name")
    for _ in range(2):
        client.pay()
    results = [body["Result"] for body in client.arrivals.wait("/result", 2)]
    names = [parameters(result)["ReceiverPartyPublicName"] for result in results]
    assert sorted(names) == ["600123 - SOMEBODY ELSE LIMITED", "600123 - Sunset Homes"]
    assert [transfer["to"] for transfer in client.ledger()["transfers"]] == ["600123", "600123"]


def test_an_empty_acknowledgement_has_moved_the_money(client: Client) -> None:
    client.lay("b2b:empty")
    answer = client.pay()
    assert answer.status_code == 200
    assert answer.json() == {
        "OriginatorConversationID": "",
        "ConversationID": "",
        "ResponseCode": "",
        "ResponseDescription": "",
    }
    assert client.result()["ResultCode"] == 0


def test_a_spike_arrest_has_the_gateways_own_shape_and_moves_nothing(client: Client) -> None:
    client.lay("stk-query:spike", "b2b:spike")
    fault = client.query("ws_CO_1").json()["fault"]
    assert fault["detail"]["errorcode"] == "policies.ratelimit.SpikeArrestViolation"
    client.pay()
    assert client.ledger()["transfers"] == []


def test_a_slow_answer_comes_late_and_others_are_not_held_up(client: Client) -> None:
    client.lay("b2b:slow,seconds=0.3")
    began = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        client.http.post("/mpesa/b2b/v1/paymentrequest", json=client.pay_fields(), timeout=0.1)
    assert len(client.ledger()["transfers"]) == 1
    assert time.monotonic() - began < 0.3
    client.lay("b2b:slow,seconds=0.3")
    began = time.monotonic()
    assert client.pay().status_code == 200
    assert time.monotonic() - began > 0.3


def test_a_slow_answer_does_not_delay_the_end(home: Path, arrivals: Arrivals) -> None:
    with ThreadPoolExecutor(1) as pool:
        with running(Options(home=home, working=50_000, faults=("b2b:slow,seconds=60",))) as started:
            client = Client(started, arrivals)
            answer = pool.submit(client.pay)
            eventually(lambda: client.ledger()["transfers"])
            began = time.monotonic()
        assert time.monotonic() - began < 1.5
        with closing(client.http):
            assert answer.result().json()["ResponseCode"] == "0"  # given at the end, before the wait was over


def test_a_result_can_be_kept_back(client: Client) -> None:
    client.lay("b2b:no-callback")
    paid = client.pay().json()
    client.status(OriginalConversationID=paid["OriginatorConversationID"])
    assert parameters(client.result("/status"))["TransactionStatus"] == "Completed"
    assert client.arrivals.at("/result") == []


def test_a_result_can_come_twice(client: Client) -> None:
    client.lay("b2b:callback-twice")
    client.pay()
    first, second = client.arrivals.wait("/result", 2)
    assert first == second
    assert len(client.ledger()["transfers"]) == 1


@pytest.mark.parametrize("product", ["b2b", "stk"])
def test_a_result_can_outrun_the_answer(simulate: Callable[..., Client], product: str) -> None:
    client = simulate(working=50_000, delay_seconds=30.0, faults=(f"{product}:callback-early",))
    answer = client.pay() if product == "b2b" else client.push()
    assert answer.status_code == 200
    assert len(client.arrivals.posts) == 1  # no waiting: it is there when the answer is


def test_a_result_can_come_late_and_the_next_one_overtakes_it(client: Client) -> None:
    client.lay("b2b:callback-late,seconds=0.3")
    late, prompt = (client.pay().json()["ConversationID"] for _ in range(2))
    first, second = client.arrivals.wait("/result", 2)
    assert [first["Result"]["ConversationID"], second["Result"]["ConversationID"]] == [prompt, late]


@pytest.mark.parametrize(("spec", "moved"), [("b2b:queue-timeout", 0), ("b2b:queue-timeout,moved=true", 1)])
def test_a_queue_timeout_posts_the_request_back(client: Client, spec: str, moved: int) -> None:
    client.lay(spec)
    paid = client.pay().json()
    assert client.arrivals.one("/timeout") == client.pay_fields()
    assert client.arrivals.at("/result") == []
    assert len(client.ledger()["transfers"]) == moved
    client.status(OriginalConversationID=paid["OriginatorConversationID"])
    assert client.result("/status")["ResultCode"] == (0 if moved else 2033)


@pytest.mark.parametrize(("code", "told"), [("17", 17), ("SFC_IC0003", "SFC_IC0003"), ("4999", 4999)])
def test_a_result_code_can_be_ordered_and_no_money_moves(client: Client, code: str, told: object) -> None:
    client.lay(f"b2b:result,code={code}", f"stk:result,code={code}")
    client.pay()
    assert client.result()["ResultCode"] == told
    client.push()
    assert client.arrivals.one("/stk")["Body"]["stkCallback"]["ResultCode"] == told
    assert client.ledger()["transfers"] == []


def test_a_status_query_can_be_made_to_find_nothing(client: Client) -> None:
    client.lay("status:not-found")
    paid = client.pay().json()
    client.status(OriginalConversationID=paid["OriginatorConversationID"])
    assert client.result("/status")["ResultCode"] == 2033
    client.status(
        OriginalConversationID=paid["OriginatorConversationID"], ResultURL=client.arrivals.base_url + "/again"
    )
    assert client.result("/again")["ResultCode"] == 0


def test_a_query_can_be_made_to_say_pending_or_to_lie(client: Client) -> None:
    ack = client.push_to("254712345678")
    client.arrivals.wait("/stk")
    client.lay("stk-query:pending", "stk-query:result,code=1032")
    pending = client.query(ack["CheckoutRequestID"])
    assert (pending.status_code, pending.json()["errorCode"]) == (500, "500.001.1001")
    assert client.query(ack["CheckoutRequestID"]).json()["ResultCode"] == "1032"
    assert client.query(ack["CheckoutRequestID"]).json()["ResultCode"] == "0"


def test_a_lost_answer_to_a_push_still_brings_the_money(client: Client) -> None:
    client.lay("stk:lost")
    with pytest.raises(httpx.RemoteProtocolError):
        client.push()
    assert client.arrivals.one("/stk")["Body"]["stkCallback"]["ResultCode"] == 0
    assert eventually(lambda: client.ledger()["transfers"])


@pytest.mark.parametrize(("spec", "works"), [("oauth:503-before", 503), ("oauth:empty", 200), ("oauth:html", 200)])
def test_oauth_has_faults_too(client: Client, spec: str, works: int) -> None:
    client.lay(spec)
    path = "/oauth/v1/generate?grant_type=client_credentials"
    answer = client.http.get(path, auth=("a", "b"))
    assert answer.status_code == works
    assert "access_token" not in answer.text or answer.json() == {"access_token": "", "expires_in": ""}
    assert client.http.get(path, auth=("a", "b")).json()["access_token"]


def test_any_strikes_every_product(client: Client) -> None:
    client.lay("any:503-before,times=4")
    answers = [client.push(), client.pay(), client.status(TransactionID="SG722NMVXQ"), client.balance()]
    assert [answer.status_code for answer in answers] == [503] * 4
    assert client.pay().status_code == 200


def test_a_refused_request_does_not_use_a_fault_up(client: Client) -> None:
    client.lay("b2b:503-before")
    assert client.pay(Amount=0).status_code == 400
    assert client.pay().status_code == 503


def test_faults_are_listed_and_cleared(client: Client) -> None:
    client.lay("b2b:lost,times=2", "any:slow,seconds=2,probability=0.5")
    listed = client.http.get("/simulator/faults").json()["faults"]
    assert listed == [
        {"product": "b2b", "fault": "lost", "left": 2, "probability": 1.0, "struck": 0},
        {"product": "any", "fault": "slow", "left": None, "probability": 0.5, "struck": 0, "seconds": 2.0},
    ]
    assert client.http.delete("/simulator/faults").json() == {"cleared": 2}
    assert client.http.get("/simulator/faults").json() == {"faults": []}
    assert client.pay().status_code == 200


@pytest.mark.parametrize(
    ("order", "spec"),
    [
        ({"fault": "b2b:lost,times=3"}, "b2b:lost,times=3"),
        ({"product": "b2b", "fault": "lost", "times": 3}, "b2b:lost,times=3"),
        ({"product": "b2b", "fault": "queue-timeout", "moved": True}, "b2b:queue-timeout,moved=true"),
        (
            {"product": "status", "fault": "result", "code": 17, "probability": 0.5},
            "status:result,code=17,probability=0.5",
        ),
    ],
)
def test_a_fault_can_be_ordered_in_words_or_in_parts(client: Client, order: dict[str, Any], spec: str) -> None:
    listed = client.http.post("/simulator/faults", json=order).json()["faults"]
    assert listed == [parse(spec).as_json()]


@pytest.mark.parametrize("order", [{}, [], {"faults": []}, {"faults": [1]}, {"faults": ["b2b:lost", "b2b:nothing"]}])
def test_a_bad_order_is_refused_and_lays_nothing(client: Client, order: object) -> None:
    answer = client.http.post("/simulator/faults", json=order)
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")
    assert client.http.get("/simulator/faults").json() == {"faults": []}


def test_a_body_that_is_no_json_is_answered_with_one_that_would_do(client: Client) -> None:
    for path in ("/simulator/faults", "/simulator/accounts"):
        error = client.http.post(path, content=b"b2b:lost").json()["error"]
        example = json.loads(re.findall(r"\{.*?\}", error)[0])
        assert client.http.post(path, json=example).status_code == 200


def test_chance_is_repeated_by_its_seed() -> None:
    def draws(seed: int) -> list[bool]:
        faults = Faults(["b2b:lost,probability=0.3"], seed)
        return [bool(faults.strike("b2b").names) for _ in range(200)]

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)
    assert 30 < sum(draws(1)) < 90


def test_chance_can_be_bounded_by_times() -> None:
    faults = Faults(["b2b:lost,probability=0.5,times=3"], 1)
    assert sum(bool(faults.strike("b2b").names) for _ in range(200)) == 3


def test_faults_of_one_stage_take_turns() -> None:
    faults = Faults(["b2b:lost", "b2b:html", "b2b:callback-twice,times=3"])
    met = [faults.strike("b2b").names for _ in range(4)]
    assert met == [("lost", "callback-twice"), ("html", "callback-twice"), ("callback-twice",), ()]


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "b2b",
        "b2b:",
        "b2c:lost",
        "b2b:broken",
        "oauth:no-callback",
        "b2b:not-found",
        "b2b:result",
        "b2b:result,code=0",
        "b2b:result,code=a b",
        "b2b:lost,times=0",
        "b2b:lost,times=-1",
        "b2b:lost,times=x",
        "b2b:lost,probability=0",
        "b2b:lost,probability=2",
        "b2b:lost,probability=nan",
        "b2b:lost,seconds=2",
        "b2b:slow,seconds=-1",
        "b2b:lost,moved=true",
        "b2b:queue-timeout,moved=perhaps",
        "b2b:lost,",
    ],
)
def test_a_bad_spec_is_refused_in_one_sentence(spec: str) -> None:
    with pytest.raises(BadFault) as refused:
        parse(spec)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


def test_every_fault_is_understood_for_every_product_that_knows_it() -> None:
    for name, kind in KINDS.items():
        for product in kind.products:
            code = ",code=17" if name == "result" else ""
            assert parse(f"{product}:{name}{code}").stage == kind.stage
