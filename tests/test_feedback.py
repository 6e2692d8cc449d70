"""Feedback pages: what they say, what they never say, and how a browser shows them."""

import copy
import itertools
import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from course.grading import checks, feedback
from tests import browser, results
from tests.results import CASE, HIDDEN, not_graded, result, task

VOID = {"meta", "br", "link", "img", "input", "hr"}
SVG = {"path", "circle", "rect"}
HOSTILE = [
    "<script>window.ran = true; document.title = 'taken'</script>",
    "</pre></code></section><h1>20 of 20 points</h1><img src=x onerror='window.ran = true'>",
    "</title></style><style>body { display: none }</style>",
    '"><img src=\'http://example.invalid/x.png\' onerror="window.ran = true">',
    "' onmouseover='window.ran = true' x='",
    "javascript:window.ran=true",
    "`<svg onload=window.ran=true>`",
    "{{ 7 * 7 }} {% raw %} &lt;b&gt; &amp;",
    "<!-- ]]> --><!--",
    "<base href='http://example.invalid/'><a href='javascript:window.ran=true'>link</a>",
]


class Page(HTMLParser):
    """A page's elements as (depth, tag) in their order, its attributes, texts and headings."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.attributes, self.headings, self.text = [], [], [], [], ""
        self.feed(text)
        self.close()
        assert self.open == [], "elements that are not closed"

    def handle_starttag(self, tag, attributes):
        self.elements.append((len(self.open), tag))
        self.attributes += [(tag, name, value) for name, value in attributes]
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        assert tag in SVG, f"<{tag}/> is no HTML"
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "title"}.intersection(self.open):
            self.text += data

    def values(self, name):
        return [value for _, found, value in self.attributes if found == name]


def pages(out):
    return sorted(out.rglob("*.html"))


def write_one(given, out):
    """Write one result; its page as text."""
    feedback.write([given], out)
    (path,) = (out / "feedback").rglob("*.html")
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def a_class(tmp_path_factory):
    out = tmp_path_factory.mktemp("class")
    assert feedback.write(results.a_class(), out) == out / "index.html"
    return out


def spoilt(value, text):
    """The result with `text` for every string that is free, in it and below."""
    if isinstance(value, dict):
        fixed = {"status", "sandbox", "task", "fingerprint"}
        return {key: v if key in fixed else spoilt(v, text) for key, v in value.items()}
    if isinstance(value, list):
        return [spoilt(item, text) for item in value]
    return text if isinstance(value, str) and value else value


# What a page says


@pytest.mark.parametrize("status", feedback.STATUSES)
def test_every_status_has_its_word_its_sentence_and_its_sign(tmp_path, status):
    text = Page(write_one(result("ada", task(status)), tmp_path)).text
    others = {other.sentence for name, other in feedback.STATUSES.items() if name != status}
    assert feedback.STATUSES[status].label in text
    assert feedback.STATUSES[status].sentence in text
    assert not any(sentence in text for sentence in others)


def test_no_two_statuses_share_a_sign():
    parts = feedback._environment().get_template("parts.html.j2").module
    signs = [str(parts.sign(status)) for status in feedback.STATUSES]
    assert len(set(signs)) == len(signs) == 7
    assert all(Page(sign).elements[1][1] in SVG for sign in signs)


def test_a_page_tells_the_case_what_was_expected_and_got_and_where_to_look(tmp_path):
    given = result("ada", task("wrong", failure=CASE, output="hello\n"), task(name="other-check"))
    text = Page(write_one(given, tmp_path)).text
    for said in (CASE["case"], CASE["look"][1:], "hello", "3 of 6", "nan expected, 0 got"):
        assert said in text
    for values in ("[0.5, 1. , nan]", "[0.5, 1. , 0. ]"):
        assert f"an array of shape (3,), float64:\n{values}" in text
    assert results.IOU in text  # the whole cell, whatever its colours
    assert "Task 1: masked iou check" in text
    assert "(3 points)" not in text  # the points have a place of their own


def test_a_task_with_two_check_cells_shows_its_cell_once(tmp_path):
    twice = [task(name="iou-check"), task("wrong", "iou-check", failure=CASE)]
    other = task("wrong", "iou-check", source="")
    text = Page(write_one(result("ada", *twice, other, task(name="other-check")), tmp_path)).text
    for number, times in ((1, 2), (2, 2), (3, 2)):  # in the list of tasks, and over its card
        assert text.count(f"Task 1: iou check, part {number}") == times
    assert text.count("Task 1: other check") == 2
    assert "other check, part" not in text
    assert text.count(results.IOU) == 2  # for parts 1 and 2, and for the other task
    assert text.count("shown above") == 1


@pytest.mark.parametrize(
    ("status", "message", "shown"),
    [
        ("stopped", "stopped: it took longer than 60 seconds", "It took longer than 60 seconds."),
        ("error", "your cell stopped with OSError: no", "Your cell stopped with OSError: no"),
        (
            "not attempted",
            "iou: `iou` is not defined. Write …",
            "The checks look for it, and iou is",
        ),
    ],
)
def test_what_a_status_alone_does_not_tell(tmp_path, status, message, shown):
    page = Page(write_one(result("ada", task(status, message=message)), tmp_path))
    assert shown in page.text
    assert message not in page.text


@pytest.mark.parametrize("status", ["wrong", "error", "stopped"])
def test_of_a_hidden_case_only_the_name_is_shown(tmp_path, status):
    leaky = HIDDEN | {"expected": "S3CRET", "got": "S3CRET", "look": "S3CRET"}
    given = result("ada", task(status, failure=leaky, message="ValueError: S3CRET"))
    kept = copy.deepcopy(given)
    page = write_one(given, tmp_path)
    assert HIDDEN["case"] in page
    assert "S3CRET" not in page
    assert "S3CRET" not in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert given == kept


def test_a_submission_that_was_not_graded_says_why(tmp_path):
    page = write_one(not_graded("gus", "The file is empty. Save `it`.", assignment=""), tmp_path)
    text = Page(page).text
    assert "Not graded" in text
    assert "The file is empty. Save it." in text
    assert "<code>it</code>" in page
    assert "of 0 points" not in text


def test_a_submission_that_was_not_graded_has_no_tasks_and_was_never_out_of_a_sandbox(tmp_path):
    text = Page(write_one(not_graded("gus", "The file is empty."), tmp_path)).text
    assert "Task 1" not in text
    assert "sandbox" not in text
    overview = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "sandbox" not in Page(overview).text
    assert "0 graded" in overview  # the assignment has its column, and a sum to reach
    assert ">02_measuring<" in overview


@pytest.mark.parametrize(("sandbox", "red"), [("bubblewrap", 0), ("landlock", 0), ("none", 1)])
def test_without_a_sandbox_both_pages_say_so_in_red(tmp_path, sandbox, red):
    page = write_one(result("ada", task(), sandbox=sandbox), tmp_path)
    overview = (tmp_path / "index.html").read_text(encoding="utf-8")
    for text in (page, overview):
        assert text.count('class="banner"') == red
        assert text.lower().count("graded without a sandbox") == red
    line = re.search(r"--alarm-line: (#\w+)", page)[1]
    blue, green, red = (int(line[i : i + 2], 16) for i in (5, 3, 1))
    assert red > 2 * max(green, blue)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("which axis?", "Which axis?"),
        ("np.inf is a float", "np.inf is a float"),
        ("`ignore` counts", "`ignore` counts"),
        ("m_iou of it", "m_iou of it"),
        ("hits / all", "hits / all"),
        ("in which order", "In which order"),
        ("", ""),
    ],
)
def test_sentences_start_with_a_capital_but_names_do_not(text, shown):
    assert feedback.sentence(text) == shown


def test_the_values_of_an_array_stand_on_lines_of_their_own():
    matrix = np.eye(2, dtype=int)
    said = checks.describe(matrix) + checks.difference(matrix, 2 * matrix)
    assert feedback.set_off(said) == (
        "an array of shape (2, 2), int64:\n[[1, 0],\n [0, 1]]\n"
        "2 of 4 entries differ, the first at [0, 0]: 2 expected, 1 got"
    )
    assert feedback.set_off("a list of 1: (an array: [1])") == "a list of 1: (an array: [1])"


def test_what_is_printed_reads_as_in_a_terminal():
    assert feedback.printed("\x1b[31mred\x1b[0m\n 10%\r 50%\r100%\r\ndone\n") == "red\n100%\ndone"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "a⟦U+202E⟧b"),  # right-to-left override
        ("a\u2066b\u2069", "a⟦U+2066⟧b⟦U+2069⟧"),
        ("\x00\x1b\x7f\x9b", "⟦U+0000⟧⟦U+001B⟧⟦U+007F⟧⟦U+009B⟧"),
        ("\u200b\ufeff\xad\u2028", "⟦U+200B⟧⟦U+FEFF⟧⟦U+00AD⟧⟦U+2028⟧"),
        ("\ud800", "⟦U+D800⟧"),
        ("\uffff\ufdd0\U0010ffff", "⟦U+FFFF⟧⟦U+FDD0⟧⟦U+10FFFF⟧"),
        ("\U000e0041", "⟦U+E0041⟧"),  # a tag character
        ("tab\tline\n", "tab\tline\n"),
        ("Zoë גדי نرگس‌ 東京 👩‍🚀 ±½", "Zoë גדי نرگس‌ 東京 👩‍🚀 ±½"),
    ],
)
def test_characters_that_hide_are_written_out(tmp_path, text, shown):
    assert feedback.visible(text) == shown
    page = Page(write_one(spoilt(results.every_status(), text + "x"), tmp_path))
    assert page.text.count(shown + "x") > 10
    assert text == shown or text not in page.text


def test_a_very_long_cell_is_cut():
    page = feedback.highlight("x = 1\n" * 10_000)
    assert page.count(">x<") < 10_000 / 2
    assert page.endswith("… and 40000 characters more")


@pytest.mark.parametrize(
    "source", ["", "\n\n", "%%bash\nls $HOME", "def f(:\n  'open", "é = '\\N{x'"]
)
def test_any_source_can_be_shown(source):
    assert Page(f"<pre>{feedback.highlight(source)}</pre>").text == source.rstrip("\n")


# What nobody can make a page do


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(tmp_path, text):
    given = results.every_status(notes=["a note"])
    tame, wild = (
        write_one(spoilt(given, words), tmp_path / name)
        for name, words in (("tame", "word"), ("wild", text))
    )

    def structure(page):  # but the spans of highlighted code, and code in backticks
        return [tag for _, tag in Page(page).elements if tag not in ("span", "code")]

    assert structure(wild) == structure(tame)
    assert Page(wild).text.count(text.strip("`")) > 10
    assert not [name for _, name, _ in Page(wild).attributes if name.startswith("on")]
    overviews = [(tmp_path / name / "index.html").read_text() for name in ("tame", "wild")]
    assert structure(overviews[1]) == structure(overviews[0])


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/root", "a/b", "..", "CON", "", "a" * 400, "é\n?#%", "\ud800", "A&B"],
)
def test_odd_names_make_safe_files_that_the_overview_links_to(tmp_path, name):
    out = tmp_path / "deep" / "er" / "out"
    feedback.write([result(name, task(), assignment=name), result("a", task())], out)
    assert len(pages(tmp_path)) == len(pages(out / "feedback")) + 1 == 3
    linked = Page((out / "index.html").read_text(encoding="utf-8")).values("href")
    found = {out / unquote(link) for link in linked if not link.startswith("#")}
    assert found == set(pages(out / "feedback"))


def test_pages_ask_the_network_for_nothing(a_class):
    for path in pages(a_class):
        text = path.read_text(encoding="utf-8")
        page = Page(text)
        assert not page.values("src")
        assert not {"script", "link", "img", "iframe", "object"} & {tag for _, tag in page.elements}
        assert not re.search(r"url\(|@import|https?:", text)
        for link in page.values("href"):
            assert link.startswith("#") or (path.parent / unquote(link)).is_file()


def test_a_student_is_told_nothing_of_the_class(a_class):
    for path in (a_class / "feedback" / "ada").iterdir():
        text = path.read_text(encoding="utf-8")
        assert "index.html" not in text
        assert not [
            name for name in ("ben", "chen", "Zoë", "גדי") if re.search(rf"\b{name}\b", text)
        ]


# The overview


def numbers(page):
    """The overview's large figures, as {label: number}."""
    pairs = re.findall(r"<dt>([a-z ]+)</dt><dd>(\d+)</dd>", page)
    return {label: int(number) for label, number in pairs}


def bars(page, title):
    """The bars of a task's card: {label: students}."""
    card = page.partition(f"<h3>{title}</h3>")[2].partition("</article>")[0]
    pairs = re.findall(r'class="label">([^<]+)<.*?class="count">(\d+)<', card)
    return {label: int(count) for label, count in pairs}


def test_the_overview_counts(a_class):
    page = (a_class / "index.html").read_text(encoding="utf-8")
    assert numbers(page) == {"students": 10, "submissions": 16, "graded": 14, "not graded": 2}
    # Of eight graded, the last three and ada failed the case of this task.
    assert bars(page, "Task 1: masked iou check") == {
        "0 points": 4,
        "3 points": 4,
        "a class that is absent": 4,
    }
    assert bars(page, "Task 1: rates check") == {
        "0 points": 8,
        "3 points": 0,
        "random masks with an absent class": 7,  # and ada did not attempt it
    }
    assert "NameError after “the first call”" in bars(page, "Task 1: band accuracy check")
    assert "8 graded, on average 1.88 of 21 points" in page  # (3 + 4 · 3) / 8
    text = re.sub(r"(<[^>]*>|\s)+", " ", page)
    assert "4 right 4 wrong" in text
    assert " ben 3 3 6 " in text
    assert " fatima 0 3 3 " in text
    assert " gus not graded – none 0 " in text


def test_bars_have_their_length(a_class):
    page = (a_class / "index.html").read_text(encoding="utf-8")
    card = page.partition("<h3>Task 1: rates check</h3>")[2].partition("</article>")[0]
    assert re.findall(r"width: ([\d.]+)%", card) == ["100.0", "0.0", "87.5"]


def test_what_was_not_graded_stands_on_top(a_class):
    page = (a_class / "index.html").read_text(encoding="utf-8")
    assert page.index("The file is empty") < page.index("<h3>")
    assert page.index("There is no notebook in it") < page.index("<h3>")


def test_only_the_commonest_failures_are_listed(tmp_path):
    given = [
        result(f"s{number}-{case}", task("wrong", failure=CASE | {"case": f"case {case}"}))
        for case in range(1, 8)
        for number in range(case)
    ]
    feedback.write(given, tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    cases = [(k, v) for k, v in bars(page, "Task 1: masked iou check").items() if "case" in k]
    assert cases == [(f"case {n}", n) for n in (7, 6, 5, 4, 3)]
    assert "and 2 other cases" in page


def test_an_overview_of_nothing(tmp_path):
    feedback.write([], tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "There are no submissions yet." in Page(page).text
    assert numbers(page) == {"students": 0, "submissions": 0, "graded": 0, "not graded": 0}


def test_same_results_same_bytes_in_any_order(tmp_path):
    feedback.write(results.a_class(), tmp_path / "one")
    feedback.write(iter(results.a_class()[::-1]), tmp_path / "two")
    for one in pages(tmp_path / "one"):
        two = tmp_path / "two" / one.relative_to(tmp_path / "one")
        assert one.read_bytes() == two.read_bytes()


def test_a_second_run_replaces_pages_and_leaves_nothing_behind(tmp_path):
    assert "Wrong" in write_one(result("ada", task("wrong", failure=CASE)), tmp_path)
    assert "Wrong" not in Page(write_one(result("ada", task("right")), tmp_path)).text
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".html"}


# How a page is built


def test_headings_titles_languages_and_ids(a_class):
    for path in pages(a_class):
        text = path.read_text(encoding="utf-8")
        page = Page(text)
        assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
        assert len(re.findall(r"<title>[^<]+</title>", text)) == 1
        assert page.headings[0] == 1
        assert page.headings.count(1) == 1
        assert all(below - above <= 1 for above, below in itertools.pairwise(page.headings))
        ids = page.values("id")
        assert len(set(ids)) == len(ids)
        assert set(page.values("aria-labelledby")) <= set(ids)
        assert {link[1:] for link in page.values("href") if link.startswith("#")} <= set(ids)


def colours(dark):
    """The style's colours by name, RGB in [0, 1]."""
    style = feedback._environment().loader.get_source(None, "style.css")[0]
    light, night = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    pairs = re.findall(r"--([a-z-]+): (#\w{6})", light + (night if dark else ""))
    return {name: np.array([int(h[i : i + 2], 16) for i in (1, 3, 5)]) / 255 for name, h in pairs}


def contrast(one, other):
    """The contrast ratio of WCAG 2."""
    light = [
        np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
        for c in (one, other)
    ]
    return (max(light) + 0.05) / (min(light) + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_can_be_read(dark):
    colour = colours(dark)
    inks = {
        "page": ("ink", "quiet", "link", "right", "wrong", "stopped"),
        "card": ("ink", "quiet", "link", "right", "wrong", "stopped"),
        "inset": ("ink", "keyword", "string", "number", "comment", "name"),
        "alarm-page": ("alarm",),
    }
    for paper, names in inks.items():
        for name in names:
            assert contrast(colour[name], colour[paper]) >= 4.5, (name, paper)


# Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB.
PROTANOPIA = [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]
DEUTERANOPIA = [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("sight", [PROTANOPIA, DEUTERANOPIA], ids=["no red", "no green"])
def test_right_and_not_right_differ_for_the_colour_blind(dark, sight):
    def seen(c):
        linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        linear = np.clip(np.array(sight) @ linear, 0, 1)
        return rgb2lab(
            np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        )

    colour = colours(dark)
    for other in ("wrong", "stopped"):
        assert deltaE_ciede2000(seen(colour["right"]), seen(colour[other])) > 15, other


# How a browser shows it


@pytest.fixture(scope="module")
def hostile_class(tmp_path_factory):
    """One result for each hostile text, and one with words and numbers that know no end."""
    out = tmp_path_factory.mktemp("hostile")
    given = [spoilt(results.every_status(notes=["a note"]), text) for text in HOSTILE]
    long = results.every_status("long", notes=["a note"])
    given.append(spoilt(long, "very" * 100 + " " + "word " * 60) | {"student": "long"})
    feedback.write(given, out)
    return out


def test_pages_in_a_browser(a_class, tmp_path):
    paths = a_class / "index.html", a_class / "feedback" / "ada" / "02_measuring.html"
    overview, page = browser.ask(paths, tmp_path)
    check_seen(paths[0], overview)
    check_seen(paths[1], page)
    assert overview["title"] == "Class overview: 14 of 16 submissions graded"
    assert page["title"] == "02_measuring, ada: 3 of 21 points"
    assert "Expected" in page["text"]


def check_seen(path, said):
    """A page fits the phone, asks for nothing, and is built as it is written."""
    assert said["width"] == said["pageWidth"] == browser.PHONE
    assert said["tooWide"] == []
    assert said["requests"] == []
    assert said["handlers"] == []
    assert said["ran"] is False
    # A browser that has to mend the markup builds other elements than are written there.
    written = browser.without_policy(path.read_text(encoding="utf-8"))
    assert [tuple(e) for e in said["elements"]] == Page(written).elements


def test_nothing_that_students_write_runs_in_a_browser(hostile_class, tmp_path):
    paths = pages(hostile_class)
    assert len(paths) == len(HOSTILE) + 2
    for path, said in zip(paths, browser.ask(paths, tmp_path), strict=True):
        check_seen(path, said)


def test_the_probe_can_tell(a_class, tmp_path):
    """The test above can fail: what it looks for is seen where it is."""
    text = (a_class / "index.html").read_text(encoding="utf-8")
    bad = "<script>window.ran = true</script><img src='http://example.invalid/x.png'>"
    wide = "<p style='width: 900px; height: 9px' onclick='x'><div></div></p>"
    page = tmp_path / "bad.html"
    page.write_text(text.replace("<main", bad + wide + "<main"), encoding="utf-8")
    (said,) = browser.ask([page], tmp_path)
    assert said["ran"] is True
    assert said["requests"] == ["http://example.invalid/x.png"]
    assert said["tooWide"] == ["P."]
    assert said["pageWidth"] == 900
    assert said["handlers"] == ["onclick"]
    with pytest.raises(AssertionError):
        check_seen(page, said | {"ran": False})


@pytest.mark.parametrize(("policy", "title"), [(True, "Class overview"), (False, "taken")])
def test_the_policy_stops_a_script_that_slipped_through(a_class, tmp_path, policy, title):
    text = (a_class / "index.html").read_text(encoding="utf-8")
    text = text if policy else browser.without_policy(text)
    page = tmp_path / "page.html"
    script = "<script>document.title = 'taken'</script>"
    page.write_text(text.replace("</body>", script + "</body>"), encoding="utf-8")
    assert f"<title>{title}" in browser.run(page, tmp_path, "--dump-dom")


@pytest.mark.parametrize("options", [[], [browser.DARK]], ids=["light", "dark"])
def test_a_picture_of_each_page_is_not_blank(a_class, tmp_path, options):
    for path in (a_class / "index.html", a_class / "feedback" / "ada" / "02_measuring.html"):
        picture = cv2.imread(str(browser.screenshot(path, tmp_path, options=options)))
        picture = picture[:1600, : browser.PHONE]
        assert picture.shape == (1600, browser.PHONE, 3)
        bright = np.median(picture)
        assert bright < 64 if options else bright > 192
        marked = (np.abs(picture.astype(int) - bright) > 90).any(axis=-1)
        assert 0.01 < marked.mean() < 0.3  # about what letters cover
        assert marked.any(axis=1).reshape(8, 200).any(axis=1).all()  # all the way down


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_a_missing_browser_is_skipped_but_not_on_ci(monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(browser.shutil, "which", lambda name: None)
    with pytest.raises(outcome, match="apt-get install chromium"):
        browser.find()


def test_results_are_json():
    assert json.loads(json.dumps(results.a_class())) == results.a_class()
