"""The house rules, read from the source: floors, who may import what, sizes, and what importing loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "forecast"

FLOORS = [
    {"scratch"},
    {"vocabulary", "progress", "parallel", "version", "elicitation", "monte_carlo", "scores", "descriptions"},
    {"files", "record_tables", "intervals", "yaml_text"},
    {"settings", "yaml_nodes", "sheets", "places", "folder_schema", "folder_rows"},
    {"yaml_files", "record_text", "record_checks"},
    {"quantities", "labels", "record_cuts", "folder_tables"},
    {"stated", "record_about", "readings", "regime_parts", "folders"},
    {"sections", "record", "regime_checks"},
    {"regime", "additions", "leaks", "news", "silence", "resolution"},
    {"specification"},
    {"evidence", "opening_counts", "effects", "requests", "unseen"},
    {"observations", "unused"},
    {"conjugate", "passports", "baselines"},
    {"model"},
    {"projection"},
    {"gathered", "simulator"},
    {"model.build"},
    {"inference"},
    {"penalties", "replication"},
    {"outcomes", "trees"},
    {"watchlist", "impacts", "weight_of_evidence", "draw_checks"},
    {"summaries"},
    {"prior_check"},
    {"forecasting"},
    {"joining"},
    {"updating", "replaying"},
    {"hypotheses", "attribution"},
    {"backtesting"},
    {"ledger"},
    {"sensitivity"},
    {"calibration"},
    {"exports", "terminal"},
    {"plots"},
    {"cli"},
]
"""A module imports only from floors above its own in this list (lower in the house).

``model.build`` alone has another floor than its package: it tells the story of all the evidence, which is gathered by
means of the priors and the hazards that the rest of the package holds.
"""

HEAVY = {
    "pymc": {"model.build"},
    "pytensor": {"model.build", "inference"},
    "nutpie": {"inference"},
    "matplotlib": {"plots"},
    "arviz_plots": {"plots"},
}
"""Who may import what costs seconds or draws pictures."""

LONG_FUNCTIONS: dict[str, str] = {
    "paths._course": "one simulation loop; numba compiles it whole",
}

MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE or not p.name.startswith("__"))
"""Every module; those of a folder (``plots``, ``exports``) share its floor and may import each other."""


def module_of(path: Path) -> str:
    return named(".".join(path.relative_to(PACKAGE).with_suffix("").parts))


def named(dotted: str) -> str:
    """Return the entry of ``FLOORS`` that a module of the package belongs to: its own, or that of its package."""
    parts = dotted.split(".")
    own = ".".join(parts[:2])
    return own if any(own in names for names in FLOORS) else parts[0]


def imports(path: Path) -> dict[str, int]:
    found = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name: node.lineno for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "forecast":
                found |= {f"forecast.{alias.name}": node.lineno for alias in node.names}
            found[node.module] = node.lineno
    return found


def floor_of(module: str) -> int:
    return next(i for i, names in enumerate(FLOORS) if module in names)


def test_every_module_has_a_floor():
    assert {module_of(p) for p in MODULES} == set().union(*FLOORS)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    for name, line in imports(path).items():
        if name.startswith("forecast."):
            other, own = named(name.removeprefix("forecast.")), module_of(path)
            lower = floor_of(other) < floor_of(own) or other == own
            assert lower, f"{path.name}:{line} imports {other} from no lower floor"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_packages_have_few_doors(path):
    for name, line in imports(path).items():
        root = name.split(".")[0]
        own = module_of(path)
        assert own in HEAVY.get(root, {own}), f"{path.name}:{line} imports {root}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_are_short_or_say_why(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            length = (node.end_lineno or 0) - first.lineno + 1
            name = f"{path.stem}.{node.name}"
            assert length <= 40 or name in LONG_FUNCTIONS, f"{name} has {length} lines"


@pytest.mark.parametrize(
    "statement",
    [
        "import forecast",
        "import forecast.cli",
        "import forecast.record",
        "from forecast import load_specification",
    ],
)
def test_light_imports_load_nothing_heavy(statement):
    heavy = ("pymc", "pytensor", "nutpie", "arviz", "arviz_stats", "matplotlib")
    check = f"import sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", f"{statement}; {check}"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_exception_is_swallowed():
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                broad = node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception")
                assert not broad, f"{path.name}:{node.lineno} catches everything"
