package python

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake writes a program that answers like an interpreter: it describes itself as
// said, and pip is the shell code that runs for "-m pip install", with the folder
// to fill in $site. Each run of pip adds a line to the file that is returned.
func fake(t *testing.T, said, pip string) (program, runs string) {
	t.Helper()
	dir := t.TempDir()
	program, runs = filepath.Join(dir, "python"), filepath.Join(dir, "runs")
	said = strings.ReplaceAll(said, "SELF", program)
	script := fmt.Sprintf(`#!/bin/sh
case "$2 $3" in
"-m pip")
	echo run >> %q
	while [ "$1" != --target ]; do shift; done
	site=$2
	%s
	;;
"-m compileall") echo "cannot compile a template" >&2; exit 1 ;;
*)
	cat <<'END'
%s
END
	;;
esac
`, runs, pip, said)
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv(InterpreterVariable, program)
	t.Setenv(FolderVariable, filepath.Join(dir, "cache"))
	return program, runs
}

const (
	good     = `{"executable": "SELF", "prefix": "/p", "stdlib": "/p/lib", "version": "3.11.7", "implementation": "CPython", "pip": true}`
	installs = `mkdir -p "$site/pkg"; echo x > "$site/pkg/__init__.py"; echo Collecting; echo "Successfully installed" >&2`
)

// oneLine checks an error that a person reads.
func oneLine(t *testing.T, err error, wants ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "\n") || len(err.Error()) > 1000 {
		t.Errorf("not one line: %q", err)
	}
}

// left are the names in the cache folder, without the lock.
func left(t *testing.T) []string {
	t.Helper()
	cache, err := Cache()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(cache)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != "install.lock" {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestFindInterpreter(t *testing.T) {
	for _, test := range []struct{ name, said, want string }{
		{"right", good, ""},
		{"without pip", strings.Replace(good, `"pip": true`, `"pip": false`, 1), ""},
		{"older", strings.Replace(good, "3.11.7", "3.10.2", 1), "it is CPython 3.10.2"},
		{"newer", strings.Replace(good, "3.11.7", "3.110.1", 1), "it is CPython 3.110.1"},
		{"another implementation", strings.Replace(good, `"CPython"`, `"PyPy"`, 1), "it is PyPy 3.11.7"},
		{"not Python", "hello", "it does not run Python"},
		{"silent", "", "it does not run Python"},
		{"not an object", "[1]", "it does not run Python"},
	} {
		t.Run(test.name, func(t *testing.T) {
			program, _ := fake(t, test.said, installs)
			found, err := FindInterpreter(t.Context())
			if test.want != "" {
				oneLine(t, err, InterpreterVariable+"="+program, "not a working CPython 3.11", test.want)
				return
			}
			if err != nil || found.Executable != program || found.Version != "3.11.7" || found.Pip != strings.Contains(test.said, `"pip": true`) {
				t.Errorf("%+v, %v", found, err)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		t.Setenv(InterpreterVariable, filepath.Join(t.TempDir(), "nothing"))
		_, err := FindInterpreter(t.Context())
		oneLine(t, err, InterpreterVariable, "no such file")
		if _, err := Find(t.Context()); err == nil || errors.Is(err, ErrNotInstalled) {
			t.Errorf("%v", err)
		}
	})
	t.Run("fails", func(t *testing.T) {
		program := filepath.Join(t.TempDir(), "python")
		if err := os.WriteFile(program, []byte("#!/bin/sh\necho broken >&2\nexit 3\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv(InterpreterVariable, program)
		_, err := FindInterpreter(t.Context())
		oneLine(t, err, program, "exit status 3")
	})
	t.Run("none at all", func(t *testing.T) {
		t.Setenv(InterpreterVariable, "")
		t.Setenv("PATH", t.TempDir())
		if found, err := FindInterpreter(t.Context()); err != nil {
			if !errors.Is(err, ErrNoInterpreter) {
				t.Error(err)
			}
			oneLine(t, err, "install python3.11", InterpreterVariable)
		} else if !strings.HasPrefix(found.Executable, "/usr/") { // the system's own
			t.Errorf("%+v", found)
		}
	})
	t.Run("the one with pip", func(t *testing.T) {
		without, _ := fake(t, strings.Replace(good, `"pip": true`, `"pip": false`, 1), "")
		with, _ := fake(t, good, "")
		t.Setenv(InterpreterVariable, "")
		path := t.TempDir()
		for name, program := range map[string]string{"python3.11": without, "python3": with} {
			if err := os.Symlink(program, filepath.Join(path, name)); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", path+":"+os.Getenv("PATH"))
		if found, err := FindInterpreter(t.Context()); err != nil || found.Executable != with {
			t.Errorf("%+v, %v", found, err)
		}
	})
	t.Run("hangs", func(t *testing.T) {
		program := filepath.Join(t.TempDir(), "python")
		if err := os.WriteFile(program, []byte("#!/bin/sh\nsleep 60\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv(InterpreterVariable, program)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		begin := time.Now()
		if _, err := FindInterpreter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestInstall(t *testing.T) {
	_, runs := fake(t, good, installs)
	if _, err := Find(t.Context()); !errors.Is(err, ErrNotInstalled) {
		t.Fatalf("find before: %v", err)
	}
	stray := filepath.Join(os.Getenv(FolderVariable), ".install-123", "site")
	if err := os.MkdirAll(stray, 0o755); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	env, err := Install(t.Context(), &log)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(env.Site(), "pkg", "__init__.py")); err != nil || string(text) != "x\n" {
		t.Errorf("%q %v", text, err)
	}
	if !strings.Contains(log.String(), "Collecting") || !strings.Contains(log.String(), "Successfully") {
		t.Errorf("log %q", log.String())
	}
	found, err := Find(t.Context())
	if err != nil || found != env || len(found.Digest()) != 64 {
		t.Errorf("find after: %+v %v", found, err)
	}
	if _, err := Install(t.Context(), io.Discard); err != nil {
		t.Error(err)
	}
	if text, _ := os.ReadFile(runs); string(text) != "run\n" {
		t.Errorf("pip ran %q", text)
	}
	if names := left(t); len(names) != 1 || names[0] != filepath.Base(env.Dir) {
		t.Errorf("left: %v", names)
	}
	// Another interpreter has an environment of its own.
	cache := os.Getenv(FolderVariable)
	fake(t, strings.Replace(good, "3.11.7", "3.11.8", 1), installs)
	t.Setenv(FolderVariable, cache)
	if _, err := Find(t.Context()); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("the environment of another interpreter is found: %v", err)
	}
}

// TestInstallFails: one clear line, nothing left behind, and the next try works.
func TestInstallFails(t *testing.T) {
	for _, test := range []struct {
		name, said, pip string
		wants           []string
	}{
		{"pip fails", good, `mkdir -p "$site"; echo "Collecting x"; echo "ERROR: No matching distribution found for x==1" >&2; echo >&2; exit 1`, []string{"pip install", "exit status 1", "No matching distribution found for x==1"}},
		{"pip says nothing", good, "exit 2", []string{"pip install", "exit status 2", "says nothing"}},
		{"pip dies", good, "kill -9 $$", []string{"pip install", "killed"}},
		{"pip talks without end", good, `head -c 100000 /dev/zero | tr '\0' x; exit 1`, []string{"exit status 1", "xxx"}},
		{"pip says bad bytes", good, `printf 'bad \377 byte'; exit 1`, []string{"bad \uFFFD byte"}},
		{"pip makes nothing", good, "exit 0", []string{"pip install", "made nothing"}},
		{"no pip", strings.Replace(good, `"pip": true`, `"pip": false`, 1), "exit 0", []string{"has no pip", "python3-pip", InterpreterVariable}},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake(t, test.said, test.pip)
			_, err := Install(t.Context(), io.Discard)
			oneLine(t, err, append(test.wants, "install the Python environment: ")...)
			if names := left(t); len(names) != 0 {
				t.Errorf("left: %v", names)
			}
			if _, err := Find(t.Context()); !errors.Is(err, ErrNotInstalled) {
				t.Errorf("find: %v", err)
			}
			cache := os.Getenv(FolderVariable)
			fake(t, good, installs)
			t.Setenv(FolderVariable, cache)
			if _, err := Install(t.Context(), io.Discard); err != nil {
				t.Errorf("the next try: %v", err)
			}
		})
	}
	t.Run("the cache is a file", func(t *testing.T) {
		fake(t, good, installs)
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Setenv(FolderVariable, file)
		_, err := Install(t.Context(), io.Discard)
		oneLine(t, err, "install the Python environment: ", file)
	})
	t.Run("an incomplete folder is replaced", func(t *testing.T) {
		fake(t, good, installs)
		env, err := locate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(env.Dir, "site", "old"), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := Install(t.Context(), io.Discard); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(env.Dir, "site", "old")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("what lay there is kept: %v", err)
		}
	})
}

func TestInstallCancelled(t *testing.T) {
	_, runs := fake(t, good, `mkdir -p "$site"; exec sleep 60`)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := Install(ctx, io.Discard)
		done <- err
	}()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(runs); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("pip did not start")
		}
	}
	// Whoever waits for the lock gives up when asked to.
	waiting, giveUp := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer giveUp()
	_, err := Install(waiting, io.Discard)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the one who waits: %v", err)
	}
	oneLine(t, err, "install the Python environment: ")
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the one who works: %v", err)
		}
		oneLine(t, err, "install the Python environment: ")
	case <-time.After(20 * time.Second):
		t.Fatal("pip was not stopped")
	}
	if names := left(t); len(names) != 0 {
		t.Errorf("left: %v", names)
	}
}

// TestInstallTogether: one of several installs works, the others wait for it.
func TestInstallTogether(t *testing.T) {
	_, runs := fake(t, good, "sleep 0.3; "+installs)
	var group sync.WaitGroup
	dirs := make([]string, 4)
	for i := range dirs {
		group.Go(func() {
			env, err := Install(t.Context(), io.Discard)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(env.Site(), "pkg")); err != nil {
				t.Error(err)
			}
			dirs[i] = env.Dir
		})
	}
	group.Wait()
	if text, _ := os.ReadFile(runs); string(text) != "run\n" {
		t.Errorf("pip ran %q", text)
	}
	for _, dir := range dirs {
		if dir != dirs[0] {
			t.Errorf("environments %v", dirs)
		}
	}
}

func TestCache(t *testing.T) {
	t.Setenv(FolderVariable, "relative")
	if dir, err := Cache(); err != nil || !filepath.IsAbs(dir) || filepath.Base(dir) != "relative" {
		t.Errorf("%q %v", dir, err)
	}
	t.Setenv(FolderVariable, "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	_, err := Cache()
	oneLine(t, err, "cache folder", FolderVariable)
}

func TestTail(t *testing.T) {
	for _, test := range []struct {
		writes []string
		want   string
	}{
		{[]string{"a\nb\n"}, "b"}, {[]string{"a\nb"}, "b"}, {[]string{"a\nb", "c\n", "\n \n"}, "bc"}, {[]string{"a\n", "", "\r\n"}, "a"},
		{nil, "it says nothing"}, {[]string{strings.Repeat("x", 400), strings.Repeat("y", 400)}, strings.Repeat("x", 400) + strings.Repeat("y", 100)},
	} {
		var tail tail
		for _, w := range test.writes {
			if n, err := tail.Write([]byte(w)); n != len(w) || err != nil {
				t.Errorf("wrote %d, %v", n, err)
			}
		}
		if got := tail.line(); got != test.want {
			t.Errorf("%q: %q, want %q", test.writes, got, test.want)
		}
	}
}

// TestPins: pip reads them as constraints, one for each package of the lock.
func TestPins(t *testing.T) {
	pins := Pins()
	if n := strings.Count(pins, "\n"); n != strings.Count(string(lock), "--hash=") || !strings.Contains(pins, "\nnumpy==1.26.4\n") || strings.Contains(pins, "hash") {
		t.Errorf("%d pins:\n%s", n, pins)
	}
}

// TestCommands: of what packages bring as commands pip alone is left, without the path
// of this machine's interpreter.
func TestCommands(t *testing.T) {
	site := t.TempDir()
	if err := os.Mkdir(filepath.Join(site, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(site, "bin", "f2py"), []byte("#!/home/ann/python\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := commands(site); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(site, "bin"))
	if err != nil || len(entries) != 2 || entries[0].Name() != "pip" {
		t.Errorf("%v, %v", entries, err)
	}
}
