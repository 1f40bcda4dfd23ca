"""Downloads from a server on this machine that cuts, stalls, lies and changes its mind; archives that mean harm."""

import utils  # noqa: F401
from utils.core import files
from utils.core.console import Log
from utils.core.files import FetchError
from utils.fetch import download
from utils.fetch.unpack import unpack

import errno
import functools
import hashlib
import io
import random
import resource
import shutil
import signal
import socket
import subprocess
import tarfile
import threading
import time
import zipfile

import pytest
from serving import cut_off, python, serving

DATA = random.Random(0).randbytes(900_000)
OTHER = random.Random(1).randbytes(900_000)
SHA1, SIZE = hashlib.sha1(DATA).hexdigest(), len(DATA)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    cut_off(monkeypatch)
    monkeypatch.setattr(download, "TIMEOUT", (1, 0.4))
    monkeypatch.setattr(download, "PAUSE", 0.01)


def _check(path):
    download.check_sha1(path, SHA1, len(DATA))


def _get(path, *urls, size=SIZE, room=0):
    return download.download(path, urls, _check, Log(), size=size, room=room)


def _ranges(server):
    return [asked for _, asked in server.seen]


def _left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole_and_nothing_else_is_left(tmp_path, capsys):
    with serving({"/file": DATA}) as server:
        assert _get(tmp_path / "file", server.url("/file")).read_bytes() == DATA
        assert _left(tmp_path) == ["file"] and len(server.seen) == 1
        assert server.encodings == ["identity"]  # what is compressed on the way has other offsets and another length
        _get(tmp_path / "file", server.url("/file"))
        assert len(server.seen) == 1  # it is there and right
        (tmp_path / "file").write_bytes(OTHER)
        assert _get(tmp_path / "file", server.url("/file")).read_bytes() == DATA
    assert f"file from 127.0.0.1:{server.server_port}" in capsys.readouterr().out


@pytest.mark.parametrize("length", [True, False], ids=["length said", "length not said"])
def test_after_a_cut_only_the_rest_is_fetched(tmp_path, capsys, length):
    with serving(
        {"/file": DATA}, [{"cut": 262_144, "length": length}, {"cut": 524_288, "length": length}, {}]
    ) as server:
        assert _get(tmp_path / "file", server.url("/file")).read_bytes() == DATA
    assert _ranges(server) == [None, "bytes=262144-", "bytes=524288-"] and server.sent == len(DATA)
    out = capsys.readouterr().out
    assert "262,144" in out and "trying again" in out and "continued after 0.5 MB" in out


def test_a_server_that_ignores_ranges_begins_anew(tmp_path):
    with serving({"/file": DATA}, [{"cut": 262_144}, {"ranges": False}]) as server:
        assert _get(tmp_path / "file", server.url("/file")).read_bytes() == DATA
    assert server.sent == 262_144 + len(DATA)


@pytest.mark.parametrize("size", [len(DATA), None], ids=["size known", "size not known"])
def test_a_file_that_changed_is_not_glued_to_the_old_ones_beginning(tmp_path, size):
    with serving({"/file": OTHER}, [{"cut": 262_144}, {}]) as server:
        real = server.step

        def step():  # the file changes between the first request and the second
            if len(server.seen) == 2:
                server.files["/file"], server.tag = DATA, '"2"'
            return real()

        server.step = step
        assert _get(tmp_path / "file", server.url("/file"), size=size).read_bytes() == DATA
    assert _ranges(server) == [None, "bytes=262144-"] and server.sent == 262_144 + len(DATA)


@pytest.mark.parametrize("tag", [None, 'W/"1"'])
def test_without_exact_version_and_size_nothing_is_continued(tmp_path, tag):
    with serving({"/file": DATA}, [{"cut": 262_144}, {}]) as server:
        server.tag = tag
        assert _get(tmp_path / "file", server.url("/file"), size=None).read_bytes() == DATA
    assert _ranges(server) == [None, None]


def test_a_changed_file_without_a_version_is_found_out_by_the_check(tmp_path, capsys):
    with serving({"/file": OTHER}, [{"cut": 262_144}, {}]) as server:
        server.tag, real = None, server.step
        server.step = lambda: (server.files.update({"/file": DATA if len(server.seen) > 1 else OTHER}), real())[1]
        assert _get(tmp_path / "file", server.url("/file")).read_bytes() == DATA
    assert _ranges(server) == [None, "bytes=262144-", None]
    assert f"expected {SHA1}; trying again" in capsys.readouterr().out


def test_the_next_address_continues_where_the_first_broke_off(tmp_path):
    with (
        serving({"/file": DATA}, [{"cut": 262_144}, {"status": 503}]) as first,
        serving({"/file": DATA[:5]}, [{"ranges": False}]) as other,
        serving({"/file": DATA}, [{"begin": 300_000}]) as shifted,
        serving({"/file": DATA}) as second,
    ):
        _get(tmp_path / "file", *(server.url("/file") for server in (first, other, shifted, second)))
    assert _ranges(second) == ["bytes=262144-"] and len(first.seen) == download.TRIES


def test_progress_costs_no_try(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "GAIN", 100_000)
    with serving({"/file": DATA}, [{"cut": n} for n in range(131_072, 900_000, 131_072)] + [{}]) as server:
        assert _get(tmp_path / "file", server.url("/file")).read_bytes() == DATA
    assert len(server.seen) == 7 > download.TRIES


def test_a_500_is_asked_again_and_a_404_is_not(tmp_path, capsys):
    with serving({"/file": DATA}, [{"status": 500}, {}]) as server, serving({}) as empty:
        _get(tmp_path / "file", empty.url("/file"), server.url("/file"))
    assert len(server.seen) == 2 and len(empty.seen) == 1
    out = capsys.readouterr().out
    assert "answered 500 Internal Server Error; trying again" in out and "answered 404 Not Found\n" in out


def test_a_redirect_is_followed(tmp_path):
    with serving({"/file": DATA}) as server, serving({}, [{"location": server.url("/file")}]) as first:
        assert _get(tmp_path / "file", first.url("/there")).read_bytes() == DATA


def test_a_login_page_is_no_beginning_of_a_file(tmp_path):
    portal = {"type": "text/html; charset=utf-8", "cut": 5000, "length": False}
    with serving({"/file": DATA}, [portal]) as server:
        with pytest.raises(FetchError, match="answered with a web page: does this network ask for a login?"):
            _get(tmp_path / "file", server.url("/file"))
        assert len(server.seen) == 1 and not _left(tmp_path)
        server.plan = [{}]
        assert _get(tmp_path / "file", server.url("/file")).read_bytes() == DATA


@pytest.mark.parametrize("step", [{"silent": "at once"}, {"silent": "later", "cut": 262_144}], ids=["at once", "later"])
def test_a_silent_server_is_left(tmp_path, step):
    start = time.monotonic()
    with serving({"/file": DATA}, [step, {}]) as server:
        assert _get(tmp_path / "file", server.url("/file")).read_bytes() == DATA
        assert time.monotonic() - start < 25
    assert _ranges(server) == [None, "bytes=262144-" if "cut" in step else None]


def _refused():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}/file"


def test_one_error_lists_each_address_and_why_and_no_wrong_file_is_left(tmp_path):
    refused = _refused()
    (tmp_path / "file").write_bytes(OTHER)
    with (
        serving({"/file": OTHER}) as wrong,
        serving({"/file": OTHER[:5]}) as short,
        serving({"/file": DATA}, [{"silent": "at once"}]) as silent,
        serving({"/file": DATA}, [{"cut": 393_216}, {"status": 502}]) as broken,
        pytest.raises(FetchError) as raised,
    ):
        urls = [wrong.url("/file"), short.url("/file"), silent.url("/file"), refused, "http://no.invalid/file"]
        _get(tmp_path / "file", *urls, broken.url("/file"))
    lines = str(raised.value).splitlines()
    assert lines[0] == "file could not be downloaded:"
    assert lines[1] == f"  {urls[0]}: has SHA-1 {hashlib.sha1(OTHER).hexdigest()}, expected {SHA1}"
    assert lines[2] == f"  {urls[1]}: has 5 bytes, expected 900,000"
    assert lines[3] == f"  {urls[2]}: silent for 0.4 s"
    assert lines[4] == f"  {refused}: connection refused"
    assert lines[5] == "  http://no.invalid/file: its name is not found: is there a network?"
    assert lines[6] == f"  {broken.url('/file')}: answered 502 Bad Gateway"
    assert len(wrong.seen) == 1 and len(silent.seen) == download.TRIES
    assert _left(tmp_path) == ["file.part", "file.part.json"] and (tmp_path / "file.part").stat().st_size == 393_216


def test_too_little_room_is_said_before_anything_is_written(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1_500_000)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda folder: usage)
    with serving({"/file": DATA}) as server:
        with pytest.raises(OSError, match=r"needs 0\.00 GB of free disk, found 0\.00") as raised:
            _get(tmp_path / "file", server.url("/file"), room=700_000)
        assert raised.value.errno == errno.ENOSPC and raised.value.filename == str(tmp_path) and not _left(tmp_path)
        _get(tmp_path / "file", server.url("/file"), room=500_000)


@pytest.mark.parametrize("size", [SIZE, None], ids=["size known", "size not known"])
def test_a_server_that_sends_on_and_on_is_left(tmp_path, monkeypatch, size):
    monkeypatch.setattr(download, "LIMIT", SIZE)
    with serving({"/file": DATA * 9}, [{"length": False, "delay": 0.01}]) as endless, serving({"/file": DATA}) as good:
        _get(tmp_path / "file", endless.url("/file"), good.url("/file"), size=size)
        assert len(endless.seen) == 1 and _ranges(good) == [None]
    with serving({"/file": DATA * 2}) as server, pytest.raises(FetchError, match="1,800,000 bytes, expected"):
        _get(tmp_path / "large", server.url("/file"), size=size)
    assert server.sent < 1_800_000 and _left(tmp_path) == ["file"]


def test_where_no_length_is_said_the_disk_is_not_filled_up(tmp_path, monkeypatch):
    real = shutil.disk_usage(tmp_path)

    def usage(folder):
        return real._replace(free=1_000_000 - sum(path.stat().st_size for path in tmp_path.iterdir()))

    monkeypatch.setattr(files.shutil, "disk_usage", usage)
    with serving({"/file": DATA}, [{"length": False}]) as server, pytest.raises(OSError, match="of free disk"):
        _get(tmp_path / "file", server.url("/file"), size=None, room=500_000)
    assert (tmp_path / "file.part").stat().st_size < 500_000


def test_an_address_that_is_none_is_asked_once(tmp_path, capsys):
    with pytest.raises(FetchError, match="mirror.example/file: no http:// or https:// in front"):
        _get(tmp_path / "file", "mirror.example/file")
    assert "again" not in capsys.readouterr().out


FETCH = """
check = lambda path: download.check_sha1(path, sys.argv[3], int(sys.argv[4]))
try:
    download.download(sys.argv[1], [sys.argv[2]], check, Log(), size=int(sys.argv[4]))
except OSError as error:
    print(type(error).__name__, error.filename, error.strerror)
"""


def test_after_a_kill_the_next_start_continues(tmp_path):
    with serving({"/file": DATA}, [{"delay": 0.2}, {}]) as server:
        process = python(FETCH, tmp_path / "file", server.url("/file"), SHA1, SIZE)
        part, end = tmp_path / "file.part", time.monotonic() + 60
        while (not part.exists() or part.stat().st_size < 200_000) and time.monotonic() < end:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        came = part.stat().st_size
        assert 200_000 <= came < len(DATA)
        assert _get(tmp_path / "file", server.url("/file")).read_bytes() == DATA
    assert _ranges(server) == [None, f"bytes={came}-"]


def test_killed_before_its_check_a_whole_file_is_not_fetched_again(tmp_path):
    (tmp_path / "file.part").write_bytes(DATA)
    assert _get(tmp_path / "file", _refused()).read_bytes() == DATA


def test_a_disk_that_fills_up_is_an_error_at_once_and_what_came_is_kept(tmp_path):
    """A limit on the size of files is the full disk that every machine has."""
    limit = 500_000
    with serving({"/file": DATA}) as server:
        limited = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit))
        process = python(FETCH, tmp_path / "file", server.url("/file"), SHA1, SIZE, preexec_fn=limited)
        out, err = process.communicate(timeout=60)
        assert out.splitlines()[-1] == f"OSError {tmp_path / 'file.part'} File too large", err
        assert (tmp_path / "file.part").stat().st_size == limit
        _get(tmp_path / "file", server.url("/file"))
        assert _ranges(server) == [None, f"bytes={limit}-"]


# ---- the lock ----


def test_a_lock_is_waited_for_and_goes_with_its_process(tmp_path):
    code = """
        with files.locked(sys.argv[1], print):
            print("mine", flush=True)
            sys.stdin.read()
    """
    path, said = tmp_path / "lock", []
    with python(code, path, stdin=subprocess.PIPE) as process:
        assert process.stdout.readline() == "mine\n", process.stderr.read()

        def say(text):
            said.append(text)
            process.kill()  # a crash of the one who holds it

        rescue = threading.Timer(20, process.kill)  # of this test, where nothing is said
        rescue.start()
        with files.locked(path, say):
            rescue.cancel()
            assert said == ["Another process is fetching the same: waiting for it."]
    assert not _left(tmp_path)
    with files.locked(path, say):
        assert len(said) == 1


# ---- archives ----


def _tar(path, *members):
    """members: (name, bytes or type as text, changes to the TarInfo)."""
    with tarfile.open(path, "w") as file:
        for name, what, *changes in members:
            info = tarfile.TarInfo(name)
            data = what if isinstance(what, bytes) else b""
            info.type, info.size, info.mode = (
                tarfile.REGTYPE if isinstance(what, bytes) else what.encode(),
                len(data),
                0o6777,
            )
            for key, value in (changes[0] if changes else {}).items():
                setattr(info, key, value)
            file.addfile(info, io.BytesIO(data))
    return path


def _zip(path, *members):
    """members: (name, bytes, Unix mode)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data, *mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = (mode[0] if mode else 0o100755) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(info, data)
    return path


def _unpack(archive, tmp_path, limit=1_000_000, inside="."):
    unpack(archive, tmp_path / "new", limit, Log(), inside=inside)


GOOD = ("folder/a.txt", b"a"), ("folder/sub/b.txt", b"bb" * 5000), ("other/c.txt", b"c")


@pytest.mark.parametrize("make", [_tar, _zip])
def test_files_arrive_with_the_rights_of_any_new_file(tmp_path, make):
    archive = make(
        tmp_path / "archive", ("folder/", *((tarfile.DIRTYPE.decode(),) if make is _tar else (b"", 0o040755))), *GOOD
    )
    _unpack(archive, tmp_path)
    for name, data in GOOD:
        assert (tmp_path / "new" / name).read_bytes() == data
    (tmp_path / "plain").touch()
    assert (tmp_path / "new/folder/a.txt").stat().st_mode == (tmp_path / "plain").stat().st_mode
    shutil.rmtree(tmp_path / "new")
    _unpack(archive, tmp_path, inside="folder")
    assert sorted(p.name for p in (tmp_path / "new").rglob("*")) == ["a.txt", "b.txt", "sub"]


BAD_TAR = {
    "absolute": [("/tmp/evil", b"x")],
    "above": [("folder/../../evil", b"x")],
    "symbolic link": [("folder/link", tarfile.SYMTYPE.decode(), {"linkname": "/etc/passwd"}), ("folder/link/x", b"x")],
    "hard link": [("folder/link", tarfile.LNKTYPE.decode(), {"linkname": "folder/a.txt"})],
    "device": [("folder/null", tarfile.CHRTYPE.decode())],
    "named pipe": [("folder/pipe", tarfile.FIFOTYPE.decode())],
    "special file": [("folder/sparse", tarfile.GNUTYPE_SPARSE.decode())],
    "special file, pax": [("folder/sparse", b"x", {"pax_headers": {"GNU.sparse.map": "0,1"}})],
    "given twice": [("./folder/a.txt", b"again")],
    "twice, as folder": [("folder/a.txt/below", b"x")],
}
BAD_ZIP = {
    "absolute": [("/tmp/evil", b"x")],
    "above": [("../evil", b"x")],
    "backslash": [("..\\evil", b"x")],
    "symbolic link": [("folder/link", b"/etc/passwd", 0o120777)],
    "symbolic link, as folder": [("folder/link/", b"/etc", 0o120777)],
    "special file": [("folder/pipe", b"", 0o010644)],
    "twice, as folder": [("folder/a.txt/below", b"x")],
}
BAD = [pytest.param(_tar, n, m, id=f"tar, {n}") for n, m in BAD_TAR.items()]
BAD += [pytest.param(_zip, n, m, id=f"zip, {n}") for n, m in BAD_ZIP.items()]


@pytest.mark.parametrize("make,name,members", BAD)
def test_a_member_that_means_harm_stops_all(tmp_path, make, name, members):
    archive = make(tmp_path / "archive", *GOOD, *members)
    with pytest.raises(FetchError) as raised:
        _unpack(archive, tmp_path)
    expected = {"absolute": "leaves the folder", "above": "leaves the folder", "backslash": "leaves the folder"}
    words = expected.get(name, "given twice" if "twice" in name else name.split(",")[0])
    assert str(archive) in str(raised.value) and repr(members[0][0]).strip("'/") in str(raised.value)
    assert words in str(raised.value) and "Nothing was unpacked" in str(raised.value)
    assert _left(tmp_path) == ["archive"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zips_name_given_twice_stops_all(tmp_path):
    with pytest.raises(FetchError, match="'folder/a.txt' is a name given twice"):
        _unpack(_zip(tmp_path / "archive", *GOOD, GOOD[0]), tmp_path)
    assert _left(tmp_path) == ["archive"]


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    archive = _zip(tmp_path / "archive", ("zeros", bytes(10_000_000)))
    assert archive.stat().st_size < 20_000
    with pytest.raises(FetchError, match="archive: would unpack to 10,000,000 bytes, expected at most 1,000,000"):
        _unpack(archive, tmp_path)
    usage = shutil.disk_usage(tmp_path)._replace(free=9_000_000)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(OSError, match="needs 0.01 GB of free disk"):
        _unpack(archive, tmp_path, limit=10**8)
    assert _left(tmp_path) == ["archive"]


def test_a_zip_that_understates_a_size_writes_no_more_than_it_said(tmp_path):
    archive = _zip(tmp_path / "archive", ("zeros", bytes(10_000_000)))
    size = (10_000_000).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(size, (10).to_bytes(4, "little")))
    with pytest.raises(FetchError, match="archive: cannot be unpacked .*zeros"):
        _unpack(archive, tmp_path)
    assert _left(tmp_path) == ["archive"]


@pytest.mark.parametrize("make", [_tar, _zip])
@pytest.mark.parametrize("harm", ["short", "changed", "not an archive", "not there"])
def test_a_broken_archive_is_named(tmp_path, make, harm):
    members = [(f"folder/{i}", random.Random(i).randbytes(3000)) for i in range(10)]
    archive = make(tmp_path / "archive", *members)
    data = bytearray(archive.read_bytes())
    if harm == "short":
        archive.write_bytes(data[:20_000])
    elif harm == "changed":
        data[600 if make is _zip else 512 * 7 + 150] ^= 255  # in a file's bytes; in a header
        archive.write_bytes(data)
    else:
        archive.write_bytes(b"<html>Please log in</html>" * 100)
    if harm == "not there":
        with pytest.raises(FetchError, match="has no folder elsewhere"):
            _unpack(make(archive, *members), tmp_path, inside="elsewhere")
    else:
        with pytest.raises(FetchError, match="archive: cannot be unpacked"):
            _unpack(archive, tmp_path)
    assert _left(tmp_path) == ["archive"]


def test_a_tar_with_senseless_headers_is_named(tmp_path):
    archive = _tar(tmp_path / "archive", ("folder/a", b"x", {"pax_headers": {"GNU.sparse.map": "no,number"}}))
    with pytest.raises(FetchError, match="archive: cannot be unpacked"):
        _unpack(archive, tmp_path)


def test_a_disk_full_while_unpacking_leaves_nothing(tmp_path, monkeypatch):
    archive = _tar(tmp_path / "archive", *GOOD)

    def full(file, data):
        raise OSError(errno.ENOSPC, "No space left on device", str(file.name))

    monkeypatch.setattr("utils.fetch.unpack.write", full)
    with pytest.raises(OSError, match="No space left on device"):
        _unpack(archive, tmp_path)
    assert _left(tmp_path) == ["archive"]
