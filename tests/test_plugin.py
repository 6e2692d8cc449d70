"""Where a check is judged: in the notebook as it was at its place, at no other task's cost."""

import re
import time

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course.grading import author, checks, kernels, plugin, session, submissions

pytestmark = pytest.mark.kernels

SETUP = "import numpy as np\nfrom course.grading import check"
SECRET = "918273"
LIMITS = session.Limits(wall=120, cpu=120)


@pytest.fixture
def grade(server, tmp_path):
    """A function from tasks to what each check cell was given.

    A task is an answer, its check cell and, where it differs, what the author's solution would be.
    `above` has given cells by the number of the task below them.
    """

    def run(*tasks, cell_seconds=5, notebook_seconds=60, setup=SETUP, above=None):
        cells, handed_in = [author.Cell("given", "", setup)], []
        for number, (answer, check, *solution) in enumerate(tasks, 1):
            if number in (above or {}):
                cells.append(author.Cell("given", "", above[number]))
            cells.append(author.Cell("solution", f"task{number}", *(solution or [answer])))
            cells.append(author.Cell("check", f"task{number}-check", check, points=1))
            about = {"nbgrader": {"grade_id": f"task{number}", "solution": True}}
            handed_in.append(new_code_cell(answer, metadata=about))
        path = tmp_path / "own.ipynb"
        nbformat.write(new_notebook(cells=handed_in), path)
        settings = session.Settings(
            server, b"the key of these tests", LIMITS, cell_seconds, notebook_seconds
        )
        assignments = {"own": author.Assignment("own", tuple(cells), "")}
        result = session.grade(submissions.Submission("ada", "own", path), assignments, settings)
        assert result["status"] == "graded", result["reason"]
        return result["tasks"]

    return run


def check(task, visible="", hidden="", above=""):
    """A check cell; its visible and its hidden part are one statement each."""
    lines = [above, f'with check("{task}"):', f"    {visible or 'pass'}"]
    if hidden:
        lines += ["    ### BEGIN HIDDEN TESTS", f"    {hidden}", "    ### END HIDDEN TESTS"]
    return "\n".join(lines).lstrip()


def statuses(tasks):
    return [task["status"] for task in tasks]


DOUBLE = (
    "def helper(x):\n    return x\n\ndef double(x):\n    return helper(x) + helper(x)",
    check("task1", "check.equal(double(2), 4, 'two')", f"check.equal(double({SECRET}), 1836546, 'more')"),
)  # fmt: skip
DIES = (
    f"import os\ndef third(x):\n    return 3 * x if x != {SECRET} else os._exit(1)",
    check("task1", "check.equal(third(2), 6, 'two')", f"check.equal(third({SECRET}), 0, 'more')"),
)


# The place of a check


def test_a_helper_that_a_later_task_defines_anew_costs_nothing(grade):
    later = (
        "def helper(x, y):\n    return x + y\n\ndef triple(x):\n    return helper(helper(x, x), x)",
        check("task2", "check.equal(triple(2), 6, 'two')", "check.equal(triple(5), 15, 'five')"),
    )
    assert statuses(grade(DOUBLE, later)) == ["right", "right"]


def test_what_a_later_task_changes_in_place_costs_nothing(grade):
    filled = "stock = [1, 2]\ndef total():\n    return sum(stock)"
    total = check("task1", "check.equal(total(), 3, 'all')", "check.equal(total(), 3, 'again')")
    emptied = "stock.clear()\ndef count():\n    return len(stock)"
    count = check("task2", "check.equal(count(), 0, 'none')", "check.equal(count(), 0, 'again')")
    assert statuses(grade((filled, total), (emptied, count))) == ["right", "right"]


def test_what_a_visible_part_made_is_there_for_the_hidden_one_whoever_died_before(grade):
    maker = "def maker():\n    return lambda x: x + 1"
    made = check(
        "task2", "m = maker(); check.equal(m(1), 2, 'one')", "check.equal(m(5), 6, 'five')"
    )
    assert statuses(grade(DIES, (maker, made), DOUBLE)) == ["stopped", "right", "right"]


def test_what_a_function_returns_in_a_list_can_be_called(grade):
    makes = "def make():\n    return [lambda x: x + 1, {'by': (3, lambda x: 2 * x)}]"
    seen = "check.equal(make()[0](2), 3, 'one more')"
    hidden = "check.equal(make()[1]['by'][1](4), 8, 'twice')"
    assert statuses(grade((makes, check("task1", seen, hidden)))) == ["right"]


# What given cells define, on the grader's side


def given(*cells, check, solution="def area(mask): pass"):
    """The given cells (sources, numbered from 0) as the check below them finds them."""
    made = [author.Cell("given", "", source) for source in (SETUP, *cells)]
    made += [author.Cell("solution", "task1", solution)]
    made += [author.Cell("check", "task1-check", check, points=1)]
    assignment = author.Assignment("own", tuple(made), "")
    return plugin._Given(assignment, checks.check)


IN_PLACE = {
    "a part": "truth = np.zeros(4, int)\ntruth[1:3] = 1",
    "a part, added to": "truth = np.zeros(4, int)\ntruth[1:3] += 1",
    "a part of an attribute": "truth = np.zeros((2, 2), int)\ntruth.T[0] = 1\ntruth = truth.ravel()[[1, 0, 2, 3]]",
    "a method": "truth = [0, 1]\ntruth.append(1)\ntruth.extend([0])",
    "a method in a loop": "truth = [0]\nfor value in (1, 1, 0):\n    truth.append(value)",
    "a part that is deleted": "truth = [0, 1, 1, 1, 0]\ndel truth[2]",
    "a function of a module": "truth = np.zeros(4, int)\nnp.put(truth, [1, 2], 1)",
    "a seed": "np.random.seed(3)\ntruth = np.random.permutation([0, 1, 1, 0])\n"
    "np.random.seed(3)\ntruth = truth[np.argsort(np.random.permutation(4))]",
    "a generator": "rng = np.random.default_rng(0)\nother = rng.normal(size=3)\nreal = rng.normal()\n"
    "again = np.random.default_rng(0)\ntruth = [0, 1, 1, int(real != again.normal(size=4)[3])]",
    "a name from below": "def late():\n    return early()\n\ndef early():\n    return [0, 1, 1, 0]\n\ntruth = late()",
}  # fmt: skip


@pytest.mark.parametrize("source", IN_PLACE.values(), ids=IN_PLACE)
def test_what_given_cells_change_in_place_is_changed_for_the_checks_too(source):
    names = given(source, check="check.equal(area(truth), 2, 'two')").names(3)
    assert list(names["truth"]) == [0, 1, 1, 0]


def test_what_no_check_needs_does_not_run_here():
    shown = "picture = np.ones(4)\nfigure = []\nfigure.append(picture)\npicture.sum()\nnp.nowhere = 1 / 0"
    names = given(shown, check="check.equal(area([1]), 1, 'one')").names(2)
    assert set(names) == {"__name__", "__builtins__", "check"}


@pytest.mark.parametrize(
    "line", ["np.testing.assert_equal(area([1]), 1)", "value = rng.choice(area([1]))"]
)
def test_what_needs_an_answer_does_not_run_here_for_an_effect_that_it_may_have(line):
    source = f"rng = np.random.default_rng(0)\n{line}"
    check = "check.equal(area(rng.permutation(np.ones(3))), 3, 'three')"
    names = given(source, check=check).names(2)
    assert "value" not in names
    assert names["rng"].normal() == np.random.default_rng(0).normal()


def test_a_list_to_which_given_cells_add_an_answer_cannot_be_had_and_that_is_said():
    found = given(
        "areas = []\nareas.append(area([1]))", check="check.equal(area([1]), areas[0], '')"
    )
    with pytest.raises(checks.AuthorError, match="given cell .* stopped with NameError: .*'area'"):
        found.names(2)


def test_a_check_finds_given_cells_above_it_and_no_others(grade):
    same = "def same(x):\n    return x if np.array_equal(x, image) else None"
    tasks = grade(
        *(
            (
                same,
                check(f"task{n}", "check.equal(same(image), image, 'all')", "check.equal(same(image), image, 'again')"),
            )
            for n in (1, 2)
        ),
        above={1: "image = np.zeros(4)\nimage[1:3] = 1", 2: "image = np.ones(4)"},
    )  # fmt: skip
    assert statuses(tasks) == ["right", "right"]


SCORE = "def score(values):\n    return sum(predict(value) == 1 for value in values)"


@pytest.mark.parametrize(
    ("given", "answer", "status", "said"),
    [
        (SCORE, "def predict(x):\n    return x % 2", "right", ""),
        (SCORE, "def predict(x):\n    return 0", "wrong", "0, an integer"),
        (SCORE, "def other(x): pass", "not attempted", "`predict` is not defined"),
        (SCORE, "def predict(x):\n    raise KeyError(x)", "error", "KeyError: 1"),
        (
            SCORE.replace("== 1", "== ONE"),
            "def predict(x):\n    return x % 2",
            "not checked",
            "`ONE` is not defined in it",
        ),
    ],
)
def test_a_given_function_may_call_an_answer(grade, given, answer, status, said):
    call = check("task1", "check.equal(score([1, 2, 3]), 2, 'two of three')")
    (task,) = grade((answer, call, "def predict(x): pass"), above={1: given})
    assert task["status"] == status
    assert said in task["message"] + str(task["failure"])


def test_a_given_cell_below_a_check_cannot_stop_it(grade):
    double = "check.equal(double(LIMIT), 4, 'two')"
    tasks = grade(
        (DOUBLE[0], check("task1", double)),
        (DOUBLE[0], check("task2", double)),
        above={1: "LIMIT = 2", 2: "LIMIT = undefined_name"},
    )
    assert statuses(tasks) == ["right", "not checked"]


# What a hidden part costs, and what it tells


@pytest.mark.parametrize("end", ["os._exit(1)", "time.sleep(60)", "threading.Timer(0.3, os._exit, [1]).start()"])  # fmt: skip
def test_a_hidden_part_that_ends_the_kernel_costs_its_own_task_alone(grade, end):
    answer = f"import os, threading, time\ndef same(x):\n    if x == {SECRET}:\n        {end}\n    return x"
    same = check(
        "task1", "check.equal(same(2), 2, 'two')", f"check.equal(same({SECRET}), 0, 'more')"
    )
    slow = (
        "import time\ndef slow(x):\n    time.sleep(0.6)\n    return x",
        check("task2", "check.equal(slow(2), 2, 'two')", "check.equal(slow(3), 3, 'three')"),
    )
    tasks = grade((answer, same), slow, DOUBLE, cell_seconds=3)
    assert [task["points"] for task in tasks] == [0, 1, 1]


def test_no_later_cell_and_no_later_check_tells_hidden_inputs(grade):
    keeps = (
        "seen = []\ndef same(x):\n    seen.append(x)\n    return x",
        check("task1", "check.equal(same(2), 2, 'two')", f"check.equal(same({SECRET}), {SECRET}, 'more')"),
    )  # fmt: skip
    tells = "print(seen)\ndef tell():\n    return str(seen)"
    tasks = grade(
        keeps,
        (tells, check("task2", "check.equal(tell(), '', 'what they saw')")),
        ("raise ValueError(seen)", check("task3", "check.equal(absent(), '', 'nothing')")),
    )
    assert statuses(tasks) == ["right", "wrong", "error"]
    assert tasks[1]["failure"]["got"] == "'[]', a string."
    assert SECRET not in str([{**task, "source": ""} for task in tasks])


def test_no_answer_has_two_tries_at_a_hidden_part(grade):
    """Half to even where an earlier hidden call is remembered, half up where it is not."""
    keeps = (
        "calls = []\ndef same(x):\n    calls.append(x)\n    return x",
        check("task1", "check.equal(same(2), 2, 'two')", "check.equal(same(3), 3, 'three')"),
    )
    hedges = (
        "import math\ndef whole(x):\n    return round(x) if len(calls) > 1 else math.floor(x + 0.5)"
    )
    wanted = [
        grade(keeps, (hedges, check("task2", "", f"check.equal(whole(2.5), {n}, 'half')")))[1]["points"]
        for n in (2, 3)
    ]  # fmt: skip
    assert sum(wanted) == 1


def test_a_call_that_blocks_others_later_costs_its_own_kernel_alone(grade):
    blocks = (
        "import re, threading\ndef same(x):\n"
        f"    if x == {SECRET}:\n"
        "        threading.Timer(0.2, re.match, ['(a+)+b', 'a' * 40]).start()\n"
        "    return x",
        check("task1", "check.equal(same(2), 2, 'two')", f"check.equal(same({SECRET}), {SECRET}, 'more')"),
    )  # fmt: skip
    slow = (
        "import time\ndef slow(x):\n    time.sleep(0.6)\n    return x",
        check("task2", "check.equal(slow(2), 2, 'two')", "check.equal(slow(3), 3, 'three')"),
    )
    assert statuses(grade(blocks, slow, cell_seconds=3)) == ["right", "right"]


def test_a_given_cell_that_dies_is_not_the_students_fault(grade):
    (task,) = grade(DOUBLE, cell_seconds=1, setup=f"import time\ntime.sleep(60)\n{SETUP}")
    assert task["status"] == "stopped"


def test_a_cell_that_runs_only_once_costs_its_own_task_alone(grade):
    once = (
        "import os, time\nif time.time() > {until}: os._exit(1)\n"
        "time.sleep(1.5)\ndef early():\n    return 1"
    )
    tasks = grade(
        DOUBLE,
        (once.format(until=time.time() + 1.5), check("task2", "check.equal(early(), 1, 'one')")),
        DOUBLE,
    )
    assert statuses(tasks) == ["right", "stopped", "right"]


def test_what_cells_print_when_they_run_again_is_no_flood(grade):
    prints = "print('x' * 3_000_000)\ndef same(x):\n    return x"
    task = (
        prints,
        check("task", "check.equal(same(2), 2, 'two')", "check.equal(same(3), 3, 'three')"),
    )
    assert statuses(grade(task, task, task)) == ["right"] * 3


# Errors outside `with check(...)`


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ("def maker():\n    raise KeyError('roof')", "error", "KeyError: 'roof'"),
        ("def maker():\n    raise NotImplementedError()", "not attempted", "Write your answer"),
        ("def maker():\n    raise NotImplementedError('of a tensor')", "error", "of a tensor"),
        ("raise NotImplementedError('of a tensor')", "error", "your cell stopped with NotImpl"),
        ("def another(): pass", "not attempted", "`maker` is not defined"),
        ("def maker():\n    return None", "wrong", "TypeError"),  # the check calls what they return
    ],
)
def test_an_error_above_the_checks_costs_that_task_alone(grade, answer, status, said):
    above = check("task1", "check.equal(made, 1, 'one')", above="made = maker()()")
    tasks = grade((answer, above, "def maker(): pass"), DOUBLE)
    assert statuses(tasks) == [status, "right"]
    assert said in tasks[0]["message"] + str(tasks[0]["failure"])


F, G = "def f():\n    return 1", "def g():\n    return 2"
F_AND_G = "check.equal(f() + g(), 3, 'both')"


@pytest.mark.parametrize("hidden", [False, True], ids=["visible", "hidden"])
@pytest.mark.parametrize(
    ("between", "status", "said"),
    [
        ("1 / 0", "error", "your cell stopped with ZeroDivisionError: division by zero"),
        ("import os; os._exit(1)", "stopped", "the kernel died"),
        ("raise NotImplementedError()", "not attempted", "`g` is not defined"),
    ],
)
def test_of_two_names_the_one_that_is_missing_is_told_by_what_stopped_the_cell(
    grade, between, status, said, hidden
):
    cell = check("task1", *(["f()", F_AND_G] if hidden else [F_AND_G]))
    (task,) = grade((f"{F}\n{between}\n{G}", cell, f"{F}\n{G}"))
    if hidden and status == "not attempted":  # of a hidden part that is not told
        status, said = "wrong", ""
    assert task["status"] == status
    assert said in task["message"]


# What an author's check hands over


APPLY = "def apply(function, x):\n    return function(x)"


@pytest.mark.parametrize("hidden", [False, True], ids=["visible", "hidden"])
def test_an_argument_that_cannot_cross_is_the_authors_fault_and_says_so(grade, hidden):
    call = "check.equal(apply(lambda x: x + 1, 2), 3, 'one more')"
    tasks = grade((APPLY, check("task1", *(["", call] if hidden else [call]))), DOUBLE)
    assert statuses(tasks) == ["not checked", "right"]
    assert "not your answer" in tasks[0]["message"]
    assert "argument 1 of the call holds something" in tasks[0]["message"]
    assert "(function)" in tasks[0]["message"]


@pytest.mark.parametrize("hidden", [False, True], ids=["visible", "hidden"])
def test_a_name_that_the_author_forgot_is_no_answer_that_is_missing(grade, hidden):
    call = "check.equal(torch.tensor(apply(abs, -2)), 2, 'two')"
    tasks = grade((APPLY, check("task1", *(["", call] if hidden else [call]))), DOUBLE)
    assert statuses(tasks) == ["not checked", "right"]
    assert "`torch` is not defined in it" in tasks[0]["message"]


IMPORTS = "import numpy as np\ndef twos(n):\n    return 2 * np.ones(n)"
TWOS = check("task1", "check.equal(twos(3), np.array([2.0, 2.0, 2.0]), 'three')")


def test_an_import_in_an_answer_takes_no_module_from_the_check(grade):
    assert statuses(grade((IMPORTS, TWOS), DOUBLE)) == ["right", "right"]


def test_a_module_that_answers_alone_import_is_the_authors_to_import(grade):
    (task,) = grade((IMPORTS, TWOS), setup="from course.grading import check")
    assert task["status"] == "not checked"
    assert "`np` is not defined in it. Import or define it" in task["message"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("import numpy as np\n1 / 0", "ZeroDivisionError"),
        ("import numpy as np\ndef (", "SyntaxError"),
    ],
)
def test_an_import_is_no_answer_that_hides_what_stopped_the_cell(grade, answer, said):
    (task,) = grade((answer, TWOS, IMPORTS))
    assert task["status"] == "error"
    assert said in task["message"]


TRIPLE = "def triple(x):\n    return 3 * x"


@pytest.mark.parametrize("hidden", [False, True], ids=["visible", "hidden"])
@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("check.equal(triple(2), {2}, 'a set')", r"no.* a plain value \(set\).*sorted"),
        ("check.equal([[triple(2)]], [[{2}]], 'inside a list')", r"a plain value \(set\)"),
        ("check.equal(triple(2), 'two', 2)", "name of a case is a text, not 2, an integer"),
        ("check.between(triple(2), 'two', 2, 3)", "name of a case is a text, not 3"),
    ],
)
def test_a_check_that_compares_with_what_it_cannot_is_the_authors_fault(grade, call, said, hidden):
    tasks = grade((TRIPLE, check("task1", *(["", call] if hidden else [call]))), DOUBLE)
    assert statuses(tasks) == ["not checked", "right"]
    assert re.search(said, tasks[0]["message"])


def test_what_a_student_made_may_be_wrong_as_an_expected_value_too(grade):
    """It came from them, so it is no fault of the author's."""
    opaque = "def triple(x):\n    return {3 * x}"
    call = "check.equal(triple(2), triple(2), 'twice the same')"
    assert statuses(grade((opaque, check("task1", call)))) == ["wrong"]


def test_no_expected_error_is_mistaken_for_the_authors(grade):
    call = "check.raises(TypeError, apply, object(), 2, case='no function')"
    (task,) = grade((APPLY, check("task1", call)))
    assert task["status"] == "not checked"
    assert "argument 1 of the call" in task["message"]


def test_a_given_cell_that_stops_is_the_authors_fault_and_says_so(grade):
    setup = f"{SETUP}\nLIMIT = undefined_name"
    (task,) = grade(
        (APPLY, check("task1", "check.equal(apply(abs, -1), LIMIT, 'one')")), setup=setup
    )
    assert task["status"] == "not checked"
    assert "a given cell of the notebook stopped with NameError" in task["message"]


def test_what_a_student_made_comes_back_to_them_out_of_a_list(grade):
    both = "def inner(x):\n    return x + 1\ndef both(functions, x):\n    return functions[0](functions[1](x))"
    call = "check.equal(both([inner, inner], 1), 3, 'twice one more')"
    assert statuses(grade((both, check("task1", call)))) == ["right"]


# Where a call did not come back


@pytest.mark.parametrize(
    ("last", "status"), [("raise ValueError(x)", "error"), ("while True: pass", "stopped")]
)
def test_a_call_that_does_not_come_back_is_named_by_the_case_it_was_made_for(grade, last, status):
    answer = f"def third(x):\n    if x == {SECRET}:\n        {last}\n    return 3 * x"
    seen = "check.equal(third(2), 6, 'two')"
    rows = [f"for size, x in (('small', 4), ('large', {SECRET})):", "    got = third(x)"]
    rows += ["    check.equal(got, 3 * x, f'a {size} number', look='three times')"]
    loop = "\n    ".join(rows)
    tasks = grade(
        (answer, check("task1", seen, loop)), (answer, check("task2", loop)), cell_seconds=2
    )
    assert statuses(tasks) == [status] * 2
    hidden, visible = (task["failure"] for task in tasks)
    why = "it stopped with ValueError" if status == "error" else "it took longer than 2 seconds"
    assert hidden == {"case": f"a large number: {why}", "hidden": True}
    assert visible["case"] == "a large number"
    assert visible["look"].endswith("three times")
    assert SECRET not in repr(tasks[0] | {"source": ""})


@pytest.mark.parametrize(
    "kind", ["type(str(x), (KeyError,), {})", "type(str(x), (Exception,), {})"]
)
def test_of_an_exception_in_a_hidden_case_its_honest_kind_alone_is_told(grade, kind):
    answer = f"def same(x):\n    if x == {SECRET}:\n        raise {kind}(x)\n    return x"
    hidden = f"check.equal(same({SECRET}), 0, 'a number')"
    (task,) = grade((answer, check("task1", "check.equal(same(2), 2, 'two')", hidden)))
    raised = ": it stopped with KeyError" if "KeyError" in kind else ""
    assert task["failure"] == {"case": f"a number{raised}", "hidden": True}


# What a function does to its arguments

CHANGES = {
    "an array": ("def total(x):\n    x += 1\n    return x.sum() - x.size", "np.arange(3)"),
    "a list": ("def total(x):\n    return sum(x.pop() for _ in range(3))", "[0, 1, 2]"),
    "an entry of a list": (
        "def total(x):\n    x[0] += 1\n    return x[0].sum() - 3",
        "[np.arange(3)]",
    ),
    "by name": ("def total(x):\n    return sum(x.pop() for _ in range(3))", "x=[0, 1, 2]"),
    "beyond what can cross": (
        "def total(x):\n    x.append(np.zeros(2**24))\n    return 3",
        "[0, 1, 2]",
    ),
}


@pytest.mark.parametrize(("answer", "given"), CHANGES.values(), ids=CHANGES)
def test_who_changes_an_argument_is_told_and_loses_nothing(grade, answer, given):
    seen = check("task1", f"check.equal(total({given}), 3, 'a sum')")
    unseen = check("task2", "check.equal(1, 1, 'one')", f"check.equal(total({given}), 3, 'a sum')")
    keeps = (
        "def keep(x):\n    x = x + 1\n    return x",
        check("task3", "check.equal(keep(1), 2, 'one')"),
    )
    tasks = grade((answer, seen), (answer, unseen), keeps)
    assert statuses(tasks) == ["right"] * 3
    assert [("changed a list or an array" in task["message"]) for task in tasks] == [
        True,
        False,  # by a hidden input, which it would tell of
        False,
    ]


# Time


def test_a_task_for_which_no_time_was_left_is_told_so(grade):
    endless = "def endless():\n    while True: pass"
    call = check("task", "endless()")
    tasks = grade(*[(endless, call)] * 3, DOUBLE, cell_seconds=3, notebook_seconds=8)
    assert statuses(tasks) == ["stopped"] * 4
    assert tasks[0]["message"] == "stopped: it took longer than 3 seconds"
    assert tasks[2]["message"] == tasks[3]["message"]
    assert "the 8 seconds of the whole notebook were used up" in tasks[3]["message"]


def test_cells_that_do_not_come_to_their_end_again_take_no_time_of_the_students(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(plugin.time, "monotonic", lambda: now[0])
    made = plugin.Plugin(None, None, {}, None, None, cell_seconds=5, notebook_seconds=60)
    made.start_clock()
    with pytest.raises(kernels.KernelEnded), made.running_again():
        now[0] = 1000.0
        made.seconds(again=True)
    assert made.until == 1060.0


def test_what_is_run_again_takes_no_time_of_the_students(grade):
    slow = "import time\ntime.sleep(1.5)\ndef same(x):\n    return x"
    task = slow, check("task", "check.equal(same(2), 2, 'two')", "check.equal(same(3), 3, 'three')")
    assert statuses(grade(task, task, task, notebook_seconds=8)) == ["right"] * 3
