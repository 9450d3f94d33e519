"""Downloads from a local server, the cache, and checks of the user's own files."""

from __future__ import annotations

import hashlib
import io
import shutil
import socket
import tarfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from gengap.datasets import load
from gengap.datasets.registry import DATASETS, Official, Unpacked
from gengap.datasets.sources import Download, File, Source
from gengap.errors import GengapError
from gengap.names import OFFICIAL_DATASETS

RECORD_BYTES = 2 + 3072
TRAIN = np.random.default_rng(0).integers(0, 100, 3 * RECORD_BYTES, dtype=np.uint8).tobytes()
TEST = np.random.default_rng(1).integers(0, 100, 2 * RECORD_BYTES, dtype=np.uint8).tobytes()
ARCHIVE = "cifar-100-binary.tar.gz"


@dataclass
class Server:
    """A local HTTP server: what it serves, what was asked of it, and how it misbehaves."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    knows_ranges: bool = True
    break_after: int | None = None
    announces_length: bool = True
    content_type: str = "application/gzip"
    hung_up: bool = False


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            span = self.headers["Range"]
            state.requests.append((self.path, span))
            content = state.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = int(span.removeprefix("bytes=").rstrip("-")) if span else 0
            start = start if state.knows_ranges else 0
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Type", state.content_type)
            if state.announces_length:
                self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            try:
                self.wfile.write(content[start : state.break_after])
            except ConnectionError:
                state.hung_up = True

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        state.url = f"http://127.0.0.1:{http.server_port}"
        yield state
        http.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of cifar100, which does not exist yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "gengap" / "cifar100"


def described(name: str, content: bytes) -> File:
    return File(name, len(content), hashlib.sha256(content).hexdigest())


def packed(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


MEMBERS = {"cifar-100-binary/train.bin": TRAIN, "cifar-100-binary/test.bin": TEST}
# The last two must never be unpacked.
CONTENT = packed({**MEMBERS, "../evil.bin": b"evil", "cifar-100-binary/extra.bin": b"extra"})


def test_every_dataset_in_official_files_is_fetched_before_the_runs_that_read_it() -> None:
    of_files = {name for name, entry in DATASETS.items() if isinstance(entry, Official | Unpacked)}
    assert of_files == set(OFFICIAL_DATASETS)


def official(name: str) -> Official:
    """The entry of a dataset in official files."""
    entry = DATASETS[name]
    assert isinstance(entry, Official)
    return entry


def fetch_from(monkeypatch: pytest.MonkeyPatch, source: Source) -> None:
    """Let cifar100 come from another source."""
    monkeypatch.setitem(DATASETS, "cifar100", replace(official("cifar100"), source=source))


# Read before a test replaces it.
(CIFAR100,) = official("cifar100").source


def source(*urls: str, content: bytes = CONTENT) -> Source:
    """cifar100's source with tiny files, from other URLs."""
    members = (described("train.bin", TRAIN), described("test.bin", TEST))
    return (replace(CIFAR100, file=described(ARCHIVE, content), urls=urls, members=members),)


@pytest.fixture
def served(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server, with cifar100's archive on it and cifar100 pointing to it."""
    server.files[f"/{ARCHIVE}"] = CONTENT
    fetch_from(monkeypatch, source(f"{server.url}/{ARCHIVE}"))
    return server


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def train_bytes() -> bytes:
    """The first image of the loaded train set that has the first record's label, as bytes."""
    data = load("cifar100")
    (row,) = np.flatnonzero(data.train.labels == TRAIN[1])
    image = np.rint(data.train.inputs[row] * 255).astype(np.uint8)
    content: bytes = image.transpose(2, 0, 1).tobytes()
    return content


def refused() -> str:
    """The sentence with which loading cifar100 is refused."""
    with pytest.raises(GengapError) as caught:
        load("cifar100")
    return str(caught.value)


def test_an_archive_is_fetched_once_and_only_known_members_unpacked(
    served: Server, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train_bytes() == TRAIN[2:RECORD_BYTES]
    assert names(cache) == {ARCHIVE, "train.bin", "test.bin", ".lock"}
    assert not list(cache.parents[2].rglob("e*.bin"))
    assert f"{ARCHIVE}: 100%" in capfd.readouterr().err
    load("cifar100")
    assert len(served.requests) == 1


def test_single_files_are_fetched_as_they_are(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloads = []
    for name, content in (("train.bin", TRAIN), ("test.bin", TEST)):
        server.files[f"/{name}"] = content
        downloads.append(Download(described(name, content), (f"{server.url}/{name}",)))
    fetch_from(monkeypatch, tuple(downloads))
    assert train_bytes() == TRAIN[2:RECORD_BYTES]
    assert names(cache) == {"train.bin", "test.bin", ".lock"}


def test_a_file_may_be_known_by_its_md5(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STL-10's archive, with four tiny members in its format."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pixels = np.random.default_rng(0).integers(0, 256, 2 * 96 * 96 * 3, dtype=np.uint8).tobytes()
    contents = {f"{part}_X.bin": pixels for part in ("train", "test")}
    contents |= {f"{part}_y.bin": b"\x02\x03" for part in ("train", "test")}
    archive = packed({f"stl10_binary/{name}": content for name, content in contents.items()})

    def by_md5(name: str, content: bytes) -> File:
        return File(name, len(content), f"md5:{hashlib.md5(content).hexdigest()}")

    (published,) = official("stl10").source
    here = replace(
        published,
        file=by_md5(published.file.name, archive),
        urls=(f"{server.url}/{published.file.name}",),
        members=tuple(by_md5(file.name, contents[file.name]) for file in published.members),
    )
    monkeypatch.setitem(DATASETS, "stl10", replace(official("stl10"), source=(here,)))
    server.files[f"/{published.file.name}"] = archive[:-1] + b"x"
    with pytest.raises(GengapError, match="another size or digest"):
        load("stl10")
    server.files[f"/{published.file.name}"] = archive
    # CIFAR-10's order of the classes: a bird is 2 there, and a car 1.
    data = load("stl10", classes=[0, 2, 1, 3, 4, 5, 7, 6, 8, 9])
    assert sorted(data.train.labels.tolist()) == [1, 2]
    (car,) = data.train.inputs[data.train.labels == 1]
    second = np.frombuffer(pixels, np.uint8)[96 * 96 * 3 :].reshape(3, 96, 96)
    assert np.array_equal(np.rint(car * 255), second.T)


def test_a_wrong_hash_is_refused_and_leaves_nothing(served: Server, cache: Path) -> None:
    served.files[f"/{ARCHIVE}"] = CONTENT[:-1] + b"x"
    sentence = refused()
    assert f"Cannot download {ARCHIVE}" in sentence
    assert "another size or digest" in sentence
    assert "put train.bin, test.bin into a folder cifar100" in sentence
    assert "data_dir" in sentence
    assert names(cache) == {".lock"}
    served.files[f"/{ARCHIVE}"] = CONTENT
    assert train_bytes() == TRAIN[2:RECORD_BYTES]


@pytest.mark.parametrize("announces_length", [True, False])
def test_a_web_page_is_called_one_and_leaves_nothing(
    served: Server, cache: Path, announces_length: bool
) -> None:
    served.files[f"/{ARCHIVE}"] = b"<html>Log in to this network.</html>"
    served.content_type = "text/html; charset=utf-8"
    served.announces_length = announces_length
    assert f"{served.url}/{ARCHIVE}: served a web page (log in" in refused()
    assert names(cache) == {".lock"}
    served.files[f"/{ARCHIVE}"], served.content_type = CONTENT, "application/gzip"
    assert train_bytes() == TRAIN[2:RECORD_BYTES]


@pytest.mark.parametrize("announces_length", [True, False])
@pytest.mark.parametrize("content", [CONTENT + b"more", CONTENT * 3])
def test_a_file_of_another_size_is_refused(
    served: Server, cache: Path, content: bytes, announces_length: bool
) -> None:
    served.files[f"/{ARCHIVE}"] = content
    served.announces_length = announces_length
    assert "another size or digest" in refused()
    assert names(cache) == {".lock"}


def test_not_found_and_no_server_say_which_files_to_put_where(
    served: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/{ARCHIVE}"
    missing = f"{served.url}/nowhere"
    fetch_from(monkeypatch, source(nobody, missing))
    assert refused() == (
        f"Cannot download {ARCHIVE} ({nobody}: Connection refused; {missing}: HTTP status 404): "
        "put train.bin, test.bin into a folder cifar100 and give the folder that holds it "
        "as data_dir."
    )
    assert names(cache) == {".lock"}
    fetch_from(monkeypatch, source(nobody, missing, f"{served.url}/{ARCHIVE}"))
    assert train_bytes() == TRAIN[2:RECORD_BYTES]


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_broken_download_goes_on_where_it_stopped(
    served: Server, cache: Path, knows_ranges: bool
) -> None:
    served.break_after = 1000
    assert "broke off" in refused()
    assert names(cache) == {".lock", f"{ARCHIVE}.partial"}
    served.break_after = None
    served.knows_ranges = knows_ranges
    assert train_bytes() == TRAIN[2:RECORD_BYTES]
    assert served.requests[-1] == (f"/{ARCHIVE}", "bytes=1000-")
    assert names(cache) == {ARCHIVE, "train.bin", "test.bin", ".lock"}


def test_an_endless_answer_is_cut_off(served: Server, cache: Path) -> None:
    served.files[f"/{ARCHIVE}"] = bytes(64 << 20)
    served.announces_length = False
    assert "another size or digest" in refused()
    assert served.hung_up
    assert names(cache) == {".lock"}


@pytest.mark.parametrize("content", [CONTENT, CONTENT * 2])
def test_a_partial_file_that_needs_no_more_starts_anew(
    served: Server, cache: Path, content: bytes
) -> None:
    cache.mkdir(parents=True)
    (cache / f"{ARCHIVE}.partial").write_bytes(content)
    assert train_bytes() == TRAIN[2:RECORD_BYTES]
    assert served.requests == [(f"/{ARCHIVE}", None)]


def test_a_partial_file_of_something_else_is_not_believed(served: Server, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / f"{ARCHIVE}.partial").write_bytes(b"?" * 1000)
    assert "another size or digest" in refused()
    assert train_bytes() == TRAIN[2:RECORD_BYTES]


def test_a_damaged_cached_file_is_replaced(served: Server, cache: Path) -> None:
    load("cifar100")
    (cache / "train.bin").write_bytes(b"\0" * len(TRAIN))
    assert train_bytes() == TRAIN[2:RECORD_BYTES]
    (cache / "test.bin").unlink()
    (cache / ARCHIVE).write_bytes(b"damaged")
    load("cifar100")
    assert len(served.requests) == 2


def test_processes_that_load_at_once_download_once(served: Server, cache: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(load, ["cifar100"] * 4))
    assert all(np.array_equal(data.train.inputs, loaded[0].train.inputs) for data in loaded)
    assert len(served.requests) == 1
    assert cache.is_dir()


def linked() -> bytes:
    """An archive whose train.bin is a link out of it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("cifar-100-binary/train.bin")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(info)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        packed({}),
        packed({"train.bin": TRAIN, "test.bin": TEST}),
        packed({**MEMBERS, "cifar-100-binary/train.bin": TRAIN + b"x"}),
        packed({**MEMBERS, "cifar-100-binary/train.bin": b"x" * len(TRAIN)}),
        linked(),
    ],
    ids=["empty", "elsewhere", "longer", "other", "link"],
)
def test_an_archive_with_other_members_is_refused(
    served: Server, cache: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    served.files[f"/{ARCHIVE}"] = content
    altered = source(f"{served.url}/{ARCHIVE}", content=content)
    fetch_from(monkeypatch, altered)
    assert f"{ARCHIVE} does not hold the official train.bin: delete the archive" in refused()
    assert names(cache) == {ARCHIVE, ".lock"}


def test_a_cache_that_cannot_be_made_is_named(
    served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "Cannot write the cache" in refused()
    assert "XDG_CACHE_HOME" in refused()
    assert not served.requests


def test_a_named_folder_is_read_and_nothing_downloaded(served: Server, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "cifar100"
    with pytest.raises(GengapError, match=r"cifar100 is no folder: put train\.bin, test\.bin"):
        load("cifar100", data_dir=tmp_path / "data")
    folder.mkdir(parents=True)
    (folder / "train.bin").write_bytes(TRAIN)
    with pytest.raises(GengapError, match=r"cifar100/test\.bin is missing: put"):
        load("cifar100", data_dir=tmp_path / "data")
    (folder / "test.bin").write_bytes(TEST)
    assert len(load("cifar100", data_dir=tmp_path / "data").train.labels) == 3
    for damaged in (TEST[:-1], b"\0" * len(TEST)):
        (folder / "test.bin").write_bytes(damaged)
        with pytest.raises(GengapError, match=r"cifar100/test\.bin is damaged.*replace it by"):
            load("cifar100", data_dir=tmp_path / "data")
    assert not served.requests


def test_a_damaged_real_file_is_named(shared: Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "mnist"
    shutil.copytree(shared("data/mnist"), folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(GengapError, match=rf"{path.name} is damaged.*https://.*{path.name}"):
        load("mnist", data_dir=tmp_path)


# From the authors' pages, as torchvision has them too.
PUBLISHED_MD5 = {
    "mnist/train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "mnist/train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "mnist/t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "mnist/t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    "fashion_mnist/train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "fashion_mnist/train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "fashion_mnist/t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "fashion_mnist/t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    "cifar10/data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
}


def test_the_table_describes_the_files_of_the_published_md5(shared: Callable[[str], Path]) -> None:
    described_here = {
        f"{name}/{file.name}": file
        for name in ("mnist", "fashion_mnist", "cifar10")
        for download in official(name).source
        for file in download.contents
    }
    for name, md5 in PUBLISHED_MD5.items():
        content = (shared(f"data/{Path(name).parent}") / Path(name).name).read_bytes()
        assert hashlib.md5(content).hexdigest() == md5
        assert described_here[name] == described(Path(name).name, content)


def test_sizes_in_the_table_are_whole_records() -> None:
    (cifar10,), (cifar100,) = official("cifar10").source, official("cifar100").source
    assert {file.size for file in cifar10.members} == {10_000 * 3073}
    assert [file.size for file in cifar100.members] == [50_000 * 3074, 10_000 * 3074]
