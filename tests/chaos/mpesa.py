"""A scripted M-Pesa with books of its own: what really happened, whatever it tells and whenever it tells it.

It stands in for `daraja.client.Mpesa`, decides every outcome and every fault by the run's one source of chance, and
delivers callbacks when the run lets it. It follows daraja.md, not our client: an answer that is lost, an error after
the deed, a result twice, late, early or never.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from rentpay_cli.core.clock import mpesa_timestamp
from rentpay_cli.core.codes import Family
from rentpay_cli.daraja.incoming import PaymentReply, payment_reply, stk_query_reply


class Killed(BaseException):
    """The process died here: nothing of it runs any more."""


@dataclass
class Deed:
    """One request that reached M-Pesa, and what really became of it."""

    number: int
    kind: str
    amount: int
    token: str
    at: datetime
    moved: bool | None = None
    """None while the tenant has not typed the PIN yet."""
    receipt: str = ""
    code: str = "0"
    known_from: datetime | None = None
    """Until then a status query finds nothing of it: M-Pesa's own books lag behind its deeds."""
    forgotten: bool = False
    """A queue timeout that moved nothing: M-Pesa keeps no record of it."""

    @property
    def checkout_id(self) -> str:
        return f"ws_CO_{self.number}"


@dataclass
class Delivery:
    """A callback on its way."""

    due_at: datetime
    path: str
    token: str
    body: bytes


ASKS_FOR_LESS = (500, b'{"requestId": "1", "errorCode": "500.003.02", "errorMessage": "System is busy."}')


@dataclass
class Faults:
    """How often things go wrong, from 0 to 1."""

    lost: float = 0.0
    dead: float = 0.0
    callback_lost: float = 0.0
    callback_twice: float = 0.0
    early: float = 0.0
    queue_timeout: float = 0.0
    refused: float = 0.0
    failed: float = 0.0
    lag: float = 0.0

    @classmethod
    def drawn(cls, chance: Random) -> Faults:
        return cls(**{name: chance.choice([0.0, 0.05, 0.2, 0.5]) for name in cls.__dataclass_fields__})


@dataclass
class ChaoticMpesa:
    """Answers like `Mpesa`, by chance; `on_wire` is called while a request is under way, `may_leave`
    with the token of each payout before it is carried out."""

    chance: Random
    now: Callable[[], datetime]
    faults: Faults
    on_wire: Callable[[], None]
    deliver: Callable[[Delivery], None]
    may_leave: Callable[[str], None]
    deeds: list[Deed] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    float_shillings: int = 100_000
    asked_for_less_at: datetime | None = None

    def prepare(self) -> None:
        """There is always a token."""

    def close(self) -> None:
        """There is nothing to close."""

    def happens(self, probability: float) -> bool:
        return self.chance.random() < probability

    # --- payments ----------------------------------------------------------------------------------------------------

    def stk_push(self, **request: Any) -> PaymentReply:
        deed = self._reached("stk", request, request["callback_url"])
        if deed is None:
            return self._reply(Family.STK, 503, b"<html>busy</html>")
        pause = timedelta(seconds=self.chance.randint(5, 90))
        if self.happens(self.faults.failed):
            deed.moved, deed.code = False, self.chance.choice(["1032", "1037", "1", "2001"])
        elif not self.happens(0.05):
            deed.moved = True
        self._tell(deed, pause)
        ids = {"MerchantRequestID": f"m-{deed.number}", "CheckoutRequestID": deed.checkout_id}
        return self._answer(Family.STK, deed, ids)

    def b2b_payment(self, **request: Any) -> PaymentReply:
        self.may_leave(request["result_url"].rsplit("/", 1)[1])
        deed = self._reached("b2b", request, request["result_url"])
        if deed is None:
            return self._reply(Family.B2B, 503, b"<html>busy</html>")
        self._pay_out(deed)
        ids = {"ConversationID": f"AG_{deed.number}", "OriginatorConversationID": f"o-{deed.number}"}
        return self._answer(Family.B2B, deed, ids)

    def _pay_out(self, deed: Deed) -> None:
        if self.happens(self.faults.queue_timeout):
            deed.moved = self.happens(0.5) and deed.amount <= self.float_shillings
            deed.forgotten = not deed.moved
            if deed.moved:
                self.float_shillings -= deed.amount
            self._send(
                "timeout", deed, {"CommandID": "BusinessPayBill", "SecurityCredential": "x"}, timedelta(minutes=1)
            )
            return
        if deed.amount > self.float_shillings:
            deed.moved, deed.code = False, "1"
        elif self.happens(self.faults.failed):
            deed.moved, deed.code = False, self.chance.choice(["1", "17", "SFC_IC0003", "2001", "26"])
        else:
            deed.moved = True
            self.float_shillings -= deed.amount
        self._tell(deed, timedelta(seconds=self.chance.randint(1, 180)))

    def _reached(self, kind: str, request: dict[str, Any], url: str) -> Deed | None:
        """The deed that the request makes; None if a 503 came before it; dead if our process died first."""
        if self.happens(self.faults.dead / 4):
            raise Killed("before the request left")
        if self.happens(self.faults.refused):
            return None
        number = len(self.deeds) + 1
        deed = Deed(number, kind, request["amount_cents"] // 100, url.rsplit("/", 1)[1], self.now())
        deed.receipt = f"SK{kind[0].upper()}{number:07d}X"
        if self.happens(self.faults.lag):
            deed.known_from = deed.at + timedelta(minutes=self.chance.choice([2, 6, 7]))
        self.deeds.append(deed)
        return deed

    def _answer(self, family: Family, deed: Deed, ids: dict[str, str]) -> PaymentReply:
        if self.happens(self.faults.early):
            self._deliver_now(deed)
        self.on_wire()
        if self.happens(self.faults.dead):
            raise Killed("after the deed, before the answer")
        if self.happens(self.faults.lost):
            answers = [
                (503, b"<html>busy</html>"),
                (200, b"<html>ok</html>"),
                (200, b""),
                (200, b'{"ResponseCode":""}'),
            ]
            status, body = self.chance.choice([*answers, ASKS_FOR_LESS])
            if family is Family.B2B and (status, body) == ASKS_FOR_LESS:
                self.asked_for_less_at = self.now()
            return self._reply(family, status, body)
        return self._reply(family, 200, json.dumps({**ids, "ResponseCode": "0"}).encode())

    def _reply(self, family: Family, status: int, body: bytes) -> PaymentReply:
        return payment_reply(status, body, family)

    # --- questions ---------------------------------------------------------------------------------------------------

    def stk_query(self, checkout_request_id: str) -> Any:
        self.on_wire()
        deed = next(each for each in self.deeds if each.checkout_id == checkout_request_id)
        if self.happens(self.faults.lost):
            return stk_query_reply(503, b"<html>busy</html>")
        if deed.moved is None or self.now() - deed.at < timedelta(seconds=60):
            body = {"ResponseCode": "0", "ResultCode": "4999", "ResultDesc": "still under processing"}
        else:
            body = {"ResponseCode": "0", "ResultCode": deed.code, "ResultDesc": "text"}
        return stk_query_reply(200, json.dumps(body).encode())

    def transaction_status(self, **request: Any) -> PaymentReply:
        self.on_wire()
        number = int(request["originator_conversation_id"].removeprefix("o-"))
        deed = self.deeds[number - 1]
        token = request["result_url"].rsplit("/", 1)[1]
        if self.happens(self.faults.lost):
            return self._reply(Family.STATUS, 503, b"")
        if not self.happens(self.faults.callback_lost):
            for _ in range(2 if self.happens(self.faults.callback_twice) else 1):
                self._queue("payout", token, self._status_of(deed), timedelta(seconds=self.chance.randint(1, 60)))
        return self._reply(Family.STATUS, 200, b'{"ResponseCode":"0","ConversationID":"AG_q"}')

    def _status_of(self, deed: Deed) -> dict[str, Any]:
        if deed.forgotten or (deed.known_from is not None and self.now() < deed.known_from):
            return {"Result": {"ResultCode": 2033, "ResultDesc": "not found", "TransactionID": "SK20000000"}}
        if self.happens(self.faults.failed / 4):
            return {"Result": {"ResultCode": 21, "ResultDesc": "not allowed", "TransactionID": "SK20000000"}}
        items = [
            {"Key": "TransactionStatus", "Value": "Completed" if deed.moved else "Failed"},
            {"Key": "Amount", "Value": deed.amount},
            {"Key": "OriginatorConversationID", "Value": f"o-{deed.number}"},
        ]
        if deed.moved:
            items.append({"Key": "ReceiptNo", "Value": deed.receipt})
        return {
            "Result": {
                "ResultCode": 0,
                "TransactionID": "SK20000000",
                "ResultParameters": {"ResultParameter": items},
            }
        }

    # --- callbacks ---------------------------------------------------------------------------------------------------

    def _tell(self, deed: Deed, pause: timedelta) -> None:
        if deed.moved is None or self.happens(self.faults.callback_lost):
            return
        for _ in range(2 if self.happens(self.faults.callback_twice) else 1):
            path = "collection" if deed.kind == "stk" else "payout"
            self._send(path, deed, self._body(deed), pause)

    def _deliver_now(self, deed: Deed) -> None:
        for delivery in [each for each in self.deliveries if each.token == deed.token]:
            self.deliveries.remove(delivery)
            self.deliver(delivery)

    def _send(self, path: str, deed: Deed, body: dict[str, Any], pause: timedelta) -> None:
        self._queue(path, deed.token, body, pause)

    def _queue(self, path: str, token: str, body: dict[str, Any], pause: timedelta) -> None:
        self.deliveries.append(Delivery(self.now() + pause, path, token, json.dumps(body).encode()))

    def _body(self, deed: Deed) -> dict[str, Any]:
        if deed.kind == "stk":
            return self._stk_body(deed)
        result: dict[str, Any] = {
            "ResultType": 0,
            "ResultCode": int(deed.code) if deed.code.isdigit() else deed.code,
            "ResultDesc": "text",
            "ConversationID": f"AG_{deed.number}",
            "OriginatorConversationID": f"o-{deed.number}",
            "TransactionID": deed.receipt if deed.moved else "SK20000000",
        }
        if deed.moved:
            result["ResultParameters"] = {
                "ResultParameter": [
                    {"Key": "Amount", "Value": deed.amount},
                    {"Key": "DebitPartyCharges", "Value": "Business Pay Bill Charge|KES|5.00"},
                    {"Key": "TransCompletedTime", "Value": int(mpesa_timestamp(self.now()))},
                ]
            }
        return {"Result": result}

    def _stk_body(self, deed: Deed) -> dict[str, Any]:
        callback: dict[str, Any] = {
            "MerchantRequestID": f"m-{deed.number}",
            "CheckoutRequestID": deed.checkout_id,
            "ResultCode": int(deed.code),
            "ResultDesc": "text",
        }
        if deed.moved:
            callback["CallbackMetadata"] = {
                "Item": [
                    {"Name": "Amount", "Value": deed.amount},
                    {"Name": "MpesaReceiptNumber", "Value": deed.receipt},
                    {"Name": "Balance"},
                ]
            }
        return {"Body": {"stkCallback": callback}}
