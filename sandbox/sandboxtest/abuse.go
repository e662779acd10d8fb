package sandboxtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/abuse"
)

// recordVariable names a folder to write outcomes to, which else are compared with
// what was written last.
const recordVariable = "MEDGYM_ABUSE_RECORD"

// state is what an execution finds that an earlier one could have touched.
const state = `
import builtins, hashlib, json, os, random, resource, signal, socket, sys, time
import numpy, pandas
kept = ('/proc', '/sys', '/usr', '/opt', '/bin', '/lib', '/lib64', '/session')
status = [l for l in open('/proc/self/status') if l.startswith(('Cap', 'NoNew', 'Seccomp:', 'SigP', 'SigB', 'SigI', 'SigC', 'ShdPnd', 'Uid', 'Gid', 'Groups', 'Threads', 'Cpus_allowed:'))]
files = []
for where, dirs, names in os.walk('/'):
    dirs[:] = [d for d in dirs if os.path.join(where, d) not in kept and not (where + d).startswith('/proc')]
    files += [os.path.join(where, n) for n in names + dirs]
processes = sorted(open('/proc/%s/comm' % p).read() for p in os.listdir('/proc') if p.isdigit())
if len(processes) > 1:  # it sees warm interpreters, the third of which starts when it is needed
    processes = [sorted(set(processes)), len(processes) <= 5]
answer = [
    random.random(), float(numpy.random.rand()), hash('a'), time.tzname, socket.gethostname(),
    int(pandas.DataFrame({'a': [1, 2]}).a.sum()), pandas.DataFrame.__module__, pandas.__file__, sorted(pandas.__dict__), sorted(vars(builtins)),
    [hashlib.sha256(open(n, 'rb').read()).hexdigest() if os.path.exists(n) else '' for n in (pandas.__file__, numpy.__file__, json.__file__, random.__file__, '/data/database.sqlite', '/workdir/data.csv')],
    sorted(files), processes,
    dict(os.environ), os.getcwd(), sys.path, sys.argv, os.umask(0o22), os.getpriority(0, 0), os.sched_getscheduler(0), status,
    [resource.getrlimit(n) for n in range(16) if n != resource.RLIMIT_AS], min(resource.getrlimit(resource.RLIMIT_AS)) > 0,  # that of mappings begins at what is mapped
    [str(signal.getsignal(n)) for n in range(1, 32)], sorted(os.listdir('/proc/self/fd'))[:5],
]
`

// runAbuse runs the list. After each program the next execution, in its session and
// in a fresh one, finds what it would have found without, and the host is as before.
func runAbuse(t *testing.T, b Backend) {
	t.Setenv("TMPDIR", t.TempDir()) // alone, so that what is left there shows
	if err := os.Chmod(os.TempDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	canaries := place(t)
	box := b.open(t)
	canaries.places["gaps"] = strings.Join(box.Info().Gaps(), "\n") // a hog holds back where nothing stops it
	neighbour := canaries.neighbour(t, box)
	files := given(t, box)
	first := trial(t, box, files)
	clean := Execute(t, first, sandbox.Command{Code: state, Seed: 11})
	if clean.Status != sandbox.StatusOK || clean.Answer == nil {
		t.Fatalf("the state before: %s %s", clean.Status, clean.Stderr)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	before := take(t, b)

	programs, err := abuse.Programs()
	if err != nil {
		t.Fatal(err)
	}
	outcomes := map[int]string{}
	for _, row := range abuse.Rows() {
		t.Run(fmt.Sprintf("%02d %s", row.Number, row.Name), func(t *testing.T) {
			var came []string
			for _, p := range programs {
				if p.Row != row.Number {
					continue
				}
				t.Run(p.Name, func(t *testing.T) {
					s := trial(t, box, files)
					came = append(came, abused(t, box, s, p, canaries))
					after(t, s, clean.Answer)
					if err := s.Close(); err != nil {
						t.Error(err)
					}
					fresh := trial(t, box, files)
					after(t, fresh, clean.Answer)
					if err := fresh.Close(); err != nil {
						t.Error(err)
					}
					if left := before.settle(t, b); len(left) > 0 {
						t.Errorf("the host is not as it was:\n%s", strings.Join(left, "\n"))
						before = take(t, b) // of the next program only its own is told
					}
				})
			}
			if row.Number == killedRow {
				killed(t, b, files)
				came = append(came, "nothing left")
			}
			slices.Sort(came)
			came = slices.Compact(came)
			switch {
			case len(came) == 0:
				t.Error("the row has no program")
			case t.Failed():
				outcomes[row.Number] = "FAILED"
			default:
				outcomes[row.Number] = strings.Join(came, ", ")
			}
		})
	}
	if r := Execute(t, neighbour, sandbox.Command{Code: "answer = [len(open(n).read()) for n in ('/session/theirs', '/data/theirs.csv', '/workdir/theirs.txt')]"}); string(r.Answer) != fmt.Sprintf("[%[1]d, %[1]d, %[1]d]", len(canaries.secret)) {
		t.Errorf("the neighbour has %s %s", r.Answer, r.Stderr)
	}
	canaries.intact(t)
	if n := canaries.hits(); n > 0 {
		t.Errorf("%d connections came to the host's own listeners", n)
	}
	record(t, box.Info().Backend, outcomes)
}

// given are the files of a session that a program may go at: a database on the host
// that only its owner may read, and a table.
func given(t *testing.T, box sandbox.Sandbox) []sandbox.File {
	t.Helper()
	r := Execute(t, Session(t, box, sandbox.Spec{}), sandbox.Command{Code: `
import base64, sqlite3
with sqlite3.connect('x.sqlite') as db:
    db.execute('create table patient (id integer, name text)')
    db.execute("insert into patient values (1, 'one')")
db.close()
answer = base64.b64encode(open('x.sqlite', 'rb').read()).decode()`})
	var content []byte
	if err := json.Unmarshal(r.Answer, &content); err != nil || len(content) == 0 {
		t.Fatalf("make a database: %s %s: %v", r.Status, r.Stderr, err)
	}
	host := filepath.Join(t.TempDir(), "database.sqlite")
	if err := os.WriteFile(host, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return []sandbox.File{{Path: "/data/database.sqlite", HostPath: host}, {Path: "/workdir/data.csv", Content: []byte("a\n1\n")}}
}

// trial is a session for one program.
func trial(t *testing.T, box sandbox.Sandbox, files []sandbox.File) sandbox.Session {
	t.Helper()
	return Session(t, box, sandbox.Spec{Limits: Small, Files: files})
}

// abused runs a program and says, in a word or two, how it came out.
func abused(t *testing.T, box sandbox.Sandbox, s sandbox.Session, p abuse.Program, c *canaries) string {
	t.Helper()
	cmd, err := p.Command(c.places)
	if err != nil {
		t.Fatal(err)
	}
	// Long after the limit, a sandbox that has not come back hangs.
	ctx, cancel := context.WithTimeout(t.Context(), p.Wall+time.Minute)
	defer cancel()
	r, err := s.Run(ctx, cmd)
	if err != nil {
		t.Fatalf("a fault of the sandbox: %v", err)
	}
	gap := slices.ContainsFunc(box.Info().Controls, func(c sandbox.Control) bool { return c.Name == p.Gap && c.Gap != "" })
	if !slices.Contains(p.Want, r.Status) && !(gap && r.Status == p.WithGap) {
		t.Errorf("status %s, want one of %q (exit %d, signal %d, after %s)\n%s%s", r.Status, p.Want, r.ExitCode, r.Signal, r.Wall, r.Stdout, r.Stderr)
	}
	if c.found(r) {
		t.Error("the program came by the host's secret")
	}
	said := map[string]int{}
	for line := range bytes.Lines(r.Stdout) {
		word, _, _ := strings.Cut(string(line), " ")
		said[word]++
		if word == "BREACHED" {
			t.Errorf("%s", line)
		}
	}
	if r.Status == sandbox.StatusOK && said["refused"]+said["held"] == 0 {
		t.Errorf("the program does not say what came of it:\n%s%s", r.Stdout, r.Stderr)
	}
	return outcome(p)
}

// outcome is the same in every run: where chance decides between ends that are all
// right, it is the usual one.
func outcome(p abuse.Program) string {
	switch p.Want[0] {
	case sandbox.StatusOK:
		if p.Refused {
			return "refused"
		}
		return "contained"
	case sandbox.StatusError:
		return "fails"
	case sandbox.StatusTimeout:
		return "time limit"
	case sandbox.StatusMemory:
		return "memory limit"
	case sandbox.StatusOutputLimit:
		return "output limit"
	}
	return string(p.Want[0])
}

// after looks at what the next execution finds.
func after(t *testing.T, s sandbox.Session, clean json.RawMessage) {
	t.Helper()
	r := Execute(t, s, sandbox.Command{Code: state, Seed: 11})
	var found, want []json.RawMessage
	if err := json.Unmarshal(clean, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(r.Answer, &found); err != nil || r.Status != sandbox.StatusOK || len(found) != len(want) {
		t.Errorf("the next execution: %s %s %s: %v", r.Status, r.Answer, r.Stderr, err)
		return
	}
	for i := range want {
		if !bytes.Equal(found[i], want[i]) {
			t.Errorf("the next execution is not clean: it finds %s, want %s", found[i], want[i])
		}
	}
}

// record holds the outcomes to those of the page, or writes them for it.
func record(t *testing.T, backend string, outcomes map[int]string) {
	t.Helper()
	if len(outcomes) < len(abuse.Rows()) {
		return // a part was asked for
	}
	if dir := os.Getenv(recordVariable); dir != "" {
		text, err := json.MarshalIndent(outcomes, "", "\t")
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, backend+".json"), append(text, '\n'), 0o644)
		}
		if err != nil {
			t.Error(err)
		}
		return
	}
	recorded, err := abuse.Recorded(backend)
	if err != nil {
		t.Fatal(err)
	}
	if len(recorded) == 0 {
		t.Logf("NOT COMPARED: no outcomes of %s have been recorded: run make abuse", backend)
		return
	}
	for _, row := range abuse.Rows() {
		if outcomes[row.Number] != recorded[row.Number] {
			t.Errorf("row %d came out as %q, and docs/sandbox.md says %q: run make abuse", row.Number, outcomes[row.Number], recorded[row.Number])
		}
	}
}
