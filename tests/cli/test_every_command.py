"""What holds for every command there is: help with examples, one JSON document, no escape codes in a pipe."""

from __future__ import annotations

import inspect
import json
import pkgutil
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
import typer

from rentpay_cli import __version__
from rentpay_cli import cli as cli_package
from rentpay_cli.cli.app import app, run
from rentpay_cli.cli.common import Invocation, invocation, invoked
from rentpay_cli.errors import NotFound, RentpayError
from tests.cli.conftest import OFFLINE, Cli

ESCAPE = re.compile(r"\x1b")


def every_command() -> Iterator[tuple[tuple[str, ...], Any]]:
    def below(commands: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        for name, command in sorted(commands.items()):
            if hasattr(command, "commands"):
                yield from below(command.commands, (*path, name))
            else:
                yield (*path, name), command

    yield from below({name: listed.load() for name, listed in LISTED.items()}, ())


def every_group() -> list[tuple[str, ...]]:
    return sorted({path[:-1] for path, _ in every_command()} - {("journal",)})  # which alone lists


LISTED: dict[str, Any] = typer.main.get_group(app).commands
COMMANDS = list(every_command())
PATHS = [path for path, _ in COMMANDS]


def test_the_contract_s_commands_are_there() -> None:
    promised = """demo, simulator, credential encrypt, credential check, owner add, owner list, owner show, owner edit,
        property add, property list, property show, property edit, tenant add, tenant list, tenant show, tenant edit,
        initiate, record-payment, disburse, retry-failed, status, payments, history, balance, report revenue, explain,
        serve-callbacks"""
    assert {" ".join(name.split()) for name in promised.split(",")} <= {" ".join(path) for path in PATHS}


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_a_command_has_help_with_an_example_that_names_it(cli: Cli, path: tuple[str, ...]) -> None:
    for option in ("--help", "-h"):
        ran = cli(*path, option)
        assert (ran.status, ran.err) == (0, "")
    words = " ".join(path)
    assert f"Usage: rentpay {words}" in ran.out
    assert f"$ rentpay {words}" in ran.out
    assert "--json" in ran.out
    assert "--yes" in ran.out
    assert "--env-file" in ran.out


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) for path in PATHS])
def test_every_option_says_what_it_is(path: tuple[str, ...], command: Any) -> None:
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{' '.join(path)}: {parameter.name}"


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) for path in PATHS])
def test_every_example_is_understood_by_its_own_command(path: tuple[str, ...], command: Any) -> None:
    import shlex

    for example in command._examples:
        line, _, _ = example.partition(" >")
        words = shlex.split(line)
        while words and "=" in words[0]:
            words.pop(0)
        assert tuple(words[1 : 1 + len(path)]) == path, example
        with invoked(Invocation()):
            command.make_context(" ".join(path), words[1 + len(path) :])  # raises for an option that there is not


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
@pytest.mark.parametrize("where", ["before", "after"])
def test_wrong_use_is_one_json_document_with_status_2(cli: Cli, path: tuple[str, ...], where: str) -> None:
    wrong = ("--json", "--no-such-option") if where == "before" else ("--no-such-option", "--json")
    ran = cli(*path, *wrong)
    assert ran.refusal == (2, "wrong_use")
    assert ran.json["error"]["hint"] == f"See: rentpay {' '.join(path)} --help"
    assert ran.err == ""


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_wrong_use_is_a_sentence_on_standard_error(cli: Cli, path: tuple[str, ...]) -> None:
    ran = cli(*path, "--no-such-option")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("Error: No such option: --no-such-option")
    assert f"See: rentpay {' '.join(path)} --help" in ran.err


@pytest.mark.parametrize("group", every_group(), ids=lambda group: " ".join(group) or "rentpay")
def test_a_group_alone_shows_its_commands(cli: Cli, group: tuple[str, ...]) -> None:
    ran = cli(*group)
    assert f"Usage: rentpay {' '.join(group)}".strip() in ran.out
    assert "Commands" in ran.out or "Look" in ran.out
    ran = cli(*group, "no-such-command", "--json")
    assert ran.refusal == (2, "wrong_use")


ARGUMENTS = {"payment": "1", "owner": "1", "reference": "1", "property": "1", "name": "N", "phone": "0712345678"}
ARGUMENTS |= {"paybill": "247247", "account": "A", "rent": "1", "amount": "1"}


def complete(command: Any) -> list[str]:
    """The arguments and options that the command cannot do without."""
    words: list[str] = []
    for parameter in command.params:
        if parameter.required:
            value = ARGUMENTS.get(parameter.name, "1")
            words += [value] if parameter.param_type_name == "argument" else [parameter.opts[0], value]
    return words


WITHOUT_SETTINGS = {("demo",), ("explain",), ("help",), ("init",), ("simulator",), ("credential", "encrypt")}
WITHOUT_SETTINGS |= {("notify", "templates")}
OF_THEIR_OWN = {("doctor",), ("watch",)}  # which say it in another way: see the tests below
CONFIGURED = [(path, command) for path, command in COMMANDS if path not in WITHOUT_SETTINGS | OF_THEIR_OWN]
RULING = ["--not-paid", "--reason", "R"]


def test_every_command_that_is_written_is_in_the_table_or_in_a_group_of_it() -> None:
    """A command is known by the examples in its docstring."""
    modules = [import_module(f"rentpay_cli.cli.{found.name}") for found in pkgutil.iter_modules(cli_package.__path__)]
    written = {
        function
        for module in modules
        for function in vars(module).values()
        if inspect.isfunction(function) and "Examples:" in (function.__doc__ or "")
    }
    assert len(set(PATHS)) == len(PATHS) == len(written)
    assert {inspect.unwrap(command.callback) for _, command in COMMANDS} == written
    assert set(PATHS) >= WITHOUT_SETTINGS | OF_THEIR_OWN


@pytest.mark.parametrize("name", LISTED)
def test_a_command_s_help_begins_with_its_line_of_the_table_and_says_it_once(name: str) -> None:
    listed, command = LISTED[name], LISTED[name].load()
    line, *more = command.help.split("\n\n")
    assert (listed.name, listed.help, listed.get_short_help_str()) == (command.name, line, command.get_short_help_str())
    again = line.partition(". ")[0].removesuffix(".")
    assert [paragraph for paragraph in more if again in paragraph] == []


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_a_misspelt_command_gets_a_suggestion(cli: Cli, path: tuple[str, ...]) -> None:
    *group, name = path
    ran = cli(*group, f"{name}s", "--json")
    assert ran.refusal == (2, "wrong_use")
    assert ran.json["error"]["message"].startswith(f"No such command '{name}s'. Did you mean '")
    assert f"'{name}'" in ran.json["error"]["message"]


@pytest.mark.parametrize(("path", "command"), CONFIGURED, ids=[" ".join(path) for path, _ in CONFIGURED])
def test_missing_and_bad_settings_end_with_4_before_anything_is_made(
    cli: Cli, path: tuple[str, ...], command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    cli.forget(*OFFLINE, "RENTPAY_DATABASE_URL")
    for settings, word in (
        ({}, "MPESA_ENVIRONMENT"),
        ({"MPESA_ENVIRONMENT": "live"}, "MPESA_ENVIRONMENT"),
        ({"MPESA_ENVIRONMENT": "sandbox", "PLATFORM_FEE_PERCENTAGE": "105"}, "PLATFORM_FEE_PERCENTAGE"),
    ):
        cli.configure(**settings)
        ran = cli(*path, *complete(command), *(RULING if path == ("resolve",) else []), "--json")
        assert ran.refusal == (4, "configuration"), ran
        assert word in ran.json["error"]["message"]
        assert ran.json["error"]["hint"]
    assert not list(Path.cwd().rglob("*.db"))[1:]  # the one of the fixture


def test_doctor_tells_bad_settings_as_a_finding_in_one_document(cli: Cli) -> None:
    cli.configure(MPESA_ENVIRONMENT="live")
    ran = cli("doctor", "--json")
    assert ran.status == 6
    (wrong,) = [check for check in ran.json["checks"] if check["result"] == "wrong"]
    assert (ran.json["healthy"], wrong["name"]) == (False, "configuration")
    assert "MPESA_ENVIRONMENT" in wrong["message"]


def test_watch_never_has_a_document_whatever_the_settings_are(cli: Cli) -> None:
    cli.configure(MPESA_ENVIRONMENT="live")
    assert cli("watch", "--json").refusal == (2, "wrong_use")


@pytest.mark.parametrize("path", sorted(WITHOUT_SETTINGS - {("demo",), ("simulator",)}), ids=" ".join)
def test_what_needs_no_settings_answers_in_one_document_without_them(cli: Cli, path: tuple[str, ...]) -> None:
    cli.forget(*OFFLINE, "RENTPAY_DATABASE_URL")
    ran = cli(*path, *complete(dict(COMMANDS)[path]), "--json")
    assert ran.json["success"] is (ran.status == 0)
    assert "MPESA_ENVIRONMENT" not in ran.out


def test_an_env_file_that_is_not_there_ends_with_4(cli: Cli) -> None:
    ran = cli("payments", "--env-file", "nothing.env", "--json")
    assert ran.refusal == (4, "configuration")
    assert "nothing.env" in ran.json["error"]["message"]


@pytest.mark.parametrize(
    "command",
    [
        ("--help",),
        ("owner", "--help"),
        ("payments", "--help"),
        ("payments",),
        ("owner", "list"),
        ("status", "9"),
        ("report", "revenue"),
        ("explain", "1"),
        ("no-such",),
    ],
)
def test_no_escape_code_goes_into_a_pipe(cli: Cli, command: tuple[str, ...]) -> None:
    ran = cli(*command)
    assert not ESCAPE.search(ran.out + ran.err)


def test_the_whole_help_names_every_command_and_where_to_begin(cli: Cli) -> None:
    ran = cli("--help")
    assert ran.status == 0
    for path in PATHS:
        assert re.search(rf"\b{re.escape(path[0])}\b", ran.out), path
    assert "rentpay demo" in ran.out


def test_the_version_is_told(cli: Cli) -> None:
    from rentpay_cli import __version__

    ran = cli("--version")
    assert (ran.status, ran.out) == (0, f"rentpay {__version__}\n")


def test_every_kind_of_failure_has_its_own_status(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def below(kind: type[RentpayError]) -> Iterator[type[RentpayError]]:
        yield kind
        for sub in kind.__subclasses__():
            yield from below(sub)

    statuses = {}
    for kind in below(RentpayError):

        def fail(*_: Any, kind: type[RentpayError] = kind, **__: Any) -> None:
            raise kind("It went wrong.", "Do this.")

        monkeypatch.setattr("rentpay_cli.flows.look.payment_number", fail)
        ran = cli("status", "1", "--json")
        assert ran.json["error"] == {"code": kind.code, "message": "It went wrong.", "hint": "Do this."}
        statuses[kind.__name__] = ran.status
    assert statuses["RuleRefused"] == statuses["MpesaUnreachable"] == 1
    assert (statuses["WrongUse"], statuses["NotFound"], statuses["BadConfiguration"]) == (2, 3, 4)
    assert (statuses["BadDatabase"], statuses["OutcomeUnknown"], statuses["NeedsAttention"]) == (4, 5, 6)
    assert statuses["NotAllowed"] == 7


def test_an_interruption_is_told_with_status_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rentpay_cli.flows.look.payment_number", interrupt)
    assert cli("status", "1", "--json").refusal == (130, "interrupted")
    assert "Interrupted" in cli("status", "1").err


def test_one_run_leaves_nothing_behind_for_the_next(cli: Cli) -> None:
    cli("payments", "--json", "--yes", "--env-file", "nothing.env")
    ran = cli("payments")
    assert ran.status == 0
    with pytest.raises(json.JSONDecodeError):
        json.loads(ran.out)
    with pytest.raises(LookupError):
        invocation()


@pytest.fixture
def seen_of_runs(monkeypatch: pytest.MonkeyPatch) -> list[Invocation]:
    """What each run of `status` knew of itself when it looked for its payment, which is not there."""
    seen: list[Invocation] = []

    def look_for(_: Any, reference: str) -> int:
        invocation().sent.append(int(reference))
        seen.append(replace(invocation(), sent=[*invocation().sent]))
        raise NotFound(f"There is no payment {reference}.", "")

    monkeypatch.setattr("rentpay_cli.flows.look.payment_number", look_for)
    return seen


def test_each_run_knows_its_own_request_and_no_other_s(cli: Cli, seen_of_runs: list[Invocation], tmp_path: Any) -> None:
    settings = tmp_path / "empty.env"
    settings.touch()
    cli("status", "1", "--json", "--yes", "--env-file", str(settings))
    cli("status", "2")
    assert seen_of_runs == [
        Invocation(json=True, yes=True, env_file=str(settings), command="status", sent=[1]),
        Invocation(command="status", sent=[2]),
    ]


def test_two_runs_at_once_in_two_threads_do_not_see_each_other(
    cli: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=30)

    def look_for(_: Any, reference: str) -> int:
        both.wait()  # each has read its command line, and neither has answered
        raise NotFound(f"There is no payment {reference}.", "")

    monkeypatch.setattr("rentpay_cli.flows.look.payment_number", look_for)
    with ThreadPoolExecutor(2) as pool:
        statuses = list(pool.map(run, [["status", "1", "--json"], ["status", "2"]]))
    assert statuses == [3, 3]
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["message"] == "There is no payment 1."
    assert captured.err == "Error: There is no payment 2.\n"


# --- the rest --------------------------------------------------------------------------------------------------------


def test_a_database_that_is_none_is_refused(cli: Cli, tmp_path: Any) -> None:
    path = tmp_path / "notes.db"
    path.write_text("these are my notes, and no database\n" * 50)
    cli.configure(RENTPAY_DATABASE_URL=f"sqlite:///{path}")
    for command in (("payments",), ("owner", "add", "--name", "N"), ("database", "upgrade")):
        ran = cli(*command, "--json")
        assert ran.refusal == (4, "database")
        assert str(path) in ran.json["error"]["message"]


def test_a_port_that_is_taken_is_said_with_status_1(cli: Cli) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = cli("serve-callbacks", "--port", port, "--json")
        assert ran.refusal == (1, "port_taken")
        assert "--port" in ran.json["error"]["hint"]
        ran = cli("simulator", "--port", port, "--json")
        assert ran.refusal == (1, "port_taken")


@pytest.mark.parametrize(
    "fault", ["nonsense", "b2b:nonsense", "nothing:lost", "b2b:lost,times=0", "b2b:result", "b2b:lost,probability=2"]
)
def test_a_fault_that_has_no_meaning_is_refused(cli: Cli, fault: str) -> None:
    ran = cli("simulator", "--port", "0", "--fault", fault, "--json")
    assert ran.refusal == (2, "wrong_use")
    assert re.search(r"choose one of|write |needs|not possible|not a number", ran.json["error"]["message"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("callbacks", "show", "abc"), "'abc' is not a whole number."),
        (("payments", "--limit", "0"), "0 is not possible: it must be at least 1."),
        (("payments", "--limit", "ten"), "'ten' is not a whole number."),
        (("simulator", "--port", "99999"), "99999 is not possible: it must be from 0 to 65535."),
        (("simulator", "--delay", "soon"), "'soon' is not a number."),
        (("watch", "--interval", "0"), "0.0 is not possible: it must be at least 0.2."),
    ],
)
def test_a_number_that_is_none_or_out_of_range_is_told_in_plain_words(
    cli: Cli, arguments: tuple[str, ...], words: str
) -> None:
    ran = cli(*arguments, "--json")
    assert ran.refusal == (2, "wrong_use")
    assert ran.json["error"]["message"].endswith(words)


def test_the_version_is_one_document_when_asked(cli: Cli) -> None:
    assert cli.json("--version") == {"success": True, "version": __version__}
    assert cli("--version").out == f"rentpay {__version__}\n"
