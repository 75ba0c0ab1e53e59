"""A forecast for print, as LaTeX or Markdown: rounded, with captions that give units and intervals.

Not printed are the draws and the parameters; the other formats hold them. Text is escaped: nothing in it is markup.
LaTeX is no document of its own but tables for one, to be read by ``\\input``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.descriptions import view_name
from forecast.exports.names import named, target
from forecast.exports.tables import KINDS, metadata
from forecast.watchlist import both_views

if TYPE_CHECKING:
    from forecast.forecasting import Forecast

LIKELIEST = 20
"""How many events of other proceedings are printed."""
WIDE = 40
"""Columns with longer texts than this are broken into lines in LaTeX."""
NOT_PRINTED = "Rounded for print; draws and parameters are in the exports as CSV, Parquet, JSON, Excel and netCDF."
LATEX = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    **{c: f"{{{c}}}" for c in "[]*`"},
    **{"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"},
    **{"<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}", '"': "\\textquotedbl{}"},
    **{"±": "\\ensuremath{\\pm}", "€": "\\texteuro{}", "§": "\\S{}", "°": "\\textdegree{}", "…": "\\ldots{}"},
    **{"–": "\\textendash{}", "—": "\\textemdash{}", "‘": "\\textquoteleft{}", "’": "\\textquoteright{}"},
    **{"“": "\\textquotedblleft{}", "”": "\\textquotedblright{}"},
}
"""How LaTeX prints what it would take for a command or an option, and what it has commands for."""
LATIN = {chr(i) for i in range(0xC0, 0x180)} - set("ĦħĸĿŀŉŦŧſ")
"""Letters that every LaTeX engine prints."""
MARKDOWN = {
    **{c: f"\\{c}" for c in "\\`*_[]{}~$#@!"},
    **{"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "://": "\\://"},
}
"""How Markdown, with tables or without, prints what it would take for markup or a link."""
MARKED = re.compile("www\\.|://|[" + re.escape("".join(k for k in MARKDOWN if len(k) == 1)) + "]", re.IGNORECASE)
PACKAGES = "array, booktabs, longtable, textcomp, fontenc (T1), inputenc (utf8)"
FITS = 40
"""Tables with more rows than this go over several pages in LaTeX."""


def pages(forecast: Forecast) -> dict[str, pd.DataFrame]:
    """Return what is printed, by caption: every cell as text, rounded; not the draws and not the parameters.

    Proceedings are called by provider, authority and instrument, scenarios by the analyst's labels.
    """
    tables, (kind, level) = forecast.tables, forecast.manifest["interval"].split()
    interval = f"{KINDS[kind]} {float(level):.0%} interval"
    labels, last = forecast.specification.labels, tables["summary"]["horizon_months"].max()
    events = tables["event_probabilities"]
    own = events["matter_id"] == forecast.manifest["matter"]
    views = tables["scenarios"].assign(
        scenario=tables["scenarios"]["scenario"].map(labels), view=tables["scenarios"]["view"].map(view_name)
    )
    found = {
        "Scenarios by view: probabilities (± Monte Carlo error)": _crossed(views, ["scenario"], "view"),
        "Weight of evidence: factor by which each step changed a scenario's probability, and that after it": (
            _weights(tables["weight_of_evidence"], labels)
        ),
        f"Scenario at the origin, and as resolved at {last} months: probabilities of the second given the first": (
            _resolution(tables["resolution"], labels)
        ),
        f"Targets by months after the origin: median ({interval}); of yes/no targets the probability ± Monte Carlo "
        "error": _targets(tables["summary"], labels),
        "Statements: probabilities as stated, and as simulated from the brief's date (± Monte Carlo error)": (
            _statements(tables["statements"], labels)
        ),
        "Events in proceedings of the matter, by view: probabilities (± Monte Carlo error) within so many months": (
            _events(forecast, both_views(events[own]), ["case_id", "view", "family"])
        ),
        f"Likeliest {LIKELIEST} events in other proceedings, outside view: probabilities (± Monte Carlo error) within "
        "so many months": _events(forecast, _likeliest(events[~own]), ["case_id", "family"]),
        f"Next fine of each proceeding, given one: median ({interval}), million EUR": _fines(forecast),
    }
    return {caption: page for caption, page in found.items() if len(page)}


def _events(forecast: Forecast, events: pd.DataFrame, rows: list[str]) -> pd.DataFrame:
    page = _crossed(events, rows, "window_months")
    if not len(page):
        return page
    months = {name: f"{name} months" for name in page.columns[len(rows) :]}
    return page.assign(case_id=named(forecast, page["case_id"])).rename(
        columns={"case_id": "proceeding", "family": "event", **months}
    )


def _resolution(table: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    long = table.melt("latent", list(labels), "resolved", "probability")
    order = long["latent"].map(list(labels).index)
    long = long.assign(latent=long["latent"].map(labels), resolved=long["resolved"].map(labels))
    page = long.iloc[order.argsort(kind="stable")]
    page = page.assign(probability=[f"{v:.3f}" for v in page["probability"]])
    return page.rename(columns={"latent": "at the origin", "resolved": "resolved as"})


def _statements(table: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    if not len(table):
        return table
    found = {"event": table["family"], "scenario": table["scenario"].map(labels)}
    found |= {"by month": [f"{v:g}" for v in table["within_months"]], "stated": [f"{v:.3f}" for v in table["stated"]]}
    found["simulated"] = [f"{p:.3f} ± {e:.3f}" for p, e in zip(table["simulated"], table["mcse"], strict=True)]
    return pd.DataFrame(found)


def _weights(table: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    """Return one row per step: until when, what came, and the factor and probability of each scenario."""
    if not len(table):
        return pd.DataFrame()
    by = table.set_index(["step", "scenario"])
    steps = table.drop_duplicates("step")
    notes = [
        f"{what} (no weight: {note})" if note else what for what, note in zip(steps["what"], steps["note"], strict=True)
    ]
    page = {"until": list(steps["end"]), "what came": notes}
    for name, label in labels.items():
        own = [by.loc[(step, name)] for step in steps["step"]]
        page[label] = [f"{np.exp(one['log_factor']):.2f}, {one['probability']:.3f}" for one in own]
    return pd.DataFrame(page)


def _crossed(table: pd.DataFrame, rows: list[str], columns: str) -> pd.DataFrame:
    pairs = zip(table["probability"], table["mcse"], strict=True)
    cells = table.assign(cell=[f"{p:.3f}" if e == 0 else f"{p:.3f} ± {e:.3f}" for p, e in pairs])
    names = {name: str(name) for name in cells[columns].unique()}
    wide = cells.pivot_table(index=rows, columns=columns, values="cell", aggfunc="first", sort=False)
    return wide.rename(columns=names)[list(names.values())].reset_index() if len(cells) else pd.DataFrame()


def _likeliest(events: pd.DataFrame) -> pd.DataFrame:
    keys = ["case_id", "family"]
    last = events.loc[events["window_months"] == events["window_months"].max()]
    return last.nlargest(LIKELIEST, "probability")[keys].merge(events, on=keys, how="left")


def _targets(summary: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    rows = summary.loc[summary["scenario"] == "all"]
    middle = rows["q50"].where(rows["unit"] != "probability", rows["mean"])
    columns = ["unit", "middle", "q05", "q95", "mcse_mean"]
    cells = rows.assign(
        unit=rows["unit"].str.replace("EUR", "million EUR"),
        months=[f"{h} months" for h in rows["horizon_months"]],
        cell=[_cell(*v) for v in rows.assign(middle=middle)[columns].itertuples(index=False)],
    )
    names = list(cells["months"].unique())
    wide = cells.pivot_table(index=["target", "unit"], columns="months", values="cell", aggfunc="first", sort=False)
    page = wide[names].reset_index()
    return page.assign(target=[target(name, labels) for name in page["target"]])


def _fines(forecast: Forecast) -> pd.DataFrame:
    fines = forecast.tables["next_fines"]
    quantiles = zip(fines["q50"], fines["q05"], fines["q95"], strict=True)
    cells = [_cell("EUR", middle, low, high) for middle, low, high in quantiles]
    return pd.DataFrame(
        {"proceeding": named(forecast, fines["case_id"]), "next fine": cells, "reason": fines["reason"]}
    )


def _cell(unit: str, middle: float, low: float, high: float, error: float = 0.0) -> str:
    if np.isnan(middle):
        return "-"
    if unit == "probability":
        return f"{middle:.3f} ± {error:.3f}"
    scale, digits = (1e-6, 1) if "EUR" in unit else (1.0, 1) if unit.startswith(("count", "months")) else (1.0, 3)
    median, least, most = (f"{v * scale:,.{digits}f}" for v in (middle, low, high))
    return f"{median} ({least} to {most})"


def plain(text: str) -> str:
    """Return text in one line, without control and formatting characters."""
    kinds = ((c, unicodedata.category(c)) for c in text)
    return "".join(" " if kind == "Cc" or kind[0] == "Z" else c for c, kind in kinds if kind != "Cf")


def latex_text(text: str) -> str:
    """Return text as LaTeX prints it; a character that not every engine has becomes its number, such as U+4E2D."""

    def one(c: str) -> str:
        return LATEX.get(c) or (c if c.isascii() or c in LATIN else f"U+{ord(c):04X}")

    joined = "".join(map(one, plain(unicodedata.normalize("NFC", text))))
    return re.sub(r"([-',])(?=\1)", r"\1{}", joined)


def markdown_text(text: str) -> str:
    """Return text as Markdown prints it, in a table or anywhere."""
    return MARKED.sub(lambda found: MARKDOWN.get(found[0], f"{found[0][:-1]}\\."), plain(text))


def latex(forecast: Forecast) -> str:
    """Return tables for a document of one's own to read by ``\\input``, one for each page of the forecast.

    A comment at the top names the packages that they need. Long tables are ``longtable``, all others ``table``.
    """
    about = metadata(forecast.manifest)
    head = (
        f"% {latex_text(_title(forecast))}\n"
        "% Tables to be read by \\input; each has a caption.\n"
        f"% Packages: {PACKAGES}\n"
        "% Made for small type on a wide page (landscape, 250 mm of text).\n"
        f"% {NOT_PRINTED}\n"
    )
    tables = (*pages(forecast).items(), _about(about))
    return "\n".join([head, *(_table(caption, page) for caption, page in tables)])


def _table(caption: str, page: pd.DataFrame) -> str:
    columns = "".join(_alignment(page[name]) for name in page)
    head, *rows = (" & ".join(map(latex_text, row)) + r" \\" for row in (page.columns, *_rows(page)))
    title = f"\\caption{{{latex_text(caption)}}}"
    if len(page) <= FITS:
        lines = [
            *(r"\begin{table}[htbp]", r"\centering", r"\footnotesize", title, f"\\begin{{tabular}}{{{columns}}}"),
            *(r"\toprule", head, r"\midrule", *rows, r"\bottomrule"),
            *(r"\end{tabular}", "\\end{table}\n"),
        ]
    else:
        lines = [
            *(r"\begingroup", r"\footnotesize", r"\setlength{\LTcapwidth}{\linewidth}"),
            *(f"\\begin{{longtable}}{{{columns}}}", title + r" \\"),
            *(r"\toprule", head, r"\midrule", r"\endfirsthead"),
            *(r"\toprule", head, r"\midrule", r"\endhead", r"\bottomrule", r"\endfoot"),
            *rows,
            *(r"\end{longtable}", "\\endgroup\n"),
        ]
    return "\n".join(lines)


def _rows(page: pd.DataFrame) -> Iterable[tuple[str, ...]]:
    return page.itertuples(index=False, name=None)


def _alignment(cells: pd.Series) -> str:
    if cells.str.len().max() > WIDE:
        return r">{\raggedright\arraybackslash}p{0.3\linewidth}"
    return "r" if cells.str.match(r"[\d-]").all() else "l"


def markdown(forecast: Forecast) -> str:
    """Return a Markdown document with the tables of the forecast."""
    about = metadata(forecast.manifest)
    parts = [f"# {markdown_text(_title(forecast))}\n\n{markdown_text(NOT_PRINTED)}\n"]
    for caption, page in (*pages(forecast).items(), _about(about)):
        rule = ["---:" if _alignment(page[name]) == "r" else ":---" for name in page]
        head, *rows = (" | ".join(map(markdown_text, row)) for row in (page.columns, *_rows(page)))
        lines = [head, " | ".join(rule), *rows]
        parts.append(f"## {markdown_text(caption)}\n\n" + "".join(f"| {line} |\n" for line in lines))
    return "\n".join(parts)


def _title(forecast: Forecast) -> str:
    about = forecast.manifest
    return f"{forecast.specification.title}: forecast at {about['origin']}, {about['view']} view"


def _about(about: dict[str, str]) -> tuple[str, pd.DataFrame]:
    return "Origin, fingerprints and versions", pd.DataFrame({"key": list(about), "value": list(about.values())})
