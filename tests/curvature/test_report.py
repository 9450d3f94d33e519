"""The command for a saved network, and its report."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from gengap.cli import main
from gengap.curvature import effective_dimensionality, ggn, hessian
from gengap.curvature.report import report
from gengap.datasets import Split, load, write_split
from gengap.networks import dense, write_weights

Builder = Callable[..., nn.Module]
DataMaker = Callable[..., Split]

SPEC = dense((4,), 3, width=4, depth=1, activation="tanh")
PARAMETERS = 4 * 4 + 4 + 4 * 3 + 3


@pytest.fixture
def saved(tmp_path: Path, seeded: Builder) -> tuple[nn.Module, list[str]]:
    """A network, and the arguments that name its files."""
    network = seeded(SPEC)
    (tmp_path / "config.json").write_text(json.dumps(SPEC))
    write_weights(network, tmp_path / "weights.safetensors")
    return network, [str(tmp_path / "config.json"), str(tmp_path / "weights.safetensors")]


def written(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def test_a_named_dataset(
    saved: tuple[nn.Module, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network, files = saved
    output = tmp_path / "eigenvalues.npz"
    command = [
        "eigenvalues",
        *files,
        "--dataset",
        "iris",
        "--train-size",
        "60",
        "--output",
        str(output),
    ]
    main([*command, "--top", "5", "--bottom", "2", "--alpha", "0.1", "2", "--dtype", "float64"])
    found = written(output)
    data = load("iris", train_size=60).train
    spectrum = hessian(network, "cross_entropy", data, dtype="float64").spectrum()
    np.testing.assert_allclose(found["eigenvalues"], spectrum[:5], rtol=1e-6)
    np.testing.assert_allclose(found["smallest"], spectrum[::-1][:2], rtol=1e-6)
    for alpha, value in zip((0.1, 2.0), found["effective_dimensionality"], strict=True):
        assert value == pytest.approx(effective_dimensionality(spectrum[:5], alpha))
    assert found["negatives"] == 2
    assert abs(found["trace"] - spectrum.sum()) < 5 * found["trace_error"] + 1e-9
    assert found["parameters"] == PARAMETERS
    said = capsys.readouterr().out
    assert "below zero                2 of the 7 computed" in said
    assert "N_eff, alpha 2" in said
    assert "of the 5 largest eigenvalues" in said


def test_all_eigenvalues_of_a_split_with_other_labels(
    saved: tuple[nn.Module, list[str]],
    tmp_path: Path,
    random_split: DataMaker,
    capsys: pytest.CaptureFixture[str],
) -> None:
    network, files = saved
    data = random_split(20)
    labels = np.roll(data.labels, 1)
    write_split(data, tmp_path / "train.safetensors")
    np.save(tmp_path / "labels.npy", labels)
    output = tmp_path / "all.npz"
    main(
        [
            *("eigenvalues", *files, "--output", str(output)),
            *("--dataset", str(tmp_path / "train.safetensors")),
            *("--labels", str(tmp_path / "labels.npy"), "--all", "--matrix", "ggn"),
            *("--reduction", "sum"),
        ]
    )
    found = written(output)
    relabelled = Split(data.inputs, labels, 3)
    spectrum = ggn(network, "cross_entropy", relabelled, reduction="sum").spectrum()
    np.testing.assert_array_equal(found["eigenvalues"], spectrum)
    assert found["trace_error"] == 0
    assert found["trace"] == pytest.approx(spectrum.sum())
    said = capsys.readouterr().out
    assert "largest eigenvalues" not in said
    assert f"below zero                {found['negatives']}, of mass" in said


@pytest.mark.parametrize(("top", "bottom"), [(3, 5), (PARAMETERS - 2, 2), (PARAMETERS, 0)])
def test_negative_eigenvalues_are_looked_for_unless_told(
    top: int, bottom: int, saved: tuple[nn.Module, list[str]], random_split: DataMaker
) -> None:
    network, _ = saved
    data = random_split(20)
    found = report(network, "cross_entropy", data, top=top, dtype="float64")
    spectrum = hessian(network, "cross_entropy", data, dtype="float64").spectrum()
    np.testing.assert_allclose(found.smallest, spectrum[::-1][:bottom], atol=1e-6 * spectrum[0])
    assert found.negatives >= min(bottom, 1)


def test_the_same_bytes_again(saved: tuple[nn.Module, list[str]], tmp_path: Path) -> None:
    _, files = saved
    contents = []
    for name in ("first.npz", "second.npz"):
        command = ["eigenvalues", *files, "--dataset", "iris", "--top", "3"]
        assert main([*command, "--output", str(tmp_path / name)]) == 0
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


def test_a_named_dataset_has_the_keys_of_a_config(
    saved: tuple[nn.Module, list[str]], tmp_path: Path
) -> None:
    network, files = saved
    keys = {"classes": [2, 0], "transforms": [{"name": "normalise"}]}
    output = tmp_path / "two.npz"
    where = ["--dataset", "iris", "--data-keys", json.dumps(keys), "--output", str(output)]
    assert main(["eigenvalues", *files, *where, "--all", "--dtype", "float64"]) == 0
    data = load("iris", classes=[2, 0], transforms=[{"name": "normalise"}]).train
    spectrum = hessian(network, "cross_entropy", data, dtype="float64").spectrum()
    np.testing.assert_allclose(written(output)["eigenvalues"], spectrum, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--dataset", "iris", "--data-keys", '{"noise": 1}'], "names the dataset 'iris'.*'noise'"),
        (["--dataset", "iris", "--top", "30", "--bottom", "20"], "50 eigenvalues are asked for"),
        (["--dataset", "irises"], "Unknown dataset 'irises'"),
        (["--dataset", "digits"], "takes inputs of shape"),
        (["--dataset", "iris", "--alpha", "0"], "alpha of the effective dimensionality is 0.0"),
        (["--dataset", "iris", "--loss", "nll"], "nll needs a network that ends in softmax"),
        (["--dataset", "missing.safetensors"], "missing.safetensors does not exist"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str],
    sentence: str,
    saved: tuple[nn.Module, list[str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, files = saved
    output = tmp_path / "none.npz"
    assert main(["eigenvalues", *files, "--top", "3", *arguments, "--output", str(output)]) == 1
    assert re.fullmatch(f"error: .*{sentence}.*\n", capsys.readouterr().err)
    assert not output.exists()
