package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// manifestVersion changes when manifest.json can no longer be read by what was
// written for the version before.
const manifestVersion = 1

// manifest is manifest.json: everything that is known of a run.
type manifest struct {
	Version int                     `json:"manifest_version"`
	RunID   string                  `json:"run_id"`
	Created time.Time               `json:"created_at"`
	Serial  int64                   `json:"serial"` // counts publications
	Stages  map[string]*stageRecord `json:"stages"`
	// Restricted: see Work.Restrict. It is never taken back.
	Restricted bool `json:"restricted"`
}

// stageRecord is a stage's state. Begun is an unfinished run of it, Done the last
// published one: while a stage is made anew both are there.
type stageRecord struct {
	Begun      *begunRecord `json:"begun"`
	Publishing *doneRecord  `json:"publishing"` // the folder is being swapped; Open finishes or drops it
	Done       *doneRecord  `json:"done"`
}

// stageKey is what decides whether outputs stand.
type stageKey struct {
	StageVersion string            `json:"stage_version"`
	Config       json.RawMessage   `json:"config"`
	Inputs       map[string]string `json:"inputs"` // stage → digest of its outputs
	Extern       map[string]string `json:"extern"` // name → digest
}

type begunRecord struct {
	stageKey
	BegunAt time.Time `json:"begun_at"`
	Program string    `json:"program"`
	Grows   bool      `json:"grows,omitempty"` // its units are added to what is published
}

type doneRecord struct {
	stageKey
	BegunAt time.Time                  `json:"begun_at"`
	DoneAt  time.Time                  `json:"done_at"`
	Program string                     `json:"program"` // version of the program that wrote it
	Serial  int64                      `json:"serial"`  // of the publication
	Output  string                     `json:"output"`
	Digest  string                     `json:"digest"` // of Outputs
	Outputs []FileDigest               `json:"outputs"`
	Summary map[string]json.RawMessage `json:"summary"`
}

func (d *doneRecord) bytes() int64 {
	var n int64
	for _, f := range d.Outputs {
		n += f.Bytes
	}
	return n
}

// readManifest reads a manifest; fs.ErrNotExist where there is none. A damaged
// one is an InputError: it is the only record of what the folders hold, so that
// nothing may be guessed.
func readManifest(path string) (manifest, error) {
	var m manifest
	text, err := os.ReadFile(path)
	if err != nil {
		return m, fmt.Errorf("read manifest: %w", err)
	}
	const do = "restore it from a copy, or use another run folder"
	var head struct {
		Version int `json:"manifest_version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return m, BadInput(path, faultLine(text, err), "is damaged, it is not valid JSON", do)
	}
	if head.Version != manifestVersion {
		return m, BadInput(path, 0, fmt.Sprintf("has manifest_version %d, this program reads %d", head.Version, manifestVersion),
			"use the program that wrote it, or another run folder")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return m, BadInput(path, faultLine(text, err), "is damaged: "+err.Error(), do)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return m, BadInput(path, faultLine(text[:dec.InputOffset()], nil), "is damaged, text follows its end", do)
	}
	if err := m.check(); err != nil {
		return m, BadInput(path, 0, "is damaged: "+err.Error(), do)
	}
	return m, nil
}

// check refuses what this program never writes; above all paths that lead out of
// the run folder.
func (m *manifest) check() error {
	if m.RunID == "" || m.Stages == nil {
		return errors.New("run_id or stages is missing")
	}
	for name, rec := range m.Stages {
		if rec == nil {
			return fmt.Errorf("stage %s is null", name)
		}
		for _, done := range []*doneRecord{rec.Publishing, rec.Done} {
			if done == nil {
				continue
			}
			if err := checkOutput(done.Output); err != nil {
				return fmt.Errorf("stage %s: %w", name, err)
			}
			for _, f := range done.Outputs {
				if !fs.ValidPath(f.Path) || !strings.HasPrefix(f.Path, done.Output+"/") {
					return fmt.Errorf("stage %s: output %q lies outside its folder", name, f.Path)
				}
			}
			if digestOf(done.Outputs) != done.Digest {
				return fmt.Errorf("stage %s: its digest does not fit its outputs", name)
			}
		}
	}
	return nil
}

// checkOutput says whether a folder may belong to a stage.
func checkOutput(folder string) error {
	if !fs.ValidPath(folder) || folder == "." || strings.HasPrefix(folder, ".") {
		return fmt.Errorf("output folder %q is not a path below the run folder", folder)
	}
	return nil
}

// faultLine finds the line of a JSON error.
func faultLine(text []byte, err error) int64 {
	offset := int64(len(text))
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &wrongType):
		offset = wrongType.Offset
	}
	return int64(bytes.Count(text[:min(offset, int64(len(text)))], []byte("\n"))) + 1
}

// save writes the manifest by write, fsync, rename.
func (r *Run) save() error {
	text, err := json.MarshalIndent(r.manifest, "", "  ")
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	mode := fs.FileMode(0o644)
	if r.manifest.Restricted {
		mode = 0o600
	}
	if err := replaceFile(filepath.Join(r.dir, manifestName), append(text, '\n'), mode); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}

// summary reads a figure of a published stage.
func (m *manifest) summary(stage, key string, v any) (bool, error) {
	rec := m.Stages[stage]
	if rec == nil || rec.Done == nil || rec.Done.Summary[key] == nil {
		return false, nil
	}
	if err := json.Unmarshal(rec.Done.Summary[key], v); err != nil {
		return false, fmt.Errorf("summary %q of stage %s: %w", key, stage, err)
	}
	return true, nil
}

// record is the stage's record, made where there is none.
func (m *manifest) record(stage string) *stageRecord {
	if m.Stages[stage] == nil {
		m.Stages[stage] = &stageRecord{}
	}
	return m.Stages[stage]
}

// holder is the stage that published what lies in a folder now; "" for none. Two
// stages may share a folder when the later one reads the earlier one and
// rewrites what it wrote.
func (m *manifest) holder(folder string) string { return m.holderBut("", folder) }

// holderBut is the holder of a folder before one of its stages last rewrote it.
func (m *manifest) holderBut(reader, folder string) string {
	name, serial := "", int64(-1)
	for stage, rec := range m.Stages {
		if stage != reader && rec.Done != nil && rec.Done.Output == folder && rec.Done.Serial > serial {
			name, serial = stage, rec.Done.Serial
		}
	}
	return name
}

// input is the digest of what a stage reads of another: of what lies in that
// stage's folder now, or lay there when the reader itself rewrote it.
func (m *manifest) input(reader, stage string) (string, error) {
	rec := m.Stages[stage]
	if rec == nil || rec.Done == nil {
		state := "has not been run"
		if rec != nil && rec.Begun != nil {
			state = "has been begun and not finished"
		}
		return "", BadInput("", 0, fmt.Sprintf("stage %s reads stage %s, which %s in this run folder", reader, stage, state), "run that one first")
	}
	if h := m.holderBut(reader, rec.Done.Output); h != "" {
		rec = m.Stages[h]
	}
	return rec.Done.Digest, nil
}
