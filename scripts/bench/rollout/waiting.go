package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/scripts/internal/lab"
)

// waited is a row of the second table.
type waited struct {
	name          string
	attempts      int
	flying        int
	wait          time.Duration // for each reply
	start         time.Duration // until the first request; 0: not told
	took, cpu     time.Duration // from then on, and in all
	memory, cells int64         // bytes: the peak of the process, and what the processes below it held at most
	// Of those what was there without the attempts in flight; 0: not known.
	base, baseCells int64
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
		w.base, w.baseCells = lab.Resident(os.Getpid()), cells(os.Getpid())
		if err := lab.ForgetPeak(os.Getpid()); err != nil {
			return err
		}
		stop := watchCells(os.Getpid())
		c, err := b.engine(ctx, many, b.flying, b.wait, way.box)
		w.cells = stop()
		if err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
		w.took, w.cpu, w.memory = c.took, c.cpu, lab.Peak(os.Getpid())
		rows = append(rows, w)
	}
	return b.print(rows)
}

// watchCells looks at the memory of the processes below one; what it returns ends that
// and says how much it was at most.
func watchCells(pid int) func() int64 {
	end, most := make(chan bool), make(chan int64)
	go func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		high := cells(pid)
		for {
			select {
			case <-end:
				most <- high
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
	table := lab.NewTable(os.Stdout, "many attempts in flight", "attempts", "in flight", "wait s", "start s", "took s", "waits alone s", "waits or programs s", "times that",
		"own CPU ms an attempt", "memory MB", "KB of each in flight", "cells MB", "KB of each in flight")
	for _, w := range rows {
		least := b.ideal(w, !strings.Contains(w.name, "tells"))
		table.Row(w.name, w.attempts, w.flying, w.wait.Seconds(), w.start.Seconds(), w.took.Seconds(), b.ideal(w, false).Seconds(), least.Seconds(), w.took.Seconds()/least.Seconds(),
			lab.MS(w.cpu)/float64(w.attempts), float64(w.memory)/1e6, w.each(w.memory, w.base), float64(w.cells)/1e6, w.each(w.cells, w.baseCells))
	}
	return table.Flush()
}

// each is the share of an attempt in flight in a gain of memory, in KB.
func (w waited) each(most, base int64) string {
	if base == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", float64(most-base)/1e3/float64(w.flying))
}
