"""What the site makes of docstrings, of the schema and of the parsers."""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from gengap.cli.entry import command_parser
from gengap.measures import FAMILIES
from gengap.measures.registry import members

pytest.importorskip("sphinx", reason="sphinx is not installed")


@pytest.fixture(scope="module")
def extension(root: Path) -> Iterator[Any]:
    """A function that imports an extension of the site by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root / "docs" / "extensions"))
        yield importlib.import_module


def formulas_in(text: str, formulas: Any) -> list[str]:
    runs = formulas.runs(formulas.tokens_of(text))
    assert "".join(token.text for _, run in runs for token in run) == text
    return ["".join(token.text for token in run) for formula, run in runs if formula]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the sum of lambda_i over the positive lambda_i", ["lambda_i", "lambda_i"]),
        ("sum_i p_i log p_i, with p_i a share", ["sum_i p_i log p_i", "p_i"]),
        ("a network of n inputs", ["n"]),
        ("the weight of a if f(a(x)) = 1", ["a", "f(a(x)) = 1"]),
        ("see the mean of log_path_norm, a number", []),
        ("shape (n, k), where n is known", ["(n, k)", "n"]),
        ("kappa = sum_{s,t} <w_s, w_t> of (two) things", ["kappa = sum_{s,t} <w_s, w_t>"]),
        ("a one-hot label, the bars' lives (in H0)", []),
        ("||w - w_0|| and |x", ["||w - w_0||", "x"]),
    ],
)
def test_formulas_are_told_from_prose(text: str, expected: list[str], extension: Any) -> None:
    assert formulas_in(text, extension("formulas")) == expected


def shape(text: str, formulas: Any) -> str:
    """The MathML of a formula, with spaces, fences and attributes left out."""
    ((_, run),) = formulas.runs(formulas.tokens_of(text))
    plain = re.sub(r"<mspace[^>]*/>|</?mrow>", "", formulas.mathml(run))
    return re.sub(r"<(\w+) [^>]*>", r"<\1>", plain)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alpha^2", "<msup><mi>α</mi><mn>2</mn></msup>"),
        ("H_st'", "<msubsup><mi>H</mi><mi>s</mi><mi>t</mi><mo>′</mo></msubsup>"),
        ("x / sqrt(n)", "<mi>x</mi><mo>/</mo><msqrt><mi>n</mi></msqrt>"),
        (
            "sum_i -w_i",
            "<msub><mo>∑</mo><mi>i</mi></msub><mo>−</mo><msub><mi>w</mi><mi>i</mi></msub>",
        ),
        ("N_eff", "<msub><mi>N</mi><mtext>eff</mtext></msub>"),
        ("x <= 0.5", "<mi>x</mi><mo>≤</mo><mn>0.5</mn>"),
    ],
)
def test_formulas_are_typeset(text: str, expected: str, extension: Any) -> None:
    assert shape(text, extension("formulas")) == f"<math>{expected}</math>"


def test_every_equation_is_well_formed(root: Path, extension: Any) -> None:
    formulas = extension("formulas")
    page = (root / "docs" / "measures.md").read_text(encoding="utf-8")
    count = 0
    for line in page.splitlines():
        for formula, run in formulas.runs(formulas.tokens_of(line)):
            if formula:
                ElementTree.fromstring(formulas.mathml(run))
                count += 1
    assert count > 300


def keys_of(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        for key, value in part.items():
            if key == "properties":
                yield from value
            if key not in ("if", "then", "else", "not", "anyOf", "allOf"):
                yield from keys_of(value)


def test_every_key_of_the_config_is_described(root: Path, extension: Any) -> None:
    keys = extension("config_keys")
    schema = yaml.safe_load(keys.SCHEMA.read_text(encoding="utf-8"))
    lines = list(keys.page(schema))
    # Within a grid, keys stand for those of the network and of the training.
    missing = {key for key in keys_of(schema) if f"`{key}`" not in lines}
    assert not missing
    described = [line for line in lines if line.startswith(":")]
    assert all(len(line) > len(": ") for line in described)


def test_every_option_of_the_command_line_is_described(extension: Any) -> None:
    pages = extension("command_line")
    (subparsers,) = (
        action
        for action in command_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    for name, parser in subparsers.choices.items():
        text = "\n".join(pages.section(name, parser))
        assert f"## gengap {name}" in text
        for action in parser._actions:
            for option in action.option_strings:
                assert option in text or action.dest == "help"


def test_every_family_has_a_page(root: Path) -> None:
    listed = (root / "docs" / "reference" / "api.md").read_text(encoding="utf-8").split()
    for family in FAMILIES:
        for function in members(family).values():
            module = function.__module__
            package = module.rpartition(".")[0]
            assert module in listed or package in listed, f"{family}: {module}"


def test_every_page_of_a_study_is_on_the_site(root: Path) -> None:
    folder = root / "docs" / "studies"
    hidden = (folder / "index.md").read_text(encoding="utf-8").rpartition("{toctree}")[2].split()
    for page in (root / "studies").glob("*.md"):
        name = "claims" if page.stem == "README" else page.stem
        assert name in hidden
        assert f"studies/{page.name}\n" in (folder / f"{name}.md").read_text(encoding="utf-8")
