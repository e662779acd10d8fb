package runtest

import (
	"errors"
	"os"
	"testing"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/namespace"
	"github.com/medgym-data/medgym-data/sandbox/python"
)

// Main is the TestMain of a package whose tests call Python: a sandbox cell begins
// as a copy of the test program.
func Main(m *testing.M) {
	namespace.Init()
	os.Exit(m.Run())
}

// Python is a sandbox of one cell that runs Python, closed when the test ends. Where
// this machine has none the test is skipped, and fails where CI is set. The package
// must have Main as its TestMain.
func Python(t testing.TB) sandbox.Sandbox {
	t.Helper()
	env, err := python.Find(t.Context())
	var box *namespace.Sandbox
	if err == nil {
		box, err = namespace.New(t.Context(), namespace.Options{Environment: env, Cells: 1})
	}
	absent := errors.Is(err, python.ErrNotInstalled) || errors.Is(err, python.ErrNoInterpreter) || errors.Is(err, sandbox.ErrUnavailable)
	if absent && os.Getenv("CI") == "" {
		t.Skipf("SKIPPED, this needs a sandbox that runs Python: %v", err)
	}
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
