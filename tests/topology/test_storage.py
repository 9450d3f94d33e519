"""The file of diagrams: what goes in comes out, in the same bytes, or is refused by name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.topology import read_diagrams, write_diagrams

METADATA: dict[str, Any] = {"population": 10, "used": 5, "layers": [["dense_0", 10]]}


def random_draws() -> list[list[NDArray[np.float32]]]:
    rng = np.random.default_rng(0)
    return [
        [rng.random((rng.integers(0, 6), 2)).astype(np.float32) for _ in range(2)]
        for _ in range(11)
    ]


def test_round_trip(tmp_path: Path) -> None:
    draws = random_draws()
    draws[0][0] = np.array([[0, np.inf]], dtype=np.float32)
    path = tmp_path / "folder" / "diagrams.npz"
    write_diagrams(draws, path, METADATA)
    read_draws, metadata = read_diagrams(path)
    assert metadata == METADATA
    assert len(read_draws) == len(draws)
    for written, restored in zip(draws, read_draws, strict=True):
        for bars, read in zip(written, restored, strict=True):
            assert read.dtype == np.float32
            np.testing.assert_array_equal(bars, read)


def test_no_draws(tmp_path: Path) -> None:
    write_diagrams([], tmp_path / "d.npz", {})
    assert read_diagrams(tmp_path / "d.npz") == ([], {})


def test_same_diagrams_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_diagrams(random_draws(), tmp_path / "one.npz", METADATA)
    later = time.localtime(time.time() + 1e6)
    monkeypatch.setattr(time, "localtime", lambda *_: later)
    write_diagrams(random_draws(), tmp_path / "other.npz", dict(reversed(METADATA.items())))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()


def test_failed_writing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_diagrams(random_draws(), tmp_path / "d.npz", {"bad": object()})
    assert list(tmp_path.iterdir()) == []


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(GengapError, match=r"none\.npz does not exist: compute the diagrams again"):
        read_diagrams(tmp_path / "none.npz")


@pytest.mark.parametrize("end", [0, 100, -30])
def test_refuses_a_truncated_file(tmp_path: Path, end: int) -> None:
    path = tmp_path / "d.npz"
    write_diagrams(random_draws(), path, METADATA)
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(GengapError, match=r"d\.npz is not a valid npz file: delete it"):
        read_diagrams(path)


def test_refuses_pickles_other_arrays_and_gaps(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    bars = np.zeros((3, 2), dtype=np.float32)
    np.savez(path, metadata=np.array([{}], dtype=object))
    with pytest.raises(GengapError, match="not a valid npz file"):
        read_diagrams(path)
    with path.open("wb") as file:
        np.save(file, bars)
    with pytest.raises(GengapError, match="not a valid npz file"):
        read_diagrams(path)
    np.savez(path, draw0_H0=bars)
    with pytest.raises(GengapError, match="lacks its metadata"):
        read_diagrams(path)
    np.savez(path, metadata="{", draw0_H0=bars)
    with pytest.raises(GengapError, match="lacks its metadata"):
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
