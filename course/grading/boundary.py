"""The student's side of the boundary: runs in their kernel, calls their functions by name.

The other side trusts nothing here. A request is a plain value ``[what, name, arguments, named
arguments]``. The answer is one of

``["value", value, changed]``       `changed`: whether the call changed plain arguments in place
``["error", names, message, where]``
``["kind", kind]``
"""

import base64
import hashlib

from . import checks, values

_held = []


def answer(request):
    """Answer one request; both are bytes as text (base64)."""
    what, name, arguments, named = values.decode(base64.b64decode(request))
    try:
        result = _do(what, name, arguments, named)
        data = values.encode(result)
    except Exception as error:
        error = checks.student_error(error)
        data = values.encode(["error", list(error.names[:8]), error.message, error.where])
    return base64.b64encode(data).decode()


def _do(what, name, arguments, named):
    names = _names()
    if what == "look":
        if name not in names:
            return ["kind", "absent"]
        value = names[name]
        if callable(value):
            return ["value", _hold(value), False]
        return ["value", _shareable(value), False]
    function = _kept(name) if isinstance(name, int) else names[name]
    if what == "predict":
        function = function.predict
    arguments = [_restore(value, names) for value in arguments]
    named = {key: _restore(value, names) for key, value in named.items()}
    before = _digest([arguments, named])
    result = _shareable(function(*arguments, **named))
    return ["value", result, _digest([arguments, named]) != before]


def _names():
    from IPython import get_ipython

    return get_ipython().user_ns


def _hold(value):
    _held.append(value)
    return values.Opaque(type(value).__name__, len(_held) - 1)


def _shareable(value):
    """`value` as it crosses: plain; any part that is not is held here and replaced by its number."""
    return values.plain(value, opaque=_hold)


def _digest(value):
    """A digest of `value` as it would cross, to compare; None where it could not cross any more."""
    try:
        return hashlib.sha256(values.encode(value)).digest()
    except Exception:  # too large by now, or their own object in it
        return None


def _kept(handle):
    if handle < 0:  # never given out here; as an index it would count from the end
        raise LookupError(f"nothing is held as {handle}")
    return _held[handle]


def _restore(value, names):
    """`value` with the objects themselves in place of numbers held here and of given names."""
    if isinstance(value, values.Given):
        return names[value.name]
    if isinstance(value, values.Opaque):
        return _kept(value.handle)
    if isinstance(value, list | tuple):
        return type(value)(_restore(item, names) for item in value)
    if isinstance(value, dict):
        return {key: _restore(item, names) for key, item in value.items()}
    return value
