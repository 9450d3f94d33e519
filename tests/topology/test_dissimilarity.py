"""1 - |r| against NumPy in float64, its invariances, and neurons that never change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from gengap.errors import GengapError, MachineError
from gengap.topology import correlation_dissimilarity, gpu_named
from gengap.topology.dissimilarity import BLOCK_ROWS

ULP = 2.0**-24


def rarely_active(rng: np.random.Generator, neurons: int, inputs: int) -> np.ndarray:
    values = rng.standard_normal((neurons, inputs)) + rng.uniform(-3, 1, (neurons, 1))
    return np.maximum(values, 0).astype(np.float32)


@pytest.mark.parametrize("neurons", [1, 2, 60, BLOCK_ROWS + 3, 2 * BLOCK_ROWS])
def test_is_one_minus_the_absolute_correlation(neurons: int) -> None:
    activations = rarely_active(np.random.default_rng(neurons), neurons, 300)
    alive = np.ptp(activations, axis=1) > 0
    expected = np.ones((neurons, neurons))
    expected[np.ix_(alive, alive)] = 1 - np.abs(np.corrcoef(activations[alive].astype(np.float64)))
    np.fill_diagonal(expected, 0)
    dissimilarity = correlation_dissimilarity(activations)
    assert dissimilarity.dtype == np.float32
    np.testing.assert_allclose(dissimilarity, expected, rtol=0, atol=ULP)


def test_is_exactly_symmetric_with_zero_diagonal_and_in_range() -> None:
    dissimilarity = correlation_dissimilarity(rarely_active(np.random.default_rng(0), 700, 50))
    np.testing.assert_array_equal(dissimilarity, dissimilarity.T)
    assert not np.diagonal(dissimilarity).any()
    assert dissimilarity.min() >= 0
    assert dissimilarity.max() <= 1


def test_affine_images_of_a_neuron_lie_at_distance_zero_and_change_no_other_distance() -> None:
    rng = np.random.default_rng(1)
    activations = rarely_active(rng, 40, 2000)
    scales = rng.choice([-4.0, -0.5, 0.25, 1024.0], (40, 1)).astype(np.float32)
    images = activations * scales
    dissimilarity = correlation_dissimilarity(np.concatenate([activations, images]))
    alive = np.ptp(activations, axis=1) > 0
    assert not np.diagonal(dissimilarity[40:, :40])[alive].any()
    original = correlation_dissimilarity(activations)
    np.testing.assert_allclose(dissimilarity[40:, 40:], original, rtol=0, atol=ULP)
    shifted = correlation_dissimilarity(images.astype(np.float64) - 7)
    np.testing.assert_allclose(shifted, original, rtol=0, atol=ULP)


def test_constant_neurons_lie_at_distance_one_from_everything() -> None:
    rng = np.random.default_rng(2)
    activations = rng.standard_normal((6, 200)).astype(np.float32)
    activations[1] = 0
    activations[2] = 3.7
    ulp = np.spacing(np.float32(1e8))
    activations[3] = np.float32(1e8) + ulp * rng.integers(-1, 2, 200).astype(np.float32)
    dissimilarity = correlation_dissimilarity(activations)
    for constant in (1, 2, 3):
        np.testing.assert_array_equal(np.delete(dissimilarity[constant], constant), np.ones(5))
        assert dissimilarity[constant, constant] == 0


@pytest.mark.parametrize("scale", [1e-42, 1e-30, 1e30])
def test_scale_alone_makes_no_neuron_constant(scale: float) -> None:
    activations = np.array([[0, 1, 2, 4], [4, 1, 3, 0]], dtype=np.float64) * 10
    expected = correlation_dissimilarity(activations)
    dissimilarity = correlation_dissimilarity((activations * scale).astype(np.float32))
    np.testing.assert_allclose(
        dissimilarity, expected, rtol=0, atol=1e-2 if scale < 1e-38 else 1e-6
    )
    assert dissimilarity[0, 1] < 1


def test_a_large_offset_with_real_variation_is_not_constant() -> None:
    rng = np.random.default_rng(3)
    activations = 1000 + rng.standard_normal((2, 500)).astype(np.float32)
    expected = 1 - abs(np.asarray(np.corrcoef(activations.astype(np.float64)))[0, 1])
    assert correlation_dissimilarity(activations)[0, 1] == pytest.approx(expected, abs=ULP)


def test_no_neurons_give_an_empty_matrix() -> None:
    assert correlation_dissimilarity(np.empty((0, 5), dtype=np.float32)).shape == (0, 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_refuses_activations_that_are_not_finite(bad: float) -> None:
    activations = np.ones((3, 4), dtype=np.float32)
    activations[1, 2] = bad
    with pytest.raises(GengapError, match="NaN or infinite"):
        correlation_dissimilarity(activations)


@pytest.mark.parametrize("shape", [(5,), (5, 1), (5, 0), (2, 3, 4)])
def test_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(GengapError, match="at least two inputs"):
        correlation_dissimilarity(np.zeros(shape, dtype=np.float32))


def test_torch_multiplies_to_the_same_distances(cpu_or_gpu: str) -> None:
    activations = rarely_active(np.random.default_rng(4), BLOCK_ROWS + 90, 400)
    activations[7] = 2.5
    activations[-3:] = -3 * activations[:3]
    expected = correlation_dissimilarity(activations)
    dissimilarity = correlation_dissimilarity(activations, torch.device(cpu_or_gpu))
    np.testing.assert_allclose(dissimilarity, expected, rtol=0, atol=2 * ULP)
    np.testing.assert_array_equal(dissimilarity, dissimilarity.T)
    # What repeats and what never changes lies at exactly 0 and 1 on any device.
    np.testing.assert_array_equal(dissimilarity == 0, expected == 0)
    np.testing.assert_array_equal(dissimilarity[7], expected[7])


class TestTheGpuOfAName:
    @pytest.mark.parametrize("name", ["cpu", "auto"])
    def test_none_is_looked_for_where_there_is_no_driver(
        self, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setattr("gengap.topology.dissimilarity.DRIVERS", ())
        monkeypatch.setattr(torch.cuda, "device_count", lambda: pytest.fail("torch was asked"))
        assert gpu_named(name) is None

    @pytest.mark.parametrize(("seen", "expected"), [(0, None), (1, torch.device("cuda"))])
    def test_with_a_driver_torch_is_asked(
        self, monkeypatch: pytest.MonkeyPatch, seen: int, expected: torch.device | None
    ) -> None:
        monkeypatch.setattr("gengap.topology.dissimilarity.DRIVERS", (Path("/"),))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: seen)
        assert gpu_named("auto") == expected

    def test_one_that_is_not_there_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        assert gpu_named("cuda:0") == torch.device("cuda:0")
        with pytest.raises(MachineError, match="'cuda:1', but torch sees 1 GPUs"):
            gpu_named("cuda:1")


@pytest.mark.parametrize(
    "form",
    [
        lambda a: a.astype(np.int64),
        lambda a: a.astype(np.uint8),
        lambda a: a.astype(np.float16),
        lambda a: a.astype(">f4"),
        lambda a: np.asfortranarray(a),
        lambda a: a.tolist(),
        lambda a: pd.DataFrame(a),
        lambda a: torch.from_numpy(a),
    ],
)
def test_the_same_numbers_in_any_form_are_correlated_alike(form: Callable[[Any], Any]) -> None:
    activations = np.random.default_rng(7).integers(0, 100, (20, 40)).astype(np.float32)
    expected = 1 - np.abs(np.corrcoef(activations))
    np.testing.assert_allclose(correlation_dissimilarity(form(activations)), expected, atol=1e-7)


def test_booleans_are_correlated_as_0_and_1() -> None:
    firing = np.random.default_rng(8).random((9, 30)) > 0.4
    firing[2] = True
    dissimilarity = correlation_dissimilarity(firing)
    varying = np.delete(np.arange(9), 2)
    expected = 1 - np.abs(np.corrcoef(firing[varying]))
    np.testing.assert_allclose(dissimilarity[np.ix_(varying, varying)], expected, atol=1e-7)
    assert (dissimilarity[2, varying] == 1).all()


@pytest.mark.parametrize(
    ("activations", "sentence"),
    [
        ([[1, 2], [3]], "cannot be read as an array"),
        (np.ones((3, 4), complex), "has type complex128"),
        ([["a", "b"]], "has type <U1"),
        (np.ma.masked_equal(np.eye(3), 0), "has masked entries"),
    ],
)
def test_refuses_what_is_no_matrix_of_real_numbers(activations: Any, sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        correlation_dissimilarity(activations)
