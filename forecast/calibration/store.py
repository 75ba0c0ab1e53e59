"""Worlds on disk, one file each, whole or not at all: a calibration that was interrupted goes on where it stopped."""

from __future__ import annotations

import ast
import json
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from forecast.calibration.examining import Examined, WorldJson
from forecast.files import InputError, Problem, fingerprint, whole_file
from forecast.folder_schema import problems_of
from forecast.folders import ABOUT, read_json, require_place, save_result, without_nan

KIND = "calibration"
WORLDS = "worlds"
START = "calibration"


def code_fingerprint() -> str:
    """Return one fingerprint of every module on which a world depends, and of the versions of what they stand on."""
    package = Path(__file__).parents[1]
    texts = [f"{p.relative_to(package).as_posix()} {fingerprint(p.read_bytes())}" for p in _needed(package)]
    texts += [f"{name} {version(name)}" for name in ("numpy", "scipy", "numba", "pymc", "nutpie")]
    return fingerprint("\n".join(texts).encode())


def _needed(package: Path) -> list[Path]:
    """Return the sources of the modules (a folder is one) that this one imports, and those that these import."""
    found: dict[str, list[Path]] = {}
    names = [START]
    while names:
        name = names.pop()
        if name not in found:
            folder = package / name
            found[name] = sorted(folder.glob("*.py")) if folder.is_dir() else [package / f"{name}.py"]
            names += [other for path in found[name] for other in _imports(path)]
    return sorted(path for paths in found.values() for path in paths)


def _imports(path: Path) -> list[str]:
    """Return the modules of the package that a source imports, at its top or inside functions."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "forecast":
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("forecast."):
            names.append(str(node.module).split(".")[1])
    return names


@dataclass(frozen=True)
class Store:
    """The worlds of one calibration in a folder; ``about`` says what every one of them was made from."""

    folder: Path
    about: dict[str, Any]

    def open(self, *, anew: bool = False) -> dict[int, Examined]:
        """Return the worlds that are there already, by number; make the folder if there is none.

        ``anew`` throws away what is there. Raises ``InputError`` if the folder holds anything else, or worlds made from
        something else: another prior file, record, seed, span, sampler setting or version of the code.
        """
        require_place(self.folder, KIND)
        if anew and self.folder.is_dir():
            shutil.rmtree(self.folder)
        if not (self.folder / ABOUT).is_file():
            save_result(self.folder, KIND, {}, self.about)
            return {}
        found = read_json(self.folder / ABOUT)
        other = [name for name, value in self.about.items() if found.get(name) != value]
        if other:
            what = f"holds worlds of another {', '.join(other)}: choose another folder, or start anew with --anew"
            raise InputError(Problem(str(self.folder), what))
        return _worlds(self.folder / WORLDS)

    def keep(self, one: Examined) -> None:
        """Write one world."""
        write_world(one, self.folder)


def _worlds(folder: Path) -> dict[int, Examined]:
    """Return the worlds in a folder by number; ``InputError`` naming every file that is none, and what to do."""
    found: dict[int, Examined] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("[0-9]*.json")):
        try:
            value = read_json(path)
            wrong = problems_of(WorldJson, value, path)
            if not wrong and path.name != _name(value["world"]):
                wrong = [Problem(str(path), f"holds world {value['world']}; its name is of another one")]
        except InputError as error:
            wrong = list(error.problems)
        if wrong:
            problems += wrong[:3]
        else:
            found[value["world"]] = Examined.of_json(value)
    if problems:
        what = "these worlds are damaged: remove their files, and they are examined anew"
        raise InputError([*problems, Problem(str(folder), what)])
    return found


def _name(world: int) -> str:
    return f"{world:04d}.json"


def write_world(one: Examined, folder: Path) -> None:
    """Write one world into the folder of a calibration, whole or not at all."""
    with whole_file(folder / WORLDS / _name(one.world)) as scratch:
        scratch.write_text(json.dumps(without_nan(one.as_json()), allow_nan=False), encoding="utf-8")
