"""The choice of the device, and that nothing reaches a network but through it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gengap
from gengap.activations import sample
from gengap.datasets import Dataset, load
from gengap.errors import GengapError, MachineError
from gengap.measures import Subject, compute, to_frame
from gengap.networks import (
    build,
    convolutional,
    dense,
    device_of,
    resolve_device,
    set_weights,
    tensor_of,
)
from gengap.training import Recipe, train

Template = Callable[..., dict[str, Any]]

LIBRARY = Path(gengap.__file__).parent
# Torch's functions that make a tensor out of nothing: on the CPU, unless they are told where.
MAKERS = {"arange", "empty", "eye", "full", "linspace", "ones", "rand", "randn", "tensor", "zeros"}


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where torch sees two GPUs."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)


@pytest.mark.usefixtures("gpus")
@pytest.mark.parametrize(
    ("name", "expected"),
    [("auto", "cuda"), ("cpu", "cpu"), ("cuda", "cuda"), ("cuda:1", "cuda:1")],
)
def test_a_gpu_is_taken_where_there_is_one(name: str, expected: str) -> None:
    assert resolve_device(name) == torch.device(expected)
    assert torch.backends.cudnn.allow_tf32 == (expected == "cpu")


@pytest.mark.usefixtures("gpus")
def test_a_gpu_beyond_the_last_one_is_refused() -> None:
    with pytest.raises(MachineError, match="'cuda:2', but torch sees 2 GPUs"):
        resolve_device("cuda:2")


def test_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert resolve_device("auto") == torch.device("cpu")
    with pytest.raises(MachineError, match="'cuda', but torch sees 0 GPUs"):
        resolve_device("cuda")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:-1", "CPU", ""])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(GengapError, match=f"'device' is '{name}'"):
        resolve_device(name)


def test_a_tensor_is_a_contiguous_copy() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4).T
    array.setflags(write=False)
    tensor = tensor_of(array, torch.device("cpu"))
    np.testing.assert_array_equal(tensor.numpy(), array)
    assert tensor.is_contiguous()
    assert not np.shares_memory(tensor.numpy(), array)


def sources() -> list[Path]:
    rooms = ("activations", "measures", "training")
    return [path for room in rooms for path in sorted((LIBRARY / room).rglob("*.py"))]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(LIBRARY)))
def test_no_tensor_is_made_without_a_device(path: Path) -> None:
    for call in ast.walk(ast.parse(path.read_text())):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        if not isinstance(call.func.value, ast.Name) or call.func.value.id != "torch":
            continue
        assert call.func.attr not in {"from_numpy", "as_tensor"}, f"line {call.lineno}: tensor_of"
        # With a generator, the numbers are drawn on the CPU for every device, and then moved.
        told = {keyword.arg for keyword in call.keywords} & {"device", "generator"}
        assert call.func.attr not in MAKERS or told, f"line {call.lineno}: give a device"


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits", train_size=200, balanced=True)


def test_every_rule_that_is_told_a_device_brings_it_to_its_script(
    rules: list[Any], root: Path
) -> None:
    told = [rule for rule in rules if "device" in dict(rule.params.items())]
    assert {rule.name for rule in told} == {rule.name for rule in rules if "gpu" in rule.resources}
    assert len(told) >= 7
    for rule in told:
        script = root / "scripts" / Path(rule.script).name
        assert "params.device" in script.read_text(), rule.name


@pytest.mark.parametrize("template", [convolutional, dense])
class TestOnADevice:
    """The same numbers as on the CPU, to the tolerance of float32 sums in another order."""

    def test_training(self, template: Template, digits: Dataset, cpu_or_gpu: str) -> None:
        losses = []
        for name in ("cpu", cpu_or_gpu):
            spec = template(digits.input_shape, digits.classes, width=8, depth=2)
            network = build(spec).to(resolve_device(name))
            result = train(network, digits.train, Recipe(epochs=2, augmentation=("crop", "flip")))
            losses.append([row["train_loss"] for row in result.history])
            assert device_of(network).type == name
            assert all(tensor.device.type == "cpu" for tensor in result.weights.values())
        np.testing.assert_allclose(np.array(losses[0]), np.array(losses[1]), rtol=1e-3)

    def test_activations_and_measures(
        self, template: Template, digits: Dataset, cpu_or_gpu: str
    ) -> None:
        spec = template(digits.input_shape, digits.classes, width=8, depth=2)
        first, last = build(spec), build(spec)
        result = train(last, digits.train, Recipe(epochs=5, learning_rate=0.05))
        set_weights(first, result.initial, source="the start")
        found, drawn = [], []
        for name in ("cpu", cpu_or_gpu):
            device = resolve_device(name)
            networks = last.to(device), first.to(device).eval()
            chance = np.random.default_rng(0)
            drawn.append(sample(last, digits.train.inputs, neurons=50, draws=2, rng=chance))
            found.append(
                {
                    measure: value
                    for family in ("baseline", "competition")
                    for measure, value in compute(
                        family, Subject(*networks, digits.train, np.random.default_rng(0))
                    ).items()
                }
            )
        np.testing.assert_array_equal(drawn[0].neurons, drawn[1].neurons)
        np.testing.assert_allclose(drawn[0].activations, drawn[1].activations, rtol=1e-3, atol=1e-4)
        assert list(found[0]) == list(found[1])
        for measure, value in found[0].items():
            # A share of inputs may change by one of them, where two logits are all but equal.
            np.testing.assert_allclose(
                np.asarray(value, float),
                np.asarray(found[1][measure], float),
                rtol=1e-2,
                atol=0.01,
                err_msg=measure,
            )

    @pytest.mark.parametrize(
        "family",
        [pytest.param("curvature", marks=pytest.mark.slow), "tangent", "functional_graph"],
    )
    def test_counts_and_ranks_have_the_same_names(
        self, template: Template, digits: Dataset, cpu_or_gpu: str, family: str
    ) -> None:
        """Their values count eigenvalues and bars, and one may change sides."""
        spec = template(digits.input_shape, digits.classes, width=8, depth=2)
        first, last = build(spec), build(spec)
        result = train(last, digits.train, Recipe(epochs=5, learning_rate=0.05))
        set_weights(first, result.initial, source="the start")
        on_cpu, on_other = (
            to_frame(
                compute(
                    family,
                    Subject(
                        last.to(resolve_device(name)),
                        first.to(resolve_device(name)).eval(),
                        digits.train,
                        np.random.default_rng(0),
                    ),
                )
            )
            for name in ("cpu", cpu_or_gpu)
        )
        named = ["measure", "component"]
        assert on_cpu[named].equals(on_other[named])
        assert np.isfinite(on_other["value"]).all()
