"""Where results are written by default, and what must not be replaced there: results of something else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from forecast.files import InputError, Problem

OUTPUTS = Path("outputs")
SAME = {
    "matter": "matter",
    "origin": "origin",
    "priors_fingerprint": "prior file",
    "record_fingerprint": "record",
}
"""Entries of a manifest in which a forecast must agree with the one that it replaces, and their names in words."""
OF_RESULTS = ("matter", "priors_fingerprint", "record_fingerprint")
"""The same of any other result."""
LONGEST = 100
"""Characters of a folder's name from which on it is cut."""


def folder_name(matter: str) -> str:
    """Return a matter's name as the name of a folder: different for different matters, and never a path.

    Letters and digits of ASCII, ``-``, ``_`` and ``~`` stay, and so do points inside the name; every other byte of its
    UTF-8 form is written ``%XX``, as in a URL. What is then longer than 100 characters is cut there, with the first 12
    digits of the name's SHA-256 after it. No name at all is written ``%``.
    """
    name = matter.encode("utf-8", "surrogatepass")
    safe = quote(name, safe="")
    safe = "%2E" + safe[1:] if safe.startswith(".") else safe
    safe = safe[:-1] + "%2E" if safe.endswith(".") else safe
    if len(safe) > LONGEST:
        safe = f"{safe[:LONGEST].rstrip('.%')}~{sha256(name).hexdigest()[:12]}"
    return safe or "%"


def default_folder(matter: str, name: str) -> Path:
    """Return ``outputs/<matter>/<name>``, the matter's name as in ``folder_name``."""
    return OUTPUTS / folder_name(matter) / name


def refuse_other(file: Path, about: Mapping[str, Any], keys: tuple[str, ...], *, overwrite: bool) -> None:
    """Raise ``InputError`` where the result that stands in a folder is of another matter, prior file or record.

    ``file``: the JSON file in which the standing result says what it was made from; without it nothing is refused.
    ``about``: the same of the new result. ``overwrite``: replace the other result all the same, but nothing else.
    """
    if not file.is_file() or not any(_value(about, key) for key in keys):
        return
    try:
        found = json.loads(file.read_bytes())
    except ValueError:
        found = None
    if not isinstance(found, dict) or not any(_value(found, key) for key in keys):
        what = f"holds a {file.name} that does not say what it was made from: choose another folder"
        raise InputError(Problem(str(file.parent), what))
    refuse_unlike(file.parent, found, about, keys, overwrite=overwrite)


def refuse_unlike(
    place: Path, found: Mapping[str, Any], about: Mapping[str, Any], keys: tuple[str, ...], *, overwrite: bool
) -> None:
    """Do the same with what the standing result says of itself already read."""
    pairs = {SAME[key]: (_value(found, key), _value(about, key)) for key in keys}
    told = [
        f"of another {name}, {_short(was)}, not {_short(now)}"
        for name, (was, now) in pairs.items()
        if now and was != now
    ]
    if told and not overwrite:
        what = f"holds a result {'; '.join(told)}: choose another place, or replace it"
        raise InputError(Problem(str(place), f"{what} (--overwrite; in Python overwrite=True)"))


def _value(about: Mapping[str, Any], key: str) -> str:
    """Return one entry; of what was made from two forecasts, both of theirs."""
    parts = [about[part] for part in ("before", "after") if isinstance(about.get(part), Mapping)] or [about]
    values = [str(part[key]) for part in parts if key in part]
    return " and ".join(dict.fromkeys(values))


def _short(value: str) -> str:
    """Return a value as it is printed: of a fingerprint the first eight digits."""
    plain = " and ".join(v[:8] if len(v) == 64 and v.isalnum() else v for v in value.split(" and "))
    return repr(plain) if plain else "unknown"
