//go:build !linux || !amd64

package namespace

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/python"
)

// Options size a sandbox.
type Options struct {
	Environment python.Environment
	Cells       int
	Recycle     int
	Log         *slog.Logger
}

// Init does nothing here.
func Init() {}

// New reports that this backend needs Linux on x86-64.
func New(context.Context, Options) (sandbox.Sandbox, error) {
	return nil, fmt.Errorf("%w: the namespace backend needs Linux on x86-64", sandbox.ErrUnavailable)
}
