package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrDrift says that a stage was begun or done with another config or other
// inputs. The error is a *DriftError.
var ErrDrift = errors.New("config drift")

// DriftError names what differs and what Options.Force would lose.
type DriftError struct {
	Stage       string
	State       string // was begun, is done
	Differences []Difference
	Lost        string
}

// Difference is one value of a stage's key that has changed.
type Difference struct {
	Name     string // policy.temperature, input normalize
	Old, New string // as JSON; "nothing" where there was or is none
	Config   bool   // of the config, not of version or inputs
}

func (e *DriftError) Error() string {
	return fmt.Sprintf("%v: stage %s %s with other settings: %s: use the former ones, or another run folder, or --force, which starts the stage anew and loses %s",
		ErrDrift, e.Stage, e.State, e.changes(), e.Lost)
}

func (e *DriftError) changes() string {
	texts := make([]string, len(e.Differences))
	for i, d := range e.Differences {
		texts[i] = fmt.Sprintf("%s was %s, is now %s", d.Name, d.Old, d.New)
	}
	return strings.Join(texts, "; ")
}

func (e *DriftError) Unwrap() error { return ErrDrift }

// differences lists what differs between two keys, in a fixed order.
func differences(old, now stageKey) []Difference {
	diffs := compare("config ", true, flatten(old.Config), flatten(now.Config))
	if old.StageVersion != now.StageVersion {
		diffs = append(diffs, Difference{Name: "stage version", Old: old.StageVersion, New: now.StageVersion})
	}
	diffs = append(diffs, compare("input ", false, old.Inputs, now.Inputs)...)
	return append(diffs, compare("input ", false, old.Extern, now.Extern)...)
}

// growth says whether nothing but what lies at a path of the config differs.
func growth(old, now stageKey, path string) bool {
	if path == "" {
		return false
	}
	diffs := differences(old, now)
	for _, d := range diffs {
		if at, _ := strings.CutPrefix(d.Name, "config "); !d.Config || at != path && !strings.HasPrefix(at, path+".") {
			return false
		}
	}
	return len(diffs) > 0
}

func compare(kind string, config bool, old, now map[string]string) []Difference {
	var diffs []Difference
	names := maps.Clone(old)
	if names == nil {
		names = map[string]string{}
	}
	maps.Copy(names, now)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if old[name] == now[name] {
			continue
		}
		label := kind + name
		if name == "" {
			label = strings.TrimSpace(kind)
		}
		diffs = append(diffs, Difference{Name: label, Old: shorten(old[name]), New: shorten(now[name]), Config: config})
	}
	return diffs
}

func shorten(s string) string {
	const most = 60
	switch {
	case s == "":
		return "nothing"
	case len(s) > most:
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// flatten gives the leaves of a JSON value by path. Null, an empty list and an
// empty object are no leaves: whether a slice is nil or empty is no drift.
func flatten(text json.RawMessage) map[string]string {
	leaves := map[string]string{}
	var walk func(path string, text json.RawMessage)
	walk = func(path string, text json.RawMessage) {
		join := func(name string) string {
			if path == "" {
				return name
			}
			return path + "." + name
		}
		var object map[string]json.RawMessage
		var list []json.RawMessage
		switch {
		case len(text) == 0 || string(text) == "null":
		case json.Unmarshal(text, &object) == nil:
			for name, v := range object {
				walk(join(name), v)
			}
		case json.Unmarshal(text, &list) == nil:
			for i, v := range list {
				walk(join(fmt.Sprint(i)), v)
			}
		default:
			leaves[path] = string(text)
		}
	}
	walk("", text)
	return leaves
}
