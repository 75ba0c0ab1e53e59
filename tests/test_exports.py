"""Exports: round trips to the last bit, metadata in every file, hostile text, and writing whole or not at all."""

import html
import json
import re
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import markdown_it
import netCDF4
import numpy as np
import openpyxl
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from forecast import exports
from forecast.exports import FOLDERS, FORMATS, default_path, export, read_export
from forecast.exports import sheets as export_sheets
from forecast.exports.names import proceedings
from forecast.exports.printed import latex_text, markdown_text, plain
from forecast.exports.sheets import guard, read_csv, unguard
from forecast.exports.tables import TYPES, metadata, restore, tidy, typed
from forecast.files import InputError

RICH = '<r><t>x</t></r></is></c><c r="Z9"><f>1+1</f></c><c t="inlineStr"><is><r><t>y</t></r>'
HOSTILE = [
    *('=HYPERLINK("http://x")', "+1", "-2", "@x", "\t=1", "'=1", "''=1", "\r=1", "\n=1", "＝1", "'", "'a"),
    *("#", "a|b", "\\input{x}", "\\", "\\\\[1em]", "[x]", "* x", "--", "''", "``", "%", "$x$", "a_b", "~", "^"),
    *("<script>alert(1)</script>", "&lt;script&gt;", "a\nb", "a\r\nb", "![i](http://j)", "[a](b)", "<http://j.com>"),
    *(
        "http://j.com",
        "WWW.j.com",
        "`code`",
        "**b**",
        "_x0041_",
        RICH,
        "NA",
        "nan",
        "",
        " ",
        " a ",
        '"',
        'a","b',
        "1e5",
    ),
    *("é", "Łódź", "中文", "😀", "\u202e=1", "a\u2028b", "a;b", "a,b"),
]
MATTER = 'x,=1+1;"=2%\n# y: z'
EXACT = ("csv", "parquet", "json", "netcdf")


@pytest.fixture(scope="module")
def few(packaged):
    """The packaged forecast with fewer draws."""
    return replace(packaged, outcomes=packaged.outcomes.isel(draw=slice(0, 100)))


@pytest.fixture(scope="module")
def hostile(few):
    """The same, with hostile identifiers, reasons and matter."""
    tables = {name: table.copy() for name, table in few.tables.items()}
    cases = few.tables["next_fines"]["case_id"]
    names = dict(zip(cases, [*HOSTILE, *cases], strict=False))
    for name in ("next_fines", "event_probabilities"):
        tables[name]["case_id"] = tables[name]["case_id"].map(names)
    tables["next_fines"]["reason"] = [names[c] for c in cases]
    events = tables["event_probabilities"]
    events["matter_id"] = events["case_id"].where(~events["case_id"].isin(HOSTILE[:9]), MATTER)
    assert len(HOSTILE) <= len(cases)
    return replace(few, tables=tables, manifest={**few.manifest, "matter": MATTER})


def same(read_back, forecast, signs=True):
    """Equal to the last bit; without ``signs`` zero has none."""
    about, tables = read_back
    assert about == metadata(forecast.manifest)
    expected = tidy(forecast)
    assert list(tables) == list(expected)
    for name, frame in expected.items():
        pd.testing.assert_frame_equal(tables[name], frame, check_exact=True)
        bits = [(f["value"].to_numpy() + (-0.0 if signs else 0.0)).view("i8") for f in (tables[name], frame)]
        assert (bits[0] == bits[1]).all(), name


def read_excel(path):
    """Sheets of an Excel file as long tables; openpyxl leaves escapes of control characters, pandas no sign of 0."""
    sheets = pd.read_excel(path, sheet_name=None, keep_default_na=False, na_values={"value": [""]}, dtype={"text": str})
    about = sheets.pop("metadata")

    def text(cell):
        return re.sub("_x([0-9A-F]{4})_", lambda m: chr(int(m[1], 16)), str(cell))

    for frame in sheets.values():
        for column in frame.columns.difference(list(TYPES)):
            frame[column] = [text(cell) for cell in frame[column]]
    return dict(zip(about["key"], map(text, about["text"]), strict=True)), {k: typed(f) for k, f in sheets.items()}


@pytest.mark.parametrize("format", EXACT)
def test_nothing_is_lost(packaged, tmp_path, format):
    same(read_export(export(packaged, format, tmp_path / "out")), packaged)


@pytest.mark.parametrize("format", EXACT)
def test_the_forecast_itself_comes_back(packaged, tmp_path, format):
    tables, draws = restore(*read_export(export(packaged, format, tmp_path / "out")))
    xr.testing.assert_identical(draws, packaged.outcomes)
    for name, table in packaged.tables.items():
        pd.testing.assert_frame_equal(tables[name], table, check_exact=True, check_dtype=False)


@pytest.mark.parametrize("format", EXACT)
def test_hostile_text_comes_back_as_it_was(hostile, tmp_path, format):
    same(read_export(export(hostile, format, tmp_path / "out")), hostile)


def test_excel_loses_nothing(hostile, tmp_path):
    same(read_excel(export(hostile, "xlsx", tmp_path / "out.xlsx")), hostile, signs=False)


@pytest.mark.slow
def test_excel_loses_nothing_of_all_draws(packaged, tmp_path):
    same(read_excel(export(packaged, "xlsx", tmp_path / "out.xlsx")), packaged, signs=False)


def test_excel_holds_no_formula_and_no_link(hostile, tmp_path):
    path = export(hostile, "xlsx", tmp_path / "out.xlsx")
    with zipfile.ZipFile(path) as book:
        for name in book.namelist():
            root = ElementTree.fromstring(book.read(name))
            tags = {element.tag.rpartition("}")[2] for element in root.iter()}
            assert not tags & {"f", "hyperlink", "hyperlinks"}, name
            assert not any("hyperlink" in str(element.attrib).lower() for element in root.iter()), name
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["metadata", *tidy(hostile)]
    for sheet in book:
        assert {cell.data_type for row in sheet.iter_rows(max_row=2000) for cell in row} <= {"s", "n", "inlineStr"}
        assert sheet.freeze_panes == "A2"
        assert sheet["A1"].font.bold
    assert {c.value for c in book["next_fines"]["B"]} >= {'=HYPERLINK("http://x")', RICH}


def test_excel_keeps_seventeen_digits_and_leaves_undefined_cells_empty(few, tmp_path):
    fines = few.tables["next_fines"].copy()
    fines.loc[0, ["q05", "q25", "q50", "q75"]] = [0.1 + 0.2, 1 / 3 * 1e9, 5e-324, -1e300]
    forecast = replace(few, tables={**few.tables, "next_fines": fines})
    path = export(forecast, "xlsx", tmp_path / "out.xlsx")
    same(read_excel(path), forecast, signs=False)
    values = [c.value for c in openpyxl.load_workbook(path)["next_fines"]["F"][1:]]
    assert values.count(None) == fines.drop(columns="reason").isna().sum().sum() > 0


def test_excel_refuses_what_does_not_fit_a_sheet(few, tmp_path, monkeypatch):
    fines = few.tables["next_fines"].assign(reason="😀" * 16_384)
    with pytest.raises(InputError, match=r"table next_fines.*export csv or parquet"):
        export(replace(few, tables={**few.tables, "next_fines": fines}), "xlsx", tmp_path / "out.xlsx")
    monkeypatch.setattr(export_sheets, "EXCEL_ROWS", 7_000)
    with pytest.raises(InputError, match=r"table \w+: has more than 6999 rows"):
        export(few, "xlsx", tmp_path / "out.xlsx")
    assert not list(tmp_path.iterdir())


def test_csv_can_be_read_by_pandas_alone(packaged, tmp_path):
    folder = export(packaged, "csv", tmp_path / "out")
    for name, frame in tidy(packaged).items():
        read_back = pd.read_csv(folder / f"{name}.csv", comment="#", keep_default_na=False, na_values={"value": [""]})
        pd.testing.assert_frame_equal(typed(read_back), frame, check_exact=True)


def test_csv_holds_no_formula_and_no_comment(hostile, tmp_path):
    folder = export(hostile, "csv", tmp_path / "out")
    frame = pd.read_csv(folder / "next_fines.csv", comment="#", keep_default_na=False, na_values={"value": [""]})
    assert list(dict.fromkeys(frame["reason"]))[: len(HOSTILE)] == [guard(text) for text in HOSTILE]
    assert not frame["reason"].str.match(r"[=+\-@\t\r\n＝＋－＠]").any()
    assert frame["value"].dtype == "float64"
    head = [line for line in (folder / "draws.csv").read_text().split("\n") if line.startswith("#")]
    assert "# matter: x%2C=1+1%3B%22=2%25 # y: z" in head
    for path in folder.glob("*.csv"):
        assert read_csv(path)[0] == metadata(hostile.manifest)


def test_negative_numbers_stay_numbers(packaged, tmp_path):
    text = (export(packaged, "csv", tmp_path / "out") / "posterior_summary.csv").read_text()
    assert re.search(r'^"log_rate\[request\]","[^"]+","mean",-\d', text, re.MULTILINE)


@given(st.text() | st.text(st.sampled_from("'=+-@\t\r\n＝a")))
def test_guarding_is_undone_by_unguarding(text):
    assert unguard(guard(text)) == text
    assert guard(text)[:1] not in tuple("=+-@\t\r\n＝＋－＠")
    assert unguard(text) == text or guard(unguard(text)) == text


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1, max_size=5))
def test_any_text_survives_csv(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("csv")
    frame = typed(pd.DataFrame({"case_id": texts, "value": np.arange(len(texts)) / 3, "unit": "count"}))
    export_sheets.write_csv(folder, {"matter": "a, b"}, {"next_fines": frame})
    about, back = read_csv(folder / "next_fines.csv")
    assert about == {"matter": "a, b"}
    pd.testing.assert_frame_equal(back, frame, check_exact=True)


def test_json_is_strict(hostile, tmp_path):
    def never(constant):
        raise AssertionError(constant)

    whole = json.loads(export(hostile, "json", tmp_path / "out.json").read_text("utf-8"), parse_constant=never)
    assert list(whole) == ["metadata", "tables"]
    assert None in whole["tables"]["next_fines"]["value"]
    assert whole["tables"]["next_fines"]["reason"][0] == HOSTILE[0]


def test_parquet_is_for_pandas_too_and_says_what_it_is(few, tmp_path):
    folder = export(few, "parquet", tmp_path / "out")
    for name, frame in tidy(few).items():
        pd.testing.assert_frame_equal(pd.read_parquet(folder / f"{name}.parquet"), frame, check_exact=True)
        said = parquet.read_schema(folder / f"{name}.parquet").metadata
        assert {k: said[k.encode()].decode() for k in metadata(few.manifest)} == metadata(few.manifest)


def test_netcdf_is_labelled_arrays(few, tmp_path):
    path = export(few, "netcdf", tmp_path / "out.nc")
    with xr.open_datatree(path, engine="netcdf4") as tree:
        summary = tree["summary"]["value"]
        mean = summary.sel(target="total_cost", horizon_months=24, scenario="all", statistic="mean")
        rows = few.summary.set_index(["target", "horizon_months", "scenario"])
        assert float(mean) == rows.loc[("total_cost", 24, "all"), "mean"]
        assert str(summary.sel(target="total_cost")["unit"].values) == "EUR"
        xr.testing.assert_identical(tree["draws"].to_dataset().load(), few.outcomes)
    with netCDF4.Dataset(path) as raw:
        assert {k: raw.getncattr(k) for k in raw.ncattrs()} == metadata(few.manifest)
        assert raw["draws/total_cost"].filters()["zlib"]


COMMANDS = re.findall(
    "[A-Za-z]+",
    """setlength LTcapwidth linewidth begin end begingroup endgroup centering footnotesize caption toprule midrule
    endfirsthead endhead bottomrule endfoot raggedright arraybackslash ensuremath pm texteuro textbackslash
    textasciitilde textasciicircum textless textgreater textbar textquotedbl textendash textemdash""",
)


def bare(tex):
    """LaTeX without what it escapes."""
    tex = tex.replace(r">{\raggedright\arraybackslash}", "").replace("[htbp]", "")
    return re.sub(r"\\[&%$#_{}]|\\text[a-z]+\{\}|\{[\[\]*`]\}", "·", tex)


def test_latex_is_escaped_and_its_rows_are_even(hostile, tmp_path):
    text = export(hostile, "latex", tmp_path / "out.tex").read_text("utf-8")
    lines = text.splitlines()
    head = [line for line in lines if line.startswith("%")]
    assert lines[: len(head)] == head
    text = "\n".join(lines[len(head) :])
    assert set(re.findall(r"\\([A-Za-z]+)", text)) <= set(COMMANDS)
    body = bare(text)
    assert not re.search(r"[%$#_~^<>|\"`]|[^\x00-\u017f]", body)
    assert body.count("{") == body.count("}")
    tables = [found[1] for found in re.findall(r"\\begin\{(longtable|tabular)\}(.*?)\\end\{\1\}", body, re.DOTALL)]
    assert len(tables) == 8
    for table in tables:
        head, *rows = [line for line in table.split("\n") if " & " in line]
        assert {row.count("&") for row in rows} == {head.count("&")}
        assert all(row.endswith(r" \\") and row.count(r"\\") == 1 for row in rows)
        assert not re.search(r"^\s*[\[*]", table, re.MULTILINE)
    assert "U+4E2DU+6587" in text
    assert "Łódź" in text


@pytest.mark.parametrize(
    ("text", "tex"),
    [
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("50 % & $1 #2 a_b", r"50 \% \& \$1 \#2 a\_b"),
        ("~^[*]", r"\textasciitilde{}\textasciicircum{}{[}{*}{]}"),
        ("a--b ''c", "a-{}-b '{}'c"),
        ("a\r\nb\0", "a  b "),
        ("e\u0301 ± €", r"é \ensuremath{\pm} \texteuro{}"),
    ],
)
def test_latex_prints_what_stands_there(text, tex):
    assert latex_text(text) == tex


def test_markdown_is_escaped_and_shows_what_stands_there(hostile, tmp_path):
    text = export(hostile, "markdown", tmp_path / "out.md").read_text("utf-8")
    page = markdown_it.MarkdownIt("gfm-like", {"linkify": False}).render(text)
    assert set(re.findall(r"<([a-z0-9]+)", page)) == {"h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td"}
    cells = [html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", page)]
    assert {plain(text).strip() for text in HOSTILE} <= set(cells)
    fewest = min(line.count("|") for line in text.split("\n") if line.startswith("|"))
    assert fewest == 3


def test_markdown_makes_no_links_of_addresses():
    assert markdown_text("https://j.com WWW.j.com a@b.c") == r"https\://j.com WWW\.j.com a\@b.c"


@pytest.mark.parametrize("format", ["latex", "markdown"])
def test_print_says_units_interval_and_fingerprints(few, tmp_path, format):
    text = export(few, format, tmp_path / "out").read_text("utf-8")
    for words in (
        "million EUR",
        "equal-tailed 90",
        "median",
        few.manifest["record_fingerprint"],
        "draws and parameters",
    ):
        assert words in text
    for word in ("0.400", "2026-02-03", "total cost", "European Commission", few.specification.title):
        assert word in text


@pytest.mark.parametrize("format", ["latex", "markdown"])
def test_print_calls_things_by_name(few, tmp_path, format):
    text = export(few, format, tmp_path / "out").read_text("utf-8")
    plainly = {"latex": latex_text, "markdown": markdown_text}[format]
    labels = [scenario.label for _, scenario in few.specification.scenarios.items()]
    cases = few.record.proceedings.set_index("case_id")
    for name in few.tables["next_fines"]["case_id"]:
        assert plainly(name) not in text
        assert plainly(", ".join(cases.loc[name, ["provider", "authority", "instrument"]])) in text
    assert all(plainly(label) in text for label in labels)
    tables = text[: text.index(plainly("Origin, fingerprints and versions"))]
    for code in ("event:", "resolved_scenario", "months_to", "resolved_60m", "case_id", "within_months", "base_rate"):
        assert plainly(code) not in tables
    for label in labels:  # the labels themselves may hold such words
        tables = tables.replace(plainly(label), "")
    assert not re.search(r"\b(limited|significant|crackdown)\b", tables)


def test_names_of_proceedings_differ(packaged):
    cases = packaged.record.proceedings
    names = proceedings(cases)
    assert len(set(names.values())) == len(names) == len(cases)
    assert names["ec-dma-alphabet-play-2024"] == (
        "Alphabet, European Commission, DMA, opened 2024-03-25, Anti-steering on Google Play"
    )
    assert names["ec-dsa-x-2023"] == "X Internet Unlimited, European Commission, DSA, opened 2023-12-18"
    assert names["fr-crim-uber-2014"] == "Uber, Paris public prosecutor, criminal"
    twice = cases.iloc[[0, 0]].assign(case_id=["a", "b"])
    assert [name[-3:] for name in proceedings(twice).values()] == [", a", ", b"]


def test_latex_is_a_part_of_a_document(few, tmp_path):
    text = export(few, "latex", tmp_path / "out.tex").read_text("utf-8")
    for word in ("documentclass", "usepackage", "{document}", "newcommand", r"\def", r"\section"):
        assert word not in text
    opened, closed = (re.findall(rf"\\{word}\{{(\w+)\}}", text) for word in ("begin", "end"))
    assert sorted(opened) == sorted(closed)
    assert set(opened) == {"table", "tabular", "longtable"}
    (line,) = [line for line in text.splitlines() if line.startswith("% Packages: ")]
    assert {"booktabs", "longtable", "array"} <= set(re.findall(r"\w+", line))
    assert text.count(r"\caption") == len(re.findall(r"\\begin\{(?:tabular|longtable)\}", text)) == 8


@pytest.mark.parametrize("format", FORMATS)
def test_every_file_says_what_it_is_of(few, tmp_path, format):
    out = export(few, format, tmp_path / "out")
    for path in out.iterdir() if out.is_dir() else [out]:
        if format == "xlsx":
            assert read_excel(path)[0] == metadata(few.manifest)
        else:
            content = path.read_bytes()
            for key in ("priors_fingerprint", "record_fingerprint", "interval", "origin", "seed"):
                assert str(few.manifest[key]).encode() in content, (path, key)


def contents(path):
    return {p.name: p.read_bytes() for p in (path.iterdir() if path.is_dir() else [path])}


def test_the_same_forecast_gives_the_same_bytes(few, tmp_path):
    first = {format: contents(export(few, format, tmp_path / format)) for format in FORMATS}
    time.sleep(2.1)
    for format, was in first.items():
        assert contents(export(few, format, tmp_path / format)) == was, format
    assert {p.name for p in tmp_path.iterdir()} == set(FORMATS)


@pytest.mark.parametrize("format", FORMATS)
def test_a_crash_leaves_the_old_export_and_nothing_else(few, tmp_path, monkeypatch, format):
    out = export(few, format, tmp_path / "out")
    was = contents(out)

    def crash(scratch, *rest):
        (scratch / "draws.csv" if format in FOLDERS else scratch).write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setitem(exports.WRITERS, format, crash)
    if format in exports.PRINT:
        monkeypatch.setitem(exports.PRINT, format, lambda forecast: crash(tmp_path / "nowhere" / "x"))
    with pytest.raises((KeyboardInterrupt, InputError)):
        export(few, format, out)
    assert contents(out) == was
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_crash_within_a_workbook_leaves_nothing(few, tmp_path, monkeypatch):
    fill = export_sheets._fill

    def crash(sheet, *rest):
        fill(sheet, *rest)
        if sheet.name == "scenarios":
            raise RuntimeError

    monkeypatch.setattr(export_sheets, "_fill", crash)
    with pytest.raises(RuntimeError):
        export(few, "xlsx", tmp_path / "out.xlsx")
    assert not list(tmp_path.iterdir())


def test_an_export_is_replaced_with_fewer_tables(few, tmp_path):
    out = export(few, "csv", tmp_path / "out")
    export(replace(few, tables={**few.tables, "statements": pd.DataFrame()}), "csv", out)
    assert not (out / "statements.csv").exists()
    assert len(read_export(out)[1]) == 8


def test_an_unknown_format_is_named(few, tmp_path):
    with pytest.raises(InputError, match=r"unknown format 'xslx' \(did you mean 'xlsx'\?\)"):
        export(few, "xslx", tmp_path / "out")
    with pytest.raises(InputError, match="one of csv, parquet, json, xlsx, netcdf, latex, markdown was expected"):
        default_path("outputs/2026-02-03", "word")


def test_exports_lie_beside_the_forecast(tmp_path, monkeypatch):
    names = [default_path("outputs/2026-02-03/", format).as_posix() for format in FORMATS]
    endings = ("-csv", "-parquet", ".json", ".xlsx", ".nc", ".tex", ".md")
    assert names == [f"outputs/2026-02-03{ending}" for ending in endings]
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert default_path(".", "json") == (tmp_path / "here.json").resolve()


def place(kind, folder, packaged_folder):
    """Something at which no export can be written."""
    (folder / "file").write_text("mine")
    (folder / "folder").mkdir()
    (folder / "folder" / "notes.txt").write_text("mine")
    return {
        "below a file": folder / "file" / "deeper" / "out",
        "a folder": folder / "folder",
        "a file": folder / "file",
        "the forecast": packaged_folder,
        "in the forecast": packaged_folder / "record" / "out",
        "too long": folder / ("x" * 300),
    }[kind]


@pytest.mark.parametrize(
    ("format", "kind", "message"),
    [
        ("json", "below a file", "file is a file, not a folder"),
        ("csv", "below a file", "file is a file, not a folder"),
        ("json", "a folder", "is a folder; expected a file to write"),
        ("csv", "a folder", "is not empty and holds no export"),
        ("parquet", "a file", "is a file; expected a folder to write"),
        ("csv", "the forecast", "is not empty and holds no export"),
        ("json", "in the forecast", "lies in the folder of a forecast"),
        ("xlsx", "too long", "cannot be written: File name too long"),
        ("csv", "too long", "cannot be written: File name too long"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused(few, tmp_path, packaged_folder, format, kind, message):
    out = place(kind, tmp_path, packaged_folder)
    was = sorted(tmp_path.rglob("*")) + sorted(packaged_folder.rglob("*"))
    with pytest.raises(InputError, match=message):
        export(few, format, out)
    assert sorted(tmp_path.rglob("*")) + sorted(packaged_folder.rglob("*")) == was
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("format", ["csv", "json", "xlsx"])
def test_no_permission_is_bad_input(few, tmp_path, monkeypatch, format):
    def forbidden(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("forecast.files.owned", forbidden)
    with pytest.raises(InputError, match="cannot be written: Permission denied"):
        export(few, format, tmp_path / "out")


def test_an_export_with_something_beside_it_is_not_replaced(few, tmp_path):
    out = export(few, "csv", tmp_path / "out")
    (out / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds 'notes.txt' beside an export"):
        export(few, "csv", out)
    assert (out / "notes.txt").read_text() == "mine"


def test_only_exports_are_read(packaged_folder, tmp_path):
    (tmp_path / "text").write_text("x")
    for name in ("manifest.json", "outcomes.nc", "summary.csv"):
        with pytest.raises(InputError, match="is no export"):
            read_export(packaged_folder / name)
    for path in (Path(packaged_folder), tmp_path / "nothing"):
        with pytest.raises(InputError, match=r"there is no such file|cannot be read: No such file"):
            read_export(path)


@pytest.mark.parametrize("format", FORMATS)
def test_before_the_brief_there_are_fewer_tables(few, tmp_path, format):
    tables = {**few.tables, "statements": pd.DataFrame(), "prior_resolution": pd.DataFrame()}
    early = replace(few, tables=tables, prior_outcomes=xr.Dataset())
    out = export(early, format, tmp_path / "out")
    if format in EXACT:
        same(read_export(out), early)
    elif format in exports.PRINT:
        assert "Statements" not in out.read_text("utf-8")
