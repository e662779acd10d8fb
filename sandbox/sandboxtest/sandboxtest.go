// Package sandboxtest is the one suite that every backend of the sandbox passes:
// what an execution gives back, what a session keeps, and the abuse list, after
// each program of which the next execution is clean and the host as it was.
package sandboxtest

import (
	"os"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
)

// Backend is what the suite runs against.
type Backend struct {
	// Open starts a sandbox, which the suite closes. It skips, or fails where CI is
	// set, if this machine lacks a part.
	Open func(t testing.TB) sandbox.Sandbox
	// Held lists what the backend holds on the host beyond processes, mounts,
	// descriptors, cgroups and temporary files: its containers, for instance. May be nil.
	Held func(t testing.TB) []string
}

// Run runs the suite. The test that calls it is run once more as another process,
// which the suite kills: it must do nothing else.
func Run(t *testing.T, b Backend) {
	if os.Getenv(holderVariable) != "" {
		hold(t, b)
		return
	}
	t.Run("conformance", func(t *testing.T) {
		box := b.open(t)
		for _, test := range []struct {
			name string
			run  func(*testing.T, sandbox.Sandbox)
		}{
			{"info", info},
			{"results", results},
			{"sessions", sessions},
			{"services", services},
			{"cancel", cancel},
			{"concurrent", concurrent},
			{"residue", residue},
			{"forged report", forgedReport},
			{"capture budget", captureBudget},
			{"refused commands", refusedCommands},
			{"port left behind", portLeftBehind},
			{"many connections", manyConnections},
			{"honesty", honesty},
			{"honest attributes", honestAttributes},
			{"honest report", honestReport},
		} {
			t.Run(test.name, func(t *testing.T) { test.run(t, box) })
		}
	})
	t.Run("abuse", func(t *testing.T) { runAbuse(t, b) })
}

// open starts a sandbox that the test closes.
func (b Backend) open(t testing.TB) sandbox.Sandbox {
	t.Helper()
	box := b.Open(t)
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	return box
}

func (b Backend) held(t testing.TB) []string {
	if b.Held == nil {
		return nil
	}
	return b.Held(t)
}

// Session opens a session, which ends with the test.
func Session(t testing.TB, box sandbox.Sandbox, spec sandbox.Spec) sandbox.Session {
	t.Helper()
	spec.Name = t.Name()
	s, err := box.Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Execute runs a command, in Python and for at most a minute where it does not say.
func Execute(t testing.TB, s sandbox.Session, cmd sandbox.Command) sandbox.Result {
	t.Helper()
	if cmd.Language == "" {
		cmd.Language = sandbox.Python
	}
	if cmd.Wall == 0 {
		cmd.Wall = time.Minute
	}
	r, err := s.Run(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Small are limits that abuse meets quickly.
var Small = sandbox.Limits{
	Memory: 256 << 20, Output: 64 << 10, Capture: 1 << 20, Disk: 16 << 20, Inodes: 500, Processes: 32, CPU: 2 * time.Second,
}
