package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/medgym-data/medgym-data/scripts/internal/lab"
)

// report is what a run has found.
type report struct {
	Machine  lab.Machine       `json:"machine"`
	Versions map[string]string `json:"versions"`
	Rounds   int               `json:"rounds"`
	SliceS   float64           `json:"slice_s"`
	Missing  map[string]string `json:"missing"` // ways that could not be measured, and why
	Series   []*series         `json:"series"`
	Goals    []verdict         `json:"goals"`
}

func (b *bench) versions(ctx context.Context) map[string]string {
	return map[string]string{
		"python": b.env.Version,
		"bwrap":  lab.Version(ctx, "bwrap", "--version"),
		"docker": lab.Version(ctx, "docker", "version", "--format", "{{.Server.Version}}"),
	}
}

// find is the series of a way, nil where there is none.
func (r *report) find(part, program, way string) *series {
	at := slices.IndexFunc(r.Series, func(s *series) bool { return s.Part == part && s.Program == program && s.Way == way })
	if at < 0 {
		return nil
	}
	return r.Series[at]
}

// ratio is the median over rounds of how many times as many executions a has as b.
func ratio(a, b *series) float64 {
	if a == nil || b == nil {
		return math.NaN()
	}
	each := make([]float64, min(len(a.PerCore), len(b.PerCore)))
	for i := range each {
		each[i] = a.PerCore[i] / b.PerCore[i]
	}
	return lab.Median(each)
}

// goal is a figure that docs/benchmarks.md promises, on one core.
type goal struct {
	name  string
	least bool // the limit is the least, else the most
	limit float64
	// of measures a way of ours, with the others at hand.
	of func(ours *series, other func(way string) *series) float64
}

var goals = []goal{
	{"executions a second and core", true, 150, func(s *series, _ func(string) *series) float64 { return lab.Median(s.PerCore) }},
	{"p50 ms", false, 7, func(s *series, _ func(string) *series) float64 { return s.P50MS }},
	{"p99 ms", false, 15, func(s *series, _ func(string) *series) float64 { return s.P99MS }},
	{"times python file.py", true, 40, func(s *series, other func(string) *series) float64 { return ratio(s, other(plainPython)) }},
	{"times docker exec", true, 50, func(s *series, other func(string) *series) float64 { return ratio(s, other(dockerExec)) }},
	{"bare fork + exit is faster, times", false, 2, func(s *series, other func(string) *series) float64 { return ratio(other(bareFork), s) }},
	{"docker pool is slower, times", false, 1.5, func(s *series, other func(string) *series) float64 { return ratio(s, other(pool)) }},
}

// verdict is a goal held against what was measured.
type verdict struct {
	Goal     string   `json:"goal"`
	Limit    string   `json:"limit"`
	Way      string   `json:"way"`
	Program  string   `json:"program"`
	Measured *float64 `json:"measured"` // nil where a part was missing
	Met      bool     `json:"met"`
}

func (v verdict) String() string {
	switch {
	case v.Measured == nil:
		return "not measured"
	case v.Met:
		return fmt.Sprintf("%.2f met", *v.Measured)
	}
	return fmt.Sprintf("%.2f missed", *v.Measured)
}

// judge holds every goal against both of our ways and all programs.
func (r *report) judge() {
	for _, g := range goals {
		for _, p := range programs {
			for _, way := range []string{embedded, embeddedFresh} {
				v := verdict{Goal: g.name, Limit: fmt.Sprintf("≤ %g", g.limit), Way: way, Program: p.name}
				if g.least {
					v.Limit = fmt.Sprintf("≥ %g", g.limit)
				}
				if ours := r.find("one core", p.name, way); ours != nil {
					n := g.of(ours, func(other string) *series { return r.find("one core", p.name, other) })
					if !math.IsNaN(n) {
						v.Measured, v.Met = &n, g.least && n >= g.limit || !g.least && n <= g.limit
					}
				}
				r.Goals = append(r.Goals, v)
			}
		}
	}
}

func (r *report) print(out io.Writer, asJSON bool) error {
	r.judge()
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	fmt.Fprintf(out, "%s\npython %s, bwrap %s, docker %s; %d rounds of %g s each, interleaved\n", r.Machine,
		r.Versions["python"], r.Versions["bwrap"], r.Versions["docker"], r.Rounds, r.SliceS)
	for _, part := range []string{"one core", "all cores"} {
		for _, p := range programs {
			fmt.Fprintf(out, "\n%s: %q\n\n", part, p.code)
			if err := r.printPart(out, part, p.name); err != nil {
				return err
			}
		}
	}
	fmt.Fprint(out, "\nGoals, on one core\n\n")
	heads := []string{"", "goal"}
	for _, p := range programs {
		heads = append(heads, p.name+", session", p.name+", fresh")
	}
	table := lab.NewTable(out, heads...)
	for each := range slices.Chunk(r.Goals, 2*len(programs)) {
		row := []any{each[0].Goal, each[0].Limit}
		for _, v := range each {
			row = append(row, v)
		}
		table.Row(row...)
	}
	return table.Flush()
}

func (r *report) printPart(out io.Writer, part, program string) error {
	table := lab.NewTable(out, "", "per s and core", "of rounds", "p50 ms", "p99 ms", "max ms", "machine CPU ms", "runs", "session is faster, times")
	ours := r.find(part, program, embedded)
	for _, w := range ways {
		s := r.find(part, program, w.name)
		if s == nil {
			if why, missing := r.Missing[w.name]; missing {
				table.Row(w.name, why)
			}
			continue
		}
		table.Row(w.name, lab.Median(s.PerCore), fmt.Sprintf("%.1f to %.1f", slices.Min(s.PerCore), slices.Max(s.PerCore)),
			s.P50MS, s.P99MS, s.MaxMS, lab.Median(s.CPU), s.Runs, ratio(ours, s))
	}
	return table.Flush()
}
