"""Every vectorisation against numbers worked out by hand or by a second library."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from gudhi.representations import ComplexPolynomial, PersistenceScaleSpaceKernel, Silhouette
from persim import PersistenceImager, PersLandscapeExact
from scipy.stats import norm

from gengap.errors import GengapError
from gengap.topology import COMPONENTS, persistence_diagrams, summarise, vectorise
from gengap.topology.images import (
    LANDSCAPE_LAYERS,
    LANDSCAPE_POINTS,
    PIXEL_SIZE,
    PIXELS,
    SPREAD,
)

H0 = np.array([[0, 0.25], [0, 0.75], [0, np.inf]], dtype=np.float32)
H1 = np.array([[0.25, 0.5], [0.5, 1.0], [0.5, 0.75], [0.75, 1.0]], dtype=np.float32)

NAMES = (
    "persistence_pooling",
    "average_lives_and_midlives",
    "average_lives_and_midlives_squared",
    "average_births_and_deaths",
    "average_births_and_deaths_squared",
    "average_births_and_deaths_log",
    "lives_midlives_births_deaths_squared",
    "persistent_entropy",
    "deviations_and_averages_of_births_and_deaths",
    "deviations_and_averages_of_births_and_deaths_squared",
    "complex_polynomial",
    "persistence_image",
    "persistence_landscape",
    "persistence_silhouette",
    "heat_kernel",
    "lifetime_sums",
)


def random_bars(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    births = rng.uniform(0, 0.8, count)
    return np.stack([births, births + rng.uniform(0.01, 0.2, count)], axis=1)


@pytest.mark.parametrize(
    ("name", "of_h0", "of_h1"),
    [
        ("persistence_pooling", [0.75, 0.25] + [0] * 8, [0.5, 0.25, 0.25, 0.25] + [0] * 6),
        (
            "lifetime_sums",
            [0.5 + math.sqrt(0.75), 1, 0.625],
            [1.5 + math.sqrt(0.5), 1.25, 0.4375],
        ),
        ("average_lives_and_midlives", [0.5, 0.25], [0.3125, 0.65625]),
        (
            "average_lives_and_midlives_squared",
            [0.5, 0.25, 0.25, 0.0625],
            [0.3125, 0.65625, 0.3125**2, 0.65625**2],
        ),
        ("average_births_and_deaths", [0, 0.5], [0.5, 0.8125]),
        ("average_births_and_deaths_squared", [0, 0.5, 0, 0.25], [0.5, 0.8125, 0.25, 0.8125**2]),
        (
            "average_births_and_deaths_log",
            [0, 0.5, 0, math.log(1.5)],
            [0.5, 0.8125, math.log(1.5), math.log(1.8125)],
        ),
        (
            "lives_midlives_births_deaths_squared",
            [0.5, 0.25, 0.25, 0.0625, 0, 0.5, 0, 0.25],
            [0.3125, 0.65625, 0.3125**2, 0.65625**2, 0.5, 0.8125, 0.25, 0.8125**2],
        ),
        (
            "persistent_entropy",
            [-(0.25 * math.log(0.25) + 0.75 * math.log(0.75))],
            [-(0.4 * math.log(0.4) + 3 * 0.2 * math.log(0.2))],
        ),
        (
            "deviations_and_averages_of_births_and_deaths",
            [0, 0.25, 0, 0.5],
            [math.sqrt(0.03125), math.sqrt(0.171875 / 4), 0.5, 0.8125],
        ),
        (
            "deviations_and_averages_of_births_and_deaths_squared",
            [0, 0.25, 0, 0.5, 0, 0.0625, 0, 0.25],
            [
                *(math.sqrt(0.03125), math.sqrt(0.171875 / 4), 0.5, 0.8125),
                *(0.03125, 0.171875 / 4, 0.25, 0.8125**2),
            ],
        ),
    ],
)
def test_against_numbers_worked_out_by_hand(
    name: str, of_h0: list[float], of_h1: list[float]
) -> None:
    vectors = vectorise([H0, H1])
    np.testing.assert_allclose(vectors[f"{name}.H0"], of_h0, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(vectors[f"{name}.H1"], of_h1, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(vectors[f"{name}.H0H1"], of_h0 + of_h1, rtol=1e-12, atol=1e-15)


def test_pooling_keeps_the_ten_longest_lives() -> None:
    bars = random_bars(0, 25)
    expected = np.sort(bars[:, 1] - bars[:, 0])[:-11:-1]
    np.testing.assert_allclose(vectorise([bars])["persistence_pooling.H0"], expected)


def test_complex_polynomial_of_two_bars_by_hand() -> None:
    """(z - p)(z - q): coefficients -(p + q) and pq."""

    def root(birth: float, death: float) -> complex:
        angle = math.hypot(birth, death)
        cosine, sine = math.cos(angle), math.sin(angle)
        return (death - birth) / 2 * complex(cosine - sine, cosine + sine)

    p, q = root(0.1, 0.4), root(0.2, 0.9)
    vectors = vectorise([np.array([[0.1, 0.4], [0.2, 0.9]])])["complex_polynomial.H0"]
    expected = np.zeros(20)
    expected[[0, 1]] = [-(p + q).real, (p * q).real]
    expected[[10, 11]] = [-(p + q).imag, (p * q).imag]
    np.testing.assert_allclose(vectors, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("count", [1, 9, 10, 11, 150])
def test_complex_polynomial_against_gudhi(count: int) -> None:
    bars = random_bars(count, count)
    expected = ComplexPolynomial(polynomial_type="T", threshold=10)(bars)
    vectors = vectorise([bars])["complex_polynomial.H0"]
    np.testing.assert_allclose(vectors[:10] + 1j * vectors[10:], expected, rtol=1e-9, atol=1e-14)


def test_persistence_image_against_persim() -> None:
    bars = random_bars(1, 40)
    imager = PersistenceImager(
        birth_range=(0, 1),
        pers_range=(0, 1),
        pixel_size=PIXEL_SIZE,
        kernel_params={"sigma": SPREAD**2},
    )
    vectors = vectorise([H0, bars])["persistence_image.H1"].reshape(PIXELS, PIXELS)
    np.testing.assert_allclose(vectors, imager.transform(bars), atol=1e-12)


def test_persistence_image_of_h0_is_the_marginal_over_births() -> None:
    finite = H0[:2].astype(np.float64)
    imager = PersistenceImager(
        birth_range=(-1, 1),
        pers_range=(0, 1),
        pixel_size=PIXEL_SIZE,
        kernel_params={"sigma": SPREAD**2},
    )
    vectors = vectorise([H0, H1])["persistence_image.H0"]
    np.testing.assert_allclose(vectors, imager.transform(finite).sum(axis=0), atol=1e-12)


def test_persistence_landscape_against_persim() -> None:
    bars = random_bars(2, 12)
    vectors = vectorise([bars])["persistence_landscape.H0"].reshape(LANDSCAPE_LAYERS, -1)
    points = (np.arange(LANDSCAPE_POINTS) + 0.5) / LANDSCAPE_POINTS
    exact = PersLandscapeExact(dgms=[bars], hom_deg=0).critical_pairs
    assert len(exact) > 2
    for layer in range(LANDSCAPE_LAYERS):
        pairs = np.array(exact[layer]) if layer < len(exact) else np.zeros((1, 2))
        np.testing.assert_allclose(vectors[layer], np.interp(points, *pairs.T), atol=1e-12)


def test_persistence_landscape_of_one_bar_is_a_tent() -> None:
    vectors = vectorise([np.array([[0.2, 0.6]])])["persistence_landscape.H0"]
    points = (np.arange(LANDSCAPE_POINTS) + 0.5) / LANDSCAPE_POINTS
    np.testing.assert_allclose(
        vectors[:LANDSCAPE_POINTS], np.clip(0.2 - np.abs(points - 0.4), 0, None), atol=1e-15
    )
    assert not vectors[LANDSCAPE_POINTS:].any()


def test_persistence_silhouette_against_gudhi() -> None:
    bars = random_bars(3, 12)
    vector = vectorise([bars])["persistence_silhouette.H0"]
    half = 0.5 / LANDSCAPE_POINTS
    silhouette = Silhouette(
        weight=lambda bar: bar[1] - bar[0],
        resolution=LANDSCAPE_POINTS,
        sample_range=[half, 1 - half],
    )
    np.testing.assert_allclose(vector, silhouette(bars) / np.sqrt(2), atol=1e-12)
    assert not vectorise([np.empty((0, 2))])["persistence_silhouette.H0"].any()


@pytest.mark.parametrize("born_together", [False, True])
def test_sums_and_landscapes_of_many_bars_against_each_bar_and_place(born_together: bool) -> None:
    """More bars than are put on the grid at a time, many of them equal."""
    rng = np.random.default_rng(11)
    bars = random_bars(11, 2500)[rng.integers(0, 2500, 3000)]
    bars = np.where(rng.random((3000, 1)) < 0.3, np.round(bars * 40) / 40, bars)
    if born_together:
        bars[:, 0] = 0
    bars = bars[bars[:, 1] > bars[:, 0]]
    vectors = vectorise([np.empty((0, 2)), bars])
    births, deaths = bars.T
    lives = deaths - births
    points = (np.arange(LANDSCAPE_POINTS) + 0.5) / LANDSCAPE_POINTS
    tents = [np.maximum(np.minimum(t - births, deaths - t), 0) for t in points]
    highest = np.array([np.sort(values)[::-1][:LANDSCAPE_LAYERS] for values in tents])
    np.testing.assert_array_equal(vectors["persistence_landscape.H1"], highest.T.ravel())
    means = [math.fsum(lives * values) / math.fsum(lives) for values in tents]
    np.testing.assert_allclose(vectors["persistence_silhouette.H1"], means, rtol=1e-12, atol=0)
    edges = np.arange(PIXELS + 1) * PIXEL_SIZE
    rows, columns = (
        [
            norm.cdf(high, values, SPREAD) - norm.cdf(low, values, SPREAD)
            for low, high in itertools.pairwise(edges)
        ]
        for values in (births, lives)
    )
    image = [[math.fsum(lives * row * column) for column in columns] for row in rows]
    largest = np.max(image)
    np.testing.assert_allclose(
        vectors["persistence_image.H1"], np.ravel(image), rtol=1e-12, atol=1e-15 * largest
    )
    centres = (np.arange(PIXELS) + 0.5) * PIXEL_SIZE
    heat = [
        math.fsum(
            norm.pdf(births, low, SPREAD) * norm.pdf(deaths, high, SPREAD)
            - norm.pdf(births, high, SPREAD) * norm.pdf(deaths, low, SPREAD)
        )
        for low, high in itertools.combinations(centres, 2)
    ]
    np.testing.assert_allclose(
        vectors["heat_kernel.H1"], heat, rtol=1e-12, atol=1e-14 * np.max(heat)
    )


@pytest.mark.parametrize("bars", [random_bars(12, 1200), 40 * random_bars(13, 37)])
def test_complex_polynomial_of_many_bars_against_its_roots_one_by_one(bars: np.ndarray) -> None:
    """The coefficients are within 1e-12 of what they are where no terms cancel."""
    births, deaths = bars.T
    angles = np.hypot(births, deaths)
    real, imaginary = np.cos(angles) - np.sin(angles), np.cos(angles) + np.sin(angles)
    coefficients, sizes = [1.0 + 0j] + [0j] * 10, [1.0] + [0.0] * 10
    for root in (deaths - births) / 2 * (real + 1j * imaginary):
        for degree in range(10, 0, -1):
            coefficients[degree] -= root * coefficients[degree - 1]
            sizes[degree] += abs(root) * sizes[degree - 1]
    vector = vectorise([bars], grid_end=40.0)["complex_polynomial.H0"]
    errors = np.abs(vector[:10] + 1j * vector[10:] - coefficients[1:])
    assert (errors <= 1e-12 * np.array(sizes[1:])).all()


@pytest.mark.parametrize("grid_end", [1.0, 2.5])
def test_heat_kernel_against_gudhis_kernel_with_single_points(grid_end: float) -> None:
    bars = grid_end * random_bars(4, 9)
    vector = vectorise([bars], grid_end=grid_end)["heat_kernel.H0"]
    centres = (np.arange(PIXELS) + 0.5) * PIXEL_SIZE * grid_end
    deviation = SPREAD * grid_end
    kernel = PersistenceScaleSpaceKernel(bandwidth=deviation)
    heat = [
        kernel(bars, np.array([[birth, death]]))
        for row, birth in enumerate(centres)
        for death in centres[row + 1 :]
    ]
    # GUDHI's Gaussian has the constant of one dimension.
    expected = np.array(heat) / (np.sqrt(2 * np.pi) * deviation)
    np.testing.assert_allclose(vector, expected, rtol=1e-9, atol=1e-12)


def test_names_and_lengths_are_those_of_the_constant() -> None:
    vectors = vectorise([H0, H1])
    assert list(vectors) == [f"{name}.{dims}" for name in NAMES for dims in ("H0", "H1", "H0H1")]
    assert {key: vector.shape for key, vector in vectors.items()} == {
        key: (components,) for key, components in COMPONENTS.items()
    }
    assert all(vector.dtype == np.float64 for vector in vectors.values())


def test_h2_adds_its_combinations() -> None:
    vectors = vectorise([H0, H1, H1])
    dims = {key.split(".")[1] for key in vectors}
    assert dims == {"H0", "H1", "H2", "H0H1", "H0H2", "H1H2", "H0H1H2"}


@pytest.mark.parametrize(
    "empty", [np.empty((0, 2)), np.array([[0, np.inf]]), np.array([[0.5, 0.5]])]
)
def test_a_diagram_without_bars_gives_zeros(empty: np.ndarray) -> None:
    for vector in vectorise([empty, empty]).values():
        np.testing.assert_array_equal(vector, np.zeros_like(vector))


def test_infinite_and_zero_bars_and_the_order_of_bars_change_nothing() -> None:
    bars = random_bars(3, 30)
    more = np.concatenate([[[0, np.inf], [0.3, 0.3]], bars[::-1]])
    for one, other in zip(vectorise([bars]).values(), vectorise([more]).values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-13)


def test_many_bars_stay_finite() -> None:
    assert all(np.isfinite(v).all() for v in vectorise([random_bars(4, 5000)]).values())


def test_refuses_no_diagrams_and_other_shapes() -> None:
    with pytest.raises(GengapError, match="no persistence diagram"):
        vectorise([])
    with pytest.raises(GengapError, match=r"shape \(3, 3\)"):
        vectorise([np.zeros((3, 3))])


@pytest.mark.parametrize("end", [178.25, 2.0, 1e-3])
def test_images_and_landscapes_on_another_grid_against_persim(end: float) -> None:
    bars = end * random_bars(5, 12)
    vectors = vectorise([np.empty((0, 2)), bars], grid_end=end)
    imager = PersistenceImager(
        birth_range=(0, end),
        pers_range=(0, end),
        pixel_size=end / PIXELS,
        kernel_params={"sigma": (end / PIXELS) ** 2},
    )
    image = vectors["persistence_image.H1"].reshape(PIXELS, PIXELS)
    assert image.sum() > 0.8 * (bars[:, 1] - bars[:, 0]).sum()
    np.testing.assert_allclose(image, imager.transform(bars), atol=1e-12 * end)
    points = (np.arange(LANDSCAPE_POINTS) + 0.5) / LANDSCAPE_POINTS * end
    exact = PersLandscapeExact(dgms=[bars], hom_deg=0).critical_pairs
    landscape = vectors["persistence_landscape.H1"].reshape(LANDSCAPE_LAYERS, -1)
    for layer in range(LANDSCAPE_LAYERS):
        pairs = np.array(exact[layer]) if layer < len(exact) else np.zeros((1, 2))
        np.testing.assert_allclose(landscape[layer], np.interp(points, *pairs.T), atol=1e-12 * end)


def test_a_bar_inside_the_grid_keeps_its_mass() -> None:
    vectors = vectorise([np.array([[0, 0.5]]), np.array([[0.4, 0.9]])])
    np.testing.assert_allclose(vectors["persistence_image.H0"].sum(), 0.5, rtol=1e-12)
    np.testing.assert_allclose(vectors["persistence_image.H1"].sum(), 0.5, rtol=1e-12)


def test_bars_outside_of_the_grid_are_refused_with_its_extent() -> None:
    """A circle of radius 100: its images and landscapes on [0, 1] were zeros."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    points = 100 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    diagrams = persistence_diagrams(distances)
    death = float(diagrams[1][0, 1])
    with pytest.raises(GengapError, match=rf"\[0, 1\] .*birth is 15.69.*pass grid_end={death}"):
        vectorise(diagrams)
    vectors = vectorise(diagrams, grid_end=death)
    scaled = vectorise(persistence_diagrams(distances / death), grid_end=1)
    for name in ("persistence_image", "persistence_landscape"):
        assert vectors[f"{name}.H1"].sum() > 50
        np.testing.assert_allclose(
            vectors[f"{name}.H0H1"], death * scaled[f"{name}.H0H1"], rtol=1e-4, atol=1e-4
        )
    table = summarise([diagrams], grid_end=death)
    image = table.loc[table["measure"] == "persistence_image.H1", "value"]
    np.testing.assert_array_equal(image, vectors["persistence_image.H1"])


@pytest.mark.parametrize(
    ("bars", "grid_end", "sentence"),
    [
        ([[0, 1.001]], 1, r"\[0, 1\] .*pass grid_end=1.001 or more"),
        ([[-0.5, 0.5]], 1, "born at -0.5, but .* begin at 0: add a constant"),
        ([[0, 0.5]], 0, "grid_end is 0: give a finite number above 0"),
        ([[0, 0.5]], math.inf, "grid_end is inf"),
        ([[0, 0.5]], "1", "grid_end is '1'"),
        ([[0, math.nan]], 1, "Bar 0 of a persistence diagram is born at 0.0 and dies at nan"),
        ([[0, 0.5], [math.nan, 1]], 1, "Bar 1 .*is born at nan"),
        ([[-math.inf, 1]], 1, "is born at -inf"),
        ([[0.5, 0.25]], 1, "is born at 0.5 and dies at 0.25"),
        ([[0, 1e200], [1e100, 1e200]], 1e200, "exceeds all floating-point numbers: divide"),
    ],
)
def test_refuses_what_vectors_would_not_show(
    bars: list[list[float]], grid_end: Any, sentence: str
) -> None:
    with pytest.raises(GengapError, match=sentence):
        vectorise([np.array(bars)], grid_end=grid_end)
