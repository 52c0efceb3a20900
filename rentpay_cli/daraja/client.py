"""Send one request to M-Pesa and say what we learned; the only code that uses the network.

A payment is sent once. Only two things let the same request leave again: no connection could be made, or the gateway
refused the access token before M-Pesa saw the request.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import httpx

from rentpay_cli.core.codes import NOT_SENT, TOKEN_REFUSED, Family
from rentpay_cli.core.evidence import Moved, NotMoved, Refused, Unanswered
from rentpay_cli.core.redact import know_secrets, printable, redact
from rentpay_cli.daraja import outgoing
from rentpay_cli.daraja.auth import Token, TokenCache, lifetime
from rentpay_cli.daraja.incoming import (
    Organisation,
    PaymentReply,
    QuestionFailed,
    StillPending,
    gateway_error,
    organisation_reply,
    parse,
    payment_reply,
    stk_query_reply,
)
from rentpay_cli.errors import BadConfiguration, MpesaUnreachable, RentpayError

Reply = TypeVar("Reply")

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
LONGEST_CALL_SECONDS = 120
"""No call takes longer than this, so that an attempt still `sending` after it has lost its process."""
MAX_BODY_BYTES = 1_000_000

# What httpx raises before a single byte of the request has left.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class Mpesa:
    """M-Pesa, as seen from the platform's paybill."""

    def __init__(
        self,
        base_url: str,
        consumer_key: str,
        consumer_secret: str,
        paybill: outgoing.Paybill,
        tokens: TokenCache,
        now: Callable[[], datetime],
    ) -> None:
        self._consumer = (consumer_key, consumer_secret)
        self._paybill = paybill
        self._tokens = tokens
        self._now = now
        self._base_url = base_url
        self._urls: dict[str, httpx.URL] = {}  # to parse one takes an eighth of the processor time of a request
        self._http = httpx.Client(
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            # An idle connection that the other side has closed turns the next payment into an unclear one.
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=2.0),
            follow_redirects=False,
            headers={"User-Agent": "rentpay"},
        )

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def prepare(self) -> None:
        """Get an access token, so that what can fail before a payment fails here; raises `MpesaUnreachable`."""
        self._token()

    def renew_token(self) -> None:
        """Get a new access token, which proves that the keys are right now; raises as `prepare` does."""
        self._token(refused=self._token().value)

    def stk_push(
        self, *, phone: str, amount_cents: int, reference: str, description: str, callback_url: str
    ) -> PaymentReply:
        """Ask a tenant to pay."""
        body = outgoing.stk_push(
            self._paybill,
            phone=phone,
            amount_cents=amount_cents,
            reference=reference,
            description=description,
            callback_url=callback_url,
            now=self._now(),
        )
        return self._request(outgoing.STK_PUSH, body, Family.STK)

    def stk_query(self, checkout_request_id: str) -> Moved | NotMoved | StillPending | QuestionFailed:
        """Ask what became of a push."""
        body = outgoing.stk_query(self._paybill, checkout_request_id, self._now())
        answer = self._exchange(outgoing.STK_QUERY, body, stk_query_reply)
        return _not_asked(answer) if isinstance(answer, Refused | Unanswered) else answer

    def organisation(self, short_code: str) -> Organisation | QuestionFailed:
        """Ask what the organisation behind a paybill is called."""
        answer = self._exchange(outgoing.ORGANISATION, outgoing.organisation(short_code), organisation_reply)
        return _not_asked(answer) if isinstance(answer, Refused | Unanswered) else answer

    def b2b_payment(
        self,
        *,
        to_paybill: str,
        account_number: str,
        amount_cents: int,
        remarks: str,
        result_url: str,
        timeout_url: str,
    ) -> PaymentReply:
        """Pay an owner's paybill."""
        body = outgoing.b2b_payment(
            self._paybill,
            to_paybill=to_paybill,
            account_number=account_number,
            amount_cents=amount_cents,
            remarks=remarks,
            result_url=result_url,
            timeout_url=timeout_url,
        )
        return self._request(outgoing.B2B, body, Family.B2B)

    def transaction_status(
        self, *, originator_conversation_id: str, remarks: str, result_url: str, timeout_url: str
    ) -> PaymentReply:
        """Ask what became of a payout; the answer comes by callback."""
        body = outgoing.transaction_status(
            self._paybill,
            originator_conversation_id=originator_conversation_id,
            remarks=remarks,
            result_url=result_url,
            timeout_url=timeout_url,
        )
        return self._request(outgoing.TRANSACTION_STATUS, body, Family.STATUS)

    def account_balance(self, *, remarks: str, result_url: str, timeout_url: str) -> PaymentReply:
        """Ask what the paybill's accounts hold; the answer comes by callback."""
        body = outgoing.account_balance(self._paybill, remarks=remarks, result_url=result_url, timeout_url=timeout_url)
        return self._request(outgoing.ACCOUNT_BALANCE, body, Family.STATUS)

    def _request(self, path: str, body: dict[str, Any], family: Family) -> PaymentReply:
        return self._exchange(path, body, lambda status, content: payment_reply(status, content, family))

    def _exchange(
        self, path: str, body: dict[str, Any], read: Callable[[int, bytes], Reply]
    ) -> Reply | Refused | Unanswered:
        """Send once; once more with a new token if the gateway refused the old one."""
        answer = self._post(path, body)
        if isinstance(answer, Refused | Unanswered):
            return answer
        status, content, token = answer
        reply = read(status, content)
        refused = isinstance(reply, Refused | QuestionFailed) and reply.code in TOKEN_REFUSED
        if not refused or not self._renew(token):
            return reply
        answer = self._post(path, body)
        return answer if isinstance(answer, Refused | Unanswered) else read(answer[0], answer[1])

    def _post(self, path: str, body: dict[str, Any]) -> tuple[int, bytes, str] | Refused | Unanswered:
        """The status, the body and the token used; or what a failure on the way says about the request."""
        try:
            token = self._token().value
        except RentpayError as error:
            return Refused(NOT_SENT, error.message)
        try:
            return *self._send("POST", path, json=body, headers={"Authorization": f"Bearer {token}"}), token
        except _NOT_SENT as error:
            return Refused(NOT_SENT, f"No connection to M-Pesa could be made ({_name(error)}): nothing was sent.")
        except httpx.HTTPError as error:
            return Unanswered(f"The connection to M-Pesa broke before an answer came ({_name(error)}).")

    def _send(self, method: str, path: str, **options: Any) -> tuple[int, bytes]:
        """Send, and read no more of the answer than an answer of M-Pesa's can be long."""
        if path not in self._urls:
            self._urls[path] = httpx.URL(self._base_url + path)
        with self._http.stream(method, self._urls[path], **options) as response:
            content = b""
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MAX_BODY_BYTES:
                    break
            return response.status_code, content

    def _renew(self, refused: str) -> bool:
        """Replace a token that M-Pesa refused; False if there is none to be had."""
        try:
            self._token(refused=refused)
        except RentpayError:
            return False
        return True

    def _token(self, *, refused: str | None = None) -> Token:
        token = self._tokens.get(self._now(), self._fetch_token, refused=refused)
        know_secrets("M-Pesa's token", {token.value, refused or token.value})  # it may echo either of them
        return token

    def _fetch_token(self) -> Token:
        """Get a new access token; raises `MpesaUnreachable`, or `BadConfiguration` if our keys are refused."""
        asked_at = self._now()
        credentials = base64.b64encode(":".join(self._consumer).encode()).decode()
        try:
            status, content = self._send(
                "GET",
                "/oauth/v1/generate?grant_type=client_credentials",
                headers={"Authorization": f"Basic {credentials}"},
            )
        except httpx.HTTPError as error:
            raise MpesaUnreachable(
                f"M-Pesa cannot be reached at {self._base_url} ({_name(error)}); nothing was sent.",
                "Check the network, and MPESA_BASE_URL if you use a local M-Pesa; then try again.",
            ) from error
        document = parse(content) or {}
        value = document.get("access_token")
        if 200 <= status < 300 and isinstance(value, str) and value.strip() and value.isascii():
            return Token(value.strip(), asked_at + lifetime(document.get("expires_in")))
        if status in (400, 401, 403):
            code, text = gateway_error(document) or ("", "no reason given")
            raise BadConfiguration(
                f"M-Pesa refused the consumer key and secret (HTTP {status} {redact(printable(f'{code} {text}'))}); "
                "nothing was sent.",
                "Check MPESA_CONSUMER_KEY and MPESA_CONSUMER_SECRET, and that they belong to this MPESA_ENVIRONMENT.",
                code="credentials_refused",
            )
        raise MpesaUnreachable(
            f"M-Pesa gave no access token (HTTP {status}); nothing was sent.", "Try again in a minute."
        )


def _not_asked(answer: Refused | Unanswered) -> QuestionFailed:
    return QuestionFailed("", answer.text if isinstance(answer, Refused) else answer.reason)


def _name(error: Exception) -> str:
    return type(error).__name__
