"""The command line as a user types it: what it prints, what it writes, how it exits."""

import gc
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from forecast import folders
from forecast.cli.shell import exit_code

PRIORS = Path(__file__).parents[1] / "priors"


def forecast(*arguments, cwd=None, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "forecast", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def test_run_writes_and_prints(tmp_path):
    done = forecast("run", "--origin", "2026-02-03", cwd=tmp_path)
    assert (tmp_path / "outputs/x-eu-2026/2026-02-03/summary.csv").is_file()
    figures = {p.stem for p in (tmp_path / "outputs/x-eu-2026/2026-02-03/figures").iterdir()}
    assert figures == {"scenarios", "weight_of_evidence", "targets", "exceedance", "events"}
    for words in ("brief", "40 %", "Limited impact", "resolved_60m", "total_cost", "Likeliest events", "R-hat at most"):
        assert words in done.stdout
    assert "\x1b[" not in done.stdout + done.stderr
    assert forecast("show", "outputs/x-eu-2026/2026-02-03", cwd=tmp_path).stdout.strip() in done.stdout


def test_show_and_validate(packaged_folder):
    assert "inside" in forecast("show", packaged_folder).stdout
    done = forecast("validate", packaged_folder, PRIORS / "x-paris-2026.yaml", packaged_folder / "record")
    assert done.stdout.count(": ok, ") == 3
    for words in ("Rows of the log that enter no likelihood of hazards", "x-eu-2026: ", "first known step"):
        assert words in done.stdout


def test_types_prints_the_law_with_its_articles():
    text = " ".join(forecast("types").stdout.split())
    for words in ("judicial_investigation", "article 80-1", "after findings", "executive x4", "x0.05"):
        assert words in text


def test_priors_lists_every_number_with_its_place_in_the_record():
    done = forecast("priors")
    assert "scenarios.limited.probability" in done.stdout
    assert "priors disagree with the record" in done.stdout
    assert len(forecast("priors", "--warned").stdout) < len(done.stdout)


def test_every_mistake_of_every_file_is_named_and_nothing_is_written(tmp_path):
    text = (PRIORS / "x-paris-2026.yaml").read_text()
    (tmp_path / "bad.yaml").write_text(
        text.replace("pooling:", "poling:").replace("error_sd: {value: 0.5", "error_sd: {value: x")
    )
    folder = tmp_path / "record"
    folder.mkdir()
    for name in ("proceedings", "events"):
        (folder / f"{name}.csv").write_bytes((PRIORS.parent / f"forecast/data/{name}.csv").read_bytes())
    with (folder / "events.csv").open("a") as stream:
        stream.write("new,no-such-case,2026-01-01,2026-01-01,serch,,,,,,high\n")
    done = forecast("validate", tmp_path / "bad.yaml", folder, code=1)
    for words in (
        "unknown key 'poling' (did you mean 'pooling'?)",
        "error_sd",
        "events.csv row 366",
        "did you mean 'search'?",
    ):
        assert words in done.stderr
    done = forecast("run", "--priors", tmp_path / "bad.yaml", "--out", tmp_path / "out", code=1)
    assert "poling" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--dras", "5"], "--dras"),
        (["run", "--draws", "0"], "draws"),
        (["run", "--origin", "2026-02-30"], "2026-02-30"),
        (["run", "--origin", "2020-01-01"], "choose a later origin"),
        (["show", "nowhere"], "holds no forecast"),
        (["validate", "nowhere.yaml"], "nowhere.yaml"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_bad_input_exits_with_one(arguments, words, tmp_path):
    assert words in forecast(*arguments, cwd=tmp_path, code=1).stderr
    assert not list(tmp_path.iterdir())


def test_too_few_draws_exit_with_two(tmp_path):
    done = forecast("run", "--draws", "20", "--tune", "50", "--chains", "2", "--out", tmp_path / "out", code=2)
    assert "not converged" in done.stderr
    assert "--draws" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_forecast_of_the_printed_seed_can_be_made_again(packaged_folder):
    assert json.loads((packaged_folder / "manifest.json").read_text())["seed"] == 20260203


def test_plot_draws_into_the_folder_or_elsewhere(packaged_folder, tmp_path):
    copy = shutil.copytree(packaged_folder, tmp_path / "copy")
    done = forecast("plot", copy, "--only", "resolution", "--only", "scenarios")
    names = {"resolution.png", "resolution.svg", "scenarios.png", "scenarios.svg"}
    assert {p.name for p in (copy / "figures").iterdir()} == names
    assert {Path(line).name for line in done.stdout.split()} == names
    assert forecast("validate", copy).stdout.count(": ok, ") == 1  # figures do not change what was sealed
    forecast("plot", copy, "--only", "events", "--out", tmp_path / "new")
    assert {p.name for p in (tmp_path / "new").iterdir()} == {"events.png", "events.svg"}


def test_export_writes_beside_the_folder(packaged_folder, tmp_path):
    copy = shutil.copytree(packaged_folder, tmp_path / "copy")
    assert forecast("export", copy, "--format", "netcdf").stdout.strip() == str(tmp_path / "copy.nc")
    forecast("export", copy, "--format", "csv", "--out", tmp_path / "mine")
    assert (tmp_path / "mine" / "summary.csv").read_text().startswith("# ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plot", "DIR", "--only", "event"], "did you mean 'events'"),
        (["export", "DIR", "--format", "xls"], "did you mean 'xlsx'"),
        (["export", "DIR", "--format", "json", "--out", "DIR/inside.json"], "lies in the folder of a forecast"),
        (["plot", "nothing"], "holds no forecast"),
        (["export", "nothing", "--format", "csv"], "holds no forecast"),
        (["export", "DIR"], "--format"),
    ],
)
def test_bad_requests_for_figures_and_exports_are_refused(packaged_folder, tmp_path, arguments, words):
    before = sorted(packaged_folder.rglob("*"))
    done = forecast(*(a.replace("DIR", str(packaged_folder)) for a in arguments), cwd=tmp_path, code=1)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
    assert sorted(packaged_folder.rglob("*")) == before


def test_a_forecast_with_a_missing_group_is_refused(packaged_folder, tmp_path):
    copy = shutil.copytree(packaged_folder, tmp_path / "copy")
    (copy / "prior_outcomes.nc").unlink()
    assert "is missing from the forecast" in forecast("plot", copy, code=1).stderr
    assert not (copy / "figures").exists()


def test_update_writes_a_forecast_beside_the_old_one(packaged_folder, tmp_path):
    old = shutil.copytree(packaged_folder, tmp_path / "2026-02-03")
    (tmp_path / "new.csv").write_text(
        "case_id,date,published_on,type\nec-dsa-x-grok-2026,2026-03-03,2026-03-03,preliminary_findings\n"
    )
    done = forecast("update", old, "--events", tmp_path / "new.csv")
    assert "by reweighting: k-hat" in done.stdout
    assert "Scenarios before and after" in done.stdout
    assert "x-eu-2026, origin 2026-03-03, inside view" in done.stdout
    assert forecast("validate", old, tmp_path / "2026-03-03").stdout.count(": ok, ") == 2
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    silent = forecast("update", old, "--origin", "2026-03-03", code=1)
    assert "2026-03-03 lies 28 days after 2026-02-03, to which the record is complete" in silent.stderr
    other = forecast("update", old, "--origin", "2026-03-03", "--assume-silence", code=1)
    assert "holds a result of another record" in other.stderr  # the folder beside DIR is that of the first update
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    (tmp_path / "bad.csv").write_text("case_id,date,published_on,type\nnobody,2026-03-03,2026-03-03,raid\n")
    failed = forecast("update", old, "--events", tmp_path / "bad.csv", code=1)
    assert "bad.csv row 2, column case_id: 'nobody' is no case_id of proceedings" in failed.stderr
    assert "bad.csv row 2, column type: 'raid' is not one of" in failed.stderr
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and p.name != "bad.csv"} == before


def test_explain_writes_and_prints(packaged_folder, tmp_path):
    (tmp_path / "new.csv").write_text(
        "case_id,date,published_on,type\nec-dsa-x-grok-2026,2026-03-03,2026-03-03,preliminary_findings\n"
    )
    later, why = tmp_path / "later", tmp_path / "why"
    told = forecast("update", packaged_folder, "--events", tmp_path / "new.csv", "--out", later).stdout
    assert "of medians at 60 months: fine_imposed ±" in " ".join(told.split())
    done = forecast("explain", packaged_folder, later, "--out", why)
    assert "2026-03-03 ec-dsa-x-grok-2026 " in done.stdout
    assert "preliminary_findings" in done.stdout  # the line below
    assert max(map(len, done.stdout.split("Each column")[0].splitlines())) <= 80
    assert "Each column sums exactly" in done.stdout
    assert sorted(p.name for p in why.iterdir()) == [
        "about.json",
        "events.csv",
        "explanation.csv",
        "waterfall.png",
        "waterfall.svg",
    ]
    failed = forecast("explain", later, packaged_folder, "--out", tmp_path / "no", code=1)
    assert "origin: 2026-02-03 lies before 2026-03-03: swap them" in failed.stderr
    assert not (tmp_path / "no").exists()
    failed = forecast("explain", packaged_folder, later, "--out", later, code=1)
    assert "is or lies in the folder of a forecast" in failed.stderr


def test_garbage_collection_waits_for_the_commands_that_make_many_forecasts(packaged_folder, monkeypatch):
    seen, check_folder = [], folders.check_folder
    monkeypatch.setattr(folders, "check_folder", lambda folder: seen.append(gc.isenabled()) or check_folder(folder))
    for command in ("show", "validate"):
        assert exit_code([command, str(packaged_folder)]) == 0
        assert gc.isenabled()
    assert seen == [False, True]


def test_an_interruption_is_said_and_leaves_nothing(packaged_folder, tmp_path):
    (tmp_path / "new.csv").write_text("case_id,date,published_on,type\nfr-crim-x-2025,2026-03-03,2026-03-03,summons\n")
    code = (
        "import sys; from forecast import cli, updating\n"
        "def stop(*args, **kwargs): raise KeyboardInterrupt\n"
        "updating.updated = stop; cli.main(sys.argv[1:])"
    )
    line = ["update", str(packaged_folder), "--events", str(tmp_path / "new.csv"), "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", code, *line], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert "Interrupted; no file is half-written." in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["new.csv"]


def test_the_commands_refuse_an_event_of_the_future(packaged_folder, tmp_path, capsys):
    new = tmp_path / "new.csv"
    new.write_text("case_id,date,published_on,type\nfr-crim-x-2025,2062-02-10,2062-02-10,summons\n", encoding="utf-8")
    assert exit_code(["update", str(packaged_folder), "--events", str(new), "--out", str(tmp_path / "out")]) == 1
    assert "origin: 2062-02-10 lies in the future" in capsys.readouterr().err
    assert exit_code(["run", "--origin", "2062-02-10", "--assume-silence", "--out", str(tmp_path / "out")]) == 1
    assert "origin: 2062-02-10 lies in the future" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
