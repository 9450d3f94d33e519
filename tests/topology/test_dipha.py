"""DIPHA's files, byte by byte and round trip, and its scale."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.topology import dipha_bars, persistence_diagrams
from gengap.topology.dipha import (
    read_dipha_diagrams,
    read_distance_matrix,
    write_dipha_diagrams,
    write_distance_matrix,
)

MAGIC = 8067171840


def correlations(seed: int, nodes: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    values = np.maximum(rng.standard_normal((nodes, 5)) @ rng.standard_normal((5, 60)), 0)
    matrix = 1 - np.abs(np.corrcoef(values))
    symmetric: NDArray[np.float64] = np.clip((matrix + matrix.T) / 2, 0, None)
    np.fill_diagonal(symmetric, 0)
    return symmetric


def test_a_distance_matrix_has_dipha_s_bytes_and_comes_back(tmp_path: Path) -> None:
    matrix = np.array([[0.0, 0.25], [0.25, 0.0]])
    path = tmp_path / "graph.bin"
    write_distance_matrix(matrix, path)
    assert path.read_bytes() == struct.pack("<3q4d", MAGIC, 7, 2, 0, 0.25, 0.25, 0)
    larger = correlations(0, 12)
    write_distance_matrix(larger.T, path)
    np.testing.assert_array_equal(read_distance_matrix(path), larger)


def test_diagrams_have_dipha_s_bytes_and_come_back(tmp_path: Path) -> None:
    path = tmp_path / "graph.diagram"
    h0 = np.array([[0.0, 0.5], [0.0, np.inf]])
    h1 = np.array([[0.25, 0.75]])
    write_dipha_diagrams([h0, h1], path)
    points = [0, 0.0, 0.5, -1, 0.0, 0.75, 1, 0.25, 0.75]
    assert path.read_bytes() == struct.pack("<3q" + "qdd" * 3, MAGIC, 2, 3, *points)
    diagrams = persistence_diagrams(correlations(1, 25), 2)
    write_dipha_diagrams(diagrams, path)
    for one, other in zip(read_dipha_diagrams(path), diagrams, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_empty_diagram_comes_back_empty(tmp_path: Path) -> None:
    write_dipha_diagrams([np.empty((0, 2))], tmp_path / "none.diagram")
    assert read_dipha_diagrams(tmp_path / "none.diagram") == []
    bars = np.array([[0.0, 0.5]])
    write_dipha_diagrams([bars, np.empty((0, 2))], tmp_path / "h0.diagram")
    assert len(read_dipha_diagrams(tmp_path / "h0.diagram")) == 1


def test_the_published_scale_and_cuts() -> None:
    """epsilon is half the length; |r| below 0.4 and bars shorter than 0.02 do not count."""
    matrix = correlations(2, 30)
    diagrams = dipha_bars(matrix, max_dim=1)
    for dimension, bars in enumerate(persistence_diagrams(matrix, 1, threshold=0.6)):
        expected = [
            (birth / 2, death / 2)
            for birth, death in bars.astype(float)
            if np.isfinite(death) and death / 2 - birth / 2 >= 0.02
        ]
        assert len(expected) > 1
        np.testing.assert_allclose(diagrams[dimension], expected)
        assert diagrams[dimension].max() <= 0.3 + 1e-6


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "truncated"),
        (struct.pack("<3q", MAGIC, 7, 2), "truncated"),
        (struct.pack("<3q", MAGIC, 2, -1), "truncated|no distance matrix"),
        (struct.pack("<3q", 5, 7, 0), "magic number 5"),
        (struct.pack("<3q", MAGIC, 1, 0), "file type 1"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(GengapError, match=sentence):
        read_distance_matrix(path)
    path.write_bytes(content.replace(struct.pack("<q", 7), struct.pack("<q", 2)))
    with pytest.raises(GengapError, match=r"truncated|no persistence diagram"):
        read_dipha_diagrams(path)


def test_bad_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GengapError, match="Cannot read"):
        read_distance_matrix(tmp_path / "none")
    with pytest.raises(GengapError, match="shape \\(2, 3\\): pass a square"):
        write_distance_matrix(np.zeros((2, 3)), tmp_path / "file")
    with pytest.raises(GengapError, match="eps_max is -1"):
        dipha_bars(np.zeros((2, 2)), eps_max=-1)
    with pytest.raises(GengapError, match="shortest is nan"):
        dipha_bars(np.zeros((2, 2)), shortest=float("nan"))
