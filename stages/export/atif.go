package export

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/atif"
)

// OutputATIF is the folder of ATIFStage below the run folder: documents are no training
// set, and Output is remade whenever one is.
const OutputATIF = "atif"

const (
	atifName    = "export-atif"
	versionATIF = "1"
)

// reasonNoMessages is why a trajectory of infra_error has no document.
const reasonNoMessages = "no_messages"

// ATIFSummary counts what became of the trajectories of one split of a tier.
type ATIFSummary struct {
	Trajectories int            `json:"trajectories"`
	Documents    int            `json:"documents"`
	LeftOut      map[string]int `json:"left_out,omitempty"`
	Files        int            `json:"files"`
	Bytes        int64          `json:"bytes"`
}

// atifConfig decides what is written.
type atifConfig struct {
	Format     string   `json:"format"`
	Schema     int32    `json:"schema"`
	Sources    []string `json:"sources"`
	Splits     []string `json:"splits"`
	ShardBytes int64    `json:"shard_bytes"`
	Part       string   `json:"part,omitempty"`
}

// ATIFStage makes the stage that writes trajectories for exchange, in the Agent
// Trajectory Interchange Format, one document a line:
//
//	atif/<tier>/<split>-0000i-of-0000N.jsonl
//
// Every trajectory in which something was said has a document, in the order of source,
// task and attempt, those without a reward among them: which to learn from is for the
// reader to say. Of opts only what selects trajectories counts, and ShardBytes.
func ATIFStage(opts Options) (pipeline.Stage, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return pipeline.Stage{}, err
	}
	return pipeline.Stage{
		Name: atifName, Version: versionATIF, Output: OutputATIF, Sources: opts.Sources, Inputs: opts.inputs(),
		Config: atifConfig{Format: atif.Version, Schema: schemas.Version, Sources: opts.Sources, Splits: opts.Splits, ShardBytes: opts.ShardBytes, Part: opts.part().Name()},
		Work:   func(ctx context.Context, w *pipeline.Work) error { return exportATIF(ctx, w, opts) },
	}, nil
}

func exportATIF(ctx context.Context, w *pipeline.Work, opts Options) error {
	in, err := inputOf(ctx, w, opts)
	if err != nil {
		return err
	}
	meter := w.Progress(atifName, 0)
	defer meter.Done()
	for _, tier := range schemas.Tiers {
		if len(in.tiers[tier]) == 0 {
			continue
		}
		splits := map[string]ATIFSummary{}
		for _, split := range opts.Splits {
			out := &lineShards{dir: filepath.Join(w.Dir(), tier), name: split, most: opts.ShardBytes, private: tier != schemas.TierOpen}
			sum, err := documents(ctx, in, tier, split, opts, out, meter)
			if err != nil {
				return errors.Join(err, out.abort())
			}
			splits[split] = sum
		}
		w.Summarize(tier, splits)
	}
	return nil
}

// documents writes one split of a tier.
func documents(ctx context.Context, in input, tier, split string, opts Options, out *lineShards, meter pipeline.Meter) (ATIFSummary, error) {
	sum := ATIFSummary{LeftOut: map[string]int{}}
	for _, at := range in.tiers[tier] {
		if at.split != split {
			continue
		}
		meter.Describe(at.source + " " + at.split)
		tasks, err := readTasks(ctx, in, at, opts.part(), false)
		if err != nil {
			return sum, err
		}
		for g, err := range groups(ctx, at, tasks) {
			if err != nil {
				return sum, err
			}
			if !g.task.selected {
				continue
			}
			for _, t := range g.attempts {
				sum.Trajectories++
				meter.Add(1)
				switch {
				case g.task.dropped:
					sum.LeftOut[reasonOverlapsTest]++
					continue
				case len(t.Messages) == 0:
					sum.LeftOut[reasonNoMessages]++
					continue
				}
				doc, err := atif.FromTrajectory(t)
				if err != nil {
					return sum, err
				}
				line, err := atif.Format(doc)
				if err != nil {
					return sum, fmt.Errorf("trajectory %s: %w", t.TrajectoryID, err)
				}
				if err := out.add(line); err != nil {
					return sum, fmt.Errorf("write ATIF: %w", err)
				}
				sum.Documents++
			}
		}
	}
	var err error
	if sum.Files, sum.Bytes, err = out.finish(); err != nil {
		return sum, fmt.Errorf("write ATIF: %w", err)
	}
	return sum, nil
}

// lineShards writes lines to files of about most bytes, which get their names when
// their number is known.
type lineShards struct {
	dir, name string
	most      int64
	private   bool

	file    *os.File
	out     *bufio.Writer
	written int64 // to file
	total   int64
	parts   []string
}

func (s *lineShards) add(line []byte) error {
	if s.file == nil {
		if err := s.open(); err != nil {
			return err
		}
	}
	if _, err := s.out.Write(line); err != nil {
		return err
	}
	if err := s.out.WriteByte('\n'); err != nil {
		return err
	}
	s.written += int64(len(line)) + 1
	if s.written < s.most {
		return nil
	}
	return s.close()
}

func (s *lineShards) open() (err error) {
	dirMode, mode := fs.FileMode(0o755), fs.FileMode(0o644)
	if s.private {
		dirMode, mode = 0o700, 0o600
	}
	if err := os.MkdirAll(s.dir, dirMode); err != nil {
		return err
	}
	part := filepath.Join(s.dir, fmt.Sprintf(".%s-%05d", s.name, len(s.parts)))
	if s.file, err = os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode); err != nil {
		return err
	}
	s.parts, s.out, s.written = append(s.parts, part), bufio.NewWriterSize(s.file, 1<<16), 0
	return nil
}

func (s *lineShards) close() error {
	s.total += s.written
	err := errors.Join(s.out.Flush(), s.file.Sync(), s.file.Close())
	s.file = nil
	return err
}

func (s *lineShards) finish() (files int, bytes int64, err error) {
	if s.file != nil {
		if err := s.close(); err != nil {
			return 0, 0, err
		}
	}
	for i, part := range s.parts {
		if err := os.Rename(part, filepath.Join(s.dir, fmt.Sprintf("%s-%05d-of-%05d.jsonl", s.name, i, len(s.parts)))); err != nil {
			return 0, 0, err
		}
	}
	return len(s.parts), s.total, nil
}

// abort removes what was begun; files that have their names go with the staged folder.
func (s *lineShards) abort() error {
	var err error
	if s.file != nil {
		err = s.file.Close()
	}
	for _, part := range s.parts {
		if e := os.Remove(part); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// ReadATIFSummary decodes what the stage says of each tier, by split.
func ReadATIFSummary(res pipeline.StageResult) (map[string]map[string]ATIFSummary, error) {
	out := map[string]map[string]ATIFSummary{}
	text, err := json.Marshal(res.Summary)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		return nil, fmt.Errorf("summary of %s: %w", atifName, err)
	}
	return out, nil
}
