"""An M-Pesa that answers what the test says, to stop a flow at any point between its commits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from rentpay_cli.core.evidence import Acknowledged
from rentpay_cli.daraja.client import Mpesa
from rentpay_cli.daraja.incoming import Organisation, PaymentReply
from rentpay_cli.runtime import Runtime


class Killed(BaseException):
    """The process died here."""


class ScriptedMpesa:
    """Keeps every request and answers each with what `answer` makes of it."""

    def __init__(self, answer: Callable[[str, dict[str, Any]], PaymentReply] | None = None) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.names: dict[str, str] = {}
        self._answer = answer or self._accept

    def prepare(self) -> None:
        """There is always a token."""

    def close(self) -> None:
        """There is nothing to close."""

    def stk_push(self, **request: Any) -> PaymentReply:
        return self._send("stk", request)

    def b2b_payment(self, **request: Any) -> PaymentReply:
        return self._send("b2b", request)

    def organisation(self, short_code: str) -> Organisation:
        """Everybody has a name; it is no request that anything follows from, and is not kept."""
        return Organisation(self.names.get(short_code, f"Organisation {short_code}"))

    def stk_query(self, checkout_request_id: str) -> Any:
        return self._send("stk-query", {"checkout_request_id": checkout_request_id})

    def transaction_status(self, **request: Any) -> PaymentReply:
        return self._send("status", request)

    def account_balance(self, **request: Any) -> PaymentReply:
        return self._send("balance", request)

    def _send(self, kind: str, request: dict[str, Any]) -> PaymentReply:
        self.sent.append((kind, request))
        return self._answer(kind, request)

    def _accept(self, kind: str, request: dict[str, Any]) -> PaymentReply:
        number = len(self.sent)
        if kind == "stk":
            return Acknowledged(checkout_request_id=f"ws_CO_{number}", merchant_request_id=f"m-{number}")
        return Acknowledged(conversation_id=f"AG_{number}", originator_conversation_id=f"o-{number}")


def script(rt: Runtime, answer: Callable[[str, dict[str, Any]], PaymentReply] | None = None) -> ScriptedMpesa:
    """Put a scripted M-Pesa in the place of the real client."""
    if "mpesa" in rt.__dict__:
        rt.__dict__.pop("mpesa").close()
    scripted = ScriptedMpesa(answer)
    rt.__dict__["mpesa"] = cast(Mpesa, scripted)
    return scripted


def token_of(request: dict[str, Any]) -> str:
    """The secret in the callback address of a request."""
    return str(request.get("result_url") or request["callback_url"]).rsplit("/", 1)[1]
