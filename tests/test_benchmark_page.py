"""The benchmarks' page: every table in it is what the results say."""

import html
import re
import statistics

import pytest

from benchmarks import difficulty, page, tables

OLD = "run python -m benchmarks.page"


def test_the_page_is_what_the_results_say():
    text = page.README.read_text(encoding="utf-8")
    assert page.filled(text) == text, OLD


def test_every_table_has_its_place_on_the_page():
    named = page.BLOCK.findall(page.README.read_text(encoding="utf-8"))
    assert sorted(named) == sorted(tables.TABLES)


def test_a_rate_of_the_table_can_be_typed_to_run_its_row_again():
    lines = [line.split(" | ") for line in tables.accuracy().splitlines()]
    column = lines[0].index("rate")
    shown = {float(line[column]) for line in lines[2:]}
    assert shown == {row["rate"] for row in tables.rows("accuracy-real-laptop")}


def test_scenes_are_by_default_those_of_the_page():
    assert tables.values(tables.rows("difficulty"), "seed") == list(difficulty.SEEDS)


def test_every_plot_on_the_page_is_there():
    text = page.README.read_text(encoding="utf-8")
    files = re.findall(r"!\[.+\]\((plots/.+\.svg)\)", text)
    assert files
    for file in files:
        assert (page.README.parent / file).is_file()


def written(plot):
    """The texts of a plot, in its order."""
    svg = (page.README.parent / "plots" / f"{plot}.svg").read_text(encoding="utf-8")
    return [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


def test_the_scores_in_the_plot_are_those_of_the_results():
    best = {}
    for row in tables.rows("accuracy-real-laptop", seed=0):
        run = row["network"], row["augment"], row["minutes"]
        best[run] = max(best.get(run, 0), row["mIoU"])
    expected = sorted(f"{tables.score(score)} · {run[2]:g} min" for run, score in best.items())
    texts = written("accuracy")
    assert sorted(text for text in texts if text.endswith(" min")) == expected, OLD
    named = {f"{network}, {augment}" for network, augment, _ in best}
    assert sorted(text for text in texts if text in named) == sorted(named), OLD


def test_the_plot_of_the_recipe_has_its_changes_in_the_order_of_their_scores():
    found = tables.rows("recipe-real-laptop")
    epochs = min(row["base's epochs"] for row in found)
    scores = {}
    for row in found:
        if row["base's epochs"] == epochs:
            scores.setdefault(row["change"], []).append(row["mIoU"])
    expected = sorted(scores, key=lambda change: statistics.fmean(scores[change]))
    assert [text for text in written("recipe") if text in scores] == expected, OLD


def test_the_plot_of_the_lessons_names_them_all():
    expected = [row["lesson"] for row in tables.lessons()]
    assert [text for text in written("lessons") if text in expected] == expected, OLD


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, ".123"), (-0.0666, "-.067"), (1.0, "1.000"), (0.9999, "1.000"), (0.0, ".000")],
)
def test_scores_are_printed_without_the_nought(value, text):
    assert tables.score(value) == text


def test_spread_and_mean():
    assert tables.spread([0.1, 0.1001]) == ".100"
    assert tables.spread([0.3, 0.1, 0.2]) == ".100 to .300"
    assert tables.spread([12, 7], digits=0) == "7 to 12"
    assert tables.mean([0.1, 0.2]) == ".150 (.100 to .200)"
    assert tables.mean([0.1]) == ".100"


def test_a_table_is_made_anew_and_what_stands_around_it_stays(monkeypatch):
    monkeypatch.setitem(tables.TABLES, "some", lambda: tables.markdown(["a", "b"], [[1, 2]]))
    old = "Before.\n\n<!-- some -->\n\nold\n\n<!-- end -->\n\nAfter."
    new = (
        "Before.\n\n<!-- some -->\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n<!-- end -->\n\nAfter."
    )
    assert page.filled(old) == new == page.filled(new)
