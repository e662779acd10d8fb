package program

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for command, want := range map[string][]string{
		"agent":                              {"agent"},
		"  python3\tagent.py  --x   y ":      {"python3", "agent.py", "--x", "y"},
		`a 'b c' "d e" f\ g`:                 {"a", "b c", "d e", "f g"},
		`a --x='b c'd"e f"`:                  {"a", "--x=b cde f"},
		`a '' ""`:                            {"a", "", ""},
		`a '$HOME' '"' "'" '\' "\\\"\$\x"`:   {"a", "$HOME", `"`, "'", `\`, `\"$\x`},
		`a \$x \* \~ b#c d~e x{y}z e!`:       {"a", "$x", "*", "~", "b#c", "d~e", "x{y}z", "e!"},
		"a 'two\nlines' \"two\nlines\" é 病名": {"a", "two\nlines", "two\nlines", "é", "病名"},
		`a =b c=d`:                           {"a", "=b", "c=d"},
	} {
		got, err := Split(command)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", command, got, err)
		}
		// A shell agrees.
		out, err := exec.Command("sh", "-c", "printf '%s\\0' "+command).Output()
		if shell := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); err != nil || !slices.Equal(shell, want) {
			t.Errorf("sh splits %q into %q, %v", command, shell, err)
		}
	}
	for command, says := range map[string]string{
		"": "names no program", "  ": "names no program", `"" a`: "names no program",
		"a 'b": "single quote", `a "b`: "double quote", `a "b\`: "double quote", `a \`: "backslash", "a \\\nb": "backslash", "a \"\\\nb\"": "backslash",
		"a | b": `'|'`, "a; b": `';'`, "a > b": `'>'`, "a $X": `'$'`, `a "$X"`: `'$'`, "a `b`": "'`'", "a *.py": `'*'`, "a ~/b": `'~'`, "a # b": `'#'`, "a &": `'&'`, "a\nb": `'\n'`, "a \x00": "NUL", "a '\x00'": "NUL", "a \"\x00\"": "NUL",
	} {
		if got, err := Split(command); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %q, %v", command, got, err)
		}
	}
}

// quote writes words so that they are split into just those.
func quote(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}

// What is split and quoted again is split into the same words.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"a b", `a 'b c' "d\"e" f\ g`, "a | b", `"`, `\`, "a\x00", "é 'ü' \"ß\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, command string) {
		words, err := Split(command)
		if err != nil {
			return
		}
		again, err := Split(quote(words))
		if err != nil || !slices.Equal(words, again) {
			t.Errorf("%q: %q, then %q, %v", command, words, again, err)
		}
		for _, w := range words {
			if strings.Contains(w, "\x00") {
				t.Errorf("%q: a NUL in %q", command, w)
			}
		}
	})
}
