package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/medgym-data/medgym-data/sandbox/abuse"
)

const (
	abuseBegin = "<!-- abuse: made by make generate from what the suite recorded. Do not edit. -->\n"
	abuseEnd   = "<!-- end of abuse -->\n"
)

// abuseParts are the headings of the table, and the row that each begins with.
var abuseParts = []struct {
	title string
	first int
}{
	{"processes and time", 1}, {"memory", 11}, {"files", 16}, {"output and results", 21}, {"others' data", 25}, {"network", 31},
	{"the kernel", 37}, {"ends", 47}, {"what came since the design", 51},
}

// withAbuse puts the table of the abuse suite into a page: the outcomes of each
// backend, as they were recorded.
func withAbuse(page []byte, backends ...string) ([]byte, error) {
	before, rest, ok := bytes.Cut(page, []byte(abuseBegin))
	_, after, ok2 := bytes.Cut(rest, []byte(abuseEnd))
	if !ok || !ok2 {
		return nil, errors.New("docs/sandbox.md lacks the marks of the table of abuse")
	}
	var out bytes.Buffer
	out.WriteString("\n| | attempt |")
	for _, backend := range backends {
		fmt.Fprintf(&out, " %s |", backend)
	}
	out.WriteString("\n|---|---|" + string(bytes.Repeat([]byte("---|"), len(backends))) + "\n")
	recorded := map[string]map[int]string{}
	for _, backend := range backends {
		rows, err := abuse.Recorded(backend)
		if err != nil {
			return nil, err
		}
		recorded[backend] = rows
	}
	part := 0
	for _, row := range abuse.Rows() {
		if part < len(abuseParts) && abuseParts[part].first == row.Number {
			fmt.Fprintf(&out, "| | *%s* |%s\n", abuseParts[part].title, bytes.Repeat([]byte(" |"), len(backends)))
			part++
		}
		fmt.Fprintf(&out, "| %d | **%s**: %s |", row.Number, row.Name, row.Attempt)
		for _, backend := range backends {
			outcome := recorded[backend][row.Number]
			if outcome == "" {
				outcome = "not run"
			}
			fmt.Fprintf(&out, " %s |", outcome)
		}
		out.WriteString("\n")
	}
	out.WriteString("\n")
	return bytes.Join([][]byte{before, []byte(abuseBegin), out.Bytes(), []byte(abuseEnd), after}, nil), nil
}
