"""Downloading from Kaggle: through the real package against a stub, and all that can go wrong."""

import builtins
import errno
import importlib.util
import io
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
import zipfile
from types import SimpleNamespace

import pytest
from kaggle_stub import SIGNATURE, KaggleStub

from course.data import download as module
from course.data.dataset import KAGGLE_SLUG
from course.data.download import DownloadError, download
from course.data.find import find

TOKEN = "KGAT_5ecret5ecret5ecret"
WITH_TOKEN = {"KAGGLE_API_TOKEN": TOKEN}
WITH_KEY = {"KAGGLE_USERNAME": "student", "KAGGLE_KEY": TOKEN}
MIB = 1 << 20
ROOT = "dataset/semantic_drone_dataset"
needs_kaggle = pytest.mark.skipif(
    importlib.util.find_spec("kaggle") is None, reason="the kaggle package is not installed"
)

# A process for each download, for kaggle signs in when it is imported. Its pauses between
# attempts add up to a minute and are left out.
CHILD = """
import sys, time
time.sleep = lambda seconds: None
from course.data.download import DownloadError, download
try:
    print("RETURNED", download(sys.argv[1]))
except DownloadError as error:
    sys.exit(f"DownloadError: {error}")
"""


def dataset_files(count=4, size=MIB):
    """A small dataset in Kaggle's layout: member name to bytes."""
    noise = random.Random(0)
    files = {}
    for name in [f"{i:03}" for i in range(count)]:
        files[f"{ROOT}/original_images/{name}.jpg"] = noise.randbytes(size)
        files[f"{ROOT}/label_images_semantic/{name}.png"] = noise.randbytes(1000)
        files[f"RGB_color_image_masks/RGB_color_image_masks/{name}.png"] = noise.randbytes(1000)
    return files


def zipped(files):
    """A zip of `files`, a dict of name (or ZipInfo) to bytes."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in files.items():
            small = len(content) < MIB  # deflating noise of megabytes only takes time
            archive.writestr(name, content, zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED)
    return held.getvalue()


def contents(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.fixture(scope="module")
def files():
    return dataset_files()


@pytest.fixture
def work(tmp_path):
    """A home without credentials, and the place to download to."""
    (tmp_path / "home").mkdir()
    (tmp_path / "data").mkdir()
    return SimpleNamespace(
        home=tmp_path / "home",
        data=tmp_path / "data",
        folder=tmp_path / "data" / "drone",
        staging=tmp_path / "data" / ".drone.download",
        archive=tmp_path / "data" / ".drone.download" / "semantic-drone-dataset.zip",
    )


@pytest.fixture
def stub(files):
    with KaggleStub(zipped(files)) as stub:
        yield stub


def start(stub, work, **credentials):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(work.folder)],
        env=stub.environment(work.home, **credentials),
        cwd=work.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(child):
    """(exit status, all it printed); no secret may be in it, whatever the outcome."""
    stdout, stderr = child.communicate(timeout=60)
    for secret in (TOKEN, SIGNATURE):
        assert secret not in stdout + stderr
    assert "Traceback" not in stderr
    return child.returncode, stdout + stderr


def fails(stub, work, **credentials):
    status, printed = finish(start(stub, work, **credentials))
    assert status == 1
    assert "DownloadError: " in printed
    assert not work.folder.exists()
    return printed.split("DownloadError: ")[1]


def succeeds(stub, work, files):
    status, printed = finish(start(stub, work, **WITH_TOKEN))
    assert status == 0, printed
    assert contents(work.folder) == files
    assert os.listdir(work.data) == ["drone"], "the zip or its folder was left behind"
    return printed


# Through the kaggle package


@needs_kaggle
def test_download_and_again(stub, work, files):
    printed = succeeds(stub, work, files)
    assert f"RETURNED {work.folder}\n" in printed
    assert "non-commercial" in printed
    assert "dronedataset.icg.tugraz.at" in printed
    assert "100%" in printed, "no progress bar"
    assert stub.sent == [len(stub.archive)]
    assert len(find(work.folder).pairs) == 4

    before = len(stub.calls)
    printed = succeeds(stub, work, files)
    assert "there already: 4 pictures" in printed
    assert len(stub.calls) == before, "Kaggle was asked although the dataset was there"


@needs_kaggle
def test_token_file_and_wordy_package_tell_no_secret(stub, work, files):
    (work.home / ".kaggle").mkdir()
    (work.home / ".kaggle" / "access_token").write_text(TOKEN + "\n")
    stdout, stderr = start(stub, work, VERBOSE="1").communicate(timeout=60)
    assert contents(work.folder) == files
    # Its debug log on stderr, which VERBOSE asks for, quotes addresses; the token is nowhere.
    assert TOKEN not in stdout + stderr


@needs_kaggle
def test_cut_transfer_is_resumed_by_the_next_run(stub, work, files):
    stub.stop_after = 5 * MIB // 2
    message = fails(stub, work, **WITH_TOKEN)
    assert "broke off" in message
    assert "run this again: it resumes" in message.lower()
    assert str(work.archive) in message
    arrived = work.archive.stat().st_size
    assert 0 < arrived <= stub.stop_after
    assert f"{arrived / 1e6:.1f} MB" in message
    assert not (work.staging / "unpacked").exists()

    stub.stop_after, stub.down = None, False
    stub.ranges.clear()
    stub.sent.clear()
    succeeds(stub, work, files)
    # Kaggle's package first asks for the whole file, to see whether it is still the same one.
    assert stub.ranges == [None, f"bytes={arrived}-"]
    assert stub.sent[1] == len(stub.archive) - arrived


@needs_kaggle
def test_killed_transfer_is_resumed_by_the_next_run(stub, work, files):
    stub.stop_after, stub.stall = 5 * MIB // 2, True
    child = start(stub, work, **WITH_TOKEN)
    deadline = time.monotonic() + 30
    while not (work.archive.is_file() and work.archive.stat().st_size):
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    arrived = work.archive.stat().st_size
    assert not work.folder.exists()

    stub.stop_after, stub.stall = None, False
    stub.ranges.clear()
    succeeds(stub, work, files)
    assert stub.ranges == [None, f"bytes={arrived}-"]


@needs_kaggle
def test_what_arrived_of_an_older_file_is_not_mixed_with_the_new(stub, work):
    stub.stop_after = 5 * MIB // 2
    fails(stub, work, **WITH_TOKEN)
    newer = dataset_files(count=5)
    stub.archive, stub.etag = zipped(newer), '"second"'
    stub.stop_after, stub.down = None, False
    succeeds(stub, work, newer)


@needs_kaggle
def test_no_credentials(stub, work):
    message = fails(stub, work)
    assert "no Kaggle credentials" in message
    assert "https://www.kaggle.com/settings" in message
    assert "KAGGLE_API_TOKEN" in message
    assert "~/.kaggle/access_token" in message
    assert os.listdir(work.data) == []


@needs_kaggle
@pytest.mark.parametrize(
    ("answers", "credentials", "expected"),
    [
        # 2.2 takes 401 for an error, 403 for a token that it may ignore.
        (
            {"token_status": 401},
            WITH_TOKEN,
            ["credentials in KAGGLE_API_TOKEN", "kaggle.com/settings"],
        ),
        (
            {"token_status": 403},
            WITH_TOKEN,
            ["credentials in KAGGLE_API_TOKEN", "kaggle.com/settings"],
        ),
        ({"download_status": 401}, WITH_KEY, ["credentials in KAGGLE_KEY", "kaggle.com/settings"]),
        (
            {"download_status": 403},
            WITH_TOKEN,
            ["accept the licence", f"/datasets/{KAGGLE_SLUG} in a browser"],
        ),
        ({"download_status": 404}, WITH_TOKEN, [f"no dataset {KAGGLE_SLUG}", "spelling"]),
        ({"download_status": 429}, WITH_TOKEN, ["too many requests", "Wait"]),
        (
            {"download_status": 503},
            WITH_TOKEN,
            ["did not start (Kaggle answered 503)", "run this again"],
        ),
        ({"down": True}, WITH_TOKEN, ["did not start (", "Check that this machine reaches"]),
    ],
    ids=["token", "ignored token", "key", "refused", "unknown", "rate", "server", "connection"],
)
def test_refusal_says_what_to_do_and_leaves_nothing(stub, work, answers, credentials, expected):
    vars(stub).update(answers)
    message = fails(stub, work, **credentials)
    for words in expected:
        assert words in message
    assert os.listdir(work.data) == []


@needs_kaggle
def test_damaged_zip_is_removed(stub, work, files):
    good = stub.archive
    stub.archive = good[: len(good) // 2]  # whole as the server has it
    message = fails(stub, work, **WITH_TOKEN)
    assert "damaged" in message
    assert "run this again" in message
    assert os.listdir(work.data) == []
    stub.archive, stub.etag = good, '"mended"'
    succeeds(stub, work, files)


@needs_kaggle
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_disk_full_during_transfer(stub, work):
    work.staging.mkdir()
    work.archive.symlink_to("/dev/full")
    message = fails(stub, work, **WITH_TOKEN)
    assert "is full" in message
    assert "Make room and run this again" in message


@needs_kaggle
def test_place_that_cannot_be_written(stub, work):
    work.data.rmdir()
    work.data.write_text("a file")
    message = fails(stub, work, **WITH_TOKEN)
    assert str(work.data) in message
    assert "cannot be written" in message


# From the zip on; the transfer is replaced


@pytest.fixture
def fetched(monkeypatch):
    """Let the next downloads receive the zip given to this function; returns the list of transfers."""
    transfers = []

    def set_archive(content):
        def fetch(slug, archive):
            transfers.append(archive.is_file())
            archive.parent.mkdir(exist_ok=True)
            archive.write_bytes(content)

        monkeypatch.setattr(module, "_fetch", fetch)
        return transfers

    return set_archive


@pytest.fixture
def small():
    return dataset_files(count=3, size=1000)


def link(name):
    member = zipfile.ZipInfo(name)
    member.create_system = 3
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


def raw(name):
    """A member whose name is not tidied by ZipInfo."""
    member = zipfile.ZipInfo("x")
    member.filename = name
    return member


@pytest.mark.parametrize(
    "member",
    [
        raw("../outside.txt"),
        raw("dataset/../../outside.txt"),
        raw("/outside.txt"),
        raw("..\\outside.txt"),
        raw("C:\\outside.txt"),
        raw("C:outside.txt"),
        raw("\\\\host\\share\\outside.txt"),
        link("dataset/outside"),
    ],
    ids=lambda member: member.filename,
)
def test_member_that_would_land_outside_is_refused(fetched, work, small, member):
    fetched(zipped({**small, member: b"/etc/passwd"}))
    with pytest.raises(DownloadError, match="refused and removed") as caught:
        download(work.folder)
    assert repr(member.filename) in str(caught.value)
    assert os.listdir(work.data) == []
    assert sorted(os.listdir(work.data.parent)) == ["data", "home"]


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        ("label_images_semantic", "3 pictures in original_images and 0 masks"),
        ("original_images", "0 pictures in original_images and 3 masks"),
        ("label_images_semantic/001", "3 pictures in original_images and 2 masks .* such as 001"),
        ("", "0 pictures in original_images and 0 masks"),
    ],
)
def test_zip_that_lacks_a_part_is_removed(fetched, work, small, lost, expected):
    fetched(zipped({name: content for name, content in small.items() if lost not in name}))
    with pytest.raises(DownloadError, match=expected):
        download(work.folder)
    assert os.listdir(work.data) == []


def test_wrong_crc_is_found_and_removed(fetched, work, small):
    content = bytearray(zipped(small))
    content[content.index(small[f"{ROOT}/original_images/001.jpg"][:100]) + 500] ^= 1
    fetched(bytes(content))
    with pytest.raises(DownloadError, match=r"damaged \(Bad CRC-32 for file .*001.jpg"):
        download(work.folder)
    assert os.listdir(work.data) == []


def test_flipped_bits_never_give_wrong_files(fetched, work, small):
    good = zipped(small)
    chance = random.Random(1)
    directory = good.rindex(b"PK\x01\x02") - 1500
    refused = 0
    for trial in range(80):
        content = bytearray(good)
        for _ in range(3):
            # Half of them in the directory at the end, where the structure is.
            content[chance.randrange(directory if trial % 2 else 0, len(good))] ^= (
                1 << chance.randrange(8)
            )
        fetched(bytes(content))
        try:
            download(work.folder)
        except DownloadError:
            refused += 1
            assert os.listdir(work.data) == [], trial
        else:
            # A flip can hide members from the zip's directory; what it gives is right and has its partner.
            assert contents(work.folder).items() <= small.items(), trial
            assert not find(work.folder).images_without_mask, trial
            shutil.rmtree(work.folder)
    assert refused > 60


def test_encrypted_zip_is_refused(fetched, work, small):
    content = bytearray(zipped(small))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    fetched(bytes(content))
    with pytest.raises(DownloadError, match="is encrypted"):
        download(work.folder)
    assert os.listdir(work.data) == []


def test_too_little_space_is_said_before_unpacking(fetched, work, small, monkeypatch):
    transfers = fetched(zipped(small))
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
        patch.setattr(zipfile.ZipFile, "extract", lambda *_: pytest.fail("unpacking began"))
        needed = sum(map(len, small.values()))
        with pytest.raises(
            DownloadError, match=rf"takes {needed / 1e6:.1f} MB, .* has 0.0 MB free"
        ):
            download(work.folder)
    assert os.listdir(work.data) == [work.staging.name]
    assert os.listdir(work.staging) == [work.archive.name]
    download(work.folder)
    assert transfers == [False, True], "the zip was not kept for the second attempt"
    assert os.listdir(work.data) == ["drone"]


@pytest.mark.parametrize(
    "trouble", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_stop_during_unpacking_keeps_the_zip_only(fetched, work, small, monkeypatch, trouble):
    fetched(zipped(small))
    extract, done = zipfile.ZipFile.extract, []

    def stopping(archive, member, path):
        if len(done) == 4:
            raise trouble
        done.append(extract(archive, member, path))

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "extract", stopping)
        expected = DownloadError if isinstance(trouble, OSError) else KeyboardInterrupt
        with pytest.raises(expected) as caught:
            download(work.folder)
    if expected is DownloadError:
        assert "is full" in str(caught.value)
        assert "MB are free" in str(caught.value) or "GB are free" in str(caught.value)
    assert os.listdir(work.data) == [work.staging.name]
    assert os.listdir(work.staging) == [work.archive.name]
    download(work.folder)
    assert contents(work.folder) == small
    assert os.listdir(work.data) == ["drone"]


def test_what_a_killed_unpacking_left_is_not_taken_over(fetched, work, small):
    (work.staging / "unpacked" / ROOT).mkdir(parents=True)
    (work.staging / "unpacked" / ROOT / "half.jpg").write_bytes(b"half")
    fetched(zipped(small))
    download(work.folder)
    assert contents(work.folder) == small


def test_empty_folder_is_filled(fetched, work, small):
    work.folder.mkdir()
    fetched(zipped(small))
    assert download(str(work.folder)) == work.folder
    assert contents(work.folder) == small


def test_folder_with_other_files_is_left_alone(fetched, work, small):
    work.folder.mkdir()
    (work.folder / "thesis.txt").write_text("precious")
    transfers = fetched(zipped(small))
    with pytest.raises(DownloadError, match=r"It holds other files\. Move it away"):
        download(work.folder)
    assert transfers == []
    assert contents(work.folder) == {"thesis.txt": b"precious"}


def test_destination_that_is_a_file_is_left_alone(fetched, work, small):
    work.folder.write_text("precious")
    transfers = fetched(zipped(small))
    with pytest.raises(DownloadError, match="is a file"):
        download(work.folder)
    assert transfers == []
    assert work.folder.read_text() == "precious"


@pytest.mark.parametrize("slug", ["semantic-drone-dataset", "a/b/c", "../b", "a/..", ""])
def test_slug_that_is_none_is_refused(fetched, work, small, slug):
    transfers = fetched(zipped(small))
    with pytest.raises(DownloadError, match="Expected owner/name"):
        download(work.folder, slug)
    assert transfers == []


def test_missing_package(work, monkeypatch):
    def no_kaggle(name, *rest, real=builtins.__import__, **more):
        if name == "kaggle":
            raise ImportError("No module named 'kaggle'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", no_kaggle)
    with pytest.raises(DownloadError, match="pip install --upgrade kaggle"):
        download(work.folder)
    assert os.listdir(work.data) == []
