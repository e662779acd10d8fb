// Command sandbox measures what an execution in the sandbox costs, against other ways
// to run the same program, in one run on one machine.
//
//	go run ./scripts/bench/sandbox            the tables
//	go run ./scripts/bench/sandbox -json      the same as JSON
//
// Every way has a slice of time in each of several rounds, in turn and from another
// first one each round, so that a drift of the machine hits all alike. First all is
// pinned to one core, programs and those who start them; then all cores are busy.
// Each result is checked, and a wrong one ends the run. A way whose parts are not
// installed is reported as missing.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/medgym-data/medgym-data/sandbox/python"
	"github.com/medgym-data/medgym-data/scripts/internal/lab"
)

// program is what every way runs.
type program struct {
	name, code string
	answer     string
}

var programs = []program{
	{"import", "import pandas as pd\nanswer = 1\n", "1"},
	{"frame", "import pandas as pd\nanswer = int(pd.DataFrame({'a': [1, 2, 3]}).a.sum())\n", "6"},
}

func main() {
	lab.Init()
	var b bench
	flag.IntVar(&b.rounds, "rounds", 10, "rounds of each part")
	flag.DurationVar(&b.slice, "slice", time.Second, "time of each way in a round")
	flag.StringVar(&b.only, "only", "", "regular expression of the ways to measure")
	asJSON := flag.Bool("json", false, "print JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	report, err := b.measure(ctx)
	if err == nil {
		err = report.print(os.Stdout, *asJSON)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	rounds int
	slice  time.Duration
	only   string
	env    python.Environment
	work   string // folder with the programs as files
}
