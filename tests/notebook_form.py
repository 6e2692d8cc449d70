"""What form a notebook of the course must have.

Each check takes a :class:`Notebook` and returns a list of problems, empty where all is well. A
problem names the cell, what was found, what was expected and how to mend it.
"""

import ast
import base64
import builtins
import functools
import math
import re
import statistics
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import cv2
import numpy as np

from course.data.dataset import SYNTHETIC_TITLE, TITLE
from course.grading import author
from course.notebooks import canonical, cloud
from course.notebooks import read as parse
from course.notebooks.formatting import ANSI, RANDOM_ID, SLUG
from course.notebooks.pages import bullets_after, front_matter

ROOT = Path(__file__).resolve().parents[1]
MAX_BYTES = 2_500_000
MIN_ALT = 30
PANEL = 300  # pixels: about as wide as a figure shows a photograph
NO_VERBS = re.compile(
    r"(an?|and|how|if|in|it|of|on|that|the|this|to|what|when|where|which|why|with|your"
    r"|knowing|learning|understanding|using)?"
)
UNCOMPARED = {"nbval-ignore-output", "nbval-skip"}
MACHINE_PATH = re.compile(
    r"(?<![\w.])(?:/(?:home|root|work|tmp|Users|var|mnt)/|[A-Za-z]:\\)[\w.\\/-]*"
)


class Notebook(NamedTuple):
    """A notebook file in the repository `root`: its text, and the same parsed."""

    path: Path
    text: str
    root: Path

    @property
    def node(self):
        return parse(self.path)

    @property
    def cells(self):
        return self.node.cells

    @property
    def code(self):
        return [cell for cell in self.cells if cell.cell_type == "code"]

    @property
    def prose(self):
        return [cell for cell in self.cells if cell.cell_type == "markdown"]


def read(path, root=ROOT):
    """The :class:`Notebook` in the file `path`."""
    return Notebook(Path(path), Path(path).read_text(encoding="utf-8"), Path(root))


def _tags(cell):
    return set(cell.metadata.get("tags", []))


def _lines(cell):
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def _images(output):
    return [mime for mime in output.get("data", {}) if mime.startswith("image/")]


def _texts(output):
    """Everything in an output that is text."""
    found = [output.get("text", ""), output.get("evalue", ""), *output.get("traceback", [])]
    for mime, value in output.get("data", {}).items():
        if not mime.startswith("image/") or "svg" in mime:
            found.append(value if isinstance(value, str) else str(value))
    return [ANSI.sub("", text) for text in found]


def _without_code(source):
    """Markdown without fenced blocks and code spans, where brackets mean other things."""
    source = re.sub(r"^ *(```|~~~).*?^ *\1", "", source, flags=re.M | re.S)
    return re.sub(r"(`+).+?\1", "", source)


# -- rhythm ------------------------------------------------------------------------------------


def cell_lengths(notebook):
    """Code cells: median at most 6 non-blank lines, nine in ten at most 15, none over 25."""
    lengths = [_lines(cell) for cell in notebook.code] or [0]
    problems = [
        f"Cell {cell.id!r} has {_lines(cell)} lines of code; the most is 25. Split it, or move "
        "plumbing into the package."
        for cell in notebook.code
        if _lines(cell) > 25
    ]
    if (median := statistics.median(lengths)) > 6:
        problems.append(
            f"The median code cell has {median:g} lines; at most 6. Split cells: one idea each."
        )
    longer = [cell.id for cell in notebook.code if _lines(cell) > 15]
    if len(longer) > len(lengths) / 10:
        problems.append(
            f"{len(longer)} of {len(lengths)} code cells have over 15 lines; at most one in ten "
            f"may. Shorten some of: {', '.join(longer)}."
        )
    return problems


def prose_share(notebook):
    """Six to fifteen words of prose a line of code; up to twenty pass."""
    words = sum(len(cell.source.split()) for cell in notebook.prose)
    lines = max(1, sum(_lines(cell) for cell in notebook.code))
    if not 6 <= words / lines <= 20:
        return [
            f"{words} words of prose for {lines} lines of code is {words / lines:.1f} a line; "
            f"aim at 6 to 15, 20 at most: {'add prose' if words / lines < 6 else 'cut prose'}."
        ]
    return []


def code_after_code(notebook):
    """A code cell directly after another is tagged ``follows``; at most three are; never two on end."""
    problems, row, follows = [], 0, []
    for cell in notebook.cells:
        row = row + 1 if cell.cell_type == "code" else 0
        if row == 2:
            follows.append(cell.id)
            if "follows" not in _tags(cell):
                problems.append(
                    f"Cell {cell.id!r} comes directly after a code cell. Put prose between them, "
                    "or tag it `follows` if that is meant."
                )
        elif row == 3:
            problems.append(
                f"Cell {cell.id!r} is the third code cell in a row. Put prose before it."
            )
    if len(follows) > 3:
        problems.append(
            f"{len(follows)} code cells follow a code cell directly, at most 3 may: "
            f"{', '.join(follows)}. Put prose between some."
        )
    return problems


# -- anatomy -----------------------------------------------------------------------------------


def first_cell(notebook):
    """Numbered title, three to five aims that begin with verbs, needs, time on CPU and GPU."""
    number = re.fullmatch(r"(\d\d)_[a-z0-9_]+", notebook.path.stem)
    if not number:
        return [f"The file is called {notebook.path.name}; name it like 06_fcn.ipynb."]
    if not notebook.cells or notebook.cells[0].cell_type != "markdown":
        return ["The first cell must be Markdown, with the title in it."]
    source, front = notebook.cells[0].source, front_matter(notebook.node)
    problems = []
    if not re.match(rf"# {number[1]}\. \S", source):
        problems.append(f"The first line is not a title like `# {number[1]}. Title`.")
    if not front.sentence:
        problems.append("No paragraph under the title: say there why the lesson is worth it.")
    if not 3 <= len(front.aims) <= 5:
        problems.append(
            f"{len(front.aims)} aims found, expected 3 to 5: a line **You will be able to**, an "
            "empty line, then a list."
        )
    for aim in front.aims:
        word = re.match(r"\W*([\w'-]*)", aim)[1].lower()
        if NO_VERBS.fullmatch(word):
            problems.append(f"The aim {aim!r} does not begin with a verb, as *measure* or *train*.")
    if not front.needs:
        problems.append("What the lesson needs is not said: add a paragraph `**Needs** lesson 04.`")
    if not all(re.search(rf"\b{word}", front.time) for word in (r"\d+ min", "CPU", "GPU")):
        problems.append(
            "The time is not said in full: add a paragraph like `**Time** 40 minutes; the cells "
            "take 4 minutes on a CPU, 1 minute on a GPU.`"
        )
    return [f"Cell {notebook.cells[0].id!r}: {problem}" for problem in problems]


def badges(notebook):
    """The first cell opens this very file in Kaggle and Colab."""
    file = f"{cloud.repository(notebook.root)}/blob/main/{_place(notebook)}"
    expected = {
        "Kaggle": f"https://kaggle.com/kernels/welcome?src=https://github.com/{file}",
        "Colab": f"https://colab.research.google.com/github/{file}",
    }
    source = notebook.cells[0].source if notebook.cells else ""
    return [
        f"The first cell has no {name} badge to this file. Add "
        f"`[![Open in {name}](BADGE.svg)]({address})`."
        for name, address in expected.items()
        if not re.search(rf"\[!\[[^]]+\]\([^)]+\)\]\({re.escape(address)}\)", source)
    ]


def brings_the_course(notebook):
    """The first code cell begins with the lines that install the course where it is missing."""
    source = notebook.code[0].source if notebook.code else ""
    if source.startswith(cloud.bring(cloud.repository(notebook.root))):
        return []
    return [
        "The first code cell does not begin with the lines that bring the course to Colab and "
        "Kaggle, or they name another repository. Run `python -m course format`."
    ]


def setup_cell(notebook, expected):
    """The second cell is code, has id ``setup``, and reads `expected`, as in every lesson."""
    if len(notebook.cells) < 2 or notebook.cells[1].cell_type != "code":
        return ["The second cell is not code; it must be the setup cell."]
    cell = notebook.cells[1]
    problems = []
    if cell.id != "setup":
        problems.append(f"The second cell has the id {cell.id!r}; the setup cell's is 'setup'.")
    if cell.source != expected:
        problems.append(
            f"The setup cell {cell.id!r} differs from the other lessons'. Copy theirs:\n{expected}"
        )
    return problems


def closing(notebook):
    """*What you can do now* has as many bullets as aims; *Exercises*, *Going further* follow."""
    text = "\n\n".join(cell.source for cell in notebook.prose)
    aims = front_matter(notebook.node).aims
    titles = ("What you can do now", "Exercises", "Going further")
    places = [re.search(rf"^## {title}\s*$", text, re.M) for title in titles]
    problems = [
        f"No section `## {title}`."
        for title, place in zip(titles, places, strict=True)
        if not place
    ]
    if not problems and [p.start() for p in places] != sorted(p.start() for p in places):
        problems.append(f"The closing sections come in this order: {', '.join(titles)}.")
    can = bullets_after(text, f"## {titles[0]}")
    if places[0] and len(can) != len(aims):
        problems.append(
            f"*What you can do now* has {len(can)} bullets for {len(aims)} aims; mirror them one "
            "for one, in a list right under the heading."
        )
    return problems


# -- restarts ----------------------------------------------------------------------------------


def restarts(notebook):
    """From a cell tagged ``restart`` the lesson goes on in a kernel that knows little.

    The prose before it says so. It and the cells after it use only names that they bind themselves,
    that the setup cell binds, or a cell tagged ``data`` before them.
    """
    problems = []
    for number, cell in enumerate(notebook.code):
        if "restart" not in _tags(cell):
            continue
        first = [c for c in notebook.code[:number] if c.id == "setup" or "data" in _tags(c)]
        known, missing = set(dir(builtins)) | {"get_ipython"}, set()
        for later in first + notebook.code[number:]:
            missing |= author.used(later.source) - known - _bound(later.source)
            known |= _bound(later.source)
        if missing:
            problems.append(
                f"The lesson cannot go on at {cell.id!r} after a restart: nothing there binds "
                f"{', '.join(sorted(missing))}. Import or make it again in that cell."
            )
        if "after a restart" not in notebook.cells[notebook.cells.index(cell) - 1].source:
            problems.append(
                f"The prose before {cell.id!r} does not say what to run after a restart."
            )
    return problems


def _bound(source):
    """Names that a cell binds anywhere, parameters and exceptions included."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt):
            names |= set(author.statement_names(node))
        names |= {getattr(node, "arg", None), getattr(node, "name", None)} - {None}
    return names


# -- pictures ----------------------------------------------------------------------------------


def figure_alt_text(notebook):
    """Every image output carries an alt text that describes it."""
    problems = []
    for cell in notebook.code:
        for output in cell.outputs:
            for mime in _images(output):
                metadata = output.get("metadata", {})
                alt = metadata.get(mime, {}).get("alt") or metadata.get("alt", "")
                if len(alt.strip()) < MIN_ALT:
                    problems.append(
                        f"A figure of cell {cell.id!r} has the alt text {alt!r}; expected at least "
                        f"{MIN_ALT} characters. Show it with plots.show('what there is to see')."
                    )
    return problems


def markdown_alt_text(notebook):
    """Every image in prose has an alt text."""
    problems = []
    for cell in notebook.prose:
        source = _without_code(cell.source)
        bare = re.findall(r"!\[\s*\]\(([^)\s]*)", source)
        for tag in re.findall(r"<img\b[^>]*>", source, re.I):
            if not re.search(r"\balt\s*=\s*([\"'])\s*\S.*?\1", tag, re.I):
                bare.append(tag)
        problems += [
            f"In cell {cell.id!r} the image {image!r} has no alt text: write ![what it shows](…)."
            for image in bare
        ]
    return problems


# -- file --------------------------------------------------------------------------------------


def cell_ids(notebook):
    """Ids are unique and readable."""
    ids = re.findall(r'^   "id": "(.*)",?$', notebook.text, re.M)  # as in the file, not as mended
    problems = []
    if len(ids) < len(notebook.cells):
        problems.append(f"{len(notebook.cells) - len(ids)} cells have no id.")
    for name in sorted(set(ids)):
        if ids.count(name) > 1:
            problems.append(f"{ids.count(name)} cells have the id {name!r}.")
        if not SLUG.fullmatch(name) or RANDOM_ID.fullmatch(name):
            problems.append(f"The cell id {name!r} is no readable slug, as 'counting-agreement'.")
    return [f"{problem} Run `python -m course format`." for problem in problems]


def is_canonical(notebook):
    """The file is in the one canonical form."""
    expected = canonical(notebook.node)
    if notebook.text == expected:
        return []
    pairs = zip(notebook.text.splitlines(), expected.splitlines(), strict=False)
    line = next((i for i, (have, want) in enumerate(pairs, 1) if have != want), "the last")
    return [f"Not formatted, first at line {line}. Run `python -m course format`."]


def size(notebook):
    """The file is smaller than 2.5 MB."""
    count = len(notebook.text.encode())
    if count < MAX_BYTES:
        return []
    return [
        f"The file has {count / 1e6:.1f} MB; at most {MAX_BYTES / 1e6:g}. Run `python -m course "
        "format`, and draw fewer or smaller figures."
    ]


# -- outputs -----------------------------------------------------------------------------------


def executed_in_order(notebook):
    """Every code cell was executed, from 1 to n."""
    counts = [cell.execution_count for cell in notebook.code]
    for number, cell in enumerate(notebook.code, 1):
        if cell.execution_count != number:
            return [
                f"Cell {cell.id!r} has the execution count {cell.execution_count}, expected "
                f"{number} of {len(counts)}: nbval compares nothing in a cell that never ran. Run "
                "`python -m course refresh`; delete the cell if it is empty."
            ]
    return []


def no_stray_errors(notebook):
    """Error outputs only where the cell is tagged ``raises-exception``, and there for certain.

    That tag is the one which Jupyter, nbclient and nbval all know.
    """
    problems = []
    for cell in notebook.code:
        failed = [o.ename for o in cell.outputs if o.output_type == "error"]
        tagged = "raises-exception" in _tags(cell)
        if "nbval-raises-exception" in _tags(cell):
            problems.append(
                f"Cell {cell.id!r} is tagged nbval-raises-exception, which stops Jupyter's Run "
                "All. Tag it raises-exception: nbval knows that too."
            )
        elif failed and not tagged:
            problems.append(
                f"Cell {cell.id!r} stores the error {failed[0]}. Mend it, or tag the cell "
                "raises-exception if the lesson shows the error on purpose."
            )
        elif tagged and cell.execution_count is not None and not failed:
            problems.append(f"Cell {cell.id!r} is tagged raises-exception but raised nothing.")
    return problems


def no_stderr(notebook):
    """Nothing from stderr is stored: nbval would compare it, and it differs between machines."""
    return [
        f"Cell {cell.id!r} stores stderr: {output.text.strip()[:80]!r}. Mend its cause, then refresh."
        for cell in notebook.code
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    ]


def compared_share(notebook):
    """Of the cells that print text, nbval compares at least two thirds."""

    def prints(output):
        if output.output_type == "stream":
            return output.name == "stdout"
        return "text/plain" in output.get("data", {}) and not _images(output)

    printing = [cell for cell in notebook.code if any(map(prints, cell.outputs))]
    ignored = [
        cell.id
        for cell in printing
        if UNCOMPARED & _tags(cell) or re.search(r"#\s*NBVAL_(IGNORE_OUTPUT|SKIP)", cell.source)
    ]
    if 3 * len(ignored) <= len(printing):
        return []
    return [
        f"{len(ignored)} of {len(printing)} cells that print text are not compared, at most "
        f"{math.floor(len(printing) / 3)} may: {', '.join(ignored)}. Let following cells state "
        "what must hold, and print that."
    ]


def no_machine_paths(notebook):
    """No output names a folder of the machine that ran it."""
    return [
        f"Cell {cell.id!r} prints the path {found[0]!r}, which others do not have. Print it "
        "relative to the course, or its name only."
        for cell in notebook.code
        for output in cell.outputs
        for text in _texts(output)
        if (found := MACHINE_PATH.search(text))
    ]


def synthetic_data(notebook):
    """Where a notebook that ran loads data, an output says that it was the synthetic one."""
    loading = any(
        cell.execution_count is not None and re.search(r"\bdata\.load\(", cell.source)
        for cell in notebook.code
    )
    lines = [
        line
        for cell in notebook.code
        for output in cell.outputs
        for text in _texts(output)
        for line in text.splitlines()
    ]
    real = [line for line in lines if line.startswith(f"{TITLE}:")]
    synthetic = any(line.startswith(f"{SYNTHETIC_TITLE}:") for line in lines)
    if not real and (synthetic or not loading):
        return []
    found = f"an output says {real[0]!r}" if real else f"no output begins {SYNTHETIC_TITLE!r}"
    return [
        f"The lesson loads data, but {found}. The dataset's terms forbid storing its pictures: run "
        "`python -m course refresh`."
    ]


def real_pictures(notebook, folder):
    """No stored figure shows a photograph of `folder`, scaled, cropped, turned or mirrored."""
    photographs = _photographs(Path(folder))
    problems = []
    for cell in notebook.code:
        for output in cell.outputs:
            for mime in _images(output):
                encoded = np.frombuffer(base64.b64decode(output.data[mime]), np.uint8)
                figure = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
                if name := _shown(figure, photographs) or _shown(figure[:, ::-1], photographs):
                    problems.append(
                        f"A figure of cell {cell.id!r} shows the photograph {name}. The dataset's "
                        "terms forbid passing it on: run `python -m course refresh`."
                    )
    return problems


@functools.cache
def _photographs(folder):
    """Names of the photographs in `folder`, and all their SIFT features with the owner's number."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg"})
    if not files:
        raise FileNotFoundError(
            f"No .jpg in {folder}, where the real photographs are looked for. COURSE_REAL_DATA names another place."
        )
    sift, points, vectors, owners = cv2.SIFT_create(250), [], [], []
    for number, file in enumerate(files):
        gray = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        height = round(PANEL * gray.shape[0] / gray.shape[1])
        gray = cv2.resize(gray, (PANEL, height), interpolation=cv2.INTER_AREA)
        found, described = sift.detectAndCompute(gray, None)
        points += [point.pt for point in found]
        vectors += [described] if found else []
        owners += [number] * len(found)
    names = [file.name for file in files]
    return names, np.float32(points), np.concatenate(vectors), np.array(owners)


def _shown(figure, photographs):
    """Name of a photograph whose features lie in `figure` in the same arrangement, or None."""
    names, points, vectors, owners = photographs
    found, described = cv2.SIFT_create(1500).detectAndCompute(np.ascontiguousarray(figure), None)
    if not found:
        return None
    here = np.float32([point.pt for point in found])
    # SIFT vectors are all of one length, so the nearest has the largest product.
    parts = np.split(described, range(100, len(described), 100))  # a hundred at a time fit memory
    there = np.concatenate([(part @ vectors.T).argmax(1) for part in parts])
    for owner in np.flatnonzero(np.bincount(owners[there]) >= 12):
        mine = owners[there] == owner
        _, inliers = cv2.estimateAffinePartial2D(
            points[there[mine]], here[mine], ransacReprojThreshold=3
        )
        # Distinct places, as one corner of the figure may match many of the photograph.
        if inliers is not None and len(np.unique(here[mine][inliers.ravel() > 0], axis=0)) >= 12:
            return names[owner]
    return None


# -- links -------------------------------------------------------------------------------------


def links(notebook):
    """Every relative link leads to a file in the repository, and its anchor to a heading there."""
    problems = []
    for cell in notebook.prose:
        source = _without_code(cell.source)
        found = re.findall(r"\]\(\s*<?([^)\s>]+)", source)
        found += re.findall(r"\b(?:href|src)\s*=\s*[\"']([^\"']+)", source)
        found += re.findall(r"^ {0,3}\[[^]]+\]:\s*(\S+)", source, re.M)
        for link in found:
            if problem := _broken(link, notebook):
                problems.append(f"In cell {cell.id!r} the link {link!r} {problem}")
    return problems


def _broken(link, notebook):
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    if parts.path.startswith("/"):
        return "is absolute; write it relative to the notebook."
    target = (notebook.path.parent / unquote(parts.path)).resolve() if parts.path else notebook.path
    if not target.is_relative_to(notebook.root.resolve()):
        return "leaves the repository; give the web address instead."
    if not target.exists():
        return f"leads to {target.relative_to(notebook.root.resolve())}, which does not exist."
    if parts.fragment and target.suffix in {".ipynb", ".md"}:
        anchors = _anchors(target)
        if unquote(parts.fragment) not in anchors:
            return f"names no heading of {target.name}; its headings: {', '.join(anchors)}."
    return None


def _anchors(path):
    """Ids of the headings in a Markdown file (as GitHub gives them) or a notebook (as Jupyter)."""
    is_notebook = path.suffix == ".ipynb"
    sources = (
        [cell.source for cell in read(path).prose] if is_notebook else [path.read_text("utf-8")]
    )
    anchors = []
    for source in sources:
        prose = re.sub(r"^ *(```|~~~).*?^ *\1", "", source, flags=re.M | re.S)
        for title in re.findall(r"^#{1,6}\s+(.+?)\s*#*$", prose, re.M):
            text = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", title)
            text = re.sub(r"[*`]", "", text)
            if not is_notebook:
                text = re.sub(r"[^\w\- ]", "", text.lower())
            anchors.append(text.replace(" ", "-"))
    return anchors


def _place(notebook):
    return notebook.path.resolve().relative_to(notebook.root.resolve()).as_posix()
