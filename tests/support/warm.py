"""What a process does once and tests would do each time: SQL is compiled, and commands are built, for all of them."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import typer.main
from sqlalchemy import Dialect, Engine, event

from rentpay_cli.cli.lazy import Listed
from rentpay_cli.store import engine


def compile_sql_once(patch: pytest.MonkeyPatch) -> None:
    """Let every engine use what was compiled for another of its kind, with the dialect that it was compiled for."""
    make = engine.create_engine
    warm: dict[type[Dialect], tuple[Dialect, dict[Any, Any]]] = {}

    def create_engine(url: str, **options: Any) -> Engine:
        made = make(url, **options)
        kind = type(made.dialect)
        if kind in warm:
            made.dialect, compiled = warm[kind]
            made.update_execution_options(compiled_cache=compiled)
        else:
            event.listen(made, "engine_connect", lambda _: warm.setdefault(kind, (made.dialect, {})))
        return made

    patch.setattr(engine, "create_engine", create_engine)


def build_commands_once(patch: pytest.MonkeyPatch) -> None:
    """Let every command line use the commands that another has built."""
    patch.setattr(typer.main, "get_command", functools.cache(typer.main.get_command))
    patch.setattr(Listed, "load", functools.cache(Listed.load))
