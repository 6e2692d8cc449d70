"""Plain values and their bytes: what goes in comes out, and nothing else comes out."""

import json
import math
import struct
import tracemalloc

import numpy as np
import pytest

from course.grading import values
from course.grading.values import Given, NotPlain, Opaque, decode, encode, plain

VALUES = {
    "None": None,
    "booleans": [True, False],
    "integers": [0, -1, 2**53, -(2**53) - 1, 7**300],
    "floats": [0.0, -0.0, 0.1, 1e-320, math.pi, math.inf, -math.inf],
    "texts": ["", "Ünïcødé 🜁", "\ud800", "a\0b"],
    "a tuple in a list": [(1, 2.0), ()],
    "a dictionary": {"a": [1], 2: (None,), 0.5: {}},
    "Opaque": Opaque("Dense", 3),
    "Given": Given("drawn"),
    "arrays in containers": {"x": [np.arange(3), np.eye(2, dtype="f4")], "y": np.zeros((0, 3))},
}


def same(a, b):
    """Equal in value and in type, all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return len(a) == len(b) and all(
            same(k, j) and same(v, w) for (k, v), (j, w) in zip(a.items(), b.items(), strict=True)
        )
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b)
    return a == b


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_what_goes_in_comes_out(value):
    assert same(decode(encode(value)), value)


def test_nan_comes_out_as_nan():
    assert math.isnan(decode(encode(math.nan)))
    assert np.isnan(decode(encode(np.array([1, np.nan])))).tolist() == [False, True]


@pytest.mark.parametrize(
    "code", ["?", "b", "h", "i", "l", "q", "B", "H", "I", "L", "Q", "e", "f", "d", ">f4", ">i8"]
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 1, 3)])
def test_arrays_of_every_dtype_and_shape(code, shape):
    array = np.random.default_rng(0).integers(0, 2, shape).astype(code)
    array = np.asarray(array)
    back = decode(encode(array))
    if shape == ():
        assert back.shape == ()
        assert back == array
    else:
        assert same(back, array.astype(array.dtype.newbyteorder("=")))


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::-1], lambda a: a.T, lambda a: a[:, ::2], np.asfortranarray,
        lambda a: np.broadcast_to(a[0], (4, 6)), lambda a: a.view(np.matrix),
    ],
    ids=["reversed", "transposed", "strided", "fortran", "broadcast", "matrix"],
)  # fmt: skip
def test_views_come_out_as_arrays_of_their_own(view):
    array = view(np.arange(24.0).reshape(4, 6))
    back = decode(encode(array))
    assert type(back) is np.ndarray
    assert back.flags["C_CONTIGUOUS"]
    assert back.flags["WRITEABLE"]
    assert back.tolist() == np.asarray(array).tolist()


def test_subclasses_become_the_types_themselves():
    class Int(int):
        def __eq__(self, other):
            return True

        __hash__ = int.__hash__

    class Float(float):
        def hex(self):
            return "0x1p0"

    class Text(str):
        def __str__(self):
            return "another"

    class Array(np.ndarray):
        pass

    got = plain([Int(3), Float(2.5), Text("text"), np.zeros(2).view(Array), np.float32(0.5)])
    assert [type(v) for v in got] == [int, float, str, np.ndarray, float]
    assert got[:3] == [3, 2.5, "text"]


@pytest.mark.parametrize(
    "value",
    [
        object(), len, 1j, {1, 2}, b"bytes", np.array([None]), np.array(["a"]), np.zeros(2, "c8"),
        np.zeros(2, "i4,f4"), np.zeros(2, "M8[s]"), np.complex64(1), {(1, 2): 3}, np.longdouble(1),
    ],
    ids=lambda v: type(v).__name__,
)  # fmt: skip
def test_the_rest_is_opaque(value):
    got = plain(value)
    assert isinstance(got, Opaque)
    assert isinstance(decode(encode(value)), Opaque)


def test_the_name_of_a_type_is_cleaned():
    kind = type("<script>é" + "a" * 100, (), {})
    assert plain(kind()).kind == "script" + "a" * 31


def test_what_holds_itself_ends():
    value = []
    value.append(value)
    assert "Opaque" in repr(plain(value))


def test_an_object_that_breaks_when_it_is_turned_into_an_array_is_opaque():
    class Broken:
        def __array__(self, *arguments, **named):
            raise SystemError("no")

    assert plain(Broken()) == Opaque("Broken")


def test_too_much_is_not_encoded():
    with pytest.raises(NotPlain, match="at most"):
        encode(np.zeros(values.LARGEST // 8 + 1))


# Bytes that encode has not written


def message(header, data=b""):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


BAD = {
    "nothing": b"",
    "no header": b"\1\0\0",
    "a header longer than the message": struct.pack("<Q", 9) + b"1",
    "a length of 2**64 - 1": b"\xff" * 8,
    "no JSON": message(b"{"),
    "JSON that is not UTF-8": message(b'"\xff"'),
    "something behind it": message(1, b"x"),
    "a bare list": message([1]),
    "two kinds at once": message({"list": [], "tuple": []}),
    "no kind": message({}),
    "an unknown kind": message({"set": []}),
    "a list that is none": message({"list": 3}),
    "a dictionary of triples": message({"dict": [[1, 2, 3]]}),
    "a dictionary of texts": message({"dict": "ab"}),
    "a name that is none": message({"given": "a b"}),
    "a name that is a number": message({"given": 7}),
    "an integer that is none": message({"int": "x"}),
    "an integer that is a list": message({"int": [1]}),
    "a float that is none": message({"float": "1.5.2"}),
    "a float that is too large": message({"float": "0x1p99999"}),
    "a handle that is a float": message({"opaque": "a", "handle": 1.5}),
    "a handle that is true": message({"opaque": "a", "handle": True}),
    "an array without bytes": message({"array": "<f8", "shape": [2]}),
    "an array with too few": message({"array": "<f8", "shape": [2]}, b"\0" * 15),
    "an array with too many": message({"array": "<f8", "shape": [2]}, b"\0" * 17),
    "a negative side": message({"array": "<f8", "shape": [-1, -2]}, b"\0" * 16),
    "a side that is a float": message({"array": "<f8", "shape": [2.0]}, b"\0" * 16),
    "a shape that is a number": message({"array": "<f8", "shape": 2}, b"\0" * 16),
    "a shape of 2**52 by 2**52": message({"array": "<f8", "shape": [2**52, 2**52]}),
    "a shape of forty sides": message({"array": "<f8", "shape": [1] * 40}, b"\0" * 8),
    "an empty array of many": message({"array": "<f8", "shape": [0, 2**52, 2**52]}),
    "nested too deeply": message(b'{"list":[' * 20 + b"]}" * 20),
    "nested a hundred thousand times": message(b'{"list":[' * 100_000 + b"]}" * 100_000),
    "of too many parts": message({"list": [0] * (values.MOST + 1)}),
} | {
    f"an array of dtype {code}": message({"array": code, "shape": [1]}, b"\0" * size)
    for code, size in [
        ("O", 8), ("|O", 8), ("<c16", 16), ("<g", 16), ("V8", 8), ("S4", 4), ("<U1", 4), ("M8", 8),
        ("i,i", 8), ("2f4", 8), ("(2)f", 8), ("xyz", 8), ("", 8), (7, 8), (None, 8), (["f4"], 4),
        ([["a", "O"]], 8), ({"names": ["a"], "formats": ["O"]}, 8),
    ]
}  # fmt: skip


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_bytes_that_are_not_plain(data):
    with pytest.raises(NotPlain):
        decode(data)


def test_a_bomb_of_lists_is_not_even_parsed():
    data = message(b"[" + b"[]," * 5_000_000 + b"[]]")
    tracemalloc.start()
    try:
        with pytest.raises(NotPlain):
            decode(data)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_other_bytes_of_a_boolean_are_true_and_nothing_else():
    got = decode(message({"array": "|b1", "shape": [3]}, b"\x00\x02\xff"))
    assert got.view("u1").tolist() == [0, 1, 1]


@pytest.mark.slow
def test_mutated_bytes_give_a_plain_value_or_NotPlain():
    """Bytes flipped, cut, doubled and put in, 20 000 times: nothing but NotPlain is raised."""
    rng = np.random.default_rng(5)
    seeds = [encode(value) for value in VALUES.values() if value is not None]
    seeds += [encode([np.arange(5).astype(code) for code in "bhiqBHIQefd?"])]
    tokens = [
        b"{", b"}", b"[", b"]", b'"', b",", b":", b"-", b"e999", b"9" * 30, b"null", b"true", b"NaN",
        b'"array"', b'"shape"', b'"opaque"', b'"dict"', b'"O"', b'"<f8"', b"\\ud800", b"0x", b"\xff",
    ]  # fmt: skip
    refused = 0
    tracemalloc.start()
    try:
        for _ in range(20_000):
            data = bytearray(seeds[rng.integers(len(seeds))])
            for _ in range(rng.integers(1, 4)):
                at = int(rng.integers(0, len(data) + 1))
                kind = rng.integers(4)
                if kind == 0 and at < len(data):
                    data[at] = rng.integers(256)
                elif kind == 1:
                    del data[at : at + int(rng.integers(1, 9))]
                elif kind == 2:
                    data[at:at] = data[: rng.integers(1, 20)]
                else:
                    data[at:at] = tokens[rng.integers(len(tokens))]
            if rng.integers(2) and len(data) > 8:  # a header of the right length: deeper in
                end = data.rfind(b"}") + 1 or len(data)
                data[:8] = struct.pack("<Q", max(0, end - 8))
            try:
                value = decode(bytes(data))
            except NotPlain:
                refused += 1
            else:
                assert same(plain(value), value) or "nan" in repr(value)
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()
    assert 2_000 < refused < 19_900  # neither all nor none
