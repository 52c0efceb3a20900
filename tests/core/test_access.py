"""The table of roles and commands, and tokens."""

from __future__ import annotations

import hmac
from typing import Any

import pytest

from rentpay_cli.core.access import (
    CHANGING,
    MENDING,
    RULES,
    WITHOUT_DATABASE,
    Reach,
    Role,
    is_secret,
    reach,
    read_token,
    secret_hash,
    write_token,
)

SECRET = "0123456789abcdef0123456789abcdef"
OWNERS = {"status", "payments", "history", "disburse", "report revenue", "report disbursements"}
OWNERS |= {"owner list", "owner show", "property list", "property show"}
TENANTS = {"status", "payments"}


@pytest.mark.parametrize("command", sorted(RULES))
def test_an_admin_may_do_everything_and_owners_and_tenants_only_a_few_things_on_what_is_theirs(command: str) -> None:
    assert reach(Role.ADMIN, command) is Reach.ALL
    assert reach(Role.OWNER, command) is (Reach.OWN if command in OWNERS else None)
    assert reach(Role.TENANT, command) is (Reach.OWN if command in TENANTS else None)


def test_a_command_that_the_table_does_not_know_is_nobodys() -> None:
    assert [reach(role, "no such") for role in Role] == [None, None, None]


def test_every_command_that_is_named_elsewhere_is_in_the_table() -> None:
    assert set(RULES) >= CHANGING | MENDING
    assert not set(RULES) & WITHOUT_DATABASE


def test_a_token_is_read_as_it_was_written_and_nothing_else_is_one() -> None:
    assert read_token(write_token(12, SECRET)) == (12, SECRET)
    for text in ("", "rp_", f"rp_12_{SECRET}0", f"rp_12_{SECRET[:-1]}", f"rp_1٢_{SECRET}", f"rp_12_{SECRET.upper()}"):
        assert read_token(text) is None, text
    assert read_token(f"rp_12_{SECRET}\n") is None
    assert read_token(f"rp_{'9' * 10}_{SECRET}") is None


def test_only_the_secret_itself_fits_its_hash() -> None:
    kept = secret_hash(SECRET, b"salt")
    assert is_secret(SECRET, b"salt", kept)
    assert not is_secret(SECRET, b"other", kept)
    assert not is_secret(SECRET[:-1] + "0", b"salt", kept)
    assert not is_secret(SECRET, b"", b"")
    assert SECRET.encode() not in kept


def test_hashes_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[Any] = []
    monkeypatch.setattr(hmac, "compare_digest", lambda *both: compared.append(both) or True)
    assert is_secret(SECRET, b"salt", b"whatever")
    assert compared == [(secret_hash(SECRET, b"salt"), b"whatever")]
