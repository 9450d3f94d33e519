"""The registry: families, measures of one's own, streams, what is left out, and refusals."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gengap.datasets import Split
from gengap.errors import GengapError, MachineError
from gengap.measures import (
    LeftOut,
    MeasureResults,
    NothingComputedError,
    Subject,
    compute,
    measure,
    to_frame,
)
from gengap.measures.registry import FAMILIES, members
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


def test_every_family_of_the_library_has_measures() -> None:
    known = {"topology", "baseline", "competition", "curvature", "tangent", "functional_graph"}
    assert set(FAMILIES) == known
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


def test_a_function_that_is_no_measure_is_refused(network: nn.Module, train: Split) -> None:
    def plain(subject: Subject) -> float:
        return 0.0

    with pytest.raises(GengapError, match="plain is no measure: decorate it"):
        compute(plain, Subject(network, None, train, np.random.default_rng(0)))


def test_an_unknown_need_is_refused_when_it_is_declared() -> None:
    with pytest.raises(GengapError, match=r"unknown need 'test_data': .*initial, classes"):
        measure(needs={"initial", "test_data"})


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
