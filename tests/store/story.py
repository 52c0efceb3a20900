"""A short story of a platform, told through the real flows: what a stored database holds.

Its clock, its tokens and its M-Pesa are its own, so that it is the same story whenever it is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from rentpay_cli.core.access import write_token
from rentpay_cli.flows import access, balance, collect, payouts, register
from rentpay_cli.flows.disburse import disburse
from rentpay_cli.flows.read_inbox import COLLECTION, PAYOUT, read_inbox
from rentpay_cli.flows.send import Outcome
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import inbox
from tests.daraja import shapes
from tests.support.scripted import ScriptedMpesa, script, token_of
from tests.support.world import settings_for

CHARGE = "Working Account|KES|25.00"
HELD = "Working Account|KES|50000.00|50000.00|0.00|0.00"
BEGINS = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


def token_of_story(name: str, number: int) -> str:
    """One of the tokens of a story."""
    return hashlib.md5(f"{name} {number}".encode()).hexdigest()


ADMINS_TOKEN = write_token(1, token_of_story("first", 1))


class Teller:
    """Tells what happens, one thing a second, to a database."""

    def __init__(self, rt: Runtime, begins: datetime, name: str) -> None:
        self.rt = rt
        self._name = name
        self._now, self._tokens = begins, 0
        self.mpesa: ScriptedMpesa = script(rt)
        rt.now, rt.new_token = self._next_second, self._next_token

    def _next_second(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now

    def _next_token(self) -> str:
        self._tokens += 1
        return token_of_story(self._name, self._tokens)

    @property
    def token(self) -> str:
        """The one in the callback address of the newest request."""
        return token_of(self.mpesa.sent[-1][1])

    def arrives(self, path: str, token: str | None, body: bytes) -> None:
        """A callback is stored."""
        inbox.append(self.rt.database, [(path, token, "127.0.0.1", body)], self.rt.now())

    def asks(self, place: str = "1", phone: str = "0722000111") -> int:
        """Rent is asked for."""
        return collect.initiate(self.rt, property_reference=place, phone=phone, force=True).payment_id

    def collects(self, receipt: str, place: str = "1") -> int:
        """Rent is asked for and paid."""
        number = self.asks(place)
        row = self.rt.reader.one("SELECT checkout_request_id AS id FROM attempt WHERE payment_id = :id", id=number)
        assert row is not None
        self.arrives(
            COLLECTION, self.token, shapes.stk_paid(shapes.stk_items(10000, receipt), checkout_id=str(row["id"]))
        )
        read_inbox(self.rt)
        return number

    def pays_out(self, number: int) -> Outcome:
        """The owner's share of a payment is sent."""
        return disburse(self.rt, number)

    def result(self, code: int = 0, receipt: str = "0000000000", **more: Any) -> bytes:
        """What M-Pesa says of the newest payout."""
        newest = self.rt.reader.one(
            "SELECT conversation_id AS c, originator_conversation_id AS o FROM attempt"
            " WHERE direction = 'payout' ORDER BY id DESC LIMIT 1"
        )
        assert newest is not None
        return shapes.result(
            code,
            "The balance is insufficient for the transaction." if code else shapes.PROCESSED,
            transaction_id=receipt,
            OriginatorConversationID=newest["o"],
            ConversationID=newest["c"],
            **more,
        )

    def completes(self, number: int, receipt: str) -> None:
        """The owner's share of a payment is sent and arrives."""
        self.pays_out(number)
        self.arrives(PAYOUT, self.token, self.result(0, receipt, parameters=shapes.b2b_parameters(charge=CHARGE)))
        read_inbox(self.rt)


@contextmanager
def telling(url: str, begins: datetime = BEGINS, name: str = "first") -> Iterator[Teller]:
    """Somebody who tells a story to this database."""
    rt = Runtime(settings_for(url), actor="amina@office")
    try:
        yield Teller(rt, begins, name)
    finally:
        rt.close()


def first_days(tell: Teller) -> None:
    """Everything that a young platform meets: paid, failed, contradicted, held, stopped, changed."""
    rt = tell.rt
    access.give(rt, name="amina", role="admin")
    register.add_owner(rt, name="Wanjiru Kamau", phone="0712345678", email="wanjiru@example.com")
    register.add_property(
        rt, name="Sunset Apartments", owner_reference="1", paybill="600001", account_number="PROP001", rent="10000"
    )
    register.add_property(
        rt, name="Hill View", owner_reference="1", paybill="600001", account_number="PROP002", rent="8000"
    )
    register.add_tenant(rt, name="Otieno Okoth", phone="0722000111", property_reference="1")
    tell.completes(tell.collects("SKN0000001"), "SKP0000001")

    failed = tell.collects("SKN0000002")
    tell.pays_out(failed)
    tell.arrives(PAYOUT, tell.token, tell.result(1))
    read_inbox(rt)
    tell.arrives(PAYOUT, tell.token, tell.result(0, "SKP0000002", parameters=shapes.b2b_parameters(charge=CHARGE)))
    read_inbox(rt)  # which contradicts it: a finding

    balance.ask_balance(rt)
    tell.arrives(PAYOUT, tell.token, shapes.result(parameters=shapes.keyed(("AccountBalance", HELD))))
    read_inbox(rt)
    tell.arrives(COLLECTION, None, b'{"forged": true}')
    read_inbox(rt)  # which nobody was asked for: held
    payouts.stop_payouts(rt, "the operator password is being changed")
    register.edit_property(rt, "2", account_number="PROP022")
    tell.asks("2")
    tell.arrives(COLLECTION, tell.token, shapes.stk_callback(1032, "Request cancelled by user"))  # not read yet
