"""A student's kernel as the grader sees it: names to call, and plain values that come back."""

import base64
import contextlib
import re
from queue import Empty

from . import values
from .checks import AuthorError, StudentError

ANSWER = "__import__('course.grading.boundary', fromlist=['answer']).answer('{}')"


class Remote(values.Opaque):
    """An object that stays in the student's kernel; it can be called from here.

    What it returns comes back as a plain value; anything in it that is not plain is a Remote.
    """

    def __call__(self, *arguments, **named):
        return self.student.ask("call", self.handle, arguments, named)

    def predict(self, *arguments, **named):
        """What their model's method of this name returns."""
        return self.student.ask("predict", self.handle, arguments, named)


class Student:
    """The other side of the boundary.

    Parameters
    ----------
    kernel : BoxedKernel
    given : dict
        Names and functions that both sides have; such a function may be an argument.
    seconds : callable
        ``seconds()`` says how long the next call may take.

    Attributes
    ----------
    changed : bool
        Whether any call so far changed its arguments in place.
    """

    def __init__(self, kernel, given, seconds):
        self.kernel, self.given, self.seconds = kernel, given, seconds
        self.changed = False

    def look(self, names):
        """The values of those of `names` that exist in the kernel: a dictionary."""
        found = {}
        for name in names:
            with contextlib.suppress(LookupError):
                found[name] = self.ask("look", name)
        return found

    def ask(self, what, name, arguments=(), named=None):
        """Send one request and wait for its answer.

        Returns a plain value or a Remote. Raises StudentError if the student's code raised,
        LookupError if there is no such name, KernelEnded if the kernel ended before it answered,
        and AuthorError if an argument cannot be handed over.
        """
        arguments = [self._crossing(value, f"argument {n}") for n, value in enumerate(arguments, 1)]
        named = {
            k: self._crossing(value, f"the argument `{k}`") for k, value in (named or {}).items()
        }
        try:
            request = base64.b64encode(values.encode([what, name, arguments, named])).decode()
        except values.NotPlain:  # not its message: a student may have chosen the size that it tells
            most = f"at most {values.LARGEST} can be handed over"
            raise AuthorError(f"the arguments of the call have too many bytes; {most}") from None
        self.kernel.within(self.seconds())
        message = self.kernel.kc.execute(
            "", silent=True, store_history=False, allow_stdin=False,
            user_expressions={"answer": ANSWER.format(request)},
        )  # fmt: skip
        try:
            return self._read(self._reply(message))
        finally:
            self.drain(message)

    def _crossing(self, value, where):
        """`value` as it crosses; a function that both sides have crosses as its name."""
        if callable(value) and not isinstance(value, Remote):
            name = next((n for n, known in self.given.items() if known is value), None)
            if name:
                return values.Given(name)
        value = values.plain(value, depth=2)  # as deep as it lies in the request
        left = _left_behind(value)
        if left and left.kind == values.TOO_DEEP:  # from the student: no check nests so deeply
            raise StudentError(["ValueError"], "what your function returned is nested too deeply")
        if left:
            raise AuthorError(
                f"{where} of the call holds something that cannot be handed to a student's kernel "
                f"({left.kind}). Hand over plain values, what a student's function returned, or, as "
                "an argument of its own, a function that a given cell defines"
            )
        return value

    def _reply(self, message):
        """The text of the answer to the request `message`; nothing in it is to be trusted."""
        while True:
            reply = self.kernel.get_message("shell", timeout=None)
            with contextlib.suppress(KeyError, TypeError, AttributeError):
                if reply["parent_header"].get("msg_id") == message:
                    return str(reply["content"]["user_expressions"]["answer"]["data"]["text/plain"])
            with contextlib.suppress(KeyError, TypeError, AttributeError):
                if reply["parent_header"]["msg_id"] == message:
                    return ""

    def drain(self, message):
        """Throw away what the request `message` printed."""
        while self.kernel.is_alive():
            try:
                said = self.kernel.get_message("iopub", timeout=1)
            except Empty:
                return
            with contextlib.suppress(KeyError, TypeError, AttributeError):
                idle = said["content"].get("execution_state") == "idle"
                if idle and said["parent_header"].get("msg_id") == message:
                    return

    def _read(self, text):
        try:
            if not re.fullmatch(r"'[A-Za-z0-9+/=]+'", text):
                raise values.NotPlain("no answer")
            kind, *content = values.decode(base64.b64decode(text[1:-1]))
            if kind == "value":
                value, changed = content
                self.changed |= changed is True
                return self._wrap(value)
            if kind == "error":
                names, message, where = content
                raise StudentError(
                    [clean(name, 60) for name in names][:8] or ["Exception"],
                    clean(message, 300),
                    clean(where, 160),
                )
            if kind == "kind":
                raise LookupError("no such name")
        except (values.NotPlain, ValueError, TypeError, IndexError, AttributeError):
            pass
        raise StudentError(["RuntimeError"], "what came back from your code could not be read")

    def _wrap(self, value):
        if isinstance(value, values.Opaque):
            value = Remote(*value)
            value.student = self
            return value
        if isinstance(value, values.Given):
            raise values.NotPlain("a name is not an answer")
        if isinstance(value, list | tuple):
            return type(value)(self._wrap(item) for item in value)
        if isinstance(value, dict):
            return {key: self._wrap(item) for key, item in value.items()}
        return value


def _left_behind(value):
    """The first part of the plain `value` that cannot cross, an Opaque; None if all of it can."""
    if isinstance(value, values.Opaque):
        return None if isinstance(value, Remote) else value
    items = value.values() if isinstance(value, dict) else value
    inside = items if isinstance(value, dict | list | tuple) else ()
    return next((left for left in map(_left_behind, inside) if left), None)


def clean(text, length):
    """A student's text without control characters, cut to `length`."""
    return "".join(c if c.isprintable() else " " for c in str(text)[:length])
