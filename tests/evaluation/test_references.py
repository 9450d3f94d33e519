"""References by hand, and which measures are duplicates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gengap.evaluation.designs import Design, Designs
from gengap.evaluation.duplicates import merged
from gengap.evaluation.references import (
    has_replicates,
    pairwise_design,
    replicate_ceiling,
    replicate_noise_design,
)


def made(gaps: list[float], widths: list[int], measures: tuple[Design, ...] = ()) -> Designs:
    networks = tuple(map(str, range(len(gaps))))
    grid = pd.DataFrame({"width": widths}, index=list(networks))
    left_out = pd.DataFrame(columns=["kind", "name", "reason"])
    training = np.ones(len(gaps))
    return Designs(networks, np.array(gaps), grid, training, "accuracy", measures, left_out)


def test_products_are_those_of_the_columns_of_each_pair() -> None:
    grid = pd.DataFrame(
        {"b": [0, 1, 0, 1], "a": ["x", "y", "z", "y"], "c": [1.0, 1.0, 2.0, 2.0], "same": 1}
    )
    design = pairwise_design(grid)
    assert design is not None
    assert design.components == (
        "a=y, b=1", "a=z, b=1", "a=y, c=2.0", "a=z, c=2.0", "b=1, c=2.0",
    )  # fmt: skip
    expected = [[0, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 1, 0], [1, 0, 1, 0, 1]]
    np.testing.assert_array_equal(design.values, expected)
    assert pairwise_design(grid[["b", "same"]]) is None


def test_replicates_predict_each_other_by_hand() -> None:
    designs = made([1.0, 3.0, 8.0, 4.0, 5.0, 9.0], [8, 8, 8, 16, 16, 32])
    # The last network has no replicate: the others' mean is 4.2.
    np.testing.assert_allclose(replicate_ceiling(designs), [5.5, 4.5, 2.0, 5.0, 4.0, 4.2])
    assert has_replicates(designs.points)
    assert not has_replicates(np.array([0, 0, 1, 2, 3]))


def test_noise_has_the_variance_between_replicates() -> None:
    rng = np.random.default_rng(0)
    widths = np.repeat(np.arange(4000), 3)
    gaps = widths / 100 + 0.3 * rng.normal(size=len(widths))
    values = replicate_noise_design(made(list(gaps), list(widths)), rng).values[:, 0]
    assert np.std(values - gaps) == pytest.approx(0.3, rel=0.03)
    assert abs(np.corrcoef(values - gaps, gaps - widths / 100)[0, 1]) < 0.03


def test_levels_of_draws_are_no_noise_of_replicates() -> None:
    rng = np.random.default_rng(5)
    widths, draws = np.tile(np.arange(500), 3), np.repeat(np.array(list("abc"), dtype=object), 500)
    gaps = widths / 100 + 4.0 * (draws == "b") + rng.normal(0, 0.3, 1500)
    designs = replace(made(list(gaps), list(widths)), draws=draws)
    values = replicate_noise_design(designs, rng).values[:, 0]
    assert np.std(values - gaps) == pytest.approx(0.3, rel=0.1)


def test_affine_maps_are_duplicates_and_nothing_else_is() -> None:
    rng = np.random.default_rng(1)
    scalar, pair, image = (
        rng.normal(size=(20, 1)),
        rng.normal(size=(20, 2)),
        rng.normal(size=(20, 50)),
    )

    def design(name: str, values: np.ndarray, *, reduced: bool = False) -> Design:
        return Design(name, "f", tuple(map(str, range(values.shape[1]))), values, reduced)

    measures = (
        design("b", scalar),
        design("a", 1e-8 * scalar - 4),
        design("float32", scalar + 1e-7 * rng.normal(size=(20, 1))),
        design("cubed", scalar**3),
        design("pair", pair),
        design("triple", np.hstack([pair, pair[:, :1] - pair[:, 1:] + 5])),
        design("other_pair", np.hstack([pair[:, :1], scalar])),
        design("constant", np.full((20, 1), 2.0)),
        design("constant_too", np.full((20, 1), 3.0)),
        design("wide", image),
        design("wide_too", rng.normal(size=(20, 60))),
        design("image", image, reduced=True),
        design("image_of_another_unit", 7 * image + 1, reduced=True),
        design("stretched_image", image * np.linspace(1, 2, 50), reduced=True),
    )
    designs, duplicates = merged(made([0.0] * 20, [1] * 20, measures))
    assert duplicates == {
        "a": ("b", "float32"), "pair": ("triple",), "image": ("image_of_another_unit",),
    }  # fmt: skip
    assert [m.name for m in designs.measures] == [
        "a", "cubed", "pair", "other_pair", "constant", "constant_too", "wide", "wide_too",
        "image", "stretched_image",
    ]  # fmt: skip
