"""The case that a call was made for which did not come back."""

import pytest

from course.grading import cases
from course.grading.checks import Check
from course.grading.plugin import compiled


class _Judge:
    """Takes every answer."""

    def __getattr__(self, name):
        return lambda *arguments, **named: None


def _invert(number):
    return 1 / number


def tried(source):
    """What the failing `call` of a check cell was made for."""
    with pytest.raises(ZeroDivisionError) as raised:
        exec(compiled(source, "<cell 1>"), {"check": _Judge(), "call": _invert})
    return cases.tried(raised.value)


TOLD = {
    "in the check": "check.equal(call(0), 1, 'none', look='above')",
    "over several lines": "check.close(\n    call(\n        0\n    ),\n    1,\n    'none',\n    look='above',\n)",
    "before the check": "got = call(0)\ncheck.shape(got, (2,), 'none', look='above')",
    "after another check": "check.equal(call(1), 1, 'one')\ngot = call(0)\ncheck.between(got, 0, 1, 'none', look='above')",
    "by name": "got = call(0)\ncheck.true(got > 1, case='none', look='above')",
    "in a loop": "for case, n in ('one', 1), ('none', 0):\n    got = call(n)\n    check.equal(got, 1, case, look='above')",
    "in a function": "def both(n):\n    return call(n)\ncheck.equal(both(0), 1, 'none', look='above')",
    "call and check in a function": "def both(n, case):\n    got = call(n)\n    check.equal(got, 1, case, look='above')\nboth(1, 'one')\nboth(0, 'none')\ncheck.equal(1, 1, 'later')",
    "in a loop in a loop": "for case, n in ('one', 1), ('none', 0):\n    for k in 2, 1:\n        got = call(n * k)\n    check.equal(got, 1, case, look='above')",
}  # fmt: skip


@pytest.mark.parametrize("source", TOLD.values(), ids=TOLD)
def test_the_case_is_that_of_the_next_check(source):
    assert tried(source) == ("none", "above")


NOT_TOLD = {
    "a loop whose check stands above": "for n in 2, 1, 0:\n    check.equal(n, n, 'before')\n    got = call(n)\ncheck.equal(got, 1, 'later')",
    "no check below": "check.equal(call(1), 1, 'one')\ncall(0)",
    "the text of the round before": "for n in 1, 0:\n    got = call(n)\n    case = f'{n}'\n    check.equal(got, 1, case)",
    "a name that is not there": "got = call(0)\ncheck.equal(got, 1, later)",
    "what the call was to give": "got = call(0)\ncheck.equal(got, 1, f'{got}')",
    "no case": "got = call(0)\ncheck.equal(got)",
    "no text": "got = call(0)\ncheck.equal(got, 1, 7)",
}  # fmt: skip


@pytest.mark.parametrize("source", NOT_TOLD.values(), ids=NOT_TOLD)
def test_a_case_that_cannot_be_told_is_empty(source):
    assert tried(source) == ("", "")


def test_an_error_from_elsewhere_has_no_case():
    with pytest.raises(ZeroDivisionError) as raised:
        _invert(0)
    assert cases.tried(raised.value) == ("", "")


def test_a_call_that_never_ends_is_not_caught_by_raises():
    """KernelEnded passes through it, as an interrupt does."""
    source = "check.raises(ValueError, call, case='none', look='above')\ncheck.equal(1, 1, 'one')\n"

    def call():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as raised:
        exec(compiled(source, "<cell 1>"), {"check": Check(), "call": call})
    assert cases.tried(raised.value) == ("none", "above")
