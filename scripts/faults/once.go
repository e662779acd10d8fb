package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/scripts/internal/lab"
	"github.com/medgym-data/medgym-data/scripts/internal/modelserver"
	"github.com/medgym-data/medgym-data/scripts/internal/runs"
)

// wrong is a key that no server takes.
const wrong = "the-key-that-is-wrong"

// ending is a fault that ends a run.
type ending struct {
	name   string
	server modelserver.Options
	scheme string // of the address that is asked, where it is not the server's
	key    string
	flags  []string
	code   int
	lines  int  // that it may say; 0: any number
	gone   bool // nobody listens
}

// endings are in groups. Those of a group follow each other in one run folder, before a
// server that is well.
func endings(tasks []schemas.Task) [][]ending {
	short := []string{"--patience", "1s", "--request-timeout", "1s", "--give-up", "5s"}
	refused := map[string]modelserver.Kind{}
	for _, task := range tasks {
		refused[task.Instruction] = modelserver.Refused
	}
	gone := func(during time.Duration) modelserver.Options {
		return modelserver.Options{Faults: &modelserver.Faults{Outages: []modelserver.Outage{{After: 60, For: during}}}}
	}
	return [][]ending{{
		{name: "another model", server: modelserver.Options{Model: "another"}, key: right, code: 3, lines: 1},
		{name: "key refused", server: modelserver.Options{Key: right}, key: wrong, code: 3, lines: 1},
		{name: "unknown certificate", server: modelserver.Options{TLS: true}, key: right, code: 3, lines: 1},
		{name: "plain HTTP at an https URL", scheme: "https", key: right, code: 3, lines: 1},
		{name: "TLS at an http URL", server: modelserver.Options{TLS: true}, scheme: "http", key: right, code: 3, lines: 1},
		{name: "redirect", server: modelserver.Options{Redirect: true}, key: right, code: 3, lines: 1},
	}, {
		{name: "nobody there", gone: true, key: right, flags: short, code: 1},
		{name: "400 for all that is asked", server: modelserver.Options{Faults: &modelserver.Faults{Tasks: refused}}, key: right, code: 1},
		{name: "gone in mid-run, for good", server: gone(time.Hour), key: right, flags: short, code: 1},
	}, {
		{name: "gone for longer than the patience", server: gone(10 * time.Second), key: right, flags: append(short, "--give-up", "2m")},
	}}
}

// outcome is what came of one.
type outcome struct {
	ending
	got  int // exit code
	took time.Duration
	said string
	then string // with a server that is well; empty: another ending came first
}

// once runs each fault that ends a run, and then the same with a server that is well.
func (p *proof) once(ctx context.Context, calm map[string]schemas.Trajectory) error {
	groups := endings(p.tasks)
	outcomes := make([][]outcome, len(groups))
	group, ctx := errgroup.WithContext(ctx)
	for i, endings := range groups {
		group.Go(func() (err error) {
			outcomes[i], err = p.inTurn(ctx, fmt.Sprint("ending-", i), endings, calm)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	table := lab.NewTable(os.Stdout, "run", "exit code", "seconds", "says", "then, with a server that is well")
	for _, o := range slices.Concat(outcomes...) {
		if o.got != o.code {
			p.wrong("%s: exit code %d, not %d: %s", o.name, o.got, o.code, last(o.said))
		}
		if n := strings.Count(o.said, "\n"); o.lines > 0 && n != o.lines || n == 0 && o.code > 0 {
			p.wrong("%s: it says %d lines", o.name, n)
		}
		if leak := p.leaks(o.said); leak != "" {
			p.wrong("%s: it says %s", o.name, leak)
		}
		table.Row(o.name, o.got, o.took.Seconds(), last(o.said), o.then)
	}
	defer fmt.Println()
	return table.Flush()
}

// inTurn runs endings in one run folder, and then goes on.
func (p *proof) inTurn(ctx context.Context, name string, endings []ending, calm map[string]schemas.Trajectory) ([]outcome, error) {
	dir := filepath.Join(p.work, name)
	if err := runs.Copy(p.prepared, dir); err != nil {
		return nil, err
	}
	var out []outcome
	for _, e := range endings {
		o := outcome{ending: e}
		var err error
		if o.got, o.took, o.said, err = p.ends(ctx, dir, e); err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		out = append(out, o)
	}
	var err error
	o := &out[len(out)-1]
	if o.then, err = p.goesOn(ctx, dir, calm); err != nil {
		return nil, fmt.Errorf("%s, and then a server that is well: %w", o.name, err)
	}
	return out, nil
}

// A few tasks and attempts at a time are enough for what ends a run.
const (
	few    = "--max-tasks=12"
	atOnce = 8
)

func (p *proof) ends(ctx context.Context, dir string, e ending) (code int, took time.Duration, said string, err error) {
	e.server.Play = p.play
	server, err := modelserver.Start(e.server)
	if err != nil {
		return 0, 0, "", err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	endpoint := server.URL()
	if e.scheme != "" {
		endpoint = e.scheme + "://" + server.Address() + "/v1"
	}
	if e.gone {
		server.Stop()
		if conn, err := net.Dial("tcp", server.Address()); err == nil {
			_ = conn.Close()
			return 0, 0, "", errors.New("somebody listens at a port that was free")
		}
	}
	begin := time.Now()
	code, said, err = p.rollout(ctx, dir, endpoint, e.key, atOnce, append(e.flags, few)...)
	return code, time.Since(begin), said, err
}

// goesOn samples in a run folder whose rollout has failed.
func (p *proof) goesOn(ctx context.Context, dir string, calm map[string]schemas.Trajectory) (_ string, err error) {
	server, err := modelserver.Start(modelserver.Options{Play: p.play, Key: right, Model: model})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	code, said, err := p.rollout(ctx, dir, server.URL(), right, atOnce, few)
	if err != nil {
		return "", err
	}
	if code != 0 {
		p.wrong("going on: exit code %d: %s", code, last(said))
		return fmt.Sprintf("exit code %d", code), nil
	}
	rows, err := runs.Rows(ctx, dir)
	if err != nil {
		return "", err
	}
	want := map[string]schemas.Trajectory{}
	for id := range rows {
		if row, ok := calm[id]; ok {
			want[id] = row
		}
	}
	if err := runs.Compare(want, rows).Err(); err != nil {
		p.wrong("going on: %v", err)
		return err.Error(), nil
	}
	return fmt.Sprintf("%d rows as in the calm run, %d answers", len(rows), server.Counts().Answers), nil
}
