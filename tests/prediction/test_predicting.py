"""Predictions of networks that are not of the reference, and every reason to decline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tests.prediction.conftest import DRAW, MakeTask, gap_of_size, pool

from gengap.datasets import Split
from gengap.measures import Subject
from gengap.prediction import Prediction, Reference, freeze, predict
from gengap.prediction.predicting import measured_values, own_folds
from gengap.tasks import load

NewSubject = Callable[..., Subject]


def declined(prediction: Prediction, *words: str) -> None:
    """Hold that nothing is predicted, and why."""
    assert prediction.verdict == "declined"
    assert (prediction.gap, prediction.low, prediction.high) == (None, None, None)
    assert prediction.test_accuracy is None
    for word in words:
        assert word in prediction.reason


def test_networks_of_the_task_have_the_values_of_its_table(task: Path) -> None:
    reference, written = freeze(task), pd.read_csv(task / "measures.csv")
    by_name = written.set_index(["network", "measure"])["value"]
    trained = load(task)
    for network in ("0", "13", "26"):
        entry = trained.networks[network]
        subject = Subject(
            entry.network(), entry.initial(), entry.train(trained.train), np.random.default_rng(9)
        )
        values = measured_values(subject, reference)
        expected = [by_name[int(network), name] for name in reference.measures]
        np.testing.assert_array_equal(values, expected)


def test_new_networks_are_predicted_within_their_intervals(
    reference: Reference, new_subject: NewSubject
) -> None:
    rng = np.random.default_rng(0)
    held = []
    for seed in range(500, 520):
        size = float(np.exp(rng.uniform(np.log(3.2), np.log(5.6))))
        prediction = predict(new_subject(size, seed), reference, network="new")
        if prediction.verdict == "declined":
            assert "too far" in prediction.reason
            continue
        assert prediction.network == "new"
        assert prediction.gap is not None
        assert prediction.low is not None
        assert prediction.high is not None
        assert prediction.low <= prediction.gap <= prediction.high
        assert prediction.test_accuracy == pytest.approx(1 - prediction.gap)
        held.append(prediction.low <= gap_of_size(size, rng) <= prediction.high)
    assert len(held) >= 12
    assert np.mean(held) >= 0.75


def test_a_network_of_the_reference_is_predicted_from_the_others(
    task: Path, reference: Reference
) -> None:
    trained = load(task)
    entry = trained.networks["4"]
    subject = Subject(
        entry.network(), entry.initial(), entry.train(trained.train), np.random.default_rng(0)
    )
    prediction = predict(subject, reference)
    assert prediction.verdict == "predicted"
    assert "from those of other folds" in prediction.reason
    # Its own gap has no part in it.
    gaps = reference.gaps.copy()
    gaps[reference.networks.index("small/4")] = 0.7
    assert predict(subject, replace(reference, gaps=gaps)).gap == prediction.gap


def test_what_all_folds_have_tells_no_network(reference: Reference) -> None:
    """Of a network with equal measures alone, all of the reference is not left out."""
    values = reference.values.copy()
    values[:, 0] = 100.0
    alike = replace(reference, values=values)
    measured = np.full(values.shape[1], np.nan)
    measured[0] = 100.0
    assert own_folds(alike, measured).size == 0
    for place in 0, 7:
        assert own_folds(alike, values[place]).tolist() == [alike.folds[place]]


def test_a_change_of_the_code_is_said(reference: Reference, new_subject: NewSubject) -> None:
    assert predict(new_subject(), reference).reason == ""
    other = replace(reference, recipe=replace(reference.recipe, code="0" * 16))
    prediction = predict(new_subject(), other)
    assert prediction.verdict == "predicted"
    assert prediction.reason.startswith("The code of the measures is not that of the reference")


def test_too_far(reference: Reference, new_subject: NewSubject) -> None:
    subject = new_subject(4.0)
    with torch.no_grad():
        # The same function up to the last bit of the loss, but weights of other sizes.
        weights = list(subject.network.parameters())
        weights[0].mul_(50.0)
        weights[-2].div_(50.0)
    prediction = predict(subject, reference)
    declined(prediction, "too far")
    assert prediction.distance_p is not None
    assert prediction.distance_p < 0.05
    forced = predict(subject, reference, force=True)
    assert forced.verdict == "forced"
    assert forced.gap is not None
    assert "too far" in forced.reason


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (Split(np.zeros((40, 4), np.float32), np.arange(40) % 3, 3), "(vector, [4])"),
        (Split(pool().inputs[:40], np.arange(40) % 4, 4), "4 classes"),
        (Split(pool().inputs[:40] + np.float32(1.5), np.arange(40) % 3, 3), "distribution"),
    ],
)
def test_other_data(reference: Reference, new_subject: NewSubject, data: Split, words: str) -> None:
    subject = replace(new_subject(), train=data)
    declined(predict(subject, reference), "Its training data are not the reference's", words)


def test_another_number_of_inputs(reference: Reference, new_subject: NewSubject) -> None:
    declined(predict(new_subject(data=pool()), reference), "on 120 inputs", f"networks on {DRAW}")


def test_another_loss(reference: Reference, new_subject: NewSubject) -> None:
    declined(predict(replace(new_subject(), loss="mse"), reference), "'mse'", "cross_entropy")


def test_a_training_loss_and_accuracy_out_of_reach(
    reference: Reference, new_subject: NewSubject
) -> None:
    subject = new_subject()
    wrong = subject.train.with_labels(np.roll(subject.train.labels, 1))
    declined(
        predict(replace(subject, train=wrong), reference), "training loss", "training accuracy"
    )


def test_a_network_without_some_measures_is_predicted_without(
    reference: Reference, new_subject: NewSubject
) -> None:
    assert "distance_from_initialisation" in reference.measures
    prediction = predict(replace(new_subject(), initial=None), reference)
    assert prediction.verdict == "predicted"
    assert "distance_from_initialisation" in prediction.reason


def test_a_measure_that_is_needed_is_missing(task: Path, new_subject: NewSubject) -> None:
    table = pd.read_csv(task / "measures.csv")
    useless = table["measure"] == "sum_of_squared_weights"
    table.loc[useless, "value"] = np.random.default_rng(0).normal(size=useless.sum())
    chosen = useless | (table["measure"] == "distance_from_initialisation")
    table[chosen].to_csv(task / "measures.csv", index=False)
    reference = freeze(task)
    assert reference.measures == ("distance_from_initialisation", "sum_of_squared_weights")
    declined(
        predict(replace(new_subject(), initial=None), reference),
        "No predictor without distance_from_initialisation",
    )


def test_no_measure_at_all(task: Path, new_subject: NewSubject) -> None:
    table = pd.read_csv(task / "measures.csv")
    chosen = table["measure"] == "distance_from_initialisation"
    table[chosen].to_csv(task / "measures.csv", index=False)
    subject = replace(new_subject(), initial=None)
    declined(predict(subject, freeze(task)), "none of the reference's measures")


@pytest.mark.slow
def test_no_predictor_beats_the_mean(make_task: MakeTask, new_subject: NewSubject) -> None:
    task = make_task(gaps=lambda size, rng: float(0.1 + 0.02 * rng.normal()))
    prediction = predict(new_subject(), freeze(task))
    declined(prediction, "No predictor beats the mean gap")


@pytest.mark.slow
def test_too_few_networks(make_task: MakeTask, new_subject: NewSubject) -> None:
    reference = freeze(make_task(points=6))
    count = len(reference.networks)
    assert count < 20
    declined(predict(new_subject(), reference, force=True), f"has {count} networks", "at least 20")


@pytest.mark.slow
def test_one_draw_says_nothing_of_another(make_task: MakeTask, new_subject: NewSubject) -> None:
    reference = freeze(make_task(own_draws=False))
    assert reference.by_measures is not None
    assert reference.by_measures.assessment.fold == "grid points"
    same = new_subject(data=pool().take(np.arange(DRAW)))
    prediction = predict(same, reference)
    assert prediction.verdict == "predicted"
    assert "one draw of the training data" in prediction.reason
    fewer = new_subject(data=pool().take(np.arange(DRAW - 3)))
    declined(predict(fewer, reference), "another draw", "has 1 draw,")


def test_known_hyper_parameters_never_widen_the_interval(
    reference: Reference, new_subject: NewSubject
) -> None:
    subject = new_subject()
    unknown = predict(subject, reference)
    other = predict(subject, reference, hyper_parameters={"size": 7, "rate": 1})
    known = predict(subject, reference, hyper_parameters={"size": 1, "rate": 1})
    widths = [one.high - one.low for one in (known, other, unknown)]  # type: ignore[operator]
    assert reference.by_measures is not None
    assert reference.by_measures_and_hyper_parameters is not None
    both = reference.by_measures_and_hyper_parameters.assessment.mean_squared_error
    if both >= reference.by_measures.assessment.mean_squared_error:
        assert widths == sorted(widths)
    assert "no network with this size" in other.reason
    assert known.reason == ""


def test_the_order_and_the_scale_of_the_reference_do_not_matter(
    task: Path, new_subject: NewSubject
) -> None:
    before = predict(new_subject(), freeze(task))
    table = pd.read_csv(task / "measures.csv")
    table.sample(frac=1, random_state=0).to_csv(task / "measures.csv", index=False)
    after = predict(new_subject(), freeze(task))
    assert after.gap == pytest.approx(before.gap, rel=1e-9)
    assert after.low == pytest.approx(before.low, rel=1e-9)
    assert after.distance_p == before.distance_p
