package datasettest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
)

var update = flag.Bool("update", false, "rewrite testdata/want.jsonl and testdata/reject.jsonl")

// Fixtures say what the suite cannot know of a source. Its folder testdata holds
// raw.jsonl (invented rows, good and bad ones), want.jsonl (their tasks) and
// reject.jsonl (their rejections).
type Fixtures struct {
	// File is the raw file that raw.jsonl stands for; by default the last rows file
	// of the first layout that is not optional.
	File string
	// Files are other raw files that the rows need: name in the raw folder → name
	// in testdata.
	Files map[string]string
	// AnswerFields are the raw fields of which the agent must see nothing.
	AnswerFields []string
	// Right gives right answers of a task in the plain codec, in as many forms as
	// the grader should accept. It is set where grading needs no sandbox, and asks
	// for the grader's tests.
	Right func(schemas.Task) []string
	// Records is what the session's services record beside a right answer, where a
	// source has services that record. It is part of every submission, wrong ones too.
	Records func(schemas.Task) map[string]datasets.RawValue
	// Synth sizes the synthetic download; 12 and 6 rows by default.
	Synth datasets.SynthOptions
	// SynthSplits are the tasks of each split that Synth gives, where they are not
	// as many as its rows.
	SynthSplits datasets.Counts
	// Layouts are other layouts than the first that the source synthesizes.
	Layouts []string
}

// Run is the suite that every source must pass. Abilities that a source need not have
// are tested where it has them.
func Run(t *testing.T, adapter datasets.Adapter, fix Fixtures) {
	s := &suite{adapter: adapter, spec: adapter.Spec(), fix: fix}
	if fix.File == "" {
		s.fix.File = s.rowsFile()
	}
	if fix.Synth.Train == 0 && fix.Synth.Test == 0 {
		s.fix.Synth.Train, s.fix.Synth.Test = 12, 6
	}
	t.Run("Spec", s.testSpec)
	t.Run("Golden", s.testGolden)
	t.Run("Tasks", s.testTasks)
	t.Run("Deterministic", s.testDeterministic)
	t.Run("NoLeak", s.testNoLeak)
	t.Run("Malformed", s.testMalformed)
	t.Run("Cancelled", s.testCancelled)
	if player, ok := adapter.(datasets.Referencer); ok {
		t.Run("Reference", func(t *testing.T) { s.testReference(t, player) })
	}
	if fix.Right != nil {
		t.Run("Grader", func(t *testing.T) { s.testGrader(t, adapter.(datasets.Grader)) })
	}
	if maker, ok := adapter.(datasets.Synthesizer); ok {
		for _, layout := range append([]string{""}, fix.Layouts...) {
			t.Run(path.Join("Synthesize", layout), func(t *testing.T) { s.testSynthesize(t, maker, layout) })
		}
	}
}

type suite struct {
	adapter datasets.Adapter
	spec    datasets.Spec
	fix     Fixtures
}

func (s *suite) rowsFile() string {
	for _, layout := range s.spec.Layouts[:min(1, len(s.spec.Layouts))] {
		for _, f := range slices.Backward(layout.Files) {
			if f.Role == datasets.RoleRows && !f.Optional {
				return f.Pattern
			}
		}
	}
	return ""
}

// folder is a raw folder that holds rows as the fixture's file.
func (s *suite) folder(t *testing.T, rows []byte) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name string, data []byte) {
		target := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(s.fix.File, rows)
	for name, from := range s.fix.Files {
		data, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(from)))
		if err != nil {
			t.Fatal(err)
		}
		put(name, data)
	}
	return dir
}

func (s *suite) raw(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "raw.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (s *suite) normalize(t *testing.T, rows []byte) *Collector {
	t.Helper()
	return Normalize(t, s.adapter, s.folder(t, rows), "")
}

// lines are the rows of a file: lines that are not blank.
func lines(data []byte) [][]byte {
	var out [][]byte
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			out = append(out, line)
		}
	}
	return out
}

var sourceID = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

var allActions = []string{schemas.ActionRequestInfo, schemas.ActionTerminal, schemas.ActionCodeExecution, schemas.ActionDebugging}

func (s *suite) testSpec(t *testing.T) {
	spec := s.spec
	for field, value := range map[string]string{
		"Name": spec.Name, "Summary": spec.Summary, "Reference": spec.Reference, "Domain": spec.Domain, "Kind": spec.Kind,
		"Distribution": spec.Distribution, "License": spec.License, "Tier": spec.Tier,
		"AdapterVersion": spec.AdapterVersion, "GraderVersion": spec.GraderVersion,
	} {
		if strings.TrimSpace(value) == "" {
			t.Errorf("Spec.%s is empty", field)
		}
	}
	if !sourceID.MatchString(spec.ID) {
		t.Errorf("Spec.ID %q is no folder name", spec.ID)
	}
	check := func(field, value string, known ...string) {
		if !slices.Contains(known, value) {
			t.Errorf("Spec.%s is %q, not one of %v", field, value, known)
		}
	}
	check("Domain", spec.Domain, "DB", "DA", "Bioinfo", "ML")
	check("Kind", spec.Kind, "structured", "open-ended")
	check("Distribution", spec.Distribution, "in", "out")
	check("Tier", spec.Tier, schemas.TierOpen, schemas.TierCredentialed, schemas.TierSeparate)
	switch a := spec.Agreement; {
	case spec.Tier == schemas.TierOpen && !a.None():
		t.Errorf("Spec.Agreement is %s, and the tier is open", a)
	case spec.Tier != schemas.TierOpen && (a.None() || a.URL == "" || a.Apply == "" || len(a.Needs) == 0):
		t.Errorf("Spec.Agreement lacks a name, a URL, where to apply or what is needed: data of the tier %s stand under one", spec.Tier)
	}
	if spec.Categories <= 0 || spec.Full.Total() <= 0 || spec.Leaderboard.Total() <= 0 || spec.Release.Total() <= 0 {
		t.Error("Spec lacks categories or counts")
	}
	if len(spec.Actions) == 0 || !slices.Contains(spec.Actions, schemas.ActionCodeExecution) {
		t.Error("Spec.Actions lacks code_execution")
	}
	for _, action := range spec.Actions {
		check("Actions", action, allActions...)
	}
	if len(spec.Layouts) == 0 {
		t.Error("Spec has no layout")
	}
	seen := map[string]bool{}
	for _, layout := range spec.Layouts {
		if layout.ID == "" || layout.Help == "" || seen[layout.ID] {
			t.Errorf("layout %q: no id, no help, or there twice", layout.ID)
		}
		seen[layout.ID] = true
		rows := 0
		for _, f := range layout.Files {
			if _, err := path.Match(f.Pattern, ""); err != nil || f.Pattern == "" {
				t.Errorf("layout %s: bad pattern %q", layout.ID, f.Pattern)
			}
			switch f.Role {
			case datasets.RoleRows:
				rows++
				check("Layouts.Files.Split", f.Split, schemas.SplitTrain, schemas.SplitTest, datasets.SplitBoth, datasets.SplitByGroup)
			case datasets.RoleResource, datasets.RoleIgnored:
			default:
				t.Errorf("layout %s: %s has role %q", layout.ID, f.Pattern, f.Role)
			}
		}
		if rows == 0 {
			t.Errorf("layout %s has no rows file", layout.ID)
		}
	}
	if !reflect.DeepEqual(spec, s.adapter.Spec()) {
		t.Error("two calls of Spec differ")
	}
}

func (s *suite) testGolden(t *testing.T) {
	raw := s.raw(t)
	out := s.normalize(t, raw)
	compareGolden(t, "want.jsonl", out.Tasks)
	compareGolden(t, "reject.jsonl", out.Rejected)
	if len(out.Tasks) == 0 || len(out.Rejected) == 0 {
		t.Error("raw.jsonl should have rows that become tasks and rows that are rejected")
	}
	s.oncePerRow(t, out, len(lines(raw)))
}

// oncePerRow checks that every raw row ended as one task or one rejection.
func (s *suite) oncePerRow(t *testing.T, out *Collector, rows int) {
	t.Helper()
	times := map[string]int{}
	for _, task := range out.Tasks {
		if task.Split == schemas.SplitTest || !s.inBoth(out, task) {
			times[fmt.Sprint(task.RawFile, ":", *task.RawLine)]++
		}
	}
	for _, r := range out.Rejected {
		times[fmt.Sprint(r.File, ":", r.Line)]++
		if r.Reason == "" || r.Detail == "" {
			t.Errorf("%s:%d is rejected without a reason or a detail", r.File, r.Line)
		}
	}
	for row, n := range times {
		if n != 1 {
			t.Errorf("%s was emitted %d times", row, n)
		}
	}
	if len(times) != rows {
		t.Errorf("%d rows emitted, %d read", len(times), rows)
	}
}

// inBoth says whether a training task's row is a test task too.
func (s *suite) inBoth(out *Collector, task schemas.Task) bool {
	return slices.ContainsFunc(out.Tasks, func(o schemas.Task) bool { return o.Split == schemas.SplitTest && o.RawSHA256 == task.RawSHA256 })
}

func compareGolden[T any](t *testing.T, name string, rows []T) {
	t.Helper()
	var got bytes.Buffer
	for _, row := range rows {
		line, err := json.Marshal(row, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		got.Write(append(line, '\n'))
	}
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run with -update to write it)", err)
	}
	gotLines, wantLines := lines(got.Bytes()), lines(want)
	if len(gotLines) != len(wantLines) {
		t.Errorf("%s: %d rows, want %d (-update rewrites it)", file, len(gotLines), len(wantLines))
	}
	for i := range min(len(gotLines), len(wantLines)) {
		if !bytes.Equal(gotLines[i], wantLines[i]) {
			t.Errorf("%s:%d differs:\n got %s\nwant %s", file, i+1, gotLines[i], wantLines[i])
		}
	}
}

var answerTypes = []string{
	schemas.AnswerNumber, schemas.AnswerInteger, schemas.AnswerBoolean, schemas.AnswerText, schemas.AnswerDate, schemas.AnswerDuration,
	schemas.AnswerSet, schemas.AnswerTable, schemas.AnswerProgramOutput, schemas.AnswerAssertions, schemas.AnswerPredictions, schemas.AnswerFHIR,
}

func (s *suite) testTasks(t *testing.T) {
	for _, task := range s.normalize(t, s.raw(t)).Tasks {
		s.checkTask(t, task)
	}
}

func (s *suite) checkTask(t *testing.T, task schemas.Task) {
	t.Helper()
	if strings.TrimSpace(task.Instruction) == "" || strings.TrimSpace(task.Question) == "" || task.Category == "" {
		t.Errorf("%s: no instruction, question or category", task.TaskID)
	}
	if task.Split != schemas.SplitTrain && task.Split != schemas.SplitTest {
		t.Errorf("%s: split %q", task.TaskID, task.Split)
	}
	if len(task.Actions) > 0 && !slices.Equal(task.Actions, s.spec.Actions) {
		t.Errorf("%s: actions %v, the spec has %v", task.TaskID, task.Actions, s.spec.Actions)
	}
	if !slices.Contains(answerTypes, task.AnswerType) {
		t.Errorf("%s: answer type %q", task.TaskID, task.AnswerType)
	}
	canonical := jsontext.Value(task.Answer).Clone()
	if err := canonical.Canonicalize(); err != nil || string(canonical) != task.Answer {
		t.Errorf("%s: the answer is not canonical JSON", task.TaskID)
	}
	if !slices.Contains([]string{schemas.GoldPython, schemas.GoldSQL, schemas.GoldNone}, task.GoldKind) || (task.Gold == "") != (task.GoldKind == schemas.GoldNone) {
		t.Errorf("%s: gold of %d bytes is of kind %q", task.TaskID, len(task.Gold), task.GoldKind)
	}
	if gold := strings.TrimSpace(task.Gold); len(gold) > 20 && strings.Contains(task.Instruction, gold) {
		t.Errorf("%s: the instruction holds the gold program", task.TaskID)
	}
	switch task.Status {
	case schemas.StatusReady:
	case schemas.StatusMissingResources, schemas.StatusUngradable, schemas.StatusQuarantined:
		if task.StatusReason == "" {
			t.Errorf("%s: status %s without a reason", task.TaskID, task.Status)
		}
	default:
		t.Errorf("%s: status %q", task.TaskID, task.Status)
	}
}

func (s *suite) testDeterministic(t *testing.T) {
	raw := s.raw(t)
	one, two := s.normalize(t, raw), s.normalize(t, raw)
	if !reflect.DeepEqual(one, two) {
		t.Error("two runs over the same rows differ")
	}
}

// testNoLeak gives every row the answer fields of another row of the same
// category and answer type. The instruction must not notice.
func (s *suite) testNoLeak(t *testing.T) {
	if len(s.fix.AnswerFields) == 0 {
		t.Fatal("Fixtures.AnswerFields is empty")
	}
	rows := lines(s.raw(t))
	var good []row
	for _, task := range s.normalize(t, s.raw(t)).Tasks {
		members, err := decode(rows[*task.RawLine-1])
		if err != nil {
			t.Fatal(err)
		}
		good = append(good, row{task, members})
	}
	swapped := 0
	for i, a := range good {
		for _, b := range slices.Concat(good[i+1:], good[:i]) {
			if a.task.Category != b.task.Category || a.task.AnswerType != b.task.AnswerType {
				continue
			}
			mixed := a.members.clone()
			differs := false
			for _, field := range s.fix.AnswerFields {
				if value, ok := b.members.get(field); ok {
					old, _ := a.members.get(field)
					differs = differs || !bytes.Equal(old, value)
					mixed.set(field, value)
				}
			}
			if !differs {
				continue
			}
			out := s.normalize(t, mixed.encode())
			if len(out.Tasks) == 0 {
				continue // the mixed row makes no sense, e.g. limits of another answer
			}
			swapped++
			if out.Tasks[0].Instruction != a.task.Instruction || out.Tasks[0].Question != a.task.Question || out.Tasks[0].Context != a.task.Context {
				t.Errorf("%s: the instruction changes with the answer", a.task.TaskID)
			}
			break
		}
	}
	if swapped == 0 {
		t.Error("no two rows of raw.jsonl share category and answer type with different answers: nothing was tested")
	}
}

type row struct {
	task    schemas.Task
	members members
}

// members are the fields of a raw row in order.
type members []member

type member struct {
	name  string
	value jsontext.Value
}

func decode(data []byte) (members, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(data))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return nil, errors.New("not an object")
	}
	var out members
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		field := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		out = append(out, member{field, value.Clone()})
	}
	return out, nil
}

func (m members) clone() members { return slices.Clone(m) }

func (m members) get(name string) (jsontext.Value, bool) {
	i := slices.IndexFunc(m, func(x member) bool { return x.name == name })
	if i < 0 {
		return nil, false
	}
	return m[i].value, true
}

func (m *members) set(name string, value jsontext.Value) {
	if i := slices.IndexFunc(*m, func(x member) bool { return x.name == name }); i >= 0 {
		(*m)[i].value = value
		return
	}
	*m = append(*m, member{name, value})
}

func (m members) encode() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, x := range m {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(Quote(x.name) + ":")
		b.Write(x.value)
	}
	b.WriteString("}\n")
	return b.Bytes()
}

// testMalformed feeds rows that no release has. None may end the run, none may
// be lost.
func (s *suite) testMalformed(t *testing.T) {
	broken := []string{
		"{", "}", "[]", "[1]", "null", "42", `"text"`, "nonsense", `{"a":1,"a":2}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", "{}",
		`{"a":1} {"b":2}`, strings.Repeat("[", 20_000), "\x00", `{"a":` + strings.Repeat("9", 5000) + "}",
	}
	base := s.normalize(t, s.raw(t))
	rows := lines(s.raw(t))
	for _, task := range base.Tasks[:min(3, len(base.Tasks))] {
		m, err := decode(rows[*task.RawLine-1])
		if err != nil {
			t.Fatal(err)
		}
		for i := range m {
			without := slices.Delete(m.clone(), i, i+1)
			broken = append(broken, strings.TrimSpace(string(without.encode())))
			for _, value := range []string{"null", "true", "-1", "1e308", `""`, `" "`, `"\u0000"`, `"(("`, "[]", "{}", `[null]`, `{"x":[{}]}`} {
				other := m.clone()
				other[i].value = jsontext.Value(value)
				broken = append(broken, strings.TrimSpace(string(other.encode())))
			}
		}
		broken = append(broken, string(rows[*task.RawLine-1][:len(rows[*task.RawLine-1])/2]))
	}
	out := s.normalize(t, []byte(strings.Join(broken, "\n")+"\n"))
	s.oncePerRow(t, out, len(broken))
	for _, task := range out.Tasks {
		s.checkTask(t, task)
	}
	if len(out.Rejected) < 15 {
		t.Errorf("of %d malformed rows only %d were rejected", len(broken), len(out.Rejected))
	}
}

func (s *suite) testCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	raw := Dir{Root: s.folder(t, s.raw(t)), LayoutID: s.spec.Layouts[0].ID}
	if err := s.adapter.Normalize(ctx, raw, &Collector{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Normalize of a cancelled context: %v", err)
	}
}

var setsAnswer = regexp.MustCompile(`(?m)^answer\s*=`)

func (s *suite) testReference(t *testing.T, player datasets.Referencer) {
	for _, task := range s.normalize(t, s.raw(t)).Tasks {
		if task.Status != schemas.StatusReady {
			continue
		}
		ref, err := player.Reference(task)
		if err != nil {
			t.Errorf("%s: %v", task.TaskID, err)
			continue
		}
		if strings.Count(ref.Right, "\n") < 2 || len(ref.Wrong) < 2 || len(ref.Explore) < 1 {
			t.Errorf("%s: the right program has %d lines, %d are wrong, %d explore", task.TaskID, strings.Count(ref.Right, "\n"), len(ref.Wrong), len(ref.Explore))
		}
		if s.fix.Right != nil && !setsAnswer.MatchString(ref.Right) {
			t.Errorf("%s: the right program sets no answer", task.TaskID)
		}
		seen := map[string]bool{ref.Right: true}
		for _, program := range ref.Wrong {
			if seen[program] {
				t.Errorf("%s: two programs are the same, or a wrong one is the right one", task.TaskID)
			}
			seen[program] = true
		}
		for _, program := range ref.Explore {
			if setsAnswer.MatchString(program) {
				t.Errorf("%s: a program that explores sets the answer", task.TaskID)
			}
		}
		if again, err := player.Reference(task); err != nil || !reflect.DeepEqual(ref, again) {
			t.Errorf("%s: two references differ", task.TaskID)
		}
	}
}

// Hostile answers say nothing, or try to break the grader. None is ever right.
var hostile = []string{
	"", " ", "null", "{}", "[]", `""`, `"  "`, `"\u0000"`, `{"$":"float","v":"nan"}`, `{"$":"float","v":"inf"}`, `{"$":"float","v":"-inf"}`,
	`"nan"`, `"inf"`, `"None"`, `"null"`, `{"$":"nat"}`, `{"$":"tuple","v":[]}`, `{"$":"set","v":[]}`, `{"$":"dict","v":[]}`, `[null]`,
	`{"$":"decimal","v":"NaN"}`, `{"$":"decimal","v":"1e999999999"}`, `"1e999999999"`, "1e999", `{"$":"int","v":"x"}`, `{"$":"opaque","type":"x.Y","why":"too_large"}`,
	`{"$":"object","type":"evil.Equal","attrs":{}}`, `{"$":"ndarray","dtype":"float64","shape":[1000000,1000000],"v":[]}`,
	`{"$":"ndarray","dtype":"float64","shape":[-1],"v":[]}`, `{"$":"frame"}`, `{"$":"series","v":[1]}`, `{"$":"unheard","v":1}`, "{", "[1,", "tru", "\xff",
	strings.Repeat("[", 100_000), strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), strings.Repeat("9", 1<<20), `"` + strings.Repeat("9", 1<<20) + `"`,
}

func (s *suite) testGrader(t *testing.T, grader datasets.Grader) {
	for _, task := range s.normalize(t, s.raw(t)).Tasks {
		if task.Status == schemas.StatusReady {
			s.checkGrader(t, grader, task)
		}
	}
}

// submit is the submission of a program that set answer to raw.
func (s *suite) submit(task schemas.Task, raw string) datasets.Submission {
	sub := Submit(raw)
	if s.fix.Records != nil {
		sub.Records = s.fix.Records(task)
	}
	return sub
}

func (s *suite) checkGrader(t *testing.T, grader datasets.Grader, task schemas.Task) {
	t.Helper()
	verdict := func(sub datasets.Submission) datasets.Verdict {
		v := Grade(t, grader, task, sub)
		if v.Reward != 0 && v.Reward != 1 || v.Upstream != 0 && v.Upstream != 1 || v.Reason == "" {
			t.Errorf("%s: verdict %+v", task.TaskID, v)
		}
		return v
	}
	rights := s.fix.Right(task)
	if len(rights) == 0 {
		t.Errorf("%s: Fixtures.Right gives no answer", task.TaskID)
	}
	zeroIsRight := slices.Contains(rights, "0") || slices.Contains(rights, "0.0")
	refuse := slices.Clone(hostile)
	if !zeroIsRight {
		refuse = append(refuse, "0", "0.0", "-0.0", `"0"`, "false")
	}
	for _, right := range rights {
		if v := verdict(s.submit(task, right)); v.Reward != 1 {
			t.Errorf("%s: the right answer %.200s is refused: %s", task.TaskID, right, v.Reason)
		}
		for _, status := range []string{"error", "timeout", "memory", "killed", "output_limit", ""} {
			sub := s.submit(task, right)
			sub.Status = status
			if verdict(sub).Reward != 0 {
				t.Errorf("%s: a program that ended with status %q has the right answer", task.TaskID, status)
			}
		}
		printed := s.submit(task, "")
		printed.Stdout = right + "\n"
		if verdict(printed).Reward != 0 {
			t.Errorf("%s: a printed answer passes that was never set", task.TaskID)
		}
		text := strings.Trim(right, `"`)
		refuse = append(refuse, "["+right+"]", right+","+right, `{"$":"dict","v":[["answer",`+right+`]]}`,
			Quote(text+" or 1"), Quote("The answer is "+text), Quote(text+"\n"+text), Quote(text+"!"))
	}
	for _, value := range refuse {
		if slices.Contains(rights, value) {
			continue // a list of the right value, where Fixtures.Right says that it is right, too
		}
		if v := verdict(s.submit(task, value)); v.Reward != 0 {
			t.Errorf("%s: %.200q passes", task.TaskID, value)
		}
	}
}

// memory collects what a source synthesizes.
type memory map[string]*bytes.Buffer

type closer struct{ io.Writer }

func (closer) Close() error { return nil }

func (s *suite) synthesize(t *testing.T, maker datasets.Synthesizer, opts datasets.SynthOptions) (memory, *Collector) {
	t.Helper()
	files := memory{}
	create := func(name string) (io.WriteCloser, error) {
		if files[name] != nil || !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, fmt.Errorf("file %q is there already, or leaves the folder", name)
		}
		files[name] = &bytes.Buffer{}
		return closer{files[name]}, nil
	}
	if err := maker.Synthesize(context.Background(), opts, create); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range files {
		target := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, data.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return files, Normalize(t, s.adapter, dir, opts.Layout)
}

// drawn says whether a layout has rows whose split is drawn by group.
func (s *suite) drawn(layout string) bool {
	return slices.ContainsFunc(s.spec.Layouts, func(l datasets.Layout) bool {
		return l.ID == layout && slices.ContainsFunc(l.Files, func(f datasets.LayoutFile) bool { return f.Split == datasets.SplitByGroup })
	})
}

func (s *suite) testSynthesize(t *testing.T, maker datasets.Synthesizer, layout string) {
	opts := s.fix.Synth
	opts.Layout = layout
	files, out := s.synthesize(t, maker, opts)
	if len(out.Rejected) != 0 {
		t.Errorf("%d synthetic rows are rejected, the first as %+v", len(out.Rejected), out.Rejected[0])
	}
	splits, seen := map[string]int{}, map[string]bool{}
	for _, task := range out.Tasks {
		splits[task.Split]++
		if seen[task.TaskID] {
			t.Errorf("%s: a synthetic row is there twice", task.TaskID)
		}
		seen[task.TaskID] = true
		if task.Status != schemas.StatusReady {
			t.Errorf("%s: synthetic, and %s", task.TaskID, task.Status)
		}
		s.checkTask(t, task)
	}
	want := s.fix.SynthSplits
	if want == (datasets.Counts{}) {
		want = datasets.Counts{Train: opts.Train, Test: opts.Test}
	}
	got := datasets.Counts{Train: splits[schemas.SplitTrain], Test: splits[schemas.SplitTest]}
	if s.drawn(layout) && got.Train > 0 && got.Test > 0 && got.Total() == want.Total() {
		got = want
	}
	if got != want {
		t.Errorf("tasks %+v, want %+v", got, want)
	}
	if again, _ := s.synthesize(t, maker, opts); !reflect.DeepEqual(files, again) {
		t.Error("one seed gives two downloads")
	}
	opts.Seed, opts.Shared = opts.Seed+1, opts.Shared+1
	if other, _ := s.synthesize(t, maker, opts); reflect.DeepEqual(files, other) {
		t.Error("two seeds give one download")
	}
	if grader, ok := s.adapter.(datasets.Grader); ok && s.fix.Right != nil {
		for _, task := range out.Tasks {
			for _, right := range s.fix.Right(task) {
				if v := Grade(t, grader, task, s.submit(task, right)); v.Reward != 1 {
					t.Errorf("%s: the right answer to a synthetic task is refused: %s", task.TaskID, v.Reason)
				}
			}
		}
	}
}
