package sandboxtest

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
)

// liar is the start of the programs below: classes whose instances pretend.
const liar = `
import datetime, decimal, collections, itertools, math, sys
class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    def __hash__(self): return 0
    def __float__(self): return 42.0
    def __int__(self): return 42
    def __index__(self): return 42
    def __str__(self): return '42'
    __repr__ = __str__
    def __len__(self): return 0
    def __iter__(self): return itertools.repeat(42)
    def __contains__(self, x): return True
    def __bool__(self): return True
class Lies:
    __eq__ = Equal.__eq__
    __hash__ = Equal.__hash__
    def __float__(self): return 42.0
    def __int__(self): return 42
    def __index__(self): return 42
    def __str__(self): return '42'
    __repr__ = __str__
    def __iter__(self): return itertools.repeat(42)
    def __len__(self): return 0
    def __getitem__(self, i): return 42
    def items(self): return itertools.repeat((42, 42))
    def isoformat(self, *a): return Equal()
    def total_seconds(self): return Equal()
    def tolist(self): return itertools.repeat(42)
    def item(self): return 42
    def encode(self, *a): return b'42'
    def __bytes__(self): return b'42'
    real = imag = property(lambda self: Equal())
`

// opaque is an answer that has no form.
const opaque = `^\{"\$": "opaque", "type": "[^"]*", "why": "\w+"\}$`

// honesty runs programs whose answers try to be more than data: equal to
// everything, different each time, endless, or of another kind than they are. What
// comes out is what the built-in part of the value holds, or an opaque mark, and it
// comes out soon.
func honesty(t *testing.T, box sandbox.Sandbox) {
	s := Session(t, box, sandbox.Spec{Limits: sandbox.Limits{Capture: 1 << 20, Memory: 512 << 20}})
	exactly := func(text string) string { return "^" + regexp.QuoteMeta(text) + "$" }
	for _, test := range []struct{ name, code, answer string }{
		{"equal to everything", "answer = Equal()", opaque},
		{"equal to everything, in a list", "answer = [1, Equal()]", `^\[1, \{"\$": "opaque", "type": "__main__.Equal", "why": "no_form"\}\]$`},
		{"the class itself", "answer = Equal", opaque},
		{"says that it is an int", "class A(Equal):\n    __class__ = int\nanswer = A()", opaque},
		{"says that it is a float", "class A(Equal):\n    __class__ = float\nanswer = A()", opaque},
		{"says that it is a list", "class A(Equal):\n    __class__ = list\nanswer = A()", opaque},
		{"says that it is bytes", "class A(Lies):\n    __class__ = bytes\nanswer = A()", opaque},
		{"says that it is a date", "class A(Lies):\n    __class__ = datetime.date\nanswer = A()", opaque},
		{"raises when asked what it is", "class A:\n    @property\n    def __class__(self): raise SystemExit(0)\nanswer = A()", opaque},
		{"class with a lying metaclass", "class M(type):\n    def __getattribute__(c, name): return Equal()\nM.__qualname__ = 'int'\nclass A(metaclass=M): pass\nanswer = A()", opaque},
		{"module that is no text", "class A: pass\nA.__module__ = Equal()\nanswer = A()", opaque},
		{"name with a lone surrogate", "answer = type('A', (), {'__module__': '\\ud800'})()", opaque},
		{"endless name", "answer = type('A' * 10**7, (), {})()", opaque},
		{"subclass of int", "class A(Lies, int): pass\nanswer = A(7)", exactly("7")},
		{"subclass of bool's kind", "import enum\nclass A(enum.IntFlag):\n    X = 3\nanswer = A.X", exactly("3")},
		{"subclass of float", "class A(Lies, float): pass\nanswer = A(7.5)", exactly("7.5")},
		{"NaN in disguise", "class A(Lies, float): pass\nanswer = A('nan')", exactly(`{"$": "float", "v": "nan"}`)},
		{"infinity in disguise", "class A(Lies, float):\n    def __gt__(self, o): return Equal()\nanswer = A('-inf')", exactly(`{"$": "float", "v": "-inf"}`)},
		{"subclass of str", "class A(Lies, str): pass\nanswer = A('seven')", exactly(`"seven"`)},
		{"subclass of bytes", "class A(Lies, bytes): pass\nanswer = A(b'seven')", exactly(`{"$": "bytes", "v": "c2V2ZW4="}`)},
		{"subclass of complex", "class A(Lies, complex): pass\nanswer = A(1, 2)", exactly(`{"$": "complex", "v": [1.0, 2.0]}`)},
		{"subclass of Decimal", "class A(Lies, decimal.Decimal): pass\nanswer = A('7.50')", exactly(`{"$": "decimal", "v": "7.50"}`)},
		{"subclass of list", "class A(Lies, list): pass\nanswer = A([7])", exactly("[7]")},
		{"subclass of tuple", "class A(Lies, tuple): pass\nanswer = A((7,))", exactly(`{"$": "tuple", "v": [7]}`)},
		{"subclass of set", "class A(Lies, set): pass\nanswer = A([7])", exactly(`{"$": "set", "v": [7]}`)},
		{"subclass of dict", "class A(Lies, dict): pass\nanswer = A(a=7)", exactly(`{"$": "dict", "v": [["a", 7]]}`)},
		{"subclass of date", "class A(Lies, datetime.date): pass\nanswer = A(2020, 1, 2)", exactly(`{"$": "date", "v": "2020-01-02"}`)},
		{"subclass of datetime", "class A(Lies, datetime.datetime): pass\nanswer = A(2020, 1, 2)", exactly(`{"$": "datetime", "v": "2020-01-02T00:00:00"}`)},
		{"subclass of time", "class A(Lies, datetime.time): pass\nanswer = A(1, 2)", exactly(`{"$": "time", "v": "01:02:00"}`)},
		{"subclass of timedelta", "class A(Lies, datetime.timedelta): pass\nanswer = A(1)", exactly(`{"$": "timedelta", "v": 86400.0}`)},
		{"zone that lies", "class Z(datetime.tzinfo):\n    def utcoffset(self, d): return Equal()\nanswer = datetime.datetime(2020, 1, 2, tzinfo=Z())", opaque},
		{"dict with keys that are equal", "class K(str):\n    def __eq__(self, o): return False\n    __hash__ = str.__hash__\nanswer = {K('a'): 1, K('a'): 2}", exactly(`{"$": "dict", "v": [["a", 1], ["a", 2]]}`)},
		{"numpy scalar", "import numpy as np\nclass A(Lies, np.int64): pass\nanswer = A(7)", opaque},
		{"numpy float", "import numpy as np\nclass A(Lies, np.float64): pass\nanswer = A(7.5)", exactly("7.5")},
		{"numpy array of objects", "import numpy as np\nanswer = np.array([1, Equal()], dtype=object)", `"shape": \[2\], "v": \[1, \{"\$": "opaque"[^}]*\}\]`},
		{"subclass of an array", "import numpy as np\nclass A(np.ndarray):\n    size = property(lambda s: 0)\n    shape = property(lambda s: Equal())\n    ravel = tolist = lambda s: itertools.repeat(42)\n    def __array_finalize__(self, o): pass\n    def __array_ufunc__(self, *a, **k): return Equal()\nanswer = np.array([7]).view(A)", exactly(`{"$": "ndarray", "dtype": "int64", "shape": [1], "v": [7]}`)},
		{"masked values", "import numpy as np\nanswer = np.ma.array([1, 42], mask=[False, True])", exactly(`{"$": "ndarray", "dtype": "int64", "shape": [2], "v": [1, null]}`)},
		{"array without memory", "import numpy as np\nanswer = np.broadcast_to(1, (10**12,))", `"why": "too_large"`},
		{"index without memory", "import pandas as pd\nanswer = pd.RangeIndex(10**15)", `"why": "too_large"`},
		{"sparse series", "import pandas as pd\nanswer = pd.Series(pd.arrays.SparseArray._simple_new(*(lambda a: (a.sp_values, pd._libs.sparse.IntIndex(10**9, a.sp_index.indices), a.dtype))(pd.arrays.SparseArray([1, 0, 0], fill_value=0))))", `"why": "(too_large|no_form)"`},
		{"series with NaN", "import pandas as pd\nanswer = pd.Series([float('nan'), None, 1])", `"v": \[\{"\$": "float", "v": "nan"\}, \{"\$": "float", "v": "nan"\}, 1.0\]\}$`},
		{"series of liars", "import pandas as pd\nanswer = pd.Series([Equal(), 1])", `"v": \[\{"\$": "opaque"[^}]*\}, 1\]\}$`},
		{"series named by a liar", "import pandas as pd\nanswer = pd.Series([1], name=Equal())", `"name": \{"\$": "opaque"`},
		{"endless series", "import pandas as pd\nclass A(pd.Series):\n    def tolist(self): return itertools.repeat(42)\nanswer = A([1])", `"why": "too_large"`},
		{"frame of liars", "import pandas as pd\nanswer = pd.DataFrame({'a': [Equal()]})", `"v": \[\[\{"\$": "opaque"[^}]*\}\]\]\}$`},
		{"wide frame", "import pandas as pd\nanswer = pd.DataFrame(columns=range(10**5))", `"why": "too_large"`},
		{"giant int", "answer = 1 << 10**8", `"why": "too_large"`},
		{"int beyond the digits of Python", "answer = 10**4400", `"why": "too_large"`},
		{"int just beyond 2^53", "answer = -2**53 - 1", exactly(`{"$": "int", "v": "-9007199254740993"}`)},
		{"list in itself", "answer = []\nanswer.append(answer)", `^\[{65}\{"\$": "opaque", "type": "builtins.list", "why": "too_deep"\}\]{65}$`},
		{"list in itself many times", "answer = []\nanswer += [answer] * 50", `"why": "too_large"`},
		{"many too deep", "answer = [0] * 10**5\nfor _ in range(64): answer = [answer]\nanswer = [answer]", `"why": "(too_large|too_deep)"`},
		{"dict in itself", "answer = {}\nanswer[1] = answer", `"why": "too_deep"`},
		{"list of 10 million", "answer = [0] * 10**7", `"why": "too_large"`},
		{"long text", "answer = 'x' * 10**8", `"why": "too_large"`},
		{"long bytes", "answer = bytes(10**8)", `"why": "too_large"`},
		{"lone surrogate", "answer = '\\ud800'", opaque},
		{"generator", "answer = itertools.count()", opaque},
		{"view of a dict", "answer = {}.keys()", opaque},
		{"no recursion left", "answer = [[[[1]]]]\nsys.setrecursionlimit(30)", `.`},
		{"trace function", "answer = [1]\nsys.settrace(lambda *a: (_ for _ in ()).throw(SystemExit))", `.`},
		{"pandas replaced", "import types, pandas\nsys.modules['pandas'] = types.SimpleNamespace(NaT=1, NA=1, Index=int)\nanswer = 7", exactly("7")},
	} {
		t.Run(test.name, func(t *testing.T) {
			begin := time.Now()
			r := Execute(t, s, sandbox.Command{Code: liar + test.code, Wall: time.Minute})
			if r.Status != sandbox.StatusOK {
				t.Fatalf("%s: %s %s", r.Status, r.ErrorType, r.Stderr)
			}
			if len(r.Answer) > 1<<20 || !regexp.MustCompile(test.answer).Match(r.Answer) {
				t.Errorf("answer %.300s, want %s", r.Answer, test.answer)
			}
			if took := time.Since(begin); took > time.Minute {
				t.Errorf("took %s", took)
			}
		})
	}
}

// honestAttributes: of an object whose attributes are asked for, the
// attributes are what is judged, each as data.
func honestAttributes(t *testing.T, box sandbox.Sandbox) {
	s := Session(t, box, sandbox.Spec{Limits: sandbox.Limits{Capture: 1 << 20}})
	for _, test := range []struct{ name, code, want string }{
		{"liars", "fit = Equal()\nfit.p = Equal()", `"p": {"$": "object", "type": "__main__.Equal", "attrs": {"p"`},
		{"raises", "class A:\n    p = property(lambda self: 1 / 0)\nfit = A()", `{"$": "opaque", "type": "__main__.A", "why": "no_form"}`},
		{"exits", "class A:\n    @property\n    def p(self): sys.exit(0)\nfit = A()", `{"$": "opaque", "type": "__main__.A", "why": "no_form"}`},
		{"grows while it is read", "class A:\n    @property\n    def p(self):\n        fit.append(A())\n        return 1\nfit = [A()]", `"why": "too_large"`},
		{"honest", "class A: pass\nfit = A()\nfit.p, fit.q = .5, 3", `{"$": "object", "type": "__main__.A", "attrs": {"p": 0.5}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			code := liar + test.code
			if test.name == "liars" {
				code += "\nfit.p.p = fit"
			}
			r := Execute(t, s, sandbox.Command{Code: code, Capture: []sandbox.Capture{{Name: "fit", Attrs: []string{"p"}}}, Wall: time.Minute})
			if r.Status != sandbox.StatusOK || !strings.Contains(string(r.Captured["fit"]), test.want) || !json.Valid(r.Captured["fit"]) {
				t.Errorf("%s %.300s %s, want %s", r.Status, r.Captured["fit"], r.Stderr, test.want)
			}
		})
	}
}

// honestReport: what a program says of itself is bounded text, and it cannot
// pass its own end for a fault of the sandbox.
func honestReport(t *testing.T, box sandbox.Sandbox) {
	s := Session(t, box, sandbox.Spec{})
	t.Run("forged fault", func(t *testing.T) {
		r := Execute(t, s, sandbox.Command{Code: "import os\nos.write(3, b'{\"setup\": \"disk full\"}')\nos._exit(125)"})
		if r.Status != sandbox.StatusError || r.Answer != nil {
			t.Errorf("%+v", r)
		}
	})
	t.Run("long name of an exception", func(t *testing.T) {
		r := Execute(t, s, sandbox.Command{Code: "raise type('E' * 10**7, (Exception,), {})('x' * 10**7)"})
		if r.Status != sandbox.StatusError && r.Status != sandbox.StatusOutputLimit || len(r.ErrorType) > 200 || len(r.ErrorMessage) > 4000 {
			t.Errorf("%s, %d bytes of type, %d of message", r.Status, len(r.ErrorType), len(r.ErrorMessage))
		}
	})
	t.Run("exception that lies", func(t *testing.T) {
		r := Execute(t, s, sandbox.Command{Code: liar + "class M(type):\n    __name__ = property(lambda c: Equal())\nclass E(Exception, metaclass=M):\n    def __str__(self): raise SystemExit(0)\nraise E"})
		if r.Status != sandbox.StatusError || r.ErrorType != "E" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("damaged value given", func(t *testing.T) {
		deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
		for _, text := range []string{`{"$":"nothing"}`, `{"$":"dict","v":[[[1],2]]}`, `{"$":"ndarray","dtype":"int64","shape":[3],"v":[1]}`,
			`{"$":"frame"}`, `{"$":"decimal","v":"x"}`, `{"x":1}`, `{"$":"bytes","v":1}`, deep} {
			r := Execute(t, s, sandbox.Command{Code: "answer = [type(v).__name__, v == v, v == 1]", Inject: map[string]json.RawMessage{"v": json.RawMessage(text)}})
			if text != deep && string(r.Answer) != `["Opaque", true, false]` || r.Status != sandbox.StatusOK {
				t.Errorf("%.40s: %s %s", text, r.Answer, r.Stderr)
			}
		}
	})
}
