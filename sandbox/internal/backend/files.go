package backend

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/medgym-data/medgym-data/sandbox"
)

// NewFiles checks a session's files and puts them into an order in which parents
// come first.
func NewFiles(files []sandbox.File) ([]File, error) {
	frames := make([]File, 0, len(files))
	for _, f := range files {
		inside := path.IsAbs(f.Path) && path.Clean(f.Path) == f.Path &&
			(strings.HasPrefix(f.Path, "/workdir/") || strings.HasPrefix(f.Path, "/data/"))
		switch {
		case !inside:
			return nil, fmt.Errorf("file %q is not below /workdir or /data", f.Path)
		case (f.HostPath == "") == (f.Content == nil):
			return nil, fmt.Errorf("file %s needs a host path or content, and not both", f.Path)
		case f.HostPath == "":
			frames = append(frames, File{Path: f.Path, Content: f.Content})
			continue
		}
		host, err := filepath.Abs(f.HostPath)
		if err == nil {
			host, err = filepath.EvalSymlinks(host) // a link would be followed inside the cell
		}
		if err != nil {
			return nil, fmt.Errorf("file %s: %w", f.Path, err)
		}
		frames = append(frames, File{Path: f.Path, Host: host})
	}
	slices.SortFunc(frames, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	for i := range len(frames) - 1 {
		if frames[i].Path == frames[i+1].Path {
			return nil, fmt.Errorf("file %s is given twice", frames[i].Path)
		}
	}
	return frames, nil
}
