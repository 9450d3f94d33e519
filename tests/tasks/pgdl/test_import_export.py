"""A task folder becomes PGDL's tree and returns; each way is checked by independent code."""

from __future__ import annotations

import json
import shutil
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gengap.datasets import Split, read_split, read_split_or_none, write_split
from gengap.errors import GengapError
from gengap.networks import build, initialise, logits, write_weights
from gengap.tasks.folder import Metrics, load, write_task
from gengap.tasks.pgdl import (
    RetryPolicy,
    disagreements,
    download,
    export,
    import_dataset,
    import_network,
    locate,
    read_reference,
    source_digest,
)
from gengap.tasks.pgdl.records import read_examples, write_examples
from gengap.training import loss_and_accuracy

EXAMPLES, CLASSES, SHAPE = 25, 3, (5, 4, 2)
WIDTHS = (4, 8, 4)
CORRECT_TO = 1e-4


def spec_of(width: int) -> dict[str, Any]:
    """A network with a convolution, batch normalisation and a dense layer."""
    return {
        "model_config": [
            {"layer_name": "Conv2D", "filters": width, "kernel_size": [3, 3], "padding": "same"},
            {"layer_name": "BatchNormalization"},
            {"layer_name": "ReLU"},
            {"layer_name": "Dropout", "rate": 0.25},
            {"layer_name": "Flatten"},
            {"layer_name": "Dense", "units": CLASSES},
        ],
        "input_shape": list(SHAPE),
    }


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """A task folder of three networks with random weights."""
    folder = tmp_path / "tiny"
    rng = np.random.default_rng(11)
    splits = {}
    for part in ("train", "test"):
        inputs = rng.normal(size=(EXAMPLES, *SHAPE)).astype(np.float32)
        splits[part] = Split(inputs, rng.integers(0, CLASSES, EXAMPLES), CLASSES)
        write_split(splits[part], folder / "dataset" / f"{part}.safetensors")
    metrics = {}
    for position, width in enumerate(WIDTHS):
        target = folder / "networks" / str(position)
        network = build(spec_of(width))
        for name in ("weights_init", "weights"):
            initialise(network, "glorot", torch.Generator().manual_seed(2 * position + len(name)))
            for tensor_name, tensor in network.state_dict().items():
                if "running" in tensor_name:
                    tensor.copy_(torch.from_numpy(rng.uniform(0.2, 2, tensor.shape)))
            write_weights(network, target / f"{name}.safetensors")
        (target / "config.json").write_text(json.dumps(spec_of(width)))
        np.save(target / "labels.npy", splits["train"].labels)
        (train_loss, train), (test_loss, test) = (
            loss_and_accuracy(network, splits[part]) for part in ("train", "test")
        )
        metrics[str(position)] = Metrics(
            {"width": width}, train, test, train_loss, test_loss, replicate=position // 2
        )
        metrics[str(position)].write(target / "metrics.json")
    write_task(folder / "task.json", "tiny", {"width": [4, 8]}, metrics)
    return folder


def import_task(
    source: str | Path, task: str, folder: Path, networks: list[int] | None = None
) -> list[str]:
    """Run all stages, as the workflow does; return the sentences on wrong accuracies."""
    tree = locate(source, task)
    reference = read_reference(tree.reference)
    import_dataset(tree, folder)
    positions = range(len(reference.networks)) if networks is None else networks
    for position in positions:
        import_network(tree, position, folder)
    folders = {str(position): folder / "networks" / str(position) for position in positions}
    metrics = {name: Metrics.read(path / "metrics.json") for name, path in folders.items()}
    write_task(folder / "task.json", folder.name, reference.grid, metrics)
    return disagreements(folders.values())


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def records(path: Path) -> list[bytes]:
    """Records of a TFRecord file: length, its checksum, bytes, their checksum."""
    content, parsed = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        parsed.append(content[12 : 12 + length])
        content = content[16 + length :]
    return parsed


def examples(tensorflow: Any, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and labels of a TFRecord file, read without tf.data."""
    from tensorflow.core.framework import tensor_pb2

    arrays: dict[str, list[np.ndarray]] = {"inputs": [], "output": []}
    for record in records(path):
        features = tensorflow.train.Example.FromString(record).features.feature
        assert set(features) == set(arrays)
        for name, feature in features.items():
            proto = tensor_pb2.TensorProto.FromString(feature.bytes_list.value[0])
            arrays[name].append(tensorflow.make_ndarray(proto))
    return np.stack(arrays["inputs"]), np.stack(arrays["output"])


def shard(folder: Path, part: str, number: int) -> Path:
    """One shard of an exported tree."""
    return folder / "input_data/tiny/dataset_1" / part / f"shard_{number}.tfrecord"


def reference(folder: Path) -> Path:
    """The reference file of an exported tree."""
    return folder / "reference_data/tiny/model_configs.json"


def test_plain_tensorflow_reads_what_is_exported(
    tensorflow: Any, keras_model: Callable[[Any], Any], zoo: Path, tmp_path: Path
) -> None:
    export(zoo, tmp_path / "out")
    task = load(zoo)
    for part, split in (("train", task.train), ("test", task.test)):
        read = [examples(tensorflow, shard(tmp_path / "out", part, number)) for number in range(10)]
        assert not shard(tmp_path / "out", part, 10).exists()
        inputs, labels = (np.concatenate(arrays) for arrays in zip(*read, strict=True))
        assert (inputs.dtype.name, labels.dtype.name) == ("float32", "int32")
        np.testing.assert_array_equal(inputs, split.inputs)
        np.testing.assert_array_equal(labels, split.labels)
    stated = json.loads(reference(tmp_path / "out").read_text())
    assert list(stated) == ["0", "1", "2"]
    for name, network in task.networks.items():
        folder = tmp_path / "out" / "input_data" / "tiny" / f"model_{name}"
        model = keras_model(json.loads((folder / "config.json").read_text()))
        for file, module in (("weights", network.network()), ("weights_init", network.initial())):
            model.load_weights(folder / f"{file}.hdf5")
            theirs = model(inputs, training=False).numpy()
            with torch.no_grad():
                ours = logits(module, torch.from_numpy(inputs)).numpy()
            assert np.abs(ours - theirs).max() <= CORRECT_TO * np.abs(theirs).max()
            np.testing.assert_array_equal(ours.argmax(1), theirs.argmax(1))
        parameters = stated[name]["hparams"]
        assert parameters == {
            "width": {"possible_values": [4, 8], "current_value": WIDTHS[int(name)]}
        }
        assert stated[name]["metrics"] == {
            "train_acc": network.metrics.train_accuracy,
            "test_acc": network.metrics.test_accuracy,
            "train_loss": network.metrics.train_loss,
            "test_loss": network.metrics.test_loss,
        }


def test_records_are_written_as_the_organisers_did(
    tensorflow: Any, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    for part in ("train", "test"):
        folder = shared("pgdl/toy_data") / "dataset_1" / part
        inputs, labels = read_examples([folder / f"shard_{number}.tfrecord" for number in range(3)])
        written = write_examples(inputs, labels, tmp_path / part)
        ours = [record for path in written for record in records(path)]
        theirs = [
            record for number in range(3) for record in records(folder / f"shard_{number}.tfrecord")
        ]
        example = tensorflow.train.Example
        assert [example.FromString(record) for record in ours] == [
            example.FromString(record) for record in theirs
        ]


def test_there_and_back(tensorflow: Any, zoo: Path, tmp_path: Path) -> None:
    export(zoo, tmp_path / "out")
    assert import_task(tmp_path / "out", "tiny", tmp_path / "back" / "tiny") == []
    before, after = files(zoo), files(tmp_path / "back" / "tiny")
    same = [
        name
        for name in before
        if name.endswith((".safetensors", ".npy")) or name.startswith("dataset")
    ]
    assert len(same) == 2 + 3 * 3
    for name in same:
        assert after[name] == before[name], name
    original, imported = load(zoo), load(tmp_path / "back" / "tiny")
    assert imported.grid == original.grid
    assert imported.gaps().equals(original.gaps())
    for name, network in imported.networks.items():
        theirs = original.networks[name].metrics
        assert network.metrics == Metrics(**{**vars(theirs), "source_id": name})
    export(tmp_path / "back" / "tiny", tmp_path / "again")
    assert files(tmp_path / "again") == files(tmp_path / "out")


def test_toy_task_has_the_stated_accuracies(
    tensorflow: Any, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    assert import_task(shared("pgdl/toy_data"), "toy", tmp_path / "toy") == []
    task = load(tmp_path / "toy")
    assert len(task.networks) == 18
    assert task.grid["num_units"] == [64, 128, 256]
    for name, network in task.networks.items():
        recomputed = json.loads((network.folder / "recomputed.json").read_text())
        assert recomputed["id"] == name
        assert recomputed["train"] == recomputed["stated_train"] == network.metrics.train_accuracy
        assert recomputed["test"] == recomputed["stated_test"] == network.metrics.test_accuracy
        assert network.metrics.train_loss is not None


def test_wrong_stated_accuracy_is_reported_by_name(
    tensorflow: Any, zoo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    export(zoo, tmp_path / "out")
    stated = json.loads(reference(tmp_path / "out").read_text())
    for name, error in (("0", 0.0049), ("1", 0.0051), ("2", -0.0051)):
        stated[name]["metrics"]["train_acc"] += error
    del stated["2"]["metrics"]["train_loss"]
    reference(tmp_path / "out").write_text(json.dumps(stated))
    sentences = import_task(tmp_path / "out", "tiny", tmp_path / "back" / "tiny")
    assert [sentence.split()[1] for sentence in sentences] == ["model_1", "model_2"]
    assert sentences[0] in caplog.text
    metrics = load(tmp_path / "back" / "tiny").networks["2"].metrics
    assert metrics.train_accuracy == stated["2"]["metrics"]["train_acc"]
    assert metrics.train_loss == pytest.approx(load(zoo).networks["2"].metrics.train_loss)


def test_stages_one_by_one(tensorflow: Any, zoo: Path, tmp_path: Path) -> None:
    export(zoo, tmp_path / "out")
    models = tmp_path / "out" / "input_data" / "tiny"
    (models / "model_1").rename(models / "model_10")
    stated = json.loads(reference(tmp_path / "out").read_text())
    stated["10"] = stated.pop("1")
    reference(tmp_path / "out").write_text(json.dumps(stated))
    tree = locate(tmp_path / "out", "tiny")
    import_dataset(tree, tmp_path / "back")
    recomputed = import_network(tree, 2, tmp_path / "back", recompute=False)
    assert (recomputed.id, recomputed.train, recomputed.disagrees) == ("10", None, False)
    assert sorted(path.name for path in (tmp_path / "back" / "networks").iterdir()) == ["2"]
    back = tmp_path / "back" / "networks" / "2"
    assert Metrics.read(back / "metrics.json").source_id == "10"
    assert (back / "weights.safetensors").read_bytes() == (
        zoo / "networks" / "1" / "weights.safetensors"
    ).read_bytes()
    assert disagreements([back]) == []
    with pytest.raises(GengapError, match=r"recomputed\.json is missing or broken: import"):
        disagreements([zoo / "networks" / "1"])


def test_shards_are_read_in_numeric_order(tensorflow: Any, zoo: Path, tmp_path: Path) -> None:
    export(zoo, tmp_path / "out")
    folder = shard(tmp_path / "out", "train", 0).parent
    shutil.rmtree(folder)
    for number in range(12):
        inputs = np.full((2, *SHAPE), number, dtype=np.float32)
        (path,) = write_examples(inputs[:1], np.array([number % CLASSES]), tmp_path / "one")
        folder.mkdir(exist_ok=True)
        path.rename(folder / f"shard_{number}.tfrecord")
    import_dataset(locate(tmp_path / "out", "tiny"), tmp_path / "back")
    train = read_split(tmp_path / "back" / "dataset" / "train.safetensors")
    np.testing.assert_array_equal(train.inputs[:, 0, 0, 0], np.arange(12))
    np.testing.assert_array_equal(train.labels, np.arange(12) % CLASSES)


def test_labels_as_vectors_of_one_and_floats_for_integers(
    tensorflow: Any, zoo: Path, tmp_path: Path
) -> None:
    tree = export(zoo, tmp_path / "out")
    write_raw(
        tensorflow, tree.shards("test")[9], np.ones(SHAPE, np.float32), np.array([2], np.int32)
    )
    config = json.loads((tree.model("0") / "config.json").read_text())
    config["model_config"][0]["filters"] = 4.0
    (tree.model("0") / "config.json").write_text(json.dumps(config))
    import_dataset(tree, tmp_path / "back")
    import_network(tree, 0, tmp_path / "back")
    assert read_split(tmp_path / "back" / "dataset" / "test.safetensors").labels[-1] == 2
    written = json.loads((tmp_path / "back" / "networks" / "0" / "config.json").read_text())
    assert isinstance(written["model_config"][0]["filters"], int)


def write_raw(tensorflow: Any, path: Path, inputs: Any, output: Any) -> None:
    """One record with any tensors."""
    train = tensorflow.train
    features = {
        name: train.Feature(
            bytes_list=train.BytesList(value=[tensorflow.io.serialize_tensor(tensor).numpy()])
        )
        for name, tensor in (("inputs", inputs), ("output", output))
    }
    example = train.Example(features=train.Features(feature=features))
    with tensorflow.io.TFRecordWriter(str(path)) as writer:
        writer.write(example.SerializeToString())


def truncate(path: Path) -> None:
    """Cut a file in the middle of a record."""
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    """Change one byte of a record."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip])
def test_broken_shard(
    tensorflow: Any, zoo: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    tree = export(zoo, tmp_path / "out")
    damage(tree.shards("train")[4])
    with pytest.raises(GengapError, match=r"train/shard_4\.tfrecord is truncated or corrupt: down"):
        import_dataset(tree, tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    ("inputs", "output", "reason"),
    [
        (np.ones((4, 5, 2), np.float32), np.int32(1), r"shape \(4, 5, 2\) where the first"),
        (np.full(SHAPE, 1e300), np.int32(1), "hold NaN or infinity"),
        (np.full(SHAPE, np.nan, np.float32), np.int32(1), "hold NaN"),
        (
            np.ones(SHAPE, np.float32),
            np.int32(3),
            r"label 3, outside of the 3 classes of .*model_0",
        ),
        (np.ones(SHAPE, np.float32), np.int32(-1), "label -1, outside of the 3 classes"),
    ],
)
def test_wrong_examples(
    tensorflow: Any, zoo: Path, tmp_path: Path, inputs: Any, output: Any, reason: str
) -> None:
    tree = export(zoo, tmp_path / "out")
    write_raw(tensorflow, tree.shards("train")[2], inputs, output)
    with pytest.raises(GengapError, match=reason) as caught:
        import_dataset(tree, tmp_path / "back")
    assert "dataset_1/train" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "back" / "dataset" / "train.safetensors").exists()


def test_layer_that_is_not_supported(tensorflow: Any, zoo: Path, tmp_path: Path) -> None:
    tree = export(zoo, tmp_path / "out")
    config = {"model_config": [{"layer_name": "LSTM"}], "input_shape": list(SHAPE)}
    (tree.model("0") / "config.json").write_text(json.dumps(config))
    with pytest.raises(GengapError, match=r"model_0/config\.json: Layer 0 \(LSTM\)"):
        import_network(tree, 0, tmp_path / "back")


def test_a_layer_that_is_not_supported_costs_its_own_network_alone(
    tensorflow: Any, zoo: Path, tmp_path: Path
) -> None:
    tree = export(zoo, tmp_path / "out")
    config = {"model_config": [{"layer_name": "LSTM"}], "input_shape": list(SHAPE)}
    (tree.model("0") / "config.json").write_text(json.dumps(config))
    import_dataset(tree, tmp_path / "back")
    split = read_split(tmp_path / "back" / "dataset" / "train.safetensors")
    assert split.classes == CLASSES
    assert import_network(tree, 1, tmp_path / "back").id == "1"
    for name in "12":
        (tree.model(name) / "config.json").write_text(json.dumps(config))
    with pytest.raises(GengapError, match=r"model_0/config\.json: Layer 0 \(LSTM\)"):
        import_dataset(tree, tmp_path / "none")


def test_data_without_examples_or_of_another_shape(
    tensorflow: Any, zoo: Path, tmp_path: Path
) -> None:
    tree = export(zoo, tmp_path / "out")
    for path in tree.shards("test"):
        path.write_bytes(b"")
    with pytest.raises(GengapError, match="test holds no example"):
        import_dataset(tree, tmp_path / "back")
    shutil.rmtree(tree.models / "dataset_1" / "train")
    write_examples(
        np.ones((3, 4), np.float32), np.zeros(3, np.int64), tree.models / "dataset_1/train"
    )
    with pytest.raises(GengapError, match=r"inputs of shape \(4,\), but .*config\.json takes"):
        import_dataset(tree, tmp_path / "back")


@pytest.mark.parametrize("file", ["config.json", "weights.hdf5", "weights_init.hdf5"])
@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_broken_network_is_named_and_has_no_metrics(
    tensorflow: Any, zoo: Path, tmp_path: Path, file: str, damage: str
) -> None:
    tree = export(zoo, tmp_path / "out")
    import_dataset(tree, tmp_path / "back")
    path = tree.model("1") / file
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(GengapError, match=rf"model_1/{file}") as caught:
        import_network(tree, 1, tmp_path / "back")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "back" / "networks" / "1" / "metrics.json").exists()


def test_networks_trained_on_different_labels_are_not_exported(zoo: Path, tmp_path: Path) -> None:
    path = zoo / "networks" / "2" / "labels.npy"
    labels = np.load(path)
    labels[3] = (labels[3] + 1) % CLASSES
    np.save(path, labels)
    with pytest.raises(GengapError, match="Networks 0 and 2 of task 'tiny' were trained on diff"):
        export(zoo, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_draws_of_the_data_are_not_exported(zoo: Path, tmp_path: Path) -> None:
    for name in "012":
        np.save(zoo / "networks" / name / "rows.npy", np.arange(EXAMPLES))
    with pytest.raises(
        GengapError, match="'tiny' were trained on draws of their own, but PGDL has"
    ):
        export(zoo, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_labels_that_all_networks_share_are_exported(
    tensorflow: Any, zoo: Path, tmp_path: Path
) -> None:
    corrupted = np.zeros(EXAMPLES, np.int64)
    for name in "012":
        np.save(zoo / "networks" / name / "labels.npy", corrupted)
    tree = export(zoo, tmp_path / "out")
    _, labels = read_examples(tree.shards("train"))
    np.testing.assert_array_equal(labels, corrupted)


def test_named_architecture_is_not_exported(zoo: Path, tmp_path: Path) -> None:
    (zoo / "networks" / "1" / "config.json").write_text('{"architecture": "resnet18"}')
    with pytest.raises(GengapError, match="Network 1 is a 'resnet18', which PGDL's config"):
        export(zoo, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"layer_name": "LayerNormalization"}, "Network 1 has the layer LayerNormalization, which"),
        ({"layer_name": "Dense", "units": 2, "inbound_nodes": ["input"]}, "has inbound_nodes"),
    ],
)
def test_layers_that_pgdl_does_not_know_are_not_exported(
    zoo: Path, tmp_path: Path, layer: dict[str, Any], words: str
) -> None:
    (zoo / "networks" / "1" / "config.json").write_text(
        json.dumps({"model_config": [layer], "input_shape": list(SHAPE)})
    )
    with pytest.raises(GengapError, match=words):
        export(zoo, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_series_are_not_exported(zoo: Path, tmp_path: Path) -> None:
    for part in ("train", "test"):
        path = zoo / "dataset" / f"{part}.safetensors"
        images = read_split(path)
        series = images.inputs.reshape(len(images.inputs), -1, SHAPE[-1])
        write_split(Split(series, images.labels, images.classes), path)
    with pytest.raises(GengapError, match="'tiny' has inputs of the kind series, but PGDL"):
        export(zoo, tmp_path / "out")


def test_broken_config_of_a_zoo_is_to_be_made_again(zoo: Path, tmp_path: Path) -> None:
    (zoo / "networks" / "1" / "config.json").write_text("{")
    with pytest.raises(GengapError, match=r"networks/1/config\.json is not valid JSON: .*workflow"):
        export(zoo, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_missing_tensorflow_is_reported(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(GengapError, match=r"pip install 'gengap\[pgdl\]'"):
        export(zoo, tmp_path / "out")


def test_broken_weights_of_a_zoo_are_named(tensorflow: Any, zoo: Path, tmp_path: Path) -> None:
    (zoo / "networks" / "0" / "weights.safetensors").write_bytes(b"")
    with pytest.raises(GengapError, match=r"networks/0/weights\.safetensors"):
        export(zoo, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.hdf5"))


def test_published_on_a_server_downloaded_and_imported(
    tensorflow: Any, server: Any, zipped: Callable[..., bytes], zoo: Path, tmp_path: Path
) -> None:
    export(zoo, tmp_path / "out")
    server.files["/tiny.zip"] = zipped(files(tmp_path / "out"))
    receipt = download(
        "tiny",
        tmp_path / "in",
        source=server.url + "/tiny.zip",
        networks=[1],
        retry_policy=RetryPolicy(5),
    )
    assert import_task(receipt.tree, "tiny", tmp_path / "back", networks=[1]) == []
    task = load(tmp_path / "back")
    assert list(task.networks) == ["1"]
    original = files(zoo / "networks" / "1")["weights.safetensors"]
    assert files(tmp_path / "back" / "networks" / "1")["weights.safetensors"] == original


def test_the_digest_of_a_source_sees_its_own_files_and_its_own_entry_alone(tmp_path: Path) -> None:
    entries: dict[str, Any] = {}
    for id_ in ("4", "7"):
        width = {"possible_values": [8], "current_value": 8}
        metrics = {"train_acc": 0.9, "test_acc": 0.8}
        entries[id_] = {"hparams": {"width": width}, "metrics": metrics}
        model = tmp_path / "input_data" / "mine" / f"model_{id_}"
        model.mkdir(parents=True)
        for name in ("config.json", "weights.hdf5", "weights_init.hdf5"):
            (model / name).write_text("as it was")
    reference = tmp_path / "reference_data" / "mine" / "model_configs.json"
    reference.parent.mkdir(parents=True)

    def digests() -> list[str]:
        reference.write_text(json.dumps(entries))
        return [source_digest(locate(tmp_path, "mine"), position) for position in (0, 1)]

    first, second = digests()
    assert first != second
    (tmp_path / "input_data" / "mine" / "model_4" / "weights.hdf5").write_text("trained again")
    changed, same = digests()
    assert (changed != first, same) == (True, second)
    entries["7"]["metrics"]["test_acc"] = 0.7
    assert digests()[0] == changed
    assert digests()[1] != second
    (tmp_path / "input_data" / "mine" / "model_7" / "weights.hdf5").unlink()
    with pytest.raises(GengapError, match=r"model_7/weights\.hdf5 is missing: download"):
        digests()


def test_a_task_without_test_accuracies_needs_no_test_data(
    tensorflow: Any, zoo: Path, tmp_path: Path
) -> None:
    export(zoo, tmp_path / "out")
    stated = json.loads(reference(tmp_path / "out").read_text())
    for entry in stated.values():
        del entry["metrics"]["test_acc"], entry["metrics"]["test_loss"]
    reference(tmp_path / "out").write_text(json.dumps(stated))
    shutil.rmtree(tmp_path / "out" / "input_data" / "tiny" / "dataset_1" / "test")
    receipt = download("tiny", tmp_path / "fetched", source=tmp_path / "out")
    assert not [name for name in receipt.files if "/test/" in name]
    tree = locate(tmp_path / "out", "tiny")
    import_dataset(tree, tmp_path / "back")
    assert read_split_or_none(tmp_path / "back" / "dataset" / "test.safetensors") is None
    recomputed = import_network(tree, 0, tmp_path / "back")
    assert (recomputed.stated_test, recomputed.test) == (None, None)
    assert recomputed.train == pytest.approx(recomputed.stated_train)
    metrics = Metrics.read(tmp_path / "back" / "networks" / "0" / "metrics.json")
    assert (metrics.test_accuracy, metrics.test_loss) == (None, None)
