"""Families on modules and data of every kind: a value, or a sentence, and never a traceback."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures import MeasureResults, Subject, attempt, compute
from gengap.measures.registry import members
from gengap.networks import Network, adopt, build, class_logits, convolutional, dense

NUMERIC = (
    "baseline", "competition", "curvature", "tangent", "margins", "sharpness", "response",
    "gradients",
)  # fmt: skip
LONG = ("competition", "sharpness")
"""Families that take half of the time."""


def computed(
    family: str, network: nn.Module, train: Split, initial: nn.Module | None = None
) -> MeasureResults:
    return compute(family, Subject(network, initial or network, train, np.random.default_rng(0)))


# ---- modules from elsewhere ----------------------------------------------------------------------


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.reshape(-1, 3, 8)
        normed = self.norm(values)
        attended = self.attention(normed, normed, normed, need_weights=False)[0]
        outputs: Tensor = self.head((values + attended).mean(1))
        return outputs


class Grouped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv1d(3, 4, 3, padding=1), nn.GroupNorm(2, 4)
        self.head = nn.Linear(32, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        values = nn.functional.gelu(self.norm(self.conv(inputs.reshape(-1, 3, 8))))
        outputs: Tensor = self.head(values.flatten(1))
        return outputs


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(8, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.lstm(inputs.reshape(-1, 3, 8))[0][:, -1])
        return outputs


class Twofold(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(24, 3)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        values = self.dense(inputs)
        return values, values


class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense, self.spare = nn.Linear(24, 3), nn.Linear(2, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.dense(inputs)
        return outputs


FOREIGN: dict[str, Callable[[], nn.Module]] = {
    "attention": Attending,
    "group normalisation": Grouped,
    "recurrent": Recurrent,
    "tuple": Twofold,
    "unused part": Unused,
    "in place": lambda: nn.Sequential(nn.Linear(24, 6), nn.ReLU(inplace=True), nn.Linear(6, 3)),
    "float64": lambda: nn.Sequential(nn.Linear(24, 6), nn.Tanh(), nn.Linear(6, 3)).double(),
    "too few outputs": lambda: nn.Linear(24, 2),
}


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(family, marks=pytest.mark.slow) if family in LONG else family
        for family in (*NUMERIC, "information")
    ],
)
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_module_is_measured_or_refused_in_a_sentence(kind: str, family: str) -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    train = Split(rng.standard_normal((12, 24)).astype(np.float32), np.arange(12) % 3, 3)
    module = FOREIGN[kind]()
    plain, adopted = (
        compute_or_reasons(family, network, train)
        for network in (module, adopt(module, train.inputs))
    )
    if kind == "too few outputs":
        assert not any(isinstance(value, float) for name, value in plain.items() if name in CLASSES)
        return
    for name, value in adopted.items():
        if name.endswith("_hidden") and isinstance(value, str):
            assert "no hidden layer" in value
            continue
        if name in OF_TASKS:
            assert isinstance(value, str)
            continue
        assert isinstance(value, float | dict), (name, value)
        numbers = value.values() if isinstance(value, dict) else [value]
        assert all(map(math.isfinite, numbers))
    for name, value in plain.items():
        if isinstance(value, str):
            assert value.endswith(".")
            assert "adopt" in value or name in OF_TASKS
        elif name != "manifold_mixup_error":  # it mixes where adoption found the first activation
            assert value == pytest.approx(adopted[name], rel=1e-6), name


OF_TASKS = {"disagreement_of_replicates"}
"""Measures that need what a network alone does not have."""

CLASSES = {
    "negative_normalised_margin", "training_accuracy", "negative_training_loss", "interpex",
    "lambda_max", "loss_sharpness", "kernel_drift", "sharpness", "brain", "log_gradient_noise",
    "takeuchi_last_layer", "takeuchi_trace_ratio", "takeuchi_full",
}  # fmt: skip


def compute_or_reasons(family: str, network: nn.Module, train: Split) -> dict[str, object]:
    """Compute each measure of a family: its value, or the reason why it has none."""
    try:
        results = computed(family, network, train)
    except GengapError as error:
        return dict.fromkeys(members(family), str(error))
    return {**results, **results.left_out}


# ---- one output ----------------------------------------------------------------------------------


class TwoLogits(Network):
    """A network with one output z, written with the logits (0, z)."""

    def __init__(self, network: Network) -> None:
        super().__init__(network.input_shape)
        self.inner = network
        self.outputs = 2
        self.observed = {f"inner.{a}": f"inner.{b}" for a, b in network.observed.items()}

    def logits(self, inputs: Tensor) -> Tensor:
        return class_logits(self.inner.logits(inputs))


@pytest.mark.parametrize("family", NUMERIC)
@pytest.mark.parametrize("final", ["linear", "sigmoid"])
def test_one_output_has_the_values_of_two(family: str, final: str) -> None:
    spec = {
        "model_config": [
            {"layer_name": "Dense", "units": 5, "activation": "relu"},
            {"layer_name": "Dense", "units": 1, "activation": final},
        ],
        "input_shape": [4],
    }
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((60, 4)).astype(np.float32)
    train = Split(inputs, (inputs[:, 0] > 0).astype(np.int64), 2)
    one, initial = build(spec), build(spec)
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.mul_(1.5)
    results = computed(family, one, train, initial)
    expected = computed(family, TwoLogits(one).eval(), train, TwoLogits(initial).eval())
    assert list(results) == list(expected)
    for name in results:
        assert results[name] == pytest.approx(expected[name], rel=1e-4), name


# ---- numbers, and other losses -------------------------------------------------------------------


def test_numbers_have_a_loss_norms_and_curvature_but_no_classes() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((30, 3)).astype(np.float32)
    targets = (inputs @ np.array([1.0, -2.0, 0.5]) + 0.1 * rng.standard_normal(30)).astype("f4")
    train, network = Split(inputs, targets, 0), adopt(nn.Linear(3, 1), inputs)
    weights = [parameter.detach().numpy().astype(float) for parameter in network.parameters()]
    residuals = inputs @ weights[0][0] + weights[1] - targets
    baseline = computed("baseline", network, train)
    assert baseline["negative_training_loss"] == pytest.approx(-np.mean(residuals**2), rel=1e-5)
    assert set(baseline.left_out) == {"negative_normalised_margin", "training_accuracy"}
    for reason in baseline.left_out.values():
        assert "needs classes, and the targets of these data are numbers" in reason
    extended = np.c_[inputs, np.ones(30)].astype(float)
    spectrum = np.linalg.eigvalsh(2 * extended.T @ extended / 30)
    curvature = computed("curvature", network, train)
    assert curvature["lambda_max"] == pytest.approx(spectrum[-1], rel=1e-4)
    assert curvature["hessian_trace"] == pytest.approx(spectrum.sum(), rel=1e-3)
    assert isinstance(curvature["loss_sharpness"], float)
    assert set(curvature.left_out) == {"g_theta"}
    assert set(computed("competition", network, train)) == {"vc_dimension"}


def test_the_loss_is_that_of_the_training() -> None:
    rng = np.random.default_rng(0)
    train = Split(rng.standard_normal((20, 3)).astype(np.float32), np.arange(20) % 2, 2)
    network = build(dense((3,), 2, width=4, depth=1))
    subject = Subject(network, network, train, np.random.default_rng(0), loss="mse")
    with torch.no_grad():
        outputs = network(torch.from_numpy(train.inputs)).double().numpy()
    expected = -np.mean((outputs - np.eye(2)[train.labels]) ** 2)
    assert compute("baseline", subject)["negative_training_loss"] == pytest.approx(expected)
    entropy = computed("curvature", network, train)
    assert compute("curvature", subject)["lambda_max"] != entropy["lambda_max"]


# ---- tokens and series ---------------------------------------------------------------------------

CHANGING = {
    "always_generalize", "negative_augmented_margin", "interpex", "mixup_error", "jacobian_norm",
    "brain", "brain_80_neighbours",
}  # fmt: skip


class Bag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bag, self.relu, self.head = nn.EmbeddingBag(20, 6), nn.ReLU(), nn.Linear(6, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.relu(self.bag(inputs)))
        return outputs


def test_tokens_are_neither_mixed_nor_augmented() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    train = Split(rng.integers(0, 20, (40, 7)), np.arange(40) % 3, 3)
    network = adopt(Bag(), train)
    results = computed("competition", network, train)
    assert set(results.left_out) == CHANGING
    assert all("okens" in reason for reason in results.left_out.values())
    # Two kernels of 120 and 18 entries, on 7 places.
    assert results["vc_dimension"] == pytest.approx(2 + 4 * math.log(22 * 2 * 7) * 138)
    assert not computed("baseline", network, train).left_out


class Series(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu, self.head = nn.Conv1d(2, 4, 3), nn.ReLU(), nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.relu(self.conv(inputs)).mean(2))
        return outputs


def test_series_have_every_measure() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    train = Split(rng.standard_normal((40, 9, 2)).astype(np.float32), np.arange(40) % 3, 3)
    network = adopt(Series(), train, layout="channels_first")
    results = computed("competition", network, train)
    assert not results.left_out
    assert 0 < results["always_generalize"] < 27  # type: ignore[operator]
    assert results["vc_dimension"] == pytest.approx(2 + 4 * math.log(22 * 2 * 9) * 36)


# ---- frozen parameters ---------------------------------------------------------------------------


def frozen() -> tuple[nn.Module, nn.Module, Split]:
    """A network of 43 parameters, 25 of them frozen, its initial weights, and data."""
    spec = dense((4,), 3, width=5, depth=1)
    network, initial = build(spec), build(spec)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)
    first, second, *_ = network.parameters()
    first.requires_grad_(False)
    second.requires_grad_(False)
    rng = np.random.default_rng(0)
    return network, initial, Split(rng.random((20, 4), dtype=np.float32), np.arange(20) % 3, 3)


def test_frozen_parameters_count_nowhere_unless_they_are_asked_for() -> None:
    network, initial, train = frozen()
    head, former = (list(each.parameters())[2:] for each in (network, initial))
    trainable = computed("baseline", network, train, initial)
    assert trainable["parameter_count"] == 18
    squares = sum(float(p.detach().double().square().sum()) for p in head)
    assert trainable["sum_of_squared_weights"] == pytest.approx(squares)
    moved = sum(
        float((p - q).detach().double().square().sum()) for p, q in zip(head, former, strict=True)
    )
    assert trainable["distance_from_initialisation"] == pytest.approx(math.sqrt(moved))
    subject = Subject(network, initial, train, np.random.default_rng(0), parameters="all")
    everything = compute("baseline", subject)
    assert everything["parameter_count"] == 43
    network.requires_grad_(False)
    assert computed("baseline", network, train, initial) == everything


def test_the_sharpness_of_trainable_parameters_leaves_frozen_ones_as_they_are() -> None:
    """A frozen first layer of zeros hides the inputs: only the last biases then do anything."""
    network, _, train = frozen()
    with torch.no_grad():
        for parameter in list(network.parameters())[:2]:
            parameter.zero_()
    few = computed("curvature", network, train)
    subject = Subject(network, network, train, np.random.default_rng(0), parameters="all")
    all_of_them = compute("curvature", subject)
    assert few["loss_sharpness"] < all_of_them["loss_sharpness"]  # type: ignore[operator]
    assert all(not p.requires_grad for p in list(network.parameters())[:2])


# ---- degenerate layers and data ------------------------------------------------------------------


def stack(*units: int) -> nn.Module:
    layers = [{"layer_name": "Dense", "units": count, "activation": "relu"} for count in units[:-1]]
    last = {"layer_name": "Dense", "units": units[-1]}
    return build({"model_config": [*layers, last], "input_shape": [4]})


def dead_channels() -> nn.Module:
    network = build(convolutional((5, 5, 1), 3, width=4, depth=1))
    with torch.no_grad():
        weight, bias, *_ = network.parameters()
        weight[:2], bias[:2] = 0, -1
    return network


VECTORS = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
THREE = np.arange(60) % 3
DEGENERATE: dict[str, tuple[Callable[[], nn.Module], Split]] = {
    "single neurons": (lambda: stack(1, 1, 3), Split(VECTORS, THREE, 3)),
    "no hidden layer": (lambda: stack(3), Split(VECTORS, THREE, 3)),
    "dead channels": (
        dead_channels,
        Split(np.random.default_rng(0).random((60, 5, 5, 1), dtype=np.float32), THREE, 3),
    ),
    "a class without inputs": (lambda: stack(6, 3), Split(VECTORS, np.arange(60) % 2, 3)),
    "one input of each class": (lambda: stack(6, 3), Split(VECTORS[:3], THREE[:3], 3)),
    "one class": (lambda: stack(6, 3), Split(VECTORS, np.zeros(60, np.int64), 3)),
    "rare classes": (
        lambda: stack(6, 3),
        Split(VECTORS, np.r_[np.zeros(58, np.int64), 1, 2], 3),
    ),
    "one input": (lambda: stack(6, 3), Split(VECTORS[:1], THREE[:1], 3)),
    "equal inputs": (lambda: stack(6, 3), Split(np.ones_like(VECTORS), THREE, 3)),
    "more outputs than classes": (lambda: stack(6, 10), Split(VECTORS, THREE, 3)),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", DEGENERATE)
@pytest.mark.parametrize("family", [*NUMERIC, "information"])
def test_degenerate_networks_and_data_cost_single_measures_at_most(kind: str, family: str) -> None:
    make, train = DEGENERATE[kind]
    network = make()
    results = attempt(family, Subject(network, network, train, np.random.default_rng(0)))
    # A single point has neither margins nor partners, and points that are all equal no spread.
    assert results or (kind, family) in {
        ("one input", "margins"), ("equal inputs", "margins"), ("one input", "response"),
    }  # fmt: skip
    for reason in results.left_out.values():
        assert reason.endswith(".")
        assert ": " in reason
