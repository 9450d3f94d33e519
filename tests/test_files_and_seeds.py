"""Atomic writing, named seeds, and the order of the rooms."""

from __future__ import annotations

import ast
import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gengap.errors import MachineError
from gengap.files import writing
from gengap.seeding import derive, generator, torch_generator

ROOMS = (
    "planning", "datasets", "networks", "training", "tasks", "activations", "topology",
    "curvature", "tangent", "measures", "evaluation", "figures", "dashboard", "studies",
)  # fmt: skip
FOUNDATION = {
    "errors", "failures", "files", "limits", "names", "planned_figures", "seeding",
}  # fmt: skip


def test_writing_renames_only_on_success(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "table.csv"
    with writing(target) as part:
        part.write_text("done")
        assert part.suffix == ".csv"
        assert not target.exists()
    assert target.read_text() == "done"

    def fail() -> None:
        with writing(target) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "done"
    assert [path.name for path in target.parent.iterdir()] == ["table.csv"]


def test_writing_below_a_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file, not a folder")
    refused = pytest.raises(MachineError, match=r"Cannot write .*table\.csv .*writable")
    with refused, writing(tmp_path / "results" / "table.csv"):
        pass


def test_a_disk_that_takes_no_new_file_is_no_networks_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "mkstemp", full)
    sentence = r"Cannot write .*table\.csv \(No space left on device\): make room"
    with pytest.raises(MachineError, match=sentence), writing(tmp_path / "table.csv"):
        pass


def fill(full: Path) -> None:
    with full.open("w") as file:
        file.write("x" * 10_000)
        file.flush()


def system_says(_: Path) -> None:
    """As safetensors passes on what the system said."""
    raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")


def over_quota(_: Path) -> None:
    raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (fill, "No space left on device"),
        (system_says, "No space left on device"),
        (over_quota, "Disk quota exceeded"),
    ],
)
def test_a_full_disk_is_said_in_one_sentence(
    write: Callable[[Path], object], reason: str, tmp_path: Path
) -> None:
    target = tmp_path / "table.csv"
    sentence = rf"Cannot write .*table\.csv \({reason}\): make room"
    with pytest.raises(MachineError, match=sentence), writing(target):
        write(Path("/dev/full"))
    assert list(tmp_path.iterdir()) == []


def test_seeds_depend_on_every_word_and_on_nothing_else() -> None:
    assert derive(0, "digits", 3, "train") == derive(0, "digits", 3, "train")
    seeds = {
        derive(0, "a", "bc"), derive(0, "ab", "c"), derive(0, "a", "b", "c"),
        derive(1, "a", "bc"), derive(0, "bc", "a"), derive(0),
    }  # fmt: skip
    assert len(seeds) == 6
    assert generator(0, "x").random() == generator(0, "x").random()
    draws = generator(0, "uniform").random(4000)
    assert abs(float(np.mean(draws)) - 0.5) < 5 * np.sqrt(1 / 12 / 4000)


def test_torch_generator_repeats() -> None:
    torch = pytest.importorskip("torch")
    first = torch.rand(3, generator=torch_generator(0, "x"))
    assert torch.equal(first, torch.rand(3, generator=torch_generator(0, "x")))


def imported_rooms(path: Path) -> set[str]:
    """Names of gengap's parts that a module imports, at the top or inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("gengap.")}


def test_a_room_imports_only_from_rooms_before_it(root: Path) -> None:
    library = root / "src" / "gengap"
    found = [folder.name for folder in library.iterdir() if (folder / "__init__.py").is_file()]
    assert set(found) <= set(ROOMS)
    for room in found:
        allowed = FOUNDATION | set(ROOMS[: ROOMS.index(room) + 1])
        for path in (library / room).rglob("*.py"):
            known = imported_rooms(path) & (set(ROOMS) | FOUNDATION)
            assert known <= allowed, f"{path} imports {sorted(known - allowed)}"
