"""`rentpay init`: the first settings, asked for and checked one by one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rentpay_cli.cli import show
from rentpay_cli.cli.common import admit_to, confirm, fitting, invocation, say_made, talk

if TYPE_CHECKING:
    from rentpay_cli.config import Settings
    from rentpay_cli.flows.setup import Question

TRIES = 5


def init(
    environment: Annotated[
        str | None, typer.Option(metavar="NAME", help="simulator (needs no answers), sandbox or production.")
    ] = None,
    public_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where M-Pesa reaches this machine, without the path.")
    ] = None,
    paybill: Annotated[str | None, typer.Option(metavar="N", help="Your paybill.")] = None,
    initiator_name: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The API operator who pays owners.")
    ] = None,
    fee_percentage: Annotated[
        str | None, typer.Option(metavar="P", help="What the platform keeps of each rent, in percent.")
    ] = None,
) -> None:
    """The file is .env, or the one that --env-file names. Its comments and other lines stay. Without a terminal the
    answers come from the options and the environment; secrets only from there, never from the command line.

    Examples:
    rentpay init
    rentpay init --environment simulator
    rentpay init --environment sandbox --public-url https://rent.example.co.ke
    """
    from rentpay_cli.flows import setup

    path = Path(invocation().env_file or ".env")
    text, in_file = setup.read_file(path)
    _admit_to_file(in_file)
    chosen = _environment(environment)
    if path.exists():
        confirm(f"{path} exists. Its comments and other lines stay. Change the settings in it?")
    if chosen == "simulator":
        _refuse_for_the_simulator(
            {"--public-url": public_url, "--paybill": paybill, "--initiator-name": initiator_name}
        )
        answers = {} if fee_percentage is None else {"PLATFORM_FEE_PERCENTAGE": fee_percentage}
        _check_answers("sandbox", answers)  # by the same rule, and without an address of M-Pesa's that is not known yet
        values = {**setup.to_write(chosen, answers, in_file), **_of_the_simulator()}
    else:
        given = {
            setup.PUBLIC_URL: public_url,
            "MPESA_BUSINESS_SHORT_CODE": paybill,
            "MPESA_INITIATOR_NAME": initiator_name,
            "PLATFORM_FEE_PERCENTAGE": fee_percentage,
        }
        answers = setup.known_answers(chosen, in_file, os.environ)
        answers |= {name: value for name, value in given.items() if value is not None}
        answers = _answers(chosen, answers, {name for name, value in given.items() if value is not None})
        values = setup.to_write(chosen, answers, in_file)
    database = {name: os.environ[name] for name in ("RENTPAY_DATABASE_URL",) if name in os.environ}
    settings = setup.check_together({**in_file, **database}, values)
    admit_to(settings)
    _make_database(settings)
    setup.write_file(path, setup.with_values(text or _heading(chosen), values))
    _conclude(path, settings, values)


def _admit_to_file(in_file: dict[str, str]) -> None:
    """Let nobody change the settings of a database who may not; raises `NotAllowed`."""
    from rentpay_cli.errors import BadConfiguration
    from rentpay_cli.flows import setup

    try:
        settings = setup.check_together(in_file, {})
    except BadConfiguration:  # there are none yet, or this command is there to mend them
        return
    admit_to(settings)


def _interactive() -> bool:
    return sys.stdin.isatty() and not invocation().json


def _environment(given: str | None) -> str:
    from rentpay_cli.errors import WrongUse
    from rentpay_cli.flows import setup

    value = given or os.environ.get("MPESA_ENVIRONMENT", "").strip()
    if not value and _interactive():
        text = "Environment: simulator (to practise), sandbox or production"
        return _ask(text, "simulator", setup.problem_with_environment, secret=False)
    if not value:
        raise WrongUse(
            "There is no terminal to ask at, and no environment was named.",
            "Add --environment simulator, or sandbox or production.",
        )
    if setup.problem_with_environment(value):
        raise WrongUse(f"{setup.problem_with_environment(value)}.", "For practice: --environment simulator")
    return value


def _refuse_for_the_simulator(given: dict[str, str | None]) -> None:
    from rentpay_cli.errors import WrongUse

    unused = [option for option, value in given.items() if value is not None]
    if unused:
        raise WrongUse(
            f"{' and '.join(unused)} would not be used: the simulator has values of its own.",
            "Leave it out, or choose --environment sandbox or production.",
        )


def _of_the_simulator() -> dict[str, str]:
    """What `rentpay simulator` would print, with the key pair that it will use."""
    from rentpay_cli.errors import BadConfiguration
    from rentpay_cli.simulator import keys
    from rentpay_cli.simulator.options import Options
    from rentpay_cli.simulator.server import environment_of

    options = Options()
    try:
        return environment_of(options, keys.load_or_make(keys.default_home()), options.port)
    except keys.BadKeys as error:
        raise BadConfiguration(str(error), "Set XDG_DATA_HOME to a folder that you may write.") from error


def _answers(environment: str, known: dict[str, str], fixed: set[str]) -> dict[str, str]:
    from rentpay_cli.errors import WrongUse
    from rentpay_cli.flows import setup

    known = {**_defaults(environment), **known}
    for question in setup.QUESTIONS:
        if question.name in fixed or not _interactive():
            continue
        known[question.name] = _ask_about(environment, question, known.get(question.name, ""))
    lacking = setup.missing(known)
    if lacking:
        raise WrongUse(
            f"There is no terminal to ask at, and these are not set: {', '.join(lacking)}.",
            "Set them in the environment, or run `rentpay init` in a terminal.",
        )
    _check_answers(environment, {question.name: known.get(question.name, "") for question in setup.QUESTIONS})
    return known


def _check_answers(environment: str, answers: dict[str, str]) -> None:
    from rentpay_cli.errors import WrongUse
    from rentpay_cli.flows import setup

    for question in setup.QUESTIONS:
        wrong = setup.problem(environment, question, answers[question.name]) if question.name in answers else ""
        if wrong:
            raise WrongUse(wrong, "See: rentpay init --help")


def _defaults(environment: str) -> dict[str, str]:
    """What Safaricom publishes for its sandbox, and the usual fee."""
    from rentpay_cli.simulator import options

    usual = {"PLATFORM_FEE_PERCENTAGE": "5"}
    if environment != "sandbox":
        return usual
    return {
        **usual,
        "MPESA_BUSINESS_SHORT_CODE": options.SANDBOX_SHORT_CODE,
        "MPESA_PASSKEY": options.SANDBOX_PASSKEY,
        "MPESA_INITIATOR_NAME": options.SANDBOX_INITIATOR_NAME,
    }


def _ask_about(environment: str, question: Question, known: str) -> str:
    from rentpay_cli.flows import setup

    text = question.text + (" (Enter keeps the one that is known)" if question.secret and known else "")
    return _ask(text, known, lambda answer: setup.problem(environment, question, answer), secret=question.secret)


def _ask(text: str, default: str, problem: Callable[[str], str], *, secret: bool) -> str:
    from rentpay_cli.errors import WrongUse

    for _ in range(TRIES):
        shown = "" if secret else default
        words = fitting(text, shown)
        given = typer.prompt(words, default=default, hide_input=secret, show_default=bool(shown), err=True)
        answer = str(given).strip()
        wrong = problem(answer)
        if not wrong:
            return answer
        talk(f"  {wrong}")
    raise WrongUse(f"That was wrong {TRIES} times.", "Nothing was written. See .env.example, which explains each name.")


def _make_database(settings: Settings) -> None:
    from rentpay_cli.store import readonly

    made = (lambda _: None) if invocation().json else say_made
    readonly.ensure(settings.database_url, settings.environment, made).close()


def _heading(environment: str) -> str:
    return f"# Made by `rentpay init` for: {environment}. It holds secrets: keep it to yourself.\n"


def _conclude(path: Path, settings: Settings, values: dict[str, str]) -> None:
    to_come = [] if settings.security_credential else ["MPESA_SECURITY_CREDENTIAL"]
    overruled = [name for name, value in values.items() if os.environ.get(name, value) != value]
    if show.wants_json():
        show.document(
            message="Settings written",
            file=str(path),
            environment=settings.environment,
            written=[name for name, value in values.items() if value],
            missing=to_come,
            overruledByEnvironment=overruled,
        )
        return
    show.line(f"Written: {path}, for the {settings.environment} environment. Only you can read it.")
    if overruled:
        show.line(f"Also set in the environment, which goes before the file: {', '.join(overruled)}", "yellow")
    for step in _next_steps(settings, to_come):
        show.next_step(step)


def _next_steps(settings: Settings, to_come: list[str]) -> list[str]:
    steps = ["In another window: rentpay simulator"] if settings.environment == "simulator" else []
    if to_come:
        steps.append("To pay owners, put into the file what this prints: rentpay credential encrypt --certificate FILE")
    return [
        *steps,
        "Receive callbacks, and leave it running: rentpay serve-callbacks",
        'Then the register: rentpay owner add --name "Wanjiru Kamau" --phone 0712345678',
    ]
