"""The form of every notebook: one test a rule, one case a file (rules: notebook_form.py)."""

import notebook_form as form
import pytest

FOLDER = form.ROOT / "notebooks"
LESSONS = sorted(FOLDER.glob("*.ipynb"))
SOLUTIONS = sorted(FOLDER.glob("solutions/*.ipynb"))
EXERCISES = sorted(FOLDER.glob("exercises/*.ipynb"))


def cases(*paths):
    return pytest.mark.parametrize(
        "path", paths, ids=[path.relative_to(FOLDER).as_posix() for path in paths]
    )


lessons = cases(*LESSONS)
opened_in_cloud = cases(*LESSONS, *EXERCISES)
everything = cases(*LESSONS, *SOLUTIONS, *EXERCISES)


def assert_none(path, problems):
    assert not problems, "\n".join([f"{path.relative_to(form.ROOT)}:", *problems])


def test_there_are_lessons():
    assert LESSONS, f"No notebooks in {FOLDER}."


@lessons
def test_code_cells_are_short(path):
    assert_none(path, form.cell_lengths(form.read(path)))


@lessons
def test_prose_matches_code_in_length(path):
    assert_none(path, form.prose_share(form.read(path)))


@lessons
def test_prose_stands_between_code_cells(path):
    assert_none(path, form.code_after_code(form.read(path)))


@lessons
def test_first_cell_says_title_aims_needs_and_minutes(path):
    assert_none(path, form.first_cell(form.read(path)))


@opened_in_cloud
def test_badges_point_to_this_file(path):
    assert_none(path, form.badges(form.read(path)))


@lessons
def test_lessons_go_on_after_a_restart_where_they_say_so(path):
    assert_none(path, form.restarts(form.read(path)))


@everything
def test_first_code_cell_brings_the_course(path):
    assert_none(path, form.brings_the_course(form.read(path)))


@lessons
def test_setup_cell_is_the_same_everywhere(path):
    expected = form.read(LESSONS[0]).code[0].source
    assert_none(path, form.setup_cell(form.read(path), expected))


@lessons
def test_closing_sections_mirror_the_aims(path):
    assert_none(path, form.closing(form.read(path)))


@everything
def test_figures_have_alt_text(path):
    assert_none(path, form.figure_alt_text(form.read(path)))


@everything
def test_images_in_prose_have_alt_text(path):
    assert_none(path, form.markdown_alt_text(form.read(path)))


@everything
def test_cell_ids_are_readable_and_unique(path):
    assert_none(path, form.cell_ids(form.read(path)))


@everything
def test_file_is_formatted(path):
    assert_none(path, form.is_canonical(form.read(path)))


@everything
def test_file_is_small(path):
    assert_none(path, form.size(form.read(path)))


@lessons
def test_cells_were_executed_in_order(path):
    assert_none(path, form.executed_in_order(form.read(path)))


@everything
def test_errors_are_meant(path):
    assert_none(path, form.no_stray_errors(form.read(path)))


@everything
def test_no_stderr_is_stored(path):
    assert_none(path, form.no_stderr(form.read(path)))


@lessons
def test_two_thirds_of_printing_cells_are_compared(path):
    assert_none(path, form.compared_share(form.read(path)))


@everything
def test_outputs_name_no_folder_of_a_machine(path):
    assert_none(path, form.no_machine_paths(form.read(path)))


@everything
def test_relative_links_resolve(path):
    assert_none(path, form.links(form.read(path)))


@everything
def test_stored_outputs_come_from_synthetic_data(path):
    assert_none(path, form.synthetic_data(form.read(path)))


@pytest.mark.slow
@everything
def test_no_figure_shows_a_real_photograph(path, real_data):
    assert_none(path, form.real_pictures(form.read(path), real_data))
