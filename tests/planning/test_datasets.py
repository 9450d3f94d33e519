"""What is known of one's own data before they are read: keys, files, functions, digests."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from tests.planning.conftest import Config, PlanMaker

from gengap.errors import GengapError
from gengap.planning.datasets import check_dataset, data_format, data_version


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images.v2" / "cat").mkdir(parents=True)
    (tmp_path / "images.v2" / "cat" / "1.png").write_bytes(b"one")
    (tmp_path / "images.csv").mkdir()
    (tmp_path / "my.csv").write_text("a,b\n1,2\n")
    (tmp_path / "my.npz").write_bytes(b"npz")
    code = "from other import make_more\nmade = print\nif True:\n    late = 1\n"
    code += 'def make(root="."): ...\ndef need(root, *, size=3): ...\ndef take(**keywords): ...\n'
    (tmp_path / "my_data.py").write_text(code)
    return tmp_path


@pytest.mark.parametrize(
    ("source", "form"),
    [
        ("a/b", "folder"),
        ("images.v2", "folder"),
        ("images.csv", "folder"),
        ("x.npz", "arrays"),
        ("x.SAFETENSORS", "arrays"),
        ("x.csv", "table"),
        ("x.parquet", "table"),
        ("x.arrow", "table"),
        ("a/x.py:make", "function"),
    ],
)
def test_the_format_is_that_of_the_name(source: str, form: str, folder: Path) -> None:
    assert data_format(source, folder) == form


@pytest.mark.parametrize(
    "dataset",
    [
        {"name": "digits", "train_size": 3},
        {"from": "images.v2", "test": "images.v2", "groups": [[0], [1]]},
        {"from": "my.npz", "inputs": "x", "layout": "NCHW", "groups": "patient"},
        {"from": "my.csv", "label": "b", "test_size": 0.2},
        {"from": "my_data.py:make", "keywords": {"root": "data"}},
        {"from": "my_data.py:make", "keywords": None, "classes": None, "balanced": None},
        {"from": "my_data.py:need", "keywords": {"root": "data"}},
        {"from": "my_data.py:take", "keywords": {"root": "data"}},
        {"from": "my_data.py:make_more", "keywords": {"any": 1}},
        {"from": "my_data.py:made"},
        {"from": "my_data.py:late"},
    ],
)
def test_what_is_there_passes(dataset: Config, folder: Path) -> None:
    check_dataset(dataset, "It", folder)


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        ({"name": "digits", "noise": 0.1}, "'digits', which has no key 'noise'"),
        (
            {"name": "digits", "layout": "NCHW"},
            "names the dataset 'digits', which has no key 'layout'",
        ),
        ({"from": "my.npz", "name": "digits"}, "gives both 'name' and 'from'"),
        ({"from": "images.v2", "layout": "NCHW"}, "folder 'images.v2', which has no key 'layout'"),
        ({"from": "my.npz", "label": "y"}, "arrays 'my.npz', which has no key 'label'"),
        ({"from": "my.csv"}, "table 'my.csv' without 'label': name the column"),
        ({"from": "my.csv", "label": "b", "inputs": "x"}, "has no key 'inputs'"),
        ({"from": "images.v2", "groups": "p"}, "the name 'p' as 'groups' of the folder"),
        ({"from": "absent"}, "names 'absent' as 'from', but there is no folder"),
        ({"from": "absent.npz"}, "there is no file .*absent.npz: correct the path"),
        ({"from": "my.npz", "test": "no.npz"}, "names 'no.npz' as 'test', but there is no file"),
        ({"from": "my.npz", "test": "images.v2"}, "no arrays like the training data"),
        ({"from": "my.xlsx"}, "in a file that no reader knows: give"),
        ({"from": "my_data.py"}, "name no function of the file: write 'file.py:function'"),
        ({"from": "my_data.py:absent"}, "my_data.py has no function or class 'absent'"),
        ({"from": "my_data.py:make", "keywords": {"rot": 1}}, "gives 'rot', .* keywords are root"),
        ({"from": "my_data.py:need"}, "lacks 'root', which it needs: its keywords are root, size"),
        ({"from": 5}, "gives 5 as 'from': give a text"),
        ({"from": "my.npz", "test": 5}, "gives 5 as 'test': give a text"),
        ({"from": "my.npz", "inputs": 5}, "gives 5 as 'inputs': give a text"),
        ({"from": "my.npz", "classes": "01"}, "gives '01' as 'classes': give a list of labels"),
        ({"from": "my.npz", "classes": 3}, "gives 3 as 'classes': give a list of labels"),
        ({"from": "my.npz", "classes": [[0], [1]]}, r"gives \[\[0\], \[1\]\] as 'classes'"),
        ({"from": "my.npz", "groups": [0, 1]}, "as 'groups': give a list of lists of labels, or a"),
        ({"from": "my.npz", "groups": 3}, "gives 3 as 'groups'"),
        ({"from": "my.npz", "balanced": "no"}, "gives 'no' as 'balanced': give true or false"),
        (
            {"from": "my.csv", "label": "b", "features": "ab"},
            "gives 'ab' as 'features': give a",
        ),
        ({"from": "my.csv", "label": "b", "features": ["a", "a"]}, "a list of different names"),
        ({"from": "my_data.py:make", "keywords": ["root"]}, "as 'keywords': give a mapping"),
        (
            {"from": "my.npz", "transforms": "normalise"},
            "'normalise' are no list of mappings",
        ),
        ({"from": "my.npz", "transforms": ["grey"]}, "are no list of mappings"),
        ({"from": "my.npz", "transforms": {"name": "grey"}}, "are no list of mappings"),
        ({"from": "my.npz", "transforms": [{"name": ["grey"]}]}, "Unknown transform .'grey'"),
        (
            {"from": "images.v2", "transforms": [{"name": "resize", "size": "8"}]},
            "size='8' of transform resize must be a whole number above 0",
        ),
        ({"from": "no.py:make"}, "there is no file .*no.py"),
    ],
)
def test_what_cannot_be_read_is_refused(dataset: Config, sentence: str, folder: Path) -> None:
    with pytest.raises(GengapError, match=sentence):
        check_dataset(dataset, "It", folder)


def test_code_that_is_no_python_is_named(folder: Path) -> None:
    (folder / "my_data.py").write_text("def make(")
    with pytest.raises(GengapError, match=r"my_data\.py is no Python that can be read"):
        check_dataset({"from": "my_data.py:make"}, "It", folder)


def test_the_digest_of_a_file_is_its_sha256(folder: Path) -> None:
    expected = hashlib.sha256(b"npz").hexdigest()
    assert data_version({"from": "my.npz", "test": "my.npz"}, folder) == [expected, expected]
    assert data_version({"name": "digits"}, folder) == []


def test_the_digest_of_a_folder_is_that_of_names_and_contents(folder: Path) -> None:
    def digest() -> list[str]:
        return data_version({"from": "images.v2"}, folder)

    images = folder / "images.v2" / "cat"
    seen = [digest()]
    (images / ".DS_Store").write_bytes(b"x")
    assert digest() == seen[0]
    (images / "1.png").write_bytes(b"two")
    seen.append(digest())
    (images / "1.png").rename(images / "2.png")
    seen.append(digest())
    (images / "3.png").write_bytes(b"two")
    seen.append(digest())
    assert len(set(map(str, seen))) == 4
    folder = folder.rename(folder.with_name("moved"))
    assert digest() == seen[-1]


def test_the_digest_of_a_function_is_that_of_its_code(folder: Path) -> None:
    dataset = {"from": "my_data.py:make"}
    before = data_version(dataset, folder)
    (folder / "unrelated.py").write_text("x = 1")
    assert data_version(dataset, folder) == before
    (folder / "other.py").write_text("make_more = 1")
    assert data_version(dataset, folder) != before


def test_a_plan_checks_the_data_of_its_zoos(
    plan_of: PlanMaker, reduced: Config, folder: Path
) -> None:
    def planned(dataset: dict[str, Any]) -> None:
        reduced["tasks"][0]["zoo"]["dataset"] = dataset
        plan_of(reduced)

    npz, table = str(folder / "my.npz"), str(folder / "my.csv")
    planned({"from": npz, "layout": "NCHW", "test_size": 0.2, "classes": ["a", 1]})
    planned({"from": table, "label": "b", "groups": "patient", "test_size": 20.0})
    for dataset, sentence in (
        ({"from": npz + "x"}, "The zoo of task 'reduced' takes|no reader knows"),
        ({"from": npz, "layout": "NWHC"}, r"dataset.layout': 'NWHC' is not one of"),
        ({"from": npz, "test_size": -0.2}, r"dataset.test_size': -0.2 is less than"),
        ({"from": npz, "lables": "y"}, "'lables' was unexpected"),
        ({"train_size": 5}, "'name' is a required property"),
        ({"name": "digits", "test_size": 0.2}, r"test_size': 0.2 is not of type 'integer'"),
        ({"name": "digits", "groups": "patient"}, r"groups': 'patient' is not of type 'array'"),
        ({"name": "digits", "classes": ["a", "b"]}, r"classes\[0\]': 'a' is not of type"),
    ):
        with pytest.raises(GengapError, match=sentence):
            planned(dataset)
