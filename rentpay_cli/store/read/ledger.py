"""The facts of the books, grouped and summed by the database; the same SQL on both databases.

What each fact posts is said by `core.ledger`. Those of one kind come as two sums, for and against, so that a reversal
does not hide what it turns round.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rentpay_cli.core.ledger import ENTRIES, MPESA_METHODS, MPESA_WAYS, PARTS, Account, Books, Fact, books
from rentpay_cli.store import predicates
from rentpay_cli.store.readonly import Reader


def _among(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


_IS_MPESA = f"i.way IN ({_among(MPESA_WAYS)})"
_IS_PLATFORMS = f"""(p.method IN ({_among(MPESA_METHODS)})
    OR EXISTS (SELECT 1 FROM money_in i WHERE i.id = p.money_in_id AND i.received_by = 'platform'))"""
"""The platform received the money of a payment; M-Pesa's is always the platform's, so that few must be looked up."""

_MONEY = f"""
    SELECT CASE WHEN {_IS_MPESA} THEN 'by_mpesa' ELSE 'otherwise' END AS way, sum(i.amount_cents) AS came_cents,
           sum(CASE WHEN i.returned_at IS NULL THEN 0 ELSE i.amount_cents END) AS back_cents,
           sum(CASE WHEN i.returned_at IS NULL THEN i.amount_cents - i.allocated_cents ELSE 0 END) AS left_cents
      FROM money_in i WHERE i.received_by = 'platform' GROUP BY 1
"""
_PAID = f"""
    SELECT {", ".join(f"sum(p.{part}_cents) AS {part}_cents" for part in PARTS)}
      FROM payment p WHERE p.status IN ('success','reversed') AND {_IS_PLATFORMS}
"""
_REVERSED = f"""
    SELECT {", ".join(f"-sum(p.{part}_cents) AS {part}_cents" for part in PARTS)}
      FROM payment p WHERE p.status = 'reversed' AND {_IS_PLATFORMS}
"""
_IS_FEE = f"""(y.kind = '{Fact.FEE_COLLECTED_BY_OWNER}'
    OR (y.kind = 'correction' AND p.reversed_because = 'undo' AND NOT {_IS_PLATFORMS}))"""
"""The fee of rent that the owner received, and where that rent was undone later, the fee that is given back."""
_ENTRY = f"""
    SELECT CASE WHEN {_IS_FEE} THEN '{Fact.FEE_COLLECTED_BY_OWNER}' ELSE y.kind END AS fact, y.amount_cents,
           CASE WHEN {_IS_FEE} THEN CASE WHEN y.amount_cents < 0 THEN -p.vat_cents ELSE p.vat_cents END ELSE 0 END
           AS vat_cents
      FROM payable y LEFT JOIN payment p ON p.id = y.payment_id
     WHERE y.kind IN ({_among(ENTRIES)}) AND y.status <> 'not_required'
"""
_FACTS = (
    "SELECT 'came_' || way, came_cents FROM money",
    "SELECT 'went_back_' || way, back_cents FROM money",
    *(f"SELECT '{part}', {part}_cents FROM {table}" for table in ("paid", "taken_back") for part in PARTS),
    "SELECT fact, sum(amount_cents - vat_cents) FROM entry GROUP BY fact, amount_cents < 0",
    f"SELECT '{Fact.VAT_COLLECTED_BY_OWNER}', sum(vat_cents) FROM entry GROUP BY amount_cents < 0",
    f"SELECT '{Fact.TRANSFER}', sum(amount_cents) FROM revenue_day",  # the sums that the database keeps for each day
    f"SELECT '{Fact.CHARGE}', sum(charge_cents) FROM revenue_day",
)
_LEFT = {
    Account.UNALLOCATED.value: "sum(left_cents) FROM money",
    Account.OWNERS.value: f"sum(y.amount_cents) FROM payable y WHERE {predicates.OPEN}",
}
_BOOKS = f"""
    WITH money AS ({_MONEY}), paid AS ({_PAID}), taken_back AS ({_REVERSED}), entry AS ({_ENTRY})
    SELECT name, coalesce(cents, 0) AS cents
      FROM (SELECT '' AS name, 0 AS cents WHERE FALSE
            {" ".join(f"UNION ALL {each}" for each in _FACTS)}
            {" ".join(f"UNION ALL SELECT '{account}', {what}" for account, what in _LEFT.items())}) AS told
"""
"""One statement, so that all is of one moment."""

OWNERS_NOT_AS_OWED = f"""
    SELECT owner_id, sum(ledger_cents) AS ledger_cents, sum(owed_cents) AS owed_cents
      FROM (SELECT p.owner_id, sum(p.share_cents) AS ledger_cents, 0 AS owed_cents
              FROM payment p WHERE p.status = 'success' AND {_IS_PLATFORMS} GROUP BY p.owner_id
            UNION ALL SELECT y.owner_id, sum(y.amount_cents), 0
              FROM payable y WHERE y.kind IN ({_among(ENTRIES)}) AND y.status <> 'not_required' GROUP BY y.owner_id
            UNION ALL SELECT d.owner_id, -sum(d.amount_cents), 0
              FROM disbursement d WHERE d.status = 'completed' GROUP BY d.owner_id
            UNION ALL SELECT y.owner_id, 0, sum(y.amount_cents)
              FROM payable y WHERE {predicates.OPEN} GROUP BY y.owner_id) AS told
     GROUP BY owner_id HAVING sum(ledger_cents) <> sum(owed_cents) ORDER BY owner_id
"""
"""The owners whose account in the books is not what they are owed."""
MONEY_NOT_AS_ALLOCATED = f"""
    SELECT ledger_cents, left_cents
      FROM (SELECT coalesce((SELECT sum(came_cents - back_cents) FROM ({_MONEY}) AS money), 0)
                 - coalesce((SELECT sum({" + ".join(f"{part}_cents" for part in PARTS)})
                               FROM payment p WHERE p.status = 'success' AND {_IS_PLATFORMS}), 0) AS ledger_cents,
                   coalesce((SELECT sum(left_cents) FROM ({_MONEY}) AS money), 0) AS left_cents) AS told
     WHERE ledger_cents <> left_cents
"""
"""What is unallocated in the books, where that is not what no payment was made of."""


def read_books(reader: Reader) -> Books:
    """The books as they are now, and what is left on two of their accounts by the rows themselves."""
    told = [(str(row["name"]), int(row["cents"])) for row in reader.rows(_BOOKS)]
    left = {Account(name): cents for name, cents in told if name in _LEFT}
    return books(((Fact(name), cents) for name, cents in told if name not in _LEFT), left)


def read_facts(reader: Reader) -> Counter[Fact]:
    """The cents of each fact, what was turned round taken off."""
    sums: Counter[Fact] = Counter()
    for row in reader.rows(_BOOKS):
        if row["name"] not in _LEFT:
            sums[Fact(row["name"])] += int(row["cents"])
    return sums
