"""Find what students handed in, and read it without trusting it.

The known layouts are nbgrader's tree, a folder of notebooks, the zip that Moodle or Canvas gives
(packed or unpacked), and a folder of GitHub Classroom clones. A zip is read where it lies, never
extracted.

Whatever a student hands in becomes a :class:`Submission`. If it cannot be read, it holds the reason.
"""

import hashlib
import json
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

LARGEST = 50 * 2**20  # bytes of a notebook
MOST_FILES = 20_000  # of one student
MOST_MEMBERS = 200_000  # of a zip
DEEPEST_FOLDER = 24
DEEPEST = 64  # levels of nested JSON containers; Jupyter writes about a dozen
MOST_VALUES = 2_000_000  # JSON values; they take up to a hundred bytes of memory each
MOST_CELLS = 10_000
MOST_SOURCE = 1_000_000  # characters in all cells that count

NOTEBOOK = re.compile(r"\.ipynb(\.txt|\.json)?$", re.IGNORECASE)  # as some browsers save it
ARCHIVE = re.compile(r"\.(zip|rar|7z|tar|tgz|gz|bz2|xz)$", re.IGNORECASE)
# Nobody's work: what Jupyter, Python, macOS and npm leave behind.
IGNORED = {".ipynb_checkpoints", "__pycache__", "__MACOSX", ".DS_Store", ".venv", "node_modules"}
PUBLISHED = ("notebooks", "solutions")  # of a clone, as the course's repository has them
SELDOM_HANDED_IN = {"solutions", "lessons"}
# Canvas adds "-1" to a file that is handed in again. Jupyter and browsers add the others to a copy.
COPY = re.compile(r"(?:-(?P<again>\d+)|-Copy\d+| ?\(\d+\))$")
MOODLE = re.compile(r"(?P<student>.+)_(?P<number>\d+)_assignsubmission_[a-z]+(?:_(?P<file>.*))?")
# Assignments have numbers of two digits, Canvas's attachments have longer ones.
CANVAS = re.compile(
    r"(?:(?P<anonymous>anon_[^_]+)|(?P<student>.+?)(?:_LATE)?_(?P<number>\d+))"
    r"_(?P<attachment>\d{3,})_(?P<file>.+)",
    re.IGNORECASE,
)

STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
NOT_STRUCTURE = re.compile(r"[^\[\]{},]+")
STEPS = np.zeros(128, np.int32)  # by how much a character changes the nesting depth
STEPS[[ord("["), ord("{")]] = 1
STEPS[[ord("]"), ord("}")]] = -1


class NotANotebook(ValueError):
    """What a student handed in cannot be read; the message says why and what to do."""


class WrongFolder(ValueError):
    """What was named as SUBMISSIONS would be attributed to the wrong students.

    instead  paths to name instead, each by itself
    unpack   (zip, folder): unpack the zip to the folder before that; None if there is no zip
    """

    def __init__(self, message, instead, unpack=None):
        super().__init__(message)
        self.instead, self.unpack = instead, unpack


class Submission(NamedTuple):
    """One notebook that a student handed in, or the place where it should be.

    student     as the folder, the file or the LMS names them; untrusted text
    notebook    the file's stem, "" where there is no notebook
    path        the file, or the zip that holds it
    member      its name inside the zip, "" outside
    problem     why it cannot be read, "" if nothing is known against it
    assignment  name of the author notebook that it seems to answer, "" if none
    again       how often it was handed in before: the highest counts
    inside      where it lies in a clone, "" outside of clones
    spare       it lies in a clone, but not where answers belong: it counts only if nothing else does
    namesake    if several students share a name, that name without the LMS's number, else ""
    """

    student: str
    notebook: str
    path: Path
    member: str = ""
    problem: str = ""
    assignment: str = ""
    again: int = 0
    inside: str = ""
    spare: bool = False
    namesake: str = ""

    @property
    def place(self):
        """Where it lies, in words."""
        return f"{self.path}: {self.member}" if self.member else str(self.path)


class Cell(NamedTuple):
    """All that is taken of a student's cell."""

    grade_id: str
    cell_type: str
    source: str


# Names


def file_name(text):
    """A name for a file or folder that is safe on every system; different texts get different names.

    A plain lower-case name stays as it is; part of its SHA-256 is added to any other.
    """
    if re.fullmatch(r"[a-z0-9_][a-z0-9_-]{0,63}", text) and not _special(text):
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:12]
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", plain)[:40].strip("-")
    return f"{slug}-{digest}".lstrip("-")


def _special(text):
    """Whether Windows reserves a name, or it looks like one with a digest of :func:`file_name`'s."""
    reserved = r"con|prn|aux|nul|com\d|lpt\d"
    return re.fullmatch(rf"{reserved}|(.*-)?[0-9a-f]{{12}}", text) is not None


def printable(text):
    """`text` for a terminal or a log: what is not printable is written out (``\\x1b``)."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def _text(name):
    """A file name as valid text; bytes that are not UTF-8 are written out (``\\xff``)."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


# Finding


class _Entry(NamedTuple):
    """An entry of a folder or a zip: its kind ("file", "folder" or "git") and what is wrong with it."""

    parts: tuple
    kind: str
    path: Path
    member: str = ""
    problem: str = ""

    @property
    def name(self):
        return self.parts[-1]

    @property
    def counts(self):
        """Whether a student may have meant it as their notebook."""
        if self.problem and not re.search(r"\.\w{1,5}$", self.name):
            return True  # a link where a folder belongs, a folder that cannot be opened
        return NOTEBOOK.search(self.name) is not None


def find(path, assignments=(), passed_over=None):
    """Everything that students handed in.

    Parameters
    ----------
    path : path
        A folder, a zip or one notebook.
    assignments : iterable of str
        Names of the author notebooks, to split ``ada_08_unet.ipynb`` into student and assignment.
    passed_over : list, optional
        The names of files that belong to nobody, such as ``ben.pdf`` in a folder of notebooks, are
        appended to it.

    Returns
    -------
    list of Submission
        Sorted. A student without a notebook has a Submission too, with the reason in `problem`.

    Raises
    ------
    FileNotFoundError, ValueError
        If `path` does not exist, cannot be read, or holds no submissions.
    WrongFolder
        If a whole class would be taken for one student, or an assignment for a student.
    """
    path, assignments = Path(path), sorted(assignments, key=len, reverse=True)
    if not path.exists():
        raise FileNotFoundError(
            f"There is nothing at {path}. Name a folder of submissions, the zip that Moodle or "
            "Canvas gave you, or one notebook."
        )
    entries = _entries(path)
    owners, namesakes, nobodys = _owners(entries, path, assignments)
    if passed_over is not None:
        passed_over += [name for name in nobodys if name[0] != "."]
    _refuse_assignments(path, owners, assignments)
    _refuse_class_in_a_folder(path, owners, assignments)
    found = [
        submission._replace(namesake=namesakes.get(submission.student, ""))
        for (student, kind), files in owners.items()
        for submission in _handed_in(student, kind, files, assignments)
    ]
    if not found:
        raise ValueError(
            f"There are no submissions in {path}. Known are nbgrader's "
            "submitted/<student>/<assignment>/, a folder of notebooks (ada.ipynb or "
            "ada_08_unet.ipynb), the zip of Moodle or Canvas, and a folder of clones."
        )
    return sorted(found, key=lambda s: (s.student, s.assignment, s.notebook, s.place))


def _entries(path):
    if path.is_dir():
        submitted = path / "submitted"
        if submitted.is_dir() and not submitted.is_symlink():
            return _entries(submitted)
        entries = list(_folder_entries(path))
        if (path / "notebooks" / "exercises").is_dir():  # one clone, not a folder of them
            name = _text(path.resolve().name)
            entries = [entry._replace(parts=(name, *entry.parts)) for entry in entries]
        return entries
    if NOTEBOOK.search(path.name):
        return [_file_entry((_text(path.name),), path)]
    return _below_submitted(list(_zip_entries(path)))


def _below_submitted(entries):
    """The entries in submitted/ where a zip holds nbgrader's tree, else all of them.

    submitted/ may itself lie in a folder, that of the course.
    """
    tops = {entry.parts[0] for entry in entries}
    for depth in (1, 2) if len(tops) == 1 else (1,):
        inside = [
            entry._replace(parts=entry.parts[depth:])
            for entry in entries
            if len(entry.parts) > depth and entry.parts[depth - 1] == "submitted"
        ]
        if inside:
            return inside
    return entries


def _folder_entries(folder):
    """All there is in `folder`; links are not followed."""
    try:
        top = sorted(os.scandir(folder), key=lambda item: item.name)
    except OSError as error:
        raise ValueError(f"{folder} cannot be read: {error.strerror}.") from error
    for item in top:
        todo, count = [((), item)], 0
        while todo:
            above, item = todo.pop()
            entry = _folder_entry(above, item)
            if entry is None:
                continue
            count += 1
            if count > MOST_FILES:
                problem = f"it holds more than {MOST_FILES} files. Delete what is not a notebook."
                yield _Entry(entry.parts[:1], "folder", Path(folder), problem=problem)
                break
            inside = []
            if entry.kind == "folder" and not entry.problem:
                try:
                    inside = sorted(os.scandir(item.path), key=lambda i: i.name, reverse=True)
                except OSError as error:
                    entry = entry._replace(problem=f"it cannot be opened: {error.strerror}.")
                if len(entry.parts) > DEEPEST_FOLDER:
                    inside = []
            yield entry
            todo += [(entry.parts, other) for other in inside]


def _folder_entry(above, item):
    name = _text(item.name)
    parts, path = (*above, name), Path(item.path)
    if name in IGNORED or name.startswith("._"):
        return None
    if name == ".git":
        return _Entry(parts, "git", path)
    if item.is_symlink():
        return _Entry(parts, "file", path, problem=f"{name} is a link. Hand in the file itself.")
    if item.is_dir(follow_symlinks=False):
        wrong = f"{name} is a folder, not a notebook." if NOTEBOOK.search(name) else ""
        return _Entry(parts, "folder", path, problem=wrong)
    return _file_entry(parts, path)


def _file_entry(parts, path):
    try:
        about = os.stat(path)
    except OSError as error:
        return _Entry(parts, "file", path, problem=f"{parts[-1]}: {error.strerror}.")
    if not stat.S_ISREG(about.st_mode):
        return _Entry(parts, "file", path, problem=f"{parts[-1]} is not a regular file.")
    problem = _too_large(parts[-1], about.st_size) if about.st_size > LARGEST else ""
    return _Entry(parts, "file", path, problem=problem)


def _too_large(name, size):
    return (
        f"{name} is too large: {size / 2**20:.0f} MB, and at most {LARGEST // 2**20} MB are read. "
        "Clear the outputs (Jupyter: Edit, Clear Outputs of All Cells), save, and hand it in again."
    )


def _zip_entries(path):
    """All there is in the zip; nothing is unpacked."""
    try:
        with zipfile.ZipFile(path) as file:
            infos = file.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ValueError(
            f"{path} is neither a folder nor a notebook, and cannot be read as a zip ({error}). "
            "If it is the zip from your LMS, download it again."
        ) from error
    if len(infos) > MOST_MEMBERS:
        raise ValueError(f"{path} holds {len(infos)} files; at most {MOST_MEMBERS} are read.")
    last = {info.filename: info for info in infos}  # the last of a name, as when unpacked
    for info in last.values():
        name = info.filename.replace("\\", "/")
        pieces = name.split("/")
        parts = tuple(printable(part) for part in pieces if part not in ("", ".", ".."))
        if not parts or IGNORED.intersection(parts) or parts[-1].startswith("._"):
            continue
        if ".git" in parts:
            yield _Entry(parts[: parts.index(".git") + 1], "git", path, info.filename)
            continue
        kind = "folder" if name.endswith("/") else "file"
        yield _Entry(parts, kind, path, info.filename, _zip_problem(info, name, parts[-1]))


def _zip_problem(info, name, last):
    kind = stat.S_IFMT(info.external_attr >> 16)
    if name.startswith("/") or ".." in name.split("/") or re.match(r"[A-Za-z]:", name):
        return f"its path in the zip, {printable(name)}, leads outside of it."
    if kind == stat.S_IFLNK:
        return f"{last} is a link. Hand in the file itself."
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return f"{last} is not a regular file."
    if name.endswith("/"):
        return f"{last} is a folder, not a notebook." if NOTEBOOK.search(last) else ""
    if info.flag_bits & 1:
        return f"{last} is encrypted. Hand it in without a password."
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"{last} is packed in a way that is not read here. Zip it again in the usual way."
    return _too_large(last, info.file_size) if info.file_size > LARGEST else ""


# Whose it is


def _owners(entries, path, assignments):
    """Three things: owners, namesakes, and the names of files that belong to nobody.

    Owners are entries by (student, layout), with parts relative to the student's own folder. Where
    several students share a name, each gets a number, and namesakes has the shared name by the
    numbered one.
    """
    clones = {e.parts[0] for e in entries if len(e.parts) > 1 and _tells_clone(e)}
    clones = _clone_students(sorted(clones), path, assignments)
    home = _home(path)
    owners, numbers, nobodys = {}, {}, []
    for entry in entries:
        owner = _owner(entry, home, clones, assignments)
        if owner is None and entry.kind == "file":
            nobodys.append(entry.name)
        if owner:
            student, layout, number, parts = owner
            owners.setdefault((student, layout, number), []).append(entry._replace(parts=parts))
            numbers.setdefault((student, layout), set()).add(number)
    named, namesakes = {}, {}
    for (student, layout, number), files in owners.items():
        name = student
        if len(numbers[student, layout]) > 1:  # two of one name in the LMS
            name = f"{student} {number}"
            namesakes[name] = student
        named.setdefault((name, layout), []).extend(files)
    return named, namesakes, nobodys


def _home(path):
    """The student for notebooks named after an assignment only: the name of the folder around."""
    path = path.resolve()
    if path.is_dir():
        return _text(path.name)
    return _text(path.parent.name if NOTEBOOK.search(path.name) else path.stem)


def _owner(entry, home, clones, assignments):
    """(student, layout, number in the LMS, parts below the student), None if it is nobody's."""
    top, below = entry.parts[0], entry.parts[1:]
    moodle, canvas = MOODLE.fullmatch(top), CANVAS.fullmatch(top)
    if moodle:
        file = (moodle["file"],) if moodle["file"] and not below else ()
        return moodle["student"], "lms", moodle["number"], below or file or (top,)
    if canvas and not below and entry.kind == "file":
        student = canvas["student"] or canvas["anonymous"]
        return student, "lms", canvas["number"] or "", (canvas["file"],)
    if top in clones:
        return clones[top], "clone", "", below or (top,)
    if entry.kind == "git":
        return None
    if below or entry.kind == "folder" or (entry.problem and not NOTEBOOK.search(top)):
        return top, "tree", "", below or (top,)
    if entry.counts or ARCHIVE.search(top):
        return _flat_student(top, assignments) or home, "flat", "", (top,)
    return None  # a README


def _refuse_assignments(path, owners, assignments):
    """Refuse a folder for each assignment where one for each student is expected."""
    named, others, all_their_own = {}, False, True
    for (student, layout), entries in owners.items():
        books = _books(entries)
        if layout != "tree" or not _names_one(student, assignments):
            others = others or bool(books)
        elif books:
            named[student] = books[0]
            all_their_own &= all(
                _lies_in_its_own_folder(book._replace(parts=(student, *book.parts)), assignments)
                for book in books
            )
    if not named:
        return
    names = ", ".join(map(printable, sorted(named)))
    says = f"The folders in {path} have the names of assignments ({names}), not of students. "
    if all_their_own:  # submitted/ada
        says += "If they are one student's, name the folder around that student's:"
        raise _wrong_folder(says, path, named.values(), up=3)
    if others:
        says += f"There are other submissions in {path} too, so move these out of it. "
    raise _wrong_folder(f"{says}Name each by itself:", path, named.values())


def _refuse_class_in_a_folder(path, owners, assignments):
    """Refuse a folder around the whole class, which would be taken for the only student.

    Such a folder has two notebooks for one assignment whose names name two students.
    """
    if len(owners) != 1:
        return
    (((top, layout), entries),) = owners.items()
    books = _books(entries)
    if layout != "tree" or len(books) < 2:
        return
    depth = len(os.path.commonprefix([book.parts[:-1] for book in books]))  # noqa: RUF071
    below = [book._replace(parts=book.parts[depth:]) for book in books]
    if not depth and any(_lies_in_its_own_folder(book, assignments) for book in below):
        return  # <student>/<assignment>/<assignment>.ipynb
    whose = {}  # grade id → the first student whose notebook has it
    for book in below:
        student, *_ = _owner(book, "", {}, assignments)
        if len(book.parts) > 1 and _names_one(student, assignments):
            student, *_ = _owner(book._replace(parts=book.parts[1:]), "", {}, assignments)
        if not student or _names_one(student, assignments):
            continue
        for name in _grade_ids(book):
            other = whose.setdefault(name, student)
            if other != student:
                two = " and ".join(sorted(map(printable, (other, student))))
                says = (
                    f"All of {path} lies in its folder {printable(top)}, which would be taken for "
                    f"one student, but there seem to be several in it, such as {two}. (If not, "
                    "leave one notebook for each assignment there.) Name the folder around them:"
                )
                raise _wrong_folder(says, path, [book], up=len(book.parts))


def _wrong_folder(message, path, entries, up=None):
    """A WrongFolder that names the folders `up` levels above the entries; without `up`, the top ones.

    A zip is to be unpacked first, to a folder where nothing is overwritten.
    """
    levels = [(up or len(entry.parts)) - 1 for entry in entries]
    if path.is_dir():
        whole = [path.resolve() / entry.path.relative_to(path) for entry in entries]
        instead = {place.parents[n] for place, n in zip(whole, levels, strict=True)}
        return WrongFolder(message, sorted(instead))
    names = [PurePosixPath(entry.member.replace("\\", "/")) for entry in entries]
    base = path.with_suffix("")
    target = base = Path(f"{base}-unpacked") if base.exists() else base
    if any(n >= len(name.parents) for name, n in zip(names, levels, strict=True)):
        target = base / base.name  # the folder that is named must be one in the zip, or made here
    instead = {Path(target, name).parents[n] for name, n in zip(names, levels, strict=True)}
    return WrongFolder(message, sorted(instead), (path, target))


def _books(entries):
    """The notebooks without a known problem; only their paths can be relied on."""
    return [entry for entry in entries if NOTEBOOK.search(entry.name) and not entry.problem]


def _lies_in_its_own_folder(book, assignments):
    """Whether folder and file alike have the name of an assignment, as <assignment>/<it>.ipynb."""
    return (
        len(book.parts) == 2
        and _names_one(book.parts[0], assignments)
        and not _flat_student(book.name, assignments)
    )


def _names_one(name, assignments):
    return any(_same(name, assignment) for assignment in assignments)


def _grade_ids(entry):
    """The grade ids in a notebook; none if it cannot be read."""
    book = Submission("", _stem(entry.name), entry.path, entry.member, entry.problem)
    try:
        return {cell.grade_id for cell in read_cells(read(book))}
    except NotANotebook:
        return set()


def _tells_clone(entry):
    return (entry.kind == "git" and len(entry.parts) == 2) or entry.parts[1:3] == (
        "notebooks",
        "exercises",
    )


def _clone_students(names, path, assignments):
    """The student of each clone: its name without the Classroom assignment's name in front."""
    folder = re.fullmatch(r"(.+)-submissions", _text(path.resolve().name))
    prefixes = [f"{folder[1]}-"] if folder else []
    prefixes += [f"{re.sub(r'[ _]', '-', name)}-" for name in assignments]
    prefixes += [f"{name}-" for name in assignments]
    if len(names) > 1:
        common = os.path.commonprefix(names)  # noqa: RUF071, characters are meant
        prefixes.append(common[: common.rfind("-") + 1])
    students = {}
    for name in names:
        fits = [len(p) for p in prefixes if p and name.lower().startswith(p.lower())]
        students[name] = name[fits[0] :] if fits and len(name) > fits[0] else name
    return students


def _flat_student(name, assignments):
    """The student in the name of a file; "" if it names only an assignment."""
    stem = _stem(name)
    copy = COPY.search(stem)
    if copy and not copy["again"]:  # "-1" may be part of a name
        stem = stem[: copy.start()] or stem
    for text in (stem, COPY.sub("", stem)):
        for assignment in assignments:
            if _same(text, assignment):
                return ""
            pattern = _pattern(assignment)
            match = re.fullmatch(rf"(.+)[_ -]{pattern}|{pattern}[_ -](.+)", text, re.IGNORECASE)
            if match:
                return match[1] or match[2]
    return stem


def _handed_in(student, kind, entries, assignments):
    """The submissions of one student."""
    files = [entry for entry in entries if entry.counts]
    spare = set()
    if kind == "clone":
        files, spare = _of_clone(files)
    for entry in files:
        stem = _stem(entry.name)
        copy = COPY.search(stem)
        again = int(copy["again"][:9]) if copy and copy["again"] and kind == "lms" else 0
        folder = entry.parts[0] if kind == "tree" and len(entry.parts) > 1 else ""
        yield Submission(
            student,
            stem,
            entry.path,
            entry.member,
            entry.problem,
            _by_name((folder, stem, COPY.sub("", stem)), assignments, ends=kind == "flat"),
            again,
            "/".join(entry.parts) if kind == "clone" else "",
            entry in spare,
        )
    empty = [
        entry
        for entry in entries
        if kind == "tree"
        and entry.kind == "folder"
        and len(entry.parts) == 1
        and entry.name in assignments
        and not any(file.parts[0] == entry.name for file in files)
    ]
    if not files and not empty:
        empty = entries[:1]
    for entry in empty:
        name = entry.name if entry.name in assignments else ""
        yield Submission(student, "", entry.path, entry.member, _no_notebook(entries), name)


def _of_clone(files):
    """The notebooks of a clone that may be answers; and of these, those not where answers belong."""
    files = [entry for entry in files if entry.parts[:2] != PUBLISHED] or files
    exercises = [entry for entry in files if "exercises" in entry.parts[:-1]]
    usual = [entry for entry in files if not SELDOM_HANDED_IN.intersection(entry.parts[:-1])]
    best = set(exercises or usual or files)
    files = [entry for entry in files if entry in best or NOTEBOOK.search(entry.name)]
    return files, set(files) - best


def _no_notebook(entries):
    problems = [entry.problem for entry in entries if entry.problem]
    if problems:
        return f"There is no notebook in it, and {problems[0]}"
    there = [printable(entry.name) for entry in entries if entry.kind == "file"]
    archives = [name for name in there if ARCHIVE.search(name)]
    if archives:
        return (
            f"There is no notebook in it, but {archives[0]}, and archives inside are not opened. "
            "Hand in the notebook itself, the file that ends in .ipynb."
        )
    found = f" It holds {', '.join(there[:3])}{' …' if len(there) > 3 else ''}." if there else ""
    return f"There is no notebook in it.{found} Hand in the file that ends in .ipynb."


def _stem(name):
    return NOTEBOOK.sub("", name) if NOTEBOOK.search(name) else PurePosixPath(name).stem


def _pattern(assignment):
    """A pattern for the name of an assignment with any of "_ -" between its words."""
    return "[_ -]".join(map(re.escape, re.split(r"[_ -]", assignment)))


def _same(text, assignment):
    return re.fullmatch(_pattern(assignment), text, re.IGNORECASE) is not None


def _by_name(names, assignments, ends=False):
    """The assignment that one of the names names, "" if none does.

    With `ends`, a name may have more in front of the assignment's and behind it.
    """
    for name in names:
        for assignment in assignments:
            if _same(name, assignment):
                return assignment
            around = rf"(.+[_ -])?{_pattern(assignment)}([_ -].+)?"
            if ends and re.fullmatch(around, name, re.IGNORECASE):
                return assignment
    return ""


# Reading


def read(submission):
    """The bytes of a submission.

    Raises NotANotebook, which says why, if it cannot be read.
    """
    if submission.problem:
        raise NotANotebook(submission.problem)
    name = f"{submission.notebook}.ipynb"
    try:
        data = _zip_bytes(submission) if submission.member else _file_bytes(submission.path)
    except (OSError, zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, KeyError) as error:
        why = getattr(error, "strerror", None) or error
        raise NotANotebook(f"{name} cannot be read: {printable(why)}.") from error
    if data is None:
        raise NotANotebook(f"{name} is not a regular file.")
    if len(data) > LARGEST:
        raise NotANotebook(_too_large(name, len(data)))
    return data


def _file_bytes(path):
    """At most one byte more than is allowed; None if it is not a regular file. Never blocks."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return None
        return file.read(LARGEST + 1)


def _zip_bytes(submission):
    with zipfile.ZipFile(submission.path) as file, file.open(submission.member) as member:
        return member.read(LARGEST + 1)


def read_cells(data):
    """The cells of an untrusted notebook that have a grade id, in their order.

    Only their grade id, type and source are taken.

    Parameters
    ----------
    data : bytes
        The file; nbformat 4, or 3 with its worksheets.

    Returns
    -------
    list of Cell
        In a source, lone surrogates become U+FFFD and line ends ``\\n``. A source that is not text
        becomes "". A grade id that occurs twice is in the list twice.

    Raises
    ------
    NotANotebook
        If it is not JSON, not a notebook, or beyond the limits on size and depth.
    """
    if len(data) > LARGEST:
        raise NotANotebook(_too_large("The file", len(data)))
    if not data.strip():
        raise NotANotebook("The file is empty. Save the notebook in Jupyter and hand it in again.")
    notebook = _parsed(_decoded(data))
    if not isinstance(notebook, dict):
        raise NotANotebook(f"The file holds a JSON {_kind(notebook)}, not a notebook. {AGAIN}")
    cells = notebook.get("cells")
    if cells is None and isinstance(notebook.get("worksheets"), list):  # nbformat 3
        sheets = [sheet for sheet in notebook["worksheets"] if isinstance(sheet, dict)]
        lists = [sheet.get("cells") for sheet in sheets]
        cells = [cell for part in lists if isinstance(part, list) for cell in part]
    if not isinstance(cells, list):
        raise NotANotebook(f"The file is JSON, but has no list of cells. {AGAIN}")
    if len(cells) > MOST_CELLS:
        raise NotANotebook(f"The notebook has {len(cells)} cells; at most {MOST_CELLS} are read.")
    kept = [cell for cell in map(_cell, cells) if cell]
    length = sum(len(cell.source) for cell in kept)
    if length > MOST_SOURCE:
        raise NotANotebook(
            f"The cells of the tasks hold {length} characters; at most {MOST_SOURCE} are read."
        )
    return kept


AGAIN = "Hand in the file that Jupyter saves (.ipynb)."


def _decoded(data):
    try:
        return data.decode(json.detect_encoding(data))
    except UnicodeDecodeError as error:
        raise NotANotebook(
            f"The file is not a notebook: byte {error.start} is not text in UTF-8. {AGAIN}"
        ) from error


def _parsed(text):
    """JSON as Python values; every number becomes 0, as none matters."""
    structure = NOT_STRUCTURE.sub("", STRING.sub("", text)).encode("ascii")
    if len(structure) > MOST_VALUES:
        raise NotANotebook(
            "The file holds too many values. Clear the outputs (Jupyter: Edit, Clear Outputs of "
            "All Cells), save, and hand it in again."
        )
    depth = STEPS[np.frombuffer(structure, np.uint8)].cumsum(dtype=np.int32)
    if depth.max(initial=0) > DEEPEST:
        raise NotANotebook(f"The file is not a notebook: it is nested too deeply. {AGAIN}")
    try:
        return json.loads(text, parse_int=_zero, parse_float=_zero, parse_constant=_zero)
    except json.JSONDecodeError as error:
        raise NotANotebook(
            f"The file is not a notebook: {error.msg} in line {error.lineno}. Was it saved to its "
            f"end? {AGAIN}"
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise NotANotebook(
            f"The file is not a notebook ({type(error).__name__}). {AGAIN}"
        ) from error


def _zero(_):
    return 0


def _kind(value):
    kinds = {list: "list", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")


def _cell(cell):
    """A Cell of a cell in JSON, None if it has no grade id."""
    about = cell.get("metadata") if isinstance(cell, dict) else None
    about = about.get("nbgrader") if isinstance(about, dict) else None
    name = about.get("grade_id") if isinstance(about, dict) else None
    if not isinstance(name, str) or not name or len(name) > 200:
        return None
    kind = cell.get("cell_type")
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        source = ""
    return Cell(_proper(name), _proper(kind) if isinstance(kind, str) else "", _proper(source))


def _proper(text):
    """`text` without lone surrogates, which cannot be encoded, and with Unix line ends."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def assignment_of(cells, author_ids, hint=""):
    """Which author notebook a submission answers.

    Parameters
    ----------
    cells : list of Cell
    author_ids : dict of str to collection of str
        The grade ids of each author notebook; no id is in two of them.
    hint : str
        The assignment that the folder or file names. It decides if no id is known, or on a tie.

    Returns
    -------
    str
        "" if it answers none.
    """
    ids = {cell.grade_id for cell in cells}
    known = {name: len(ids.intersection(own)) for name, own in author_ids.items()}
    most = max(known.values(), default=0)
    best = sorted(name for name, count in known.items() if count == most and most)
    if not best or hint in best:
        return hint if hint in author_ids else ""
    return best[0]
