"""The lines that are printed at the end of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from gengap.planning.summary import summary


def test_the_summary_is_the_text_that_the_evaluation_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("results", "digits", "evaluation")
    folder.mkdir(parents=True)
    (folder / "summary.txt").write_text(
        "One measure is shown.\n\nLeft out: nothing – τ.\n", "utf-8"
    )
    text = summary(["digits", "absent"], [])
    assert "  One measure is shown.\n\n  Left out: nothing – τ.\n" in text
    assert text.startswith("\ndigits: ")
    assert "results/digits/evaluation/leaderboard.csv" in text
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
