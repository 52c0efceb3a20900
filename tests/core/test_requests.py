"""Who may decide what needs a second person."""

from __future__ import annotations

import pytest

from rentpay_cli.core.requests import needs_another


@pytest.mark.parametrize(
    ("asked", "decided", "needs_two", "admins", "another"),
    [
        (1, 1, True, 2, True),
        (1, 1, False, 2, True),  # there are two by now
        (1, 1, True, 1, True),  # two were needed when it was asked
        (1, 1, False, 1, False),
        (1, 2, True, 2, False),
        (None, 1, False, 2, False),  # it was asked before anybody had access
        (None, None, False, 0, False),
    ],
)
def test_another_must_confirm_where_there_are_two(
    asked: int | None, decided: int | None, needs_two: bool, admins: int, another: bool
) -> None:
    assert needs_another(asked, decided, needs_two=needs_two, admins=admins) is another
