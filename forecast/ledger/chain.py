"""The chain of a ledger's entries: each names the SHA-256 of the one before it and of every data file that it brought.

::

    entries/000001.json            index, kind, time, previous, files, body, sha256 (of all the others)
    forecasts/, targets/,          data, named by their content; of those that no entry names nothing counts:
    resolutions/                   a command that was killed before its entry left them

Entries are named by their number alone: two that are written at once contend for one name, and one of them wins.
Whoever can rewrite every entry from some point on leaves no trace in the chain itself, and neither does whoever removes
the newest ones: against both there is only the head, the SHA-256 of the last entry, kept elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forecast.files import InputError, Problem, fingerprint, read_regular
from forecast.folders import MANIFEST, MOST_JSON, parse_json
from forecast.ledger.durable import put, put_new
from forecast.ledger.schema import KINDS, MOST_BYTES, data_damage, entry_damage
from forecast.scratch import remove_abandoned
from forecast.version import package_version

FORMAT = 1
"""Version of the layout; a ledger of another version is refused."""
ENTRIES = "entries"
DATA = ("forecasts", "targets", "resolutions")
ENTRY = re.compile("[0-9]{6}[.]json")
NOTHING = "0" * 64
"""What the first entry names as the one before it."""
TIME = "%Y-%m-%dT%H:%M:%SZ"
ATTEMPTS = 1000
"""How often an entry is written anew because others came before it."""
Clock = Callable[[], datetime]


class TamperedError(InputError):
    """A ledger that is not as it was written; the problems name each entry and file, the first one first."""


@dataclass(frozen=True)
class Entry:
    """One entry. ``files``: name (from the ledger's folder) -> SHA-256; ``body``: what the entry says."""

    index: int
    kind: str
    time: str
    previous: str
    files: Mapping[str, str]
    body: Mapping[str, Any]
    sha256: str

    def file(self, place: str) -> str:
        """Return the name of the entry's file in one of the folders of data."""
        return next(name for name in self.files if name.startswith(f"{place}/"))


@dataclass(frozen=True)
class Draft:
    """An entry to be: its kind, what it says, and the content of the files that it brings."""

    kind: str
    body: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Ledger:
    """A ledger as it stood when it was read: every entry and every file verified."""

    folder: Path
    entries: tuple[Entry, ...]
    strays: tuple[str, ...]
    """Files that no entry names: what an interrupted command left. They count for nothing."""

    @property
    def head(self) -> str:
        """SHA-256 of the newest entry: it stands for the whole ledger."""
        return self.entries[-1].sha256 if self.entries else NOTHING

    def of(self, kind: str) -> tuple[Entry, ...]:
        """Return the entries of one kind, oldest first."""
        return tuple(entry for entry in self.entries if entry.kind == kind)

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(self.of(kind))} {kind}s" for kind in KINDS)
        return f"<Ledger {self.folder}: {counts}, head {self.head[:12]}>"


def utc_now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


def open_ledger(folder: Path | str, expect: str | None = None, until: int | None = None) -> Ledger:
    """Read a ledger and verify all of it, or its entries up to number ``until`` alone.

    ``expect``: SHA-256 (its first 8 digits or more) of an entry that must be there, such as a head that was published.
    Raises ``InputError`` if there is no ledger, or no entry ``until``, and ``TamperedError`` naming what was edited,
    removed, inserted, reordered or damaged since, with the hashes expected and found.
    """
    path = Path(folder)
    if until is not None and not 1 <= until <= newest_number(path):
        what = f"{until} is the number of no entry; {path} has entries 1 to {newest_number(path)}"
        raise InputError(Problem("until", what))
    ledger = _read(path, until)
    if not ledger.entries:
        raise InputError(Problem(str(path), "holds no ledger (no entries); forecast issue begins one"))
    if expect is not None:
        _require_entry(ledger, expect.strip().lower())
    return ledger


def _require_entry(ledger: Ledger, expect: str) -> None:
    if not re.fullmatch("[0-9a-f]{8,64}", expect):
        raise InputError(Problem("expect", f"{expect!r} is no SHA-256: 8 to 64 hexadecimal digits were expected"))
    if not any(entry.sha256.startswith(expect) for entry in ledger.entries):
        what = (
            f"none of the {len(ledger.entries)} entries has the SHA-256 {expect}: the newest entries were removed, or "
            f"the ledger was rewritten (its head is {ledger.head})"
        )
        raise TamperedError(Problem(str(ledger.folder), what))


def append(folder: Path, build: Callable[[Ledger, datetime], Draft | None], clock: Clock = utc_now) -> Entry | None:
    """Add the entry that ``build`` makes of the ledger as it stands, and of the time; nothing where it makes none.

    Data first, the entry last, each on disk before the next is begun. Where another process was faster, ``build`` is
    asked again about the ledger with the other's entry in it. A folder that is not there is made. Raises
    ``InputError`` where the folder is of something else or cannot be written to.
    """
    try:
        _require_place(folder)
        for place in (ENTRIES, *DATA):
            for part in ((folder / place), *(folder / place).glob("*/")):
                remove_abandoned(part)
        for _ in range(ATTEMPTS):
            ledger, now = _read(folder), clock().astimezone(UTC)
            draft = build(ledger, now)
            if draft is None:
                return None
            entry = _entry(ledger, draft, now)
            for name, content in draft.files.items():
                put(folder / name, content)
            if put_new(_place(folder, entry.index), _text(entry)):
                return entry
    except OSError as error:
        raise InputError(Problem(str(folder), f"cannot be written: {error.strerror or error}")) from error
    raise InputError(Problem(str(folder), "other processes write to this ledger without a pause: try again"))


def _entry(ledger: Ledger, draft: Draft, now: datetime) -> Entry:
    sums = {name: fingerprint(content) for name, content in sorted(draft.files.items())}
    body = {**draft.body, "version": package_version()}
    bare = Entry(len(ledger.entries) + 1, draft.kind, f"{now:{TIME}}", ledger.head, sums, body, "")
    return replace(bare, sha256=fingerprint(_canonical(bare)))


def _canonical(entry: Entry) -> bytes:
    """Return what the entry's SHA-256 is of: all that it says, in one way of writing it."""
    said = {"format": FORMAT, **vars(entry)}
    del said["sha256"]
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _text(entry: Entry) -> bytes:
    said = json.loads(_canonical(entry)) | {"sha256": entry.sha256}
    return (json.dumps(said, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _place(folder: Path, index: int) -> Path:
    return folder / ENTRIES / f"{index:06d}.json"


def _require_place(folder: Path) -> None:
    if any((above / MANIFEST).is_file() for above in (folder, *folder.absolute().parents)):
        raise InputError(Problem(str(folder), "is or lies in the folder of a forecast: choose another place"))
    if folder.exists() and not folder.is_dir():
        raise InputError(Problem(str(folder), "is a file; the folder of a ledger was expected"))
    seen = {place.name for place in folder.iterdir() if not place.name.startswith(".")} if folder.is_dir() else set()
    if seen - {ENTRIES, *DATA}:
        raise InputError(Problem(str(folder), "is not empty and holds no ledger: choose another folder"))


def newest_number(folder: Path) -> int:
    """Return the number of the newest entry, 0 where there is none."""
    place = folder / ENTRIES
    names = [path.name for path in place.iterdir()] if place.is_dir() else []
    return max((int(name[:6]) for name in names if ENTRY.fullmatch(name)), default=0)


def _read(folder: Path, until: int | None = None) -> Ledger:
    place, last = folder / ENTRIES, until or newest_number(folder)
    names = {p.name for p in place.iterdir() if not p.name.startswith(".")} if place.is_dir() else set()
    entries: list[Entry] = []
    problems = [
        Problem(f"{place / name}", "is no entry: it was inserted or renamed; entries are called 000001.json and so on")
        for name in sorted(names)
        if not ENTRY.fullmatch(name) and until is None
    ]
    before, sound = NOTHING, last
    for index in range(1, last + 1):
        entry, wrong = _examined(folder, index, before)
        before = entry.sha256 if entry and not wrong else ""
        if entry is not None:
            entries.append(entry)
            wrong += _changed(folder, entry)
        sound = min(sound, index - 1) if wrong else sound
        problems += wrong
    if problems:
        if 0 < sound < last:
            what = f"what entries 1 to {sound} brought is as it was: --until {sound} reads these alone"
            problems.append(Problem(str(folder), what))
        raise TamperedError(problems)
    return Ledger(folder, tuple(entries), tuple(_strays(folder, entries)) if until is None else ())


def _examined(folder: Path, index: int, before: str) -> tuple[Entry | None, list[Problem]]:
    """Return the entry of a number and what is wrong with it; ``before``: SHA-256 of a sound entry before it."""
    path = _place(folder, index)
    if not path.exists():
        return None, [Problem(str(path), f"is missing: an entry was removed, for there are later ones{_after(path)}")]
    try:
        content = read_regular(path, MOST_JSON)
        said = parse_json(path, content)
    except InputError as error:
        what = f"is damaged: entry {index} {error.problems[0].what}{_after(path)}"
        return None, [Problem(str(path), what)]
    if type(said.get("format")) is int and said["format"] != FORMAT:
        raise InputError(Problem(str(path), f"is of format {said['format']}; format {FORMAT} was expected"))
    if what := entry_damage(said):
        return None, [
            Problem(str(path), f"is damaged: entry {index} is none as a ledger has them, {what}{_after(path)}")
        ]
    entry = Entry(**{key: value for key, value in said.items() if key != "format"})
    found, what = fingerprint(_canonical(entry)), ""
    if found != entry.sha256:
        what = f"was edited: expected SHA-256 {entry.sha256}, found {found}"
    elif content != _text(entry):
        what = f"was edited: expected the bytes of entry {entry.sha256}, found others"
    elif entry.index != index:
        what = f"holds entry {entry.index}, {entry.sha256}, not entry {index}: swapped, inserted or moved"
    elif before and entry.previous != before:
        what = f"expected to follow {entry.previous}, found {before} in {index - 1:06d}.json"
        what += ": one of the two was edited, inserted or put in another's place"
    return entry, [Problem(str(path), what)] if what else []


def _after(path: Path) -> str:
    """Say which hash the next entry expects of this one, where there is a next one that can be read."""
    following = path.with_name(f"{int(path.stem) + 1:06d}.json")
    try:
        said = parse_json(following, read_regular(following, MOST_JSON))
    except InputError:
        return ""
    return f" (expected SHA-256 {said['previous']})" if isinstance(said.get("previous"), str) else ""


def _changed(folder: Path, entry: Entry) -> Iterator[Problem]:
    for name, expected in entry.files.items():
        path = folder / name
        if not path.exists():
            yield Problem(str(path), f"is missing: entry {entry.index} brought it, with SHA-256 {expected}")
            continue
        try:
            content = read_regular(path, MOST_BYTES)
        except InputError as error:
            yield Problem(str(path), f"{error.problems[0].what}: entry {entry.index} brought it")
            continue
        if (found := fingerprint(content)) != expected:
            what = f"was edited: entry {entry.index} brought it with SHA-256 {expected}, found {found}"
            yield Problem(str(path), what)
        elif what := data_damage(name.split("/")[0], content):
            yield Problem(str(path), f"is damaged: entry {entry.index} brought it, and it {what}")


def _strays(folder: Path, entries: list[Entry]) -> Iterator[str]:
    named = {name for entry in entries for name in entry.files}
    for place in (ENTRIES, *DATA):
        for path in sorted((folder / place).rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and name not in named and (place != ENTRIES or path.name.startswith(".")):
                yield name
