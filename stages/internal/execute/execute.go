// Package execute stands between sources and sandboxes: it turns a
// datasets.Session into a sandbox session, a program's result into a
// datasets.Submission, and a sandbox into the datasets.Runner of graders.
//
// Whatever a program did is data: a status, an exception, what it printed. An
// error of this package says that the sandbox failed (it wraps ErrSandbox) or
// that ctx was cancelled, and nothing about the program.
package execute

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/sandbox"
)

// ErrSandbox says that the sandbox failed, not what ran in it. The same program
// may be tried again.
var ErrSandbox = errors.New("sandbox fault")

// fault marks an error of a sandbox. A cancelled context is none.
func fault(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	return fmt.Errorf("%s: %w: %w", what, ErrSandbox, err)
}

// Session is the sandbox of one attempt at one task. Its executions run one
// after the other.
type Session struct {
	source   datasets.Session
	box      sandbox.Session
	services []*service
	capture  []sandbox.Capture
}

// Open opens the sandbox that a source furnished, serving its services until
// Close. The name is for logs.
func Open(ctx context.Context, box sandbox.Sandbox, name string, source datasets.Session, limits sandbox.Limits) (*Session, error) {
	s := &Session{source: source, capture: captures(source.Capture)}
	files, err := filesOf(source.Files)
	if err != nil {
		return nil, fmt.Errorf("open session %s: %w", name, err)
	}
	spec := sandbox.Spec{Name: name, Files: files, Limits: limits}
	for _, svc := range source.Services {
		served := serve(svc)
		s.services = append(s.services, served)
		spec.Services = append(spec.Services, sandbox.Service{Port: svc.Port, Handle: served.handle})
	}
	if s.box, err = box.Open(ctx, spec); err != nil {
		s.closeServices()
		return nil, fault(ctx, "open session "+name, err)
	}
	return s, nil
}

// Close ends the session: its work folder is gone, its services no longer served.
func (s *Session) Close() error {
	err := s.box.Close()
	s.closeServices()
	if err != nil {
		return fmt.Errorf("close session: %w", err)
	}
	return nil
}

func (s *Session) closeServices() {
	for _, svc := range s.services {
		svc.close()
	}
}

// Paths are the files that the session was given, as programs name them.
func (s *Session) Paths() []string {
	var out []string
	for _, f := range s.source.Files {
		out = append(out, f.Path)
	}
	return out
}

// Places are the host's files that the session was given, and where programs find them.
func (s *Session) Places() map[string]string {
	out := map[string]string{}
	for _, f := range s.source.Files {
		if f.HostPath != "" {
			out[f.HostPath] = f.Path
		}
	}
	return out
}

// Execution is what a program did. Submits is only ever true for Python.
type Execution struct {
	Program    string // that ran: the code, as the source wrapped it
	Result     sandbox.Result
	Submission datasets.Submission
	Submits    bool
}

// Run runs an agent's code. Python is wrapped as the source wants it, and its
// answer and the variables that the source names are handed over.
func (s *Session) Run(ctx context.Context, language sandbox.Language, code string, seed uint64) (Execution, error) {
	cmd := sandbox.Command{Language: language, Code: code, Seed: seed}
	if language == sandbox.Python {
		cmd.Capture = s.capture
		if s.source.Wrap != nil {
			cmd.Code = s.source.Wrap(code)
		}
	}
	res, err := s.box.Run(ctx, cmd)
	records := s.drain(ctx)
	if err != nil {
		return Execution{}, fault(ctx, "execute", err)
	}
	ex := Execution{Program: cmd.Code, Result: res, Submission: datasets.Submission{
		Code: code, Answer: plain(res.Answer), Captured: plains(res.Captured), Stdout: string(res.Stdout), Stderr: string(res.Stderr),
		Records: records, Status: string(res.Status), Error: res.ErrorType,
	}}
	switch {
	case language != sandbox.Python:
	case s.source.Submits != nil:
		ex.Submits = s.source.Submits(ex.Submission)
	default:
		ex.Submits = ex.Submission.Answer != nil
	}
	return ex, nil
}

// RunOwn runs a program of ours in the session, as isolated as an agent's: not
// wrapped, with variables in the plain codec, and no submission. What it makes the
// services record is dropped.
func (s *Session) RunOwn(ctx context.Context, code string, inject map[string]datasets.RawValue, seed uint64) (sandbox.Result, error) {
	res, err := s.box.Run(ctx, sandbox.Command{Language: sandbox.Python, Code: code, Inject: inject, Seed: seed})
	s.drain(ctx)
	if err != nil {
		return sandbox.Result{}, fault(ctx, "execute", err)
	}
	return res, nil
}

// drain takes what the services recorded while the program ran.
func (s *Session) drain(ctx context.Context) map[string]datasets.RawValue {
	var records map[string]datasets.RawValue
	for _, svc := range s.services {
		if got := svc.drain(ctx); got != nil {
			if records == nil {
				records = map[string]datasets.RawValue{}
			}
			records[svc.name] = got
		}
	}
	return records
}

// unreadable stands for a captured value that is no JSON: the program forged what
// its own interpreter hands over.
const unreadable = `{"$":"opaque","type":"","why":"not_json"}`

// plain takes a captured value as the untrusted text that it is.
func plain(v []byte) datasets.RawValue {
	if v == nil {
		return nil
	}
	if !jsontext.Value(v).IsValid() { // also refuses duplicate names and bad UTF-8
		return datasets.RawValue(unreadable)
	}
	return v
}

func plains[M ~map[string]V, V ~[]byte](values M) map[string]datasets.RawValue {
	if len(values) == 0 {
		return nil
	}
	out := make(map[string]datasets.RawValue, len(values))
	for name, v := range values {
		out[name] = plain(v)
	}
	return out
}

func captures(wanted []datasets.Capture) []sandbox.Capture {
	var out []sandbox.Capture
	for _, c := range wanted {
		out = append(out, sandbox.Capture{Name: c.Name, Attrs: c.Attrs})
	}
	return out
}

func filesOf(files []datasets.File) ([]sandbox.File, error) {
	var out []sandbox.File
	for _, f := range files {
		if f.RawName != "" {
			return nil, fmt.Errorf("file %s: the raw file %s was not resolved to a path", f.Path, f.RawName)
		}
		out = append(out, sandbox.File{Path: f.Path, HostPath: f.HostPath, Content: f.Content})
	}
	return out, nil
}

// Runner runs grading programs, each in a session of its own that no agent has
// touched, with the backend's limits. Programs that name raw files need it inside datasets.WithRaw.
func Runner(box sandbox.Sandbox) datasets.Runner { return runner{box} }

type runner struct{ box sandbox.Sandbox }

func (r runner) Run(ctx context.Context, p datasets.Program) (_ datasets.Output, err error) {
	files, err := filesOf(p.Files)
	if err != nil {
		return datasets.Output{}, fmt.Errorf("grading program: %w", err)
	}
	session, err := r.box.Open(ctx, sandbox.Spec{Name: "grading", Files: files})
	if err != nil {
		return datasets.Output{}, fault(ctx, "open grading session", err)
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	res, err := session.Run(ctx, sandbox.Command{
		Language: sandbox.Python, Code: p.Code, Seed: p.Seed, Inject: maps.Clone(p.Inject), Capture: captures(p.Capture),
	})
	if err != nil {
		return datasets.Output{}, fault(ctx, "run grading program", err)
	}
	return datasets.Output{
		Status: string(res.Status), Error: res.ErrorType, Message: res.ErrorMessage,
		Stdout: string(res.Stdout), Stderr: string(res.Stderr),
		Answer: plain(res.Answer), Captured: plains(res.Captured),
	}, nil
}
