"""Reading one file on an HTTP server by byte ranges, with retries after breaks and stalls."""

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
PAGE = "text/html"
TRANSIENT_STATUS = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
MALFORMED_URL = (
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
)


@dataclass(frozen=True)
class RetryPolicy:
    """When to retry and when to give up.

    Attributes:
        timeout: seconds to wait for a connection, and for the next byte.
        attempts: number of failures in a row, without one byte in between, before giving up.
        pause: seconds before the second attempt; doubled before each further attempt.
    """

    timeout: float = 60.0
    attempts: int = 6
    pause: float = 1.0


class TransientError(Exception):
    """A failure of the server that may not recur at the next attempt."""


class RemoteFile:
    """A file on a server that answers range requests.

    Args:
        url: address of the file.
        retry_policy: when to retry and when to give up; None for the defaults.

    Attributes:
        size: bytes of the whole file.
        etag: the server's ETag without quotes; "" if it gives none.
        md5: hexadecimal MD5 of the whole file; "" if the server states none.

    Raises:
        GengapError: the file is not there, or the server fails or does not answer ranges.
    """

    def __init__(self, url: str, retry_policy: RetryPolicy | None = None) -> None:
        self.url = url
        self.retry_policy = retry_policy or RetryPolicy()
        self.size = -1
        self.etag = ""
        self.md5 = ""
        self._session = requests.Session()
        # The answer to a request for the first byte states the size and the ETag; HEAD would not
        # show whether the server answers ranges.
        for _ in self.stream(0, 1):
            pass

    def stream(self, start: int, stop: int) -> Iterator[bytes]:
        """Stream a range of the file, and continue it by range after each break.

        Args:
            start: first byte.
            stop: the byte after the last.

        Yields:
            Blocks of bytes, in order.

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
            except (TransientError, requests.RequestException, HTTPError) as error:
                failures += 1
                reason = self._reason(error)
                if failures >= self.retry_policy.attempts:
                    raise GengapError(
                        f"{self.url}: the server {reason} at byte {position}, {failures} times in "
                        f"a row: {_remedy(error)}; what was received is kept."
                    ) from error
                pause = self.retry_policy.pause * 2 ** (failures - 1)
                log.warning("%s: the server %s; next try in %g s", self.url, reason, pause)
                time.sleep(pause)

    def _answer(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the blocks of one response of the server, and refuse a wrong number of bytes."""
        try:
            response = self._session.get(
                self.url,
                # Compressed transfer would shift the ranges.
                headers={"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"},
                stream=True,
                timeout=self.retry_policy.timeout,
            )
        except MALFORMED_URL as error:
            raise GengapError(f"'{self.url}' is not a URL: correct the source.") from error
        with response:
            self._check(response, start)
            # read1 returns what has arrived, so that no byte before a break is lost.
            missing = stop - start
            while block := response.raw.read1(BLOCK):
                missing -= len(block)
                yield block
        if missing > 0:
            raise TransientError("broke off")
        if missing < 0:
            raise GengapError(
                f"{self.url}: the server sent more bytes than were asked for: fetch the whole "
                "archive with another tool and give its path as the source."
            )

    def _check(self, response: requests.Response, start: int) -> None:
        """Refuse any answer except the requested range of the file that was opened."""
        status = response.status_code
        if status in TRANSIENT_STATUS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise TransientError(f"answered {status}")
        if status == HTTPStatus.OK and _is_page(response):
            raise GengapError(
                f"{self.url}: {response.url} answered with a web page, not the archive: log in to "
                "the network if it asks for that, check the URL, or fetch the archive with another "
                "tool and give its path as the source."
            )
        if status == HTTPStatus.OK:
            raise GengapError(
                f"{self.url}: the server ignores range requests (it answered 200): fetch the whole "
                "archive with another tool and give its path as the source."
            )
        content_range = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if status != HTTPStatus.PARTIAL_CONTENT or content_range is None:
            raise GengapError(
                f"{self.url}: the server answered {status} {response.reason or ''}".rstrip()
                + ": check the base URL and the archive's name."
            )
        size = int(content_range[2])
        etag = response.headers.get("ETag", "").removeprefix("W/").strip('"')
        if self.size < 0:
            self.size, self.etag = size, etag
            self.md5 = _stated_md5(response.headers.get("x-goog-hash", ""))
        if (size, etag, int(content_range[1])) != (self.size, self.etag, start):
            raise GengapError(
                f"{self.url} changed on the server while it was read: run again to start afresh."
            )

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TransientError):
            return str(error)
        if isinstance(error, requests.Timeout | TimeoutError):
            return f"stalled for {self.retry_policy.timeout:g} s"
        if isinstance(error, requests.exceptions.SSLError):
            return "has no certificate that this machine trusts"
        return "broke off" if isinstance(error, HTTPError) else "could not be reached"


def _remedy(error: Exception) -> str:
    """Say what helps against a failure that recurs."""
    # Certificates, names, ports and proxies; all of these are connection errors.
    if isinstance(error, requests.ConnectionError) and not isinstance(error, requests.Timeout):
        return "check the address, the connection and the proxy, then run again"
    return "run again later"


def _is_page(response: requests.Response) -> bool:
    """Whether a server answered with a page for people: of an error, or to log in."""
    return response.headers.get("Content-Type", "").lower().startswith(PAGE)


class RangeReader(io.RawIOBase):
    """A remote file as a seekable file object; each read is one request."""

    def __init__(self, remote: RemoteFile) -> None:
        self._remote = remote
        self._position = 0

    def readable(self) -> bool:
        """Return True: the file can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: any position can be read."""
        return True

    def tell(self) -> int:
        """Return the position at which the next read begins."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to another position, without a request.

        Args:
            offset: in bytes, relative to ``whence``.
            whence: start, current position or end, as in :meth:`io.IOBase.seek`.

        Returns:
            The new position.

        Raises:
            OSError: the position is before the file's first byte.
        """
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._remote.size}
        position = base[whence] + offset
        if position < 0:
            raise OSError("seek before the start of the file")
        self._position = position
        return position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill ``buffer`` as far as the file goes, and return the number of bytes."""
        stop = min(self._position + len(buffer), self._remote.size)
        filled = 0
        for block in self._remote.stream(self._position, stop):
            buffer[filled : filled + len(block)] = block
            filled += len(block)
        self._position += filled
        return filled


def _stated_md5(header: str) -> str:
    """Extract the hexadecimal MD5 from Google's ``x-goog-hash`` header; "" if there is none."""
    match = GOOGLE_MD5.search(header)
    if not match:
        return ""
    try:
        return base64.b64decode(match[1], validate=True).hex()
    except binascii.Error:
        return ""
