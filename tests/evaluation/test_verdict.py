"""The paragraphs say what the tables say, in the odd cases too."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.figures import synthetic

from gengap.evaluation.verdict import WIDTH, verdict


@pytest.fixture
def board() -> pd.DataFrame:
    return synthetic.leaderboard({**synthetic.topological(), **synthetic.OTHERS}, seed=1)


def text(
    board: pd.DataFrame,
    *,
    draws: int = 3,
    gap_of: str = "accuracy",
    combination: pd.DataFrame | None = None,
    left_out: pd.DataFrame | None = None,
) -> str:
    """The verdict on one line."""
    written = verdict(
        board,
        synthetic.comparisons(board),
        synthetic.combination() if combination is None else combination,
        synthetic.left_out() if left_out is None else left_out,
        draws=draws,
        gap_of=gap_of,
    )
    assert written.endswith("\n")
    assert all(len(line) <= WIDTH or " " not in line for line in written.splitlines())
    assert "nan" not in written
    return " ".join(written.split())


def ranked(board: pd.DataFrame) -> pd.DataFrame:
    return board[board["eligible"]].sort_values("r2_mean", ascending=False)


def test_the_numbers_are_those_of_the_tables(board: pd.DataFrame) -> None:
    said, rows = text(board), board.set_index("measure")
    best = ranked(board).iloc[0]
    assert "96 networks on 3 draws of training data" in said
    assert f"{len(ranked(board))} can be ranked" in said
    assert "the hyper-parameters reach R2 0.58 (0.64 with their pairwise products)" in said
    assert "training accuracy alone reaches R2 0.03" in said
    assert "predict each other with R2 0.72" in said
    assert f"the best, {best['measure']}, reaches R2 {best['r2_mean']:.2f}" in said
    gain = best["r2_mean"] - 0.64
    assert f"{gain:.2f} more than the hyper-parameters with their pairwise products" in said
    assert f"{(ranked(board)['p_mean'] <= 0.05).sum()} predict the gap better than its mean" in said
    assert f"{(ranked(board)['p_additive'] <= 0.05).sum()} add to the hyper-parameters;" in said
    assert "With all 41 scalar measures together (ridge regression), R2 is 0.78" in said
    assert "beside them it is 0.81" in said
    assert "looking at the held-out networks gives R2 0.61" in said
    new = rows["r2_new_draw"]
    of_pairs, of_best = new["reference.hyper_parameters_pairwise"], new[best["measure"]]
    assert f"With it, R2 is {new['reference.mean']:.2f} from the mean gap of the other" in said
    assert f"{of_pairs:.2f} from the hyper-parameters" in said
    assert f"{of_best:.2f} from the best measure ({best['measure']})" in said


def test_the_headline_answers_the_strongest_question_that_is_shown(board: pd.DataFrame) -> None:
    measures = board["kind"].isin(["scalar", "vector"])

    def headline(**p: float) -> str:
        columns = {f"p_{name}": p.get(name, 0.9) for name in ("mean", "additive", "pairwise")}
        return text(board.assign(**{k: np.where(measures, v, np.nan) for k, v in columns.items()}))

    count = len(ranked(board))
    assert headline().startswith("No measure is shown to predict the gap better than its mean")
    assert "none predict the gap better than its mean" in headline()
    assert headline(mean=0.01).startswith(f"{count} measures are shown to predict the gap better")
    assert "none to add to what the hyper-parameters say" in headline(mean=0.01)
    assert "none to the hyper-parameters with their pairwise" in headline(mean=0, additive=0.05)
    assert "even with their pairwise products" in headline(mean=0, additive=0, pairwise=0.001)


def test_an_ineligible_measure_is_neither_best_nor_counted(board: pd.DataFrame) -> None:
    best = ranked(board).iloc[0]["measure"]
    board["eligible"] &= board["measure"] != best
    assert best not in text(board)


def test_the_first_group_is_named_up_to_a_limit(board: pd.DataFrame) -> None:
    names = list(ranked(board)["measure"])
    alone = board.assign(rank=board["rank"].where(board["measure"] != names[0], 1).clip(lower=1))
    alone.loc[alone["eligible"] & (alone["measure"] != names[0]), "rank"] = 2
    assert f"First group: {names[0]} alone" in text(alone)
    alone.loc[alone["measure"].isin(names[:3]), "rank"] = 1
    assert f"choose among them by cost: {names[0]}, {names[1]} and {names[2]}." in text(alone)
    alone.loc[alone["measure"].isin(names[:9]), "rank"] = 1
    assert f"{names[5]} and 3 more." in text(alone)
    assert names[6] not in text(alone).partition("First group")[2]
    alone.loc[alone["measure"].isin(names[6:9]), "rank"] = 2
    alone.loc[alone["measure"] == names[6], "rank"] = 1
    assert f"{names[5]} and {names[6]}." in text(alone)


def test_networks_without_hyper_parameters_are_said_to_have_none(board: pd.DataFrame) -> None:
    board = board[~board["measure"].str.contains("hyper_parameters|ceiling")]
    board = board.assign(p_additive=np.nan, p_pairwise=np.nan, p_within=np.nan)
    combination = synthetic.combination().query("name != 'combination.all_and_hyper_parameters'")
    said = text(board, combination=combination, draws=1, gap_of="loss")
    assert "The networks have no hyper-parameters" in said
    assert "the hyper-parameters" not in said.replace("no hyper-parameters to predict from", "")
    assert "all on the same training data" in said
    assert "test less training loss" in said


def test_nothing_is_said_of_what_is_absent(board: pd.DataFrame) -> None:
    few = board[board["kind"] != "combination"].assign(networks=9)
    said = text(few, combination=synthetic.combination()[:0], left_out=synthetic.left_out()[:0])
    assert "together" not in said
    assert "Nothing was left out." in said
    assert "With only 9 networks, only strong relations can be shown" in said


def test_a_task_whose_networks_do_not_suffice_has_a_verdict_too(board: pd.DataFrame) -> None:
    board = board[board["kind"] != "combination"].assign(
        rank=pd.array([pd.NA] * int((board["kind"] != "combination").sum()), dtype="Int64"),
        r2_mean=np.nan,
        width_90=np.nan,
    )
    said = text(board, combination=synthetic.combination()[:0])
    assert said.startswith("No measure can be scored")
