package pysrc

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTokenize(t *testing.T) {
	src := "x = f'a#{b}' + r\"\\n\"  # tail\ny[1:2] += 0x1F\n\n'''two\nlines'''; z\\\n  .w\n(1,\n 2)"
	var got []string
	for _, tok := range Tokenize(src) {
		got = append(got, tok.Text)
	}
	want := []string{
		"x", "=", "f'a#{b}'", "+", `r"\n"`, "\n",
		"y", "[", "1", ":", "2", "]", "+=", "0x1F", "\n",
		"'''two\nlines'''", ";", "z", ".", "w", "\n",
		"(", "1", ",", "2", ")",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestReindent(t *testing.T) {
	tests := []struct{ name, src, indent, want string }{
		{"flat to a class", "def f(self):\n    return 1\n", "    ", "    def f(self):\n        return 1\n"},
		{"already indented", "    def f(self):\n        return 1\n", "    ", "    def f(self):\n        return 1\n"},
		{"to the margin", "\tdef f():\n\t\treturn 1", "", "def f():\n\treturn 1"},
		{"strings stay", "def f():\n    return '''a\n  b\n'''\n", "  ", "  def f():\n      return '''a\n  b\n'''\n"},
		{"brackets do not count", "    f(1,\n2)\n    g()\n", "", "f(1,\n2)\ng()\n"},
		{"comments do not count", "# note\n    f()\n", "", "# note\nf()\n"},
		{"blank lines stay", "  a\n\n   \n  b", "\t", "\ta\n\n   \n\tb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Reindent(tt.src, tt.indent); got != tt.want {
				t.Errorf("got\n%q\nwant\n%q", got, tt.want)
			}
		})
	}
}

func TestFreeNames(t *testing.T) {
	tests := []struct{ src, want string }{
		{"assert abs(pvalue - 0.06) <= 1e-8", "pvalue"},
		{"assert kmf.event_observed.sum() == 1\nassert kmf.durations.sum() < 2", "kmf.event_observed,durations"},
		{`assert curves["a"].event_observed.sum() == 62`, "curves.event_observed"},
		{"import os\nd = pd.read_csv(os.path.join(DIR, 'a.csv'))\nassert d['x'].equals(s)", "pd DIR s"},
		{"d['x'] = d['x'].apply(lambda v: 1 if v else 0)", "d"},
		{"assert all(c in left.columns for c in right.columns[1:])", "left.columns right.columns"},
		{"from a.b import c as e\nimport f.g as h\nassert isinstance(x, e) and h", "x"},
		{"x = x + 1; y = x\nassert y == z", "x z"},
		{"a, (b, c) = t\nassert a == b == c", "t"},
		{"assert f(key=value, index=0)", "f value"},
		{"for k, v in r.items():\n    assert v == k", "r"},
		{"with o as g:\n    assert g", "o"},
		{"def check(p):\n    assert p\ncheck(q)", "q"},
		{"if (n := n0) > 1: assert n", "n0"},
	}
	for _, tt := range tests {
		t.Run(tt.src, func(t *testing.T) {
			var got []string
			for _, f := range FreeNames(tt.src) {
				text := f.Name
				if len(f.Attrs) > 0 {
					text += "." + strings.Join(f.Attrs, ",")
				}
				got = append(got, text)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestStringList(t *testing.T) {
	tests := []struct {
		src  string
		want []string
		err  bool
	}{
		{src: "[]", want: []string{}},
		{src: `['a', "b'c",]`, want: []string{"a", "b'c"}},
		{src: `('x' 'y',)`, want: []string{"xy"}},
		{src: `['\n\t\\\'\x41\u00e9\U0001F600\101\q']`, want: []string{"\n\t\\'A\u00e9\U0001F600A\\q"}},
		{src: `[r'\n', '''two
lines''']`, want: []string{`\n`, "two\nlines"}},
		{src: `['a' , , 'b']`, err: true},
		{src: `['a', 1]`, err: true},
		{src: `[['a']]`, err: true},
		{src: `[b'a']`, err: true},
		{src: `[f'{x}']`, err: true},
		{src: `['a`, err: true},
		{src: `['\ud800']`, err: true},
		{src: `['\x4']`, err: true},
		{src: `__import__('os')`, err: true},
		{src: ``, err: true},
	}
	for _, tt := range tests {
		t.Run(tt.src, func(t *testing.T) {
			got, err := StringList(tt.src)
			if (err != nil) != tt.err {
				t.Fatalf("error %v, want one: %v", err, tt.err)
			}
			if err == nil && !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzTokenize(f *testing.F) {
	for _, s := range []string{"x = 'a\\\n'", "'''", "f(1,\n[2", "\\\n\\", "rb'", "0x", "é.ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		end := 0
		for _, tok := range Tokenize(src) {
			if tok.Start < end || tok.End <= tok.Start || src[tok.Start:tok.End] != tok.Text {
				t.Fatalf("token %+v after offset %d", tok, end)
			}
			end = tok.End
		}
		FreeNames(src)
	})
}

func FuzzReindent(f *testing.F) {
	f.Add("    def f():\n        return '''\n x'''\n", "  ")
	f.Fuzz(func(t *testing.T, src, indent string) {
		if strings.Trim(indent, " ") != "" {
			t.Skip()
		}
		flat := func(s string) string {
			return strings.Map(func(r rune) rune {
				if r == ' ' || r == '\t' {
					return -1
				}
				return r
			}, s)
		}
		if got := Reindent(src, indent); flat(got) != flat(src) {
			t.Fatalf("%q became %q", src, got)
		}
	})
}

func FuzzStringList(f *testing.F) {
	for _, s := range []string{"['a']", `['\x41\101\N{BULLET}']`, "[r'\\'", "('''a''' \"b\")"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		list, err := StringList(src)
		if err != nil {
			return
		}
		var quoted []string
		for _, s := range list {
			var b strings.Builder
			for _, r := range []byte(s) {
				switch {
				case r == '\'' || r == '\\':
					fmt.Fprintf(&b, "\\%c", r)
				case r == '\n':
					b.WriteString(`\n`)
				default:
					b.WriteByte(r)
				}
			}
			quoted = append(quoted, "'"+b.String()+"'")
		}
		again, err := StringList("[" + strings.Join(quoted, ", ") + "]")
		if err != nil || !slices.Equal(again, list) {
			t.Fatalf("%q read back as %q, %v", list, again, err)
		}
	})
}
