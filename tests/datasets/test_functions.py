"""Data from a function of one's own file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gengap.datasets import Dataset, load_own
from gengap.errors import GengapError

CODE = """
import os
import sys
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
def need(root): return root
def fail(): raise RuntimeError("no  network.")
def leave(): sys.exit(3)
class Broken(Images):
    def __getitem__(self, row): raise IndexError(f"no row {row}")
class Endless(Images):
    def __len__(self): raise TypeError("no length")
def broken(): return Broken(3), Images(2)
def endless(): return Endless(3), Images(2)
def mixed(): return [(torch.zeros(2), 0), (torch.zeros(2), [1])] * 2, Images(2)
def sparse(): return (torch.eye(4).to_sparse(), [0, 1] * 2), Images(2)
def nested(): return (torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), [0, 1]), Images(2)
def meta(): return (torch.ones(4, 2, device="meta"), [0, 1] * 2), Images(2)
assigned = need
def change():
    os.chdir("/")
    os.environ["GENGAP_TEST"] = "1"
    np.seterr(all="raise")
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(7)
    torch.set_default_device("meta")
    del sys.path[0]
    raise RuntimeError("no data")
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
        ("fail", r"my_data\.py:fail failed \(RuntimeError: no network\): mend it; the log has the"),
        ("leave", r"my_data\.py:leave failed \(SystemExit: 3\)"),
        ("broken", r"Item 0 of .*broken \(training data\) failed \(IndexError: no row 0\)"),
        ("endless", r"The length of .*endless \(training data\) failed \(TypeError: no length\)"),
        ("mixed", r"Labels of .* differ in shape \(\(\) of item 0, \(1,\) of item 1\)"),
        ("sparse", r"holds a tensor that NumPy cannot hold \(torch\.sparse_coo, .*make it dense"),
        ("nested", "holds a tensor that NumPy cannot hold"),
        ("meta", "holds a tensor that NumPy cannot hold"),
        ("need", "lacks 'root', which it needs: its keywords are root"),
        ("assigned", r"assigned cannot be called .*'root'.*give 'keywords' that it has \(root\)"),
        ("objects", "holds a list of 4: give tensors or arrays of numbers"),
        ("arrays", r"\(test data\) are texts but those of .* \(training data\) are numbers"),
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


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("np.ma.masked_greater(x, 0.5), y", "holds masked values: leave these samples out"),
        ("x, np.ma.masked_equal(y, 1)", "holds masked values"),
        ("Split(np.ma.masked_greater(x, 0.5), y, 2)", "holds masked values"),
        (
            "[(np.ones((2, 2, 3), t), 0) for t in ('u1', 'f4') * 2]",
            r"differ in type \(uint8 of item 0, float32 of item 1\)",
        ),
        ("[np.ones((2, 2, 3), t) for t in ('u1', 'f4') * 10], y", "entries .* differ in type"),
    ],
)
def test_values_that_would_become_others_are_refused(code: str, sentence: str, own: Path) -> None:
    data = "x = np.random.rand(20, 3).astype('f4')\n    y = np.arange(20) % 2"
    extra = f"\ndef make():\n    {data}\n    part = {code}\n    return part, part\n"
    (own / "my_data.py").write_text(CODE + extra)
    with pytest.raises(GengapError, match=sentence):
        made(own, "make")


def test_columns_of_data_frames_must_be_in_one_order(own: Path) -> None:
    extra = """
def make(columns):
    import pandas as pd
    x = pd.DataFrame({"a": [0.0, 1.0], "b": [2.0, 3.0]})
    return (x, [0, 1]), (x[columns], [0, 1])
"""
    (own / "my_data.py").write_text(CODE + extra)
    data = made(own, "make", keywords={"columns": ["a", "b"]})
    assert data.test.inputs.tolist() == [[0, 2], [1, 3]]
    with pytest.raises(GengapError, match=r"are 'a', 'b' but those .* are 'b', 'a': give both the"):
        made(own, "make", keywords={"columns": ["b", "a"]})


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("import not_there\n", "ModuleNotFoundError: No module named 'not_there'"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_file_that_cannot_be_imported_is_named(
    code: str, cause: str, own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (own / "my_data.py").write_text(code + "def make(): ...\n")
    with pytest.raises(GengapError, match=rf"import of .*py failed \({cause}\)") as failure:
        made(own, "make")
    assert failure.value.__cause__ is not None
    assert "Traceback" in caplog.text


def test_what_a_function_sets_for_the_whole_process_is_restored(own: Path) -> None:
    def state() -> list[Any]:
        return [
            Path.cwd(), dict(os.environ), list(sys.path), np.geterr(), torch.get_default_dtype(),
            torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled(),
            torch.get_num_threads(), torch.get_default_device(),
        ]  # fmt: skip

    before = state()
    with pytest.raises(GengapError, match="no data"):
        made(own, "change")
    assert state() == before
