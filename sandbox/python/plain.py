"""The plain codec: Python values as JSON and back.

None, booleans, integers and text are themselves; a finite float keeps its '.' or
exponent, so that 12.0 and 12 stay apart; everything else is an object whose key
"$" names its kind. What has no form crosses as its chosen attributes, or as an
opaque mark.

Encoding trusts nothing that the program made. What a value is, its type says, not
its __class__; what a built-in holds is read by the built-in's own methods, not by
those that a subclass put in their place; whatever raises becomes opaque; size and
depth are bounded. Decoding does not raise: what is damaged becomes Opaque.
"""
import base64
import datetime
import decimal
import json
import math
import sys
import types

DEPTH = 64
INT_BITS = 14280  # below the 4300 digits that Python itself converts
HEAP_TYPE = 1 << 9


class TooLarge(Exception):
    pass


class Encoder:
    def __init__(self, limit, attrs=()):
        self.left = limit
        self.attrs = attrs

    def afford(self, n):
        if n > self.left:
            raise TooLarge

    def spend(self, n):
        self.left -= n
        if self.left < 0:
            raise TooLarge

    def encode(self, value, depth=0):
        self.spend(8)
        if depth > DEPTH:
            return self.opaque(value, "too_deep")
        try:
            return self._encode(value, depth)
        except (TooLarge, MemoryError):
            raise
        except BaseException:  # SystemExit too: the program's own code may be at work
            return self.opaque(value, "no_form")

    def opaque(self, value, why):
        self.spend(32)
        return opaque(value, why)

    def items(self, values, depth):
        return [self.encode(v, depth + 1) for v in values]

    def text(self, text):
        self.spend(len(text))
        text.encode("utf-8")  # a lone surrogate has no form
        return text

    def _encode(self, v, depth):
        t = type(v)
        if v is None or t is bool:
            return v
        if issubclass(t, int):
            n = int.__index__(v)
            if -(2**53) <= n <= 2**53:
                return n
            if n.bit_length() > INT_BITS:
                return self.opaque(v, "too_large")
            return {"$": "int", "v": self.text(int.__repr__(n))}
        if issubclass(t, float):
            return real(float.__float__(v))
        if issubclass(t, str):
            return self.text(str.__str__(v))
        if issubclass(t, (bytes, bytearray)):
            data = memoryview(v)
            self.spend(data.nbytes * 4 // 3)
            return {"$": "bytes", "v": base64.b64encode(data).decode("ascii")}
        if issubclass(t, list):
            return self.items(list.__iter__(v), depth)
        if issubclass(t, tuple):
            return {"$": "tuple", "v": self.items(tuple.__iter__(v), depth)}
        if issubclass(t, (set, frozenset)):
            found = self.items((set if issubclass(t, set) else frozenset).__iter__(v), depth)
            return {"$": "set", "v": sorted(found, key=lambda e: json.dumps(e, sort_keys=True))}
        if issubclass(t, dict):
            return {"$": "dict", "v": [[self.encode(k, depth + 1), self.encode(x, depth + 1)] for k, x in dict.items(v)]}
        if issubclass(t, complex):
            z = complex.__complex__(v)
            return {"$": "complex", "v": [real(z.real), real(z.imag)]}
        if issubclass(t, decimal.Decimal):
            return {"$": "decimal", "v": self.text(decimal.Decimal.__str__(v))}
        np, pd = sys.modules.get("numpy"), sys.modules.get("pandas")
        if pd is not None:
            if v is pd.NaT:
                return {"$": "nat"}
            if v is pd.NA:
                return None
        if issubclass(t, datetime.datetime):
            stamp = pd.Timestamp if pd is not None and issubclass(t, pd.Timestamp) else datetime.datetime
            return {"$": "datetime", "v": stamp.isoformat(v)}
        if issubclass(t, datetime.date):
            return {"$": "date", "v": datetime.date.isoformat(v)}
        if issubclass(t, datetime.time):
            return {"$": "time", "v": datetime.time.isoformat(v)}
        if issubclass(t, datetime.timedelta):
            delta = pd.Timedelta if pd is not None and issubclass(t, pd.Timedelta) else datetime.timedelta
            return {"$": "timedelta", "v": float(delta.total_seconds(v))}
        if np is not None and issubclass(t, np.generic):
            return self.numpy_scalar(np, pd, v, depth)
        if np is not None and issubclass(t, np.ndarray):
            return self.array(np, v, depth)
        if pd is not None and issubclass(t, pd.api.extensions.ExtensionArray):
            return {"$": "ndarray", "dtype": label(v.dtype), "shape": [len(v)], "v": self.column(v, depth)}
        if pd is not None and issubclass(t, pd.Index):
            return self.index(pd, v, depth)
        if pd is not None and issubclass(t, pd.Series):
            return {"$": "series", "dtype": label(v.dtype), "name": self.encode(v.name, depth + 1),
                    "index": self.index(pd, v.index, depth), "v": self.column(v, depth)}
        if pd is not None and issubclass(t, pd.DataFrame):
            self.afford(v.size * 8)
            return {"$": "frame", "columns": self.index(pd, v.columns, depth), "index": self.index(pd, v.index, depth),
                    "dtypes": [label(d) for d in v.dtypes],
                    "v": [self.column(v.iloc[:, i], depth) for i in range(v.shape[1])]}
        if self.attrs:
            attrs = {}
            for name in self.attrs:
                try:
                    attrs[name] = self.encode(getattr(v, name), depth + 1)
                except AttributeError:
                    pass
            return {"$": "object", "type": type_name(v), "attrs": attrs}
        return self.opaque(v, "no_form")

    def numpy_scalar(self, np, pd, v, depth):
        t = type(v)
        if t.__flags__ & HEAP_TYPE:
            raise TypeError("made by the program: numpy may misread its layout and crash")
        if issubclass(t, (np.datetime64, np.timedelta64)) and np.isnat(v):
            return {"$": "nat"}
        if issubclass(t, np.datetime64):
            return self.encode(v.astype("M8[us]").item() if pd is None else pd.Timestamp(v), depth + 1)
        if issubclass(t, np.timedelta64):
            return {"$": "timedelta", "v": float(v / np.timedelta64(1, "s"))}
        if issubclass(t, np.inexact):  # item() of a long double is a long double
            wide = np.complex128 if issubclass(t, np.complexfloating) else np.float64
            return self.encode(v.astype(wide), depth + 1)
        return self.encode(v.item(), depth + 1)

    def array(self, np, v, depth):
        data = np.ndarray.view(v, np.ndarray)
        self.afford(data.size * 8)
        if data.dtype.kind == "V":
            raise TypeError("structured")
        flat = data.ravel()
        flat = self.items(flat if data.dtype.kind in "mM" else flat.tolist(), depth)
        if issubclass(type(v), np.ma.MaskedArray):
            mask = np.ma.getmaskarray(v).ravel().tolist()
            flat = [None if hidden else x for hidden, x in zip(mask, flat)]
        return {"$": "ndarray", "dtype": label(data.dtype), "shape": list(data.shape), "v": flat}

    def index(self, pd, v, depth):
        out = {"$": "index", "dtype": label(v.dtype), "name": self.encode(v.name, depth + 1)}
        if issubclass(type(v), pd.MultiIndex):
            out["names"] = self.items(list(v.names), depth)
        out["v"] = self.column(v, depth)
        return out

    def column(self, v, depth):
        self.spend(64)
        self.afford(len(v) * 8)
        return self.items(v.tolist(), depth)


def real(v):
    if math.isnan(v):
        return {"$": "float", "v": "nan"}
    if math.isinf(v):
        return {"$": "float", "v": "inf" if v > 0 else "-inf"}
    return v


def label(thing, size=200):
    """The start of str(thing), as text that can be encoded."""
    return str.__str__(str(thing))[:size].encode("utf-8", "replace").decode()


def type_name(v):
    t = type(v)
    try:  # by type's own descriptors: a metaclass may have others
        parts = [type.__dict__[name].__get__(t) for name in ("__module__", "__qualname__")]
    except AttributeError:
        return ""
    return label(".".join(p for p in parts if type(p) is str))


def opaque(v, why):
    return {"$": "opaque", "type": type_name(v), "why": why}


def dumps(value, limit, attrs=()):
    """The JSON text of a value, at most about limit bytes."""
    why = "too_large"
    try:
        text = json.dumps(Encoder(limit, attrs).encode(value), allow_nan=False)
        if len(text) <= limit:
            return text
    except (TooLarge, MemoryError):
        pass
    except BaseException:
        why = "no_form"
    return json.dumps(opaque(value, why))


class Opaque:
    """Stands for a value that could not cross."""

    def __init__(self, type, why):
        self.type, self.why = type, why


def read(text):
    """The Python value of JSON text in the plain codec."""
    try:
        return loads(json.loads(text))
    except Exception:
        return Opaque("", "unreadable")


def loads(value):
    """The Python value of decoded JSON in the plain codec."""
    if isinstance(value, (str, int, float)) or value is None:
        return value
    try:
        if isinstance(value, list):
            return [loads(v) for v in value]
        return DECODERS[value["$"]](value, value.get("v"))
    except Exception:
        return Opaque("", "unreadable")


def _frozen(v):
    """v as a key or an item of a set."""
    if type(v) is set:
        return frozenset(v)
    if type(v) is tuple:
        return tuple(_frozen(x) for x in v)
    return v


def _table(value, v):
    import pandas as pd
    index = loads(value["index"])
    columns = loads(value["columns"])
    made = [_series(col, dtype, index) for col, dtype in zip(v, value["dtypes"])]
    frame = pd.DataFrame(dict(enumerate(made)), index=index)
    frame.columns = columns
    return frame


def _objects(items):
    """A numpy array of one dimension, of the items as they are."""
    import numpy as np
    flat = np.empty(len(items), dtype=object)
    for i, v in enumerate(items):
        flat[i] = loads(v)
    return flat


def _series(items, dtype, index, name=None):
    import pandas as pd
    s = pd.Series(_objects(items), index=index, name=_frozen(name), dtype=object)
    try:
        return s.astype(dtype)
    except Exception:
        return s.infer_objects()


def _index(value, v):
    import pandas as pd
    if "names" in value:
        return pd.MultiIndex.from_tuples(loads(v), names=[_frozen(n) for n in loads(value["names"])])
    index = pd.Index(_objects(v), name=_frozen(loads(value.get("name"))), dtype=object, tupleize_cols=False)
    try:
        return index.astype(value["dtype"])
    except Exception:
        return index.infer_objects()


def _array(value, v):
    import numpy as np
    flat = _objects(v)
    try:
        if np.dtype(value["dtype"]).kind in "mM":
            import pandas as pd  # numpy knows no NaT among objects
            flat = pd.Series(flat).to_numpy()
        flat = flat.astype(value["dtype"])
    except Exception:
        pass
    return flat.reshape(value["shape"])


def _timedelta(value, v):
    return datetime.timedelta(seconds=v)


def _nat(value, v):
    import pandas as pd
    return pd.NaT


def _datetime(value, v):
    try:
        import pandas as pd
        return pd.Timestamp(v)
    except Exception:
        return datetime.datetime.fromisoformat(v)


DECODERS = {
    "float": lambda _, v: float(v),
    "int": lambda _, v: int(v),
    "tuple": lambda _, v: tuple(loads(v)),
    "set": lambda _, v: {_frozen(loads(x)) for x in v},
    "dict": lambda _, v: {_frozen(loads(k)): loads(x) for k, x in v},
    "bytes": lambda _, v: base64.b64decode(v),
    "decimal": lambda _, v: decimal.Decimal(v),
    "complex": lambda _, v: complex(loads(v[0]), loads(v[1])),
    "datetime": _datetime,
    "date": lambda _, v: datetime.date.fromisoformat(v),
    "time": lambda _, v: datetime.time.fromisoformat(v),
    "timedelta": _timedelta,
    "nat": _nat,
    "ndarray": _array,
    "index": _index,
    "series": lambda o, v: _series(v, o["dtype"], loads(o["index"]), loads(o.get("name"))),
    "frame": _table,
    "object": lambda o, _: types.SimpleNamespace(**{k: loads(x) for k, x in o["attrs"].items()}),
    "opaque": lambda o, _: Opaque(o.get("type"), o.get("why")),
}
