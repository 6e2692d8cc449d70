"""The checks that exercises call: strict about kind and shape before values, and told in words."""

import numpy as np
import pytest

from course.grading.checks import (
    Check,
    CheckFailed,
    CodeStopped,
    NotAttempted,
    StudentError,
    describe,
    difference,
    student_error,
)
from course.grading.plugin import compiled
from course.grading.values import Opaque

NAN, INF = float("nan"), float("inf")
X = np.array([1.0, 2.0])


@pytest.fixture
def check():
    return Check()


def failure(act):
    with pytest.raises(CheckFailed) as raised:
        act()
    return raised.value


ALIKE = {
    "floats": (0.1 + 0.2, 0.3),
    "an integer for a float": (2, 2.0),
    "a scalar of numpy": (np.float32(0.5), 0.5),
    "an array without sides for a number": (np.array(0.5), 0.5),
    "arrays": (X + 1e-9, X),
    "another precision": (X.astype("f4"), X),
    "other integers": (np.array([1, 2], "u1"), np.array([1, 2])),
    "NaN where it is expected": (np.array([1, NAN]), np.array([1, NAN])),
    "infinity where it is expected": (np.array([INF, -INF]), np.array([INF, -INF])),
    "a tuple for a list": ((1.0, X), [1.0, X]),
    "dictionaries": ({"a": X, "b": 1}, {"b": 1, "a": X}),
    "empty arrays of one shape": (np.zeros((0, 3)), np.zeros((0, 3))),
    "booleans": (np.array([True, False]), np.array([True, False])),
    "None": (None, None),
    "texts": ("a", "a"),
}
UNLIKE = {
    "another value": (0.31, 0.3, "0.31, a float"),
    "a float for an integer": (2.0, 2, "an integer"),
    "a boolean for an integer": (True, 1, "True, a boolean"),
    "an integer for a boolean": (1, True, "1, an integer"),
    "a float array for an integer array": (X, X.astype(int), "integer numbers were expected"),
    "an integer array for a float array": (X.astype(int), X, "float numbers were expected"),
    "a boolean array": (X > 0, X, "float numbers were expected"),
    "a number for an array": (1.0, X, "an array was expected"),
    "a list for an array": ([1.0, 2.0], X, "an array was expected"),
    "an array for a number": (X, 1.0, "a single number was expected"),
    "an empty array": (np.array([]), X, "the shape (2,) was expected"),
    "a shape that broadcasts": (X[:, None], X, "the shape (2,) was expected"),
    "an array of one for a number": (np.array([0.3]), 0.3, "a single number was expected"),
    "NaN for a number": (NAN, 0.3, "nan"),
    "a number for NaN": (0.3, NAN, "0.3"),
    "NaN among numbers": (np.array([1, NAN]), X, "[1]: 2.0 expected, nan got"),
    "infinity of the other sign": (np.array([1, -INF]), np.array([1, INF]), "1 of 2 entries"),
    "None": (None, X, "is a `return` missing?"),
    "a shorter list": ([1.0], [1.0, 2.0], "2 entries were expected, not 1"),
    "an entry of a list": ([1.0, 3.0], [1.0, 2.0], "entry 1 differs: 2.0 expected, 3.0 got"),
    "an entry of an entry": (
        [(0, 1)],
        [(0, 2)],
        "in entry 0, entry 1 differs: 2 expected, 1 got",
    ),
    "a text in a list": (["abc"], ["abd"], "entry 0 differs: 'abd' expected, 'abc' got"),
    "the end of a long text": (
        ["a" * 90],
        ["a" * 90 + "."],
        f"'…{'a' * 20}.' expected, '…{'a' * 20}' got",
    ),
    "None in a list": ([None], [True], "entry 0 differs: True expected, None got"),
    "a text for a list": ("ab", ["a", "b"], "a list or tuple was expected"),
    "other keys": ({"a": 1}, {"a": 1, "b": 2}, "the keys a, b was expected"),
    "a value of a dictionary": ({"a": 1}, {"a": 2}, "'a' differs: 2 expected, 1 got"),
    "another text": ("a", "b", "'a', a string"),
    "an object": (object(), X, "not a plain value (object)"),
    "a function": (len, 1.0, "not a plain value"),
    "complex numbers": (X + 0j, X, "not a plain value"),
    "something of theirs for a pair": (Opaque("f", 0), ["f", 0], "a list or tuple was expected"),
}


@pytest.mark.parametrize(("got", "expected"), ALIKE.values(), ids=ALIKE)
def test_close_passes(check, got, expected):
    check.close(got, expected, "a case")


@pytest.mark.parametrize(("got", "expected", "words"), UNLIKE.values(), ids=UNLIKE)
def test_close_fails_and_says_how(check, got, expected, words):
    error = failure(lambda: check.close(got, expected, "a case", look="the axis"))
    assert words in error.expected + error.got
    assert (error.case, error.look, error.status) == ("a case", "the axis", "wrong")
    assert str(error).splitlines()[0] == "check: not yet. Case: a case"
    assert str(error).endswith("look at   the axis")


def test_the_tolerance_is_that_of_allclose(check):
    rng = np.random.default_rng(0)
    for _ in range(300):
        a = rng.normal(size=4)
        b = a + rng.normal(size=4) * 10.0 ** rng.integers(-9, 1)
        assert (difference(a, b, 1e-3, 1e-4) == "") == np.allclose(a, b, 1e-3, 1e-4)


def test_equal_has_no_tolerance(check):
    check.equal(X, X.copy(), "alike")
    failure(lambda: check.equal(X + 1e-12, X, "nearly"))
    failure(lambda: check.equal(np.nextafter(0.3, 1), 0.3, "nearly"))
    error = failure(lambda: check.equal([0.1 + 0.2], [0.3], "nearly"))
    assert error.got.endswith("0.3 expected, 0.30000000000000004 got")


def test_large_integers_are_compared_exactly(check):
    check.equal(2**60, 2**60, "alike")
    failure(lambda: check.equal(2**60 + 1, 2**60, "one more"))
    failure(lambda: check.equal(np.array([2**60 + 1]), np.array([2**60]), "one more"))


def test_unsigned_and_signed_do_not_wrap_around(check):
    failure(lambda: check.equal(np.array([255], "u1"), np.array([-1], "i1"), "wrapped"))
    failure(lambda: check.equal(np.array([2**64 - 1], "u8"), np.array([-1]), "wrapped"))


def test_shape(check):
    check.shape(np.zeros((2, 3)), (2, 3), "a case")
    check.shape(np.zeros((2, 3), int), [2, 3], "a case")
    for got in (np.zeros((3, 2)), np.zeros(6), [[0, 0, 0]] * 2, None, len, np.full((2, 3), NAN)):
        failure(lambda got=got: check.shape(got, (2, 3), "a case"))
    error = failure(lambda: check.shape(np.full((2, 3), INF), (2, 3), "a case"))
    assert error.expected == "finite numbers"


def test_between(check):
    for got in (0, 1, 0.5, np.float32(1), np.array(0.5), np.array([0.0, 1.0])):
        check.between(got, 0, 1, "a case")
    bad = [-1e-9, 1.1, NAN, INF, True, None, "0.5", [0.5], np.array([0.5, NAN]), np.array([])]
    for got in [*bad, np.array([True]), len]:
        error = failure(lambda got=got: check.between(got, 0, 1, "a case"))
        assert error.expected == "from 0 to 1"


def test_true(check):
    check.true(True, "a case")
    check.true(np.bool_(True), "a case")
    for got in (False, 1, "x", [True], None, np.array([True]), object()):
        error = failure(lambda got=got: check.true(got, "a case", expected="e", got="g"))
        assert (error.expected, error.got) == ("e", "g")


class Special(KeyError):
    pass


def test_raises(check):
    def raising(error):
        raise error

    check.raises(ValueError, raising, ValueError("x"), case="a case")
    check.raises(LookupError, raising, Special("x"), case="a class below")
    check.raises(ValueError, lambda *, text: int(text), text="x", case="a named argument")
    error = failure(lambda: check.raises(ValueError, raising, KeyError("k"), case="c"))
    assert error.expected == "ValueError is raised"
    assert error.got.startswith("KeyError: 'k'")
    error = failure(lambda: check.raises(ValueError, lambda: 3.0, case="c"))
    assert error.got == "3.0, a float"
    check.raises(ValueError, raising, ValueError("id 15"), saying="15", case="a message")
    error = failure(lambda: check.raises(ValueError, raising, ValueError(), saying="15", case="c"))
    assert error.expected == "ValueError is raised, its message naming 15"
    assert error.got == "ValueError"
    with pytest.raises(NotAttempted):
        check.raises(ValueError, raising, NotImplementedError(), case="c")
    check.raises(NotImplementedError, raising, NotImplementedError(), case="c")
    error = failure(lambda: check.raises(ValueError, raising, NotImplementedError("x"), case="c"))
    assert error.got.startswith("NotImplementedError: x")


def test_a_class_of_theirs_with_a_built_in_name_is_that_name_alone(check):
    fake = type("ValueError", (Exception,), {})

    def raising():
        raise fake

    assert student_error(fake()).names == ("ValueError", "Exception", "BaseException", "object")
    check.raises(ValueError, raising, case="they raised what they named so")


def test_a_cell_of_checks_prints_one_line(check, capsys):
    with check("task") as same:
        same.close(1.0, 1.0, "a case")
    assert capsys.readouterr().out == "task: every check in this cell passes.\n"


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (NotImplementedError(), NotAttempted, "not attempted"),
        (StudentError(["NotImplementedError", "RuntimeError"]), NotAttempted, "not attempted"),
        (NotImplementedError("Cannot convert a symbolic tensor"), CodeStopped, "error"),
        (StudentError(["NotImplementedError"], "Cannot convert"), CodeStopped, "error"),
        (ValueError("bad value"), CodeStopped, "error"),
        (StudentError(["KeyError"], "k", "line 3: `d[k]`"), CodeStopped, "error"),
    ],
)
def test_what_their_code_raises_is_told_apart(check, error, kind, status):
    with pytest.raises(kind) as raised, check("task"):
        check.true(True, "the case before")
        raise error
    assert raised.value.status == status
    assert raised.value.task == "task"


def test_a_name_that_is_missing_is_not_attempted(check):
    with pytest.raises(NotAttempted, match="`absent` is not defined"), check("task"):
        absent()  # noqa: F821


def test_code_that_stopped_says_where(check):
    with pytest.raises(CodeStopped) as raised, check("task"):
        raise StudentError(["ZeroDivisionError"], "division by zero", "line 2: `a / b`")
    assert raised.value.case
    assert raised.value.got == (
        "your code stopped with ZeroDivisionError: division by zero (line 2: `a / b`)"
    )


@pytest.fixture
def failure_of(check):
    """A function from a student's cell and a check cell to what the check says."""

    def run(answer, judge):
        names = {"check": check, "close": print}
        exec(compiled(answer, "<cell 0>"), names)
        with pytest.raises(CheckFailed) as raised, check("task"):
            exec(compiled(judge, "<cell 1>"), names)
        return raised.value

    return run


INVERT = "def answer(n):\n    return 1 / n\n"


def test_the_call_that_stopped_is_named_without_its_comma(failure_of):
    error = failure_of(INVERT, "close(\n    answer(0),\n    1,\n)\n")
    assert error.case == "the call `answer(0)`"


def test_a_call_that_stopped_says_its_case_and_where_to_look(failure_of):
    judge = "check.equal(got, 1, 'a zero', look='what is 1 / 0?')"
    error = failure_of(INVERT, f"got = answer(0)\n{judge}\n")
    assert error.status == "error"
    assert error.case == "a zero"
    assert error.got.endswith("division by zero (line 2: `return 1 / n`)")
    assert error.look == (
        "the line named above; the check was at `got = answer(0)`. For this case: what is 1 / 0?"
    )


def test_what_stops_the_check_itself_is_not_said_to_have_stopped_the_answer(failure_of):
    judge = "check.equal(answer()[0], 1, 'the first', look='a list')"
    error = failure_of("def answer():\n    pass\n", judge)
    assert error.status == "wrong"
    assert (error.case, error.look) == ("the first", "a list")
    assert error.got.startswith("one that stopped it with TypeError: 'NoneType'")


def test_an_assert_of_the_check_is_a_wrong_answer(failure_of):
    error = failure_of("def answer():\n    return 1\n", "assert answer() == 2")
    assert error.status == "wrong"
    assert error.case == "the check's line `assert answer() == 2`"
    assert not error.got


def test_a_failure_passes_through_as_it_is(check):
    with pytest.raises(CheckFailed) as raised, check("task"):
        check.equal(1, 2, "a case")
    assert type(raised.value) is CheckFailed


def test_exits_and_interrupts_are_no_verdict(check):
    for error in (KeyboardInterrupt, SystemExit):
        with pytest.raises(error), check("task"):
            raise error


def test_a_message_that_cannot_be_had_is_empty():
    class Broken(Exception):
        def __str__(self):
            raise ValueError

    assert student_error(Broken()).message == ""


def test_everybody_draws_the_same_and_each_task_its_own(check):
    def draw(check, task):
        with check(task):
            return check.rng().integers(0, 10**9)

    assert draw(check, "a") == draw(Check(), "a") != draw(check, "b")
    assert draw(Check(lambda task: 5), "a") == np.random.default_rng(5).integers(0, 10**9)


DESCRIBED = {
    "a small array": (X, "an array of shape (2,), float64: [1., 2.]"),
    "a large array": (np.arange(100), "an array of shape (100,), int64, from 0 to 99"),
    "NaN in a large one": (np.full(30, NAN), "an array of shape (30,), float64, 30 entries NaN or infinite"),
    "an empty one": (np.zeros((0, 2)), "an array of shape (0, 2), float64, empty"),
    "None": (None, "None (is a `return` missing?)"),
    "a text": ("a", "'a', a string"),
    "a boolean": (True, "True, a boolean"),
    "an integer": (3, "3, an integer"),
    "a float": (0.25, "0.25, a float"),
    "a list": ([1, "a", 0.5], "a list of 3: [1, 'a', 0.5]"),
    "a dictionary": ({"a": 1}, "a dictionary {'a': 1, an integer}"),
    "an object": (Opaque("Dense"), "something that is not a plain value (Dense)"),
}  # fmt: skip


@pytest.mark.parametrize(("value", "words"), DESCRIBED.values(), ids=DESCRIBED)
def test_describe(value, words):
    assert describe(value) == words


@pytest.mark.parametrize(
    "value",
    ["a" * 10**6, list(range(10**5)), {i: "b" * 999 for i in range(99)}, 7**2000, np.zeros(10**6)],
    ids=["text", "list", "dictionary", "number", "array"],
)
def test_descriptions_are_short(value):
    assert len(describe(value)) <= 700


def test_what_jupyter_shows_is_the_message_alone():
    error = CheckFailed("task", "a case", "1", "2", "the axis")
    assert error._render_traceback_() == str(error).splitlines()
