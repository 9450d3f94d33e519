"""The sample's file, read without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from gengap.activations import Sample, read_sample, write_sample
from gengap.errors import GengapError


def a_sample(**changes: Any) -> Sample:
    rng = np.random.default_rng(0)
    arguments: dict[str, Any] = {
        "activations": rng.random((4, 6)).astype(np.float32),
        "neurons": np.array([1, 3, 5, 8]),
        "draws": np.array([[0, 1, 3], [1, 2, 3]]),
        "population": 9,
        "requested": 3,
        "layers": (("conv2d_0", 6), ("dense_1", 3)),
    }
    return Sample(**(arguments | changes))


def test_round_trip(tmp_path: Path) -> None:
    sample = a_sample()
    write_sample(sample, tmp_path / "folder" / "s.safetensors")
    found = read_sample(tmp_path / "folder" / "s.safetensors")
    for name in ("activations", "neurons", "draws"):
        np.testing.assert_array_equal(getattr(found, name), getattr(sample, name))
        assert getattr(found, name).dtype == getattr(sample, name).dtype
    assert found.metadata() == sample.metadata()
    assert found.layers == sample.layers


def test_same_sample_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_sample(a_sample(), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(GengapError, match="none does not exist"):
        read_sample(tmp_path / "none")


@pytest.mark.parametrize("length", [0, 4, 50, -1])
def test_refuses_a_truncated_file(tmp_path: Path, length: int) -> None:
    path = tmp_path / "s.safetensors"
    write_sample(a_sample(), path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(GengapError, match=r"s\.safetensors is not a readable sample"):
        read_sample(path)


def test_refuses_another_safetensors_file(tmp_path: Path) -> None:
    path = tmp_path / "s.safetensors"
    save_file({"activations": np.zeros((2, 2), dtype=np.float32)}, path)
    with pytest.raises(GengapError, match="not a readable sample"):
        read_sample(path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"neurons": np.arange(3)}, "do not fit together"),
        ({"draws": np.array([0, 1])}, "do not fit together"),
        ({"draws": np.array([[0, 4]])}, "outside 0 to 3"),
        ({"draws": np.array([[-1, 2]])}, "outside 0 to 3"),
        ({"population": 10}, "do not add up"),
    ],
)
def test_refuses_a_sample_that_contradicts_itself(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        a_sample(**changes)


def test_reading_a_sample_does_not_load_torch(tmp_path: Path) -> None:
    write_sample(a_sample(), tmp_path / "s")
    code = (
        "import sys; from gengap.activations import read_sample;"
        f"read_sample({str(tmp_path / 's')!r}); print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


@pytest.mark.slow
def test_the_front_door_that_needs_torch_is_there() -> None:
    code = (
        "import gengap.activations as a; from gengap.activations import sample;"
        "print(callable(a.sample), a.sample is sample, hasattr(a, 'nothing'))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True", "True", "False"]
