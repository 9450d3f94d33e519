"""The folder of a dataset's official files: the user's own, or a cache that is filled once."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import os
import shutil
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gengap.datasets.sources import Download, File, Source
from gengap.errors import GengapError
from gengap.files import writing

# Seconds without a byte after which a server counts as not answering.
TIMEOUT = 30
CHUNK_BYTES = 1 << 20
PAGE = "text/html"


def official_folder(name: str, source: Source, data_dir: str | Path | None) -> Path:
    """Return the folder that holds the official files of a dataset.

    Args:
        name: the dataset's name.
        source: its official files.
        data_dir: the user's folder, whose subfolder ``name`` holds them. Each file there that has
            an official name is checked. None downloads missing files into the user's cache.

    Returns:
        ``data_dir/name``, or the dataset's folder in the cache.

    Raises:
        GengapError: the folder does not exist, a file is not the official one, or a download fails.
    """
    if data_dir is None:
        return _cached(name, source)
    folder = Path(data_dir) / name
    if not folder.is_dir():
        raise GengapError(
            f"{folder} is no folder: put {_names(source)} there, "
            "or leave data_dir out to download them."
        )
    for download in source:
        for file in download.contents:
            path = folder / file.name
            if path.exists() and not file.matches(path):
                raise GengapError(
                    f"{path} is damaged or not the official file (its size or digest differs): "
                    f"replace it by the one from {download.urls[0]}."
                )
    return folder


def unpacked_folder(name: str, archive: str, data_dir: str | Path | None) -> Path:
    """Return the folder of a dataset that the user unpacks, since it is not downloaded.

    Args:
        name: the dataset's name.
        archive: file name of the official archive, for the error message.
        data_dir: folder whose subfolder ``name`` holds the archive's content.

    Returns:
        ``data_dir/name``.

    Raises:
        GengapError: no ``data_dir``, or there is no such folder.
    """
    if data_dir is None:
        raise GengapError(
            f"The dataset {name} is not downloaded: unpack {archive} into a folder {name} and give "
            "the folder that holds it as data_dir."
        )
    folder = Path(data_dir) / name
    if not folder.is_dir():
        raise GengapError(f"{folder} is no folder: put the content of {archive} there.")
    return folder


def required(path: Path) -> Path:
    """Return the path of a file that must be there.

    Args:
        path: the file.

    Returns:
        The same path.

    Raises:
        GengapError: there is no such file.
    """
    if not path.is_file():
        raise GengapError(
            f"{path} is missing: put the official file there, or leave data_dir out to download it."
        )
    return path


def _names(source: Source) -> str:
    return ", ".join(file.name for download in source for file in download.contents)


def _cached(name: str, source: Source) -> Path:
    import pooch  # slow to import, and only a download needs it

    folder = Path(pooch.os_cache("gengap")) / name
    with _locked(folder):
        for download in source:
            if all(file.matches(folder / file.name) for file in download.contents):
                continue
            _download(download, folder, name, source)
            if download.members:
                _unpack(download, folder)
    return folder


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time fill a cache folder; others wait and find it full."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise GengapError(
            f"Cannot write the cache {folder} ({error.strerror}): "
            "set XDG_CACHE_HOME to a writable folder, or give the files' folder as data_dir."
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(download: Download, folder: Path, name: str, source: Source) -> None:
    """Fetch one file from the first of its URLs that serves it whole.

    Raises:
        GengapError: none does.
    """
    import pooch

    failures = []
    for url in download.urls:
        try:
            pooch.retrieve(
                url,
                known_hash=download.file.digest,
                fname=download.file.name,
                path=folder,
                downloader=_Resuming(folder / f"{download.file.name}.partial", download.file),
            )
            return
        except urllib.error.HTTPError as error:
            reason = f"HTTP status {error.code}"
        except urllib.error.URLError as error:
            reason = getattr(error.reason, "strerror", None) or str(error.reason)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        except ValueError:
            reason = "served a file of another size or digest"
        except _WebPageError:
            reason = "served a web page (log in to the network if it asks for that)"
        failures.append(f"{url}: {reason}")
    raise GengapError(
        f"Cannot download {download.file.name} ({'; '.join(failures)}): put {_names(source)} into "
        f"a folder {name} and give the folder that holds it as data_dir."
    )


class _WebPageError(Exception):
    """A server answered with a page for people, in the place of a file."""


class _Resuming:
    """A downloader for pooch that goes on from where a broken connection left off.

    Pooch hands it a temporary file, and checks the hash of that before it gets its final name.
    """

    def __init__(self, partial: Path, file: File) -> None:
        self.partial = partial
        self.file = file

    def __call__(self, url: str, output_file: str | Path, _pooch: Any) -> None:
        """Download to the partial file, and rename it to ``output_file`` once it is whole.

        Raises:
            ValueError: the server offers another number of bytes than the file has.
            OSError: there is no connection.
            _WebPageError: the server answers with a page.
            ConnectionError: the connection broke; what came stays in the partial file.
        """
        from tqdm import tqdm

        here = self.partial.stat().st_size if self.partial.exists() else 0
        if here >= self.file.size:
            here = 0
        request = urllib.request.Request(url, headers={"Range": f"bytes={here}-"} if here else {})
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            if response.headers.get_content_type() == PAGE:
                raise _WebPageError
            if response.status != http.HTTPStatus.PARTIAL_CONTENT:
                here = 0
            announced = response.headers["Content-Length"]
            if announced is not None and here + int(announced) != self.file.size:
                raise ValueError("the server offers another number of bytes")
            progress = tqdm(
                desc=self.file.name, total=self.file.size, initial=here, unit="B", unit_scale=True
            )
            with self.partial.open("ab" if here else "wb") as stream, progress:
                while here <= self.file.size and (chunk := response.read(CHUNK_BYTES)):
                    here += stream.write(chunk)
                    progress.update(len(chunk))
        if here < self.file.size:
            raise ConnectionError("the connection broke off; the next run goes on from there")
        os.replace(self.partial, output_file)


def _unpack(download: Download, folder: Path) -> None:
    """Unpack the known members of a verified archive, each checked, under names of our own choice.

    No path of the archive is ever written to: the members' bytes are streamed.

    Raises:
        GengapError: a member is missing or is not the official file.
    """
    archive = folder / download.file.name
    with tarfile.open(archive) as tar:
        for file in download.members:
            fault = GengapError(
                f"{archive} does not hold the official {file.name}: "
                "delete the archive to download it again."
            )
            try:
                member = tar.getmember(f"{download.member_folder}/{file.name}")
            except KeyError:
                raise fault from None
            stream = tar.extractfile(member) if member.isfile() else None
            if stream is None or member.size != file.size:
                raise fault
            with writing(folder / file.name) as part:
                with stream, part.open("wb") as target:
                    shutil.copyfileobj(stream, target)
                if not file.matches(part):
                    raise fault
