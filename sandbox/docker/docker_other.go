//go:build !linux || !amd64

package docker

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/medgym-data/medgym-data/sandbox"
)

// Options size a sandbox.
type Options struct {
	Warm    int
	Runtime string
	Log     *slog.Logger
}

// New reports that this backend needs Linux on x86-64.
func New(context.Context, Options) (sandbox.Sandbox, error) {
	return nil, fmt.Errorf("%w: the docker backend needs Linux on x86-64", sandbox.ErrUnavailable)
}
