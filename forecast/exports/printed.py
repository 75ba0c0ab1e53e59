"""A forecast for print, as LaTeX or Markdown: rounded, with captions that give units and intervals.

Not printed are the draws and the parameters; the other formats hold them. Text is escaped: nothing in it is markup.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.exports.tables import KINDS, TYPES, metadata

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
PREAMBLE = r"""\documentclass[a4paper,landscape]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{textcomp}
\usepackage[margin=15mm]{geometry}
\usepackage{array,booktabs,longtable}
\setlength{\LTleft}{0pt}
\setlength{\LTcapwidth}{\linewidth}
\begin{document}
\footnotesize
"""


def pages(forecast: Forecast) -> dict[str, pd.DataFrame]:
    """Return what is printed, by caption: every cell as text, rounded; not the draws and not the parameters."""
    tables, labels, last = forecast.tables, forecast.manifest["labels"], forecast.manifest["horizons"][-1]
    kind, level = forecast.manifest["interval"].split()
    interval = f"{KINDS[kind]} {float(level):.0%} interval"
    events = tables["event_probabilities"]
    own = events["matter_id"] == forecast.manifest["matter"]
    found = {
        "Scenarios by view: probabilities (± Monte Carlo error)": _crossed(tables["scenarios"], ["view"], "label"),
        f"Scenario at the origin (rows) and as resolved at {last} months: probabilities": _rounded(
            _by_label(tables["resolution"].rename(columns=labels))
        ),
        f"Targets by months after the origin: median ({interval}); of yes/no targets the probability ± Monte Carlo "
        "error": _targets(tables["summary"], labels),
        "Statements: probabilities as stated, net and gross of closures and stages": _rounded(
            _by_label(tables["statements"])
        ),
        "Events in proceedings of the matter: probabilities (± Monte Carlo error) within so many months": _crossed(
            events[own], ["case_id", "family"], "window_months"
        ),
        f"Likeliest {LIKELIEST} events in other proceedings: probabilities (± Monte Carlo error) within so many "
        "months": _crossed(_likeliest(events[~own]), ["case_id", "family"], "window_months"),
        f"Next fine of each proceeding, given one: median ({interval}), million EUR": _fines(tables["next_fines"]),
    }
    return {caption: page for caption, page in found.items() if len(page)}


def _by_label(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the analyst's labels in place of the names of the scenarios."""
    return table.drop(columns=["scenario", "latent"], errors="ignore").rename(columns={"label": "scenario"})


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


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    def text(column: pd.Series) -> list[str]:
        if column.name in TYPES or column.dtype.kind not in "if":
            return [f"{v:g}" if column.name in TYPES else str(v) for v in column]
        return [f"{v:.3f}" for v in column]

    return pd.DataFrame({name: text(table[name]) for name in table})


def _targets(summary: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    rows = summary.loc[summary["scenario"] == "all"]
    middle = rows["q50"].where(rows["unit"] != "probability", rows["mean"])
    columns = ["unit", "middle", "q05", "q95", "mcse_mean"]
    cells = rows.assign(
        target=[_named(target, labels) for target in rows["target"]],
        unit=rows["unit"].str.replace("EUR", "million EUR"),
        months=[f"{h} months" for h in rows["horizon_months"]],
        cell=[_cell(*v) for v in rows.assign(middle=middle)[columns].itertuples(index=False)],
    )
    names = list(cells["months"].unique())
    wide = cells.pivot_table(index=["target", "unit"], columns="months", values="cell", aggfunc="first", sort=False)
    return wide[names].reset_index()


def _named(target: str, labels: Mapping[str, str]) -> str:
    """Return a target with a scenario's label in place of its name."""
    kind, _, name = target.partition(":")
    return f"{kind}:{labels[name]}" if kind == "resolved_scenario" and name in labels else target


def _fines(fines: pd.DataFrame) -> pd.DataFrame:
    quantiles = zip(fines["q50"], fines["q05"], fines["q95"], strict=True)
    cells = [_cell("EUR", middle, low, high) for middle, low, high in quantiles]
    return pd.DataFrame({"case_id": fines["case_id"], "next fine": cells, "reason": fines["reason"]})


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
    """Return a LaTeX document with a table on each page of the forecast, for any engine."""
    about = metadata(forecast.manifest)
    parts = [PREAMBLE, f"\\section*{{{latex_text(_title(about))}}}\n{latex_text(NOT_PRINTED)}\n"]
    parts += [_longtable(caption, page) for caption, page in (*pages(forecast).items(), _about(about))]
    return "\n".join([*parts, "\\end{document}\n"])


def _longtable(caption: str, page: pd.DataFrame) -> str:
    columns = "".join(_alignment(page[name]) for name in page)
    head, *rows = (" & ".join(map(latex_text, row)) + r" \\" for row in (page.columns, *_rows(page)))
    lines = [
        f"\\begin{{longtable}}{{{columns}}}",
        f"\\caption{{{latex_text(caption)}}}" + r" \\",
        *(r"\toprule", head, r"\midrule", r"\endfirsthead"),
        *(r"\toprule", head, r"\midrule", r"\endhead", r"\bottomrule", r"\endfoot"),
        *rows,
        "\\end{longtable}\n",
    ]
    return "\n".join(lines)


def _rows(page: pd.DataFrame) -> Iterable[tuple[str, ...]]:
    return page.itertuples(index=False, name=None)


def _alignment(cells: pd.Series) -> str:
    if cells.str.len().max() > WIDE:
        return r">{\raggedright\arraybackslash}p{0.4\linewidth}"
    return "r" if cells.str.match(r"[\d-]").all() else "l"


def markdown(forecast: Forecast) -> str:
    """Return a Markdown document with the tables of the forecast."""
    about = metadata(forecast.manifest)
    parts = [f"# {markdown_text(_title(about))}\n\n{markdown_text(NOT_PRINTED)}\n"]
    for caption, page in (*pages(forecast).items(), _about(about)):
        rule = ["---:" if _alignment(page[name]) == "r" else ":---" for name in page]
        head, *rows = (" | ".join(map(markdown_text, row)) for row in (page.columns, *_rows(page)))
        lines = [head, " | ".join(rule), *rows]
        parts.append(f"## {markdown_text(caption)}\n\n" + "".join(f"| {line} |\n" for line in lines))
    return "\n".join(parts)


def _title(about: dict[str, str]) -> str:
    return f"Forecast of {about['matter']} at {about['origin']}, {about['view']} view"


def _about(about: dict[str, str]) -> tuple[str, pd.DataFrame]:
    return "Origin, fingerprints and versions", pd.DataFrame({"key": list(about), "value": list(about.values())})
