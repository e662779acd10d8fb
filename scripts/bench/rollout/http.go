package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/medgym-data/medgym-data/scripts/internal/lab"
	"github.com/medgym-data/medgym-data/scripts/internal/modelserver"
	"github.com/medgym-data/medgym-data/scripts/internal/runs"
)

// overHTTP asks a server in a process of its own, by the program: at once with few
// attempts at a time, and with many that wait.
func (b *bench) overHTTP(ctx context.Context) (err error) {
	box, err := lab.Open(ctx, "namespace", lab.Size{Cells: b.cores})
	if err != nil {
		return err
	}
	few, err := b.prepared(ctx, b.attempts)
	if err == nil {
		err = b.known(ctx, few, box)
	}
	if err := errors.Join(err, box.Close()); err != nil {
		return err
	}
	many, err := b.prepared(ctx, b.flying*b.waves)
	if err != nil {
		return err
	}
	var rows []waited
	for _, w := range []struct {
		run string
		waited
	}{
		{few, waited{name: "program, server at once", flying: 4 * b.cores}},
		{many, waited{name: "program, server that waits", flying: b.flying, wait: b.wait}},
	} {
		if err := b.asked(ctx, w.run, &w.waited); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		if len(rows) > 0 {
			w.base, w.baseCells = rows[0].memory, rows[0].cells
		}
		rows = append(rows, w.waited)
	}
	return b.print(rows)
}

// asked runs the program against a server.
func (b *bench) asked(ctx context.Context, prepared string, w *waited) (err error) {
	work, err := os.MkdirTemp(b.work, "run-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	dir := filepath.Join(work, "run")
	if err := runs.Copy(prepared, dir); err != nil {
		return err
	}
	s, err := startServer(ctx, prepared, w.wait)
	if err != nil {
		return err
	}
	flying := strconv.Itoa(w.flying)
	cmd := b.program.Command(ctx, "rollout", "--dir", dir, "--policy", "openai", "--endpoint", s.url, "--model", "scripted", "-k", strconv.Itoa(k),
		"--concurrency", flying, "--endpoint-concurrency", flying)
	begin := time.Now()
	err = w.watch(cmd)
	end := time.Now()
	first, stopped := s.stop()
	if err := errors.Join(err, stopped); err != nil {
		return err
	}
	w.start, w.took = first.Sub(begin), end.Sub(first)
	rows, err := runs.Rows(ctx, dir)
	if err != nil {
		return err
	}
	w.attempts = len(rows)
	return solved(ctx, dir)
}

// watch runs a program and notes its figures, which go with it, as long as it runs.
func (w *waited) watch(cmd *exec.Cmd) error {
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return err
	}
	cells := watchCells(cmd.Process.Pid)
	watched := make(chan bool)
	go func() {
		defer close(watched)
		for cmd.Process.Signal(syscall.Signal(0)) == nil {
			w.cpu, w.memory = max(w.cpu, lab.CPU(cmd.Process.Pid)), max(w.memory, lab.Peak(cmd.Process.Pid))
			time.Sleep(20 * time.Millisecond)
		}
	}()
	err := cmd.Wait()
	w.cells = cells()
	<-watched
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
	}
	return nil
}

// process is a server in a process of its own, so that what it takes is not counted.
type process struct {
	url   string
	cmd   *exec.Cmd
	input io.Closer
	said  *bufio.Reader
}

// startServer starts one that plays the script.
func startServer(ctx context.Context, prepared string, wait time.Duration) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "serve", "-run", prepared, "-wait", wait.String())
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &process{cmd: cmd, input: input, said: bufio.NewReader(output)}
	if s.url, err = s.said.ReadString('\n'); err != nil {
		return nil, errors.Join(err, input.Close(), cmd.Wait())
	}
	s.url = strings.TrimSpace(s.url)
	return s, nil
}

// stop ends the server and says when it had its first request.
func (s *process) stop() (first time.Time, err error) {
	err = s.input.Close()
	var nanos int64
	if _, scanned := fmt.Fscanln(s.said, &nanos); scanned != nil {
		err = errors.Join(err, fmt.Errorf("the server says nothing: %w", scanned))
	}
	return time.Unix(0, nanos), errors.Join(err, s.cmd.Wait())
}

// serve plays the script over HTTP until its input ends. It prints its address, and in
// the end when it had its first request.
func serve(args []string) (err error) {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	run := flags.String("run", "", "prepared run folder with the tasks")
	wait := flags.Duration("wait", 0, "before each reply")
	if err := flags.Parse(args); err != nil {
		return err
	}
	tasks, err := runs.Tasks(context.Background(), *run)
	if err != nil {
		return err
	}
	script := modelserver.Script{Answers: runs.Answers(tasks), Runs: turns - 1, Solve: true}
	s, err := modelserver.Start(modelserver.Options{Play: script.Play, Delay: *wait})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	fmt.Println(s.URL())
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	fmt.Println(s.Counts().First.UnixNano())
	return nil
}
