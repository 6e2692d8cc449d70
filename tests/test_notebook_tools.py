"""The notebook tools and the checks of form, each on tiny notebooks, broken ones included."""

import base64
import inspect
import io
import json
import os
import sys

import cv2
import nbformat
import notebook_form as form
import numpy as np
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
)
from PIL import Image

from course import notebooks
from course.notebooks import cloud
from course.notebooks.formatting import slug
from course.notebooks.pages import duration, front_matter

REPOSITORY = "https://github.com/somebody/something"
FILE = "somebody/something/blob/main/notebooks/06_fcn.ipynb"
TITLE = f"""# 06. Fully *convolutional* networks

[![Open in Kaggle](https://x.org/k.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/{FILE})
[![Open in Colab](https://x.org/c.svg)](https://colab.research.google.com/github/{FILE})

Where does an edge go when a network pools? A second sentence.

**You will be able to**

- replace a classifier's head
  by convolutions
- explain `stride`
- measure edges

**Needs** lesson 04.

**Time** 40 minutes; the cells take 4 minutes on a CPU,
1 minute on a GPU."""
SETUP = f"{cloud.bring('somebody/something')}\nimport numpy as np\nfrom course import data, environment\n\nenvironment.setup()"
WORDS = "Guess before you run: what will be seen?"
ALT = "Two panels: on the left a scene from above, on the right its mask."
CLOSING = """## What you can do now

- replace a head
- explain stride
- measure edges

## Exercises

Three of them wait in the exercise notebook.

## Going further

Read the paper."""


def png(pixels):
    """`pixels`, (height, width, 3) uint8, as a base64 PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def printed(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def drawn(image, alt=ALT):
    return new_output(
        "display_data",
        data={"image/png": image, "text/plain": alt},
        metadata={"image/png": {"alt": alt}},
    )


def code(source, *outputs, id, tags=()):
    metadata = {"tags": list(tags)} if tags else {}
    return new_code_cell(source, id=id, outputs=list(outputs), metadata=metadata, execution_count=1)


def lesson():
    """A lesson without fault."""
    small = png(np.full((4, 6, 3), 200, np.uint8))
    result = new_output("execute_result", data={"text/plain": "2"}, execution_count=4)
    return new_notebook(
        cells=[
            new_markdown_cell(TITLE, id="title"),
            code(SETUP, printed("Ready.\n"), id="setup"),
            new_markdown_cell(f"## The data\n\n{WORDS}", id="the-data"),
            code(
                "photos = data.load()",
                printed("Synthetic drone scenes: 60 pictures of 384x256.\n"),
                id="load",
            ),
            new_markdown_cell(WORDS, id="question"),
            code("plots.show('...')", drawn(small), id="figure"),
            new_markdown_cell(WORDS, id="explain"),
            code("1 + 1", result, id="sum"),
            new_markdown_cell(CLOSING, id="closing"),
        ]
    )


@pytest.fixture
def stored(tmp_path):
    """Returns a function that stores a notebook as a lesson of a small repository."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "README.md").write_text("# Read `me` first!\n")
    (tmp_path / "pyproject.toml").write_text(f'[project.urls]\nRepository = "{REPOSITORY}"\n')

    def store(notebook, name="06_fcn.ipynb", text=None):
        path = tmp_path / "notebooks" / name
        path.write_text(notebooks.canonical(notebook) if text is None else text, encoding="utf-8")
        return form.read(path, tmp_path)

    return store


# -- checks of form: the faultless lesson passes, every broken one is found ----------------------

CHECKS = [
    check
    for name, check in inspect.getmembers(form, inspect.isfunction)
    if check.__module__ == form.__name__ and [*inspect.signature(check).parameters] == ["notebook"]
    if not name.startswith("_")
]


def test_every_check_is_shown_to_fail_and_applied_to_the_lessons():
    assert {check for check, *_ in BROKEN + BROKEN_FILES} == set(CHECKS)
    applied = (form.ROOT / "tests" / "test_notebooks.py").read_text()
    for check in [*CHECKS, form.setup_cell, form.real_pictures]:
        assert f"form.{check.__name__}(" in applied


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_faultless_lesson_passes(check, stored):
    assert check(stored(lesson())) == []


def cell(notebook, id):
    return next(cell for cell in notebook.cells if cell.id == id)


def edit(id, **changes):
    """A change to the cell `id` of a lesson."""

    def change(notebook):
        cell(notebook, id).update(changes)

    return change


def output(id, *outputs):
    return edit(id, outputs=list(outputs))


def insert(position, *cells):
    def change(notebook):
        notebook.cells[position:position] = list(cells)

    return change


def without(id):
    def change(notebook):
        notebook.cells.remove(cell(notebook, id))

    return change


def replace(id, old, new):
    def change(notebook):
        assert old in cell(notebook, id).source
        cell(notebook, id).source = cell(notebook, id).source.replace(old, new)

    return change


def restart(id, source):
    def change(notebook):
        cell(notebook, id).source = source
        cell(notebook, id).metadata["tags"] = ["restart"]

    return change


def shown(alt):
    return output("figure", drawn(png(np.zeros((4, 6, 3), np.uint8)), alt))


def lines(count):
    return "\n".join(f"a{i} = {i}" for i in range(count))


ERROR = new_output("error", ename="ValueError", evalue="no", traceback=["ValueError: no"])
BROKEN = [
    # check, change to the faultless lesson, what the problem must say
    (form.cell_lengths, edit("sum", source=lines(26)), "'sum' has 26 lines"),
    (form.cell_lengths, edit("sum", source=lines(16)), "over 15 lines"),
    (
        form.cell_lengths,
        lambda nb: [c.update(source=lines(7)) for c in nb.cells if c.cell_type == "code"],
        "median code cell has 7",
    ),
    (form.prose_share, edit("sum", source=lines(24)), "add prose"),
    (form.prose_share, edit("explain", source=WORDS * 50), "cut prose"),
    (form.code_after_code, without("question"), "'figure' comes directly after"),
    (
        form.code_after_code,
        insert(8, code("1", id="b", tags=["follows"]), code("2", id="c", tags=["follows"])),
        "'c' is the third",
    ),
    (
        form.code_after_code,
        lambda nb: [
            insert(
                8,
                code("1", id=f"a{i}"),
                code("2", id=f"b{i}", tags=["follows"]),
                new_markdown_cell(WORDS, id=f"c{i}"),
            )(nb)
            for i in range(4)
        ],
        "at most 3",
    ),
    (form.first_cell, replace("title", "# 06.", "# 07."), "# 06. Title"),
    (form.first_cell, replace("title", "- measure edges\n", ""), "2 aims"),
    (form.first_cell, replace("title", "- measure edges", "- the edges"), "'the edges'"),
    (form.first_cell, replace("title", "**Needs**", "**After**"), "**Needs**"),
    (form.first_cell, replace("title", "1 minute on a GPU", ""), "**Time**"),
    (form.first_cell, without("title"), "must be Markdown"),
    (form.badges, replace("title", "src=https://github.com/", "src="), "Kaggle"),
    (form.badges, replace("title", f"google.com/github/{FILE}", "google.com/06"), "Colab"),
    (form.brings_the_course, replace("setup", "--no-deps ", ""), "python -m course format"),
    (form.brings_the_course, replace("setup", "somebody/", "anybody/"), "another repository"),
    (form.restarts, restart("sum", "photos.images.mean()"), "nothing there binds photos"),
    (form.restarts, restart("sum", "1 + 1"), "does not say what to run after a restart"),
    (form.closing, replace("closing", "## Exercises", "## Practice"), "## Exercises"),
    (form.closing, replace("closing", "- measure edges\n", ""), "2 bullets for 3 aims"),
    (form.closing, replace("closing", "## What you can do now", "## Summary"), "What you can"),
    (form.figure_alt_text, shown(""), "'figure'"),
    (form.figure_alt_text, shown("A scene."), "'A scene.'"),
    (form.markdown_alt_text, edit("explain", source="![](a.png)"), "'explain'"),
    (form.markdown_alt_text, edit("explain", source='<img src="a.png">'), "'explain'"),
    (form.size, edit("sum", source="#" * 2_500_000), "2.5 MB"),
    (form.executed_in_order, edit("sum", execution_count=None), "'sum'"),
    (form.no_stray_errors, output("sum", ERROR), "'sum' stores the error ValueError"),
    (form.no_stray_errors, edit("sum", metadata={"tags": ["raises-exception"]}), "raised nothing"),
    (
        form.no_stray_errors,
        edit("sum", metadata={"tags": ["nbval-raises-exception"]}, outputs=[ERROR]),
        "Tag it raises-exception",
    ),
    (form.no_stderr, output("sum", printed("UserWarning: x", "stderr")), "'sum' stores stderr"),
    (
        form.compared_share,
        lambda nb: [
            cell(nb, id).metadata.update(tags=["nbval-ignore-output"]) for id in ("setup", "sum")
        ],
        "2 of 3 cells",
    ),
    (
        form.compared_share,
        lambda nb: [
            edit("sum", source="# NBVAL_IGNORE_OUTPUT\n2")(nb),
            cell(nb, "load").metadata.update(tags=["nbval-skip"]),
        ],
        "load, sum",
    ),
    (form.no_machine_paths, output("sum", printed("at /home/ann/course/data\n")), "/home/ann"),
    (form.no_machine_paths, output("sum", printed("PosixPath('/tmp/x')")), "/tmp/x"),
    (form.no_machine_paths, output("sum", printed("C:\\Users\\ann")), "C:\\\\Users"),
    (form.synthetic_data, output("load"), "'Synthetic drone scenes'"),
    (
        form.synthetic_data,
        output("sum", printed("Semantic Drone Dataset: 300 pictures, the first of 600x400\n")),
        "an output says 'Semantic Drone Dataset: 300",
    ),
    (form.links, edit("explain", source="[a](05_gone.ipynb)"), "05_gone.ipynb, which does not"),
    (form.links, edit("explain", source="[a](#The-datum)"), "no heading of 06_fcn.ipynb"),
    (form.links, edit("explain", source="[a](../README.md#first)"), "no heading of README.md"),
    (form.links, edit("explain", source="[a](../../x.md)"), "leaves the repository"),
    (form.links, edit("explain", source="[a](/README.md)"), "absolute"),
    (form.links, edit("explain", source='<img src="gone.png" alt="a">'), "gone.png"),
    (form.links, edit("explain", source="[a][b]\n\n[b]: gone.md"), "gone.md"),
]


@pytest.mark.parametrize(
    ("check", "change", "says"), BROKEN, ids=[f"{c.__name__}-{says}" for c, _, says in BROKEN]
)
def test_broken_lesson_is_found(check, change, says, stored):
    notebook = lesson()
    change(notebook)
    problems = check(stored(notebook))
    assert says in "\n".join(problems)


BROKEN_FILES = [
    (form.cell_ids, '"id": "sum"', '"id": "load"', "2 cells have the id 'load'"),
    (form.cell_ids, '"id": "sum"', '"id": "3f2a9c01"', "'3f2a9c01' is no readable"),
    (form.cell_ids, '"id": "sum"', '"id": "Sum_1"', "'Sum_1' is no readable"),
    (form.cell_ids, '   "id": "sum",\n', "", "1 cells have no id"),
    (form.is_canonical, '"execution_count": 4', '"execution_count": 9', "first at line"),
    (form.is_canonical, '"metadata": {}', '"metadata": {"collapsed": true}', "first at line"),
    (form.is_canonical, '\n "nbformat": 4', '\n  "nbformat": 4', "first at line"),
    (form.executed_in_order, '"execution_count": 4', '"execution_count": 9', "expected 4"),
]


@pytest.mark.parametrize(("check", "old", "new", "says"), BROKEN_FILES)
def test_broken_file_is_found(check, old, new, says, stored):
    text = notebooks.canonical(lesson())
    assert old in text
    assert says in "\n".join(check(stored(None, text=text.replace(old, new))))


def test_missing_newline_at_the_end_is_found(stored):
    text = notebooks.canonical(lesson())
    assert form.is_canonical(stored(None, text=text[:-1]))


def test_setup_cell_must_be_the_others(stored):
    assert form.setup_cell(stored(lesson()), SETUP) == []
    assert "differs" in form.setup_cell(stored(lesson()), SETUP + " ")[0]
    notebook = lesson()
    cell(notebook, "setup").id = "imports"
    assert "'imports'" in form.setup_cell(stored(notebook), SETUP)[0]
    without("imports")(notebook)
    assert "not code" in form.setup_cell(stored(notebook), SETUP)[0]


def test_misnamed_file_is_found(stored):
    assert "06_fcn.ipynb" in form.first_cell(stored(lesson(), name="Untitled.ipynb"))[0]


def test_what_is_allowed_passes(stored):
    notebook = lesson()
    edit("explain", source=(
        "[a](#The-data) [b](06_fcn.ipynb#the-data-2) `[c](gone.md)` https://x.org/home/a"
        "\n\n```\n[d](gone.md)\n```\n\n[e](../README.md#read-me-first)\n\n## the `data` 2"
    ))(notebook)  # fmt: skip
    edit("sum", metadata={"tags": ["raises-exception"]}, outputs=[ERROR])(notebook)
    insert(8, code("2", printed("x.org/home/a in data/.cache\n"), id="b", tags=["follows"]))(
        notebook
    )
    for check in (form.links, form.no_stray_errors, form.code_after_code, form.no_machine_paths):
        assert check(stored(notebook)) == []


def texture(seed, height=200, width=300):
    """A picture of soft blobs, unlike that of any other seed; (height, width, 3) uint8."""
    rng = np.random.default_rng(seed)
    noise = [cv2.GaussianBlur(rng.normal(size=(height, width, 3)), (0, 0), s) * s for s in (2, 5)]
    return cv2.normalize(sum(noise), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


@pytest.mark.parametrize("view", ["as it is", "cropped", "turned", "mirrored"])
def test_figure_of_a_real_photograph_is_found(view, stored, tmp_path):
    for seed in range(4):
        cv2.imwrite(str(tmp_path / f"{seed:03}.jpg"), cv2.resize(texture(seed), (600, 400)))
    seen = {
        "as it is": lambda x: x,
        "cropped": lambda x: x[40:, 90:],
        "turned": lambda x: np.rot90(x),
        "mirrored": lambda x: x[:, ::-1],
    }[view](texture(2))

    def lesson_with(panel):
        notebook = lesson()
        page = np.full((340, 700, 3), 255, np.uint8)
        page[20 : 20 + panel.shape[0], 350 : 350 + panel.shape[1]] = panel
        page[20:220, 20:320] = texture(77)
        output("figure", drawn(png(page)))(notebook)
        return stored(notebook)

    problems = form.real_pictures(lesson_with(seen), tmp_path)
    assert len(problems) == 1
    assert "'figure'" in problems[0]
    assert "002.jpg" in problems[0]
    assert form.real_pictures(lesson_with(texture(5)), tmp_path) == []


def test_comparing_with_a_folder_without_photographs_is_an_error(stored, tmp_path):
    with pytest.raises(FileNotFoundError, match="COURSE_REAL_DATA"):
        form.real_pictures(stored(lesson()), tmp_path / "nothing")


# -- format --------------------------------------------------------------------------------------


def messy():
    """A notebook as editors leave it."""
    photo = texture(1)
    return new_notebook(
        metadata={
            "kernelspec": {"name": "mine", "display_name": "Mine", "language": "python"},
            "language_info": {"name": "python", "version": "3.12.1"},
            "widgets": {"state": {}},
            "accelerator": "GPU",
        },
        cells=[
            new_markdown_cell("# 06. A [link](x.md) & more\n", id="6d1f0a3c"),
            new_code_cell(
                "a\n\n",
                id="3f2504e0-4f89-41d3-9a0c-0305e82c3301",
                execution_count=7,
                metadata={
                    "tags": [],
                    "collapsed": True,
                    "ExecuteTime": {"end_time": "2024"},
                    "execution": {"iopub.execute_input": "2024"},
                    "nbgrader": {"grade_id": "x"},
                },
                outputs=[
                    printed("10%\r50%\rdone\n"),
                    printed("more\n"),
                    drawn(png(photo)),
                    printed("last\n"),
                ],
            ),
            new_code_cell("never run", id="kept-name"),
            new_code_cell(
                "fails",
                id="Fails",
                execution_count=3,
                outputs=[
                    new_output(
                        "error",
                        ename="ValueError",
                        evalue="no",
                        traceback=[
                            "---",
                            "Cell In[3], line 1",
                            "\x1b[36mFile /x/y.py:3\x1b[0m",
                            "end",
                        ],
                    )
                ],
            ),
            new_markdown_cell("Some words: here.", id="kept_name"),
        ],
    )


def formatted(notebook):
    return json.loads(notebooks.canonical(notebook))


def test_format_twice_is_format_once():
    once = notebooks.canonical(messy())
    assert notebooks.canonical(nbformat.reads(once, as_version=4)) == once
    assert once.endswith("}\n")
    assert once.startswith('{\n "cells": [\n')


def test_format_leaves_its_argument_alone():
    notebook = messy()
    notebooks.canonical(notebook)
    assert notebook == messy()


def test_format_gives_readable_ids_and_keeps_those_there_are():
    ids = [cell["id"] for cell in formatted(messy())["cells"]]
    assert ids == [
        "06-a-link-more",
        "06-a-link-more-2",
        "kept-name",
        "06-a-link-more-3",
        "some-words-here",
    ]


def test_format_keeps_ids_when_cells_come_in_between():
    first = nbformat.reads(notebooks.canonical(messy()), as_version=4)
    before = [cell.id for cell in first.cells]
    first.cells.insert(1, new_code_cell("new"))
    after = [cell["id"] for cell in formatted(first)["cells"]]
    assert [id for id in after if id in before] == before
    assert len(set(after)) == len(before) + 1


def test_format_mends_repeated_ids():
    notebook = new_notebook(cells=[new_code_cell("1"), new_code_cell("2")])
    for repeated in notebook.cells:
        repeated.id = "same"
    assert [cell["id"] for cell in formatted(notebook)["cells"]] == ["same", "cell"]


def test_format_drops_what_varies_and_keeps_what_counts():
    notebook = formatted(messy())
    assert notebook["metadata"] == {
        "accelerator": "GPU",
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    first, never, fails = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    assert first["metadata"] == {"nbgrader": {"grade_id": "x"}}
    assert first["source"] == ["a"]
    assert (first["execution_count"], never["execution_count"], fails["execution_count"]) == (
        1,
        None,
        2,
    )
    assert first["outputs"][0]["text"] == ["done\n", "more\n"]
    assert first["outputs"][1]["metadata"] == {"image/png": {"alt": ALT}}
    assert first["outputs"][2]["text"] == ["last\n"]
    assert fails["outputs"][0]["traceback"] == ["---", "Cell In[3], line 1", "end"]


def test_format_makes_figures_smaller_not_different():
    photo = texture(1)
    stored = formatted(messy())["cells"][1]["outputs"][1]["data"]["image/png"]
    assert len(stored) < len(png(photo)) / 2
    with Image.open(io.BytesIO(base64.b64decode(stored))) as image:
        again = np.asarray(image.convert("RGB"), int)
    assert again.shape == photo.shape
    assert np.abs(again - photo).mean() < 8


def test_format_keeps_figures_that_would_grow():
    noise = png(np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8))
    notebook = new_notebook(cells=[code("a", drawn(noise), id="a")])
    assert formatted(notebook)["cells"][0]["outputs"][0]["data"]["image/png"] == noise


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """The folder of notebooks of a fork of the course."""
    (tmp_path / "pyproject.toml").write_text(f'[project]\nurls.Repository = "{REPOSITORY}"\n')
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path / "notebooks")
    return tmp_path / "notebooks"


def test_format_renews_the_lines_that_bring_the_course(checkout):
    old = cloud.bring("old/name").replace("glob, sys", "sys")
    cells = [new_markdown_cell("# 06. FCN\n\nText."), new_code_cell(f"{old}\nimport numpy")]
    nbformat.write(new_notebook(cells=cells), checkout / "06_fcn.ipynb")
    assert notebooks.format_notebooks(folder=checkout) == 1
    title, setup = notebooks.read(checkout / "06_fcn.ipynb").cells
    assert setup.source == cloud.bring("somebody/something") + "\nimport numpy"
    assert "colab.research.google.com/github/somebody/something/" in title.source
    assert title.source.endswith("\n\nText.")
    assert notebooks.format_notebooks(folder=checkout) == 0


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("Untitled.ipynb", "mc"),
        ("06_mine.ipynb", ""),
        ("06_mine.ipynb", "c"),
        ("06_mine.ipynb", "m"),
    ],
)
def test_format_adds_nothing_to_notebooks_that_are_no_lessons(name, kinds, checkout):
    make = {"c": new_code_cell, "m": new_markdown_cell}
    nbformat.write(new_notebook(cells=[make[kind]("1") for kind in kinds]), checkout / name)
    notebooks.format_notebooks(folder=checkout)
    assert [cell.source for cell in notebooks.read(checkout / name).cells] == ["1"] * len(kinds)


def test_format_writes_letters_as_they_are():
    assert "Größe × 2" in notebooks.canonical(new_notebook(cells=[new_markdown_cell("Größe × 2")]))


def test_check_names_files_and_changes_nothing(tmp_path, capsys):
    (tmp_path / "solutions").mkdir()
    (tmp_path / ".ipynb_checkpoints").mkdir()
    good, bad = tmp_path / "00_good.ipynb", tmp_path / "solutions" / "01_bad.ipynb"
    good.write_text(notebooks.canonical(lesson()))
    for path in (bad, tmp_path / ".ipynb_checkpoints" / "00_good.ipynb"):
        nbformat.write(messy(), path)
    before = bad.read_bytes()
    assert notebooks.format_notebooks(check=True, folder=tmp_path) == 1
    assert str(bad) in capsys.readouterr().out
    assert bad.read_bytes() == before
    assert notebooks.format_notebooks(folder=tmp_path) == 1
    assert notebooks.format_notebooks(check=True, folder=tmp_path) == 0


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\n{}", '{"title": 1}', ""])
def test_a_file_that_is_no_notebook_is_named(text, tmp_path):
    (tmp_path / "00_bad.ipynb").write_text(text)
    with pytest.raises(ValueError, match=r"00_bad\.ipynb is not a notebook"):
        notebooks.format_notebooks(folder=tmp_path)


def test_slugs():
    assert slug("## Counting *agreement*: `IoU`") == "counting-agreement-iou"
    assert slug("...") == "cell"
    assert len(slug("a-very-long-heading " * 9)) <= 40


# -- lessons and refresh ---------------------------------------------------------------------------

RUNS = f"""# 01. Runs

Does it run? It does.

**You will be able to**

- run `it`

**Time** 1 minute on CPU and `GPU`

[next](02_fails.ipynb#Below) [read](../README.md) [other](03_other.ipynb) [web]({REPOSITORY})"""
WHERE = """import os, sys
print(sys.executable)
print(os.getcwd())
print(os.environ["COURSE_DATA"], os.environ.get("COURSE_SCALE"))"""
SHOW = f"""from IPython.display import display
display({{"image/png": {base64.b64decode(png(np.zeros((2, 2, 3), np.uint8)))!r}, "text/plain": "x"}},
        raw=True, metadata={{"image/png": {{"alt": 'A <black> "square"'}}}})"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two lessons to run, the second of which fails, and one to leave."""
    root = tmp_path_factory.mktemp("repository")
    (root / "README.md").touch()
    cells = {
        "01_runs": [new_markdown_cell(RUNS), new_code_cell(WHERE), new_code_cell(SHOW)],
        "02_fails": [
            new_markdown_cell("# 02. Fails"),
            new_code_cell("'before'"),
            new_code_cell("int('x')", metadata={"tags": ["raises-exception"]}),
            new_code_cell("1 / 0"),
            new_code_cell("'after'", outputs=[printed("old\n")], execution_count=1),
        ],
        "03_other": [new_markdown_cell("# 03. Other"), new_code_cell("1")],
    }
    (root / "notebooks").mkdir()
    for name, content in cells.items():
        nbformat.write(new_notebook(cells=content), root / "notebooks" / f"{name}.ipynb")
    # A kernel of that name elsewhere, as students have them, must not be taken.
    other = root / "jupyter" / "kernels" / "python3"
    other.mkdir(parents=True)
    spec = {"argv": ["/bin/false"], "display_name": "Other", "language": "python"}
    (other / "kernel.json").write_text(json.dumps(spec))
    return root / "notebooks"


@pytest.fixture(scope="module")
def run(folder):
    """Exit value, printed text and output folder of `lessons 1 02`, run from the repository."""
    out = folder.parent / "out"
    with pytest.MonkeyPatch.context() as patch, io.StringIO() as text:
        patch.chdir(folder.parent)
        patch.setenv("JUPYTER_PATH", str(folder.parent / "jupyter"))
        patch.setenv("COURSE_DATA", "photographs")
        patch.delenv("COURSE_SCALE", raising=False)
        patch.setattr(sys, "stdout", text)
        failed = notebooks.run_lessons([1, "02"], out=out, folder=folder)
        yield failed, text.getvalue(), out


def test_a_failing_lesson_does_not_stop_the_others(run):
    failed, text, _ = run
    assert failed == 1
    first, second, *_ = text.splitlines()
    assert first.startswith("01_runs ....")
    assert first.endswith(" s")
    assert second.endswith(" FAILED in cell 3: ZeroDivisionError: division by zero")


def test_lessons_run_here_and_in_their_folder(run, folder):
    _, _, out = run
    outputs = notebooks.read(out / "01_runs.ipynb").cells[1].outputs
    data = folder.parent / "photographs"  # relative to where the command was given
    assert outputs[0].text.splitlines() == [sys.executable, str(folder), f"{data} None"]


def test_a_failed_lesson_ends_at_its_error(run):
    _, _, out = run
    before, meant, error, after = notebooks.read(out / "02_fails.ipynb").cells[1:]
    assert before.outputs[0].data["text/plain"] == "'before'"
    assert meant.outputs[0].ename == "ValueError"
    assert error.outputs[0].ename == "ZeroDivisionError"
    assert after.outputs == []
    assert after.execution_count is None
    assert "ZeroDivisionError" in (out / "02_fails.html").read_text()


def test_pages_link_to_pages_and_files(run):
    _, _, out = run
    page = BeautifulSoup((out / "01_runs.html").read_text(), "html.parser")
    links = {a.text: a["href"] for a in page.select("a[href]")}
    assert links["next"] == "02_fails.html#Below"
    assert links["web"] == REPOSITORY
    for name in ("read", "other", "All lessons"):
        assert (out / links[name]).exists(), links[name]


def test_pages_carry_alt_texts(run):
    _, _, out = run
    page = BeautifulSoup((out / "01_runs.html").read_text(), "html.parser")
    assert [image["alt"] for image in page.select("img")] == ['A <black> "square"']


def test_index_tells_what_there_is(run):
    _, text, out = run
    assert text.splitlines()[-1] == f"Open {out / 'index.html'}"
    page = BeautifulSoup((out / "index.html").read_text(), "html.parser")
    first, second = page.select("article")
    assert first.h2.a["href"] == "01_runs.html"
    assert [item.decode_contents() for item in first.select("li")] == ["run <code>it</code>"]
    assert "Does it run?" in first.text
    assert "It does." not in first.text
    assert "1 minute on CPU and GPU" in first.text
    assert "ZeroDivisionError" in second.text
    assert not page.select("script, link, img[src^=http]")


def test_one_lesson_more_joins_the_index(run, folder):
    _, _, out = run
    assert notebooks.run_lessons(["03"], out=out, folder=folder) == 0
    page = BeautifulSoup((out / "index.html").read_text(), "html.parser")
    assert [a["href"] for a in page.select("h2 a")] == [
        "01_runs.html",
        "02_fails.html",
        "03_other.html",
    ]


def test_refresh_stores_synthetic_outputs_and_spares_what_fails(folder, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "photographs")
    monkeypatch.setenv("COURSE_SCALE", "gpu")
    fails = (folder / "02_fails.ipynb").read_bytes()
    assert notebooks.refresh(["01", "02"], folder=folder) == 1
    text = (folder / "01_runs.ipynb").read_text()
    assert "synthetic smoke" in text
    assert text == notebooks.canonical(notebooks.read(folder / "01_runs.ipynb"))
    assert (folder / "02_fails.ipynb").read_bytes() == fails


def test_a_dead_kernel_is_a_failure_with_its_last_words(tmp_path, capsys):
    dies = "import os\nos.write(2, b'out of luck\\n')\nos._exit(1)"
    nbformat.write(new_notebook(cells=[new_code_cell(dies)]), tmp_path / "00_dies.ipynb")
    assert notebooks.refresh(folder=tmp_path) == 1
    assert "FAILED in cell 1: the kernel died" in capsys.readouterr().out


def test_unknown_lesson_is_refused_with_the_list(folder):
    with pytest.raises(ValueError, match=r"no lesson 17.*01_runs, 02_fails, 03_other"):
        notebooks.find([1, 17], folder)
    assert [path.stem for path in notebooks.find([3, "01", 1], folder)] == ["01_runs", "03_other"]


def test_without_lessons_the_message_says_where_they_are(tmp_path):
    with pytest.raises(FileNotFoundError, match="clone"):
        notebooks.find(folder=tmp_path)


def test_a_terminal_sees_lesson_and_cell(folder, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    with notebooks._Status("06_fcn") as status:
        status.cell(7, 32)
    assert "\r\x1b[K06_fcn  " in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "06_fcn.ipynb"
    path.write_text("old")
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        notebooks._write(path, "new")
    assert path.read_text() == "old"


def test_front_matter_of_a_bare_notebook_is_empty():
    assert front_matter(new_notebook()) == ("", "", [], "", "")
    assert front_matter(new_notebook(cells=[new_code_cell("1")])).title == ""


def test_front_matter():
    front = front_matter(lesson())
    assert front.title == "06. Fully *convolutional* networks"
    assert front.sentence == "Where does an edge go when a network pools?"
    assert front.aims == [
        "replace a classifier's head by convolutions",
        "explain `stride`",
        "measure edges",
    ]
    assert front.needs == "lesson 04."
    assert front.time.startswith("40 minutes; the cells take 4 minutes on a CPU, 1 minute on a")


def test_durations():
    assert [duration(s) for s in (0.4, 41.2, 59.7, 185)] == [
        "0 s",
        "41 s",
        "1 min 00 s",
        "3 min 05 s",
    ]
