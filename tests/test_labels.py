"""The analyst's labels, and the months of the resolution, in everything that a forecast says: from the prior alone."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from worlds import load_record, load_specification

import forecast
from forecast.folders import ALL, with_labels
from forecast.ledger.questions import material
from forecast.plots import look
from forecast.requests import read_request
from forecast.specification import dump_specification
from forecast.terminal.forecasts import screen, statement_line
from forecast.vocabulary import SCENARIOS, WINDOWS, horizon_by, horizons_to, resolved_view

PARTS = ("fines left", "moderation", "advertising")
LABELS = {"limited": "Settled", "significant": "Fined", "crackdown": "Expelled"}


def settled(months: float = 36, labels: dict[str, str] = LABELS):
    """Return the packaged prior file with other labels, resolving after so many months."""
    spec = load_specification()
    cases = {name: spec.scenarios[name].model_copy(update={"label": label}) for name, label in labels.items()}
    rule = spec.resolution.model_copy(
        update={"months": spec.resolution.months.model_copy(update={"value": float(months)})}
    )
    scenarios = spec.scenarios.model_copy(update=cases)
    return spec.model_copy(update={"scenarios": scenarios, "resolution": rule})


@pytest.fixture(scope="module")
def prior():
    return forecast.prior_forecast(settled(), load_record(), draws=1200, seed=3)


@pytest.mark.parametrize(
    ("months", "horizons"),
    [(1, (1,)), (6, (6,)), (7, (6, 7)), (24, (6, 24)), (36, (6, 24, 36)), (60, (6, 24, 60)), (240, (6, 24, 240))],
)
def test_horizons_end_with_the_resolution(months, horizons):
    assert horizons_to(months) == settled(months).horizons == horizons


def test_a_horizon_is_found_by_its_months():
    assert [horizon_by(one, 24) for one in ((6, 24, 60), (6, 12), (3,), (36,))] == [24, 12, 3, 36]


def test_months_of_the_prior_file_reach_every_table(prior):
    assert prior.manifest["horizons"] == [6, 24, 36] == list(prior.outcomes["horizon"].values)
    summary, views = prior.tables["summary"], set(prior.tables["scenarios"]["view"])
    assert views == {"brief", resolved_view(36)}
    assert set(summary["horizon_months"]) == {6, 24, 36}
    assert prior.outcomes["resolved_scenario:pending"].sel(horizon=36).max() == 0
    assert prior.outcomes["resolved_scenario:pending"].sel(horizon=24).max() == 1


def test_a_short_resolution_ends_the_forecast():
    early = forecast.prior_forecast(settled(12), load_record(), draws=600, seed=3)
    assert list(early.outcomes["horizon"].values) == [6, 12]
    assert set(early.tables["scenarios"]["view"]) == {"brief", "resolved_12m"}


def test_statements_beyond_the_last_horizon_are_simulated_as_far(prior):
    """By 60 months more has come than by 24, although the forecast ends at 36."""
    table = prior.tables["statements"].set_index(["family", "scenario", "within_months"]).sort_index()
    assert (table["simulated"] - table["stated"]).abs().max() < 0.06
    for scenario in SCENARIOS:
        late, early = (table.at[("fine", scenario, months), "simulated"] for months in (60.0, 24.0))
        assert late > early + 0.1
    whole = forecast.prior_forecast(settled(60), load_record(), draws=4800, seed=4).tables["statements"]
    whole = whole.set_index(["family", "scenario", "within_months"]).sort_index()
    assert (table["simulated"] - whole["simulated"]).abs().max() < 0.12


def test_rows_about_a_scenario_have_its_label(prior):
    for name, column in (("summary", "scenario"), ("scenarios", "scenario"), ("prior_resolution", "latent")):
        table = prior.tables[name]
        assert list(table["label"]) == [LABELS.get(code, ALL) for code in table[column]]
    assert prior.manifest["labels"] == LABELS
    assert with_labels(pd.DataFrame({"case_id": ["a"]}), LABELS).columns.tolist() == ["case_id"]


def test_yes_no_targets_have_no_quantiles(prior):
    summary = prior.tables["summary"].set_index("unit")
    quantiles = [c for c in summary if c.startswith("q")]
    assert quantiles == ["q05", "q25", "q50", "q75", "q95"]
    assert summary.loc["probability", quantiles].isna().all(axis=None)
    assert summary.loc["EUR", quantiles].notna().all(axis=None)
    assert summary.loc["probability", "mean"].notna().all()


def told(prior, width: int, *, full: bool = False, **changes) -> str:
    """Return the screen of a forecast that has the tables of the prior, at a width."""
    spec, record = prior.specification, prior.record
    scenarios = prior.tables["scenarios"]
    inside = scenarios.loc[scenarios["view"] == "brief"].assign(view="inside")
    outside = inside.assign(view="outside", probability=[0.1, 0.3, 0.6], mcse=0.01)
    cases = record.proceedings["case_id"].iloc[:3]
    events = pd.DataFrame(
        {
            "origin_date": "2026-02-03",
            "case_id": cases,
            "matter_id": "m",
            "view": "outside",
            "family": "fine",
            "window_months": 6,
            "probability": [0.4, 0.003, 0.0],
            "mcse": [0.01, 0.001, 0.0],
        }
    )
    tables = {
        **prior.tables,
        "scenarios": pd.concat([scenarios, inside, outside]),
        "resolution": prior.tables["prior_resolution"],
        "event_probabilities": events,
        "posterior_summary": pd.DataFrame({"parameter": ["rate[fine]"], "contraction": [0.1]}),
        "weight_of_evidence": pd.DataFrame(),
        "unused_rows": pd.DataFrame(),
        **changes,
    }
    sampled = {
        "parameters": 3,
        "divergences": 0,
        "worst": {name: {"value": 1.0} for name in ("r_hat", "ess_bulk", "ess_tail")},
    }
    console = Console(width=width, no_color=True, force_terminal=False)
    with console.capture() as captured:
        console.print(screen(tables, prior.manifest | {"view": "inside"}, sampled, record.proceedings, full=full))
    assert spec.labels == prior.manifest["labels"]
    return captured.get()


@pytest.mark.parametrize("width", [60, 80, 140])
@pytest.mark.parametrize("full", [False, True])
def test_the_screen_speaks_the_analysts_words_and_keeps_its_width(prior, width, full):
    text = told(prior, width, full=full)
    assert max(map(len, text.splitlines())) <= width
    for label in LABELS.values():
        assert label in text
    for code in ("crackdown", "significant", "limited", "60 months", "resolved_60m"):
        assert code not in text.replace("by 60 months", "")
    assert "resolved_36m" in text
    assert "resolved as Expelled" in text
    assert ("±" in text) == full


def test_amounts_are_medians_within_their_intervals(prior):
    lines = [line.split("  ") for line in told(prior, 140).splitlines()]
    summary = prior.tables["summary"].query("scenario == 'all'").set_index(["target", "horizon_months"])
    row = next(line for line in lines if line[0].startswith("valuation_impact"))
    cell = row[-1].strip()
    median = summary.at[("valuation_impact", 36), "q50"]
    assert cell.startswith(f"{100 * median:.0f} [")
    assert "valuation_change" not in told(prior, 140)  # it holds the market's noise
    assert "valuation_change" in told(prior, 140, full=True)
    parts = [next(line for line in lines if line[1:] and line[1].startswith(f"of it {name}")) for name in PARTS]
    total = summary.at[("total_cost", 36), "mean"] * 1e-6
    assert sum(float(part[-1].replace(",", "")) for part in parts) == pytest.approx(total, abs=2)
    assert next(line for line in lines if line[0].startswith("total_cost, m EUR: mean"))[-1].strip() == (
        f"{summary.at[('total_cost', 36), 'mean'] * 1e-6:,.0f}"
    )
    assert "Amounts: median [90 % interval]" in told(prior, 140)


def test_what_is_possible_is_never_nothing_and_has_a_name(prior):
    lines = [line for line in told(prior, 140).splitlines() if "  fine  " in line]
    cases = prior.record.proceedings.iloc[:3]
    assert [line.split()[-2:] for line in lines] == [["40", "%"], ["<1", "%"], ["0", "%"]]
    for line, names in zip(lines, cases[["case_id", "provider", "authority", "instrument"]].to_numpy(), strict=True):
        assert line.startswith(names[0])
        assert ", ".join(names[1:]) in line


def test_likeliest_events_name_the_view_where_there_is_one(prior):
    case = prior.record.proceedings["case_id"].iloc[0]
    row = {"case_id": case, "matter_id": "m", "family": "order.extensive", "view": "inside", "window_months": 6}
    text = told(prior, 140, event_probabilities=pd.DataFrame([row | {"probability": 0.2, "mcse": 0.01}]))
    assert "inside" in next(line for line in text.splitlines() if line.startswith(case))


def test_markup_in_a_label_is_text():
    odd = {"limited": "A [red] line", "significant": "B [/] $1 or $2", "crackdown": "C [bold]x[/bold]"}
    text = told(forecast.prior_forecast(settled(36, odd), load_record(), draws=600, seed=3), 140)
    for label in odd.values():
        assert label in text


def test_the_line_on_statements_names_the_label(prior):
    assert "given '" in statement_line(prior.tables["statements"], LABELS)


def test_figures_speak_the_analysts_words(prior):
    for name in ("scenarios", "targets", "events", "exceedance", "priors", "resolution"):
        picture = forecast.plots.PLOTS[name](prior)
        texts = " | ".join(text.get_text() for text in picture.findobj(lambda a: hasattr(a, "get_text")))
        if name != "exceedance":
            assert "Expelled" in texts, name
        else:
            assert "36 months" in texts
        for code in ("crackdown", "Crackdown", "significant", "Significant", "60 months", "60 mo"):
            assert code not in texts, (name, code)


def test_long_labels_are_broken_and_axes_have_few_ticks():
    long = {**LABELS, "crackdown": "Expelled from the market of the whole EU"}
    for label in look.labels({"labels": long}).values():
        assert len(label.splitlines()) <= 2
        assert max(map(len, label.splitlines())) <= 25
    assert look.labels({"labels": long}, 12, narrow=True)["crackdown"].count("\n") >= 3
    for last in (1, 5, 12, 36, 60, 240):
        ticks = list(look.month_ticks(last))
        assert ticks[0] == 0
        assert len(ticks) <= 7
        assert ticks[-1] <= last


def test_too_few_cases_have_no_mark(prior):
    """The spending on moderation has two figures in the record: no percentile, and none is drawn."""
    picture = forecast.plots.priors(prior)
    axes = picture.axes[0]
    bare = {
        round(label.get_position()[1], 6)
        for label in axes.get_yticklabels()
        if label.get_text().startswith("moderation")
    }
    assert len(bare) == 3
    marks = {round(float(y), 6) for marks in axes.collections for _, y in np.atleast_2d(marks.get_offsets())}
    assert marks
    assert not bare & marks
    assert sum(text.get_text().startswith("fewer than") for text in axes.texts) == 3


def test_a_ledger_asks_at_the_same_horizons(prior):
    """Every target is issued at the forecast's own horizons, its class at the last with all views."""
    cases = prior.record.proceedings
    events = pd.DataFrame(
        [
            ("2026-02-03", case, matter, "fine", window, 0.1, 0.01)
            for case, matter in zip(cases["case_id"][:2], cases["matter_id"][:2], strict=True)
            for window in WINDOWS
        ],
        columns=["origin_date", "case_id", "matter_id", "family", "window_months", "probability", "mcse"],
    )
    fines = pd.DataFrame({"case_id": [], "reason": []})
    tables = {**prior.tables, "event_probabilities": events, "next_fines": fines}
    made = material(replace(prior, tables=tables, manifest=prior.manifest | {"view": "inside"}))
    own = {q.horizon for q in made.questions if not q.target.startswith("event_in_proceeding")}
    assert own == {6, 24, 36}
    last = {row.model_id for row in made.rows if row.target == "resolved_scenario" and row.horizon == 36}
    assert {"forecast", "brief"} <= last


@pytest.mark.slow
def test_run_show_and_plot_end_to_end(tmp_path, capsys):
    from forecast.cli.shell import exit_code  # noqa: PLC0415

    priors, out = tmp_path / "settled.yaml", tmp_path / "out"
    priors.write_text(dump_specification(settled()), encoding="utf-8")
    assert exit_code(["run", "--priors", str(priors), "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert exit_code(["show", str(out)]) == 0
    again = capsys.readouterr().out
    assert again == shown.partition("Written to")[0]
    assert max(map(len, again.splitlines())) <= 80
    assert "resolved as Expelled" in again
    assert "crackdown" not in again
    assert exit_code(["plot", str(out), "--only", "targets", "--out", str(tmp_path / "figures")]) == 0
    summary = pd.read_csv(out / "summary.csv")
    assert set(summary["horizon_months"]) == {6, 24, 36}
    assert {"crackdown", "Expelled"} <= {*summary["scenario"], *summary["label"]}
    assert read_request(settled(), load_record()).origin == settled().as_of
