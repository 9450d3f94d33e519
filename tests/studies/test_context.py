"""The context of a run, and the data that its seed draws."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gengap import seeding
from gengap.datasets import load
from gengap.errors import GengapError
from gengap.studies.context import Context, load_dataset, state_folder
from gengap.studies.result_files import ResultFiles

CONTEXT = Context(7, None, torch.device("cpu"), Path("states"))


def test_random_choices_are_those_of_the_seed_and_the_purpose() -> None:
    assert CONTEXT.seed_for("chain", 3) == seeding.derive(7, "chain", 3)
    expected = seeding.generator(7, "moves", "top").random(4)
    assert np.array_equal(CONTEXT.generator("moves", "top").random(4), expected)
    drawn = torch.rand(4, generator=CONTEXT.torch_generator("noise"))
    assert torch.equal(drawn, torch.rand(4, generator=seeding.torch_generator(7, "noise")))
    assert not torch.equal(drawn, torch.rand(4, generator=CONTEXT.torch_generator("pgd")))


def test_a_derived_context_has_a_seed_and_a_state_of_its_own() -> None:
    files = ResultFiles(Path("0"), ["weights"])
    writing = dataclasses.replace(CONTEXT, files=files, resume_from=Path("0.unfinished"))
    assert writing.derived("law", 100).files == ResultFiles(Path("0/law/100"), ["weights"])
    assert writing.derived("law", 100).resume_from == Path("0.unfinished/law_100")
    part = CONTEXT.derived("law", "lenet", 100)
    state = Path("states/law_lenet_100")
    assert part == Context(seeding.derive(7, "law", "lenet", 100), None, torch.device("cpu"), state)


def test_the_data_are_drawn_from_the_seed_of_the_run() -> None:
    dataset: dict[str, Any] = {"name": "digits", "train_size": 20, "test_size": 10}
    data = load_dataset(CONTEXT, dataset)
    expected = load("digits", train_size=20, test_size=10, seed=seeding.derive(7, "data"))
    assert np.array_equal(data.train.inputs, expected.train.inputs)
    own = load_dataset(CONTEXT, dataset, seed=CONTEXT.seed)
    assert np.array_equal(own.test.inputs, load(**dataset, seed=7).test.inputs)
    assert not np.array_equal(own.test.inputs, data.test.inputs)


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        (
            {"name": "digits", "trian_size": 20},
            "unknown key 'trian_size': choose among name, train",
        ),
        ({"name": "digits", "seed": 1}, "unknown key 'seed'"),
        ({"name": "digits", "data_dir": "here"}, "unknown key 'data_dir'"),
        ({"train_size": 20}, "has no 'name': choose one of digits"),
        ({"name": "digitz"}, "Unknown dataset 'digitz'"),
    ],
)
def test_a_fault_of_the_dataset_is_named(dataset: dict[str, object], sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        load_dataset(CONTEXT, dataset)


def test_finished_parts_are_read_where_a_run_was_interrupted(tmp_path: Path) -> None:
    calls: list[str] = []

    def compute() -> dict[str, np.ndarray]:
        calls.append("computed")
        return {"curve": np.arange(3.0), "one": np.array(2.5)}

    alone = dataclasses.replace(CONTEXT, resume_from=None)
    assert alone.kept("part", compute)["one"] == 2.5
    kept = dataclasses.replace(CONTEXT, resume_from=tmp_path)
    for _ in range(2):
        part = kept.kept("part", compute)
        np.testing.assert_array_equal(part["curve"], np.arange(3.0))
        assert part["one"] == 2.5
    assert calls == ["computed"] * 2
    assert kept.derived("law", 100).resume_from == tmp_path / "law_100"


def test_the_state_of_a_run_with_other_settings_is_removed(tmp_path: Path) -> None:
    outcome = tmp_path / "runs" / "0.npz"
    folder = state_folder(outcome, 0, {"epochs": 3})
    (folder / "part.npz").write_text("kept")
    assert state_folder(outcome, 0, {"epochs": 3}) == folder == tmp_path / "runs" / "0.unfinished"
    assert (folder / "part.npz").exists()
    state_folder(outcome, 0, {"epochs": 4})
    assert not (folder / "part.npz").exists()
