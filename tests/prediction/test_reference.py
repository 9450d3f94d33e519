"""Freezing tasks into a reference, and its file."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file
from tests.prediction.conftest import MakeTask, pool

from gengap.datasets import Split, write_split
from gengap.errors import GengapError
from gengap.prediction import Reference, freeze, join
from gengap.prediction.predicting import familiar
from gengap.tasks import load


def assert_equal(first: object, second: object) -> None:
    """Hold that two values are equal, whatever they are made of."""
    if isinstance(first, np.ndarray):
        assert isinstance(second, np.ndarray)
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)
    elif isinstance(first, pd.DataFrame):
        assert isinstance(second, pd.DataFrame)
        pd.testing.assert_frame_equal(first, second)
    elif is_dataclass(first):
        assert type(first) is type(second)
        for field in fields(first):
            assert_equal(getattr(first, field.name), getattr(second, field.name))
    elif isinstance(first, (tuple, list)):
        assert isinstance(second, (tuple, list))
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_equal(one, other)
    else:
        assert first == second


def test_a_file_holds_all_of_a_reference(reference: Reference, tmp_path: Path) -> None:
    reference.save(tmp_path / "one.safetensors")
    read = Reference.load(tmp_path / "one.safetensors")
    assert_equal(reference, read)
    read.save(tmp_path / "two.safetensors")
    first, second = ((tmp_path / f"{name}.safetensors").read_bytes() for name in ("one", "two"))
    assert first == second


def test_a_hyper_parameter_is_the_same_as_text_and_where_it_is_missing(
    reference: Reference, tmp_path: Path
) -> None:
    rates = [0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001] * 4
    widths = [8, 16, None] * 9
    table = {"rate": rates[: len(reference.gaps)], "width": widths[: len(reference.gaps)]}
    grid = pd.DataFrame(table, index=reference.grid.index)
    varied = replace(reference, grid=grid)
    varied.save(tmp_path / "varied.safetensors")
    for one in varied, Reference.load(tmp_path / "varied.safetensors"):
        expected = one.hyper_parameter_columns([{"rate": 0.01, "width": 8}])
        np.testing.assert_array_equal(expected[:-1], one.hyper_parameter_columns())
        np.testing.assert_array_equal(
            one.hyper_parameter_columns([{"rate": "0.01", "width": "8"}]), expected
        )
        for missing in None, float("nan"):
            given = {"rate": 0.01, "width": missing}
            assert familiar(one, given) == (["rate", "width"], [])
            columns = one.hyper_parameter_columns([given])
            np.testing.assert_array_equal(columns[-1], columns[2] * [0, 1, 1] + [0.01, 0, 0])
        with pytest.raises(ValueError, match="rate has no level"):
            one.hyper_parameter_columns([{"rate": 0.5, "width": 8}])


def test_a_reference_has_what_its_task_says(task: Path, reference: Reference) -> None:
    trained = load(task)
    unfit = {f"small/{network}" for network in trained.unfit()}
    assert set(reference.networks) == {f"small/{name}" for name in trained.networks} - unfit
    replicates: dict[int, set[int]] = {}
    for name, gap, draw in zip(reference.networks, reference.gaps, reference.draws, strict=True):
        network = trained.networks[name.removeprefix("small/")]
        assert gap == network.gap
        replicates.setdefault(draw, set()).add(network.metrics.replicate)
    assert sorted(map(sorted, replicates.values())) == [[0], [1], [2]]
    assert reference.by_measures is not None
    assert reference.by_measures.assessment.fold == "draws of the training data"
    np.testing.assert_array_equal(reference.folds, reference.draws)
    assert set(reference.sizes) == {40}
    assert set(reference.r2_without) == set(reference.families)
    assert set(reference.r2_with_only) == set(reference.families)
    assert reference.by_measures.assessment.beats_mean
    assert reference.by_measures.assessment.r2 is not None
    assert reference.by_measures.assessment.r2 > 0.5


def test_tasks_that_share_their_data_are_joined(make_task: MakeTask) -> None:
    folders = [make_task(), make_task(name="other", own_draws=False, points=3)]
    joined = join([freeze(folder) for folder in folders])
    assert {name.split("/")[0] for name in joined.networks} == {"small", "other"}
    # All of the other task is the first draw of this one.
    draws = dict(zip(joined.networks, joined.draws, strict=True))
    assert {draw for name, draw in draws.items() if name.startswith("other")} == {draws["small/0"]}
    assert len(joined.draw_digests) == 3
    values = pd.read_csv(folders[1] / "measures.csv").set_index(["network", "measure"])["value"]
    row = joined.networks.index("other/4")
    assert list(joined.values[row]) == [values[4, measure] for measure in joined.measures]


def test_joining_is_what_one_task_of_all_networks_gives(make_task: MakeTask) -> None:
    task = make_task()
    whole, content = freeze(task), json.loads((task / "task.json").read_text())
    networks, parts = content["networks"], []
    for part in range(2):
        own = {name: entry for name, entry in networks.items() if int(name) % 2 == part}
        named = {**content, "name": f"part{part}", "networks": own}
        (task / "task.json").write_text(json.dumps(named))
        parts.append(freeze(task))
    assert [part.by_measures for part in parts] == [None, None]  # 13 and 14 networks
    joined = join(parts)
    assert joined.by_measures is not None
    assert whole.by_measures is not None
    assert sorted(joined.gaps) == sorted(whole.gaps)
    assert set(joined.measures) == set(whole.measures)
    assert joined.by_measures.assessment.r2 == pytest.approx(
        whole.by_measures.assessment.r2, rel=1e-9
    )


def test_tasks_that_do_not_belong_together(make_task: MakeTask) -> None:
    first, second = freeze(make_task()), make_task(name="other", own_draws=False, points=3)
    with pytest.raises(GengapError, match="share a name"):
        join([first, freeze(make_task())])
    data = pool()
    path = second / "dataset" / "train.safetensors"
    kept = path.read_bytes()
    write_split(Split(data.inputs[:40] + np.float32(2), data.labels[:40], 3), path)
    with pytest.raises(GengapError, match="data of other are not those"):
        join([first, freeze(second)])
    path.write_bytes(kept)
    recipe = json.loads((second / "recipe.json").read_text())
    (second / "recipe.json").write_text(json.dumps({**recipe, "slow": True}))
    with pytest.raises(GengapError, match="other 'slow'"):
        join([first, freeze(second)])


def test_a_task_without_measures_or_recipe(task: Path) -> None:
    (task / "measures.csv").unlink()
    with pytest.raises(GengapError, match=r"measures\.csv does not exist: run the workflow"):
        freeze(task)
    (task / "recipe.json").write_text('{"task": "small"}')
    with pytest.raises(GengapError, match="no recipe of measures"):
        freeze(task)
    (task / "recipe.json").unlink()
    with pytest.raises(GengapError, match="run the workflow again"):
        freeze(task)


def test_nothing_that_varies(task: Path) -> None:
    table = pd.read_csv(task / "measures.csv")
    table[table["measure"] == "parameter_count"].to_csv(task / "measures.csv", index=False)
    with pytest.raises(GengapError, match="no measure with one component varies"):
        freeze(task)


def test_no_reference_is_joined_of_none() -> None:
    with pytest.raises(GengapError, match="no reference to join"):
        join([])


def test_files_that_are_no_reference(reference: Reference, tmp_path: Path) -> None:
    path = tmp_path / "r.safetensors"
    with pytest.raises(GengapError, match="does not exist: correct the path, or write it"):
        Reference.load(path)
    path.write_bytes(b"text")
    with pytest.raises(GengapError, match="is no reference"):
        Reference.load(path)
    save_file({"gaps": np.zeros(3)}, path, metadata={"reference": '{"format": 1}'})
    with pytest.raises(GengapError, match="damaged reference"):
        Reference.load(path)
    save_file({"gaps": np.zeros(3)}, path, metadata={"reference": '{"format": 0}'})
    with pytest.raises(GengapError, match="another version"):
        Reference.load(path)


@pytest.mark.slow
def test_a_part_has_the_rows_and_draws_of_its_networks(make_task: MakeTask) -> None:
    whole = freeze(make_task(points=12))
    inside = whole.draws != 1
    part = whole.part(inside)
    assert part.networks == tuple(np.array(whole.networks)[inside])
    np.testing.assert_array_equal(part.values, whole.values[inside])
    assert len(part.draw_digests) == 2
    assert [part.draw_digests[draw] for draw in part.draws] == [
        whole.draw_digests[draw] for draw in whole.draws[inside]
    ]
    assert Reference.of(part).by_measures is not None
