"""The folder of a forecast: what is in it, whether it is whole and unchanged. Light to import."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.files import InputError, Problem, fingerprint, whole_folder

FORMAT = 2
"""Version of the folder's layout; a folder of another version is refused."""
TABLES = (
    "summary",
    "scenarios",
    "event_probabilities",
    "next_fines",
    "posterior_summary",
    "statements",
    "resolution",
    "prior_resolution",
)

MANIFEST = "manifest.json"
FIGURES = "figures"
ALL = "all scenarios"
"""What stands in the column ``label`` of a row that is about no single scenario."""
ABOUT = "about.json"
"""What a folder of any other result says of itself: its kind, and what it was made from."""


def refuse_foreign(folder: Path) -> None:
    """Raise ``InputError`` if something else than a forecast stands at ``folder``: it is not ours to replace."""
    if folder.is_file():
        raise InputError(Problem(str(folder), "is a file; expected a folder to write"))
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
        raise InputError(Problem(str(folder), "is not empty and holds no forecast: choose another folder"))


def seal(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest, with the SHA-256 of every file of the folder; figures come later and can be redrawn."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    sums = {p.relative_to(folder).as_posix(): fingerprint(p.read_bytes()) for p in files}
    write_json(folder / MANIFEST, {**manifest, "sha256": sums})


def check_folder(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder that is whole and as it was saved; raise ``InputError`` with all that is not."""
    manifest = read_manifest(folder)
    problems = []
    for name, was in manifest["sha256"].items():
        path = folder / name
        if not path.is_file():
            problems.append(Problem(str(path), "is missing from the forecast"))
        elif fingerprint(path.read_bytes()) != was:
            problems.append(Problem(str(path), "was changed since the forecast was saved"))
    if problems:
        raise InputError(problems)
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a saved forecast, or raise ``InputError`` if there is none of this version."""
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(Problem(str(folder), f"holds no forecast (no {MANIFEST}); make one with forecast run"))
    manifest = read_json(path)
    if manifest.get("format") != FORMAT or not isinstance(manifest.get("sha256"), dict):
        raise InputError(Problem(str(path), f"format {manifest.get('format')!r}, expected {FORMAT}: run it again"))
    return manifest


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of a saved forecast; one that has no rows is an empty frame."""
    return {name: _read_table(folder / f"{name}.csv") for name in TABLES}


def _read_table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, na_values=[""]) if path.stat().st_size > 2 else pd.DataFrame()


def read_proceedings(folder: Path) -> pd.DataFrame:
    """Return the proceedings of a saved forecast's record, every cell as text."""
    return pd.read_csv(folder / "record" / "proceedings.csv", dtype="str", keep_default_na=False)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, or raise ``InputError``."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(Problem(str(path), f"is no JSON: {error}")) from error
    if not isinstance(value, dict):
        raise InputError(Problem(str(path), "expected a JSON object"))
    return value


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file, two spaces deep."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def with_labels(table: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """Return a table whose rows are about one scenario (column ``scenario`` or ``latent``) with its label beside it.

    ``labels``: name of a scenario -> the analyst's label.
    """
    column = next((name for name in ("scenario", "latent") if name in table), None)
    if column is None or "label" in table or not labels:
        return table
    own = table.copy()
    own.insert(own.columns.get_loc(column) + 1, "label", own[column].map(lambda name: labels.get(name, ALL)))
    return own


def save_result(
    folder: Path | str,
    kind: str,
    tables: Mapping[str, pd.DataFrame],
    about: Mapping[str, Any],
    more: Callable[[Path], object] = lambda scratch: None,
) -> None:
    """Write tables as CSV, ``about.json``, and what ``more`` adds, into a folder of one kind: all of it or nothing.

    Beside a scenario stands its label, as ``about`` has it. An older folder of the kind is replaced; ``InputError`` as
    in ``require_place``, or where writing fails.
    """
    folder = Path(folder)
    require_place(folder, kind)
    try:
        with whole_folder(folder) as scratch:
            for name, table in tables.items():
                told = with_labels(table, about.get("labels", {}))
                told.to_csv(scratch / f"{name}.csv", index=False, float_format="%.10g", lineterminator="\n")
            write_json(scratch / ABOUT, {"kind": kind, **about})
            more(scratch)
    except OSError as error:
        raise InputError(Problem(str(folder), f"cannot be written: {error.strerror}")) from error


def require_place(folder: Path, kind: str) -> None:
    """Raise ``InputError`` where no folder of this kind can be written: something else stands there, or nothing can."""
    if any((above / MANIFEST).is_file() for above in (folder, *folder.absolute().parents)):
        raise InputError(Problem(str(folder), "is or lies in the folder of a forecast: choose another place"))
    if folder.is_file():
        raise InputError(Problem(str(folder), "is a file; expected a folder to write"))
    if folder.is_dir() and any(folder.iterdir()):
        found = read_json(folder / ABOUT).get("kind") if (folder / ABOUT).is_file() else None
        if found != kind:
            raise InputError(Problem(str(folder), f"is not empty and holds no {kind}: choose another folder"))
    above = next(place for place in folder.absolute().parents if place.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise InputError(Problem(str(folder), f"cannot be written: {above} is no folder that can be written to"))
