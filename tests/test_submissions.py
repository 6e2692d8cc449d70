"""Submissions: found in every layout, read without trust, and none of them lost."""

import json
import os
import random
import socket
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from conftest import ordinary_user

from course.grading import command, submissions
from course.grading.submissions import (
    Cell,
    NotANotebook,
    WrongFolder,
    assignment_of,
    file_name,
    find,
    printable,
    read,
    read_cells,
)

ASSIGNMENTS = ("08_unet", "07_losses")


def a_cell(name, source="answer = 42", kind="code"):
    about = {"grade_id": name, "schema_version": 3, "solution": True}
    return {"cell_type": kind, "metadata": {"nbgrader": about}, "source": source}


def a_notebook(*cells):
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4}).encode()


NOTEBOOK = a_notebook(a_cell("unet-1"))


def lay(folder, *names, data=NOTEBOOK):
    """Write files below `folder`."""
    for name in names:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def pack(path, *names, data=NOTEBOOK, method=zipfile.ZIP_DEFLATED):
    """Write a zip with members of these names."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name in names:
            file.writestr(name, b"" if str(name).endswith("/") else data)
    return path


def seen(path, assignments=ASSIGNMENTS):
    return [(s.student, s.notebook, s.assignment) for s in find(path, assignments)]


def problems(path, assignments=ASSIGNMENTS):
    """What is wrong, by student; a submission that reads well is not in it."""
    wrong = {}
    for submission in find(path, assignments):
        try:
            read_cells(read(submission))
        except NotANotebook as error:
            wrong[submission.student] = str(error)
    return wrong


# Layouts


def test_nbgraders_tree(tmp_path):
    lay(
        tmp_path,
        "submitted/ada/08_unet/08_unet.ipynb",
        "submitted/ada/07_losses/07_losses.ipynb",
        "submitted/ada/08_unet/timestamp.txt",
        "submitted/ada/08_unet/.ipynb_checkpoints/08_unet-checkpoint.ipynb",
        "submitted/bob/08_unet/work/Untitled.ipynb",
        "source/08_unet/08_unet.ipynb",
        "release/08_unet/08_unet.ipynb",
    )
    expected = [
        ("ada", "07_losses", "07_losses"),
        ("ada", "08_unet", "08_unet"),
        ("bob", "Untitled", "08_unet"),
    ]
    assert seen(tmp_path) == seen(tmp_path / "submitted") == expected
    assert problems(tmp_path) == {}
    pack(tmp_path / "all.zip", *(f"submitted/{s}/{a}/{n}.ipynb" for s, n, a in expected))
    assert seen(tmp_path / "all.zip") == expected


def test_a_student_without_a_notebook_is_not_lost(tmp_path):
    lay(tmp_path, "ada/08_unet/08_unet.py", "bob/08_unet/08_unet.ipynb")
    for name in ("ada/07_losses", "bob/07_losses", "cid", "dan/work"):
        Path(tmp_path, name).mkdir(parents=True)
    assert seen(tmp_path) == [
        ("ada", "", "07_losses"),
        ("ada", "", "08_unet"),
        ("bob", "", "07_losses"),
        ("bob", "08_unet", "08_unet"),
        ("cid", "", ""),
        ("dan", "", ""),
    ]
    wrong = problems(tmp_path)
    assert sorted(wrong) == ["ada", "bob", "cid", "dan"]
    assert all("no notebook in it" in reason and ".ipynb" in reason for reason in wrong.values())
    assert "08_unet.py" in wrong["ada"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ada.ipynb", ("ada", "ada", "")),
        ("ada_08_unet.ipynb", ("ada", "ada_08_unet", "08_unet")),
        ("ada-08-unet.ipynb", ("ada", "ada-08-unet", "08_unet")),
        ("08_unet_ada.ipynb", ("ada", "08_unet_ada", "08_unet")),
        ("08_unet_ada_lovelace.ipynb", ("ada_lovelace", "08_unet_ada_lovelace", "08_unet")),
        ("Ada Lovelace 08_UNet.IPYNB", ("Ada Lovelace", "Ada Lovelace 08_UNet", "08_unet")),
        ("ada_08_unet (1).ipynb", ("ada", "ada_08_unet (1)", "08_unet")),
        ("ada_08_unet-Copy1.ipynb", ("ada", "ada_08_unet-Copy1", "08_unet")),
        ("ada_08_unet.ipynb.json", ("ada", "ada_08_unet", "08_unet")),
        ("ada-1.ipynb", ("ada-1", "ada-1", "")),
        ("ada (1).ipynb", ("ada", "ada (1)", "")),
        ("ada-Copy1.ipynb", ("ada", "ada-Copy1", "")),
        ("(1).ipynb", ("(1)", "(1)", "")),
        ("08_unet (1).ipynb", ("folder", "08_unet (1)", "08_unet")),
        ("08_unet-Copy1.ipynb", ("folder", "08_unet-Copy1", "08_unet")),
        ("08_unet_ada (1).ipynb", ("ada", "08_unet_ada (1)", "08_unet")),
        ("s_12_08_unet.ipynb", ("s_12", "s_12_08_unet", "08_unet")),
        ("08_unet.ipynb", ("folder", "08_unet", "08_unet")),
        ("ada_09_other.ipynb", ("ada_09_other", "ada_09_other", "")),
    ],
)
def test_a_folder_of_notebooks(name, expected, tmp_path):
    folder = lay(tmp_path / "folder", name, "README.md", "Makefile", "plot.png")
    assert seen(folder) == [expected]
    assert seen(folder / name) == [expected]  # the file alone


def test_files_that_are_nobodys_are_named(tmp_path):
    lay(tmp_path, "ada.ipynb", "olga.txt", "ben.pdf", ".gitignore", "cid/notes.txt", "dan.zip")
    names = []
    assert [s.student for s in find(tmp_path, passed_over=names)] == ["ada", "cid", "dan"]
    assert names == ["ben.pdf", "olga.txt"]
    assert command._passed_over(names).endswith(" files: ben.pdf, olga.txt.")
    assert command._passed_over([f"{i:02}\x1b" for i in range(22)]).endswith("19\\x1b and 2 more.")


def test_two_assignments_of_which_one_name_ends_with_the_other(tmp_path):
    lay(tmp_path, "ada_unet.ipynb", "ada_big_unet.ipynb")
    assert [s[::2] for s in seen(tmp_path, ("unet", "big_unet"))] == [
        ("ada", "big_unet"),
        ("ada", "unet"),
    ]


MOODLE = [
    "Ada Lovelace_12345_assignsubmission_file_/08_unet.ipynb",
    "Ada Lovelace_12345_assignsubmission_onlinetext_/onlinetext.html",
    "Björk Guðmundsdóttir_12346_assignsubmission_file/08_unet (1).ipynb",
    "Group A-Cid O'Neil_12347_assignsubmission_file_08_unet.ipynb",
    "Dan Brown_12348_assignsubmission_onlinetext_/onlinetext.html",
]


@pytest.mark.parametrize("packed", [True, False])
def test_moodle(packed, tmp_path):
    path = pack(tmp_path / "m.zip", *MOODLE) if packed else lay(tmp_path / "m", *MOODLE)
    assert seen(path) == [
        ("Ada Lovelace", "08_unet", "08_unet"),
        ("Björk Guðmundsdóttir", "08_unet (1)", "08_unet"),
        ("Dan Brown", "", ""),
        ("Group A-Cid O'Neil", "08_unet", "08_unet"),
    ]
    assert list(problems(path)) == ["Dan Brown"]


CANVAS = [
    "lovelaceada_12345_67890_08_unet.ipynb",
    "bob_LATE_22_67891_08_unet-2.ipynb",
    "bob_LATE_22_67892_08_unet-10.ipynb",
    "bob_LATE_22_67893_notes.txt",
    "cid7_23_67894_my work.ipynb",
    "dan_24_67895_work.zip",
    "anon_x7Yz1_67896_08_unet.ipynb",
]


@pytest.mark.parametrize("packed", [True, False])
def test_canvas(packed, tmp_path):
    path = pack(tmp_path / "c.zip", *CANVAS) if packed else lay(tmp_path / "c", *CANVAS)
    assert [(s.student, s.notebook, s.assignment, s.again) for s in find(path, ASSIGNMENTS)] == [
        ("anon_x7Yz1", "08_unet", "08_unet", 0),
        ("bob", "08_unet-10", "08_unet", 10),
        ("bob", "08_unet-2", "08_unet", 2),
        ("cid7", "my work", "", 0),
        ("dan", "", "", 0),
        ("lovelaceada", "08_unet", "08_unet", 0),
    ]
    wrong = problems(path)
    assert list(wrong) == ["dan"]
    assert "work.zip" in wrong["dan"]
    assert "not opened" in wrong["dan"]


@pytest.mark.parametrize(
    "names",
    [
        ["Ada L_1_assignsubmission_file_/a.ipynb", "Ada L_2_assignsubmission_file_/a.ipynb"],
        ["Ada L_1_111_a.ipynb", "Ada L_2_112_a.ipynb"],
    ],
)
def test_two_students_of_one_name_stay_two(names, tmp_path):
    found = find(pack(tmp_path / "z.zip", *names))
    assert [(s.student, s.namesake) for s in found] == [("Ada L 1", "Ada L"), ("Ada L 2", "Ada L")]
    (alone,) = find(pack(tmp_path / "z.zip", names[0]))
    assert (alone.student, alone.namesake) == ("Ada L", "")


def test_classroom_clones(tmp_path):
    folder = lay(
        tmp_path / "unet-week-submissions",
        "unet-week-ada/.git/HEAD",
        "unet-week-ada/.git/hooks/evil.ipynb",
        "unet-week-ada/notebooks/08_unet.ipynb",
        "unet-week-ada/notebooks/exercises/08_unet.ipynb",
        "unet-week-ada/notebooks/exercises/.ipynb_checkpoints/08_unet.ipynb",
        "unet-week-ada/notebooks/solutions/08_unet.ipynb",
        "unet-week-bob-smith/.git/HEAD",
        "unet-week-bob-smith/my/08_unet.ipynb",
        "unet-week-bob-smith/lessons/08_unet.ipynb",
        "unet-week-cid/.git/HEAD",
        "unet-week-cid/README.md",
    )
    found = [s for s in find(folder, ASSIGNMENTS) if not s.spare]
    assert [(s.student, s.notebook, s.assignment) for s in found] == [
        ("ada", "08_unet", "08_unet"),
        ("bob-smith", "08_unet", "08_unet"),
        ("cid", "", ""),
    ]
    assert found[0].path.parts[-2:] == ("exercises", "08_unet.ipynb")
    assert found[1].path.parts[-2:] == ("my", "08_unet.ipynb")


@pytest.mark.parametrize(
    ("names", "best", "spare"),
    [
        (["solutions/08_unet.ipynb", "README.md"], ["solutions/08_unet.ipynb"], []),
        (["lessons/08_unet.ipynb"], ["lessons/08_unet.ipynb"], []),
        (["notebooks/solutions/08_unet.ipynb"], ["notebooks/solutions/08_unet.ipynb"], []),
        (["notebooks/solutions/08_unet.ipynb", "08_unet.ipynb"], ["08_unet.ipynb"], []),
        (["solutions/08_unet.ipynb", "a.ipynb"], ["a.ipynb"], ["solutions/08_unet.ipynb"]),
        (
            ["notebooks/exercises/08_unet.ipynb", "08_unet.ipynb", "notebooks/08_unet.ipynb"],
            ["notebooks/exercises/08_unet.ipynb"],
            ["08_unet.ipynb", "notebooks/08_unet.ipynb"],
        ),
    ],
)
def test_where_a_clone_holds_the_answer(names, best, spare, tmp_path):
    found = find(lay(tmp_path, "ada/.git/HEAD", *(f"ada/{name}" for name in names)), ASSIGNMENTS)
    assert sorted(s.inside for s in found if not s.spare) == best
    assert sorted(s.inside for s in found if s.spare) == spare
    assert not any(s.problem for s in found)


@pytest.mark.parametrize(
    ("folder", "names", "students"),
    [
        ("clones", ["08-unet-ada", "08-unet-al-x"], ["ada", "al-x"]),
        ("clones", ["08_unet-ada"], ["ada"]),
        ("clones", ["week-3-ada", "week-3-adam"], ["ada", "adam"]),
        ("w-submissions", ["w-al-x", "w-al-y"], ["al-x", "al-y"]),
        ("clones", ["ada", "bob"], ["ada", "bob"]),
        ("clones", ["one-ada"], ["one-ada"]),
    ],
)
def test_the_students_of_clones(folder, names, students, tmp_path):
    lay(tmp_path / folder, *(f"{name}/notebooks/exercises/08_unet.ipynb" for name in names))
    assert seen(tmp_path / folder) == [(s, "08_unet", "08_unet") for s in students]


def test_one_clone(tmp_path):
    lay(tmp_path / "ada", "notebooks/exercises/08_unet.ipynb", "notebooks/08_unet.ipynb")
    assert seen(tmp_path / "ada") == [("ada", "08_unet", "08_unet")] * 2
    assert [s.spare for s in find(tmp_path / "ada")] == [True, False]


def instead(path, assignments=ASSIGNMENTS):
    """What to name instead of `path`, and where to unpack it before, seen from its own folder."""
    with pytest.raises(WrongFolder) as raised:
        find(path, assignments)
    here, error = path.parent, raised.value
    unpack = error.unpack and (error.unpack[0].name, str(error.unpack[1].relative_to(here)))
    return [str(place.relative_to(here)) for place in error.instead], unpack, str(error)


def test_a_folder_for_each_assignment_is_refused(tmp_path):
    lay(tmp_path, "s/08_unet/ada.ipynb", "s/08_unet/bob.ipynb", "s/07-losses/ada/07_losses.ipynb")
    folders, _, said = instead(tmp_path / "s")
    assert folders == ["s/07-losses", "s/08_unet"]
    assert "names of assignments (07-losses, 08_unet), not of students" in said
    for folder, students in zip(folders, (["ada"], ["ada", "bob"]), strict=True):
        assert [row[0] for row in seen(tmp_path / folder)] == students
    lay(tmp_path, "s/cid.ipynb")
    assert "There are other submissions in" in instead(tmp_path / "s")[2]


def test_the_folder_of_one_student_is_refused(tmp_path, monkeypatch):
    lay(tmp_path, "submitted/ada/08_unet/08_unet.ipynb", "submitted/ada/07_losses/07_losses.ipynb")
    folders, unpack, said = instead(tmp_path / "submitted/ada")
    assert (folders, unpack) == (["."], None)  # seen from it, which is submitted/
    assert "name the folder around that student's" in said
    monkeypatch.chdir(tmp_path / "submitted/ada/08_unet")
    with pytest.raises(WrongFolder) as raised:
        find("..", ASSIGNMENTS)
    assert raised.value.instead == [tmp_path / "submitted"]
    pack(tmp_path / "ada.zip", "08_unet/08_unet.ipynb")
    assert instead(tmp_path / "ada.zip")[:2] == (["ada"], ("ada.zip", "ada/ada"))


WRAPPED = [
    ["hw1/ada.ipynb", "hw1/bob.ipynb"],
    ["hw1/ada_08_unet.ipynb", "hw1/bob_08_unet.ipynb"],
    ["hw1/ada/08_unet/08_unet.ipynb", "hw1/bob/08_unet/08_unet.ipynb"],
    ["hw1/ada/work.ipynb", "hw1/bob/work.ipynb"],
    ["hw1/w-ada/.git/HEAD", "hw1/w-ada/08_unet.ipynb", "hw1/w-bob/08_unet.ipynb"],
    [
        f"hw1/{student}_{n}_assignsubmission_file_/08_unet.ipynb"
        for n, student in ((1, "A"), (2, "B"))
    ],
    ["hw1/ada_1_111_08_unet.ipynb", "hw1/bob_2_112_08_unet.ipynb"],
    ["hw1/more/ada.ipynb", "hw1/more/bob.ipynb"],
    ["hw1/08_unet/ada.ipynb", "hw1/08_unet/bob.ipynb"],
    ["hw1/submitted/ada/08_unet/08_unet.ipynb", "hw1/submitted/bob/08_unet/08_unet.ipynb"],
]


@pytest.mark.parametrize("names", WRAPPED)
def test_a_folder_around_the_class_is_refused(names, tmp_path):
    lay(tmp_path / "s", *names, "README.md")
    folders, unpack, said = instead(tmp_path / "s")
    assert (len(folders), unpack) == (1, None)
    assert "would be taken for one student" in said
    assert len(seen(tmp_path / folders[0])) == 2

    path = pack(tmp_path / "hw1.zip", *names, "__MACOSX/hw1/._ada.ipynb")
    if "submitted" in names[0]:
        assert [row[0] for row in seen(path)] == ["ada", "bob"]
        return
    folders, unpack, _ = instead(path)
    assert unpack == ("hw1.zip", "hw1")
    with zipfile.ZipFile(path) as file:
        file.extractall(tmp_path / "hw1")
    assert len(seen(tmp_path / folders[0])) == 2
    assert instead(path)[1] == ("hw1.zip", "hw1-unpacked")  # what is there is not overwritten


def test_folders_of_assignments_in_a_folder_are_refused_in_two_steps(tmp_path):
    lay(tmp_path, *(f"s/hw1/{a}/{s}.ipynb" for a in ASSIGNMENTS for s in ("ada", "bob")))
    assert instead(tmp_path / "s")[0] == ["s/hw1"]
    assert instead(tmp_path / "s/hw1")[0] == ["hw1/07_losses", "hw1/08_unet"]


@pytest.mark.parametrize(
    "names",
    [
        ["ada/08_unet/08_unet.ipynb", "ada/08_unet/08_unet (1).ipynb", "ada/08_unet/first.ipynb"],
        ["ada/08_unet.ipynb", "ada/08_unet-Copy1.ipynb", "ada/old/08_unet.ipynb"],
        ["ada/work/08_unet.ipynb", "ada/work/08_unet (1).ipynb"],
        ["ada/part1/work.ipynb", "ada/part2/work.ipynb", "ada/08_unet/08_unet.ipynb"],
    ],
)
def test_the_only_student_may_hand_in_copies(names, tmp_path):
    assert {row[0] for row in seen(lay(tmp_path, *names))} == {"ada"}


def test_links_and_paths_out_of_a_zip_are_nothing_to_name(tmp_path):
    lay(tmp_path, "elsewhere/a/b/c.ipynb", "s/hw1/ada.ipynb", "s/hw1/bob.ipynb")
    (tmp_path / "s/hw1/aaa.ipynb").symlink_to(tmp_path / "elsewhere/a/b/c.ipynb")
    assert instead(tmp_path / "s")[0] == ["s/hw1"]
    path = pack(tmp_path / "z.zip", "hw1/../../../ada.ipynb", "/hw1/bob.ipynb", "hw1/cid.ipynb")
    assert {row[0] for row in seen(path)} == {"hw1"}


def test_the_only_student_may_hand_in_several_assignments(tmp_path):
    lay(tmp_path, "ada/first.ipynb")
    lay(tmp_path, "ada/second.ipynb", data=a_notebook(a_cell("loss-1")))
    lay(tmp_path, "ada/third.ipynb", data=b"no notebook")
    assert {row[0] for row in seen(tmp_path)} == {"ada"}


def test_nbgraders_course_in_a_zip(tmp_path):
    names = [f"{top}/08_unet/08_unet.ipynb" for top in ("source", "release", "submitted/ada")]
    for folder in ("", "course101/"):
        path = pack(tmp_path / "c.zip", *(folder + name for name in names), f"{folder}submitted/")
        assert seen(path) == [("ada", "08_unet", "08_unet")]


def test_submissions_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing at"):
        find(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no submissions in"):
        find(tmp_path)
    lay(tmp_path, "s/README.md")
    with pytest.raises(ValueError, match="no submissions in"):
        find(tmp_path / "s")
    with pytest.raises(ValueError, match="neither a folder nor a notebook"):
        find(tmp_path / "s" / "README.md")


@pytest.mark.parametrize("data", [b"", b"no zip", pytest.param(None, id="cut")])
def test_a_zip_that_is_none(data, tmp_path):
    path = pack(tmp_path / "s.zip", *MOODLE)
    path.write_bytes(path.read_bytes()[:-30] if data is None else data)
    with pytest.raises(ValueError, match=r"s\.zip.*download it again"):
        find(path)


# What cannot be trusted


def test_what_lies_in_a_folder_and_is_no_notebook(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "LARGEST", 1000)
    secret = lay(tmp_path, "secret.ipynb") / "secret.ipynb"
    folder = lay(tmp_path / "s", "fine/a/a.ipynb")
    lay(folder, "large/a/a.ipynb", data=b" " * 1001)
    for name in ("link", "fifo", "socket", "outside"):
        (folder / name / "a").mkdir(parents=True)
    (folder / "folder/a/a.ipynb").mkdir(parents=True)
    (folder / "link/a/a.ipynb").symlink_to(secret)
    (folder / "outside/a/deeper").symlink_to(tmp_path)
    (folder / "student.link").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "fifo/a/a.ipynb")
    monkeypatch.chdir(folder / "socket/a")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("a.ipynb")
    wrong = problems(folder)
    assert sorted(wrong) == [
        "fifo", "folder", "large", "link", "loop", "outside", "socket", "student.link",
    ]  # fmt: skip
    assert "too large" in wrong["large"]
    assert "Clear the outputs" in wrong["large"]
    for name in ("link", "loop", "outside", "student.link"):
        assert "is a link" in wrong[name]
    assert "is a folder" in wrong["folder"]
    for name in ("fifo", "socket"):
        assert "not a regular file" in wrong[name]


def test_a_file_that_changes_into_a_link_after_it_was_found(tmp_path):
    lay(tmp_path, "secret.ipynb", "s/ada.ipynb", "s/bob.ipynb")
    ada, bob = find(tmp_path / "s")
    ada.path.unlink()
    ada.path.symlink_to(tmp_path / "secret.ipynb")
    bob.path.unlink()
    os.mkfifo(bob.path)
    for submission in (ada, bob):
        with pytest.raises(NotANotebook):
            read(submission)


def test_files_that_cannot_be_opened(open_folder):
    lay(open_folder, "ada/a/a.ipynb", "bob/a/a.ipynb", "cid/a/a.ipynb")
    (open_folder / "ada/a/a.ipynb").chmod(0)
    (open_folder / "bob/a").chmod(0)
    try:
        with ordinary_user():
            wrong = problems(open_folder)
    finally:
        (open_folder / "bob/a").chmod(0o755)
    assert sorted(wrong) == ["ada", "bob"]
    assert all("ermission" in reason for reason in wrong.values())


def test_a_student_who_hands_in_very_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "MOST_FILES", 10)
    lay(tmp_path, "ada/a/a.ipynb", *(f"bob/a/{i}.txt" for i in range(50)))
    wrong = problems(tmp_path)
    assert list(wrong) == ["bob"]
    assert "more than 10 files" in wrong["bob"]


def test_folders_without_end(tmp_path):
    folder = tmp_path / "s/ada"
    for _ in range(60):
        folder /= "d"
    folder.mkdir(parents=True)
    lay(folder, "a.ipynb")
    assert list(problems(tmp_path / "s")) == ["ada"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Eve_1_assignsubmission_file_/../../../evil.ipynb", "outside"),
        ("/etc/Eve.ipynb", "outside"),
        ("C:\\Eve\\evil.ipynb", "outside"),
        ("..\\..\\Eve.ipynb", "outside"),
    ],
)
def test_zip_slip(name, reason, tmp_path):
    info = zipfile.ZipInfo("x")
    info.filename = name
    path = tmp_path / "inside" / "s.zip"
    path.parent.mkdir()
    pack(path, info, "Ada_2_assignsubmission_file_/a.ipynb")
    wrong = problems(path)
    assert len(wrong) == 1
    assert reason in next(iter(wrong.values()))
    assert len(find(path)) == 2
    assert [p.name for p in tmp_path.rglob("*")] == ["inside", "s.zip"]


def change(path, offset, value, name=b"Eve"):
    """Overwrite two bytes in the central directory's entry of a member."""
    data = bytearray(path.read_bytes())
    at = data.rindex(name, 0, data.rindex(b"PK\x05\x06")) - 46 + offset
    data[at : at + len(value)] = value
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (8, b"\x01\x00", "without a password"),
        (10, b"\x0c\x00", "packed in a way"),
        (10, b"\x63\x00", "packed in a way"),
        (16, b"\x00\x00\x00\x00", "cannot be read"),  # the checksum
        (24, b"\xff\xff\xff\x7f", "too large"),  # the declared size
        (24, b"\x05\x00\x00\x00", "cannot be read"),  # declared smaller than it is
        (38, b"\x00\x00\xed\xa1", "is a link"),
        (38, b"\x00\x00\xed\x11", "not a regular file"),
        (42, b"\x03\x00\x00\x00", "cannot be read"),  # where the data begin
    ],
)
def test_a_bad_member_of_a_zip(offset, value, reason, tmp_path):
    path = pack(tmp_path / "s.zip", "Eve_1_111_a.ipynb", "Ada_2_112_a.ipynb")
    change(path, offset, value)
    wrong = problems(path)
    assert list(wrong) == ["Eve"]
    assert reason in wrong["Eve"]


def test_zip_bombs(tmp_path):
    zeros = bytes(submissions.LARGEST + 2**20)
    path = pack(tmp_path / "s.zip", "Ada_2_112_a.ipynb")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("Eve_1_111_a.ipynb", zeros)
        file.writestr("Lie_3_113_a.ipynb", zeros)
    assert path.stat().st_size < 200_000
    change(path, 24, b"\x00\x00\x10\x00", b"Lie")  # says that it is 1 MB
    del zeros
    tracemalloc.start()
    try:
        wrong = problems(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "too large" in wrong["Eve"]
    assert sorted(wrong) == ["Eve", "Lie"]
    assert peak < 3 * submissions.LARGEST


def test_a_name_that_is_twice_in_the_zip(tmp_path):
    path = pack(tmp_path / "s.zip", "Eve_1_111_a.ipynb", data=b"old")
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("Eve_1_111_a.ipynb", NOTEBOOK)
    (submission,) = find(path)
    assert read(submission) == NOTEBOOK


def test_a_zip_that_disappears(tmp_path):
    path = pack(tmp_path / "s.zip", "Eve_1_111_a.ipynb")
    (submission,) = find(path)
    path.unlink()
    with pytest.raises(NotANotebook, match="No such file"):
        read(submission)


ODD = [
    "é",
    "e\u0301",
    "名前",
    "a b",
    "=cmd|' C calc'!A0",
    "\u202etxt",
    "\x1b[31m",
    "-rf",
    "ÅÄÖ" * 20,
]


def test_odd_names(tmp_path):
    for name in ODD:
        lay(tmp_path, f"{name}/08_unet/08_unet.ipynb")
    raw = os.fsencode(tmp_path) + b"/\xff\xfe"
    os.mkdir(raw)
    os.mkdir(raw + b"/08_unet")
    with open(raw + b"/08_unet/08_unet.ipynb", "wb") as file:
        file.write(NOTEBOOK)
    found = find(tmp_path, ASSIGNMENTS)
    assert sorted(s.student for s in found) == sorted([*ODD, "\\xff\\xfe"])
    assert problems(tmp_path) == {}
    assert all(s.student.encode() for s in found)
    assert len({file_name(s.student) for s in found}) == len(found)


@pytest.mark.parametrize(
    "text", [*ODD, "", ".", "..", "/", "a/b", "CON", "nul", "com1", "a" * 300, "\ud800", "x\0y"]
)
def test_file_names_are_safe(text):
    name = file_name(text)
    assert name == file_name(text)
    assert name.isascii()
    assert 0 < len(name) <= 64
    assert not set(name) & set('/\\:*?"<>|. \0\n')
    assert name[0] != "-"
    assert name.upper() not in ("CON", "NUL", "COM1")


def test_file_names_differ():
    texts = [
        *ODD,
        "ada",
        "Ada",
        "ADA",
        "ada ",
        "a-b",
        "a b",
        "a_b",
        "a.b",
        "ada.",
        "a" * 64,
        "a" * 65,
    ]
    texts += [file_name(text) for text in texts if file_name(text) != text]  # made up to collide
    assert len({file_name(text).lower() for text in texts}) == len(set(texts))
    assert file_name("ada") == "ada"
    assert file_name("08_unet") == "08_unet"


def test_printable():
    assert printable("a\x1b[31m\u202eb\nü") == "a\\x1b[31m\\u202eb\\nü"


# Notebooks


def test_cells():
    data = a_notebook(
        a_cell("one", ["a = 1\r\n", "b = 2"]),
        {"cell_type": "code", "metadata": {}, "source": "nothing of ours"},
        a_cell("two", "text", "markdown"),
        a_cell("one", "again"),
    )
    expected = [
        Cell("one", "code", "a = 1\nb = 2"),
        Cell("two", "markdown", "text"),
        Cell("one", "code", "again"),
    ]
    assert read_cells(data) == expected
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        assert read_cells(data.decode().encode(encoding)) == expected


def test_cells_of_nbformat_3():
    cell = a_cell("one")
    cell["input"] = [cell.pop("source")]
    data = json.dumps({"worksheets": [{"cells": [cell]}, 3, {"cells": 4}], "nbformat": 3}).encode()
    assert read_cells(data) == [Cell("one", "code", "answer = 42")]


@pytest.mark.parametrize(
    "cell",
    [
        None,
        3,
        "cell",
        [],
        {},
        {"metadata": None},
        {"metadata": {"nbgrader": [1]}},
        {"metadata": {"nbgrader": {"grade_id": 5}}},
        {"metadata": {"nbgrader": {"grade_id": ""}}},
        {"metadata": {"nbgrader": {"grade_id": ["one"]}}},
        {"metadata": {"nbgrader": {"grade_id": "x" * 201}}},
        a_cell(float("nan")),
    ],
)
def test_cells_without_a_grade_id_do_not_count(cell):
    assert read_cells(a_notebook(cell, a_cell("two"))) == [Cell("two", "code", "answer = 42")]


@pytest.mark.parametrize("source", [None, 3, {"a": 1}, ["a", 3], [["a"]], True])
def test_a_source_that_is_no_text(source):
    assert read_cells(a_notebook(a_cell("one", source, kind=source))) == [Cell("one", "", "")]


def test_a_source_that_is_missing():
    cell = a_cell("one")
    del cell["source"]
    assert read_cells(a_notebook(cell)) == [Cell("one", "code", "")]


def test_lone_surrogates():
    cells = read_cells(a_notebook(a_cell("o\udc00", ["\ud83d", "\ude00 \ud800"])))
    assert cells == [Cell("o\ufffd", "code", "😀 \ufffd")]


def test_nan_and_large_numbers_are_no_matter():
    text = '{"cells": [%s], "a": [NaN, -Infinity, 1e999999, %s]}'
    text %= json.dumps(a_cell("one")), "9" * 100_000
    assert read_cells(text.encode()) == [Cell("one", "code", "answer = 42")]


def test_a_key_that_is_twice():
    text = '{"cells": [], "cells": ' + json.dumps([a_cell("one")]) + "}"
    assert len(read_cells(text.encode())) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"PK\x03\x04\xff\xff", "not text in UTF-8|not a notebook"),
        (b"\x89PNG\r\n\x1a\n", "not text in UTF-8"),
        (b"<html>", "not a notebook.*line 1"),
        (NOTEBOOK[:-10], "saved to its end"),
        (b"[]", "JSON list"),
        (b"3", "JSON number"),
        (b'"text"', "JSON string"),
        (b"null", "JSON null"),
        (b"{}", "no list of cells"),
        (b'{"cells": {}}', "no list of cells"),
        (b'{"worksheets": 3}', "no list of cells"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"cells": [%s]}' % b",".join([b"{}"] * 10_001), "10001 cells"),
        (a_notebook(a_cell("one", "x" * 1_000_001)), "1000001 characters"),
        (b'{"cells": [], "a": [' + b"[]," * 2_000_000 + b"[]]}", "too many values"),
        (b'{"cells": [], "a": "' + b'\\"' * 10_000_000, "not a notebook"),
    ],
)
def test_what_is_not_a_notebook(data, reason):
    with pytest.raises(NotANotebook, match=reason):
        read_cells(data)


def test_large_outputs_are_no_matter():
    text = {"output_type": "stream", "text": ["[1, 2], {3}, \\" * 2_000_000]}
    notebook = {"cells": [a_cell("one") | {"outputs": [text]}]}
    assert len(read_cells(json.dumps(notebook).encode())) == 1


def test_a_file_beyond_the_limit():
    with pytest.raises(NotANotebook, match="too large"):
        read_cells(bytes(submissions.LARGEST + 1))


def test_random_bytes_never_raise_anything_else():
    draw = random.Random(0)
    whole = a_notebook(*(a_cell(f"c{i}", ["a\n", "b"]) for i in range(5)))
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(draw.randrange(1, 8)):
            at = draw.randrange(len(data))
            data[at : at + draw.randrange(3)] = draw.choice(
                [b"", b"[", b"}", b'"', b"\\", b"\xff", b"null", b"1", b",", b"\\ud800"]
            )
        try:
            cells = read_cells(bytes(data))
        except NotANotebook:
            continue
        assert all(isinstance(text, str) and text.encode() is not None for c in cells for text in c)


IDS = {"07_losses": {"loss-1", "loss-2"}, "08_unet": {"unet-1", "unet-2"}}


@pytest.mark.parametrize(
    ("names", "hint", "expected"),
    [
        (["unet-1", "unet-2"], "", "08_unet"),
        (["unet-1"], "07_losses", "08_unet"),  # what it holds counts, not what it is called
        (["unet-1", "loss-1"], "08_unet", "08_unet"),
        (["unet-1", "loss-1"], "07_losses", "07_losses"),
        (["unet-1", "loss-1", "loss-1"], "08_unet", "08_unet"),  # a copied cell is no vote
        (["unet-1", "loss-1", "loss-2"], "08_unet", "07_losses"),
        ([], "08_unet", "08_unet"),  # the metadata are lost; all tasks will be missing
        (["other"], "", ""),
        (["other"], "elsewhere", ""),
        ([], "", ""),
    ],
)
def test_which_assignment(names, hint, expected):
    cells = [Cell(name, "code", "") for name in names]
    assert assignment_of(cells, IDS, hint) == expected
