// Command medgym-data turns the raw downloads of MedAgentGym's sources into
// training sets for language-model agents.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/namespace"
)

func main() {
	namespace.Init() // a sandbox cell begins as a copy of this program
	// Libraries write there what foreign servers said, unasked: net/http quotes what
	// comes behind a response, which may be rows or a key. Ours is log/slog.
	log.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal drains. From then on signals have their own effect again: a
	// second one aborts.
	go func() { <-ctx.Done(); stop() }()
	os.Exit(run(ctx, os.Args, os.Stdout, os.Stderr))
}

// run is main with its surroundings given.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := newApp(stdout, stderr).RunContext(ctx, args)
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = fmt.Errorf("interrupted; what was finished is kept, the same command goes on from there: %w", err)
	}
	if pipeline.DiskFull(err) {
		err = fmt.Errorf("%w: free some space there, and run the same command again", err)
	}
	report(stderr, err, slices.Contains(args, "--json"))
	return exitCode(err)
}

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitBadInput    = 3
	exitRefused     = 4
	exitSandbox     = 5
	exitInterrupted = 130
)

// usageError is a fault of flags or arguments.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func exitCode(err error) int {
	var (
		usage   usageError
		bad     *pipeline.InputError
		refused *pipeline.PolicyError
		coder   cli.ExitCoder
	)
	switch {
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &bad), errors.Is(err, pipeline.ErrDrift), pipeline.DiskFull(err):
		return exitBadInput
	case errors.As(err, &refused):
		return exitRefused
	case errors.Is(err, sandbox.ErrUnavailable):
		return exitSandbox
	case errors.As(err, &coder):
		return coder.ExitCode()
	}
	return exitFailed
}

// report prints an error on one line, or as one JSON object.
func report(w io.Writer, err error, asJSON bool) {
	if !asJSON {
		fmt.Fprintf(w, "medgym-data: %s\n", oneLine(err.Error()))
		return
	}
	object := map[string]any{"error": oneLine(err.Error()), "exit_code": exitCode(err)}
	var bad *pipeline.InputError
	if errors.As(err, &bad) {
		object["file"], object["line"] = bad.File, bad.Line
	}
	// Encoding a map of strings and numbers cannot fail.
	_ = json.NewEncoder(w).Encode(object)
}
