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
