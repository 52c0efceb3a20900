"""What the house asks of its own code: tools that are content, a quick start, settings that are all explained."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

import pytest

from rentpay_cli.config import NAMES
from rentpay_cli.core import codes
from rentpay_cli.core.attempt import Direction, State
from rentpay_cli.core.callbacks import Address, CallbackState, EnquiryKind, EnquiryState
from rentpay_cli.core.collect import Method, ReceivedBy, WayIn
from rentpay_cli.core.evidence import Source
from rentpay_cli.core.findings import FindingKind
from rentpay_cli.core.float_reading import ReadingSource
from rentpay_cli.core.notices import Audience, NoticeKind, NoticeState
from rentpay_cli.core.paybill import ChangeState
from rentpay_cli.core.payout import (
    DisbursementStatus,
    HoldKind,
    PayableKind,
    PayableStatus,
    PaymentStatus,
    StopKind,
    Way,
)
from tests.cli.conftest import OFFLINE

ROOT = Path(__file__).parents[1]
LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"
HEAVY = {"sqlmodel", "sqlalchemy", "alembic", "httpx", "cryptography", "uvicorn", "starlette", "structlog", "pydantic"}

# What is installed under another name than it is imported by.
IMPORT_NAMES = {"python-dotenv": "dotenv"}
CHOSEN_BY_UVICORN = {"httptools", "uvloop"}


@pytest.mark.parametrize(
    "tool",
    [
        ("-m", "ruff", "check", "."),
        ("-m", "ruff", "format", "--check", "."),
        ("-m", "mypy"),
        ("-c", LINT_IMPORTS, "--no-cache"),
    ],
    ids=["ruff check", "ruff format", "mypy", "lint-imports"],
)
def test_the_tools_are_content(tool: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, *tool], cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, **PLAIN}
    )
    assert done.returncode == 0, done.stdout + done.stderr


PLAIN = {"NO_COLOR": "1", "COLUMNS": "120"}


def imported_by(*arguments: str, **settings: str) -> set[str]:
    """The packages and modules that a command brings into a fresh process."""
    script = (
        "import sys\n"
        "from rentpay_cli.cli.app import run\n"
        f"status = run({list(arguments)!r})\n"
        "print('|' + ' '.join(sorted(sys.modules)) + f'|{status}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **settings}, capture_output=True, text=True, check=True
    )
    names, status = done.stdout.rsplit("|", 2)[1:]
    assert status.strip() == "0", done.stdout + done.stderr
    return set(names.split())


@pytest.mark.parametrize("arguments", [("--version",), ("explain", "1", "--json")])
def test_the_smallest_commands_import_next_to_nothing(arguments: tuple[str, ...]) -> None:
    assert imported_by(*arguments) & (HEAVY | {"rich"}) == set()


def test_the_help_imports_no_command_and_nothing_heavy() -> None:
    found = imported_by("--help")
    assert found & HEAVY == set()
    assert {name for name in found if name.startswith("rentpay_cli.cli.")} == {
        f"rentpay_cli.cli.{name}" for name in ("app", "common", "lazy", "output", "show", "terminal")
    }


def test_a_command_imports_no_other() -> None:
    """Each group's module would cost every command a part of its start."""
    others = {f"rentpay_cli.cli.{name}" for name in ("collect", "disburse", "look", "register", "report", "journal")}
    assert imported_by("explain", "1") & others == set()


def test_the_process_of_a_command_puts_off_the_collection_of_garbage_and_gives_it_up_at_the_end() -> None:
    script = (
        "import atexit, gc, sys\n"
        "from rentpay_cli.__main__ import main\n"
        "atexit.register(lambda: print(gc.get_threshold()[0], gc.isenabled(), gc.get_freeze_count() > 10_000))\n"
        "sys.argv = ['rentpay', '--version']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == ["100000 True True"]


def test_no_code_of_ours_lays_hands_on_another_package_s_modules() -> None:
    """Whoever imports a package gets it as it is, not as we would like it."""
    assert [place for path in sorted((ROOT / "rentpay_cli").rglob("*.py")) for place in hands_on(path)] == []


def hands_on(path: Path) -> Iterator[str]:
    """Where the file names `sys.modules`, or sets an attribute of something that it imported by name."""
    tree = ast.parse(path.read_text())
    imported = {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    } - OURS_TO_SET
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name("sys"), attr="modules"):
                yield f"{path.name}:{node.lineno}"
            case ast.Attribute(ctx=ast.Store() | ast.Del()) if _root(node) in imported:
                yield f"{path.name}:{node.lineno}"
            case ast.Call(func=ast.Name("setattr" | "delattr"), args=[ast.Name(name), *_]) if name in imported:
                yield f"{path.name}:{node.lineno}"


OURS_TO_SET = {"sys"}
"""Python documents that a program may put its own streams for `sys.stdout` and `sys.stderr`."""


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def test_the_terminal_does_no_arithmetic_about_money() -> None:
    """It shows sums of cents that core or a query has made."""
    assert [place for path in sorted((ROOT / "rentpay_cli/cli").glob("*.py")) for place in sums_in(path)] == []


def sums_in(path: Path) -> Iterator[str]:
    """Where the file reckons with cents, or compares which are more."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.BinOp(left=left, right=right):
                parts = [left, right]
            case ast.AugAssign(target=target, value=value):
                parts = [target, value]
            case ast.Compare(left=left, ops=ops, comparators=others) if not any(map(_asks_whether_same, ops)):
                parts = [left, *others]
            case ast.Call(func=ast.Name("sum" | "min" | "max" | "round" | "divmod")):
                parts = [part for argument in node.args for part in ast.walk(argument) if isinstance(part, ast.expr)]
            case _:
                continue
        if any(map(_is_money, parts)):
            yield f"{path.name}:{node.lineno} {ast.unparse(node)}"


def _asks_whether_same(operator: ast.cmpop) -> bool:
    return isinstance(operator, ast.Eq | ast.NotEq | ast.Is | ast.IsNot | ast.In | ast.NotIn)


def _is_money(part: ast.expr) -> bool:
    match part:
        case ast.Name(name) | ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(str(name))):
            return name.endswith("cents")
        case ast.Call(func=ast.Name("int" | "float" | "abs" | "shillings")):
            return any(map(_is_money, part.args))
    return False


def test_a_status_is_compared_with_its_enum_and_with_no_text() -> None:
    found = {path.name for path in (ROOT / "rentpay_cli/cli").glob("*.py") if any(compared_with_a_text(path))}
    assert found == set()


STATUSES = {*PaymentStatus, *PayableStatus, *State}


def compared_with_a_text(path: Path) -> Iterator[int]:
    """The lines that ask whether something is a status, which stands there as a text."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Compare(ops=[ast.Eq() | ast.NotEq()], comparators=[ast.Constant(str(text))]):
                texts = {text}
            case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[ast.Tuple(among) | ast.Set(among)]):
                texts = {each.value for each in among if isinstance(each, ast.Constant)}
            case _:
                continue
        if texts and texts <= STATUSES:
            yield node.lineno


def test_below_the_terminal_no_state_or_kind_of_anything_is_a_text() -> None:
    package = ROOT / "rentpay_cli"
    folders = [package / name for name in ("core", "flows", "service", "store", "store/write")]
    paths = [path for folder in folders for path in sorted(folder.glob("*.py")) if path.name != "tables.py"]
    assert [place for path in paths for place in states_as_texts(path)] == []


ENUMS: tuple[type[StrEnum], ...] = (
    *(State, Direction, PaymentStatus, PayableStatus, PayableKind, DisbursementStatus, Way, HoldKind, StopKind),
    *(Address, CallbackState, EnquiryKind, EnquiryState, NoticeKind, NoticeState, Audience, ChangeState, FindingKind),
    *(Source, ReadingSource, Method, WayIn, ReceivedBy, codes.Advice, codes.Family),
)
WORDS = {each.value for enum in ENUMS for each in enum} - {ReceivedBy.OWNER.value, Way.NONE.value}
"""An owner is also somebody in the register, and "none" a revision."""
SAY_A_STATE = {"state", "status", "kind", "way", "method", "received_by", "learned_by", "source", "direction", "advice"}


def states_as_texts(path: Path) -> Iterator[str]:
    """Where the file compares something with a word of an enum, or sets or passes a state that is a text."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Compare(left=left, comparators=others):
                parts = [left, *others]
            case ast.keyword(arg=str(name), value=value) if name in SAY_A_STATE:
                parts = [value]
            case ast.Assign(targets=[ast.Attribute(attr=name)], value=value) if name in SAY_A_STATE:
                parts = [value]
            case ast.Call(args=[ast.Name("session"), *parts]):  # a function of the store is told it
                pass
            case ast.Dict(keys=keys, values=values):
                parts = [value for key, value in zip(keys, values, strict=True) if _names_a_state(key)]
            case _:
                continue
        if any(word in WORDS for part in parts for word in _texts(part)):
            yield f"{path.name}:{node.lineno} {ast.unparse(node)[:80]}"


def _names_a_state(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and key.value in SAY_A_STATE


def _texts(part: ast.expr) -> list[object]:
    each = part.elts if isinstance(part, ast.Tuple | ast.List | ast.Set) else [part]
    return [one.value for one in each if isinstance(one, ast.Constant)]


def test_no_row_without_a_number_is_taken_for_row_0() -> None:
    """What is in the database has a number; `number_of` says so, and fails where it is not there yet."""
    found = [
        path.name for path in (ROOT / "rentpay_cli").rglob("*.py") if re.search(r"[_.]id or 0\b", path.read_text())
    ]
    assert found == []


def test_outside_the_store_there_is_no_sql_and_nobody_asks_which_database_it_is() -> None:
    package = ROOT / "rentpay_cli"
    outside = [path for path in sorted(package.rglob("*.py")) if package / "store" not in path.parents]
    found = [place for path in outside for place in sql_in(path)]
    assert [place for place in found if not place.startswith("config.py:")] == [], "but the setting that says it"


_SQL = re.compile(r"\b(SELECT\b.+\bFROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM|PRAGMA)\b", re.DOTALL)
LENT = {"Session", "Connection", "SQLAlchemyError", "IntegrityError"}
"""What is handed on, and what is caught."""


def sql_in(path: Path) -> Iterator[str]:
    """Where the file writes SQL, makes a query, changes a row by itself, or tells one database from the other."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Constant(str(text)) if _SQL.search(text):
                yield f"{path.name}:{node.lineno} {text[:60]}"
            case ast.ImportFrom(module=str(module), names=names) if module.split(".")[0] in ("sqlalchemy", "sqlmodel"):
                if {each.name for each in names} - LENT:
                    yield f"{path.name}:{node.lineno} {ast.unparse(node)}"
            case ast.Call(func=ast.Attribute(value=ast.Name("session"), attr=attr)) if attr != "connection":
                yield f"{path.name}:{node.lineno} session.{attr}"
            case ast.Attribute(attr="is_sqlite"):
                yield f"{path.name}:{node.lineno} {ast.unparse(node)}"
            case ast.Call(func=ast.Attribute(attr="startswith" | "removeprefix"), args=[ast.Constant(str(text))]):
                if text.startswith(("sqlite", "postgresql")):
                    yield f"{path.name}:{node.lineno} {ast.unparse(node)}"


def test_no_sentence_decides_anything() -> None:
    """What somebody typed, or who it was, is kept to be read by people; what follows is decided by kinds and states."""
    found = [place for path in (ROOT / "rentpay_cli").rglob("*.py") for place in sentences_asked_in(path)]
    assert found == []


SENTENCES = re.compile(r"(.*_)?(reason|note|outcome|because|actor)|.+_by")


def sentences_asked_in(path: Path) -> Iterator[str]:
    """Where the file asks what a sentence, or the name of whoever did something, says."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Compare(left=left, comparators=others):
                sides = [left, *others]
                asked = sides if any(isinstance(side, ast.Constant) and side.value for side in sides) else []
            case ast.Call(func=ast.Attribute(value=value, attr="startswith" | "endswith" | "find" | "count")):
                asked = [part for part in ast.walk(value) if isinstance(part, ast.expr)]
            case _:
                continue
        if any(_is_sentence(part) for part in asked):
            yield f"{path.name}:{node.lineno} {ast.unparse(node)}"


def _is_sentence(part: ast.expr) -> bool:
    match part:
        case ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(str(name))) | ast.Name(name):
            return SENTENCES.fullmatch(name) is not None
    return False


def test_the_codes_of_mpesa_stand_in_their_table_alone() -> None:
    package = ROOT / "rentpay_cli"
    besides = [path for path in sorted(package.rglob("*.py")) if path.parent.name != "simulator"]
    found = [place for path in besides if path.name != "codes.py" for place in codes_in(path)]
    assert found == []


_SAFE_TO_NAME = re.compile(r"[0-9]{1,3}|ruling")
"""Too short, or too common a word, to be a code wherever it stands: a code where something is compared with it."""
_CODES_OF_THE_GATEWAY = re.compile(r"[0-9]{3}\.[0-9]{3}\.[0-9]{2,4}")


def codes_in(path: Path) -> Iterator[str]:
    """Where the file writes a code that the table has, or compares something with a number in quotation marks."""
    known = {row.code for row in codes.TABLE.values()}
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Constant(str(text)) if _CODES_OF_THE_GATEWAY.fullmatch(text):
                yield f"{path.name}:{node.lineno} {text}"
            case ast.Constant(str(text)) if text in known and not _SAFE_TO_NAME.fullmatch(text):
                yield f"{path.name}:{node.lineno} {text}"
            case ast.Compare() if path.parent.name in ("daraja", "flows", "core", "service", "store"):
                parts = [part for side in (node.left, *node.comparators) for part in ast.walk(side)]
                if any(isinstance(part, ast.Constant) and part.value in known for part in parts):
                    yield f"{path.name}:{node.lineno} {ast.unparse(node)}"


def test_no_module_keeps_what_one_run_would_leave_to_the_next() -> None:
    package = ROOT / "rentpay_cli"
    kept = {str(path.relative_to(package)) for path in package.rglob("*.py") if any(changes_of_its_own(path))}
    assert kept == KEEPS


KEEPS = {"core/redact.py"}
"""It keeps which secrets this process has read, so that none of them leaves it, whichever thread speaks."""
COLLECTIONS = {"set", "dict", "list", "defaultdict", "deque", "Counter"}
CHANGES = {"append", "extend", "insert", "update", "setdefault", "pop", "popitem", "clear", "add", "discard", "remove"}


def changes_of_its_own(path: Path) -> Iterator[int]:
    """The lines that change what stands in the module itself: a name, or what is in a thing or a collection."""
    tree = ast.parse(path.read_text())
    values = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Global():
                yield node.lineno
            case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store() | ast.Del()):
                if _root(node.value) in values:
                    yield node.lineno
            case ast.Call(func=ast.Attribute(value=ast.Name(name), attr=attr)) if name in values and attr in CHANGES:
                if _is_collection(values[name]):
                    yield node.lineno


def _is_collection(value: ast.expr | None) -> bool:
    match value:
        case ast.Call(func=ast.Name(name) | ast.Subscript(value=ast.Name(name))):
            return name in COLLECTIONS
    return isinstance(value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp)


@pytest.mark.parametrize(
    "arguments",
    [
        ("payments",),
        ("payments", "--json"),
        ("history", "1"),
        ("owner", "list"),
        ("payments", "--format", "csv"),
        ("report", "revenue"),
        ("report", "disbursements"),
        ("status", "1"),
        ("health",),
        ("callbacks", "list"),
        ("journal", "list"),
        ("journal", "head"),
    ],
)
def test_the_commands_that_are_typed_most_do_without_the_heavy_packages(
    new_sqlite: Callable[[], str], arguments: tuple[str, ...]
) -> None:
    import sqlite3

    url = new_sqlite()
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("INSERT INTO owner (id, name, created_at) VALUES (1, 'Wanjiru Kamau', 0)")
        connection.execute(
            "INSERT INTO property (id, name, owner_id, paybill, account_number, rent_cents, created_at)"
            " VALUES (1, 'Sunset Apartments', 1, '600001', 'PROP001', 1000000, 0)"
        )
        connection.execute(
            "INSERT INTO payment (owner_id, property_id, method, amount_cents, fee_cents, share_cents, status,"
            " owner_paybill, owner_account_number, created_at)"
            " VALUES (1, 1, 'mpesa', 1000000, 50000, 950000, 'failed', '600001', 'PROP001', 0)"
        )
    connection.close()
    found = imported_by(*arguments, **OFFLINE, RENTPAY_DATABASE_URL=url)
    assert found & (HEAVY | {"rich.console", "rich.table"}) == set()


def modules_imported(folder: Path) -> set[str]:
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found


def test_every_dependency_is_imported_somewhere_and_everything_imported_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [text for name, names in project["optional-dependencies"].items() if name != "dev" for text in names]
    named = {re.split(r"[^A-Za-z0-9._-]", text)[0] for text in [*project["dependencies"], *extras]}
    wanted = {IMPORT_NAMES.get(name, name) for name in named}
    used = modules_imported(ROOT / "rentpay_cli")
    assert wanted - used - CHOSEN_BY_UVICORN == set()
    assert used - wanted - set(sys.stdlib_module_names) - {"rentpay_cli", "sqlalchemy"} == set()


def test_the_example_settings_name_every_setting_and_no_other() -> None:
    text = (ROOT / ".env.example").read_text()
    named = re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE)
    assert sorted(named) == sorted(NAMES)


def test_no_test_data_of_others_is_in_the_repository() -> None:
    recorded = list((ROOT.parent / "shared" / "payloads").glob("*.json"))
    ours = {path.name for path in ROOT.rglob("*.json") if ".mypy_cache" not in path.parts}
    assert ours & {path.name for path in recorded} == set()
