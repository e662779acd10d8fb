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
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/scripts/internal/lab"
	"github.com/medgym-data/medgym-data/scripts/internal/modelserver"
	"github.com/medgym-data/medgym-data/scripts/internal/runs"
)

// waited is a row of the second table.
type waited struct {
	name          string
	attempts      int
	flying        int
	wait          time.Duration // for each reply
	took, cpu     time.Duration
	memory, cells int64 // bytes: what this or that process took more at most, and what its cells hold
}

// ideal is how long it takes at least: the waits of all waves, or the programs.
func (b *bench) ideal(w waited, programs bool) time.Duration {
	waves := (w.attempts + w.flying - 1) / w.flying
	least := time.Duration(waves*turns) * w.wait
	if programs && b.programs > 0 {
		least = max(least, time.Duration(float64(w.attempts*turns)/b.programs*float64(time.Second)))
	}
	return least
}

// known makes sure that there is a rate of the sandbox alone.
func (b *bench) known(ctx context.Context, prepared string, box sandbox.Sandbox) error {
	if b.programs > 0 {
		return nil
	}
	if err := b.record(ctx, prepared, box); err != nil {
		return err
	}
	c, err := alone(ctx, box, b.sessions, b.cores)
	if err != nil {
		return err
	}
	b.programs = float64(turns*len(b.sessions)) / c.took.Seconds()
	return nil
}

// waiting is the second table: many attempts in flight.
func (b *bench) waiting(ctx context.Context) (err error) {
	box, err := lab.Open(ctx, "namespace", lab.Size{Cells: b.cores})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	few, err := b.prepared(ctx, b.attempts)
	if err != nil {
		return err
	}
	if err := b.known(ctx, few, box); err != nil {
		return err
	}
	attempts := b.flying * b.waves
	many, err := b.prepared(ctx, attempts)
	if err != nil {
		return err
	}
	// What the programs of all attempts come to, without a sandbox.
	r := &recorder{Sandbox: box}
	if _, err := b.engine(ctx, many, b.cores, 0, r); err != nil {
		return err
	}
	var sessions []session
	for _, s := range r.sessions {
		sessions = append(sessions, s.session)
	}
	memory := told(sessions)
	var rows []waited
	for _, way := range []struct {
		name string
		box  sandbox.Sandbox
	}{{"engine, a sandbox that tells results", memory}, {"engine and sandbox", box}} {
		w := waited{name: way.name, attempts: len(sessions), flying: b.flying, wait: b.wait}
		debug.FreeOSMemory()
		before := lab.Resident(os.Getpid())
		if err := lab.ForgetPeak(os.Getpid()); err != nil {
			return err
		}
		stop := watchCells(os.Getpid())
		c, err := b.engine(ctx, many, b.flying, b.wait, way.box)
		w.cells = stop()
		if err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
		w.took, w.cpu, w.memory = c.took, c.cpu, lab.Peak(os.Getpid())-before
		rows = append(rows, w)
	}
	return b.print(rows)
}

// watchCells looks at the memory of the processes below one; what it returns ends that
// and says how much they gained at most.
func watchCells(pid int) func() int64 {
	end, most := make(chan bool), make(chan int64)
	first := cells(pid)
	go func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		high := first
		for {
			select {
			case <-end:
				most <- high - first
				return
			case <-tick.C:
				high = max(high, cells(pid))
			}
		}
	}()
	return func() int64 { end <- true; return <-most }
}

func cells(pid int) (sum int64) {
	for _, below := range lab.Descendants(pid) {
		sum += lab.Proportional(below)
	}
	return sum
}

func (b *bench) print(rows []waited) error {
	table := lab.NewTable(os.Stdout, "many attempts in flight", "attempts", "in flight", "wait s", "took s", "waits alone s", "waits and programs at least s", "times that",
		"own CPU ms an attempt", "memory KB of each in flight", "cells KB of each")
	for _, w := range rows {
		programs := !strings.Contains(w.name, "tells")
		least := b.ideal(w, programs)
		table.Row(w.name, w.attempts, w.flying, w.wait.Seconds(), w.took.Seconds(), b.ideal(w, false).Seconds(), least.Seconds(), w.took.Seconds()/least.Seconds(),
			lab.MS(w.cpu)/float64(w.attempts), float64(w.memory)/1e3/float64(w.flying), float64(w.cells)/1e3/float64(w.flying))
	}
	return table.Flush()
}

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
	url, stop, err := server(ctx, prepared, w.wait)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	flying := strconv.Itoa(w.flying)
	cmd := b.program.Command(ctx, "rollout", "--dir", dir, "--policy", "openai", "--endpoint", url, "--model", "scripted", "-k", strconv.Itoa(k),
		"--concurrency", flying, "--endpoint-concurrency", flying)
	var said strings.Builder
	cmd.Stderr = &said
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	cells := watchCells(cmd.Process.Pid)
	watched := make(chan bool)
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	go func() { // its figures go with it
		defer close(watched)
		for cmd.Process.Signal(syscall.Signal(0)) == nil {
			w.cpu, w.memory = max(w.cpu, lab.CPU(cmd.Process.Pid)), max(w.memory, lab.Peak(cmd.Process.Pid))
			time.Sleep(20 * time.Millisecond)
		}
	}()
	err = <-done
	w.took, w.cells = time.Since(begin), cells()
	<-watched
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
	}
	rows, err := runs.Rows(ctx, dir)
	if err != nil {
		return err
	}
	w.attempts = len(rows)
	return solved(ctx, dir)
}

// server starts one that plays the script, in a process of its own.
func server(ctx context.Context, prepared string, wait time.Duration) (url string, stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, self, "serve", "-run", prepared, "-wait", wait.String())
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() error { return errors.Join(input.Close(), cmd.Wait()) }
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return "", nil, errors.Join(err, stop())
	}
	return strings.TrimSpace(line), stop, nil
}

// serve plays the script over HTTP until its input ends.
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
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
