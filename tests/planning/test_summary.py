"""The lines that are printed at the end of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from gengap.planning.summary import summary


def test_the_summary_has_the_five_best_eligible_measures_and_the_references(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("results", "digits", "evaluation")
    folder.mkdir(parents=True)
    rows = [f"m{place},scalar,{place != 2},{0.9 - place / 10},0.05" for place in range(8)]
    rows.append("the mean gap,reference,False,-0.1,0.2")
    header = "measure,kind,eligible,r2_mean,r2_std"
    (folder / "leaderboard.csv").write_text("\n".join([header, *rows]))
    text = summary(["digits", "absent"], [])
    assert [name for name in ("m0", "m1", "m3", "m4", "m5") if name not in text] == []
    assert "m2" not in text
    assert "m6" not in text
    assert "  1. m0" in text
    assert "0.900 +- 0.050" in text
    assert "the mean gap" in text
    assert "results/digits/figures/" in text
    assert "absent" not in text


def test_a_claim_is_named_once_with_its_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("results", "maddox2020").mkdir(parents=True)
    table = "claim,verdict,estimate\nOne,agrees,a\nOne,agrees,b\nTwo,undecided,c\n"
    Path("results", "maddox2020", "claims.csv").write_text(table)
    text = summary([], ["maddox2020"])
    assert text.count("One") == 1
    assert "agrees  One" in text
    assert "undecided  Two" in text
    assert "results/maddox2020/claims.md" in text
