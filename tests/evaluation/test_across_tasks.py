"""Leave-one-task-out on made-up tasks, against scikit-learn and SciPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression

from gengap.errors import GengapError
from gengap.evaluation import across_tasks
from gengap.evaluation.across_tasks import ACROSS_COLUMNS, predictions
from gengap.evaluation.combination import ALL as EVERY_MEASURE
from gengap.evaluation.designs import MEAN, Design, Designs


def task_of(gaps: np.ndarray, measures: dict[str, np.ndarray], gap_of: str = "accuracy") -> Designs:
    names = tuple(map(str, range(len(gaps))))
    return Designs(
        networks=names,
        gaps=gaps,
        grid=pd.DataFrame({"depth": range(len(gaps))}, index=list(names)),
        training=1 - 0.01 * np.arange(len(gaps)) % 0.03,
        gap_of=gap_of,
        measures=tuple(
            Design(name, "made", ("0",), values[:, None]) for name, values in measures.items()
        ),
        left_out=pd.DataFrame(columns=["kind", "name", "reason"]),
    )


def two_tasks() -> dict[str, Designs]:
    """Two tasks of other sizes and levels: "order" carries over, "level" does not; nor "sign"."""
    rng = np.random.default_rng(0)
    tasks = {}
    for name, size, level, sign in (("first", 14, 0.1, 1), ("second", 20, 0.5, -1)):
        gaps = level + 0.03 * rng.normal(size=size)
        tasks[name] = task_of(
            gaps,
            {
                "order": 100 * level + gaps + 0.005 * rng.normal(size=size),
                "level": gaps + 0.001 * rng.normal(size=size),
                "sign": sign * gaps,
                f"own_of_{name}": gaps,
            },
        )
    return tasks


def table(tasks: dict[str, Designs]) -> pd.DataFrame:
    found = across_tasks(tasks, resamples=200, seed=0)
    assert list(found) == list(ACROSS_COLUMNS)
    return found.set_index(["measure", "task"])


def test_errors_and_taus_are_those_of_fits_to_the_other_task() -> None:
    tasks = two_tasks()
    found = table(tasks)
    for held_out, other in (("first", "second"), ("second", "first")):
        test, train = tasks[held_out], tasks[other]
        mean = np.abs(test.gaps - train.gaps.mean()).mean()
        assert found["level_error"][MEAN, held_out] == pytest.approx(mean)
        spread = np.abs(test.gaps - test.gaps.mean()).mean()
        assert found["centred_error"][MEAN, held_out] == pytest.approx(spread)
        assert np.isnan(found["kendall"][MEAN, held_out])
        for place, name in enumerate(["order", "level", "sign"]):

            def scores(designs: Designs, place: int = place) -> np.ndarray:
                ranks = stats.rankdata(designs.measures[place].values[:, 0])
                return np.asarray(stats.norm.ppf((ranks - 0.375) / (len(ranks) + 0.25)))[:, None]

            fit = LinearRegression().fit(scores(train), train.gaps - train.gaps.mean())
            order = fit.predict(scores(test))
            error = np.abs(order - (test.gaps - test.gaps.mean())).mean()
            assert found["centred_error"][name, held_out] == pytest.approx(error)
            tau = stats.kendalltau(order, test.gaps).statistic
            assert found["kendall"][name, held_out] == pytest.approx(tau)
            assert found["networks"][name, held_out] == len(test.gaps)
    assert found["kendall"]["sign", "all"] == -1
    assert found["kendall"]["order", "all"] > 0.6
    assert found["centred_error"]["order", "all"] < 0.6 * found["centred_error"][MEAN, "all"]


def test_rows_are_shared_scalars_references_and_ridge_in_order() -> None:
    found = across_tasks(two_tasks(), resamples=20, seed=0)
    assert list(found["measure"].unique()[:3]) == [
        MEAN, "reference.training_accuracy", EVERY_MEASURE,
    ]  # fmt: skip
    assert set(found["measure"].unique()[3:]) == {"order", "level", "sign"}
    assert list(found["task"][:3]) == ["all", "first", "second"]
    overall = found[found["task"] == "all"]
    assert overall["centred_error"][overall["kind"] == "scalar"].is_monotonic_increasing
    means = found[found["task"] != "all"].groupby("measure")
    for column in ("level_error", "centred_error", "kendall"):
        expected = means[column].mean()[overall["measure"]].to_numpy()
        np.testing.assert_allclose(overall[column], expected)
    taus = found[found["kendall"].notna()]
    assert (taus["kendall_low"] <= taus["kendall"] + 1e-12).all()
    assert (taus["kendall_high"] >= taus["kendall"] - 1e-12).all()
    assert taus["kendall_low"].ge(-1).all()
    assert taus["kendall_high"].le(1).all()


def test_level_is_predicted_where_the_measure_knows_it() -> None:
    tasks = two_tasks()
    rng = np.random.default_rng(1)
    gaps = 0.3 + 0.03 * rng.normal(size=16)
    measures = {"order": 30 + gaps, "level": gaps, "sign": gaps}
    found = table({**tasks, "third": task_of(gaps, measures)})
    # The third task lies between the others, so nothing is extrapolated.
    assert found["level_error"]["level", "third"] < 0.005
    assert found["level_error"][MEAN, "third"] < 0.05
    assert found["level_error"]["sign", "third"] > 0.1


def test_increasing_maps_within_tasks_do_not_change_the_order() -> None:
    tasks = two_tasks()
    mapped = {
        name: replace(
            designs,
            measures=tuple(
                replace(design, values=(1 + place) * design.values**3 + place)
                for design in designs.measures
            ),
        )
        for place, (name, designs) in enumerate(tasks.items())
    }
    for column in ("centred_error", "kendall", "kendall_low", "kendall_high"):
        pd.testing.assert_series_equal(table(tasks)[column], table(mapped)[column])


def test_tasks_weigh_the_same_and_a_constant_measure_predicts_the_mean() -> None:
    rng = np.random.default_rng(2)
    columns = np.column_stack([rng.normal(size=(9, 2)), np.full(9, 0.1)])
    gaps = rng.normal(size=9)
    weights = np.array([0.5, 0.5, *[0.25] * 4, 0, 0, 0])
    found = predictions(columns, gaps, weights)
    fitted = weights > 0
    for predictor, column in ((1, 0), (3, 1)):
        fit = LinearRegression().fit(columns[fitted][:, [column]], gaps[fitted], weights[fitted])
        np.testing.assert_allclose(found[:, predictor], fit.predict(columns[:, [column]]))
    mean = np.average(gaps, weights=weights)
    np.testing.assert_allclose(found[:, 0], mean)
    np.testing.assert_allclose(found[:, 4], mean)


def test_ridge_finds_what_no_measure_has_alone() -> None:
    rng = np.random.default_rng(3)

    def made(size: int) -> Designs:
        parts = rng.normal(size=(4, size))
        return task_of(parts.sum(axis=0) / 10, {str(k): part for k, part in enumerate(parts)})

    found = table({"a": made(40), "b": made(50)})
    assert found["kendall"][EVERY_MEASURE, "all"] > 0.85
    assert found["level_error"][EVERY_MEASURE, "all"] < 0.2 * found["level_error"]["0", "all"]


def test_only_gaps_of_the_same_thing_are_compared() -> None:
    tasks = two_tasks()
    with_loss = tasks | {"loss": replace(tasks["first"], gap_of="loss")}
    pd.testing.assert_frame_equal(table(with_loss), table(tasks))
    alone = across_tasks({"first": tasks["first"], "loss": with_loss["loss"]}, resamples=9, seed=0)
    assert list(alone) == list(ACROSS_COLUMNS)
    assert alone.empty


def test_order_of_tasks_and_networks_does_not_matter() -> None:
    tasks = two_tasks()
    turned = {
        name: replace(
            designs,
            gaps=designs.gaps[::-1],
            grid=designs.grid[::-1],
            training=designs.training[::-1],
            measures=tuple(replace(d, values=d.values[::-1]) for d in designs.measures),
        )
        for name, designs in reversed(tasks.items())
    }
    pd.testing.assert_frame_equal(table(tasks), table(turned))


def test_tasks_without_shared_measures_have_references_alone() -> None:
    tasks = two_tasks()
    bare = {
        name: replace(designs, measures=designs.measures[3:]) for name, designs in tasks.items()
    }
    found = across_tasks(bare, resamples=9, seed=0)
    assert list(found["measure"].unique()) == [MEAN, "reference.training_accuracy"]


def test_a_task_without_networks_is_named() -> None:
    tasks = two_tasks()
    with pytest.raises(GengapError, match=r"Task empty has no network .* take it out"):
        across_tasks({**tasks, "empty": task_of(np.empty(0), {})}, resamples=9, seed=0)
