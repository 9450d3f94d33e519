"""Families of a shard are computed once, and their files are checked before they are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gengap.errors import GengapError
from gengap.failures import Failure, write_failures
from gengap.measures.shards import ShardMeasures, make_family

FAILURE = Failure("measure", "3", "no reason")


class Maker:
    """Writes a family's files and counts how often."""

    def __init__(self, text: str = "a,b\n") -> None:
        self.text, self.calls = text, 0

    def __call__(self, table: Path, failed: Path) -> None:
        assert not table.exists()
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(self.text)
        write_failures(failed, [FAILURE])
        self.calls += 1


def test_a_family_of_the_same_inputs_is_kept(tmp_path: Path) -> None:
    make = Maker()
    folder = tmp_path / "measures" / "baseline"
    first = make_family(folder, "0", "digest", make)
    assert make_family(folder, "0", "digest", make) == first
    assert make.calls == 1
    assert set(first) == {"0.csv", "0.failed.json"}
    make_family(folder, "0", "another digest", make)
    assert make.calls == 2
    make_family(folder, "1", "another digest", make)
    assert make.calls == 3


@pytest.mark.parametrize("name", ["0.csv", "0.failed.json", "0.json"])
@pytest.mark.parametrize("content", [None, "{"])
def test_a_family_whose_files_have_changed_is_computed_anew(
    name: str, content: str | None, tmp_path: Path
) -> None:
    make = Maker()
    expected = make_family(tmp_path, "0", "digest", make)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(content)
    assert make_family(tmp_path, "0", "digest", make) == expected
    assert make.calls == 2


def test_a_family_that_fails_leaves_no_files_of_other_inputs(tmp_path: Path) -> None:
    make_family(tmp_path, "0", "digest", Maker())

    def fail(table: Path, failed: Path) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        make_family(tmp_path, "0", "another digest", fail)
    assert list(tmp_path.iterdir()) == []


def shard(folder: Path) -> Path:
    files = make_family(folder / "measures" / "baseline", "0", "digest", Maker())
    path = folder / "measures" / "0.json"
    ShardMeasures(path, {"baseline": files}).write()
    return path


def test_the_files_of_a_shard_are_found_again(tmp_path: Path) -> None:
    measures = ShardMeasures.read(shard(tmp_path))
    assert measures.table("baseline").read_text() == "a,b\n"
    assert measures.failures("baseline") == [FAILURE]


def test_a_table_that_has_changed_is_refused(tmp_path: Path) -> None:
    measures = ShardMeasures.read(shard(tmp_path))
    (tmp_path / "measures" / "baseline" / "0.csv").write_text("a,c\n")
    with pytest.raises(GengapError, match=r"measures/baseline/0.csv is not .*: delete .*0.json"):
        measures.table("baseline")
    with pytest.raises(GengapError, match=r"measures/norms/0.csv is not"):
        measures.table("norms")


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"networks": {}})])
def test_a_list_that_is_none_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "0.json"
    path.write_text(content)
    with pytest.raises(GengapError, match="delete it and run the workflow again"):
        ShardMeasures.read(path)
