"""Downloads from a server on this machine, with every fault that a server may have."""

from __future__ import annotations

import hashlib
import io
import shutil
import struct
import zipfile
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gengap.errors import GengapError
from gengap.tasks.pgdl import Receipt, RetryPolicy, download, remote
from gengap.tasks.pgdl.archives import BLOCK, LOCAL_HEADER, read_members, unpack

TASK = "task2_v1"
ARCHIVE = "/public_data.zip"
QUICK = RetryPolicy(timeout=5, attempts=3, pause=0.001)
IMPATIENT = RetryPolicy(timeout=0.2, attempts=3, pause=0.001)  # where the server stalls
FINAL = f"input_data/{TASK}/model_9/weights.hdf5"

Files = dict[str, bytes]
Zip = Callable[..., bytes]


def written(folder: Path) -> Files:
    """Every file below a folder, by relative name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def finals(folder: Path) -> Files:
    """Files under final names."""
    return {name: content for name, content in written(folder).items() if "/." not in f"/{name}"}


@pytest.fixture
def serving(server: Any, task_files: Files, zipped: Zip) -> Any:
    """The server with the archive of a task."""
    server.files[ARCHIVE] = zipped({"read.me": b"x" * 5000, **task_files})
    return server


def record(archive: bytes | bytearray, name: str) -> range:
    """Where the local header and the packed bytes of a member lie in an archive."""
    info = zipfile.ZipFile(io.BytesIO(archive)).getinfo(name)
    return range(info.header_offset, info.header_offset + info.compress_size)


@pytest.mark.parametrize("prefix", ["", "public_data/"])
@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_fetches_a_task_by_ranges(
    server: Any, task_files: Files, zipped: Zip, tmp_path: Path, prefix: str, compression: int
) -> None:
    packed = {prefix + name: content for name, content in task_files.items()}
    server.files[ARCHIVE] = zipped(packed, compression)
    receipt = download(TASK, tmp_path, source=server.url + "/", retry_policy=QUICK)
    assert written(tmp_path) == task_files
    assert sorted(receipt.files) == sorted(task_files)
    assert receipt.etag == hashlib.md5(server.files[ARCHIVE]).hexdigest()
    assert receipt.size == len(server.files[ARCHIVE])


def test_fetches_only_what_is_asked_for(serving: Any, task_files: Files, tmp_path: Path) -> None:
    download(TASK, tmp_path, source=serving.url, networks=[1], retry_policy=QUICK)
    expected = {
        name: content
        for name, content in task_files.items()
        if "model_9/" not in name and "model_239/" not in name
    }
    assert written(tmp_path) == expected  # position 1 is id 10: ids are in numeric order
    archive = serving.files[ARCHIVE]
    start = record(archive, f"input_data/{TASK}/model_239/weights.hdf5").start
    assert not any(first <= start <= last for first, last in serving.ranges)


def test_a_second_run_fetches_nothing_but_repairs_what_was_damaged(
    serving: Any, task_files: Files, tmp_path: Path
) -> None:
    download(TASK, tmp_path, source=serving.url, retry_policy=QUICK)
    damaged = bytearray(task_files[FINAL])
    damaged[100] ^= 1
    (tmp_path / FINAL).write_bytes(damaged)
    serving.ranges.clear()
    download(TASK, tmp_path, source=serving.url, retry_policy=QUICK)
    assert written(tmp_path) == task_files
    # First byte, then the directory, then the damaged member alone.
    members = [start for start, _ in serving.ranges if 0 < start < len(serving.files[ARCHIVE]) / 2]
    assert members == [record(serving.files[ARCHIVE], FINAL).start]


def test_receipt_is_read_back(serving: Any, tmp_path: Path) -> None:
    receipt = download(
        TASK, tmp_path / "data", source=serving.url, networks=[0], retry_policy=QUICK
    )
    receipt.write(tmp_path / "receipt.json")
    assert Receipt.read(tmp_path / "receipt.json") == receipt
    (tmp_path / "receipt.json").write_text("[]")
    with pytest.raises(GengapError, match="not the receipt"):
        Receipt.read(tmp_path / "receipt.json")


def test_zip64_directory(
    server: Any, task_files: Files, zipped: Zip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1500)
    server.files[ARCHIVE] = zipped(task_files, zipfile.ZIP_STORED)
    monkeypatch.undo()
    assert b"PK\x06\x06" in server.files[ARCHIVE]  # the zip64 end of directory
    download(TASK, tmp_path, source=server.url, retry_policy=QUICK)
    assert written(tmp_path) == task_files


@pytest.mark.parametrize("fault", ["break", "break at once", "stall", "status 500"])
def test_transient_faults_are_overcome(
    serving: Any, task_files: Files, tmp_path: Path, fault: str
) -> None:
    serving.fault, serving.hit, serving.faults_left = fault, range(1, 1 << 40), 2
    retry_policy = IMPATIENT if fault == "stall" else QUICK
    download(TASK, tmp_path, source=serving.url, retry_policy=retry_policy)
    assert written(tmp_path) == task_files


@pytest.mark.slow
def test_a_download_succeeds_though_every_answer_breaks_off_after_a_third(
    serving: Any, task_files: Files, tmp_path: Path
) -> None:
    serving.fault = "break"
    download(TASK, tmp_path, source=serving.url, networks=[0], retry_policy=QUICK)
    assert (tmp_path / FINAL).read_bytes() == task_files[FINAL]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("break at once", "the server .*broke off at byte .* 3 times in a row: run again later"),
        ("stall", r"the server stalled for 0\.2 s at byte .* 3 times in a row: run again later"),
        ("status 500", "the server answered 500 at byte .* 3 times in a row: run again later"),
        ("status 200", r"ignores range requests \(it answered 200\): fetch the whole archive"),
        (
            "page",
            "answered with a web page, not the archive: log in .* give its path as the source",
        ),
        ("wrong range", "changed on the server while it was read: run again"),
    ],
)
@pytest.mark.parametrize("early", [True, False])
def test_persistent_faults_are_reported_in_one_sentence(
    serving: Any, tmp_path: Path, fault: str, reason: str, early: bool
) -> None:
    serving.fault = fault
    serving.hit = range(1, 1 << 40) if early else record(serving.files[ARCHIVE], FINAL)
    retry_policy = IMPATIENT if fault == "stall" else QUICK
    with pytest.raises(GengapError, match=reason) as caught:
        download(TASK, tmp_path, source=serving.url, retry_policy=retry_policy)
    assert "\n" not in str(caught.value)
    assert FINAL not in finals(tmp_path)


def test_unreachable_server(server: Any, tmp_path: Path) -> None:
    with pytest.raises(GengapError, match="answered 404 Not Found: check the base URL"):
        download(TASK, tmp_path, source=server.url, retry_policy=QUICK)
    sentence = r"could not be reached .* 3 times in a row: check the address, the connection"
    with pytest.raises(GengapError, match=sentence):
        download(TASK, tmp_path, source="http://127.0.0.1:1", retry_policy=QUICK)
    with pytest.raises(GengapError, match="not a URL: correct the source"):
        download(TASK, tmp_path, source="gopher://127.0.0.1", retry_policy=QUICK)


def test_a_broken_download_is_continued_from_its_byte(
    serving: Any, task_files: Files, tmp_path: Path
) -> None:
    serving.fault, serving.hit = "break", record(serving.files[ARCHIVE], FINAL)
    start = serving.hit.start
    with pytest.raises(GengapError, match="broke off"):
        download(TASK, tmp_path, source=serving.url, retry_policy=RetryPolicy(0.2, 1, 0.001))
    part = next(path for path in tmp_path.rglob("*.part"))
    kept = part.stat().st_size
    assert kept > 0
    (part.parent / ".weights.hdf5.01234567.part").write_bytes(b"of another version")
    assert FINAL not in finals(tmp_path)
    serving.fault = ""
    serving.ranges.clear()
    download(TASK, tmp_path, source=serving.url, retry_policy=QUICK)
    assert written(tmp_path) == task_files
    assert start + kept in [first for first, _ in serving.ranges]
    assert start not in [first for first, _ in serving.ranges]


def test_bytes_corrupted_once_on_the_way_are_fetched_again(
    serving: Any, task_files: Files, tmp_path: Path
) -> None:
    serving.hit = record(serving.files[ARCHIVE], FINAL)
    serving.fault, serving.faults_left = "flip", 1
    download(TASK, tmp_path, source=serving.url, networks=[0], retry_policy=QUICK)
    assert (tmp_path / FINAL).read_bytes() == task_files[FINAL]


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
@pytest.mark.parametrize("where", ["signature", "data"])
@pytest.mark.parametrize("over_http", [True, False])
def test_corrupt_member_is_named(
    server: Any,
    task_files: Files,
    zipped: Zip,
    tmp_path: Path,
    compression: int,
    where: str,
    over_http: bool,
) -> None:
    archive = bytearray(zipped(task_files, compression))
    start = record(archive, FINAL).start
    archive[start if where == "signature" else start + LOCAL_HEADER.size + len(FINAL) + 1500] ^= 255
    server.files[ARCHIVE] = bytes(archive)
    (tmp_path / "public_data.zip").write_bytes(archive)
    source = server.url if over_http else str(tmp_path)
    with pytest.raises(GengapError, match=rf"member {FINAL} is truncated or corrupt") as caught:
        download(TASK, tmp_path / "out", source=source, retry_policy=QUICK)
    assert "\n" not in str(caught.value)
    left = written(tmp_path / "out")
    assert not [name for name in left if "weights.hdf5" in name]


@pytest.mark.parametrize("kept", [0, 10, 0.5, -1])
def test_truncated_archive(
    server: Any, task_files: Files, zipped: Zip, tmp_path: Path, kept: float
) -> None:
    archive = zipped(task_files)
    archive = archive[: int(kept if kept in (0, 10, -1) else len(archive) * kept)]
    (tmp_path / "public_data.zip").write_bytes(archive)
    sources = [str(tmp_path)]
    if archive:
        server.files[ARCHIVE] = archive
        sources.append(server.url)
    for source in sources:
        with pytest.raises(GengapError, match="is not a complete zip archive: fetch it again"):
            download(TASK, tmp_path / "out", source=source, retry_policy=QUICK)


@pytest.mark.parametrize("over_http", [True, False])
def test_damaged_entry_that_asks_for_an_unknown_version_of_the_format(
    server: Any, task_files: Files, zipped: Zip, tmp_path: Path, over_http: bool
) -> None:
    archive = bytearray(zipped({f"input_data/{TASK}/": b"", **task_files}))
    place = archive.index(b"PK\x01\x02")
    archive[place + 6] = 0xFF  # the version needed to unpack
    (tmp_path / "public_data.zip").write_bytes(archive)
    server.files[ARCHIVE] = bytes(archive)
    source = server.url if over_http else tmp_path
    with pytest.raises(GengapError, match="is not a complete zip archive: fetch it again"):
        download(TASK, tmp_path / "out", source=source, retry_policy=QUICK)


def test_member_declared_longer_than_the_archive(
    task_files: Files, zipped: Zip, tmp_path: Path
) -> None:
    archive = bytearray(zipped(task_files, zipfile.ZIP_STORED))
    place = archive.index(b"PK\x01\x02")
    struct.pack_into("<L", archive, place + 20, 1 << 30)  # packed size of the first member
    (tmp_path / "public_data.zip").write_bytes(archive)
    with pytest.raises(GengapError, match="truncated or corrupt"):
        download(TASK, tmp_path / "out", source=tmp_path)


def test_member_that_inflates_to_more_than_it_declares(
    task_files: Files, zipped: Zip, tmp_path: Path
) -> None:
    task_files[FINAL] = bytes(40_000_000)
    archive = bytearray(zipped(task_files))
    info = zipfile.ZipFile(io.BytesIO(archive)).getinfo(FINAL)
    place = archive.rindex(FINAL.encode()) - 46
    assert archive[place : place + 4] == b"PK\x01\x02"
    struct.pack_into("<L", archive, place + 24, 1000)
    assert info.compress_size < 100_000
    (tmp_path / "public_data.zip").write_bytes(archive)
    with pytest.raises(GengapError, match=f"member {FINAL} is truncated or corrupt"):
        download(TASK, tmp_path / "out", source=tmp_path)
    assert FINAL not in written(tmp_path / "out")


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/outside",
        f"input_data/{TASK}/model_9/../../../../outside",
        "input_data\\..\\outside",
        "C:/outside",
    ],
)
def test_names_that_point_outside_are_refused(
    server: Any, task_files: Files, zipped: Zip, tmp_path: Path, name: str
) -> None:
    server.files[ARCHIVE] = zipped({**task_files, name: b"x"})
    with pytest.raises(GengapError, match="points outside of the folder"):
        download(TASK, tmp_path / "inside", source=server.url, retry_policy=QUICK)
    assert written(tmp_path) == {}


def test_links_are_refused(task_files: Files, zipped: Zip, tmp_path: Path) -> None:
    buffer = io.BytesIO(zipped(task_files))
    with zipfile.ZipFile(buffer, "a") as archive:
        link = zipfile.ZipInfo(f"input_data/{TASK}/model_7")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc")
    (tmp_path / "public_data.zip").write_bytes(buffer.getvalue())
    with pytest.raises(GengapError, match="holds the link"):
        download(TASK, tmp_path / "out", source=tmp_path)
    assert not (tmp_path / "out").exists() or written(tmp_path / "out") == {}


def test_two_copies_of_a_task_in_one_archive_are_refused(
    task_files: Files, zipped: Zip, tmp_path: Path
) -> None:
    twice = task_files | {f"copy/{name}": content for name, content in task_files.items()}
    (tmp_path / "public_data.zip").write_bytes(zipped(twice))
    with pytest.raises(GengapError, match="twice: give another source"):
        download(TASK, tmp_path / "out", source=tmp_path)


@pytest.mark.parametrize(
    "lacking",
    [
        FINAL,
        f"reference_data/{TASK}/model_configs.json",
        *(f"input_data/{TASK}/dataset_1/train/shard_{shard}.tfrecord" for shard in range(11)),
    ],
)
def test_missing_member_is_named(
    task_files: Files, zipped: Zip, tmp_path: Path, lacking: str
) -> None:
    names = [lacking] if "tfrecord" not in lacking else [n for n in task_files if "/train/" in n]
    for name in names:
        del task_files[name]
    (tmp_path / "public_data.zip").write_bytes(zipped(task_files))
    reason = lacking if "tfrecord" not in lacking else "train/shard_0.tfrecord"
    with pytest.raises(GengapError, match=f"holds no .*{reason}: give another source"):
        download(TASK, tmp_path / "out", source=tmp_path)


@pytest.mark.parametrize("part", ["train", "test"])
def test_hole_in_the_numbering_of_shards_is_named_before_networks_are_fetched(
    server: Any, task_files: Files, zipped: Zip, tmp_path: Path, part: str
) -> None:
    hole = f"input_data/{TASK}/dataset_1/{part}/shard_1.tfrecord"
    del task_files[hole]
    server.files[ARCHIVE] = zipped(task_files)
    with pytest.raises(GengapError, match=f"holds no {hole}: give another source"):
        download(TASK, tmp_path / "out", source=server.url, retry_policy=QUICK)
    assert list(finals(tmp_path / "out")) == [f"reference_data/{TASK}/model_configs.json"]


def test_archives_without_the_task(task_files: Files, zipped: Zip, tmp_path: Path) -> None:
    (tmp_path / "phase_one_data.zip").write_bytes(zipped(task_files))
    with pytest.raises(GengapError, match="holds no input_data/task4"):
        download("task4", tmp_path / "out", source=tmp_path)
    with pytest.raises(GengapError, match="'mine' is in none of the published archives"):
        download("mine", tmp_path / "out", source="http://127.0.0.1:1")
    with pytest.raises(GengapError, match=r"nowhere\.zip does not exist"):
        download(TASK, tmp_path / "out", source=tmp_path / "nowhere.zip")


@pytest.mark.parametrize("how", ["archive", "folder of archives", "URL of an archive"])
def test_whole_archives(
    server: Any, task_files: Files, zipped: Zip, tmp_path: Path, how: str
) -> None:
    archive = tmp_path / "public_data.zip"
    archive.write_bytes(zipped(task_files))
    server.files["/mine.zip"] = archive.read_bytes()
    sources = {
        "archive": str(archive),
        "folder of archives": str(tmp_path),
        "URL of an archive": f"{server.url}/mine.zip",
    }
    download(TASK, tmp_path / "out", source=sources[how], retry_policy=QUICK)
    assert written(tmp_path / "out") == task_files


@pytest.mark.parametrize("prefix", ["", "phase_one_data/"])
def test_unpacked_folder_is_used_where_it_is(
    task_files: Files, tmp_path: Path, prefix: str
) -> None:
    for name, content in task_files.items():
        path = tmp_path / "there" / (prefix + name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    receipt = download(TASK, tmp_path / "out", source=tmp_path / "there", networks=[2])
    assert receipt.tree == str(tmp_path / "there")
    assert not (tmp_path / "out").exists()
    assert {prefix + name for name in task_files if "/model_" not in name} < set(receipt.files)
    assert [name for name in receipt.files if "hdf5" in name and "model_239/" not in name] == []
    gone = tmp_path / "there" / prefix / f"input_data/{TASK}/dataset_1/test/shard_4.tfrecord"
    gone.unlink()
    with pytest.raises(GengapError, match=r"shard_4\.tfrecord is missing: download"):
        download(TASK, tmp_path / "out", source=tmp_path / "there", networks=[2])
    (tmp_path / "there" / prefix / f"input_data/{TASK}/model_239/weights_init.hdf5").unlink()
    with pytest.raises(GengapError, match=r"weights_init\.hdf5 is missing: download"):
        download(TASK, tmp_path / "out", source=tmp_path / "there", networks=[2])


def test_position_beyond_the_networks(serving: Any, tmp_path: Path) -> None:
    with pytest.raises(GengapError, match="has 3 networks, so none at position 3"):
        download(TASK, tmp_path, source=serving.url, networks=[3], retry_policy=QUICK)


def test_checksum_of_a_server(serving: Any, tmp_path: Path) -> None:
    right = hashlib.md5(serving.files[ARCHIVE]).hexdigest()
    download(TASK, tmp_path, source=serving.url, networks=[0], checksum=right, retry_policy=QUICK)
    with pytest.raises(GengapError, match=rf"ETag '{right}' and MD5 '', but the configured"):
        download(TASK, tmp_path, source=serving.url, checksum="0" * 32, retry_policy=QUICK)
    serving.headers = {
        "ETag": '"other"',
        "x-goog-hash": "crc32c=AAAAAA==,md5=AQIDBAUGBwgJCgsMDQ4PEA==",
    }
    stated = "0102030405060708090a0b0c0d0e0f10"
    receipt = download(
        TASK, tmp_path, source=serving.url, networks=[0], checksum=stated, retry_policy=QUICK
    )
    assert (receipt.etag, receipt.md5) == ("other", stated)


def test_an_archive_that_is_no_longer_the_published_one_is_logged(
    serving: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    published = "6a05d0b267f0ff22055ecc55b005f391"
    served = hashlib.md5(serving.files[ARCHIVE]).hexdigest()
    arguments: dict[str, Any] = {"source": serving.url, "networks": [0], "retry_policy": QUICK}
    with caplog.at_level("WARNING"):
        assert download(TASK, tmp_path, **arguments).etag == served
        assert f"{serving.url}{ARCHIVE}: ETag {served}, formerly {published}" in caplog.text
        caplog.clear()
        serving.headers = {"ETag": f'"{published}"'}
        assert download(TASK, tmp_path, **arguments).etag == published
        assert "formerly" not in caplog.text


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_checksum_of_a_local_archive(
    task_files: Files, zipped: Zip, tmp_path: Path, kind: str
) -> None:
    archive = tmp_path / "public_data.zip"
    archive.write_bytes(zipped(task_files))
    right = hashlib.new(kind, archive.read_bytes()).hexdigest()
    download(TASK, tmp_path / "out", source=archive, checksum=right.upper())
    with pytest.raises(GengapError, match=f"has the checksum {right}, but"):
        download(TASK, tmp_path / "out", source=archive, checksum="0" * len(right))
    with pytest.raises(GengapError, match="neither an MD5"):
        download(TASK, tmp_path / "out", source=archive, checksum="abc")


def test_archive_that_changes_on_the_server(serving: Any, task_files: Files, zipped: Zip) -> None:
    source = remote.RemoteFile(serving.url + ARCHIVE, QUICK)
    serving.files[ARCHIVE] = zipped({**task_files, "new": b"1"})
    with pytest.raises(GengapError, match="changed on the server"):
        list(source.stream(0, 100))


@pytest.mark.parametrize("over_http", [True, False])
def test_full_disk(
    serving: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over_http: bool
) -> None:
    (tmp_path / "public_data.zip").write_bytes(serving.files[ARCHIVE])
    real = Path.open

    def opened(path: Path, mode: str = "r", *args: Any, **keywords: Any) -> Any:
        writes_weights = {"ab": ".part", "wb": ".hdf5"}.get(mode) == path.suffix
        return real(Path("/dev/full") if writes_weights else path, mode, *args, **keywords)

    monkeypatch.setattr(Path, "open", opened)
    source = serving.url if over_http else tmp_path
    with pytest.raises(GengapError, match=r"No space left on device\): make room") as caught:
        download(TASK, tmp_path / "out", source=source, retry_policy=QUICK)
    assert "\n" not in str(caught.value)
    assert not [name for name in finals(tmp_path / "out") if name.endswith(".hdf5")]
    monkeypatch.undo()
    download(TASK, tmp_path / "out", source=source, retry_policy=QUICK)
    assert not [name for name in written(tmp_path / "out") if name.endswith(".part")]


def test_too_small_a_disk_is_known_before_anything_is_fetched(
    serving: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 9000))
    with pytest.raises(GengapError, match=r"has 9000 bytes free, but \d+ are needed: make room"):
        download(TASK, tmp_path, source=serving.url, retry_policy=QUICK)
    assert list(finals(tmp_path)) == [f"reference_data/{TASK}/model_configs.json"]


def test_folder_that_cannot_be_made(serving: Any, tmp_path: Path) -> None:
    (tmp_path / "input_data").write_text("a file where a folder must be")
    with pytest.raises(GengapError, match="Cannot copy input_data/"):
        download(TASK, tmp_path, source=serving.url, retry_policy=QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("pattern", [b"\0", b"ab", b"gengap"])
def test_well_packed_members_of_every_length_are_unpacked(tmp_path: Path, pattern: bytes) -> None:
    """Lengths just above a block: zlib then holds output when all input has been read."""
    contents = {f"input_data/{extra}": (pattern * BLOCK)[: BLOCK + extra] for extra in range(300)}
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    with archive.open("rb") as file:
        for member in read_members(file, str(archive)):
            file.seek(member.start)
            unpack(file, member, tmp_path / "out")
            assert (tmp_path / "out").read_bytes() == contents[member.name]


def test_a_folder_that_cannot_be_made_is_named(serving: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GengapError, match=r"folder .*file/data cannot be made .*choose another"):
        download(TASK, tmp_path / "file" / "data", source=serving.url, retry_policy=QUICK)
