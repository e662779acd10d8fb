package datasettest

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/datasets"
)

//go:embed python.py
var driver string

// Python is a datasets.Runner over the interpreter and the packages of the
// sandbox, without the sandbox: sources may not know it. It is for programs that
// tests write themselves, not for those of any dataset.
type Python struct {
	executable string
	path       []string // modules: the plain codec and the sandbox's packages
	folder     string   // a new folder in it for each program
}

var _ datasets.Runner = Python{}

// FindPython finds the environment that the sandbox has installed. Where it is
// absent the test is skipped with one line that says so, and fails under CI.
func FindPython(t testing.TB) Python {
	t.Helper()
	lacks := func() {
		t.Helper()
		const line = "PYTHON ENVIRONMENT ABSENT: medgym-data doctor tells how to install it; this test of graders did not run"
		if os.Getenv("CI") != "" {
			t.Fatal(line)
		}
		t.Skip(line)
	}
	sources := filepath.Join(ModuleRoot(t), "sandbox", "python")
	lock, err := os.ReadFile(filepath.Join(sources, "requirements.lock"))
	if err != nil {
		t.Fatal(err)
	}
	cache := os.Getenv("MEDGYM_ENV")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			lacks()
		}
		cache = filepath.Join(user, "medgym-data")
	}
	environments, err := filepath.Glob(filepath.Join(cache, "env-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range environments {
		installed, err := os.ReadFile(filepath.Join(dir, "requirements.lock"))
		if err != nil || !bytes.Equal(installed, lock) {
			continue
		}
		var described struct {
			Executable string `json:"executable"`
		}
		data, err := os.ReadFile(filepath.Join(dir, "environment.json"))
		if err != nil || json.Unmarshal(data, &described) != nil || described.Executable == "" {
			continue
		}
		return Python{executable: described.Executable, path: []string{sources, filepath.Join(dir, "site")}, folder: t.TempDir()}
	}
	lacks()
	return Python{}
}

// Run implements datasets.Runner. A program that leaves past its interpreter
// (os._exit) hands nothing over.
func (p Python) Run(ctx context.Context, prog datasets.Program) (datasets.Output, error) {
	if len(prog.Files) > 0 {
		return datasets.Output{}, errors.New("a program with files needs the sandbox")
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp(p.folder, "run")
	if err != nil {
		return datasets.Output{}, err
	}
	report := filepath.Join(dir, "report.json")
	request, err := json.Marshal(map[string]any{
		"code": prog.Code, "inject": prog.Inject, "capture": append([]datasets.Capture{{Name: "answer"}}, prog.Capture...),
		"seed": prog.Seed & 0xFFFFFFFF, "report": report, "path": p.path,
	})
	if err != nil {
		return datasets.Output{}, err
	}
	cmd := exec.CommandContext(ctx, p.executable, "-I", "-B", "-c", driver)
	cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "LANG=C.UTF-8", "PYTHONHASHSEED=0"}
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(request), &stdout, &stderr
	ended := cmd.Run()
	var exit *exec.ExitError
	if ended != nil && !errors.As(ended, &exit) || ctx.Err() != nil {
		return datasets.Output{}, errors.Join(ended, ctx.Err())
	}
	out := datasets.Output{Status: "ok", Captured: map[string]datasets.RawValue{}, Stdout: stdout.String(), Stderr: stderr.String()}
	if ended != nil {
		out.Status = "error"
	}
	var said struct {
		Error, Message string
		Captured       map[string]string
	}
	data, err := os.ReadFile(report)
	if errors.Is(err, os.ErrNotExist) {
		return out, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &said)
	}
	if err != nil {
		return datasets.Output{}, err
	}
	out.Error, out.Message = said.Error, said.Message
	for name, text := range said.Captured {
		out.Captured[name] = datasets.RawValue(text)
	}
	out.Answer = out.Captured["answer"]
	return out, nil
}

// Submission runs an agent's code in a session, as rollout does.
func (p Python) Submission(t testing.TB, session datasets.Session, code string) datasets.Submission {
	t.Helper()
	program := code
	if session.Wrap != nil {
		program = session.Wrap(code)
	}
	out, err := p.Run(t.Context(), datasets.Program{Code: program, Capture: session.Capture, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return datasets.Submission{
		Code: code, Answer: out.Answer, Captured: out.Captured, Stdout: out.Stdout, Stderr: out.Stderr, Status: out.Status, Error: out.Error,
	}
}
