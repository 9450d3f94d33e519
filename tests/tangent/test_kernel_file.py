"""Kernels in files: killed in the middle, they go on, and end with the bytes of one call."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.tangent.conftest import points

from gengap.errors import GengapError
from gengap.networks import Network
from gengap.tangent import empirical_ntk, remove_kernel
from gengap.tangent.kernel_file import KernelFile
from gengap.threads import using_threads


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine tiles in three strips instead of one tile."""
    monkeypatch.setattr("gengap.tangent.kernel.LARGEST_TILE", 8)
    monkeypatch.setattr("gengap.tangent.kernel.STRIP", 3)


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_killed_computation_goes_on_to_the_same_bytes(
    small: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, symmetric: bool
) -> None:
    inputs, path = points(small, 70), tmp_path / "kernel.npy"
    other = None if symmetric else points(small, 40, seed=1)
    expected = empirical_ntk(small, inputs, other)
    finish = KernelFile.finish
    finished: list[int] = []

    def die(self: KernelFile, rows: Any, columns: Any, *, mirrored: bool) -> None:
        if finished:
            raise KeyboardInterrupt
        finish(self, rows, columns, mirrored=mirrored)
        finished.append(int(self.done.sum()))

    monkeypatch.setattr(KernelFile, "finish", die)
    with pytest.raises(KeyboardInterrupt):
        empirical_ntk(small, inputs, other, file=path)
    monkeypatch.setattr(KernelFile, "finish", finish)
    done = np.load(path.with_suffix(".blocks.npy"))
    assert 0 < done.sum() == finished[0] < done.size
    # What is not listed counts as nothing, and what is listed is not computed again.
    half = np.load(path, mmap_mode="r+")
    listed = done.repeat(8, 0).repeat(8, 1)[: half.shape[0], : half.shape[1]]
    half[~listed] = np.nan
    half[0, 0] = -1.0
    half.flush()
    again = empirical_ntk(small, inputs, other, file=path)
    assert again[0, 0] == -1.0
    again[0, 0] = expected[0, 0]
    assert np.array_equal(again, expected)
    remove_kernel(path)
    assert not list(tmp_path.iterdir())


KILLED = """
import os, signal, sys
import numpy as np
from gengap.tangent import kernel, empirical_ntk
from gengap.tangent.kernel_file import KernelFile
from gengap.networks import build
from gengap.networks import initialise
from gengap.seeding import torch_generator
kernel.LARGEST_TILE, kernel.STRIP = 8, 3
network = build({"model_config": [{"layer_name": "Flatten"}, {"layer_name": "Dense", "units": 1}],
                 "input_shape": [4, 4, 1]})
initialise(network, "lecun", torch_generator(0, "w"))
inputs = np.random.default_rng(0).standard_normal((70, 4, 4, 1)).astype(np.float32)
finish = KernelFile.finish
def killed(self, *places, **words):
    finish(self, *places, **words)
    if len(sys.argv) > 2:
        os.kill(os.getpid(), signal.SIGKILL)
KernelFile.finish = killed
from pathlib import Path
computed = empirical_ntk(network, inputs.copy(), file=Path(sys.argv[1]))
assert np.array_equal(computed, empirical_ntk(network, inputs))
"""


@pytest.mark.slow
def test_a_killed_process_loses_the_strip_at_hand_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "kernel.npy")
    killed = subprocess.run([sys.executable, "-c", KILLED, path, "kill"], check=False)
    assert killed.returncode == -9
    assert 0 < np.load(tmp_path / "kernel.blocks.npy").mean() < 1
    subprocess.run([sys.executable, "-c", KILLED, path], check=True)


@pytest.mark.parametrize("method", ["structured", "jacobian"])
def test_threads_and_files_change_no_byte(small: Network, tmp_path: Path, method: Any) -> None:
    inputs, other = points(small, 70), points(small, 40, seed=1)
    budget = 3 << 20
    alone = empirical_ntk(small, inputs, method=method, memory_budget=budget)
    cross = empirical_ntk(small, inputs, other, method=method, memory_budget=budget)
    for threads in (2, 3):
        with using_threads(threads):
            keywords: dict[str, Any] = {"method": method, "memory_budget": budget}
            file = tmp_path / f"{threads}.npy"
            assert np.array_equal(empirical_ntk(small, inputs, **keywords), alone)
            assert np.array_equal(empirical_ntk(small, inputs, file=file, **keywords), alone)
            assert np.array_equal(empirical_ntk(small, inputs, other, **keywords), cross)


def test_a_file_of_other_inputs_is_begun_anew(small: Network, tmp_path: Path) -> None:
    path = tmp_path / "kernel.npy"
    empirical_ntk(small, points(small, 20), file=path)
    inputs = points(small, 30)
    assert np.array_equal(empirical_ntk(small, inputs, file=path), empirical_ntk(small, inputs))


def test_what_is_written_into_a_kernel_does_not_reach_its_file(
    small: Network, tmp_path: Path
) -> None:
    path, inputs = tmp_path / "kernel.npy", points(small, 20)
    kernel = empirical_ntk(small, inputs, file=path)
    kernel[:] = 0.0
    assert np.load(path).any()


def test_a_file_that_cannot_be_written_is_one_sentence(small: Network, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(GengapError, match="20 x 20 inputs cannot be written"):
        empirical_ntk(small, points(small, 20), file=tmp_path / "file" / "kernel.npy")
