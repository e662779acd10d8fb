// Command soak runs the sandbox for long and hard, and looks at what it leaves.
//
//	go run ./scripts/soak sessions            1,000 open sessions: waits, memory, none starved
//	go run ./scripts/soak repeat -n 100000    executions in a row: nothing grows
//	go run ./scripts/soak kill -kills 50      SIGKILL at random moments: nothing is left
//
// Each prints a table and ends with exit code 1 where a program got a wrong answer,
// a session starved, something grew or was left. Times are told, never judged.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/medgym-data/medgym-data/scripts/internal/lab"
)

func main() {
	lab.Init()
	// The load is killed, or ends with its input: an interrupt is its parent's.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := soak(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func soak(ctx context.Context, args []string) error {
	commands := map[string]func(context.Context, []string) error{
		"sessions": sessions, "repeat": repeat, "kill": kill, "load": load,
	}
	if len(args) == 0 || commands[args[0]] == nil {
		return errors.New("want sessions, repeat or kill; each has -help")
	}
	return commands[args[0]](ctx, args[1:])
}

// inFolder runs f while the folder for temporary files is a fresh one, so that all
// that lies there is of this run. In its end what is left goes.
func inFolder(f func() error) (err error) {
	before := os.Getenv("TMPDIR")
	dir, err := os.MkdirTemp("", "soak-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Setenv("TMPDIR", before), os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o711); err != nil { // programs of another user read files below
		return err
	}
	temporary := filepath.Join(dir, "tmp")
	if err := errors.Join(os.Mkdir(temporary, 0o711), os.Setenv("TMPDIR", temporary)); err != nil {
		return err
	}
	return f()
}
