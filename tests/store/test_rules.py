"""Every rule of the database, broken on purpose by plain SQL, on both databases: what must not be is refused.

The rules are read from the database's own catalog, so that one without an attack is noticed. Each attack is made again
without the rule, and must pass then: it breaks that rule and no other, and it fails here if the rule is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum

import pytest
from sqlalchemy.exc import DBAPIError

from rentpay_cli.core.attempt import State, allowed_moves
from rentpay_cli.core.payout import DisbursementStatus, PayableStatus, PaymentStatus
from rentpay_cli.store.engine import Database
from rentpay_cli.store.migrations import triggers
from tests.store import catalog
from tests.store.attacks import ATTACKS, HEALTHY, Attack, insert
from tests.store.books import Rows, a_platform
from tests.store.holes import HOLES, Hole
from tests.store.steps import ALLOWED, DEEDS, MOVES, STATES, Deed
from tests.support.beginnings import Beginnings
from tests.support.databases import copies

KINDS = ("sqlite", "postgresql")


class Platform:
    """A database with something in every state, in which nothing that a test does lasts."""

    def __init__(self, url: str, rows: Rows) -> None:
        self._database = Database(url)
        self._words = {**rows, "blob": "BLOB" if self._database.is_sqlite else "bytea"}
        with self.undone():
            self.rules = catalog.read(self._connection)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Undo at the end whatever is done."""
        with self._database.engine.connect() as self._connection:
            try:
                yield
            finally:
                self._connection.rollback()
                if self._database.is_sqlite:
                    self._connection.exec_driver_sql("PRAGMA ignore_check_constraints = OFF")

    def run(self, statements: Iterable[str]) -> None:
        for statement in statements:
            self._connection.exec_driver_sql(statement.format_map(self._words))

    def ask(self, query: str) -> int:
        return int(self._connection.exec_driver_sql(query.format_map(self._words)).scalar_one())

    def refusal(self, *statements: str) -> str | None:
        """What the database says when it refuses one of the statements, None if it does not; they are undone."""
        trial = self._connection.begin_nested()
        try:
            self.run(statements)
        except DBAPIError as error:
            return catalog.said(error)
        finally:
            trial.rollback()
        return None

    def added(self, deed: Deed) -> int:
        """By how much more its query says after the statements of a deed."""
        before = self.ask(deed.query)
        self.run(deed.statements)
        return self.ask(deed.query) - before

    def take_away(self, *rules: str) -> None:
        self.run({self.rules[rule].removal or "" for rule in rules})

    def resists(self, attack: Attack) -> None:
        """Make the attack while its rules are there, and then without one after the other, as far as that can be."""
        there = list(attack.rules)
        while there:
            said = self.refusal(*attack.statements)
            refusing = next((rule for rule in there if self.rules[rule].says == said), None)
            assert refusing, f"{attack}: {said or 'it passed'}, instead of {there}"
            removal = self.rules[refusing].removal
            if removal is None:
                return
            self.take_away(refusing)
            there = [rule for rule in there if self.rules[rule].removal != removal]  # SQLite has one for all CHECKs
        assert self.refusal(*attack.statements) is None, f"{attack}: something else refuses it, too"

    def close(self) -> None:
        self._database.close()


@pytest.fixture(scope="module")
def platform(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, beginnings: Beginnings
) -> Iterator[Platform]:
    """One database of each kind for all tests here."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("platform") / "platform.db"
        path.write_bytes(request.getfixturevalue("sqlite_template").read_bytes())
        url = f"sqlite:///{path}"
        opened = Platform(url, beginnings.begin(url, a_platform))
        yield opened
        opened.close()
        return
    with copies(request.getfixturevalue("postgresql_server")) as url:
        opened = Platform(url, beginnings.begin(url, a_platform))
        yield opened
        opened.close()


on_both = pytest.mark.parametrize("platform", KINDS, indirect=True)


# --- attacks ---------------------------------------------------------------------------------------------------------


def grouped(kind: str) -> dict[str, list[Attack]]:
    """The attacks that the kind of database knows, by what they are about: a rule, or what a table needs."""
    found: dict[str, list[Attack]] = {}
    for attack in ATTACKS:
        if attack.only in (None, kind):
            found.setdefault(attack.rules[-1].partition(".")[0], []).append(attack)
    return found


@pytest.mark.parametrize(
    ("platform", "attacks"),
    [pytest.param(kind, each, id=f"{kind}-{about}") for kind in KINDS for about, each in grouped(kind).items()],
    indirect=["platform"],
)
def test_what_breaks_a_rule_is_refused_by_it_and_passes_without_it(platform: Platform, attacks: list[Attack]) -> None:
    for attack in attacks:
        with platform.undone():
            platform.resists(attack)


@on_both
def test_each_rule_in_the_catalog_is_attacked(platform: Platform, request: pytest.FixtureRequest) -> None:
    kind = request.node.callspec.params["platform"]
    attacked = {rule for attacks in grouped(kind).values() for attack in attacks for rule in attack.rules}
    attacked |= {deed.trigger for deed in DEEDS}
    assert sorted(platform.rules.keys() - attacked) == []
    assert sorted(attacked - platform.rules.keys()) == []


@on_both
def test_a_row_that_breaks_no_rule_is_taken(platform: Platform) -> None:
    for table in HEALTHY:
        with platform.undone():
            assert platform.refusal(insert(table)) is None, table


@on_both
def test_a_row_that_is_written_as_it_is_stays_so(platform: Platform) -> None:
    for table, columns in HEALTHY.items():
        with platform.undone():
            same = ", ".join(f"{column} = {column}" for column in columns)
            assert platform.refusal(f"UPDATE {table} SET {same}") is None, table


@on_both
@pytest.mark.parametrize("what", ALLOWED)
def test_what_looks_much_like_an_attack_and_is_none_is_taken(platform: Platform, what: str) -> None:
    with platform.undone():
        assert platform.refusal(*ALLOWED[what]) is None


@pytest.mark.parametrize(
    ("platform", "hole"),
    [
        pytest.param(kind, hole, id=f"{kind}-{hole.name}", marks=pytest.mark.xfail(reason=hole.reason, strict=True))
        for kind in KINDS
        for hole in HOLES
        if hole.only in (None, kind)
    ],
    indirect=["platform"],
)
def test_what_should_not_pass_is_refused(platform: Platform, hole: Hole) -> None:
    with platform.undone():
        assert platform.refusal(*hole.statements) is not None


# --- what triggers do ------------------------------------------------------------------------------------------------


@on_both
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.trigger)
def test_a_sum_is_kept_by_its_trigger_alone(platform: Platform, deed: Deed) -> None:
    with platform.undone():
        assert platform.added(deed) == deed.adds
    with platform.undone():
        platform.take_away(deed.trigger)
        assert platform.added(deed) == 0


# --- moves -----------------------------------------------------------------------------------------------------------

WORDS: dict[str, type[StrEnum]] = {
    "attempt.state": State,
    "payment.status": PaymentStatus,
    "payable.status": PayableStatus,
    "disbursement.status": DisbursementStatus,
}


@on_both
@pytest.mark.parametrize("name", STATES)
def test_a_state_follows_another_as_the_tables_say_and_not_otherwise(platform: Platform, name: str) -> None:
    table, column = name.split(".")
    moves = f"trigger {table}_{column}_moves"
    others = {rule for rule, each in platform.rules.items() if each.table == table and rule.startswith("trigger ")}
    for before, number in STATES[name].items():
        with platform.undone():
            assert platform.ask(f"SELECT count(*) FROM {table} WHERE id = {{{number}}} AND {column} = '{before}'") == 1
            refused = []
            for after in STATES[name].keys() - {before}:
                if (before, after) in MOVES[name]:
                    assert platform.refusal(*MOVES[name][before, after]) is None, (before, after)
                else:
                    refused.append(f"UPDATE {table} SET {column} = '{after}' WHERE id = {{{number}}}")
            assert [move for move in refused if platform.refusal(move) is None] == []
            platform.take_away(*others - {moves})
            assert {platform.refusal(move) for move in refused} <= {platform.rules[moves].says}


def test_the_moves_that_are_made_here_are_those_of_the_tables() -> None:
    stated = {f"{table}.{column}": {*moves} for (table, column), moves in triggers.MOVES.items()}
    assert stated == {name: {*moves} for name, moves in MOVES.items()}
    assert {*MOVES["attempt.state"]} == allowed_moves()
    assert {name: {*words} for name, words in WORDS.items()} == {name: {*STATES[name]} for name in WORDS}
