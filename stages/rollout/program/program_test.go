package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/fake"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
	"github.com/medgym-data/medgym-data/stages/internal/runtest"
	"github.com/medgym-data/medgym-data/stages/rollout"
)

// options are those of this test binary as a program of a kind.
func options(t *testing.T, kind string) Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Options{Command: []string{self}, Name: "agent", Environment: []string{"PATH=" + os.Getenv("PATH"), playVariable + "=" + kind}, Local: true, Timeout: time.Minute,
		Log: filepath.Join(t.TempDir(), "exec.log"), longest: 1 << 16, spill: 1 << 18}
}

func policies(t *testing.T, opts Options) *Policies {
	t.Helper()
	p, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func attempt(t *testing.T, p *Policies, n int) *player {
	t.Helper()
	policy, err := p.New(schemas.Task{TaskID: "vault/test/1", Source: "vault", AccessTier: schemas.TierCredentialed, Actions: []string{"terminal"}}, n, 1<<63)
	if err != nil {
		t.Fatal(err)
	}
	return policy.(*player)
}

// talk is a conversation before a turn.
func talk(turn int) rollout.Conversation {
	messages := []schemas.ChatMessage{{Role: "system", Content: "s"}, {Role: "user", Content: secret}}
	for range turn - 1 {
		messages = append(messages, schemas.ChatMessage{Role: "assistant", ToolCallsJSON: `[{"id":"a","name":"terminal","arguments":"{}"}]`},
			schemas.ChatMessage{Role: "tool", ToolCallID: "a", Content: "seen"})
	}
	return rollout.Conversation{Messages: messages, Actions: []string{"terminal"}, TurnsLeft: 6 - turn, PromptTokens: 100}
}

func mustNext(t *testing.T, a *player, turn int) rollout.Reply {
	t.Helper()
	reply, err := a.Next(t.Context(), talk(turn))
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func logOf(t *testing.T, p *Policies) string {
	t.Helper()
	text, err := os.ReadFile(p.opts.Log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// One process plays attempts one after the other, and what it says comes through.
func TestReplies(t *testing.T) {
	p := policies(t, options(t, "good"))
	var players []string
	for n := range 3 {
		a := attempt(t, p, n)
		for turn := 1; turn <= 3; turn++ {
			reply := mustNext(t, a, turn)
			text, by, _ := strings.Cut(reply.Content, " by ")
			if text != fmt.Sprintf("%d of 5", turn) || reply.Reasoning != "r" || reply.FinishReason != "stop" || reply.PromptTokens != 3 || reply.CompletionTokens != 2 || *reply.CostUSD != 0.5 || reply.Done || reply.Truncated {
				t.Errorf("turn %d: %+v", turn, reply)
			}
			players = append(players, by)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	slices.Sort(players)
	if players = slices.Compact(players); len(players) != 1 {
		t.Errorf("played by %v", players)
	}
	if about := p.About(); about.Kind != "exec" || about.Model != "agent" || about.EndpointClass != "local" {
		t.Errorf("%+v", about)
	}
}

// The answers that end an attempt or say more than a text.
func TestAnswers(t *testing.T) {
	second := func(kind string) (rollout.Reply, error) {
		p := policies(t, options(t, kind))
		a := attempt(t, p, 0)
		mustNext(t, a, 1)
		reply, err := a.Next(t.Context(), talk(2))
		return reply, errors.Join(err, a.Close())
	}
	if reply, err := second("done"); err != nil || !reply.Done {
		t.Errorf("%+v, %v", reply, err)
	}
	if reply, err := second("cuts"); err != nil || !reply.Truncated || reply.Content != "so" {
		t.Errorf("%+v, %v", reply, err)
	}
	reply, err := second("calls")
	want := []protocol.Call{{ID: "c1", Name: "terminal", Arguments: `{"cmd":"ls"}`}, {ID: "c2", Name: "terminal", Arguments: `{"cmd":"pwd"}`}}
	if err != nil || !slices.Equal(reply.Calls, want) || len(reply.TokenIDs) != 2 || len(reply.Logprobs) != 2 {
		t.Errorf("%+v, %v", reply, err)
	}
	if _, err := second("context"); !errors.Is(err, rollout.ErrContextLength) || strings.Contains(err.Error(), secret) {
		t.Errorf("%v", err)
	}
}

// What breaks the protocol is a fault of its class that quotes nothing; the process is
// gone, and the next attempt has another.
func TestFaults(t *testing.T) {
	for kind, want := range map[string]Class{
		"dies": Died, "closes": Died, "cut": NotJSON, "garbage": NotJSON, "array": NotJSON, "twice": NotJSON, "surrogate": NotJSON, "utf8": NotUTF8,
		"long": TooLong, "endless": TooLong, "flood": Flood, "key": BadKey, "case": BadKey, "type": BadType, "untyped": BadType, "ready": BadType,
		"value": BadValue, "nothing": BadValue, "finish": BadValue, "usage": BadValue, "cost": BadValue, "logprobs": BadValue, "arguments": BadValue, "kind": BadValue,
		"id": WrongTurn, "turn": WrongTurn, "error": Told,
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			opts := options(t, kind+":"+filepath.Join(t.TempDir(), "once"))
			opts.Programs = 1 // whoever is lost has to leave its place
			p := policies(t, opts)
			a := attempt(t, p, 0)
			mustNext(t, a, 1)
			proc := a.proc
			_, err := a.Next(t.Context(), talk(2))
			var fault *Fault
			if !errors.As(err, &fault) || fault.Class != want {
				t.Errorf("%v, want %s", err, want)
			}
			if err == nil || strings.Contains(err.Error(), "Ada") || !strings.HasPrefix(err.Error(), "program agent: ") {
				t.Errorf("the error says %v", err)
			}
			if kind == "dies" && !strings.Contains(err.Error(), "exit status 3") {
				t.Errorf("the error says %v", err)
			}
			if err := syscall.Kill(proc.cmd.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("the process is there: %v", err)
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			again := attempt(t, p, 0)
			mustNext(t, again, 1)
			if reply := mustNext(t, again, 2); !strings.HasPrefix(reply.Content, "2 of 5") {
				t.Errorf("%+v", reply)
			}
			if err := again.Close(); err != nil {
				t.Error(err)
			}
			text := logOf(t, p)
			if !strings.Contains(text, "\n1: begun "+secret) || !strings.Contains(text, " 1- given up: ") || !strings.Contains(text, " 2- attempt vault/test/1#0\n") {
				t.Errorf("the log:\n%.2000s", text)
			}
			if kind == "error" && !strings.Contains(text, "1- says: no luck with "+secret) {
				t.Errorf("the log lacks the program's own words:\n%s", text)
			}
		})
	}
}

// A program that says nothing is killed with its children, whether the time of the
// answer or that of the attempt is over.
func TestSilence(t *testing.T) {
	for _, kind := range []string{"silent", "family"} {
		t.Run(kind, func(t *testing.T) {
			opts := options(t, kind)
			p := policies(t, opts)
			a := attempt(t, p, 0)
			mustNext(t, a, 1)
			p.opts.Timeout = 300 * time.Millisecond
			if kind == "family" { // its child has to be there
				p.opts.Timeout = time.Minute
				ctx, cancel := context.WithCancelCause(t.Context())
				over := errors.New("the attempt is over")
				go func() {
					for !strings.Contains(logOf(t, p), "child ") {
						time.Sleep(time.Millisecond)
					}
					cancel(over)
				}()
				if _, err := a.Next(ctx, talk(2)); err != over {
					t.Errorf("%v", err)
				}
				child := regexp.MustCompile(`child (\d+)`).FindStringSubmatch(logOf(t, p))
				pid, err := strconv.Atoi(child[1])
				if err != nil {
					t.Fatal(err)
				}
				for !gone(pid) {
					time.Sleep(time.Millisecond)
				}
				return
			}
			_, err := a.Next(t.Context(), talk(2))
			var fault *Fault
			if !errors.As(err, &fault) || fault.Class != Silent {
				t.Errorf("%v", err)
			}
			if _, err := a.Next(t.Context(), talk(3)); err == nil {
				t.Error("a lost process went on")
			}
		})
	}
}

// gone says whether a process has ended; whoever inherits it may not have noticed.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// What a program says unasked, or that it leaves, between attempts costs no attempt.
func TestBetweenAttempts(t *testing.T) {
	for _, kind := range []string{"chatty", "leaves"} {
		t.Run(kind, func(t *testing.T) {
			p := policies(t, options(t, kind))
			for n := range 3 {
				a := attempt(t, p, n)
				mustNext(t, a, 1)
				proc := a.proc
				if err := a.Close(); err != nil {
					t.Fatal(err)
				}
				for proc.ready() { // until it has said so, or is gone
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
}

// A program that cannot play at all ends the run with what to look at, at once; one
// that did and does no more is a fault of the attempt.
func TestFirstProgram(t *testing.T) {
	for kind, want := range map[string]string{"mute": "(died): exit status 0", "stranger": "(not_json)", "older": "(bad_value): protocol, which is 1"} {
		p := policies(t, options(t, kind))
		_, err := attempt(t, p, 0).Next(t.Context(), talk(1))
		var input *pipeline.InputError
		if !errors.As(err, &input) || !strings.Contains(err.Error(), "the program agent does not play: ") || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), "exec.log") || strings.Contains(err.Error(), "Ada") {
			t.Errorf("%s: %v", kind, err)
		}
		p.spoke.Store(true)
		_, err = attempt(t, p, 0).Next(t.Context(), talk(1))
		var fault *Fault
		if errors.As(err, &input) || !errors.As(err, &fault) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	var input *pipeline.InputError
	opts := options(t, "good")
	opts.Command = []string{filepath.Join(t.TempDir(), "none")}
	if _, err := New(opts); !errors.As(err, &input) || !strings.Contains(err.Error(), "cannot be run as a program: no such file") {
		t.Errorf("%v", err)
	}
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/no/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	opts.Command = []string{script}
	if _, err := attempt(t, policies(t, opts), 0).Next(t.Context(), talk(1)); !errors.As(err, &input) || !strings.Contains(err.Error(), "(not_started): no such file") {
		t.Errorf("%v", err)
	}
	opts = options(t, "good")
	opts.Log = filepath.Join(t.TempDir(), "none", "exec.log")
	if _, err := attempt(t, policies(t, opts), 0).Next(t.Context(), talk(1)); !errors.As(err, &input) || !strings.Contains(err.Error(), "cannot be written: no such file") {
		t.Errorf("%v", err)
	}
}

// There are no more programs than there may be, and who waits is told when to stop.
func TestPrograms(t *testing.T) {
	opts := options(t, "good")
	opts.Programs = 2
	p := policies(t, opts)
	first, second := attempt(t, p, 0), attempt(t, p, 1)
	mustNext(t, first, 1)
	mustNext(t, second, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	over := errors.New("over")
	cancel(over)
	third := attempt(t, p, 2)
	if _, err := third.Next(ctx, talk(1)); err != over {
		t.Errorf("%v", err)
	}
	if err := errors.Join(first.Close(), third.Close(), second.Close()); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for n := range 12 {
		group.Go(func() {
			a := attempt(t, p, n)
			for turn := 1; turn <= 2; turn++ {
				if reply, err := a.Next(t.Context(), talk(turn)); err != nil || !strings.HasPrefix(reply.Content, fmt.Sprint(turn)) {
					t.Errorf("%+v, %v", reply, err)
				}
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := p.serial.Load(); n != 2 {
		t.Errorf("%d programs were started", n)
	}
}

// Close ends what is idle, what plays, and what clings to its life.
func TestClose(t *testing.T) {
	opts := options(t, "clings")
	opts.grace = 10 * time.Millisecond
	p := policies(t, opts)
	idle, busy := attempt(t, p, 0), attempt(t, p, 1)
	mustNext(t, idle, 1)
	mustNext(t, busy, 1)
	pids := []int{idle.proc.cmd.Process.Pid, busy.proc.cmd.Process.Pid}
	if err := errors.Join(idle.Close(), p.Close()); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is left: %v", pid, err)
		}
	}
	if _, err := busy.Next(t.Context(), talk(2)); err == nil {
		t.Error("a process that was ended plays")
	}
	if err := busy.Close(); err != nil {
		t.Error(err)
	}
	if _, err := attempt(t, p, 2).Next(t.Context(), talk(1)); !errors.Is(err, errClosed) {
		t.Errorf("%v", err)
	}
}

// The program gets the variables that are meant for it.
func TestEnvironment(t *testing.T) {
	t.Setenv("MEDGYM_API_KEY", "sk-1")
	t.Setenv("NAMED", "yes")
	t.Setenv("UNNAMED", "no")
	t.Setenv(playVariable, "environment")
	opts := options(t, "")
	var err error
	if opts.Environment, err = Environment([]string{"NAMED"}); err != nil {
		t.Fatal(err)
	}
	a := attempt(t, policies(t, opts), 0)
	mustNext(t, a, 1)
	if reply := mustNext(t, a, 2); reply.Content != "false yes  true" {
		t.Errorf("%s", reply.Content)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if with, err := Environment([]string{"MEDGYM_API_KEY"}); err != nil || !slices.Contains(with, "MEDGYM_API_KEY=sk-1") {
		t.Errorf("%v", err)
	}
	var input *pipeline.InputError
	if _, err := Environment([]string{"NOT_SET_ANYWHERE"}); !errors.As(err, &input) {
		t.Errorf("%v", err)
	}
	if _, err := Environment([]string{"KEY=sk-2"}); err == nil || strings.Contains(err.Error(), "sk-2") {
		t.Errorf("%v", err)
	}
}

// Without the user's word the program gets no rows that are not open.
func TestPermit(t *testing.T) {
	opts := options(t, "good")
	opts.Local = false
	p := policies(t, opts)
	var refused *pipeline.PolicyError
	if err := p.Permit([]string{"vault"}); !errors.As(err, &refused) || !strings.Contains(err.Error(), "what the program agent does with rows cannot be seen, and rows of vault must not leave") {
		t.Errorf("%v", err)
	}
	if _, err := p.New(schemas.Task{Source: "vault", AccessTier: schemas.TierCredentialed}, 0, 1); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
	if _, err := p.New(schemas.Task{Source: "plaza", AccessTier: schemas.TierOpen}, 0, 1); err != nil || p.Permit(nil) != nil {
		t.Error(err)
	}
	if about := p.About(); about.EndpointClass != "open" {
		t.Errorf("%+v", about)
	}
}

// The start of an attempt tells what shapes it, the seed in a form that all can read.
func TestStart(t *testing.T) {
	opts := options(t, "tells")
	opts.Limits = rollout.Limits{Turns: 5, Execution: 1500 * time.Millisecond}
	p := policies(t, opts)
	a := attempt(t, p, 4)
	mustNext(t, a, 1)
	if err := errors.Join(a.Close(), p.Close()); err != nil {
		t.Fatal(err)
	}
	if text := logOf(t, p); !strings.Contains(text, "1: vault/test/1#4 4503599627370496 map[execution_s:1.5 turns:5]\n") {
		t.Errorf("%s", text)
	}
}

// A whole rollout: attempts whose program dies are begun anew and end like the others,
// and no process is left.
func TestRollout(t *testing.T) {
	c := runtest.Synthetic(t, runtest.Registry(t), 3)
	text, err := protocol.Format(schemas.ActionTerminal, "", map[string]string{protocol.ParamCommand: "ls"})
	if err != nil {
		t.Fatal(err)
	}
	opts := options(t, "dies:"+filepath.Join(t.TempDir(), "once"))
	opts.Environment = append(opts.Environment, sayVariable+"="+text)
	dir := c.Folder(t)
	opts.Log = filepath.Join(dir, "exec.log")
	p, err := New(opts) // the stage closes it
	if err != nil {
		t.Fatal(err)
	}
	st, err := rollout.Stage(rollout.Options{Registry: c.Registry, Policies: p, K: 2, Seed: 7, Concurrency: 2, Limits: rollout.Limits{Turns: 2},
		Sandbox: func(context.Context) (sandbox.Sandbox, error) { return fake.New(c.Play(t)), nil }})
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	run, err := pipeline.Open(t.Context(), dir, pipeline.Options{Log: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Do(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	rows := runtest.Rows(t, dir)
	if len(rows) != 2*len(c.Tasks) {
		t.Errorf("%d rows", len(rows))
	}
	for _, row := range rows {
		if row.Outcome != schemas.OutcomeTurnLimit || row.Policy.Kind != "exec" || row.Policy.Model != "agent" || row.Policy.EndpointClass != "local" || *row.PromptTokens != 6 {
			t.Errorf("%+v", row)
		}
	}
	if !strings.Contains(said.String(), "(died): exit status 3") || strings.Contains(said.String(), "Ada") {
		t.Errorf("the log says\n%s", said.String())
	}
	if started := p.serial.Load(); started < 2 || started > 3 {
		t.Errorf("%d programs were started", started)
	}
	for _, found := range regexp.MustCompile(`started, process (\d+)`).FindAllStringSubmatch(logOf(t, p), -1) {
		if pid, err := strconv.Atoi(found[1]); err != nil || !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			t.Errorf("process %s is left", found[1])
		}
	}
}

// A program dies with us, however we die.
func TestKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		const line = "THIS SYSTEM DOES NOT END A PROGRAM WITH WHAT STARTED IT: only its stdin ends"
		if os.Getenv("CI") != "" {
			t.Fatal(line)
		}
		t.Skip(line)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), hostVariable+"="+filepath.Join(t.TempDir(), "exec.log"))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil || gone(pid) {
		t.Fatalf("process %d: %v", pid, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for !gone(pid) {
		time.Sleep(time.Millisecond)
	}
}

// Another command line is another agent; what it holds is not shown.
func TestSettings(t *testing.T) {
	opts := options(t, "plays")
	first := policies(t, opts).Settings()
	opts.Command = append(opts.Command, "--token", "SECRET")
	second := policies(t, opts).Settings()
	if first == second || first != policies(t, options(t, "plays")).Settings() || strings.Contains(second, "SECRET") {
		t.Errorf("%q and %q", first, second)
	}
}
