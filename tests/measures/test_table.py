"""The page that lists every measure, and the script that writes it."""

from __future__ import annotations

import importlib
import math
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gengap.measures import FAMILIES, Subject, measure
from gengap.measures.registry import declaration, members


@pytest.fixture(scope="module")
def script(root: Path) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root / "scripts"))
        return importlib.import_module("measures_table")


@measure("norm", "log_norm", "life.H0", "life.H1", sees="kernels", needs={"classes", "initial"})
def several(subject: Subject) -> dict[str, float]:
    """Compute several things.

    What this means is no part of the table.

    Equation:
        With W the kernels:
        - ``norm``, ``log_norm``: ||W||_2, see
          :func:`gengap.networks.kernels`.
        - ``life``: d - b.

    Source: Doe 2020, "On a_b
    and c*d".

    Scale:
        - ``log_norm``: logarithm.

    Returns:
        Numbers.
    """
    return {}


@measure(sign="?", slow=True, estimates_gap=True)
def single(subject: Subject) -> float:
    """Compute one thing.

    Source:
        Equation: none.
    """
    return 0.0


def test_a_paragraph_of_a_docstring_may_have_a_line_for_each_measure(script: ModuleType) -> None:
    def described(title: str) -> list[str]:
        names = declaration(several).names
        return [script.described(several, title, name) for name in names]

    norm = "With W the kernels: ||W||_2, see :func:`gengap.networks.kernels`"
    life = "With W the kernels: d - b"
    assert described("Equation") == [norm, norm, life, life]
    assert described("Source") == ['Doe 2020, "On a_b and c*d"'] * 4
    assert described("Scale") == ["", "logarithm", "", ""]
    assert script.described(single, "Source", "single") == "Equation: none"
    assert script.described(single, "Equation", "single") == ""
    assert script.described(lambda subject: 0.0, "Equation", "f") == ""


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("||W||_2 <= a*b", r"\|\|W\|\|\_2 &lt;= a\*b"),
        ("as in ``a_b`` and :func:`~gengap.c_d`", "as in `a_b` and `gengap.c_d`"),
        (r"$\prod_l \lVert W_l \rVert$ of x_l", r"$\prod_l \lVert W_l \rVert$ of x\_l"),
        ("``a|b``", r"`a\|b`"),
    ],
)
def test_text_is_escaped_for_a_cell_except_code_and_formulas(
    text: str, cell: str, script: ModuleType
) -> None:
    assert script.markdown(text) == cell


def test_a_row_has_what_is_declared_described_and_measured(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "FAMILIES", {"made": "", "other": ""})
    rows = [
        script.Documented("made", "log_norm", declaration(several), "||W||", "Doe", "logarithm"),
        script.Documented("made", "life.H0", declaration(several), "d - b", "Doe", ""),
        script.Documented("other", "single", declaration(single), "x", "Roe", "linear"),
    ]
    statistics = pd.DataFrame(
        [
            ("made", "log_norm", 0.004, 0.625, -0.5, 0.75, -0.125),
            ("other", "single", 1.26, math.nan, math.nan, math.nan, math.nan),
        ],
        columns=["family", "measure", *script.STATISTICS],
    )
    lines = script.page(rows, statistics).splitlines()
    assert "The measures of the library: 3 in 2 families." in "\n".join(lines)
    table = [line for line in lines if line.startswith(("| `", "## "))]
    assert table == [
        "## made",
        r"| `log_norm` | \|\|W\|\| | Doe | logarithm | + | initial, classes, kernels | &lt; 0.01 "
        "| 0.62 | −0.50 to 0.75 | −0.12 |",
        "| `life.H0` | d - b | as above | linear | + | initial, classes, kernels |  |  |  |  |",
        "## other",
        "| `single` | x | Roe | gap | ? |  | 1.3, slow |  |  |  |",
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "evaluation").mkdir()
    pd.DataFrame({"family": ["made"], "value": 0.0}).to_csv(tmp_path / "measures.csv")
    pd.DataFrame({"family": ["other"]}).to_csv(tmp_path / "left_out_measures.csv")
    pd.DataFrame(
        [
            ("a", "kendall", "all", 0.5, 0.25, 0.75),
            ("a", "spearman", "all", 0.9, 0.9, 0.9),
            ("a", "kendall", "depth=1", 0.5, 0.9, 0.9),
            ("a", "kendall", "depth=3", -0.25, 0.9, 0.9),
            ("a", "kendall", "width=16", math.nan, 0.9, 0.9),
            ("a", "spearman", "depth=1", 0.9, 0.9, 0.9),
            ("b", "kendall", "depth=1", math.nan, math.nan, math.nan),
        ],
        columns=["measure", "statistic", "stratum", "estimate", "low", "high"],
    ).to_csv(tmp_path / "evaluation" / "correlations.csv")
    return tmp_path


def test_statistics_are_those_of_the_run(
    script: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = [
        {"family": "made", "measure": "a", "cost": 1.5},
        {"family": "other", "measure": "b", "cost": 0.5},
    ]
    monkeypatch.setattr(script, "FAMILIES", {"made": "", "other": ""})
    monkeypatch.setattr(script.tasks, "load", lambda path: None)
    monkeypatch.setattr(script, "costs", lambda task: iter(costs))
    table = script.measured(folder)
    assert list(table.columns) == ["family", "measure", "cost", "tau", "low", "high", "within"]
    np.testing.assert_array_equal(
        table[script.STATISTICS], [[1.5, 0.5, 0.25, 0.75, 0.125], [0.5, *[math.nan] * 4]]
    )
    monkeypatch.setattr(script, "FAMILIES", {"made": "", "third": ""})
    with pytest.raises(SystemExit, match=r"no measures of the family 'third': run it with '--conf"):
        script.main([str(folder)])


def test_a_function_is_timed_after_one_call(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 100.0, 200.0, 201.0, 300.0, 303.0])
    monkeypatch.setattr(script.time, "process_time", lambda: next(clock))
    monkeypatch.setattr(script, "Subject", lambda *known, **more: known[0])

    def network(name: str) -> Any:
        return SimpleNamespace(
            network=lambda: name,
            initial=lambda: None,
            train=lambda split: split,
            history=lambda: None,
            id=name,
            metrics=SimpleNamespace(hyper_parameters={"depth": 1}),
        )

    calls: list[str] = []

    def compute(subject: str) -> bool:
        calls.append(subject)
        return True

    networks = [network("0"), network("1")]
    task = SimpleNamespace(train=None, networks={one.id: one for one in networks})
    assert script.replicates(task, networks[0]) == ("1",)
    assert script.seconds(compute, task, networks) == 2.0
    assert calls == ["0", "0", "1"]
    clock = iter([0.0] * 3)
    assert math.isnan(script.seconds(lambda subject: False, task, networks))
    clock = iter([0.0, 0.0, 5.0, 6.5])
    assert script.seconds(lambda subject: subject == "1", task, networks) == 1.5


def test_the_page_is_that_of_the_docstrings_and_of_the_committed_table(script: ModuleType) -> None:
    expected = script.page(script.documented(), pd.read_csv(script.TABLE))
    assert script.PAGE.read_text() == expected, "run python scripts/measures_table.py"


def test_every_measure_has_an_equation_a_source_and_a_scale_where_it_is_a_logarithm(
    script: ModuleType,
) -> None:
    measures = script.documented()
    assert len(measures) == sum(len(members(family)) for family in FAMILIES)
    lacking = [
        (row.family, row.name)
        for row in measures
        if not re.search(r"\w", row.equation) or not row.source
    ]
    assert not lacking
    logarithms = [row for row in measures if row.name.startswith("log_")]
    assert logarithms
    assert [row.name for row in logarithms if "logarithm" not in row.scale.lower()] == []


def test_the_committed_table_has_registered_measures_once(script: ModuleType) -> None:
    table = pd.read_csv(script.TABLE)
    known = {(family, name) for family in FAMILIES for name in members(family)}
    rows = list(zip(table["family"], table["measure"], strict=True))
    assert list(table.columns) == ["family", "measure", *script.STATISTICS]
    assert set(rows) <= known
    assert len(set(rows)) == len(rows)
