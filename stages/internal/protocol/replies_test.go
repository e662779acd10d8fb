package protocol

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/rogpeppe/go-internal/txtar"
)

var faults = []string{FaultEmpty, FaultNoObject, FaultSeveral, FaultDuplicate, FaultKey, FaultMissing, FaultType, FaultAction}

// reply is one of testdata/replies.txtar.
type reply struct{ name, text, want string }

func replies(t testing.TB) []reply {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/replies.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var out []reply
	for _, file := range archive.Files {
		text, want, ok := strings.Cut(string(file.Data), "\n=> ")
		if !ok || strings.Count(want, "\n") != 1 {
			t.Fatalf("%s: its last line has to say what it is read as", file.Name)
		}
		out = append(out, reply{file.Name, text, strings.TrimSpace(want)})
	}
	return out
}

// said writes what a reply was read as in the way of the corpus.
func said(a Action, repairs []string, err error) string {
	var fault *Error
	if errors.As(err, &fault) {
		return "! " + fault.Fault
	}
	if err != nil {
		return err.Error()
	}
	return strings.Join(append([]string{a.Name, a.Params}, repairs...), " ")
}

func TestReplies(t *testing.T) {
	seen := map[string]bool{}
	names := map[string]bool{}
	for _, r := range replies(t) {
		if names[r.name] {
			t.Errorf("%s is there twice", r.name)
		}
		names[r.name] = true
		t.Run(r.name, func(t *testing.T) {
			a, repairs, err := Parse(r.text)
			if got := said(a, repairs, err); got != r.want {
				t.Errorf("got  %s (%v)\nwant %s", got, err, r.want)
			}
			check(t, a, repairs, err)
		})
		if !strings.HasPrefix(r.want, "!") {
			_, repairs, _ := strings.Cut(r.want, "} ")
			for _, repair := range strings.Fields(repairs) {
				seen[repair] = true
			}
		}
	}
	if len(names) < 120 {
		t.Errorf("only %d replies", len(names))
	}
	ofCalls := []string{mendCallInText, mendNested}
	for _, repair := range Repairs {
		if !seen[repair.Name] && !slices.Contains(ofCalls, repair.Name) {
			t.Errorf("no reply needs %s", repair.Name)
		}
	}
}

// check holds what is so of every reply: errors are of the closed set, and an action
// that was read is read again, with nothing to mend, where it is written anew.
func check(t *testing.T, a Action, repairs []string, err error) {
	t.Helper()
	if err != nil {
		var fault *Error
		if !errors.As(err, &fault) || !slices.Contains(faults, fault.Fault) || fault.Detail == "" {
			t.Fatalf("%v is none of the faults", err)
		}
		if repairs != nil || a != (Action{}) {
			t.Fatalf("%+v, %v come with an error", a, repairs)
		}
		return
	}
	known := map[string]int{}
	for _, repair := range Repairs {
		known[repair.Name] = 1
	}
	for _, repair := range repairs {
		if known[repair]--; known[repair] != 0 {
			t.Fatalf("repair %s is unknown or there twice", repair)
		}
	}
	canonical := jsontext.Value(a.Params).Clone()
	if err := canonical.Canonicalize(); err != nil || string(canonical) != a.Params {
		t.Fatalf("%q is not canonical: %v", a.Params, err)
	}
	given := map[string]string{}
	if err := json.Unmarshal([]byte(a.Params), &given); err != nil {
		t.Fatal(err)
	}
	text, err := Format(a.Name, a.Thought, given)
	if err != nil {
		t.Fatal(err)
	}
	again, repairs, err := Parse(text)
	if err != nil || again != a || repairs != nil {
		t.Fatalf("%+v became %+v, %v, %v", a, again, repairs, err)
	}
	again, repairs, err = ParseCalls(a.Thought, []Call{formatCall(t, a.Name, given)})
	a.Thought, again.Thought = "", "" // without its blanks and reasoning
	if err != nil || again != a || repairs != nil {
		t.Fatalf("%+v as a call became %+v, %v, %v", a, again, repairs, err)
	}
}

func TestThoughts(t *testing.T) {
	for reply, want := range map[string]string{
		`{"thought": "a", "action": "terminal", "params": {"cmd": "ls"}}`:                  "a",
		`{"thinking": "a", "action": "terminal", "params": {"cmd": "ls"}}`:                 "a",
		`I look. {"action": "terminal", "params": {"cmd": "ls"}}`:                          "",
		`{"action": "terminal", "cmd": "ls", "thought": "a 'b' \"c\""}`:                    `a 'b' "c"`,
		`{"thought": "", "action": "terminal", "params": {"cmd": "ls"}}`:                   "",
		"{'thought': 'a', 'name': 'terminal', 'arguments': {'cmd': 'ls'}, 'id': 'call_1'}": "a",
	} {
		a, _, err := Parse(reply)
		if err != nil || a.Thought != want || a.Command != "ls" {
			t.Errorf("%s: %+v, %v", reply, a, err)
		}
	}
}

// TestDetail: a reply that breaks is told where.
func TestDetail(t *testing.T) {
	for reply, want := range map[string]string{
		`{"action": "terminal", "params": {"cmd": "echo "é""}}`:       "breaks at its character 49: 'é' follows a value; are all quotes inside of texts",
		`Ä {"name": "terminal", "arguments": {"cmd": "echo "x""}}`:    "breaks at its character 50: 'x' follows a value",
		`{"action": "code_execution", "params": {"code": "impo`:       "a text is not closed",
		`{"action": "debugging", "params": {"code": "x"`:              "it is not closed",
		`{"action": "terminal", "params": {"cmd": ls}}`:               "a value stands in no quotes",
		`{"action": "terminal", "params": {"cmd": 01}}`:               "a number is not written as in JSON",
		`{"action": "terminal", "params": {"cmd" "ls"}}`:              "no colon follows a key",
		`{"action": "terminal", "params": {"command": "ls"}}`:         `terminal needs "cmd" in params, and takes no "command"`,
		`{"action": "terminal", "params": ` + strings.Repeat("[", 70): "nested too deep",
		"{\"action\": \"terminal\", \"params\": {\"cmd\": \"\xff\"}}": "a text is not UTF-8",
		"I list the files": `no whole JSON object with "action" and "params"`,
		strings.Repeat("{", maxFailed+1) + " and no more": "too many braces",
	} {
		_, _, err := Parse(reply)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", reply, err, want)
		}
	}
}

// TestHostile: work grows with the reply, not with its square.
func TestHostile(t *testing.T) {
	size := 1 << 20
	if testing.Short() {
		size >>= 4
	}
	long := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	plain := `{"action": "terminal", "params": {"cmd": "ls"}}`
	for name, reply := range map[string]string{
		"braces":                 long("{"),
		"single quotes":          long("'"),
		"double quotes":          long(`"`),
		"three quotes":           long(`"""`),
		"braces and quotes":      long(`{"`),
		"braces, three quotes":   long(`{"""`),
		"braces, single quotes":  long("{'"),
		"brackets":               long("["),
		"nested objects":         long(`{"a":`),
		"nested lists":           `{"a":` + long("["),
		"nested and closed":      `{"action":` + strings.Repeat("[", 60) + long("[],"),
		"many keys":              "{" + long(`"a":1,`),
		"many keys, closed":      "{" + long(`"action":1,`) + "}",
		"comments":               long("{//"),
		"comments, open":         long("{/*"),
		"backslashes":            `{"` + long(`\`),
		"escapes":                `{"action": "` + long(`\d`),
		"marks":                  long("<think>"),
		"closing marks":          long("</think>"),
		"half marks":             long("<"),
		"marks and braces":       long(`{"</think>`),
		"actions":                long(plain),
		"actions and marks":      long(plain + "</think>"),
		"actions that break":     long(`{"action": "`),
		"tags":                   long("<tool_call>"),
		"tags around":            long("<tool_call>") + plain + long("</tool_call>"),
		"fences":                 long("```") + plain + long("```"),
		"lists":                  long("[") + plain + long("]"),
		"blanks":                 long(" ") + plain + long("\n"),
		"blanks inside":          `{"action":` + long(" "),
		"not closed, blanks":     `{"action": "terminal", "cmd": "ls"` + long("`"),
		"heads":                  long("[TOOL_CALLS]a") + `{"cmd": "ls"}`,
		"calls of nothing":       long(`{"name": "a", "input": 1}`),
		"long text":              `{"action": "terminal", "cmd": "` + long("x"),
		"typographic quotes":     long("{“"),
		"text in text":           `{"action": "terminal", "params": "` + long("{'") + `"}`,
		"an envelope of nothing": `{"tool_calls": [` + strings.TrimSuffix(long("{},"), ",") + `]}`,
		"an envelope, nested":    long(`{"tool_calls": [`),
	} {
		t.Run(name, func(t *testing.T) {
			a, repairs, work, err := parse(reply)
			check(t, a, repairs, err)
			if most := bound(len(reply)); work > most {
				t.Errorf("%d bytes were looked at, at most %d may be", work, most)
			}
			a, repairs, work, err = parseCalls("", []Call{{Name: "terminal", Arguments: reply}})
			check(t, a, repairs, err)
			if most := bound(len(reply)); work > most {
				t.Errorf("as a call, %d bytes were looked at, at most %d may be", work, most)
			}
		})
	}
}

// bound is the most work on a text of n bytes.
func bound(n int) int { return 2*(perByte*n+perReply) + 2*n }

// TestStray holds what was read against where it may come from: whatever is put
// around the replies of the corpus, no other action comes of them.
func TestStray(t *testing.T) {
	for _, r := range replies(t) {
		a, _, err := Parse(r.text)
		if err != nil {
			continue
		}
		for _, around := range []string{"%s\n", "\n\n%s", "I look.\n%s", "%s\nThat is all.", "<think>a {b} c</think>\n%s", "{%s", "“%s”"} {
			b, _, err := Parse(fmt.Sprintf(around, r.text))
			if err == nil && (b.Name != a.Name || b.Params != a.Params) {
				t.Errorf("%s in %q: %+v", r.name, around, b)
			}
		}
	}
}

// TestCut: no reply that is cut is read as another action than the whole one.
func TestCut(t *testing.T) {
	whole := `{"thought": "Look.", "action": "debugging", "params": {"code": "d = {\"a\": 'b'}\nprint(\"c\")", "error_msg": "NameError: c"}}`
	a, _, err := Parse(whole)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		b, repairs, err := Parse(whole[:n])
		if err == nil && (a != b || !slices.Equal(repairs, []string{mendUnclosed})) {
			t.Errorf("%s: %+v, %v", whole[:n], b, repairs)
		}
		if err == nil != (n >= len(whole)-2) {
			t.Errorf("%s: %v", whole[:n], err)
		}
	}
}

// TestDocumented: docs/replies.md lists the repairs as Repairs does.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/replies.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, repair := range Repairs {
		fmt.Fprintf(&want, "| `%s` | %s |\n", repair.Name, strings.ReplaceAll(repair.Meaning, "|", `\|`))
	}
	if !strings.Contains(string(page), "| repair | what was mended |\n|---|---|\n"+want.String()+"\n") {
		t.Errorf("docs/replies.md has to hold this table:\n%s", want.String())
	}
	for _, fault := range faults {
		if !strings.Contains(string(page), "| `"+fault+"` |") {
			t.Errorf("docs/replies.md lacks the fault %s", fault)
		}
	}
	names := map[string]bool{}
	for _, repair := range Repairs {
		names[repair.Name] = true
	}
	if len(names) != len(Repairs) {
		t.Errorf("of %d repairs %d have a name of their own: %v", len(Repairs), len(names), slices.Sorted(maps.Keys(names)))
	}
}

func FuzzParse(f *testing.F) {
	for _, r := range replies(f) {
		f.Add(r.text)
	}
	for _, seed := range []string{
		"{{{\"", "</think>{", "{\"\\\n\"}", "{\"action\":\"\xff\"}", "{\"a\":1,\"a\":2}", "{action:'debug',code:\"\"\"\"\"\"", "<think>{\"action\"", "[{}]", "{\"tool_calls\":[{}]}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		a, repairs, work, err := parse(reply)
		check(t, a, repairs, err)
		if most := bound(len(reply)); work > most {
			t.Fatalf("%d bytes were looked at, at most %d may be", work, most)
		}
		// What strict JSON says, nothing else is read into.
		if strict := jsontext.Value(strings.TrimSpace(reply)); err == nil && strict.IsValid() && strict.Kind() == '{' {
			for _, repair := range repairs {
				if slices.Contains([]string{mendSingleQuotes, mendTripleQuotes, mendBackticks, mendSmartQuotes, mendControls, mendEscape, mendLiterals,
					mendBareKeys, mendComments, mendTrailingComma, mendUnclosed}, repair) && !slices.Contains(repairs, mendParamsText) {
					t.Fatalf("strict JSON was mended: %v", repairs)
				}
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	var code strings.Builder
	for i := 0; code.Len() < 3600; i++ {
		fmt.Fprintf(&code, "frame_%d = pd.read_csv('/workdir/labs.csv')\nprint(frame_%d[\"value\"].mean(), {'a': %d})\n", i, i, i)
	}
	plain, err := Format("code_execution", "Read the values of each.", map[string]string{"code": code.String()})
	if err != nil {
		b.Fatal(err)
	}
	for _, bench := range []struct{ name, reply string }{
		{"plain", plain},
		{"mended", "<think>\nI could {read} it.\n</think>\nI read it:\n```json\n" + strings.ReplaceAll(plain, `\n`, "\n") + "\n```\n"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(bench.reply)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Parse(bench.reply); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
