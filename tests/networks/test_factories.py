"""Networks made by functions in the user's own files, and copies of that code."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gengap.errors import GengapError
from gengap.networks import (
    batched_outputs,
    build,
    copy_code,
    factory_keywords,
    read_weights,
    write_weights,
)

VECTORS = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)
TOKENS = np.random.default_rng(0).integers(1, 9, (5, 4))

NETWORKS = """
from torch import nn
import neighbours
from .parts.heads import head

class Own(nn.Module):
    def __init__(self, width=8, *, outputs: int = 3):
        super().__init__()
        self.hidden = nn.Linear(6, width)
        self.act = neighbours.activation()
        self.head = head(width, outputs)

    def forward(self, inputs):
        return self.head(self.act(self.hidden(inputs)))

def late(width=4):
    from neighbours import NAME  # imported when the factory is called
    network = Own(width)
    network.name = NAME
    return network

def tokens(words):
    return nn.Sequential(nn.EmbeddingBag(words, 5), nn.Linear(5, 2))

def nothing():
    return 3

def fails():
    raise ValueError("the width\\nis odd.")

def loose(**keywords):
    return Own(**keywords)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder: a file, a module beside it, and a package."""
    folder = tmp_path / "own"
    (folder / "parts").mkdir(parents=True)
    (folder / "mynets.py").write_text(NETWORKS)
    (folder / "neighbours.py").write_text(
        "from torch import nn\nNAME = 'first'\ndef activation(): return nn.ReLU()\n"
    )
    (folder / "parts" / "heads.py").write_text(
        "from torch import nn\ndef head(width, outputs): return nn.Linear(width, outputs)\n"
    )
    return folder


def spec(name: str, **keywords: Any) -> dict[str, Any]:
    return {"factory": f"mynets.py:{name}", "keywords": keywords}


def test_a_class_in_a_users_file_is_built_and_completed(folder: Path) -> None:
    network = build(spec("Own", width=5), example=VECTORS, folder=folder)
    assert network.spec == {
        "factory": "mynets.py:Own",
        "keywords": {"width": 5},
        "input_shape": [6],
        "input_type": "float32",
        "outputs": 3,
        "observe": ["hidden", "head"],
    }
    assert network.observed == {"hidden": "act", "head": "head"}
    assert not network.training


def test_a_completed_spec_builds_the_same_without_an_example(folder: Path) -> None:
    network = build(spec("Own", width=5), example=VECTORS, folder=folder)
    write_weights(network, folder / "w.safetensors")
    again = build(json.loads(json.dumps(network.spec)), folder=folder)
    assert again.spec == network.spec
    assert again.observed == network.observed
    # Made from a fixed seed: the first weights are the same too.
    torch.testing.assert_close(batched_outputs(again, VECTORS), batched_outputs(network, VECTORS))
    read_weights(again, folder / "w.safetensors")
    torch.testing.assert_close(batched_outputs(again, VECTORS), batched_outputs(network, VECTORS))


def test_a_completed_spec_knows_tokens(folder: Path) -> None:
    network = build(spec("tokens", words=9), example=TOKENS, folder=folder)
    assert network.spec["input_type"] == "int64"
    assert build(network.spec, folder=folder).spec == network.spec


def test_the_random_state_is_left_alone(folder: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    build(spec("Own"), example=VECTORS, folder=folder)
    assert torch.equal(torch.get_rng_state(), before)


def test_two_files_of_one_name_keep_their_own_neighbours(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "neighbours.py").write_text(
        "from torch import nn\nNAME = 'second'\ndef activation(): return nn.Tanh()\n"
    )
    names, path = set(sys.modules), list(sys.path)
    for _ in range(2):
        for place, name, activation in ((folder, "first", "ReLU"), (other, "second", "Tanh")):
            network = build(spec("late"), example=VECTORS, folder=place)
            module: Any = network.__dict__["_module"]
            assert module.name == name
            assert type(network.get_submodule("act")).__name__ == activation
    assert sys.path == path
    assert all(name.startswith("gengap_own_") for name in set(sys.modules) - names)
    assert not list(folder.rglob("__pycache__"))


def test_a_loaded_module_of_a_neighbours_name_stays(folder: Path) -> None:
    mine = sys.modules["neighbours"] = sys.modules["json"]
    try:
        network = build(spec("late"), example=VECTORS, folder=folder)
        assert network.__dict__["_module"].name == "first"
        assert sys.modules["neighbours"] is mine
    finally:
        del sys.modules["neighbours"]


def test_an_edited_file_is_imported_anew(folder: Path) -> None:
    assert type(build(spec("Own"), example=VECTORS, folder=folder).get_submodule("act")) is (
        torch.nn.ReLU
    )
    (folder / "neighbours.py").write_text("from torch import nn\nactivation = nn.GELU\n")
    assert type(build(spec("Own"), example=VECTORS, folder=folder).get_submodule("act")) is (
        torch.nn.GELU
    )


def test_code_is_copied_with_what_it_imports(folder: Path, tmp_path: Path) -> None:
    (folder / "unused.py").write_text("raise RuntimeError\n")
    network = build(spec("Own"), example=VECTORS, folder=folder)
    into = tmp_path / "results" / "code"
    copied = copy_code(network.spec, folder, into)
    digest, _, rest = copied["factory"].partition("/")
    assert rest == "mynets.py:Own"
    assert {key: copied[key] for key in copied if key != "factory"} == {
        key: network.spec[key] for key in network.spec if key != "factory"
    }
    files = {path.relative_to(into / digest).as_posix() for path in into.rglob("*.py")}
    assert files == {"mynets.py", "neighbours.py", "parts/heads.py"}
    assert copy_code(network.spec, folder, into) == copied
    shutil.rmtree(folder)
    again = build(copied, folder=into)
    torch.testing.assert_close(batched_outputs(again, VECTORS), batched_outputs(network, VECTORS))


def test_other_code_comes_into_another_folder(folder: Path, tmp_path: Path) -> None:
    first = copy_code(spec("Own"), folder, tmp_path / "code")["factory"]
    (folder / "neighbours.py").write_text("from torch import nn\nactivation = nn.Tanh\n")
    assert copy_code(spec("Own"), folder, tmp_path / "code")["factory"] != first


def test_a_spec_without_a_factory_has_no_code(tmp_path: Path) -> None:
    given = {"hub": "torchvision:resnet18", "keywords": {}}
    assert copy_code(given, tmp_path, tmp_path / "code") == given
    assert not (tmp_path / "code").exists()


def test_keywords_of_a_factory_are_known(folder: Path) -> None:
    assert factory_keywords("mynets.py:Own", folder=folder) == ("width", "outputs")
    assert factory_keywords("mynets.py:loose", folder=folder) == ()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (spec("Own", widht=3), r"mynets\.py: Own: got an unexpected keyword argument 'widht'; its"),
        (spec("tokens"), r"mynets\.py: tokens: missing a required argument: 'words'"),
        (spec("absent"), r"mynets\.py has no function absent: its functions and classes are Own"),
        (spec("nothing"), r"mynets\.py: nothing returns a int, not a torch\.nn\.Module"),
        (spec("fails"), r"mynets\.py: fails fails \(ValueError: the width is odd\)"),
        (spec("loose", depth=2), r"mynets\.py: loose fails \(TypeError: .*'depth'"),
        ({"factory": "mynets.py"}, "give a Python file and a function in it"),
        ({"factory": 3}, "give a Python file and a function in it"),
        ({"factory": "absent.py:Own"}, r"absent\.py does not exist: correct its path"),
        ({**spec("Own"), "keywords": [1]}, r"keywords is \[1\]"),
        ({**spec("Own"), "width": 3}, "Unknown key 'width' in a network's spec with factory"),
        ({**spec("Own"), "outputs": 4}, "gives 3 outputs, not the 4 that are stated"),
        ({**spec("Own"), "hub": "torchvision:vgg11"}, "give one of them"),
    ],
)
def test_wrong_specs_are_refused_in_a_sentence(
    folder: Path, given: dict[str, Any], reason: str
) -> None:
    with pytest.raises(GengapError, match=reason):
        build(given, example=VECTORS, folder=folder)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("import absent_package\n", r"ModuleNotFoundError: No module named 'absent_package'"),
        ("def Own(:\n", r"mynets\.py is no Python that can be read"),
        ("import sys\nsys.exit(2)\n", r"cannot be imported \(SystemExit: 2\)"),
        ("1 / 0\n", r"cannot be imported \(ZeroDivisionError"),
    ],
)
def test_files_that_cannot_be_imported_are_refused(
    folder: Path, content: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "mynets.py").write_text(content)
    with caplog.at_level(logging.ERROR), pytest.raises(GengapError, match=reason):
        build(spec("Own"), example=VECTORS, folder=folder)
    if "no Python" not in reason:
        assert any(record.exc_info for record in caplog.records)
    # A mended file is imported.
    (folder / "mynets.py").write_text(NETWORKS)
    assert build(spec("Own"), example=VECTORS, folder=folder).outputs == 3


def test_inputs_must_be_known(folder: Path) -> None:
    with pytest.raises(GengapError, match="build it with an example of its inputs, or give input"):
        build(spec("Own"), folder=folder)
    assert build({**spec("Own"), "input_shape": [6]}, folder=folder).outputs == 3
    for wrong in ({"input_shape": "6"}, {"input_shape": [0]}, {"input_type": "uint8"}):
        given = {**spec("Own"), "input_shape": [6], **wrong}
        with pytest.raises(GengapError, match=next(iter(wrong))):
            build(given, folder=folder)
