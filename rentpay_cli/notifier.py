"""Sends e-mail and SMS by apprise, the only code that knows it; what goes wrong here never concerns money."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from rentpay_cli.core.notices import TEMPLATE_OF, TEMPLATES, Audience, Message, compose, problem_of
from rentpay_cli.core.redact import printable, redact
from rentpay_cli.errors import BadConfiguration

if TYPE_CHECKING:
    from apprise import Apprise

TIMEOUT_SECONDS = 30


class Notifier:
    """The ways to the operator and to owners, as the settings name them; raises `BadConfiguration` for a wrong one."""

    def __init__(self, operator: tuple[str, ...], owner_email: str, owner_sms: str, templates: str) -> None:
        self._operator = operator
        self._owner = {Audience.OWNER_EMAIL: owner_email, Audience.OWNER_SMS: owner_sms}
        self._templates = _read_templates(templates)
        logging.getLogger("apprise").addHandler(logging.NullHandler())  # we say ourselves what it says, redacted
        logging.getLogger("apprise").propagate = False
        self.reaches = [audience for audience in Audience if self._addresses(audience, "254712345678")]
        for audience in self.reaches:  # a wrong address is found before there is news
            _ = [_open(audience, url) for url in self._addresses(audience, "254712345678")]

    def tell(self, audience: Audience, address: str, values: Mapping[str, str]) -> str:
        """Send one message; why nobody could be told, or an empty text if somebody was."""
        message = compose(audience, self._templates[TEMPLATE_OF[audience]], values)
        try:
            problems = [_send(_open(audience, url), message) for url in self._addresses(audience, address)]
        except BadConfiguration as error:  # of this owner's address alone: the setting itself was tried at the start
            return error.message
        return "" if "" in problems else problems[0]

    def _addresses(self, audience: Audience, address: str) -> list[str]:
        if audience is Audience.OPERATOR:
            return list(self._operator)
        url = self._owner[audience]
        return [url.replace("{email}", quote(address)).replace("{phone}", quote(address))] if url else []


_SETTING = {
    Audience.OPERATOR: "RENTPAY_NOTIFY_OPERATOR",
    Audience.OWNER_EMAIL: "RENTPAY_NOTIFY_OWNER_EMAIL",
    Audience.OWNER_SMS: "RENTPAY_NOTIFY_OWNER_SMS",
}


def _open(audience: Audience, url: str) -> Apprise:
    try:
        from apprise import Apprise
    except ModuleNotFoundError as error:
        raise BadConfiguration(
            f"{_SETTING[audience]} is set, but notices need apprise, which is not installed.",
            "Install it with: pip install 'rentpay[notify]'",
        ) from error
    way = Apprise()
    if not way.add(url):
        raise BadConfiguration(
            f"{_SETTING[audience]} holds an address that apprise does not understand.",
            "See https://appriseit.com/services for how each service is written.",
        )
    return way


def _send(way: Apprise, message: Message) -> str:
    said: list[str] = []
    done = way.notify(
        body=message.body,
        title=message.title,
        timeout=TIMEOUT_SECONDS,
        log_callback=lambda entry, _: said.append(entry.message),
        log_level=logging.WARNING,
    )
    if done:
        return ""
    return printable(redact(". ".join(said))) or "the service did not take it, and did not say why"


def _read_templates(folder: str) -> Mapping[str, str]:
    """Our words, and the operator's own where the folder has them; raises `BadConfiguration`."""
    if not folder:
        return TEMPLATES
    if not Path(folder).is_dir():
        raise BadConfiguration(
            f"RENTPAY_NOTIFY_TEMPLATES is '{folder}', which is no folder.",
            f"Make it with our words in it: rentpay notify templates --write {folder}",
        )
    return {name: _read_template(Path(folder) / name, name) for name in TEMPLATES}


def _read_template(path: Path, name: str) -> str:
    if not path.exists():
        return TEMPLATES[name]
    try:
        text = path.read_text("utf-8")
        problem = problem_of(name, text)
    except (OSError, UnicodeDecodeError) as error:
        problem = f"it cannot be read: {error}"
    if problem:
        raise BadConfiguration(
            f"The template {path} is wrong: {problem}.",
            f"Mend it, or remove it and our own words are used; they are shown by: rentpay notify templates {name}",
        )
    return text
