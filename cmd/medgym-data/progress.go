package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/medgym-data/medgym-data/pipeline"
)

// bars draw on a terminal.
type bars struct{ out *os.File }

func (b bars) Start(name string, total int64) pipeline.Meter {
	if total == 0 {
		total = -1 // a spinner
	}
	return bar{progressbar.NewOptions64(total, progressbar.OptionSetWriter(b.out), progressbar.OptionSetDescription(name),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetWidth(24), progressbar.OptionClearOnFinish()), name}
}

// bar draws for show only: a terminal that cannot be written to is no fault.
type bar struct {
	*progressbar.ProgressBar
	name string
}

func (b bar) Add(n int64)          { _ = b.Add64(n) }
func (b bar) Describe(text string) { b.ProgressBar.Describe(b.name + ": " + text) }
func (b bar) Done()                { _ = b.Finish() }

// lines print a plain line now and then, for logs.
type lines struct{ out io.Writer }

const lineEvery = 10 * time.Second

func (l lines) Start(name string, total int64) pipeline.Meter {
	begun := time.Now()
	return &line{out: l.out, name: name, total: total, begun: begun, last: begun}
}

type line struct {
	mu          sync.Mutex
	out         io.Writer
	name, text  string
	total, done int64
	begun, last time.Time
}

func (l *line) Add(n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done += n
	if time.Since(l.last) >= lineEvery {
		l.print("")
	}
}

func (l *line) Describe(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = text
}

func (l *line) Done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.print(", done")
}

func (l *line) print(end string) {
	l.last = time.Now()
	of, text := "", ""
	if l.total > 0 {
		of = fmt.Sprintf(" of %d", l.total)
	}
	if l.text != "" {
		text = ", " + l.text
	}
	fmt.Fprintf(l.out, "%s: %d%s%s%s, %.1f s\n", l.name, l.done, of, text, end, time.Since(l.begun).Seconds())
}

// silent is --quiet.
type silent struct{}

func (silent) Start(string, int64) pipeline.Meter { return silent{} }
func (silent) Add(int64)                          {}
func (silent) Describe(string)                    {}
func (silent) Done()                              {}
