"""The lines that are printed at the end of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from gengap.names import PREDICTION_COLUMNS
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
    assert "reference" not in text
    Path("results", "digits", "reference.safetensors").touch()
    assert "  reference:   results/digits/reference.safetensors" in summary(["digits"], [])


def test_a_claim_is_named_once_with_its_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("results", "maddox2020").mkdir(parents=True)
    table = "claim,verdict,estimate\nOne,agrees,a\nOne,agrees,b\nTwo,premise fails,c\n"
    Path("results", "maddox2020", "claims.csv").write_text(table)
    text = summary([], ["maddox2020"])
    assert text.count("One") == 1
    assert "\n         agrees  One\n" in text
    assert "\n  premise fails  Two\n" in text
    assert "results/maddox2020/claims.md" in text


def test_several_tasks_end_with_what_carries_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    header = "measure,kind,task,level_error,centred_error,kendall,kendall_low,kendall_high"
    rows = [
        "reference.mean,reference,all,0.1,0.05,,,",
        "reference.mean,reference,a,0.3,0.05,,,",
        "combination.all,combination,all,0.08,0.03,0.5,0.25,0.75",
        "first,scalar,all,0.09,0.04,0.4,0.2,0.6",
        "second,scalar,all,0.09,0.05,0.3,0.1,0.5",
    ]
    Path("results", "across_tasks.csv").write_text("\n".join([header, *rows]))
    text = summary(["a", "b"], [])
    lines = [line.split() for line in text.splitlines()]
    assert ["reference.mean", "0.1000", "0.0500"] in lines
    assert ["combination.all", "0.0800", "0.0300", "0.50", "[0.25,", "0.75]"] in lines
    assert "first" in text
    assert "second" not in text
    assert "best of 2 measures" in text
    assert summary(["a"], []) == ""


def test_predictions_end_with_how_many_and_why_others_are_declined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("results", "mine").mkdir(parents=True)
    rows = [
        ",".join(PREDICTION_COLUMNS),
        "a,0.05,0.02,0.08,0.9,0.5,predicted,,1",
        "b,0.07,0.04,0.12,0.9,0.5,predicted,,2",
        "c,,,,,0.01,declined,It is too far from the reference's networks.,",
        "d,,,,,,declined,Its training data are not the reference's: other shapes.,",
        "e,,,,,0.01,declined,It is too far from the reference's networks.,",
    ]
    Path("results", "mine", "predictions.csv").write_text("\n".join(rows))
    assert summary(["mine"], []).splitlines() == [
        "",
        "mine: 2 of 5 networks are predicted; gaps 0.050 to 0.070, 90 % intervals 0.070 wide",
        "  2 declined: too far in its measures",
        "  1 declined: other data",
        "  predictions: results/mine/predictions.csv",
    ]
