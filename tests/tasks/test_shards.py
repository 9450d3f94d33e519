"""Receipts: a network is made once, and a file that was changed since is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from gengap.errors import GengapError
from gengap.names import NETWORK_RECEIPT
from gengap.networks import build, dense, write_weights
from gengap.tasks.shards import ShardReceipt, digest_of, make_network, sha256


class Maker:
    """Writes a network's folder and counts how often."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0

    def __call__(self) -> None:
        self.count += 1
        self.folder.mkdir(parents=True, exist_ok=True)
        spec = dense((3,), 2, width=4, depth=1)
        (self.folder / "config.json").write_text(json.dumps(spec))
        torch.manual_seed(0)
        write_weights(build(spec).state_dict(), self.folder / "weights.safetensors")


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path / "networks" / "7")


def test_a_network_is_made_once(maker: Maker) -> None:
    first = make_network(maker.folder, "identity", "digest", maker)
    assert make_network(maker.folder, "identity", "digest", maker) == first
    assert maker.count == 1
    assert set(first) == {"config.json", "weights.safetensors"}
    assert all(sha256(maker.folder / name) == digest for name, digest in first.items())


def test_from_other_inputs_it_is_made_anew_and_nothing_old_stays(maker: Maker) -> None:
    make_network(maker.folder, "identity", "digest", maker)
    (maker.folder / "left_over.csv").write_text("")
    make_network(maker.folder, "identity", "other", maker)
    assert maker.count == 2
    assert not (maker.folder / "left_over.csv").exists()


@pytest.mark.parametrize("damage", ["weights", "missing", "receipt"])
def test_a_folder_that_is_not_as_it_was_written_is_made_anew(damage: str, maker: Maker) -> None:
    make_network(maker.folder, "identity", "digest", maker)
    if damage == "weights":
        (maker.folder / "weights.safetensors").write_bytes(b"other")
    elif damage == "missing":
        (maker.folder / "config.json").unlink()
    else:
        (maker.folder / NETWORK_RECEIPT).write_text("{")
    make_network(maker.folder, "identity", "digest", maker)
    assert maker.count == 2


def test_what_fails_leaves_no_network_of_another_digest(maker: Maker) -> None:
    make_network(maker.folder, "identity", "digest", maker)

    def diverge() -> None:
        raise GengapError("Training diverged.")

    with pytest.raises(GengapError, match="diverged"):
        make_network(maker.folder, "identity", "other", diverge)
    assert not maker.folder.exists()


def test_a_network_is_read_only_as_its_receipt_lists_it(maker: Maker, tmp_path: Path) -> None:
    files = make_network(maker.folder, "identity", "digest", maker)
    path = tmp_path / "shards" / "0.json"
    ShardReceipt(tmp_path, {"7": files}).write(path)
    receipt = ShardReceipt.read(path)
    assert not receipt.network("7").training
    with pytest.raises(GengapError, match=r"labels\.npy is not the file that the network was made"):
        receipt.file("7", "labels.npy")
    (maker.folder / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(GengapError, match=r"7/weights\.safetensors is not the file .* remove"):
        receipt.network("7")
    with pytest.raises(
        GengapError, match=r"Network 7 was not made: the reason is in .*failed\.csv"
    ):
        ShardReceipt(tmp_path, {}).network("7")


def test_a_history_is_that_of_the_receipt_or_none(maker: Maker, tmp_path: Path) -> None:
    maker()
    receipt = ShardReceipt(tmp_path, {"7": make_network(maker.folder, "identity", "digest", maker)})
    assert receipt.history("7") is None
    path = maker.folder / "history.csv"
    path.write_text("epoch,train_loss\n1,0.5\n")
    listed = {"7": {**receipt.networks["7"], "history.csv": sha256(path)}}
    history = ShardReceipt(tmp_path, listed).history("7")
    assert history is not None
    assert history["train_loss"].tolist() == [0.5]
    path.write_text("epoch,train_loss\n1,0.25\n")
    with pytest.raises(GengapError, match=r"history\.csv is not the file"):
        ShardReceipt(tmp_path, listed).history("7")
    with pytest.raises(GengapError, match="Network 8 was not made"):
        receipt.history("8")


@pytest.mark.parametrize("content", ["[]", "{}", '{"networks": 1}', "{"])
def test_a_file_that_is_no_receipt_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "0.json").write_text(content)
    with pytest.raises(GengapError, match=r"0\.json is"):
        ShardReceipt.read(tmp_path / "0.json")


def test_a_digest_tells_where_a_word_ends() -> None:
    assert digest_of("a", "bc") != digest_of("ab", "c")
    assert digest_of("a", "bc") == digest_of("a", "bc")
