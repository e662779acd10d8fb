package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"unicode"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/all"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
)

func newApp(stdout, stderr io.Writer) *cli.App { return newAppOf(all.Registry(), stdout, stderr) }

// newAppOf is the program for other sources.
func newAppOf(registry datasets.Registry, stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:    "medgym-data",
		Usage:   "from the raw downloads of MedAgentGym's sources to training sets for agents",
		Version: version(),
		Flags:   talkFlags(),
		Commands: []*cli.Command{
			prepareCommand(registry),
			rolloutCommand(registry),
			importCommand(registry),
			gradeCommand(registry),
			scoreCommand(registry),
			exportCommand(registry),
			statsCommand(registry),
			sourcesCommand(registry),
			synthCommand(registry),
			quickstartCommand(),
			doctorCommand(registry),
			completionCommand(),
		},
		Writer: stdout, ErrWriter: stderr,
		EnableBashCompletion: true,
		HideHelpCommand:      true,
		OnUsageError:         onUsageError,
		ExitErrHandler:       func(*cli.Context, error) {}, // main alone decides the exit code
		CommandNotFound:      nil,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usageError{fmt.Errorf("unknown command %q; see medgym-data --help", c.Args().First())}
			}
			return cli.ShowAppHelp(c)
		},
	}
	finish(app.Commands)
	return app
}

// finish gives every command what all have in common.
func finish(commands []*cli.Command) {
	for _, cmd := range commands {
		cmd.OnUsageError = onUsageError
		cmd.HideHelpCommand = true
		cmd.Action = refuseArguments(cmd.Action)
		cmd.Flags = append(cmd.Flags, talkFlags()...)
		finish(cmd.Subcommands)
	}
}

// onUsageError says in our words what the flag parser says with one dash.
func onUsageError(c *cli.Context, err error, _ bool) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		text = "unknown flag --" + name
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		text = "flag --" + name + " needs a value"
	}
	text = strings.Replace(text, " for flag -", " for flag --", 1)
	return usageErrorf(c, "%s", text)
}

// need refuses to go on without flags that have no default. (The library's own
// check prints the whole help.)
func need(c *cli.Context, flags ...string) error {
	for _, name := range flags {
		if c.String(name) == "" {
			return usageErrorf(c, "flag --%s is required", name)
		}
	}
	return nil
}

// usageErrorf makes a usageError that says where help is.
func usageErrorf(c *cli.Context, format string, args ...any) error {
	of := "medgym-data"
	if c.Command != nil && c.Command.HelpName != "" {
		of = c.Command.HelpName
	}
	return usageError{fmt.Errorf(format+"; see %s --help", append(args, of)...)}
}

// refuseArguments: every input is a flag, so an argument is a slip, and flags
// after it would have been swallowed.
func refuseArguments(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		if c.Args().Present() && c.Command.ArgsUsage == "" {
			return usageErrorf(c, "%s takes no argument, got %q", c.Command.Name, c.Args().First())
		}
		return action(c)
	}
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// oneLine puts several errors, which come one a line, on one.
func oneLine(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// requireRun refuses a folder that is no run folder yet, for commands that do not
// begin one.
func requireRun(c *cli.Context) error {
	if dir := c.Path("dir"); !pipeline.Exists(dir) {
		return pipeline.BadInput(dir, 0, "is not a run folder", "name one with --dir, or run medgym-data prepare first")
	}
	return nil
}

// openRun opens the run folder that --dir names, with logs and progress as the
// global flags say.
func openRun(c *cli.Context) (*pipeline.Run, error) { return openRunLogged(c, accessLog(c)) }

// openRunLogged is openRun with what the access log is to note.
func openRunLogged(c *cli.Context, access governance.Log) (*pipeline.Run, error) {
	log, err := logger(c)
	if err != nil {
		return nil, err
	}
	return pipeline.Open(c.Context, c.Path("dir"), pipeline.Options{
		Version: c.App.Version, Log: log, Progress: progressOf(c), Force: c.Bool("force"),
		Reading: access.Reading,
	})
}

// talkFlags say how much a command tells. They are flags of the program and of each
// command, so that they are understood wherever they stand.
func talkFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "quiet", EnvVars: []string{"MEDGYM_QUIET"}, Usage: "no progress"},
		&cli.StringFlag{Name: "log-level", DefaultText: defaultLogLevel, EnvVars: []string{"MEDGYM_LOG_LEVEL"}, Usage: "debug, info, warn or error"},
	}
}

const defaultLogLevel = "warn"

func quiet(c *cli.Context) bool {
	return slices.ContainsFunc(c.Lineage(), func(c *cli.Context) bool { return c.Bool("quiet") })
}

// logLevel is what stands nearest to the command.
func logLevel(c *cli.Context) string {
	for _, c := range c.Lineage() {
		if level := c.String("log-level"); level != "" {
			return level
		}
	}
	return defaultLogLevel
}

func logger(c *cli.Context) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(logLevel(c))); err != nil {
		return nil, usageErrorf(c, "--log-level is debug, info, warn or error, not %q", logLevel(c))
	}
	return slog.New(slog.NewTextHandler(c.App.ErrWriter, &slog.HandlerOptions{Level: level})), nil
}

func progressOf(c *cli.Context) pipeline.Progress {
	if quiet(c) {
		return silent{}
	}
	if f, ok := c.App.ErrWriter.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return bars{out: f}
	}
	return lines{out: c.App.ErrWriter}
}

// runFlags are the flags of every command that works on a run folder.
func runFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		&cli.PathFlag{Name: "dir", Value: "medgym-run", EnvVars: []string{"MEDGYM_DIR"}, Usage: "run folder"},
		&cli.BoolFlag{Name: "force", Usage: "start a stage anew whose settings have changed, discarding its unfinished work"},
		&cli.BoolFlag{Name: "json", Usage: "print JSON"},
	}, more...)
}
