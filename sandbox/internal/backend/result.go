package backend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/sandbox"
)

// NewRun makes the request of an execution. limits have no zero fields.
func NewRun(session string, spec sandbox.Spec, limits sandbox.Limits, files []File, cmd sandbox.Command) Run {
	l := limits
	if cmd.Wall > 0 && cmd.Wall < l.Wall {
		l.Wall = cmd.Wall
	}
	frame := Run{
		Op: "run", Session: session, Code: cmd.Code, Language: string(cmd.Language), Seed: cmd.Seed,
		Inject: map[string]string{}, Capture: []Capture{}, CaptureB: l.Capture,
		Wall: l.Wall.Seconds(), CPU: math.Ceil(l.CPU.Seconds()), Memory: l.Memory, Output: l.Output,
		Disk: l.Disk, Inodes: l.Inodes, Processes: l.Processes, Files: files, Ports: []int{},
	}
	for name, value := range cmd.Inject {
		frame.Inject[name] = string(value)
	}
	for _, service := range spec.Services {
		frame.Ports = append(frame.Ports, service.Port)
	}
	if cmd.Language != sandbox.Python {
		return frame // a shell has no variables to hand over
	}
	frame.Capture = append(frame.Capture, Capture{Name: "answer", Attrs: []string{}})
	for _, c := range cmd.Capture {
		if c.Name == "answer" {
			frame.Capture[0].Attrs = append(frame.Capture[0].Attrs, c.Attrs...)
			continue
		}
		frame.Capture = append(frame.Capture, Capture{Name: c.Name, Attrs: append([]string{}, c.Attrs...)})
	}
	return frame
}

// Result reads how a program ended. cpu is the session's own limit.
func Result(frame Run, reply Reply, cpu time.Duration, controls []string) (sandbox.Result, error) {
	res := sandbox.Result{
		Status: sandbox.StatusOK, ExitCode: reply.ExitCode, Signal: reply.Signal,
		Stdout: bytes.ToValidUTF8(reply.Stdout, replacement), Stderr: bytes.ToValidUTF8(reply.Stderr, replacement), Truncated: reply.Truncated,
		Wall: seconds(reply.Wall), CPU: seconds(reply.CPU), MaxRSS: reply.MaxRSS, Captured: map[string]json.RawMessage{},
		Controls: controls,
	}
	// What cannot be read was written by the program, not by the zygote's child.
	var said Report
	if json.Unmarshal(reply.Result, &said) != nil {
		said = Report{}
	}
	// Once the program has begun, which a newline tells, only it can say so.
	if said.Setup != "" && !bytes.HasPrefix(reply.Result, []byte("\n")) {
		return res, fmt.Errorf("prepare an execution: %s", said.Setup)
	}
	// The bounds hold for a program that writes its report itself, too.
	res.ErrorType, res.ErrorMessage = shorten(said.ErrorType, MaxErrorType), shorten(said.ErrorMessage, MaxErrorMessage)
	if said.ErrorLine > 0 && said.ErrorLine <= strings.Count(frame.Code, "\n")+1 {
		res.ErrorLine = said.ErrorLine
	}
	switch {
	case reply.Reason == "timeout", reply.Signal == int(syscall.SIGXCPU),
		reply.Signal == int(syscall.SIGKILL) && res.CPU >= cpu:
		res.Status = sandbox.StatusTimeout
	case reply.Reason == "memory", said.ErrorType == "MemoryError", said.ErrorType == "_ArrayMemoryError": // numpy's
		res.Status = sandbox.StatusMemory
	case reply.Reason == "output":
		res.Status = sandbox.StatusOutputLimit
	case reply.Signal != 0:
		res.Status = sandbox.StatusKilled
	case reply.ExitCode != 0, said.ErrorType != "":
		res.Status = sandbox.StatusError
	}
	if reply.Reason != "" || reply.Signal != 0 {
		return res, nil // a program that was stopped handed nothing over
	}
	for _, want := range frame.Capture {
		value := json.RawMessage(said.Captured[want.Name])
		if !jsontext.Value(value).IsValid() {
			continue
		}
		if want.Name == "answer" {
			res.Answer = value
		}
		res.Captured[want.Name] = value
	}
	return res, nil
}

// Bytes that a report may fill, as the zygote's child cuts it.
const (
	MaxErrorType    = 4 * 200
	MaxErrorMessage = 4 * 4000
)

var replacement = []byte("\uFFFD")

// shorten cuts a text to at most n bytes.
func shorten(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
