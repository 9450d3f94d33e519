"""The file of diagrams: what goes in comes out, in the same bytes, or is refused by name."""

from __future__ import annotations

import time

import numpy as np
import pytest

from gengap.errors import GengapError
from gengap.topology import read_diagrams, write_diagrams

METADATA = {"population": 10, "used": 5, "layers": [["dense_0", 10]]}


def some_draws() -> list[list[np.ndarray]]:
    rng = np.random.default_rng(0)
    return [
        [rng.random((rng.integers(0, 6), 2)).astype(np.float32) for _ in range(2)]
        for _ in range(11)
    ]


def test_round_trip(tmp_path):
    draws = some_draws()
    draws[0][0] = np.array([[0, np.inf]], dtype=np.float32)
    path = tmp_path / "folder" / "diagrams.npz"
    write_diagrams(draws, path, METADATA)
    found, metadata = read_diagrams(path)
    assert metadata == METADATA
    assert len(found) == len(draws)
    for one, other in zip(draws, found, strict=True):
        for bars, read in zip(one, other, strict=True):
            assert read.dtype == np.float32
            np.testing.assert_array_equal(bars, read)


def test_no_draws(tmp_path):
    write_diagrams([], tmp_path / "d.npz", {})
    assert read_diagrams(tmp_path / "d.npz") == ([], {})


def test_same_diagrams_same_bytes(tmp_path, monkeypatch):
    write_diagrams(some_draws(), tmp_path / "one.npz", METADATA)
    later = time.localtime(time.time() + 1e6)
    monkeypatch.setattr(time, "localtime", lambda *_: later)
    write_diagrams(some_draws(), tmp_path / "other.npz", dict(reversed(METADATA.items())))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()


def test_failed_writing_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_diagrams(some_draws(), tmp_path / "d.npz", {"bad": object()})
    assert list(tmp_path.iterdir()) == []


def test_refuses_a_missing_file(tmp_path):
    with pytest.raises(GengapError, match=r"none\.npz does not exist"):
        read_diagrams(tmp_path / "none.npz")


@pytest.mark.parametrize("kept", [0, 100, -30])
def test_refuses_a_truncated_file(tmp_path, kept):
    path = tmp_path / "d.npz"
    write_diagrams(some_draws(), path, METADATA)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(GengapError, match=r"d\.npz is not a readable file of diagrams"):
        read_diagrams(path)


def test_refuses_pickles_other_arrays_and_gaps(tmp_path):
    path = tmp_path / "d.npz"
    bars = np.zeros((3, 2), dtype=np.float32)
    np.savez(path, metadata=np.array([{}], dtype=object))
    with pytest.raises(GengapError, match="not a readable"):
        read_diagrams(path)
    np.savez(path, draw0_H0=bars)
    with pytest.raises(GengapError, match="not a readable"):
        read_diagrams(path)
    np.savez(path, metadata="{}", something=bars)
    with pytest.raises(GengapError, match="'something'"):
        read_diagrams(path)
    np.savez(path, metadata="{}", draw0_H0=bars[0])
    with pytest.raises(GengapError, match="'draw0_H0'"):
        read_diagrams(path)
    np.savez(path, metadata="{}", draw0_H0=bars, draw0_H1=bars, draw1_H0=bars)
    with pytest.raises(GengapError, match="lacks some draws"):
        read_diagrams(path)
