package namespace

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/python"
	"github.com/medgym-data/medgym-data/sandbox/sandboxtest"
)

func TestMain(m *testing.M) {
	Init()
	os.Exit(m.Run())
}

// environment is the installed Python environment. Without it tests are skipped,
// and fail where CI is set.
func environment(t testing.TB) python.Environment {
	t.Helper()
	env, err := python.Find(t.Context())
	if errors.Is(err, python.ErrNotInstalled) || errors.Is(err, python.ErrNoInterpreter) {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED, the sandbox is not tested: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func newBox(t testing.TB, opts Options) *Sandbox {
	t.Helper()
	opts.Environment = environment(t)
	box, err := New(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	return box
}

// TestSuite: what every backend keeps.
func TestSuite(t *testing.T) {
	sandboxtest.Run(t, sandboxtest.Backend{Open: func(t testing.TB) sandbox.Sandbox { return newBox(t, Options{Cells: 1}) }})
}

// TestReplacement: a cell that dies is a fault of the sandbox for its sessions, and
// the next session has another; one that has done its share is replaced.
func TestReplacement(t *testing.T) {
	box := newBox(t, Options{Cells: 1, Recycle: 3})
	s := sandboxtest.Session(t, box, sandbox.Spec{})
	first := box.slots[0].current
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.gone
	if _, err := s.Run(t.Context(), sandbox.Command{Language: sandbox.Python, Code: "answer = 1"}); err == nil {
		t.Error("a dead cell answered")
	}
	s = sandboxtest.Session(t, box, sandbox.Spec{})
	second := box.slots[0].current
	for range 4 {
		sandboxtest.Execute(t, s, sandbox.Command{Code: "answer = 1"})
	}
	current := func() *cell {
		box.slots[0].mu.Lock()
		defer box.slots[0].mu.Unlock()
		return box.slots[0].current
	}
	asks, err := box.Open(t.Context(), sandbox.Spec{}) // for the successor, and does not wait for it
	if err != nil {
		t.Fatal(err)
	}
	if err := asks.Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); current() == second; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the cell was not replaced")
		}
	}
	third := sandboxtest.Session(t, box, sandbox.Spec{})
	sandboxtest.Execute(t, s, sandbox.Command{Code: "answer = 1"}) // the old one serves what it has
	sandboxtest.Execute(t, third, sandbox.Command{Code: "answer = 1"})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if second.alive() {
		t.Error("a retired cell lives on without sessions")
	}
}

// TestCellFilter: the cell's own processes are under a filter, too.
func TestCellFilter(t *testing.T) {
	box := newBox(t, Options{Cells: 1})
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", box.slots[0].current.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"NoNewPrivs:\t1\n", "Seccomp:\t2\n"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("no %q in the status of a cell", want)
		}
	}
}

func TestInfo(t *testing.T) {
	box := newBox(t, Options{Cells: 1})
	if info := box.Info(); info.Backend != "namespace" {
		t.Errorf("%+v", info)
	}
	if _, err := New(t.Context(), Options{Environment: python.Environment{Dir: t.TempDir()}}); !errors.Is(err, sandbox.ErrUnavailable) {
		t.Errorf("a sandbox without an interpreter: %v", err)
	}
}

// BenchmarkRun is fresh isolated executions with pandas loaded, results returned: in
// a session that stays open, and in one opened for each. For the core that all of it
// takes: taskset -c 0 go test -run '^$' -bench Run -benchtime 500x ./sandbox/namespace
func BenchmarkRun(b *testing.B) {
	programs := []struct{ name, code, want string }{
		{"import", "import pandas as pd\nanswer = 1", "1"},
		{"sum", "import pandas as pd\nanswer = int(pd.DataFrame({'a': [1, 2, 3]}).a.sum())", "6"},
	}
	box := newBox(b, Options{Cells: 1, Recycle: 1 << 30})
	for _, p := range programs {
		once := func(b *testing.B, s sandbox.Session) {
			if r := sandboxtest.Execute(b, s, sandbox.Command{Code: p.code}); string(r.Answer) != p.want {
				b.Fatalf("%+v", r)
			}
		}
		b.Run(p.name+"/kept", func(b *testing.B) {
			s := sandboxtest.Session(b, box, sandbox.Spec{})
			spread(b, func() { once(b, s) })
		})
		b.Run(p.name+"/fresh", func(b *testing.B) {
			spread(b, func() {
				s, err := box.Open(b.Context(), sandbox.Spec{})
				if err != nil {
					b.Fatal(err)
				}
				once(b, s)
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// spread reports how long f takes at the median and at the 99th percentile.
func spread(b *testing.B, f func()) {
	f() // what is made once is not measured
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		f()
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	for _, at := range []int{50, 99} {
		b.ReportMetric(float64(took[(len(took)-1)*at/100])/1e6, fmt.Sprintf("ms-p%d", at))
	}
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "runs/s")
}
