"""The cache: what it gives, and that nothing which goes wrong leaves one that lies."""

import errno
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import NAMES, a_mask, ordinary_user, picture_of, wait_for, write

from course import environment
from course.data import DataError, Pair, find, part_of, read_pair
from course.data import cache as module
from course.data.cache import Samples, load_samples, scaled

SIZE = (24, 36)
CHECKOUT = Path(module.__file__).parents[2]


@pytest.fixture
def pairs(make_dataset):
    return find(make_dataset()).pairs


def truth(pairs, size=SIZE):
    """Picture and mask by name, without the cache."""
    return {pair.name: scaled(*read_pair(pair), size) for pair in pairs}


def holds(samples, expected):
    """`samples` hold exactly what they should."""
    assert sorted(samples.names) == sorted(expected)
    for name, (image, mask) in expected.items():
        assert (samples[name][0] == image).all()
        assert (samples[name][1] == mask).all()
    return True


def caches(folder):
    """The finished caches in a cache folder; there must be nothing else but the note of digests."""
    names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    assert not [name for name in names if name.startswith("building-")], names
    return [folder / name for name in names if name != "digests.json"]


def no_decoding(monkeypatch):
    def refuse(pair):
        raise AssertionError(f"{pair.name} was decoded again")

    monkeypatch.setattr(module, "read_pair", refuse)


# Scaling


def test_pictures_are_averaged_and_masks_picked():
    mask = a_mask()
    image = np.random.default_rng(0).integers(0, 256, (48, 72, 3), np.uint8)
    small, ids = scaled(image, mask, (24, 36))
    mean = image.reshape(24, 2, 36, 2, 3).mean((1, 3))
    assert np.abs(small - mean).max() <= 0.5
    assert ids.shape == (24, 36)
    assert all(
        ids[y, x] in mask[2 * y : 2 * y + 2, 2 * x : 2 * x + 2] for y, x in np.ndindex(24, 36)
    )


def test_one_side_shrinks_by_area_where_the_other_grows():
    image = np.zeros((100, 300, 3), np.uint8)
    image[:, ::3] = 255  # between its columns an interpolation would see nothing of them
    wide, _ = scaled(image, a_mask(), (120, 100))
    assert (wide == 85).all()


@pytest.mark.parametrize("size", [(17, 31), (48, 36), (24, 100), (96, 144), (48, 72)])
def test_scaling_invents_no_class_and_keeps_both_aligned(size):
    mask = a_mask() // 12 * 20  # two ids far apart
    image = np.dstack([mask * 10] * 3)
    small, ids = scaled(image, mask, size)
    assert small.shape == (*size, 3)
    assert ids.shape == size
    assert set(ids.flat) == {0, 20}
    assert ((small[..., 0] > 100) == (ids == 20)).mean() > 0.93


# What it gives


def test_samples(pairs, cache):
    samples = load_samples(pairs, SIZE)
    assert holds(samples, truth(pairs))
    assert samples.images.shape == (len(NAMES), *SIZE, 3)
    assert samples.masks.shape == (len(NAMES), *SIZE)
    assert samples.images.dtype == samples.masks.dtype == np.uint8
    assert isinstance(samples.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        samples.masks[0] = 0
    assert len(caches(cache)) == 1


def test_parts_lie_one_behind_the_other(make_dataset):
    samples = load_samples(
        find(make_dataset(names=[f"{i:03}" for i in range(30)], size=(12, 12))).pairs, (12, 12)
    )
    parts = [part_of(name) for name in samples.names]
    assert parts == ["train"] * parts.count("train") + ["validation"] * parts.count(
        "validation"
    ) + ["test"] * parts.count("test")
    assert samples.split("train").images.base is not None
    assert sum(len(samples.split(part)) for part in set(parts)) == 30


def test_indexing(pairs):
    samples = load_samples(pairs, SIZE)
    assert (samples["003"][1] == samples[samples.names.index("003")][1]).all()
    assert samples[1:3].names == samples.names[1:3]
    assert (samples[1:3].masks == samples.masks[1:3]).all()
    rows = [2, 0]
    chosen = [samples[rows], samples[np.array(rows)]]
    for some in chosen:
        assert some.names == (samples.names[2], samples.names[0])
        assert (some.images == samples.images[rows]).all()
        assert (some.masks == samples.masks[rows]).all()
    odd = np.arange(len(samples)) % 2 == 1
    assert samples[odd].names == samples[list(odd)].names == samples.names[1::2]
    assert samples[[]].images.shape == (0, *samples.images.shape[1:])
    assert (samples[np.int64(2)][1] == samples.masks[2]).all()
    with pytest.raises(KeyError, match=r"'999'.*000"):
        samples["999"]
    assert len(list(samples)) == len(samples) == len(NAMES)


def test_pixels_of_each_class():
    masks = np.array([[[1, 1, 23]], [[0, 1, 5]]], np.uint8)
    samples = Samples(("a", "b"), np.zeros((2, 1, 3, 3), np.uint8), masks)
    counts = samples.pixel_counts()
    assert counts.shape == (2, 24)
    assert counts.sum(axis=1).tolist() == [3, 3]
    assert counts[:, [0, 1, 5, 23]].tolist() == [[0, 2, 0, 1], [1, 1, 1, 0]]
    assert samples[:0].pixel_counts(6).shape == (0, 6)
    with pytest.raises(
        ValueError, match="0 to 5, but the mask of picture 'a' has ids from 1 to 23"
    ):
        samples.pixel_counts(6)
    assert samples.pixel_counts(6, ignore=(23, 0))[:, [0, 1, 5]].tolist() == [[0, 2, 0], [0, 1, 1]]


def test_order_of_the_pairs_does_not_matter(pairs, cache):
    first = load_samples(pairs, SIZE)
    again = load_samples(pairs[::-1], SIZE)
    assert first.names == again.names
    assert len(caches(cache)) == 1


def test_decoded_once(pairs, monkeypatch):
    expected = truth(pairs)
    load_samples(pairs, SIZE)
    no_decoding(monkeypatch)
    assert holds(load_samples(pairs, SIZE), expected)


def test_each_size_has_its_own(pairs, cache):
    for size in ((24, 36), (36, 24), (12, 18)):
        assert holds(load_samples(pairs, size), truth(pairs, size))
    assert len(caches(cache)) == 3


def test_colored_and_plain_masks_have_their_own(make_dataset, tmp_path, cache):
    for layout in ("kaggle", "graz"):
        pairs = find(make_dataset(tmp_path / layout, layout)).pairs
        assert holds(load_samples(pairs, SIZE), truth(pairs))


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_any_number_of_workers(pairs, workers):
    assert holds(load_samples(pairs, SIZE, workers), truth(pairs))


# Changed data


@pytest.fixture(params=["at once", "later"])
def when(request, monkeypatch):
    """Files that were written a moment ago, and files that have lain long enough to be remembered."""
    if request.param == "later":
        monkeypatch.setattr(module, "SETTLED", -1)
    return request.param


@pytest.mark.usefixtures("when")
def test_changed_content_of_the_same_name_size_and_time(pairs, cache):
    load_samples(pairs, SIZE)
    changed = pairs[2]
    before = changed.mask.stat()
    time.sleep(0.05)  # past the clock tick of the file system
    write(changed.mask, 23 - a_mask(2), cv2.IMWRITE_PNG_COMPRESSION, 0)
    os.utime(changed.mask, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = changed.mask.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    samples = load_samples(pairs, SIZE)
    assert (samples[changed.name][1] == scaled(*read_pair(changed), SIZE)[1]).all()
    assert holds(samples, truth(pairs))


def test_changed_within_one_tick_of_the_clock(pairs):
    """Even where the file system's times cannot tell."""
    for i in range(5):
        write(pairs[0].mask, np.full((48, 72), i, np.uint8), cv2.IMWRITE_PNG_COMPRESSION, 0)
        assert (load_samples(pairs, SIZE)[pairs[0].name][1] == i).all()


def test_files_are_not_read_again_while_their_times_stay(pairs, monkeypatch):
    monkeypatch.setattr(module, "SETTLED", -1)
    load_samples(pairs, SIZE)
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert len(load_samples(pairs, SIZE)) == len(NAMES)


@pytest.mark.parametrize("content", ["", "{", "[]", "[1, 2]", "3", "null"])
def test_damaged_note_of_digests(pairs, cache, content):
    load_samples(pairs, SIZE)
    (cache / "digests.json").write_text(content)
    assert holds(load_samples(pairs, SIZE), truth(pairs))


def test_moved_data_is_the_same_data(pairs, make_dataset, tmp_path, monkeypatch):
    expected = truth(pairs)
    load_samples(pairs, SIZE)
    shutil.move(tmp_path / "drone", tmp_path / "elsewhere")
    no_decoding(monkeypatch)
    assert holds(load_samples(find(tmp_path / "elsewhere").pairs, SIZE), expected)


def test_files_that_change_while_they_are_read(pairs, cache, monkeypatch, tmp_path):
    """As under a download that is still running: no cache of a mixture."""
    late = pairs[-1]
    changed = write(late.mask.with_name("changed.png"), np.full((48, 72), 7, np.uint8))

    def read(pair):
        shutil.copy2(changed, tmp_path / pair.name)
        os.replace(tmp_path / pair.name, late.mask)  # at once: no other thread finds half a file
        return read_pair(pair)

    monkeypatch.setattr(module, "read_pair", read)
    with pytest.raises(DataError, match="label_images_semantic changed while.*again"):
        load_samples(pairs, SIZE)
    assert caches(cache) == []
    monkeypatch.undo()
    os.environ["COURSE_CACHE"] = str(cache)
    assert (load_samples(pairs, SIZE)[late.name][1] == 7).all()


def test_broken_picture_leaves_no_cache(pairs, cache):
    pairs[3].image.write_bytes(pairs[3].image.read_bytes()[:-700])
    with pytest.raises(DataError, match=f"{pairs[3].image} is truncated"):
        load_samples(pairs, SIZE)
    assert caches(cache) == []


def test_missing_picture(pairs, cache):
    pairs[3].image.unlink()
    with pytest.raises(DataError, match=f"{pairs[3].image} cannot be read"):
        load_samples(pairs, SIZE)
    assert caches(cache) == []


def test_interrupted_build_leaves_nothing(pairs, cache, monkeypatch):
    def interrupt(pair):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "read_pair", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_samples(pairs, SIZE)
    assert caches(cache) == []


# Damaged caches


def cut(path, size):
    with open(path, "r+b") as file:
        file.truncate(size)


@pytest.mark.parametrize(
    ("name", "keep"),
    [
        (name, keep)
        for name in ("images.npy", "masks.npy", "whole.json")
        for keep in (0, 1, 50, 0.5, -1)
    ]
    + [("images.npy", 128), ("masks.npy", 127)],
)
def test_truncated_cache_is_made_anew(pairs, cache, name, keep):
    load_samples(pairs, SIZE)
    (folder,) = caches(cache)
    size = (folder / name).stat().st_size
    keep = size - 1 if keep == -1 else int(size * keep) if 0 < keep < 1 else keep
    assert keep < size
    cut(folder / name, keep)
    assert holds(load_samples(pairs, SIZE), truth(pairs))
    assert caches(cache) == [folder]
    assert (folder / name).stat().st_size == size


@pytest.mark.parametrize("name", ["images.npy", "masks.npy", "whole.json"])
def test_file_missing_from_a_cache(pairs, cache, name):
    load_samples(pairs, SIZE)
    (folder,) = caches(cache)
    (folder / name).unlink()
    assert holds(load_samples(pairs, SIZE), truth(pairs))
    assert (folder / name).exists()


@pytest.mark.parametrize(
    "note",
    [[], {}, 3, {"format": module.FORMAT}, {"format": module.FORMAT, "bytes": {}}, {"format": 0}],
)
def test_note_that_does_not_vouch_for_every_file(pairs, cache, note):
    load_samples(pairs, SIZE)
    (folder,) = caches(cache)
    (folder / "whole.json").write_text(json.dumps(note))
    cut(folder / "masks.npy", 500)
    assert holds(load_samples(pairs, SIZE), truth(pairs))


def test_rest_of_an_empty_folder_of_that_name(pairs, cache):
    load_samples(pairs, SIZE)
    (folder,) = caches(cache)
    shutil.rmtree(folder)
    folder.mkdir()
    assert holds(load_samples(pairs, SIZE), truth(pairs))


# Several processes

CHILD = """
import hashlib, sys, time
from pathlib import Path
from course.data import cache, find
read = cache.read_pair
cache.read_pair = lambda pair: (time.sleep(600 if pair.name == sys.argv[4] else 0.03), read(pair))[1]
Path(sys.argv[2]).touch()
while not Path(sys.argv[3]).exists():
    time.sleep(0.005)
samples = cache.load_samples(find(sys.argv[1]).pairs, (24, 36), 1)
print(hashlib.sha256(samples.images.tobytes() + samples.masks.tobytes()).hexdigest())
"""


def child(pairs, ready, go, hang_at=""):
    """A process that builds the cache once `go` exists; it never gets past the pair `hang_at`."""
    folder = pairs[0].image.parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(ready), str(go), hang_at],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )


def test_three_processes_at_once(pairs, cache, tmp_path):
    expected = truth(pairs)
    go = tmp_path / "go"
    children = [child(pairs, tmp_path / f"ready-{i}", go) for i in range(3)]
    wait_for(lambda: all((tmp_path / f"ready-{i}").exists() for i in range(3)), "the processes")
    go.touch()
    digests = {process.communicate()[0] for process in children}
    assert [process.returncode for process in children] == [0, 0, 0]
    assert len(digests) == 1
    assert len(caches(cache)) == 1
    samples = load_samples(pairs, SIZE)
    assert (
        hashlib.sha256(samples.images.tobytes() + samples.masks.tobytes()).hexdigest()
        in digests.pop()
    )
    assert holds(samples, expected)


def test_threads_at_once(pairs, cache):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(load_samples(pairs, SIZE))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    assert all(holds(samples, truth(pairs)) for samples in results)
    assert len(caches(cache)) == 1


def test_killed_half_way(pairs, cache, tmp_path, monkeypatch):
    go = tmp_path / "go"
    go.touch()
    process = child(pairs, tmp_path / "ready", go, hang_at=pairs[-1].name)
    wait_for(lambda: list(cache.glob("building-*/images.npy")), "a build to begin")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (left,) = cache.glob("building-*")
    # While it could be a living process's, it stays; the next build works beside it.
    assert holds(load_samples(pairs, SIZE), truth(pairs))
    assert left.exists()
    long_ago = time.time() - 2 * module.ABANDONED
    for path in [*left.iterdir(), left]:
        os.utime(path, (long_ago, long_ago))
    assert holds(load_samples(pairs, (12, 18)), truth(pairs, (12, 18)))
    assert not left.exists()


def test_sweeping_spares_a_slow_build_and_takes_files(pairs, cache):
    slow = cache / "building-slow"
    slow.mkdir(parents=True)
    (slow / "images.npy").write_bytes(b"growing")
    note = cache / "building-note"
    note.write_text("{")
    long_ago = time.time() - 2 * module.ABANDONED
    for path in (slow, note):
        os.utime(path, (long_ago, long_ago))
    load_samples(pairs, SIZE)
    assert slow.exists()
    assert not note.exists()


# Full disks and closed folders


class FullDisk:
    """Files that take so many bytes and then none."""

    def __init__(self, room):
        self.room = room

    def open(self, path, mode="r"):
        file = open(path, mode)  # noqa: SIM115, handed on
        if "w" in mode:
            write = file.write

            class Wrapper:
                def __getattr__(_, name):
                    return getattr(file, name)

                def __enter__(_):
                    return _

                def __exit__(_, *error):
                    file.close()

                def write(_, data):
                    self.room -= len(data)
                    if self.room < 0:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    return write(data)

            return Wrapper()
        return file


@pytest.mark.parametrize("room", [0, 100, 129, 5000, 15_000, 20_000])
def test_full_disk(pairs, cache, monkeypatch, capsys, room):
    monkeypatch.setattr(module, "open", FullDisk(room).open, raising=False)
    samples = load_samples(pairs, SIZE)
    assert holds(samples, truth(pairs))
    assert caches(cache) == []
    assert "in memory" in (said := capsys.readouterr().out)
    assert "No space left on device" in said
    assert "COURSE_CACHE" in said
    with pytest.raises(ValueError, match="read-only"):
        samples.images[0] = 0


def test_full_disk_and_another_with_room(pairs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        environment, "cache_folders", lambda: [tmp_path / "full", tmp_path / "free"]
    )
    real = module._build

    def build(folder, *rest):
        if folder.parent.name == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(folder, *rest)

    monkeypatch.setattr(module, "_build", build)
    assert holds(load_samples(pairs, SIZE), truth(pairs))
    assert len(caches(tmp_path / "free")) == 1
    assert capsys.readouterr().out == ""


def test_file_size_limit_of_the_system(pairs, cache, capsys):
    """The kernel itself refuses to write more, as it does under a quota."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    expected = truth(pairs)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        samples = load_samples(pairs, SIZE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert holds(samples, expected)
    assert caches(cache) == []
    assert "File too large" in capsys.readouterr().out


def test_disk_that_is_really_full(pairs, tmp_path, monkeypatch, capsys):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("mounting a small disk needs root's rights")
    try:
        monkeypatch.setenv("COURSE_CACHE", str(disk))
        assert holds(load_samples(pairs, SIZE), truth(pairs))
        assert caches(disk) == []
        assert "No space left on device" in capsys.readouterr().out
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def closed(open_folder, make_dataset):
    """Data and cache folder that can be read and not be written to."""
    pairs = find(make_dataset(open_folder / "drone")).pairs
    (open_folder / "cache").mkdir()
    everything = [*open_folder.rglob("*"), open_folder]

    def close():
        for path in [*everything, *open_folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)

    yield pairs, open_folder / "cache", close
    for path in [open_folder, *open_folder.rglob("*")]:
        path.chmod(0o755)


def test_read_only_data_folder(closed, cache, monkeypatch):
    pairs, _, close = closed
    close()
    with tempfile.TemporaryDirectory(prefix="course-test-") as writable:
        os.chmod(writable, 0o777)
        monkeypatch.setenv("COURSE_CACHE", f"{writable}/cache")
        with ordinary_user():
            samples = load_samples(pairs, SIZE)
            assert holds(samples, truth(pairs))
        assert len(caches(Path(writable) / "cache")) == 1


def test_read_only_cache_folder(closed, monkeypatch, capsys):
    pairs, folder, close = closed
    close()
    monkeypatch.setenv("COURSE_CACHE", str(folder))
    with ordinary_user():
        assert holds(load_samples(pairs, SIZE), truth(pairs))
    assert caches(folder) == []
    assert "Permission denied" in capsys.readouterr().out


def test_read_only_cache_folder_with_a_cache_in_it(closed, monkeypatch, capsys):
    """As an instructor may prepare one for a classroom."""
    pairs, folder, close = closed
    monkeypatch.setenv("COURSE_CACHE", str(folder))
    load_samples(pairs, SIZE)
    (made,) = caches(folder)
    assert made.stat().st_mode & 0o777 == 0o755
    expected = truth(pairs)
    close()
    no_decoding(monkeypatch)
    with ordinary_user():
        samples = load_samples(pairs, SIZE)
        assert holds(samples, expected)
    assert isinstance(samples.images, np.memmap)
    assert capsys.readouterr().out == ""


def test_read_only_file_system(pairs, cache, monkeypatch, capsys):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    assert holds(load_samples(pairs, SIZE), truth(pairs))
    assert caches(cache) == []
    assert "Read-only file system" in capsys.readouterr().out


def test_cache_folder_that_is_a_file(pairs, cache, capsys):
    cache.write_text("in the way")
    assert holds(load_samples(pairs, SIZE), truth(pairs))
    assert cache.read_text() == "in the way"
    assert str(cache) in capsys.readouterr().out


def test_kept_in_memory_is_the_same(pairs, monkeypatch, capsys):
    cached = load_samples(pairs, SIZE)
    monkeypatch.setattr(environment, "cache_folders", list)
    kept = load_samples(pairs, SIZE)
    assert isinstance(kept, Samples)
    assert kept.names == cached.names
    assert (kept.images == cached.images).all()
    assert (kept.masks == cached.masks).all()
    assert "in memory" in capsys.readouterr().out


def test_pictures_larger_than_the_samples(tmp_path):
    mask = a_mask(0, (480, 720))
    image = write(tmp_path / "000.jpg", picture_of(mask), cv2.IMWRITE_JPEG_QUALITY, 100)
    pair = Pair("000", image, write(tmp_path / "000.png", mask))
    samples = load_samples([pair], (40, 60))
    assert (samples[0][1] == mask[6::12, 6::12]).all()


def test_lists_of_one_size_will_do():
    images, masks = np.zeros((2, 4, 6, 3), np.uint8), np.ones((2, 4, 6), np.uint8)
    samples = Samples(["a", "b"], list(images), list(masks))
    assert samples.names == ("a", "b")
    np.testing.assert_array_equal(samples.images, images)
    np.testing.assert_array_equal(samples.masks, masks)
    with pytest.raises(
        ValueError,
        match=r"images have different shapes \(\(2, 6, 3\), \(4, 6, 3\)\).*course.data.scaled",
    ):
        Samples(["a", "b"], [images[0], images[1, :2]], masks)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_pictures_of_another_kind_of_number_are_refused(dtype):
    images, masks = np.zeros((1, 4, 6, 3), dtype), np.zeros((1, 4, 6), np.uint8)
    with pytest.raises(ValueError, match=f"uint8, 0 to 255, but these images are {dtype}"):
        Samples(("a",), images, masks)


@pytest.mark.parametrize(
    ("names", "images", "masks", "message"),
    [
        ("ab", (2, 4, 6, 3), (1, 4, 6), r"masks should have \(2, 4, 6\)"),
        ("ab", (2, 4, 6, 3), (2, 8, 12), r"images should have \(2, 8, 12, 3\)"),
        ("ab", (2, 4, 6, 4), (2, 4, 6), r"images should have \(2, 4, 6, 3\)"),
        ("a", (2, 4, 6, 3), (2, 4, 6), r"1 names.*masks should have \(1, 4, 6\)"),
    ],
)
def test_arrays_that_do_not_belong_together(names, images, masks, message):
    with pytest.raises(ValueError, match=message):
        Samples(tuple(names), np.zeros(images, np.uint8), np.zeros(masks, np.uint8))
