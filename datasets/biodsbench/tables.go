package biodsbench

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/pysrc"
	"github.com/medgym-data/medgym-data/schemas"
)

const workdir = "/workdir/"

var (
	workdirPath  = regexp.MustCompile(`/workdir/([\w.-]+\.csv)\b`)
	joinedPath   = regexp.MustCompile(`join\(\s*INPUT_DIR\s*,\s*["']([\w.-]+)\.(?:csv|txt)["']`)
	statedTable  = regexp.MustCompile(`/workdir/([\w.-]+\.csv)\b`)
	statedShape  = regexp.MustCompile(`Shape is \((\d+), (\d+)\)`)
	tabSeparated = regexp.MustCompile(`(read_csv\([^\n]*?)\.txt(["'][^\n]*?)\s*,\s*(?:sep|delimiter)\s*=\s*["']\\t["']`)
)

// shape is rows without the header, and columns.
type shape struct{ rows, columns int }

// described is a table that a row's description names, with its shape if stated.
type described struct {
	name  string
	shape *shape
}

// describedTables lists the tables of a description in order.
func describedTables(text string) []described {
	var list []described
	places := statedTable.FindAllStringSubmatchIndex(text, -1)
	for i, m := range places {
		name := text[m[2]:m[3]]
		if slices.ContainsFunc(list, func(d described) bool { return d.name == name }) {
			continue
		}
		end := len(text)
		if i+1 < len(places) {
			end = places[i+1][0]
		}
		d := described{name: name}
		if m := statedShape.FindStringSubmatch(text[m[1]:end]); m != nil {
			rows, errRows := strconv.Atoi(m[1])
			columns, errColumns := strconv.Atoi(m[2])
			if errRows == nil && errColumns == nil {
				d.shape = &shape{rows: rows, columns: columns}
			}
		}
		list = append(list, d)
	}
	return list
}

// neededTables lists what must be in /workdir: what the description names and
// what the given code reads.
func neededTables(list []described, code ...string) []string {
	var names []string
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, d := range list {
		add(d.name)
	}
	for _, src := range code {
		for _, m := range workdirPath.FindAllStringSubmatch(src, -1) {
			add(m[1])
		}
		for _, m := range joinedPath.FindAllStringSubmatch(src, -1) {
			add(m[1] + ".csv")
		}
	}
	slices.Sort(names)
	return names
}

// csvNames lets a reference solution that reads cBioPortal's own tab-separated
// text files read the release's CSV of the same table.
func csvNames(code string) string {
	return tabSeparated.ReplaceAllString(code, "$1.csv$2")
}

// tables finds study tables in a download.
type tables struct {
	raw    datasets.Raw
	shapes map[string]*shape // of files straight under data/
}

func newTables(raw datasets.Raw) *tables {
	return &tables{raw: raw, shapes: map[string]*shape{}}
}

// find gives the resource of a table; false if it is not there.
func (t *tables) find(study, name string, list []described) (schemas.Resource, bool, error) {
	resource := schemas.Resource{Name: workdir + name, Kind: "csv"}
	file := path.Join("data", study, name)
	info, ok := t.raw.Stat(file)
	if !ok {
		flat := path.Join("data", name)
		at := slices.IndexFunc(list, func(d described) bool { return d.name == name && d.shape != nil })
		if at < 0 {
			return resource, false, nil
		}
		if info, ok = t.raw.Stat(flat); !ok {
			return resource, false, nil
		}
		got, err := t.shape(flat)
		if err != nil {
			return resource, false, err
		}
		if got == nil || *got != *list[at].shape {
			return resource, false, nil // another study's table
		}
		file = flat
	}
	resource.Path, resource.SHA256, resource.Bytes = file, info.SHA256, schemas.Ptr(info.Bytes)
	return resource, true, nil
}

// shape reads a CSV's shape once; nil if it is not a CSV.
func (t *tables) shape(file string) (*shape, error) {
	if s, ok := t.shapes[file]; ok {
		return s, nil
	}
	data, err := t.raw.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read table %s: %w", file, err)
	}
	reader := csv.NewReader(strings.NewReader(string(data)))
	reader.ReuseRecord, reader.LazyQuotes, reader.FieldsPerRecord = true, true, -1
	var s *shape
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			s = nil
			break
		}
		if s == nil {
			s = &shape{rows: -1, columns: len(record)}
		}
		s.rows++
	}
	t.shapes[file] = s
	return s, nil
}

// importable are the names that test and solution code uses without importing
// them, because the program before it did.
var importable = map[string]string{
	"pd":                "import pandas as pd",
	"np":                "import numpy as np",
	"os":                "import os",
	"math":              "import math",
	"plt":               "import matplotlib.pyplot as plt",
	"sns":               "import seaborn as sns",
	"lifelines":         "import lifelines",
	"KaplanMeierFitter": "from lifelines import KaplanMeierFitter",
	"CoxPHFitter":       "from lifelines import CoxPHFitter",
	"logrank_test":      "from lifelines.statistics import logrank_test",
	"oncoPrintPlotter":  "from PyComplexHeatmap import oncoPrintPlotter",
	"INPUT_DIR":         `INPUT_DIR = "/workdir"`,
}

// resultAttrs are the attributes that may be read from result objects: of a
// fitted lifelines curve, and of matplotlib's bars, whose number is asserted.
var resultAttrs = []string{"event_observed", "durations", "median_survival_time_"}

const barsAttr = "patches"

// testNames divides what test code reads: results of the agent, which cross as
// plain data, and tables of the study, which are loaded afresh.
func testNames(tests string, files []string) (results []result, fresh []string) {
	for _, free := range pysrc.FreeNames(tests) {
		switch {
		case importable[free.Name] != "":
		case slices.Contains(files, free.Name+".csv"):
			fresh = append(fresh, free.Name)
		default:
			r := result{Name: free.Name}
			for _, attr := range free.Attrs {
				if slices.Contains(resultAttrs, attr) {
					r.Attrs = append(r.Attrs, attr)
				}
			}
			if measured(tests, free.Name) {
				r.Attrs = append(r.Attrs, barsAttr)
			}
			results = append(results, r)
		}
	}
	return results, fresh
}

// measured says whether test code takes the length of a variable.
func measured(tests, name string) bool {
	tokens := pysrc.Tokenize(tests)
	for i := 2; i+1 < len(tokens); i++ {
		if tokens[i].Text == name && tokens[i-2].Text == "len" && tokens[i-1].Text == "(" && tokens[i+1].Text == ")" {
			return true
		}
	}
	return false
}

// knownModules are those whose values cross, or which the tests only compute with.
var knownModules = []string{"pandas", "numpy", "os", "math", "re", "json", "scipy", "lifelines", "pd", "np"}

// ungradable says which assertion needs what cannot cross a sandbox's border, and
// why there is nothing to assert; empty if there is none.
func ungradable(ans answer) string {
	tokens := pysrc.Tokenize(ans.Tests)
	asserts := 0
	for i, tok := range tokens {
		if tok.Kind != pysrc.Name {
			continue
		}
		next := ""
		if i+1 < len(tokens) {
			next = tokens[i+1].Text
		}
		switch {
		case tok.Text == "assert":
			asserts++
		case (tok.Text == "import" && (i < 2 || tokens[i-2].Text != "from") || tok.Text == "from") && !slices.Contains(knownModules, next) && next != "(":
			return "the tests look into objects of " + next + ", which cannot leave the sandbox as plain data"
		}
	}
	switch {
	case asserts == 0:
		return "the tests assert nothing"
	case len(ans.Results) == 0:
		return "the tests read nothing that an analysis leaves"
	}
	return ""
}
