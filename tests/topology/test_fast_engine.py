"""The fast engine against Ripser, GUDHI's Ripser, closed forms and its own symmetries."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from gudhi.sklearn import RipsPersistence
from ripser import ripser
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from gengap.errors import GengapError
from gengap.topology.engines import cohomology_kernels, fast
from gengap.topology.engines.fast import vietoris_rips

Matrix = npt.NDArray[np.float32]
Generator = np.random.Generator

# Matrices of each of the seven kinds up to H1; raise it for a longer fuzz.
FUZZ = int(os.environ.get("GENGAP_FUZZ", "300"))
LARGEST = 60
# Of the matrices of each kind, a quarter are tried wherever the tests run.
QUICK, MORE = range(FUZZ // 4), range(FUZZ // 4, FUZZ)


def tidy(bars: npt.ArrayLike) -> Matrix:
    proper = np.asarray(bars, np.float32).reshape(-1, 2)
    proper = proper[proper[:, 0] < proper[:, 1]]
    return proper[np.lexsort((proper[:, 1], proper[:, 0]))]


def by_ripser(matrix: Matrix, threshold: float | None, max_dim: int = 1) -> list[Matrix]:
    limit = np.inf if threshold is None else threshold
    diagrams = ripser(matrix, maxdim=max_dim, thresh=limit, distance_matrix=True)["dgms"]
    return [tidy(bars) for bars in diagrams]


def by_gudhi(matrix: Matrix, threshold: float | None, max_dim: int = 1) -> list[Matrix]:
    persistence = RipsPersistence(
        homology_dimensions=list(range(max_dim + 1)),
        threshold=np.inf if threshold is None else threshold,
        input_type="full distance matrix",
        num_collapses=0,
        homology_coeff_field=2,
    )
    return [tidy(d) for d in persistence.fit_transform([matrix])[0]]


def assert_as_oracles(matrix: Matrix, threshold: float | None, what: str, max_dim: int = 1) -> None:
    ours = vietoris_rips(matrix, threshold, max_dim)
    for oracle in (by_ripser, by_gudhi):
        for dimension, (mine, theirs) in enumerate(
            zip(ours, oracle(matrix, threshold, max_dim), strict=True)
        ):
            assert mine.dtype == np.float32
            assert mine.tobytes() == theirs.tobytes(), (what, oracle.__name__, dimension)


def symmetric(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    matrix = np.maximum(matrix, matrix.T)
    np.fill_diagonal(matrix, 0)
    return matrix


def distances(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return symmetric(np.linalg.norm(points[:, None] - points[None], axis=2))


# ---- kinds of matrices -------------------------------------------------------------------------


def uniform(n: int, rng: Generator) -> npt.NDArray[np.float64]:
    return symmetric(rng.random((n, n)))


def cloud(n: int, rng: Generator) -> npt.NDArray[np.float64]:
    return distances(rng.standard_normal((n, int(rng.integers(1, 4)))))


def noisy_circle(n: int, rng: Generator) -> npt.NDArray[np.float64]:
    angle = 2 * np.pi * rng.random(n)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return distances(circle + 0.1 * rng.standard_normal((n, 2)))


def lattice(n: int, rng: Generator) -> npt.NDArray[np.float64]:
    """Many ties and duplicates."""
    points = rng.integers(0, 4, (n, 2))
    return symmetric(np.abs(points[:, None] - points[None]).sum(axis=2).astype(float))


def two_camps(n: int, rng: Generator) -> npt.NDArray[np.float64]:
    """Near to all of the other camp, far from one's own: lunes fall apart, loops abound."""
    camp = rng.integers(0, 2, n)
    return symmetric((camp[:, None] == camp[None]) + 1 + rng.random((n, n)))


def correlations(n: int, rng: Generator) -> npt.NDArray[np.float64]:
    rows = np.maximum(rng.standard_normal((n, int(rng.integers(3, 30)))), 0)
    rows -= rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(norms > 0, norms, 1)
    return symmetric(np.maximum(1 - np.abs(rows @ rows.T), 0))


def missing_edges(n: int, rng: Generator) -> npt.NDArray[np.float64]:
    matrix = rng.random((n, n))
    matrix[rng.random((n, n)) < rng.random()] = np.inf
    return symmetric(matrix)


KINDS: list[Callable[[int, Generator], npt.NDArray[np.float64]]] = [
    uniform,
    cloud,
    noisy_circle,
    lattice,
    two_camps,
    correlations,
    missing_edges,
]


def spoilt(matrix: npt.NDArray[np.float64], rng: Generator) -> Matrix:
    """Quantise, duplicate points, and put points at the maximal distance from all, at random."""
    n = len(matrix)
    if rng.random() < 0.4:
        step = 10.0 ** -rng.integers(0, 3)
        matrix = np.round(matrix / step) * step
    if n > 1 and rng.random() < 0.3:
        chosen = rng.integers(0, n, n)
        matrix = matrix[chosen][:, chosen]
    if n > 1 and rng.random() < 0.3:
        dead = rng.random(n) < 0.3
        matrix[dead] = matrix.max()
        matrix = symmetric(matrix)
    return matrix.astype(np.float32)


def random_threshold(matrix: Matrix, rng: Generator) -> float | None:
    finite = matrix[np.isfinite(matrix)]
    if len(matrix) < 2 or rng.random() < 0.5:
        return None
    exactly_an_edge = rng.random() < 0.5
    return float(rng.choice(finite) if exactly_an_edge else np.float32(rng.random() * finite.max()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "seeds", [QUICK, pytest.param(MORE, marks=pytest.mark.slow)], ids=["quick", "more"]
)
def test_agrees_bitwise_with_both_oracles_on_small_matrices(
    seeds: range,
    kind: Callable[[int, Generator], npt.NDArray[np.float64]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_one = (fast.SMALLEST_WINDOW, fast.BUCKET_SHIFT)
    most = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        # Up to LARGEST points, mostly fewer: the oracles' time grows with the cube.
        matrix = spoilt(kind(int(np.ceil(LARGEST * rng.random() ** 1.5)), rng), rng)
        threshold = random_threshold(matrix, rng)
        # So few edges fit into one window: every other matrix is cut into many, as large ones are.
        smallest, shift = (1, int(rng.choice([7, 14, 20]))) if seed % 2 else in_one
        monkeypatch.setattr(fast, "SMALLEST_WINDOW", smallest)
        monkeypatch.setattr(fast, "BUCKET_SHIFT", shift)
        assert_as_oracles(matrix, threshold, f"seed {seed}")
        keys = np.ascontiguousarray(matrix).view(np.uint32)
        most = max(most, len(list(fast._windows(keys, fast.INFINITE_KEY))))
    assert most >= 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("max_dim", "largest", "share"), [(2, 26, 6), (3, 14, 15)])
def test_agrees_bitwise_with_both_oracles_above_h1(
    kind: Callable[[int, Generator], npt.NDArray[np.float64]],
    max_dim: int,
    largest: int,
    share: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On 350 matrices up to H2 and 140 up to H3; GENGAP_FUZZ=1800 makes 2100 of the former.

    Every other matrix is held as lists of edges, the others as tables, whatever their density.
    """
    monkeypatch.setattr(fast, "SMALLEST_WINDOW", 1)
    for seed in range(FUZZ // share):
        monkeypatch.setattr(cohomology_kernels, "SPARSE", float(seed % 2))
        rng = np.random.default_rng(seed)
        matrix = spoilt(kind(int(np.ceil(largest * rng.random() ** 0.8)), rng), rng)
        assert_as_oracles(matrix, random_threshold(matrix, rng), f"seed {seed}", max_dim)


def hidden_activations(
    network: MLPClassifier, inputs: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    layers = []
    for weights, bias in zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True):
        inputs = np.maximum(inputs @ weights + bias, 0)
        layers.append(inputs)
    return np.concatenate(layers, axis=1).T


@pytest.mark.parametrize(
    ("case", "width"),
    [
        ("true labels", 200),
        pytest.param("random labels", 200, marks=pytest.mark.slow),
        ("dead neurons", 200),
        pytest.param("true labels", 600, marks=pytest.mark.slow),
    ],
)
def test_agrees_bitwise_with_both_oracles_on_trained_networks(case: str, width: int) -> None:
    inputs, labels = load_digits(return_X_y=True)
    inputs = inputs / 16
    if case == "random labels":
        labels = np.random.default_rng(0).permutation(labels)
    network = MLPClassifier((width, width), max_iter=15, random_state=0)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        network.fit(inputs, labels)
    if case == "dead neurons":
        network.intercepts_[0][::3] -= 100
    rows = hidden_activations(network, inputs)
    rows = rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(norms > 0, norms, 1)
    matrix = symmetric(np.maximum(1 - np.abs(rows @ rows.T), 0)).astype(np.float32)
    if case == "dead neurons":
        assert np.sum(np.sum(matrix == 1, axis=1) == len(matrix) - 1) >= 66
    h1 = vietoris_rips(matrix)[1]
    assert len(h1) > 50
    assert_as_oracles(matrix, None, case)
    assert_as_oracles(matrix, float(np.median(h1)), case)
    if width == 200:
        some = np.ascontiguousarray(matrix[:160, :160])
        assert_as_oracles(some, None, case, max_dim=2)
        assert_as_oracles(matrix, 0.5, case, max_dim=2)
    if width == 600:
        windows = list(fast._windows(matrix.view(np.uint32), fast.INFINITE_KEY))
        assert len(windows) >= fast.WINDOWS - 1


# ---- closed forms ------------------------------------------------------------------------------


def test_no_point_has_no_bar() -> None:
    h0, h1 = vietoris_rips(np.zeros((0, 0)))
    assert h0.shape == h1.shape == (0, 2)
    assert h0.dtype == h1.dtype == np.float32
    assert [bars.shape for bars in vietoris_rips(np.zeros((0, 0)), max_dim=3)] == [(0, 2)] * 4


def test_one_point_never_dies() -> None:
    h0, h1 = vietoris_rips([[0.0]])
    assert h0.tolist() == [[0, np.inf]]
    assert h1.shape == (0, 2)


@pytest.mark.parametrize(("threshold", "death"), [(None, 3), (3, 3), (5, 3), (2, np.inf)])
def test_two_points_merge_at_their_distance(threshold: float | None, death: float) -> None:
    h0, h1 = vietoris_rips([[0, 3], [3, 0]], threshold)
    assert h0.tolist() == [[0, death], [0, np.inf]]
    assert h1.shape == (0, 2)


def test_a_square_has_one_loop_from_side_to_diagonal() -> None:
    corners = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], float)
    h0, h1 = vietoris_rips(distances(corners))
    assert h0.tolist() == [[0, 1], [0, 1], [0, 1], [0, np.inf]]
    assert h1.tolist() == [[1, float(np.float32(np.sqrt(2)))]]


@pytest.mark.parametrize("n", [4, 5, 6, 9, 20, 64, 65, 130])
def test_a_closed_chain_has_one_loop_until_a_third_of_its_length(n: int) -> None:
    """Adamaszek and Adams, "The Vietoris-Rips complexes of a circle" (2017)."""
    steps = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    h0, h1 = vietoris_rips(np.minimum(steps, n - steps))
    assert h0.tolist() == [[0, 1]] * (n - 1) + [[0, np.inf]]
    assert h1.tolist() == [[1, np.ceil(n / 3)]]


@pytest.mark.parametrize("n", [3, 40])
def test_equally_distant_points_have_no_loop(n: int) -> None:
    h0, h1 = vietoris_rips(1 - np.eye(n))
    assert h0.tolist() == [[0, 1]] * (n - 1) + [[0, np.inf]]
    assert h1.shape == (0, 2)


@pytest.mark.parametrize(("left", "right"), [(2, 2), (5, 7), (30, 40)])
def test_a_complete_bipartite_graph_has_all_its_loops(left: int, right: int) -> None:
    camp = np.arange(left + right) < left
    matrix = np.where(camp[:, None] == camp[None], 2.0, 1.0) - 2 * np.eye(left + right)
    h1 = vietoris_rips(matrix)[1]
    assert h1.tolist() == [[1, 2]] * ((left - 1) * (right - 1))


@pytest.mark.parametrize("parts", [(2, 2, 2), (3, 4, 5), (40, 2, 3), (2, 2, 2, 2), (3, 2, 4, 3)])
def test_a_complete_multipartite_graph_has_a_sphere_for_each_choice(parts: tuple[int, ...]) -> None:
    """Its cliques are the join of discrete sets, a wedge of spheres; no other homology lives."""
    part = np.repeat(np.arange(len(parts)), parts)
    matrix = np.where(part[:, None] == part[None], 2.0, 1.0) - 2 * np.eye(len(part))
    top = len(parts) - 1
    diagrams = vietoris_rips(matrix, max_dim=top)
    assert diagrams[top].tolist() == [[1, 2]] * int(np.prod(np.array(parts) - 1))
    for between in diagrams[1:top]:
        assert len(between) == 0
    assert vietoris_rips(matrix, 1.0, top)[top][:, 1].tolist() == [np.inf] * len(diagrams[top])


def test_the_projective_plane_has_a_loop_and_a_void_over_two_elements() -> None:
    """The loop is twice itself a boundary, and the plane has no side: they live over F2 only."""
    corners = (123, 134, 145, 156, 126, 235, 346, 245, 356, 246)
    triangles = [frozenset(map(int, str(three))) for three in corners]
    edges = {frozenset(e) for t in triangles for e in itertools.combinations(t, 2)}
    vertices = [frozenset([v]) for v in range(1, 7)]
    assert all(sum(e < t for t in triangles) == 2 for e in edges)
    faces = [*vertices, *sorted(edges, key=sorted), *triangles]
    matrix = [[0 if a == b else 1 if a < b or b < a else 2 for b in faces] for a in faces]
    _, loops, voids = vietoris_rips(matrix, max_dim=2)
    assert loops.tolist() == voids.tolist() == [[1, 2]]


def test_points_at_distance_zero_count_once() -> None:
    rng = np.random.default_rng(0)
    matrix = noisy_circle(30, rng)
    copies = np.repeat(np.arange(30), rng.integers(1, 5, 30))
    once = vietoris_rips(matrix, max_dim=3)
    often = vietoris_rips(matrix[copies][:, copies], max_dim=3)
    for one, many in zip(once, often, strict=True):
        np.testing.assert_array_equal(one, many)


# ---- symmetries --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "max_dim"), [(150, 1), (60, 2), (30, 3)])
def test_the_order_of_points_and_the_unit_do_not_matter(
    kind: Callable[[int, Generator], npt.NDArray[np.float64]], n: int, max_dim: int
) -> None:
    rng = np.random.default_rng(1)
    matrix = kind(n, rng).astype(np.float32)
    order = rng.permutation(n)
    for bars, same, scaled in zip(
        vietoris_rips(matrix, max_dim=max_dim),
        vietoris_rips(matrix[order][:, order], max_dim=max_dim),
        vietoris_rips(2**-9 * matrix, max_dim=max_dim),
        strict=True,
    ):
        assert bars.tobytes() == same.tobytes()
        assert (2**-9 * bars).tobytes() == scaled.tobytes()


def test_a_threshold_cuts_the_diagram() -> None:
    matrix = noisy_circle(120, np.random.default_rng(2)).astype(np.float32)
    whole = vietoris_rips(matrix)
    for threshold in np.quantile(whole[1], [0.05, 0.3, 0.7]):
        for bars, cut in zip(whole, vietoris_rips(matrix, threshold), strict=True):
            expected = bars[bars[:, 0] <= np.float32(threshold)]
            expected[expected[:, 1] > np.float32(threshold), 1] = np.inf
            assert cut.tobytes() == tidy(expected).tobytes()


def test_just_below_the_enclosing_radius_no_cone_is_complete() -> None:
    matrix = noisy_circle(60, np.random.default_rng(5)).astype(np.float32)
    radius = matrix.max(axis=1).min()
    for threshold in (np.nextafter(radius, np.float32(0)), radius):
        assert_as_oracles(matrix, float(threshold), str(threshold))
    # Two far points: no edge lies between the threshold and the radius, yet they do not merge.
    h0, _ = vietoris_rips([[0, 3], [3, 0]], float(np.nextafter(np.float32(3), np.float32(0))))
    assert h0.tolist() == [[0, np.inf], [0, np.inf]]


def test_only_the_float32_values_count() -> None:
    matrix = cloud(50, np.random.default_rng(3))
    expected = vietoris_rips(matrix.astype(np.float32))
    untouched = matrix.copy()
    # Too small for float32: no negative value is left, nor any asymmetry.
    blurred = matrix - 1e-60 * np.eye(50)
    blurred[3, 4] *= 1 + 1e-12
    for variant in (matrix, np.asfortranarray(matrix), np.repeat(matrix, 2, axis=1)[:, ::2]):
        for mine, theirs in zip(vietoris_rips(variant), expected, strict=True):
            assert mine.tobytes() == theirs.tobytes()
    for mine, theirs in zip(vietoris_rips(blurred), expected, strict=True):
        assert mine.tobytes() == theirs.tobytes()
    np.testing.assert_array_equal(matrix, untouched)


def test_threads_do_not_disturb_each_other() -> None:
    matrices = [uniform(60, np.random.default_rng(seed)).astype(np.float32) for seed in range(8)]
    diagrams = partial(vietoris_rips, max_dim=2)
    alone = [diagrams(matrix) for matrix in matrices]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(diagrams, matrices))
    for one, other in zip(alone, together, strict=True):
        assert [d.tobytes() for d in one] == [d.tobytes() for d in other]


# ---- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        ((3, 70), np.nan, "points 3 and 70 is nan: remove"),
        ((70, 3), -np.nan, "points 70 and 3 is nan: remove"),
        ((70, 3), -1, r"points 70 and 3 is -1.0: pass non-negative"),
        ((3, 70), -np.inf, "points 3 and 70 is -inf: pass non-negative"),
        ((5, 5), 1, "points 5 and 5 is 1.0: set the diagonal"),
        ((3, 70), 5, "points 3 and 70 is 5.0 but that of points 70 and 3 is 1.0: symmetrise"),
        ((70, 3), np.inf, "is 1.0 but that of points 70 and 3 is inf: symmetrise"),
    ],
)
def test_refuses_bad_entries(place: tuple[int, int], value: float, sentence: str) -> None:
    matrix = 1 - np.eye(100)
    matrix[place] = value
    with pytest.raises(GengapError, match=sentence):
        vietoris_rips(matrix)


@pytest.mark.parametrize("shape", [(0,), (3,), (2, 3), (2, 2, 2)])
def test_refuses_what_is_not_a_square_matrix(shape: tuple[int, ...]) -> None:
    with pytest.raises(GengapError, match="square"):
        vietoris_rips(np.zeros(shape))


def test_refuses_complex_values_and_a_threshold_that_is_nan() -> None:
    with pytest.raises(GengapError, match="real numbers"):
        vietoris_rips(np.zeros((2, 2), complex))
    with pytest.raises(GengapError, match="threshold is NaN"):
        vietoris_rips(np.zeros((2, 2)), np.nan)


def test_refuses_more_points_than_it_can_number() -> None:
    with pytest.raises(GengapError, match="H3 of at most 4096 points, not 4097: lower max_dim"):
        vietoris_rips(np.zeros((4097, 4097), np.float32), max_dim=3)


# ---- compilation -------------------------------------------------------------------------------


def run(program: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_importing_the_engine_loads_neither_numba_nor_torch() -> None:
    loaded = run(
        "import sys, gengap.topology.engines.fast; print({'numba', 'torch'} & set(sys.modules))"
    )
    assert loaded.strip() == "set()"


@pytest.mark.slow
def test_warm_leaves_nothing_to_compile() -> None:
    program = """
import numpy as np
from gengap.topology.engines import cohomology_kernels, fast, fast_kernels
fast.warm()
modules = (fast_kernels, cohomology_kernels)
kernels = [f for module in modules for f in vars(module).values() if hasattr(f, "stats")]
def ready():
    return sum(len(f.signatures) for f in kernels)
before = ready()
camp = np.arange(200) % 2
fast.vietoris_rips(np.where(camp[:, None] == camp, 2.0, 1.0) - 2 * np.eye(200), 1.5)
noise = np.random.default_rng(0).random((30, 30))
for threshold in (None, 0.8, 0.2):
    fast.vietoris_rips(np.maximum(noise, noise.T) * (1 - np.eye(30)), threshold, 3)
print(before > 0, ready() - before)
"""
    assert run(program).split() == ["True", "0"]


@pytest.mark.slow
def test_kernels_stay_within_their_arrays(tmp_path: Path, root: Path) -> None:
    """Compiled with Numba's checks of bounds; graphs are held as tables and as lists in turn."""
    program = """
import numpy as np
from gengap.topology.engines import cohomology_kernels, fast
from tests.topology.test_fast_engine import KINDS, random_threshold, spoilt
fast.SMALLEST_WINDOW = 1
for kind in KINDS:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        cohomology_kernels.SPARSE = float(seed % 2)
        matrix = spoilt(kind(int(20 + 50 * (seed % 3 == 0)), rng), rng)
        for max_dim in (1, 2, 3)[: 3 if len(matrix) < 30 else 2]:
            fast.vietoris_rips(matrix, random_threshold(matrix, rng), max_dim)
print("sound")
"""
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    checked = run(program, PYTHONPATH=path, NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=str(tmp_path))
    assert checked.strip() == "sound"


SMALL_KERNEL = """
import numpy as np
from gengap.topology.engines import fast_kernels as kernels
assert kernels.root(np.array([0, 0, 1], np.uint64), np.uint64(2)) == 0
print(kernels.__file__, kernels.root.stats.cache_path)
"""


@pytest.mark.slow
def test_compiled_code_is_kept_where_numba_is_told(tmp_path: Path) -> None:
    run(SMALL_KERNEL, NUMBA_CACHE_DIR=str(tmp_path))
    assert list(tmp_path.rglob("fast_kernels.root-*.nbi"))


@pytest.mark.slow
def test_works_where_nothing_can_be_written(tmp_path: Path, root: Path) -> None:
    """A file where a folder is needed stops even the superuser."""
    package = tmp_path / "gengap"
    shutil.copytree(root / "src" / "gengap", package, ignore=shutil.ignore_patterns("__pycache__"))
    blocker = package / "topology" / "engines" / "__pycache__"
    blocker.touch()
    nowhere = str(blocker / "below")
    printed = run(
        SMALL_KERNEL,
        PYTHONPATH=str(tmp_path),
        NUMBA_CACHE_DIR=nowhere,
        HOME=nowhere,
        XDG_CACHE_HOME=nowhere,
    )
    assert printed.split() == [str(package / "topology" / "engines" / "fast_kernels.py"), "None"]


@pytest.mark.slow
def test_a_cache_without_room_is_said_in_one_sentence(tmp_path: Path) -> None:
    program = """
import resource
from gengap.errors import MachineError
from gengap.topology.engines.fast import warm
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    warm()
except MachineError as error:
    print(error)
"""
    said = run(program, NUMBA_CACHE_DIR=str(tmp_path))
    assert said.startswith("Numba cannot keep the compiled persistence engine (File too large)")
    assert "NUMBA_CACHE_DIR" in said
