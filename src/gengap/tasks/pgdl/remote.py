"""One file behind HTTP, read by byte ranges, through breaks and stalls of the server."""

from __future__ import annotations

import base64
import binascii
import io
import logging
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

import requests
from urllib3.exceptions import HTTPError, TimeoutError

from gengap.errors import GengapError

log = logging.getLogger(__name__)

BLOCK = 1 << 18
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
GOOGLE_MD5 = re.compile(r"\bmd5=([A-Za-z0-9+/]+=*)")
PASSING_STATUS = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
NEVER_WELL_FORMED = (
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
)


@dataclass(frozen=True)
class RetryPolicy:
    """How long to bear with a server.

    Attributes:
        timeout: seconds to wait for a connection, and for the next byte.
        attempts: failures in a row, without one byte in between, before giving up.
        pause: seconds before the second attempt; doubled before each further one.
    """

    timeout: float = 60.0
    attempts: int = 6
    pause: float = 1.0


class PassingFaultError(Exception):
    """A fault of the server that may be over at the next attempt."""


class RemoteFile:
    """A file on a server that answers range requests.

    Args:
        url: where it is.
        patience: when to try again, and when to give up.

    Attributes:
        size: bytes.
        etag: the server's ETag without quotes; "" if it gives none.
        md5: hexadecimal MD5 of the whole file if the server states one, else "".

    Raises:
        GengapError: the file is not there, or the server fails or does not answer ranges.
    """

    def __init__(self, url: str, patience: RetryPolicy | None = None) -> None:
        self.url = url
        self.patience = patience or RetryPolicy()
        self.size = -1
        self.etag = ""
        self.md5 = ""
        self._session = requests.Session()
        # The first byte tells the size and the ETag; HEAD would not tell whether ranges work.
        for _ in self.stream(0, 1):
            pass

    def stream(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes ``start`` to ``stop - 1`` in order; each break is continued by range.

        Raises:
            GengapError: the server fails for good, or the file has changed since it was opened.
        """
        position, failures = start, 0
        while position < stop:
            try:
                for block in self._answer(position, stop):
                    position += len(block)
                    failures = 0
                    yield block
                if position < stop:
                    raise PassingFaultError("broke off")
                if position > stop:
                    raise GengapError(
                        f"{self.url}: the server sent more bytes than were asked for: fetch the "
                        "whole archive with another tool and give its path as the source."
                    )
            except (PassingFaultError, requests.RequestException, HTTPError) as error:
                failures += 1
                reason = self._reason(error)
                if failures >= self.patience.attempts:
                    raise GengapError(
                        f"{self.url}: the server {reason} at byte {position}, {failures} times in "
                        "a row: run again later, what was received is kept."
                    ) from error
                pause = self.patience.pause * 2 ** (failures - 1)
                log.warning("%s: the server %s; next try in %g s", self.url, reason, pause)
                time.sleep(pause)

    def _answer(self, start: int, stop: int) -> Iterator[bytes]:
        """Blocks of one answer of the server."""
        try:
            response = self._session.get(
                self.url,
                # Compressed transfer would shift the ranges.
                headers={"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"},
                stream=True,
                timeout=self.patience.timeout,
            )
        except NEVER_WELL_FORMED as error:
            raise GengapError(f"'{self.url}' is not a URL: correct the source.") from error
        with response:
            self._check(response, start)
            # read1 hands over what has arrived, so that no byte before a break is lost.
            while block := response.raw.read1(BLOCK):
                yield block

    def _check(self, response: requests.Response, start: int) -> None:
        """Refuse every answer but the asked range of the file that was opened."""
        status = response.status_code
        if status in PASSING_STATUS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise PassingFaultError(f"answered {status}")
        if status == HTTPStatus.OK:
            raise GengapError(
                f"{self.url}: the server ignores range requests (it answered 200): fetch the whole "
                "archive with another tool and give its path as the source."
            )
        found = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if status != HTTPStatus.PARTIAL_CONTENT or found is None:
            raise GengapError(
                f"{self.url}: the server answered {status} {response.reason or ''}".rstrip()
                + ": check the base URL and the archive's name."
            )
        size = int(found[2])
        etag = response.headers.get("ETag", "").removeprefix("W/").strip('"')
        if self.size < 0:
            self.size, self.etag = size, etag
            self.md5 = _stated_md5(response.headers.get("x-goog-hash", ""))
        if (size, etag, int(found[1])) != (self.size, self.etag, start):
            raise GengapError(
                f"{self.url} changed on the server while it was read: run again to start afresh."
            )

    def _reason(self, error: Exception) -> str:
        if isinstance(error, PassingFaultError):
            return str(error)
        if isinstance(error, requests.Timeout | TimeoutError):
            return f"stalled for {self.patience.timeout:g} s"
        return "broke off" if isinstance(error, HTTPError) else "could not be reached"


class RangeReader(io.RawIOBase):
    """A remote file as a seekable one, for code that wants a file: each read is one request."""

    def __init__(self, remote: RemoteFile) -> None:
        self._remote = remote
        self._position = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, as in any file; nothing is requested.

        Raises:
            OSError: a place before the file's first byte.
        """
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._remote.size}
        position = base[whence] + offset
        if position < 0:
            raise OSError("seek before the start of the file")
        self._position = position
        return position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill ``buffer`` as far as the file goes; returns the number of bytes."""
        stop = min(self._position + len(buffer), self._remote.size)
        filled = 0
        for block in self._remote.stream(self._position, stop):
            buffer[filled : filled + len(block)] = block
            filled += len(block)
        self._position += filled
        return filled


def _stated_md5(header: str) -> str:
    """Hexadecimal MD5 from Google's ``x-goog-hash`` header, or ""."""
    found = GOOGLE_MD5.search(header)
    if not found:
        return ""
    try:
        return base64.b64decode(found[1], validate=True).hex()
    except binascii.Error:
        return ""
