"""``python -m course kaggle``: through the real package against a stub that runs what is pushed."""

import contextlib
import copy
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import nbformat
import pytest
from kaggle_stub import SIGNATURE, KaggleStub, Machine, _Handler
from nbformat.v4 import new_code_cell, new_notebook, new_output

import course.__main__ as command_line
from course import notebooks
from course.data.dataset import KAGGLE_SLUG, load
from course.data.errors import DataError
from course.kaggle import account, folders, kernels, wheel
from course.notebooks import cloud

TOKEN = "KGAT_5ecret5ecret5ecret"
WITH_TOKEN = {"KAGGLE_API_TOKEN": TOKEN}
# The package's pauses between attempts, and ours, are left out.
SCRIPT = """
import sys, time
time.sleep = lambda seconds: None
from course.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
CHILD = "-c", SCRIPT
START, FCN, UNET = (
    f"student/segmentation-course-{name}" for name in ("00-start-here", "06-fcn", "08-unet")
)
WHEEL = f"student/{wheel.SLUG}"
GPUS_BUSY = 200, {"error": "Maximum batch GPU session count of 2 reached."}
TITLE_TAKEN = (
    409,
    {
        "error": {
            "code": 409,
            "message": "The requested title is already in use by a notebook. Please choose another.",
        }
    },
)


@pytest.fixture(scope="module", autouse=True)
def _package_of_its_own():
    """The package decides when it is imported whom it calls: here always a stub, elsewhere never."""

    def forget():
        for name in [name for name in sys.modules if name.split(".")[0] == "kaggle"]:
            del sys.modules[name]

    forget()
    yield
    forget()


@pytest.fixture
def stub():
    if importlib.util.find_spec("kaggle") is None or account.release() < kernels.OLDEST:
        pytest.skip(f"the kaggle package is not installed, or older than {kernels.OLDEST}")
    with KaggleStub(b"") as stub:
        yield stub


@pytest.fixture
def work(tmp_path):
    """A home without credentials, where the commands run and write."""
    (tmp_path / "home").mkdir()
    return SimpleNamespace(home=tmp_path / "home", out=tmp_path / "home" / "build" / "kaggle")


def kaggle(stub, work, *arguments, child=(), **credentials):
    """Run ``course kaggle``, as `child`, arguments of Python, or here, which takes less long.

    Returns exit status, stdout and stderr, with no secret in either.
    """
    environment = stub.environment(work.home, **(credentials or WITH_TOKEN))
    if child:
        process = subprocess.run(
            [sys.executable, *child, "kaggle", *arguments],
            env=environment, cwd=work.home, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        status, out, error = process.returncode, process.stdout, process.stderr
    else:
        status, out, error = _here(environment, work, arguments)
    for secret in (TOKEN, SIGNATURE):
        assert secret not in out + error
    assert "Traceback" not in error
    return status, out, error


def _here(environment, work, arguments):
    out, error = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.object(time, "sleep"),
        contextlib.chdir(work.home),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(error),
    ):
        status = command_line.main(["kaggle", *arguments])
    return status, out.getvalue(), error.getvalue()


def succeeds(stub, work, *arguments, **credentials):
    status, out, error = kaggle(stub, work, *arguments, **credentials)
    assert status == 0, out + error
    return out


def fails(stub, work, *arguments, **credentials):
    status, out, error = kaggle(stub, work, *arguments, **credentials)
    assert status == 1, out + error
    return out + error


def lesson(number):
    (path,) = notebooks.find([number])
    return path


def finished(stub, number, notebook, status="COMPLETE", failure="", mode="stored"):
    """Let a lesson have run on Kaggle, and left `notebook` as its record (None for none)."""
    path = lesson(number)
    files = {"weights.keras": b"large", "picture.png": b"small"}
    if notebook is not None:
        notebook = copy.deepcopy(notebook)
        notebook.metadata["course"] = {"mode": mode, "device": "gpu", "keras": "3.13.2"}
        files[path.name] = nbformat.writes(notebook).encode()
    log = json.dumps([{"stream_name": "stdout", "time": 1.5, "data": "one\ntwo\n"}])
    kernel = SimpleNamespace(request={}, status=status, failure=failure, files=files, log=log)
    stub.kernels[f"student/{folders.slug(path)}"] = kernel
    return path


def code_cell(notebook, id):
    return next(cell for cell in notebook.cells if cell.id == id)


# What is written


def test_the_folder_of_a_lesson(tmp_path):
    path = lesson("06")
    folder = folders.write(path, tmp_path, "student", folders.Run())
    assert folder == tmp_path / "06_fcn"
    assert sorted(os.listdir(folder)) == ["06_fcn.ipynb", "kernel-metadata.json"]
    about = json.loads((folder / "kernel-metadata.json").read_text())
    assert about["id"] == FCN
    assert about["code_file"] == path.name
    assert about["is_private"] is True
    assert about["machine_shape"] == "NvidiaTeslaT4"
    assert about["enable_internet"] is False
    assert about["dataset_sources"] == [KAGGLE_SLUG, WHEEL]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (folders.Run(stored=True), {"dataset_sources": [WHEEL]}),
        (folders.Run(internet=True), {"dataset_sources": [KAGGLE_SLUG], "enable_internet": True}),
        (folders.Run(machine="cpu"), {"machine_shape": "", "enable_gpu": False}),
        (folders.Run(machine="TpuV5E8"), {"machine_shape": "TpuV5E8", "enable_tpu": True}),
    ],
    ids=["stored", "internet", "cpu", "tpu"],
)
def test_how_it_shall_run(run, expected):
    assert folders.metadata(lesson("06"), "student", run).items() >= expected.items()


@pytest.mark.parametrize("path", notebooks.find(), ids=lambda path: path.stem)
def test_every_lesson_can_be_pushed(path):
    slugify = pytest.importorskip("slugify").slugify
    about = folders.metadata(path, "student", folders.Run())
    assert slugify(about["title"]) == about["id"].removeprefix("student/")
    assert 5 <= len(about["title"]) <= 50
    pushed = folders.to_push(notebooks.read(path), path, folders.Run())
    nbformat.validate(pushed)
    for cell in pushed.cells:
        if cell.cell_type == "markdown":
            for link in re.findall(r"\]\(([^)\s]+)", cell.source):
                assert link.startswith(("https://", "http://", "#")), link
    stored = [cell.source for cell in notebooks.read(path).cells if cell.cell_type == "code"]
    code = [cell for cell in pushed.cells if cell.cell_type == "code"]
    assert code[0].id == "kaggle-run"
    assert [cell.source for cell in code[1:]] == stored
    assert not any(cell.outputs or cell.execution_count for cell in code)


@pytest.mark.parametrize("run", [folders.Run(stored=True), folders.Run()], ids=["stored", "real"])
def test_the_cell_that_starts_the_run(run):
    path = lesson("06")
    source = folders.to_push(notebooks.read(path), path, run).cells[1].source
    compile(source, "kaggle-run", "exec")
    assert source.startswith(cloud.bring(cloud.repository()))
    assert 'recording.start("06_fcn.ipynb", mode="' + run.mode in source
    assert ("'COURSE_DATA': 'synthetic'" in source) == run.stored
    assert ("'COURSE_DATA': '/kaggle/input'" in source) != run.stored


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("[a](../data/README.md)", "[a](https://github.com/us/it/blob/main/data/README.md)"),
        ("[a](x.ipynb#part)", "[a](https://github.com/us/it/blob/main/notebooks/x.ipynb#part)"),
        ("![a](im/x.png)", "![a](https://github.com/us/it/raw/main/notebooks/im/x.png)"),
        ("[`a`](y.md) b", "[`a`](https://github.com/us/it/blob/main/notebooks/y.md) b"),
        ("[a](#part)", "[a](#part)"),
        ("[a](https://x.org/y.md)", "[a](https://x.org/y.md)"),
        ("[a](mailto:a@x.org)", "[a](mailto:a@x.org)"),
        ("as `[a](y.md)` says", "as `[a](y.md)` says"),
        ("```\n[a](y.md)\n```", "```\n[a](y.md)\n```"),
        ("a[0](1) is no link", "a[0](https://github.com/us/it/blob/main/notebooks/1) is no link"),
    ],
)
def test_links_lead_to_github(source, expected):
    assert folders.link_to_github(source, "notebooks", "us/it") == expected


@pytest.mark.parametrize("place", [KAGGLE_SLUG.split("/")[1], f"datasets/{KAGGLE_SLUG}"])
def test_the_photographs_are_found_where_kaggle_mounts_them(place, make_dataset, tmp_path):
    mount = tmp_path / "input"
    (mount / wheel.SLUG).mkdir(parents=True)
    (mount / wheel.SLUG / "segmentation_course-0.1.0-py3-none-any.whl").write_bytes(b"PK")
    assert folders.REAL["COURSE_DATA"] == "/kaggle/input"
    with pytest.raises(DataError, match="no drone dataset"):  # not the synthetic scenes instead
        load(mount)
    make_dataset(mount / place)
    assert len(load(mount)) == 6


@pytest.fixture
def no_build(monkeypatch):
    """Wheels that are built in no time, and empty."""
    monkeypatch.setattr(wheel, "BUILD", "import sys; open(sys.argv[1] + '/a.whl', 'w')")


def write_lesson(out, user="student"):
    return folders.write(lesson("06"), out, user, folders.Run())


def write_wheel(out, user="student"):
    return wheel.write(out, user)


WRITERS = pytest.mark.parametrize(
    ("write", "name", "metadata"),
    [
        (write_lesson, "06_fcn", "kernel-metadata.json"),
        (write_wheel, "wheel", "dataset-metadata.json"),
    ],
    ids=["lesson", "wheel"],
)


@WRITERS
def test_what_an_earlier_push_left_is_gone(tmp_path, no_build, write, name, metadata):
    (tmp_path / name).mkdir()  # an empty one is nobody's
    folder = write(tmp_path, user="somebody")
    (folder / "old.txt").write_text("old")
    assert write(tmp_path) == folder == tmp_path / name
    assert "old.txt" not in os.listdir(folder)
    assert json.loads((folder / metadata).read_text())["id"].startswith("student/")


@WRITERS
@pytest.mark.parametrize("content", [None, "", '{"id": "student/another-project"}'])
def test_what_somebody_else_put_there_stays(tmp_path, no_build, write, name, metadata, content):
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.txt").write_text("years of work")
    if content is not None:
        (tmp_path / name / metadata).write_text(content)
    before = sorted(os.listdir(tmp_path / name))
    with pytest.raises(
        account.KaggleError, match=f"{name} holds files .* Move it away, or .*--out"
    ):
        write(tmp_path)
    assert sorted(os.listdir(tmp_path / name)) == before


@WRITERS
def test_a_push_that_was_interrupted_can_be_repeated(
    tmp_path, no_build, monkeypatch, write, name, metadata
):
    with monkeypatch.context() as patched:
        for module, function in (nbformat, "write"), (wheel, "build"):
            patched.setattr(module, function, mock.Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path)
    assert len(os.listdir(write(tmp_path))) == 2


@WRITERS
def test_a_folder_that_cannot_be_deleted(tmp_path, no_build, monkeypatch, write, name, metadata):
    write(tmp_path)
    refused = PermissionError(13, "Permission denied", "old.txt")
    monkeypatch.setattr(shutil, "rmtree", mock.Mock(side_effect=refused))
    with pytest.raises(
        account.KaggleError, match=r"old.txt cannot be .*\(Permission denied\).*--out"
    ):
        write(tmp_path)


def test_the_wheel_holds_the_course_and_the_checkout_stays_as_it_is(tmp_path):
    root = tmp_path / "checkout"
    (root / "benchmarks" / "results").mkdir(parents=True)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(folders.PACKAGE_ROOT / name, root)
    (root / "benchmarks" / "results" / "fcn.json").write_text("{}")
    shutil.copytree(
        folders.PACKAGE_ROOT / "course", root / "course", ignore=shutil.ignore_patterns("__pyc*")
    )
    before = sorted(root.rglob("*"))
    (tmp_path / "out").mkdir()
    file = wheel.build(tmp_path / "out", root)
    assert sorted(root.rglob("*")) == before
    assert re.fullmatch(r"segmentation_course-[\d.]+-py3-none-any\.whl", file.name)
    names = set(zipfile.ZipFile(file).namelist())
    assert {"course/kaggle/kernels.py", "course/kaggle/recording.py"} < names
    assert "course/results/fcn.json" in names


def test_a_wheel_that_cannot_be_built(tmp_path, monkeypatch):
    monkeypatch.setattr(wheel, "BUILD", "import no_such_backend")
    with pytest.raises(account.KaggleError, match=r"'no_such_backend'\).*\n?.*'setuptools>=77'"):
        wheel.write(tmp_path, "student")


# From end to end


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """An interpreter with all that this one has, but the course."""
    pytest.importorskip("pip")  # the notebook installs the wheel with it
    folder = tmp_path_factory.mktemp("machine")
    venv, packages = folder / "venv", folder / "packages"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    packages.mkdir()
    for entry in {sysconfig.get_paths()[name] for name in ("purelib", "platlib")}:
        for item in Path(entry).iterdir():
            ours = "segmentation_course" in item.name or item.name == "course"
            if not ours and item.suffix != ".pth":
                (packages / item.name).symlink_to(item)
    scheme = {"base": str(venv), "platbase": str(venv)}
    site = Path(sysconfig.get_path("purelib", vars=scheme))
    (site / "machine.pth").write_text(f"{packages}\n")
    return SimpleNamespace(path=venv / "bin" / "python", site=site)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the stand-in for a machine of Kaggle's needs links")
def test_push_run_fetch_and_compare(stub, work, tmp_path, bare_python):
    without = subprocess.run(
        [bare_python.path, "-c", "import course"], cwd=tmp_path, capture_output=True, text=True
    )
    assert "No module named 'course'" in without.stderr, "the machine has the course already"
    stub.runner = Machine(bare_python.path, tmp_path / "kaggle", stub)

    out = succeeds(stub, work, "push", "0", "--stored", "--machine", "cpu", child=CHILD)
    assert f"00_start_here is pushed: https://www.kaggle.com/code/{START}" in out
    (files,) = stub.datasets[WHEEL]
    (name,) = files
    assert re.fullmatch(r"segmentation_course-.*\.whl", name)
    asked = stub.kernels[START].request
    assert asked["isPrivate"] is True
    assert asked["enableInternet"] is False
    assert asked["datasetDataSources"] == [WHEEL]

    stub.runs[0].join(240)
    kernel = stub.kernels[START]
    assert kernel.status == "COMPLETE", kernel.log
    assert (bare_python.site / "course").is_dir(), "the wheel was not installed"
    assert "complete" in succeeds(stub, work, "status", "0")
    out = succeeds(stub, work, "fetch", "0", child=("-m", "course"))
    told = r"00_start_here \.+ prints what is stored \(course [\d.]+, device cpu, keras [\d.]+, py"
    assert re.search(told, out), out
    fetched = work.out / "fetched" / "00_start_here"
    assert os.listdir(fetched) == ["00_start_here.ipynb"]
    record = notebooks.read(fetched / "00_start_here.ipynb")
    assert record.metadata["course"]["mode"] == "stored"
    assert "Ready: kaggle, CPU" in code_cell_of(record, "environment.setup()").outputs[0].text

    # The same run, had it printed something else.
    code_cell_of(record, "names_of(part)").outputs[0].text += "one line more\n"
    kernel.files["00_start_here.ipynb"] = nbformat.writes(record).encode()
    message = fails(stub, work, "fetch", "0")
    assert "00_start_here, cell names" in message
    assert "one line more" in message


def code_cell_of(notebook, part):
    return next(c for c in notebook.cells if c.cell_type == "code" and part in c.source)


# Push


@pytest.mark.slow
def test_the_wheel_goes_first_as_a_new_dataset_or_a_new_version(stub, work):
    stub.dataset_states = ["NOT_YET_PERSISTED", "BLOBS_RECEIVED", "READY"]
    out = succeeds(stub, work, "push", "06", "--stored", child=CHILD)
    assert f"goes to https://www.kaggle.com/datasets/{WHEEL}" in out
    assert "Waiting until Kaggle has unpacked it." in out
    assert len(stub.datasets[WHEEL]) == 1
    order = [call.rsplit("/", 1)[1] for call in stub.calls]
    assert order.index("CreateDataset") < order.index("SaveKernel")
    assert json.loads(stub.kernels[FCN].request["text"])["cells"][1]["id"] == "kaggle-run"

    stub.dataset_states = ["READY"]
    succeeds(stub, work, "push", "06", "--stored")
    assert len(stub.datasets[WHEEL]) == 2
    assert order.count("CreateDataset") == 1


@pytest.mark.parametrize("command", ["push", "fetch"])
def test_a_folder_that_cannot_be_written_to(stub, work, command):
    finished(stub, "06", notebooks.read(lesson("06")))
    (work.home / "file").write_text("")
    message = fails(stub, work, command, "06", "--out", "file/below")
    assert re.search(r"file\S* cannot be written or deleted \(Not a directory\)", message)
    assert "SaveKernel" not in str(stub.calls)


def test_a_push_that_would_delete_what_is_not_its_own_sends_nothing(stub, work):
    (work.home / "stuff" / "08_unet").mkdir(parents=True)
    (work.home / "stuff" / "08_unet" / "thesis.txt").write_text("years of work")
    message = fails(stub, work, "push", "06", "08", "--out", "stuff")
    assert "stuff/08_unet holds files that no earlier push has written." in message
    assert os.listdir(work.home / "stuff" / "08_unet") == ["thesis.txt"]
    assert stub.kernels == stub.datasets == {}


def test_with_the_internet_no_wheel_is_needed(stub, work):
    succeeds(stub, work, "push", "06", "08", "--internet", "--machine", "NvidiaL4")
    assert stub.datasets == {}
    assert not (work.out / "wheel").exists()
    assert stub.kernels.keys() == {FCN, UNET}
    asked = stub.kernels[FCN].request
    assert asked["enableInternet"] is True
    assert asked["machineShape"] == "NvidiaL4"
    assert asked["datasetDataSources"] == [KAGGLE_SLUG]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (GPUS_BUSY, ["Maximum batch GPU session count of 2 reached", "Wait until one", "status"]),
        (
            (200, {"error": "Maximum weekly GPU quota of 30.00 hours reached."}),
            ["30.00 hours", "kaggle.com/settings", "--machine cpu"],
        ),
        (TITLE_TAKEN, ["already in use by a notebook", "Rename or delete"]),
        ((409, {}), ["409", "Rename or delete"]),
        ((200, {"error": "Notebook not found"}), ["Kaggle says: Notebook not found"]),
        ((403, {"code": 403, "message": "Nope"}), ["403: Nope", "phone number"]),
        ((401, {}), ["credentials in KAGGLE_API_TOKEN", "kaggle.com/settings"]),
        ((429, {}), ["too many requests", "Wait ten minutes"]),
        ((503, {}), ["in trouble (503)", "Wait ten minutes"]),
    ],
    ids=["sessions", "quota", "title", "409", "other", "403", "401", "429", "503"],
)
def test_a_refusal_in_the_middle_says_what_to_do_and_how_to_go_on(stub, work, answer, expected):
    stub.refusals[UNET] = answer
    child = CHILD if answer is GPUS_BUSY else ()
    message = fails(stub, work, "push", "6", "8", "9", "--internet", "--stored", child=child)
    assert "06_fcn is pushed: https://www.kaggle.com/code/" in message
    assert "\nStopped at 08_unet. " in message
    for words in expected:
        assert words in message
    assert "Pushed: 06_fcn. Still to push: 08_unet, 09_imbalance." in message
    assert message.endswith(" -m course kaggle push 08 09 --stored --internet\n")
    assert stub.kernels.keys() == {FCN}, "it went on"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (KAGGLE_SLUG, [f"datasets/{KAGGLE_SLUG} in a browser", "accept the licence", "--stored"]),
        (WHEEL, [f"Wait until https://www.kaggle.com/datasets/{WHEEL} shows the wheel"]),
    ],
    ids=["photographs", "wheel"],
)
def test_a_dataset_that_kaggle_does_not_give(stub, work, name, expected):
    stub.datasets[WHEEL] = [{}]
    stub.refusals[None] = 200, {"invalidDatasetSources": [name]}
    message = fails(stub, work, "push", "06", *(["--internet"] if name == KAGGLE_SLUG else []))
    assert f"Stopped at 06_fcn. Kaggle runs it, but without {name}." in message
    for words in expected:
        assert words in message


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (
            {"refusals": {WHEEL: (200, {"status": "error", "error": "Title already in use"})}},
            ["Title already in use", "rename or delete", "work/datasets"],
        ),
        (
            {"refusals": {WHEEL: (200, {"status": "error", "error": "Bad licence"})}},
            ["refuses the dataset for the wheel (Bad licence)"],
        ),
        ({"upload_status": 403}, ["did not arrive", "Check your connection"]),
        ({"dataset_states": ["FAILED"]}, ["could not unpack the wheel (failed)"]),
        (
            {"dataset_states": ["BLOBS_RECEIVED"]},
            ["After 10 minutes", "(blobs_received)", "run this again"],
        ),
    ],
    ids=["title", "refused", "upload", "unpacking", "slow"],
)
def test_a_wheel_that_does_not_get_there(stub, work, trouble, expected):
    vars(stub).update(trouble)
    message = fails(stub, work, "push", "06")
    for words in expected:
        assert words in message
    assert stub.kernels == {}


# Whichever command


def test_the_package_is_imported_late(stub, work):
    code = "import sys, course.kaggle.kernels; sys.exit('kaggle' in sys.modules)"
    environment = stub.environment(work.home)
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
    assert stub.calls == []


@pytest.mark.parametrize("command", ["push", "status", "fetch"])
def test_no_credentials(stub, work, command):
    message = fails(stub, work, command, "06", child=CHILD, NOTHING="")
    assert "There are no Kaggle credentials on this machine." in message
    assert "https://www.kaggle.com/settings" in message
    assert not work.out.exists()


@pytest.mark.parametrize("refused", [401, 403])
@pytest.mark.slow
def test_a_token_that_is_refused(stub, work, refused):
    stub.token_status = refused
    message = fails(stub, work, "push", "06", child=CHILD)
    assert "Kaggle does not accept the credentials in KAGGLE_API_TOKEN" in message
    assert "Make a token at https://www.kaggle.com/settings" in message


@pytest.mark.slow
def test_a_token_with_a_line_break(stub, work):
    message = fails(stub, work, "status", "06", child=CHILD, KAGGLE_API_TOKEN=f"{TOKEN}\nx")
    assert "Kaggle does not accept the credentials in KAGGLE_API_TOKEN" in message


@pytest.mark.slow
def test_a_wordy_package_tells_no_secret(stub, work):
    (work.home / ".kaggle").mkdir()
    (work.home / ".kaggle" / "access_token").write_text(TOKEN + "\n")
    succeeds(stub, work, "push", "06", "--internet", child=CHILD, VERBOSE="1")
    assert FCN in stub.kernels


@pytest.mark.parametrize("command", ["push", "status", "fetch"])
def test_the_network_is_down(stub, work, command):
    stub.silent = True
    message = fails(stub, work, command, "06")
    assert re.search(r"Kaggle was not reached \((Connection|Proxy)Error\)\. ", message)
    assert "Check that this machine reaches https://www.kaggle.com" in message


@pytest.mark.parametrize("command", ["push", "status", "fetch"])
def test_a_lesson_that_does_not_exist(stub, work, command):
    message = fails(stub, work, command, "77")
    assert "There is no lesson 77. The lessons are: 00_start_here" in message
    assert stub.calls == []


@pytest.mark.parametrize("command", ["push", "fetch"])
def test_help_names_the_defaults(command, capsys):
    with pytest.raises(SystemExit):
        command_line.main(["kaggle", command, "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert f"folder to write to (default: {kernels.FOLDER})" in told
    assert (f"or cpu (default: {folders.GPU})" in told) == (command == "push")


def test_how_to_go_on_names_what_is_not_the_default(stub, work):
    stub.refusals[FCN] = GPUS_BUSY
    message = fails(
        stub, work, "push", "6", "--internet", "--machine", "NvidiaL4", "--out", "elsewhere"
    )
    assert message.endswith(" push 06 --internet --machine NvidiaL4 --out elsewhere\n")
    assert fails(stub, work, "push", "6", "--out", "my runs").endswith(" push 06 --out 'my runs'\n")


def test_a_machine_that_does_not_exist(stub, work):
    message = fails(stub, work, "push", "06", "--machine", "gpu")
    assert "'gpu' is no machine of Kaggle's. Expected cpu, or a name" in message
    assert stub.calls == []


def test_a_package_that_is_too_old(monkeypatch):
    api = SimpleNamespace(get_config_value=lambda name: "student")
    monkeypatch.setattr(account, "sign_in", lambda: api)
    monkeypatch.setattr(account, "release", lambda: 1)
    with pytest.raises(account.KaggleError, match="needs release 2 .* pip install --upgrade"):
        kernels.status(["06"])


# Status and fetch


def test_status_is_a_line_a_lesson(stub, work):
    finished(stub, "06", None)
    finished(stub, "08", None, "RUNNING")
    finished(stub, "09", None, "ERROR", "Your notebook ran out of memory")
    finished(stub, "10", None, "CANCEL_ACKNOWLEDGED")
    finished(stub, "11", None, "QUEUED")
    status, out, _ = kaggle(stub, work, "status", "6", "7", "8", "9", "10", "11")
    assert status == 1, "a run has failed"
    lines = [line.split() for line in out.splitlines()]
    assert [line[:2] for line in lines] == [
        ["06_fcn", "complete"],
        ["07_upsampling", "not"],
        ["08_unet", "running"],
        ["09_imbalance", "failed"],
        ["10_atrous", "cancelled"],
        ["11_deeplab", "waiting"],
    ]
    assert lines[0][2] == f"https://www.kaggle.com/code/{FCN}"
    assert out.splitlines()[3].endswith("Your notebook ran out of memory")


@pytest.mark.slow
def test_fetch_takes_what_was_pushed_and_only_its_record(stub, work):
    path = finished(stub, "06", notebooks.read(lesson("06")))
    finished(stub, "08", notebooks.read(lesson("08")), mode="real")
    out = succeeds(stub, work, "fetch")
    assert re.search(
        r"^06_fcn \.+ prints what is stored \(device gpu, keras 3\.13\.2\)$", out, re.M
    )
    assert re.search(r"^08_unet \.+ ran without an error ", out, re.M)
    assert sorted(os.listdir(work.out / "fetched")) == ["06_fcn", "08_unet"]
    assert sorted(os.listdir(work.out / "fetched" / "06_fcn")) == [
        path.name,
        "segmentation-course-06-fcn.log",
    ]


def test_fetch_replaces_what_an_earlier_one_left_and_nothing_else(stub, work):
    finished(stub, "06", notebooks.read(lesson("06")))
    succeeds(stub, work, "fetch", "06")
    fetched = work.out / "fetched" / "06_fcn"
    (fetched / "notes.txt").write_text("mine")
    finished(stub, "06", None, "ERROR", "")
    assert "it left no record" in fails(stub, work, "fetch", "06")
    assert sorted(os.listdir(fetched)) == ["notes.txt", "segmentation-course-06-fcn.log"]


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["_GetKernelSessionStatus", "_ListKernelSessionOutput"])
def test_a_lesson_that_cannot_be_fetched_keeps_its_record_and_the_others_go_on(
    stub, work, monkeypatch, broken
):
    for number in "06", "08":
        finished(stub, number, notebooks.read(lesson(number)))
    succeeds(stub, work, "fetch")
    fetched = work.out / "fetched"
    before = sorted(fetched.rglob("*"))
    usual = getattr(_Handler, broken)

    def answer(handler, asked):
        trouble = asked["kernelSlug"].endswith("06-fcn")
        return (500, {"message": "Oops"}) if trouble else usual(handler, asked)

    monkeypatch.setattr(_Handler, broken, answer)
    message = fails(stub, work, "fetch")
    assert re.search(r"^06_fcn \.+ not fetched: Kaggle is in trouble \(500: Oops\)", message, re.M)
    assert re.search(r"^08_unet \.+ prints what is stored ", message, re.M)
    assert sorted(fetched.rglob("*")) == before


@pytest.mark.slow
def test_real_photographs_print_other_numbers(stub, work):
    notebook = notebooks.read(lesson("06"))
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = "other numbers\n"
    finished(stub, "06", notebook, mode="real")
    succeeds(stub, work, "fetch", "06")
    finished(stub, "06", notebook, mode="stored")
    assert "Cell outputs differ" in fails(stub, work, "fetch", "06")


@pytest.mark.slow
def test_a_run_that_failed(stub, work):
    notebook = notebooks.read(lesson("00"))
    at = notebook.cells.index(code_cell(notebook, "pair"))
    notebook.cells[at].outputs = [
        new_output("error", ename="ValueError", evalue="no", traceback=["ValueError: no"])
    ]
    del notebook.cells[at + 1 :]
    finished(stub, "00", notebook, "ERROR", "Your notebook tried to allocate more memory")
    message = fails(stub, work, "fetch", "00", child=CHILD)
    assert "failed (Your notebook tried to allocate more memory); NOT as it should be" in message
    assert "--- 00_start_here, cell pair\n" in message
    assert "ValueError: no" in message
    assert "The run did not get to the last 8 cells, from corner on." in message
    assert message.count("---") == 1, "cells that did not run are reported one by one"


def test_a_run_that_left_no_record_shows_its_log(stub, work):
    finished(stub, "06", None, "ERROR", "")
    message = fails(stub, work, "fetch", "06")
    assert f"failed (https://www.kaggle.com/code/{FCN}); it left no record" in message
    assert message.rstrip().endswith("its log ends so:\none\ntwo")


def test_a_record_that_has_not_come_whole(stub, work):
    path = finished(stub, "06", new_notebook(cells=[new_code_cell("1")]))
    stub.kernels[FCN].files[path.name] = b'{"cells": ['
    message = fails(stub, work, "fetch", "06")
    assert "its record has not come whole (11 bytes)\nFetch it again." in message


@pytest.mark.parametrize(("state", "word"), [("RUNNING", "running"), ("QUEUED", "waiting")])
def test_a_run_that_is_not_over(stub, work, state, word):
    finished(stub, "06", None, state)
    message = fails(stub, work, "fetch", "06")
    assert f"06_fcn .......................... still {word}; fetch it later" in message
    assert not (work.out / "fetched").exists()


def test_nothing_was_pushed(stub, work):
    message = fails(stub, work, "fetch", "06")
    assert re.search(r"not pushed: .*python.* -m course kaggle push 06", message)
    message = fails(stub, work, "fetch")
    assert "student has no lesson on Kaggle yet. Push one first" in message
