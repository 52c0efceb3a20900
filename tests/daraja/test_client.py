"""One request to M-Pesa: what leaves, how often, and what is learned from whatever comes back."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from rentpay_cli.core.evidence import Acknowledged, Moved, NotMoved, Refused, Unanswered
from rentpay_cli.daraja import outgoing
from rentpay_cli.daraja.auth import TokenCache
from rentpay_cli.daraja.client import MAX_BODY_BYTES, Mpesa
from rentpay_cli.daraja.incoming import Organisation, QuestionFailed, StillPending
from rentpay_cli.daraja.outgoing import Paybill
from rentpay_cli.errors import BadConfiguration, MpesaUnreachable
from tests.daraja import shapes

URL = "https://mpesa.example"
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KEY, SECRET = "made-up-key-Kk1", "made-up-secret-Ss1"
PASSKEY, CREDENTIAL = "made-up-passkey-Pp1", "made-up-credential-Cc1"
PAYBILL = Paybill("600000", PASSKEY, "rentapi", CREDENTIAL)
OAUTH = "/oauth/v1/generate"
TOKEN_GONE = [
    (401, "401.002.01"),
    (401, "401.003.01"),
    (404, "404.001.03"),
    (400, "400.003.01"),
]
RESULTS = "https://rent.example.co.ke/api/payments/b2b-callback/00ff"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def mpesa(tmp_path: Path, clock: Clock) -> Iterator[Mpesa]:
    mpesa = Mpesa(URL, KEY, SECRET, PAYBILL, TokenCache(tmp_path, URL, KEY), clock)
    yield mpesa
    mpesa.close()


@pytest.fixture
def net() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        yield router


def minted(*values: str, expires_in: object = "3599") -> list[httpx.Response]:
    return [httpx.Response(200, json={"access_token": value, "expires_in": expires_in}) for value in values]


@pytest.fixture
def oauth(net: respx.MockRouter) -> respx.Route:
    return net.get(OAUTH).mock(side_effect=minted("token-1", "token-2", "token-3", "token-4"))


def push(mpesa: Mpesa) -> Any:
    return mpesa.stk_push(
        phone="254700000000",
        amount_cents=1_000_000,
        reference="UNIT4",
        description="Rent",
        callback_url="https://rent.example.co.ke/api/payments/callback/00ff",
    )


def pay(mpesa: Mpesa) -> Any:
    return mpesa.b2b_payment(
        to_paybill="600001",
        account_number="PROP001",
        amount_cents=950_000,
        remarks="rent 7",
        result_url=RESULTS,
        timeout_url=RESULTS + "/timeout",
    )


def ask_status(mpesa: Mpesa) -> Any:
    return mpesa.transaction_status(
        originator_conversation_id=shapes.ORIGINATOR_ID,
        remarks="po 17",
        result_url=RESULTS,
        timeout_url=RESULTS + "/timeout",
    )


def ask_balance(mpesa: Mpesa) -> Any:
    return mpesa.account_balance(remarks="float", result_url=RESULTS, timeout_url=RESULTS + "/timeout")


CALLS: dict[str, tuple[str, Callable[[Mpesa], Any], dict[str, Any], bytes]] = {
    "push": (
        outgoing.STK_PUSH,
        push,
        outgoing.stk_push(
            PAYBILL,
            phone="254700000000",
            amount_cents=1_000_000,
            reference="UNIT4",
            description="Rent",
            callback_url="https://rent.example.co.ke/api/payments/callback/00ff",
            now=NOW,
        ),
        shapes.stk_ack(),
    ),
    "payout": (
        outgoing.B2B,
        pay,
        outgoing.b2b_payment(
            PAYBILL,
            to_paybill="600001",
            account_number="PROP001",
            amount_cents=950_000,
            remarks="rent 7",
            result_url=RESULTS,
            timeout_url=RESULTS + "/timeout",
        ),
        shapes.b2b_ack(),
    ),
    "status": (
        outgoing.TRANSACTION_STATUS,
        ask_status,
        outgoing.transaction_status(
            PAYBILL,
            originator_conversation_id=shapes.ORIGINATOR_ID,
            remarks="po 17",
            result_url=RESULTS,
            timeout_url=RESULTS + "/timeout",
        ),
        shapes.b2b_ack(),
    ),
    "balance": (
        outgoing.ACCOUNT_BALANCE,
        ask_balance,
        outgoing.account_balance(PAYBILL, remarks="float", result_url=RESULTS, timeout_url=RESULTS + "/timeout"),
        shapes.b2b_ack(),
    ),
}
every_call = pytest.mark.parametrize("name", list(CALLS))
both_payments = pytest.mark.parametrize("name", ["push", "payout"])


def bearers(route: respx.Route) -> list[str]:
    return [call.request.headers["Authorization"] for call in route.calls]


# --- what leaves -----------------------------------------------------------------------------------------------------


@every_call
def test_what_leaves_is_the_request_body_with_a_bearer_token(
    name: str, mpesa: Mpesa, net: respx.MockRouter, oauth: respx.Route
) -> None:
    path, call, body, ack = CALLS[name]
    route = net.post(path).respond(200, content=ack)
    assert isinstance(call(mpesa), Acknowledged)
    assert route.call_count == 1
    request = route.calls.last.request
    assert json.loads(request.content) == body
    assert request.headers["Authorization"] == "Bearer token-1"
    assert request.headers["Content-Type"] == "application/json"
    assert oauth.call_count == 1


def test_a_push_query_leaves_with_its_own_body_and_a_bearer_token(
    mpesa: Mpesa, net: respx.MockRouter, oauth: respx.Route
) -> None:
    route = net.post(outgoing.STK_QUERY).respond(200, content=shapes.stk_query_answer("0"))
    assert mpesa.stk_query(shapes.CHECKOUT_ID) == Moved(None, None)
    assert json.loads(route.calls.last.request.content) == outgoing.stk_query(PAYBILL, shapes.CHECKOUT_ID, NOW)
    assert bearers(route) == ["Bearer token-1"]


def test_the_name_of_an_organisation_is_asked_for_with_a_bearer_token(
    mpesa: Mpesa, net: respx.MockRouter, oauth: respx.Route
) -> None:
    content = {"ResponseCode": "4000", "OrganizationName": "SUNSET HOMES LTD"}
    route = net.post(outgoing.ORGANISATION).respond(200, json=content)
    assert mpesa.organisation("600001") == Organisation("SUNSET HOMES LTD")
    assert json.loads(route.calls.last.request.content) == outgoing.organisation("600001")
    assert bearers(route) == ["Bearer token-1"]


@pytest.mark.parametrize("trouble", [httpx.ConnectError("no"), httpx.ReadTimeout("late")])
def test_an_organisation_that_cannot_be_asked_about_is_a_question_that_failed(
    trouble: Exception, mpesa: Mpesa, net: respx.MockRouter, oauth: respx.Route
) -> None:
    net.post(outgoing.ORGANISATION).mock(side_effect=trouble)
    answer = mpesa.organisation("600001")
    assert isinstance(answer, QuestionFailed)
    assert "connection" in answer.text.lower()


def test_the_token_is_asked_for_with_our_key_and_secret(mpesa: Mpesa, oauth: respx.Route) -> None:
    mpesa.prepare()
    request = oauth.calls.last.request
    assert str(request.url) == f"{URL}/oauth/v1/generate?grant_type=client_credentials"
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()


def test_one_token_serves_many_requests_and_is_renewed_before_its_end(
    mpesa: Mpesa, net: respx.MockRouter, oauth: respx.Route, clock: Clock
) -> None:
    route = net.post(outgoing.B2B).respond(200, content=shapes.b2b_ack())
    for minutes in (0, 30, 57, 58, 59):
        clock.time = NOW + timedelta(minutes=minutes)
        pay(mpesa)
    assert bearers(route) == ["Bearer token-1"] * 3 + ["Bearer token-2"] * 2
    assert oauth.call_count == 2


# --- trouble on the way ----------------------------------------------------------------------------------------------


def kinds_of(base: type[Exception]) -> set[type[Exception]]:
    return {base}.union(*(kinds_of(kind) for kind in base.__subclasses__()))


NOT_SENT, PERHAPS_SENT = "not sent", "perhaps sent"
TROUBLE: dict[type[httpx.RequestError], str] = {
    httpx.ConnectError: NOT_SENT,
    httpx.ConnectTimeout: NOT_SENT,
    httpx.PoolTimeout: NOT_SENT,
    httpx.UnsupportedProtocol: NOT_SENT,
    httpx.RequestError: PERHAPS_SENT,
    httpx.TransportError: PERHAPS_SENT,
    httpx.TimeoutException: PERHAPS_SENT,
    httpx.ReadTimeout: PERHAPS_SENT,
    httpx.WriteTimeout: PERHAPS_SENT,
    httpx.NetworkError: PERHAPS_SENT,
    httpx.ReadError: PERHAPS_SENT,
    httpx.WriteError: PERHAPS_SENT,
    httpx.CloseError: PERHAPS_SENT,
    httpx.ProtocolError: PERHAPS_SENT,
    httpx.LocalProtocolError: PERHAPS_SENT,
    httpx.RemoteProtocolError: PERHAPS_SENT,
    httpx.ProxyError: PERHAPS_SENT,
    httpx.DecodingError: PERHAPS_SENT,
    httpx.TooManyRedirects: PERHAPS_SENT,
}
every_trouble = pytest.mark.parametrize("kind", list(TROUBLE), ids=lambda kind: kind.__name__)


def test_every_exception_that_httpx_raises_for_a_request_is_judged_here() -> None:
    public = {kind for kind in kinds_of(httpx.RequestError) if kind.__module__.startswith("httpx")}
    assert public == set(TROUBLE)


@every_trouble
@every_call
def test_a_request_that_met_trouble_is_judged_by_whether_it_may_have_left_and_is_sent_once(
    name: str, kind: type[httpx.RequestError], mpesa: Mpesa, net: respx.MockRouter, oauth: respx.Route
) -> None:
    path, call, _, _ = CALLS[name]
    route = net.post(path).mock(side_effect=kind("detail"))
    answer = call(mpesa)
    if TROUBLE[kind] == NOT_SENT:
        assert isinstance(answer, Refused)
        assert answer.code == "not_sent"
        assert kind.__name__ in answer.text
    else:
        assert isinstance(answer, Unanswered)
        assert kind.__name__ in answer.reason
    assert route.call_count == 1


@every_trouble
def test_a_push_query_that_met_trouble_says_nothing_about_the_payment(
    kind: type[httpx.RequestError], mpesa: Mpesa, net: respx.MockRouter, oauth: respx.Route
) -> None:
    net.post(outgoing.STK_QUERY).mock(side_effect=kind("detail"))
    assert isinstance(mpesa.stk_query(shapes.CHECKOUT_ID), QuestionFailed)


@every_trouble
def test_without_a_token_nothing_is_sent(kind: type[httpx.RequestError], mpesa: Mpesa, net: respx.MockRouter) -> None:
    net.get(OAUTH).mock(side_effect=kind("detail"))
    with pytest.raises(MpesaUnreachable, match="nothing was sent"):
        mpesa.prepare()
    for path, call, _, _ in CALLS.values():
        route = net.post(path).respond(200, content=shapes.b2b_ack())
        answer = call(mpesa)
        assert isinstance(answer, Refused)
        assert answer.code == "not_sent"
        assert not route.called


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize(
    "content", [b"", shapes.HTML, shapes.error("500.003.02", "System is busy"), shapes.apigee_fault(), shapes.b2b_ack()]
)
@both_payments
def test_a_payment_answered_with_5xx_is_unclear_and_sent_once(
    name: str, content: bytes, status: int, mpesa: Mpesa, net: respx.MockRouter, oauth: respx.Route
) -> None:
    path, call, _, _ = CALLS[name]
    route = net.post(path).respond(status, content=content)
    assert isinstance(call(mpesa), Unanswered)
    assert route.call_count == 1


@both_payments
def test_a_bad_field_is_refused_and_not_sent_again(
    name: str, mpesa: Mpesa, net: respx.MockRouter, oauth: respx.Route
) -> None:
    path, call, _, _ = CALLS[name]
    route = net.post(path).respond(400, content=shapes.error("400.002.02", "Bad Request - Invalid Amount"))
    assert call(mpesa) == Refused("400.002.02", "Bad Request - Invalid Amount")
    assert route.call_count == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@every_call
def test_a_redirect_is_not_followed(
    name: str, status: int, mpesa: Mpesa, net: respx.MockRouter, oauth: respx.Route
) -> None:
    path, call, _, _ = CALLS[name]
    elsewhere = net.route(path="/elsewhere").respond(200, content=shapes.b2b_ack())
    route = net.post(path).respond(status, headers={"Location": f"{URL}/elsewhere"})
    assert isinstance(call(mpesa), Unanswered)
    assert route.call_count == 1
    assert not elsewhere.called


@both_payments
def test_an_answer_of_endless_length_is_cut_and_leaves_the_payment_unclear(
    name: str, mpesa: Mpesa, net: respx.MockRouter, oauth: respx.Route
) -> None:
    path, call, _, ack = CALLS[name]
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        yield ack[:-1]
        while True:
            read += 65_536
            assert read < 4 * MAX_BODY_BYTES, "the answer is read without a bound"
            yield b" " * 65_536

    net.post(path).mock(side_effect=lambda _: httpx.Response(200, content=endless()))
    assert isinstance(call(mpesa), Unanswered)
    assert MAX_BODY_BYTES / 2 < read < 2 * MAX_BODY_BYTES


@every_call
def test_every_wait_is_bounded(name: str, mpesa: Mpesa, net: respx.MockRouter, oauth: respx.Route) -> None:
    path, call, _, ack = CALLS[name]
    route = net.post(path).respond(200, content=ack)
    call(mpesa)
    for request in (route.calls.last.request, oauth.calls.last.request):
        waits = request.extensions["timeout"]
        assert waits["connect"] == 5
        assert waits["read"] == 30
        assert all(wait is not None and wait <= 30 for wait in waits.values())


def test_an_idle_connection_is_not_kept_long_enough_to_lose_the_next_payment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {}
    whole = httpx.Client

    def spy(**options: Any) -> httpx.Client:
        asked.update(options)
        return whole(**options)

    monkeypatch.setattr(httpx, "Client", spy)
    Mpesa(URL, KEY, SECRET, PAYBILL, TokenCache(tmp_path, URL, KEY), lambda: NOW).close()
    assert asked["limits"].keepalive_expiry <= 5
    assert "verify" not in asked


# --- tokens that are refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "code"), TOKEN_GONE)
@every_call
def test_a_refused_token_is_replaced_and_the_request_sent_once_more(
    name: str, status: int, code: str, mpesa: Mpesa, net: respx.MockRouter, oauth: respx.Route
) -> None:
    path, call, body, ack = CALLS[name]
    refusal = httpx.Response(status, content=shapes.error(code, "Invalid Access Token - token-1"))
    route = net.post(path).mock(side_effect=[refusal, httpx.Response(200, content=ack)])
    assert isinstance(call(mpesa), Acknowledged)
    assert bearers(route) == ["Bearer token-1", "Bearer token-2"]
    assert [json.loads(each.request.content) for each in route.calls] == [body, body]
    assert oauth.call_count == 2


@pytest.mark.parametrize(("status", "code"), TOKEN_GONE)
@every_call
def test_a_second_refusal_of_the_token_is_final_and_there_is_no_third_request(
    name: str, status: int, code: str, mpesa: Mpesa, net: respx.MockRouter, oauth: respx.Route
) -> None:
    path, call, _, _ = CALLS[name]
    route = net.post(path).respond(status, content=shapes.error(code, "Invalid Access Token - token-x"))
    answer = call(mpesa)
    assert isinstance(answer, Refused)
    assert answer.code == code
    assert route.call_count == 2
    assert "token-" not in repr(answer)


@every_call
def test_the_same_token_given_out_again_is_tried_once_more_and_no_further(
    name: str, mpesa: Mpesa, net: respx.MockRouter
) -> None:
    path, call, _, _ = CALLS[name]
    net.get(OAUTH).respond(200, json={"access_token": "token-1", "expires_in": "3599"})
    route = net.post(path).respond(401, content=shapes.error("401.002.01", "Invalid Access Token"))
    assert isinstance(call(mpesa), Refused)
    assert route.call_count == 2


@both_payments
def test_a_request_sent_once_more_that_then_meets_trouble_is_unclear(
    name: str, mpesa: Mpesa, net: respx.MockRouter, oauth: respx.Route
) -> None:
    path, call, _, _ = CALLS[name]
    refusal = httpx.Response(401, content=shapes.error("401.002.01", "Invalid Access Token"))
    route = net.post(path).mock(side_effect=[refusal, httpx.ReadTimeout("late")])
    assert isinstance(call(mpesa), Unanswered)
    assert route.call_count == 2


@both_payments
def test_a_refused_token_that_cannot_be_replaced_is_a_refusal(name: str, mpesa: Mpesa, net: respx.MockRouter) -> None:
    path, call, _, _ = CALLS[name]
    net.get(OAUTH).mock(side_effect=[*minted("token-1"), httpx.ConnectError("down")])
    route = net.post(path).respond(404, content=shapes.error("404.001.03", "Invalid Access Token"))
    answer = call(mpesa)
    assert isinstance(answer, Refused)
    assert route.call_count == 1


def test_a_push_query_gets_a_new_token_once(mpesa: Mpesa, net: respx.MockRouter, oauth: respx.Route) -> None:
    refusal = httpx.Response(404, content=shapes.error("404.001.03", "Invalid Access Token"))
    answer = httpx.Response(200, content=shapes.stk_query_answer("1032"))
    route = net.post(outgoing.STK_QUERY).mock(side_effect=[refusal, answer])
    assert isinstance(mpesa.stk_query(shapes.CHECKOUT_ID), NotMoved)
    assert bearers(route) == ["Bearer token-1", "Bearer token-2"]
    route.mock(side_effect=[refusal, refusal])
    assert isinstance(mpesa.stk_query(shapes.CHECKOUT_ID), QuestionFailed)
    assert route.call_count == 4


def test_a_push_query_that_is_still_processed_is_no_news(
    mpesa: Mpesa, net: respx.MockRouter, oauth: respx.Route
) -> None:
    route = net.post(outgoing.STK_QUERY)
    route.respond(500, content=shapes.error("500.001.1001", "The transaction is being processed"))
    assert isinstance(mpesa.stk_query(shapes.CHECKOUT_ID), StillPending)
    assert route.call_count == 1


# --- OAuth -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expires_in", ["3599", 3599, "", None, "99999999999999999999"])
def test_a_token_is_taken_whatever_the_shape_of_its_life_time(
    expires_in: object, mpesa: Mpesa, net: respx.MockRouter
) -> None:
    net.get(OAUTH).mock(side_effect=minted("token-1", expires_in=expires_in))
    route = net.post(outgoing.B2B).respond(200, content=shapes.b2b_ack())
    pay(mpesa)
    assert bearers(route) == ["Bearer token-1"]


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize(
    "content", [b"", shapes.HTML, shapes.error("400.008.01", "Invalid Authentication passed"), b"{}", b"null"]
)
def test_refused_keys_are_a_bad_configuration_and_nothing_is_sent(
    status: int, content: bytes, mpesa: Mpesa, net: respx.MockRouter
) -> None:
    net.get(OAUTH).respond(status, content=content)
    route = net.post(outgoing.B2B).respond(200, content=shapes.b2b_ack())
    with pytest.raises(BadConfiguration) as refused:
        mpesa.prepare()
    assert refused.value.exit_status == 4
    assert refused.value.code == "credentials_refused"
    assert "MPESA_CONSUMER_KEY" in refused.value.hint
    assert str(status) in refused.value.message
    answer = pay(mpesa)
    assert isinstance(answer, Refused)
    assert answer.code == "not_sent"
    assert not route.called


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, b""),
        (200, b"{}"),
        (200, shapes.HTML),
        (200, shapes.body({"access_token": "", "expires_in": "3599"})),
        (200, shapes.body({"access_token": None})),
        (200, shapes.body({"access_token": 5})),
        (200, shapes.body({"access_token": "no\u00e4scii", "expires_in": "3599"})),
        (302, b""),
        (404, shapes.error("404.001.01", "Resource not found")),
        (429, shapes.apigee_fault()),
        (500, b""),
        (503, shapes.HTML),
        (500, shapes.body({"access_token": "token-1", "expires_in": "3599"})),
    ],
)
def test_a_token_that_does_not_come_makes_mpesa_unreachable(
    status: int, content: bytes, mpesa: Mpesa, net: respx.MockRouter
) -> None:
    net.get(OAUTH).respond(status, content=content)
    with pytest.raises(MpesaUnreachable, match="nothing was sent") as unreachable:
        mpesa.prepare()
    assert unreachable.value.exit_status == 1


# --- secrets ---------------------------------------------------------------------------------------------------------


def everything_said(error: BaseException) -> str:
    said = [str(error), repr(error), repr(getattr(error, "hint", ""))]
    return "\n".join(said)


def test_no_secret_is_in_any_answer_or_error(mpesa: Mpesa, net: respx.MockRouter) -> None:
    echo = f"Invalid Access Token - token-1 Basic {base64.b64encode(f'{KEY}:{SECRET}'.encode()).decode()}"
    said = []
    for status, content in [
        (400, shapes.error("400.008.01", echo)),
        (401, shapes.error("401.002.01", echo)),
        (500, shapes.error("500.003.1001", echo)),
        (200, b""),
    ]:
        net.get(OAUTH).respond(status, content=content)
        with pytest.raises((BadConfiguration, MpesaUnreachable)) as failed:
            mpesa.prepare()
        said.append(everything_said(failed.value))
    net.get(OAUTH).mock(side_effect=httpx.ConnectError(f"could not send {SECRET}"))
    with pytest.raises(MpesaUnreachable) as failed_too:
        mpesa.prepare()
    said.append(everything_said(failed_too.value))
    net.get(OAUTH).mock(side_effect=lambda _: minted("token-1")[0])
    for effect in (
        httpx.Response(401, content=shapes.error("401.002.01", echo)),
        httpx.Response(500, content=shapes.error("500.002.1001", echo)),
        httpx.ReadTimeout(f"Bearer token-1 {CREDENTIAL}"),
        httpx.ConnectError(f"Bearer token-1 {CREDENTIAL}"),
    ):
        for path, call, _, _ in CALLS.values():
            net.post(path).mock(side_effect=[effect, effect])
            said.append(repr(call(mpesa)))
    for secret in ("token-1", KEY, SECRET, PASSKEY, CREDENTIAL, base64.b64encode(SECRET.encode()).decode()[:12]):
        assert secret not in "\n".join(said)


# --- real sockets ----------------------------------------------------------------------------------------------------


class Server:
    """A server that gives out a token and then treats every payment alike: it reads it, and does as it was told."""

    def __init__(self, answer: bytes) -> None:
        self.payments = 0
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(timeout=10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(65_536)
                if request.startswith(b"GET"):
                    body = shapes.body({"access_token": "token-1", "expires_in": "3599"})
                    connection.sendall(
                        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
                    )
                    continue
                self.payments += 1
                head, _, rest = request.partition(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split()[0])
                while len(rest) < length:
                    rest += connection.recv(65_536)
                connection.sendall(self._answer)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[bytes], tuple[Server, Mpesa]]]:
    opened: list[Any] = []

    def start(answer: bytes) -> tuple[Server, Mpesa]:
        server = Server(answer)
        mpesa = Mpesa(server.url, KEY, SECRET, PAYBILL, TokenCache(tmp_path, server.url, KEY), lambda: NOW)
        opened.extend([mpesa, server])
        return server, mpesa

    yield start
    for each in opened:
        each.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + shapes.b2b_ack(),
        b"not HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
@pytest.mark.parametrize("call", [push, pay])
def test_a_connection_that_breaks_after_the_request_leaves_it_unclear_and_sent_once(
    answer: bytes, call: Callable[[Mpesa], Any], serve: Callable[[bytes], tuple[Server, Mpesa]]
) -> None:
    server, mpesa = serve(answer)
    assert isinstance(call(mpesa), Unanswered)
    assert server.payments == 1


def test_a_whole_answer_over_a_real_connection_is_understood(
    serve: Callable[[bytes], tuple[Server, Mpesa]],
) -> None:
    ack = shapes.b2b_ack()
    server, mpesa = serve(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(ack), ack))
    assert pay(mpesa) == Acknowledged(shapes.CONVERSATION_ID, shapes.ORIGINATOR_ID)
    assert server.payments == 1


def test_nobody_listening_means_that_nothing_was_sent(serve: Callable[[bytes], tuple[Server, Mpesa]]) -> None:
    server, mpesa = serve(b"")
    mpesa.prepare()
    server.close()
    server.close = lambda: None  # type: ignore[method-assign]
    answer = pay(mpesa)
    assert isinstance(answer, Refused)
    assert answer.code == "not_sent"
    assert server.payments == 0
