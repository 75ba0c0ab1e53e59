"""What is printed and drawn of news: steps and their factors, what they rest on, and rows that weigh nothing."""

import numpy as np
import pandas as pd
import pytest
from rich.console import Console, Group
from worlds import load_record, load_specification

from forecast.evidence.episodes import ENTRY, NO_FAMILY
from forecast.plots.weights import weight_of_evidence as drawn_weights
from forecast.terminal.news import merged, stepwise, unused_rows, weight_of_evidence
from forecast.unused import COLUMNS, unused_of_record
from forecast.vocabulary import SCENARIOS

LABELS = {"limited": "Settled", "significant": "Fined", "crackdown": "Expelled"}
MANIFEST = {
    "labels": LABELS, "as_of": "2026-02-03", "origin": "2026-03-01", "matter": "m", "view": "inside", "seed": 1,
    "priors_fingerprint": "a" * 64, "record_fingerprint": "b" * 64, "assumed_silence": None,
}  # fmt: skip
STEPS = (
    ("silence", "2026-02-07", "4 days without an event", "", "", (1.01, 1.0, 0.97)),
    ("event", "2026-02-08", "no show: they stay away", NO_FAMILY, "", (1.0, 1.0, 0.999)),
    ("silence", "2026-02-15", "7 days without an event", "", "", (1.02, 1.0, 0.95)),
    ("event", "2026-02-16", "fine: of 3m", "", "fine within 6 months: Settled 5 %, Fined 20 %", (0.5, 1.4, 1.5)),
    ("event", "2026-02-17", "opened: a file; extended: another", f"opened: {ENTRY}", "", (1.0, 1.0, 1.0)),
)


def table(many: int = 1) -> pd.DataFrame:
    """Return weights of the steps above, ``many`` times over, with probabilities that follow from the factors."""
    chance, rows = np.array([0.4, 0.45, 0.15]), []
    for number, (kind, end, what, note, rests_on, factors) in enumerate(STEPS * many, 1):
        after = chance * factors / (chance * factors).sum()
        told = {"step": number, "start": "", "end": end, "kind": kind, "what": what, "note": note, "rests_on": rests_on}
        rows += [
            told | {"scenario": name, "log_factor": np.log(after[s] / chance[s]), "probability": after[s]}
            for s, name in enumerate(SCENARIOS)
        ]
        chance = after
    return pd.DataFrame(rows)


def printed(parts, width: int = 100) -> str:
    console = Console(width=width, no_color=True, force_terminal=False)
    with console.capture() as captured:
        console.print(Group(*parts))
    return captured.get()


def test_the_table_begins_with_the_brief_and_has_a_line_for_each_step():
    text = printed(weight_of_evidence(table(), MANIFEST))
    lines = text.splitlines()
    brief = next(line for line in lines if "the brief" in line)
    assert [f"{number} %" for number in brief.split()[3::2]] == ["40.0 %", "45.0 %", "15.0 %"]
    for _, end, what, *_ in STEPS:
        assert any(line.startswith(end) and what.split(":")[0].split(";")[0] in line for line in lines)
    assert "(no weight: changes no rate)" in text
    assert max(map(len, lines)) <= 100


def test_silence_and_the_weightless_event_that_ends_it_are_one_line_where_there_are_many():
    steps = stepwise(table(2), list(SCENARIOS))
    together = merged(steps)
    assert len(together) == len(steps) - 2
    first = together[0]
    assert first["silence"] == "4 days without an event"
    assert first["what"] == "no show: they stay away"
    for name in SCENARIOS:
        both = steps[0]["log_factor"][name] + steps[1]["log_factor"][name]
        assert first["log_factor"][name] == pytest.approx(both)
        assert first["probability"][name] == steps[1]["probability"][name]
    assert [s["what"] for s in together].count("fine: of 3m") == 2  # a step that weighs keeps a line of its own
    full = printed(weight_of_evidence(table(2), MANIFEST, full=True))
    assert full.count("2026-02-08") == 2
    assert NO_FAMILY in " ".join(full.split())


def test_a_large_step_says_what_it_rests_on():
    text = " ".join(printed(weight_of_evidence(table(), MANIFEST)).split())
    odds = 1.5 / 0.5
    assert f"The step to 2026-02-16 changes the odds of two scenarios by x{odds:.1f}. It rests on" in text
    assert "fine within 6 months: Settled 5 %, Fined 20 %" in text
    assert text.count("changes the odds") == 1


def test_without_news_nothing_is_printed_and_the_figure_says_so():
    assert weight_of_evidence(pd.DataFrame(), MANIFEST) == []

    class Bare:
        manifest, tables = MANIFEST, {"weight_of_evidence": pd.DataFrame()}

    picture = drawn_weights(Bare())
    assert "no event and no silence has moved a scenario" in picture.axes[0].texts[0].get_text()


def test_the_figure_tells_every_day_with_an_event_and_its_factors():
    class Later:
        manifest, tables = MANIFEST, {"weight_of_evidence": table()}

    chart, below = drawn_weights(Later()).axes
    assert {"1", "2", "3"} <= {text.get_text() for text in chart.texts}
    told = " ".join(below.texts[0].get_text().split())
    for words in ("2026-02-08 no show", "no weight: changes no rate", "Expelled x", "stated fine within 6 months"):
        assert words in told
    edges = [band.get_paths()[0].vertices[:, 1] for band in chart.collections]
    assert max(edge.max() for edge in edges) == pytest.approx(1)


def test_unused_rows_are_listed_by_reason_for_the_matter_and_counted_for_others():
    spec, record = load_specification(), load_record()
    unused = unused_of_record(record, spec.regime, record.complete_until)
    assert list(unused.columns) == list(COLUMNS)
    own = unused.loc[unused["matter_id"] == spec.matter]
    text = " ".join(printed(unused_rows(unused, spec.matter)).split())
    assert f"{len(own)} of {spec.matter}, {len(unused) - len(own)} of other matters" in text
    for event in own["event_id"]:
        assert text.count(f"{event} (") == 1
    others = unused.loc[unused["matter_id"] != spec.matter, "event_id"]
    assert not any(f"{event} (" in text for event in others)
    full = " ".join(printed(unused_rows(unused, spec.matter, full=True)).split())
    assert all(f"{event} (" in full for event in others)
