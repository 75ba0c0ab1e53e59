"""Figures of priors, parameters, replicates and classes: what is drawn, against numbers worked out anew from draws."""

import re
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from scipy import stats
from scipy.special import expit

from forecast import plots
from forecast.evidence.episodes import episodes, months_between
from forecast.inference import gather
from forecast.passports import passport
from forecast.plots import model
from forecast.plots.answers import FAMILY_NAMES
from forecast.plots.brief import family_in
from forecast.plots.look import ACCENT, INK, PRIOR
from forecast.quantities import percent
from forecast.replication import by_class_and_family
from forecast.specification import load_specification
from forecast.trees import prior_parameters
from forecast.updating import settings_of
from forecast.vocabulary import AUTHORITY_CLASSES, FAMILIES, SCENARIOS

FIGURES = ("priors", "parameters", "law", "powers", "predictive", "resolution")
CHAINS, FOREST = ("chain", "draw"), {"column": "forest"}
PRIORS = Path(__file__).parents[1] / "priors"


def figure_of(drawn):
    return drawn.viz["figure"].item() if hasattr(drawn, "viz") else drawn


def caption(drawn) -> str:
    return " ".join(figure_of(drawn).get_supxlabel().split())


def before_the_brief(forecast):
    tables = {**forecast.tables, "statements": pd.DataFrame(), "prior_resolution": pd.DataFrame()}
    return replace(forecast, tables=tables, prior_outcomes=xr.Dataset())


@pytest.fixture(scope="module")
def drawn(packaged):
    return {name: plots.PLOTS[name](packaged) for name in FIGURES}


@pytest.fixture(scope="module")
def told(packaged):
    return passport(packaged.specification, packaged.record).set_index("key")


# What holds for every figure


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_global_changes_and_no_figure_stays_open(packaged, name):
    before = dict(mpl.rcParams)
    for forecast in (packaged, before_the_brief(packaged)):
        plots.PLOTS[name](forecast)
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", FIGURES)
def test_the_caption_tells_interval_forecast_and_seed(drawn, packaged, name):
    text = caption(drawn[name])
    said = {"resolution": "Monte Carlo errors", "powers": "posterior medians"}
    assert said.get(name, "eti 0.90") in text
    assert packaged.manifest["origin"] in text
    assert packaged.manifest["priors_fingerprint"][:8] in text
    assert str(packaged.manifest["seed"]) in text


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("known", [True, False], ids=["brief", "before"])
def test_nothing_is_cut_off_and_no_labels_overlap(packaged, name, known):
    figure = figure_of(plots.PLOTS[name](packaged if known else before_the_brief(packaged)))
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    box, (width, height) = figure.get_tightbbox(renderer), figure.get_size_inches()
    assert min(box.x0, box.y0) > -0.01
    assert box.x1 < width + 0.01
    assert box.y1 < height + 0.01
    for axes in figure.get_axes():
        for axis in (axes.xaxis, axes.yaxis):
            labels = [
                one.label1 for one in axis.get_major_ticks() if one.label1.get_text() and one.label1.get_visible()
            ]
            extents = [label.get_window_extent(renderer).padded(-1) for label in labels]
            assert not any(a.overlaps(b) for a, b in pairwise(extents)), axes.get_title("left")


def test_collections_show_themselves_in_a_notebook(drawn):
    for name in ("parameters", "predictive"):
        assert drawn[name]._repr_html_().startswith('<img src="data:image/png;base64,iVBOR')


# Priors


def panels(figure):
    return {axes.get_title("left")[:1]: axes for axes in figure.get_axes()}


def rows_of(axes) -> dict[str, float]:
    return dict(zip([t.get_text() for t in axes.get_yticklabels()], axes.get_yticks(), strict=True))


def ranges_of(axes) -> dict[float, tuple[float, float]]:
    lines = [c for c in axes.collections if isinstance(c, LineCollection)]
    return {round(s[0, 1], 6): (s[0, 0], s[1, 0]) for c in lines for s in c.get_segments()}


def points_of(axes) -> dict[float, tuple[float, str]]:
    points = [c for c in axes.collections if not isinstance(c, LineCollection)]
    return {round(c.get_offsets()[0, 1], 6): (c.get_offsets()[0, 0], to_hex(c.get_edgecolor()[0])) for c in points}


def test_percentiles_are_those_of_the_sample(drawn, packaged):
    record, spec = packaged.record.as_of(packaged.specification.as_of).in_force(), packaged.specification
    focal = record.proceedings.loc[record.proceedings["matter_id"] == spec.matter, "case_id"]
    against = record.fines["event_id"].map(record.events.set_index("event_id")["case_id"])
    sample = record.fines.loc[(record.fines["amount_eur"] > 0) & ~against.isin(focal), "amount_eur"]
    axes = panels(drawn["priors"])["a"]
    assert axes.get_xlim() == (0, 100)
    for scenario, stated in spec.fines.eur.items():
        y = round(rows_of(axes)[f"fine, EUR: {spec.labels[scenario]}"], 6)
        values = (stated.low, np.sqrt(stated.low * stated.high), stated.high)
        low, middle, high = (stats.percentileofscore(sample, x, kind="mean") for x in values)
        assert ranges_of(axes)[y] == pytest.approx((low, high))
        assert points_of(axes)[y][0] == pytest.approx(middle)


def test_rates_stand_over_the_exact_interval_of_the_records_own(drawn, packaged):
    origin = packaged.specification.as_of
    lives = episodes(packaged.record.as_of(origin).in_force(), packaged.specification.regime, origin)
    months = sum(months_between(part.start, part.end) for life in lives for part in life.stretches)
    count = sum(event.family == FAMILIES.index("fine") for life in lives for event in life.counted)
    axes = panels(drawn["priors"])["b"]
    y = round(rows_of(axes)["rate a month: fine"], 6)
    rate = count / months
    bar = next(p for p in axes.patches if isinstance(p, Rectangle) and round(p.get_y() + 0.35, 6) == y)
    exact = stats.chi2.ppf(0.05, 2 * count) / 2 / months, stats.chi2.ppf(0.95, 2 * count + 2) / 2 / months
    assert [bar.get_x() * rate, (bar.get_x() + bar.get_width()) * rate] == pytest.approx(exact)
    stated = packaged.specification.regime.families["fine"].rate
    assert ranges_of(axes)[y] == pytest.approx((stated.low / rate, stated.high / rate))
    assert points_of(axes)[y][0] == pytest.approx(np.sqrt(stated.low * stated.high) / rate)
    assert axes.get_xscale() == "log"


def test_every_number_with_a_counterpart_has_a_row_and_warnings_show(drawn, told):
    parts = panels(drawn["priors"])
    ranked = told.loc[told["percentile"].notna()]
    stated = told.index.str.startswith("statements.families")
    compared = told.loc[told["percentile"].isna() & told["figure"].notna() & ~stated]
    for axes, rows in ((parts["a"], ranked), (parts["b"], compared)):
        assert len(axes.get_yticks()) == len(rows)
        assert len(set(rows_of(axes))) == len(rows)
        assert not any("." in label.replace("order.", "") for label in rows_of(axes))
        colours = [colour for _, (_, colour) in sorted(points_of(axes).items(), reverse=True)]
        marked = rows.loc[rows["figure"].notna(), "warning"]
        assert colours == [ACCENT if warning else PRIOR for warning in marked]
        labels = [to_hex(label.get_color()) for label in axes.get_yticklabels()]
        assert labels == [ACCENT if warning else INK for warning in rows["warning"]]
        written = {text.get_text() for text in axes.texts}
        assert set(rows["says"]) <= written


def test_statements_lie_in_their_strips(drawn, packaged, told):
    strips = {axes.get_title("left").replace("\n", " "): axes for axes in drawn["priors"].get_axes()}
    for family, course in packaged.specification.statements.families.items():
        strip = strips[FAMILY_NAMES[family]]
        points = [c for c in strip.collections if not isinstance(c, LineCollection)]
        values = [(c.get_offsets()[0, 1], to_hex(c.get_edgecolor()[0])) for c in points]
        quoted = f'["{family}"]' if "." in family else f".{family}"
        keys = [f"statements.families{quoted}.{s}[{i}]" for s, part in course.items() for i in range(len(part))]
        stated = [statement.value for _, part in course.items() for statement in part]
        assert [x for x, _ in values] == pytest.approx(np.clip(stated, 0.001, 0.999))
        assert [colour for _, colour in values] == [ACCENT if told.loc[k, "warning"] else INK for k in keys]
        bars = {round(p.get_x() + p.get_width() / 2): p for p in strip.patches if isinstance(p, Rectangle)}
        for place, key in enumerate(keys[: len(course.limited)]):
            low, high = (bars[place].get_y(), bars[place].get_y() + bars[place].get_height())
            seen = told.loc[key, ["figure_low", "figure_high"]].astype(float).clip(0.001, 0.999)
            assert (low, high) == pytest.approx(tuple(seen))


def test_a_rate_without_events_is_drawn_over_its_upper_end(packaged):
    early = packaged.record.as_of("2023-06-01")
    forecast = replace(packaged, record=early, specification=packaged.specification)
    rows = passport(forecast.specification, early).set_index("key")
    none = [k for k in rows.index[rows["figure"] == 0] if k.startswith("regime.families")]
    assert none
    axes = panels(plots.priors(forecast))["b"]
    for key in none:
        y = round(rows_of(axes)[f"rate a month: {family_in(key).replace('_', ' ')}"], 6)
        bar = next(p for p in axes.patches if isinstance(p, Rectangle) and round(p.get_y() + 0.35, 6) == y)
        assert bar.get_x() + bar.get_width() == pytest.approx(1)
        assert ranges_of(axes)[y][1] == pytest.approx(rows.loc[key, "stated_high"] / rows.loc[key, "figure_high"])


def test_other_prior_files_draw(packaged):
    spec = load_specification(PRIORS / "tiktok-commission-2026.yaml")
    figure = plots.priors(replace(packaged, specification=spec))
    strips = {axes.get_title("left").replace("\n", " ") for axes in figure.get_axes()}
    assert {FAMILY_NAMES[family] for family in spec.statements.families} <= strips


# Parameters


def raw(packaged, group):
    """Return all draws; the tree has the first ones of the prior alone."""
    evidence = gather(packaged.specification, packaged.record, date.fromisoformat(packaged.manifest["origin"]))
    prior = prior_parameters(evidence, settings_of(packaged))
    return {"prior": prior, "posterior": packaged.tree["posterior"].to_dataset()}[group].stack(sample=CHAINS)


DERIVED = {
    ("rate", "family", "fine"): lambda x: np.exp(x["rate"].sel(family="fine")),
    ("rate", "family", "judicial investigation"): lambda x: np.exp(x["rate"].sel(family="judicial_investigation")),
    ("age", "aging", "findings"): lambda x: x["age"].sel(family="findings"),
    ("trend", "whole", "all families"): lambda x: np.exp(x["trend"]),
    ("probability", "share", "a fine is appealed"): lambda x: x["appeal_probability"],
    ("probability", "share", "a large fine is appealed"): lambda x: x["appeal_probability_large"],
    ("probability", "share", "a decision closes"): lambda x: x["closing_probability"],
    ("size", "fine", "of the ceiling"): lambda x: expit(x["size_mean"]),
    ("size", "fine", "of turnover, no ceiling"): lambda x: np.exp(x["bare_size"].sel(moment="mean")),
}


@pytest.mark.parametrize(("variable", "dim", "label"), DERIVED, ids=str)
def test_intervals_and_contraction_are_those_of_the_draws(drawn, packaged, variable, dim, label):
    viz, variance = drawn["parameters"].viz, {}
    for group in ("prior", "posterior"):
        values = DERIVED[variable, dim, label](raw(packaged, group)).values
        where = {"model": group, dim: label}
        for visual, ends in (("twig", (0.05, 0.95)), ("trunk", (0.25, 0.75))):
            line = viz[visual][variable].sel(where).item()
            assert line.get_xdata() == pytest.approx(np.quantile(values, ends), rel=1e-4)
        point = viz["point_estimate"][variable].sel(where).item().get_offsets()[0]
        assert point[0] == pytest.approx(np.median(values), rel=1e-4)
        assert line.get_ydata() == pytest.approx([point[1]] * 2)
        variance[group] = np.var(np.log(values) if line.axes.get_xscale() == "log" else values)
    text = viz["text"][variable].sel({dim: label}).item()
    contraction = 1 - variance["posterior"] / variance["prior"]
    assert float(text.get_text().replace("\N{MINUS SIGN}", "-")) == pytest.approx(contraction, abs=0.0051)
    ticks = rows_of(line.axes)
    assert ticks[label] == pytest.approx(text.get_position()[1])
    assert abs(point[1] - ticks[label]) < 0.5


def test_contraction_of_hazards_is_near_that_of_the_table(drawn, packaged):
    table = packaged.posterior_summary.set_index("parameter")["contraction"]
    for family in FAMILIES:
        text = drawn["parameters"].viz["text"]["rate"].sel(family=family.replace("_", " ")).item().get_text()
        assert float(text) == pytest.approx(table[f"rate[{family}]"], abs=0.05)


def test_rules_stand_with_their_law_and_powers_over_their_prior(drawn, packaged):
    regime, table = packaged.specification.regime, packaged.posterior_summary.set_index("parameter")
    labels = [" ".join(text.get_text().split()) for text in drawn["law"].get_target("law", FOREST).get_yticklabels()]
    for rule, label in zip(regime.rules, labels, strict=True):
        assert label.startswith(rule.name)
        assert label.endswith(rule.law)
    points = drawn["law"].viz["point_estimate"]["law"]
    middle = np.exp(np.median(packaged.tree["posterior"]["law"].values, axis=(0, 1)))
    for place, value in enumerate(middle):
        assert points.sel(model="posterior").values[place].get_offsets()[0, 0] == pytest.approx(value, rel=1e-6)
    (axes,) = drawn["powers"].get_axes()
    shown = [text.get_text() for text in axes.texts]
    assert len(shown) == 2 * len(regime.classes) * len(regime.families)
    charged = table.at["powers[criminal, executive]", "mean"]
    place = 2 * (list(regime.classes).index("criminal") * len(regime.families) + FAMILIES.index("executive"))
    assert float(shown[place]) == pytest.approx(np.exp(charged), rel=0.1)
    assert float(shown[place + 1]) == regime.classes["criminal"].powers["executive"]


# Replicates


def counted(packaged) -> pd.DataFrame:
    """Count the events of the record that carry likelihood; at the brief none is the analyst's own first event."""
    origin = date.fromisoformat(packaged.manifest["origin"])
    lives = episodes(packaged.record.as_of(origin).in_force(), packaged.specification.regime, origin)
    events = [(AUTHORITY_CLASSES[life.authority_class], FAMILIES[e.family]) for life in lives for e in life.counted]
    table = pd.DataFrame(events, columns=["authority_class", "family"])
    return pd.crosstab(table["authority_class"], table["family"]).reindex(
        AUTHORITY_CLASSES, columns=FAMILIES, fill_value=0
    )


@pytest.mark.parametrize(("variable", "dim", "own"), [("families", "family", 0), ("authorities", "authority", 1)])
def test_counts_are_the_records_and_intervals_the_replicates(drawn, packaged, variable, dim, own):
    viz, seen = drawn["predictive"].viz, counted(packaged).sum(axis=own)
    other = ("authority_class", "family")[own]
    for row, (name, count) in enumerate(seen.items()):
        where = {dim: name if dim == "family" else name.replace("_", " ").replace("dsa", "DSA").replace("dma", "DMA")}
        marker = viz["observed"][variable].sel(where).item().get_offsets()[0]
        assert marker[0] == count
        assert marker[1] == -row
        assert viz["text"][variable].sel(where).item().get_text() == str(count)
        for group in ("prior", "posterior"):
            events = by_class_and_family(packaged.tree[f"{group}_predictive"].to_dataset()).sum(other)
            values = events.sel({("family", "authority_class")[own]: name}).values.ravel()
            for visual, ends in (("twig", (0.05, 0.95)), ("trunk", (0.25, 0.75))):
                line = viz[visual][variable].sel({"model": group, **where}).item()
                assert line.get_xdata() == pytest.approx(np.quantile(values, ends))
                assert max(line.get_xdata()) < line.axes.get_xlim()[1]


def test_the_caption_counts_what_lies_inside(drawn, packaged):
    seen, replicas = (packaged.tree[g].to_dataset() for g in ("observed_data", "posterior_predictive"))
    expected = []
    tables = [by_class_and_family(x) for x in (seen, replicas)]
    for axis in ("authority_class", "family", None, "fines"):
        one, many = tables if axis != "fines" else (x["fine_share"] for x in (seen, replicas))
        one, many = (x.sum(axis) if axis in x.dims else x for x in (one, many))
        low, high = np.quantile(many.values[0], (0.05, 0.95), axis=0)
        within = (low <= one.values) & (one.values <= high)
        expected.append((int(within.sum()), within.size))
    found = [(int(a), int(b)) for a, b in re.findall(r"(\d+) of (\d+)", caption(drawn["predictive"]))]
    assert found == expected


def test_fines_are_observed_steps_in_bands_of_replicates(drawn, packaged):
    pc = drawn["predictive"]
    axes = pc.get_target("fines", {"column": "forest"})
    seen = np.log10(packaged.tree["observed_data"]["fine_share"].values)
    (line,) = axes.lines
    x, y = line.get_data()
    assert y == pytest.approx([(seen <= value).mean() for value in x])
    assert (x[0], x[-1]) == pytest.approx((seen.min(), seen.max()))
    for band, (group, mass) in zip(
        axes.collections, (("prior", 0.9), ("posterior", 0.9), ("posterior", 0.5)), strict=True
    ):
        draws = np.log10(packaged.tree[f"{group}_predictive"]["fine_share"].values[0])
        points = band.get_paths()[0].vertices
        at = points[len(points) // 3, 0]
        below = (draws <= at).mean(axis=1)
        ends = points[np.isclose(points[:, 0], at), 1]
        assert (ends.min(), ends.max()) == pytest.approx(np.quantile(below, [(1 - mass) / 2, (1 + mass) / 2]))
    assert axes.get_xlim()[1] == 0
    assert axes.get_xlim()[0] < seen.min()


def test_a_record_without_fines_draws_counts_alone(packaged):
    groups = {name: node.to_dataset() for name, node in packaged.tree.children.items()}
    for name in ("observed_data", "prior_predictive", "posterior_predictive"):
        groups[name] = groups[name].isel(size=slice(0, 0))
    pc = model.predictive(replace(packaged, tree=xr.DataTree.from_dict(groups)))
    assert set(pc.viz["plot"].data_vars) == {"families", "authorities"}
    assert "no fines" in caption(pc)


# Latent and resolved classes


def cells_of(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def frames_of(axes) -> list[str]:
    return [to_hex(patch.get_edgecolor()) for patch in axes.patches]


def test_resolution_prints_the_tables(drawn, packaged):
    for axes, name in zip(drawn["resolution"].get_axes(), ("prior_resolution", "resolution"), strict=True):
        table = packaged.tables[name].set_index("latent")
        assert cells_of(axes) == [percent(table.loc[row, column]) for row in SCENARIOS for column in SCENARIOS]
        assert np.asarray(axes.collections[0].get_array()) == pytest.approx(
            table.loc[list(SCENARIOS), list(SCENARIOS)].to_numpy()
        )
        assert [" ".join(t.get_text().split()) for t in axes.get_xticklabels()] == list(
            packaged.manifest["labels"].values()
        )
        assert axes.get_ylim() == (3, 0)


def test_a_class_that_does_not_resolve_as_itself_is_marked(packaged):
    table = packaged.prior_resolution.copy()
    for row, share in enumerate((0.8, 0.7999, 0.95)):
        table.loc[row, list(SCENARIOS)] = (1 - share) / 2
        table.loc[row, SCENARIOS[row]] = share
    figure = plots.resolution(replace(packaged, tables={**packaged.tables, "prior_resolution": table}))
    prior, posterior = figure.get_axes()
    assert frames_of(prior) == [INK, ACCENT, INK]
    assert [patch.get_linestyle() for patch in prior.patches] == ["-", "--", "-"]
    assert frames_of(posterior) == []


def test_before_the_brief_there_is_the_posterior_alone(packaged):
    figure = plots.resolution(before_the_brief(packaged))
    (axes,) = figure.get_axes()
    assert axes.get_title("left").startswith("posterior")
    assert "Framed" not in caption(figure)


def test_a_class_without_draws_is_printed_as_a_dash(packaged):
    table = packaged.resolution.copy()
    table.loc[2, list(SCENARIOS)] = np.nan
    figure = plots.resolution(replace(packaged, tables={**packaged.tables, "resolution": table}))
    assert cells_of(figure.get_axes()[1])[6:] == ["-", "-", "-"]


def test_the_cross_tables_caption_gives_the_largest_monte_carlo_error(drawn, packaged):
    errors = []
    for table, outcomes in (("resolution", packaged.outcomes), ("prior_resolution", packaged.prior_outcomes)):
        for code, (_, row) in enumerate(packaged.tables[table].iterrows()):
            n = (outcomes["scenario"].values == code).sum()
            errors += [np.sqrt(row[s] * (1 - row[s]) / n) for s in SCENARIOS]
    assert f"at most ±{max(errors):.3f}" in caption(drawn["resolution"])
