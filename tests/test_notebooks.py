"""Every notebook runs from top to bottom in a fresh kernel, quickly enough to be used, and shows what it promises."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MINUTES = 10


def test_the_notebooks_are_there():
    names = ["01-priors", "02-forecast", "03-your-own-matter", "04-new-evidence", "05-how-good"]
    assert [p.stem for p in NOTEBOOKS] == names


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda p: p.stem)
def executed(request, tmp_path_factory):
    notebook = nbformat.read(request.param, as_version=4)
    place = tmp_path_factory.mktemp(request.param.stem)
    client = NotebookClient(
        notebook, timeout=60 * MINUTES, kernel_name="python3", resources={"metadata": {"path": place}}
    )
    return client.execute()


def outputs(notebook):
    return [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]


def test_it_runs_without_warnings_and_shows_figures(executed):
    loud = [o["text"] for o in outputs(executed) if o.output_type == "stream" and o.name == "stderr"]
    assert not loud
    assert sum("image/png" in o.get("data", {}) for o in outputs(executed)) >= 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_what_is_committed_was_run_in_order_and_names_no_machine(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not re.search(r"/(home|root|tmp|Users|work)/", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_only_the_public_interface_is_used(path):
    notebook = nbformat.read(path, as_version=4)
    source = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert not re.search(r"from forecast\.|import forecast\.", source)
    assert not re.search(r"\b\w+\._[a-z]", source)
