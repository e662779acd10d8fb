package datasets

import (
	"fmt"
	"slices"
	"strings"
)

// Registry is an ordered list of adapters. It is a value: nothing registers
// itself, datasets/all spells the list out.
type Registry []Adapter

// Find returns the adapter with that id.
func (r Registry) Find(id string) (Adapter, error) {
	for _, a := range r {
		if a.Spec().ID == id {
			return a, nil
		}
	}
	return nil, fmt.Errorf("unknown source %q; known: %s", id, strings.Join(r.IDs(), ", "))
}

// IDs lists the sources in order.
func (r Registry) IDs() []string {
	ids := make([]string, len(r))
	for i, a := range r {
		ids[i] = a.Spec().ID
	}
	return ids
}

// Select keeps the named sources, in the registry's order; all when none is named.
func (r Registry) Select(ids ...string) (Registry, error) {
	if len(ids) == 0 {
		return r, nil
	}
	for _, id := range ids {
		if _, err := r.Find(id); err != nil {
			return nil, err
		}
	}
	var out Registry
	for _, a := range r {
		if slices.Contains(ids, a.Spec().ID) {
			out = append(out, a)
		}
	}
	return out, nil
}
