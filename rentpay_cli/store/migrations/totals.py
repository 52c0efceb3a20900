"""What was earned each East African day, summed up by the database in the transaction that completes a disbursement.

A completed disbursement never changes, so that a day's sums only grow; reports over years read days, not payments.
`rentpay journal verify` compares them with the disbursements themselves.
"""

from sqlalchemy import Connection, text

_SUMS = {
    "disbursements": "1",
    "payments": "NEW.payment_count",
    "collected_cents": "NEW.collected_cents",
    "fee_cents": "NEW.fee_cents",
    "amount_cents": "NEW.amount_cents",
    "charge_cents": "coalesce(NEW.charge_cents, 0)",
    "charges_not_told": "CASE WHEN NEW.charge_cents IS NULL THEN 1 ELSE 0 END",
}
_ADD = (
    f"INSERT INTO revenue_day (day, {', '.join(_SUMS)}) VALUES (NEW.completed_day, {', '.join(_SUMS.values())})"
    f" ON CONFLICT (day) DO UPDATE SET {', '.join(f'{name} = revenue_day.{name} + excluded.{name}' for name in _SUMS)}"
)
_WHEN = {
    "INSERT": "NEW.status = 'completed'",
    "UPDATE": "NEW.status = 'completed' AND OLD.status <> 'completed'",
}


def create_totals(connection: Connection) -> None:
    """Create the triggers that keep the sums."""
    if connection.dialect.name == "postgresql":
        body = f"$$ BEGIN {_ADD}; RETURN NULL; END $$"
        connection.execute(text(f"CREATE FUNCTION add_earned() RETURNS trigger LANGUAGE plpgsql AS {body}"))
    for event, when in _WHEN.items():
        begin = f"CREATE TRIGGER disbursement_earned_{event.lower()} AFTER {event} ON disbursement FOR EACH ROW"
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"{begin} WHEN ({when}) EXECUTE FUNCTION add_earned()"))
        else:
            connection.execute(text(f"{begin} WHEN {when} BEGIN {_ADD}; END"))
