"""The file of diagrams: what goes in comes out, in the same bytes, or is refused by name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.topology import find_diagrams, read_diagrams, write_diagrams

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
    write_diagrams({"3": (draws, METADATA), "13": ([], {})}, path)
    read_draws, metadata = read_diagrams(path, "3")
    assert metadata == METADATA
    assert len(read_draws) == len(draws)
    for written, restored in zip(draws, read_draws, strict=True):
        for bars, read in zip(written, restored, strict=True):
            assert read.dtype == np.float32
            np.testing.assert_array_equal(bars, read)


def test_no_draws(tmp_path: Path) -> None:
    write_diagrams({"0": ([], {})}, tmp_path / "d.npz")
    assert read_diagrams(tmp_path / "d.npz", "0") == ([], {})


def test_networks_are_found_in_the_files_of_their_shards(tmp_path: Path) -> None:
    write_diagrams({"0": (random_draws(), METADATA), "1": ([], {})}, tmp_path / "0.npz")
    write_diagrams({"2": ([], {})}, tmp_path / "1.npz")
    write_diagrams({}, tmp_path / "2.npz")
    files = find_diagrams(sorted(tmp_path.glob("*.npz")))
    assert files == {
        name: tmp_path / f"{shard}.npz" for name, shard in (("0", 0), ("1", 0), ("2", 1))
    }
    with pytest.raises(GengapError, match=r"1\.npz holds no diagrams of network 1: see .*failed"):
        read_diagrams(tmp_path / "1.npz", "1")
    (tmp_path / "1.npz").write_text("no archive")
    with pytest.raises(GengapError, match=r"1\.npz is damaged"):
        find_diagrams(sorted(tmp_path.glob("*.npz")))


def test_same_diagrams_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_diagrams({"0": (random_draws(), METADATA)}, tmp_path / "one.npz")
    later = time.localtime(time.time() + 1e6)
    monkeypatch.setattr(time, "localtime", lambda *_: later)
    reversed_metadata = dict(reversed(METADATA.items()))
    write_diagrams({"0": (random_draws(), reversed_metadata)}, tmp_path / "other.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()


def test_failed_writing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_diagrams({"0": (random_draws(), {"bad": object()})}, tmp_path / "d.npz")
    assert list(tmp_path.iterdir()) == []


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(GengapError, match=r"none\.npz does not exist: compute the diagrams again"):
        read_diagrams(tmp_path / "none.npz", "0")


@pytest.mark.parametrize("end", [0, 100, -30])
def test_refuses_a_truncated_file(tmp_path: Path, end: int) -> None:
    path = tmp_path / "d.npz"
    write_diagrams({"0": (random_draws(), METADATA)}, path)
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(GengapError, match=r"d\.npz is not a valid npz file: delete it"):
        read_diagrams(path, "0")


def test_refuses_pickles_other_arrays_and_gaps(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"

    def save(**arrays: Any) -> None:
        np.savez(path, allow_pickle=True, **{f"0/{name}": array for name, array in arrays.items()})

    bars, metadata = np.zeros((3, 2), dtype=np.float32), np.array("{}")
    save(metadata=np.array([{}], dtype=object))
    with pytest.raises(GengapError, match="not a valid npz file"):
        read_diagrams(path, "0")
    with path.open("wb") as file:
        np.save(file, bars)
    with pytest.raises(GengapError, match="not a valid npz file"):
        read_diagrams(path, "0")
    save(draw0_H0=bars)
    with pytest.raises(GengapError, match="holds no metadata"):
        read_diagrams(path, "0")
    save(metadata="{", draw0_H0=bars)
    with pytest.raises(GengapError, match="holds no metadata"):
        read_diagrams(path, "0")
    save(metadata=metadata, something=bars)
    with pytest.raises(GengapError, match="'something'"):
        read_diagrams(path, "0")
    save(metadata=metadata, draw0_H0=bars[0])
    with pytest.raises(GengapError, match="'draw0_H0'"):
        read_diagrams(path, "0")
    save(metadata=metadata, draw0_H0=bars, draw0_H1=bars, draw1_H0=bars)
    with pytest.raises(GengapError, match="lacks some draws"):
        read_diagrams(path, "0")
