package execute_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/fake"
	"github.com/medgym-data/medgym-data/stages/internal/execute"
)

func TestSubmission(t *testing.T) {
	result := sandbox.Result{
		Status: sandbox.StatusError, ErrorType: "KeyError", Stdout: []byte("out"), Stderr: []byte("err"),
		Answer: []byte("12.0"), Captured: map[string]jsonRaw{"model": []byte(`{"$":"opaque"}`), "forged": []byte(`{"a":1,"a":2}`)},
	}
	box := fake.Always(result)
	source := datasets.Session{
		Files:   []datasets.File{{Path: "/workdir/a.csv", Content: []byte("a")}, {Path: "/data/b", HostPath: "b"}},
		Capture: []datasets.Capture{{Name: "model", Attrs: []string{"coef_"}}},
		Wrap:    func(code string) string { return "prefix\n" + code },
	}
	s, err := execute.Open(t.Context(), box, "t1", source, sandbox.Limits{Wall: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ex, err := s.Run(t.Context(), sandbox.Python, "answer = 12.0", 7)
	if err != nil {
		t.Fatal(err)
	}
	sub := ex.Submission
	if sub.Code != "answer = 12.0" || sub.Stdout != "out" || sub.Stderr != "err" || sub.Status != "error" || sub.Error != "KeyError" ||
		string(sub.Answer) != "12.0" || !strings.Contains(string(sub.Captured["forged"]), "not_json") || sub.Records != nil {
		t.Errorf("submission: %+v", sub)
	}
	if !ex.Submits {
		t.Error("a program that set answer is no submission")
	}
	ex, err = s.Run(t.Context(), sandbox.Shell, "ls", 8)
	if err != nil || ex.Submits {
		t.Errorf("a shell command submits: %v %v", ex.Submits, err)
	}
	opened := box.Sessions()[0]
	cmds := opened.Commands()
	if cmds[0].Code != "prefix\nanswer = 12.0" || cmds[0].Seed != 7 || cmds[0].Capture[0].Attrs[0] != "coef_" {
		t.Errorf("python command: %+v", cmds[0])
	}
	if cmds[1].Code != "ls" || cmds[1].Capture != nil {
		t.Errorf("shell command: %+v", cmds[1])
	}
	if opened.Spec.Name != "t1" || len(opened.Spec.Files) != 2 || opened.Spec.Limits.Wall != time.Second {
		t.Errorf("spec: %+v", opened.Spec)
	}
	if err := s.Close(); err != nil || box.Running() != 0 {
		t.Errorf("close: %v, %d running", err, box.Running())
	}
}

type jsonRaw = datasets.RawValue

func TestSubmits(t *testing.T) {
	for name, tc := range map[string]struct {
		answer  string
		submits func(datasets.Submission) bool
		want    bool
	}{
		"no answer":            {"", nil, false},
		"null is an answer":    {"null", nil, true},
		"the source says so":   {"", func(s datasets.Submission) bool { return s.Status == "ok" }, true},
		"the source says none": {"1", func(datasets.Submission) bool { return false }, false},
	} {
		t.Run(name, func(t *testing.T) {
			res := sandbox.Result{Status: sandbox.StatusOK}
			if tc.answer != "" {
				res.Answer = []byte(tc.answer)
			}
			s, err := execute.Open(t.Context(), fake.Always(res), "t", datasets.Session{Submits: tc.submits}, sandbox.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if ex, err := s.Run(t.Context(), sandbox.Python, "", 0); err != nil || ex.Submits != tc.want {
				t.Errorf("submits %v, %v", ex.Submits, err)
			}
		})
	}
}

// recorder is a service that records the bodies posted to it.
type recorder struct {
	mu     sync.Mutex
	bodies []string
	began  chan struct{} // if set: tells when a request is being handled, which then takes a while
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	if r.began != nil {
		close(r.began)
		time.Sleep(20 * time.Millisecond)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies = append(r.bodies, string(body))
	fmt.Fprintf(w, "%s %d", req.URL.Path, len(r.bodies))
}

func (r *recorder) drain() datasets.RawValue {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.bodies) == 0 {
		return nil
	}
	out := fmt.Sprintf("%q", strings.Join(r.bodies, ","))
	r.bodies = nil
	return datasets.RawValue(out)
}

// client plays a program that speaks HTTP to a port of its sandbox.
func client(s *fake.Session) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return s.Dial(ctx, 8080)
	}}}
}

func TestServices(t *testing.T) {
	rec := &recorder{}
	box := fake.New(func(ctx context.Context, s *fake.Session, cmd sandbox.Command) (sandbox.Result, error) {
		if cmd.Code == "quiet" {
			return sandbox.Result{Status: sandbox.StatusOK}, nil
		}
		res, err := client(s).Post("http://127.0.0.1:8080/fhir", "text/plain", strings.NewReader(cmd.Code))
		if err != nil {
			return sandbox.Result{}, err
		}
		defer res.Body.Close()
		out, err := io.ReadAll(res.Body)
		return sandbox.Result{Status: sandbox.StatusOK, Stdout: out}, err
	})
	source := datasets.Session{Services: []datasets.Service{{Name: "fhir", Port: 8080, Handler: rec, Drain: rec.drain}}}
	s, err := execute.Open(t.Context(), box, "t", source, sandbox.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ code, stdout, records string }{{"one", "/fhir 1", `"one"`}, {"quiet", "", ""}, {"two", "/fhir 1", `"two"`}} {
		ex, err := s.Run(t.Context(), sandbox.Python, step.code, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(ex.Submission.Records["fhir"]); got != step.records || ex.Submission.Stdout != step.stdout {
			t.Errorf("%s: records %s, stdout %s", step.code, got, ex.Submission.Stdout)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := client(box.Sessions()[0]).Get("http://127.0.0.1:8080/"); err == nil {
		t.Error("the service outlives its session")
	}
}

// A program may end, or be killed, while its request is being handled: the record
// belongs to the step that sent it.
func TestRecordOfUnfinishedRequest(t *testing.T) {
	rec := &recorder{began: make(chan struct{})}
	box := fake.New(func(ctx context.Context, s *fake.Session, _ sandbox.Command) (sandbox.Result, error) {
		conn, err := s.Dial(ctx, 8080)
		if err != nil {
			return sandbox.Result{}, err
		}
		_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nlate")
		<-rec.began
		return sandbox.Result{Status: sandbox.StatusKilled}, errors.Join(err, conn.Close())
	})
	source := datasets.Session{Services: []datasets.Service{{Name: "fhir", Port: 8080, Handler: rec, Drain: rec.drain}}}
	s, err := execute.Open(t.Context(), box, "t", source, sandbox.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ex, err := s.Run(t.Context(), sandbox.Python, "", 0)
	if err != nil || string(ex.Submission.Records["fhir"]) != `"late"` {
		t.Errorf("records %s, %v", ex.Submission.Records["fhir"], err)
	}
}

func TestFaults(t *testing.T) {
	broken := errors.New("cell died")
	box := fake.New(func(ctx context.Context, _ *fake.Session, cmd sandbox.Command) (sandbox.Result, error) {
		if cmd.Code == "hang" {
			<-ctx.Done()
			return sandbox.Result{}, ctx.Err()
		}
		return sandbox.Result{}, broken
	})
	s, err := execute.Open(t.Context(), box, "t", datasets.Session{}, sandbox.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Run(t.Context(), sandbox.Python, "", 0); !errors.Is(err, execute.ErrSandbox) || !errors.Is(err, broken) {
		t.Errorf("fault: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := s.Run(ctx, sandbox.Python, "hang", 0); errors.Is(err, execute.ErrSandbox) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := execute.Runner(box).Run(t.Context(), datasets.Program{}); !errors.Is(err, execute.ErrSandbox) {
		t.Errorf("runner: %v", err)
	}
	box.Refuse = func(sandbox.Spec) error { return sandbox.ErrUnavailable }
	if _, err := execute.Open(t.Context(), box, "t", datasets.Session{}, sandbox.Limits{}); !errors.Is(err, sandbox.ErrUnavailable) {
		t.Errorf("unavailable: %v", err)
	}
	if _, err := execute.Open(t.Context(), box, "t", datasets.Session{Files: []datasets.File{{Path: "/data/x", RawName: "x"}}}, sandbox.Limits{}); err == nil || errors.Is(err, execute.ErrSandbox) {
		t.Errorf("a raw name in an agent's session: %v", err)
	}
}

// rawFolder is datasets.Files over a map.
type rawFolder struct {
	datasets.Files
	fs fstest.MapFS
}

func (r rawFolder) Path(name string) string { return "host/" + name }
func (r rawFolder) Stat(name string) (datasets.FileInfo, bool) {
	_, ok := r.fs[name]
	return datasets.FileInfo{Name: name}, ok
}

func TestRunner(t *testing.T) {
	box := fake.Always(sandbox.Result{Status: sandbox.StatusOK, Stdout: []byte("hi"), Answer: []byte("true"), Captured: map[string]jsonRaw{"passed": []byte("3")}})
	run := datasets.WithRaw(execute.Runner(box), rawFolder{fs: fstest.MapFS{"a.csv": {}}})
	p := datasets.Program{
		Code: "answer = x", Seed: 3, Inject: map[string]datasets.RawValue{"x": []byte("1")},
		Capture: []datasets.Capture{{Name: "passed"}}, Files: []datasets.File{{Path: "/workdir/a.csv", RawName: "a.csv"}},
	}
	for range 2 {
		out, err := run.Run(t.Context(), p)
		if err != nil || out.Status != "ok" || out.Stdout != "hi" || string(out.Answer) != "true" || string(out.Captured["passed"]) != "3" {
			t.Fatalf("output: %+v, %v", out, err)
		}
	}
	if got := box.Sessions(); len(got) != 2 || got[0].Spec.Files[0].HostPath != "host/a.csv" || box.Running() != 0 {
		t.Errorf("sessions: %d, files %+v, %d running", len(got), got[0].Spec.Files, box.Running())
	}
	p.Files = []datasets.File{{Path: "/workdir/b.csv", RawName: "b.csv"}}
	if _, err := run.Run(t.Context(), p); err == nil {
		t.Error("an absent raw file is no error")
	}
}
