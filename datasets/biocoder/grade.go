package biocoder

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"crypto/sha256"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
)

// strictSeeds are those of the strict runs, gold's and the agent's. Programs whose
// output does not depend on the seed are run with the first alone.
var strictSeeds = [...]uint64{20240707, 5, 31337, 271828}

// releaseSeed is that of the gold run that stands for the release's.
const releaseSeed = 76543

// Grade implements datasets.Grader.
//
// Strict: the program with the agent's code in the gap and the one with the gold
// code run afresh with the same seed; the first must end well and print what the
// second prints. Where that depends on the seed, it must do so for several seeds,
// since one may show a single branch of the function. A gold program that fails,
// that prints nothing to compare with, or that prints other things the second
// time, is a datasets.GoldError.
//
// Upstream: code is put into the gap as it stands, the release's own program is
// run with another seed, and both outputs, standard error appended, must be the
// same text. A failing run counts as output too: where the release's program does
// not compile, whatever fails to compile in the same way passes. Text that differs
// from run to run there passes nothing, not even gold: tracebacks and warnings,
// which name the run's temporary file, memory addresses, unseeded numbers.
func (a *Adapter) Grade(ctx context.Context, task schemas.Task, sub datasets.Submission, run datasets.Runner) (datasets.Verdict, error) {
	ans, err := readAnswer(task)
	if err != nil {
		return datasets.Verdict{}, err
	}
	gold, err := a.golds.get(ctx, task, ans, run)
	if err != nil {
		return datasets.Verdict{}, err
	}
	if gold.fault != nil {
		return datasets.Verdict{}, gold.fault
	}
	switch {
	case strings.TrimSpace(sub.Code) == "":
		return datasets.Verdict{Reason: "no_code"}, nil
	case sub.Status != "ok" && sub.Status != "error":
		return datasets.Verdict{Reason: "run_" + sub.Status}, nil
	}

	program := splice(task.Context, sub.Code)
	var first datasets.Output
	verdict := datasets.Verdict{Reward: 1, Reason: "output_equal"}
	for i, want := range gold.shown {
		out, err := run.Run(ctx, datasets.Program{Code: program, Seed: want.seed})
		if err != nil {
			return datasets.Verdict{}, fmt.Errorf("task %s: run the submission: %w", task.TaskID, err)
		}
		if i == 0 {
			first = out
		}
		if why := differs(want.stdout, out); why != "" {
			verdict.Reward, verdict.Reason = 0, why
			break
		}
	}

	released := releaseSplice(task.Context, sub.Code)
	releasedOut := first
	if released != program {
		releasedOut, err = run.Run(ctx, datasets.Program{Code: released, Seed: strictSeeds[0]})
		if err != nil {
			return datasets.Verdict{}, fmt.Errorf("task %s: run the submission as the release does: %w", task.TaskID, err)
		}
	}
	if gold.release.same(releaseText(released, releasedOut)) {
		verdict.Upstream = 1
	}
	return verdict, nil
}

// differs says why a run does not show what gold does; empty if it does.
func differs(want string, out datasets.Output) string {
	switch {
	case out.Status == "error":
		return "run_error_" + out.Error
	case out.Status != "ok":
		return "run_" + out.Status
	case !sameOutput(want, out.Stdout):
		return "output_differs"
	}
	return ""
}

// releaseOutput is what the public release compares: the text that it shows
// after a run. Unique says that it equals no other run's.
type releaseOutput struct {
	text   string
	unique bool
}

func (r releaseOutput) same(other releaseOutput) bool {
	return !r.unique && !other.unique && r.text == other.text
}

var (
	warningLine = regexp.MustCompile(`(?m)^(\S.*?):\d+: \w*Warning: `)
	syntaxLine  = regexp.MustCompile(`line (\d+)\)?$`)
)

func releaseText(program string, out datasets.Output) releaseOutput {
	switch {
	case out.Status == "ok":
		text := out.Stdout
		if out.Stderr != "" {
			text += "\n" + out.Stderr
		}
		unique := address.MatchString(text)
		for _, m := range warningLine.FindAllStringSubmatch(out.Stderr, -1) {
			unique = unique || !strings.HasPrefix(m[1], "/") // a library's file is named in full, the program's is not
		}
		return releaseOutput{text: text, unique: unique}
	case out.Status == "error" && (out.Error == "SyntaxError" || out.Error == "IndentationError" || out.Error == "TabError") && out.Stdout == "":
		// the release compiles first and shows message and source line
		text := out.Error + ": " + out.Message
		if m := syntaxLine.FindStringSubmatch(out.Message); m != nil {
			lines := strings.Split(program, "\n")
			if n, err := strconv.Atoi(m[1]); err == nil && n >= 1 && n <= len(lines) {
				text += "\n" + strings.TrimSpace(lines[n-1])
			}
		}
		return releaseOutput{text: text}
	default:
		return releaseOutput{unique: true}
	}
}

// goldRun is what a task's own solution printed.
type goldRun struct {
	shown   []shown // one where the seed makes no difference
	fault   error   // a *datasets.GoldError, or nil
	release releaseOutput
}

type shown struct {
	seed   uint64
	stdout string
}

func runGold(ctx context.Context, task schemas.Task, ans answer, run datasets.Runner) (goldRun, error) {
	var g goldRun
	program := splice(task.Context, task.Gold)
	play := func(seed uint64) (datasets.Output, error) {
		out, err := run.Run(ctx, datasets.Program{Code: program, Seed: seed})
		if err != nil {
			return out, fmt.Errorf("task %s: run the gold solution: %w", task.TaskID, err)
		}
		return out, nil
	}
	first, second := strictSeeds[0], strictSeeds[1]
	for i := range 2 {
		out, err := play(first)
		if err != nil {
			return goldRun{}, err
		}
		switch {
		case out.Status != "ok":
			g.fault = &datasets.GoldError{Reason: "gold_" + out.Status, Detail: faultDetail(out)}
			return g, nil
		case i == 0:
			g.shown = []shown{{first, out.Stdout}}
		case !sameOutput(g.shown[0].stdout, out.Stdout):
			g.fault = &datasets.GoldError{Reason: "gold_nondeterministic"}
			return g, nil
		}
	}
	if why := uninformative(g.shown[0].stdout); why != "" {
		g.fault = &datasets.GoldError{Reason: why}
		return g, nil
	}
	for _, seed := range strictSeeds[1:] {
		out, err := play(seed)
		if err != nil {
			return goldRun{}, err
		}
		if seed == second && out.Status == "ok" && sameOutput(g.shown[0].stdout, out.Stdout) {
			break
		}
		if out.Status == "ok" { // with some inputs the solution itself may fail
			g.shown = append(g.shown, shown{seed, out.Stdout})
		}
	}
	code := ans.Code
	if code == "" {
		code = releaseSplice(task.Context, task.Gold)
	}
	out, err := run.Run(ctx, datasets.Program{Code: code, Seed: releaseSeed})
	if err != nil {
		return goldRun{}, fmt.Errorf("task %s: run the gold solution as the release does: %w", task.TaskID, err)
	}
	g.release = releaseText(code, out)
	// One run more or less agrees by chance where few outputs are likely.
	g.release.unique = g.release.unique || out.Status == "ok" && len(g.shown) > 1
	return g, nil
}

var missingModule = regexp.MustCompile(`^No module named '([\w.]+)'`)

// faultDetail names an exception without quoting its message, but for the module
// that is missing: that one can be mended.
func faultDetail(out datasets.Output) string {
	if m := missingModule.FindStringSubmatch(out.Message); m != nil {
		return out.Error + " " + m[1]
	}
	return out.Error
}

// maxGolds bounds the cache; the oldest entry goes first.
const maxGolds = 1024

// goldCache runs each gold program once, however many submissions wait for it.
type goldCache struct {
	mu      sync.Mutex
	entries map[[sha256.Size]byte]*goldEntry
	order   [][sha256.Size]byte
}

type goldEntry struct {
	done chan struct{}
	run  goldRun
	err  error
}

func newGoldCache() *goldCache {
	return &goldCache{entries: map[[sha256.Size]byte]*goldEntry{}}
}

func (c *goldCache) get(ctx context.Context, task schemas.Task, ans answer, run datasets.Runner) (goldRun, error) {
	key := sha256.Sum256([]byte(task.Context + "\x00" + task.Gold + "\x00" + ans.Code))
	for {
		c.mu.Lock()
		entry, waiting := c.entries[key]
		if !waiting {
			entry = &goldEntry{done: make(chan struct{})}
			c.entries[key] = entry
			c.order = append(c.order, key)
			if len(c.order) > maxGolds {
				delete(c.entries, c.order[0])
				c.order = c.order[1:]
			}
		}
		c.mu.Unlock()
		if !waiting {
			entry.run, entry.err = runGold(ctx, task, ans, run)
			if entry.err != nil {
				c.forget(key, entry)
			}
			close(entry.done)
			return entry.run, entry.err
		}
		select {
		case <-entry.done:
		case <-ctx.Done():
			return goldRun{}, ctx.Err()
		}
		// A run that could not be had was perhaps cancelled by its own caller: try
		// again as the one who runs it.
		if entry.err == nil {
			return entry.run, nil
		}
	}
}

// forget drops an entry so that the next caller runs it again.
func (c *goldCache) forget(key [sha256.Size]byte, entry *goldEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[key] != entry {
		return
	}
	delete(c.entries, key)
	for i, k := range c.order {
		if k == key {
			c.order = append(c.order[:i], c.order[i+1:]...)
			break
		}
	}
}
