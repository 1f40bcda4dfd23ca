"""One file from the network to disk: continued after a cut, checked, from the first address that gives it."""

import hashlib
import json
import os
import pathlib
import time
import urllib.parse

from ..core.files import FetchError, need_room, read_json, write

TIMEOUT = 10, 30  # seconds: until there is a connection; of silence
TRIES = 4  # in a row at one address, each without a megabyte more than before
PAUSE = 2  # seconds before the second try, twice that before the third
GAIN, CHUNK = 1 << 20, 1 << 16  # bytes
LIMIT = (
    1_000_000_000  # bytes, of a file whose size isn't known; the largest that we fetch so, vgg16's weights, has 553 MB
)
NO_NAME = "its name is not found: is there a network?"


class _FailedError(Exception):
    """A try failed. final: the same address need not be asked again."""

    def __init__(self, reason, final=False):
        super().__init__(reason)
        self.final = final


def download(path, urls, check, log, size=None, room=0):
    """Fetch a file to `path` from the first of `urls` that gives it whole; the path.

    check: function of a path; raises a ValueError that says what is wrong with the file. log: a `Log`.
    size: bytes, where known; else at most `LIMIT`. room: bytes of disk that will be needed besides.
    What was received is in PATH.part and is continued by this process or a later one. Where no address gives the file,
    a FetchError lists each and its reason. A disk that is full or can't be written to is an OSError at once.
    """
    path = pathlib.Path(path)
    part = path.with_name(path.name + ".part")
    if path.is_file():
        try:
            check(path)
            return path
        except ValueError:
            path.unlink()
    reasons = []
    for url in urls:
        log.line(f"{path.name} from {urllib.parse.urlsplit(url).netloc or url}")
        reason = _from_address(url, part, check, log, size, room)
        if reason is None:
            os.replace(part, path)
            _origin(part).unlink(missing_ok=True)
            return path
        reasons.append(f"  {url}: {reason}")
    raise FetchError("\n".join([f"{path.name} could not be downloaded:", *reasons]))


def _from_address(url, part, check, log, size, room):
    """Ask one address until the file is whole (None), or it is no use any more (the last reason)."""
    failed, most = 0, _length(part)
    while True:
        clean, reason, final = False, "", False
        try:
            clean = _receive(url, part, log, size, room)
            log.line("  complete; checking it")
            check(part)
            return None
        except _FailedError as error:
            reason, final = str(error), error.final
        except ValueError as error:  # whole and wrong: if in one piece, then so at this address
            part.unlink()
            reason, final = str(error), clean
        gained = _length(part) - most
        most = max(most, _length(part))
        failed = 0 if gained >= GAIN else failed + 1
        if final or failed >= TRIES:
            log.line(f"  {reason}")
            return reason
        log.line(f"  {reason}; trying again")
        time.sleep(PAUSE * failed)


def _receive(url, part, log, size, room):
    """Bring `part` to its full length; whether all of it came by this one answer."""
    import requests

    start = _length(part)
    if size is not None and start == size:
        return False
    headers = _range_headers(url, part, start, size)
    try:
        with requests.get(
            url, stream=True, timeout=TIMEOUT, headers=headers | {"Accept-Encoding": "identity"}
        ) as answer:
            start, total = _agree(answer, part, start if headers else 0, size)
            need_room(part.parent, (total or 0) - start + room)
            if not start:
                _begin(part, url, answer.headers)
            with open(part, "ab", buffering=0) as file:
                _copy(answer, file, part, start, total, room, log)
    except requests.RequestException as error:
        reason = _reason(error, _length(part))
        raise _FailedError(reason, final=reason == NO_NAME or isinstance(error, ValueError)) from None
    if total is not None and _length(part) != total:
        raise _FailedError(f"ended after {_length(part):,} of {total:,} bytes")
    return start == 0


def _range_headers(url, part, start, size):
    """Headers that ask for the rest only. A file that changed since, or may have, is not asked for its rest."""
    if not start or (size is not None and start > size):
        return {}
    try:
        origin = read_json(_origin(part), "where the piece beside it came from")
    except (OSError, ValueError):
        origin = {}
    if origin.get("url") == url and origin.get("version"):
        return {"Range": f"bytes={start}-", "If-Range": origin["version"]}
    return {} if size is None else {"Range": f"bytes={start}-"}  # the final check sees two files glued


def _agree(answer, part, start, size):
    """Offset and full length (None: not said) of what the answer brings; a _FailedError if it isn't what we asked."""
    status = answer.status_code
    if status == 416:  # no bytes from there on: what lies here is no piece of theirs
        part.unlink()
    if status not in (200, 206):
        raise _FailedError(f"answered {status} {answer.reason}", 400 <= status < 500 and status not in (408, 416, 429))
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise _FailedError("answered with a web page: does this network ask for a login?", True)
    if status == 206:
        span, _, total = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        if span.split("-")[0] != str(start):
            raise _FailedError(f"gave bytes {span or 'it does not say which'}, asked for those from {start} on", True)
    else:
        start, total = 0, answer.headers.get("Content-Length", "")
    total = int(total) if total.isdigit() else size
    if size is not None and total != size:
        raise _FailedError(f"has {total:,} bytes, expected {size:,}", True)
    if size is None and (total or 0) > LIMIT:
        raise _FailedError(f"has {total:,} bytes, expected at most {LIMIT:,}", True)
    return start, total


def _begin(part, url, headers):
    """Forget what has come, and remember where the new beginning is from and what tells its version."""
    part.unlink(missing_ok=True)
    tag = headers.get("ETag", "")
    version = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")
    _origin(part).write_text(json.dumps({"url": url, "version": version}), encoding="utf-8")


def _copy(answer, file, part, start, total, room, log):
    begun, done, most = time.monotonic(), start, LIMIT if total is None else total
    if start:
        log.line(f"  continued after {start / 1e6:,.1f} MB")
    for chunk in answer.iter_content(CHUNK):
        if done + len(chunk) > most:
            part.unlink()
            raise _FailedError(f"sent more than {most:,} bytes, which is all there can be", True)
        if total is None:  # else it was asked for at the beginning
            need_room(part.parent, len(chunk) + room)
        write(file, chunk)
        done += len(chunk)
        rate = (done - start) / max(time.monotonic() - begun, 1e-3)
        text = f"{part.stem}: {done / 1e6:,.1f} MB, {rate / 1e6:.1f} MB/s"
        if total:
            text = f"{part.stem}: {done / 1e6:,.1f} of {total / 1e6:,.1f} MB, {rate / 1e6:.1f} MB/s, "
            left = (total - done) / rate
            text += f"{left:.0f} s left" if left < 100 else f"{left / 60:,.0f} min left"
        log.status(text)


def _reason(error, came):
    """A network error in one line."""
    text = repr(error)
    known = {
        "ConnectTimeout": f"no connection within {TIMEOUT[0]} s",
        "imed out": f"silent for {TIMEOUT[1]} s",
        "ProxyError": "the proxy, named by HTTPS_PROXY or HTTP_PROXY, does not let us through",
        "resolve": NO_NAME,
        "CERTIFICATE": "its certificate is not accepted; a proxy's own one can be named by REQUESTS_CA_BUNDLE",
        "Schema": "no http:// or https:// in front",
        "refused": "connection refused",
        "unreachable": "not reachable: is there a network?",
        "Connection": f"the connection was cut after {came:,} bytes",
    }
    return next((reason for key, reason in known.items() if key in text), text[:200])


def _origin(part):
    return part.with_name(part.name + ".json")


def _length(part):
    return part.stat().st_size if part.is_file() else 0


def check_sha1(path, sha1, size):
    """Raise a ValueError where a file is not of that SHA-1 (hexadecimal) and size (bytes)."""
    found = pathlib.Path(path).stat().st_size
    if found != size:
        raise ValueError(f"has {found:,} bytes, expected {size:,}")
    with open(path, "rb") as file:
        found = sha1_of(file)
    if found != sha1:
        raise ValueError(f"has SHA-1 {found}, expected {sha1}")


def sha1_of(file):
    """SHA-1 of an open binary file, hexadecimal."""
    digest = hashlib.sha1()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()
