"""Files are written whole, seeds follow from names, and packages import in one direction."""

from __future__ import annotations

import ast
import errno
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import gengap
from gengap.errors import MachineError
from gengap.files import ABANDONED_AFTER, remove_partial_files, writing
from gengap.seeding import derive, generator, salted, sequence, torch_generator

PACKAGES = (
    "planning", "datasets", "networks", "training", "tasks", "activations", "topology",
    "curvature", "tangent", "measures", "evaluation", "prediction", "figures", "dashboard",
    "studies", "cli",
)  # fmt: skip
GROUND_FLOOR = {
    "arguments", "bisection", "errors", "failures", "files", "limits", "names", "pgdl_layout",
    "planned_figures", "seeding", "threads",
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


def fail_as_safetensors(_: Path) -> None:
    """Fail as safetensors does, which repeats the system's message in an error of its own."""
    raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")


def over_quota(_: Path) -> None:
    raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (fill, "No space left on device"),
        (fail_as_safetensors, "No space left on device"),
        (over_quota, "Disk quota exceeded"),
    ],
)
def test_a_full_disk_is_reported_in_one_sentence(
    write: Callable[[Path], object], reason: str, tmp_path: Path
) -> None:
    target = tmp_path / "table.csv"
    sentence = rf"Cannot write .*table\.csv \({reason}\): make room"
    with pytest.raises(MachineError, match=sentence), writing(target):
        write(Path("/dev/full"))
    assert list(tmp_path.iterdir()) == []


def backdate(path: Path, seconds: float) -> None:
    """Set the time of a file's last change back."""
    changed = time.time() - seconds
    os.utime(path, (changed, changed), follow_symlinks=False)


def test_partial_files_of_killed_jobs_are_removed(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "digits" / "networks" / "3" / "weights.safetensors"
    code = (
        "import os, signal, sys; from gengap.files import writing\n"
        "with writing(sys.argv[1]): os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {"PYTHONPATH": str(root / "src")}
    killed = subprocess.run([sys.executable, "-c", code, str(target)], env=environment)
    assert killed.returncode == -signal.SIGKILL
    (abandoned,) = target.parent.iterdir()
    assert remove_partial_files(tmp_path) == 0
    backdate(abandoned, ABANDONED_AFTER + 60)
    assert remove_partial_files(tmp_path) == 1
    assert list(target.parent.iterdir()) == []
    assert remove_partial_files(tmp_path / "nowhere") == 0


def test_files_that_may_still_be_written_or_are_no_partial_files_are_kept(tmp_path: Path) -> None:
    outside, results = tmp_path / "outside", tmp_path / "results"
    outside.mkdir()
    (results / "digits").mkdir(parents=True)
    ages = {
        outside / ".part-of-another-run.csv": 2 * ABANDONED_AFTER,
        results / "digits" / ".part-running.csv": ABANDONED_AFTER - 60,
        results / "digits" / ".part-of-a-clock-ahead.csv": -ABANDONED_AFTER,
        results / "digits" / "measures.csv": 2 * ABANDONED_AFTER,
        results / "digits" / ".weights.hdf5.01234567.part": 2 * ABANDONED_AFTER,
    }
    for path, age in ages.items():
        path.touch()
        backdate(path, age)
    (results / "linked").symlink_to(outside)
    assert remove_partial_files(results) == 0
    assert all(path.exists() for path in ages)


def test_a_partial_file_that_another_process_removes_first_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (".part-a.csv", ".part-b.csv"):
        (tmp_path / name).touch()
        backdate(tmp_path / name, 2 * ABANDONED_AFTER)
    unlink = os.unlink

    def raced(path: str) -> None:
        unlink(path)
        if path.endswith("a.csv"):
            raise FileNotFoundError(path)

    monkeypatch.setattr(os, "unlink", raced)
    assert remove_partial_files(tmp_path) == 1


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


def test_seeds_of_public_calls_are_salted_and_derived_ones_are_not() -> None:
    assert salted(0, "trace").random() == salted(0, "trace").random()
    plain = np.random.default_rng(0).random()
    assert len({plain, salted(0, "trace").random(), salted(0, "eigenpairs").random()}) == 3
    derived = sequence(0, "task", "eigenvalues")
    assert salted(derived, "trace").random() == generator(0, "task", "eigenvalues").random()


def test_torch_generator_repeats() -> None:
    torch = pytest.importorskip("torch")
    first = torch.rand(3, generator=torch_generator(0, "x"))
    assert torch.equal(first, torch.rand(3, generator=torch_generator(0, "x")))


def imported_modules(path: Path) -> set[str]:
    """Packages and modules of gengap that a file imports, at the top or inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("gengap.")}


def sources(library: Path, name: str) -> list[Path]:
    """The files of a package, or the file of a module."""
    return [*(library / name).rglob("*.py"), *library.glob(f"{name}.py")]


def test_every_package_has_its_place_in_the_order(root: Path) -> None:
    library = root / "src" / "gengap"
    packages = {folder.parent.name for folder in library.glob("*/__init__.py")}
    assert packages <= set(PACKAGES)
    assert all(sources(library, name) for name in (*PACKAGES, *GROUND_FLOOR))


@pytest.mark.parametrize("name", [*PACKAGES, *sorted(GROUND_FLOOR)])
def test_a_package_imports_only_from_packages_before_it(root: Path, name: str) -> None:
    before = PACKAGES[: PACKAGES.index(name) + 1] if name in PACKAGES else ()
    for path in sources(root / "src" / "gengap", name):
        later = imported_modules(path) & set(PACKAGES) - set(before)
        assert not later, f"{path} imports {sorted(later)}"


def test_the_package_docstring_names_every_package_in_order() -> None:
    assert gengap.__doc__ is not None
    introduction, *entries = gengap.__doc__.split("\n- ")
    assert tuple(re.findall(r"^``(\w+)``: \w", "\n".join(entries), re.M)) == PACKAGES
    assert set(re.findall(r"``(\w+)``", introduction)) == GROUND_FLOOR
