"""The pages that travel with the package: each is a file of `rentpay_cli/help`, named after its topic."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

_SUFFIX = ".md"


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its topic, the title in its first line, and all its text in Markdown."""

    topic: str
    title: str
    text: str


def pages() -> list[Page]:
    """Every page, by topic."""
    found = [
        _page(file.name.removesuffix(_SUFFIX), file.read_text(encoding="utf-8"))
        for file in files("rentpay_cli").joinpath("help").iterdir()
        if file.name.endswith(_SUFFIX)
    ]
    return sorted(found, key=lambda page: page.topic)


def _page(topic: str, text: str) -> Page:
    first, _, _ = text.partition("\n")
    return Page(topic, first.removeprefix("# "), text)
