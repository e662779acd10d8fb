package program

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/medgym-data/medgym-data/pipeline"
)

// Prefix begins the names of the variables that every program is given.
const Prefix = "MEDGYM_EXEC_"

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Environment makes the environment of a program out of ours: PATH, HOME and LANG,
// what begins with Prefix, and what is named. A name that is not set is a
// pipeline.InputError.
func Environment(names []string) ([]string, error) {
	var out []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if slices.Contains([]string{"PATH", "HOME", "LANG"}, name) || strings.HasPrefix(name, Prefix) || slices.Contains(names, name) {
			out = append(out, entry)
		}
	}
	for _, name := range names {
		if !variable.MatchString(name) {
			return nil, fmt.Errorf("a variable is given by its name alone: its value comes from the environment")
		}
		if _, ok := os.LookupEnv(name); !ok {
			return nil, &pipeline.InputError{What: "the variable " + name + " is not set", Do: "set it, or leave it out"}
		}
	}
	return out, nil
}
