"""What holds after every story."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rentpay_cli.runtime import Runtime
from tests.support.books import misfits


@pytest.fixture(autouse=True)
def the_books_fit(rt: Runtime) -> Iterator[None]:
    yield
    assert misfits(rt.reader) == []
