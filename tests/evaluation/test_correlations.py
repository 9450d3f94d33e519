"""Correlations over all networks and within strata, against SciPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from gengap.evaluation.correlations import CORRELATION_COLUMNS, correlation_tables
from gengap.evaluation.designs import Designs, prepare

if TYPE_CHECKING:
    from tests.evaluation.conftest import Zoo

SCIPY: dict[str, Callable[..., Any]] = {
    "kendall": stats.kendalltau,
    "spearman": stats.spearmanr,
    "pearson": stats.pearsonr,
}


def designs_of(zoo: Zoo, **keywords: Any) -> Designs:
    return prepare(
        zoo.measures, zoo.gaps, zoo.grid, zoo.training_accuracy, (), "accuracy", **keywords
    )


def correlations(designs: Designs, *within: str | None) -> pd.DataFrame:
    return correlation_tables(designs, within, resamples=200, permutations=99, seed=0)


def test_every_stratum_has_scipys_estimates(zoo: Zoo) -> None:
    designs = designs_of(zoo)
    found = correlations(designs, "corruption", None, "width", "corruption")
    assert list(found) == list(CORRELATION_COLUMNS)
    strata = ["all", *(f"corruption={c}" for c in (0.0, 0.2, 0.4)), "width=8", "width=16"]
    assert list(found["stratum"].unique()) == strata
    # Vectors have no correlation; the training accuracy has one, the hyper-parameters have none.
    scalars = ["constant", "corruption_detector", "noise", "signal"]
    assert set(found["measure"]) == {*scalars, "reference.training_accuracy"}
    for label in strata:
        name, _, value = label.partition("=")
        chosen = np.ones(24, dtype=bool) if label == "all" else zoo.grid[name] == float(value)
        rows = found[found["stratum"] == label]
        assert (rows["networks"] == chosen.sum()).all()
        for measure in ("noise", "signal"):
            values = zoo.measures.loc[zoo.measures["measure"] == measure, "value"].to_numpy()
            own = rows[rows["measure"] == measure].set_index("statistic")
            for statistic, function in SCIPY.items():
                expected = function(values[chosen], zoo.gaps[chosen]).statistic
                np.testing.assert_allclose(own["estimate"][statistic], expected, atol=1e-12)
    constant = found[found["measure"] == "constant"]
    assert constant["estimate"].isna().all()
    assert (constant[["p", "p_family"]].to_numpy() == 1).all()


def test_replicates_are_no_evidence_of_their_own(zoo: Zoo) -> None:
    # Eight replicates of a point move together; with a hyper-parameter that tells them apart, each
    # network is a point of its own.
    together = replace(zoo, grid=zoo.grid[["corruption"]])
    apart = replace(zoo, grid=zoo.grid.assign(apart=np.arange(24)))
    clustered, separate = (
        correlations(designs_of(each)).set_index(["measure", "statistic"])
        for each in (together, apart)
    )
    pd.testing.assert_series_equal(clustered["estimate"], separate["estimate"])
    detector = ("corruption_detector", "kendall")
    assert separate["p"][detector] == 0.01
    # Three points have six orders, one of which puts the corruption in order.
    assert clustered["p"][detector] > 0.03


def test_draws_keep_the_p_of_a_measure_that_recognises_them_large(zoo: Zoo) -> None:
    labels = pd.Series(np.tile(list("abcd"), 6), index=zoo.gaps.index)
    effect = labels.map({"a": 0.0, "b": 1.0, "c": 2.0, "d": 3.0})
    noise = 0.01 * np.random.default_rng(0).normal(size=24)
    measures = zoo.measures[zoo.measures["measure"] == "noise"]
    shown = replace(zoo, measures=measures.assign(value=effect.to_numpy() + noise), gaps=effect)
    with_draws, without = (
        correlations(designs_of(shown, draws=draws)).set_index(["measure", "statistic"])
        for draws in (labels, None)
    )
    pd.testing.assert_series_equal(with_draws["estimate"], without["estimate"])
    assert (with_draws["estimate"]["noise"] > 0.8).all()
    assert (with_draws["p"]["noise"] == 1).all()


def test_order_and_names_of_networks_do_not_matter(zoo: Zoo) -> None:
    order = np.random.default_rng(1).permutation(24)
    turned = replace(
        zoo,
        measures=zoo.measures.sample(frac=1, random_state=0),
        gaps=zoo.gaps.iloc[order],
        grid=zoo.grid.iloc[order],
        training_accuracy=zoo.training_accuracy.iloc[order],
    )
    pd.testing.assert_frame_equal(
        correlations(designs_of(zoo), "width"), correlations(designs_of(turned), "width")
    )
