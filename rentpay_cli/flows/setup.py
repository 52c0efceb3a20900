"""The first settings: what is asked for which environment, what is wrong with an answer, and the file they go into."""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rentpay_cli.config import (
    COLLECTION_PATH,
    ENVIRONMENTS,
    EXAMPLES,
    NAMES,
    PAYOUT_PATH,
    Settings,
    check_settings,
    credential_problem,
    leave_out_secrets,
    read_env_text,
)
from rentpay_cli.core.redact import printable
from rentpay_cli.errors import BadConfiguration, RuleRefused, WrongUse


@dataclass(frozen=True)
class Question:
    """Something that only the operator knows."""

    name: str
    text: str
    secret: bool = False
    required: bool = True


PUBLIC_URL = "public address"
"""The one answer that is not a setting: both callback addresses follow from it."""

QUESTIONS = (
    Question("MPESA_CONSUMER_KEY", "Consumer key of your app on developer.safaricom.co.ke", secret=True),
    Question("MPESA_CONSUMER_SECRET", "Consumer secret of that app", secret=True),
    Question("MPESA_BUSINESS_SHORT_CODE", "Your paybill, 5 to 7 digits"),
    Question("MPESA_PASSKEY", "Passkey of that paybill", secret=True),
    Question(PUBLIC_URL, "Public address at which M-Pesa reaches this machine, such as https://rent.example.co.ke"),
    Question("MPESA_INITIATOR_NAME", "Name of the API operator who pays owners"),
    Question(
        "MPESA_SECURITY_CREDENTIAL",
        "Security credential of that operator (Enter: later, with `rentpay credential encrypt`)",
        secret=True,
        required=False,
    ),
    Question("PLATFORM_FEE_PERCENTAGE", "What the platform keeps of each rent, in percent"),
)


def problem_with_environment(value: str) -> str:
    """Why this is no environment, or an empty text."""
    return "" if value in ENVIRONMENTS else f"'{printable(value, 40)}' is not one of: {', '.join(ENVIRONMENTS)}"


def problem(environment: str, question: Question, answer: str) -> str:
    """Why the answer cannot be taken, or an empty text."""
    if not answer.strip():
        return "This is needed." if question.required else ""
    if question.name == "MPESA_SECURITY_CREDENTIAL" and credential_problem(answer):
        return f"{question.name} {credential_problem(answer)}."
    try:
        check_settings({"MPESA_ENVIRONMENT": environment, **settings_of(question.name, answer)})
    except BadConfiguration as error:
        return error.message
    return ""


def settings_of(name: str, answer: str) -> dict[str, str]:
    """The settings that follow from one answer."""
    if name != PUBLIC_URL:
        return {name: answer}
    base = answer.strip().rstrip("/")
    for path in (COLLECTION_PATH, PAYOUT_PATH):
        base = base.removesuffix(path)
    return {
        "MPESA_CALLBACK_URL": base + COLLECTION_PATH,
        "MPESA_B2B_CALLBACK_URL": base + PAYOUT_PATH,
        "MPESA_TIMEOUT_URL": base + PAYOUT_PATH,
    }


def known_answers(environment: str, file_values: Mapping[str, str], surroundings: Mapping[str, str]) -> dict[str, str]:
    """What is set already, unless the file is about another environment; the surroundings go before it."""
    same = file_values.get("MPESA_ENVIRONMENT") == environment
    known = {**(file_values if same else {}), **surroundings}
    answers = {name: value for name, value in known.items() if name in NAMES and value.strip()}
    if "MPESA_CALLBACK_URL" in answers:
        answers[PUBLIC_URL] = answers["MPESA_CALLBACK_URL"].rstrip("/").removesuffix(COLLECTION_PATH)
    return answers


def missing(answers: Mapping[str, str]) -> list[str]:
    """The settings without which this cannot be set up."""
    unanswered = (each.name for each in QUESTIONS if each.required and not answers.get(each.name, "").strip())
    return ["MPESA_CALLBACK_URL" if name == PUBLIC_URL else name for name in unanswered]


def to_write(environment: str, answers: Mapping[str, str], file_values: Mapping[str, str]) -> dict[str, str]:
    """The values for the file; what belongs to M-Pesa and to another environment is emptied."""
    values = {"MPESA_ENVIRONMENT": environment}
    for question in QUESTIONS:
        if answers.get(question.name, "").strip():
            values |= settings_of(question.name, answers[question.name].strip())
    for name in file_values:
        changes = file_values.get("MPESA_ENVIRONMENT") != environment
        if name.startswith("MPESA_") and name not in values and changes:
            values[name] = ""
    return values


def check_together(file_values: Mapping[str, str], values: Mapping[str, str]) -> Settings:
    """The settings as they will be read from the file; raises `BadConfiguration`."""
    together = {name: value for name, value in {**file_values, **values}.items() if name in EXAMPLES}
    leave_out_secrets(together)
    return check_settings(together)


# --- the file --------------------------------------------------------------------------------------------------------


def read_file(path: Path) -> tuple[str, dict[str, str]]:
    """The text of a settings file and the values in it, empty if there is none.

    Raises `WrongUse`, or `BadConfiguration` if it cannot be read.
    """
    from dotenv import dotenv_values

    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise WrongUse(f"{path} is not a plain file.", "Name the file itself with --env-file: a link is not followed.")
    text = read_env_text(path) if path.exists() else ""
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return text, {name: value for name, value in values.items() if value is not None}


def with_values(text: str, values: Mapping[str, str]) -> str:
    """The text of a settings file with these values in place; comments and other lines stay as they are."""
    from dotenv.parser import parse_stream

    lines, left = [], dict(values)
    for binding in parse_stream(io.StringIO(text)):
        if binding.key is not None and binding.key in values:
            lines.append(_changed(binding.original.string, binding.key, values[binding.key]))
            left.pop(binding.key, None)
        else:
            lines.append(binding.original.string)
    kept = "".join(lines)
    if kept and not kept.endswith("\n"):
        kept += "\n"
    return kept + "".join(f"{name}={_written(value)}\n" for name, value in left.items())


_ASSIGNMENT = re.compile(
    r"""(?P<before>\s*(?:export\s+)?['"]?[A-Za-z0-9_]+['"]?\s*=[^\S\n]*)"""
    r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?!['"])[^\n]*?)(?P<after>(?:\s+\#[^\n]*)?\s*)""",
    re.VERBOSE | re.DOTALL,
)


def _changed(line: str, name: str, value: str) -> str:
    found = _ASSIGNMENT.fullmatch(line)
    if found is None:
        return f"{name}={_written(value)}\n"
    before = found["before"] if value else found["before"].rstrip(" \t")
    return f"{before}{_written(value)}{found['after']}"


def _written(value: str) -> str:
    if not value or re.fullmatch(r"[A-Za-z0-9_./:+=@%!-]+", value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def write_file(path: Path, text: str) -> None:
    """Write the settings, whole or not at all, so that their owner alone can read them; raises `RuleRefused`."""
    try:
        handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")  # made with mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise RuleRefused(
            f"The settings file {path} cannot be written: {error.strerror}.",
            "Go to a folder that you may write, or name a file with --env-file.",
        ) from error
