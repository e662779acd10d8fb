package main

import (
	"context"
	_ "embed"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/medgym-data/medgym-data/scripts/internal/install"
)

//go:embed llama.lock
var llamaLock []byte

//go:embed llama.py
var llamaProgram string

// llama starts the server of llama.cpp, which the package xllamacpp holds.
type llama struct{ install.Packages }

func prepareLlama(ctx context.Context, log io.Writer) (launcher, error) {
	packages, err := install.Pip(ctx, "llama", llamaLock, log)
	return llama{packages}, err
}

func (l llama) command(ctx context.Context, _, model string, port, context int) *exec.Cmd {
	cmd := exec.CommandContext(ctx, l.Executable, "-s", "-P", "-c", llamaProgram, model, modelName, strconv.Itoa(port), strconv.Itoa(context), strconv.Itoa(slots))
	cmd.Env = append(os.Environ(), "PYTHONPATH="+l.Site)
	return cmd
}

func (llama) ready(context.Context, string, string, int) error { return nil }

var llamaBegun = regexp.MustCompile(`processing task, is_child = 0`)

func (llama) begun() *regexp.Regexp { return llamaBegun }
