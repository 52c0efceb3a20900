"""The table of what can be found that does not fit."""

from __future__ import annotations

import pytest

from rentpay_cli.core.access import RULES
from rentpay_cli.core.findings import CONTRARY, TABLE, FindingKind, where_to_look


@pytest.mark.parametrize("kind", FindingKind)
def test_each_kind_has_a_row_with_what_it_means_and_a_command_that_exists(kind: FindingKind) -> None:
    row = TABLE[kind]
    assert row.meaning.endswith(".")
    command = row.action.format(payment=7).partition("rentpay ")[2]
    assert any(command.startswith(f"{name} ") for name in RULES), command


def test_the_contrary_kinds_are_those_of_the_table() -> None:
    assert set(CONTRARY) == {kind for kind in FindingKind if TABLE[kind].is_contrary}
    assert FindingKind.CONTRADICTION in CONTRARY


@pytest.mark.parametrize(("payment", "command"), [(7, "status 7"), (None, "journal list --event disbelieved")])
def test_a_finding_is_looked_at_where_its_payment_is_or_else_in_the_journal(payment: int | None, command: str) -> None:
    assert where_to_look(payment) == f"rentpay {command}"
