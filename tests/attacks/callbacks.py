"""Bodies that M-Pesa never sent, through the real inbox: none trips the reader up, and none moves money by itself.

    python -m tests.attacks.callbacks --bodies 100000 [--seed N] [--database postgresql]

Each body begins as one of M-Pesa's own shapes and is changed in every way that we could think of: types, missing and
repeated fields, huge numbers, NaN, deep nesting, surrogates, byte order marks, UTF-16, absurd amounts and dates. It
arrives with a token of ours, of another request, of nobody, or with none. After each handful these hold:

* every body was read or held, and none tripped the reader up;
* a payment is paid, and a payout completed, only if a body with its own token says so with its own amount;
* money came in only for payments, and to the cent what was asked;
* a receipt that is known never changes, and no two requests have the same;
* a payout leaves only for a paid payment, once a transfer, and only one of a share may be open or have moved money;
* an honest callback behind all of them is believed at once.
"""

from __future__ import annotations

import argparse
import copy
import json
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from rentpay_cli.core.evidence import Acknowledged
from rentpay_cli.daraja.incoming import StillPending
from rentpay_cli.flows import collect, payouts
from rentpay_cli.flows import register as registering
from rentpay_cli.flows.balance import ask_balance
from rentpay_cli.flows.brake import send_all
from rentpay_cli.flows.chase import chase
from rentpay_cli.flows.disburse import due, stop_of_all
from rentpay_cli.flows.read_inbox import COLLECTION, PAYOUT, TIMEOUT, read_inbox
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import inbox, readonly, reads
from rentpay_cli.store.inbox import Reading
from tests.attacks.target import new_database
from tests.daraja import shapes
from tests.support.databases import copies, own_server
from tests.support.scripted import script, token_of
from tests.support.world import settings_for

BODIES_AT_ONCE = 20
EXAMPLES_A_STAGE = 15
"""After so many handfuls new requests are made: those that have ended learn nothing more."""

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 10000, 9500, "10000", "9500.00", 1e308, -0.0, 10**18, -(10**18), 2**63, 10**400,
    float("nan"), float("inf"), "", " ", "0", "00", "\x00", "\ud800", "\udfff\ud800", "\u202e1000", "1e4",
    "\uff19\uff15\uff10\uff10",
    "NaN", "-Infinity", "1_0000", "KES 10,000", "x" * 5000, "=1", "\x1b[2J", "\x1b]8;;http://x\x07", "'; DROP TABLE x",
    [], {}, [[]], [None], {"": None}, [{"Name": "Amount", "Value": 10000}], 20261123101545, 99991231235959, 10101000000,
    "20260230000000", "00000000000000", 1032, 2001, 17, 26, 4999, 1037, "SFC_IC0003", "SKN0000000", "SKN4TEST7Q", "OK",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """A request of ours that a callback may be about."""

    kind: str
    token: str
    path: str
    payment_id: int | None
    shape: Callable[[], bytes]


@dataclass
class Stage:
    """Some payments in every state that a callback can meet, and what was told about them truthfully."""

    rt: Runtime
    now: datetime = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
    requests: list[Request] = field(default_factory=list)
    told_paid: set[int] = field(default_factory=set)
    told_completed: set[int] = field(default_factory=set)
    receipts: dict[int, str] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    serial: int = 0

    def __post_init__(self) -> None:
        self.rt.now = lambda: self.now
        self.rt.pause = lambda _: None  # results come only afterwards
        self.mpesa = script(self.rt, self._answer)
        for number in range(1, 4):
            owner = registering.add_owner(self.rt, name=f"Owner {number}")
            registering.add_property(
                self.rt,
                name=f"House {number}",
                owner_reference=str(owner),
                paybill=f"60000{number}",
                account_number="PROP001",
                rent="10000",
            )

    def _answer(self, kind: str, _: dict[str, Any]) -> Any:
        if kind == "stk-query":
            return StillPending("The transaction is being processed")
        self.serial += 1
        if kind == "stk":
            return Acknowledged(checkout_request_id=f"ws_CO_{self.serial}", merchant_request_id=f"m-{self.serial}")
        return Acknowledged(conversation_id=f"AG_{self.serial}", originator_conversation_id=f"o-{self.serial}")

    # --- what is open ------------------------------------------------------------------------------------------------

    def renew(self) -> None:
        """Make new requests: rent asked for, payouts sent, questions about both."""
        self.now += timedelta(minutes=1)
        self._settle()
        self.requests = [self._ask() for _ in range(4)]
        for request in [self._ask(), self._ask()]:
            self.honest(request)
        self.pay_out()
        self.now += timedelta(minutes=10)
        before = len(self.mpesa.sent)
        chase(self.rt, limit=100)
        for kind, question in self.mpesa.sent[before:]:
            if kind == "status":
                self.requests.append(
                    Request(
                        "status",
                        token_of(question),
                        PAYOUT,
                        None,
                        lambda: shapes.status_result(0, shapes.status_parameters()),
                    )
                )
        ask_balance(self.rt)
        token = token_of(self.mpesa.sent[-1][1])
        balance = shapes.keyed(("AccountBalance", "Working Account|KES|700000.00|700000.00|0.00|0.00"))
        self.requests.append(Request("balance", token, PAYOUT, None, lambda: shapes.result(parameters=balance)))

    def _settle(self) -> None:
        """End what is still open with M-Pesa's own callbacks."""
        last = [
            (each.path, each.token, each.shape()) for each in self.requests if each.kind in ("collection", "payout")
        ]
        for path, token, body in last:
            self._note_told(path, token, body)
        if last:
            self._arrive(last)

    def _ask(self) -> Request:
        asked = collect.initiate(
            self.rt, property_reference=str(1 + self.serial % 3), phone="0722000111", force=True
        ).payment_id
        token, serial = token_of(self.mpesa.sent[-1][1]), self.serial

        def shape() -> bytes:
            items = shapes.stk_items(receipt=f"SKN{serial:07d}")
            return shapes.stk_paid(items, checkout_id=f"ws_CO_{serial}")

        return Request("collection", token, COLLECTION, asked, shape)

    def pay_out(self) -> None:
        """Send what is due, as the listener does."""
        if stop_of_all(self.rt) is not None:
            payouts.resume_payouts(self.rt)
        before = len(self.mpesa.sent)
        send_all(self.rt, due(self.rt, 100))
        by_account = self._payments_by_token()
        for kind, sent in self.mpesa.sent[before:]:
            if kind == "b2b":
                self._note_payout(sent, by_account)

    def _note_payout(self, sent: dict[str, Any], payment_of: Callable[[str], int]) -> None:
        token = token_of(sent)
        payment_id = payment_of(token)
        assert payment_id in self.told_paid, f"a payout left for payment {payment_id}, for which nobody paid"
        row = self._read(
            "SELECT conversation_id, originator_conversation_id FROM attempt WHERE token_sha256 = :digest",
            digest=inbox.token_sha256(token),
        )[0]

        def shape() -> bytes:
            return shapes.result(
                transaction_id=f"SKP{payment_id:07d}",
                parameters=shapes.b2b_parameters(),
                ConversationID=row["conversation_id"],
                OriginatorConversationID=row["originator_conversation_id"],
            )

        self.requests.append(Request("payout", token, PAYOUT, payment_id, shape))

    def _payments_by_token(self) -> Callable[[str], int]:
        def payment_of(token: str) -> int:
            rows = self._read(
                "SELECT y.payment_id FROM attempt a JOIN disbursement_member m ON m.disbursement_id = a.disbursement_id"
                " JOIN payable y ON y.id = m.payable_id WHERE a.token_sha256 = :digest AND y.kind = 'share'",
                digest=inbox.token_sha256(token),
            )
            assert len(rows) == 1, f"a payout left for the payments {rows}, and one was due"
            return int(rows[0]["payment_id"])

        return payment_of

    # --- what arrives ------------------------------------------------------------------------------------------------

    def honest(self, request: Request) -> None:
        """M-Pesa's own callback, which must be believed at once."""
        self.told_paid.add(request.payment_id or 0)
        self._arrive([(request.path, request.token, request.shape())])
        row = reads.payment(self.rt.reader, request.payment_id or 0)
        assert row is not None
        assert row["status"] == "success", f"payment {row['id']} was paid, and that was not believed"

    def attack(self, cases: list[tuple[int, int, int, bytes]]) -> None:
        """Let the bodies arrive, an honest one behind them, and look at what became of everything."""
        arrivals = []
        for about, token_choice, path_choice, body in cases:
            request = self.requests[about % len(self.requests)]
            token = self._token(request, token_choice)
            path = request.path if path_choice else (COLLECTION, PAYOUT, TIMEOUT)[about % 3]
            arrivals.append((path, token, body))
            self._note_told(path, token, body)
        honest = self._ask()
        self.told_paid.add(honest.payment_id or 0)
        readings = self._arrive([*arrivals, (honest.path, honest.token, honest.shape())])
        believed = [reading for reading in readings if reading.payment_id == honest.payment_id]
        assert believed[-1].news, f"the honest callback behind them: {believed}"
        self.check()

    def _token(self, request: Request, choice: int) -> str | None:
        if choice < 6:
            return request.token
        if choice == 6:
            return self.requests[0].token
        return f"{self.serial:032x}" if choice == 7 else None

    def _arrive(self, arrivals: list[tuple[str, str | None, bytes]]) -> list[Reading]:
        inbox.append(self.rt.database, [(path, token, "127.0.0.1", body) for path, token, body in arrivals], self.now)
        readings = read_inbox(self.rt, 1000)
        waiting = self._read("SELECT id FROM inbox WHERE state = 'new'")
        assert waiting == [], f"left unread: {waiting}"
        for reading in readings:
            assert "could not be read" not in reading.outcome, reading
            self.seen["believed" if reading.news else reading.state] += 1
        return readings

    def _note_told(self, path: str, token: str | None, body: bytes) -> None:
        request = next((each for each in self.requests if each.token == token), None)
        if request is None:
            return
        if request.kind == "collection" and path == COLLECTION and says_paid(body):
            self.told_paid.add(request.payment_id or 0)
        if request.kind == "payout" and path == PAYOUT and says_paid_out(body):
            self.told_completed.add(request.payment_id or 0)
        if request.kind == "status" and path == PAYOUT and b"ompleted" in body:
            self.told_completed |= self._payments("d.status = 'processing'")

    def _read(self, query: str, **values: Any) -> list[readonly.Row]:
        return list(self.rt.reader.rows(query, **values))

    # --- what must hold ----------------------------------------------------------------------------------------------

    def _payments(self, condition: str) -> set[int]:
        rows = self._read(
            "SELECT DISTINCT p.id FROM payment p LEFT JOIN payable y ON y.payment_id = p.id AND y.kind = 'share'"
            " LEFT JOIN disbursement_member m ON m.payable_id = y.id"
            " LEFT JOIN disbursement d ON d.id = m.disbursement_id WHERE " + condition
        )
        return {row["id"] for row in rows}

    def check(self) -> None:
        """Everything that must hold after any bodies at all."""
        paid = self._payments("p.status = 'success'")
        assert paid <= self.told_paid, f"paid without a word: {paid - self.told_paid}"
        completed = self._payments("y.status = 'completed' OR d.status IN ('completed','settled')")
        assert completed <= self.told_completed, f"completed without a word: {completed - self.told_completed}"
        self._check_receipts()
        for trouble, query in NEVER.items():
            found = self._read(query)
            assert found == [], f"{trouble}: {found}"

    def _check_receipts(self) -> None:
        now = {row["id"]: row["receipt"] for row in self._read(RECEIPTS)}
        assert len(set(now.values())) == len(now), "two requests have the same receipt"
        changed = {number for number, receipt in self.receipts.items() if now.get(number) != receipt}
        assert not changed, f"the receipts of {changed} changed"
        self.receipts = now


RECEIPTS = """
SELECT a.id, coalesce(i.receipt, d.receipt) AS receipt
  FROM attempt a LEFT JOIN payment p ON p.id = a.payment_id LEFT JOIN money_in i ON i.id = p.money_in_id
  LEFT JOIN disbursement d ON d.id = a.disbursement_id
 WHERE i.receipt IS NOT NULL OR d.receipt IS NOT NULL
"""
"""The receipt of each request of which one is known; it stands with the money that moved."""
NEVER = {
    "two movements have the same receipt": """
SELECT receipt FROM (SELECT receipt FROM money_in UNION ALL SELECT receipt FROM disbursement
                     UNION ALL SELECT receipt FROM refund UNION ALL SELECT receipt FROM payable) AS every
 WHERE receipt IS NOT NULL GROUP BY receipt HAVING count(*) > 1
""",
    "money came in that nobody was asked for": """
SELECT i.id FROM money_in i LEFT JOIN payment p ON p.money_in_id = i.id AND p.status = 'success'
 GROUP BY i.id, i.amount_cents, i.allocated_cents
HAVING count(p.id) <> 1 OR min(p.amount_cents) <> i.amount_cents OR i.allocated_cents <> i.amount_cents
""",
    "a transfer was sent twice": """
SELECT disbursement_id FROM attempt WHERE disbursement_id IS NOT NULL GROUP BY disbursement_id HAVING count(*) > 1
""",
    "a share was sent twice": """
SELECT m.payable_id FROM disbursement_member m JOIN attempt a ON a.disbursement_id = m.disbursement_id
 WHERE a.state <> 'not_moved' GROUP BY m.payable_id HAVING count(DISTINCT a.id) > 1
""",
}
"""What no body may bring about, and the rows that would show it."""


# --- what a body says, by a reading of its own -----------------------------------------------------------------------


def says_paid(body: bytes) -> bool:
    """Whether an STK callback says paid, with a receipt and the amount that was asked."""
    callback = _at(_document(body), "Body", "stkCallback")
    items = _at(callback, "CallbackMetadata", "Item")
    listed = [item for item in (items if isinstance(items, list) else [items]) if isinstance(item, dict)]
    amounts = [item.get("Value") for item in listed if item.get("Name") == "Amount"]
    receipts = [item.get("Value") for item in listed if item.get("Name") == "MpesaReceiptNumber"]
    return (
        _is_zero(_at(callback, "ResultCode"))
        and _is(10000, amounts)
        and any(isinstance(r, str) and r for r in receipts)
    )


def says_paid_out(body: bytes) -> bool:
    """Whether a result says paid out, with a receipt, and no other amount than ours."""
    result = _at(_document(body), "Result")
    items = _at(result, "ResultParameters", "ResultParameter")
    listed = [item for item in (items if isinstance(items, list) else [items]) if isinstance(item, dict)]
    amounts = [
        item.get("Value") for item in listed if item.get("Key") == "Amount" and item.get("Value") not in (None, "")
    ]
    receipt = _at(result, "TransactionID")
    return _is_zero(_at(result, "ResultCode")) and bool(receipt) and (not amounts or _is(9500, amounts))


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _at(document: Any, *path: str) -> Any:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _is_zero(code: Any) -> bool:
    return not isinstance(code, bool) and (code in (0, "0") or (isinstance(code, str) and code.strip() == "0"))


def _is(shillings: int, values: list[Any]) -> bool:
    """Whether one of the values is the amount."""
    for value in values:
        try:
            if not isinstance(value, bool) and Decimal(str(value).strip()) == shillings:
                return True
        except ArithmeticError:
            continue
    return False


# --- how a body is changed -------------------------------------------------------------------------------------------


def mutated(body: bytes, chance: Random) -> bytes:
    """The body, changed in up to four ways."""
    document = json.loads(body)
    for _ in range(chance.randrange(5)):
        document = _change(document, chance)
    try:
        text = json.dumps(document, ensure_ascii=chance.random() < 0.8)
    except (ValueError, RecursionError):
        return body
    if chance.random() < 0.1:
        text = _repeat_a_key(text, chance)
    return _broken(text, chance) if chance.random() < 0.25 else text.encode("utf-8", "surrogatepass")


def _places(node: Any, places: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        places.append((node, key))
        _places(value, places)
    return places


def _change(document: Any, chance: Random) -> Any:
    places = _places(document, [])
    if not places:
        return chance.choice(ODD)
    node, key = chance.choice(places)
    match chance.randrange(9):
        case 0 | 1 | 2 | 3:
            node[key] = copy.deepcopy(chance.choice(ODD))
        case 4:
            del node[key]
        case 5:
            node[key] = [copy.deepcopy(node[key])] * chance.choice((1, 2, 50))
        case 6 if isinstance(node, list):
            node.append(copy.deepcopy(node[key]))
        case 6:
            node[str(key).lower()] = node.pop(key)
        case 7:
            node[key] = {chance.choice(("Value", "Name", "Key", "Result", "")): node[key]}
        case 8:
            other, name = chance.choice(places)
            node[key] = copy.deepcopy(other[name])
    return document


def _repeat_a_key(text: str, chance: Random) -> str:
    key = chance.choice(("ResultCode", "Amount", "Value", "TransactionID", "CheckoutRequestID", "Body", "Result"))
    return text.replace(f'"{key}":', f'"{key}": {json.dumps(chance.choice(ODD))}, "{key}":', 1)


def _broken(text: str, chance: Random) -> bytes:
    """The text in an odd encoding, or cut, or damaged."""
    content = text.encode("utf-8", "replace")
    match chance.randrange(9):
        case 0:
            return b"\xef\xbb\xbf" + content
        case 1:
            return text.encode(chance.choice(("utf-16", "utf-16-le", "utf-32", "utf-7", "cp1252")), "replace")
        case 2:
            return content[: chance.randrange(len(content) + 1)]
        case 3:
            place = chance.randrange(len(content) + 1)
            return content[:place] + chance.randbytes(chance.randrange(1, 9)) + content[place:]
        case 4:
            deep = chance.choice((900, 5000, 30_000))
            return chance.choice((b"[", b'{"Body":')) * deep + content
        case 5:
            return content + content
        case 6:
            return bytes(byte ^ (chance.random() < 0.01) for byte in content)
        case 7:
            return text.replace("10000", "1" + "0" * chance.choice((5, 300, 5000))).encode("utf-8", "replace")
        case _:
            return text.replace('"Value":', '"Value": -').encode("utf-8", "replace")


CASES = st.lists(
    st.tuples(st.integers(0, 99), st.integers(0, 8), st.integers(0, 7), st.integers(0, 2**64 - 1)),
    min_size=BODIES_AT_ONCE,
    max_size=BODIES_AT_ONCE,
)


def fuzz(stage: Stage, *, bodies: int, start: int, tell: Callable[[int], None] = lambda _: None) -> int:
    """Let so many bodies arrive, and return how many did; raises `AssertionError` for anything that must not be."""
    done = 0

    @seed(start)
    @settings(
        max_examples=-(-bodies // BODIES_AT_ONCE),
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(CASES)
    def handful(drawn: list[tuple[int, int, int, int]]) -> None:
        nonlocal done
        if (done // BODIES_AT_ONCE) % EXAMPLES_A_STAGE == 0:
            stage.renew()
        cases = []
        for about, token, path, entropy in drawn:
            request = stage.requests[about % len(stage.requests)]
            cases.append((about, token, path, mutated(request.shape(), Random(entropy))))
        stage.attack(cases)
        if done % (5 * BODIES_AT_ONCE) == 0:
            stage.pay_out()
            stage.check()
        done += len(cases)
        tell(done)

    handful()
    return done


def main() -> int:
    """Run it at length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bodies", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}\n")
    began = time.monotonic()

    def tell(done: int) -> None:
        if done % 5000 == 0:
            sys.stderr.write(f"{done} bodies in {time.monotonic() - began:.0f} s\n")

    with ExitStack() as stack:
        url = stack.enter_context(_database(options.database))
        rt = Runtime(settings_for(url), actor="fuzzer")
        stack.callback(rt.close)
        stage = Stage(rt)
        done = fuzz(stage, bodies=options.bodies, start=options.seed, tell=tell)
    sys.stdout.write(f"{done} bodies in {time.monotonic() - began:.0f} s: {dict(stage.seen)}\n")
    return 0


def _database(kind: str) -> Any:
    from contextlib import contextmanager

    @contextmanager
    def made() -> Iterator[str]:
        with tempfile.TemporaryDirectory(prefix="rentpay-attacks-") as folder:
            if kind == "sqlite":
                yield new_database(Path(folder))
            else:
                Path(folder).chmod(0o755)
                with own_server(Path(folder)) as server, copies(server) as url:
                    yield url

    return made()


if __name__ == "__main__":
    sys.exit(main())
