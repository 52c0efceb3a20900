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


_BY_MPESA = f"i.way IN ({_among(MPESA_WAYS)})"
_PAID_BY_MPESA = " OR ".join(f"p.method = '{method}'" for method in MPESA_METHODS)  # half as long as IN on SQLite
_IS_PLATFORMS = f"""({_PAID_BY_MPESA}
    OR EXISTS (SELECT 1 FROM money_in i WHERE i.id = p.money_in_id AND i.received_by = 'platform'))"""
"""The platform received the money of a payment; M-Pesa's is always the platform's, so that few must be looked up."""

_PARTS = ", ".join(f"sum(p.{part}_cents) AS {part}_cents" for part in PARTS)
_PAID = f"""
    SELECT {_PARTS}, sum(p.amount_cents) AS amount_cents,
           sum(CASE WHEN {_PAID_BY_MPESA} THEN 0 ELSE p.amount_cents END) AS otherwise_cents
      FROM payment p WHERE p.status = 'success' AND {_IS_PLATFORMS}
"""
_REVERSED = f"SELECT {_PARTS} FROM payment p WHERE p.status = 'reversed' AND {_IS_PLATFORMS}"
_LEFT_OVER = f"""
    SELECT CASE WHEN {_BY_MPESA} THEN 'by_mpesa' ELSE 'otherwise' END AS way,
           sum(i.amount_cents - i.allocated_cents) AS left_cents,
           sum(CASE WHEN i.returned_at IS NULL THEN 0 ELSE i.amount_cents END) AS back_cents
      FROM money_in i WHERE i.allocated_cents < i.amount_cents AND i.received_by = 'platform' GROUP BY 1
"""
"""Money that is not, or not wholly, that of payments, such as all that went back. The rest came with its payments."""
_IS_FEE = f"""(y.kind = '{Fact.FEE_COLLECTED_BY_OWNER}'
    OR (y.kind = 'correction' AND p.reversed_because = 'undo' AND NOT {_IS_PLATFORMS}))"""
"""The fee of rent that the owner received, and where that rent was undone later, the fee that is given back."""
_IS_ENTRY = f"y.kind IN ({_among(ENTRIES)}) AND y.status <> 'not_required'"
_ENTRY = f"""
    SELECT CASE WHEN {_IS_FEE} THEN '{Fact.FEE_COLLECTED_BY_OWNER}' ELSE y.kind END AS fact, y.amount_cents,
           CASE WHEN {_IS_FEE} THEN CASE WHEN y.amount_cents < 0 THEN -p.vat_cents ELSE p.vat_cents END ELSE 0 END
           AS vat_cents
      FROM payable y LEFT JOIN payment p ON p.id = y.payment_id
     WHERE y.id IN (SELECT e.id FROM payable e WHERE e.kind <> 'share') AND {_IS_ENTRY}
"""
"""Entries are few, and an index knows which they are."""
_FACTS = (
    f"SELECT '{Fact.CAME_BY_MPESA}' AS name, amount_cents - otherwise_cents AS cents FROM paid",
    f"SELECT '{Fact.CAME_OTHERWISE}', otherwise_cents FROM paid",
    "SELECT 'came_' || way, left_cents FROM left_over",
    "SELECT 'went_back_' || way, back_cents FROM left_over",
    *(
        f"SELECT '{part}', {sign}{part}_cents FROM {table}"
        for part in PARTS
        for sign, table in (("", "paid"), ("", "taken_back"), ("-", "taken_back"))
    ),
    "SELECT fact, sum(amount_cents - vat_cents) FROM entry GROUP BY fact, amount_cents < 0",
    f"SELECT '{Fact.VAT_COLLECTED_BY_OWNER}', sum(vat_cents) FROM entry GROUP BY amount_cents < 0",
    f"SELECT '{Fact.TRANSFER}', sum(amount_cents) FROM revenue_day",  # the sums that the database keeps for each day
    f"SELECT '{Fact.CHARGE}', sum(charge_cents) FROM revenue_day",
)
_LEFT = {
    Account.UNALLOCATED.value: "sum(left_cents - back_cents) FROM left_over",
    Account.OWNERS.value: f"sum(y.amount_cents) FROM payable y WHERE {predicates.OPEN}",
}
_BOOKS = f"""
    WITH paid AS ({_PAID}), taken_back AS ({_REVERSED}), left_over AS ({_LEFT_OVER}), entry AS ({_ENTRY})
    SELECT name, coalesce(cents, 0) AS cents
      FROM ({" UNION ALL ".join(_FACTS)}
            {" ".join(f"UNION ALL SELECT '{account}', {what}" for account, what in _LEFT.items())}) AS told
"""
"""One statement, so that all is of one moment."""

OWNERS_NOT_AS_OWED = f"""
    SELECT owner_id, sum(ledger_cents) AS ledger_cents, sum(owed_cents) AS owed_cents
      FROM (SELECT +p.owner_id AS owner_id, sum(p.share_cents) AS ledger_cents, 0 AS owed_cents
              FROM payment p WHERE p.status = 'success' AND {_IS_PLATFORMS} GROUP BY 1
            UNION ALL SELECT +d.owner_id, -sum(d.amount_cents), 0
              FROM disbursement d WHERE d.status = 'completed' GROUP BY 1
            UNION ALL SELECT y.owner_id, sum(y.amount_cents), 0 FROM payable y WHERE {_IS_ENTRY} GROUP BY 1
            UNION ALL SELECT y.owner_id, 0, sum(y.amount_cents) FROM payable y WHERE {predicates.OPEN} GROUP BY 1
           ) AS told
     GROUP BY owner_id HAVING sum(ledger_cents) <> sum(owed_cents) ORDER BY owner_id
"""
"""The owners whose account in the books is not what they are owed.

The plus keeps SQLite from walking through an index of owners and fetching a million rows by it one by one.
"""
MONEY_NOT_AS_ALLOCATED = f"""
    SELECT by_mpesa, sum(allocated_cents) AS allocated_cents, sum(paid_cents) AS paid_cents
      FROM (SELECT CASE WHEN {_BY_MPESA} THEN 1 ELSE 0 END AS by_mpesa, i.allocated_cents, 0 AS paid_cents
              FROM money_in i WHERE i.received_by = 'platform'
            UNION ALL SELECT CASE WHEN {_PAID_BY_MPESA} THEN 1 ELSE 0 END, 0, p.amount_cents
              FROM payment p WHERE p.status = 'success' AND {_IS_PLATFORMS}) AS told
     GROUP BY by_mpesa HAVING sum(allocated_cents) <> sum(paid_cents)
"""
"""Whether money by M-Pesa and other money is as the payments say that were made of it: else the books do not add up."""


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
