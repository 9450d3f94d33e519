"""Weights are exchanged with Keras itself: it reads what we write, and we read what it writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gengap.errors import GengapError
from gengap.networks import Network, build, logits, weights_of
from gengap.networks.keras_files import load_weights, read_layers
from gengap.tasks.pgdl.keras_weights import write_weights

h5py = pytest.importorskip("h5py")
cases = pytest.importorskip("tests.networks.test_keras")

Config = dict[str, Any]
Make = Callable[[Config], Any]

LARGEST_ERROR = 1e-4  # relative to the largest logit


def layer(layer_name: str, **keywords: Any) -> dict[str, Any]:
    """One layer of a config."""
    return {"layer_name": layer_name, **keywords}


def image_network(*layers: dict[str, Any]) -> Config:
    """A config of a network of 7x6 images with three channels."""
    return {"model_config": list(layers), "input_shape": [7, 6, 3]}


CONV = layer("Conv2D", filters=4.0, kernel_size=[3, 2], padding="same", activation="relu")
HEAD = (layer("Flatten"), layer("Dense", units=5.0))
CONFIGS = {
    "same convolution": image_network(CONV, *HEAD),
    "valid convolution, no bias": image_network(
        layer("Conv2D", filters=4, kernel_size=3, padding="valid", use_bias=False), *HEAD
    ),
    "strided": image_network(
        layer("Conv2D", filters=4, kernel_size=3, padding="same", strides=[2, 2]), *HEAD
    ),
    "dilated": image_network(layer("Conv2D", filters=4, kernel_size=3, dilation_rate=2), *HEAD),
    "batch normalisation": image_network(CONV, layer("BatchNormalization"), CONV, *HEAD),
    "batch normalisation, no scale": image_network(
        CONV, layer("BatchNormalization", scale=False, epsilon=0.01, momentum=0.9), *HEAD
    ),
    "batch normalisation, no center": image_network(
        CONV, layer("BatchNormalization", center=False), *HEAD
    ),
    "batch normalisation of vectors": image_network(
        CONV, layer("Flatten"), layer("BatchNormalization"), layer("Dense", units=5)
    ),
    "pooling": image_network(
        CONV,
        layer("MaxPooling2D", pool_size=[2, 2], padding="same"),
        layer("AveragePooling2D", pool_size=2, strides=1, padding="same"),
        *HEAD,
    ),
    "global average": image_network(CONV, layer("GlobalAveragePooling2D"), *HEAD[1:]),
    "global maximum": image_network(CONV, layer("GlobalMaxPooling2D"), *HEAD[1:]),
    "fully convolutional": image_network(
        CONV,
        layer("Dropout", rate=0.5),
        layer("Conv2D", filters=5, kernel_size=1, activation="tanh"),
        layer("GlobalAveragePooling2D"),
    ),
    "padding": image_network(layer("ZeroPadding2D", padding=[[1, 2], [0, 3]]), CONV, *HEAD),
    "dense on images": image_network(layer("Dense", units=4, activation="relu"), *HEAD),
    "activations": image_network(
        layer("Conv2D", filters=4, kernel_size=2),
        layer("ReLU", max_value=1.0, negative_slope=0.1, threshold=0.2),
        layer("Conv2D", filters=4, kernel_size=2),
        layer("LeakyReLU", negative_slope=0.2),
        layer("Conv2D", filters=4, kernel_size=2),
        layer("Activation", activation="tanh"),
        *HEAD,
    ),
    "softmax layer": image_network(CONV, *HEAD, layer("Softmax")),
    "softmax keyword": image_network(
        CONV, layer("Flatten"), layer("Dense", units=5, activation="softmax")
    ),
    "vectors": {
        "model_config": [
            layer("Dense", units=8, activation="elu"),
            layer("Dense", units=8, activation="sigmoid", use_bias=False),
            layer("Dense", units=3),
        ],
        "input_shape": [4],
    },
}


def without_softmax(config: Config) -> Config:
    """The config whose outputs are the logits of this one."""
    layers = [dict(entry) for entry in config["model_config"]]
    if layers[-1]["layer_name"] == "Softmax":
        layers.pop()
    elif layers[-1].get("activation") == "softmax":
        del layers[-1]["activation"]
    return config | {"model_config": layers}


def randomise(model: Any, seed: int) -> None:
    """Give a Keras model random weights; variances are positive."""
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(0.1, 0.4, weight.shape) for weight in model.get_weights()]
    names = [weight.path for weight in model.weights]
    model.set_weights(
        [
            np.abs(array) + 0.1 if "variance" in name else array
            for name, array in zip(names, arrays, strict=True)
        ]
    )


def inputs_of(config: Config, seed: int = 3) -> np.ndarray:
    """Random inputs."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(9, *config["input_shape"])).astype(np.float32)


def torch_logits(network: Network, inputs: np.ndarray) -> np.ndarray:
    """Our logits."""
    with torch.no_grad():
        return logits(network, torch.from_numpy(inputs)).numpy()


def assert_close(ours: np.ndarray, keras: np.ndarray) -> None:
    """Largest error relative to the logits' scale."""
    assert np.abs(ours - keras).max() <= LARGEST_ERROR * np.abs(keras).max()


def assert_same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    """Equal names and equal bits."""
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


@pytest.mark.parametrize("name", CONFIGS)
def test_what_keras_writes_gives_its_logits(keras_model: Make, tmp_path: Path, name: str) -> None:
    model = keras_model(without_softmax(CONFIGS[name]))
    randomise(model, seed=1)
    model.save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5") as whole, h5py.File(tmp_path / "w.hdf5", "w") as alone:
        for key, value in whole["model_weights"].attrs.items():
            alone.attrs[key] = value
        for key in whole["model_weights"]:
            whole.copy(f"model_weights/{key}", alone)
    network = build(CONFIGS[name])
    inputs = inputs_of(CONFIGS[name])
    expected = model(inputs, training=False).numpy()
    for file in ("model.h5", "w.hdf5"):
        load_weights(network, tmp_path / file)
        assert_close(torch_logits(network, inputs), expected)


@pytest.mark.parametrize("name", CONFIGS)
def test_keras_reads_what_we_write(keras_model: Make, tmp_path: Path, name: str) -> None:
    network = build(CONFIGS[name])
    rng = torch.Generator().manual_seed(5)
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=rng) - 0.3)
    for key, tensor in network.state_dict().items():
        if key.endswith("running_var"):
            tensor.add_(0.5)
    write_weights(network, tmp_path / "weights.hdf5")
    write_weights(network, tmp_path / "again.hdf5")
    assert (tmp_path / "weights.hdf5").read_bytes() == (tmp_path / "again.hdf5").read_bytes()
    model = keras_model(without_softmax(CONFIGS[name]))
    model.load_weights(tmp_path / "weights.hdf5")
    inputs = inputs_of(CONFIGS[name])
    assert_close(torch_logits(network, inputs), model(inputs, training=False).numpy())

    other = build(CONFIGS[name])
    load_weights(other, tmp_path / "weights.hdf5")
    assert_same(weights_of(other), weights_of(network))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(cases.CASES)))
def test_keras_reads_each_layer_that_we_write(tmp_path: Path, number: int) -> None:
    layers, shape = cases.CASES[number]
    spec = {"model_config": [*layers, cases.FLATTEN, cases.DENSE], "input_shape": shape}
    network = build(spec)
    cases.randomise(network)
    write_weights(network, tmp_path / "weights.hdf5")
    model, _ = cases.keras_model(spec)
    model.load_weights(tmp_path / "weights.hdf5")
    rng = np.random.default_rng(2)
    inputs = (
        rng.integers(cases.KNOWN_TOKENS, size=(5, *shape))
        if network.input_type == "int64"
        else rng.normal(size=(5, *shape)).astype(np.float32)
    )
    assert_close(torch_logits(network, inputs), np.asarray(model(inputs, training=False)))


@pytest.mark.parametrize("id_", [0, 8, 17])
def test_toy_networks_give_keras_logits(
    keras_model: Make, shared: Callable[[str], Path], tmp_path: Path, id_: int
) -> None:
    folder = shared("pgdl/toy_data") / f"model_{id_}"
    config = json.loads((folder / "config.json").read_text())
    model, network = keras_model(config), build(config)
    inputs = inputs_of(config)
    for file in ("weights_init.hdf5", "weights.hdf5"):
        model.load_weights(folder / file)
        load_weights(network, folder / file)
        assert_close(torch_logits(network, inputs), model(inputs, training=False).numpy())


def test_names_of_layers_do_not_matter(tmp_path: Path) -> None:
    network = build(CONFIGS["vectors"])
    write_weights(network, tmp_path / "weights.hdf5")
    with h5py.File(tmp_path / "weights.hdf5", "r+") as file:
        names = [name.decode() for name in file.attrs["layer_names"]]
        for name in names:  # so that the order of the names is not the order of the layers
            file.move(name, f"{9 - int(name[-1])}_other")
        file.attrs["layer_names"] = [f"{9 - int(name[-1])}_other" for name in names]
    other = build(CONFIGS["vectors"])
    for tensor in other.state_dict().values():
        tensor.zero_()
    load_weights(other, tmp_path / "weights.hdf5")
    assert_same(weights_of(other), weights_of(network))


def test_long_lists_of_names_are_cut_into_pieces(tmp_path: Path) -> None:
    network = build(CONFIGS["vectors"])
    write_weights(network, tmp_path / "weights.hdf5")
    whole = read_layers(tmp_path / "weights.hdf5")
    with h5py.File(tmp_path / "weights.hdf5", "r+") as file:
        names = file.attrs["layer_names"]
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:2], names[2:]
    pieces = read_layers(tmp_path / "weights.hdf5")
    assert [layer.name for layer in pieces] == [layer.name for layer in whole]


@pytest.fixture
def weights_file(tmp_path: Path) -> Path:
    """Weights of the network of vectors."""
    path = tmp_path / "weights.hdf5"
    write_weights(build(CONFIGS["vectors"]), path)
    return path


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.95])
def test_truncated_file(weights_file: Path, kept: float) -> None:
    content = weights_file.read_bytes()
    weights_file.write_bytes(content[: int(kept if kept in (0, 100) else len(content) * kept)])
    with pytest.raises(
        GengapError, match=r"weights\.hdf5 is truncated, corrupt or not in a layout"
    ):
        read_layers(weights_file)


def test_corrupt_file(weights_file: Path) -> None:
    content = bytearray(weights_file.read_bytes())
    for signature in (b"HEAP", b"SNOD", b"TREE"):
        content = content.replace(signature, b"\xff" * 4)
    weights_file.write_bytes(content)
    with pytest.raises(GengapError, match="is truncated, corrupt or not in a layout"):
        read_layers(weights_file)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(GengapError, match=r"weights\.hdf5 does not exist: download"):
        read_layers(tmp_path / "weights.hdf5")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (CONFIGS["same convolution"], "has 3 layers with weights, its config 2"),
        (
            {
                "model_config": [
                    layer("Dense", units=8),
                    layer("Dense", units=7, use_bias=False),
                    layer("Dense", units=3),
                ],
                "input_shape": [4],
            },
            r"layer dense_1 has weights of the shapes \[\(8, 8\)\], but dense_1 of its config",
        ),
    ],
)
def test_weights_of_another_network(weights_file: Path, config: Config, reason: str) -> None:
    with pytest.raises(GengapError, match=reason):
        load_weights(build(config), weights_file)


def test_weights_that_are_not_finite(weights_file: Path) -> None:
    with h5py.File(weights_file, "r+") as file:
        file["dense_1/dense_1/kernel:0"][3, 4] = np.nan
    with pytest.raises(GengapError, match=r"dense_1\.weight in .*weights\.hdf5 holds NaN"):
        load_weights(build(CONFIGS["vectors"]), weights_file)
