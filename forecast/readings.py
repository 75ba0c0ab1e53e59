"""What a brief leaves open: questions, and readings that answer them otherwise than the prior file does.

Readings of one question exclude each other; ``Specification.with_reading`` sets the values of some.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, WithJsonSchema, model_validator

from forecast.quantities import Base, Text
from forecast.yaml_files import refusal, shortened

GREATEST = 1e15
"""Whole numbers beyond it are no quantity of a prior file, and need not fit a floating point number."""


def _setting(value: object) -> float | str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise refusal(((), f"expected a number or text, not {type(value).__name__}"))
    if isinstance(value, int) and abs(value) > GREATEST:
        raise refusal(((), f"expected a number up to {GREATEST:g}, not {shortened(value)}"))
    return value if isinstance(value, str) else float(value)


class Question(Base):
    """Something that the brief leaves open: how the file itself answers it, as ``stated``; its readings exclude others.

    ``proceeding`` names one proceeding of the matter where the brief may speak of it ``alone`` (how that reading reads
    in words): it takes another record as well, so it is no reading of the file.
    """

    what: Text
    stated: Text
    proceeding: Text | None = None
    alone: Text | None = None

    @model_validator(mode="after")
    def _says_both(self) -> Self:
        pair = {"proceeding": self.proceeding, "alone": self.alone}
        missing = [name for name, text in pair.items() if text is None]
        if len(missing) == 1:
            (given,) = set(pair) - set(missing)
            raise refusal(((), f"missing key {missing[0]!r}, which {given!r} needs"))
        return self


class Reading(Base):
    """Another admissible reading of the brief: values to set, by dotted path; ``question`` is what it answers."""

    what: Text
    question: Text | None = None
    set: dict[Text, Annotated[Any, AfterValidator(_setting), WithJsonSchema({"type": ["number", "string"]})]]
