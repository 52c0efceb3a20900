"""What must hold between the rows of a sound database, whatever happened, each said by one statement.

Each statement is the same on SQLite and PostgreSQL and returns the rows that break its rule, as `thing` and `id`. None
asks for each row of a table about all rows of another: a row is looked up by its key or an index, or sums are grouped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rentpay_cli.store import predicates
from rentpay_cli.store.readonly import Reader


@dataclass(frozen=True, slots=True)
class Invariant:
    """A rule: its number, a name for it, what an operator is told who meets a breach, and what finds the breaches."""

    number: int
    name: str
    sentence: str
    sql: str


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that is broken, and by which rows: at most `SHOWN` are named."""

    invariant: Invariant
    rows: tuple[str, ...]
    has_more: bool

    def __str__(self) -> str:
        more = " and others" if self.has_more else ""
        return f"{self.invariant.sentence} See {', '.join(self.rows)}{more}."


SHOWN = 3

_SUMS = """
    SELECT 'disbursement' AS thing, d.id FROM disbursement d
      LEFT JOIN disbursement_member m ON m.disbursement_id = d.id AND m.live = 1
      LEFT JOIN payable y ON y.id = m.payable_id
      LEFT JOIN payment p ON p.id = y.payment_id AND y.kind = 'share'
     WHERE d.status IN ('processing','completed','settled')
     GROUP BY d.id
    HAVING count(y.id) = 0 OR min(y.owner_id) <> d.owner_id OR max(y.owner_id) <> d.owner_id
        OR count(p.id) <> d.payment_count
        OR coalesce(sum(p.amount_cents), 0) <> d.collected_cents
        OR coalesce(sum(p.fee_cents), 0) <> d.fee_cents
        OR coalesce(sum(CASE WHEN y.kind = 'share' THEN y.amount_cents ELSE 0 END), 0) <> d.shares_cents
        OR coalesce(sum(CASE WHEN y.kind = 'share' THEN 0 ELSE y.amount_cents END), 0) <> d.entries_cents
        OR d.shares_cents + d.entries_cents - d.carried_cents <> d.amount_cents
"""
_STATUSES = f"""
    SELECT 'payable' AS thing, y.id FROM payable y
      LEFT JOIN disbursement_member m ON m.payable_id = y.id AND m.live = 1
      LEFT JOIN disbursement d ON d.id = m.disbursement_id
     WHERE CASE WHEN d.status = 'processing' THEN y.status <> 'processing'
                WHEN d.status IN ('completed','settled') THEN y.status <> 'completed'
                ELSE y.status IN ('processing','completed') OR (y.status = 'not_required' AND m.id IS NOT NULL) END
     UNION
    SELECT 'payable', y.id FROM payable y
      LEFT JOIN disbursement_member m ON m.payable_id = y.id
      LEFT JOIN disbursement d ON d.id = m.disbursement_id AND d.status NOT IN ('proposed','cancelled')
     WHERE {predicates.OPEN} AND y.status = 'failed'
     GROUP BY y.id
    HAVING coalesce(max(d.id), 0) <> coalesce(max(CASE WHEN d.status = 'failed' THEN d.id END), -1)
"""
"""The second part: what failed, failed in the newest of its transfers that was made."""
_MEMBERS = """
    SELECT 'disbursement' AS thing, d.id FROM disbursement_member m JOIN disbursement d ON d.id = m.disbursement_id
     WHERE m.live = 1 AND d.status IN ('failed','cancelled')
     UNION
    SELECT 'disbursement', dead.id
      FROM (SELECT d.id, d.status, count(*) AS members, sum(y.amount_cents) AS cents
              FROM disbursement_member m JOIN disbursement d ON d.id = m.disbursement_id
              JOIN payable y ON y.id = m.payable_id
             WHERE m.live IS NULL AND d.status NOT IN ('failed','cancelled') GROUP BY d.id, d.status) AS dead
      LEFT JOIN payable e ON e.disbursement_id = dead.id AND e.kind = 'paid_in_error'
     GROUP BY dead.id, dead.status, dead.members, dead.cents
    HAVING dead.status <> 'completed' OR count(e.id) <> dead.members
        OR coalesce(sum(e.amount_cents), 0) <> dead.cents
"""
_ATTEMPTS = """
    SELECT 'disbursement' AS thing, d.id FROM disbursement d LEFT JOIN attempt a ON a.disbursement_id = d.id
     WHERE CASE WHEN d.way <> 'b2b' OR d.status IN ('proposed','cancelled') THEN a.id IS NOT NULL
                WHEN d.status = 'processing' THEN coalesce(a.state, 'none') NOT IN ('sending','waiting','unclear')
                WHEN d.status = 'completed' THEN coalesce(a.state, 'none') <> 'moved'
                ELSE coalesce(a.state, 'none') <> 'not_moved' END
"""
_ALLOCATED = """
    SELECT 'money in' AS thing, i.id FROM money_in i
      LEFT JOIN payment p ON p.money_in_id = i.id AND p.status = 'success'
     GROUP BY i.id
    HAVING coalesce(sum(p.amount_cents), 0) <> i.allocated_cents OR (i.returned_at IS NOT NULL AND count(p.id) > 0)
"""
_SHARES = """
    SELECT 'payment' AS thing, p.id FROM payment p LEFT JOIN payable y ON y.payment_id = p.id AND y.kind = 'share'
     GROUP BY p.id
    HAVING CASE WHEN p.status IN ('success','reversed')
                THEN count(y.id) <> 1 OR coalesce(sum(y.amount_cents), -1) <> p.share_cents
                ELSE count(y.id) > 0 END
"""
_REVERSED = """
    SELECT 'payment' AS thing, p.id FROM payment p
      LEFT JOIN payable y ON y.payment_id = p.id AND y.kind IN ('share','reversal','reallocated')
     WHERE p.status = 'reversed'
     GROUP BY p.id
    HAVING count(CASE WHEN y.kind <> 'share' THEN 1 END)
           <> count(CASE WHEN y.kind = 'share' AND y.status <> 'not_required' THEN 1 END)
        OR coalesce(sum(CASE WHEN y.status <> 'not_required' THEN y.amount_cents ELSE 0 END), 0) <> 0
     UNION
    SELECT 'payment', p.id FROM payable y JOIN payment p ON p.id = y.payment_id
     WHERE y.kind IN ('reversal','reallocated') AND p.status <> 'reversed'
"""
"""A share that is void has no entry against it, any other one has one of as much."""
_CARRIED = """
    SELECT 'disbursement' AS thing, d.id FROM disbursement d
      LEFT JOIN payable e ON e.disbursement_id = d.id AND e.kind = 'carried'
     GROUP BY d.id
    HAVING CASE WHEN d.status IN ('completed','settled') AND d.carried_cents <> 0
                THEN count(e.id) <> 1 OR coalesce(sum(e.amount_cents), 0) <> d.carried_cents
                ELSE count(e.id) > 0 END
     UNION
    SELECT 'disbursement', e.disbursement_id FROM payable e
     WHERE e.disbursement_id IS NOT NULL AND e.kind IN ('paid_in_error','to_recover')
     GROUP BY e.disbursement_id, e.owner_id
    HAVING count(CASE e.kind WHEN 'paid_in_error' THEN 1 END) * 2 <> count(*) OR sum(e.amount_cents) <> 0
     UNION
    SELECT 'payable', e.id FROM payable e
     WHERE e.kind IN ('paid_in_error','to_recover','carried') AND coalesce(e.disbursement_id, 0) = 0
"""
_OWED = """
    SELECT 'owner' AS thing, sums.owner_id AS id
      FROM (SELECT owner_id, sum(CASE WHEN status = 'completed' THEN amount_cents ELSE 0 END) AS cents
              FROM payable GROUP BY owner_id
             UNION ALL
            SELECT owner_id, -sum(amount_cents + carried_cents)
              FROM disbursement WHERE status IN ('completed','settled') GROUP BY owner_id) AS sums
     GROUP BY sums.owner_id HAVING sum(sums.cents) <> 0
"""
"""Of all that is not void, what is not owed any more is what transfers settled: what they moved and carried on."""
_RECEIPTS = """
    SELECT 'receipt' AS thing, d.receipt AS id FROM disbursement d JOIN money_in i ON i.receipt = d.receipt
     UNION
    SELECT 'receipt', r.receipt FROM refund r JOIN money_in i ON i.receipt = r.receipt
     UNION
    SELECT 'receipt', r.receipt FROM refund r JOIN disbursement d ON d.receipt = r.receipt
     UNION
    SELECT 'receipt', y.receipt FROM payable y CROSS JOIN money_in i WHERE y.receipt > '' AND i.receipt = y.receipt
     UNION
    SELECT 'receipt', y.receipt FROM payable y CROSS JOIN disbursement d WHERE y.receipt > '' AND d.receipt = y.receipt
     UNION
    SELECT 'receipt', y.receipt FROM payable y CROSS JOIN refund r WHERE y.receipt > '' AND r.receipt = y.receipt
"""
"""Within each table a unique index sees to it."""

_LATE_MILLISECONDS = 60_000
_DURING_HOLD = f"""
    a.created_at > h.placed_at + {_LATE_MILLISECONDS}
       AND (h.ended_at IS NULL OR h.ended_at > a.created_at) AND (h.until IS NULL OR h.until > a.created_at)
"""
_DURING_STOP = f"""
    a.created_at > s.stopped_at + {_LATE_MILLISECONDS} AND a.created_at < coalesce(s.lifted_at, {2**62})
"""
_SENT = f"""
    SELECT 'disbursement' AS thing, a.disbursement_id AS id
      FROM money_in i CROSS JOIN payment p CROSS JOIN payable y CROSS JOIN disbursement_member m CROSS JOIN attempt a
     WHERE (NOT {predicates.HAS_RECEIPT} OR NOT {predicates.IS_PROVED} OR i.proved_at IS NOT NULL)
       AND p.money_in_id = i.id AND y.payment_id = p.id AND y.kind = 'share' AND m.payable_id = y.id
       AND a.disbursement_id = m.disbursement_id
       AND (NOT {predicates.HAS_RECEIPT} OR NOT {predicates.IS_PROVED}
            OR i.proved_at > a.created_at + {_LATE_MILLISECONDS})
     UNION
    SELECT 'disbursement', a.disbursement_id
      FROM hold h CROSS JOIN disbursement_member m CROSS JOIN attempt a
     WHERE m.payable_id = h.payable_id AND a.disbursement_id = m.disbursement_id AND {_DURING_HOLD}
     UNION
    SELECT 'disbursement', a.disbursement_id
      FROM hold h CROSS JOIN payment p CROSS JOIN payable y CROSS JOIN disbursement_member m CROSS JOIN attempt a
     WHERE p.property_id = h.property_id AND y.payment_id = p.id AND m.payable_id = y.id
       AND a.disbursement_id = m.disbursement_id AND {_DURING_HOLD}
     UNION
    SELECT 'disbursement', a.disbursement_id
      FROM payable y CROSS JOIN hold h CROSS JOIN disbursement_member m CROSS JOIN attempt a
     WHERE y.payment_id IS NULL AND h.property_id = y.property_id AND m.payable_id = y.id
       AND a.disbursement_id = m.disbursement_id AND {_DURING_HOLD}
     UNION
    SELECT 'disbursement', a.disbursement_id FROM hold h CROSS JOIN disbursement d CROSS JOIN attempt a
     WHERE d.owner_id = h.owner_id AND a.disbursement_id = d.id AND {_DURING_HOLD}
     UNION
    SELECT 'disbursement', a.disbursement_id FROM payout_stop s CROSS JOIN attempt a
     WHERE s.owner_id IS NULL AND a.direction = 'payout' AND a.state <> 'not_moved' AND {_DURING_STOP}
     UNION
    SELECT 'disbursement', a.disbursement_id FROM payout_stop s CROSS JOIN attempt a
     WHERE s.owner_id IS NULL AND a.direction = 'payout' AND a.state = 'not_moved' AND {_DURING_STOP}
     UNION
    SELECT 'disbursement', a.disbursement_id FROM payout_stop s CROSS JOIN disbursement d CROSS JOIN attempt a
     WHERE d.owner_id = s.owner_id AND a.disbursement_id = d.id AND {_DURING_STOP}
     UNION
    SELECT 'disbursement', a.disbursement_id FROM payout_run r CROSS JOIN disbursement d CROSS JOIN attempt a
     WHERE r.status = 'proposed' AND d.run_id = r.id AND a.disbursement_id = d.id
"""
"""What left although it must not have.

It cannot see that a receipt came after the transfer that it permits (its moment is in the journal alone), nor what left
within a minute of the hold or the stop: whoever places one may have read the clock before waiting for the lock. The
joins are told in their order, from the few to the many, and the attempts as their two indexes have them.
"""
_EVIDENCE = """
    SELECT 'payable' AS thing, y.id
      FROM (SELECT m.payable_id FROM finding f JOIN attempt a ON a.id = f.attempt_id AND a.state = 'not_moved'
              JOIN disbursement_member m ON m.disbursement_id = a.disbursement_id
             WHERE f.closed_at IS NULL AND f.kind = 'contradiction'
             UNION
            SELECT y.id FROM finding f JOIN attempt a ON a.id = f.attempt_id AND a.state = 'not_moved'
              JOIN refund r ON r.id = a.refund_id JOIN payment p ON p.money_in_id = r.money_in_id
              JOIN payable y ON y.payment_id = p.id AND y.kind = 'share'
             WHERE f.closed_at IS NULL AND f.kind = 'contradiction') AS doubtful
      JOIN payable y ON y.id = doubtful.payable_id AND y.status IN ('pending','failed')
      LEFT JOIN hold h ON h.payable_id = y.id AND h.kind = 'evidence' AND h.ended_at IS NULL
     WHERE h.id IS NULL
"""
"""About what counts as not moved: what moved keeps its members, and frees none that could be sent again."""
_RETURNED = """
    SELECT 'money in' AS thing, i.id FROM money_in i
      LEFT JOIN refund r ON r.money_in_id = i.id AND r.status = 'completed'
      LEFT JOIN payment p ON p.money_in_id = i.id
     WHERE i.returned_at IS NOT NULL
     GROUP BY i.id
    HAVING count(p.id) <> count(CASE WHEN p.status = 'reversed' THEN 1 END)
        OR (count(r.id) = 0 AND (i.way IN ('stk','paybill')
            OR (count(p.id) > 0 AND count(CASE WHEN p.reversed_because = 'undo' THEN 1 END) = 0)))
     UNION
    SELECT 'money in', i.id FROM refund r JOIN money_in i ON i.id = r.money_in_id
     WHERE r.status = 'completed' AND i.returned_at IS NULL
     UNION
    SELECT 'money in', i.id FROM payment p JOIN money_in i ON i.id = p.money_in_id
     WHERE p.status = 'reversed' AND p.reversed_because IN ('refund','undo') AND i.returned_at IS NULL
"""
"""Money of nobody's that was undone has no payment to say so, and cannot be M-Pesa's."""
_DAYS = f"SELECT 'day' AS thing, day AS id FROM ({predicates.DAYS_THAT_DIFFER}) AS days"
_ONCE = """
    SELECT 'payable' AS thing, m.payable_id AS id FROM disbursement_member m
     WHERE m.live + 0 = 1 GROUP BY m.payable_id HAVING count(*) > 1
"""
"""Asked without the index that forbids it, so that a lost index is seen."""

INVARIANTS = (
    Invariant(1, "sums", "The sums of a transfer are not those of what it settles.", _SUMS),
    Invariant(2, "statuses", "The status of a share or entry is not that of the transfer which has it.", _STATUSES),
    Invariant(3, "members", "A transfer has not let go of what it no longer settles, or has lost a part.", _MEMBERS),
    Invariant(4, "attempts", "A transfer's status is not what is known of its request to M-Pesa.", _ATTEMPTS),
    Invariant(5, "allocated", "What a receipt is used for is not the sum of its payments.", _ALLOCATED),
    Invariant(6, "shares", "A payment that came in has no share or another one, or one that did not has one.", _SHARES),
    Invariant(7, "reversed", "A payment that was reversed still counts for its owner, or counts twice.", _REVERSED),
    Invariant(8, "carried", "What a transfer leaves to the next, or was paid in error, is not booked.", _CARRIED),
    Invariant(9, "owed", "What was settled with an owner is not what transfers moved and carried on.", _OWED),
    Invariant(11, "receipts", "A receipt of M-Pesa's stands for two different movements of money.", _RECEIPTS),
    Invariant(12, "sent", "A transfer left that was held, stopped, not approved, or of money not certain.", _SENT),
    Invariant(
        13, "evidence", "Something says that it was paid, and nothing keeps it from being sent again.", _EVIDENCE
    ),
    Invariant(14, "returned", "Money counts as given back that was not, or is still used for a payment.", _RETURNED),
    Invariant(15, "days", "What is kept as earned on a day is not what the facts of that day add up to.", _DAYS),
    Invariant(17, "once", "A share or entry is in two transfers at once: the owner may be paid twice.", _ONCE),
)
"""In their numbers. The tenth compares with the ledger; the sixteenth with M-Pesa's books, which only tests have."""


def breaches(reader: Reader, among: Iterable[Invariant] = INVARIANTS) -> Iterator[Breach]:
    """The rules that are broken, in their order; raises `BadDatabase`."""
    for each in among:
        named = f"SELECT thing, id FROM ({each.sql}) AS broken ORDER BY thing, id LIMIT {SHOWN + 1}"
        rows = [f"{row['thing']} {row['id']}" for row in reader.rows(named)]
        if rows:
            yield Breach(each, tuple(rows[:SHOWN]), len(rows) > SHOWN)
