"""Forget a tenant: the person goes, the books stay.

What the money did is kept to the last shilling: payments, receipts, attempts, the journal. What says who it was is
taken out: the name, the telephone number, notes, and the number in stored callbacks and in M-Pesa's checkout ids. The
journal never knew more of the person than a number in the register and masked telephone numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from rentpay_cli.core.journal import FORGOTTEN
from rentpay_cli.core.phone import own_digits
from rentpay_cli.errors import RuleRefused
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import journal, register, tenants
from rentpay_cli.store.engine import leave_no_traces
from rentpay_cli.store.rows import number_of
from rentpay_cli.store.tables import Tenant

NOT_REMOVED = (
    "M-Pesa's own records, and what the tenant and the owner were sent",
    "backups that were made before",
    "masked telephone numbers, such as 254712***678, in the journal and in findings",
    "the SHA-256 of each callback as it came, against which all numbers could be tried one by one",
    "the name in access tokens of the tenant's, and in the journal's entries of what was done with them",
)
"""What nobody can take out of here, or what must stay so that the journal can be verified."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was found of a tenant, or taken out."""

    tenant_id: int
    payments: int
    callbacks: int


def forget_tenant(rt: Runtime, reference: str, agree: Callable[[int, int], None]) -> Forgotten:
    """Take a tenant out of everything that is kept, once `agree` has let the number and the payments pass.

    Raises `NotFound`, or `RuleRefused` while M-Pesa has still to tell of one of the tenant's payments.
    """
    with rt.database.transaction() as session:
        tenant = register.find(session, Tenant, reference)
        number = number_of(tenant)
        phones = tenants.phones_of(session, tenant)
        found = tenants.payments_of(session, tenant, [phone for phone, shared in phones.items() if not shared])
        count = len(found)
        _refuse_while_open(tenants.open_ones(tenants.attempts_of(session, found)))
    agree(number, count)
    with rt.database.transaction() as session:
        tenant = register.find(session, Tenant, str(number))
        phones = tenants.phones_of(session, tenant)
        found = tenants.payments_of(session, tenant, [phone for phone, shared in phones.items() if not shared])
        attempts = tenants.attempts_of(session, found)
        _refuse_while_open(tenants.open_ones(attempts))
        digests: dict[str, str] = {}
        for phone, shared in phones.items():
            digits = own_digits(phone)
            items = tenants.callbacks_with(session, digits, attempts if shared else None)
            tenants.take_out(session, digits, items, attempts)
            digests |= {str(item.id): hashlib.sha256(item.body).hexdigest() for item in items}
        tenants.remove_person(session, tenant, found, f"forgotten tenant {number}")
        tenants.revoke_access(session, tenant, rt.actor, rt.now())
        journal.write(session, rt.now(), rt.actor, FORGOTTEN, tenant=number, payments=len(found), inbox=digests)
    leave_no_traces(rt.database)
    return Forgotten(number, len(found), len(digests))


def _refuse_while_open(payments: list[int]) -> None:
    if payments:
        raise RuleRefused(
            f"M-Pesa has still to say what became of payment {payments[0]} of this tenant's, and would name the phone.",
            f"See: rentpay status {payments[0]}. Ask with: rentpay chase. Then forget the tenant.",
            code="still_open",
        )
