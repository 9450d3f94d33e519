"""Pages of claims: table, page and plots of a study, the page of all studies, and the committed."""

from __future__ import annotations

import importlib.util
import math
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from gengap.figures.style import GREY, PALETTE
from gengap.names import VERDICTS
from gengap.studies.claims import NEGATIVE, Bound, Claim, Published
from gengap.studies.claims_page import (
    COLUMNS,
    RULE,
    claims_page,
    claims_table,
    counts,
    overview,
    plot_strip,
    strip_name,
    write_strips,
)
from gengap.studies.estimates import Estimate, Kind

RISES = Claim(
    "Rises",
    "It rises.",
    "The slope | by seed.",
    {"slope": Estimate([1.0, 1.1, 1.2, 1.1]), "beside": Estimate([0.5], Kind.SHARE)},
    {"slope": Bound()},
    published=Published("slope 2", "Table 3", comparable=False),
)
WIDE = Claim(
    "It's wide",
    "It is wide.",
    "Nobody knows.",
    {"a": Estimate([1.0, -2.0, 4.0]), "b": Estimate([1.0, 1.0]), "p": Estimate([1.0, 1.1, 1.2])},
    premises={"p": Bound()},
)
FAILS = Claim(
    "Ranks",
    "It ranks.",
    "The ranks.",
    {"r": Estimate([0.1, 0.2, 0.15]), "accuracy": Estimate([0.1, 0.0, -0.1])},
    premises={"accuracy": NEGATIVE},
)
CLAIMS = [RISES, WIDE, FAILS]


@pytest.fixture(scope="module")
def script(root: Path) -> ModuleType:
    sys.path.insert(0, str(root / "scripts"))
    spec = importlib.util.spec_from_file_location(
        "claims_overview", root / "scripts" / "claims_overview.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_has_a_row_an_estimate() -> None:
    table = claims_table("study", "small", CLAIMS)
    assert list(table) == COLUMNS
    assert list(table["estimate"]) == ["slope", "beside", "a", "b", "p", "r", "accuracy"]
    assert list(table["role"]) == [
        *("decides", "", "decides", "decides", "premise", "decides", "premise"),
    ]
    assert list(table["bound"]) == ["> 0", "", "> 0", "> 0", "> 0", "> 0", "< 0"]
    words = table.drop_duplicates("claim").set_index("claim")["verdict"]
    assert dict(words) == {"Rises": "agrees", "It's wide": "undecided", "Ranks": "premise fails"}
    slope, beside = table.iloc[0], table.iloc[1]
    assert (slope["seeds"], slope["mean"]) == (4, pytest.approx(1.1))
    assert slope["low"] < 1.1 < slope["high"]
    assert beside["shown"] == "0.5 (one seed)"
    assert math.isnan(beside["low"])
    assert slope["published"] == "slope 2 (Table 3; not comparable)"
    assert not np.isinf(table[["mean", "low", "high"]].to_numpy(float)).any()


def test_the_page_has_a_row_a_claim_and_details_below() -> None:
    page = claims_page("study", "small", CLAIMS, ["intro"])
    table, details = page.split("## The rule of the verdicts")
    rows = [line for line in table.splitlines() if re.match(r"\| \d", line)]
    assert len(rows) == 3
    assert rows[0].startswith("| 1. Rises | It rises. | slope 2 (Table 3; not comparable) | slope:")
    assert "![agrees](claims/study-rises.svg)" in rows[0]
    assert RULE.format("seed") in page
    assert "| slope | > 0 | 4 | 1.1 | 0.97 to 1.23 |" in details
    assert "| accuracy | premise: < 0 | 3 |" in details
    assert "| b | > 0 | 2 | 1 | all 2 equal |" in details
    assert "The setting `small` judges, on its seeds alone." in page
    assert page.endswith("No claim of the paper is judged by these experiments: `intro`.\n")
    assert "snakemake study --config setting=small" in page
    assert "nan" not in claims_page("s", "t", [Claim("", "", "", {"a": Estimate([math.nan])})])
    beside = claims_page("study", "small", CLAIMS, judging="medium")
    assert "The setting `medium` judges, on seeds of its own." in beside


def test_a_page_of_networks_speaks_of_no_seeds() -> None:
    fragile = Claim("Rests on one", "", "", {"a": Estimate([1.0, 1.1, 2.0, 0.9])})
    claims = [replace(claim, unit="network", measured="R2.") for claim in (*CLAIMS[1:], fragile)]
    page = claims_page("study", "small", claims, judging="medium")
    assert "seed" not in page
    assert "| estimate | expected | networks | mean | 95% interval |" in page
    assert "(networks that would decide: " in page
    assert "agrees, but not if one network is left out" in page
    assert "on networks of its own" in page


def test_what_holds_together_stands_beside_what_holds_alone() -> None:
    """Of twenty claims with p = 0.01 none is left by Holm's correction."""
    values = [1.0, 1.6, 0.9, 1.8, 1.1, 0.3, 1.5, -0.1, 1.0]
    one = Claim("c", "p", "m", {"a": Estimate(values)})
    assert one.verdict.word == "agrees"
    alone = claims_table("s", "small", [one])
    assert list(alone["together"]) == ["agrees"]
    scaled = [
        Claim(str(k), "p", "m", {"a": Estimate([value + 0.0 for value in values])})
        for k in range(400)
    ]
    assert set(claims_table("s", "small", scaled)["together"]) == {"undecided"}
    assert "| agrees | undecided |" in claims_page("s", "small", scaled)


def test_plots_show_each_part_against_its_bound(tmp_path: Path) -> None:
    (axes,) = plot_strip(WIDE).axes
    bars = [line for line in axes.lines if line.get_linewidth() == 1.6]
    # The part of two equal values has no interval.
    assert [bar.get_color() for bar in bars] == [GREY, PALETTE[0]]
    _, low, high = WIDE.estimates["a"].interval()
    assert np.asarray(bars[0].get_xdata()).tolist() == pytest.approx([low / high, 1.0])
    squares = [line for line in axes.lines if line.get_marker() == "s"]
    assert len(squares) == 1
    assert len({strip_name("study", claim) for claim in CLAIMS}) == 3
    write_strips("study", CLAIMS, tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(first) == {strip_name("study", claim) for claim in CLAIMS}
    assert max(map(len, first.values())) < 12_000
    write_strips("study", CLAIMS, tmp_path)
    assert first == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_all_studies_stand_on_one_page() -> None:
    tables = {"one": claims_table("one", "small", CLAIMS), "two": claims_table("two", "m", [RISES])}
    page = overview(tables)
    assert "[one](one.claims.md) | Rises | slope 2" in page
    assert "![agrees](claims/two-rises.svg)" in page
    assert page.count("![") == 4
    numbers = [line.split(" | ") for line in counts(tables).splitlines()[2:]]
    assert numbers[0][:3] == ["| one", "`small`", "3"]
    assert numbers[0][3 : 3 + len(VERDICTS)] == ["1", "0", "0", "1", "0", "1"]


def test_claims_are_taken_from_results(script: Any, tmp_path: Path) -> None:
    results, studies = tmp_path / "results" / "one", tmp_path / "studies"
    studies.mkdir()
    with pytest.raises(Exception, match=r"has no claims\.csv: run 'snakemake one' first"):
        script.take("one", tmp_path / "results", studies)
    write_strips("one", CLAIMS, results / "claims")
    claims_table("one", "small", CLAIMS).to_csv(results / "claims.csv", index=False)
    (results / "claims.md").write_text("page")
    (studies / "claims").mkdir()
    (studies / "claims" / "one-gone.svg").touch()
    script.take("one", tmp_path / "results", studies)
    strips = {path.name for path in (studies / "claims").glob("*.svg")}
    assert strips == {strip_name("one", claim) for claim in CLAIMS}
    assert (studies / "one.claims.md").read_text() == "page"
    table = script.read_tables(studies)["one"]
    assert overview({"one": table}) == overview({"one": claims_table("one", "small", CLAIMS)})
    shutil.rmtree(studies)


def test_the_committed_pages_are_those_of_the_committed_claims(script: Any, root: Path) -> None:
    tables = script.read_tables(root / "studies")
    assert (root / "studies" / "README.md").read_text("utf-8") == overview(tables)
    readme = (root / "README.md").read_text("utf-8")
    assert script.with_table(readme, counts(tables)) == readme
    assert counts(tables) in readme
    for study, table in tables.items():
        page = (root / "studies" / f"{study}.claims.md").read_text("utf-8")
        for row in table.to_dict("records"):
            assert f"| {row['estimate']} |" in page.replace(r"\|", "|")
        for claim in table.drop_duplicates("claim").to_dict("records"):
            assert f"{claim['explained']}" in page
            assert f"claims/{claim['strip']}" in page
            assert (root / "studies" / "claims" / claim["strip"]).is_file()
    strips = {path.name for path in (root / "studies" / "claims").glob("*.svg")}
    assert strips == {strip for table in tables.values() for strip in table["strip"]}


def test_prose_beside_the_claims_has_no_numbers_of_runs(script: Any, root: Path) -> None:
    """Intervals stand on the pages that runs write: elsewhere they outlive the runs."""
    for study in script.read_tables(root / "studies"):
        text = (root / "studies" / f"{study}.md").read_text("utf-8")
        assert not re.search(r"\([−-]?[\d.]+ to [−-]?[\d.]+\)", text), study
        assert not re.search(r"\*\*(agrees|disagrees|undecided)\*\*", text), study


def test_sentences_of_committed_claims_are_short(script: Any, root: Path) -> None:
    for table in script.read_tables(root / "studies").values():
        for text in {*table["paper"], *table["measured"]}:
            for sentence in re.split(r"(?<=\.) ", text):
                assert len(sentence.split()) < 30, sentence
