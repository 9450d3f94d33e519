"""Models and weights that Keras itself saved."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gengap.errors import GengapError
from gengap.networks import Network, build, read_weights
from gengap.networks.keras_files import read_keras_spec

h5py = pytest.importorskip("h5py")
tensorflow = pytest.importorskip("tensorflow")
keras = tensorflow.keras
cases = pytest.importorskip("tests.networks.test_keras")

LARGEST_ERROR = 1e-5


def randomise(model: Any) -> None:
    """Give a Keras model random weights; variances are positive."""
    rng = np.random.default_rng(1)
    model.set_weights(
        [
            np.abs(array) + 0.1 if "variance" in weight.path else array
            for weight in model.weights
            for array in [rng.normal(0.1, 0.4, weight.shape)]
        ]
    )


def inputs_of(network: Network) -> np.ndarray:
    rng = np.random.default_rng(2)
    if network.input_type == "int64":
        return rng.integers(cases.KNOWN_TOKENS, size=(5, *network.input_shape))
    return rng.normal(size=(5, *network.input_shape)).astype(np.float32)


def check(model: Any, network: Network) -> None:
    """Both compute the same, up to rounding, relative to the largest output."""
    inputs = inputs_of(network)
    expected = np.asarray(model(inputs, training=False))
    with torch.no_grad():
        outputs = network(torch.from_numpy(inputs)).numpy()
    assert np.abs(outputs - expected).max() <= LARGEST_ERROR * max(1.0, np.abs(expected).max())


def sequential() -> Any:
    """A model with what Keras 3 writes and PGDL's files do not have."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 7, 3)),
            layers.Conv2D(4, 3, activation="relu", name="first"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Conv2D(5, 3, strides=2, padding="same"),
            layers.Activation("gelu"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    randomise(model)
    return model


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Any, Path]:
    """A model, and the folder with the three files that Keras makes of it."""
    model = sequential()
    model.save(tmp_path / "model.keras")
    model.save(tmp_path / "model.h5")
    model.save_weights(tmp_path / "model.weights.h5")
    return model, tmp_path


@pytest.mark.parametrize("file", ["model.keras", "model.h5"])
def test_a_sequential_model_predicts_what_keras_predicts(
    saved: tuple[Any, Path], file: str
) -> None:
    model, folder = saved
    network = build({"keras": file}, folder=folder)
    assert network.final_activation == "softmax"
    check(model, network)


def test_the_spec_of_a_keras_file_needs_no_file(saved: tuple[Any, Path]) -> None:
    model, folder = saved
    spec = build({"keras": "model.keras"}, folder=folder).spec
    assert spec["input_shape"] == [8, 7, 3]
    assert json.loads(json.dumps(spec)) == spec
    assert spec["model_config"][0] == {
        "layer_name": "Conv2D",
        "filters": 4,
        "kernel_size": [3, 3],
        "strides": [1, 1],
        "padding": "valid",
        "data_format": "channels_last",
        "dilation_rate": [1, 1],
        "groups": 1,
        "activation": "relu",
        "use_bias": True,
    }
    for file in ("model.keras", "model.h5", "model.weights.h5"):
        network = build(spec)
        read_weights(network, folder / file)
        check(model, network)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layers", "shape"),
    cases.CASES,
    ids=[f"{len(shape)}-{cases.id_of(layers)}" for layers, shape in cases.CASES],
)
def test_each_layer_of_a_functional_model_is_read(
    layers: list[dict[str, Any]], shape: list[int], tmp_path: Path
) -> None:
    spec = {"model_config": [*layers, cases.FLATTEN, cases.DENSE], "input_shape": shape}
    model, _ = cases.keras_model(spec)
    randomise(model)
    model.save(tmp_path / "model.keras")
    model.save(tmp_path / "model.h5")
    for file in ("model.keras", "model.h5"):
        check(model, build({"keras": file}, folder=tmp_path))


def test_two_layers_may_take_one(tmp_path: Path) -> None:
    layers = keras.layers
    tokens = keras.Input((8,))
    embedded = layers.Embedding(cases.KNOWN_TOKENS, 6)(tokens)
    attended = layers.MultiHeadAttention(2, 3)(embedded, embedded)
    normal = layers.LayerNormalization()(layers.Add()([embedded, attended]))
    ends = [layers.LSTM(4)(normal), layers.GRU(4)(normal)]
    model = keras.Model(tokens, layers.Dense(2)(layers.Concatenate()(ends)))
    randomise(model)
    model.save(tmp_path / "model.keras")
    network = build({"keras": "model.keras"}, folder=tmp_path)
    assert network.input_type == "int64"
    check(model, network)


def two_inputs() -> Any:
    inputs = [keras.Input((4,)), keras.Input((4,))]
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Add()(inputs)))


def shared_layer() -> Any:
    inputs = keras.Input((4,))
    dense = keras.layers.Dense(4)
    return keras.Model(inputs, dense(dense(inputs)))


def any_size() -> Any:
    return keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    )


def unknown_layer() -> Any:
    return keras.Sequential([keras.Input((4,)), keras.layers.UnitNormalization()])


def renormalised() -> Any:
    layers = [keras.layers.BatchNormalization(renorm=True), keras.layers.Dense(2)]
    return keras.Sequential([keras.Input((4,)), *layers])


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (two_inputs, "has 2 inputs and 1 outputs"),
        (shared_layer, "uses the layer dense.* several times"),
        (any_size, r"inputs of any size .*save the model with a fixed input shape"),
        (unknown_layer, r"Layer 0 \(UnitNormalization\) .*unknown layer"),
        (renormalised, r"Layer 0 \(BatchNormalization\) .*renorm"),
    ],
)
def test_models_that_cannot_be_read_are_refused(tmp_path: Path, make: Any, reason: str) -> None:
    make().save(tmp_path / "model.keras")
    with pytest.raises(GengapError, match=reason) as caught:
        build({"keras": "model.keras"}, folder=tmp_path)
    assert "model.keras" in str(caught.value)


def test_weights_alone_are_no_model(saved: tuple[Any, Path]) -> None:
    with pytest.raises(GengapError, match=r"model\.weights\.h5 holds weights alone"):
        read_keras_spec(saved[1] / "model.weights.h5")


def test_weights_of_another_model_are_refused(saved: tuple[Any, Path]) -> None:
    dense = {"layer_name": "Dense", "units": 3}
    other = build({"model_config": [dense], "input_shape": [4]})
    with pytest.raises(GengapError, match=r"has 4 layers with weights, its config 1"):
        read_weights(other, saved[1] / "model.keras")


@pytest.mark.parametrize("file", ["model.keras", "model.h5"])
def test_damaged_files_are_refused(saved: tuple[Any, Path], file: str) -> None:
    path = saved[1] / file
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(GengapError, match=file):
        build({"keras": file}, folder=saved[1])


def test_an_archive_without_weights_is_refused(saved: tuple[Any, Path]) -> None:
    path = saved[1] / "half.keras"
    with (
        zipfile.ZipFile(saved[1] / "model.keras") as whole,
        zipfile.ZipFile(path, "w") as half,
    ):
        half.writestr("config.json", whole.read("config.json"))
    with pytest.raises(GengapError, match=r"half\.keras is no \.keras file with a model\.weights"):
        build({"keras": "half.keras"}, folder=saved[1])


def test_weights_in_other_files_are_not_followed(saved: tuple[Any, Path]) -> None:
    secret = saved[1] / "secret.bin"
    secret.write_bytes(bytes(4 * 3))
    with h5py.File(saved[1] / "model.weights.h5", "r+") as file:
        group = file["layers/dense/vars"]
        del group["1"]
        group.create_dataset("1", (3,), "f4", external=[(str(secret), 0, 12)])
    network = build({"keras": "model.keras"}, folder=saved[1])
    with pytest.raises(GengapError, match=r"model\.weights\.h5 is truncated, corrupt"):
        read_weights(network, saved[1] / "model.weights.h5")
