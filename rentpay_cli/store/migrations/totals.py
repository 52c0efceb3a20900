"""The sums that the database keeps itself, in the transaction that changes what they are about.

What a receipt is used for is the sum of its live payments. What was earned each East African day is summed up when a
disbursement is completed or settled; a share of nothing counts on the day on which it is booked, rent that the owner
received when what he owes for it is settled, and what is reversed is taken back on its own day. So a day's sums are
those that were reported, and reports over years read days, not payments. `rentpay journal verify` compares them with
what they are made of.
"""

from sqlalchemy import Connection, text

_ALLOCATE = """
UPDATE money_in SET allocated_cents = (SELECT coalesce(sum(p.amount_cents), 0) FROM payment p
                                        WHERE p.money_in_id = NEW.money_in_id AND p.status = 'success')
 WHERE id = NEW.money_in_id
"""
_LOCK_MONEY = "PERFORM FROM money_in WHERE id = NEW.money_in_id FOR NO KEY UPDATE; "
"""On PostgreSQL the sum must be taken after whoever changes another payment of this money has ended."""
_COLUMNS = ("disbursements", "payments", "collected_cents", "fee_cents", "amount_cents", "charge_cents")
_DISBURSED = """
SELECT NEW.completed_day, CASE WHEN NEW.status = 'completed' THEN 1 ELSE 0 END, NEW.payment_count,
       NEW.collected_cents, NEW.fee_cents, NEW.amount_cents, coalesce(NEW.mpesa_charge_cents, 0),
       CASE WHEN NEW.status = 'completed' AND NEW.mpesa_charge_cents IS NULL THEN 1 ELSE 0 END
"""
_OF_ITS_PAYMENT = """
SELECT {day}, 0, {sign}1, {sign}p.amount_cents, {sign}p.fee_cents, 0, 0, 0 FROM payment p WHERE p.id = {payment}
"""
_PLATFORMS = " AND EXISTS (SELECT 1 FROM money_in i WHERE i.id = p.money_in_id AND i.received_by = 'platform')"
"""A share of nothing is earned of money that the platform has; what the owner has, he owes the fee of."""


def _of_payment(sign: str = "", day: str = "NEW.booked_day", payment: str = "NEW.payment_id") -> str:
    return _OF_ITS_PAYMENT.format(sign=sign, day=day, payment=payment)


_EARNED = {
    "disbursement_earned": (
        "disbursement",
        "UPDATE",
        "NEW.status IN ('completed','settled') AND OLD.status <> NEW.status",
        _DISBURSED,
    ),
    "share_of_nothing_earned": (
        "payable",
        "INSERT",
        "NEW.kind = 'share' AND NEW.amount_cents = 0 AND NEW.status = 'not_required'",
        _of_payment() + _PLATFORMS,
    ),
    "taken_back": ("payable", "INSERT", "NEW.kind IN ('reversal','reallocated')", _of_payment("-")),
    "owner_collected": (
        "payable",
        "UPDATE",
        "NEW.kind = 'fee_collected_by_owner' AND NEW.status = 'completed' AND OLD.status <> 'completed'",
        _of_payment(
            day="(SELECT d.completed_day FROM disbursement_member m JOIN disbursement d"
            " ON d.id = m.disbursement_id WHERE m.payable_id = NEW.id AND m.live = 1)"
        ),
    ),
    "share_of_nothing_taken_back": (
        "payment",
        "UPDATE",
        "NEW.status = 'reversed' AND OLD.status <> 'reversed' AND NEW.share_cents = 0",
        _of_payment("-", day="NEW.reversed_day", payment="NEW.id") + _PLATFORMS,
    ),
}


def create_totals(connection: Connection) -> None:
    """Create the triggers that keep the sums."""
    changed = "NEW.status <> OLD.status AND 'success' IN (OLD.status, NEW.status)"
    _create(connection, "money_allocated", "payment", "UPDATE", changed, _ALLOCATE)
    _create(connection, "money_allocated_at_once", "payment", "INSERT", "NEW.status = 'success'", _ALLOCATE)
    sums = (*_COLUMNS, "charges_not_told")
    for name, (table, event, when, values) in _EARNED.items():
        add = (
            f"INSERT INTO revenue_day (day, {', '.join(sums)}) {values}{'' if 'WHERE' in values else ' WHERE TRUE'}"
            f" ON CONFLICT (day) DO UPDATE SET {', '.join(f'{c} = revenue_day.{c} + excluded.{c}' for c in sums)}"
        )
        _create(connection, name, table, event, when, add)


def _create(connection: Connection, name: str, table: str, event: str, when: str, deed: str) -> None:
    begin = f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW"
    if connection.dialect.name == "postgresql":
        lock = _LOCK_MONEY if deed is _ALLOCATE else ""
        body = f"$$ BEGIN {lock}{deed}; RETURN NULL; END $$"
        connection.execute(text(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS {body}"))
        connection.execute(text(f"{begin} WHEN ({when}) EXECUTE FUNCTION {name}()"))
    else:
        connection.execute(text(f"{begin} WHEN {when} BEGIN {deed}; END"))
