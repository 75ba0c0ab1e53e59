"""What the folder of a record says of it as a whole: ``about.yaml``, which may be absent.

::

    title: Enforcement against online platforms
    complete_until: 2026-10-06

``complete_until`` is the last day on which anybody looked for what was published. It is the default of the column
``observed_until`` of the proceedings; where the file does not say it, it is the day of the last published event.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Strict

from forecast.files import InputError, Problem
from forecast.quantities import Base, Text
from forecast.record_tables import EARLIEST, LATEST
from forecast.yaml_files import check_document, read_yaml, refusal
from forecast.yaml_text import yaml_text


def _within(day: date) -> date:
    if not EARLIEST.date() <= day <= LATEST.date():
        raise refusal(((), f"expected a day from {EARLIEST:%Y-%m-%d} to {LATEST:%Y-%m-%d}, not {day}"))
    return day


def _printable(text: str) -> str:
    if not text.isprintable():
        raise refusal(((), "expected text in one line, without control characters"))
    return text


class About(Base):
    """The keys of ``about.yaml``."""

    title: Annotated[Text, AfterValidator(_printable)] | None = None
    complete_until: Annotated[date, Strict(), AfterValidator(_within)] | None = None


def read_about(path: Path) -> tuple[About | None, str, list[Problem]]:
    """Return what the file says, the place of ``complete_until`` in it, and every problem (then no ``About``)."""
    try:
        document = read_yaml(path)
        about = check_document(About, document)
    except InputError as error:
        return None, path.name, list(error.problems)
    return about, document.where(("complete_until",)), []


def about_text(title: str, complete_until: date) -> str:
    """Return the text of the file."""
    told = {**({"title": title} if title else {}), "complete_until": complete_until}
    return yaml_text(told, frozenset()).rstrip("\n") + "\n"
