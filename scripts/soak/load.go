package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/medgym-data/medgym-data/scripts/internal/lab"
)

// ready is the line that a load says once every session has run a program.
const ready = "ready"

// load keeps sessions busy until its input ends or it is killed.
func load(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("soak load", flag.ExitOnError)
	backend := flags.String("backend", "namespace", "which sandbox")
	n := flags.Int("sessions", 6, "sessions")
	private := flags.String("private", "", "file that only its owner may read")
	if err := flags.Parse(args); err != nil {
		return err
	}
	box, err := lab.Open(ctx, *backend, lab.Size{Recycle: 50}) // cells come and go, too
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	running, end := context.WithCancel(ctx)
	defer end()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // whatever ends it
		end()
	}()
	var begun sync.WaitGroup
	begun.Add(*n)
	go func() {
		begun.Wait()
		fmt.Println(ready)
	}()
	group, running := errgroup.WithContext(running)
	for i := range *n {
		group.Go(func() error {
			once := sync.OnceFunc(begun.Done)
			for turn := 0; running.Err() == nil; turn++ {
				a, err := open(running, box, fmt.Sprint("load-", i), *private, uint64(turn**n+i), slices.Concat(small, rough))
				if err == nil {
					err = a.several(running, 20, once)
				}
				if err != nil && running.Err() == nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// several runs n programs and closes the session.
func (a *agent) several(ctx context.Context, n int, after func()) (err error) {
	defer func() { err = errors.Join(err, a.session.Close()) }()
	for range n {
		if _, err := a.step(ctx); err != nil {
			return err
		}
		after()
	}
	return nil
}
