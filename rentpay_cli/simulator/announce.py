"""How a started simulator introduces itself to a client's settings file."""

from __future__ import annotations

import json
import re

_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9_./:+=@%!-]+", re.ASCII)


def environment_block(environment: dict[str, str], base_url: str) -> str:
    """Lines of NAME=value with comments, for a .env file."""
    lines = [
        "# A local M-Pesa, started by `rentpay simulator`. No real money.",
        f"# What really happened: {base_url}/simulator/ledger",
        *(f"{name}={_value(value)}" for name, value in environment.items()),
    ]
    return "\n".join(lines) + "\n"


def environment_json(environment: dict[str, str], base_url: str) -> str:
    """The same as one JSON document."""
    return json.dumps({"success": True, "environment": environment, "baseUrl": base_url}) + "\n"


def _value(value: str) -> str:
    if _NEEDS_NO_QUOTES.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
