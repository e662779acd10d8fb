package abuse

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
)

// TestRows: the rows are numbered without a gap, each has a program, and each
// program a row.
func TestRows(t *testing.T) {
	programs, err := Programs()
	if err != nil {
		t.Fatal(err)
	}
	count := map[int]int{50: 1} // the suite's own
	known := []sandbox.Status{sandbox.StatusOK, sandbox.StatusError, sandbox.StatusTimeout, sandbox.StatusMemory, sandbox.StatusOutputLimit, sandbox.StatusKilled}
	for _, p := range programs {
		count[p.Row]++
		for _, status := range p.Want {
			if !slices.Contains(known, status) {
				t.Errorf("%s: no status is called %q", p.Name, status)
			}
		}
	}
	rows := Rows()
	for i, row := range rows {
		if row.Number != i+1 || row.Name == "" || row.Attempt == "" {
			t.Errorf("row %d is %+v", i+1, row)
		}
		if count[row.Number] == 0 {
			t.Errorf("row %d has no program", row.Number)
		}
		delete(count, row.Number)
	}
	if len(rows) < 60 || len(count) > 0 {
		t.Errorf("%d rows, and programs of rows that there are not: %v", len(rows), count)
	}
}

// TestProgramsSeeSuccess: programs of which nothing keeps them see that they have
// succeeded. Without that, that they are refused would say nothing.
func TestProgramsSeeSuccess(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || os.Getuid() != 0 {
		t.Skipf("SKIPPED, that programs see their success is not tested: root and python3 are needed: %v", err)
	}
	programs, err := Programs()
	if err != nil {
		t.Fatal(err)
	}
	canary := outside(t)
	seen := 0
	for _, p := range programs {
		if !p.Breaks {
			continue
		}
		seen++
		t.Run(p.Name, func(t *testing.T) {
			cmd, err := p.Command(canary)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			run := exec.CommandContext(ctx, "sh", "-c", cmd.Code)
			if p.Language == sandbox.Python {
				run = exec.CommandContext(ctx, python, "-c", "canary = "+string(cmd.Inject["canary"])+"\n"+cmd.Code)
			}
			run.WaitDelay = time.Second
			run.Dir = t.TempDir()
			out, _ := run.CombinedOutput() // how it ends does not matter
			if !strings.Contains(string(out), "BREACHED ") {
				t.Errorf("it sees no success:\n%s", out)
			}
		})
	}
	if seen < 10 {
		t.Errorf("only %d programs are run", seen)
	}
}

// outside lays out what the programs look for.
func outside(t *testing.T) map[string]string {
	t.Helper()
	dir, err := os.MkdirTemp("", "medgym-daemon-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("canary"), 0o644); err != nil {
		t.Fatal(err)
	}
	canary := map[string]string{"tmp": secret, "home": secret, "temporary": secret, "pid": "1"}
	for name, address := range map[string][2]string{"loopback": {"tcp", "127.0.0.1:0"}, "abstract": {"unix", "@medgym-canary-outside"}, "daemon": {"unix", filepath.Join(dir, "docker.sock")}} {
		l, err := net.Listen(address[0], address[1])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Write([]byte("canary"))
				_ = conn.Close()
			}
		}()
		canary[name] = l.Addr().String()
	}
	if _, canary["port"], err = net.SplitHostPort(canary["loopback"]); err != nil {
		t.Fatal(err)
	}
	return canary
}
