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
from gengap.studies.context import Context, load_dataset
from gengap.studies.result_files import ResultFiles

CONTEXT = Context(7, None, torch.device("cpu"), Path("states"))


def test_random_choices_are_those_of_the_seed_and_the_purpose() -> None:
    assert CONTEXT.seed_for("chain", 3) == seeding.derive(7, "chain", 3)
    expected = seeding.generator(7, "moves", "top").random(4)
    assert np.array_equal(CONTEXT.generator("moves", "top").random(4), expected)
    drawn = torch.rand(4, generator=CONTEXT.torch_generator("noise"))
    assert torch.equal(drawn, torch.rand(4, generator=seeding.torch_generator(7, "noise")))
    assert not torch.equal(drawn, torch.rand(4, generator=CONTEXT.torch_generator("pgd")))


def test_a_derived_context_has_a_seed_and_files_of_its_own() -> None:
    files = ResultFiles(Path("0"), ["weights"])
    writing = dataclasses.replace(CONTEXT, files=files, resume_from=Path("0.unfinished"))
    assert writing.derived("law", 100).files == ResultFiles(Path("0/law/100"), ["weights"])
    assert writing.derived("law", 100).resume_from == Path("0.unfinished")
    part = CONTEXT.derived("law", "lenet", 100)
    assert part == dataclasses.replace(CONTEXT, seed=seeding.derive(7, "law", "lenet", 100))


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
