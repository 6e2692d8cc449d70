"""What the check cells of an exercise call: ``from course.grading import check``.

A check cell reads ::

    with check("masked-iou"):
        got = masked_iou(truth, prediction, ignore=0)
        check.close(got, [0.5, 1.0], "a mask with one wrong pixel", look="which pixels count?")

It prints one line if all is right and stops with a short message if not. In a notebook, under
nbgrader and in the course's grader it is the same cell; in the grader it runs outside the
student's kernel, and the student's functions are called across the boundary.
"""

import builtins
import contextlib
import re
import warnings
import zlib

import numpy as np

from . import cases
from .values import KINDS, Given, Opaque, plain

SHOWN = 24


class AuthorError(BaseException):
    """A check cell asks for what cannot be done: the fault of its author, not of any answer.

    Not an Exception, so that no check takes it for one that a student's function raised.
    """


class CheckFailed(AssertionError):
    """A case that was not answered rightly. Attributes: case, expected, got, look (texts)."""

    status = "wrong"
    named = True  # whether `case` is the author's name of a case, not a line of the check
    undefined = ""  # an undefined name that the check cell, or what it calls, reads

    def __init__(self, task, case, expected="", got="", look=""):
        self.task, self.case = task, case
        self.expected, self.got, self.look = expected, got, look
        lines = [f"{task}: not yet. Case: {case}"]
        lines += [f"  expected  {expected}"] if expected else []
        lines += [f"  got       {got}"] if got else []
        lines += [f"  look at   {look}"] if look else []
        super().__init__("\n".join(lines))

    def _render_traceback_(self):
        """What Jupyter shows in place of a stack of frames."""
        return str(self).splitlines()


class NotAttempted(CheckFailed):
    """The student's cell still raises NotImplementedError."""

    status = "not attempted"

    def __init__(self, task, said="not attempted yet", undefined=""):
        run = "the cells above from the first on" if undefined else "that cell"
        AssertionError.__init__(
            self,
            f"{task}: {said}. Write your answer in place of `raise NotImplementedError()`, run "
            f"{run}, then this one.",
        )
        self.task, self.case, self.expected, self.got, self.look = task, said, "", "", ""
        self.undefined = undefined


class StudentError(Exception):
    """An exception that a student's code raised.

    Attributes
    ----------
    names : tuple of str
        Names of its class and of the built-in classes above that, most specific first.
    message : str
    where : str
        "line 3: `return a / b`", or "".
    """

    def __init__(self, names, message="", where=""):
        self.names, self.message, self.where = tuple(names), message, where
        super().__init__(message)

    def __str__(self):
        text = f"{self.names[0]}: {self.message}" if self.message else self.names[0]
        return text + (f" ({self.where})" if self.where else "")


class CodeStopped(CheckFailed):
    """The student's code raised where a value was expected."""

    status = "error"

    def __init__(self, task, error, case="", call="", look=""):
        """`error` (StudentError) stopped a call made for `case`, at the line `call` of the check.

        Each is "" where not known.
        """
        next_look = "the line named above; try it on its own"
        if case and call:
            next_look = "the line named above; " * bool(error.where) + f"the check was at `{call}`"
        next_look += f". For this case: {look}" if case and look else ""
        known = case or (f"the call `{call}`" if call else "a call of your function")
        super().__init__(task, known, "a value", f"your code stopped with {error}", next_look)
        self.error, self.named = error, bool(case)


class NotUsable(CheckFailed):
    """The check cell itself raised, on what a student's code gave it, or by an assert of its own."""

    def __init__(self, task, error, case="", line="", look=""):
        """`error` (StudentError) came out of `line`, made for `case`; "" where not known."""
        wanted = got = ""
        if error.names[0] != "AssertionError":
            wanted, got = "a value that the check can use", f"one that stopped it with {error}"
            look = look or "the type and shape of what your function returns"
        super().__init__(task, case or f"the check's line `{line}`", wanted, got, look)
        self.named = bool(case)


class Check:
    """The checks of a notebook, and the random numbers that they draw.

    Parameters
    ----------
    seeds : callable
        ``seeds(task)`` gives the integer from which :meth:`rng` starts. In a notebook it depends
        on the task alone, so that everybody sees the same; the grader's depends on the student.
    """

    def __init__(self, seeds=lambda task: zlib.crc32(task.encode())):
        self._seeds, self._task = seeds, "check"

    @contextlib.contextmanager
    def __call__(self, task):
        """Run the checks of `task`, the grade id of the cell that the student wrote.

        Raises CheckFailed, or its subclass NotAttempted, CodeStopped or NotUsable, for the first
        case that is not right.
        """
        self._task = task
        try:
            # nbgrader gives no points where a check writes to stderr, even a warning of numpy's.
            with warnings.catch_warnings(action="ignore"):
                yield self
        except CheckFailed:
            raise
        except Exception as error:
            raise self._verdict(error) from None
        print(f"{task}: every check in this cell passes.")

    def _verdict(self, error):
        """A CheckFailed for an exception that came out of a check cell."""
        name = error.name if isinstance(error, NameError) else None
        if name and len(cases.frames(error)) < 2:  # the check cell's own; others have a frame more
            return NotAttempted(self._task, f"`{name}` is not defined", name)
        raised, error = error, student_error(error)
        if _from_stub(error):
            return NotAttempted(self._task)
        frames = cases.frames(raised)
        line = cases.line(frames[0])[:160].rstrip(",") if frames else ""
        files = {frame.tb_frame.f_code.co_filename for frame in frames}
        of_the_check = len(files) == 1 and raised is not error
        kind = NotUsable if of_the_check else CodeStopped
        case, look = cases.tried(raised)
        failed = kind(self._task, error, case, line, look)
        failed.undefined = name or ""
        return failed

    def rng(self):
        """A random generator (numpy.random.Generator) of this task, and of this student."""
        return np.random.default_rng(self._seeds(self._task))

    def close(self, got, expected, case, *, look="", rtol=1e-5, atol=1e-6):
        """`got` has the shape and kind of `expected` and is near it; NaN only where it has NaN.

        Parameters
        ----------
        got : number, array, tensor, or list, tuple or dictionary of such
        expected : the same
            Where a float is expected, an integer passes, also as an entry of a list. Where an array
            of floats is expected, an array of integers does not. A float never passes for an
            integer, and a boolean for neither.
        case : str
            What was tried, in the student's words. Never tell hidden inputs in it.
        look : str
            What to look at next.
        """
        self._compare(got, expected, case, look, rtol, atol)

    def equal(self, got, expected, case, *, look=""):
        """`got` equals `expected` exactly, in kind, shape and value."""
        self._compare(got, expected, case, look, 0, 0)

    def shape(self, got, shape, case, *, look=""):
        """`got` is an array or tensor of this shape (tuple of int), without NaN or infinity."""
        _must_be_text(case)
        got = plain(got)
        if not isinstance(got, np.ndarray) or got.shape != tuple(shape):
            raise CheckFailed(
                self._task, case, f"an array of shape {tuple(shape)}", describe(got), look
            )
        if not np.isfinite(got).all():
            raise CheckFailed(self._task, case, "finite numbers", describe(got), look)

    def between(self, got, low, high, case, *, look=""):
        """`got` is one number (or an array of numbers) from `low` to `high`, ends included."""
        _must_be_text(case)
        got = plain(got)
        array = np.asarray(got) if isinstance(got, int | float | np.ndarray) else np.array("")
        numbers = array.dtype.kind in "iuf" and array.size
        if not numbers or not ((array >= low) & (array <= high)).all():
            raise CheckFailed(self._task, case, f"from {low:g} to {high:g}", describe(got), look)

    def true(self, condition, case, *, expected="", got="", look=""):
        """`condition`, worked out in the check cell from plain values, holds.

        `expected` and `got` are texts. Use it for what no other check can express.
        """
        _must_be_text(case)
        if plain(condition) is not True:
            raise CheckFailed(self._task, case, expected, got, look)

    def raises(self, error, function, /, *arguments, case, saying="", look="", **named):
        """Calling `function` with these arguments raises `error`, a built-in exception class.

        Its message must hold the text `saying`.
        """
        _must_be_text(case)
        try:
            got = function(*arguments, **named)
        except Exception as raised:
            raised = student_error(raised)
            if _from_stub(raised) and error is not NotImplementedError:
                raise NotAttempted(self._task) from None
            if error.__name__ in raised.names and saying in raised.message:
                return
            found = str(raised)
        else:
            found = describe(plain(got))
        wanted = f"{error.__name__} is raised" + f", its message naming {saying}" * bool(saying)
        raise CheckFailed(self._task, case, wanted, found, look)

    def _compare(self, got, expected, case, look, rtol, atol):
        _must_be_text(case)
        got, expected = plain(got), plain(expected)
        fault = difference(got, expected, rtol, atol)
        if fault:
            raise CheckFailed(self._task, case, describe(expected), describe(got) + fault, look)


check = Check()


def _must_be_text(case):
    if not isinstance(case, str):
        raise AuthorError(
            f"the name of a case is a text, not {describe(plain(case))}. It comes last, behind what "
            "the student's function gave and what was expected of it"
        )


def difference(got, expected, rtol=0, atol=0):
    """How the plain value `got` differs from `expected`: "" if it does not, else a sentence's end.

    Type, shape and dtype are compared first, then the values. Raises AuthorError where `expected`
    holds something that is neither a plain value nor came from the student.
    """
    if isinstance(expected, Opaque | Given):
        if isinstance(expected, Opaque) and expected.handle < 0:
            raise AuthorError(
                f"an expected value holds something that is not a plain value ({expected.kind}). "
                "Compare numbers, texts, arrays, or lists, tuples and dictionaries of them. A set "
                "stays in the student's kernel: let the function return a sorted list"
            )
        return "; it was compared with something that is not a plain value"
    if isinstance(expected, list | tuple):
        if not isinstance(got, list | tuple) or isinstance(got, Opaque | Given):
            return "; a list or tuple was expected"
        if len(got) != len(expected):
            wanted = "one entry was" if len(expected) == 1 else f"{len(expected)} entries were"
            return f"; {wanted} expected, not {len(got)}"
        for i, (one, other) in enumerate(zip(got, expected, strict=True)):
            fault = difference(one, other, rtol, atol)
            if fault.startswith(("; entry", "; in entry")):
                return f"; in entry {i},{fault[1:]}"
            if fault:
                return f"; entry {i} differs" + (_apart(one, other) if fault == "." else fault)
        return ""
    if isinstance(expected, dict):
        if not isinstance(got, dict) or set(got) != set(expected):
            return f"; a dictionary with the keys {', '.join(map(str, expected))} was expected"
        for key, value in expected.items():
            fault = difference(got[key], value, rtol, atol)
            if fault:
                return f"; {key!r} differs" + (_apart(got[key], value) if fault == "." else fault)
        return ""
    if expected is None or isinstance(expected, bool | str):
        return "" if type(got) is type(expected) and got == expected else "."
    if isinstance(expected, np.ndarray) and not isinstance(got, np.ndarray):
        return "; an array was expected"
    if not isinstance(expected, np.ndarray) and type(got) not in (int, float):
        scalar = isinstance(got, np.ndarray) and got.shape == () and got.dtype.kind in "iuf"
        if not scalar:
            return "; a single number was expected"
        got = got.item()
    return _array_difference(np.asarray(got), np.asarray(expected), rtol, atol)


def _array_difference(got, expected, rtol, atol):
    kinds = {"b": "b", "i": "iu", "u": "iu", "f": "f" if got.shape else "fiu"}[expected.dtype.kind]
    if got.shape != expected.shape:
        return f"; the shape {expected.shape} was expected"
    if got.dtype.kind not in kinds:
        return f"; {KINDS[expected.dtype.kind]} numbers were expected"
    if expected.dtype.kind != "f":
        wrong = got != expected
    else:
        with np.errstate(invalid="ignore", over="ignore"):
            near = np.abs(got - expected) <= atol + rtol * np.abs(expected)
        same = (got == expected) | (np.isnan(got) & np.isnan(expected))
        finite = np.isfinite(got) & np.isfinite(expected)
        wrong = ~np.where(finite, near, same)
    if not wrong.any():
        return ""
    if wrong.ndim == 0:
        return "."
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    differ = "differs," if wrong.sum() == 1 else "differ, the first"
    return (
        f"; {int(wrong.sum())} of {wrong.size} entries {differ} at {list(first)}: "
        f"{_number(expected[first])} expected, {_number(got[first])} got"
    )


def describe(value):
    """A plain value in a few words for a student, at most some 600 characters."""
    if isinstance(value, np.ndarray):
        head = f"an array of shape {value.shape}, {value.dtype}"
        if value.size == 0:
            return f"{head}, empty"
        if value.size <= SHOWN:
            return f"{head}: {np.array2string(value, precision=4, separator=', ')}"
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            return f"{head}, {int((~np.isfinite(value)).sum())} entries NaN or infinite"
        return f"{head}, from {_number(value.min())} to {_number(value.max())}"
    if isinstance(value, Opaque | Given):
        name = value.kind if isinstance(value, Opaque) else value.name
        return f"something that is not a plain value ({name})"
    if value is None:
        return "None (is a `return` missing?)"
    if isinstance(value, bool | str):
        text = repr(value[:200]) if isinstance(value, str) else repr(value)
        return f"{text}, a {'string' if isinstance(value, str) else 'boolean'}"
    if isinstance(value, int | float):
        return f"{_number(value)}, {'an integer' if isinstance(value, int) else 'a float'}"
    if isinstance(value, dict):
        inside = ", ".join(f"{k!r}: {describe(v)}" for k, v in list(value.items())[:6])
        return f"a dictionary {{{inside}}}"[:600]
    inside = ", ".join(_short(item) for item in value[:12]) + (", …" if len(value) > 12 else "")
    text = f"[{inside}]" if isinstance(value, list) else f"({inside})"
    return f"a {type(value).__name__} of {len(value)}: {text}"[:600]


def _apart(got, expected):
    """Two plain values that differ, in words; of long texts, the part where they begin to differ."""
    if isinstance(got, str) and isinstance(expected, str):
        pairs = enumerate(zip(got, expected, strict=False))
        ends = min(len(got), len(expected))
        alike = next((i for i, (one, other) in pairs if one != other), ends)
        got, expected = (
            ("…" if alike > 20 else "") + s[max(alike - 20, 0) :] for s in (got, expected)
        )
    shown, other = _short(expected), _short(got)
    if shown == other:  # too near for as many digits
        shown, other = repr(expected), repr(got)
    return f": {shown} expected, {other} got"


def _short(value):
    if value is None or isinstance(value, bool | int | float):
        return _number(value)
    if isinstance(value, str):
        return repr(value[:60] + "…" * (len(value) > 60))
    return describe(value)


def _number(value):
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, float):
        return str(value)[:60]
    text = f"{value:.6g}"
    return f"{text}.0" if re.fullmatch(r"-?\d+", text) else text  # 6.0 is not the integer 6


def _from_stub(error):
    """Whether the StudentError `error` is what the stub that was handed out raises.

    That error has no message; TensorFlow's errors of this class have one.
    """
    return error.names[0] == "NotImplementedError" and not error.message


def student_error(error):
    """`error`, raised by a student's code, as a StudentError."""
    if isinstance(error, StudentError):
        return error
    names = [type(error).__name__]
    names += [c.__name__ for c in type(error).__mro__[1:] if vars(builtins).get(c.__name__) is c]
    return StudentError(names, _message(error), _where(error))


def _message(error):
    try:
        text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))  # Keras's messages are coloured
        return re.sub(r"\s+", " ", text)[:300]
    except Exception:  # their __str__ may be broken
        return ""


def _where(error):
    frames = cases.frames(error)
    return f"line {frames[-1].tb_lineno}: `{cases.line(frames[-1])[:120]}`" if frames else ""
