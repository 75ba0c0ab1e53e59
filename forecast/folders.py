"""The folder of a forecast: what is in it, whether it is whole and unchanged. Light to import."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from forecast.files import InputError, Problem, fingerprint, fingerprint_of, read_regular, whole_folder
from forecast.folder_schema import Diagnostics, Manifest, problems_of
from forecast.folder_tables import TABLES, read_tables
from forecast.places import OF_RESULTS, SAME, refuse_other
from forecast.record_tables import TABLES as RECORD_TABLES
from forecast.sheets import read_sheet
from forecast.version import package_version

__all__ = [
    "ABOUT", "FIGURES", "FORMAT", "MANIFEST", "TABLES", "Saved", "check_folder", "open_folder", "parse_json",
    "plain_attributes", "read_json", "read_manifest", "read_tables", "refuse_foreign", "require_place", "save_result",
    "seal", "with_labels", "without_nan", "write_json",
]  # fmt: skip

FORMAT = 4
"""Version of the folder's layout; a folder of another version is refused."""
MOST_JSON = 64 * 2**20
MOST_DRAWS = 4 * 2**30
"""Largest JSON file, and largest file of draws, that is read: 4 GiB are about 300,000 draws."""
DEEPEST = 50
"""How deep lists and objects of a JSON file may lie in each other."""

MANIFEST = "manifest.json"
FIGURES = "figures"
ALL = "all scenarios"
"""What stands in the column ``label`` of a row that is about no single scenario."""
ABOUT = "about.json"
"""What a folder of any other result says of itself: its kind, and what it was made from."""
DIAGNOSTICS = "diagnostics.json"
DRAWS = ("posterior.nc", "outcomes.nc", "prior_outcomes.nc")
SEALED = (
    "priors.yaml",
    DIAGNOSTICS,
    *DRAWS,
    *(f"{name}.csv" for name in TABLES),
    *(f"record/{name}.csv" for name in RECORD_TABLES),
    "record/about.yaml",
)
"""The files of a forecast: every one of them is there, and sealed."""


class Saved(NamedTuple):
    """What a saved forecast says without its draws, all of it checked."""

    manifest: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    diagnostics: dict[str, Any]
    proceedings: pd.DataFrame
    """Those of the record, every cell as text."""


def refuse_foreign(folder: Path, manifest: Mapping[str, Any], *, overwrite: bool = False) -> None:
    """Raise ``InputError`` if something else than this forecast, made before, stands at ``folder``.

    Anything but a forecast is never replaced, another one (``refuse_other``) only with ``overwrite``.
    """
    if folder.is_file():
        raise InputError(Problem(str(folder), "is a file; expected a folder to write"))
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
        raise InputError(Problem(str(folder), "is not empty and holds no forecast: choose another folder"))
    refuse_other(folder / MANIFEST, manifest, tuple(SAME), overwrite=overwrite)


def seal(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest, with the SHA-256 of every file of the folder; figures come later and can be redrawn."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    sums = {p.relative_to(folder).as_posix(): fingerprint(p.read_bytes()) for p in files}
    write_json(folder / MANIFEST, {**manifest, "sha256": sums})


def open_folder(folder: Path) -> Saved:
    """Return manifest, tables and diagnostics of a folder that is whole, as it was saved, and as the schema says.

    Raises ``InputError`` with all that is wrong. The draws, the prior file and the record: ``forecasting.load``.
    """
    manifest = check_folder(folder)
    path = folder / DIAGNOSTICS
    problems: list[Problem] = []
    try:
        diagnostics = read_json(path)
        problems += problems_of(Diagnostics, diagnostics, path)
    except InputError as error:
        problems += error.problems
    try:
        tables = read_tables(folder, manifest)
    except InputError as error:
        problems += error.problems
    sheet, wrong = read_sheet(folder / "record" / "proceedings.csv")
    if problems or wrong or sheet is None:
        raise InputError(problems + wrong)
    return Saved(manifest, tables, diagnostics, sheet.cells)


def check_folder(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder that is whole and as it was saved; raise ``InputError`` with all that is not."""
    manifest = read_manifest(folder)
    sums, path = manifest["sha256"], folder / MANIFEST
    problems = [Problem(str(path), f"lacks the SHA-256 of {name}") for name in SEALED if name not in sums]
    for name, was in sums.items():
        if name not in SEALED:
            problems.append(Problem(str(path), f"has the SHA-256 of {name[:200]!r}, which is no file of a forecast"))
            continue
        try:
            if fingerprint_of(folder / name, MOST_DRAWS) != was:
                problems.append(Problem(str(folder / name), "was changed since the forecast was saved"))
        except InputError as error:
            missing = not (folder / name).exists()
            problems += [Problem(str(folder / name), "is missing from the forecast")] if missing else error.problems
    problems += _unsealed(folder / "record")
    if problems:
        raise InputError(problems)
    return manifest


def _unsealed(record: Path) -> list[Problem]:
    """Return a problem for each file beside the tables of the record: whoever reads the folder would take it in."""
    names = sorted(path.name for path in record.iterdir()) if record.is_dir() else []
    strange = [name for name in names if f"record/{name}" not in SEALED and not name.startswith(".")]
    return [Problem(str(record / name), "is no part of the forecast as it was saved") for name in strange]


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a saved forecast, or raise ``InputError`` if there is none of this version."""
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(Problem(str(folder), f"holds no forecast (no {MANIFEST}); make one with forecast run"))
    manifest = read_json(path)
    said = manifest.get("format")
    if said != FORMAT or isinstance(said, bool):
        older = isinstance(said, int) and not isinstance(said, bool) and 0 < said < FORMAT
        whose = "an older version of this package" if older else "something else, or by a newer version"
        what = f"format {repr(said)[:80]}, expected {FORMAT}: it was saved by {whose}; make it anew with forecast run"
        raise InputError(Problem(str(path), what))
    if problems := problems_of(Manifest, manifest, path):
        raise InputError(problems)
    return manifest


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, every number of it finite, or raise ``InputError``."""
    return parse_json(path, read_regular(path, MOST_JSON))


def parse_json(path: Path, content: bytes) -> dict[str, Any]:
    """Return the object in the bytes of a JSON file; ``path`` is what the ``InputError`` names."""
    try:
        value = json.loads(content.decode("utf-8"), parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise InputError(Problem(str(path), _too_deep())) from None
    except ValueError as error:  # also a number with thousands of digits, and bytes that are no UTF-8
        raise InputError(Problem(str(path), f"is no JSON: {str(error)[:200]}")) from error
    if not isinstance(value, dict):
        raise InputError(Problem(str(path), "expected a JSON object"))
    _require_plain(path, value)
    return value


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise ValueError(f"{digits[:40]} is too large a number")
    return number


def _too_deep() -> str:
    return f"has lists or objects more than {DEEPEST} deep in each other"


def _require_plain(path: Path, value: dict[str, Any]) -> None:
    """Refuse what is nested too deep, numbers beyond 64 bits, and text that is no Unicode (half a character)."""
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        parts: list[Any] = []
        for part in level:
            if isinstance(part, dict):
                parts += [*part.keys(), *part.values()]
            elif isinstance(part, list):
                parts += part
            elif isinstance(part, int) and not -(2**63) <= part < 2**64:
                raise InputError(Problem(str(path), "has a whole number of more than 64 bits"))
            elif isinstance(part, str) and not part.isascii() and any("\ud800" <= c <= "\udfff" for c in part):
                raise InputError(Problem(str(path), "has text that is no Unicode: half of a surrogate pair"))
        if not parts:
            return
        level = parts
    raise InputError(Problem(str(path), _too_deep()))


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file, two spaces deep; a number that is not finite is written as null, for JSON has none."""
    text = json.dumps(without_nan(value), indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def without_nan(value: Any) -> Any:
    """Return a value for JSON, with ``None`` for every number that is not finite."""
    if isinstance(value, Mapping):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def plain_attributes(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest with what NetCDF has no type for as text: JSON for objects and lists, and without nulls."""
    given = {k: v for k, v in manifest.items() if v is not None}
    return {k: json.dumps(v, ensure_ascii=False) if isinstance(v, dict | list) else v for k, v in given.items()}


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
    *,
    overwrite: bool = False,
) -> None:
    """Write tables as CSV, ``about.json``, and what ``more`` adds, into a folder of one kind: all of it or nothing.

    Beside a scenario stands its label, as ``about`` has it. An older folder of the kind, matter, prior file and record
    is replaced; ``InputError`` as in ``require_place``, or where writing fails.
    """
    folder = Path(folder)
    require_place(folder, kind, about, overwrite=overwrite)
    try:
        with whole_folder(folder) as scratch:
            for name, table in tables.items():
                told = with_labels(table, about.get("labels", {}))
                told.to_csv(scratch / f"{name}.csv", index=False, float_format="%.10g", lineterminator="\n")
            write_json(scratch / ABOUT, {"kind": kind, "version": package_version(), **about})
            more(scratch)
    except OSError as error:
        raise InputError(Problem(str(folder), f"cannot be written: {error.strerror}")) from error


def require_place(folder: Path, kind: str, about: Mapping[str, Any] | None = None, *, overwrite: bool = False) -> None:
    """Raise ``InputError`` where no folder of this kind can be written: something else stands there, or nothing can.

    ``about``: what the new result was made from. One of another matter, prior file or record is replaced only with
    ``overwrite``.
    """
    if any((above / MANIFEST).is_file() for above in (folder, *folder.absolute().parents)):
        raise InputError(Problem(str(folder), "is or lies in the folder of a forecast: choose another place"))
    if folder.is_file():
        raise InputError(Problem(str(folder), "is a file; expected a folder to write"))
    if folder.is_dir() and any(folder.iterdir()):
        found = read_json(folder / ABOUT).get("kind") if (folder / ABOUT).exists() else None
        if found != kind:
            raise InputError(Problem(str(folder), f"is not empty and holds no {kind}: choose another folder"))
    refuse_other(folder / ABOUT, about or {}, OF_RESULTS, overwrite=overwrite)
    above = next(place for place in folder.absolute().parents if place.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise InputError(Problem(str(folder), f"cannot be written: {above} is no folder that can be written to"))
