package show

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"plain\tand\nsimple é 日本":                          "plain\tand\nsimple é 日本",
		"\x1b[31mred\x1b[0m \x1b[1;38;5;4mblue\x1b[K":      "red blue",
		"\x1b]0;title\x07after \x1b]8;;http://x\x1b\\link": "after link",
		"\x1b(Bcharset \x1b=keys \x1bMup":                  "charset keys up",
		"a\x00b\x07c\x7fd\u0085e":                          "abcde",
		"10%\r20%\r\n100%":                                 "10%\n20%\n100%",
		"bad \xff\xfe \xed\xa0\x80 end":                    "bad \uFFFD \uFFFD end",
		"\ufeffmark \u202eevil\u202c \u2066x\u2069":        "mark evil x",
		"cut in an escape \x1b[3":                          "cut in an escape ",
		"\u009b31mred":                                     "red",
		"\x1b":                                             "",
	} {
		if got := Clean(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	lines := func(n int) string { return strings.Repeat("0123456789\n", n) }
	for _, tc := range []struct {
		name, text string
		limit      int
		want       string // where it is cut
	}{
		{"fits", lines(9), 99, ""},
		{"fits in characters", strings.Repeat("é", 99), 99, ""},
		{"at lines", lines(100), 200, lines(11)[:120] + "\n[947 characters left out]\n" + lines(3)},
		{"no line near", strings.Repeat("é", 400), 100, strings.Repeat("é", 55) + "\n[327 characters left out]\n" + strings.Repeat("é", 18)},
	} {
		got, cut := Cut(tc.text, tc.limit)
		if cut != (tc.want != "") || !cut && got != tc.text || cut && got != tc.want {
			t.Errorf("%s: cut %v: %q", tc.name, cut, got)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add("short", 100)
	f.Add(strings.Repeat("日本\n", 200), 100)
	f.Add("\xff"+strings.Repeat("é", 300), 77)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = 60 + max(0, limit%1000)
		text = Clean(text)
		if !utf8.ValidString(text) || Clean(text) != text {
			t.Fatalf("not clean: %q", text)
		}
		got, cut := Cut(text, limit)
		if n := utf8.RuneCountInString(got); n > limit || !utf8.ValidString(got) || cut != (got != text) {
			t.Errorf("%d characters for %d, cut %v: %q", n, limit, cut, got)
		}
	})
}

func TestExcerpt(t *testing.T) {
	code := "a\nb\n\tc\nd\ne\nf\ng\nh\n"
	if got, want := Excerpt(code, 5), "      2  b\n      3  \tc\n      4  d\n->    5  e\n      6  f\n      7  g\n      8  h"; got != want {
		t.Errorf("%q", got)
	}
	if got, want := Excerpt("x = 1", 1), "->    1  x = 1"; got != want {
		t.Errorf("%q", got)
	}
	for _, line := range []int{0, -1, 9} {
		if got := Excerpt(code, line); got != "" {
			t.Errorf("line %d: %q", line, got)
		}
	}
	if got := Excerpt(strings.Repeat("x", 1000), 1); len(got) > 250 {
		t.Errorf("a long line: %d bytes", len(got))
	}
}

func TestHide(t *testing.T) {
	h := Hide(map[string]string{
		"/home/ann/mimic/core/patients.db": "/data/mimic.db",
		"/home/ann/mimic/core/a.csv":       "/workdir/core/a.csv",
	})
	for text, want := range map[string]string{
		"open /home/ann/mimic/core/patients.db: no":           "open /data/mimic.db: no",
		"66 1 8:1 /ann/mimic/core/patients.db /data/mimic.db": "66 1 8:1 /data/mimic.db /data/mimic.db",
		"/core/patients.db":            "/data/mimic.db",
		"/workdir/core/a.csv":          "/workdir/core/a.csv",
		"/home/ann/mimic/core":         "/workdir/core",
		"patients.db stays, /data too": "patients.db stays, /data too",
	} {
		if got := h.Text(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	if got := Hide(nil).Text("/a/b/c"); got != "/a/b/c" {
		t.Errorf("%q", got)
	}
}
