package execute_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/datasets/grading"
	"github.com/medgym-data/medgym-data/stages/internal/execute"
	"github.com/medgym-data/medgym-data/stages/internal/runtest"
)

func TestMain(m *testing.M) { runtest.Main(m) }

// index3 is the index of a series or frame of three.
const index3 = `{"$":"index","dtype":"int64","name":null,"v":[0,1,2]}`

// plainValues are Python values and their form in the plain codec. Print is what
// Python's print writes of the value and grading.Print must write too; empty where
// grading does not print such values.
var plainValues = []struct{ python, codec, print string }{
	{"None", "null", "None"}, {"True", "true", "True"}, {"False", "false", "False"}, {"0", "0", "0"}, {"-7", "-7", "-7"},
	{"2**53", "9007199254740992", "9007199254740992"}, {"2**53 + 1", `{"$":"int","v":"9007199254740993"}`, "9007199254740993"}, {"-10**40", `{"$":"int","v":"-1` + strings.Repeat("0", 40) + `"}`, "-1" + strings.Repeat("0", 40)},
	{"12.0", "12.0", "12.0"}, {"-0.0", "-0.0", "-0.0"}, {"0.1 + 0.2", "0.30000000000000004", "0.30000000000000004"}, {"1e16", "1e+16", "1e+16"}, {"123456789012345.6", "123456789012345.6", "123456789012345.6"}, {"1e-5", "1e-05", "1e-05"}, {"0.0001", "0.0001", "0.0001"}, {"5e-324", "5e-324", "5e-324"}, {"1.7976931348623157e308", "1.7976931348623157e+308", "1.7976931348623157e+308"},
	{"float('nan')", `{"$":"float","v":"nan"}`, "nan"}, {"float('inf')", `{"$":"float","v":"inf"}`, "inf"}, {"-float('inf')", `{"$":"float","v":"-inf"}`, "-inf"},
	{"''", `""`, ""}, {"'é😀\\n'", `"\u00e9\ud83d\ude00\n"`, "é😀\n"}, {"[\"it's\", 'a\"b', 'both\\'\"', '\\x7f\\xa0\\u200b\\t']", `["it's","a\"b","both'\"","\u007f\u00a0\u200b\t"]`, `["it's", 'a"b', 'both\'"', '\x7f\xa0\u200b\t']`},
	{"[1, [2.0, [None]], []]", "[1,[2.0,[null]],[]]", "[1, [2.0, [None]], []]"},
	{"()", `{"$":"tuple","v":[]}`, "()"}, {"(1,)", `{"$":"tuple","v":[1]}`, "(1,)"}, {"(1, 'a')", `{"$":"tuple","v":[1,"a"]}`, "(1, 'a')"},
	{"set()", `{"$":"set","v":[]}`, "set()"}, {"{5}", `{"$":"set","v":[5]}`, "{5}"}, {"{2, 'b', (1,)}", `{"$":"set","v":["b",2,{"$":"tuple","v":[1]}]}`, ""}, {"frozenset({frozenset({1})})", `{"$":"set","v":[{"$":"set","v":[1]}]}`, ""},
	{"{}", `{"$":"dict","v":[]}`, "{}"}, {"{'b': 1, 'a': {2: None}}", `{"$":"dict","v":[["b",1],["a",{"$":"dict","v":[[2,null]]}]]}`, "{'b': 1, 'a': {2: None}}"},
	{"{None: 1, True: 2, 1.5: 3, (1, 'x'): 4, b'k': 5, float('inf'): 6, '$': 7}", `{"$":"dict","v":[[null,1],[true,2],[1.5,3],[{"$":"tuple","v":[1,"x"]},4],[{"$":"bytes","v":"aw=="},5],[{"$":"float","v":"inf"},6],["$",7]]}`, "{None: 1, True: 2, 1.5: 3, (1, 'x'): 4, b'k': 5, inf: 6, '$': 7}"},
	{"{frozenset({1}): {(frozenset({2}),): 3}}", `{"$":"dict","v":[[{"$":"set","v":[1]},{"$":"dict","v":[[{"$":"tuple","v":[{"$":"set","v":[2]}]},3]]}]]}`, ""},
	{"collections.Counter('aab')", `{"$":"dict","v":[["a",2],["b",1]]}`, ""}, {"collections.namedtuple('P', 'x y')(1, 2)", `{"$":"tuple","v":[1,2]}`, ""},
	{"b''", `{"$":"bytes","v":""}`, "b''"}, {"b'\\xff\\x00\\'\\n'", `{"$":"bytes","v":"/wAnCg=="}`, `b"\xff\x00'\n"`}, {"bytearray(b'a')", `{"$":"bytes","v":"YQ=="}`, ""},
	{"decimal.Decimal('1.50')", `{"$":"decimal","v":"1.50"}`, "1.50"}, {"[decimal.Decimal('1E+5000')]", `[{"$":"decimal","v":"1E+5000"}]`, "[Decimal('1E+5000')]"}, {"decimal.Decimal('NaN')", `{"$":"decimal","v":"NaN"}`, "NaN"},
	{"complex(1, -2.5)", `{"$":"complex","v":[1.0,-2.5]}`, "(1-2.5j)"}, {"3j", `{"$":"complex","v":[0.0,3.0]}`, "3j"}, {"complex(-0.0, float('nan'))", `{"$":"complex","v":[-0.0,{"$":"float","v":"nan"}]}`, "(-0+nanj)"},
	{"datetime.date(2014, 9, 23)", `{"$":"date","v":"2014-09-23"}`, "2014-09-23"}, {"[datetime.date(2014, 9, 23)]", `[{"$":"date","v":"2014-09-23"}]`, "[datetime.date(2014, 9, 23)]"},
	{"datetime.datetime(2014, 9, 23, 1, 2, 3, 4)", `{"$":"datetime","v":"2014-09-23T01:02:03.000004"}`, "2014-09-23 01:02:03.000004"}, {"datetime.datetime(1, 1, 1)", `{"$":"datetime","v":"0001-01-01T00:00:00"}`, "0001-01-01 00:00:00"},
	{"datetime.datetime(2014, 9, 23, tzinfo=datetime.timezone.utc)", `{"$":"datetime","v":"2014-09-23T00:00:00+00:00"}`, "2014-09-23 00:00:00+00:00"}, {"datetime.datetime(2014, 9, 23, tzinfo=datetime.timezone(-datetime.timedelta(hours=5, minutes=30)))", `{"$":"datetime","v":"2014-09-23T00:00:00-05:30"}`, "2014-09-23 00:00:00-05:30"},
	{"datetime.time(1, 2, 3)", `{"$":"time","v":"01:02:03"}`, "01:02:03"},
	{"datetime.timedelta(0)", `{"$":"timedelta","v":0.0}`, "0:00:00"}, {"datetime.timedelta(days=1, seconds=3661, microseconds=5)", `{"$":"timedelta","v":90061.000005}`, "1 day, 1:01:01.000005"}, {"datetime.timedelta(microseconds=-1)", `{"$":"timedelta","v":-1e-06}`, "-1 day, 23:59:59.999999"}, {"datetime.timedelta(days=300 * 365)", `{"$":"timedelta","v":9460800000.0}`, "109500 days, 0:00:00"}, {"datetime.timedelta(days=-2)", `{"$":"timedelta","v":-172800.0}`, "-2 days, 0:00:00"},

	{"np.int8(-3)", "-3", "-3"}, {"np.uint64(2**64 - 1)", `{"$":"int","v":"18446744073709551615"}`, "18446744073709551615"}, {"np.bool_(True)", "true", "True"}, {"np.float64(0.5)", "0.5", "0.5"}, {"np.float32(0.5)", "0.5", "0.5"}, {"np.float16('nan')", `{"$":"float","v":"nan"}`, "nan"}, {"np.longdouble(2)", "2.0", "2.0"},
	{"np.complex64(1+2j)", `{"$":"complex","v":[1.0,2.0]}`, "(1+2j)"}, {"np.str_('a')", `"a"`, "a"}, {"np.bytes_(b'a')", `{"$":"bytes","v":"YQ=="}`, "b'a'"}, {"np.datetime64('2014-09-23T01:02:03')", `{"$":"datetime","v":"2014-09-23T01:02:03"}`, ""}, {"np.datetime64('NaT')", `{"$":"nat"}`, "NaT"}, {"np.timedelta64(90, 's')", `{"$":"timedelta","v":90.0}`, ""},
	{"np.array(5)", `{"$":"ndarray","dtype":"int64","shape":[],"v":[5]}`, "5"}, {"np.array([1, 2, 3], dtype='int8')", `{"$":"ndarray","dtype":"int8","shape":[3],"v":[1,2,3]}`, "[1 2 3]"}, {"np.array([[1, 2], [3, 4]], dtype='uint16').T", `{"$":"ndarray","dtype":"uint16","shape":[2,2],"v":[1,3,2,4]}`, ""},
	{"np.array([0.5, np.nan, -np.inf])", `{"$":"ndarray","dtype":"float64","shape":[3],"v":[0.5,{"$":"float","v":"nan"},{"$":"float","v":"-inf"}]}`, ""}, {"np.array([0.5], dtype='float16')", `{"$":"ndarray","dtype":"float16","shape":[1],"v":[0.5]}`, ""}, {"np.array([0.5], dtype='float32')", `{"$":"ndarray","dtype":"float32","shape":[1],"v":[0.5]}`, ""}, {"np.array([0.5], dtype=np.longdouble)", `{"$":"ndarray","dtype":"float128","shape":[1],"v":[0.5]}`, ""},
	{"np.array([1+2j])", `{"$":"ndarray","dtype":"complex128","shape":[1],"v":[{"$":"complex","v":[1.0,2.0]}]}`, ""}, {"np.array([True, False])", `{"$":"ndarray","dtype":"bool","shape":[2],"v":[true,false]}`, ""}, {"np.array(['a', 'bc'])", `{"$":"ndarray","dtype":"<U2","shape":[2],"v":["a","bc"]}`, "['a' 'bc']"}, {"np.array([b'a'])", `{"$":"ndarray","dtype":"|S1","shape":[1],"v":[{"$":"bytes","v":"YQ=="}]}`, "[b'a']"},
	{"np.array([None, 'a', 1], dtype=object)", `{"$":"ndarray","dtype":"object","shape":[3],"v":[null,"a",1]}`, "[None 'a' 1]"}, {"np.array(['2014-09-23', 'NaT'], dtype='datetime64[D]')", `{"$":"ndarray","dtype":"datetime64[D]","shape":[2],"v":[{"$":"datetime","v":"2014-09-23T00:00:00"},{"$":"nat"}]}`, ""}, {"np.array([90, 'NaT'], dtype='timedelta64[s]')", `{"$":"ndarray","dtype":"timedelta64[s]","shape":[2],"v":[{"$":"timedelta","v":90.0},{"$":"nat"}]}`, ""},
	{"np.zeros((0, 3))", `{"$":"ndarray","dtype":"float64","shape":[0,3],"v":[]}`, ""}, {"(lambda a: (a.__setitem__(0, (1, 2)), a.__setitem__(1, [3]))and a)(np.empty(2, dtype=object))", `{"$":"ndarray","dtype":"object","shape":[2],"v":[{"$":"tuple","v":[1,2]},[3]]}`, ""},

	{"pd.NaT", `{"$":"nat"}`, "NaT"}, {"pd.Timestamp('2014-09-23 01:02:03.000000004')", `{"$":"datetime","v":"2014-09-23T01:02:03.000000004"}`, "2014-09-23 01:02:03.000000004"}, {"pd.Timestamp('2014-09-23', tz='Europe/Berlin')", `{"$":"datetime","v":"2014-09-23T00:00:00+02:00"}`, "2014-09-23 00:00:00+02:00"}, {"pd.Timedelta(hours=36)", `{"$":"timedelta","v":129600.0}`, ""},
	{"pd.Series([1.0, None, 3.0], name='n')", `{"$":"series","dtype":"float64","name":"n","index":` + index3 + `,"v":[1.0,{"$":"float","v":"nan"},3.0]}`, ""}, {"pd.Series([1, None, 3], dtype='Int64')", `{"$":"series","dtype":"Int64","name":null,"index":` + index3 + `,"v":[1,null,3]}`, ""},
	{"pd.Series([True, None, False], dtype='boolean')", `{"$":"series","dtype":"boolean","name":null,"index":` + index3 + `,"v":[true,null,false]}`, ""}, {"pd.Series(['a', None, 'c'], dtype='string')", `{"$":"series","dtype":"string","name":null,"index":` + index3 + `,"v":["a",null,"c"]}`, ""}, {"pd.Series([0.5, None, 1.0], dtype='Float64')", `{"$":"series","dtype":"Float64","name":null,"index":` + index3 + `,"v":[0.5,null,1.0]}`, ""},
	{"pd.Series(['a', 'b', 'a'], dtype='category')", `{"$":"series","dtype":"category","name":null,"index":` + index3 + `,"v":["a","b","a"]}`, ""}, {"pd.Series(pd.to_datetime(['2014-09-23', None, '2014-09-24']))", `{"$":"series","dtype":"datetime64[ns]","name":null,"index":` + index3 + `,"v":[{"$":"datetime","v":"2014-09-23T00:00:00"},{"$":"nat"},{"$":"datetime","v":"2014-09-24T00:00:00"}]}`, ""},
	{"pd.Series(pd.to_datetime(['2014-09-23', None, '2014-09-24'], utc=True))", `{"$":"series","dtype":"datetime64[ns, UTC]","name":null,"index":` + index3 + `,"v":[{"$":"datetime","v":"2014-09-23T00:00:00+00:00"},{"$":"nat"},{"$":"datetime","v":"2014-09-24T00:00:00+00:00"}]}`, ""}, {"pd.Series(pd.to_timedelta([1, 2, None], unit='h'))", `{"$":"series","dtype":"timedelta64[ns]","name":null,"index":` + index3 + `,"v":[{"$":"timedelta","v":3600.0},{"$":"timedelta","v":7200.0},{"$":"nat"}]}`, ""},
	{"pd.Series([(1, 2), [3], {'a': 1}])", `{"$":"series","dtype":"object","name":null,"index":` + index3 + `,"v":[{"$":"tuple","v":[1,2]},[3],{"$":"dict","v":[["a",1]]}]}`, ""}, {"pd.Series([], dtype=float)", `{"$":"series","dtype":"float64","name":null,"index":{"$":"index","dtype":"int64","name":null,"v":[]},"v":[]}`, ""},
	{"pd.Index(['a', 'b'], name='n')", `{"$":"index","dtype":"object","name":"n","v":["a","b"]}`, ""}, {"pd.RangeIndex(3)", index3, ""}, {"pd.Index([(1, 2), (3, 4)], tupleize_cols=False)", `{"$":"index","dtype":"object","name":null,"v":[{"$":"tuple","v":[1,2]},{"$":"tuple","v":[3,4]}]}`, ""}, {"pd.CategoricalIndex(['a', 'b'])", `{"$":"index","dtype":"category","name":null,"v":["a","b"]}`, ""},
	{"pd.DatetimeIndex(['2014-09-23'])", `{"$":"index","dtype":"datetime64[ns]","name":null,"v":[{"$":"datetime","v":"2014-09-23T00:00:00"}]}`, ""}, {"pd.MultiIndex.from_tuples([(1, 'x'), (2, 'y')], names=['a', None])", `{"$":"index","dtype":"object","name":null,"names":["a",null],"v":[{"$":"tuple","v":[1,"x"]},{"$":"tuple","v":[2,"y"]}]}`, ""}, {"pd.MultiIndex.from_tuples([], names=['a', 'b'])", `{"$":"index","dtype":"object","name":null,"names":["a","b"],"v":[]}`, ""},
	{"pd.DataFrame({'a': [1, 2, 3], 'b': ['x', None, 2.5]})", `{"$":"frame","columns":{"$":"index","dtype":"object","name":null,"v":["a","b"]},"index":` + index3 + `,"dtypes":["int64","object"],"v":[[1,2,3],["x",null,2.5]]}`, ""},
	{"pd.DataFrame([[1, 2], [3, 4]], columns=['a', 'a'], index=[5, 5])", `{"$":"frame","columns":{"$":"index","dtype":"object","name":null,"v":["a","a"]},"index":{"$":"index","dtype":"int64","name":null,"v":[5,5]},"dtypes":["int64","int64"],"v":[[1,3],[2,4]]}`, ""},
	{"pd.DataFrame({'k': ['p', 'q'], 'v': [1.0, 2.0]}).groupby('k').agg(['mean'])", `{"$":"frame","columns":{"$":"index","dtype":"object","name":null,"names":[null,null],"v":[{"$":"tuple","v":["v","mean"]}]},"index":{"$":"index","dtype":"object","name":"k","v":["p","q"]},"dtypes":["float64"],"v":[[1.0,2.0]]}`, ""},
	{"pd.DataFrame(index=[0, 1, 2])", `{"$":"frame","columns":{"$":"index","dtype":"int64","name":null,"v":[]},"index":` + index3 + `,"dtypes":[],"v":[]}`, ""}, {"pd.DataFrame()", `{"$":"frame","columns":{"$":"index","dtype":"int64","name":null,"v":[]},"index":{"$":"index","dtype":"int64","name":null,"v":[]},"dtypes":[],"v":[]}`, ""},
}

// oneWay are values that lose something on the way: what reads them gets another,
// which is encoded alike but for its type.
var oneWay = []struct{ python, codec string }{
	{"pd.NA", "null"}, {"np.ma.array([1, 2], mask=[0, 1])", `{"$":"ndarray","dtype":"int64","shape":[2],"v":[1,null]}`}, {"np.matrix([[1, 2]])", `{"$":"ndarray","dtype":"int64","shape":[1,2],"v":[1,2]}`},
	{"pd.Categorical(['a', None])", `{"$":"ndarray","dtype":"category","shape":[2],"v":["a",{"$":"float","v":"nan"}]}`}, {"pd.array([1, None], dtype='Int64')", `{"$":"ndarray","dtype":"Int64","shape":[2],"v":[1,null]}`},
	{"range(3)", `{"$":"opaque","type":"builtins.range","why":"no_form"}`}, {"[object()]", `[{"$":"opaque","type":"builtins.object","why":"no_form"}]`}, {"np.array([(1, 2.0)], dtype='i4,f8')", `{"$":"opaque","type":"numpy.ndarray","why":"no_form"}`}, {"np.timedelta64(5, 'M')", `{"$":"opaque","type":"numpy.timedelta64","why":"no_form"}`},
	{"10**4300", `{"$":"opaque","type":"builtins.int","why":"too_large"}`}, {"'\\ud800'", `{"$":"opaque","type":"builtins.str","why":"no_form"}`},
}

// sameness compares two Python values with their types, NaN alike to NaN.
const sameness = `
import collections, datetime, decimal, math, sys
import numpy as np, pandas as pd
def same(a, b):
    if isinstance(a, (pd.Series, pd.Index, pd.DataFrame)):
        if isinstance(a, pd.Index):
            pd.testing.assert_index_equal(a, b, exact='equiv')
        elif isinstance(a, pd.Series):
            pd.testing.assert_series_equal(a, b, check_freq=False)
        else:
            pd.testing.assert_frame_equal(a, b, check_freq=False)
        return True
    if isinstance(a, np.ndarray):
        return type(b) is np.ndarray and a.dtype == b.dtype and a.shape == b.shape and all(same(x, y) for x, y in zip(a.ravel().tolist(), b.ravel().tolist()))
    if isinstance(a, np.generic) and not isinstance(a, (np.datetime64, np.timedelta64)):
        a = a.item() if not isinstance(a, np.longdouble) else float(a)
        b = float(b) if isinstance(b, np.longdouble) else b
    if a is pd.NaT or (isinstance(a, (np.datetime64, np.timedelta64)) and np.isnat(a)):
        return b is pd.NaT
    if isinstance(a, (float, complex, decimal.Decimal)):
        return isinstance(b, type(a)) and str(a) == str(b)
    if isinstance(a, (list, tuple)):
        return isinstance(a, type(b)) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(a, type(b)) and same(list(a.items()), list(b.items()))
    if isinstance(a, (bytes, bytearray)):
        return type(b) is bytes and a == b
    if isinstance(a, (bool, int, str, set, frozenset)) or a is None:
        return (type(a) is type(b) or isinstance(a, frozenset)) and a == b
    return bool(a == b)
`

// TestCodec: what Python writes, grading reads and prints as Python does; what
// grading would have written, Python reads as the equal value. One table, both ways.
func TestCodec(t *testing.T) {
	run := execute.Runner(runtest.Python(t))
	program := func(t *testing.T, code string, values map[string]datasets.RawValue) datasets.Output {
		t.Helper()
		out, err := run.Run(t.Context(), datasets.Program{Code: code, Inject: values, Capture: []datasets.Capture{{Name: "values"}, {Name: "again"}}})
		if err != nil || out.Status != "ok" {
			t.Fatalf("%v %s %s: %s", err, out.Status, out.Message, out.Stderr)
		}
		return out
	}
	// One program for the table; a value whose list of both is equal at once is not looked at again.
	var exprs, forms, prints []string
	for _, v := range plainValues {
		exprs, forms, prints = append(exprs, v.python), append(forms, v.codec), append(prints, v.print)
	}
	for _, v := range oneWay {
		exprs, forms = append(exprs, v.python), append(forms, v.codec)
	}
	table := "[" + strings.Join(exprs, ",\n") + "]"
	out := program(t, sameness+"values = "+table+`
answer = []
for i, value in enumerate(values[:`+jsonText(t, len(plainValues))+`]):
    try:
        ok = same(value, given[i])
    except Exception as e:
        ok = repr(e)
    answer.append([ok is True, repr(given[i])[:200] + ('' if ok in (True, False) else ok), str(value)])
again = given
`, map[string]datasets.RawValue{"given": datasets.RawValue("[" + strings.Join(forms, ",") + "]")})
	var written, again []json.RawMessage
	var verdicts [][3]any
	for _, got := range []struct {
		raw  datasets.RawValue
		into any
	}{{out.Captured["values"], &written}, {out.Captured["again"], &again}, {out.Answer, &verdicts}} {
		if err := json.Unmarshal(got.raw, got.into); err != nil {
			t.Fatalf("%v: %.200s", err, got.raw)
		}
	}
	if len(written) != len(exprs) || len(again) != len(exprs) || len(verdicts) != len(plainValues) {
		t.Fatalf("%d values, %d again, %d verdicts", len(written), len(again), len(verdicts))
	}
	for i, expr := range exprs {
		if got := compact(t, written[i]); got != compact(t, json.RawMessage(forms[i])) {
			t.Errorf("%s is written as %s, want %s", expr, got, forms[i])
		}
		v, err := grading.Parse(datasets.RawValue(written[i]))
		if err != nil {
			t.Errorf("%s is not read: %v", expr, err)
		}
		if i >= len(plainValues) {
			continue
		}
		if got := grading.Print(v); prints[i] != "" && (got != prints[i] || prints[i] != verdicts[i][2]) {
			t.Errorf("%s is printed as %q, by Python as %q, want %q", expr, got, verdicts[i][2], prints[i])
		}
		if verdicts[i][0] != true {
			t.Errorf("%s comes back as %s", expr, verdicts[i][1])
		}
		if got := compact(t, again[i]); got != compact(t, json.RawMessage(forms[i])) {
			t.Errorf("%s, read and written again, is %s, want %s", expr, got, forms[i])
		}
	}

	t.Run("depth", func(t *testing.T) {
		for _, wrap := range []string{"[v]", "(v,)", "{1: v}", "{'a': v}", "pd.Series([v])", "pd.DataFrame({'a': [v]})", "np.array([v, None], dtype=object)[:1]"} {
			out := program(t, "import pandas as pd, numpy as np\nv = 5\nfor _ in range(100): v = "+wrap+"\nanswer = v", nil)
			if _, err := grading.Parse(out.Answer); err != nil || !strings.Contains(string(out.Answer), "too_deep") {
				t.Errorf("%s: %v %.100s", wrap, err, out.Answer)
			}
		}
	})
	t.Run("numbers that text says", func(t *testing.T) {
		texts := []string{"12", " 12\n", "+1_0", "1__0", "1e400", "-Infinity", "+-nan", "NAN", ".", "5.", "0x1", "\u0661.\u0665", "\uff11", "\u00a01\u2003", "\x1c1", "1\x1f", "\u00b2", "\u2460", "1e1_0", "\u0bef\u0be6", strings.Repeat("7", 4301), "infinit", "--1", "1 2", "\x851", "\u200b1"}
		out := program(t, "answer = []\nfor s in texts:\n    pair = []\n    for kind in (float, int):\n        try: pair.append(repr(float(kind(s))))\n        except ValueError: pair.append('')\n        except OverflowError: pair.append('inf')\n    answer.append(pair)",
			map[string]datasets.RawValue{"texts": datasets.RawValue(jsonText(t, texts))})
		var want [][2]string
		if err := json.Unmarshal(out.Answer, &want); err != nil {
			t.Fatal(err)
		}
		say := func(f float64, ok bool) string {
			if !ok {
				return ""
			}
			return grading.Print(grading.Value{Kind: grading.Float, Float: f})
		}
		for i, text := range texts {
			if got := say(grading.PyFloat(text)); got != want[i][0] {
				t.Errorf("float(%.40q) is %q, in Python %q", text, got, want[i][0])
			}
			if got := say(grading.PyInt(text)); got != want[i][1] {
				t.Errorf("int(%.40q) is %q, in Python %q", text, got, want[i][1])
			}
		}
	})
	t.Run("large", func(t *testing.T) {
		begin := time.Now()
		out := program(t, "import numpy as np\nanswer = np.arange(1_000_000)", nil)
		v, err := grading.Parse(out.Answer)
		if err != nil || len(v.Items) != 1_000_000 {
			t.Errorf("%v, %d values", err, len(v.Items))
		}
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

// TestCheats: answers that say they are equal to everything, and hold 7 or nothing,
// are never 42, whichever way a grader asks.
func TestCheats(t *testing.T) {
	run := execute.Runner(runtest.Python(t))
	const liar = `
import datetime, decimal, itertools, sys
import numpy as np, pandas as pd
class Lies:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return hash(42)
    def __float__(self): return 42.0
    def __int__(self): return 42
    def __index__(self): return 42
    def __str__(self): return '42'
    __repr__ = __str__
    def __bool__(self): return True
    def __len__(self): return 1
    def __iter__(self): return iter([42])
    def __getitem__(self, i): return 42
    def __array__(self, *a): return np.array(42)
    def items(self): return [(42, 42)]
    def keys(self): return [42]
    def tolist(self): return [42]
    def item(self): return 42
    def isoformat(self, *a): return '42'
    def total_seconds(self): return 42.0
    real = property(lambda self: 42.0)
`
	for _, code := range []string{
		"answer = Lies()", "answer = [Lies()]", "answer = (Lies(), Lies())", "answer = {Lies()}", "answer = {42: Lies()}", "answer = {Lies(): 42}", "answer = Lies",
		"class A(Lies, int): pass\nanswer = A(7)", "class A(Lies, float): pass\nanswer = A(7)", "class A(Lies, float): pass\nanswer = A('nan')", "class A(Lies, str): pass\nanswer = A('7')", "class A(Lies, bytes): pass\nanswer = A(b'7')",
		"class A(Lies, complex): pass\nanswer = A(7)", "class A(Lies, decimal.Decimal): pass\nanswer = A(7)", "class A(Lies, list): pass\nanswer = A([7])", "class A(Lies, tuple): pass\nanswer = A([7])", "class A(Lies, set): pass\nanswer = A([7])", "class A(Lies, dict): pass\nanswer = A({7: 7})",
		"class A(Lies, datetime.date): pass\nanswer = A(2007, 7, 7)", "class A(Lies, datetime.timedelta): pass\nanswer = A(7)", "class A(Lies, np.float64): pass\nanswer = A(7)", "class A(Lies, np.int64): pass\nanswer = A(7)", "class A(Lies, np.ndarray): pass\nanswer = np.array([7]).view(A)",
		"answer = np.array([Lies()], dtype=object)", "answer = np.array([Lies()], dtype=object).reshape(())", "answer = pd.Series([Lies()])", "answer = pd.DataFrame({'a': [Lies()]})", "answer = pd.Index([Lies()])", "answer = pd.Series([float('nan'), None])",
		"class A(Lies):\n    __class__ = int\nanswer = A()", "class A(Lies):\n    __class__ = float\nanswer = A()", "class A(Lies):\n    __class__ = list\nanswer = A()", "answer = np.ma.array(42, mask=True)", "answer = []\nanswer.append(answer)", "answer = (x for x in [42])", "answer = lambda: 42",
		"sys.modules['json'].dumps = lambda *a, **k: '[[42]'\nanswer = 7", "import plain\nplain.dumps = lambda *a: 'NaN'\nanswer = 7", "import plain\nplain.dumps = lambda *a: '{\"$\": \"dict\", \"v\": [[42, 42], [42, 42]]}'\nanswer = 7",
	} {
		out, err := run.Run(t.Context(), datasets.Program{Code: liar + code})
		if err != nil {
			t.Errorf("%s: %v", code, err)
			continue
		}
		v, reason := grading.Answer(datasets.Submission{Code: code, Status: out.Status, Answer: out.Answer})
		_, spans := v.Span()
		x, number := v.Number()
		for _, gold := range []string{"42", "42.0", `"42"`, "[42]", "[[42]]", "true", `{"$":"tuple","v":[42,42]}`, `{"$":"set","v":[42]}`, `{"$":"dict","v":[[42,42]]}`, `{"$":"ndarray","dtype":"int64","shape":[],"v":[42]}`,
			`{"$":"series","dtype":"float64","name":null,"index":{"$":"index","dtype":"int64","name":null,"v":[0]},"v":[42]}`, "[null]"} {
			g, err := grading.Parse(datasets.RawValue(gold))
			if err != nil {
				t.Fatal(err)
			}
			loose := datasettest.SameOptions{Relative: grading.Tolerance, NaNEqual: gold != "[null]", SequenceKinds: true}
			if grading.EqualMultiset(g, v) || datasettest.Same(g, v, loose) {
				t.Errorf("%s: %s (%s) is taken for %s", code, out.Answer, reason, gold)
			}
		}
		if spans || number && x != 7 || grading.Print(v) == "42" {
			t.Errorf("%s: %s says %v", code, out.Answer, x)
		}
	}
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// compact writes JSON without spaces and with text as Go escapes it; numbers stay.
func compact(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v: %.100s", err, raw)
	}
	return jsonText(t, v)
}
