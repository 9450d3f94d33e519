"""Data from a function of one's own file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gengap.datasets import Dataset, load_own
from gengap.errors import GengapError

CODE = """
import numpy as np
import torch
from neighbour import LABELS
from torch.utils.data import Dataset, IterableDataset
from gengap.datasets import Split


class Images(Dataset):
    def __init__(self, count, shape=(3, 5, 5)):
        self.count, self.shape = count, shape

    def __len__(self):
        return self.count

    def __getitem__(self, row):
        return torch.full(self.shape, row / 100), LABELS[row % 2]


class Ragged(Images):
    def __getitem__(self, row):
        return torch.zeros(row + 1, 2), row % 2


class Stream(IterableDataset):
    def __iter__(self):
        yield torch.zeros(2), 0


def datasets(train=10, test=4):
    return Images(train), Images(test)


def arrays(root):
    import late
    x = np.arange(40.0).reshape(20, 2) + late.SHIFT
    return (torch.tensor(x), torch.arange(20) % 2), [x[:6].tolist(), ["1", "0", "1", "0", "1", "0"]]


def random():
    x = torch.rand(20, 2)
    return (x, torch.arange(20) % 2), (np.random.rand(6, 2), np.arange(6) % 2)


def splits():
    x = np.zeros((6, 2), np.float32)
    both = Split(x, np.array([0, 2] * 3), 3, class_names=("a", "b", "c"))
    return both, both


def one(): return Images(3)
def pair(): return np.zeros((4, 2)), np.zeros(4)
def ragged(): return Ragged(3), Ragged(3)
def stream(): return Stream(), Stream()
def empty(): return Images(0), Images(0)
def items(): return [torch.zeros(2), torch.zeros(2), torch.zeros(2)], Images(2)
def objects(): return ([object()] * 4, [0] * 4), ([object()] * 4, [0] * 4)
half = lambda: ((torch.ones(4, 2).bfloat16(), [0, 1, 0, 1]), (torch.ones(4, 2).half(), [0, 1] * 2))
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "my_data.py").write_text(CODE)
    (tmp_path / "neighbour.py").write_text("LABELS = [1, 2]\n")
    (tmp_path / "late.py").write_text("SHIFT = 100\n")
    return tmp_path


def made(folder: Path, name: str, **keys: Any) -> Dataset:
    return load_own({"from": f"my_data.py:{name}", **keys}, folder=folder)


def test_torch_datasets_are_collected(own: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = made(own, "datasets", keywords={"train": 8})
    assert data.train.inputs.shape == (8, 5, 5, 3)
    assert len(data.test.labels) == 4
    assert data.train.class_names == ("1", "2")
    rows = np.round(data.train.inputs[:, 0, 0, 0] * 100).astype(int)
    assert sorted(rows.tolist()) == list(range(8))
    np.testing.assert_array_equal(data.train.labels, rows % 2)
    assert "are taken to be NCHW" in caplog.text


def test_arrays_are_taken_and_neighbours_are_imported_also_late(own: Path) -> None:
    before = list(sys.path)
    (own / "my_data.py").write_text(CODE.replace('["1", "0", "1", "0", "1", "0"]', "[1, 0] * 3"))
    data = made(own, "arrays", keywords={"root": "data"})
    assert data.train.inputs.min() == 100
    assert sys.path == before
    assert not {"neighbour", "late", "gengap_own_my_data"} & set(sys.modules)


def test_random_choices_of_the_function_are_seeded_and_leave_no_trace(own: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second = made(own, "random"), made(own, "random")
    assert torch.rand(1) == expected
    np.testing.assert_array_equal(first.train.inputs, second.train.inputs)
    np.testing.assert_array_equal(first.test.inputs, second.test.inputs)


def test_splits_keep_what_they_know(own: Path) -> None:
    data = made(own, "splits")
    assert data.classes == 3
    assert data.train.class_names == ("a", "b", "c")


def test_half_precision_is_read(own: Path) -> None:
    assert made(own, "half").train.inputs.dtype == np.float32


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("one", r"my_data\.py:one returns a Images: let it return the training and the test data"),
        ("pair", r"pair \(training data\) are a ndarray: return a pair \(inputs, labels\)"),
        ("ragged", r"differ in shape \(\(1, 2\) of item 0, \(2, 2\) of item 1\)"),
        ("stream", r"stream \(training data\) are a Stream: return"),
        ("empty", "hold no samples"),
        ("items", r"Item 0 of .* is a Tensor: give pairs"),
        ("objects", "holds a list of 4: give tensors or arrays of numbers"),
        ("arrays", r"holds the class '0', '1', which the training data do not have"),
    ],
)
def test_what_makes_no_data_is_refused(name: str, sentence: str, own: Path) -> None:
    keywords = {"root": "."} if name == "arrays" else {}
    with pytest.raises(GengapError, match=sentence):
        made(own, name, keywords=keywords)


def test_images_of_pillow_are_refused_with_the_remedy(own: Path) -> None:
    code = "from PIL import Image\ndef make():\n"
    code += "    data = [(Image.new('L', (2, 2)), 0), (Image.new('L', (2, 2)), 1)] * 2\n"
    (own / "my_data.py").write_text(code + "    return data, data\n")
    with pytest.raises(GengapError, match="an image of Pillow: turn it into a tensor"):
        made(own, "make")
