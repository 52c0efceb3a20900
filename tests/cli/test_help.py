"""`rentpay help`: its pages are shown whole, and nothing in them is named that there is not."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from rentpay_cli.cli.common import Invocation, invoked
from rentpay_cli.config import NAMES
from rentpay_cli.core.access import RULES, Role, reach
from rentpay_cli.flows.pages import pages
from tests.cli.conftest import Cli, Completed
from tests.cli.test_every_command import LISTED
from tests.test_house import HEAVY, imported_by

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "rentpay_cli"
PAGES = {page.topic: page for page in pages()}
TEXTS = {**{topic: page.text for topic, page in PAGES.items()}, "README": (ROOT / "README.md").read_text()}
NO_SETTINGS = {"RENTPAY_TOKEN", "RENTPAY_TOKEN_FILE", "RENTPAY_DEBUG"}
"""What is read from the environment alone."""

each_page = pytest.mark.parametrize("topic", PAGES)
each_text = pytest.mark.parametrize("name", TEXTS)


# --- the command -----------------------------------------------------------------------------------------------------


def test_a_file_that_is_dropped_in_is_a_page_and_its_first_line_is_the_title(cli: Cli) -> None:
    files = {path.stem: path.read_text().splitlines()[0] for path in (PACKAGE / "help").glob("*.md")}
    assert set(files) >= {"deploy", "safety", "access", "journal", "scripts", "chaos", "speed"}
    told = cli.json("help")["topics"]
    assert [f"# {each['title']}" for each in told] == [files[topic] for topic in sorted(files)]
    assert [each["topic"] for each in told] == sorted(files)
    ran = cli("help")
    for each in told:
        assert re.search(rf"^ {each['topic']} +{re.escape(each['title'])}$", ran.out, re.MULTILINE)
    assert "rentpay help TOPIC" in ran.err


@each_page
def test_a_page_is_one_document_with_all_its_text(cli: Cli, topic: str) -> None:
    page = PAGES[topic]
    document = {"success": True, "topic": topic, "title": page.title, "text": page.text}
    assert cli.json("help", topic) == document
    assert cli.json("help", topic.upper()) == document


@each_page
def test_a_page_loses_no_word_when_it_is_drawn(cli: Cli, topic: str) -> None:
    """Whatever Markdown it uses, and whether or not there is an empty line where one is needed."""
    ran = cli("help", topic)
    assert ran.status == 0
    assert words_of(ran.out) == words_of(re.sub(r"^```\w*$", "", PAGES[topic].text, flags=re.MULTILINE))
    assert "```" not in ran.out
    assert "**" not in ran.out


def words_of(text: str) -> list[str]:
    """All words, in no order: those of a table may stand in lines of their column."""
    return sorted(re.sub(r"[#|─]|---", " ", re.sub(r"[`*]", "", text)).split())


@pytest.mark.parametrize("command", ["disburse", "owner add", "owner", "journal list"])
def test_the_name_of_a_command_shows_the_help_of_that_command(cli: Cli, command: str) -> None:
    ran = cli("help", *command.split())
    assert ran == cli(*command.split(), "--help")
    assert f"Usage: rentpay {command} " in ran.out
    document = cli.json("help", *command.split())
    assert (document["topic"], document["text"].startswith(document["title"])) == (command, True)


def test_a_page_that_is_called_like_a_command_is_shown_and_leads_to_it(cli: Cli) -> None:
    ran = cli("help", "access")
    assert ran.out.startswith(PAGES["access"].title)
    assert "rentpay access --help" in ran.err
    assert cli("help", "safety").err == ""


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("saftey", "'safety'"), ("disburs", "'disburse'"), ("owner ad", "'owner'"), ("safety first", "'safety'")],
)
def test_a_page_that_there_is_not_ends_with_3_and_names_the_nearest(cli: Cli, asked: str, meant: str) -> None:
    ran = cli("help", *asked.split(), "--json")
    assert ran.refusal == (3, "not_found")
    assert ran.json["error"]["message"] == f"There is no page or command '{asked}'."
    assert ran.json["error"]["hint"].startswith(f"Did you mean {meant}")
    assert ran.json["error"]["hint"].endswith("See all with: rentpay help")


def test_topics_are_offered_to_the_shell(completed: Completed) -> None:
    assert completed("rentpay help ") == list(PAGES)
    assert completed("rentpay help sa") == ["safety"]
    assert any("safety" in line and PAGES["safety"].title in line for line in completed("rentpay help sa", "fish"))


def test_the_pages_travel_with_the_package() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["rentpay_cli"]
    packed = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    assert packed >= set((PACKAGE / "help").iterdir())


@pytest.mark.parametrize("arguments", [("help",), ("help", "safety"), ("help", "safety", "--json")])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert imported_by(*arguments) & (HEAVY | {"rich.console", "rich.table", "rich.markdown"}) == set()


# --- what the pages name ---------------------------------------------------------------------------------------------


@each_text
def test_every_command_line_is_understood(name: str) -> None:
    lines = list(command_lines(TEXTS[name]))
    assert lines
    for line in lines:
        if line.startswith(".venv/bin/python -m "):
            assert find_spec(line.split()[2]), line
        elif found := re.match(r"(?:.*[ =/])?rentpay (.+)", line):
            understand(shlex.split(found[1], comments=True))


def command_lines(text: str) -> Iterator[str]:
    """The lines for a shell, the command of a service, and what stands between backticks."""
    for language, code in re.findall(r"^```(.*)\n([^`]+)```$", text, re.MULTILINE):
        if language == "sh":
            yield from filter(None, code.splitlines())
        elif language == "ini":
            yield from re.findall("^ExecStart=.*", code, re.MULTILINE)
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from (" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose))


def understand(words: list[str]) -> None:
    """A command may be named alone; what stands after its name must be right, and whole."""
    command: Any = None
    path: list[str] = []
    known: dict[str, Any] = LISTED
    while words and words[0] in known:
        path.append(words.pop(0))
        command = known[path[-1]].load() if known is LISTED else known[path[-1]]
        known = getattr(command, "commands", {})
    if words in (["--version"], ["--help"]):
        return
    assert path, words
    if known:
        assert not words or words[0].startswith("-"), [*path, *words]
    if path == ["help"]:
        assert not words or words[0] in [*PAGES, "TOPIC"], words
    if words:
        with invoked(Invocation()):
            command.make_context(" ".join(path), words)  # raises for what it does not know, and for what is lacking


@pytest.mark.parametrize(
    "line",
    ["sendd 1", "owner remove 1", "disburse 1 --now", "callbacks replay 7", "help safty", "payments --limit ten"],
)
def test_a_command_line_that_is_wrong_is_noticed(line: str) -> None:
    import typer

    with pytest.raises((AssertionError, typer.TyperException)):
        understand(line.split())


@each_text
def test_every_setting_and_file_that_is_named_is_there(name: str) -> None:
    settings = set(re.findall(r"\b(?:MPESA|RENTPAY|PLATFORM|AUTO)_[A-Z_]+", TEXTS[name]))
    unknown = settings - set(NAMES) - NO_SETTINGS
    assert {each for each in unknown if not (each.endswith("_") and " ".join(NAMES).count(each))} == set()
    for file in re.findall(r"`((?:\w+/)+\w+\.py|tests/\w+)`", TEXTS[name]):
        assert (ROOT / file).exists() or (PACKAGE / file).exists(), file


@pytest.mark.parametrize("role", [Role.OWNER, Role.TENANT])
def test_the_page_about_access_names_what_a_role_may_use_and_no_more(role: Role) -> None:
    (item,) = re.findall(rf"^- An? \*\*{role}\*\* may use ([^.]+)\.", PAGES["access"].text, re.MULTILINE)
    named = re.findall(r"`rentpay ([^`]+)`", item)
    assert sorted(named) == sorted(command for command in RULES if reach(role, command))


def test_the_page_for_scripts_has_every_exit_status() -> None:
    from rentpay_cli import errors

    told = {int(status) for status in re.findall(r"^\| (\d+) \|", PAGES["scripts"].text, re.MULTILINE)}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert told == {kind.exit_status for kind in kinds} | {0, 130}
