package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/python"
)

// finding is one line of doctor's report.
type finding struct {
	What string `json:"what"`
	OK   bool   `json:"ok"`
	Is   string `json:"is"`           // what was found
	Do   string `json:"do,omitempty"` // what mends it
}

// doctorCommand says what this machine can do and what mends what it cannot.
func doctorCommand(registry datasets.Registry) *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "say what this machine can do, what is missing, and the command that mends it",
		Flags: append(endpointFlags(),
			backendFlag(),
			&cli.BoolFlag{Name: "install", Usage: "install the Python environment of the sandbox"},
			&cli.PathFlag{Name: "dua", Usage: "say what the records of this dua.yaml permit, instead"},
			&cli.PathFlag{Name: "raw", Usage: "the same for the records that prepare would find for this raw folder"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		),
		Action: func(c *cli.Context) error {
			switch {
			case c.IsSet("raw") || c.IsSet("dua"):
				return printPermissions(c, registry, doctorRecords)
			case c.IsSet("endpoint"):
				return printPermissions(c, registry, doctorEndpoint)
			}
			if c.Bool("install") {
				if _, err := python.Install(c.Context, installLog(c)); err != nil {
					return fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
				}
			}
			found, err := examine(c)
			if err != nil {
				return err
			}
			if err := found.print(c); err != nil {
				return err
			}
			return found.fault()
		},
	}
}

// diagnosis is what doctor reports.
type diagnosis struct {
	Findings []finding `json:"findings"`
	Backends []trial   `json:"backends"`
}

// trial is a backend that was tried: what it keeps, or why it does not run.
type trial struct {
	Backend  string            `json:"backend"`
	OK       bool              `json:"ok"`
	Why      string            `json:"why,omitempty"`
	Controls []sandbox.Control `json:"controls,omitempty"`
}

// fault is an error if nothing can run programs here.
func (d diagnosis) fault() error {
	for _, f := range d.Findings {
		if !f.OK {
			return fmt.Errorf("%w: %s: %s: %s", sandbox.ErrUnavailable, f.What, f.Is, f.Do)
		}
	}
	return nil
}

// installLog is where pip talks: it has more to say than --quiet wants.
func installLog(c *cli.Context) io.Writer {
	if quiet(c) {
		return io.Discard
	}
	return c.App.ErrWriter
}

// examine looks at the machine, in the order in which things need each other.
func examine(c *cli.Context) (diagnosis, error) {
	var d diagnosis
	note := func(f finding) { d.Findings = append(d.Findings, f) }
	candidates, err := chosen(c)
	if err != nil {
		return d, err
	}
	note(finding{What: "system", OK: runtime.GOOS == "linux" && runtime.GOARCH == "amd64",
		Is: fmt.Sprintf("%s/%s, %d cores, user %d", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), os.Getuid()),
		Do: "the sandbox needs Linux on x86-64"})
	for _, b := range candidates {
		t, ran, err := tryOut(c.Context, b)
		if err != nil {
			return d, err
		}
		d.Backends = append(d.Backends, t)
		if t.OK {
			note(finding{What: "sandbox", OK: true, Is: fmt.Sprintf("%s backend, a program ran in %d ms", b.name, ran.Milliseconds())})
		}
	}
	runs := slices.ContainsFunc(d.Backends, func(t trial) bool { return t.OK })
	var missing []finding
	if !runs || slices.ContainsFunc(candidates, func(b backend) bool { return b.name == "namespace" }) {
		if missing, err = examinePython(c.Context, runs); err != nil {
			return d, err
		}
	}
	d.Findings = slices.Insert(d.Findings, 1, missing...)
	for _, t := range d.Backends {
		if !t.OK {
			note(finding{What: "sandbox", OK: runs, Is: t.Backend + " backend does not run", Do: t.Why})
		}
	}
	return d, nil
}

// examinePython looks for what the namespace backend runs. Where another backend does,
// it is not needed.
func examinePython(ctx context.Context, spare bool) ([]finding, error) {
	interpreter, err := python.FindInterpreter(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return []finding{{What: "interpreter", OK: spare, Is: "none", Do: err.Error()}}, nil
	}
	found := []finding{{What: "interpreter", OK: true, Is: fmt.Sprintf("CPython %s, %s", interpreter.Version, interpreter.Executable)}}
	env, err := python.Find(ctx)
	switch {
	case errors.Is(err, python.ErrNotInstalled):
		return append(found, finding{What: "environment", OK: spare, Is: "not installed", Do: "medgym-data doctor --install"}), nil
	case err != nil:
		return nil, err
	}
	return append(found, finding{What: "environment", OK: true, Is: env.Dir}), nil
}

// tryOut runs one program in a backend.
func tryOut(ctx context.Context, b backend) (_ trial, ran time.Duration, err error) {
	t := trial{Backend: b.name}
	box, err := b.open(ctx, 1, slog.New(slog.DiscardHandler))
	if err != nil {
		if ctx.Err() != nil {
			return t, 0, ctx.Err()
		}
		t.Why = reason(err)
		return t, 0, nil
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	t.Controls = box.Info().Controls
	session, err := box.Open(ctx, sandbox.Spec{Name: "doctor"})
	if err != nil {
		return t, 0, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	result, err := session.Run(ctx, sandbox.Command{Language: sandbox.Python, Code: "import pandas\nanswer = pandas.__version__"})
	if err != nil {
		return t, 0, err
	}
	if t.OK = result.Status == sandbox.StatusOK; !t.OK {
		t.Why = fmt.Sprintf("a program ended with %s: report this as a fault of medgym-data", result.Status)
	}
	return t, result.Wall, nil
}

func (d diagnosis) print(c *cli.Context) error {
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(d)
	}
	for _, f := range d.Findings {
		mark, do := "ok     ", ""
		if !f.OK {
			mark = "MISSING"
		}
		if f.Do != "" && (!f.OK || f.What == "sandbox") {
			do = ": " + f.Do
		}
		if _, err := fmt.Fprintf(c.App.Writer, "%s  %-12s  %s%s\n", mark, f.What, f.Is, do); err != nil {
			return err
		}
	}
	return d.printMatrix(c.App.Writer)
}

// printMatrix prints a row for each control and a column for each backend that runs:
// how it is kept, and a number where something is missing, which is told below.
func (d diagnosis) printMatrix(w io.Writer) error {
	columns := slices.DeleteFunc(slices.Clone(d.Backends), func(t trial) bool { return !t.OK })
	if len(columns) == 0 {
		return nil
	}
	var gaps []string
	rows := [][]string{{"control"}}
	for _, t := range columns {
		rows[0] = append(rows[0], t.Backend)
	}
	for i, name := range sandbox.ControlNames {
		row := []string{name}
		for _, t := range columns {
			control := t.Controls[i]
			cell := control.How
			if control.Gap != "" {
				gaps = append(gaps, fmt.Sprintf("%s, %s: %s", name, t.Backend, control.Gap))
				cell = strings.TrimSpace(fmt.Sprintf("%s [%d]", cmp.Or(control.How, "NOT KEPT"), len(gaps)))
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table)
	for _, row := range rows {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for i, gap := range gaps {
		if _, err := fmt.Fprintf(w, "[%d] %s\n", i+1, gap); err != nil {
			return err
		}
	}
	return nil
}
