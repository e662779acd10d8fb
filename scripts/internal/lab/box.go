// Package lab is what the benchmark and the soak runs of the sandbox share: the
// backends by name, a census of what they hold on the machine, and figures.
package lab

import (
	"context"
	"fmt"
	"strings"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/docker"
	"github.com/medgym-data/medgym-data/sandbox/namespace"
	"github.com/medgym-data/medgym-data/sandbox/python"
)

// Init has to be the first call of main: a cell begins as a copy of the program.
func Init() { namespace.Init() }

// Size of a sandbox; zero fields take the backend's defaults.
type Size struct {
	Cells   int
	Recycle int // the docker backend has none: a container ends with its session
}

// backends opens each by its name.
var backends = map[string]func(context.Context, Size) (sandbox.Sandbox, error){
	"namespace": openNamespace,
	"docker":    openDocker,
}

// Open starts the backend of this name.
func Open(ctx context.Context, backend string, size Size) (sandbox.Sandbox, error) {
	open, ok := backends[backend]
	if !ok {
		return nil, fmt.Errorf("backend %q: want %s", backend, strings.Join(sortedKeys(backends), " or "))
	}
	return open(ctx, size)
}

func openNamespace(ctx context.Context, size Size) (sandbox.Sandbox, error) {
	env, err := python.Find(ctx)
	if err != nil {
		return nil, err
	}
	box, err := namespace.New(ctx, namespace.Options{Environment: env, Cells: size.Cells, Recycle: size.Recycle})
	if err != nil {
		return nil, err // box is no nil interface
	}
	return box, nil
}

// openDocker has as many containers wait as a namespace sandbox has cells.
func openDocker(ctx context.Context, size Size) (sandbox.Sandbox, error) {
	box, err := docker.New(ctx, docker.Options{Warm: size.Cells})
	if err != nil {
		return nil, err
	}
	return box, nil
}
