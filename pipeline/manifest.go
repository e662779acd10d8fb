package pipeline

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// manifest is manifest.json: what was run with what, and what came of it.
type manifest struct {
	Format  int                   `json:"format"`
	RunID   string                `json:"run_id"`
	Program string                `json:"program"`
	Created time.Time             `json:"created"`
	Stages  map[string]stageState `json:"stages"`

	path string
}

type stageState struct {
	Key      map[string]string `json:"key"` // everything the outputs follow from
	Begun    time.Time         `json:"begun"`
	Done     bool              `json:"done"`
	Finished time.Time         `json:"finished,omitzero"`
	Outputs  []FileDigest      `json:"outputs"`
	Summary  map[string]any    `json:"summary"`
}

const manifestFormat = 1

func readManifest(path, program string) (*manifest, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		id := make([]byte, 6)
		if _, err := rand.Read(id); err != nil {
			return nil, fmt.Errorf("run id: %w", err)
		}
		return &manifest{Format: manifestFormat, RunID: hex.EncodeToString(id), Program: program, Created: now(),
			Stages: map[string]stageState{}, path: path}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	m := &manifest{path: path}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, BadInput{File: path, What: "the manifest is damaged: " + err.Error(), Do: "restore it, or start in a new folder with --dir"}
	}
	if m.Format != manifestFormat {
		return nil, BadInput{File: path, What: fmt.Sprintf("manifest format %d, this program reads %d", m.Format, manifestFormat),
			Do: "use the program that wrote it, or start in a new folder with --dir"}
	}
	if m.Stages == nil {
		m.Stages = map[string]stageState{}
	}
	m.Program = program
	return m, nil
}

func (m *manifest) write() error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("marshal manifest: %w", err)
	}
	return WriteFile(m.path, append(data, '\n'))
}

// WriteFile replaces a file by write, fsync and rename: a crash leaves the old one
// or the new one, never a part.
func WriteFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
