"""Executed notebooks as web pages, and an index of them."""

import html
import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from bs4 import BeautifulSoup
from nbconvert import HTMLExporter

# nbconvert's "lab" template writes no alt attribute, so its image block gets one here.
TEMPLATE = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js_requirejs -%}{%- endblock -%}
{%- block html_head_css -%}
<style>
body.jp-Notebook { max-width: 62rem; margin: 0 auto; padding: 1rem; }
.jp-RenderedImage img { max-width: 100%; height: auto; }
</style>
{%- endblock -%}
{%- block body_header -%}
{{ super() }}<nav><a href="index.html">All lessons</a></nav>
{%- endblock -%}
{%- block data_png -%}
{%- set alt = output | get_metadata('alt', 'image/png') or '' -%}
{{ super() | replace('<img', '<img alt="' ~ (alt | escape_html) ~ '"') }}
{%- endblock -%}
"""

INDEX = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Lessons</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
article {{ border-top: 1px solid #8886; padding: 1rem 0; }}
h2 {{ font-size: 1.2rem; margin: 0; }}
p, ul {{ margin: .4rem 0; }}
.note {{ font-size: .9rem; opacity: .8; }}
.failed {{ border-left: .3rem solid #d55e00; padding-left: .7rem; }}
</style>
<h1>Lessons</h1>
<p>{summary}</p>
{articles}
</html>
"""


class FrontMatter(NamedTuple):
    """What a lesson's first cell says: see :func:`front_matter`."""

    title: str
    sentence: str
    aims: list
    needs: str
    time: str


def bullets_after(source, phrase):
    """The items of the first list after the line with `phrase` in a Markdown source."""
    _, found, rest = source.partition(phrase)
    items = re.search(r"^[^\n]*\n+((?:[ \t]*[-*+] .+\n?(?:[ \t]+\S.*\n?)*)+)", rest)
    if not (found and items):
        return []
    return [" ".join(i.split()) for i in re.split(r"^[ \t]*[-*+] ", items[1], flags=re.M)[1:]]


def front_matter(notebook):
    """Read title, first sentence, aims, needs and time from a lesson's first cell.

    The cell reads like this, and what is missing comes back empty::

        # 06. Fully convolutional networks

        [![Open in Kaggle](...)](...) [![Open in Colab](...)](...)

        A first paragraph; its first sentence goes into the index.

        **You will be able to**

        - replace a classifier's head by convolutions
        - ...

        **Needs** lesson 04.

        **Time** 40 minutes; the cells take 4 minutes on a CPU, 1 minute on a GPU.
    """
    source = notebook.cells[0].source if notebook.cells else ""
    title = re.search(r"^# +(.+)$", source, re.M)
    paragraphs = [" ".join(p.split()) for p in re.split(r"\n\s*\n", source)]
    prose = next((p for p in paragraphs if re.match(r"[\w*_`“\"]", p) and "able to" not in p), "")
    needs, time = (
        next((found[1] for p in paragraphs if (found := re.match(rf"\W*{word}\b\W*(.*)", p))), "")
        for word in ("Needs", "Time")
    )
    return FrontMatter(
        title[1].strip() if title else "",
        re.split(r"(?<=[.?!])\s", prose)[0],
        bullets_after(source, "You will be able to"),
        needs,
        time,
    )


def render(notebook, source, out, in_book):
    """The HTML page of an executed notebook, to lie in the folder `out`.

    A link to a notebook whose file name is `in_book` goes to its page in `out`; any other relative
    link to the file it means, seen from `source`, the path of the lesson.
    """
    exporter = HTMLExporter(raw_template=TEMPLATE)
    page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": source.stem}})
    soup = BeautifulSoup(page, "html.parser")
    for attribute in ("href", "src"):
        for tag in soup.select(f".jp-Notebook [{attribute}]"):
            tag[attribute] = _relocate(tag[attribute], source, out, in_book)
    return str(soup)


def _relocate(link, source, out, in_book):
    """`link` as written in the lesson `source`, rewritten for its page in `out`."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc or not parts.path or link == "index.html":
        return link
    target = Path(os.path.normpath(source.parent / unquote(parts.path)))
    if target.parent == source.parent and target.name in in_book:
        path = f"{target.stem}.html"
    else:
        path = Path(os.path.relpath(target, out)).as_posix()
    return parts._replace(path=quote(path)).geturl()


def index(lessons):
    """The HTML page that lists `lessons`, pairs of page name and executed notebook."""
    runs = [notebook.metadata["course"] for _, notebook in lessons]
    failed = sum(bool(run["failure"]) for run in runs)
    summary = f"{len(runs)} lessons, {duration(sum(run['seconds'] for run in runs))} in all"
    summary += f", {failed} failed." if failed else ", all ran to the end."
    articles = "\n".join(_article(page, notebook) for page, notebook in lessons)
    return INDEX.format(summary=summary, articles=articles)


def _article(page, notebook):
    front, run = front_matter(notebook), notebook.metadata["course"]
    note = (
        f"Failed in {run['failure']}" if run["failure"] else f"Ran in {duration(run['seconds'])}."
    )
    aims = "".join(f"<li>{_inline(aim)}</li>" for aim in front.aims)
    return (
        f"<article{' class=failed' if run['failure'] else ''}>\n"
        f'<h2><a href="{html.escape(page)}">{_inline(front.title or page)}</a></h2>\n'
        f"<p>{_inline(front.sentence)}</p>\n"
        + (f"<p>You will be able to</p>\n<ul>{aims}</ul>\n" if aims else "")
        + f'<p class="note">{_inline(front.time)}<br>{html.escape(note)}</p>\n</article>'
    )


def _inline(markdown):
    """A line of Markdown as HTML: code and emphasis kept, links reduced to their text."""
    text = html.escape(re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", markdown), quote=False)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    return re.sub(r"(\*{1,2}|\b_)(\S(?:.*?\S)?)\1", r"<em>\2</em>", text)


def duration(seconds):
    """`seconds` for people: ``41 s`` or ``3 min 05 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
