"""What is shown instead of codes: the analyst's labels of the scenarios, and names of proceedings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pandas as pd

from forecast.yaml_files import KeyPath, refusal

LONGEST_LABEL = 40
"""Characters of a label."""


class Labelled(Protocol):
    """What has a label."""

    @property
    def label(self) -> str:
        """The analyst's own name."""


class Named(Protocol):
    """One labelled part for each scenario."""

    def items(self) -> Iterator[tuple[str, Labelled]]:
        """Yield scenario and part."""


def check_label(text: str) -> str:
    """Return a label, or raise a refusal of one that is too long, or is no line that begins with a letter or digit."""
    if len(text) > LONGEST_LABEL:
        what = f"expected at most {LONGEST_LABEL} characters, not {len(text)}: the label heads columns of tables"
        raise refusal(((), f"{what}; longer words belong in 'summary'"))
    if not text.isprintable() or text != text.strip() or not text[0].isalnum():
        raise refusal(((), f"expected one line that begins with a letter or a digit, not {text!r}"))
    return text


def told_apart[T: Named](scenarios: T) -> T:
    """Return the scenarios, or raise a refusal of every label that an earlier scenario has too, whatever its case."""
    first: dict[str, str] = {}
    wrong: list[tuple[KeyPath, str]] = []
    for name, scenario in scenarios.items():
        same = first.setdefault(scenario.label.casefold(), name)
        if same != name:
            wrong.append(((name, "label"), f"{scenario.label!r} is the label of {same!r} too: expected another"))
    if wrong:
        raise refusal(*wrong)
    return scenarios


NAMED_BY = ("provider", "authority", "instrument")


def names_of(proceedings: pd.DataFrame) -> dict[str, str]:
    """Return ``provider, authority, instrument`` of each proceeding, by its identifier; what is empty is left out."""
    rows = proceedings[["case_id", *NAMED_BY]].astype("str").itertuples(index=False)
    return {case: ", ".join(filter(None, parts)) for case, *parts in rows}
