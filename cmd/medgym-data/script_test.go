package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/sandbox/namespace"
	"github.com/medgym-data/medgym-data/sandbox/python"
)

// TestMain runs the program itself where it is started under its own name.
func TestMain(m *testing.M) {
	namespace.Init() // a sandbox cell begins as a copy of this program
	testscript.Main(m, map[string]func(){"medgym-data": main})
}

// TestScripts runs testdata/script: the program as its user starts it, and what it
// says. UPDATE_SCRIPTS=1 rewrites expected output.
func TestScripts(t *testing.T) {
	cache, err := python.Cache()
	if err != nil {
		t.Fatal(err)
	}
	root := datasettest.ModuleRoot(t)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv(python.FolderVariable, cache)
			env.Setenv("MEDGYM_CONCURRENCY", "1") // scripts run beside each other
			env.Setenv("CACHE", cache)
			env.Setenv("ROOT", root)
			return nil
		},
		Condition: condition,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "bytes": writeBytes, "long": writeLong, "gzip": pack, "cut": cut, "fifo": fifo, "hold": hold,
			"closed": closed, "count": count, "clean": clean, "scores": scores,
		},
	})
}

// condition tells what the machine can do. What it cannot do is skipped by one
// line that says so, and fails where CI is set.
func condition(name string) (bool, error) {
	var ok bool
	switch name {
	case "tmpfs":
		ok = exec.Command("unshare", "-Urm", "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", os.TempDir()).Run() == nil
	case "python3":
		_, err := exec.LookPath("python3")
		ok = err == nil
	case "sandbox":
		ok = exec.Command("medgym-data", "doctor").Run() == nil
	default:
		return false, fmt.Errorf("unknown condition %s", name)
	}
	if !ok && os.Getenv("CI") != "" {
		return false, fmt.Errorf("this machine lacks %s, and CI is to test it", name)
	}
	return ok, nil
}

// exits CODE medgym-data ARGS… runs the program and holds it to its exit code.
// Where that is not 0 the error is one line on stderr, the last one: text, or an
// object with --json. What is unchanged of a secret would be a leak: nothing on
// stderr may hold SECRET, which scripts put into rows.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	stderr := ts.ReadFile("stderr")
	if got != want {
		ts.Fatalf("exit code %d, want %d: %s", got, want, stderr)
	}
	if strings.Contains(stderr, "SECRET") {
		ts.Fatalf("row content on stderr: %s", stderr)
	}
	if got == 0 {
		return
	}
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	last := lines[len(lines)-1]
	if slices.Contains(args, "--json") {
		var object struct {
			Error string `json:"error"`
			Code  int    `json:"exit_code"`
		}
		if err := json.Unmarshal([]byte(last), &object); err != nil || object.Error == "" || object.Code != want {
			ts.Fatalf("the last line is no error object with exit code %d: %s", want, last)
		}
		return
	}
	for i, line := range lines {
		if strings.HasPrefix(line, "medgym-data: ") != (i == len(lines)-1) {
			ts.Fatalf("not one error line at the end: %s", stderr)
		}
	}
}

// bytes FILE HEX… appends bytes that a script cannot hold.
func writeBytes(ts *testscript.TestScript, _ bool, args []string) {
	data, err := hex.DecodeString(strings.Join(args[1:], ""))
	ts.Check(err)
	appendTo(ts, args[0], bytes.NewReader(data))
}

// long FILE BYTES appends a line of so many bytes, which is a JSON text.
func writeLong(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	appendTo(ts, args[0], io.MultiReader(strings.NewReader(`"`), io.LimitReader(letters{}, n-2), strings.NewReader("\"\n")))
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func appendTo(ts *testscript.TestScript, name string, data io.Reader) {
	f, err := os.OpenFile(ts.MkAbs(name), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	ts.Check(err)
	_, err = io.Copy(f, data)
	ts.Check(errors.Join(err, f.Close()))
}

// gzip FILE packs a file in its place.
func pack(ts *testscript.TestScript, _ bool, args []string) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write([]byte(ts.ReadFile(args[0])))
	ts.Check(errors.Join(err, z.Close()))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".gz"), out.Bytes(), 0o644))
	ts.Check(os.Remove(ts.MkAbs(args[0])))
}

// cut FILE BYTES drops the last bytes of a file.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), info.Size()-n))
}

// fifo FILE makes a named pipe.
func fifo(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(syscall.Mkfifo(ts.MkAbs(args[0]), 0o644))
}

// closed FILE makes a file that the program may not read. Root may read what it
// pleases, so there the name becomes a link to what not even root may.
func closed(ts *testscript.TestScript, _ bool, args []string) {
	at := ts.MkAbs(args[0])
	if os.Getuid() != 0 {
		ts.Check(os.Chmod(at, 0))
		return
	}
	const forbidden = "/proc/sys/vm/compact_memory" // write-only, for root too
	if _, err := os.ReadFile(forbidden); !errors.Is(err, os.ErrPermission) {
		if os.Getenv("CI") != "" {
			ts.Fatalf("%s is not unreadable here, and CI is to test it: %v", forbidden, err)
		}
		ts.Logf("NO UNREADABLE FILE HERE: permissions were not tried")
		return
	}
	ts.Check(os.Remove(at))
	ts.Check(os.Symlink(forbidden, at))
}

// hold DIR opens a run folder until the script ends.
func hold(ts *testscript.TestScript, _ bool, args []string) {
	run, err := pipeline.Open(context.Background(), ts.MkAbs(args[0]), pipeline.Options{Command: "medgym-data rollout"})
	ts.Check(err)
	ts.Defer(func() { _ = run.Close() })
}

// count FILE N holds a file to its number of lines.
func count(ts *testscript.TestScript, _ bool, args []string) {
	if got := strings.Count(ts.ReadFile(args[0]), "\n"); strconv.Itoa(got) != args[1] {
		ts.Fatalf("%s has %d lines, want %s", args[0], got, args[1])
	}
}

// clean DIR holds a run folder to having no half-written file: what a stage was
// writing is gone.
func clean(ts *testscript.TestScript, _ bool, args []string) {
	entries, err := os.ReadDir(filepath.Join(ts.MkAbs(args[0]), ".staging"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		ts.Fatalf("%v", err)
	}
	for _, e := range entries {
		ts.Fatalf("%s is left in staging", e.Name())
	}
	leftovers, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*", "*.tmp-*"))
	ts.Check(err)
	if len(leftovers) > 0 {
		ts.Fatalf("left behind: %v", leftovers)
	}
}
