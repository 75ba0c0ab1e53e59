"""Figures of the law that the model knows: rules of procedure with their articles, and the powers of authorities."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure

from forecast.forecasting import Forecast
from forecast.plots.answers import FAMILY_NAMES, on_colour
from forecast.plots.forests import DRAWS, FOREST, beside, finished, forest, log_axis
from forecast.plots.look import ACCENT, POSTERIOR, finish, new, require_fit, styled
from forecast.plots.model import NOTE, before_and_after, contractions
from forecast.regime_parts import Rule

if TYPE_CHECKING:
    from arviz_plots.plot_collection import PlotCollection

CHARACTERS = 58
"""Of a line of the text of a rule."""
POWERS = LinearSegmentedColormap.from_list("powers", [POSTERIOR, "#ffffff", ACCENT])
LEAST, MOST = 0.05, 5.0
"""Multipliers from which on colours no longer differ."""
LEARNT = 0.1
"""Contraction from which on a power is printed in bold."""


@styled
def law(forecast: Forecast) -> PlotCollection:
    """Draw the effect of every rule before and after the data, with the article of law or the practice behind it."""
    require_fit(forecast, "law")
    rules = forecast.specification.regime.rules
    names = {rule.name: _told(rule) for rule in rules}
    models = {name: _renamed(draws, names) for name, draws in before_and_after(forecast).items()}
    lines = sum(text.count("\n") + 1 for text in names.values())
    pc = forest(models, 1.4 + 0.125 * lines + 0.05 * len(rules))
    beside(pc, contractions(models, {"law"}), "contraction")
    axes = pc.get_target("law", FOREST)
    log_axis(axes)
    axes.axvline(1, color="#888888", linewidth=0.7, zorder=0)
    axes.set_title("factor on the rates of its families where the rule holds", fontsize=8)
    for label in axes.get_yticklabels():
        label.set(fontsize=6.3, linespacing=1.05)
    return finished(pc, "Rules of procedure: prior against posterior", NOTE, forecast)


def _told(rule: Rule) -> str:
    """Return a rule in lines: its name and the families that it is about, then the law."""
    families = ", ".join(rule.families) or (f"all but {', '.join(rule.all_but)}" if rule.all_but else "all families")
    unit = ", for each 2.7-fold of time in the stage" if rule.ripens else ""
    return f"{fill(f'{rule.name} ({families}{unit})', CHARACTERS)}\n{fill(rule.law, CHARACTERS)}"


def _renamed(draws: xr.Dataset, names: dict[str, str]) -> xr.Dataset:
    told = [names[str(name)] for name in draws["rule"].values]
    return xr.Dataset({"law": draws["law"].assign_coords(rule=told)}).map(np.exp)


@styled
def powers(forecast: Forecast) -> Figure:
    """Draw the powers of every class of authorities: multipliers by family, posterior medians over prior ones."""
    require_fit(forecast, "powers")
    regime = forecast.specification.regime
    prior, posterior = (draws["powers"] for draws in before_and_after(forecast).values())
    middle = np.exp(posterior.median(DRAWS).transpose("authority_class", "family").values)
    before = np.array([[kind.powers.get(f, 1.0) for f in regime.families] for kind in regime.classes.values()])
    learnt = (1 - posterior.var(DRAWS) / prior.var(DRAWS)).transpose("authority_class", "family").values
    picture = new(1.7 + 0.33 * len(middle))
    axes = picture.subplots()
    norm = TwoSlopeNorm(0, np.log(LEAST), np.log(MOST))
    axes.pcolormesh(np.log(middle), cmap=POWERS, norm=norm, edgecolor="white", linewidth=0.8)
    for (row, column), value in np.ndenumerate(middle):
        ink = on_colour(POWERS(norm(np.log(value))))
        weight = "bold" if learnt[row, column] >= LEARNT else "normal"
        style: dict[str, Any] = {"ha": "center", "va": "center", "color": ink}
        axes.text(column + 0.5, row + 0.38, f"{value:.2g}", size=6.8, fontweight=weight, **style)
        axes.text(column + 0.5, row + 0.74, f"{before[row, column]:.2g}", size=5, **style)
    places = np.arange(len(regime.families)) + 0.35
    axes.set_xticks(
        places, [FAMILY_NAMES.get(name, name) for name in regime.families], rotation=30, ha="left", fontsize=7
    )
    for label in axes.get_xticklabels():
        label.set_rotation_mode("anchor")
    axes.set_yticks(np.arange(len(middle)) + 0.5, [name.replace("_", " ") for name in regime.classes], fontsize=7)
    axes.set(xlim=(0, middle.shape[1]), ylim=(len(middle), 0), frame_on=False)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False, pad=2)
    axes.grid(visible=False)
    note = (
        "Factors on the rates of each class, beside those of an average authority: large figures posterior medians, "
        f"small ones prior medians. Bold: the record removed {LEARNT:.0%} or more of the prior variance of its log; "
        "all others mostly repeat the prior, which renders the law."
    )
    return finish(
        picture, "Powers of authorities: who may do what, and does", note.replace("10%", "10 %"), forecast.manifest
    )
