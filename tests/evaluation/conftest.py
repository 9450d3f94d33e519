"""A synthetic task whose answers are known: the gap is a stated function of what is in it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gengap.evaluation import Evaluation, evaluate


@dataclass(frozen=True)
class Zoo:
    """Input of ``evaluate``."""

    measures: pd.DataFrame
    gaps: pd.Series
    grid: pd.DataFrame
    training_accuracy: pd.Series

    def evaluate(self, **keywords: Any) -> Evaluation:
        quick: dict[str, Any] = {"resamples": 50, "permutations": 50, "seed": 1, **keywords}
        return evaluate(
            self.measures,
            self.gaps,
            self.grid,
            training_accuracy=self.training_accuracy,
            **quick,
        )

    def with_measures(self, measures: pd.DataFrame) -> Zoo:
        return replace(self, measures=measures)


def tidy(
    name: str, values: np.ndarray | pd.Series, networks: list[str], family: str = "made"
) -> pd.DataFrame:
    """The tidy rows of one measure; values (networks,) or (networks, components)."""
    columns = np.asarray(values).reshape(len(networks), -1)
    return pd.DataFrame(
        {
            "task": "synthetic",
            "network": np.repeat(networks, columns.shape[1]),
            "family": family,
            "measure": name,
            "component": np.tile(np.arange(columns.shape[1]), len(networks)),
            "value": columns.ravel(),
        }
    )


@pytest.fixture
def zoo() -> Zoo:
    """24 networks; the gap depends on corruption, on ``signal``, and a little on noise."""
    rng = np.random.default_rng(0)
    cells = list(itertools.product([8, 16], [0.0, 0.2, 0.4], range(4)))
    networks = [str(index) for index in range(len(cells))]
    grid = pd.DataFrame(
        {"width": [c[0] for c in cells], "corruption": [c[1] for c in cells]}, index=networks
    )
    n = len(cells)
    signal = rng.normal(size=n)
    gaps = 0.5 * grid["corruption"].to_numpy() + 0.02 * signal + 0.002 * rng.normal(size=n)
    pair = np.column_stack([signal, grid["corruption"]]) + 0.01 * rng.normal(size=(n, 2))
    measures = pd.concat(
        [
            tidy("pair", pair, networks),
            tidy("signal", signal, networks),
            tidy("noise", rng.normal(size=n), networks),
            tidy("corruption_detector", grid["corruption"] + 0.01 * rng.normal(size=n), networks),
            tidy("constant", np.full(n, 3.0), networks, family="other"),
            tidy("wide", rng.normal(size=(n, 20)), networks, family="other"),
            tidy("persistence_image.H0", rng.normal(size=(n, 30)), networks, family="other"),
        ],
        ignore_index=True,
    )
    accuracy = pd.Series(1 - 0.01 * rng.random(n), index=networks)
    return Zoo(measures, pd.Series(gaps, index=networks), grid, accuracy)
