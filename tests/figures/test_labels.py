"""Names as words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from gengap.errors import GengapError
from gengap.figures import labels
from gengap.figures.colouring import colour_by, distinct
from gengap.figures.style import PALETTE, new_figure


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("persistent_entropy.H0H1", "persistent entropy, H0 and H1"),
        ("persistent_entropy.H1", "persistent entropy, H1"),
        ("persistence_pooling.H0H1H2", "persistence pooling, H0, H1 and H2"),
        ("reference.mean", "the mean gap"),
        ("reference.hyper_parameters", "hyper-parameters alone"),
        ("reference.training_accuracy", "training accuracy alone"),
        ("ntk_alignment", "NTK alignment"),
        ("margin.output", "margin, output"),
        ("always_generalize", "Always Generalize"),
        ("sliced_wasserstein_between_draws.H0", "sliced Wasserstein between draws, H0"),
        ("davies_bouldin_index", "Davies Bouldin index"),
        ("H0", "H0"),
    ],
)
def test_measure_label(name: str, label: str) -> None:
    assert labels.measure_label(name) == label


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (0.1, "0.1"), (1e-4, "0.0001"), (16, "16"), (np.int64(16), "16"), (True, "yes"),
        (np.bool_(False), "no"), (None, "none"), (float("nan"), "none"), ("max_pool", "max pool"),
        ("x" * 40, "x" * 23 + "…"),
    ],
)  # fmt: skip
def test_value_label(value: object, label: str) -> None:
    assert labels.value_label(value) == label


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.876, "0.88"), (-30.24, "−30.2"), (-1234.5, "−1234"), (-0.001, "0.00"), (-2.3e6, "−2e+06")],
)
def test_number(value: float, text: str) -> None:
    assert labels.number(value) == text


def test_values_are_in_a_readers_order() -> None:
    assert distinct(pd.Series([16, 8, 128, 8])) == [8, 16, 128]
    assert distinct(pd.Series(["sgd", "adam"], dtype=object)) == ["adam", "sgd"]
    assert distinct(pd.Series([None, 0.2, 0.1], dtype=object)) == [0.1, 0.2, None]


def test_networks_with_one_value_share_one_colour() -> None:
    values = pd.Series([8, 16, 8, 32], index=[0, 1, 2, 3], name="width")
    colouring = colour_by(values)
    assert colouring.colours["0"] == colouring.colours["2"]
    assert len(set(colouring.colours.values())) == 3
    assert [group.label for group in colouring.groups] == ["8", "16", "32"]
    assert len({group.marker for group in colouring.groups}) == 3
    # Ordered values get lighter, so that the order survives printing in grey.
    lightness = [sum(group.colour[:3]) for group in colouring.groups]
    assert lightness == sorted(lightness)


def test_words_get_the_colour_blind_safe_palette() -> None:
    values = pd.Series(["sgd", "adam", "sgd"], index=list("abc"), name="optimiser")
    colouring = colour_by(values)
    assert colouring.colours == {
        "a": to_rgba(PALETTE[1]), "b": to_rgba(PALETTE[0]), "c": to_rgba(PALETTE[1])
    }  # fmt: skip


def test_many_numbers_are_a_scale_with_a_colour_bar() -> None:
    values = pd.Series(np.linspace(0.1, 0.9, 20), index=range(20), name="learning_rate")
    colouring = colour_by(values)
    assert colouring.groups == ()
    assert colouring.scale is not None
    assert colouring.scale.get_clim() == (0.1, 0.9)
    assert colouring.colours["7"] == pytest.approx(colouring.scale.to_rgba(values.to_numpy())[7])
    figure = new_figure(3, 3)
    figure.subplots()
    colouring.explain(figure)
    assert figure.axes[-1].get_xlabel() == "learning rate"


def test_many_words_are_refused_by_name() -> None:
    values = pd.Series([f"kind {i}" for i in range(9)], name="augmentation")
    with pytest.raises(GengapError, match=r"'augmentation' has 9 distinct values"):
        colour_by(values)
    with pytest.raises(GengapError, match=r"'augmentation' has no values"):
        colour_by(values[:0])
