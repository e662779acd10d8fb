package biocoder

import "testing"

func TestSameOutput(t *testing.T) {
	tests := []struct {
		name, want, got string
		same            bool
	}{
		{"equal", "abc\n", "abc\n", true},
		{"end of output", "abc\n", "abc", true},
		{"other word", "abc", "abd", false},
		{"extra line", "1\n", "debug\n1\n", false},
		{"extra line after", "1\n", "1\n2\n", false},
		{"line break is content", "1\n2", "1 2", false},
		{"empty", "1", "", false},
		{"number within 1e-6", "0.3333333333", "0.33333334", true},
		{"number outside", "0.3333333", "0.333337", false},
		{"sign", "1.5", "-1.5", false},
		{"integers are exact", "10000000", "10000001", false},
		{"integer and float", "12", "12.0", true},
		{"zero is not small", "0.0", "1e-7", false},
		{"rounding noise", "5.55e-17", "0.0", true},
		{"nan is a word", "nan", "nan", true},
		{"nan is no number", "nan", "0.0", false},
		{"inf", "[inf, 1.0]", "[-inf, 1.0]", false},
		{"leading zeros are a code", "007", "7", false},
		{"version is no number", "1.2.3", "1.2.30", false},
		{"complex", "(1+2j)", "(1-2j)", false},
		{"imaginary within", "2.0000001j", "2j", true},
		{"set in any order", "{'a', 'b', 'c'}", "{'c', 'a', 'b'}", true},
		{"set, one differs", "{'a', 'b'}", "{'a', 'c'}", false},
		{"set, one twice", "{1.5, 2.5}", "{1.5, 1.5}", false},
		{"set and list", "{1, 2}", "[1, 2]", false},
		{"list in order", "[1, 2]", "[2, 1]", false},
		{"dict in any order", "{'a': 1, 'b': [1, 2]}", "{'b': [1, 2], 'a': 1}", true},
		{"dict value in order", "{'b': [1, 2]}", "{'b': [2, 1]}", false},
		{"nested", "[{'k': {1, 2}}, {}]", "[{'k': {2, 1}}, {}]", true},
		{"unordered within tolerance", "{'a': 0.333333333, 'b': 2}", "{'b': 2, 'a': 0.33333333}", true},
		{"ordered dict", "OrderedDict({'a': 1, 'b': 2})", "OrderedDict({'b': 2, 'a': 1})", false},
		{"ordered dict of pairs", "OrderedDict([('a', 1), ('b', 2)])", "OrderedDict([('b', 2), ('a', 1)])", false},
		{"frozenset", "frozenset({'a', 'b'})", "frozenset({'b', 'a'})", true},
		{"defaultdict", "defaultdict(<class 'int'>, {'a': 1, 'b': 2})", "defaultdict(<class 'int'>, {'b': 2, 'a': 1})", true},
		{"dict_keys", "dict_keys(['a', 'b'])", "dict_keys(['b', 'a'])", true},
		{"dict_values", "dict_values([1, 2])", "dict_values([2, 1])", false},
		{"numpy scalar", "[1.5, 2]", "[np.float64(1.5), np.int64(2)]", true},
		{"array spacing", "[[ 1.  10.5]\n [ 2.   3. ]]", "[[ 1.          10.50000001]\n [ 2.           3.        ]]", true},
		{"array shape", "[[1. 2.]\n [3. 4.]]", "[1. 2. 3. 4.]", false},
		{"frame columns shift", "      a    b\n0  1.0  2.5", "          a         b\n0  1.0000000001  2.5", true},
		{"spaces are content", "a  b", "a b", false},
		{"indent is content", "x\n    y", "x\n  y", false},
		{"quoted spaces", "['a  b', 0.1]", "['a b', 0.1000000001]", false},
		{"address", "<map object at 0x7f00aa> 1", "<map object at 0x7fffbb> 1", true},
		{"brackets do not pair", "a) 1.0 b", "a) 1.00 b", true},
		{"brackets do not pair, other", "a) 1.0 b", "a) 1.1 b", false},
		{"apostrophe", "don't 1.0", "don't 1.00", true},
		{"date is no sum", "2020-01-02", "2020-01-03", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := sameOutput(tt.want, tt.got); got != tt.same {
				t.Errorf("sameOutput(%q, %q) = %v", tt.want, tt.got, got)
			}
		})
	}
}

func TestUninformative(t *testing.T) {
	tests := []struct{ out, want string }{
		{"", "gold_output_empty"},
		{" \n\n", "gold_output_empty"},
		{"None\n", "gold_output_none"},
		{"None\nNone\n", "gold_output_none"},
		{"None 1", ""},
		{"<__main__.A object at 0x7f2a>", "gold_output_addresses"},
		{"[<A object at 0x7f2a>, <B object at 0x11>]", "gold_output_addresses"},
		{"<bound method A.f of <__main__.A object at 0x7f2a>>", "gold_output_addresses"},
		{"<A object at 0x7f2a> 3", ""},
		{"[]", ""},
		{"{}", ""},
		{"0", ""},
	}
	for _, tt := range tests {
		if got := uninformative(tt.out); got != tt.want {
			t.Errorf("uninformative(%q) = %q, want %q", tt.out, got, tt.want)
		}
	}
}

func FuzzSameOutput(f *testing.F) {
	for _, s := range []string{"{1: {2, 3}, 'a': [1.5, -2e3]}", "[[ 1. 2.]\n [3. 4.]]", "<x at 0x12>", "((", "'", "np.float64(1)", "-.5e+3j 1.2.3 {{"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if !sameOutput(a, a) {
			t.Fatalf("%q differs from itself", a)
		}
		tree, ok := parse(normalize(a))
		if ok {
			var d difference
			if !d.nodes(tree, tree) || !d.acceptable() {
				t.Fatalf("the tree of %q differs from itself", a)
			}
		}
		sameOutput(a, b)
	})
}
