"""Plain values, and the bytes in which they cross between a student's kernel and the grader.

Plain values are None, booleans, integers, floats, strings, lists, tuples, dictionaries, and arrays
of booleans, integers or floats. Tensors become arrays. Nothing else crosses: no other object is ever
rebuilt from bytes, so nothing that a student wrote runs where the grade is decided.

The bytes are: eight that hold the length of the JSON, the JSON (UTF-8), then the arrays, one after
the other, in C order and little-endian.
"""

import json
import math
import struct
import sys
from typing import NamedTuple

import numpy as np

LARGEST = 64 * 2**20
LONGEST = 8 * 2**20  # bytes of the JSON, which takes twenty times as much memory when it is read
DEEPEST = 16
MOST = 200_000
TOO_DEEP = "containers nested too deeply"  # the kind of what lies below DEEPEST
KINDS = {"b": "boolean", "i": "integer", "u": "unsigned integer", "f": "float"}
DTYPES = {d.str: d for d in (np.dtype(c).newbyteorder("<") for c in "?bhiqBHIQefd")}


class NotPlain(ValueError):
    """Bytes or a value that are not what this module allows; the message says which and why."""


class Opaque(NamedTuple):
    """Something that stays where it is: a function, a layer, a model.

    `kind` is the name of its type, cleaned. `handle` is the number by which the side that holds it
    knows it; -1 if none does.
    """

    kind: str
    handle: int = -1


class Given(NamedTuple):
    """A function that the notebook gives to both sides, known by its name."""

    name: str


def plain(value, depth=0, opaque=None):
    """`value` as a plain value: tensors become arrays, numpy's scalars numbers, anything else Opaque.

    Parameters
    ----------
    value : object
        What a student's code returned.
    depth : int
        How deeply `value` is nested in what crosses.
    opaque : callable, optional
        ``opaque(value)`` gives the Opaque for a value that is not plain, at any depth.

    Returns
    -------
    None, bool, int, float, str, list, tuple, dict, numpy.ndarray or Opaque
        Rebuilt: subclasses of these types become the types themselves.
    """
    opaque = opaque or _opaque
    if depth > DEEPEST:
        return Opaque(TOO_DEEP)
    if value is None or isinstance(value, bool | Opaque | Given):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, np.generic):
        known = value.dtype.kind in KINDS and value.dtype.itemsize <= 8
        return plain(value.item(), depth) if known else opaque(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, list | tuple):
        kind = list if isinstance(value, list) else tuple
        return kind(plain(item, depth + 1, opaque) for item in value)
    if isinstance(value, dict):
        keys = [plain(key, depth + 1) for key in value]
        if not all(isinstance(key, str | int | float) for key in keys):
            return opaque(value)
        parts = (plain(part, depth + 1, opaque) for part in value.values())
        return dict(zip(keys, parts, strict=True))
    array = _array(value)
    return opaque(value) if array is None else array


def _array(value):
    """`value`, an array or a tensor of any backend, as a new plain array, or None."""
    if not isinstance(value, np.ndarray) and not hasattr(value, "__array__"):
        return None
    try:
        if not isinstance(value, np.ndarray) and "keras" in sys.modules:
            value = sys.modules["keras"].ops.convert_to_numpy(value)
        value = np.asarray(value)
        if value.dtype.name == "bfloat16":
            value = value.astype("float32")
    except Exception:  # a symbolic tensor, or something that only looks like an array
        return None
    if value.dtype.kind not in KINDS or value.dtype.itemsize > 8:
        return None
    return np.array(value, dtype=value.dtype.newbyteorder("="), order="C", subok=False)


def _opaque(value):
    if isinstance(value, np.ndarray):
        return Opaque(f"array of dtype {value.dtype.kind}")
    return Opaque(_identifier(type(value).__name__))


def _identifier(name):
    """A type's name, which a student may have chosen, as at most 40 word characters."""
    return "".join(c for c in str(name)[:40] if c.isascii() and (c.isalnum() or c == "_"))


def encode(value):
    """The bytes of a plain value. Raises NotPlain if they are more than LARGEST."""
    arrays = []
    header = json.dumps(_node(plain(value), arrays), allow_nan=False).encode()
    data = b"".join([struct.pack("<Q", len(header)), header, *(a.tobytes() for a in arrays)])
    if len(data) > LARGEST:
        raise NotPlain(f"{len(data)} bytes; at most {LARGEST} can be handed over.")
    return data


def _node(value, arrays):
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else {"int": hex(value)}
    if isinstance(value, float):
        return {"float": value.hex()} if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, np.ndarray):
        little = value.astype(value.dtype.newbyteorder("<"), copy=False)
        arrays.append(little)
        return {"array": little.dtype.str, "shape": list(little.shape)}
    if isinstance(value, Opaque):
        return {"opaque": value.kind, "handle": value.handle}
    if isinstance(value, Given):
        return {"given": value.name}
    if isinstance(value, dict):
        return {"dict": [[_node(k, arrays), _node(v, arrays)] for k, v in value.items()]}
    return {type(value).__name__: [_node(item, arrays) for item in value]}


def decode(data):
    """The plain value in `data`, bytes from a side that is not trusted.

    Raises
    ------
    NotPlain
        If anything about the bytes is not as :func:`encode` writes it.
    """
    try:
        (length,) = struct.unpack_from("<Q", data)
        if len(data) > LARGEST or length > min(LONGEST, len(data) - 8):
            raise NotPlain("a message of the wrong length")
        header = json.loads(data[8 : 8 + length].decode())
        reader = _Reader(memoryview(data)[8 + length :])
        value = reader.value(header, 0)
    except NotPlain:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, struct.error, RecursionError,
            OverflowError, MemoryError) as error:  # fmt: skip
        raise NotPlain(f"a malformed message ({type(error).__name__})") from None
    if reader.at != len(reader.data):
        raise NotPlain("a message with something behind it")
    return value


class _Reader:
    def __init__(self, data):
        self.data, self.at, self.seen = data, 0, 0

    def value(self, node, depth):
        self.seen += 1
        if depth > DEEPEST or self.seen > MOST:
            raise NotPlain("a value nested too deeply, or of too many parts")
        if node is None or type(node) in (bool, int, float, str):
            return node
        if set(node) == {"array", "shape"}:
            return self.array(node["array"], node["shape"])
        if set(node) == {"opaque", "handle"}:
            return Opaque(_identifier(node["opaque"]), _integer(node["handle"]))
        ((kind, content),) = node.items()
        if kind in ("list", "tuple") and type(content) is list:
            return {"list": list, "tuple": tuple}[kind](self.value(n, depth + 1) for n in content)
        if kind == "dict" and type(content) is list:
            pairs = [[self.value(n, depth + 1) for n in pair] for pair in content]
            return {key: value for key, value in pairs if type(key) in (str, int, float)}
        if kind == "int":
            return int(content[:1000], 16)
        if kind == "float":
            return float(content) if content in ("nan", "inf", "-inf") else float.fromhex(content)
        if kind == "given" and content.isidentifier():
            return Given(content)
        raise NotPlain("a value of an unknown kind")

    def array(self, code, shape):
        if type(code) is not str or code not in DTYPES or type(shape) is not list:
            raise NotPlain("an array of a dtype that is not plain")
        dtype = DTYPES[code]
        shape = [_integer(side) for side in shape]
        if len(shape) > 32 or any(side < 0 for side in shape):
            raise NotPlain("an array of an impossible shape")
        size = math.prod(shape) * dtype.itemsize
        if size > len(self.data) - self.at:
            raise NotPlain("an array longer than its bytes")
        flat = np.frombuffer(self.data[self.at : self.at + size], dtype)
        self.at += size
        native = flat.astype(dtype.newbyteorder("="))  # a copy
        if dtype.kind == "b":
            native = flat.view("u1") != 0  # any other byte would be neither True nor False
        return native.reshape(shape)


def _integer(number):
    if type(number) is not int or abs(number) >= 2**53:
        raise NotPlain("a number that is no integer")
    return number
