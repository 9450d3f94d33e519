"""The competition's score: by hand, against plain loops, and against published scores."""

from __future__ import annotations

import copy
import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mutual_info_score

from gengap.errors import GengapError
from gengap.evaluation import (
    competition_reference,
    conditional_mutual_information,
    mutual_information_table,
    score_measures,
)

PUBLISHED = ("VPM_1", "VPM_80", "VR", "WCV")
TASKS = ("task1_v4", "task2_v1")


def task(
    values: dict[str, list[Any]], replicates: int, seed: int
) -> tuple[dict[str, float], dict[str, Any]]:
    """Random gaps, with ties, and a measure that follows them with errors."""
    rng = np.random.default_rng(seed)
    reference: dict[str, Any] = {}
    predictions: dict[str, float] = {}
    for combination in itertools.product(*values.values(), range(replicates)):
        network = str(len(reference))
        hparams = {
            name: {"possible_values": listed, "current_value": value}
            for (name, listed), value in zip(values.items(), combination[:-1], strict=True)
        }
        gap = float(rng.integers(0, 12)) / 16
        reference[network] = {
            "hparams": hparams,
            "metrics": {"train_acc": 1.0, "test_acc": 1.0 - gap},
        }
        predictions[f"model_{network}"] = gap + float(rng.integers(0, 6)) / 16
    return predictions, reference


def by_loops(predictions: dict[str, float], reference: dict[str, Any]) -> float:
    """The definition, one ordered pair of networks at a time, with scikit-learn's information."""
    hparams = next(iter(reference.values()))["hparams"]
    scores = []
    for first, second in itertools.permutations(hparams, 2):
        cells: dict[Any, tuple[list[bool], list[bool]]] = {}
        for one, other in itertools.product(reference, reference):
            key = tuple(
                reference[network]["hparams"][name]["current_value"]
                for name in (first, second)
                for network in (one, other)
            )
            gaps = [
                reference[n]["metrics"]["train_acc"] - reference[n]["metrics"]["test_acc"]
                for n in (one, other)
            ]
            signs = cells.setdefault(key, ([], []))
            signs[0].append(gaps[0] > gaps[1])
            signs[1].append(predictions[f"model_{one}"] > predictions[f"model_{other}"])
        information = [mutual_info_score(a, b) for a, b in cells.values()]
        entropy = [mutual_info_score(a, a) for a, _ in cells.values()]
        scores.append(np.mean(information) / np.mean(entropy))
    return float(min(scores))


def small() -> tuple[dict[str, float], dict[str, Any]]:
    """Two hyper-parameters, of one value and of two; two networks for each combination."""
    reference = {
        str(network): {
            "hparams": {
                "only": {"possible_values": ["x"], "current_value": "x"},
                "width": {"possible_values": [1, 2], "current_value": width},
            },
            "metrics": {"train_acc": gap, "test_acc": 0.0},
        }
        for network, (width, gap) in enumerate([(1, 0.1), (1, 0.2), (2, 0.3), (2, 0.4)])
    }
    return {"0": 1.0, "1": 2.0, "2": 4.0, "3": 3.0}, reference


def test_by_hand() -> None:
    """Cells of (width, width), each with four ordered pairs of networks:

    (1, 1): gap larger in 1 of 4, and the measure in the same one: H = I = h(1/4).
    (2, 2): gap larger in one pair, the measure in another one:
            cells 0, 1, 1, 2 of 4, so H = h(1/4) and I = 2 h(1/4) - (2 * 1/4 * 2 + 1/2 * 1).
    (1, 2): never larger; (2, 1): always larger: H = I = 0.
    """
    quarter = -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75))
    crossed = 2 * quarter - 1.5
    table = mutual_information_table(*small())
    assert list(table.columns) == ["first", "second", "mutual_information", "gap_entropy", "score"]
    assert len(table) == 1
    found = table.iloc[0]
    assert (found["first"], found["second"]) == ("only", "width")
    assert found["mutual_information"] == pytest.approx((quarter + crossed) / 4)
    assert found["gap_entropy"] == pytest.approx(2 * quarter / 4)
    expected = (quarter + crossed) / (2 * quarter)
    assert conditional_mutual_information(*small()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "replicates"),
    [
        ({"a": [1, 11], "b": [1, 11], "c": ["x", "y", "z"]}, 1),
        ({"a": [0.0, 0.5], "b": [True, False]}, 3),
        ({"a": [3], "b": [1, 2], "c": [4, 5, 6]}, 2),
    ],
)
def test_loops_agree(values: dict[str, list[Any]], replicates: int) -> None:
    predictions, reference = task(values, replicates, seed=replicates)
    expected = by_loops(predictions, reference)
    assert 0 < expected < 1
    assert conditional_mutual_information(predictions, reference) == pytest.approx(expected)


def test_bounds_and_invariances() -> None:
    predictions, reference = task({"a": [1, 2], "b": [1, 2], "c": [1, 2, 3]}, 2, seed=5)
    gaps = {n: m["metrics"]["train_acc"] - m["metrics"]["test_acc"] for n, m in reference.items()}
    assert conditional_mutual_information(gaps, reference) == pytest.approx(1.0)
    assert conditional_mutual_information(dict.fromkeys(gaps, 7.0), reference) == 0
    score = conditional_mutual_information(predictions, reference)
    curved = {name: math.exp(3 * value) for name, value in predictions.items()}
    backwards = dict(reversed(reference.items()))
    assert conditional_mutual_information(curved, reference) == score
    assert conditional_mutual_information(predictions, backwards) == pytest.approx(score, rel=1e-12)
    bare = {name.removeprefix("model_"): value for name, value in predictions.items()}
    prefixed = {f"model_{name}": model for name, model in reference.items()}
    assert conditional_mutual_information(bare, prefixed) == score
    untied = {name: value + 1e-6 * i for i, (name, value) in enumerate(predictions.items())}
    negative = {name: -value for name, value in untied.items()}
    # Self-pairs count as negative either way, so the sign matters only by a little.
    scores = [conditional_mutual_information(p, reference) for p in (untied, negative)]
    assert scores[0] == pytest.approx(scores[1], abs=0.1)


@pytest.mark.parametrize("measure", PUBLISHED)
@pytest.mark.parametrize("name", TASKS)
def test_published_scores(shared: Callable[[str], Path], measure: str, name: str) -> None:
    published = shared("pgdl/published")
    scores = pd.read_csv(published / "cmi.csv", index_col="measure")
    reference = json.loads((published / "reference_data" / name / "model_configs.json").read_text())
    file = published / "predictions" / measure / f"{name}.predict"
    score = conditional_mutual_information(json.loads(file.read_text()), reference)
    assert score == pytest.approx(scores.loc[measure, name], abs=1e-9)


def test_own_tasks_make_a_reference() -> None:
    predictions, reference = task({"a": [1, 2], "b": ["x", "y"], "c": [0.0, 0.5]}, 2, seed=3)
    settings = pd.DataFrame(
        {n: {k: v["current_value"] for k, v in m["hparams"].items()} for n, m in reference.items()}
    ).T
    gaps = pd.Series(
        {n: m["metrics"]["train_acc"] - m["metrics"]["test_acc"] for n, m in reference.items()}
    )
    grid: dict[str, list[Any]] = {"a": [1, 2], "b": ["x", "y"], "c": [0.0, 0.5]}
    own = competition_reference(gaps, settings, grid)
    expected = conditional_mutual_information(predictions, reference)
    assert conditional_mutual_information(predictions, own) == pytest.approx(expected)


def test_bad_input_is_refused_by_name() -> None:
    predictions, reference = task({"depth": [1, 2], "width": [4, 8], "c": [0, 1]}, 2, seed=1)

    def changed(network: str, *path: Any) -> dict[str, Any]:
        """The reference with one entry of a network replaced; the last word is the new value."""
        copied = copy.deepcopy(reference)
        place = copied[network]
        for key in path[:-2]:
            place = place[key]
        place[path[-2]] = path[-1]
        return copied

    hole = {
        name: model
        for name, model in reference.items()
        if (model["hparams"]["depth"]["current_value"], model["hparams"]["width"]["current_value"])
        != (2, 4)
    }
    inside = {f"model_{name}": 1.0 for name in hole}
    lonely, alone = task({"depth": [1, 2], "width": [4, 8]}, 1, seed=1)
    single, one = task({"depth": [1, 2]}, 3, seed=1)
    cases: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        (inside, hole, r"No network has depth = 2 and width = 4.*complete the grid"),
        (predictions | {"model_3": math.nan}, reference, r"prediction for network 3 is nan"),
        (predictions | {"model_3": "high"}, reference, r"prediction for network 3 is 'high'"),
        (dict(list(predictions.items())[:-2]), reference, r"Network 14 \(and 1 more\) has no pred"),
        (predictions | {"model_99": 1.0}, reference, r"Network 99 .* not in the reference"),
        (predictions | {"3": 1.0}, reference, r"predictions name a network twice"),
        (predictions, reference | {"model_3": reference["3"]}, r"reference names a network twice"),
        (predictions, changed("5", "metrics", {}), r"train_acc of network 5 .* is None"),
        (
            predictions,
            changed("5", "metrics", "test_acc", math.inf),
            r"test_acc of network 5 .*inf",
        ),
        (
            predictions,
            changed("5", "hparams", "width", "current_value", 9),
            r"Network 5 has width = 9, .*\[4, 8\]",
        ),
        (predictions, changed("5", "hparams", {}), r"Network 5 has no hyper-parameter depth"),
        (predictions, reference | {"3": 7}, r"Network 3 has 7 in the reference: give it 'hparams'"),
        (predictions, changed("5", "hparams", 7), r"Network 5 has no 'possible_values'"),
        (
            predictions,
            changed("5", "hparams", "width", {"current_value": 4}),
            r"Network 5 has no 'possible_values' or no 'current_value' .*'width'",
        ),
        (
            predictions,
            changed("0", "hparams", "c", {"possible_values": [0, 1]}),
            r"Network 0 has no 'possible_values' or no 'current_value' .*'c'",
        ),
        (lonely, alone, r"depth and width held fixed no two networks differ.*replicates"),
        (single, one, r"has 1 hyper-parameters.*at least two"),
        ({}, {}, r"names no network"),
    ]
    for values, configs, message in cases:
        with pytest.raises(GengapError, match=message):
            conditional_mutual_information(values, configs)


def test_a_missing_hyper_parameter_is_a_value_of_its_own() -> None:
    points = list(itertools.product([8, 16], [0.5, None], range(3)))
    networks = [str(position) for position in range(len(points))]
    table = pd.DataFrame(
        {"width": [p[0] for p in points], "rate": [p[1] for p in points]}, networks
    )
    rng = np.random.default_rng(0)
    gaps = pd.Series(rng.random(len(points)), networks)
    measures = pd.DataFrame(
        {
            "task": "made", "network": networks, "family": "made", "measure": "noise",
            "component": "0", "value": rng.random(len(points)),
        }
    )  # fmt: skip
    scores = []
    for missing in (None, 9.0):
        rates: list[Any] = [missing if p[1] is None else p[1] for p in points]
        filled = table.assign(rate=rates)
        grid: dict[str, list[Any]] = {"width": [8, 16], "rate": [0.5, missing]}
        (row,) = score_measures(measures, gaps, filled, grid).to_dict("records")
        assert row["reason"] == ""
        scores.append(row["score"])
    assert scores[0] == scores[1]
