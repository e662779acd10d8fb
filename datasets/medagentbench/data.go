package medagentbench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/fhir"
	"github.com/medgym-data/medgym-data/schemas"
)

// loader opens the FHIR data of a download and keeps what it opened last: loading
// an export takes minutes where it is large, and every session needs it.
type loader struct {
	mu     sync.Mutex
	key    string
	source fhir.Source
}

// open returns the data: the server of the option fhir-url, else the files below
// fhir/, else nil.
func (l *loader) open(ctx context.Context, raw datasets.Files) (fhir.Source, error) {
	url, names := raw.Option(urlOption), dataFiles(raw)
	if url == "" && len(names) == 0 {
		return nil, nil
	}
	key := "url " + url
	if url == "" {
		key = filesKey(raw, names)
	}
	// The lock is held while loading, so that sessions that start together wait
	// for one load instead of doing it each.
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.source != nil && l.key == key {
		return l.source, nil
	}
	var source fhir.Source
	var err error
	if url != "" {
		source, err = fhir.NewRemote(url)
	} else {
		source, err = fhir.Load(ctx, raw, names, fhir.Limits{})
	}
	if err != nil {
		return nil, err
	}
	l.key, l.source = key, source
	return source, nil
}

func dataFiles(raw datasets.Files) []string {
	names := slices.Concat(raw.Glob(plainData), raw.Glob(packedData))
	slices.Sort(names)
	return slices.Compact(names)
}

// filesKey names the content: two folders with the same files are the same data.
func filesKey(raw datasets.Files, names []string) string {
	var b strings.Builder
	for _, name := range names {
		info, _ := raw.Stat(name)
		fmt.Fprintf(&b, "%s %d %s\n", name, info.Bytes, info.SHA256)
	}
	return b.String()
}

// resources lists the files that a session's service answers from.
func resources(raw datasets.Files) []schemas.Resource {
	if raw.Option(urlOption) != "" {
		return nil
	}
	var list []schemas.Resource
	for _, name := range dataFiles(raw) {
		info, _ := raw.Stat(name)
		list = append(list, schemas.Resource{Name: fhir.BaseURL, Kind: "fhir", Path: name, SHA256: info.SHA256, Bytes: schemas.Ptr(info.Bytes)})
	}
	return list
}
