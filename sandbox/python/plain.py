"""The plain codec: Python values as JSON and back.

None, booleans, integers and text are themselves; a finite float keeps its '.' or
exponent, so that 12.0 and 12 stay apart; everything else is an object whose key
"$" names its kind. What has no form crosses as its chosen attributes, or as an
opaque mark. Encoding trusts nothing that the program made: whatever raises
becomes opaque, and size and depth are bounded.
"""
import base64
import datetime
import decimal
import json
import math
import sys
import types

DEPTH = 64


class TooLarge(Exception):
    pass


class Encoder:
    def __init__(self, limit, attrs=()):
        self.left = limit
        self.attrs = attrs

    def spend(self, n):
        self.left -= n
        if self.left < 0:
            raise TooLarge

    def encode(self, value, depth=0):
        if depth > DEPTH:
            return opaque(value, "too_deep")
        try:
            return self._encode(value, depth)
        except TooLarge:
            raise
        except Exception:
            return opaque(value, "no_form")

    def items(self, values, depth):
        return [self.encode(v, depth + 1) for v in values]

    def _encode(self, v, depth):
        self.spend(8)
        t = type(v)
        if v is None or t is bool:
            return v
        if isinstance(v, int):
            v = int.__index__(v) if t is not int else v
            return v if -(2**53) <= v <= 2**53 else {"$": "int", "v": int.__repr__(v)}
        if isinstance(v, float):
            return real(float.__float__(v))
        if isinstance(v, str):
            text = str.__str__(v)
            self.spend(len(text))
            text.encode("utf-8")  # a lone surrogate has no form
            return text
        if isinstance(v, (bytes, bytearray)):
            self.spend(len(v) * 2)
            return {"$": "bytes", "v": base64.b64encode(bytes(v)).decode("ascii")}
        if isinstance(v, list):
            return self.items(list.__iter__(v), depth)
        if isinstance(v, tuple):
            return {"$": "tuple", "v": self.items(tuple.__iter__(v), depth)}
        if isinstance(v, (set, frozenset)):
            found = self.items(list(v), depth)
            return {"$": "set", "v": sorted(found, key=lambda e: json.dumps(e, sort_keys=True))}
        if isinstance(v, dict):
            return {"$": "dict", "v": [[self.encode(k, depth + 1), self.encode(x, depth + 1)] for k, x in dict.items(v)]}
        if isinstance(v, complex):
            return {"$": "complex", "v": [real(v.real), real(v.imag)]}
        if isinstance(v, decimal.Decimal):
            return {"$": "decimal", "v": str(v)}
        np, pd = sys.modules.get("numpy"), sys.modules.get("pandas")
        if pd is not None:
            if v is pd.NaT:
                return {"$": "nat"}
            if v is pd.NA:
                return None
        if isinstance(v, datetime.datetime):
            return {"$": "datetime", "v": v.isoformat()}
        if isinstance(v, datetime.date):
            return {"$": "date", "v": v.isoformat()}
        if isinstance(v, datetime.time):
            return {"$": "time", "v": v.isoformat()}
        if isinstance(v, datetime.timedelta):
            return {"$": "timedelta", "v": float(v.total_seconds())}
        if np is not None and isinstance(v, np.generic):
            return self.encode(self.numpy_scalar(np, pd, v), depth + 1)
        if np is not None and isinstance(v, np.ndarray):
            self.spend(v.size * 8)
            return {"$": "ndarray", "dtype": str(v.dtype), "shape": list(v.shape), "v": self.flat(np, pd, v, depth)}
        if pd is not None and isinstance(v, pd.Index):
            return self.index(v, depth)
        if pd is not None and isinstance(v, pd.Series):
            return {"$": "series", "dtype": str(v.dtype), "name": self.encode(v.name, depth + 1),
                    "index": self.index(v.index, depth), "v": self.column(v, depth)}
        if pd is not None and isinstance(v, pd.DataFrame):
            self.spend(v.size * 8)
            return {"$": "frame", "columns": self.index(v.columns, depth), "index": self.index(v.index, depth),
                    "dtypes": [str(d) for d in v.dtypes],
                    "v": [self.column(v.iloc[:, i], depth) for i in range(v.shape[1])]}
        if self.attrs:
            attrs = {}
            for name in self.attrs:
                try:
                    attrs[name] = self.encode(getattr(v, name), depth + 1)
                except AttributeError:
                    pass
            return {"$": "object", "type": type_name(v), "attrs": attrs}
        return opaque(v, "no_form")

    @staticmethod
    def numpy_scalar(np, pd, v):
        if isinstance(v, np.datetime64):
            return pd.Timestamp(v)
        if isinstance(v, np.timedelta64):
            return pd.Timedelta(v)
        if isinstance(v, np.floating):
            return float(v)
        return v.item()

    def flat(self, np, pd, v, depth):
        if v.dtype.kind in "mM":
            return [self.encode(self.numpy_scalar(np, pd, x), depth + 1) for x in v.ravel()]
        if v.dtype.kind == "V":
            raise TypeError("structured")
        return self.items(v.ravel().tolist(), depth)

    def index(self, v, depth):
        pd = sys.modules["pandas"]
        self.spend(len(v) * 8)
        out = {"$": "index", "dtype": str(v.dtype), "name": self.encode(v.name, depth + 1)}
        if isinstance(v, pd.MultiIndex):
            out["names"] = self.items(list(v.names), depth)
        out["v"] = self.items(v.tolist(), depth)
        return out

    def column(self, v, depth):
        self.spend(len(v) * 8)
        return self.items(v.tolist(), depth)


def real(v):
    if math.isnan(v):
        return {"$": "float", "v": "nan"}
    if math.isinf(v):
        return {"$": "float", "v": "inf" if v > 0 else "-inf"}
    return v


def type_name(v):
    t = type(v)
    return "%s.%s" % (type.__getattribute__(t, "__module__"), type.__getattribute__(t, "__qualname__"))


def opaque(v, why):
    try:
        name = str(type_name(v))
    except Exception:
        name = "unknown"
    return {"$": "opaque", "type": name[:200], "why": why}


def dumps(value, limit, attrs=()):
    """The JSON text of a value, at most about limit bytes."""
    try:
        text = json.dumps(Encoder(limit, attrs).encode(value), allow_nan=False)
        if len(text) <= limit:
            return text
    except (TooLarge, RecursionError, MemoryError):
        pass
    return json.dumps(opaque(value, "too_large"))


class Opaque:
    """Stands for a value that could not cross."""

    def __init__(self, type, why):
        self.type, self.why = type, why


def loads(value):
    """The Python value of decoded JSON in the plain codec."""
    if isinstance(value, list):
        return [loads(v) for v in value]
    if not isinstance(value, dict):
        return value
    kind, v = value["$"], value.get("v")
    make = DECODERS.get(kind)
    if make is None:
        raise ValueError("unknown kind in the plain codec: %r" % kind)
    return make(value, v)


def _table(value, v):
    import pandas as pd
    index = loads(value["index"])
    columns = loads(value["columns"])
    made = [_series(col, dtype, index) for col, dtype in zip(v, value["dtypes"])]
    frame = pd.DataFrame(dict(enumerate(made)), index=index)
    frame.columns = columns
    return frame


def _series(items, dtype, index, name=None):
    import pandas as pd
    s = pd.Series(loads(items), index=index, name=name, dtype=object)
    try:
        return s.astype(dtype)
    except Exception:
        return s.infer_objects()


def _index(value, v):
    import pandas as pd
    if "names" in value:
        return pd.MultiIndex.from_tuples(loads(v), names=loads(value["names"]))
    index = pd.Index(loads(v), name=loads(value.get("name")), dtype=object)
    try:
        return index.astype(value["dtype"])
    except Exception:
        return index.infer_objects()


def _array(value, v):
    import numpy as np
    flat = np.empty(len(v), dtype=object)
    flat[:] = loads(v)
    try:
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
    "set": lambda _, v: set(loads(v)),
    "dict": lambda _, v: {loads(k): loads(x) for k, x in v},
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
