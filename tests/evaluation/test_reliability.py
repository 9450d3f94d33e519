"""The share of a measure's variance that is no noise, against repeated measurements."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.evaluation.conftest import tidy

from gengap.evaluation.designs import Designs, prepare
from gengap.evaluation.reliability import reliability

NETWORKS = [str(network) for network in range(400)]


def designs_of(values: dict[str, np.ndarray], errors: dict[str, np.ndarray]) -> Designs:
    rng = np.random.default_rng(9)
    index = pd.Index(NETWORKS, name="network")
    tables = [tidy(name, numbers, NETWORKS) for name, numbers in values.items()]
    noise = [
        tidy(name, numbers, NETWORKS).rename(columns={"value": "standard_error"})
        for name, numbers in errors.items()
    ]
    return prepare(
        pd.concat(tables),
        pd.Series(rng.random(len(NETWORKS)), index),
        pd.DataFrame({"width": np.arange(len(NETWORKS)) % 4}, index),
        pd.Series(rng.random(len(NETWORKS)), index),
        (),
        "accuracy",
        standard_errors=pd.concat(noise),
    )


def test_it_is_the_correlation_of_two_measurements() -> None:
    """A signal of variance 4 and noise of variance 1, of networks whose noise differs."""
    rng = np.random.default_rng(0)
    signal = 2 * rng.standard_normal(len(NETWORKS))
    errors = np.sqrt(rng.uniform(0.5, 1.5, len(NETWORKS)))
    one, other = (signal + errors * rng.standard_normal(len(NETWORKS)) for _ in range(2))
    designs = designs_of({"noisy": one, "exact": signal}, {"noisy": errors, "exact": 0 * errors})
    shares = reliability(designs)
    assert list(shares.index) == [design.name for design in designs.measures]
    assert shares["exact"] == 1
    assert shares["noisy"] == pytest.approx(np.corrcoef(one, other)[0, 1], abs=0.05)
    assert shares["noisy"] == pytest.approx(4 / 5, abs=0.05)


def test_it_stays_between_0_and_1_and_is_unknown_without_errors_or_variance() -> None:
    rng = np.random.default_rng(1)
    values = {
        "all_noise": rng.standard_normal(len(NETWORKS)),
        "constant": np.ones(len(NETWORKS)),
        "without_errors": rng.standard_normal(len(NETWORKS)),
        "vector": rng.standard_normal((len(NETWORKS), 2)),
    }
    errors = {name: np.full(len(NETWORKS), 5.0) for name in ("all_noise", "constant")}
    shares = reliability(designs_of(values, errors))
    assert shares["all_noise"] == 0
    assert shares.drop("all_noise").isna().all()
    assert set(shares.index) == set(values)
