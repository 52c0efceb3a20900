"""Who is let in, what they see, and what is written down about those who are not: on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import inspect

from rentpay_cli.core import access as rules
from rentpay_cli.core.access import EVERYTHING, RULES, Role, Scope
from rentpay_cli.core.evidence import Moved
from rentpay_cli.errors import BadDatabase, NotAllowed, NotFound, RuleRefused, WrongUse
from rentpay_cli.flows import access, collect, permit, register
from rentpay_cli.flows.learn import Source, learn
from rentpay_cli.flows.look import one, payment_number
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import access_reads, readonly, reads, report_reads
from rentpay_cli.store.tables import Payment, Property
from tests.support.beginnings import Begin
from tests.support.scripted import script
from tests.support.world import settings_for

WRONG = "rp_1_00000000000000000000000000000000"


def admin_owner_and_tenant(rt: Runtime) -> dict[str, str]:
    """Two owners with a property and a tenant each, an admin, and the tokens of the admin and of the first two."""
    for number, (owner, tenant) in enumerate((("Wanjiru", "Juma"), ("Otieno", "Akinyi")), 1):
        register.add_owner(rt, name=owner)
        register.add_property(
            rt,
            name=f"House {number}",
            owner_reference=owner,
            paybill=f"60000{number}",
            account_number=f"PROP{number}",
            rent="1000",
        )
        register.add_tenant(rt, name=tenant, phone=f"072200011{number}", property_reference=f"House {number}")
    return {
        "asha": access.give(rt, name="asha", role="admin").token,
        "wanjiru": access.give(rt, name="wanjiru", role="owner", owner="Wanjiru").token,
        "juma": access.give(rt, name="juma", role="tenant", tenant="Juma").token,
    }


class People:
    """Those with a token, and what they do."""

    def __init__(self, rt: Runtime, tokens: dict[str, str]) -> None:
        self.rt = rt
        self.tokens = tokens
        script(rt)

    def paid(self, place: int, **rest: Any) -> int:
        """Rent of one of the houses."""
        asked = collect.initiate(
            self.rt, property_reference=str(place), **{"phone": f"072200011{place}", "force": True, **rest}
        )
        (row,) = reads.attempts(self.rt.reader, asked.payment_id)
        with self.rt.database.transaction() as session:
            learn(
                session,
                row["id"],
                Moved(f"SKN{asked.payment_id:07d}", None),
                source=Source.CALLBACK,
                actor="test",
                at=self.rt.now(),
            )
        return asked.payment_id

    @contextmanager
    def acting(self, name: str, command: str = "payments") -> Iterator[Runtime]:
        """The runtime of somebody who uses a command."""
        rt = Runtime(self.rt.settings, actor="login@host")
        script(rt)
        try:
            assert permit.admit(rt, command, lambda: self.tokens[name]) is False
            yield rt
        finally:
            rt.close()

    def refused(self, token: str | None, command: str = "payments") -> NotAllowed:
        rt = Runtime(self.rt.settings, actor="login@host")
        try:
            with pytest.raises(NotAllowed) as error:
                permit.admit(rt, command, lambda: token)
        finally:
            rt.close()
        return error.value

    def journal(self, event: str) -> list[readonly.Row]:
        return list(reads.journal(self.rt.reader, event=event))


@pytest.fixture
def people(rt: Runtime, begin: Begin, hashed_once: None) -> People:
    return People(rt, begin(admin_owner_and_tenant))


def test_until_there_is_an_admin_nobody_needs_a_token(rt: Runtime) -> None:
    def never() -> str:
        raise AssertionError("nobody was to be asked")

    assert permit.admit(rt, "resolve", never) is True
    assert (rt.scope, rt.actor) == (EVERYTHING, "tester")


def test_the_first_must_be_an_admin_and_the_last_cannot_go(rt: Runtime) -> None:
    register.add_owner(rt, name="Wanjiru")
    with pytest.raises(RuleRefused, match="must be an admin"):
        access.give(rt, name="wanjiru", role="owner", owner="Wanjiru")
    access.give(rt, name="asha", role="admin")
    access.give(rt, name="wanjiru", role="owner", owner="Wanjiru")
    with pytest.raises(RuleRefused, match="last admin"):
        access.revoke(rt, "ASHA")
    access.give(rt, name="baraka", role="admin")
    access.revoke(rt, "ASHA")
    with pytest.raises(RuleRefused, match="last admin"):
        access.revoke(rt, "baraka")
    with pytest.raises(NotFound):
        access.revoke(rt, "asha")


@pytest.mark.parametrize(
    ("name", "role", "scope"),
    [
        ("asha", Role.ADMIN, EVERYTHING),
        ("wanjiru", Role.OWNER, Scope(owner_id=1)),
        ("juma", Role.TENANT, Scope(tenant_id=1)),
    ],
)
def test_each_command_is_for_those_whom_the_table_names(people: People, name: str, role: Role, scope: Scope) -> None:
    refused = []
    for command in RULES:
        if rules.reach(role, command) is not None:
            with people.acting(name, command) as rt:
                assert (rt.actor, rt.scope) == (f"{name}, login@host", scope), command
            continue
        refused.append(command)
        error = people.refused(people.tokens[name], command)
        assert f"may not use `rentpay {command}`" in error.message
        assert people.tokens[name] not in error.message + error.hint
    entries = list(reads.journal(people.rt.reader, event="command refused", limit=len(RULES)))
    assert [json.loads(entry["detail"])["command"] for entry in entries] == refused[::-1]
    assert {entry["actor"] for entry in entries} <= {f"{name}, login@host"}


def test_wrong_unknown_and_revoked_tokens_get_the_same_words_and_are_written_down(people: People) -> None:
    other = access.give(people.rt, name="baraka", role="admin").token
    access.revoke(people.rt, "baraka")
    secret = other.rpartition("_")[2]
    said = {
        (error.message, error.hint, error.code, error.exit_status)
        for error in map(people.refused, (WRONG, f"rp_99_{secret}", other, f"rp_1_{secret}", "nonsense", ""))
    }
    assert len(said) == 1
    entries = people.journal("access refused")
    assert len(entries) == 6
    assert {entry["actor"] for entry in entries} == {"login@host"}
    assert secret not in str(entries)
    assert people.refused(None).message != next(iter(said))[0]
    assert len(people.journal("access refused")) == 6


def test_a_number_that_nobody_has_takes_as_much_work_to_refuse(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    worked: list[bytes] = []
    real = rules.secret_hash
    monkeypatch.setattr(rules, "secret_hash", lambda secret, salt: worked.append(salt) or real(secret, salt))
    people.refused(f"rp_99_{'0' * 32}")
    people.refused(WRONG)
    assert len(worked) == 2


def test_tokens_are_nowhere_in_the_database(people: People) -> None:
    everything = ""
    with people.rt.database.transaction() as session:
        tables = inspect(session.connection()).get_table_names()
    for table in tables:
        everything += str([{**row} for row in people.rt.reader.rows(f"SELECT * FROM {table}")])
    for token in people.tokens.values():
        secret = token.rpartition("_")[2]
        assert secret not in everything
        assert bytes.fromhex(secret).hex() not in everything
    assert "scrypt" not in everything


def test_an_owner_sees_only_what_is_the_owners(people: People) -> None:
    own, others = people.paid(1), people.paid(2)
    with people.acting("wanjiru") as rt:
        assert [row["id"] for row in reads.payments(rt.reader)] == [own]
        assert [row["name"] for row in reads.register(rt.reader, "owner")] == ["Wanjiru"]
        assert [row["name"] for row in reads.register(rt.reader, "property")] == ["House 1"]
        assert [row["name"] for row in reads.register(rt.reader, "tenant")] == ["Juma"]
        assert payment_number(rt, f"SKN{own:07d}") == own
        assert [row["direction"] for row in reads.attempts(rt.reader, own)] == ["collection"]
        assert reads.attempts(rt.reader, others) == []
        (line,) = report_reads.disbursements_by_status(rt.reader, None, None)
        assert (line["disbursements"], line["amount_cents"]) == (1, 95_000)
        for reference in (str(others), f"SKN{others:07d}", f"ws_CO_{others}", "999"):
            with pytest.raises(NotFound):
                payment_number(rt, reference)
        for kind, reference in (("owner", "Otieno"), ("owner", "2"), ("property", "House 2"), ("tenant", "Akinyi")):
            with pytest.raises(NotFound) as error:
                one(rt, kind, reference)
            assert "Did you mean 'Otieno'" not in error.value.hint
        for table in ("journal", "inbox", "access", "notice", "setting", "finding", "balance_reading"):
            assert list(rt.reader.rows(f"SELECT * FROM {table}")) == [], table


def test_what_others_own_is_answered_like_what_does_not_exist(people: People) -> None:
    others = people.paid(2)
    with people.acting("wanjiru") as rt:
        said = []
        for number in (others, 999):
            with pytest.raises(NotFound) as error:
                payment_number(rt, str(number))
            said.append((error.value.message.replace(str(number), "N"), error.value.hint))
        assert said[0] == said[1]


def test_an_owner_still_sees_rent_of_a_property_that_was_sold_but_not_its_new_paybill(people: People) -> None:
    own = people.paid(1)
    with people.rt.database.transaction() as session:
        sold = session.get(Property, 1)
        assert sold is not None
        sold.owner_id, sold.paybill = 2, "600002"
    with people.acting("wanjiru") as rt:
        assert [row["id"] for row in reads.payments(rt.reader)] == [own]
        (place,) = rt.reader.rows("SELECT name, paybill, account_number FROM property")
        assert place == {"name": "House 1", "paybill": None, "account_number": None}
        assert reads.register(rt.reader, "property") == []


def test_a_tenant_sees_the_tenants_own_payments_without_where_the_share_goes(people: People) -> None:
    own = people.paid(1)
    people.paid(2)
    with people.acting("juma") as rt:
        (row,) = reads.payments(rt.reader)
        assert (row["id"], row["amount_cents"], row["disbursement_status"]) == (own, 100_000, "pending")
        assert (row["property_name"], row["owner_name"], row["tenant_name"]) == ("House 1", "Wanjiru", "Juma")
        hidden = ("owner_paybill", "owner_account_number", "fee_cents", "share_cents", "paybill", "transfer_cents")
        assert {row[name] for name in hidden} == {None}
        assert [row["direction"] for row in reads.attempts(rt.reader, own)] == ["collection"]
        shown = str(
            [*map(list, (rt.reader.rows(f"SELECT * FROM {each}") for each in ("property", "disbursement", "payable")))]
        )
        assert "600001" not in shown
        assert "PROP1" not in shown


def test_a_payment_that_names_no_tenant_is_that_of_the_telephone(people: People) -> None:
    own, others = people.paid(1), people.paid(2)
    with people.rt.database.transaction() as session:
        for number in (own, others):
            paid = session.get(Payment, number)
            assert paid is not None
            paid.tenant_id = None
    with people.acting("juma") as rt:
        assert [row["id"] for row in reads.payments(rt.reader)] == [own]


def test_the_views_have_the_columns_of_their_tables(people: People) -> None:
    with people.rt.database.transaction() as session:
        schema = inspect(session.connection())
        columns = {table: [each["name"] for each in schema.get_columns(table)] for table in schema.get_table_names()}
    del columns["alembic_version"]  # which is read before anybody is known
    assert set(access_reads.OWNERS_VIEWS) == set(access_reads.TENANTS_VIEWS) == set(columns)
    people.paid(1)
    for name in ("wanjiru", "juma"):
        with people.acting(name) as rt:
            for table, expected in columns.items():
                row = rt.reader.one(f"SELECT v.* FROM (SELECT 1 AS one) AS one LEFT JOIN {table} v ON 1 = 1")
                assert row is not None
                assert list(row) == expected, table


def test_a_reader_that_is_opened_again_is_as_narrow(people: People) -> None:
    people.paid(2)
    with people.acting("wanjiru") as rt:
        rt.close()
        assert list(reads.payments(rt.reader)) == []


def test_what_mends_a_database_is_asked_for_a_token_only_where_the_database_can_say_whose_it_is(
    people: People, tmp_path: Any
) -> None:
    assert people.refused(people.tokens["wanjiru"], "restore")
    assert people.refused(None, "doctor")
    path = tmp_path / "broken.db"
    path.write_bytes(b"no database at all" * 100)
    for command in ("restore", "doctor", "database upgrade", "init", "backup"):
        rt = Runtime(settings_for(f"sqlite:///{path}"))
        assert permit.admit(rt, command, lambda: None) is False
    with pytest.raises(BadDatabase):
        permit.admit(Runtime(settings_for(f"sqlite:///{path}")), "payments", lambda: None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "", "role": "admin"},
        {"name": "a, root@host", "role": "admin"},
        {"name": "a" * 61, "role": "admin"},
        {"name": "a", "role": "root"},
        {"name": "a", "role": "owner"},
        {"name": "a", "role": "tenant", "owner": "1"},
        {"name": "a", "role": "admin", "owner": "1"},
        {"name": "a", "role": "owner", "owner": "1", "tenant": "1"},
    ],
)
def test_an_access_that_has_no_meaning_is_refused(people: People, wrong: dict[str, str]) -> None:
    with pytest.raises(WrongUse):
        access.give(people.rt, **wrong)


def test_a_name_is_given_once_at_a_time(people: People) -> None:
    with pytest.raises(RuleRefused, match="has access already"):
        access.give(people.rt, name="Juma", role="admin")
    access.revoke(people.rt, "juma")
    again = access.give(people.rt, name="juma", role="tenant", tenant="Juma")
    assert again.token not in repr(again)
    people.refused(people.tokens["juma"])
    people.tokens["juma"] = again.token
    with people.acting("juma") as rt:
        assert rt.scope == Scope(tenant_id=1)
