"""Conditions that the writing and the reading side of the store share, as SQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rentpay_cli.core.phone import parse_phone


def who_is_meant(kind: str, reference: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Conditions on the table of owners, properties or tenants, with their values: the first that finds one counts.

    A number comes before a name in any case, and that before a tenant's phone number, in any way of writing it.
    """
    text = reference.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        yield f"{kind}.id = :meant", {"meant": int(text)}
    yield f"lower({kind}.name) = lower(:meant)", {"meant": text}
    if kind == "tenant":
        try:
            yield "tenant.phone = :meant", {"meant": parse_phone(text)}
        except ValueError:  # it is no phone number
            return
