"""Arrays of safetensors files that are mapped into memory, against safetensors' own reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from gengap.files import MAPPED_TYPES, mapped_arrays


def test_arrays_of_every_type_and_shape_are_those_of_safetensors(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.integers(0, 2, (3, 5)).astype(np.dtype(kind))
        for name, kind in MAPPED_TYPES.items()
    }
    arrays |= {"number": np.array(2, np.float32), "none": np.zeros((0, 4), np.float32)}
    path = tmp_path / "all.safetensors"
    save_file(arrays, path, metadata={"origin": "test"})
    mapped, metadata = mapped_arrays(path)
    assert metadata == {"origin": "test"}
    assert set(mapped) == set(arrays)
    for name, expected in load_file(path).items():
        assert (mapped[name].dtype, mapped[name].shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(mapped[name], expected)


def test_what_is_written_to_an_array_stays_out_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ones.safetensors"
    save_file({"ones": np.ones(4, np.float32)}, path)
    before = path.read_bytes()
    arrays, metadata = mapped_arrays(path)
    arrays["ones"] *= 2
    assert (arrays["ones"].sum(), metadata) == (8, {})
    assert path.read_bytes() == before


def test_an_array_outlives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "ones.safetensors"
    save_file({"ones": np.ones(4, np.float32)}, path)
    arrays, _ = mapped_arrays(path)
    path.unlink()
    assert arrays["ones"].sum() == 4


@pytest.mark.parametrize("length", [0, 4, 60, -1])
def test_a_damaged_file_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "ones.safetensors"
    save_file({"ones": np.ones(4, np.float32)}, path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(SafetensorError):
        mapped_arrays(path)


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        mapped_arrays(tmp_path / "none.safetensors")
