"""What every rule that computes says of itself, asked of the workflow as Snakemake parses it."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

from gengap.planned_figures import FIGURES
from gengap.planning.targets import TABLES_OF_STUDIES


def test_every_rule_that_computes_states_what_it_needs(rules: list[Any]) -> None:
    computing = [rule for rule in rules if rule.script]
    assert len(computing) > 30
    for rule in computing:
        assert rule.log, rule.name
        assert rule.benchmark, rule.name
        assert rule.conda_env, rule.name
        assert {"mem_mb", "runtime", "_cores"} <= set(rule.resources), rule.name
        params = dict(rule.params.items())
        assert "code" in params, rule.name
        # Snakemake compares values without their names, so two of them may be exchanged unseen.
        assert params.keys() == {"code"} or "named" in params, rule.name


def test_a_job_that_is_tried_again_asks_for_more_memory_and_time(rules: list[Any]) -> None:
    for rule in rules:
        for name in ("mem_mb", "runtime") if rule.script else ():
            request = rule.resources[name]
            assert request.is_evaluable(), (rule.name, name)
            assert "attempt" in inspect.signature(request._evaluator).parameters, (rule.name, name)


def test_nothing_but_scripts_computes(rules: list[Any]) -> None:
    for rule in rules:
        assert not any((rule.is_shell, rule.is_run, rule.is_wrapper, rule.is_notebook)), rule.name


def test_rules_that_run_networks_ask_for_the_gpu(rules: list[Any]) -> None:
    asking = {rule.name for rule in rules if "gpu" in rule.resources}
    assert asking == {
        "train", "import_networks", "adopt_networks", "activations", "diagrams", "measure",
        "eigenvalues", "experiment",
    }  # fmt: skip


def test_stages_of_a_shard_pass_on_its_failures(rules: list[Any]) -> None:
    stages = {rule.name for rule in rules if "networks" in dict(rule.params.items())}
    assert stages == {
        "check_zoo", "train", "import_networks", "adopt_networks", "activations", "diagrams",
        "summaries", "measure",
    } | {"download"}  # fmt: skip
    for rule in rules:
        # Each family of measures has a list of its own.
        if rule.name in stages - {"check_zoo", "download", "measure"}:
            outputs = dict(rule.output.items())
            assert str(outputs["failed"]).endswith(".failed.json"), rule.name
            if rule.name not in ("train", "import_networks", "adopt_networks"):
                assert "failed" in dict(rule.input.items()), rule.name


def test_every_planned_figure_is_drawn_by_one_rule_and_has_a_caption(
    rules: list[Any], root: Path
) -> None:
    drawing = {
        rule.name: list(rule.params.figures) for rule in rules if rule.name.startswith("figures")
    }
    assert set(drawing) == {
        "figures", "figures_diagrams", "figures_hyper_parameters", "figures_prediction",
        "figures_topology", "figures_zoo", "figures_study",
    }  # fmt: skip
    of_studies = drawing.pop("figures_study")
    assert sorted(of_studies) == sorted(FIGURES["study"])
    assert sorted(name for names in drawing.values() for name in names) == sorted(FIGURES["task"])
    for name in {*FIGURES["task"], *FIGURES["study"]}:
        assert (root / "workflow" / "report" / f"{name}.rst").is_file()


def test_include_files_hold_rules_and_short_functions(root: Path) -> None:
    common = root / "workflow" / "rules" / "common.smk"
    assert len(common.read_text().splitlines()) <= 100
    for path in (root / "workflow" / "rules").glob("*.smk"):
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if line.startswith("def "):
                body = lines[number + 1 :]
                end = next((k for k, text in enumerate(body) if text and text[0] != " "), len(body))
                function = ast.parse("\n".join([line, *body[:end]])).body[0]
                assert isinstance(function, ast.FunctionDef)
                statements = [node for node in function.body if not isinstance(node, ast.Expr)]
                assert len(statements) <= 5, f"{path.name}: {function.name}"


def test_each_table_of_a_study_has_its_words_in_the_report(root: Path) -> None:
    caption = (root / "workflow" / "report" / "study_table.rst").read_text("utf-8")
    words = re.findall(r'^"(\w+)": "[^"]+",$', caption, re.MULTILINE)
    assert sorted(words) == sorted(TABLES_OF_STUDIES)
