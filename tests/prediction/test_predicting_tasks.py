"""Predictions of tasks that are measured already, their order, and their export."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.prediction.conftest import MakeTask, gap_of_size

from gengap.datasets import Split, read_split, write_split
from gengap.errors import GengapError
from gengap.measures import Subject
from gengap.names import PREDICTION_COLUMNS
from gengap.prediction import Reference, export_predictions, freeze, predict, predict_task
from gengap.prediction.intervals import cv_plus
from gengap.prediction.predicting import helps, measured_values
from gengap.prediction.predictors import predictions_from
from gengap.tasks import load


def test_a_task_is_predicted_as_its_networks_are(make_task: MakeTask, reference: Reference) -> None:
    folder = make_task(name="other")
    table = predict_task(folder, reference)
    assert tuple(table.columns) == PREDICTION_COLUMNS
    task = load(folder)
    assert list(table["network"]) == list(task.networks)
    predicted = table[table["verdict"] == "predicted"]
    assert len(predicted) > 15
    for network in predicted["network"].iloc[[0, 7, 12]]:
        entry = task.networks[network]
        train = entry.train(task.train)
        subject = Subject(entry.network(), entry.initial(), train, np.random.default_rng(1))
        given = entry.metrics.hyper_parameters
        alone = predict(subject, reference, hyper_parameters=given)
        row = predicted.set_index("network").loc[network]
        # The measures of the two tasks have random streams of their own.
        assert alone.gap == pytest.approx(row["gap"], abs=0.01)
        assert alone.rank is None
    gaps = task.gaps().loc[predicted["network"]].to_numpy()
    assert np.mean((predicted["low"] <= gaps) & (gaps <= predicted["high"])) >= 0.8
    everyone = table.dropna(subset="rank")
    assert everyone["rank"].min() == 1
    order = predicted.sort_values("rank")["gap"]
    assert order.is_monotonic_increasing


def test_networks_of_the_reference_are_predicted_from_other_folds(
    task: Path, reference: Reference
) -> None:
    table = predict_task(task, reference, force=True)
    trained = load(task)
    entry = trained.networks["4"]
    subject = Subject(
        entry.network(), entry.initial(), entry.train(trained.train), np.random.default_rng(0)
    )
    alone = predict(subject, reference, hyper_parameters=entry.metrics.hyper_parameters, force=True)
    row = table.set_index("network").loc["4"]
    assert row["gap"] == pytest.approx(alone.gap, rel=1e-9)
    assert row["low"] == pytest.approx(alone.low, rel=1e-9)
    assert row["reason"] == alone.reason
    assert "from those of other folds" in row["reason"]


def moved(folder: Path) -> None:
    """Make the training data of a task others."""
    path = folder / "dataset" / "train.safetensors"
    data = read_split(path)
    write_split(Split(data.inputs + np.float32(3), data.labels, 3), path)


def test_other_data_decline_the_level_and_keep_the_order(
    make_task: MakeTask, reference: Reference
) -> None:
    folder = make_task(name="other")
    order = predict_task(folder, reference)["rank"]
    moved(folder)
    table = predict_task(folder, reference)
    assert set(table["verdict"]) == {"declined"}
    assert table[["gap", "low", "high", "test_accuracy"]].isna().all(axis=None)
    assert table["reason"].str.contains("training data are not the reference's").all()
    assert list(table["rank"]) == list(order)
    gaps = load(folder).gaps().to_numpy()
    assert pd.Series(gaps).corr(table["rank"].astype(float), method="kendall") > 0.5


def test_no_test_accuracy_is_needed(make_task: MakeTask, reference: Reference) -> None:
    folder = make_task(name="other")
    before = predict_task(folder, reference)
    content = json.loads((folder / "task.json").read_text())
    for entry in content["networks"].values():
        entry["test_accuracy"] = entry["test_loss"] = None
    (folder / "task.json").write_text(json.dumps(content))
    pd.testing.assert_frame_equal(predict_task(folder, reference), before)


def test_missing_measures_have_no_rank(make_task: MakeTask, reference: Reference) -> None:
    folder = make_task(name="other")
    table = pd.read_csv(folder / "measures.csv")
    lacks = (table["measure"] == "distance_from_initialisation") & (table["network"] == 3)
    table[~lacks].to_csv(folder / "measures.csv", index=False)
    predictions = predict_task(folder, reference).set_index("network")
    assert predictions["rank"].isna().loc["3"]
    assert predictions["rank"].notna().sum() == len(predictions) - 1
    with pytest.raises(GengapError, match="Network 3 of task 'other' has no rank"):
        export_predictions(predictions.reset_index(), folder, folder)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("topology", {"max_dim": 2}, "other settings than the reference's (topology)"),
        ("losses", ["mse"], "It was trained on the loss 'mse'"),
    ],
)
def test_another_recipe_is_a_reason(
    make_task: MakeTask, reference: Reference, key: str, value: object, words: str
) -> None:
    folder = make_task(name="other")
    recipe = json.loads((folder / "recipe.json").read_text())
    (folder / "recipe.json").write_text(json.dumps({**recipe, key: value}))
    table = predict_task(folder, reference)
    assert set(table["verdict"]) == {"declined"}
    assert table["reason"].str.contains(words, regex=False).all()


@pytest.mark.slow
def test_two_draws_make_wide_intervals(
    make_task: MakeTask, reference: Reference, new_subject: Callable[..., Subject]
) -> None:
    task = make_task(replicates=2, points=12)
    two, three = freeze(task), reference
    assert two.fold_draws is None
    predictions = [predict(new_subject(), one, force=True) for one in (two, three)]
    assert "two draws" in predictions[0].reason
    widths = [one.high - one.low for one in predictions]  # type: ignore[operator]
    assert widths[0] > widths[1]
    # On one of these draws there is nothing to allow for.
    trained = load(task)
    data = trained.networks["0"].train(trained.train)
    known = predict(new_subject(data=data), two, force=True)
    assert known.high - known.low < widths[0]  # type: ignore[operator]
    assert "two draws" not in known.reason


def test_a_known_draw_leaves_out_grid_points(
    task: Path, reference: Reference, new_subject: Callable[..., Subject]
) -> None:
    trained = load(task)
    entry = trained.networks["0"]
    subject = new_subject(data=entry.train(trained.train))
    given = entry.metrics.hyper_parameters
    prediction = predict(subject, reference, hyper_parameters=given, force=True)
    values = np.vstack([reference.values, measured_values(subject, reference)])
    predictor = reference.by_measures
    if helps(reference, given):
        values = np.hstack([values, reference.hyper_parameter_columns([given])])
        predictor = reference.by_measures_and_hyper_parameters
    assert predictor is not None
    points = reference.grid.astype(str).agg(" ".join, axis=1).to_numpy()
    folds = reference.point_folds
    assert all(len(set(folds[points == point])) == 1 for point in set(points))
    centres, errors = np.zeros(len(folds)), np.zeros(len(folds))
    for fold in set(folds):
        test = folds == fold
        row = predictions_from(values, reference.gaps, ~test)[predictor.candidate]
        errors[test] = np.abs(reference.gaps - row[:-1])[test]
        centres[test] = row[-1]
    ends = cv_plus(centres[None], errors)
    assert prediction.low == pytest.approx(float(ends[0][0]), rel=1e-9)
    assert prediction.high == pytest.approx(float(ends[1][0]), rel=1e-9)


@pytest.mark.slow
def test_predictions_are_exported_for_the_competition(
    make_task: MakeTask, reference: Reference, tmp_path: Path
) -> None:
    folder = make_task(name="other", gaps=gap_of_size)
    content = json.loads((folder / "task.json").read_text())
    for name, entry in content["networks"].items():
        entry["source_id"] = f"model_{name}"
    (folder / "task.json").write_text(json.dumps(content))
    predictions = predict_task(folder, reference)
    path = export_predictions(predictions, folder, tmp_path)
    assert path == tmp_path / "other.predict"
    values = json.loads(path.read_text())
    assert list(values) == [f"model_{name}" for name in content["networks"]]
    assert list(values.values()) == list(predictions["rank"])
