package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/namespace"
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
		Flags: append(endpointFlags(false),
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
			findings, err := examine(c)
			if err != nil {
				return err
			}
			if err := printFindings(c, findings); err != nil {
				return err
			}
			for _, f := range findings {
				if !f.OK {
					return fmt.Errorf("%w: %s: %s: %s", sandbox.ErrUnavailable, f.What, f.Is, f.Do)
				}
			}
			return nil
		},
	}
}

// installLog is where pip talks: it has more to say than --quiet wants.
func installLog(c *cli.Context) io.Writer {
	if quiet(c) {
		return io.Discard
	}
	return c.App.ErrWriter
}

// examine looks at the machine, in the order in which things need each other.
func examine(c *cli.Context) ([]finding, error) {
	found := []finding{
		{What: "system", OK: runtime.GOOS == "linux" && runtime.GOARCH == "amd64",
			Is: fmt.Sprintf("%s/%s, %d cores, user %d", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), os.Getuid()),
			Do: "the embedded sandbox needs Linux on x86-64"},
	}
	interpreter, err := python.FindInterpreter(c.Context)
	if c.Context.Err() != nil {
		return nil, c.Context.Err()
	}
	if err != nil {
		return append(found, finding{What: "interpreter", Is: "none", Do: err.Error()}), nil
	}
	found = append(found, finding{What: "interpreter", OK: true, Is: fmt.Sprintf("CPython %s, %s", interpreter.Version, interpreter.Executable)})
	env, err := python.Find(c.Context)
	switch {
	case errors.Is(err, python.ErrNotInstalled):
		return append(found, finding{What: "environment", Is: "not installed", Do: "medgym-data doctor --install"}), nil
	case err != nil:
		return nil, err
	}
	found = append(found, finding{What: "environment", OK: true, Is: env.Dir})
	box, err := namespace.New(c.Context, namespace.Options{Environment: env, Cells: 1})
	if err != nil {
		return append(found, finding{What: "sandbox", Is: "does not start", Do: oneLine(err.Error())}), nil
	}
	found, err = trial(c.Context, box, found)
	return found, errors.Join(err, box.Close())
}

// trial runs one program in the sandbox.
func trial(ctx context.Context, box sandbox.Sandbox, found []finding) (_ []finding, err error) {
	session, err := box.Open(ctx, sandbox.Spec{Name: "doctor"})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	result, err := session.Run(ctx, sandbox.Command{Language: sandbox.Python, Code: "import pandas\nanswer = pandas.__version__"})
	if err != nil {
		return nil, err
	}
	info := box.Info()
	found = append(found, finding{What: "sandbox", OK: result.Status == sandbox.StatusOK,
		Is: fmt.Sprintf("%s backend, a program ran in %d ms", info.Backend, result.Wall.Milliseconds()), Do: "report this as a fault of medgym-data"})
	for _, control := range info.Controls {
		if control.How != "" {
			found = append(found, finding{What: "control", OK: true, Is: control.Name + ": " + control.How})
		}
	}
	for _, gap := range info.Gaps() {
		found = append(found, finding{What: "not enforced", OK: true, Is: gap})
	}
	return found, nil
}

func printFindings(c *cli.Context, findings []finding) error {
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(findings)
	}
	for _, f := range findings {
		mark, do := "ok     ", ""
		if !f.OK {
			mark, do = "MISSING", ": "+f.Do
		}
		if _, err := fmt.Fprintf(c.App.Writer, "%s  %-12s  %s%s\n", mark, f.What, f.Is, do); err != nil {
			return err
		}
	}
	return nil
}
