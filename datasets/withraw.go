package datasets

import (
	"context"
	"fmt"
	"slices"
)

// WithRaw makes a Runner in which programs may ask for files of the source's raw
// folder by name (File.RawName).
func WithRaw(run Runner, raw Files) Runner { return rawRunner{run: run, raw: raw} }

type rawRunner struct {
	run Runner
	raw Files
}

func (r rawRunner) Run(ctx context.Context, p Program) (Output, error) {
	p.Files = slices.Clone(p.Files)
	for i, f := range p.Files {
		if f.RawName == "" {
			continue
		}
		if _, ok := r.raw.Stat(f.RawName); !ok {
			return Output{}, fmt.Errorf("a grading program needs the raw file %s, which is not there", f.RawName)
		}
		p.Files[i].HostPath, p.Files[i].RawName = r.raw.Path(f.RawName), ""
	}
	return r.run.Run(ctx, p)
}
