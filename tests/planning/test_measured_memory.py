"""The memory that jobs ask for, against what their stages take, at three sizes of network and data.

Run as a script, this module measures the stages of one size in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gengap.planning import resources

CLASSES = 2
SIZES = {
    "small": ((8, 8, 1), 1000, 16),
    "middle": ((32, 32, 3), 1000, 64),
    "wide": ((32, 32, 3), 1500, 256),
}
"""Shape of an image, number of images, channels of the convolution."""

INPUTS, NEURONS, DRAWS = 400, 1000, 10
MEASURES = ("interpex", "manifold_mixup_error", "negative_augmented_margin", "label_variation")
PEAK = Path("/proc/self/status")


def peak_of(stage: Callable[[], object]) -> float:
    """Return the largest resident memory of this process during a stage, in megabytes."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    stage()
    (line,) = (line for line in PEAK.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def stages(folder: Path, size: str) -> dict[str, Callable[[], object]]:
    """Return the stages of one size as functions, by name."""
    from gengap.activations import sample, write_sample
    from gengap.datasets import Split, read_split, write_split
    from gengap.measures import Subject, compute
    from gengap.measures.registry import members
    from gengap.networks import build, write_weights
    from gengap.training import loss_and_accuracy

    shape, count, width = SIZES[size]
    layers: list[dict[str, Any]] = [
        {"layer_name": "Conv2D", "filters": width, "kernel_size": 3, "padding": "same"},
        {"layer_name": "ReLU"},
        {"layer_name": "MaxPooling2D", "pool_size": 8},
        {"layer_name": "Flatten"},
        {"layer_name": "Dense", "units": 8, "activation": "relu"},
        {"layer_name": "Dense", "units": CLASSES},
    ]
    network = build({"model_config": layers, "input_shape": list(shape)})
    write_weights(network, folder / "weights.safetensors")
    inputs = np.random.default_rng(0).random((count, *shape), dtype=np.float32)
    path = folder / "train.safetensors"
    write_split(Split(inputs, np.arange(count) % CLASSES, CLASSES), path)
    del inputs

    def subject() -> Subject:
        return Subject(network, network, read_split(path), np.random.default_rng(0))

    def competition() -> None:
        for name in MEASURES:
            members("competition")[name](subject())

    def activations() -> None:
        inputs = read_split(path).inputs[:INPUTS]
        rng = np.random.default_rng(0)
        drawn = sample(network, inputs, neurons=NEURONS, draws=DRAWS, rng=rng)
        write_sample(drawn, folder / "sample.safetensors")

    return {
        "import": lambda: loss_and_accuracy(network, read_split(path)),
        "activations": activations,
        "baseline": lambda: compute("baseline", subject()),
        "competition": competition,
    }


@pytest.mark.slow
@pytest.mark.skipif(not PEAK.exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize("size", SIZES)
def test_stages_take_no_more_than_they_ask_for(size: str, tmp_path: Path) -> None:
    command = [sys.executable, __file__, str(tmp_path), size]
    peaks = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    files = resources.Files(
        tmp_path / "train.safetensors",
        tmp_path / "test.safetensors",
        (),
        (tmp_path / "weights.safetensors",),
        1,
    )
    settings = {"activations": {"inputs": INPUTS, "neurons": NEURONS, "draws": DRAWS}}
    requests = {
        "import": resources.memory_of_import(files, "cpu"),
        "activations": resources.memory_of_activations(settings, files, "cpu"),
        "baseline": resources.memory_of_measures(["baseline"], files, "cpu"),
        "competition": resources.memory_of_measures(["competition"], files, "cpu"),
    }
    for stage, peak in peaks.items():
        assert peak <= requests[stage], stage
        assert peak - files.data <= resources.WORKING, stage


if __name__ == "__main__":
    of_size = stages(Path(sys.argv[1]), sys.argv[2])
    print(json.dumps({name: peak_of(stage) for name, stage in of_size.items()}))
