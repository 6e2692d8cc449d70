"""What a check cell may hand over to a student's kernel, and what either side refuses."""

import numpy as np
import pytest

from course.grading import boundary, remote, values


def given(x):
    return x


@pytest.fixture
def student():
    """A student whose kernel must not be asked anything."""
    return remote.Student(None, {"given": given}, lambda: 1)


STAYS = {
    "a function": (lambda x: x, "function"),
    "a generator": (np.random.default_rng(0), "Generator"),
    "a type": (np.float32, "type"),
    "in a list": ([1, [lambda x: x]], "function"),
    "in a tuple": ((1, (lambda x: x,)), "function"),
    "in a dictionary": ({"rate": {"by": lambda x: x}}, "function"),
    "a given function in a list": ([given], "function"),
    "a dictionary with keys of another kind": ({(1, 2): 3}, "dict"),
    "text in an array": (np.array(["a"]), "dtype U"),
}


@pytest.mark.parametrize(("value", "kind"), STAYS.values(), ids=STAYS)
def test_what_cannot_cross_is_refused_by_name(student, value, kind):
    with pytest.raises(remote.AuthorError, match=f"argument 2 of the call .*{kind}"):
        student.ask("call", 0, [1, value])
    with pytest.raises(remote.AuthorError, match=f"the argument `rate` of the call .*{kind}"):
        student.ask("call", 0, [1], {"rate": value})


def test_nesting_that_is_too_deep_is_the_students(student):
    value = 1
    for _ in range(values.DEEPEST - 1):
        value = [value]
    with pytest.raises(remote.StudentError, match="nested too deeply"):
        student.ask("call", 0, [value])


def test_too_much_is_the_authors_fault_too(student):
    with pytest.raises(remote.AuthorError, match="can be handed over"):
        student.ask("call", 0, [np.zeros(values.LARGEST // 8 + 1)])


def test_it_is_no_exception_that_a_check_would_take_for_a_students():
    assert not issubclass(remote.AuthorError, Exception)


def test_what_is_held_is_put_in_its_place_however_deep(monkeypatch):
    monkeypatch.setattr(boundary, "_held", [len, str])
    first, second = values.Opaque("function", 0), values.Opaque("type", 1)
    handed = [first, (second, 1), {"by": first}, values.Given("given")]
    assert boundary._restore(handed, {"given": given}) == [len, (str, 1), {"by": len}, given]


def test_a_handle_of_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(boundary, "_held", [len])
    for value in (values.Opaque("function"), [values.Opaque("function", -1)]):
        with pytest.raises(LookupError, match="nothing is held"):
            boundary._restore(value, {})


def test_what_is_not_plain_is_held_however_deep(monkeypatch):
    monkeypatch.setattr(boundary, "_held", [])
    model, encoder = (lambda x: x), {1, 2}
    kept = boundary._shareable((model, [1.0, {"encoder": encoder, "sizes": (2, 3)}], {(1, 2): 3}))
    assert [kind for kind, _ in (kept[0], kept[1][1]["encoder"], kept[2])] == [
        "function",
        "set",
        "dict",
    ]
    assert boundary._restore(kept, {}) == (
        model,
        [1.0, {"encoder": encoder, "sizes": (2, 3)}],
        {(1, 2): 3},
    )
    assert values.decode(values.encode(kept)) == kept


def test_what_holds_itself_ends_where_it_lies_too_deep(monkeypatch):
    monkeypatch.setattr(boundary, "_held", [])
    endless = [len]
    endless.append(endless)
    assert values.TOO_DEEP in repr(boundary._shareable(endless))
