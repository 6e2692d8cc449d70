"""A real browser for the tests of web pages: headless Chromium, through its command line."""

import html
import json
import os
import shutil
import subprocess

import pytest

PHONE = 390  # pixels, of most phones
DARK = "--blink-settings=preferredColorScheme=0"
# What a page is asked, by a script in a copy of it.
PROBE = """<script id="probe">
addEventListener("load", () => {
  const root = document.documentElement;
  const elements = [...document.querySelectorAll("*")].filter((e) => e.id != "probe");
  const depth = (e) => e.parentElement ? 1 + depth(e.parentElement) : 0;
  parent.postMessage({
    width: root.clientWidth,
    pageWidth: root.scrollWidth,
    tooWide: [...document.querySelectorAll("body *:not(.scroll *, pre *)")]
      .filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1)
      .map((e) => e.tagName + "." + e.className),
    requests: performance.getEntriesByType("resource").map((entry) => entry.name),
    title: document.title,
    ran: window.ran === true,
    elements: elements.map((e) => [depth(e), e.tagName.toLowerCase()]),
    handlers: elements.flatMap((e) => e.getAttributeNames()).filter((n) => n.startsWith("on")),
    text: document.body.innerText,
    ink: getComputedStyle(document.body).color,
  }, "*");
});
</script>"""
# Chromium's own window is at least 500 pixels wide; a frame may be of any width.
FRAME = '<iframe src="{page}" style="border: 0; width: {width}px; height: {height}px"></iframe>'
FRAMES = """<!DOCTYPE html><title>frames</title><body style="margin: 0">{frames}
<pre id="answers"></pre><script>
const answers = Array.from(frames, () => null);
addEventListener("message", (event) => {{
  answers[Array.from(frames).indexOf(event.source)] = event.data;
  document.querySelector("#answers").textContent = JSON.stringify(answers);
}});
</script>"""


def find():
    """Chromium's path. Where there is none, the test is skipped, but fails on CI."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = next((path for path in map(shutil.which, names) if path), None)
    if path is None:
        message = "There is no Chromium here. Install it (Debian: apt-get install chromium)."
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path


def run(page, folder, *options):
    """Open the file `page`; what Chromium wrote to standard output. `folder` is for its files."""
    done = subprocess.run(
        [
            find(),
            "--headless",
            "--no-sandbox",  # Chromium's own, which root may not have
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            f"--user-data-dir={folder / 'profile'}",
            *options,
            page.as_uri(),
        ],
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
    return done.stdout.decode("utf-8")


def without_policy(text):
    """An HTML page without its content security policy, so that nothing but its markup guards it."""
    head, meta, tail = text.partition('<meta http-equiv="Content-Security-Policy"')
    assert meta, "the page has no content security policy"
    return head + tail.partition(">")[2]


def ask(paths, folder, width=PHONE):
    """What PROBE says (a dict each) in copies of the files `paths`, without policy, this wide.

    A busy machine may print the page before all frames have spoken: those are asked again.
    """
    answers = {}
    for _ in range(5):
        silent = [path for path in paths if path not in answers]
        if silent:
            said = _ask_once(silent, folder, width)
            answers |= {path: text for path, text in zip(silent, said, strict=True) if text}
    assert len(answers) == len(set(paths)), "a page did not answer"
    return [answers[path] for path in paths]


def _ask_once(paths, folder, width):
    frames = []
    for number, path in enumerate(paths):
        copy = folder / f"copy-{number}.html"
        text = without_policy(path.read_text(encoding="utf-8"))
        copy.write_text(text.replace("</body>", PROBE + "</body>"), encoding="utf-8")
        frames.append(FRAME.format(page=copy.name, width=width, height=1000))
    page = folder / "frames.html"
    page.write_text(FRAMES.format(frames="".join(frames)), encoding="utf-8")
    dom = run(page, folder, "--dump-dom", "--virtual-time-budget=20000")
    answers = html.unescape(dom.partition('<pre id="answers">')[2].partition("</pre>")[0])
    return json.loads(answers) if answers else [None] * len(paths)


def screenshot(path, folder, width=PHONE, height=1600, options=()):
    """The path of a picture (PNG) of the file `path`, at least 500 pixels wide."""
    page, picture = folder / "frames.html", folder / f"{path.stem}-{width}.png"
    frame = FRAME.format(page=path.as_uri(), width=width, height=height)
    page.write_text(FRAMES.format(frames=frame), encoding="utf-8")
    size = f"--window-size={max(width, 500)},{height}"
    run(page, folder, size, f"--screenshot={picture}", *options)
    return picture
