"""The registry: families, measures of one's own, streams, what is left out, and refusals."""

from __future__ import annotations

import importlib
import math
import pkgutil
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gengap.measures
from gengap import names
from gengap.datasets import Split
from gengap.errors import GengapError, MachineError
from gengap.measures import (
    LeftOut,
    MeasureResults,
    NothingComputedError,
    Subject,
    applicable,
    attempt,
    compute,
    measure,
    to_frame,
)
from gengap.measures.registry import FAMILIES, declaration, members
from gengap.networks import build, dense

MINE = """
from gengap.errors import GengapError
from gengap.measures import measure

@measure()
def largest_weight(subject):
    return max(float(p.detach().abs().max()) for p in subject.network.parameters())

@measure("noise", "labels")
def two(subject):
    labels = subject.train.labels
    return {"noise": subject.rng.standard_normal(3), "labels": {"mean": labels.mean()}}

@measure()
def infinite(subject):
    return float("inf")

@measure("finite", "not_a_number")
def half(subject):
    return {"finite": 1.0, "not_a_number": float("nan")}

@measure(needs={"initial", "siblings"})
def distance(subject):
    return 0.0

@measure()
def refusing(subject):
    raise GengapError("This network is too small: use a larger one.")

@measure()
def dividing(subject):
    return 1 / 0

@measure("one", "other")
def disagreeing(subject):
    return {"one": 1.0}

@measure()
def last(subject):
    return subject.rng.random()
"""
LEFT_OUT = {
    "infinite": "The measure 'infinite' is not finite for this network: look at its weights and "
    "its training loss.",
    "not_a_number": "The measure 'not_a_number' is not finite for this network: look at its "
    "weights and its training loss.",
    "distance": "The measure 'distance' needs the initial weights of the network, which are not "
    "known: add them to the task, or do without this measure.",
    "refusing": "This network is too small: use a larger one.",
    "dividing": "division by zero",
    **dict.fromkeys(
        ("one", "other"),
        "disagreeing declares the measures one, other but returned one: make the two agree.",
    ),
}


@pytest.fixture
def network() -> nn.Module:
    return build(dense((3,), 2, width=4, depth=1)).eval()


@pytest.fixture
def train() -> Split:
    return Split(np.eye(3, dtype=np.float32), np.array([0, 1, 1]), 2)


@pytest.fixture
def mine(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(MINE)
    return str(tmp_path / "mine.py")


def test_every_module_with_measures_is_a_family_and_every_family_has_measures() -> None:
    names = [module.name for module in pkgutil.iter_modules(gengap.measures.__path__)]
    modules = [importlib.import_module(f"gengap.measures.{name}") for name in names]
    with_measures = {
        module.__name__
        for module in modules
        if any(hasattr(value, "gengap_measure") for value in vars(module).values())
    }
    assert with_measures == set(FAMILIES.values())
    for family in FAMILIES:
        assert members(family), family


def test_a_family_of_ones_own(mine: str, network: nn.Module, train: Split) -> None:
    values = compute(f"{mine}:noise", Subject(network, None, train, np.random.default_rng(0)))
    again = compute(f"{mine}:noise", Subject(network, None, train, np.random.default_rng(0)))
    assert list(values) == ["noise"]
    np.testing.assert_array_equal(values["noise"], again["noise"])
    largest = compute(
        f"{mine}:largest_weight", Subject(network, None, train, np.random.default_rng(0))
    )
    flat = np.concatenate([p.detach().numpy().ravel() for p in network.parameters()])
    assert largest == {"largest_weight": float(np.abs(flat).max())}


def test_a_measure_that_cannot_be_computed_never_costs_the_others(
    mine: str, network: nn.Module, train: Split
) -> None:
    results = compute(mine, Subject(network, None, train, np.random.default_rng(0)))
    assert list(results) == ["largest_weight", "noise", "labels", "finite", "last"]
    assert results.left_out == LEFT_OUT


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_measure_asked_for_that_cannot_be_computed_is_refused_with_its_reason(
    name: str, mine: str, network: nn.Module, train: Split
) -> None:
    with pytest.raises(GengapError) as refusal:
        compute(f"{mine}:{name}", Subject(network, None, train, np.random.default_rng(0)))
    assert str(refusal.value) == LEFT_OUT[name]


def test_a_family_without_any_value_is_refused_with_the_first_reason(
    tmp_path: Path, network: nn.Module, train: Split
) -> None:
    (tmp_path / "bad.py").write_text(
        "from gengap.measures import measure\n\n"
        "@measure()\n"
        "def infinite(subject):\n"
        "    return float('inf')\n\n"
        "@measure()\n"
        "def dividing(subject):\n"
        "    return 1 / 0\n"
    )
    subject = Subject(network, None, train, np.random.default_rng(0))
    with pytest.raises(GengapError, match="The measure 'infinite' is not finite"):
        compute(str(tmp_path / "bad.py"), subject)


def test_a_fault_of_the_machine_or_of_the_program_is_no_measures(
    network: nn.Module, train: Split
) -> None:
    subject = Subject(network, None, train, np.random.default_rng(0))

    @measure()
    def unlucky(subject: Subject) -> float:
        raise MachineError("The disk is full: make room.")

    @measure()
    def wrong(subject: Subject) -> float:
        return float("one")

    with pytest.raises(MachineError, match="The disk is full"):
        compute(unlucky, subject)
    with pytest.raises(ValueError, match="could not convert"):
        compute(wrong, subject)


def test_a_function_has_the_value_that_its_family_gives_it(
    network: nn.Module, train: Split
) -> None:
    everything = compute("baseline", Subject(network, network, train, np.random.default_rng(1)))
    for function in dict.fromkeys(members("baseline").values()):
        results = compute(function, Subject(network, network, train, np.random.default_rng(1)))
        assert results
        assert results == {name: everything[name] for name in results}
    vectors = compute("competition", Subject(network, None, train, np.random.default_rng(1)))
    function = members("competition")["always_generalize"]
    alone = compute(function, Subject(network, None, train, np.random.default_rng(1)))
    assert alone == {"always_generalize": vectors["always_generalize"]}


def test_each_function_draws_from_the_stream_of_its_place(
    mine: str, network: nn.Module, train: Split
) -> None:
    """Nine functions in the user's file: the second draws the noise, the last one a number."""
    streams = np.random.default_rng(5).spawn(9)
    results = compute(mine, Subject(network, None, train, np.random.default_rng(5)))
    np.testing.assert_array_equal(results["noise"], streams[1].standard_normal(3))
    assert results["last"] == streams[8].random()
    function = members(mine)["last"]
    alone = compute(function, Subject(network, None, train, np.random.default_rng(5)))
    assert alone == {"last": results["last"]}


def test_a_function_on_its_own_has_the_first_stream(network: nn.Module, train: Split) -> None:
    @measure()
    def random(subject: Subject) -> float:
        return subject.rng.random()

    expected = np.random.default_rng(2).spawn(1)[0].random()
    results = compute(random, Subject(network, None, train, np.random.default_rng(2)))
    assert results == {"random": expected}


def test_a_function_without_a_decorator_is_a_measure_named_after_itself(
    network: nn.Module, train: Split
) -> None:
    def plain(subject: Subject) -> float:
        return subject.rng.random()

    class Weighing:
        def __call__(self, subject: Subject) -> dict[str, float]:
            return {"inputs": float(len(subject.train.labels)), "classes": 2.0}

    subject = Subject(network, None, train, np.random.default_rng(4))
    expected = np.random.default_rng(4).spawn(1)[0].random()
    assert compute(plain, subject) == {"plain": expected}
    assert compute(Weighing(), subject) == {"Weighing": {"inputs": 3.0, "classes": 2.0}}
    assert declaration(plain) == declaration(measure()(plain))


def test_what_is_no_function_is_no_measure(network: nn.Module, train: Split) -> None:
    with pytest.raises(GengapError, match="3 is no measure: give a function of a subject"):
        compute(3, Subject(network, None, train, np.random.default_rng(0)))  # type: ignore[arg-type]


def test_signs_are_declared_for_all_measures_of_a_function_or_for_some() -> None:
    @measure("first", "second", sign="?", estimates_gap=True)
    def unknown(subject: Subject) -> dict[str, float]:
        return {}

    @measure("first", "second", sign={"second": "?"})
    def mixed(subject: Subject) -> dict[str, float]:
        return {}

    assert declaration(unknown).signs == {"first": "?", "second": "?"}
    assert declaration(unknown).estimates_gap
    assert declaration(mixed).signs == {"first": "+", "second": "?"}
    with pytest.raises(GengapError, match=r"sign '-': choose .* return the negative"):
        measure("first", sign="-")(lambda subject: 0.0)  # type: ignore[arg-type]
    with pytest.raises(GengapError, match="'third', which is no measure of the function"):
        measure("first", sign={"third": "?"})(lambda subject: 0.0)


def test_signs_that_the_literature_does_not_give() -> None:
    unknown = {
        name
        for family in FAMILIES
        if family != "topology"
        for function in dict.fromkeys(members(family).values())
        for name, sign in declaration(function).signs.items()
        if sign == "?"
    }
    graph = {f"{name}.H{dim}" for name in ("life", "peak", "entropy") for dim in range(3)}
    assert unknown >= {*graph, "life_and_midlife.H1", "hessian_negatives", "hessian_negative_mass"}
    assert not unknown & {"midlife.H1", "lambda_max", "parameter_count", "sharpness"}


def test_slow_measures_are_left_out_by_name_and_change_no_other(
    tmp_path: Path, network: nn.Module, train: Split
) -> None:
    source = tmp_path / "mine.py"
    source.write_text(
        "from gengap.measures import measure\n\n"
        "@measure(slow=True)\n"
        "def long(subject):\n"
        "    return subject.rng.random()\n\n"
        "@measure()\n"
        "def short(subject):\n"
        "    return subject.rng.random()\n"
    )

    def subject() -> Subject:
        return Subject(network, None, train, np.random.default_rng(0))

    whole, part = compute(str(source), subject()), compute(str(source), subject(), slow=False)
    assert list(whole) == ["long", "short"]
    assert part == {"short": whole["short"]}
    assert part.left_out == {
        "long": "The measure 'long' takes over a quarter of a CPU second for a small network: ask "
        "for slow measures, or do without this measure."
    }
    assert set(to_frame(part)["need"]) == {"", "slow"}
    with pytest.raises(NothingComputedError) as nothing:
        compute(f"{source}:long", subject(), slow=False)
    assert nothing.value.is_for_need


def test_an_unknown_need_is_refused_when_it_is_declared() -> None:
    with pytest.raises(GengapError, match=r"unknown need 'test_data': .*initial, classes"):
        measure(needs={"initial", "test_data"})


def test_a_name_with_white_space_is_refused_when_it_is_declared() -> None:
    with pytest.raises(GengapError, match=r"named 'my norm': give it a name without white space"):
        measure("my_norm", "my norm")


def test_a_subject_is_frozen_and_has_no_test_data(network: nn.Module, train: Split) -> None:
    subject = Subject(network, None, train, np.random.default_rng(0))
    with pytest.raises(FrozenInstanceError):
        subject.network = nn.Identity()  # type: ignore[misc]
    with pytest.raises(TypeError, match="positional"):
        Subject(network, None, train, np.random.default_rng(0), None)  # type: ignore[call-arg, arg-type]
    assert not [name for name in vars(subject) if "test" in name]


def test_results_are_a_mapping() -> None:
    results = MeasureResults({"count": 1.0}, {"norm": "No."})
    assert results == {"count": 1.0}
    assert (len(results), "norm" in results, results.left_out["norm"]) == (1, False, "No.")
    assert math.isnan(results.get("norm", math.nan))  # type: ignore[arg-type]


def test_one_measure_has_the_value_that_its_family_gives_it(
    network: nn.Module, train: Split
) -> None:
    everything = compute("baseline", Subject(network, network, train, np.random.default_rng(1)))
    for name, value in everything.items():
        alone = compute(
            f"baseline:{name}", Subject(network, network, train, np.random.default_rng(1))
        )
        assert alone == {name: value}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("curvture", r"Unknown family of measures 'curvture'.*baseline"),
        ("baseline:norm", r"Unknown measure 'norm' of family 'baseline'.*parameter_count"),
    ],
)
def test_unknown_names_are_answered_with_the_known_ones(
    name: str, sentence: str, network: nn.Module, train: Split
) -> None:
    with pytest.raises(GengapError, match=sentence):
        compute(name, Subject(network, network, train, np.random.default_rng(0)))


def test_a_module_without_measures_is_refused(
    tmp_path: Path, network: nn.Module, train: Split
) -> None:
    (tmp_path / "empty.py").write_text("x = 1\n")
    with pytest.raises(GengapError, match=r"no measure: decorate its functions with @gengap"):
        compute(str(tmp_path / "empty.py"), Subject(network, None, train, np.random.default_rng(0)))


def test_an_attempt_without_any_value_gives_every_reason(network: nn.Module, train: Split) -> None:
    @measure("first", "second", needs={"initial"})
    def two(subject: Subject) -> dict[str, float]:
        raise AssertionError

    subject = Subject(network, None, train, np.random.default_rng(0))
    results = attempt(two, subject)
    assert not results
    assert set(results.left_out) == {"first", "second"}
    assert all(f"'{name}' needs the initial" in text for name, text in results.left_out.items())
    with pytest.raises(GengapError, match="'first' needs the initial"):
        compute(two, subject)


def test_needs_are_checked_without_computing(
    mine: str, network: nn.Module, train: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = Subject(network, None, train, np.random.default_rng(0))
    monkeypatch.setattr(network, "forward", None)
    reasons = applicable(mine, subject)
    assert list(reasons) == list(members(mine))
    lacking = {name: reason for name, reason in reasons.items() if reason is not None}
    assert lacking == {"distance": LEFT_OUT["distance"]}


def test_what_is_not_known_of_a_network_is_told_apart_from_a_failure(
    mine: str, network: nn.Module, train: Split
) -> None:
    subject = Subject(network, None, train, np.random.default_rng(0))
    with pytest.raises(NothingComputedError, match="needs the initial weights") as unknown:
        compute(f"{mine}:distance", subject)
    assert unknown.value.is_for_need
    assert unknown.value.results.unmet == {"distance": "initial"}
    with pytest.raises(NothingComputedError, match="too small") as failed:
        compute(f"{mine}:refusing", subject)
    assert not failed.value.is_for_need
    assert compute(mine, subject).unmet == {"distance": "initial"}


class Tokens(nn.Module):
    """Some parameters that no norm knows, beside a linear layer of 8."""

    def __init__(self, unknown: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(unknown))
        self.dense = nn.Linear(3, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.dense(inputs)
        return outputs


def test_a_measure_of_kernels_reports_the_share_that_it_saw(train: Split) -> None:
    @measure("first", "second", sees="kernels")
    def norms(subject: Subject) -> dict[str, float | LeftOut]:
        return {"first": 1.0, "second": LeftOut("It cannot be computed: do without it.")}

    def of(network: nn.Module) -> MeasureResults:
        return compute(norms, Subject(network, None, train, np.random.default_rng(0)))

    results = of(Tokens(2))
    assert results == {"first": 1.0}
    assert results.left_out == {"second": "It cannot be computed: do without it."}
    assert results.coverage == {"first": 0.8}
    assert of(nn.Linear(3, 2)).coverage == {"first": 1.0}
    sentence = r"see 31% of the network's parameters, less than half: they do not know token; use"
    with pytest.raises(GengapError, match=sentence):
        of(Tokens(18))


def test_measures_of_kernels_leave_a_network_out_that_they_hardly_know(train: Split) -> None:
    subject = Subject(Tokens(18), None, train, np.random.default_rng(0))
    results = compute("baseline", subject)
    assert "see 31% of the network's parameters" in results.left_out["log_spectral_norm_product"]
    assert results["parameter_count"] == 26
    assert "coverage" not in to_frame(results)
    partial = compute("baseline", Subject(Tokens(2), None, train, np.random.default_rng(0)))
    assert partial.coverage == {"log_spectral_norm_product": 0.8}
    shares = to_frame(partial).set_index("measure")["coverage"].dropna()
    assert shares.to_dict() == {"log_spectral_norm_product": 0.8}


def test_which_parameters_count_is_one_of_two_words(network: nn.Module, train: Split) -> None:
    with pytest.raises(GengapError, match="'parameters' is 'some': choose 'trainable' or 'all'"):
        Subject(network, None, train, np.random.default_rng(0), parameters="some")  # type: ignore[arg-type]


def test_one_reason_is_logged_once(
    network: nn.Module, train: Split, caplog: pytest.LogCaptureFixture
) -> None:
    first = Split(train.inputs[:1], train.labels[:1], train.classes)
    subject = Subject(network, None, first, np.random.default_rng(0))
    with pytest.raises(GengapError, match="at least two inputs"):
        compute("functional_graph", subject)
    logged = [text for text in caplog.messages if "left out" in text]
    assert len(logged) == 1
    assert logged[0].startswith("left out: life.H0, life.H1, ")
    caplog.clear()
    compute("baseline", subject)
    assert caplog.messages == [
        "left out: distance_from_initialisation: needs the initial weights of the network, which "
        "are not known: add them to the task, or do without this measure."
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    "made",
    [torch.jit.script, partial(torch.jit.trace, example_inputs=torch.zeros(2, 4))],
    ids=["scripted", "traced"],
)
def test_torchscript_is_refused(made: Callable[[nn.Module], nn.Module]) -> None:
    plain = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    data = Split(np.ones((4, 4), np.float32), np.arange(4) % 3, 3)
    for family in ("baseline", "competition", "curvature", "tangent", "topology"):
        with pytest.raises(GengapError, match="is TorchScript, whose layers cannot be observed"):
            compute(family, Subject(made(plain), None, data, np.random.default_rng(0)))


def test_inputs_that_a_network_does_not_take_are_named(network: nn.Module, train: Split) -> None:
    narrow = Split(np.ones((6, 3), np.float32), np.arange(6) % 3, 3)
    sentence = r"a Linear, does not take inputs of shape \[3\] \(.*\): adopt it with"
    wide = nn.Linear(4, 3)
    for family in ("baseline", "curvature", "tangent"):
        reasons = attempt(family, Subject(wide, wide, narrow, np.random.default_rng(0))).left_out
        assert any(re.search(sentence, reason) for reason in reasons.values())
    fitting = nn.Linear(3, 3)
    reasons = attempt("tangent", Subject(fitting, wide, narrow, np.random.default_rng(0))).left_out
    assert re.search(sentence, reasons["negative_initial_alignment"])
    with pytest.raises(GengapError, match=r"'rng' is 0: give a generator, as numpy\.random"):
        Subject(network, None, train, 0)  # type: ignore[arg-type]


def test_planning_knows_which_families_look_beyond_one_network() -> None:
    beyond = {
        family
        for family in FAMILIES
        for function in members(family).values()
        if declaration(function).needs & {"siblings", "unlabelled"}
    }
    assert beyond == set(names.COMPARING_FAMILIES)
